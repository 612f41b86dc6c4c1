"""A CLIP or SigLIP that says how well words fit a picture: the cosine of their features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loupe import shipped
from loupe.frame import squash
from loupe.image import Image
from loupe.refining.checkpoint import kind_of, model_of, pixels_of, preprocessing, tokenizer_of
from loupe.refining.parts import fingerprint
from loupe.refining.tagging import CLIP_PIXELS, KINDS, SIGLIP_PIXELS, unit

TEXTS = 256  # that go through together


class ClipScorer:
    """Of a folder or hub id, or the shipped "loupe/vision". Whole pictures, squashed to the model's square: a centre
    crop would not see what stands at the border. Longer texts than the model reads are cut."""

    def __init__(self, name: str = "loupe/vision", device: str | None = None):
        from loupe.models.device import device_of

        device = device_of(device)
        place = str(shipped.folder(name)) if shipped.is_shipped(name) else name
        self.kind = kind_of(place, KINDS, "model that scores pictures and words", shipped="loupe/vision")
        self.model, self.tokenizer = model_of(place, KINDS[self.kind], device), tokenizer_of(place)
        self.pixels = pixels_of(preprocessing(place), SIGLIP_PIXELS if self.kind == "siglip" else CLIP_PIXELS)
        self.identity = {"name": name, "weights": fingerprint(self.model)}

    def scores(self, images: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The cosine of each picture with each of its texts, float32 [its texts]."""
        import torch

        if not images:
            return []
        size = self.model.config.vision_config.image_size
        with torch.inference_mode():
            frames = [squash(*image.size, size) for image in images]
            pixels = self.pixels.tensor(images, frames, self.model.device)
            seen = unit(self.model.get_image_features(pixel_values=pixels).pooler_output)  # [N, D]
            said = self._texts([text for some in texts for text in some])  # [T, D]
            owner = torch.tensor([k for k, some in enumerate(texts) for _ in some], dtype=torch.long,
                                 device=seen.device)
            found = (seen[owner] * said).sum(-1).float().cpu().numpy()
        return np.split(found, np.cumsum([len(some) for some in texts])[:-1])

    def _texts(self, texts: Sequence[str]):
        """[T, D] of length 1."""
        import torch

        longest, parts = self.model.config.text_config.max_position_embeddings, []
        for first in range(0, len(texts), TEXTS):
            batch = self.tokenizer(list(texts[first:first + TEXTS]), truncation=True, max_length=longest,
                                   padding="max_length" if self.kind == "siglip" else True, return_tensors="pt")
            given = {"input_ids": batch["input_ids"].to(self.model.device)}
            if self.kind == "clip":
                given["attention_mask"] = batch["attention_mask"].to(self.model.device)
            parts.append(unit(self.model.get_text_features(**given).pooler_output))
        return torch.cat(parts)
