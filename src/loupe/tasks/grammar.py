"""A little English: articles, plurals, numbers, pronouns, and which predicate is the contrary of which."""

from __future__ import annotations

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MEN = frozenset(("man", "boy", "guy", "gentleman", "father", "son", "king", "player", "batter", "catcher", "umpire",
                 "skater", "skateboarder", "surfer", "skier", "snowboarder", "policeman", "fireman", "male", "person",
                 "rider"))
WOMEN = frozenset(("woman", "girl", "lady", "mother", "daughter", "queen", "bride", "female"))
PEOPLE = MEN | WOMEN | frozenset(("people", "child", "kid", "baby", "adult", "toddler", "men", "women", "pedestrian",
                                  "spectator"))
PLURALS = {"person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet", "tooth": "teeth",
           "mouse": "mice", "knife": "knives", "leaf": "leaves", "shelf": "shelves", "loaf": "loaves", "fish": "fish",
           "sheep": "sheep", "deer": "deer", "bus": "buses"}
ALREADY = frozenset(PLURALS.values()) - {"fish", "sheep", "deer"}
CONTRARY = {}
for _one, _other in (("left of", "right of"), ("to the left of", "to the right of"),
                     ("on the left of", "on the right of"), ("on the left side of", "on the right side of"),
                     ("above", "below"), ("over", "under"), ("higher than", "lower than"), ("inside", "around"),
                     ("in front of", "behind"), ("larger than", "smaller than"), ("bigger than", "smaller than"),
                     ("on top of", "under"), ("next to", "far from"), ("near", "far away from")):
    CONTRARY.setdefault(_one, _other)
    CONTRARY.setdefault(_other, _one)


def many(name: str) -> bool:
    """Is the name a plural already? "trousers", "people"; not "cross", "bus"."""
    last = name.split()[-1] if name.split() else ""
    return last in ALREADY or (last.endswith("s") and not last.endswith(("ss", "us", "is")))


def article(words: str, name: str = "") -> str:
    """"a red star", "an orange"; plurals stay bare. `name`: the noun among the words, where it is not the last."""
    if many(name or words):
        return words
    return ("an " if words[:1].lower() in tuple("aeiou") else "a ") + words


def plural(name: str) -> str:
    *before, last = name.split() or [""]
    if last in PLURALS:
        last = PLURALS[last]
    elif not many(last):
        if last.endswith(("s", "x", "z", "ch", "sh")):
            last += "es"
        elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
            last = last[:-1] + "ies"
        else:
            last += "s"
    return " ".join([*before, last])


def number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def pronoun(name: str) -> str:
    """What stands for a thing of that name after a verb: "him", "her", "them" or "it"."""
    last = name.lower().split()[-1:] or [""]
    if last[0] in WOMEN:
        return "her"
    if last[0] in MEN:
        return "him"
    return "them" if many(name) else "it"


def could_be(name: str, other: str) -> bool:
    """Might one thing go by both names? Equal words, one within the other, or two words for people."""
    a, b = name.lower(), other.lower()
    return a in b or b in a or (a.split()[-1] in PEOPLE and b.split()[-1] in PEOPLE)


def telling(words: str) -> int:
    """How many of these words tell something: all but articles."""
    return sum(word.lower() not in ("a", "an", "the") for word in words.split())
