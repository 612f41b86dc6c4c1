"""Decoding held to a codec's grammar: the most probable token that keeps the answer well formed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache

from torch import Tensor

from loupe.codec import Codec
from loupe.errors import ConfigError

FREE = "free"  # any words, but every region in them well formed
CHOICES = (FREE, "text", "box", "boxes", "point", "points", "polygon", "colour")
FIRST = 32  # candidates looked at before the rest are sorted


class Pieces:
    """Text of single tokens, as they stand inside a text."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.anchor = tokenizer.encode("a", add_special_tokens=False)[-1:]
        self.before = self._decode(self.anchor)
        self.known: dict[int, str] = {}

    def __getitem__(self, token: int) -> str:
        if token not in self.known:
            self.known[token] = self._decode([*self.anchor, token])[len(self.before):]
        return self.known[token]

    @cached_property
    def starting(self) -> dict[str, list[int]]:
        """First character -> the tokens whose text begins with it."""
        out: dict[str, list[int]] = {}
        for token in range(len(self.tokenizer)):
            if piece := self[token]:
                out.setdefault(piece[0], []).append(token)
        return out

    def _decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


class Guide:
    """One answer being written. Scores stay those of the model; the grammar only forbids.

    whole: after how many tokens the answer was last one that may end.
    """

    def __init__(self, codec: Codec, kind: str, pieces: Pieces, size: tuple[int, int] | None):
        if kind not in CHOICES:
            raise ConfigError("cannot hold an answer to this", got=repr(kind), expected=", ".join(map(repr, CHOICES)),
                              where="constrain")
        self.walker = untied(codec, kind).walker(None if kind == FREE else kind, size)
        self.free, self.pieces = kind in (FREE, "text"), pieces
        self.state, self.last = self.walker.start, ""
        self.count = self.whole = 0
        self.stopping: list[int] = []

    def choose(self, logs: Tensor, stop: tuple[int, ...]) -> int:
        """logs [V]: log-probabilities -> the token taken."""
        if not self.stopping:
            for token in falling(logs):
                if stop and token == stop[0] and self.walker.ends(self.state):
                    self.stopping = list(stop)
                    break
                if token not in stop and self._advance(token):
                    return token
            else:  # nothing in the vocabulary goes on: end here, well formed or not
                self.stopping = list(stop)
        return self.stopping.pop(0)

    def _advance(self, token: int) -> bool:
        piece = self.pieces[token]
        if not piece or "\ufffd" in piece and not self.free:
            return False
        if not self.free and piece.isspace() and self.last.isspace():
            return False  # grammars that forgive white space would never end
        state = self.walker.advance(self.state, piece)
        if state is None:
            return False
        self.state, self.last, self.count = state, piece, self.count + 1
        if self.walker.ends(state):
            self.whole = self.count
        return True


@lru_cache(maxsize=64)
def untied(codec: Codec, kind: str) -> Codec:
    """Without the forms that tie words to a region, which have no end of their own, where there are others."""
    only = {"boxes": "box", "points": "point"}.get(kind, kind)
    groups = tuple(g for g in codec.groups if not g.tied and only in g.kinds)
    return replace(codec, groups=groups) if groups else codec


def falling(logs: Tensor):
    """Token ids, the most probable first."""
    first = logs.topk(min(FIRST, len(logs))).indices.tolist()
    yield from first
    if len(first) < len(logs):
        seen = set(first)
        yield from (i for i in logs.argsort(descending=True).tolist() if i not in seen)
