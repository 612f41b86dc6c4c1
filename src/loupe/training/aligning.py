"""Lyrics' first stage: ITC, ITM, ICG and MSP of one batch, the same for any number of processes (§3.2, Eq. 5)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.distributed as dist
from torch import Tensor, nn

from loupe.models import alignment, attending
from loupe.models.mqformer import Found, Memory, MQFormer
from loupe.models.mqtext import Marks, Texts

TERMS = ("contrast", "match", "caption", "spatial")


@dataclass(frozen=True)
class Aligned:
    """n pictures: tower tokens, what was found in them, their texts, and what chance decides."""

    tower: Tensor  # [n, T, C]
    found: Found
    texts: Texts
    draw: Tensor  # [n, 4] in [0, 1): the wrong caption, spatial text, picture for the caption, picture for the spatial
    hide: Tensor  # [n, O] in [0, 1), O more than any owner: which objects are hidden

    def to(self, device) -> Aligned:
        return Aligned(*(getattr(self, f.name).to(device) for f in fields(self)))


class Alignment(nn.Module):
    """Batch -> (sum of the four losses over its pictures, [4] each without gradient). `hard`: negatives of ITM are
    drawn by similarity. `least`: objects hidden in a picture in any case."""

    unit, terms = "pictures", TERMS

    def __init__(self, former: MQFormer, marks: Marks, hard: bool = True, rate: float = 0.15, least: int = 0):
        super().__init__()
        self.former, self.marks, self.hard, self.rate, self.least = former, marks, hard, rate, least

    def forward(self, batch: Aligned) -> tuple[Tensor, Tensor]:
        memory = self.former.memory(batch.tower, batch.found)
        contrast, sides = self._contrast(batch, memory)
        losses = torch.stack([contrast, self._match(batch, sides), self._caption(batch, memory),
                              self._spatial(batch, memory)])
        return losses.sum(), losses.detach()

    def run(self, rule, memory: Memory, spatial: tuple[Tensor, Tensor] | None,
            caption: tuple[Tensor, Tensor] | None) -> Tensor:
        """[n, L, D] under one of attending's rules; texts as (ids, real). A text left out is hidden from all."""
        spec, count = self.former.spec, len(memory.visual)
        lengths = [0 if text is None else text[0].shape[1] for text in (spatial, caption)]
        device = memory.visual.device
        part = attending.parts(spec.visual_queries, spec.grounding_queries, *lengths, device=device)
        queries = torch.ones(count, spec.visual_queries + spec.grounding_queries, dtype=torch.bool, device=device)
        real = torch.cat([queries, *(text[1] for text in (spatial, caption) if text is not None)], 1)
        return self.former(memory, *(None if text is None else text[0] for text in (spatial, caption)),
                           rule(part, real))

    def _contrast(self, batch: Aligned, memory: Memory) -> tuple[Tensor, Sides]:
        former, texts = self.former, batch.texts
        x = self.run(attending.contrast, memory, (texts.spatial, texts.spatial_real),
                     (texts.caption, texts.caption_real))
        first = former.spec.visual_queries + former.spec.grounding_queries
        image = former.image_side(*former.pooled(x))
        text = former.text_side(x[:, first], x[:, first + texts.spatial.shape[1]])
        images, words = Gather.apply(image), Gather.apply(text)
        own = offset(len(image), image.device) + torch.arange(len(image), device=image.device)
        captions, spatials = gathered(texts.caption_key), gathered(texts.spatial_key)
        loss = alignment.contrast(image, text, images, words, former.scale(), own,
                                  texts.caption_key[:, None] == captions)
        scale = former.scale().detach()
        return loss, Sides(scale * image.detach() @ words.detach().T, scale * text.detach() @ images.detach().T,
                           texts.caption_key[:, None] == captions, texts.spatial_key[:, None] == spatials)

    def _match(self, batch: Aligned, sides: Sides) -> Tensor:
        """One pass over three rows a picture: the right pairs; wrong texts; wrong pictures. As v meets c and g meets
        s alone, the two halves of a row are drawn separately."""
        everywhere = pooled(batch)
        chosen = [alignment.negatives(similarity, same, batch.draw[:, k], self.hard) for k, (similarity, same) in
                  enumerate(((sides.to_texts, sides.same_caption), (sides.to_texts, sides.same_spatial),
                             (sides.to_images, sides.same_caption), (sides.to_images, sides.same_spatial)))]
        count = len(batch.tower)
        own = offset(count, batch.tower.device) + torch.arange(count, device=batch.tower.device)
        caption, spatial, picture, place = (torch.where(at < 0, own, at) for at in chosen)
        visual, grounding = torch.cat([own, own, picture]), torch.cat([own, own, place])
        said, written = torch.cat([own, caption, own]), torch.cat([own, spatial, own])
        theirs = everywhere.texts
        memory = self.former.memory(everywhere.tower[visual], everywhere.found[grounding])
        x = self.run(attending.match, memory, (theirs.spatial[written], theirs.spatial_real[written]),
                     (theirs.caption[said], theirs.caption_real[said]))
        v, g = self.former.pooled(x)
        real = [torch.stack([torch.ones_like(own, dtype=torch.bool), chosen[a] >= 0, chosen[b] >= 0])
                for a, b in ((0, 2), (1, 3))]
        return alignment.match(self.former.match["visual"](v).view(3, count, 2),
                               self.former.match["grounding"](g).view(3, count, 2), *real)

    def _caption(self, batch: Aligned, memory: Memory) -> Tensor:
        ids = led(batch.texts.caption, self.marks.dec)
        x = self.run(attending.caption, memory, None, (ids, batch.texts.caption_real))
        logits = self.former.word_logits(x[:, -ids.shape[1]:])
        return alignment.caption(logits, ids, batch.texts.caption_real)

    def _spatial(self, batch: Aligned, memory: Memory) -> Tensor:
        texts = batch.texts
        ids, hidden = alignment.hide_objects(led(texts.spatial, self.marks.mlm), texts.owner, batch.hide,
                                             self.marks.mask, self.rate, self.least)
        x = self.run(attending.spatial, memory, (ids, texts.spatial_real), None)
        return alignment.spatial(self.former.word_logits(x[:, -ids.shape[1]:]), texts.spatial, hidden)


@dataclass(frozen=True)
class Sides:
    """[n, G] scaled similarities of the pictures here to all texts, and of the texts here to all pictures; and whose
    texts are equal."""

    to_texts: Tensor
    to_images: Tensor
    same_caption: Tensor
    same_spatial: Tensor


def led(ids: Tensor, mark: int) -> Tensor:
    """With another first token."""
    return torch.cat([torch.full_like(ids[:, :1], mark), ids[:, 1:]], 1)


def several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def sizes(number: int, device) -> list[int]:
    """Of every process."""
    mine = torch.tensor([number], device=device)
    out = [torch.zeros_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(out, mine)
    return [int(n) for n in out]


def offset(number: int, device) -> int:
    """Number of pictures of the processes before this one."""
    return sum(sizes(number, device)[:dist.get_rank()]) if several() else 0


def gathered(t: Tensor, fill: float = 0) -> Tensor:
    """[n, L, ...] -> [G, longest L, ...] of all processes in order, shorter ones filled up; no gradient."""
    if not several():
        return t.detach()
    t = t.detach()
    kind = t.dtype
    t = t.to(torch.uint8) if kind == torch.bool else t
    counts = sizes(len(t), t.device)
    shape = [max(counts), *([max(sizes(t.shape[1], t.device)), *t.shape[2:]] if t.dim() > 1 else [])]
    wide = t.new_full(shape, fill)
    wide[tuple(slice(0, n) for n in t.shape)] = t
    out = [torch.empty_like(wide) for _ in counts]
    dist.all_gather(out, wide)
    return torch.cat([part[:n] for part, n in zip(out, counts)]).to(kind)


def pooled(batch: Aligned) -> Aligned:
    """The batches of all processes as one."""
    if not several():
        return batch
    parts = {}
    for name in ("found", "texts"):
        value = getattr(batch, name)
        parts[name] = type(value)(*(gathered(getattr(value, f.name), -1 if f.name == "owner" else 0)
                                    for f in fields(value)))
    return Aligned(gathered(batch.tower), parts["found"], parts["texts"], batch.draw, batch.hide)


class Gather(torch.autograd.Function):
    """[n, P] -> [G, P] of all processes. Backward adds up what every process' loss says of this one's rows, so that
    the sum of all processes' gradients is that of the sum of their losses."""

    @staticmethod
    def forward(ctx, t: Tensor) -> Tensor:
        ctx.count, ctx.before = len(t), offset(len(t), t.device)
        return gathered(t).clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        if several():
            dist.all_reduce(gradient)
        return gradient[ctx.before:ctx.before + ctx.count]
