"""Objects365 v2: COCO's layout, pictures in patches, class names in capitals with "/" between synonyms.

"Bread/Bun" becomes the names bread, bun, unless its first name is another class's too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from loupe.errors import FileError
from loupe.readers.coco import Coco


class Objects365(Coco):
    """`Objects365(root, "train")` reads zhiyuan_objv2_train.json in root, root/annotations or root/train."""

    source = "objects365"

    def _file(self, file) -> Path:
        if file:
            return super()._file(file)
        self.split = self.split or "train"
        names = [f"{stem}{self.split}.json" for stem in ("zhiyuan_objv2_", "instances_", "objects365_", "")]
        folders = [self.root / "annotations", self.root, self.root / self.split, self.root / "annotation"]
        for name in names:
            for folder in folders:
                if (folder / name).is_file():
                    return folder / name
        there = sorted(p.name for folder in folders if folder.is_dir() for p in folder.glob("*.json"))
        raise FileError("annotation file does not exist", got=", ".join(there[:5]) or "no JSON file",
                        expected=names[0], where=", ".join(map(str, folders[:3])), do="check --root and the split")

    def _folders(self) -> list[Path]:
        split = self.split or "train"
        return [self.root / place for place in (f"images/{split}", split, "images", "", f"{split}/images")]

    def _names(self, file_name: str) -> tuple[str, ...]:
        return (file_name,)

    @staticmethod
    def _classes(names: Sequence[str]) -> list[tuple[str, ...]]:
        return class_names(names)

    def _extra(self, picture: int) -> dict:
        return {}


def class_names(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Lower case, split at "/"; whole where the first part is not unique."""
    parts = [tuple(p.strip() for p in name.lower().split("/") if p.strip()) or (name.lower(),) for name in names]
    first = Counter(p[0] for p in parts)
    return [p if first[p[0]] == 1 else (name.lower(),) for name, p in zip(names, parts)]
