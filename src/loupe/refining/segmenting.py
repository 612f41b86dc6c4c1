"""SAM, SAM-HQ and SAM 2 of transformers as segmenters: a box's mask, and its token in the mask decoder as a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from loupe.frame import Frame, squash
from loupe.image import Image
from loupe.refining.checkpoint import Pixels, kind_of, model_of, pixels_of, preprocessing
from loupe.refining.parts import Outlines, fingerprint
from loupe.regions import Box, Mask

KINDS = {"sam": "SamModel", "sam_hq": "SamHQModel", "sam2": "Sam2Model"}
TOGETHER = 32  # boxes of a picture that go through the decoder at once


def load(name: str, device: str = "cpu") -> Sam:
    kind = kind_of(name, KINDS, "segmenter")
    return Sam(model_of(name, KINDS[kind], device), pixels_of(preprocessing(name)), name)


class Sam:
    """One mask for each box: the decoder's single one, which SAM advises for boxes. A box's row is the decoder's token
    of that mask (SAM-HQ: its token of high quality), after the two-way transformer, and 256 wide."""

    def __init__(self, model, pixels: Pixels, name: str):
        self.model, self.pixels, self.name, self.kind = model, pixels, name, model.config.model_type
        self.width = model.config.mask_decoder_config.hidden_size
        size = model.config.prompt_encoder_config.image_size
        self.size = size if isinstance(size, int) else size[0]
        decoder = model.mask_decoder
        self.token = {"sam": 1, "sam_hq": decoder.num_mask_tokens, "sam2": 2}[self.kind]
        self.identity = {"weights": fingerprint(model)}

    def segment(self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]) -> list[Outlines]:
        due = [k for k, some in enumerate(boxes) if some]
        out = [Outlines((), np.zeros((0, self.width), np.float32)) for _ in images]
        if not due:
            return out
        frames = {k: self.frame(images[k]) for k in due}
        with torch.inference_mode():
            looks = self._look(self.pixels.tensor([images[k] for k in due], list(frames.values()), self.model.device))
            for look, k in zip(looks, due):
                out[k] = self._picture(look, frames[k], boxes[k])
        return out

    def frame(self, image: Image) -> Frame:
        """SAM and SAM-HQ: the longer side fits, padded to the right and below; SAM 2: squashed."""
        width, height = image.size
        if self.kind == "sam2":
            return squash(width, height, self.size)
        side = max(width, height)
        return Frame(width, height, self.size, self.size, Box(0, 0, side, side), fill=self.pixels.fill)

    def _look(self, pixels: Tensor) -> list[dict]:
        """What the decoder asks of each picture, encoded once."""
        seen = self.model.get_image_embeddings(pixels)
        if self.kind == "sam":
            return [{"image_embeddings": seen[k:k + 1]} for k in range(len(pixels))]
        if self.kind == "sam2":
            return [{"image_embeddings": [level[k:k + 1] for level in seen]} for k in range(len(pixels))]
        embeddings, layers = seen
        return [{"image_embeddings": embeddings[k:k + 1], "intermediate_embeddings": [x[k:k + 1] for x in layers]}
                for k in range(len(pixels))]

    def _picture(self, look: dict, place: Frame, boxes: Sequence[Box]) -> Outlines:
        masks, rows = [], []
        kept: list[Tensor] = []
        hook = self.model.mask_decoder.transformer.register_forward_hook(lambda module, given, out: kept.append(out[0]))
        try:
            for first in range(0, len(boxes), TOGETHER):
                some = boxes[first:first + TOGETHER]
                asked = torch.tensor([[place.to_model(box).xyxy for box in some]], dtype=torch.float32)
                out = self.model(**look, input_boxes=asked.to(self.model.device), multimask_output=False)
                masks += self._masks(out.pred_masks[0, :, 0], place)
                rows.append(kept.pop()[0, :, self.token].float().cpu().numpy())
        finally:
            hook.remove()
        return Outlines(tuple(masks), np.concatenate(rows))

    def _masks(self, logits: Tensor, place: Frame) -> list[Mask]:
        """[K, h, w] -> masks of the image."""
        grown = nn.functional.interpolate(logits[None].float(), size=(self.size, self.size), mode="bilinear")[0]
        return [place.to_image(Mask.from_array(inside)) for inside in (grown > 0).cpu().numpy()]
