"""What a stage learns from, opened: groups of samples, records for the tower, the tokenizer of a fresh model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from loupe.codec import codec
from loupe.data.draw import open_mixture, open_sources, place
from loupe.data.mixture import Mixture
from loupe.dialogue import dialogue
from loupe.errors import ConfigError, ImageError
from loupe.frame import frame
from loupe.models.assembly import load_tokenizer
from loupe.models.tokenizer import train_tokenizer
from loupe.models.vlm import VLM
from loupe.plain import Roots
from loupe.record import Record
from loupe.training.objective import Language, LanguageWork
from loupe.training.pretraining import Dense, DenseWork, Drawn, Words
from loupe.training.recipe import Recipe, Stage

SCANNED = 2000  # records read for the words of dense supervision, groups rendered for a tokenizer
PASS, MIRROR = range(2)  # streams of randomness behind one seed


class Materials:
    """Sources below `roots`, or a written corpus in place of the mixtures of language stages."""

    def __init__(self, roots: Roots, data: str | Path | None, seed: int):
        self.roots, self.data, self.seed = roots, data, seed
        self.hashes: dict[str, str] = {}
        self.drops: dict[str, int] = {}

    def open(self, stage: Stage, model: VLM):
        """(objective, work, groups) of a stage."""
        if stage.objective == "dense":
            records = Records(stage.mixture, self.roots, self.seed, self._groups(stage), stage.epochs)
            self.hashes |= records.hashes
            words = Words.of(records.first(SCANNED))
            return Dense(model, words), DenseWork(model.encoder, model.vision.grid, words), records
        groups = self.language(stage)
        work = LanguageWork(model.encoder)
        return Language(model, work.terms), work, groups

    def language(self, stage: Stage):
        if self.data is not None:
            from loupe.data.corpus import Corpus

            groups = Repeated(Corpus(self.data), self._groups(stage), stage.epochs)
        else:
            groups = open_mixture(stage.mixture, self.roots, self.seed, epochs=stage.epochs,
                                  groups=self._groups(stage))
        self.hashes |= getattr(groups, "hashes", {})
        self.drops |= getattr(groups, "held_out", {})
        return groups

    def exam(self, recipe: Recipe) -> tuple[Sequence, Sequence]:
        """(groups of the recipe's exam, as many of its last language stage)."""
        stage = [s for s in recipe.stages if s.objective == "language"][-1]
        plain = replace(stage.mixture, curriculum=None)
        return tuple(open_mixture(m, self.roots, self.seed, groups=recipe.exam.groups)
                     for m in (recipe.exam.mixture, plain))

    @staticmethod
    def _groups(stage: Stage) -> int | None:
        return stage.steps * stage.images if stage.steps is not None else None

    def check(self, stage: Stage) -> None:
        """The folders of a stage, before anything long begins."""
        if self.data is None or stage.objective == "dense":
            for source in stage.mixture.sources:
                place(self.roots, source.folder)


class Repeated(Sequence):
    """A corpus gone through as often as a stage needs, in its own order."""

    def __init__(self, corpus, groups: int | None, epochs: float | None):
        self.corpus, self.hashes = corpus, getattr(corpus, "hashes", {})
        self.length = groups if groups is not None else max(1, round((epochs or 1) * len(corpus)))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int):
        return self.corpus[index % len(self.corpus)]


class Records(Sequence):
    """(Drawn, mirrored?) for dense supervision: all sources' records with objects, shuffled whole in every pass.

    A source's weight below one takes that share of its records a pass; above one it counts as one.
    """

    def __init__(self, mixture: Mixture, roots: Roots, seed: int, groups: int | None, epochs: float | None):
        self.seed = seed
        self.opened = open_sources(mixture, roots, seed)
        self.shares = [min(1.0, each.source.weight) for each in self.opened]
        self.hashes = {each.source.name: each.records.hash for each in self.opened}
        self.per_pass = sum(max(1, int(share * len(each.usable)))
                            for share, each in zip(self.shares, self.opened) if len(each.usable))
        if not self.per_pass:
            raise ConfigError("no picture to learn from", where="mixture.sources", do="check --root and the splits")
        self.length = groups if groups is not None else max(1, round((epochs or 1) * self.per_pass))
        self._orders: dict[int, list[tuple[int, int]]] = {}
        self._known: dict[tuple[int, int], bool] = {}  # does the record name objects?

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Drawn, bool]:
        mirrored = bool(np.random.default_rng([self.seed, MIRROR, index]).integers(2))
        for step in range(self.per_pass):
            turn, at = divmod(index + step, self.per_pass)
            source, record = self._order(turn)[at]
            drawn = Drawn((self.opened[source].source.name, record), self.opened[source].records)
            if (source, record) not in self._known:
                try:
                    self._known[source, record] = bool(drawn.record.objects)
                except ImageError:
                    self._known[source, record] = False
            if self._known[source, record]:
                return drawn, mirrored
        raise ConfigError("no record names an object", where="mixture.sources", do="use a source with objects")

    def first(self, count: int) -> Iterator[Record]:
        """Some records of the first pass, to learn the words from."""
        few = range(min(count, self.per_pass))
        for index in tqdm(few, desc="reading class names", unit="picture", delay=2, disable=None, leave=False):
            yield self[index][0].record

    def _order(self, turn: int) -> list[tuple[int, int]]:
        if turn not in self._orders:
            rng = np.random.default_rng([self.seed, PASS, turn])
            pairs = [(s, int(r)) for s, (share, each) in enumerate(zip(self.shares, self.opened)) if len(each.usable)
                     for r in rng.permutation(each.usable)[:max(1, int(share * len(each.usable)))]]
            self._orders = {turn: [pairs[k] for k in rng.permutation(len(pairs))]}
        return self._orders[turn]


def tokenizer_for(recipe: Recipe, materials: Materials, folder: Path):
    """The run's tokenizer where the language model is made from its config: learnt once from rendered samples of the
    first language stage and kept in the run folder. None where a checkpoint brings its own."""
    if recipe.model.language.checkpoint:
        return None
    kept = folder / "tokenizer"
    if kept.is_dir():
        return load_tokenizer(kept)
    stage = next((s for s in recipe.stages if s.objective == "language"), None)
    texts = rendered(recipe, materials, stage) if stage is not None else iter(("",))
    if stage is not None and recipe.words is not None:
        texts = chain(texts, rendered(recipe, materials, replace(stage, mixture=recipe.words)))
    marks, words = codec(recipe.model.codec), dialogue(recipe.model.dialogue)
    tokenizer = train_tokenizer(texts, recipe.vocabulary, (*marks.tokens, *words.tokens))
    temporary = folder / ".tokenizer"
    tokenizer.save_pretrained(temporary)
    temporary.rename(kept)
    return tokenizer


def rendered(recipe: Recipe, materials: Materials, stage: Stage) -> Iterator[str]:
    """Texts of a few thousand samples, without the curriculum, as the model will read and write them."""
    plain = replace(stage, steps=max(1, SCANNED // stage.images), mixture=replace(stage.mixture, curriculum=None))
    marks, words, vision = codec(recipe.model.codec), dialogue(recipe.model.dialogue), recipe.model.vision
    groups = materials.language(plain)
    for index in tqdm(range(len(groups)), desc="learning a vocabulary", unit="picture", delay=2, disable=None):
        for sample in groups[index]:
            try:
                frames = [frame(vision.frame, *size, vision.size) for size in sample.sizes]
            except ImageError:  # counted when it comes up in training
                continue
            yield words.render(sample, marks, frames).text("")
