"""How an image became model input, and the same move for regions, both ways.

A Frame says which rectangle of the image's plane the model sees (`view`, possibly reaching over the border, then
filled), whether it is mirrored, and to what size it is resampled. Squash, pad, centre crop, smart resize, crops and
flips are all Frames; FRAMES names the ways to make one from an image's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image as Pillow

from loupe.errors import RegionError, unknown_name
from loupe.image import Image
from loupe.regions import Box, Mask, Point, Polygon, Region


@dataclass(frozen=True)
class Frame:
    """image pixels -> model pixels: x' = (x - view.x1) * width / view.width, mirrored to width - x' if `flip`."""

    image_width: int
    image_height: int
    width: int  # of the model's input, pixels
    height: int
    view: Box  # what the model sees, in image pixels
    flip: bool = False
    fill: tuple[int, int, int] = (0, 0, 0)  # colour outside the image

    def xy_to_model(self, x: float, y: float) -> tuple[float, float]:
        x = (x - self.view.x1) * self.width / self.view.width
        return (self.width - x if self.flip else x), (y - self.view.y1) * self.height / self.view.height

    def xy_to_image(self, x: float, y: float) -> tuple[float, float]:
        x = self.width - x if self.flip else x
        return x * self.view.width / self.width + self.view.x1, y * self.view.height / self.height + self.view.y1

    def to_model(self, region: Region) -> Region:
        """The region in model pixels; inverse of `to_image` to 1e-6 px (masks: to the nearest pixel)."""
        return self._move(region, self.xy_to_model, self.xy_to_image, self.width, self.height)

    def to_image(self, region: Region) -> Region:
        return self._move(region, self.xy_to_image, self.xy_to_model, self.image_width, self.image_height)

    def _move(self, region: Region, go, back, width: int, height: int) -> Region:
        if isinstance(region, Point):
            return replace(region, **dict(zip("xy", go(region.x, region.y))))
        if isinstance(region, Box):
            (xa, ya), (xb, yb) = go(region.x1, region.y1), go(region.x2, region.y2)
            return replace(region, x1=min(xa, xb), y1=ya, x2=max(xa, xb), y2=yb)
        if isinstance(region, Polygon):
            return replace(region, points=tuple(go(x, y) for x, y in region.points))
        inside = region.array()
        xs = np.array([math.floor(back(x + 0.5, 0)[0]) for x in range(width)])
        ys = np.array([math.floor(back(0, y + 0.5)[1]) for y in range(height)])
        known = ((ys >= 0) & (ys < region.height))[:, None] & ((xs >= 0) & (xs < region.width))[None]
        moved = inside[ys.clip(0, region.height - 1)][:, xs.clip(0, region.width - 1)] & known
        return Mask.from_array(moved, region.image)

    def picture(self, image: Image | Pillow.Image, resample=Pillow.Resampling.BICUBIC) -> Pillow.Image:
        """The model's input picture, `width` x `height`, RGB."""
        picture = image.pillow() if isinstance(image, Image) else image
        if picture.size != (self.image_width, self.image_height):
            raise RegionError("frame was made for a picture of another size", got=f"{picture.width} x {picture.height}",
                              expected=f"{self.image_width} x {self.image_height}")
        x1, y1, x2, y2 = self.view.xyxy
        if x1 < 0 or y1 < 0 or x2 > picture.width or y2 > picture.height:  # on a ground of its own, whole pixels
            left, top = math.floor(x1), math.floor(y1)
            ground = Pillow.new("RGB", (math.ceil(x2) - left, math.ceil(y2) - top), self.fill)
            ground.paste(picture, (-left, -top))
            picture, x1, y1, x2, y2 = ground, x1 - left, y1 - top, x2 - left, y2 - top
        out = picture.resize((self.width, self.height), resample, box=(x1, y1, x2, y2))
        return out.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT) if self.flip else out


def squash(width: int, height: int, size: int | tuple[int, int]) -> Frame:
    """Resized to the model's size without keeping the aspect ratio (Pink, MiniGPT-v2, Ferret)."""
    w, h = (size, size) if isinstance(size, int) else size
    return Frame(width, height, w, h, Box(0, 0, width, height))


def pad(width: int, height: int, size: int, fill: tuple[int, int, int] = (255, 255, 255)) -> Frame:
    """Padded to a square, the picture in the middle (offset rounded down), then resized (Shikra: white)."""
    side = max(width, height)
    x, y = (side - width) // 2, (side - height) // 2
    return Frame(width, height, size, size, Box(-x, -y, side - x, side - y), fill=fill)


def pad_mean(width: int, height: int, size: int) -> Frame:
    """As `pad`, filled with CLIP's mean colour (LLaVA-1.5)."""
    return pad(width, height, size, fill=(122, 116, 104))


def centre_crop(width: int, height: int, size: int) -> Frame:
    """Shorter side resized to `size`, the middle square kept (CLIP's own preprocessing)."""
    side = min(width, height)
    x, y = (width - side) / 2, (height - side) / 2
    return Frame(width, height, size, size, Box(x, y, x + side, y + side))


def smart_resize(width: int, height: int, size: int = 0, *, factor: int = 28, min_pixels: int = 56 * 56,
                 max_pixels: int = 28 * 28 * 1280) -> Frame:
    """Both sides rounded to multiples of `factor`, the area kept within limits (Qwen2-VL, 2.5-VL). `size` is unused."""
    if max(width, height) > 200 * min(width, height):
        raise RegionError("picture is too elongated", got=f"{width} x {height}", expected="aspect ratio below 200")
    w, h = round(width / factor) * factor, round(height / factor) * factor
    if w * h > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        w = max(factor, math.floor(width / shrink / factor) * factor)
        h = max(factor, math.floor(height / shrink / factor) * factor)
    elif w * h < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        w, h = math.ceil(width * grow / factor) * factor, math.ceil(height * grow / factor) * factor
    return Frame(width, height, w, h, Box(0, 0, width, height))


FRAMES = {"squash": squash, "pad": pad, "pad-mean": pad_mean, "centre-crop": centre_crop, "smart-resize": smart_resize}


def frame(name: str, width: int, height: int, size: int) -> Frame:
    """The named Frame for an image of width x height and a model of `size` x `size`."""
    if name not in FRAMES:
        raise unknown_name("frame", name, FRAMES)
    return FRAMES[name](width, height, size)
