"""Flickr30k Entities: five sentences a picture, whose phrases name things, and the boxes of these things.

    train.txt, val.txt, test.txt   the pictures of a split, an id a line
    Sentences/ID.txt               [/EN#thing/type words] around each phrase; thing 0 is not to be seen
    Annotations/ID.xml             boxes: a thing may have several, a box several things; scenes and unseen things none
    UNRELATED_CAPTIONS             sentences about other pictures, left out and counted where this file is there
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tqdm import tqdm

from loupe.errors import FileError
from loupe.readers.base import Note, Pictured, Reader, clipped_box, is_number, silent, words
from loupe.readers.stream import missing_file
from loupe.record import Object, Phrase, Record, Sentence

FIVE = 5  # sentences of a picture
AGAIN = "unpack annotations.zip again"
_id = re.compile(r"[0-9]{1,19}")
_mark = re.compile(r"\[/EN#(?P<thing>\d+)(?:/[^\s\]/]+)+\s+(?P<words>[^\]]*)\]")
_joint = re.compile(r"\s+(?=(?:[,.;!?]|n't|'(?:s|re|ve|ll|d|m)?)(?:\s|$))")  # before tokens that are no words


class Annotated(NamedTuple):
    """What an Annotations file says."""

    width: int
    height: int
    objects: tuple[Object, ...]
    meant: dict[str, tuple[Object, ...]]  # thing -> its boxes


class Flickr30kEntities(Reader):
    """`Flickr30kEntities(root, "train")`; without a split every picture of Annotations/. Pictures lie in
    flickr30k-images/.

    Sentences are `sentences` and, as text, `captions`; their tokens are joined ("the yard ." becomes "the yard.").
    Boxes are objects without names. Words that mean one box, the same wherever they are said of it, are phrases, too.
    """

    source = "flickr30k-entities"

    def __init__(self, root, split: str = "", *, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        bases = (self.root, self.root / "annotations", self.root / "flickr30k_entities")
        self.base = next((p for p in bases if (p / "Annotations").is_dir()), None)
        if self.base is None:
            raise missing_file(self.root / "Annotations" / "1000092795.xml")
        self._unrelated = self._read_unrelated()
        self._order = [name for name in tqdm(self._listed(), desc=self.source, unit="picture", delay=2, disable=None,
                                             leave=False) if self._usable(name) and self._has(self._names(name))]
        if not self._order and not self._unfound and self.problems:
            reason, examples = next(iter(self.examples.items()))
            raise FileError("no picture's annotation can be used", got=f"{reason}: {examples[0]}", where=self._list,
                            expected="Annotations/ID.xml and Sentences/ID.txt of every picture", do=AGAIN)
        self._ready(len(self._order))

    @property
    def _list(self) -> Path:
        """What names the pictures: the split's file, or the folder of annotations."""
        name = f"{self.split}.txt" if self.split else "Annotations"
        return self.root / name if (self.root / name).exists() else self.base / name

    def _folders(self) -> list[Path]:
        return [self.root / place for place in ("flickr30k-images", "flickr30k_images", "images", "")]

    def _names(self, name: str) -> tuple[str, ...]:
        return (f"{name}.jpg",)

    def _listed(self) -> list[str]:
        """Ids of the split's pictures."""
        if not self.split:
            return sorted((p.stem for p in self._list.glob("*.xml")), key=lambda name: (len(name), name))
        if not self._list.is_file():
            raise missing_file(self._list)
        found: dict[str, None] = {}
        for line in self._lines(self._list, self.note):
            name = line.removesuffix(".jpg")
            if not _id.fullmatch(name):
                self.note("line is no picture's id", f"{self._list.name}: {line[:40]}")
            elif name in found:
                self.note("picture given twice", f"{self._list.name}: {name}")
            else:
                found[name] = None
        return list(found)

    def _read_unrelated(self) -> set[str]:
        """"<picture> <number of the sentence, from 1>" of each."""
        path = next((p for p in (self.base / "UNRELATED_CAPTIONS", self.root / "UNRELATED_CAPTIONS") if p.is_file()),
                    None)
        return set(self._lines(path, self.note)) if path else set()

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.base / "Annotations" / f"{name}.xml", self.base / "Sentences" / f"{name}.txt"

    def _usable(self, name: str) -> bool:
        """Whether a picture has all it takes; its oddities are counted here, once."""
        if not all(path.is_file() for path in self._files(name)):
            self.note("listed picture without its annotation files", name)
            return False
        annotated = self._annotated(name, self.note)
        if annotated is None:
            self.note("annotation without the size of its picture", f"{name}.xml")
            return False
        lines = self._sentences(name, self.note)
        if not any(_mark.search(line) for line in lines):
            self.note("picture without a marked phrase", f"{name}.txt")
            return False
        self._told(name, annotated, lines, self.note)
        return True

    def pictured(self, i: int) -> Pictured:
        return Pictured(self._image(self._names(self._order[i])))

    def _record(self, i: int, note: Note) -> Record:
        name = self._order[i]
        annotated = self._annotated(name, silent)
        if annotated is None:
            raise FileError("annotation file changed while it was in use", where=self._files(name)[0],
                            do="open the reader again")
        sentences = self._told(name, annotated, self._sentences(name, silent), silent)
        by_id = {o.id: o for o in annotated.objects}
        told = tuple(Sentence(tuple((text, tuple(by_id[id].box for id in ids)) for text, ids in pieces))
                     for pieces in sentences)
        return Record(self._image(self._names(name)), annotated.width, annotated.height, name, self.source, self.split,
                      objects=annotated.objects, phrases=tuple(_phrases(sentences, by_id)),
                      captions=tuple(dict.fromkeys(s.text for s in told)),
                      sentences=tuple(s for s in told if any(regions for _, regions in s.pieces)))

    def _annotated(self, name: str, note: Note) -> Annotated | None:
        """None: the picture's size is not said."""
        path, _ = self._files(name)
        try:
            tree = ElementTree.fromstring(self._bytes(path))
        except (ElementTree.ParseError, ValueError) as error:
            raise FileError("annotation file is no XML", got=error, where=path, do=AGAIN) from None
        width, height = _numbers(tree.find("size"), "width", "height")
        if not (is_number(width) and is_number(height) and width >= 1 and height >= 1):
            return None
        objects: list[Object] = []
        meant: dict[str, tuple[Object, ...]] = {}
        for k, entry in enumerate(tree.iter("object")):
            things = [each.text.strip() for each in entry.findall("name") if (each.text or "").strip()]
            where, boxes, drawn = f"{path.name}: object {k}", (), entry.find("bndbox")
            if not things:
                note("object without the id of a thing", where)
                continue
            if drawn is not None:
                x1, y1, x2, y2 = _numbers(drawn, "xmin", "ymin", "xmax", "ymax")
                fits = all(map(is_number, (x1, y1, x2, y2)))  # whole pixels counted from 1, the last one included
                corner_and_sides = (x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1) if fits else (None,) * 4
                box = clipped_box(*corner_and_sides, width, height, note, where)
                boxes = (Object(str(k), box),) if box is not None else ()
            elif entry.find("scene") is None and entry.find("nobndbox") is None:
                note("object without a box, scene or nobndbox", where)
            objects += boxes
            for thing in things:
                meant[thing] = meant.get(thing, ()) + boxes
        return Annotated(int(width), int(height), tuple(objects), meant)

    def _sentences(self, name: str, note: Note) -> list[str]:
        """Sentences with their marks."""
        _, path = self._files(name)
        lines = self._lines(path, note)
        if len(lines) != FIVE:
            note(f"picture with another number of sentences than {FIVE}", f"{path.name}: {len(lines)}")
        kept = []
        for k, line in enumerate(lines, 1):
            rest = _mark.sub("", line)
            if "[/EN#" in rest and "]" not in rest:
                raise FileError("a sentence is cut short", got=repr(line[-60:]), where=f"{path}: sentence {k}",
                                expected="[/EN#thing/type words]", do=AGAIN)
            if f"{name} {k}" in self._unrelated:
                note("sentence about another picture (UNRELATED_CAPTIONS)", f"{path.name}: sentence {k}")
            elif "/EN#" in rest:
                note("sentence with a mark of another form", f"{path.name}: sentence {k}")
            else:
                kept.append(line)
        return kept

    def _told(self, name: str, annotated: Annotated, lines: list[str], note: Note) -> list[list[tuple]]:
        """Each sentence as (words, ids of the boxes they mean)."""
        out = []
        for line in lines:
            if not _mark.search(line):
                note("sentence without a marked phrase", f"{name}.txt: {line[:60]}")
            pieces: list[tuple[str, tuple[str, ...]]] = []
            for text, thing in _cut(line):
                if thing not in ("", "0") and thing not in annotated.meant:
                    note("phrase about a thing no object is", f"{name}.txt: {thing}, {text[:40]}")
                ids = tuple(o.id for o in annotated.meant.get(thing, ()))
                if pieces and not ids and not pieces[-1][1]:
                    pieces[-1] = (pieces[-1][0] + text, ())
                elif text:
                    pieces.append((text, ids))
            out.append([(_joint.sub("", text), ids) for text, ids in pieces])
        return out

    def _lines(self, path: Path, note: Note) -> list[str]:
        """Lines that are not empty, in single spaces."""
        text = self._bytes(path).decode("utf-8", "replace")
        if "\ufffd" in text:
            note("text is not UTF-8", path.name)
        return list(filter(None, map(words, text.split("\n"))))

    def _bytes(self, path: Path) -> bytes:
        """The file's content; its digest is kept."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FileError("cannot read annotation file", got=error.strerror, where=path) from None
        if not data:
            raise FileError("annotation file is empty", got="0 bytes", where=path, do=AGAIN)
        self._digests[path.name] = hashlib.sha256(data).hexdigest()
        return data


def _cut(line: str) -> Iterator[tuple[str, str]]:
    """(words, the thing they mean or "")."""
    at = 0
    for mark in _mark.finditer(line):
        yield line[at:mark.start()], ""
        yield mark["words"].strip(), mark["thing"]
        at = mark.end()
    yield line[at:], ""


def _phrases(sentences: list[list[tuple]], by_id: dict[str, Object]) -> Iterator[Phrase]:
    """Words that mean one box, and no other box in another sentence."""
    meant: dict[str, tuple[str, set[tuple[str, ...]]]] = {}
    for text, ids in (piece for pieces in sentences for piece in pieces if piece[1]):
        meant.setdefault(text.lower(), (text, set()))[1].add(ids)
    for k, (text, found) in enumerate(meant.values()):
        (ids,) = found if len(found) == 1 else [()]
        if len(ids) == 1:
            yield Phrase(text, by_id[ids[0]].box, object=ids[0], id=str(k))


def _numbers(element, *tags: str) -> list[float | None]:
    """What stands in an element's children of these tags; None of no element, no child and other text."""
    said = {child.tag: child.text for child in element} if element is not None else {}
    return [_number(said.get(tag)) for tag in tags]


def _number(text: str | None) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
