"""Modest dialogues written by rule from a listing: no endpoint, no invention, little variety."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from loupe.regionchat.listing import Entry, Listing
from loupe.regionchat.talk import Talk
from loupe.tasks.base import pick
from loupe.tasks.drawn import shuffled
from loupe.tasks.grammar import article, number, plural, pronoun
from loupe.tasks.looks import SORTS

OPENINGS = ("What is {r}?", "What can you see at {r}?", "Tell me what this is: {r}.", "I point at {r}. What is it?")
CLEAR = 0.02  # of the picture's longer side: how far apart things are that clearly lie beside one another
Round = tuple[str, str]


def write(listing: Listing, rng: np.random.Generator, least: int = 2, most: int = 5) -> Talk | None:
    """A dialogue that begins with one region and stays near it; None where too little is known."""
    for entry in shuffled([e for e in listing.entries if e.name], rng):
        rounds = [_opening(entry, rng)]
        wanted = int(rng.integers(least, most + 1))
        for about in shuffled(ABOUT, rng):
            made = pick(list(about(listing, entry)), rng)
            if made is not None and len(rounds) < wanted:
                rounds.append(made)
        if len(rounds) >= least:
            return Talk(tuple(rounds))
    return None


def _opening(entry: Entry, rng: np.random.Generator) -> Round:
    said = f"{article(noun(entry), entry.name)}" if rng.random() < 0.6 else article(entry.name)
    return pick(list(OPENINGS), rng).format(r=entry.handle), f"That is {said}."


def noun(entry: Entry) -> str:
    """Looks and name, one word of each sort: "small striped red star"."""
    first = [next((look for look in entry.looks if look in words), "") for words in SORTS.values()]
    return " ".join([*filter(None, first), entry.name])


def _look(listing: Listing, entry: Entry) -> Iterator[Round]:
    are = "are" if pronoun(entry.name) == "them" else "is"
    for sort, words in SORTS.items():
        found = [look for look in entry.looks if look in words]
        if len(found) == 1:
            ask = {"size": "How large", "colour": "What colour", "texture": "What pattern or texture"}[sort]
            have = "does the {} have" if sort == "texture" else are + " the {}"
            yield f"{ask} {have.format(entry.name)}?", f"The {entry.name} {are} {found[0]}."


def _deed(listing: Listing, entry: Entry) -> Iterator[Round]:
    for look in entry.looks:
        if look.endswith("ing") and all(look not in words for words in SORTS.values()):
            yield f"What is the {entry.name} doing?", f"The {entry.name} is {look}."


def _relation(listing: Listing, entry: Entry) -> Iterator[Round]:
    known = listing.handles
    for subject, predicate, other in listing.relations:
        if entry.handle in (subject, other) and known[subject].name and known[other].name:
            a, b = known[subject], known[other]
            link = predicate if predicate.startswith(("is ", "has", "have")) else f"is {predicate}"
            words = noun(a), noun(b)
            if words[0] == words[1]:
                words = f"{words[0]} {a.handle}", f"{words[1]} {b.handle}"
            yield f"How do {a.handle} and {b.handle} relate?", f"The {words[0]} {link} the {words[1]}."


def _count(listing: Listing, entry: Entry) -> Iterator[Round]:
    for name, count in listing.counts:
        if name == entry.name:
            yield (f"How many {plural(name)} are there in the picture?",
                   f"There is one {name}." if count == 1 else f"There are {number(count)} {plural(name)}.")


def _says(listing: Listing, entry: Entry) -> Iterator[Round]:
    for text in entry.says:
        yield f"What is written on the {entry.name}?", f'It says "{text}".'


def _phrase(listing: Listing, entry: Entry) -> Iterator[Round]:
    for text in entry.phrases:
        yield f"Describe {entry.handle} in a few words.", text.rstrip(".")[:1].upper() + text.rstrip(".")[1:] + "."


def _beside(listing: Listing, entry: Entry) -> Iterator[Round]:
    margin = CLEAR * max(listing.width, listing.height)
    for other in listing.entries:
        if other.name and other.name != entry.name:
            way = _way(entry, other, margin)
            if way:
                yield (f"Where is {other.handle}, seen from {entry.handle}?",
                       f"The {other.name} is {way} the {entry.name}.")


def _way(entry: Entry, other: Entry, margin: float) -> str:
    """Where `other` lies, if on one side alone."""
    a, b = entry.box, other.box
    gaps = {"to the left of": a.x1 - b.x2, "to the right of": b.x1 - a.x2, "above": a.y1 - b.y2, "below": b.y1 - a.y2}
    ways = [way for way, gap in gaps.items() if gap >= 0]
    return ways[0] if len(ways) == 1 and gaps[ways[0]] >= margin else ""


ABOUT: tuple[Callable[[Listing, Entry], Iterator[Round]], ...] = (_look, _deed, _relation, _count, _says, _phrase,
                                                                  _beside)
