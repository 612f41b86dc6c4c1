"""Contrastive pretraining of a tower with captions of whole pictures, as CLIP (Radford et al. 2021, arXiv 2103.00020).

In a batch of N pictures with a caption each, every picture picks its caption out of N and every caption its picture,
by scaled cosine. Captions that are said of several pictures of a batch, and pictures that come twice, are all right
answers and share the target evenly (as labels do in UniCL, Yang et al. 2022, arXiv 2204.03610).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from loupe.errors import ConfigError
from loupe.models import clip as sides
from loupe.models.encoding import Encoder
from loupe.models.vlm import VLM
from loupe.record import Record
from loupe.training.kept import Kept
from loupe.training.objective import Work
from loupe.training.pretraining import Drawn, decoded

JUDGED = 256  # held-out pictures of which each caption has to find its own


@dataclass(frozen=True)
class Pairs:
    """N pictures and a caption of each."""

    pixels: Tensor  # [N, 3, S, S]
    ids: Tensor  # [N, T] int64, padded behind the end mark
    same: Tensor  # [N, N] bool, symmetric: caption j is right for picture i

    def to(self, device) -> Pairs:
        return Pairs(*(t.to(device, non_blocking=True) for t in (self.pixels, self.ids, self.same)))


class CaptionWork:
    """(Drawn, caption) pairs -> Work. Pictures that do not decode are dropped, captions cut to the text side's length;
    both are counted. Pictures are kept up to `room` bytes (see `Kept`)."""

    def __init__(self, encoder: Encoder, tokenizer, room: int | None = None):
        self.encoder, self.tokenizer = encoder, tokenizer
        self.kept = Kept(room)

    def __call__(self, group: Sequence[tuple[Drawn, str]]) -> Work:
        made, names, drops = decoded(group, self._picture)
        pixels, captions = zip(*made)
        ids, cut = self.encode(captions)
        if cut:
            drops["caption longer than the text side reads, cut"] += cut
        count = float(len(names))
        batch = Pairs(torch.from_numpy(self.encoder.normal(np.stack(pixels))), ids, alike(captions) | alike(names))
        return Work(batch, torch.full((2,), count, dtype=torch.float64), count, images=len(names), pairs=len(names),
                    ids=tuple(names), drops=drops)

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, int]:
        """([N, T] ids between the marks, number of captions that did not fit)."""
        ids = self.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt").input_ids
        full = (ids[:, -1] == self.tokenizer.eos_token_id) & (ids.shape[1] == self.tokenizer.model_max_length)
        whole = self.tokenizer.batch_decode(ids[full], skip_special_tokens=True)
        return ids, sum(text != captions[int(k)] for k, text in zip(full.nonzero(), whole))

    def _picture(self, drawn: Drawn) -> np.ndarray:
        """uint8 [S, S, 3]"""
        def make() -> np.ndarray:
            image = drawn.record.image
            return np.asarray(self.encoder.frame(image).picture(image))

        return self.kept.get(drawn.key, make)


def alike(values: Sequence) -> Tensor:
    """[N, N] bool: equal to each other."""
    numbers = {value: k for k, value in enumerate(dict.fromkeys(values))}
    which = torch.tensor([numbers[value] for value in values])
    return which[:, None] == which


class Contrastive(nn.Module):
    """Cross-entropy both ways. The text side, both projections and the temperature are the objective's own; they
    train whatever the stage's `tune` says of the tower."""

    unit, terms = "captions", ("image-to-text", "text-to-image")

    def __init__(self, model: VLM, tokenizer):
        super().__init__()
        self.clip = sides.join(model.spec.vision, model.vision, tokenizer)
        self.encoder, self.tokenizer = model.encoder, tokenizer

    def forward(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Summed over pictures, both ways at half weight each."""
        images, texts = sides.image_features(self.clip, pairs.pixels), sides.text_features(self.clip, pairs.ids)
        logits = sides.scale(self.clip) * images @ texts.T  # [N pictures, N captions]
        losses = torch.stack([choice(logits, pairs.same), choice(logits.T, pairs.same)])
        return losses.mean(), losses.detach()

    @torch.no_grad()
    def score(self, records: Iterable[Record]) -> dict[str, float]:
        """Retrieval@1 among the first JUDGED pictures whose longest captions differ; {} for fewer than two."""
        chosen: dict[str, Record] = {}
        for record in records:
            if record.captions and len(chosen) < JUDGED:
                chosen.setdefault(max(record.captions, key=len), record)
        if len(chosen) < 2:
            return {}
        device, training = self.clip.logit_scale.device, self.training
        self.eval()
        work, seen, said = CaptionWork(self.encoder, self.tokenizer, 0), [], []
        for captions in np.array_split(list(chosen), -(-len(chosen) // 64)):
            pixels = self.encoder.pixels([chosen[str(caption)].image for caption in captions])
            seen.append(sides.image_features(self.clip, torch.from_numpy(pixels).to(device)))
            said.append(sides.text_features(self.clip, work.encode([str(c) for c in captions])[0].to(device)))
        self.train(training)
        return {**sides.retrieval(torch.cat(seen), torch.cat(said)),
                "temperature": round(1 / float(sides.scale(self.clip)), 4)}

    def write(self, folder: Path) -> Path:
        """The whole CLIPModel with its tokenizer, in transformers' layout."""
        return sides.save_clip(self.clip, self.tokenizer, self.encoder.vision, folder)


def choice(logits: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy of picking a right column in every row, summed over rows; right ones share the target."""
    target = same / same.sum(1, keepdim=True)
    return -(target * logits.float().log_softmax(1)).sum()


def check(stage) -> None:
    """Every picture needs others to be told from, and all of them in one forward pass."""
    if stage.accumulation > 1 or stage.images < 2:
        raise ConfigError("contrastive training tells the pictures of one forward pass apart",
                          got=f"{stage.images} pictures in {stage.accumulation} parts", where=f"stages.{stage.name}",
                          expected="at least 2 pictures and accumulation=1")
