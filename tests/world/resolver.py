"""Which thing does an expression mean? Read from the words and the id map, by other means than the world's own."""

from __future__ import annotations

import re

import numpy as np

COLOURS = {"red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown", "black", "white"}
TEXTURES = {"plain", "striped", "dotted", "checked"}
SIZES = {"small", "large"}
PLACE = re.compile(r"^(.*) (?:in|at|on) the (middle|top|bottom|left|right|top left|top right|bottom left|bottom right)"
                   r"(?: side)? of the picture$")
FORMS = {
    "left": ("left of", "to the left of", "on the left of", "on the left side of"),
    "right": ("right of", "to the right of", "on the right of", "on the right side of"),
    "above": ("above", "over", "higher than"), "below": ("below", "under", "beneath", "lower than"),
    "near": ("next to", "near", "beside", "close to", "by"),
    "inside": ("inside", "in", "within", "on", "drawn on"), "around": ("around", "surrounding", "containing"),
    "front": ("in front of", "overlapping", "partly covering", "covering part of"),
    "behind": ("behind", "partly hidden by", "partly covered by"),
    "touching": ("touching", "in contact with", "against", "leaning against"),
    "larger": ("larger than", "bigger than"), "smaller": ("smaller than",),
    "far": ("far from", "far away from", "a long way from"), "level": ("level with", "side by side with"),
    "stacked": ("straight above", "right above", "directly above"),
    "upper-left": ("above and to the left of", "up and left of"),
    "upper-right": ("above and to the right of", "up and right of"),
    "lower-left": ("below and to the left of", "down and left of"),
    "lower-right": ("below and to the right of", "down and right of"),
    "colour": ("the same colour as", "matching"), "kind": ("the same shape as", "like"),
}
NAMES = {form: name for name, forms in FORMS.items() for form in forms}
LONGEST = sorted(NAMES, key=len, reverse=True)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


class View:
    """A scene as a stranger sees it: pixels of each thing, recomputed from the id map."""

    def __init__(self, scene):
        self.scene = scene
        self.things = [thing for thing in scene.things if not thing.crowd]
        self.seen = {}
        for thing in self.things:
            last = thing.first + len(thing.kind.leaves)
            self.seen[thing] = np.argwhere((scene.ids >= thing.first) & (scene.ids <= last))  # [n, 2] y, x

    def box(self, thing):
        ys, xs = self.seen[thing].T
        return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1

    def middle(self, thing):
        x1, y1, x2, y2 = self.box(thing)
        return (x1 + x2) / 2, (y1 + y2) / 2

    def distance(self, a, b):
        """Smallest distance between the boxes, pixels."""
        p, q = self.box(a), self.box(b)
        return np.hypot(max(q[0] - p[2], p[0] - q[2], 0), max(q[1] - p[3], p[1] - q[3], 0))

    def enclosed(self, a, b):
        """Share of a's pixels with pixels of b's outline on all four sides, or under them."""
        outline = b.whole
        left, up = np.maximum.accumulate(outline, 1), np.maximum.accumulate(outline, 0)
        right = np.maximum.accumulate(outline[:, ::-1], 1)[:, ::-1]
        down = np.maximum.accumulate(outline[::-1], 0)[::-1]
        within = left & right & up & down
        return float(within[tuple(self.seen[a].T)].mean())

    def meets(self, a, b):
        """Do the outlines share a pixel or two neighbours?"""
        p, q = np.argwhere(a.whole), np.argwhere(b.whole)
        if not len(p) or not len(q):
            return False
        return bool((np.abs(p[:, None] - q[None]).max(2) <= 1).any())

    def holds(self, name, a, b):
        """The natural reading of a predicate."""
        (ax, ay), (bx, by), side = self.middle(a), self.middle(b), self.scene.side
        dx, dy = (bx - ax) / side, (by - ay) / side
        overlap = (a.whole & b.whole).any()
        before = self.scene.things.index(a) > self.scene.things.index(b)
        tests = {
            "left": dx > 0, "right": dx < 0, "above": dy > 0, "below": dy < 0,
            "near": self.distance(a, b) < 0.15 * side, "far": np.hypot(dx, dy) > 0.5,
            "level": abs(dy) < 0.08, "stacked": abs(dx) < 0.08 and dy > 0,
            "upper-left": dx > 0 and dy > 0, "upper-right": dx < 0 < dy, "lower-left": dx > 0 > dy,
            "lower-right": dx < 0 and dy < 0, "front": overlap and before, "behind": overlap and not before,
            "larger": a.area > b.area, "smaller": a.area < b.area, "colour": a.colour == b.colour,
            "kind": a.name == b.name}
        if name in tests:
            return bool(tests[name])
        if name == "touching":
            return self.meets(a, b)
        return (self.enclosed(a, b) if name == "inside" else self.enclosed(b, a)) > 0.6


def nouns(view, words):
    """The things a noun with attributes could mean; None when the words are no such noun."""
    words = words.split()
    if not words:
        return None
    *attributes, name = words
    left = [thing for thing in view.things if thing.name == name]
    for word in attributes:
        kinds = (("colour", COLOURS), ("texture", TEXTURES), ("size", SIZES))
        key = next((key for key, known in kinds if word in known), None)
        if key is None:
            return None
        left = [thing for thing in left if getattr(thing, key) == word]
    return left if any(name == thing.name for thing in view.things) else None


def resolve(view, text):
    """The things (or parts) an expression fits; None when it cannot be read."""
    text = re.sub(r"^(the|an|a) ", "", text)
    for reading in (_words, _order, _size, _parts, _places, _relation, nouns):
        found = reading(view, text)
        if found is not None:
            return found
    return None


def _words(view, text):
    match = re.match(r"^(.*) (?:that says|with the word|with) ([A-Z]+)(?: printed on it)?$", text)
    return match and [thing for thing in nouns(view, match[1]) or [] if thing.word == match[2]]


def _order(view, text):
    edges = {"leftmost": (0, 0), "rightmost": (0, -1), "topmost": (1, 0), "lowest": (1, -1)}
    sides = {"left": (0, 0), "right": (0, -1), "top": (1, 0), "bottom": (1, -1)}
    first, _, rest = text.partition(" ")
    spot, noun = None, ""
    if first in edges:
        spot, noun = edges[first], rest
    elif match := re.match(r"^(.*) (?:furthest to|nearest) the (left|right|top|bottom)$", text):
        spot, noun = sides[match[2]], match[1]
    elif match := re.match(rf"^({'|'.join(ORDINALS)}) (.*) from the (left|right|top|bottom)$", text):
        axis, end = sides[match[3]]
        rank = ORDINALS.index(match[1])
        spot, noun = (axis, rank if end == 0 else -1 - rank), match[2]
    elif match := re.match(r"^(left|right|top|bottom) (\w+ ?\w*)$", text):
        spot, noun = sides[match[1]], match[2]
        if nouns(view, noun) is None or len(nouns(view, noun)) != 2:
            return None
    elif match := re.match(r"^(.*) on the (left|right|top|bottom)$", text):
        spot, noun = sides[match[2]], match[1]
    if spot is None or not nouns(view, noun):
        return None
    line = sorted(nouns(view, noun), key=lambda thing: view.middle(thing)[spot[0]])
    return [line[spot[1]]] if -len(line) <= spot[1] < len(line) else []


def _size(view, text):
    match = re.match(r"^(largest|biggest|smallest) (.*)$", text)
    if not match or not nouns(view, match[2]):
        return None
    line = sorted(nouns(view, match[2]), key=lambda thing: len(view.seen[thing]))
    return [line[0] if match[1] == "smallest" else line[-1]]


def _parts(view, text):
    if match := re.match(r"^(\w+) with (?:an? )?(\w+) (\w+)$", text):
        if match[2] not in COLOURS:
            return None
        return [thing for thing in nouns(view, match[1]) or []
                if any(part.name == match[3] and part.colour == match[2] for part in thing.parts)]
    names = {part.name for thing in view.things for part in thing.parts}
    if match := re.match(r"^(left |right )?(\w+) of the (.*)$", text):
        if match[2] not in names:
            return None
        parts = [part for thing in resolve(view, match[3]) or [] for part in thing.parts if part.name == match[2]]
        if match[1] and len(parts) == 2:
            parts.sort(key=lambda part: part.box.x1 + part.box.x2)
            parts = [parts[0 if match[1] == "left " else 1]]
        return parts
    *colour, name = text.split()
    if name not in names or len(colour) > 1:
        return None
    return [part for thing in view.things for part in thing.parts
            if part.name == name and colour in ([], [part.colour])]


def _places(view, text):
    width, height = view.scene.width, view.scene.height
    corner = re.match(r"^(.*) in the (top|bottom) (left|right) corner$", text) or None
    if corner:
        noun, row, column = corner.groups()
    elif match := re.match(r"^(top|bottom) (left|right) (\w+)$", text):
        row, column, noun = match.groups()
    elif match := PLACE.match(text):
        where = match[2].split()
        return [thing for thing in nouns(view, match[1]) or [] if _in_thirds(view, thing, where)]
    elif match := re.match(r"^(.*) that is (\w+) all over$", text):
        return [thing for thing in nouns(view, match[1]) or [] if thing.texture == match[2]]
    else:
        return None
    return [thing for thing in nouns(view, noun) or []
            if (view.middle(thing)[0] < width / 2) == (column == "left")
            and (view.middle(thing)[1] < height / 2) == (row == "top")]


def _in_thirds(view, thing, where):
    x, y = view.middle(thing)
    column = ("left", "middle", "right")[min(2, int(3 * x / view.scene.width))]
    row = ("top", "middle", "bottom")[min(2, int(3 * y / view.scene.height))]
    return set(where) == {row, column} - ({"middle"} if row != column else set())


def _relation(view, text):
    for form in LONGEST:
        match = re.match(rf"^(.*?) {form} the (.*)$", text)
        if match and nouns(view, match[1]) is not None and nouns(view, match[2]) is not None:
            anchors = nouns(view, match[2])
            if len(anchors) != 1:
                return []
            return [thing for thing in nouns(view, match[1]) if thing is not anchors[0]
                    and view.holds(NAMES[form], thing, anchors[0])]
    return None
