"""Flips and small crops that move a picture, its regions and the words about them together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from loupe.frame import Frame
from loupe.image import Image
from loupe.record import Record, Sentence
from loupe.regions import Box, Mask, Point, Region

SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile(r"\b(left|right)(?=(?:most|hand|wards?)?\b)", re.IGNORECASE)


def flip(width: int, height: int) -> Frame:
    """Left becomes right; nothing is resampled."""
    return Frame(width, height, width, height, Box(0, 0, width, height), flip=True)


def crop(width: int, height: int, keep: Iterable[Region], rng: np.random.Generator, most: float = 0.1) -> Frame | None:
    """A crop that takes up to `most` of the side from each edge and cuts none of the regions in `keep`.

    Edges are whole pixels, so nothing is resampled. None where no pixel can go.
    """
    boxes = [region.box for region in keep]
    free = (min((b.x1 for b in boxes), default=width), min((b.y1 for b in boxes), default=height),
            width - max((b.x2 for b in boxes), default=0), height - max((b.y2 for b in boxes), default=0))
    shares = rng.uniform(0, most, 4)
    left, top, right, bottom = (max(0, math.floor(min(share * side, room)))
                                for share, side, room in zip(shares, (width, height, width, height), free))
    if not left + top + right + bottom:
        return None
    view = Box(left, top, width - right, height - bottom)
    return Frame(width, height, width - left - right, height - top - bottom, view)


def resized_crop(width: int, height: int, rng: np.random.Generator, area: tuple[float, float] = (0.5, 1.0),
                 ratio: tuple[float, float] = (3 / 4, 4 / 3), flipped: bool = False) -> Frame:
    """A crop of random area and shape (times the picture's own), in whole pixels; the model's frame resizes it.

    area: least and most share of the picture; ratio: of width to height, drawn evenly in its logarithm.
    """
    share, shape = rng.uniform(*area), math.exp(rng.uniform(*np.log(ratio)))
    shape = min(max(shape, share), 1 / share)  # neither side longer than the picture's
    wide = min(width, max(1, round(width * math.sqrt(share * shape))))
    high = min(height, max(1, round(height * math.sqrt(share / shape))))
    left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
    return Frame(width, height, wide, high, Box(left, top, left + wide, top + high), flip=flipped)


def shown(record: Record, frame: Frame, least: float = 0.3) -> Record:
    """The record of what the frame shows: picture, regions and words move together.

    What shows less than `least` of its area is gone, with every phrase, question, word and relation about it; regions
    are cut at the border. Words change sides where the frame mirrors. Captions stay, even of what is hardly seen now;
    words of a sentence lose their regions where one of them is gone; dialogues whose regions are gone go. After a crop
    a picture is no longer known to be annotated exhaustively.
    """
    words = mirrored if frame.flip else str
    see = lambda region: _seen(region, frame, least)  # noqa: E731
    objects = tuple(replace(o, box=box, shape=_outline(o.shape, frame), attributes=tuple(map(words, o.attributes)))
                    for o in record.objects if (box := see(o.box)) is not None)
    there = {o.id for o in objects}
    objects = tuple(replace(o, part_of=o.part_of if o.part_of in there else None) for o in objects)
    stays = lambda id: id is None or id in there  # noqa: E731
    phrases = tuple(replace(p, text=words(p.text), region=region) for p in record.phrases
                    if stays(p.object) and (region := see(p.region)) is not None)
    texts = tuple(replace(w, region=region) for w in record.words
                  if stays(w.object) and (region := see(w.region)) is not None)
    relations = tuple(replace(r, predicate=words(r.predicate)) for r in record.relations
                      if {r.subject, r.object} <= there)
    questions = tuple(replace(q, text=words(q.text), answers=tuple(map(words, q.answers)), region=region, point=point,
                              options=tuple(map(words, q.options)), votes=tuple(map(words, q.votes)),
                              choices=choices)
                      for q in record.questions
                      for region, point in [(q.region and see(q.region), q.point and see(q.point))]
                      for choices in [tuple(filter(None, map(see, q.choices)))]
                      if (region is None) == (q.region is None) and (point is None) == (q.point is None)
                      and len(choices) == len(q.choices))
    sentences = tuple(_told(sentence, words, see) for sentence in record.sentences)
    talks = [(turns, [(handle, see(region)) for handle, region in turns.regions]) for turns in record.dialogues]
    dialogues = tuple(replace(turns, texts=tuple(map(words, turns.texts)), regions=tuple(regions),
                              tied=tuple((handle, words(name)) for handle, name in turns.tied))
                      for turns, regions in talks if all(region is not None for _, region in regions))
    whole = frame.view == Box(0, 0, record.width, record.height)
    return replace(record, image=moved(record.image, frame), width=frame.width, height=frame.height, objects=objects,
                   phrases=phrases, relations=relations, captions=tuple(map(words, record.captions)),
                   questions=questions, words=texts, dialogues=dialogues,
                   sentences=tuple(s for s in sentences if any(regions for _, regions in s.pieces)),
                   exhaustive=record.exhaustive and whole)


def _told(sentence: Sentence, words, see) -> Sentence:
    """The sentence with its regions as they are seen; words one of whose regions is gone mean none."""
    moved = [(text, tuple(map(see, regions))) for text, regions in sentence.pieces]
    return Sentence(tuple((words(text), () if None in regions else regions) for text, regions in moved))


def _seen(region: Region, frame: Frame, least: float) -> Region | None:
    """The region in the frame's pixels, cut at the border; None if too little of it is left."""
    there = frame.to_model(region)
    if isinstance(there, Point):
        return there if 0 <= there.x < frame.width and 0 <= there.y < frame.height else None
    box = there.box
    cut = _cut(box, frame)
    if isinstance(there, Mask):  # moving cut it
        scale = frame.width * frame.height / frame.view.area
        return there if region.area and there.area >= least * region.area * scale else None
    if cut is None or cut.area < least * box.area or not cut.area:
        return None
    return cut if isinstance(there, Box) else there


def _cut(box: Box, frame: Frame) -> Box | None:
    x1, y1, x2, y2 = max(box.x1, 0.0), max(box.y1, 0.0), min(box.x2, frame.width), min(box.y2, frame.height)
    return Box(x1, y1, x2, y2, box.image) if x1 <= x2 and y1 <= y2 else None


def _outline(shape, frame: Frame):
    if shape is None or isinstance(shape, Mask):
        return shape and frame.to_model(shape)
    return tuple(frame.to_model(ring) for ring in shape)


def moved(image: Image, frame: Frame) -> Image:
    """The picture as the frame shows it, as PNG bytes. A picture that does not decode is an ImageError."""
    return Image.of(frame.picture(image))


def mirrored(text: str) -> str:
    """Words about a picture as they hold of its mirror image: left and right change places.

    >>> mirrored("Leftmost cup, right of the plate; all right, upright")
    'Rightmost cup, left of the plate; all left, upright'

    Only words for sides are known; "right" in another sense goes wrong.
    """
    return _SIDE.sub(_other_side, text)


def _other_side(match: re.Match) -> str:
    word = match.group(1)
    other = SIDES[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
