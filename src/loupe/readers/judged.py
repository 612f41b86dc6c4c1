"""Sentences that are to be judged: VSR's, true or false of a picture, and the Hateful Memes, hateful or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loupe.errors import unknown_name
from loupe.readers.base import Note, words
from loupe.readers.entries import Entries, JsonLines, distinct, key_text, question_of, value_of
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Piece
from loupe.record import Question, Record


class Judged(Entries):
    """A line a sentence, with a label of 0 or 1. `kind` is that of the questions, `verdicts` what 0 and 1 stand for."""

    sized = False
    arrays = ("data",)  # lines, or a list below it
    kind = ""
    verdicts: tuple[str, str] = ("", "")
    keys: tuple[str, str] = ("image", "caption")

    def _source(self, path: Path):
        return JsonLines(path)

    def _picture(self, piece: Piece) -> str | None:
        entry, (image, text) = value_of(piece), self.keys
        if not isinstance(entry, dict) or not words(entry.get(image)):
            self._odd(piece)
            return None
        if not words(entry.get(text)) or type(entry.get("label")) is not int or entry["label"] not in (0, 1):
            self.note("sentence without words or a label of 0 or 1", f"byte {piece.at}: {piece.raw[:60]}")
            return None
        return entry[image]

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        return Record(image, *image.size, picture, self.source, self.split, self.licence,
                      questions=distinct(self._questions(number, note)), extra=self._ids(picture))

    def _questions(self, number: int, note: Note) -> Iterator[Question]:
        for k, entry in enumerate(self.entries(number)):
            made = question_of(entry.get(self.keys[1]), (self.verdicts[entry["label"]],), key_text(entry.get("id")),
                               note, f"{self._pictures[number]}: {k}", kind=self.kind, options=self.verdicts[::-1],
                               topics=tuple(filter(None, (words(entry.get("relation")),))))
            if made is not None:
                yield made


class Vsr(Judged):
    """`Vsr(root, "test")` reads zeroshot/test.jsonl, by="random" random/test.jsonl: {"image", "caption", "label",
    "relation", ...} a line. Pictures are COCO's train2017 and val2017, beside the root or in images/."""

    source = "vsr"
    usual_split = "test"
    licence = "annotations Apache 2.0"
    layout = '{"image": "000000050403.jpg", "caption", "label": 1, "relation"} a line'
    kind = "statement"
    verdicts = ("false", "true")
    BY = ("zeroshot", "random")

    def __init__(self, root, split: str = "", *, by: str = "zeroshot", **options):
        if by not in self.BY:
            raise unknown_name("way VSR is split", by, self.BY)
        self.by = by
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / place / f"{self.split}.jsonl"
                for place in (self.by, f"splits/{self.by}", f"data/splits/{self.by}", f"vsr_{self.by}", "")]

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, ("trainval2017", "data/images", *COCO_FOLDERS), ("coco",))

    def _names(self, picture: str) -> tuple[str, ...]:
        return coco_names(picture)

    def _ids(self, picture: str) -> dict[str, int]:
        stem = Path(picture).stem
        return {"coco_id": int(stem)} if stem.isdecimal() and len(stem) == 12 else {}


class HatefulMemes(Judged):
    """`HatefulMemes(root, "dev")` reads dev.jsonl, else dev_seen.jsonl: {"id", "img": "img/08291.png", "text",
    "label"} a line. The text printed on the picture is the sentence. For evaluation only."""

    source = "hateful-memes"
    usual_split = "dev"
    evaluation_only = True
    layout = '{"id", "img": "img/08291.png", "text", "label": 1} a line'
    kind = "hateful"
    verdicts = ("no", "yes")
    keys = ("img", "text")

    def _usual_files(self) -> list[Path]:
        return [self.root / place / f"{name}.jsonl" for name in (self.split, f"{self.split}_seen")
                for place in ("", "data")]

    def _folders(self) -> list[Path]:
        return [self.root, self.root / "data", self.root / "img", self.root / "data/img"]
