"""Tags and boxes of a picture in one line of text: what Lyrics' text transformer and language model read (§3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from loupe.codec import Codec
from loupe.frame import Frame
from loupe.models.refined import Thing
from loupe.sample import Regions


def spatial(things: Sequence[Thing], codec: Codec, place: Frame) -> str:
    """Things in the order of their best one, all boxes of a name together; "" where nothing was found.

    A codec that ties names to boxes writes both; before the boxes of any other the name stands as a word.
    """
    tied = any(group.tied for group in codec.groups)
    boxes: dict[str, list] = {}
    for thing in things:
        boxes.setdefault(thing.name, []).append(thing.box)
    said = (codec.text(Regions(tuple(some), name), place) for name, some in boxes.items())
    return codec.join.join(said) if tied else ", ".join(f"{name} {text}" for name, text in zip(boxes, said))
