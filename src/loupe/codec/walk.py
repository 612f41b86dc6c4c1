"""A grammar run over text one character at a time: strictly or leniently, inside free text or alone.

The grammar is compiled to a short program; a state is the set of threads still alive in it. Numbers carry their
order (x2 >= x1) and range along, so a thread that could only end in a malformed region dies at the first wrong digit.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from loupe.codec.grammar import LONGEST_SPACE, Choice, Group, Many, Mark, Number, Row, Space, Text, Words, holds_mark

TEXT, NUMBER, WORDS, SPACE, SPLIT, JUMP, BEGIN, END, BEND, FAIL, ACCEPT = range(11)
TAIL = 48  # characters of free text kept to recognise an opening mark


class Read(NamedTuple):
    """One region as spelled: numbers as text, and where it stands."""

    kind: str
    numbers: tuple[str, ...]
    phrase: str
    start: int
    end: int
    spelling: tuple[Number, ...]


class Thread(NamedTuple):
    pc: int
    part: str = ""  # what of a number, phrase or literal has been read
    numbers: tuple[str, ...] = ()
    spelling: tuple[Number, ...] = ()
    phrase: str = ""
    start: int = 0
    done: tuple[Read, ...] = ()
    bent: bool = False  # only a lenient reading got here


class Program:
    """Compiled grammar. `only` keeps regions of one kind; `single` at most one region."""

    def __init__(self, nodes, only: str | None = None, single: bool = False, size: tuple[int, int] | None = None,
                 spaced: bool = True):
        self.only, self.single, self.size, self.spaced = only, single, size, spaced
        self.code: list[tuple] = []
        self._choice(nodes)
        self.code.append((ACCEPT,))

    # -- compiling

    def _choice(self, nodes) -> None:
        """One of the nodes."""
        ends = []
        for node in nodes[:-1]:
            fork = self._hole()
            self._emit(node)
            ends.append(self._hole())
            self.code[fork] = (SPLIT, fork + 1, len(self.code))
        self._emit(nodes[-1])
        for end in ends:
            self.code[end] = (JUMP, len(self.code))

    def _hole(self) -> int:
        self.code.append((FAIL,))
        return len(self.code) - 1

    def _emit(self, node) -> None:
        if isinstance(node, Text):
            self._text(node)
        elif isinstance(node, Number):
            self.code.append((NUMBER, node))
        elif isinstance(node, Words):
            self.code.append((WORDS, node))
        elif isinstance(node, Space):
            self.code.append((SPACE, node))
        elif isinstance(node, Row):
            for item in node.items:
                self._emit(item)
        elif isinstance(node, Choice):
            self._choice(node.items)
        elif isinstance(node, Group):
            self._emit(node.item)
        elif isinstance(node, Many):
            self._many(node)
        elif isinstance(node, Mark):
            if self.only not in (None, node.kind):
                self.code.append((FAIL,))
                return
            self.code.append((BEGIN, node.kind))
            self._emit(node.item)
            self.code.append((END, node.kind))

    def _text(self, node: Text) -> None:
        ends = []
        for other in node.also:
            fork = self._hole()
            self.code += [(BEND,), (TEXT, other)]
            ends.append(self._hole())
            self.code[fork] = (SPLIT, len(self.code), fork + 1)
        self.code.append((TEXT, node.text))
        for end in ends:
            self.code[end] = (JUMP, len(self.code))

    def _many(self, node: Many) -> None:
        if self.single and holds_mark(node):
            self._emit(node.item)
            return
        for i in range(max(1, node.least)):
            if i and node.separator:
                self._emit(node.separator)
            top = len(self.code)
            self._emit(node.item)
        fork = self._hole()
        if node.separator:
            self._emit(node.separator)
            self._emit(node.item)
            self.code.append((JUMP, fork))
        else:
            self.code.append((JUMP, top))
        self.code[fork] = (SPLIT, fork + 1, len(self.code))

    # -- running

    def start(self, at: int = 0, loose: bool = False) -> list[Thread]:
        return self._close([Thread(0)], at, loose)

    def _close(self, threads, at: int, loose: bool) -> list[Thread]:
        """Threads that stand before a character (or at the end), reached without reading one; first wins."""
        out: dict[Thread, None] = {}
        stack = list(reversed(threads))
        while stack:
            t = stack.pop()
            step = self.code[t.pc]
            op = step[0]
            if op == SPLIT:
                stack += [t._replace(pc=step[2]), t._replace(pc=step[1])]
            elif op == JUMP:
                stack.append(t._replace(pc=step[1]))
            elif op == BEGIN:
                stack.append(t._replace(pc=t.pc + 1, numbers=(), spelling=(), start=at))
            elif op == END:
                read = Read(step[1], t.numbers, t.phrase, t.start, at, t.spelling)
                stack.append(t._replace(pc=t.pc + 1, numbers=(), spelling=(), done=(*t.done, read)))
            elif op == BEND:
                if loose:
                    stack.append(t._replace(pc=t.pc + 1, bent=True))
            elif op != FAIL:
                out[t] = None
                stack += self._through(t, step, loose)
        return list(out)

    def _through(self, t: Thread, step: tuple, loose: bool) -> list[Thread]:
        """The thread behind a number, phrase or white space that may end here."""
        op, node = step[0], step[-1]
        if op == SPACE:
            return [t._replace(pc=t.pc + 1, part="")]
        if op == NUMBER and t.part and self._whole(t, node, loose):
            return [t._replace(pc=t.pc + 1, part="", numbers=(*t.numbers, t.part), spelling=(*t.spelling, node))]
        if op == WORDS and node.full(t.part):
            return [t._replace(pc=t.pc + 1, part="", phrase=node.read(t.part))]
        return []

    def _limits(self, t: Thread, node: Number) -> tuple[int, int]:
        low = t.spelling[node.floor].read(t.numbers[node.floor]) if node.floor >= 0 else 0
        return low, node.top(self.size)

    def _whole(self, t: Thread, node: Number, loose: bool) -> bool:
        if not loose:
            return node.full(t.part, *self._limits(t, node))
        return any(c.isdigit() for c in t.part)

    def step(self, threads, c: str, at: int, loose: bool = False) -> list[Thread]:
        """The threads alive after reading the character `c` that stands before offset `at`."""
        moved = []
        for t in threads:
            moved += self._read(t, self.code[t.pc], c, loose)
        return self._close(moved, at, loose)

    def _read(self, t: Thread, step: tuple, c: str, loose: bool) -> list[Thread]:
        op, node = step[0], step[-1]
        if op == TEXT:
            if node[len(t.part)] == c:
                whole = len(t.part) + 1 == len(node)
                return [t._replace(pc=t.pc + 1, part="") if whole else t._replace(part=t.part + c)]
            return self._bend(t, node, c) if loose and self.spaced else []
        if op == NUMBER:
            part = t.part + c
            if loose:
                fits = len(part) < 12 and bool(_LOOSE_VALUE.match(part) if node.axis == "value" else _LOOSE.match(part))
                if not fits and c.isspace() and not t.part and self.spaced:
                    return [t._replace(bent=True)]
            else:
                fits = node.may(part, *self._limits(t, node))
            return [t._replace(part=part)] if fits else []
        if op == WORDS:
            return [t._replace(part=t.part + c)] if node.may(t.part, c) else []
        if op == SPACE:
            return [t._replace(part=t.part + " ")] if c in " \t\r\n" and len(t.part) < LONGEST_SPACE else []
        return []

    def _bend(self, t: Thread, text: str, c: str) -> list[Thread]:
        """White space too much, or missing, around a literal."""
        if c.isspace():
            return [t._replace(bent=True)]
        rest = text[len(t.part):]
        if rest[0].isspace():
            rest = rest.lstrip()
            if not rest:
                return [u for n in self._close([t._replace(pc=t.pc + 1, part="", bent=True)], 0, True)
                        for u in self._read(n, self.code[n.pc], c, True)]
            if rest[0] == c:
                part = text[:len(text) - len(rest) + 1]
                whole = len(part) == len(text)
                return [t._replace(pc=t.pc + 1, part="", bent=True) if whole else t._replace(part=part, bent=True)]
        return []

    def accepted(self, threads) -> Thread | None:
        """A thread that may end here."""
        return next((t for t in threads if self.code[t.pc][0] == ACCEPT), None)

    def next_characters(self, threads) -> set[str] | None:
        """Every character that may follow; None where they are too many to list."""
        out: set[str] = set()
        for t in threads:
            op, node = self.code[t.pc][0], self.code[t.pc][-1]
            if op in (WORDS, SPACE):
                return None
            if op == TEXT:
                out.add(node[len(t.part)])
            elif op == NUMBER:
                out |= {c for c in "0123456789." if node.may(t.part + c, *self._limits(t, node))}
        return out


_LOOSE = re.compile(r"[-+]?\d*\.?\d*$", re.ASCII)
_LOOSE_VALUE = re.compile(r"[-+]?\d*$", re.ASCII)


class State(NamedTuple):
    """Where a text stands: threads inside regions, and the runs of free text still possible."""

    threads: tuple[Thread, ...]
    free: tuple[tuple[str, bool], ...]  # (last characters of the run, whether a region may start right here)


class Walker:
    """One codec's checks for one kind of answer. States are values: keep one per sequence being decoded.

    kind None: free text in which every region is well formed; "text": free text without regions;
    otherwise regions of that kind and nothing else (one leading space is allowed).
    """

    def __init__(self, program: Program, patterns, kind: str | None, touch: bool):
        self.program, self.kind, self.touch = program, kind, touch
        self.opening, self.unfinished, self.inside = patterns.opening, patterns.unfinished, patterns.inside
        if kind in (None, "text"):
            self.start = State((), (("", True),))
        else:
            self.start = State(tuple(program.start()), ())
        self._known: dict[str, State | None] = {"": self.start}

    def advance(self, state: State, text: str) -> State | None:
        """The state after `text`; None if no well-formed answer goes on like this."""
        for c in text:
            threads = list(state.threads)
            if self.kind is None and any(may and not self.inside.search(tail + c) for tail, may in state.free):
                threads += self.program.start()
            threads = self.program.step(threads, c, 0)
            free: dict[tuple[str, bool], None] = {}
            for tail, _ in state.free:
                tail = (tail + c)[-TAIL:]
                if not self.opening.search(tail):
                    free[tail, True] = None
            if self.kind is None and self.program.accepted(threads):
                free["", self.touch] = None
            # what was read does not matter to what may follow: forget it, so that equal states meet
            alive = dict.fromkeys(t._replace(done=(), phrase="", bent=False) for t in threads)
            state = State(tuple(alive), tuple(free))
            if not alive and not free:
                return None
        return state

    def at(self, text: str) -> State | None:
        """The state after the whole text, from the longest prefix met before."""
        if text in self._known:
            return self._known[text]
        for cut in range(len(text) - 1, max(-1, len(text) - 65), -1):
            if text[:cut] in self._known:
                known = self._known[text[:cut]]
                break
        else:
            cut, known = 0, self.start
        state = None if known is None else self.advance(known, text[cut:])
        if len(self._known) > 4096:
            self._known = {"": self.start}
        self._known[text] = state
        return state

    def ends(self, state: State) -> bool:
        """Whether the answer may end in this state."""
        if self.kind in (None, "text"):
            return any(not self.unfinished.search(tail) for tail, _ in state.free)
        return self.program.accepted(state.threads) is not None

    def forced(self, state: State) -> str:
        """The only possible continuation, as far as it is the only one and the answer cannot end."""
        out = ""
        while not state.free and not self.ends(state):
            follow = self.program.next_characters(state.threads)
            if follow is None or len(follow) != 1:
                break
            out += (c := follow.pop())
            state = self.advance(state, c)
        return out
