"""Modest dialogues written by rule from a listing: no endpoint, no invention, little variety.

A dialogue is about one region, its theme. What was said is not asked for again; "it" is said only as long as nothing
else has come up, and where two things have one name each goes by its handle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from loupe.regionchat.english import MASS, NOT_DEEDS, OWNING, bare, link, named, several, some
from loupe.regionchat.listing import Entry, Listing
from loupe.regionchat.talk import HANDLE, Talk
from loupe.tasks.base import pick
from loupe.tasks.drawn import shuffled
from loupe.tasks.grammar import NUMBERS, PEOPLE, number, plural
from loupe.tasks.looks import APART, SORTS

OPENINGS = ("What is {r}?", "What can you see at {r}?", "Tell me what this is: {r}.", "I point at {r}. What is it?")
DESCRIBE = ("Describe {it} in a few words.", "Tell me more about {it}.", "How would you describe {it}?")
LOOKS = {"size": "How large {be} {it}?", "colour": "What colour {be} {it}?", "texture": "What {do} {it} look like?"}
CLEAR = 0.02  # of the picture's longer side: how far apart things are that clearly lie beside one another
FEW = 3  # others of a name that are pointed at
EMPTY = frozenset(("a", "an", "the", "no", "yes", "is", "are", "it", "they", "that", "those", "there", "in", "of", "on",
                   "to", "its", "and", "or", "at"))  # tell nothing
Round = tuple[str, str]


@dataclass(frozen=True)
class Theme:
    """The region a dialogue is about. told: words of the answers so far; alone: no other thing has come up."""

    listing: Listing
    entry: Entry
    told: frozenset[str] = frozenset()
    alone: bool = True

    @property
    def several(self) -> bool:
        return several(self.entry.name)

    @property
    def be(self) -> str:
        return "are" if self.several else "is"

    @property
    def it(self) -> str:
        """As a subject; people go by their name."""
        if not self.alone or person(self.entry.name):
            return self.the(self.entry)
        return "they" if self.several else "it"

    def the(self, entry: Entry, words: str = "") -> str:
        """"the red cup", with its handle where another thing has its name."""
        return f"the {words or named(entry.name)}" + (f" {entry.handle}" if self.twins(entry) else "")

    def twins(self, entry: Entry) -> bool:
        return sum(e.name == entry.name for e in self.listing.entries) > 1

    def after(self, turn: Round) -> Theme:
        others = set(HANDLE.findall(" ".join(turn))) - {self.entry.handle}
        return replace(self, told=self.told | telling(turn[1]), alone=self.alone and not others)

    def gains(self, turn: Round) -> bool:
        """Does the answer say anything that was not said?"""
        return bool(telling(turn[1]) - self.told)


def write(listing: Listing, rng: np.random.Generator, least: int = 2, most: int = 5) -> Talk | None:
    """A dialogue that begins with one region and stays near it; None where too little is known."""
    for entry in shuffled([e for e in listing.entries if e.name], rng):
        theme = Theme(listing, entry)
        rounds = [_opening(theme, rng)]
        theme = theme.after(rounds[0])
        wanted = int(rng.integers(least, most + 1))
        for about in shuffled(ABOUT, rng):
            made = pick([turn for turn in map(_tidy, about(theme, rng)) if theme.gains(turn)], rng)
            if made is not None and len(rounds) < wanted:
                rounds.append(made)
                theme = theme.after(made)
        if len(rounds) >= least:
            return Talk(tuple(rounds))
    return None


def telling(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower())) - EMPTY


def person(name: str) -> bool:
    return name.lower().split()[-1] in PEOPLE


def noun(entry: Entry) -> str:
    """Looks and name, one word of each sort: "small striped red star"."""
    first = [next((look for look in entry.looks if look in words), "") for words in SORTS.values()]
    return " ".join([*filter(None, first), named(entry.name)])


def _tidy(turn: Round) -> Round:
    """Capitals where sentences begin."""
    return tuple(text[:1].upper() + text[1:] for text in turn)


def _opening(theme: Theme, rng: np.random.Generator) -> Round:
    entry = theme.entry
    said = some(noun(entry) if rng.random() < 0.5 else named(entry.name), named(entry.name))
    that = "Those are" if theme.several else "That is"
    return pick(list(OPENINGS), rng).format(r=entry.handle), f"{that} {said}."


def _look(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    for sort, question in LOOKS.items():
        found = [look for look in theme.entry.looks if look in SORTS[sort]]
        if len(found) == 1:
            do = "do" if theme.several else "does"
            yield question.format(be=theme.be, do=do, it=theme.it), f"{theme.it} {theme.be} {found[0]}."


def _colour(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    """Yes or no, of colours that nobody takes for one another."""
    own = [look for look in theme.entry.looks if look in SORTS["colour"]]
    if len(own) == 1 and own[0] in APART:
        asked = own[0] if rng.random() < 0.5 else pick([c for c in APART if c != own[0]], rng)
        said = "Yes" if asked == own[0] else "No"
        yield f"{theme.be} {theme.it} {asked}?", f"{said}, {theme.it} {theme.be} {own[0]}."


def _deed(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    for look in theme.entry.looks:
        if look.endswith("ing") and bare(look) and look not in NOT_DEEDS:
            yield f"What {theme.be} {theme.it} doing?", f"{theme.it} {theme.be} {look}."


def _relation(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    known, mine = theme.listing.handles, theme.entry
    for subject, predicate, other in theme.listing.relations:
        a, b, said = known[subject], known[other], link(predicate)
        if said is None or mine not in (a, b) or not (a.name and b.name):
            continue
        what = some(noun(b), named(b.name)) if said.verb in OWNING else f"the {noun(b)}"
        handle = b.handle if theme.twins(b) else ""
        yield (f"How do {a.handle} and {b.handle} relate?",
               f"{theme.the(a, noun(a))} {said.says(several(a.name))} {what} {handle}".rstrip() + ".")
        rivals = sum((s, p) == (subject, predicate) for s, p, _ in theme.listing.relations)
        if a is mine and rivals == 1 and said.asked:
            who = "Who" if person(b.name) else "What"
            yield (f"{who} {said.asks(theme.it, theme.several)}?",
                   f"{theme.it} {said.says(theme.several)} {what} {b.handle}.")


def _count(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    """How many of its name there are, or where the others are."""
    name, mine = named(theme.entry.name), theme.entry
    count = dict(theme.listing.counts).get(mine.name)
    if count is None or name.split()[-1] in MASS:
        return
    yield (f"How many {plural(name)} are there in the picture?",
           f"There is one {name}." if count == 1 else f"There are {number(count)} {plural(name)}.")
    others = [e.handle for e in theme.listing.entries if e.name == mine.name and e is not mine]
    if count == 1:
        yield f"Is there another {name}?", f"No, this is the only {name}."
    elif len(others) == count - 1 <= FEW:
        yield (f"Where {'is the other ' + name if count == 2 else 'are the other ' + plural(name)}?",
               f"{'The other one is' if count == 2 else 'The others are'} here: {' and '.join(others)}.")


def _absent(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    name = pick(sorted(filter(bare, theme.listing.absent)), rng)
    if name and not several(name):
        yield f"Is there {some(name)} in the picture, too?", f"No, there is no {name}."


def _says(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    for text in theme.entry.says:
        on = "them" if theme.it == "they" else theme.it
        yield f"What is written on {on}?", f'It says "{text}".'


def _phrase(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    it = "them" if theme.it == "they" else theme.it
    for text in theme.entry.phrases:
        if text.lower().split()[0] in NUMBERS[2:] and not theme.several:  # "two cups", of more than this one
            continue
        yield pick(list(DESCRIBE), rng).format(it=it), text.rstrip(". ") + "."


def _beside(theme: Theme, rng: np.random.Generator) -> Iterator[Round]:
    """Where another thing lies; or which one lies there, if all are known and one alone does."""
    margin = CLEAR * max(theme.listing.width, theme.listing.height)
    mine, gaps = theme.entry, {e.handle: _gaps(theme.entry, e) for e in theme.listing.entries if e is not theme.entry}
    for other in theme.listing.entries:
        ways = [way for way, gap in gaps.get(other.handle, {}).items() if gap >= 0]
        if not other.name or len(ways) != 1 or gaps[other.handle][ways[0]] < margin:
            continue
        if other.name != mine.name:
            yield (f"Where {'are' if several(other.name) else 'is'} {other.handle}, seen from {mine.handle}?",
                   f"{theme.the(other)} {'are' if several(other.name) else 'is'} {ways[0]} {theme.the(mine)}.")
        if theme.listing.counts and sum(each[ways[0]] >= 0 for each in gaps.values()) == 1:
            yield f"What lies {ways[0]} {mine.handle}?", f"The {noun(other)} {other.handle}."


def _gaps(entry: Entry, other: Entry) -> dict[str, float]:
    """How far `other` lies beyond each side; negative where it does not."""
    a, b = entry.box, other.box
    return {"to the left of": a.x1 - b.x2, "to the right of": b.x1 - a.x2, "above": a.y1 - b.y2, "below": b.y1 - a.y2}


ABOUT: tuple[Callable[[Theme, np.random.Generator], Iterator[Round]], ...] = (
    _look, _colour, _deed, _relation, _count, _absent, _says, _phrase, _beside)
