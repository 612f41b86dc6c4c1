"""Which frame a model of others sees its pictures through: a name of FRAMES with its settings, or the whole picture."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.codec import Codec
from loupe.errors import unknown_name
from loupe.frame import FRAMES, Frame, smart_resize
from loupe.regions import Box

WHOLE = "whole"


@dataclass(frozen=True)
class Framing:
    """name: one of FRAMES, or "whole": the picture as it is.

    size: side of a square frame in pixels; 0: the picture's longer side, so that nothing is resampled. factor, least,
    most: of smart-resize, in pixels and square pixels. longest: whole pictures with a longer side are shrunk; 0: none.
    """

    name: str = WHOLE
    size: int = 0
    factor: int = 28
    least: int = 56 * 56
    most: int = 28 * 28 * 1280
    longest: int = 0

    def __post_init__(self):
        if self.name not in (WHOLE, *FRAMES):
            raise unknown_name("frame", self.name, (WHOLE, *FRAMES))

    def frame(self, width: int, height: int) -> Frame:
        """A picture that is too elongated for smart-resize is a RegionError."""
        if self.name == "smart-resize":
            return smart_resize(width, height, factor=self.factor, min_pixels=self.least, max_pixels=self.most)
        if self.name != WHOLE:
            return FRAMES[self.name](width, height, self.size or max(width, height))
        shrink = min(1.0, self.longest / max(width, height)) if self.longest else 1.0
        return Frame(width, height, max(1, round(width * shrink)), max(1, round(height * shrink)),
                     Box(0, 0, width, height))


def of_codec(spelling: Codec) -> str:
    """What a picture must have become for coordinates of that codec; squashing leaves shares of it as they are."""
    return WHOLE if spelling.frame in (None, "squash") else spelling.frame


def untouched(frame: Frame) -> bool:
    """Whether the model's picture is the picture itself."""
    return (not frame.flip and (frame.width, frame.height) == (frame.image_width, frame.image_height)
            and frame.view.xyxy == (0, 0, frame.width, frame.height))
