"""What a dataset says about one image, or a dialogue in words alone. No prompts, no marks; regions in pixels of the
original image.

An empty tuple means "not annotated", never "there is none": a task that needs absence asks `exhaustive`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loupe.image import Image
from loupe.regions import Box, Mask, Point, Polygon, Region


@dataclass(frozen=True)
class Object:
    """One annotated thing. `names[0]` is the name to say; more names are synonyms."""

    id: str
    box: Box
    names: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    shape: tuple[Polygon, ...] | Mask | None = None  # its outline, where annotated
    crowd: bool = False  # the box holds many ("iscrowd"): no task counts or names a crowd as one object
    part_of: str | None = None  # id of the whole

    @property
    def name(self) -> str:
        return self.names[0] if self.names else ""


@dataclass(frozen=True)
class Phrase:
    """Words about a region: a region description, or a referring expression that fits exactly one object."""

    text: str
    region: Region
    refers: bool = False  # True: the words single this region out (RefCOCO); False: merely true of it (VG)
    object: str | None = None  # id of the object it is about, where known
    id: str = ""
    kind: str = ""  # what tells the region apart, where known: "attribute", "order", "relation", ...


@dataclass(frozen=True)
class Sentence:
    """A caption whose words are tied to regions (Flickr30k Entities, GRIT), in pieces that together are its text.

    pieces: words and the regions they mean, several where they speak of several things ("two men"), none else.
    """

    pieces: tuple[tuple[str, tuple[Region, ...]], ...]

    @property
    def text(self) -> str:
        return "".join(words for words, _ in self.pieces)


@dataclass(frozen=True)
class Relation:
    """subject - predicate - object, by object id; the predicate in lower case, without outer spaces."""

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True)
class Question:
    """About the whole picture, or about `region`; `point` is a place given for it beside its box or outline.

    `choices`: regions one of which is the answer, that one first, for a question that is answered by pointing.
    `votes`: what each annotator said, with repetitions; `answers` holds the different ones, the usual one first.
    """

    text: str
    answers: tuple[str, ...]
    id: str = ""
    region: Region | None = None
    point: Point | None = None
    kind: str = ""  # which wording of one question, where a file has several: "object", "super", "general"
    options: tuple[str, ...] = ()  # answers to choose from, in the file's order
    topics: tuple[str, ...] = ()  # what it is about or asks for, as the file sorts it
    votes: tuple[str, ...] = ()
    choices: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Word:
    """Printed text in the picture."""

    text: str
    region: Region
    object: str | None = None


@dataclass(frozen=True)
class Turns:
    """A written dialogue (LLaVA): alternating human and assistant texts, human first.

    regions: handles as they stand in the texts, each with the region it means ("<r1>", Box(...)).
    tied: handles with a name that the file ties to its region, where that stands right before it ("<r1>", "the cup");
    families that write both together do so again.
    """

    texts: tuple[str, ...]
    id: str = ""
    regions: tuple[tuple[str, Region], ...] = ()
    tied: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """What a player did in a game on seeing `before`, oldest first, and then the record's own picture."""

    game: str  # name in loupe.games.GAMES
    action: tuple[float, ...]  # as the game takes it
    before: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Record:
    image: Image | None  # None: words alone; width and height are 0 then
    width: int
    height: int
    id: str  # unique in its source
    source: str  # "visual-genome", "coco", ...
    split: str = ""
    licence: str = ""
    objects: tuple[Object, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    relations: tuple[Relation, ...] = ()
    captions: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    words: tuple[Word, ...] = ()
    dialogues: tuple[Turns, ...] = ()
    steps: tuple[Step, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    vocabulary: tuple[str, ...] = ()  # class names looked for in this picture; one without an object is absent
    exhaustive: bool = False  # every instance of every class in `vocabulary` is annotated (COCO, Objects365, the world)
    extra: dict = field(default_factory=dict, compare=False)  # e.g. {"coco_id": 1234}; read by overlap checks only

    @property
    def images(self) -> tuple[Image, ...]:
        """The picture; none of a record in words alone."""
        return () if self.image is None else (self.image,)

    def object_by_id(self) -> dict[str, Object]:
        return {o.id: o for o in self.objects}


def whole_things(record: Record) -> int:
    """Objects that are neither crowds nor parts of others."""
    return sum(not o.crowd and o.part_of is None for o in record.objects)
