"""May a dialogue be used? Only regions that were given, only what the annotations can answer, a fit length, no repeats.

Whether words are supported is judged by words alone: numbers, colours, textures and names of things must be annotated,
of the other content words a share must be. That stops what is plainly made up; it proves no sentence true.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from loupe.errors import ConfigError
from loupe.regionchat.listing import Listing
from loupe.regionchat.talk import HANDLE, Talk
from loupe.tasks.grammar import NUMBERS, PLURALS, could_be
from loupe.tasks.looks import SORTS

REASONS = ("not JSON", "cut short", "another shape", "too few turns", "too many turns", "empty turn", "turn too long",
           "no region", "unknown region", "region without its handle", "coordinates", "not answered",
           "number not annotated", "look not annotated", "thing not annotated", "look of another region",
           "not supported", "question repeated", "dialogue repeated")
COORDINATES = re.compile(r"[\[(]\s*-?\d+(?:\.\d+)?\s*[,;]\s*-?\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?[,;\s]+){3}\d+(?:\.\d+)?"
                         r"|\b0?\.\d{2,}|\b(?:coordinates?|bounding box(?:es)?|pixels?|[xy][12])\b", re.I)
NAKED = re.compile(r"(?<!<)\b(?:r\d+|regions? (?:#\s*)?\d+)\b(?!>)|<\s*/?\s*(?:region|box|r)\b[^>]*>(?<!\d>)", re.I)
UNANSWERED = re.compile(r"\b(?:(?:can(?:no|')t|can not|could not|(?:unable|impossible|not possible|difficult) to) "
                        r"(?:be )?(?:tell|told|say|said|see|seen|know|known|determined?)|no information|unknown|not "
                        r"(?:annotated|given|provided|specified|mentioned|clear from)|annotations?|captions?|"
                        r"language model|thousandths)\b", re.I)
DENIED = re.compile(r"\b(?:no|not|none|nothing|neither|nor|without|isn't|aren't|doesn't|don't)\b|n't\b", re.I)
STRICT = SORTS["texture"] | SORTS["colour"]
STOP = frozenset((Path(__file__).parent / "stop_words.txt").read_text("utf-8").split())  # say nothing of their own
SILENT = STOP | frozenset(NUMBERS)
SINGULAR = {several: one for one, several in PLURALS.items()}
LONGEST = 3  # words of a name that is looked for


@dataclass(frozen=True)
class Bounds:
    """Turns are pairs of question and answer. support: least share of an answer's content words that are annotated
    (or stand in its question). things: names of other things than the annotated are refused."""

    least: int = 1
    most: int = 8
    words: int = 120  # of one text
    support: float = 0.4
    things: bool = True

    def __post_init__(self):
        if not 1 <= self.least <= self.most or self.words < 1 or not 0 <= self.support <= 1:
            raise ConfigError("these bounds fit no dialogue", got=f"{self.least} to {self.most} turns, {self.words} "
                              f"words, support {self.support}", expected="1 or more, in order; support 0 to 1")


def faults(talk: Talk, listing: Listing, bounds: Bounds, things: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """(reason, what exactly), in the order of REASONS; empty where the dialogue may be used.

    things: names of things in the whole data set; one that is said and not annotated here is a fault.
    """
    return _shape(talk, bounds) or _regions(talk, listing) or _truth(talk, listing, bounds, things)


def _shape(talk: Talk, bounds: Bounds) -> list[tuple[str, str]]:
    count = len(talk.turns)
    if count < bounds.least:
        return [("too few turns", f"{count} of at least {bounds.least}")]
    if count > bounds.most:
        return [("too many turns", f"{count} of at most {bounds.most}")]
    found = []
    for text in talk.texts:
        length = len(text.split())
        if not re.search(r"\w|<r\d+>", text):
            found.append(("empty turn", repr(text)))
        elif length > bounds.words:
            found.append(("turn too long", f"{length} words of at most {bounds.words}"))
    asked = Counter(plain(question) for question, _ in talk.turns)
    return found + [("question repeated", text) for text, times in asked.items() if times > 1]


def _regions(talk: Talk, listing: Listing) -> list[tuple[str, str]]:
    if not talk.handles:
        return [("no region", "a dialogue names at least one")]
    found = [("unknown region", handle) for handle in talk.handles if handle not in listing.handles]
    for text in talk.texts:
        bare = HANDLE.sub(" ", text)
        if match := NAKED.search(bare):
            found.append(("region without its handle", match[0]))
        if match := COORDINATES.search(_unprinted(bare, listing)):
            found.append(("coordinates", match[0]))
    return found


def _truth(talk: Talk, listing: Listing, bounds: Bounds, things: frozenset[str]) -> list[tuple[str, str]]:
    known = Known(listing)
    found: list[tuple[str, str]] = []
    for question, answer in talk.turns:
        if match := UNANSWERED.search(answer):
            found.append(("not answered", match[0]))
        found += [(reason, what) for sentence in sentences(answer)
                  for reason, what in _sentence(sentence, question, listing, known, bounds, things)]
        mine = [w for w in content(answer) if w not in stems(question)]
        share = sum(w in known.stems for w in mine) / len(mine) if mine else 1.0
        if share < bounds.support:
            found.append(("not supported", f"{share:.0%} of its words: {', '.join(mine[:6])}"))
    return list(dict.fromkeys(found))


def _sentence(sentence: str, question: str, listing: Listing, known: Known, bounds: Bounds, things: frozenset[str]):
    """Faults in numbers, looks and names. Of a denial names and looks are not judged where absence can be known."""
    words = re.findall(r"[a-z]+|\d+", HANDLE.sub(" ", sentence.lower()))
    denied = bool(DENIED.search(sentence))
    for word in words:
        number = NUMBERS.index(word) if word in NUMBERS[2:] else int(word) if word.isdigit() else None
        if number is not None and number > 1 and not known.number(number, f"{question} {sentence}"):
            yield "number not annotated", word
        elif word in STRICT and not denied:
            if word not in known.words:
                yield "look not annotated", word
            elif (other := _elsewhere(word, sentence, question, listing)):
                yield "look of another region", f"{word}, {other}"
    if bounds.things:
        for name in sorted(named(words, things) - known.names):
            if not (denied and name in listing.absent) and not known.mentions(name):
                yield "thing not annotated", name


def named(words: list[str], things: frozenset[str]) -> set[str]:
    """Those of `things` that are said, one or several of them; of "hot dog" not the dog."""
    found, k = set(), 0
    while k < len(words):
        for length in range(LONGEST, 0, -1):
            said = " ".join(words[k:k + length])
            name = next((form for form in (said, said.removesuffix("s"), said.removesuffix("es"),
                                           SINGULAR.get(said, said)) if form in things), None)
            if name is not None:
                found.add(name)
                break
        k += length
    return found


def _elsewhere(look: str, sentence: str, question: str, listing: Listing) -> str:
    """The one region a sentence is about, where annotations know looks of that sort and this is none of them."""
    about = set(HANDLE.findall(sentence)) or set(HANDLE.findall(question))
    entry = listing.handles.get(next(iter(about))) if len(about) == 1 else None
    if entry is None:
        return ""
    sort = next(words for words in SORTS.values() if look in words)
    mine = " ".join(entry.facts).lower()
    own = [word for word in sort if re.search(rf"\b{word}\b", " ".join(entry.looks).lower())]
    others = [e for e in listing.entries if e is not entry and e.name and e.name in sentence.lower()]
    return entry.handle if own and not re.search(rf"\b{look}\b", mine) and not others else ""


class Known:
    """What the annotations of one picture say, as words."""

    def __init__(self, listing: Listing):
        text = " ".join(listing.facts).lower()
        self.listing, self.words = listing, frozenset(re.findall(r"[a-z]+|\d+", text))
        self.stems = frozenset(map(stem, self.words))
        self.names = listing.names | {e.name.lower() for e in listing.entries if e.name}
        self.numbers = {NUMBERS.index(w) if w in NUMBERS else int(w) for w in self.words if w in NUMBERS or w.isdigit()}
        self.numbers |= {number for _, number in listing.counts}
        self.numbers |= set(Counter(e.name for e in listing.entries if e.name).values())

    def number(self, value: int, text: str) -> bool:
        """Annotated, or the number of regions the text names."""
        return value in self.numbers or value == len(set(HANDLE.findall(text)))

    def mentions(self, name: str) -> bool:
        """Is the thing in a caption or phrase, or another word for what is annotated?"""
        return all(stem(word) in self.stems for word in name.split()) or any(could_be(name, n) for n in self.names)


def stem(word: str) -> str:
    """A word without its most common endings: dogs -> dog, sitting -> sit, striped -> strip."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[:-len(ending)]
            break
    return word[:-1] if len(word) > 3 and (word[-1] == "e" or word[-1] == word[-2]) else word


def content(text: str) -> list[str]:
    """Stems of the words that say something, but for numbers, which are judged by themselves."""
    return [stem(w) for w in re.findall(r"[a-z]{3,}", HANDLE.sub(" ", text.lower())) if w not in SILENT]


def stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, re.findall(r"[a-z]+", text.lower())))


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?;])\s+", text) if part.strip()]


def plain(text: str) -> str:
    """For comparing: lower case, no punctuation; handles stay."""
    return " ".join(re.findall(r"<r\d+>|\w+", text.lower()))


def likeness(talk: Talk, listing: Listing) -> str:
    """The words of a dialogue, each region by its name: two that agree are the same dialogue."""
    names = {handle: entry.name or "thing" for handle, entry in listing.handles.items()}
    return plain(HANDLE.sub(lambda m: names.get(m[0], m[0]), " | ".join(talk.texts)))


def _unprinted(text: str, listing: Listing) -> str:
    """Without printed words, which may be numbers."""
    for printed in sorted({t for e in listing.entries for t in e.says}, key=len, reverse=True):
        text = text.replace(printed, " ")
    return text

