"""CLIP's text side as an encoder of answers and class names (ChatSpot §4.2): cosines of their features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loupe import shipped

PROMPT = "a photo of a {}"
BATCH = 256


class ClipText:
    """From a folder in transformers layout with both sides of a CLIP, or the shipped "loupe/vision"."""

    def __init__(self, folder: str | Path, prompt: str = PROMPT):
        from loupe.models.clip import load_clip

        place = shipped.folder(str(folder)) if shipped.is_shipped(str(folder)) else Path(folder)
        self.clip, self.tokenizer = load_clip(place)
        self.name, self.prompt = f"clip:{folder}", prompt

    def similarity(self, texts: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """[texts, classes] cosines. A class stands in the prompt, and so does an answer of one or two words."""
        said = [self.prompt.format(t) if len(t.split()) < 3 else t for t in texts]
        return self._features(said) @ self._features([self.prompt.format(name) for name in classes]).T

    def _features(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        from loupe.models.clip import text_features

        longest = self.clip.config.text_config.max_position_embeddings
        out = []
        with torch.inference_mode():
            for k in range(0, len(texts), BATCH):
                ids = self.tokenizer(list(texts[k:k + BATCH]), padding=True, truncation=True, max_length=longest,
                                     return_tensors="pt").input_ids
                out.append(text_features(self.clip, ids).numpy())
        return np.concatenate(out)
