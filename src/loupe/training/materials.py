"""What a stage learns from, opened: groups of samples, records for the tower, the tokenizer of a fresh model."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from loupe.codec import codec
from loupe.data.draw import open_mixture, open_sources, place
from loupe.data.mixture import Mixture
from loupe.dialogue import dialogue
from loupe.errors import ConfigError, FileError, ImageError
from loupe.frame import frame
from loupe.models.assembly import load_config, load_tokenizer
from loupe.models.clip import clip_config, text_tokenizer
from loupe.models.mqtext import learnt
from loupe.models.spec import MQFormerSpec, VisionSpec
from loupe.models.tokenizer import train_tokenizer
from loupe.models.vlm import VLM
from loupe.plain import Roots
from loupe.readers import reader
from loupe.readers.base import near
from loupe.record import Record
from loupe.refining.finder import of_model
from loupe.refining.views import Views
from loupe.tasks.wording import BUILT_IN
from loupe.training.contrastive import CaptionWork, Contrastive
from loupe.training.contrastive import check as check_contrastive
from loupe.training.objective import Language, LanguageWork
from loupe.training.pairing import Aligning, Paired, PairWork, fitting
from loupe.training.pairing import check as check_pairing
from loupe.training.pretraining import Dense, DenseWork, Drawn, Words
from loupe.training.recipe import Recipe, Stage
from loupe.training.state import cannot_write

WORDED = 100  # times a built-in file of wordings is read for a tokenizer, in lines
SCANNED = 2000  # records read for the words of dense supervision, groups rendered for a tokenizer
FORMER_TOKENIZER = "former-tokenizer"  # folder of a run
PASS, MIRROR, CAPTION, CHANCE = range(4)  # streams of randomness behind one seed


class Materials:
    """Sources below `roots`, or a written corpus in place of the mixtures of language stages."""

    def __init__(self, roots: Roots, data: str | Path | None, seed: int, folder: Path | None = None,
                 refined: Path | None = None):
        """folder: of the run; tokenizers of captions are kept there. refined: where a refiner's findings lie."""
        self.roots, self.data, self.seed, self.folder, self.refined = roots, data, seed, folder, refined
        self.hashes: dict[str, str] = {}
        self.drops: dict[str, int] = {}

    def open(self, stage: Stage, model: VLM):
        """(objective, work, groups) of a stage."""
        self._find(stage, model)
        if stage.objective == "mqformer":
            return self._aligning(stage, model)
        if stage.objective == "contrastive":
            records = Captioned(stage.mixture, self.roots, self.seed, self._groups(stage), stage.epochs)
            self.hashes |= records.hashes
            self.drops |= records.held_out
            words = self._text_tokenizer(model.spec.vision, records)
            return Contrastive(model, words), CaptionWork(model.encoder, words), records
        if stage.objective == "dense":
            records = Records(stage.mixture, self.roots, self.seed, self._groups(stage), stage.epochs)
            self.hashes |= records.hashes
            words = Words.of(records.first(SCANNED))
            return Dense(model, words), DenseWork(model.encoder, model.vision.grid, words), records
        groups = self.language(stage, self._shown(stage, model))
        work = LanguageWork(model.encoder)
        return Language(model, work.terms), work, groups

    def _find(self, stage: Stage, model: VLM) -> None:
        """Let the model see what a refiner found, as the stage says."""
        if model.spec.refiner is None or stage.objective not in ("language", "mqformer"):
            return
        how = stage.refined
        folder, features = self.refined, how.features
        if features == "filled" and folder is None:
            folder, features = (self.folder / "refined", features) if self.folder is not None else (None, "live")
        model.encoder.finder = of_model(model.spec, folder=folder, features=features, spatial=how.spatial,
                                        seed=self.seed, views=Views(how.views, self.seed, how.smallest),
                                        trained_with=model.refined_by)
        model.refined_by = model.encoder.finder.identity

    def _aligning(self, stage: Stage, model: VLM):
        check_pairing(stage, model)
        records = PairedRecords(stage.mixture, self.roots, self.seed, self._groups(stage), stage.epochs)
        records.views = model.encoder.finder.views
        self.hashes |= records.hashes
        self.drops |= records.held_out
        spec = model.bridge.former.spec
        words = self._former_tokenizer(spec, model.encoder.codec, records)
        marks = fitting(words, spec.vocabulary, f"stage {stage.name}")
        return (Aligning(model, marks, stage.align),
                PairWork(model.encoder, words, marks, spec.positions, stage.align), records)

    def _former_tokenizer(self, spec: MQFormerSpec, codec, records: Captioned):
        """Of the MQ-Former's texts: the one it names, or one learnt from captions once per run."""
        kept = None if self.folder is None else self.folder / FORMER_TOKENIZER
        if kept is not None and kept.is_dir():
            return load_tokenizer(kept)
        if spec.tokenizer:
            return load_tokenizer(spec.tokenizer)
        texts = (caption for record in records.first(SCANNED) for caption in record.captions)
        made = learnt(texts, spec.vocabulary, codec.tokens)
        return made if kept is None else keep(made, kept)

    def language(self, stage: Stage, change=None):
        if self.data is not None and change is not None:
            raise ConfigError("written questions cannot be moved with views of their pictures", got="--data",
                              where=f"stages.{stage.name}.refined.views", do="set it to 1, or train from the sources")
        if self.data is not None:
            from loupe.data.corpus import Corpus

            groups = Repeated(Corpus(self.data), self._groups(stage), stage.epochs)
        else:
            groups = open_mixture(stage.mixture, self.roots, self.seed, epochs=stage.epochs,
                                  groups=self._groups(stage), change=change)
        self.hashes |= getattr(groups, "hashes", {})
        self.drops |= getattr(groups, "held_out", {})
        return groups

    def exam(self, recipe: Recipe) -> tuple[Sequence, Sequence]:
        """(groups of the recipe's exam, as many of its last language stage)."""
        stage = [s for s in recipe.stages if s.objective == "language"][-1]
        plain = replace(stage.mixture, curriculum=None)
        return tuple(open_mixture(m, self.roots, self.seed, groups=recipe.exam.groups)
                     for m in (recipe.exam.mixture, plain))

    def held_out(self, stage: Stage) -> Iterator[Record]:
        """The pictures a stage may not train on."""
        for held in stage.mixture.held_out:
            yield from reader(held.reader)(place(self.roots, held.folder), held.split, **held.options)

    def _text_tokenizer(self, vision: VisionSpec, records: Captioned):
        """Of the text side: the checkpoint's if it is a whole CLIP, else learnt from captions once per run."""
        config = clip_config(vision)
        if vision.checkpoint and load_config(vision.checkpoint, None, "model.vision", False).model_type == "clip":
            return load_tokenizer(vision.checkpoint)
        kept = None if self.folder is None else self.folder / "text-tokenizer"
        if kept is not None and kept.is_dir():
            return load_tokenizer(kept)
        texts = (caption for record in records.first(SCANNED) for caption in record.captions)
        made = text_tokenizer(texts, config.text_config.vocab_size, config.text_config.max_position_embeddings)
        return made if kept is None else keep(made, kept)

    def _shown(self, stage: Stage, model: VLM):
        """(record, turn) -> the record as one of its views shows it; None where there is but one."""
        if model.spec.refiner is None or stage.refined.views == 1:
            return None
        views = model.encoder.finder.views
        return lambda record, turn: record if record.image is None else views.show(
            record, views.drawn(record.image.content_hash, turn, self.seed))

    @staticmethod
    def _groups(stage: Stage) -> int | None:
        return stage.steps * stage.images if stage.steps is not None else None

    def check(self, recipe: Recipe, behind: int = 0) -> None:
        """The folders of all stages but those that lie behind the run, before anything long begins."""
        for stage in recipe.stages[behind:]:
            if stage.objective == "contrastive":
                check_contrastive(stage)
            if self.data is None or stage.objective != "language":
                there(stage.mixture, self.roots, f"stages.{stage.name}.mixture")
        if recipe.exam is not None:
            there(recipe.exam.mixture, self.roots, "exam.mixture")


def there(mixture: Mixture, roots: Roots, where: str) -> None:
    """FileError where the folder of a source, or of what is held out, does not exist."""
    for source in (*mixture.sources, *mixture.held_out):
        folder = place(roots, source.folder)
        if not folder.is_dir():
            raise FileError("folder of the dataset does not exist", got=folder, expected=f"a folder ({source.reader})",
                            where=where, do=near(folder))


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

    needs = "objects"  # field of a Record that must not be empty

    def __init__(self, mixture: Mixture, roots: Roots, seed: int, groups: int | None, epochs: float | None):
        self.seed = seed
        self.opened = open_sources(mixture, roots, seed)
        self.shares = [min(1.0, each.source.weight) for each in self.opened]
        self.hashes = {each.source.name: each.records.hash for each in self.opened}
        self.held_out = {f"{each.source.name}: held out for evaluation": len(each.excluded) for each in self.opened
                         if each.excluded}
        self.per_pass = sum(max(1, int(share * len(each.usable)))
                            for share, each in zip(self.shares, self.opened) if len(each.usable))
        if not self.per_pass:
            raise ConfigError("no picture to learn from", where="mixture.sources", do="check --root and the splits")
        self.length = groups if groups is not None else max(1, round((epochs or 1) * self.per_pass))
        self._orders: dict[int, list[tuple[int, int]]] = {}
        self._known: dict[tuple[int, int], bool] = {}  # does the record have what is needed?

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Drawn, bool]:
        return self._drawn(index), bool(np.random.default_rng([self.seed, MIRROR, index]).integers(2))

    def _drawn(self, index: int) -> Drawn:
        for step in range(self.per_pass):
            turn, at = divmod(index + step, self.per_pass)
            source, record = self._order(turn)[at]
            drawn = Drawn((self.opened[source].source.name, record), self.opened[source].records)
            if (source, record) not in self._known:
                try:
                    self._known[source, record] = bool(getattr(drawn.record, self.needs))
                except ImageError:
                    self._known[source, record] = False
            if self._known[source, record]:
                return drawn
        raise ConfigError(f"no record has {self.needs}", where="mixture.sources", do=f"use a source with {self.needs}")

    def first(self, count: int) -> Iterator[Record]:
        """Some records of the first pass, to learn words from."""
        few = range(min(count, self.per_pass))
        for index in tqdm(few, desc="reading words", unit="picture", delay=2, disable=None, leave=False):
            yield self._drawn(index).record

    def _order(self, turn: int) -> list[tuple[int, int]]:
        if turn not in self._orders:
            rng = np.random.default_rng([self.seed, PASS, turn])
            pairs = [(s, int(r)) for s, (share, each) in enumerate(zip(self.shares, self.opened)) if len(each.usable)
                     for r in rng.permutation(each.usable)[:max(1, int(share * len(each.usable)))]]
            self._orders = {turn: [pairs[k] for k in rng.permutation(len(pairs))]}
        return self._orders[turn]


class Captioned(Records):
    """(Drawn, caption) for contrastive training: one caption of each record, drawn anew in every pass."""

    needs = "captions"

    def __getitem__(self, index: int) -> tuple[Drawn, str]:
        drawn = self._drawn(index)
        said = self._said.get(drawn.key)
        if said is None:
            said = self._said[drawn.key] = drawn.record.captions
        return drawn, said[np.random.default_rng([self.seed, CAPTION, index]).integers(len(said))]

    @cached_property
    def _said(self) -> dict[tuple, tuple[str, ...]]:
        return {}


class PairedRecords(Captioned):
    """A caption, a view and a chance of each record: the views in turn, one a pass."""

    views = Views()

    def __getitem__(self, index: int) -> Paired:
        drawn, caption = super().__getitem__(index)
        turn, view = index // self.per_pass, 0
        if self.views.count > 1:
            view = self.views.drawn(drawn.record.image.content_hash, turn, self.seed)
        return Paired(drawn, caption, view, (self.seed, CHANCE, index))


def keep(tokenizer, folder: Path):
    """Save a tokenizer, whole or not at all, and give it back; where another process was first, the one it kept."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        tokenizer.save_pretrained(str(temporary))
        temporary.chmod(0o755)  # mkdtemp's are for its owner alone
        temporary.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise cannot_write(error, folder) from error
        return load_tokenizer(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return tokenizer


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
        texts = chain(texts, rendered(recipe, materials, replace(stage, mixture=recipe.words)), questions())
    marks, words = codec(recipe.model.codec), dialogue(recipe.model.dialogue)
    return keep(train_tokenizer(texts, recipe.vocabulary, (*marks.tokens, *words.tokens)), kept)


def questions() -> Iterator[str]:
    """The built-in wordings, often enough for their words to become tokens."""
    for path in sorted(BUILT_IN.glob("*.txt")):
        lines = [re.sub(r"\{\w+\}", "", line) for line in path.read_text("utf-8").splitlines()]
        yield from lines * max(1, WORDED // max(1, len(lines)))


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
