"""Does a description single out one object? Words are read by the grammar of the world's expressions.

What is said must hold in the strict sense of world.predicates, and of no other object even in the loose sense; words
that the grammar does not know prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from loupe.evals.things import LOOKS, Scene, Thing
from loupe.world.expressions import MARGIN, ORDINALS
from loupe.world.kinds import KINDS
from loupe.world.predicates import PREDICATES, Predicate

NAMES = {name for kind in KINDS.values() for name in (kind.name, *kind.synonyms)}
GROWTH = 1.3  # times larger than every rival: the largest
EDGES = {"leftmost": "left", "rightmost": "right", "topmost": "top", "lowest": "bottom"}
SIDES = "left|right|top|bottom"
CORNER = "top left|top right|bottom left|bottom right"
CORNER_IN, CORNER_NEAR = 0.36, 0.55  # of the side: in the corner; not clearly outside it
SLACK = 0.05  # of the side: a centre so close beyond a third of the picture may be said to lie in it
FORMS = sorted(((form, p) for p in PREDICATES if p.refers for form in p.forms), key=lambda pair: -len(pair[0]))


@dataclass(frozen=True)
class Noun:
    """A class with attributes: "large striped red star"."""

    name: str
    looks: tuple[str, ...] = ()

    def of(self, thing: Thing) -> bool:
        return self.name in thing.names and all(thing.looks.get(LOOKS[word]) == word for word in self.looks)


@dataclass(frozen=True)
class Description:
    """A noun, and how the thing is told apart from others of that noun.

    kind: "", "edge" (value: a side), "ordinal" (k, side), "largest", "smallest", "corner", "place", "word", "relation".
    """

    noun: Noun
    kind: str = ""
    value: object = None
    predicate: Predicate | None = None
    other: Description | None = None  # what a relation leads to


@dataclass(frozen=True)
class Fit:
    """Ids of the things a description is true of, and of those somebody might mean by it."""

    strict: frozenset[str]
    loose: frozenset[str]

    def only(self, id: str) -> bool:
        """Does it mean this thing, and no other?"""
        return self.strict == {id} and self.loose <= {id}


def fit(text: str, scene: Scene) -> Fit | None:
    """What a description means in a scene; None where its words are not understood."""
    said = parse(text)
    return None if said is None else _fit(said, scene)


@cache
def parse(text: str) -> Description | None:
    """A description by the world's grammar; None where the words do not fit it."""
    text = re.sub(r"^(?:the|an?) ", "", " ".join(text.lower().split()).rstrip(" .!,;"))
    return next((found for rule in (_plain, _order, _place, _word, _related) for found in rule(text) if found), None)


def noun(text: str) -> Noun | None:
    words = text.split()
    for length in (2, 1):
        name, looks = " ".join(words[-length:]), words[:-length]
        if name in NAMES and len(words) >= length:
            kinds = [LOOKS.get(word) for word in looks]
            known = None not in kinds and len(set(kinds)) == len(kinds)
            return Noun(name, tuple(looks)) if known else None
    return None


def _described(text: str, kind: str = "", value=None) -> Iterator[Description]:
    found = noun(text)
    if found is not None:
        yield Description(found, kind, value)


def _plain(text: str) -> Iterator[Description]:
    yield from _described(text)
    if m := re.fullmatch(r"(.+) that is (\w+) all over", text):
        yield from _described(f"{m[2]} {m[1]}")


def _order(text: str) -> Iterator[Description]:
    if m := re.fullmatch(rf"({'|'.join(EDGES)}) (.+)", text):
        yield from _described(m[2], "edge", EDGES[m[1]])
    if m := re.fullmatch(rf"(.+) (?:nearest the|furthest to the|on the) ({SIDES})", text):
        yield from _described(m[1], "edge", m[2])
    if m := re.fullmatch(rf"({'|'.join(ORDINALS)}) (.+) from the ({SIDES})", text):
        yield from _described(m[2], "ordinal", (ORDINALS.index(m[1]), m[3]))
    if m := re.fullmatch(r"(largest|biggest|smallest) (.+)", text):
        yield from _described(m[2], "smallest" if m[1] == "smallest" else "largest")


def _place(text: str) -> Iterator[Description]:
    if m := re.fullmatch(rf"({CORNER}) (.+)", text):
        yield from _described(m[2], "corner", m[1])
    if m := re.fullmatch(rf"(.+) in the ({CORNER}) corner", text):
        yield from _described(m[1], "corner", m[2])
    if m := re.fullmatch(rf"({SIDES}) (.+)", text):
        yield from _described(m[2], "edge", m[1])
    if m := re.fullmatch(r"(.+) in the middle of the picture", text):
        yield from _described(m[1], "place", ("middle", "middle"))
    if m := re.fullmatch(r"(.+) on the (left|right) side of the picture", text):
        yield from _described(m[1], "place", ("middle", m[2]))
    if m := re.fullmatch(r"(.+) at the (top|bottom) of the picture", text):
        yield from _described(m[1], "place", (m[2], "middle"))
    if m := re.fullmatch(r"(.+) in the (top|bottom) (left|right) of the picture", text):
        yield from _described(m[1], "place", (m[2], m[3]))


def _word(text: str) -> Iterator[Description]:
    if m := re.fullmatch(r"(.+) (?:that says|with the word) (\w+)", text):
        yield from _described(m[1], "word", m[2])
    if m := re.fullmatch(r"(.+) with (\w+) printed on it", text):
        yield from _described(m[1], "word", m[2])


def _related(text: str) -> Iterator[Description]:
    for form, predicate in FORMS:
        first, between, last = text.partition(f" {form} ")
        subject = noun(first) if between else None
        other = parse(last) if subject and re.match(r"(?:the|an?) ", last) else None
        if other is not None:
            yield Description(subject, "relation", form, predicate, other)


def _fit(said: Description, scene: Scene) -> Fit:
    row = [thing for thing in scene.things if said.noun.of(thing)]
    if said.kind in ("edge", "ordinal"):
        return _in_line(said, row, scene)
    if said.kind in ("largest", "smallest"):
        return _largest(row, scene, said.kind)
    if said.kind == "relation":
        return _in_relation(said, row, scene)
    tests = {"": lambda thing, loose: True,
             "word": lambda thing, loose: thing.word.lower() == said.value,
             "corner": lambda thing, loose: _in_corner(thing, scene, said.value, CORNER_NEAR if loose else CORNER_IN),
             "place": lambda thing, loose: _in_third(thing, scene, said.value, SLACK if loose else 0.0)}
    test = tests[said.kind]
    return Fit(*(frozenset(t.id for t in row if test(t, loose)) for loose in (False, True)))


def _in_line(said: Description, row: list[Thing], scene: Scene) -> Fit:
    """The k-th of a row by its centres, where both neighbours are clearly apart."""
    k, side = said.value if said.kind == "ordinal" else (0, said.value)
    centre = {t.id: (t.box.centre.x if side in ("left", "right") else t.box.centre.y) for t in row}
    line = sorted(row, key=lambda t: centre[t.id], reverse=side in ("right", "bottom"))
    if k >= len(line):
        return Fit(frozenset(), frozenset())
    clear = all(abs(centre[line[i].id] - centre[line[i + 1].id]) >= MARGIN * scene.side
                for i in (k - 1, k) if 0 <= i < len(line) - 1)
    if not clear:
        return Fit(frozenset(), frozenset(t.id for t in line))
    return Fit(*2 * (frozenset({line[k].id}),))


def _largest(row: list[Thing], scene: Scene, kind: str) -> Fit:
    found = [t for t in row if all(_factor(scene, t, other, kind) > GROWTH for other in row if other is not t)]
    return Fit(frozenset(t.id for t in found), frozenset(t.id for t in found or row))


def _factor(scene: Scene, a: Thing, b: Thing, kind: str) -> float:
    pair = scene.pair(a, b)
    return pair.growth if kind == "largest" else pair.shrink


def _in_relation(said: Description, row: list[Thing], scene: Scene) -> Fit:
    """Things in that relation to the one thing that the rest of the words means."""
    anchors = _fit(said.other, scene)
    anchor = next((t for t in scene.things if anchors.only(t.id)), None)
    if anchor is None:
        return Fit(frozenset(), frozenset(t.id for t in row))
    row = [t for t in row if t is not anchor]
    stated = {s for s, words, o in scene.stated if o == anchor.id and words in said.predicate.forms}
    strict = [t.id for t in row if t.id in stated or said.predicate.strict(scene.pair(t, anchor))]
    loose = [t.id for t in row if t.id in strict or said.predicate.loose(scene.pair(t, anchor))]
    return Fit(frozenset(strict), frozenset(loose))


def _in_corner(thing: Thing, scene: Scene, where: str, reach: float) -> bool:
    x, y = thing.box.centre.x / scene.width, thing.box.centre.y / scene.height
    return (y if where.startswith("top") else 1 - y) < reach and (x if where.endswith("left") else 1 - x) < reach


def _in_third(thing: Thing, scene: Scene, where: tuple[str, str], slack: float) -> bool:
    thirds = {"top": 0, "left": 0, "middle": 1, "bottom": 2, "right": 2}
    shares = thing.box.centre.y / scene.height, thing.box.centre.x / scene.width
    return all(thirds[word] / 3 - slack <= share < (thirds[word] + 1) / 3 + slack for word, share in zip(where, shares))
