"""What no reader of a scene can know: the grain of its ground and what JPEG does to it."""

from __future__ import annotations

import numpy as np

from loupe.image import FILTERS, downsampled
from loupe.record import Record
from loupe.world.scene import Scene, make
from loupe.world.spec import WORLDS


def floor(record: Record, size: int = 64, filter: str = "bicubic") -> float:
    """The noise floor of a world's picture squeezed to size x size: the mean |difference|, as a share of 255, from the
    same scene drawn without grain and not put through JPEG. Somebody who knows every object, shade and ground errs by
    that much. 0.0 for a picture that is not of a world.
    """
    scene = clean(record)
    if scene is None:
        return 0.0
    from PIL import Image as Pillow

    known = np.asarray(Pillow.fromarray(scene.pixels).resize((size, size), FILTERS[filter]), float)
    return float(np.abs(known - downsampled(record.image, size, filter)).mean() / 255)


def clean(record: Record) -> Scene | None:
    """The record's scene drawn again without grain."""
    about = record.extra.get("world") or {}
    if about.get("name") not in WORLDS:
        return None
    return make(about["seed"], about["index"], about["split"], (record.width, record.height), None, about["name"],
                grain=False)
