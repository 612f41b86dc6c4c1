"""What a stage learns from, opened: groups of samples, records for the tower, the tokenizer of a fresh language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from loupe import readers
from loupe.codec import codec
from loupe.data.draw import open_mixture, place
from loupe.data.mixture import Curriculum, Mixture
from loupe.dialogue import dialogue
from loupe.errors import ConfigError
from loupe.frame import frame
from loupe.models.tokenizer import train_tokenizer
from loupe.record import Record
from loupe.training.objective import Language, LanguageWork
from loupe.training.pretraining import Dense, DenseWork, Words
from loupe.training.recipe import Recipe, Stage

SCANNED = 2000  # records read for the words of dense supervision, and groups rendered for a tokenizer


class Materials:
    """Sources below `roots`, or a corpus for the language stages."""

    def __init__(self, roots, data, seed: int):
        self.roots: Mapping = roots if isinstance(roots, Mapping) else {"": roots} if roots is not None else {}
        self.data, self.seed = data, seed
        self.hashes: dict[str, str] = {}
        self.drops: Counter[str] = Counter()
        self._records: dict[Mixture, Records] = {}
