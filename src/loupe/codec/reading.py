"""Text -> regions: what is well formed becomes Found, what is not becomes a named Problem. Never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from loupe.codec.walk import Program, Read, Thread
from loupe.frame import Frame
from loupe.regions import Box, Colour, Point, Polygon, Region
from loupe.sample import Found, Problem

if TYPE_CHECKING:
    from loupe.codec.codec import Codec


@dataclass(frozen=True)
class Parsed:
    """Regions and the text around them in order; malformed stretches are in `problems` only.

    Neighbouring Founds belong to one group (one tag, one list); groups that touch have an empty string between.
    """

    parts: tuple[str | Found | Colour, ...]
    problems: tuple[Problem, ...] = ()
    spans: tuple[tuple[int, int], ...] = field(default=(), compare=False)  # in the text, of each part that is no str


class Match(NamedTuple):
    end: int
    thread: Thread


class _Reading:
    """One text being read."""

    def __init__(self, codec: Codec, text: str, frame: Frame, image: int):
        from loupe.codec.codec import program

        self.codec, self.text, self.frame, self.image = codec, text, frame, image
        size = (frame.width, frame.height)
        self.sides = size
        self.program: Program = program(codec, size if codec.space == "pixels" else None)
        patterns = _patterns(codec)
        self.opening, self.unfinished, self.stretch = patterns.opening, patterns.unfinished, patterns.stretch
        self.parts: list[str | Found | Colour] = []
        self.problems: list[Problem] = []
        self.spans: list[tuple[int, int]] = []
        self.groups: list[tuple[int, int, bool]] = []  # start, end, whether more text could belong to it
        self.open, self.repairs = False, True

    def run(self) -> Parsed:
        at = 0
        while True:
            start = self._next(at)
            if start > at:
                self.parts.append(self.text[at:start])
            elif self.parts and not isinstance(self.parts[-1], str):
                self.parts.append("")
            if start == len(self.text):
                break
            self.open = False
            at = self._region(start)
            self.groups.append((start, at, self.open or at == len(self.text)))
        if self.parts and self.parts[-1] == "":
            self.parts.pop()
        return Parsed(tuple(self.parts), tuple(self.problems), tuple(self.spans))

    def settled(self) -> int:
        """Up to the first group that may go on, or those that touch it: whether they end there hangs on it."""
        first = next((k for k, (_, _, is_open) in enumerate(self.groups) if is_open), None)
        if first is None:
            return len(self.text)
        while first and self.groups[first - 1][1] == self.groups[first][0]:
            first -= 1
        return self.groups[first][0]

    def _next(self, at: int) -> int:
        """Where the next region, or a broken one, begins."""
        opened = self.opening.search(self.text, at)
        cut = self.unfinished.search(self.text, at)
        return min(m.start() if m else len(self.text) for m in (opened, cut))

    def _region(self, at: int) -> int:
        """Reads what begins at `at`; returns where it ends."""
        strict, stopped, _ = self._longest(at, loose=False)
        if strict and stopped <= strict.end + 1:  # nothing goes on behind it: no need to look leniently
            self._take(strict.thread.done)
            return strict.end
        loose, _, alive = self._longest(at, loose=True)
        if strict and not (loose and loose.end > strict.end and not loose.thread.bent):
            self._take(strict.thread.done)
            return strict.end
        if loose:
            for read in loose.thread.done:
                self._member(read, loose.thread.bent)
            return loose.end
        if alive is not None or self.unfinished.match(self.text, at):
            return self._cut(at, alive) if self.repairs else len(self.text)
        matched = self.stretch.match(self.text, at)
        end = max(self.opening.match(self.text, at).end(), matched.end() if matched else at)
        self._problem("garbage", at, end)
        self.open = True  # a bracket further on may close it
        return end

    def _longest(self, at: int, loose: bool) -> tuple[Match | None, int, Thread | None]:
        """The longest region from `at`, where the last thread died, and the best one alive at the end of the text."""
        best, threads, i = None, self.program.start(at, loose), at
        while i < len(self.text) and threads:
            threads = self.program.step(threads, self.text[i], i + 1, loose)
            i += 1
            done = self.program.accepted(threads)
            if done is not None and (self.codec.touch or not self.opening.match(self.text, i)):
                best = Match(i, done)
        alive = max(threads, key=lambda t: (len(t.done), len(t.numbers), not t.bent)) if threads else None
        self.open = self.open or bool(threads)
        return best, i, alive

    def _take(self, reads: tuple[Read, ...]) -> None:
        for read in reads:
            steps = [n.read(s) for n, s in zip(read.spelling, read.numbers)]
            self.parts.append(self._value(read, [float(k) for k in steps]))
            self.spans.append((read.start, read.end))

    def _member(self, read: Read, bent: bool) -> None:
        """One region of a leniently read group: kept if it is exactly spelled, else a Problem with its repair."""
        values = [_value(n, s) for n, s in zip(read.spelling, read.numbers)]
        tops = [n.top(self.sides) for n in read.spelling]
        outside = any(not 0 <= v <= top for v, top in zip(values, tops))
        inverted = any(n.floor >= 0 and v < values[n.floor] for n, v in zip(read.spelling, values))
        exact = all(_exact(n, s, top) for n, s, top in zip(read.spelling, read.numbers, tops))
        if exact and not (bent or inverted):
            self._take((read,))
            return
        kind = "out_of_range" if outside else "inverted" if inverted else "garbage"
        self._problem(kind, read.start, read.end, self._repair(read, values, tops))

    def _repair(self, read: Read, values: list[float], tops: list[int]) -> Region | Colour | None:
        """Clipped and turned round; None where nothing is left of it."""
        kept = [min(max(v, 0.0), float(top)) for v, top in zip(values, tops)]
        if read.kind == "box":
            for i in (0, 1):
                wide = abs(values[i + 2] - values[i])
                values[i:i + 3:2] = sorted(values[i:i + 3:2])
                kept[i:i + 3:2] = sorted(kept[i:i + 3:2])
                if wide and kept[i + 2] == kept[i]:
                    return None
        value = self._value(read, kept)
        return value.region if isinstance(value, Found) else value

    def _cut(self, at: int, alive: Thread | None) -> int:
        """A group the text ends in: its finished members are kept, the rest is one Problem."""
        end = len(self.text)
        whole = [r for r in alive.done if r.end < end] if alive else []
        for read in whole:
            self._member(read, alive.bent)
        start = whole[-1].end if whole else at
        self._problem("truncated", start, end, None if whole else self._completed(at))
        return end

    def _completed(self, at: int) -> Region | Colour | None:
        """The region, where the cut text can go on in one way only."""
        text = self.text[at:]
        for kind in sorted({k for g in self.codec.groups for k in g.kinds}):
            walker = self.codec.walker(kind, self.sides)
            state = walker.advance(walker.start, text)
            more = walker.forced(state) if state else ""
            if more and walker.ends(walker.advance(state, more)):
                parts = read(self.codec, text + more, self.frame, self.image).parts
                if len(parts) == 1:
                    return parts[0].region if isinstance(parts[0], Found) else parts[0]
        return None

    def _problem(self, kind: str, start: int, end: int, repair=None) -> None:
        self.problems.append(Problem(kind, self.text[start:end], start, _EXPECTED[kind], repair))

    def _value(self, read: Read, steps: list[float]) -> Found | Colour:
        """Steps -> a region in pixels of the original image."""
        if read.kind == "colour":
            return Colour(*(round(k * 255 / n.grid) for k, n in zip(steps, read.spelling)))
        flat = [k * self.sides[i % 2] / n.grid if n.grid else k
                for i, (k, n) in enumerate(zip(steps, read.spelling))]
        if read.kind == "point":
            region = Point(*flat, self.image)
        elif read.kind == "box":
            region = Box(*flat, self.image)
        else:
            region = Polygon.from_flat(flat, self.image)
        return Found(self.frame.to_image(region), phrase=read.phrase)


_EXPECTED = {
    "truncated": "the rest of the region",
    "inverted": "right not left of left, bottom not above top",
    "out_of_range": "numbers within the codec's range",
    "garbage": "a region as this codec spells it",
}


class Patterns:
    """A codec's patterns, compiled."""

    def __init__(self, codec: Codec):
        self.opening = re.compile(codec.opening)
        self.unfinished = re.compile(rf"(?:{codec.unfinished})\Z")
        self.stretch = re.compile(codec.stretch)
        self.inside = re.compile(rf"(?:{codec.inside})\Z" if codec.inside else r"(?!)")


@lru_cache(maxsize=64)
def _patterns(codec: Codec) -> Patterns:
    return Patterns(codec)


def _value(number, spelled: str) -> float:
    """The step a leniently read number means: fractions for decimals, whole steps otherwise."""
    value = float(spelled)
    return value * number.grid if number.decimals else value


def _exact(number, spelled: str, top: int) -> bool:
    """Whether a leniently read number is spelled as the codec writes it."""
    return number.may(spelled, 0, top) and number.full(spelled, 0, top)


def read(codec: Codec, text: str, frame: Frame, image: int = 0) -> Parsed:
    return _Reading(codec, text, frame, image).run()


def settled(codec: Codec, text: str, frame: Frame) -> int:
    """Characters of a growing text whose reading nothing behind them can change."""
    reading = _Reading(codec, text, frame, 0)
    reading.repairs = False
    reading.run()
    return reading.settled()
