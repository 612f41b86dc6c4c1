"""Tagger, detector and segmenter as one refiner of whole pictures, and of views of pictures it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loupe.augment import moved
from loupe.errors import ConfigError
from loupe.frame import Frame
from loupe.image import Image
from loupe.models.refined import Refined, Tag, Thing
from loupe.refining.parts import BOX_NUMBERS, Detection, Detector, Outlines, Segmenter, Tagger
from loupe.refining.views import through


@dataclass(frozen=True)
class Pipeline:
    tagger: Tagger
    detector: Detector
    segmenter: Segmenter

    @property
    def identity(self) -> dict:
        return {"tagger": self.tagger.identity, "detector": self.detector.identity,
                "segmenter": self.segmenter.identity}

    @property
    def names(self) -> dict[str, str]:
        return {"tagger": self.tagger.name, "detector": self.detector.name, "segmenter": self.segmenter.name}

    @property
    def widths(self) -> tuple[int, int]:
        """(numbers in a detector's row, numbers in a segmenter's row)"""
        return self.detector.width + BOX_NUMBERS, self.segmenter.width

    def refine(self, images: Sequence) -> list[Refined]:
        """Whole pictures (anything Image.of takes). One that cannot be read is an ImageError."""
        images = [Image.of(source) for source in images]
        tags = self.tagger.tags(images)
        found = self.detector.detect(images, [words_of(some) for some in tags])
        outlines = self.segmenter.segment(images, [each.boxes for each in found])
        return [checked(assembled(image, *rest), self.widths)
                for image, *rest in zip(images, tags, found, outlines)]

    def views(self, images: Sequence[Image], wholes: Sequence[Refined], frames: Sequence[Frame]) -> list[Refined]:
        """Each picture as its frame shows it: tags, boxes and masks of the whole picture are moved, rows are those of
        the view. Rows of `queries` follow the detector's own order; those of `outlines` belong to `things`."""
        shown = [moved(image, place) for image, place in zip(images, frames)]
        known = [through(whole, place) for whole, place in zip(wholes, frames)]
        found = self.detector.detect(shown, [words_of(tags) for tags, _ in known])
        outlines = self.segmenter.segment(shown, [[thing.box for thing in things] for _, things in known])
        return [checked(Refined(place.width, place.height, tags, things, rows.scores, rows.queries, lines.rows),
                        self.widths)
                for place, (tags, things), rows, lines in zip(frames, known, found, outlines)]


def words_of(tags: Sequence[Tag]) -> list[str]:
    return list(dict.fromkeys(tag.word for tag in tags))


def assembled(image: Image, tags: tuple[Tag, ...], found: Detection, outlines: Outlines) -> Refined:
    things = tuple(Thing(name, traits, box, mask, float(score)) for name, traits, box, mask, score in
                   zip(found.names, found.attributes, found.boxes, outlines.masks, found.scores, strict=False))
    return Refined(*image.size, tags, things, found.scores, found.queries, outlines.rows)


def checked(refined: Refined, widths: tuple[int, int]) -> Refined:
    """The same, if its rows are as wide as said and as many as its things; else a ConfigError."""
    shapes = refined.queries.shape[-1], refined.outlines.shape[-1]
    if shapes != tuple(widths):
        raise ConfigError("a refiner's features have another size", got=f"rows of {shapes[0]} and {shapes[1]} numbers",
                          expected=f"{widths[0]} (detector) and {widths[1]} (segmenter)",
                          do="give the parts this model was built for, or build it with these sizes")
    if len(refined.outlines) != len(refined.things) or len(refined.scores) != len(refined.queries):
        raise ConfigError("a refiner's rows do not fit its things",
                          got=f"{len(refined.outlines)} outlines, {len(refined.scores)} scores",
                          expected=f"{len(refined.things)} and {len(refined.queries)}")
    return refined
