"""LLaVA-665K (llava_v1_5_mix665k.json): dialogues whose texts hold boxes as four fractions; they become regions."""

from __future__ import annotations

import re
from pathlib import Path

from loupe.errors import unknown_name
from loupe.readers.base import Note, clipped_box
from loupe.readers.llava import Llava, handle
from loupe.readers.pictures import COCO_FOLDERS, usual_folders
from loupe.record import Turns
from loupe.regions import Region

SPACES = ("padded", "picture")
_number = r"\s*(?:0?\.\d+|[01](?:\.\d*)?)\s*"
_box = re.compile(rf"\[({_number}),({_number}),({_number}),({_number})\]")


class LlavaBoxes(Llava):
    """space: what the fractions are of. "padded": the picture padded to a square, as users found by comparing;
    "picture": the picture itself. The file's authors state neither, and the two agree on square pictures.

    Pictures lie below root (or beside it) as the file names them: coco/train2017, gqa/images, ocr_vqa/images,
    textvqa/train_images, vg/VG_100K, vg/VG_100K_2. Entries without a picture (text alone) are counted.
    """

    source = "llava-665k"

    def __init__(self, root, split: str = "", *, space: str = "padded", **options):
        if space not in SPACES:
            raise unknown_name("space of LLaVA-665K's boxes", space, SPACES)
        self.space = space
        super().__init__(root, split, **options)

    def _turns(self, texts: tuple[str, ...], key: str, width: int, height: int, note: Note) -> Turns | None:
        known: dict[tuple[str, ...], tuple[str, Region] | None] = {}
        for match in (m for text in texts for m in _box.finditer(text)):
            numbers = tuple(match.groups())
            if numbers not in known:
                box = self._box(numbers, width, height, note, f"entry {key}: {match[0]}")
                known[numbers] = (handle(len(known) + 1, texts), box) if box is not None else None
        if None in known.values():
            note("dialogue with a box that is none: left out", f"entry {key}")
            return None
        said = tuple(_box.sub(lambda m: known[m.groups()][0], text) for text in texts)
        return Turns(said, key, tuple(known.values()))

    def _box(self, numbers: tuple[str, ...], width: int, height: int, note: Note, example: str):
        side = max(width, height)
        left, top = ((side - width) // 2, (side - height) // 2) if self.space == "padded" else (0, 0)
        across, down = (side, side) if self.space == "padded" else (width, height)
        x1, y1, x2, y2 = (float(v) for v in numbers)
        box = x1 * across - left, y1 * down - top, x2 * across - left, y2 * down - top
        return clipped_box(box[0], box[1], box[2] - box[0], box[3] - box[1], width, height, note, example)

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (self.split, *COCO_FOLDERS), ("coco", "visual_genome", "ocr_vqa", "textvqa"))
