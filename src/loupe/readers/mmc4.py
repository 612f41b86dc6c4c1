"""Multimodal C4: documents of the web with several pictures, each matched to one sentence. One record a picture.

    docs_no_face_shard_0_v2.jsonl     {"text_list": [...], "image_info": [{"image_name", "matched_text_index",
                                      "matched_sim", ...}], ...} a line
    images/                           pictures fetched under their image_name
"""

from __future__ import annotations

from array import array
from pathlib import Path

from tqdm import tqdm

from loupe.errors import FileError
from loupe.readers.base import Note, Reader, is_number, words
from loupe.readers.entries import JsonLines, value_of
from loupe.readers.index import read_runs
from loupe.readers.pictures import usual_folders
from loupe.readers.stream import missing_file
from loupe.record import Record


class Mmc4(Reader):
    """`Mmc4(root)`: every picture of root/*.jsonl that was fetched, its matched sentence as caption; with a split, of
    root/<split>/*.jsonl, or of root/*.jsonl where that folder does not exist.

    files: a pattern of other names below the root. least: pictures matched less well (cosine of CLIP ViT-L/14) are
    counted and left out. extra: the similarity.
    """

    source = "mmc4"
    sized = False

    def __init__(self, root, split: str = "", *, files: str = "", least: float = 0.0, images=None,
                 missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        self.least, self.paths = least, self._found(files)
        self._file, self._at = array("i"), array("q")
        self._size, self._number = array("i"), array("i")  # bytes of the line; which of its pictures
        documents = 0
        for number, path in enumerate(tqdm(self.paths, desc=f"documents of {self.root.name}", unit="shard", delay=2,
                                           disable=None, leave=False)):
            documents += self._scan(number, path)
        if not documents and self.problems:
            reason = next(iter(self.problems))
            raise FileError("annotation file is of another layout", got=self.examples[reason][0],
                            expected='{"text_list": [...], "image_info": [...]} a line', where=self.paths[0],
                            do="check that this is the file meant")
        self._ready(len(self._at))

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (self.split,))

    def _found(self, files: str) -> list[Path]:
        folder = self.split if self.split and (self.root / self.split).is_dir() else "."
        pattern = files or str(Path(folder) / "*.jsonl")
        found = sorted(path for path in self.root.glob(pattern) if path.is_file())
        if not found:
            raise missing_file(self.root / pattern)
        return found

    def _scan(self, number: int, path: Path) -> int:
        """Note where the usable pictures of a shard stand; returns how many documents there were."""
        lines, documents = JsonLines(path), 0
        for piece in lines:
            where, document = f"{path.name}: byte {piece.at}", value_of(piece)
            if not isinstance(document, dict) or not all(
                    isinstance(document.get(key), list) for key in ("text_list", "image_info")):
                self.note("document is of another form", where)
                continue
            documents += 1
            for k, image in enumerate(document["image_info"]):
                if self._usable(image, document["text_list"], f"{where}, picture {k}"):
                    for numbers, value in ((self._file, number), (self._at, piece.at), (self._size, piece.size),
                                           (self._number, k)):
                        numbers.append(value)
        self._digests[path.name] = lines.hash
        return documents

    def _usable(self, image: object, texts: list, where: str) -> bool:
        if not isinstance(image, dict) or not words(image.get("image_name")):
            self.note("picture without a name", where)
            return False
        if not _sentence(image, texts):
            self.note("picture without a sentence", where)
            return False
        score = similarity(image)
        if score is not None and score < self.least:
            self.note("less similar than asked for", f"{where}: {score:.3f}")
            return False
        return self._has((image["image_name"],))

    def _record(self, i: int, note: Note) -> Record:
        path, at = self.paths[self._file[i]], self._at[i]
        document, = read_runs(path, [(at, self._size[i])])
        image = document["image_info"][self._number[i]]
        picture, score = self._image((image["image_name"],)), similarity(image)
        return Record(picture, *picture.size, f"{path.stem}/{at}/{self._number[i]}", self.source, self.split,
                      captions=(_sentence(image, document["text_list"]),),
                      extra={} if score is None else {"similarity": score})

    def things(self, i: int) -> int:
        return 0


def similarity(image: dict) -> float | None:
    """How well the file says a picture and its sentence fit."""
    score = image.get("matched_sim")
    return float(score) if is_number(score) else None


def _sentence(image: dict, texts: list) -> str:
    """What a picture is matched to; "" where there is none."""
    at = image.get("matched_text_index")
    return words(texts[at]) if type(at) is int and 0 <= at < len(texts) else ""
