"""Rails: what an answer may be, token by token, with states that are numbers and known to many rows at once.

A grammar's rail is filled in as it is met: a transition is worked out by the codec's walker once, for all rows of all
batches. Where a state allows a single token that token is forced: nobody has to ask the model for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from loupe.codec import Codec
from loupe.codec.walk import NUMBER, Program, State
from loupe.errors import ConfigError
from loupe.models.guide import CHOICES, FREE, Pieces, falling, untied

STOP = -1  # stands for the tokens that end an answer


class Grammar:
    """A codec's grammar for one kind of answer ("colour", "box", ...: see `Look.ask`); allows what a `Guide` allows."""

    start = 0

    def __init__(self, codec: Codec, kind: str, pieces: Pieces, size: tuple[int, int] | None = None):
        if kind not in CHOICES:
            raise ConfigError("cannot hold an answer to this", got=repr(kind), expected=", ".join(map(repr, CHOICES)),
                              where="constrain")
        self.walker = untied(codec, kind).walker(None if kind == FREE else kind, size)
        self.free, self.pieces = kind in (FREE, "text"), pieces
        self.forgetful = not _floors(self.walker.program)
        self.states: list[tuple[State, bool]] = []  # with whether white space was read last
        self.numbers: dict[tuple[State, bool], int] = {}
        self.known: dict[tuple[int, int], int | None] = {}
        self.only: dict[int, int | None] = {}
        self.lists: dict[int, tuple[int, ...] | None] = {}
        self._number(self.walker.start, False)

    def step(self, state: int, token: int) -> int | None:
        """The state behind a token; None if the token is not allowed."""
        key = state, token
        if key not in self.known:
            self.known[key] = self._step(state, token)
        return self.known[key]

    def ends(self, state: int) -> bool:
        """Whether the answer may end here."""
        return self.walker.ends(self.states[state][0])

    def forced(self, state: int) -> int | None:
        """The only token allowed here, STOP where the answer can only end, None where there is a choice."""
        if state not in self.only:
            self.only[state] = self._forced(state)
        return self.only[state]

    def allowed(self, state: int) -> tuple[int, ...] | None:
        """Every token allowed here but the stop; None where they are too many to list."""
        if state not in self.lists:
            known, _ = self.states[state]
            follow = None if known.free else self.walker.program.next_characters(known.threads)
            self.lists[state] = None if follow is None else tuple(
                token for character in sorted(follow) for token in self.pieces.starting.get(character, ())
                if self.step(state, token) is not None)
        return self.lists[state]

    def _number(self, state: State, space: bool) -> int:
        if self.forgetful and state.threads:  # no number read bounds a later one: states that differ by them are one
            threads = dict.fromkeys(t._replace(numbers=(), spelling=()) for t in state.threads)
            state = State(tuple(threads), state.free)
        key = state, space
        if key not in self.numbers:
            self.numbers[key] = len(self.states)
            self.states.append(key)
        return self.numbers[key]

    def _step(self, state: int, token: int) -> int | None:
        known, space = self.states[state]
        piece = self.pieces[token]
        if not piece or "\ufffd" in piece and not self.free or not self.free and piece.isspace() and space:
            return None
        reached = self.walker.advance(known, piece)
        return None if reached is None else self._number(reached, piece.isspace())

    def _forced(self, state: int) -> int | None:
        known, _ = self.states[state]
        follow = None if known.free else self.walker.program.next_characters(known.threads)
        if follow is None:
            return None
        found = [STOP] if self.ends(state) else []
        for character in sorted(follow):
            for token in self.pieces.starting.get(character, ()):
                if self.step(state, token) is not None:
                    found.append(token)
                    if len(found) > 1:
                        return None
        return found[0] if found else STOP


class Words:
    """One of several given answers, as tokens without the stop."""

    start = 0

    def __init__(self, answers: Sequence[Sequence[int]]):
        self.after: list[dict[int, int]] = [{}]
        self.last: set[int] = set()
        for ids in answers:
            state = 0
            for token in ids:
                if token not in self.after[state]:
                    self.after[state][token] = len(self.after)
                    self.after.append({})
                state = self.after[state][token]
            self.last.add(state)
        if len(self.last) < len(answers) or 0 in self.last:
            raise ConfigError("answers to choose from must differ and say something", got=len(answers))

    def step(self, state: int, token: int) -> int | None:
        return self.after[state].get(token)

    def ends(self, state: int) -> bool:
        return state in self.last

    def allowed(self, state: int) -> tuple[int, ...]:
        return tuple(self.after[state])

    def forced(self, state: int) -> int | None:
        follow = [*self.after[state], *([STOP] if self.ends(state) else [])]
        return follow[0] if len(follow) == 1 else None


class Held:
    """A rail where a `Guide` may stand: one answer of plain generation, every token asked for."""

    def __init__(self, rail: Grammar | Words):
        self.rail, self.state, self.stopping = rail, rail.start, []
        self.count = self.whole = 0

    def choose(self, logs: Tensor, stop: tuple[int, ...]) -> int:
        if not self.stopping:
            token, state = choose(self.rail, self.state, logs, stop)
            if token != STOP:
                self.state, self.count = state, self.count + 1
                self.whole = self.count if self.rail.ends(state) else self.whole
                return token
            self.stopping = list(stop)
        return self.stopping.pop(0)


def choose(rail: Grammar | Words, state: int, logs: Tensor, stop: tuple[int, ...]) -> tuple[int, int]:
    """logs [V] -> the most probable token the rail allows and the state behind it; STOP where that is the stop, or
    nothing goes on."""
    listed = rail.allowed(state)
    if listed is not None:
        return chosen(rail, state, logs[None], stop)[0]
    for token in falling(logs):
        if stop and token == stop[0] and rail.ends(state):
            break
        if token not in stop and (reached := rail.step(state, token)) is not None:
            return token, reached
    return STOP, state


def chosen(rail: Grammar | Words, state: int, logs: Tensor, stop: tuple[int, ...]) -> list[tuple[int, int]]:
    """logs [N, V] of rows in one state whose tokens are listed -> the same for each of them."""
    tokens = [token for token in rail.allowed(state) if token not in stop]
    if stop and rail.ends(state):
        tokens.append(stop[0])
    if not tokens:
        return [(STOP, state)] * len(logs)
    best = logs[:, tokens].argmax(-1).tolist()
    return [(STOP, state) if stop and tokens[k] == stop[0] else (tokens[k], rail.step(state, tokens[k])) for k in best]


def whole(rail: Grammar | Words, ids: Sequence[int]) -> int:
    """After how many of an answer's tokens it was last one that may end; 0: never."""
    state, found = rail.start, 0
    for count, token in enumerate(ids, 1):
        state = rail.step(state, token)
        found = count if rail.ends(state) else found
    return found


def _floors(program: Program) -> bool:
    """Does a number of this grammar bound a later one?"""
    return any(step[0] == NUMBER and step[1].floor >= 0 for step in program.code)
