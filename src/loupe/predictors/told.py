"""Answers another tool wrote, one JSON line each, joined to a benchmark's questions by id. No torch."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loupe.codec import codec
from loupe.errors import ConfigError, FileError, RegionError
from loupe.evals import Questions, Result, measure
from loupe.evals.predictions import prediction
from loupe.framing import Framing, of_codec
from loupe.plain import Roots
from loupe.predictor import unanswered
from loupe.predictors.heard import heard
from loupe.regions import Box, Mask, Point, Polygon
from loupe.sample import Answer, Sample

LEVELS = ("id", "key", "sentence", "picture")  # what a question may be called, see `names`
IDS = {"question_id": ("id", "key"), "sent_id": ("sentence",), "id": ("id", "key", "picture"),
       "image_id": ("picture",), "img_id": ("picture",)}  # a line's key, the first that is there -> its levels in order
SAID = ("prediction", "response", "output", "answer", "text", "caption")  # the first that is there


@dataclass(frozen=True)
class Told:
    """texts: what was said, by the id of a sample. problems: lines and questions without the other, by reason."""

    name: str
    texts: Mapping[str, str]
    problems: tuple[tuple[str, int], ...] = ()


def read_told(path: str | os.PathLike, questions: Questions) -> Told:
    """A bad line is a FileError; one that belongs to no question, or to several, is counted."""
    path, known, texts, problems = Path(path).expanduser(), names(questions.samples), {}, Counter()
    twice = set()
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError("cannot read answers", got=getattr(error, "strerror", None) or error, where=path,
                        expected="JSON lines") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, value, text = _line(line, f"{path}:{number}")
        found = next((ids for level in IDS[key] if (ids := known[level].get(_plain(value)))), ())
        if text is None:
            problems["lines whose answer is no text"] += 1
        elif len(found) != 1:
            problems[f"lines whose {key} names {'several questions' if found else 'no question'}"] += 1
        elif found[0] in texts:
            problems["further lines for a question"] += 1
            twice.add(found[0])
        else:
            texts[found[0]] = text
    for id in twice:  # which of them counts is not ours to choose
        del texts[id]
    problems["questions with several lines"] = len(twice)
    problems["questions without a line"] = len(questions) - len(texts) - len(twice)
    return Told(path.stem, texts, tuple((why, count) for why, count in problems.items() if count))


def score_told(told: Told, questions: Questions, spelling: str | None = None, frame: str | None = None,
               root: Roots = None, scoring: Mapping | None = None) -> Result:
    """Scores of the questions that have an answer. spelling: name of the codec regions are read by; frame: what the
    model saw of a picture, where it is not the codec's own."""
    where = [s for s in questions.samples if s.id in told.texts]
    if not where:
        reasons = ", ".join(f"{count} {why}" for why, count in told.problems) or "an empty file"
        raise FileError("no answer belongs to a question", got=reasons, where=told.name,
                        expected=f"ids such as {questions.samples[0].id}, or what stands behind the task in it")
    if spelling is None and any(isinstance(s.extra.get("truth"), (Box, Point, Polygon, Mask)) for s in where):
        raise ConfigError("these questions are answered with regions", got="no --codec",
                          where=questions.benchmark.name, do="name how the model writes them: --codec shikra")
    what, options = questions.benchmark, {**questions.benchmark.scoring, **(scoring or {})}
    marks = codec(spelling) if spelling else None
    framing = Framing(frame or (of_codec(marks) if marks else "whole"))
    said = tuple(prediction(s, _answer(told.texts[s.id], s, marks, framing), root) for s in where)
    return Result(what.name, told.name, what.metric, measure(what.metric, said, options), said, len(questions), None,
                  what.balance, options)


def names(samples: tuple[Sample, ...]) -> dict[str, dict[str, list[str]]]:
    """What others may call a question: {"id", "key" (behind the task in it: a question's own id), "sentence" (behind
    the key's last colon: REFER's sent_id), "picture" -> {name: ids of samples}}."""
    out: dict[str, dict[str, list[str]]] = {level: defaultdict(list) for level in LEVELS}
    for s in samples:
        key = s.id.partition(f"/{s.record}/{s.task}/")[2]
        for level, name in zip(LEVELS, (s.id, key, key.rpartition(":")[2], s.record)):
            if name:
                out[level][_plain(name)].append(s.id)
    return out


def _plain(name: object) -> str:
    """Numbers without leading zeros: COCO's 000000000139 is 139."""
    text = str(name)
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _line(line: str, where: str) -> tuple[str, object, str | None]:
    """(key of the id, id, what was said; None where that is no text)."""
    try:
        data = json.loads(line)
    except ValueError as error:
        raise FileError("a line is not JSON", got=f"{line[:60]!r} ({error})", where=where,
                        expected='{"question_id": ..., "text": ...}') from None
    keys = data if isinstance(data, dict) else ()
    id, said = (next((k for k in known if k in keys), None) for known in (IDS, SAID))
    if id is None or said is None:
        raise FileError(f"a line has no {'id' if id is None else 'answer'}", got=", ".join(keys) or repr(line[:40]),
                        expected=" or ".join(IDS if id is None else SAID), where=where, do="rename the key")
    return id, data[id], data[said] if isinstance(data[said], str) else None


def _answer(text: str, sample: Sample, marks, framing: Framing) -> Answer:
    if marks is None:
        return Answer((text,), (), text)
    try:
        return heard(text, (), marks, tuple(framing.frame(*size) for size in sample.sizes))
    except RegionError as error:
        return unanswered(error)
