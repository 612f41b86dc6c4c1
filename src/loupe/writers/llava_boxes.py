"""LLaVA-665K: dialogues with the boxes they name as fractions of the padded square, two decimals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.record import Record, Turns
from loupe.regions import Box
from loupe.writers.coco import file_name
from loupe.writers.files import Document, Entry, write


class LlavaBoxes:
    """llava_v1_5_mix665k.json; `folder` says where the pictures lie, as the file names them."""

    def __init__(self, folder: str = "coco/train2017/", under: str = "", copy: bool = True):
        self.folder, self.under, self.copy = folder, under, copy
        self.path = f"{under}llava_v1_5_mix665k.json"
        self.documents = (Document(self.path),)

    def pictures(self, record: Record) -> Iterator[str]:
        if self.copy and record.dialogues:
            yield f"{self.under}{self.folder}{file_name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        for talk in record.dialogues:
            texts = [fractions(text, talk, record.width, record.height) for text in talk.texts]
            texts[0] = f"<image>\n{texts[0]}"
            yield self.path, "", {"id": talk.id or record.id, "image": self.folder + file_name(record),
                                  "conversations": [{"from": ("human", "gpt")[k % 2], "value": text}
                                                    for k, text in enumerate(texts)]}


def fractions(text: str, talk: Turns, width: int, height: int) -> str:
    """A text with each handle as [x1, y1, x2, y2]."""
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    for handle, region in sorted(talk.regions, key=lambda pair: -len(pair[0])):
        box: Box = region.box
        numbers = [(box.x1 + left) / side, (box.y1 + top) / side, (box.x2 + left) / side, (box.y2 + top) / side]
        text = text.replace(handle, f"[{', '.join(str(round(v, 2)) for v in numbers)}]")
    return text


def write_llava_boxes(records: Iterable[Record], root: Path | str, *, pictures: bool = True) -> int:
    return write([LlavaBoxes()], records, root, pictures)
