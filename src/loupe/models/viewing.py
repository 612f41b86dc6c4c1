"""Thousands of short questions about one look: its keys and values are viewed by every row, not copied into it.

Tokens that all questions begin with join what is viewed. Beginnings that many of them share (the column of a place) are
computed once and copied into their rows, being short. Equal questions are answered once. Tokens that a rail forces cost
no step, so an answer of one token comes out of the pass that reads the question. Memory is bounded by `rows`: beside
the weights and the look a pass holds rows x heads x (width + 3) x (look + width) scores, `width` the longest tail of a
question, the keys and values of these tails, and those of `rows` beginnings at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from loupe.errors import ConfigError
from loupe.models import stack
from loupe.models.attention import NAME, Front, register
from loupe.models.decoding import Generated, Prefix, Room
from loupe.models.rail import STOP, Grammar, Words, choose, chosen
from loupe.models.vlm import VLM, additive

ROWS = 256  # questions side by side
SPARE = 4  # tokens of an answer there is room for at first
FEWER = 4  # a beginning is computed apart where there are at most 1 / FEWER as many of them as questions


@dataclass
class Short(Generated):
    """logs are None at tokens the rail forced. shares: of each token taken from `watch`, the probabilities of all of
    `watch` in its place."""

    shares: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How a list of questions is asked: each is common + stems[which] + its tail."""

    common: tuple[int, ...]
    stems: tuple[tuple[int, ...], ...]
    tails: tuple[tuple[int, ...], ...]  # of the different questions
    which: tuple[int, ...]  # stem of each tail
    asked: tuple[int, ...]  # tail of each question given

    @classmethod
    def of(cls, bodies: Sequence[Sequence[int]]) -> Plan:
        different: dict[tuple[int, ...], int] = {}
        asked = tuple(different.setdefault(tuple(body), len(different)) for body in bodies)
        rows = list(different)
        first, last = min(rows), max(rows)
        shortest = min(len(row) for row in rows)
        common = 0
        while common < shortest - 1 and first[common] == last[common]:
            common += 1
        stem = 0
        while common + stem + 1 < shortest:
            if len({row[common:common + stem + 1] for row in rows}) * FEWER > len(rows):
                break
            stem += 1
        stems: dict[tuple[int, ...], int] = {}
        which = tuple(stems.setdefault(row[common:common + stem], len(stems)) for row in rows)
        return cls(tuple(first[:common]), tuple(stems), tuple(row[common + stem:] for row in rows), which, asked)

    def groups(self, most: int) -> Iterator[tuple[int, list[int]]]:
        """(first stem, numbers of the tails, shortest first) of every `most` stems."""
        groups: list[list[int]] = [[] for _ in range(0, len(self.stems), most)]
        for i in sorted(range(len(self.tails)), key=lambda i: len(self.tails[i])):
            groups[self.which[i] // most].append(i)
        return zip(range(0, len(self.stems), most), groups)

    @property
    def tokens(self) -> int:
        """Tokens the model reads, without those of the look."""
        stems = sum(len(stem) for stem in self.stems)
        return len(self.common) + stems + sum(len(tail) for tail in self.tails)


@torch.inference_mode()
def ask(model: VLM, prefix: Prefix, owner: int, bodies: Sequence[Sequence[int]], most: int, *,
        rail: Grammar | Words | None = None, rows: int = ROWS, watch: Sequence[int] = (),
        view: bool = True) -> Iterator[list[tuple[int, Short]]]:
    """Greedy answers of at most `most` tokens to questions on look `owner`: (question, answer) as each batch is done.

    rail: what answers must be; None: whatever the model says. view: False copies keys and values into every row, as
    models need whose attention is not plain (sliding windows, capped scores).
    """
    if rows < 1:
        raise ConfigError("nothing is asked in no rows", got=rows, expected="1 or more", where="rows")
    if not bodies:
        return
    plan = Plan.of(bodies)
    view = view and viewable(model)
    front = Front(tuple((k[owner], v[owner]) for k, v in prefix.layers))
    with _viewing(model, view):
        front = _joined(model, front, plan.common, view)
    view = view and front.length > 0
    back: dict[int, list[int]] = {}
    for question, tail in enumerate(plan.asked):
        back.setdefault(tail, []).append(question)
    for first, some in plan.groups(rows):
        with _viewing(model, view):
            stems = _stems(model, front, plan.stems[first:first + rows], view)
        for start in range(0, len(some), rows):
            chosen = some[start:start + rows]
            room = len(plan.tails[chosen[-1]]) + min(most, SPARE)
            batch = Batch(model, front, stems, [plan.which[i] - first for i in chosen], view, room)
            with _viewing(model, view):
                written = _write(batch, [list(plan.tails[i]) for i in chosen], most, rail, watch)
            yield [(question, each) for i, each in zip(chosen, written) for question in back[i]]


class Batch:
    """N rows: what they view, and their own keys and values, which begin with their stem's."""

    def __init__(self, model: VLM, front: Front, stems: Front, which: Sequence[int], view: bool,
                 room: int = 0):
        self.model, self.device, self.view, self.front = model, model.device, view, front
        n, own = len(which), stems.length
        rows = torch.tensor(which, device=self.device)
        layers = len(front.layers) or model.language.config.get_text_config().num_hidden_layers
        starts = [(k, v) for k, v in stems.layers] if own else [None] * layers
        if not view and front.length:  # [stems, K, P + S, D]
            starts = [tuple(torch.cat([f.expand(len(s), *f.shape), s], -2) for f, s in zip(whole, start))
                      if start else tuple(f[None] for f in whole) for whole, start in zip(front.layers, starts)]
            rows = rows if own else torch.zeros_like(rows)
            own += front.length
        self.cache = Cache(layers=[Room(start, rows, own, room) for start in starts])
        self.known = torch.ones(n, own, dtype=torch.bool, device=self.device)  # [N, columns of their own]
        self.next = torch.full((n,), front.length + stems.length, device=self.device)  # position of the next token

    def feed(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Reads one or more tokens in every row -> [N, D] behind the last of each."""
        n, device = len(ids), self.device
        lengths = torch.tensor([len(row) for row in ids], device=device)
        wide = int(lengths.max())
        tokens = torch.tensor([[*row, *[0] * (wide - len(row))] for row in ids], device=device)
        fresh = torch.arange(wide, device=device) < lengths[:, None]  # [N, W]
        earlier = torch.ones(wide, wide, dtype=torch.bool, device=device).tril()
        if bool(fresh.all()) and bool(self.known.all()):
            mask = torch.cat([self.known[:1, None].expand(1, wide, -1), earlier[None]], -1)[:, None]
        else:
            mask = torch.cat([self.known[:, None].expand(n, wide, -1), earlier & fresh[:, None]], -1)[:, None]
        positions = self.next[:, None] + torch.arange(wide, device=device)
        x = self.model.embed(tokens)
        if self.view and not stack.runs(self.model.decoder):
            out = self.model.decoder(inputs_embeds=x, attention_mask=additive(mask, x), position_ids=positions,
                                     past_key_values=self.cache, use_cache=True, front=self.front).last_hidden_state
        else:
            out = self.model.hidden(x, mask, positions, self.cache, self.front if self.view else None)
        self.known = torch.cat([self.known, fresh], 1)
        self.next = self.next + lengths
        return out[torch.arange(n, device=device), lengths - 1]

    def keep(self, rows: list[int]) -> None:
        """Only these rows go on."""
        index = torch.tensor(rows, device=self.device)
        for layer in self.cache.layers:
            layer.keep(index)
        self.known, self.next = self.known[index], self.next[index]

    def own(self, start: int) -> tuple[tuple[Tensor, Tensor], ...]:
        """Per layer [N, K, S, D], from column `start` on."""
        return tuple((layer.keys[:, :, start:], layer.values[:, :, start:]) for layer in self.cache.layers)


def viewable(model: VLM) -> bool:
    """Whether attention is the plain sum over everything before: then loupe's own may stand in for it."""
    config = model.decoder.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    plain = layers == {"full_attention"} and not getattr(config, "attn_logit_softcapping", None)
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return plain and window is None and bool(getattr(model.decoder, "_supports_attention_backend", False))


@contextmanager
def _viewing(model: VLM, view: bool):
    """The decoder with loupe's attention."""
    if not view:
        yield
        return
    register()
    configs = {id(c): c for c in (model.decoder.config, model.decoder.config.get_text_config())}.values()
    before = [c._attn_implementation for c in configs]
    try:
        for c in configs:
            c._attn_implementation = NAME
        yield
    finally:
        for c, name in zip(configs, before):
            c._attn_implementation = name


def _joined(model: VLM, front: Front, ids: Sequence[int], view: bool) -> Front:
    """The front with more tokens behind it: copied once."""
    if not ids:
        return front
    batch = Batch(model, front, Front(()), [0], view and front.length > 0)
    batch.feed([ids])
    grown = tuple((k[0], v[0]) for k, v in batch.own(0))
    if not batch.view:
        return Front(grown)
    return Front(tuple(tuple(torch.cat(pair, -2) for pair in zip(old, new)) for old, new in zip(front.layers, grown)))


def _stems(model: VLM, front: Front, stems: Sequence[Sequence[int]], view: bool) -> Front:
    """Keys and values of some stems, per layer [stems, K, S, D]."""
    if not stems[0]:
        return Front(())
    batch = Batch(model, front, Front(()), [0] * len(stems), view)
    batch.feed(stems)
    return Front(batch.own(0 if batch.view else front.length))


def _write(batch: Batch, feeds: list[list[int]], most: int, rail, watch: Sequence[int]) -> list[Short]:
    """Answers of one batch; `feeds` are the ends of the questions."""
    stop = tuple(batch.model.encoder.stop)
    out, states = [Short() for _ in feeds], [rail.start if rail else 0] * len(feeds)
    for k, row in enumerate(out):
        feeds[k] += _forced(row, states, k, rail, most)
    active = [k for k, row in enumerate(out) if not row.stopped and len(row.ids) < most]  # all of them, or none
    while active:
        logits = batch.model.logits(batch.feed([feeds[k] for k in active])).float()
        _take(logits, [out[k] for k in active], active, states, rail, stop, watch)
        going = []
        for place, k in enumerate(active):
            row = out[k]
            if rail is None:
                row.stopped = bool(stop) and tuple(row.ids[-len(stop):]) == stop
                feeds[k] = row.ids[-1:]
            elif not row.stopped:
                feeds[k] = row.ids[-1:] + _forced(row, states, k, rail, most)
            if not row.stopped and len(row.ids) < most:
                going.append(place)
        if going and len(going) < len(active):
            batch.keep(going)
        active = [active[place] for place in going]
    if rail is None and stop:
        for row in out:
            row.ids = row.ids[:len(row.ids) - len(stop)] if row.stopped else row.ids
    return out


def _forced(row: Short, states: list[int], k: int, rail, most: int) -> list[int]:
    """Tokens without a choice, taken."""
    taken: list[int] = []
    while rail is not None and len(row.ids) < most and (token := rail.forced(states[k])) is not None:
        if token == STOP:
            row.stopped = True
            break
        states[k] = rail.step(states[k], token)
        taken.append(token)
        row.ids.append(token)
        row.logs.append(None)
    return taken


def _take(logits: Tensor, rows: list[Short], which: list[int], states: list[int], rail, stop: tuple[int, ...],
          watch: Sequence[int]) -> None:
    """The next token of each row: the most probable one that its rail allows."""
    logs = logits - logits.logsumexp(-1, keepdim=True)
    values, best = (t.tolist() for t in logs.max(-1))
    shares = logs[:, list(watch)].exp().tolist() if len(watch) else None
    if rail is not None:
        taken = _on_rail(logs, best, [states[k] for k in which], rail, stop)
        at = torch.tensor([stop[0] if token == STOP and stop else token for token, _ in taken], device=logs.device)
        values = logs.gather(1, at[:, None])[:, 0].tolist()
    for place, (row, k) in enumerate(zip(rows, which)):
        token = best[place]
        if rail is not None:
            token, states[k] = taken[place]
        row.logs.append(values[place])
        row.stopped = token == STOP
        if row.stopped:
            continue
        row.ids.append(token)
        if shares is not None and token in watch:
            row.shares.append(shares[place])


def _on_rail(logs: Tensor, best: list[int], states: list[int], rail, stop: tuple[int, ...]) -> list[tuple[int, int]]:
    """(token or STOP, state behind it) of each row. Rows whose best token is not allowed are sorted out by state."""
    taken: list[tuple[int, int] | None] = []
    odd: dict[int, list[int]] = {}
    for place, (token, state) in enumerate(zip(best, states)):
        reached = None
        if stop and token == stop[0] and rail.ends(state):
            token, reached = STOP, state
        elif token not in stop:
            reached = rail.step(state, token)
        taken.append((token, reached))
        if reached is None:
            odd.setdefault(state, []).append(place)
    for state, places in odd.items():
        if rail.allowed(state) is None:
            found = [choose(rail, state, logs[place], stop) for place in places]
        else:
            found = chosen(rail, state, logs[places], stop)
        for place, each in zip(places, found):
            taken[place] = each
    return taken
