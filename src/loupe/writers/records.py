"""loupe's own layout: one whole Record a line in <split>.jsonl, pictures wherever the lines say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from loupe.record import Record
from loupe.stored import to_stored
from loupe.writers.coco import file_name
from loupe.writers.files import Document, Entry, write


class Records:
    """`picture(record)` gives the picture's path relative to the file; pictures of others are not written again."""

    def __init__(self, split: str = "train", under: str = "", picture: Callable[[Record], str] | None = None):
        self.path, self.under, self.elsewhere = f"{under}{split}.jsonl", under, picture
        self.documents = (Document(self.path, lines=True),)

    def pictures(self, record: Record) -> Iterator[str]:
        if self.elsewhere is None:
            yield f"{self.under}{self._picture(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        yield self.path, "", to_stored(record, self._picture(record))

    def _picture(self, record: Record) -> str:
        return f"images/{file_name(record)}" if self.elsewhere is None else self.elsewhere(record)


def write_records(records: Iterable[Record], root: Path | str, split: str = "train", *, pictures: bool = True) -> int:
    """Write root/<split>.jsonl and root/images; returns the number of records."""
    return write([Records(split)], records, root, pictures)
