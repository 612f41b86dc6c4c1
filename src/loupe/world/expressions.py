"""Referring expressions: words that fit exactly one thing of a scene.

Told apart by attributes, by order, by a relation to something else, by size, by parts and by printed words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from loupe.world.chance import choose
from loupe.world.predicates import Pair, form
from loupe.world.scene import Part, Scene, Thing

KEYS = ("size", "texture", "colour")  # in the order they are said
MARGIN = 0.05  # a thing is leftmost, second, ... only when its neighbours in line are this far, share of the side
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
            "twelfth")
MIN_SIDE = 8 / 96  # of a region worth referring to, share of the side


@dataclass(frozen=True)
class Expression:
    text: str
    kind: str  # "attribute", "order", "relation", "size", "part", "word", "place", "sentence"
    thing: int  # index in scene.things
    part: int = -1  # index in the thing's parts, -1: the whole


def noun(thing: Thing, keys: tuple[str, ...]) -> str:
    """The thing's name with the attributes named by `keys`."""
    return " ".join([getattr(thing, key) for key in KEYS if key in keys] + [thing.name])


def article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


class Referring:
    """All the expressions of one scene; the choice among them is drawn from `rng`."""

    def __init__(self, scene: Scene, rng: np.random.Generator):
        self.scene, self.rng, self.side = scene, rng, scene.side
        self.things = [thing for thing in scene.things if not thing.crowd]
        self._pairs: dict[tuple[int, int], Pair] = {}
        self._fitting: dict[tuple[int, tuple[str, ...]], list[Thing]] = {}
        self.unique = {id(thing): self._unique_keys(thing) for thing in self.things}

    def pair(self, a: Thing, b: Thing) -> Pair:
        key = id(a), id(b)
        if key not in self._pairs:
            self._pairs[key] = Pair(self.scene, a, b)
        return self._pairs[key]

    def fitting(self, thing: Thing, keys: tuple[str, ...]) -> list[Thing]:
        """The things that the thing's noun with `keys` could mean."""
        key = id(thing), keys
        if key not in self._fitting:
            self._fitting[key] = [other for other in self.things if other.name == thing.name
                                  and all(getattr(other, key) == getattr(thing, key) for key in keys)]
        return self._fitting[key]

    def _unique_keys(self, thing: Thing) -> list[tuple[str, ...]]:
        """The shortest choices of attributes that leave only this thing."""
        keys = thing.said
        for length in range(len(keys) + 1):
            fit = [chosen for chosen in combinations(keys, length) if len(self.fitting(thing, chosen)) == 1]
            if fit:
                return fit
        if thing.texture == "plain" and any(leaf.textured for leaf in thing.kind.leaves):
            return [chosen for chosen in (("texture",), ("texture", "colour"), ("size", "texture", "colour"))
                    if len(self.fitting(thing, chosen)) == 1 and ("size" not in chosen or "size" in keys)][:1]
        return []

    def shortest(self, thing: Thing) -> str:
        """A noun that means this thing alone, or an empty string."""
        fit = self.unique[id(thing)]
        return noun(thing, choose(self.rng, fit)) if fit else ""

    def of(self, thing: Thing) -> list[Expression]:
        """Several expressions of different kinds for one whole thing, short ones first."""
        at = thing.layer
        box = thing.box
        if min(box.width, box.height) < MIN_SIDE * self.side:
            return []
        found = self._attributes(thing)[:2]
        kinds = (self._order(thing), self._size(thing), self._relations(thing, 2), self._special(thing),
                 self._place(thing))
        limits = (2, 1, 2, 1, 1)
        for some, limit in zip(kinds, limits):
            if some:
                start = int(self.rng.random() * len(some))
                found += (some[start:] + some[:start])[:limit]
        out, seen = [], set()
        for kind, text in found + self._sentences(thing):
            if kind != "sentence" and self.rng.random() < 0.4:
                text = "the " + text
            if text not in seen:
                seen.add(text)
                out.append(Expression(text, kind, at))
        return out

    def _attributes(self, thing: Thing) -> list[tuple[str, str]]:
        fit = self.unique[id(thing)]
        if not fit:
            return []
        chosen = choose(self.rng, fit)
        texts = [noun(thing, chosen)]
        more = [key for key in thing.said if key not in chosen]
        if more and self.rng.random() < 0.5:
            texts.append(noun(thing, (*chosen, choose(self.rng, more))))
        return [("attribute", text) for text in texts]

    def _order(self, thing: Thing) -> list[tuple[str, str]]:
        """Leftmost, second from the top, ... among the things of one noun."""
        out = []
        for keys in ((), ("colour",)):
            row = self.fitting(thing, keys)
            if len(row) < 2 or (keys and len(row) == len(self.fitting(thing, ()))):
                continue
            name = noun(thing, keys)
            for axis, first, last, begin, end in ((0, "leftmost", "rightmost", "left", "right"),
                                                  (1, "topmost", "lowest", "top", "bottom")):
                line = sorted(row, key=lambda other: self._middle(other, axis))
                k = line.index(thing)
                gaps = [self._middle(b, axis) - self._middle(a, axis) for a, b in zip(line, line[1:])]
                if min(gaps[max(0, k - 1):k + 1]) < MARGIN * self.side:
                    continue
                if k in (0, len(line) - 1):
                    edge, where = (first, begin) if k == 0 else (last, end)
                    out += [("order", f"{edge} {name}"),
                            ("order", f"{name} {'nearest the' if axis else 'furthest to the'} {where}")]
                    if len(line) == 2:
                        out += [("order", f"{where} {name}"), ("order", f"{name} on the {where}")]
                if len(line) > 2 and min(gaps) >= MARGIN * self.side:
                    out += [("order", f"{ORDINALS[k]} {name} from the {begin}"),
                            ("order", f"{ORDINALS[len(line) - 1 - k]} {name} from the {end}")]
        return out

    @staticmethod
    def _middle(thing: Thing, axis: int) -> float:
        box = thing.box
        return (box.x1 + box.x2) / 2 if axis == 0 else (box.y1 + box.y2) / 2

    def _size(self, thing: Thing) -> list[tuple[str, str]]:
        rivals = [other for other in self.fitting(thing, ()) if other is not thing]
        if not rivals:
            return []
        if all(self.pair(thing, other).growth > 1.3 for other in rivals):
            return [("size", f"{word} {thing.name}") for word in ("largest", "biggest")]
        if all(self.pair(thing, other).shrink > 1.3 for other in rivals):
            return [("size", f"smallest {thing.name}")]
        return []

    def _relations(self, thing: Thing, limit: int, full: bool = False) -> list[tuple[str, str]]:
        """The thing by its relation to another that is known by itself."""
        out = []
        anchors = [other for other in self.things if other is not thing and self.unique[id(other)]]
        start = int(self.rng.random() * len(anchors))
        for anchor in anchors[start:] + anchors[:start]:
            pair = self.pair(thing, anchor)
            holding = [predicate for predicate in pair.holding if predicate.refers]
            if not holding:
                continue
            predicate = choose(self.rng, holding)
            for keys in ((thing.said,) if full else ((), ("colour",))):
                rivals = [other for other in self.fitting(thing, keys) if other is not thing and other is not anchor]
                if any(predicate.loose(self.pair(other, anchor)) for other in rivals):
                    continue
                words = form(predicate, pair, self.rng)
                other = noun(anchor, anchor.said) if full else self.shortest(anchor)
                if not full or len(self.fitting(anchor, anchor.said)) == 1:
                    out.append(("relation", f"{noun(thing, keys)} {words} the {other}"))
                break
            if len(out) >= limit:
                break
        return out

    def _special(self, thing: Thing) -> list[tuple[str, str]]:
        """By a printed word, or by the colour of a part."""
        rivals = [other for other in self.fitting(thing, ()) if other is not thing]
        if thing.word:
            if all(other.word != thing.word for other in rivals):
                return [("word", f"{thing.name} {words} {thing.word}") for words in ("that says", "with the word")]
            return []
        out = []
        for part in thing.parts:
            same = [p for other in rivals for p in other.parts if p.name == part.name]
            if not part.side and all(part.colour != p.colour for p in same):
                plural = part.name.endswith("s")
                words = f"{part.colour} {part.name}"
                out.append(("part", f"{thing.name} with {words if plural else article(words)}"))
        return out

    def _place(self, thing: Thing) -> list[tuple[str, str]]:
        """The only one of its name in a corner of the picture, the others clearly elsewhere."""
        where = corner(thing, self.scene)
        rivals = [other for other in self.fitting(thing, ()) if other is not thing]
        if not where or not rivals or any(in_corner(other, self.scene, where, 0.55) for other in rivals):
            return []
        return [("place", f"{thing.name} in the {where} corner"), ("place", f"{where} {thing.name}")]

    def _sentences(self, thing: Thing) -> list[tuple[str, str]]:
        """Longer wordings, as people write when nobody waits for the answer."""
        out = [("sentence", article(text)) for _, text in self._relations(thing, 1, full=True)]
        keys = thing.said
        if len(self.fitting(thing, keys)) == 1:
            rest = [key for key in keys if key != "texture"]
            if "texture" in keys:
                out.append(("sentence", f"the {noun(thing, tuple(rest))} that is {thing.texture} all over"))
            else:
                out.append(("sentence", f"{article(noun(thing, keys))} {place(thing, self.scene)}"))
        if thing.word and all(other.word != thing.word for other in self.things if other is not thing):
            out.append(("sentence", f"the {noun(thing, keys)} with {thing.word} printed on it"))
        return out

    def of_part(self, thing: Thing, index: int) -> list[Expression]:
        """Expressions for a part, through its whole."""
        part, box = thing.parts[index], thing.parts[index].box
        if min(box.width, box.height) < MIN_SIDE * self.side:
            return []
        out = []
        rivals = [p for other in self.things for p in other.parts if p.name == part.name and p is not part]
        whole = self.shortest(thing)
        side = f"{part.side} " if part.side else ""
        if whole:
            out.append(f"the {side}{part.name} of the {whole}")
        if not rivals:
            out.append(part.name)
        elif all(other.colour != part.colour for other in rivals):
            out.append(f"{part.colour} {part.name}")
        return [Expression(text, "part", thing.layer, index) for text in out]


def in_corner(thing: Thing, scene: Scene, where: str, reach: float) -> bool:
    """Does the centre lie within `reach` (share of width and height) of that corner?"""
    centre = thing.box.centre
    x, y = centre.x / scene.width, centre.y / scene.height
    return (y if where.startswith("top") else 1 - y) < reach and (x if where.endswith("left") else 1 - x) < reach


def corner(thing: Thing | Part, scene: Scene) -> str:
    return next((where for where in ("top left", "top right", "bottom left", "bottom right")
                 if in_corner(thing, scene, where, 0.36)), "")


def place(thing: Thing, scene: Scene) -> str:
    """Where a thing's centre lies, by thirds of the picture."""
    centre = thing.box.centre
    row = ("top", "middle", "bottom")[min(2, int(3 * centre.y / scene.height))]
    column = ("left", "middle", "right")[min(2, int(3 * centre.x / scene.width))]
    if row == column:
        return "in the middle of the picture"
    if row == "middle":
        return f"on the {column} side of the picture"
    return f"at the {row} of the picture" if column == "middle" else f"in the {row} {column} of the picture"
