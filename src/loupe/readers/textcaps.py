"""TextCaps: captions that say what stands written in the picture. Its pictures are TextVQA's."""

from __future__ import annotations

from pathlib import Path

from loupe.readers.base import Note, words
from loupe.readers.entries import Entries, key_text, value_of
from loupe.readers.stream import Piece
from loupe.record import Record


class TextCaps(Entries):
    """`TextCaps(root, "train")` reads TextCaps_0.1_train.json: {"data": [{"image_id", "caption_str", "reference_strs"},
    ...]}, an entry a caption, or one a picture. Pictures lie in train_images/ (train and val)."""

    source = "textcaps"
    sized = False
    usual_split = "train"
    arrays = ("data",)
    layout = '{"data": [{"image_id", "caption_str", "reference_strs"}, ...]}'

    def _usual_files(self) -> list[Path]:
        return [self.root / f"TextCaps_0.1_{self.split}.json"]

    def _folders(self) -> list[Path]:
        places = ("train_images", "test_images", "train_val_images/train_images", "images/train_images", "images", "")
        return [root / place for root in (self.root, self.root.parent / "textvqa") for place in places]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not key_text(entry.get("image_id")):
            self._odd(piece)
            return None
        if not captions_of(entry):
            self.note("picture without a caption", entry["image_id"])
            return None
        return key_text(entry["image_id"])

    def _names(self, picture: str) -> tuple[str, ...]:
        return (f"{picture}.jpg",)

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        said = [text for entry in self.entries(number) if isinstance(entry, dict) for text in captions_of(entry)]
        return Record(image, *image.size, picture, self.source, self.split, captions=tuple(dict.fromkeys(said)))


def captions_of(entry: dict) -> list[str]:
    """What one entry says: its own caption, then all there are of its picture."""
    others = entry.get("reference_strs")
    given = [entry.get("caption_str"), *(others if isinstance(others, list) else ())]
    return [text for text in map(words, given) if text]
