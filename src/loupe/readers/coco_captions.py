"""COCO captions alone: annotations/captions_<split>.json. Pictures without a caption are no records."""

from __future__ import annotations

from pathlib import Path

from loupe.readers.base import Note, Reader
from loupe.readers.coco import annotation_file, captions_of
from loupe.readers.instances import open_instances
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.record import Record


class CocoCaptions(Reader):
    source = "coco-captions"

    def __init__(self, root, split: str = "", *, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        path = self._file()
        self.captions = open_instances(path, self.note, lambda name: self._has(self._names(name)), categories=False)
        self._digests[path.name] = self.captions.hash
        self._order = [int(p) for p in self.captions.order if int(p) in self.captions.annotations]
        for picture in set(self.captions.order.tolist()) - set(self._order):
            self.note("picture without a caption", picture)
        self._ready(len(self._order))

    def _file(self) -> Path:
        return annotation_file(self, "captions")

    def _names(self, file_name: str) -> tuple[str, ...]:
        """The names its picture may go by."""
        return coco_names(file_name)

    def _extra(self, picture: int) -> dict:
        return {"coco_id": picture}

    def _folders(self):
        return usual_folders(self.root, (self.split, *(() if self.split else COCO_FOLDERS)), ("coco",))

    def _record(self, i: int, note: Note) -> Record:
        picture = self._order[i]
        entry = self.captions.image(picture)
        return Record(self._image(self._names(entry["file_name"])), entry["width"], entry["height"], str(picture),
                      self.source, self.split, licence=self.captions.licence(entry),
                      captions=tuple(captions_of(self.captions, picture, note)), extra=self._extra(picture))
