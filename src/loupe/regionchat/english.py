"""Annotated names and predicates as parts of sentences: "ON" is "is on", "of" is "belongs to", "grass" is bare."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loupe.tasks.grammar import article, many

MASS = frozenset(("air", "bread", "broccoli", "cheese", "clothing", "concrete", "dirt", "dust", "fabric", "foliage",
    "food", "foam", "fruit", "fur", "furniture", "garbage", "graffiti", "grass", "gravel", "greenery", "hair",
    "ice", "jewelry", "jewellery", "lettering", "luggage", "meat", "metal", "mud", "paint", "pavement", "plastic",
    "rice", "rust", "salad", "sand", "scenery", "smoke", "snow", "soil", "steam", "sunlight", "sunshine", "traffic",
    "trash", "vegetation", "water", "wood", "writing"))
SOLE = frozenset(("background", "ground", "horizon", "ocean", "sea", "sky", "sun"))  # there is one of each
NOT_DEEDS = frozenset(("amazing", "boring", "building", "ceiling", "clothing", "dining", "evening", "existing",
    "folding", "interesting", "king", "living", "lighting", "matching", "missing", "morning", "nothing", "painting",
    "reflecting", "remaining", "ring", "shining", "sliding", "something", "string", "surrounding", "wedding",
    "wing"))
BASE = frozenset(("carry", "contain", "cover", "cross", "eat", "face", "feature", "fill", "form", "hang", "have",
    "hold", "lay", "lean", "lie", "line", "look", "make", "play", "pull", "push", "read", "rest", "ride", "say",
    "show", "sit", "stand", "support", "surround", "touch", "use", "walk", "wear"))
NO_VERBS = frozenset(("across", "always", "as", "besides", "downwards", "its", "outwards", "this", "towards",
    "upwards", "us", "versus", "yes"))
LEFT_OUT = frozenset(("and", "been", "not", "or", "than", "that", "which", "who", "whose"))  # make no sentence
OWNING = frozenset(("have", "wear", "hold", "carry", "eat", "feature"))  # what comes behind is new: "a", not "the"
AUXILIARY = ("is", "are", "was", "were", "be", "being")


@dataclass(frozen=True)
class Link:
    """verb: its base form, or "" for "is"/"are"; rest: what follows."""

    verb: str
    rest: str

    @property
    def asked(self) -> bool:
        """May the other thing be asked for? Not of comparisons, which hold of many things."""
        return not {"than", "as", "far", "like", "unlike"} & set(self.rest.split())

    def says(self, several: bool) -> str:
        """What stands between two things: "is on", "wear"."""
        if not self.verb:
            return f"{'are' if several else 'is'} {self.rest}"
        return f"{self.verb if several else third(self.verb)} {self.rest}".strip()

    def asks(self, it: str, several: bool) -> str:
        """The question for the other thing, without who or what: "is it on", "do they wear"."""
        if not self.verb:
            return f"{'are' if several else 'is'} {it} {self.rest}"
        return f"{'do' if several else 'does'} {it} {self.verb} {self.rest}".strip()


def link(predicate: str) -> Link | None:
    """None where the predicate makes no sentence."""
    words = predicate.lower().split()
    while words and words[-1] in ("a", "an", "the"):
        words.pop()
    while words and words[0] in AUXILIARY:
        words.pop(0)
    if not words or words[0] in LEFT_OUT or "been" in words or not bare(" ".join(words)):
        return None
    first, rest = words[0], words[1:]
    if first == "of":
        return Link("belong", " ".join(["to", *rest]))
    if first in ("with", "has"):
        return Link("have", " ".join(rest))
    if first in BASE:
        return Link(first, " ".join(rest))
    if first.endswith("s") and len(first) > 3 and first not in NO_VERBS and not first.endswith("ss"):
        return Link(_base(first), " ".join(rest))
    return Link("", " ".join(words))


def third(verb: str) -> str:
    """carry -> carries, touch -> touches, have -> has."""
    if verb == "have":
        return "has"
    if verb.endswith("y") and verb[-2:-1] not in tuple("aeiou"):
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


def _base(verb: str) -> str:
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("ches", "shes", "sses", "xes", "zzes", "oes")) else verb[:-1]


def named(name: str) -> str:
    """A name inside a sentence: "Cell Phone" in small letters, "TV" as it is."""
    return name if name.isupper() else name.lower()


def some(words: str, name: str = "") -> str:
    """With its article: "a red cup", "an apple", "the sky"; "cars" and "tall grass" have none."""
    last = (name or words).split()[-1]
    if last in SOLE:
        return f"the {words}"
    return words if last in MASS or several(name or words) else article(words, name or words)


def several(name: str) -> bool:
    """Is the name a plural already?"""
    return many(name) or name.split()[-1:] == ["skis"]


def bare(text: str) -> bool:
    """Nothing but letters, spaces, hyphens and apostrophes."""
    return re.fullmatch(r"[^\W\d_]+(?:[ '-][^\W\d_]+)*", text) is not None
