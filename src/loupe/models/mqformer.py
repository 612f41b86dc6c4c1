"""MQ-Former (Lyrics §3.1): visual and grounding queries that look at tower and refiner, and a text transformer that
shares their self-attention. A sequence is always v, g, s, c: visual queries, grounding queries, spatial text, caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from loupe.errors import ConfigError, unknown_name
from loupe.models.refined import Refined
from loupe.models.spec import MQFormerSpec

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}
STD = 0.02  # BERT's initial weights
COLDEST = 0.01  # least temperature


@dataclass(frozen=True)
class Found:
    """What a refiner found in N pictures, as rows of features. A row whose mask is False is not looked at."""

    detector: Tensor  # [N, R, detector_width] one row per detector query: its state and 4 numbers of its box
    detector_mask: Tensor  # [N, R] bool: over the threshold
    outline: Tensor  # [N, K, outline_width] one row per kept box, from the mask decoder
    outline_mask: Tensor  # [N, K] bool

    def to(self, device, non_blocking: bool = True) -> Found:
        return Found(*(getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self)))

    def __getitem__(self, rows) -> Found:
        return Found(*(getattr(self, f.name)[rows] for f in fields(self)))


def nothing(count: int, spec: MQFormerSpec, device=None) -> Found:
    """Of `count` pictures in which nothing was found."""
    return Found(torch.zeros(count, 0, spec.detector_width, device=device),
                 torch.zeros(count, 0, dtype=torch.bool, device=device),
                 torch.zeros(count, 0, spec.outline_width, device=device),
                 torch.zeros(count, 0, dtype=torch.bool, device=device))


def found(pictures: Sequence[Refined], threshold: float, spec: MQFormerSpec) -> Found:
    """What a refiner says of N pictures as padded rows; detector rows with a score below `threshold` are masked."""
    queries, outlines = [p.queries for p in pictures], [p.outlines for p in pictures]
    empty = (np.zeros((0, spec.detector_width), np.float32), np.zeros((0, spec.outline_width), np.float32))
    tables = [_padded([rows if len(rows) else none for rows in all_], none)
              for all_, none in ((queries, empty[0]), (outlines, empty[1]))]
    (detector, real), (outline, kept) = tables
    scores = _padded([p.scores[:, None] for p in pictures], np.zeros((0, 1), np.float32))[0][..., 0]
    return Found(detector, real & (scores >= threshold), outline, kept)


def _padded(rows: list[np.ndarray], none: np.ndarray) -> tuple[Tensor, Tensor]:
    """([N, longest, width], which are real)."""
    longest = max(map(len, rows), default=0)
    width = {r.shape[1] for r in rows if len(r)} or {none.shape[1]}
    if len(width) > 1:
        raise ConfigError("features of pictures have different widths", got=sorted(width), expected="one refiner's")
    out = torch.zeros(len(rows), longest, width.pop())
    for k, row in enumerate(rows):
        out[k, :len(row)] = torch.from_numpy(np.array(row, np.float32)) if len(row) else 0
    return out, torch.arange(longest) < torch.tensor([len(r) for r in rows])[:, None]


@dataclass(frozen=True)
class Memory:
    """What queries look at: `visual` [N, T, visual width], `grounding` [N, 1 + R + K, detector_width], and which rows
    of the latter may be looked at. Row 0 is the learned one, open exactly where nothing else is."""

    visual: Tensor
    grounding: Tensor
    grounding_mask: Tensor  # [N, 1 + R + K] bool


class Attention(nn.Module):
    """Multi-head attention, added to its input and normed (post-norm, as BERT)."""

    def __init__(self, spec: MQFormerSpec, memory: int | None = None):
        super().__init__()
        width, seen = spec.width, memory or spec.width
        self.heads, self.rate = spec.heads, spec.dropout
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key, self.value = nn.Linear(seen, width), nn.Linear(seen, width)
        self.norm, self.dropout = nn.LayerNorm(width, eps=spec.eps), nn.Dropout(spec.dropout)

    def forward(self, x: Tensor, mask: Tensor | None, memory: Tensor | None = None) -> Tensor:
        """x [N, L, D]; memory [N, M, C]; mask bool, broadcastable to [N, 1, L, M]: query may see key."""
        seen = x if memory is None else memory
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for t in (self.query(x), self.key(seen), self.value(seen)))
        mixed = F.scaled_dot_product_attention(q, k, v, mask, dropout_p=self.rate if self.training else 0.0)
        return self.norm(self.dropout(self.out(mixed.transpose(1, 2).flatten(2))) + x)


class FeedForward(nn.Module):
    """Two layers, added to their input and normed."""

    def __init__(self, spec: MQFormerSpec, activation: str):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise unknown_name("activation", activation, ACTIVATIONS, where="mqformer.query_activation")
        self.act = ACTIVATIONS[activation]
        self.rise, self.fall = nn.Linear(spec.width, spec.inner), nn.Linear(spec.inner, spec.width)
        self.norm, self.dropout = nn.LayerNorm(spec.width, eps=spec.eps), nn.Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.dropout(self.fall(self.act(self.rise(x)))) + x)


class Block(nn.Module):
    """Self-attention of all; then queries look outside and go through their feed-forward, texts through theirs."""

    def __init__(self, spec: MQFormerSpec, visual_width: int, crosses: bool):
        super().__init__()
        self.attention = Attention(spec)
        self.visual = Attention(spec, visual_width) if crosses else None
        self.grounding = Attention(spec, spec.detector_width) if crosses else None
        self.queries = FeedForward(spec, spec.query_activation)
        self.text = FeedForward(spec, "gelu")

    def forward(self, x: Tensor, mask: Tensor | None, cuts: tuple[int, int], memory: Memory | None) -> Tensor:
        """x [N, L, D]; cuts: how many are visual, and how many grounding queries."""
        x = self.attention(x, mask)
        v, g, t = x.split([*cuts, x.shape[1] - sum(cuts)], 1)
        if self.visual is not None and cuts[0]:
            v = self.visual(v, None, memory.visual)
        if self.grounding is not None and cuts[1]:
            g = self.grounding(g, memory.grounding_mask[:, None, None], memory.grounding)
        parts = [self.queries(torch.cat([v, g], 1))] if sum(cuts) else []
        return torch.cat([*parts, self.text(t)] if t.shape[1] else parts, 1)


class WordHead(nn.Module):
    """BERT's prediction of words; its last matrix is the word embedding."""

    def __init__(self, spec: MQFormerSpec):
        super().__init__()
        self.transform, self.norm = nn.Linear(spec.width, spec.width), nn.LayerNorm(spec.width, eps=spec.eps)
        self.bias = nn.Parameter(torch.zeros(spec.vocabulary))

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """[..., D] -> [..., vocabulary]."""
        return F.linear(self.norm(F.gelu(self.transform(x))), words, self.bias)


class MQFormer(nn.Module):
    """Built for tower tokens of `visual_width` numbers. Heads: `contrast` projects [pool(v); pool(g)] and
    [BOS; CLS] as the sum of one matrix per half, `match` says of pooled v with c, and of pooled g with s, [no, yes]."""

    def __init__(self, spec: MQFormerSpec, visual_width: int):
        super().__init__()
        if spec.pool not in ("mean", "max"):
            raise unknown_name("pooling", spec.pool, ("mean", "max"), where="mqformer.pool")
        if spec.width % spec.heads or spec.cross_every < 1:
            raise ConfigError("an MQ-Former cannot be made so", where="mqformer",
                              got=f"width {spec.width}, {spec.heads} heads, cross-attention every {spec.cross_every}",
                              expected="heads that divide the width, and at least 1")
        self.spec = spec
        width = spec.width
        self.visual_queries = nn.Parameter(torch.empty(spec.visual_queries, width).normal_(0, STD))
        self.grounding_queries = nn.Parameter(torch.empty(spec.grounding_queries, width).normal_(0, STD))
        self.words, self.places = nn.Embedding(spec.vocabulary, width), nn.Embedding(spec.positions, width)
        self.norm, self.dropout = nn.LayerNorm(width, eps=spec.eps), nn.Dropout(spec.dropout)
        self.visual_norm = nn.LayerNorm(visual_width)  # BLIP-2's, behind the frozen tower
        self.outline = nn.Linear(spec.outline_width, spec.detector_width)
        self.blocks = nn.ModuleList(Block(spec, visual_width, k % spec.cross_every == 0) for k in range(spec.depth))
        self.head = WordHead(spec)
        self.contrast = nn.ModuleDict({name: nn.Linear(width, spec.projection)
                                       for name in ("visual", "grounding", "spatial", "caption")})
        self.match = nn.ModuleDict({name: nn.Linear(width, 2) for name in ("visual", "grounding")})
        self.temperature = nn.Parameter(torch.tensor(spec.temperature))
        self.nothing = nn.Parameter(torch.empty(spec.detector_width).normal_(0, STD))
        self.apply(start)
        for block in self.blocks:
            if block.grounding is not None:
                block.grounding.apply(xavier)  # §3.1
        self.outline.apply(xavier)

    def memory(self, tower: Tensor, found: Found | None = None) -> Memory:
        """Of tower tokens [N, T, C] and what a refiner found; without `found`, as if it had found nothing."""
        found = found or nothing(len(tower), self.spec, tower.device)
        for name, rows, width in (("detector", found.detector, self.spec.detector_width),
                                  ("outline", found.outline, self.spec.outline_width)):
            if rows.shape[-1] != width or len(rows) != len(tower):
                raise ConfigError(f"{name} features do not fit the model", got=tuple(rows.shape),
                                  expected=f"[{len(tower)}, rows, {width}]", where=f"mqformer.{name}_width",
                                  do="give the widths of the refiner whose features these are")
        rows = torch.cat([self.nothing.expand(len(tower), 1, -1), found.detector.to(self.nothing.dtype),
                          self.outline(found.outline.to(self.nothing.dtype))], 1)
        open_ = torch.cat([found.detector_mask, found.outline_mask], 1)
        return Memory(self.visual_norm(tower), rows, torch.cat([~open_.any(1, keepdim=True), open_], 1))

    def embed(self, queries: int, spatial: Tensor | None = None, caption: Tensor | None = None) -> Tensor:
        """Queries of `queries` pictures (0: none), then the texts' ids [N, S], [N, C] -> [N, L, D]."""
        parts = [q.expand(queries, -1, -1) for q in (self.visual_queries, self.grounding_queries)] if queries else []
        for ids in (spatial, caption):
            if ids is not None:
                if ids.shape[1] > self.spec.positions:
                    raise ConfigError("a text is longer than the model's positions", got=ids.shape[1],
                                      expected=f"at most {self.spec.positions} tokens", where="mqformer.positions")
                parts.append(self.words(ids) + self.places.weight[:ids.shape[1]])
        return self.dropout(self.norm(torch.cat(parts, 1)))

    def forward(self, memory: Memory | None = None, spatial: Tensor | None = None, caption: Tensor | None = None,
                mask: Tensor | None = None) -> Tensor:
        """[N, L, D] of v, g (with a memory), s and c (where given), in this order. mask [N or 1, L, L] bool: the row
        may see the column (models/attending.py); None: all see all."""
        count = 0 if memory is None else len(memory.visual)
        cuts = (len(self.visual_queries), len(self.grounding_queries)) if count else (0, 0)
        x = self.embed(count, spatial, caption)
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None], cuts, memory)
        return x

    def queries(self, memory: Memory) -> Tensor:
        """[N, v + g, D]: the queries alone, as the language model gets them (§3.3)."""
        return self(memory)

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H_v and H_g [N, D] of an output that starts with both kinds of queries."""
        v, g = x[:, :(first := len(self.visual_queries))], x[:, first:first + len(self.grounding_queries)]
        return (v.mean(1), g.mean(1)) if self.spec.pool == "mean" else (v.amax(1), g.amax(1))

    def image_side(self, v: Tensor, g: Tensor) -> Tensor:
        """H_I = [H_v; H_g] projected, of length one: [N, P]."""
        return F.normalize(self.contrast["visual"](v) + self.contrast["grounding"](g), dim=-1)

    def text_side(self, spatial: Tensor, caption: Tensor) -> Tensor:
        """H_T = [out(BOS); out(CLS)] projected, of length one: [N, P]."""
        return F.normalize(self.contrast["spatial"](spatial) + self.contrast["caption"](caption), dim=-1)

    def scale(self) -> Tensor:
        """What cosines are multiplied by."""
        return 1 / self.temperature.clamp(min=COLDEST)

    def word_logits(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., vocabulary]."""
        return self.head(x, self.words.weight)


def start(module: nn.Module) -> None:
    """BERT's initial weights; biases zero."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, 0, STD)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)


def xavier(module: nn.Module) -> None:
    """Xavier's (Glorot's) uniform weights of linear layers; biases zero."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Querying(nn.Module):
    """The bridge of kind "mqformer": [N, T, C] and what was found -> [N, v + g, D] (§3.3: no pooling)."""

    position = False

    def __init__(self, spec: MQFormerSpec, inner: int, outer: int):
        super().__init__()
        self.former = MQFormer(spec, inner)
        self.project = nn.Linear(spec.width, outer)
        self.tokens = spec.visual_queries + spec.grounding_queries

    def forward(self, tokens: Tensor, found: Found | None = None) -> Tensor:
        return self.project(self.former.queries(self.former.memory(tokens, found)))
