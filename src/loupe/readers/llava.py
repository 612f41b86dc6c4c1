"""LLaVA's JSON lists: conversations about a picture, and caption pairs of its first stage.

Entries about one picture become one record. Each entry is {"id", "image", "conversations": [{"from", "value"}, ...]};
the "<image>" mark is taken out of the texts. Sizes stand in no file and come from the picture.
"""

from __future__ import annotations

import re
from array import array
from pathlib import Path, PurePosixPath

import numpy as np

from loupe.errors import FileError
from loupe.readers.base import Note, Pictured, Reader
from loupe.readers.index import Collector
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Stream, missing_file
from loupe.record import Record, Turns

ROLES = {"human": 0, "user": 0, "gpt": 1, "assistant": 1}
PREFERRED = ("chat.json", "llava_instruct_158k.json", "llava_instruct_150k.json", "llava_v1_5_mix665k.json",
             "blip_laion_cc_sbu_558k.json")
_mark = re.compile(r"\s*<image>\s*")
_digits = re.compile(r"^(?:COCO_(?:train|val)\d{4}_)?(\d{12})$")


class Llava(Reader):
    """`Llava(root, file="llava_instruct_158k.json")`; without `file` the only JSON file in root, or a known one."""

    source = "llava"
    sized = False

    def __init__(self, root, split: str = "", *, file=None, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        path = self._file(file)
        stream, found, numbers, kept = Stream(path), Collector(), {}, array("q")
        self._names: list[str] = []
        for piece in stream:
            if stream.top == "object":
                break
            name = self._picture(piece.read() if not piece.raw.isascii() else piece.value, piece.at)
            if name is None:
                continue
            if name not in numbers:
                numbers[name] = len(numbers)
                self._names.append(name)
                if self._has(coco_names(name)):
                    kept.append(numbers[name])
            found.add(numbers[name], piece.at, piece.size)
        if stream.top == "object" or (not numbers and "entry without conversations" in self.problems):
            raise FileError("annotation file is of another layout", where=path,
                            got=f"an object of {', '.join(stream.keys)}" if stream.top == "object" else
                            self.examples["entry without conversations"][0],
                            expected='a list of {"id", "image", "conversations": [{"from", "value"}, ...]}')
        self._entries = found.index(path)
        self._order = np.array(kept, np.int64)
        self._digests[path.name] = stream.hash
        self._ready(len(self._order))

    def _file(self, file) -> Path:
        if file:
            return next((p for p in (self.root / file, Path(file)) if p.is_file()), self.root / file)
        there = sorted(self.root.glob("*.json"))
        known = [p for name in PREFERRED for p in there if p.name == name]
        if not there:
            raise missing_file(self.root / PREFERRED[0])
        if len(there) > 1 and not known:
            raise FileError("which file is meant?", got=", ".join(p.name for p in there[:6]), where=self.root,
                            expected="one JSON file", do="give file=")
        return (known or there)[0]

    def _picture(self, entry, at: int) -> str | None:
        """The entry's picture; None, counted, for an entry that cannot be used."""
        if not isinstance(entry, dict) or not isinstance(entry.get("conversations"), list):
            self.note("entry without conversations", f"byte {at}: {str(entry)[:60]}")
            return None
        name = entry.get("image")
        if name is None or name == "":
            self.note("entry without a picture", entry.get("id"))
            return None
        if not isinstance(name, str):
            self.note("entry with several pictures", entry.get("id"))
            return None
        return name

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (self.split, *COCO_FOLDERS), ("coco",))

    def pictured(self, i: int) -> Pictured:
        name = self._names[int(self._order[i])]
        return Pictured(self._image(coco_names(name)), same_picture(name))

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        name = self._names[number]
        image = self._image(coco_names(name))
        width, height = image.size
        entries = [e for e in self._entries[number] if isinstance(e, dict) and e.get("image") == name
                   and isinstance(e.get("conversations"), list)]
        return Record(image, width, height, name, self.source, self.split,
                      extra=same_picture(name), **self._said(entries, width, height, note))

    def _said(self, entries: list[dict], width: int, height: int, note: Note) -> dict:
        out = []
        for entry in entries:
            texts = texts_of(entry, note)
            said = self._turns(texts, str(entry.get("id", "")), width, height, note) if texts else None
            if said is not None:
                out.append(said)
        return {"dialogues": tuple(out)}

    def _turns(self, texts: tuple[str, ...], key: str, width: int, height: int, note: Note) -> Turns | None:
        """The texts as a dialogue; None, counted, where they cannot be one."""
        return Turns(texts, key)


def same_picture(name: str) -> dict[str, int]:
    """COCO's or Visual Genome's id of a picture that is theirs."""
    path = PurePosixPath(name)
    coco = _digits.match(path.stem)
    genome = path.parent.name.startswith("VG_100K") and path.stem.isdecimal()
    return {"coco_id": int(coco[1])} if coco else {"vg_id": int(path.stem)} if genome else {}


class LlavaCaptions(Llava):
    """The same layout with one question and one caption an entry; the caption alone is kept."""

    source = "llava-captions"

    def _said(self, entries: list[dict], width: int, height: int, note: Note) -> dict:
        captions = [texts[1] for texts in (texts_of(entry, note) for entry in entries) if texts]
        return {"captions": tuple(dict.fromkeys(captions))}


def texts_of(entry: dict, note: Note) -> tuple[str, ...]:
    """Alternating human and assistant texts, human first; () with its reason counted where the entry is no dialogue."""
    texts: list[str] = []
    for k, turn in enumerate(entry["conversations"]):
        role, value = (turn.get("from"), turn.get("value")) if isinstance(turn, dict) else (None, None)
        text = _mark.sub("\n", value).strip() if isinstance(value, str) else ""
        if not isinstance(role, str) or ROLES.get(role) != k % 2:
            note("dialogue that does not alternate human, gpt", f"entry {entry.get('id')}: turn {k} is {role!r}")
            return ()
        if not text:
            note("dialogue with an empty turn", f"entry {entry.get('id')}: turn {k}")
            return ()
        texts.append(text)
    if len(texts) % 2:
        note("dialogue ends with a question: the question is left out", f"entry {entry.get('id')}")
        texts.pop()
    return tuple(texts)


def handle(number: int, texts: tuple[str, ...]) -> str:
    """A handle for a region that stands in none of the texts."""
    name = f"<r{number}>"
    while any(name in text for text in texts):
        name = f"<{name}>"
    return name
