"""A Sample as the messages of a chat, and what a model that was not trained on loupe's questions must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loupe.codec import Codec
from loupe.dialogue import CHATML, leading_pictures
from loupe.frame import Frame
from loupe.regions import Box, Colour
from loupe.sample import ImageMark, Regions, Sample, Turn

# what is said behind the last question of a task, {box} being a box as the codec writes it
BEHIND = {
    "grounding": "Answer with one box and nothing else, like this: {box}",
    "detection": "Answer with the boxes and nothing else, each like this: {box}",
    "relation-objects": "Write each box like this: {box}",
    "coarse-position": "Write each box like this: {box}",
    "grounded-caption": "Write each box behind the words it belongs to, like this: {box}",
    "description": "Answer with a short noun phrase that fits nothing else in the picture.",
    "region": "Answer with the words alone, no sentence.",
    "relation": "Answer with the relation alone, in one to three words.",
    "counting": "Answer with the number alone, in digits.",
    "presence": "Answer yes or no.",
    "segmentation": "Answer yes or no.",
    "statement": "Answer true or false.",
    "choice": "Answer with the letter alone.",
    "reading": "Answer with the word alone; a place is written like this: {box}",
    "reconstruction": "Answer with red, green and blue from 0 to 255 and nothing else, like this: {colour}",
}
_SHOWN = Frame(1000, 1000, 1000, 1000, Box(0, 0, 1000, 1000))  # examples are written in it
_EXAMPLE = Box(100, 200, 500, 600)


def messages(sample: Sample, codec: Codec, frames: Sequence[Frame], behind: Mapping[str, str] = BEHIND) -> list[dict]:
    """[{"role", "content": [{"type": "text", "text"} | {"type": "image", "image": its index}, ...]}, ...].

    Pictures that are not marked stand in front of the first question. behind: task -> what follows the last question.
    A sample that cannot be said (no turns, a region outside the view) is a LoupeError.
    """
    CHATML.check(sample, frames)
    leading, turns = leading_pictures(sample)
    out = []
    last = max(k for k, turn in enumerate(turns) if turn.role == "user")
    for k, turn in enumerate(turns):
        content = [{"type": "image", "image": index} for index in leading] if k == 0 else []
        content += _parts(turn, codec, frames)
        if k == last and sample.task in behind:
            content.append({"type": "text", "text": " " + filled(behind[sample.task], codec)})
        out.append({"role": turn.role, "content": _joined(content)})
    return out


def _parts(turn: Turn, codec: Codec, frames: Sequence[Frame]) -> list[dict]:
    out = []
    for part in turn.parts:
        if isinstance(part, ImageMark):
            out.append({"type": "image", "image": part.image})
            continue
        if isinstance(part, Regions):
            part = replace(part, phrase="") if turn.role == "user" else part  # its words stand in the question
            part = codec.text(part, frames[part.regions[0].image])
        elif isinstance(part, Colour):
            part = codec.text(part, frames[0] if frames else None)
        out.append({"type": "text", "text": part})
    return out


def _joined(content: Sequence[dict]) -> list[dict]:
    """Neighbouring texts as one."""
    out: list[dict] = []
    for item in content:
        if out and item["type"] == out[-1]["type"] == "text":
            out[-1] = {"type": "text", "text": out[-1]["text"] + item["text"]}
        else:
            out.append(item)
    return out


def filled(text: str, codec: Codec) -> str:
    """{box} and {colour} of a hint: how the codec writes them, with x1, y1, x2, y2 and r, g, b for the numbers."""
    kinds = {kind for group in codec.groups for kind in group.kinds}
    tied = any(group.tied for group in codec.groups)
    box = _named(codec.text(Regions((_EXAMPLE,), "..." if tied else ""), _SHOWN), codec.numbers("box"),
                 zip(("x1", "y1", "x2", "y2"), (0.1, 0.2, 0.5, 0.6)))
    colour = "[r, g, b]"
    if "colour" in kinds:
        colour = _named(codec.text(Colour(51, 102, 204), _SHOWN), codec.numbers("colour"),
                        zip("rgb", (0.2, 0.4, 0.8)))
    return text.replace("{box}", box).replace("{colour}", colour)


def _named(text: str, numbers, names) -> str:
    """The written numbers, fractions of their ranges, replaced by names."""
    at = 0
    for number, (name, fraction) in zip(numbers, names):
        spelled = number.write(round(fraction * (number.grid or 1000)))
        at = text.index(spelled, at)
        text = text[:at] + name + text[at + len(spelled):]
        at += len(name)
    return text


def explained(codec: Codec) -> str:
    """How places are written, for a model that may never have seen it: what a system message says."""
    number = codec.numbers("box")[0]
    if codec.space == "pixels":
        unit = "in pixels of the picture as you receive it"
    elif number.decimals:
        unit = f"as fractions of width and height with {number.decimals} decimals, 0 to 1"
    else:
        unit = f"in whole numbers from 0 to {number.grid}: 0 is the left or upper edge of the picture, " \
               f"{number.grid} the right or lower edge"
    point = codec.text(_EXAMPLE.centre, _SHOWN) if any("point" in g.kinds for g in codec.groups) else ""
    said = (f"Places in a picture are written as boxes x1, y1, x2, y2 {unit}. On a picture of 1000 x 1000 pixels the "
            f"box with the left edge at 100, the upper at 200, the right at 500 and the lower at 600 is written "
            f"{codec.text(_EXAMPLE, _SHOWN)}")
    return said + (f", and its centre {point}. " if point else ". ") + (
        "Read places in questions so, and write every place in an answer so. Say \"none\" about what is not there.")
