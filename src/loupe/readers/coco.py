"""COCO instances, with captions joined where their file is there: annotations/instances_<split>.json.

Every picture the file lists is a record, also one without annotations: it is exhaustively known to hold none of the
classes. A class annotated as a crowd is taken out of that picture's `vocabulary`, since its members are not boxed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loupe.errors import FileError
from loupe.readers.base import Note, Pictured, Reader, words
from loupe.readers.instances import Instances, looked_for, objects_of, open_instances
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.record import Record


class Coco(Reader):
    """`Coco(root, "val2017")`; `file=` names another instances file, `captions=` another captions file (or False)."""

    source = "coco"
    stem = "instances"

    def __init__(self, root, split: str = "", *, file=None, captions=None, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        path = self._file(file)
        self._open(path)
        self._captions: Instances | None = None
        beside = path.with_name(f"captions_{self.split}.json")
        if captions is not False and (captions or beside.is_file()):
            self._join_captions(Path(captions) if captions else beside)
        self._ready(len(self.instances.order))

    def _open(self, path: Path) -> None:
        self.instances = open_instances(path, self.note, lambda name: self._has(self._names(name)),
                                        naming=self._classes)
        self._digests[path.name] = self.instances.hash
        self._vocabulary = self.instances.vocabulary

    def _file(self, file) -> Path:
        if file:
            return next((p for p in (Path(file), self.root / file) if p.is_file()), Path(file))
        return annotation_file(self, self.stem)

    def _join_captions(self, path: Path) -> None:
        note = lambda reason, example: self.note(f"captions: {reason}", example)  # noqa: E731
        self._captions = open_instances(path, note, lambda name: True, categories=False)
        self._digests[path.name] = self._captions.hash

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (self.split, *(() if self.split else COCO_FOLDERS)), ("coco",))

    def pictured(self, i: int) -> Pictured:
        picture = int(self.instances.order[i])
        return Pictured(self._image(self._names(self.instances.image(picture)["file_name"])), self._extra(picture))

    def _record(self, i: int, note: Note) -> Record:
        picture = int(self.instances.order[i])
        entry = self.instances.image(picture)
        width, height = entry["width"], entry["height"]
        objects = objects_of(self.instances.annotated(picture), self.instances.categories, width, height, note)
        captions = tuple(captions_of(self._captions, picture, note)) if self._captions else ()
        image = self._image(self._names(entry["file_name"]))
        return Record(image, width, height, str(picture), self.source, self.split,
                      licence=self.instances.licence(entry), objects=objects,
                      captions=captions, vocabulary=looked_for(self._vocabulary, objects), exhaustive=True,
                      extra=self._extra(picture))

    def _names(self, file_name: str) -> tuple[str, ...]:
        """The names its picture may go by."""
        return coco_names(file_name)

    @staticmethod
    def _classes(names: Sequence[str]) -> list[tuple[str, ...]]:
        """What each category is called, the name to say first."""
        return [(name,) for name in names]

    def _extra(self, picture: int) -> dict:
        return {"coco_id": picture}


def annotation_file(reader: Reader, stem: str) -> Path:
    """annotations/<stem>_<split>.json; without a split the only one there is, whose split the reader then takes."""
    folder = next((f for f in (reader.root / "annotations", reader.root) if any(f.glob(f"{stem}_*.json"))),
                  reader.root / "annotations")
    if reader.split:
        return folder / f"{stem}_{reader.split}.json"
    there = sorted(folder.glob(f"{stem}_*.json"))
    if len(there) != 1:
        splits = ", ".join(p.stem.removeprefix(f"{stem}_") for p in there)
        raise FileError("which split is meant?" if there else "annotation file does not exist",
                        got=f"splits {splits}" if there else f"no {stem}_<split>.json", where=folder,
                        expected="one split" if there else f"{stem}_train2017.json or the like",
                        do="give a split" if there else "check --root")
    reader.split = there[0].stem.removeprefix(f"{stem}_")
    return there[0]


def captions_of(captions: Instances, picture: int, note: Note) -> list[str]:
    """The captions of one picture, single-spaced, each once."""
    out: dict[str, None] = {}
    for entry in captions.annotated(picture):
        text = words(entry.get("caption"))
        if not text:
            note("caption without text", f"caption {entry.get('id')}")
        elif text in out:
            note("caption given twice", f"caption {entry.get('id')}")
        else:
            out[text] = None
    return list(out)
