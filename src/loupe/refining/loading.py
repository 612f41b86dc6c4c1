"""Names of refiners and of their parts -> the parts, loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from loupe import shipped
from loupe.errors import ConfigError, FileError, unknown_name
from loupe.models.spec import RefinerSpec
from loupe.refining.parts import Thresholds
from loupe.refining.pipeline import Pipeline

MINI = "mini"
Words = Sequence[tuple[str, float | None]]
REFINERS = {  # name -> tagger, detector, segmenter
    MINI: (MINI, MINI, MINI),
    "lyrics": ("ram++", "IDEA-Research/grounding-dino-tiny", "syscv-community/sam-hq-vit-huge"),  # §3.1, §4
}
COMMAS = {"lyrics": ","}  # §3.1: "concatenate each tag into a sentence using comma"
OWN = {"lyrics": Thresholds(box=0.25, overlap=0.6)}  # the paper gives none; its laboratory's early code has these


def load(name: str = MINI, thresholds: Thresholds | None = None, words: Words | None = None,
         device: str | None = None) -> Pipeline:
    """A named refiner, or "TAGGER,DETECTOR,SEGMENTER". words: what a CLIP or SigLIP tagger chooses from, each with
    its threshold or None. device: None takes a GPU if there is one."""
    from loupe.models.device import device_of

    thresholds, (tagger, detector, segmenter) = chosen(name, thresholds), parts_of(name)
    parts, device = (tagger, detector, segmenter), device_of(device)
    if words and (tagger == MINI or tagger.startswith("ram++")):
        raise ConfigError("this tagger knows its own words", got=f"a list of {len(words)}", where=f"tagger {tagger}",
                          do="leave --tags out, or choose a CLIP or SigLIP tagger")
    mini = _mini(parts, thresholds, device)
    return Pipeline(mini[0] or _tagger(tagger, thresholds, words, device),
                    mini[1] or _detector(detector, thresholds, device, COMMAS.get(name, ".")),
                    mini[2] or _segmenter(segmenter, device))


def parts_of(name: str) -> tuple[str, str, str]:
    """(tagger, detector, segmenter) of a refiner's name."""
    parts = REFINERS.get(name) or tuple(part.strip() for part in name.split(","))
    if len(parts) == 1:
        raise unknown_name("refiner", name, REFINERS)
    if len(parts) != 3 or not all(parts):
        raise ConfigError("a refiner has three parts", got=repr(name), expected="TAGGER,DETECTOR,SEGMENTER",
                          where="--refiner")
    return parts


def chosen(name: str, given: Thresholds | None) -> Thresholds:
    """Thresholds as given, else those of the named refiner; None: each part's own."""
    own = vars(OWN.get(name, Thresholds()))
    return Thresholds(**(own | {key: value for key, value in vars(given or Thresholds()).items() if value is not None}))


def effective(spec: RefinerSpec) -> Thresholds:
    """What a detector's rows are cut at, told without its weights; tag is of the miniature tagger alone."""
    from loupe.refining import detecting

    tagger, detector, _ = parts_of(spec.name)
    said = chosen(spec.name, Thresholds(spec.tag, spec.box, spec.overlap))
    own = Thresholds(None, detecting.BOX, detecting.OVERLAP)
    if MINI in (tagger, detector):
        config = json.loads((shipped.folder("loupe/refiner") / "config.json").read_text("utf-8"))
        if detector == MINI:
            own = Thresholds(None, config["threshold"], config["overlap"])
        if tagger == MINI:
            own = replace(own, tag=config["tag_threshold"])
    return Thresholds(*(getattr(own if getattr(said, key) is None else said, key) for key in vars(own)))


@lru_cache(maxsize=1)
def named(spec: RefinerSpec, device: str = "cpu") -> Pipeline:
    """The refiner of a model's or recipe's spec; the last one is kept, for the stages of a run."""
    return load(spec.name, Thresholds(spec.tag, spec.box, spec.overlap), listed(spec.words or None), device)


def listed(path: str | Path | None) -> tuple[tuple[str, float | None], ...] | None:
    """(word, its threshold or None) of every line of a file; an empty list is a FileError."""
    if path is None:
        return None
    try:
        lines = Path(path).expanduser().read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError("cannot read the list of tags", got=error, where=path) from None
    words: dict[str, float | None] = {}
    for number, line in enumerate(lines, 1):
        word, _, threshold = (part.strip() for part in line.partition("\t"))
        if not word:
            continue
        try:
            words[word] = float(threshold) if threshold else None
        except ValueError:
            words[word] = -1.0
        if words[word] is not None and not 0 <= words[word] <= 1:
            raise FileError("no threshold", got=repr(threshold), expected="a number from 0 to 1",
                            where=f"{path}:{number}")
    if not words:
        raise FileError("the list of tags is empty", got=f"{len(lines)} lines", expected="a word a line", where=path)
    return tuple(words.items())


def _mini(parts: Sequence[str], thresholds: Thresholds, device: str) -> list:
    """The shipped parts among the three, which share one net; None for the others."""
    from loupe.refining import mini

    if MINI not in parts:
        return [None] * 3
    net = mini.load_mini(thresholds=thresholds, device=device)
    kinds = (mini.MiniTagger, mini.MiniDetector, mini.MiniSegmenter)
    return [kind(net) if part == MINI else None for kind, part in zip(kinds, parts)]


def _tagger(name: str, thresholds: Thresholds, words: Words | None, device: str):
    from loupe.refining import tagging

    return tagging.load(name, words, thresholds, device)


def _detector(name: str, thresholds: Thresholds, device: str, between: str):
    from loupe.refining import detecting

    return detecting.load(name, thresholds, device, between)


def _segmenter(name: str, device: str):
    from loupe.refining import segmenting

    return segmenting.load(name, device)
