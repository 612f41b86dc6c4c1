"""Captions that are measured against: Karpathy's splits of Flickr30K and COCO, and nocaps."""

from __future__ import annotations

from pathlib import Path

from loupe.errors import unknown_name
from loupe.readers.base import Note, words
from loupe.readers.coco_captions import CocoCaptions
from loupe.readers.entries import Entries, value_of
from loupe.readers.index import is_id
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Piece
from loupe.record import Record

SPLITS = ("train", "val", "test", "restval")


class Karpathy(Entries):
    """`Karpathy(root, "test", dataset="flickr30k")` reads dataset_flickr30k.json, dataset="coco" dataset_coco.json:
    {"images": [{"filename", "split", "sentences": [{"raw"}]}]}. Flickr30K's pictures lie in flickr30k-images/."""

    source = "karpathy"
    sized = False
    usual_split = "test"
    arrays = ("images",)
    layout = '{"images": [{"filename", "split", "sentences": [{"raw"}, ...]}, ...]}'
    DATASETS = ("flickr30k", "coco", "flickr8k")

    def __init__(self, root, split: str = "", *, dataset: str = "flickr30k", **options):
        if dataset not in self.DATASETS:
            raise unknown_name("data set of Karpathy's splits", dataset, self.DATASETS)
        if split and split not in SPLITS:
            raise unknown_name("split of Karpathy's", split, SPLITS)
        self.dataset, self._coco_ids = dataset, {}
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / place / f"dataset_{self.dataset}.json"
                for place in ("", "annotations", "karpathy", "caption_datasets")]

    def _folders(self) -> list[Path]:
        if self.dataset == "coco":
            return usual_folders(self.root, COCO_FOLDERS, ("coco", "coco2014", "mscoco"))
        return [self.root / place for place in (f"{self.dataset}-images", f"{self.dataset}_images", "images", "")]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not words(entry.get("filename")) or entry.get("split") not in SPLITS:
            self._odd(piece)
            return None
        if entry["split"] != self.split:
            return None
        if not any(_raw(entry)):
            self.note("picture without a caption", entry["filename"])
            return None
        if is_id(entry.get("cocoid")):
            self._coco_ids[entry["filename"]] = entry["cocoid"]
        return entry["filename"]

    def _names(self, picture: str) -> tuple[str, ...]:
        return coco_names(picture) if self.dataset == "coco" else (picture,)

    def _ids(self, picture: str) -> dict[str, int]:
        return {"coco_id": self._coco_ids[picture]} if picture in self._coco_ids else {}

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        said = [text for entry in self.entries(number) for text in _raw(entry)]
        for _ in range(said.count("")):
            note("caption without words", picture)
        return Record(image, *image.size, picture, self.source, self.split,
                      captions=tuple(filter(None, dict.fromkeys(said))), extra=self._ids(picture))


def _raw(entry: dict) -> list[str]:
    given = entry.get("sentences")
    return [words(one.get("raw")) if isinstance(one, dict) else "" for one in given] if isinstance(given, list) else []


class Nocaps(CocoCaptions):
    """`Nocaps(root, "val")` reads nocaps_val_4500_captions.json, laid out as COCO's captions; pictures in val/."""

    source = "nocaps"

    def __init__(self, root, split: str = "", **options):
        super().__init__(root, split or "val", **options)

    def _file(self) -> Path:
        wanted = [self.root / place / "nocaps_val_4500_captions.json" for place in ("", "annotations")]
        return next((p for p in wanted if p.is_file()), wanted[0])

    def _names(self, file_name: str) -> tuple[str, ...]:
        return (file_name,)

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (self.split, "images", f"images/{self.split}", "validation", "")]

    def _extra(self, picture: int) -> dict:
        return {}  # its ids are its own
