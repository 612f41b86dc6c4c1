"""A scene as a Record: the same facts as numbers and words, the picture as JPEG bytes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loupe.image import Image
from loupe.record import Object, Phrase, Question, Record, Relation, Word
from loupe.regions import Mask
from loupe.world import paint, sentences
from loupe.world.chance import choose
from loupe.world.expressions import Referring
from loupe.world.kinds import CLASSES, PARTS
from loupe.world.predicates import form
from loupe.world.scene import Scene, generator, make
from loupe.world.spec import WIDE, WorldSpec

VOCABULARY = CLASSES + PARTS
RESIDUES = {"train": 1, "val": 3, "test": 5}  # image ids are 7 * index + residue: sparse, and no split shares one
ID_STEP = 100  # an object's id is its image's id times this plus its position
LICENCE = "CC0-1.0"


def image_id(split: str, index: int) -> int:
    return 7 * index + RESIDUES.get(split, 6)


def records(count: int, seed: int, split: str = "train", *, start: int = 0, size: int | tuple[int, int] | None = None,
            objects: tuple[int, int] | None = None, world: str | WorldSpec = WIDE) -> Iterator[Record]:
    """`count` pictures of a split with all their annotations, one by one; picture i is the same for every count.

    world: a WorldSpec or its name in WORLDS; `size` and `objects` are its own where not given.
    """
    for index in range(start, start + count):
        yield record(make(seed, index, split, size, objects, world))


def vocabulary(world: WorldSpec) -> tuple[str, ...]:
    """Every name an object of that world can have."""
    return VOCABULARY if world.parts else world.classes


def record(scene: Scene) -> Record:
    """Everything that is known of a scene; regions are visible extents in pixels of the picture."""
    rng = generator(scene.seed, scene.split, scene.index, purpose=1)
    referring = Referring(scene, rng)
    number = image_id(scene.split, scene.index)
    objects, ids = _objects(scene, number)
    return Record(
        image=Image(data=paint.jpeg(scene.pixels)), width=scene.width, height=scene.height, id=str(number),
        source="world", split=scene.split, licence=LICENCE, objects=tuple(objects),
        phrases=_phrases(scene, referring, ids, number), relations=_relations(scene, referring, ids),
        captions=tuple(sentences.captions(scene, referring)),
        questions=tuple(Question(text, (answer,), str(number * ID_STEP + k))
                        for k, (text, answer) in enumerate(sentences.questions(scene, referring))),
        words=tuple(Word(thing.word, thing.word_box, ids[k, -1]) for k, thing in enumerate(scene.things) if thing.word),
        vocabulary=vocabulary(scene.world), exhaustive=True,
        extra={"world": {"name": scene.world.name, "seed": scene.seed, "split": scene.split, "index": scene.index}})


def _objects(scene: Scene, number: int) -> tuple[list[Object], dict[tuple[int, int], str]]:
    """Whole things first, then their parts; ids by (thing, part), part -1 for the whole."""
    ids: dict[tuple[int, int], str] = {}
    things = [(k, -1) for k in range(len(scene.things))]
    parts = [(k, p) for k, thing in enumerate(scene.things) for p in range(len(thing.parts))]
    for at, key in enumerate(things + parts):
        ids[key] = str(number * ID_STEP + at)
    out = []
    for k, thing in enumerate(scene.things):
        looks = tuple(getattr(thing, key) for key in thing.said)
        out.append(Object(ids[k, -1], thing.box, (thing.name, *thing.kind.synonyms), looks,
                          Mask.from_array(thing.mask), thing.crowd))
    for k, p in parts:
        part = scene.things[k].parts[p]
        out.append(Object(ids[k, p], part.box, (part.name,), (part.colour,), Mask.from_array(part.mask),
                          part_of=ids[k, -1]))
    return out, ids


def _phrases(scene: Scene, referring: Referring, ids, number: int) -> tuple[Phrase, ...]:
    found = [expression for thing in referring.things for expression in referring.of(thing)]
    found += [expression for thing in referring.things for p in range(len(thing.parts))
              for expression in referring.of_part(thing, p)]
    out = []
    for expression in found:
        thing = scene.things[expression.thing]
        box = thing.box if expression.part < 0 else thing.parts[expression.part].box
        out.append((expression.text, box, True, ids[expression.thing, expression.part], expression.kind))
    whole = {id(thing): ids[k, -1] for k, thing in enumerate(scene.things)}
    for text, box, thing in sentences.descriptions(scene, referring):
        out.append((text, box, False, whole[id(thing)] if thing is not None else None, ""))
    return tuple(Phrase(text, box, refers, about, str(number * ID_STEP + k), kind)
                 for k, (text, box, refers, about, kind) in enumerate(out))


def _relations(scene: Scene, referring: Referring, ids) -> tuple[Relation, ...]:
    """A drawn share of what holds, about twice as many as there are things, with whole and part among them."""
    rng, found = referring.rng, []
    for a in referring.things:
        for b in referring.things:
            if a is not b:
                pair = referring.pair(a, b)
                found += [(predicate, pair) for predicate in pair.holding]
    out = []
    at = {id(thing): ids[k, -1] for k, thing in enumerate(scene.things)}
    if found:
        weights = np.array([predicate.weight for predicate, _ in found])
        wanted = min(len(found), 2 * len(referring.things))
        for k in rng.choice(len(found), wanted, replace=False, p=weights / weights.sum()):
            predicate, pair = found[k]
            out.append(Relation(at[id(pair.a)], form(predicate, pair, rng), at[id(pair.b)]))
    for k, thing in enumerate(scene.things):
        for p in range(len(thing.parts)):
            draw = rng.random()
            if draw < 0.45:
                out.append(Relation(ids[k, -1], "has" if draw < 0.35 else "with", ids[k, p]))
            elif draw < 0.65:
                words = choose(rng, ("of", "on", "part of", "belonging to"))
                out.append(Relation(ids[k, p], words, ids[k, -1]))
    return tuple(out)
