"""Tags and boxes of a picture in one line of text: what Lyrics' text transformer and language model read (§3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loupe.codec import Codec
from loupe.frame import Frame
from loupe.models.refined import Thing
from loupe.sample import ImageMark, Part, Regions, Sample

FOUND = "Found in {picture}: "  # before what is told; our words


def spatial(things: Sequence[Thing], codec: Codec, place: Frame) -> str:
    """Things in the order of their best one, all boxes of a name together; "" where nothing was found.

    A codec that ties names to boxes writes both; before the boxes of any other the name stands as a word.
    """
    said = objects(things, codec, place, together=True)
    return codec.join.join(said) if ties(codec) else ", ".join(said)


def objects(things: Sequence[Thing], codec: Codec, place: Frame, together: bool = False) -> list[str]:
    """Each thing as the codec writes it, name and box; together: all boxes of a name are one."""
    named = groups(things) if together else [(thing.name, (thing.box,)) for thing in things]
    said = [(name, codec.text(Regions(boxes, name), place)) for name, boxes in named]
    return [text if ties(codec) else f"{name} {text}" for name, text in said]


def groups(things: Sequence[Thing]) -> list[tuple[str, tuple]]:
    """(name, its boxes), in the order of each name's best thing."""
    boxes: dict[str, list] = {}
    for thing in things:
        boxes.setdefault(thing.name, []).append(thing.box)
    return [(name, tuple(some)) for name, some in boxes.items()]


def ties(codec: Codec) -> bool:
    return any(group.tied for group in codec.groups)


def offered(sample: Sample, things: Sequence[Sequence[Thing]]) -> Sample:
    """The sample with what was found in each of its pictures, in words and regions: behind the picture's mark where it
    has one, else before the first question. A picture with nothing found adds nothing."""
    told = {k: _told(some, k, len(sample.images)) for k, some in enumerate(things) if some}
    marked = {part.image for turn in sample.turns for part in turn.parts if isinstance(part, ImageMark)}
    turns = []
    for number, turn in enumerate(sample.turns):
        parts: list[Part] = [] if number else [p for k, said in told.items() if k not in marked for p in said]
        for part in turn.parts:
            parts.append(part)
            if isinstance(part, ImageMark) and turn.role == "user":
                parts += told.get(part.image, ())
        turns.append(replace(turn, parts=tuple(parts)))
    return replace(sample, turns=tuple(turns))


def _told(things: Sequence[Thing], image: int, pictures: int) -> list[Part]:
    parts: list[Part] = [FOUND.format(picture="the picture" if pictures == 1 else f"picture {image + 1}")]
    for k, (name, boxes) in enumerate(groups(things)):
        regions = Regions(tuple(replace(box, image=image) for box in boxes), name)
        parts += [f"{', ' if k else ''}{name} ", regions]  # a codec that ties both says the name once
    return [*parts, ". "]
