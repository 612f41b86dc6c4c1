"""Is a description found in the same place when the question, the picture or the model is another?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from loupe import augment
from loupe.bootstrapping.filters import Work
from loupe.bootstrapping.questions import first_box, grounding, replies
from loupe.bootstrapping.settings import Settings
from loupe.errors import ImageError
from loupe.frame import Frame
from loupe.image import Image
from loupe.predictor import Predictor, Seen, seen
from loupe.regions import Box

Place = tuple[int, str]  # position of the picture, description
Boxes = dict[Place, Box | None]  # in pixels of the original picture; None: no box came back


def checked(works: Sequence[Work], predictor: Predictor, view: Seen, second: Predictor | None,
            places: Sequence[Place], settings: Settings) -> Iterator[tuple[str, Boxes]]:
    """(name of the check, the box found for each description); places that cannot be checked are absent."""
    for number in range(1, settings.wordings + 1):
        yield f"wording-{number}", _find(works, view, places, number)
    if settings.flip:
        yield "flip", _moved(works, predictor, places, lambda work: augment.flip(*_size(work)), augment.mirrored)
    for number in range(settings.crops):
        yield f"crop-{number}", _moved(works, predictor, places, lambda work, n=number: _crop(work, n, settings))
    if second is not None:
        yield "second", _find(works, seen(second, [(work.record.image,) for work in works]), places)


def _find(works: Sequence[Work], view: Seen, places: Sequence[Place], wording: int = 0) -> Boxes:
    asked = [grounding(works[k], phrase, wording) for k, phrase in places]
    return {place: first_box(answer)[0] for place, answer in zip(places, replies(view.answer, asked), strict=True)}


def _moved(works: Sequence[Work], predictor: Predictor, places: Sequence[Place],
           frame_of: Callable[[Work], Frame | None], words: Callable[[str], str] = str) -> Boxes:
    """As `_find`, in pictures moved by a frame; boxes come back in pixels of the original."""
    frames: dict[int, Frame] = {}
    pictures: dict[int, Image] = {}
    for k in dict.fromkeys(k for k, _ in places):
        try:
            frame = frame_of(works[k])
            if frame is not None:
                frames[k], pictures[k] = frame, augment.moved(works[k].record.image, frame)
        except ImageError:  # what does not decode was counted when it was to be described
            continue
    some = [(k, phrase) for k, phrase in places if k in pictures]
    if not some:
        return {}
    view = seen(predictor, [(image,) for image in pictures.values()])
    asked = [grounding(works[k], words(phrase), 0, pictures[k]) for k, phrase in some]
    found = zip(some, replies(view.answer, asked), strict=True)
    return {(k, phrase): _back(frames[k], first_box(answer)[0]) for (k, phrase), answer in found}


def _back(frame: Frame, box: Box | None) -> Box | None:
    return None if box is None else replace(frame.to_image(box), image=0)


def _size(work: Work) -> tuple[int, int]:
    return work.record.width, work.record.height


def _crop(work: Work, number: int, settings: Settings) -> Frame | None:
    rng = np.random.default_rng([settings.seed, work.index, number])
    return augment.crop(*_size(work), [o.box for o in work.record.objects], rng, settings.crop_share)
