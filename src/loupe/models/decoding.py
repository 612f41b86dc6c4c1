"""Greedy decoding of many questions behind prefixes that are computed once.

A prefix is what comes before the questions on a look at some pictures: the dialogue's opening and the image tokens.
The rows of a batch view its keys and values where loupe runs the layers itself (`stack`) and there are enough of them;
else they are copied into every row once, with room for what follows, so that no step copies them again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from loupe.image import Image
from loupe.models import stack
from loupe.models.attention import Front
from loupe.models.vlm import VLM

VIEWED = 2048  # rows x tokens from which a prefix is viewed: below, copying it costs less than looking in two places
MERGED = 3  # tokens of an answer from which merging the weights for it pays
ROOM = 32  # tokens of room first taken behind a question; doubled when it is full


@dataclass(frozen=True)
class Prefix:
    """Keys and values of B looks, P tokens each, and the image tokens for pictures that stand inside a question."""

    ids: tuple[int, ...]  # [P], image tokens as `image_id`s
    layers: tuple[tuple[Tensor, Tensor], ...]  # per layer [B, H, P, D / H]
    length: int  # P, or more where turns of a conversation follow
    seen: Tensor  # [B * images, T, D]
    images: int  # pictures per look

    def crop(self, length: int) -> Prefix:
        """Only the first `length` tokens; shares memory."""
        layers = tuple((k[:, :, :length], v[:, :, :length]) for k, v in self.layers)
        return Prefix(self.ids, layers, length, self.seen, self.images)


@dataclass
class Generated:
    """ids without the stop; logs [len(ids)] (+ 1 if it stopped) are log-probabilities of what was taken."""

    ids: list[int] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)
    stopped: bool = False


class Room(DynamicLayer):
    """Keys and values of N rows in a buffer with room at the end."""

    def __init__(self, start: tuple[Tensor, Tensor] | None, owners: Tensor, length: int, more: int):
        super().__init__()
        self.start, self.owners, self.length, self.capacity = start, owners, length, length + more
        self.buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        new = (key_states, value_states)
        end = self.length + key_states.shape[-2]
        if self.buffers is None:
            self.capacity = max(self.capacity, end)
            self.buffers = tuple(self._grown(None, n) for n in new)
            if self.start is not None:
                for buffer, prefix in zip(self.buffers, self.start):
                    alone = prefix.shape[0] == 1
                    buffer[:, :, :self.length] = prefix if alone else prefix.index_select(0, self.owners)
            self.start, self.is_initialized = None, True
        elif end > self.capacity:
            self.capacity = max(end, self.length + 2 * (self.capacity - self.length) + ROOM)
            self.buffers = tuple(self._grown(b, n) for b, n in zip(self.buffers, new))
        for buffer, n in zip(self.buffers, new):
            buffer[:, :, self.length:end] = n
        self.length = end
        self.keys, self.values = (b[:, :, :end] for b in self.buffers)
        return self.keys, self.values

    def _grown(self, buffer: Tensor | None, like: Tensor) -> Tensor:
        n, heads, _, width = like.shape
        out = like.new_empty(n, heads, self.capacity, width)
        if buffer is not None:
            out[:, :, :self.length] = buffer[:, :, :self.length]
        return out

    def get_seq_length(self) -> int:
        return self.length

    def keep(self, rows: Tensor) -> None:
        """Only these rows go on."""
        self.buffers = tuple(b.index_select(0, rows) for b in self.buffers)


@torch.inference_mode()
def see(model: VLM, looks: Sequence[Sequence[Image]], opening: Sequence[int] | None = None,
        memory: Memory | None = None) -> Prefix:
    """Encode and prefill the prefix of each look; all have the same number of pictures. A bad picture raises.

    opening: other ids than those of a sample whose pictures all stand in front. memory: pictures it holds are not
    encoded again.
    """
    encoder, device = model.encoder, model.device
    count = len(looks[0])
    opening = tuple(encoder.prefix(looks[0]) if opening is None else opening)
    ids = torch.tensor(opening, dtype=torch.int64, device=device)
    pictures = [image for images in looks for image in images]
    seen = encoded(model, pictures) if memory is None else memory.see(model, pictures)
    length = len(ids)
    if not length:
        return Prefix(opening, (), 0, seen, count)
    rows = ids.expand(len(looks), length)
    x = embed(model, rows, range(len(looks)), seen, count)
    cache = DynamicCache()
    mask = torch.ones(length, length, dtype=torch.bool, device=device).tril()[None, None]
    positions = torch.arange(length, device=device)[None].expand(len(looks), length)
    model.hidden(x, mask.expand(len(looks), 1, length, length), positions, cache)
    return Prefix(opening, tuple((layer.keys, layer.values) for layer in cache.layers), length, seen, count)


def encoded(model: VLM, images: Sequence[Image]) -> Tensor:
    """[N, T, D]: what the language model gets to see of each picture."""
    found = model.encoder.found(images) if images else None
    pixels = torch.from_numpy(model.encoder.pixels(images)).to(model.device)
    return model.see(pixels, None if found is None else found.to(model.device))


class Memory:
    """What the language model got to see of the last `most` pictures: frames of a game come again and again."""

    def __init__(self, most: int = 64):
        self.most = most
        self.seen: OrderedDict[Image, Tensor] = OrderedDict()  # [T, D] each
        self.encoded = 0  # pictures that went through the tower

    def see(self, model: VLM, images: Sequence[Image]) -> Tensor:
        """[N, T, D]; equal pictures are encoded once."""
        new = [image for image in dict.fromkeys(images) if image not in self.seen]
        if new:
            self.seen.update(zip(new, encoded(model, new)))
            self.encoded += len(new)
        out = torch.stack([self.seen[image] for image in images]) if images else encoded(model, images)
        for image in images:
            self.seen.move_to_end(image)
        while len(self.seen) > self.most:
            self.seen.popitem(last=False)
        return out


def embed(model: VLM, ids: Tensor, owners: Sequence[int], seen: Tensor, images: int) -> Tensor:
    """[N, T] -> [N, T, D]; negative ids are pictures of each row's look."""
    flat = ids.reshape(-1)
    slots = (flat < 0).nonzero()[:, 0]
    if not len(slots):
        return model.embed(ids)
    tokens, width = seen.shape[1], ids.shape[1]
    owner = torch.as_tensor(list(owners), device=ids.device)[slots // width]
    which = (owner * images + (-1 - flat[slots])) * tokens + _within(flat, slots, tokens)
    return model.embed(ids, seen, slots, which)


def _within(flat: Tensor, slots: Tensor, tokens: int) -> Tensor:
    """Which token of its picture each slot is: slots come in whole runs of `tokens`."""
    return torch.arange(len(slots), device=flat.device) % tokens


class Rows:
    """A batch of questions being answered. Finished rows leave it: all of them where a prefix is viewed, else when a
    quarter of the batch is idle."""

    def __init__(self, model: VLM, prefix: Prefix, owners: Sequence[int], bodies: Sequence[Sequence[int]], most: int):
        self.model, self.device = model, model.device
        self.prefix, self.owners = prefix, list(owners)
        self.bodies = [list(b) for b in bodies]
        lengths = torch.tensor([len(b) for b in bodies], device=self.device)
        self.wide = int(lengths.max())
        more = self.wide + min(most, ROOM)
        layers = len(prefix.layers) or model.language.config.get_text_config().num_hidden_layers
        runs = stack.runs(model.decoder)
        self.ready = stack.merged(model.decoder) if runs and most > MERGED else None
        self.view = runs and bool(prefix.layers) and len(bodies) * prefix.length >= VIEWED
        self.start = 0 if self.view else prefix.length  # columns of the prefix among the rows' own
        self.front = Front.of(prefix.layers, self.owners) if self.view else None
        who = torch.tensor(self.owners, device=self.device)
        starts = prefix.layers if not self.view and prefix.layers else (None,) * layers
        self.cache = Cache(layers=[Room(start, who, self.start, more) for start in starts])
        self.next = prefix.length + lengths  # [N] position of the next token
        self.known = torch.arange(self.wide, device=self.device) < lengths[:, None]  # [N, columns behind the prefix]
        self.even = int(lengths.min()) == self.wide

    def ask(self) -> Tensor:
        """[N, V] float32: logits behind each question."""
        hidden, last = self.read(), self.next - self.prefix.length - 1
        return self.model.logits(hidden[torch.arange(len(last), device=self.device), last]).float()

    def read(self) -> Tensor:
        """[N, wide, D]: every token behind the prefix, shorter rows padded at the end."""
        n = len(self.bodies)
        ids = torch.tensor([body + [0] * (self.wide - len(body)) for body in self.bodies], device=self.device)
        own = torch.ones(self.wide, self.wide, dtype=torch.bool, device=self.device).tril()
        mask = torch.cat([own.new_ones(self.wide, self.start), own], 1)[None, None]
        start = self.prefix.length
        positions = torch.arange(start, start + self.wide, device=self.device).expand(n, self.wide)
        x = embed(self.model, ids, self.owners, self.prefix.seen, self.prefix.images)
        return self.model.hidden(x, mask, positions, self.cache, self.front, self.ready)

    def step(self, ids: list[int]) -> Tensor:
        """One token for each row -> [N, V] float32."""
        self.known = torch.cat([self.known, self.known.new_ones(len(ids), 1)], 1)
        mask = None
        if not self.even:
            mask = torch.cat([self.known.new_ones(len(ids), self.start), self.known], 1)[:, None, None]
        x = self.model.embed(torch.tensor(ids, device=self.device)[:, None])
        hidden = self.model.hidden(x, mask, self.next[:, None], self.cache, self.front, self.ready)
        self.next = self.next + 1
        return self.model.logits(hidden[:, 0]).float()

    def idle(self, going: int, rows: int) -> bool:
        """Whether it pays to let rows go of which `going` are not done."""
        return going < rows if self.view else going <= 0.75 * rows

    def keep(self, rows: list[int]) -> None:
        index = torch.tensor(rows, device=self.device)
        for layer in self.cache.layers:
            layer.keep(index)
        self.next, self.known = self.next[index], self.known[index]
        self.owners = [self.owners[row] for row in rows]
        if self.view:
            self.front = self._narrowed()

    def whole(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Keys and values of every row per layer [N, H, P + S, D / H], the prefix's included."""
        own = [(layer.keys, layer.values) for layer in self.cache.layers]
        if not self.view:
            return tuple(own)
        index = torch.tensor(self.owners, device=self.device)
        return tuple(tuple(torch.cat([p.index_select(0, index), o], 2) for p, o in zip(before, behind))
                     for before, behind in zip(self.prefix.layers, own))

    def _narrowed(self) -> Front:
        """The front of the rows that are left; looks that most rows have left are taken out of it."""
        layers, looks = self.prefix.layers, sorted(set(self.owners))
        if 2 * len(looks) > self.prefix.layers[0][0].shape[0]:
            return Front.of(layers, self.owners)
        index = torch.tensor(looks, device=self.device)
        layers = tuple((k.index_select(0, index), v.index_select(0, index)) for k, v in layers)
        place = {look: k for k, look in enumerate(looks)}
        return Front.of(layers, [place[look] for look in self.owners])


@torch.inference_mode()
def generate(model: VLM, prefix: Prefix, owners: Sequence[int], bodies: Sequence[Sequence[int]], most: Sequence[int],
             guides: Sequence | None = None) -> tuple[list[Generated], Rows]:
    """Greedy answers to `bodies`, row i behind look `owners[i]`, at most `most[i]` tokens (the stop is one of them).

    guides: one `Guide` (or `Dice`) per row, or None for the most probable token whatever it is.
    """
    stop = model.encoder.stop
    out = [Generated() for _ in bodies]
    batch = Rows(model, prefix, owners, bodies, max(most))
    active = list(range(len(bodies)))  # which answer each row of the batch writes
    going = set(active)
    logits = batch.ask()
    while True:
        taken = take(logits, [out[i] if i in going else None for i in active],
                      [guides[i] for i in active] if guides else None, stop)
        for i in sorted(going):
            out[i].stopped = ends(out[i], stop)
            if out[i].stopped or len(out[i].ids) >= most[i]:
                going.remove(i)
        if not going:
            return [cut(g, stop) for g in out], batch
        if batch.idle(len(going), len(active)):
            stay = [k for k, i in enumerate(active) if i in going]
            batch.keep(stay)
            active, taken = [active[k] for k in stay], [taken[k] for k in stay]
        logits = batch.step(taken)


def take(logits: Tensor, rows: list[Generated | None], guides, stop: tuple[int, ...]) -> list[int]:
    """The next token of each row; rows that are done (None) take whatever, unrecorded."""
    logs = logits - logits.logsumexp(-1, keepdim=True)
    best = logs.argmax(-1)
    values, ids = logs.gather(1, best[:, None])[:, 0].tolist(), best.tolist()
    for k, row in enumerate(rows):
        if row is None:
            continue
        if guides is not None and guides[k] is not None:
            ids[k] = guides[k].choose(logs[k], stop)
            values[k] = float(logs[k, ids[k]])
        row.ids.append(ids[k])
        row.logs.append(values[k])
    return ids


def ends(row: Generated, stop: tuple[int, ...]) -> bool:
    return bool(stop) and tuple(row.ids[-len(stop):]) == stop


def cut(row: Generated, stop: tuple[int, ...]) -> Generated:
    return Generated(row.ids[:len(row.ids) - len(stop)], row.logs, True) if row.stopped else row
