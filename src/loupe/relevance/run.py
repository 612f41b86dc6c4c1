"""A data set's pictures and captions scored piece by piece, and those that fit written as caption shards.

    OUT/plan.json            data and model; the same plan goes on, another is refused
    OUT/scores/00000.jsonl   a line a picture: its id and the score of each caption, or why it has none
    OUT/00000.tar            what is kept of that piece: picture, best caption, its score as "similarity"
    OUT/manifest.json        threshold, counts by reason, how the scores spread; written last

Another threshold reads the scores again and no picture goes through the model twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from loupe.data import scale
from loupe.errors import ConfigError, FileError, ImageError
from loupe.image import Image
from loupe.record import Record
from loupe.writers.files import atomic, member
from loupe.writers.plan import claim
from loupe.writers.shards import pair_of

SCORES, MANIFEST = "scores", "manifest.json"
END = bytes(1024)  # of a tar archive
SHARES = (1, 5, 10, 25, 50, 75, 90, 95, 99)  # per cent, at which the spread of scores is told


class Scorer(Protocol):
    identity: dict

    def scores(self, images: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """How well each picture's texts fit it; larger is better."""


@dataclass(frozen=True)
class Settings:
    threshold: float = 0.25  # least score of a pair that is kept; our choice (LAION-400M's 0.3 is of CLIP ViT-B/32)
    piece: int = 1000  # pictures of a file of scores, and of the shard that is kept of it
    batch: int = 32  # pictures that go through the model together

    def __post_init__(self):
        if self.piece < 1 or self.batch < 1:
            raise ConfigError("nothing would be scored", got=f"piece {self.piece}, batch {self.batch}",
                              expected="1 or more")


def run(records: Sequence[Record], out: str | Path, make: Callable[[], Scorer], settings: Settings | None = None, *,
        workers: int = 1, gpus: float = 0.0) -> dict:
    """Score what is not scored yet, keep what fits, return the manifest.

    records: an open reader. make: builds the model, once in every process (picklable). gpus: what each of several
    processes gets of one. A picture is kept with its best caption alone.
    """
    out, settings = Path(out), settings or Settings()
    if not len(records):
        raise FileError("there is no picture to score", got="none", expected="pictures with captions")
    scorer = make()
    claim(out, {"data": {"source": getattr(records, "source", ""), "hash": getattr(records, "hash", ""),
                         "pictures": len(records)}, "model": scorer.identity, "piece": settings.piece},
          "scores of other pictures or of another model lie here")
    pieces = [k for k in range(-(-len(records) // settings.piece)) if not _scores(out, k).is_file()]
    job = partial(_worker, records, out, settings, scorer if workers <= 1 else None, make)
    with tqdm(total=len(records), initial=len(records) - _size(records, settings, pieces), desc="relevance",
              unit="picture", disable=None) as bar:
        for piece, _ in scale.each(job, pieces, workers, gpus):
            bar.update(_size(records, settings, [piece]))
    return _keep(records, out, settings, scorer.identity)


def _size(records: Sequence, settings: Settings, pieces: Sequence[int]) -> int:
    return sum(min(settings.piece, len(records) - piece * settings.piece) for piece in pieces)


def _worker(records: Sequence[Record], out: Path, settings: Settings, scorer: Scorer | None, make):
    return partial(_score, records, out, settings, scorer or make())


def _score(records: Sequence[Record], out: Path, settings: Settings, scorer: Scorer, piece: int) -> int:
    """Write the scores of a piece; how many pictures it has."""
    lines: dict[int, dict] = {}
    waiting: list[tuple[int, Record]] = []
    span = range(piece * settings.piece, min((piece + 1) * settings.piece, len(records)))

    def flush() -> None:
        found = scorer.scores([record.image for _, record in waiting], [record.captions for _, record in waiting])
        for (index, record), scores in zip(waiting, found, strict=True):
            lines[index] = {"id": record.id, "scores": [round(float(score), 4) for score in scores]}
        waiting.clear()

    for index in span:
        try:
            record = records[index]
            record.image.pillow()  # whole, before others are in a batch with it
        except ImageError as error:
            lines[index] = {"id": str(index), "why": "picture does not decode", "example": str(error)[:200]}
            continue
        if not any(text.strip() for text in record.captions):
            lines[index] = {"id": record.id, "why": "no caption"}
            continue
        waiting.append((index, record))
        if len(waiting) == settings.batch:
            flush()
    flush()
    with atomic(_scores(out, piece)) as file:
        file.write("".join(json.dumps(lines[index]) + "\n" for index in span).encode())
    return len(span)


def _keep(records: Sequence[Record], out: Path, settings: Settings, model: dict) -> dict:
    """Write the shards of this threshold that are not there, and the manifest."""
    chosen = out / "threshold.json"
    if not chosen.is_file() or json.loads(chosen.read_text("utf-8")) != settings.threshold:
        (out / MANIFEST).unlink(missing_ok=True)
        for shard in out.glob("[0-9]*.tar"):
            shard.unlink()
        with atomic(chosen) as file:
            file.write(json.dumps(settings.threshold).encode())
    dropped: Counter[str] = Counter()
    kept, scores = 0, []
    count = -(-len(records) // settings.piece)
    for piece in tqdm(range(count), desc="keep", unit="shard", delay=2, disable=None):
        lines = _read(_scores(out, piece))
        best = [max(line["scores"]) if "scores" in line else None for line in lines]
        fits = [k for k, score in enumerate(best) if score is not None and score >= settings.threshold]
        dropped.update(line["why"] for line in lines if "why" in line)
        dropped["less relevant than the threshold"] += sum(score is not None for score in best) - len(fits)
        kept, scores = kept + len(fits), scores + [score for score in best if score is not None]
        shard = out / f"{piece:05d}.tar"
        if fits and not shard.is_file():
            with atomic(shard) as file:
                for k in fits:
                    index = piece * settings.piece + k
                    for pair in _pair(records[index], lines[k]["scores"], index):
                        file.write(member(*pair))
                file.write(END)
    spread = {f"{share} %": round(float(value), 4) for share, value in zip(SHARES, np.percentile(scores, SHARES))
              } if scores else {}
    made = {"model": model, "threshold": settings.threshold, "pictures": len(records), "kept": kept,
            "dropped": {reason: n for reason, n in sorted(dropped.items()) if n}, "scores": spread,
            "problems": dict(getattr(records, "problems", {}))}
    with atomic(out / MANIFEST) as file:
        file.write((json.dumps(made, indent=1) + "\n").encode())
    return made


def _pair(record: Record, scores: Sequence[float], index: int) -> Iterator[tuple[str, bytes]]:
    at = int(np.argmax(scores))
    return pair_of(record, record.captions[at], f"{index:09d}", similarity=scores[at], source=record.source,
                   id=record.id)


def _scores(out: Path, piece: int) -> Path:
    return out / SCORES / f"{piece:05d}.jsonl"


def _read(path: Path) -> list[dict]:
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise FileError("cannot read scores", got=error, where=path, do="delete it; they are made again") from None
