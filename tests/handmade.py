"""Records by hand and by chance for the tests of tasks and data."""

import numpy as np

from loupe.image import Image
from loupe.record import Object, Phrase, Question, Record, Relation, Turns
from loupe.regions import Box

PICTURE = Image.of(np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8))

CUP_LEFT, CUP_RIGHT = Box(10, 10, 20, 20), Box(70, 10, 84, 24)  # centres (15, 15), (77, 17)
TABLE, MAN = Box(0, 50, 100, 100), Box(40, 5, 60, 65)  # centres (50, 75), (50, 35)
PEOPLE = Box(0, 0, 30, 30)


def kitchen(**changes) -> Record:
    """Two cups, a table, a man; 100 x 100 px; looked for cups, tables, men and dogs."""
    fields = dict(
        image=PICTURE, width=100, height=100, id="7", source="hand", split="val", exhaustive=True,
        vocabulary=("cup", "dog", "man", "table"),
        objects=(Object("c1", CUP_LEFT, ("cup",)), Object("c2", CUP_RIGHT, ("cup", "mug")),
                 Object("t", TABLE, ("table",)), Object("m", MAN, ("man",))),
        phrases=(Phrase("the left cup", CUP_LEFT, refers=True, object="c1", id="p1"),
                 Phrase("wood {brown} %s", TABLE, id="p2")),
        relations=(Relation("c1", "on", "t"), Relation("m", "next to", "c1"), Relation("m", "next to", "c2"),
                   Relation("c1", "on", "t"), Relation("m", "m", "m"), Relation("m", "sees", "gone")),
        captions=("A man between two cups.", " A man at a table. "),
        questions=(Question("How many cups?", ("two", "2"), "q1"), Question("Why?", ())),
        dialogues=(Turns(("Hello?", "A kitchen.", "More?", "A man."), "d1"), Turns(("Open?",), "d2")))
    return Record(**{**fields, **changes})


def scattered(rng: np.random.Generator, name: str = "r") -> Record:
    """A record by chance: up to eight objects of four classes, a crowd now and then, relations and phrases."""
    classes = ("cup", "dog", "man", "table")
    objects = []
    for k in range(int(rng.integers(0, 9))):
        x, y = (float(v) for v in rng.integers(0, 80, 2))
        names = (str(rng.choice(classes)), "thing")[:1 + int(rng.random() < 0.2)]
        objects.append(Object(f"o{k}", Box(x, y, x + float(rng.integers(1, 20)), y + float(rng.integers(1, 20))), names,
                              crowd=bool(rng.random() < 0.1)))
    ids = [o.id for o in objects]
    relations = tuple(Relation(str(rng.choice(ids)), str(rng.choice(["on", "near", "has"])), str(rng.choice(ids)))
                      for _ in range(int(rng.integers(0, 8)) if ids else 0))
    phrases = tuple(Phrase(f"thing {o.id}", o.box, bool(rng.random() < 0.5), o.id, f"p{o.id}")
                    for o in objects if rng.random() < 0.5)
    return Record(PICTURE, 100, 100, name, "chance", objects=tuple(objects), relations=relations, phrases=phrases,
                  vocabulary=classes, exhaustive=bool(rng.random() < 0.7), captions=("a scene",))
