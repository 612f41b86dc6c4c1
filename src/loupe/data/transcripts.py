"""Samples as other trainers read them: dialogues in JSON whose regions a codec has written as words.

FORMS: "llava", one JSON list of {"id", "image", "conversations": [{"from", "value"}, ...]}; "messages", a line of
{"id", "images", "messages": [{"role", "content"}, ...]} each. A picture's place in the words is "<image>".
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from loupe.codec import Codec
from loupe.dialogue import Dialogue
from loupe.errors import FileError, ImageError, LoupeError, unknown_name
from loupe.frame import Frame
from loupe.sample import Sample

FORMS = ("llava", "messages")
PLAIN = Dialogue(name="plain", start="", assistant="", stop="", user="", answer_space="")  # no marks, nobody's words
NAMES = {"user": "human", "assistant": "gpt"}  # LLaVA's


@dataclass(frozen=True)
class Written:
    """How many dialogues and pictures were written, and how many samples were left out, by reason."""

    dialogues: int
    pictures: int
    left_out: Counter


def write_transcripts(groups: Sequence[Sequence[Sample]], path: str | Path, codec: Codec,
                      frame: Callable[[int, int], Frame], *, form: str = "llava", together: bool = False,
                      below: str | Path | None = None) -> Written:
    """Write groups (a corpus, or what `open_mixture` gives) into one file, whole or not at all.

    frame: how the other trainer's model sees a picture of width x height. together: one dialogue a picture, not one a
    question. below: pictures are named from this folder; those outside it, and all without it, by their whole path.
    """
    if form not in FORMS:
        raise unknown_name("form of dialogues", form, FORMS)
    path, left_out, dialogues, pictures = Path(path), Counter(), 0, set()
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for k in tqdm(range(len(groups)), desc=path.name, unit="picture", delay=2, disable=None):
                for entry in entries(groups[k], codec, frame, left_out, together, below):
                    file.write(_line(entry, form, first=not dialogues))
                    dialogues += 1
                    pictures.update(entry["images"])
            if form == "llava":
                file.write("\n]\n" if dialogues else "[]\n")
        os.replace(part, path)
    except OSError as error:
        raise FileError("cannot write", got=error.strerror, where=path,
                        do="make room, or choose another file") from None
    finally:
        part.unlink(missing_ok=True)
    return Written(dialogues, len(pictures), left_out)


def entries(samples: Iterable[Sample], codec: Codec, frame: Callable[[int, int], Frame], left_out: Counter,
            together: bool = False, below: str | Path | None = None) -> list[dict]:
    """{"id", "images", "turns": [(role, words), ...]} of the samples of one picture. What cannot be written is counted
    in left_out: regions the codec has no words for or that the frame does not show, pictures that do not decode."""
    out: list[dict] = []
    for sample in samples:
        try:
            frames = [frame(width, height) for width, height in sample.sizes]
            images = [_name(image, below) for image in sample.images]
            turns = PLAIN.spoken(sample, codec, frames)
        except LoupeError as error:
            left_out[f"{sample.task or 'sample'}: {error.what}"] += 1
            continue
        if turns[-1][0] == "user":
            left_out[f"{sample.task or 'sample'}: a question without an answer"] += 1
        elif together and out:
            marks = f"{PLAIN.placeholder}\n" * len(images)  # said with the first question
            out[0]["turns"] += [(turns[0][0], turns[0][1].removeprefix(marks)), *turns[1:]]
        else:
            out.append({"id": sample.id, "images": images, "turns": [*turns]})
    return out


def _line(entry: dict, form: str, first: bool) -> str:
    """The entry as it stands in its file, with what separates it from the one before."""
    images, said = entry["images"], entry["turns"]
    if form == "messages":
        messages = [{"role": role, "content": words} for role, words in said]
        return json.dumps({"id": entry["id"], "images": images, "messages": messages}, ensure_ascii=False) + "\n"
    shown = {} if not images else {"image": images[0] if len(images) == 1 else images}
    talk = [{"from": NAMES[role], "value": words} for role, words in said]
    whole = json.dumps({"id": entry["id"], **shown, "conversations": talk}, ensure_ascii=False)
    return ("[\n" if first else ",\n") + whole


def _name(image, below: str | Path | None) -> str:
    """The picture's path for another program; ImageError for one that is no file."""
    if image.path is None:
        raise ImageError("picture is no file", got=image.name, expected="a path")
    full = os.path.abspath(image.path)
    start = os.path.join(os.path.abspath(below), "") if below is not None else ""
    return Path(full[len(start):]).as_posix() if start and full.startswith(start) else Path(full).as_posix()
