"""Instructions and dialogues without pictures, which many mixtures hold so that the language is not forgotten.

Read are Alpaca's {"instruction", "input", "output"}, Orca's {"system_prompt", "question", "response"}, Unnatural
Instructions' {"instances": [{"instruction_with_input", "constraints", "output"}]}, and conversations ("conversations"
of LLaVA and ShareGPT, "messages") whose entry names no picture. One record an entry, its `image` None.
"""

from __future__ import annotations

from pathlib import Path

from loupe.readers.base import Note, Pictured, silent
from loupe.readers.conversations import as_llava
from loupe.readers.entries import Entries, key_text, value_of
from loupe.readers.llava import texts_of
from loupe.readers.stream import Piece
from loupe.record import Record, Turns

UNBOUND = ("", "none", "none.")  # how Unnatural Instructions says that there are no constraints
FORMS = {  # what is asked, in this order, below one another; what is answered
    ("instruction", "output"): ("instruction", "input"),
    ("question", "response"): ("system_prompt", "question"),
}


class Instructions(Entries):
    """`Instructions(root, file="alpaca_data.json")`: a JSON list, or lines if it ends in .jsonl; without `file` the
    split's (train.jsonl, train.json), or the only file in root. Entries about pictures are counted and left to the
    reader of their layout."""

    source = "instructions"
    sized = False
    shows = False
    arrays = ("data",)
    layout = ('entries {"instruction", "input", "output"}, {"question", "response"}, {"instances": [...]} or '
              '{"conversations": [...]}, a JSON list or (.jsonl) one a line')

    def _usual_files(self) -> list[Path]:
        named = [self.root / f"{self.split or 'train'}.{ending}" for ending in ("jsonl", "json")]
        there = sorted([*self.root.glob("*.json"), *self.root.glob("*.jsonl")])
        return [*named, *(there if len(there) == 1 else [])]

    def _folders(self) -> list[Path]:
        return []

    def _has(self, names) -> bool:
        return True  # there is no picture to find

    def _picture(self, piece: Piece) -> str | None:
        """Every entry is a record of its own."""
        entry = value_of(piece)
        if not isinstance(entry, dict) or not _known(entry):
            self._odd(piece)
            return None
        if entry.get("image") or entry.get("images"):
            self.note("entry about a picture", f"byte {piece.at}")
            return None
        return str(piece.at) if said(entry, self.note, f"byte {piece.at}") else None

    def pictured(self, i: int) -> Pictured:
        return Pictured(None)

    def things(self, i: int) -> int:
        return 0

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])  # what is odd about it was counted at opening
        (entry,) = self.entries(number)
        key = key_text(entry.get("id")) or self._pictures[number]
        return Record(None, 0, 0, key, self.source, self.split,
                      dialogues=tuple(Turns(texts, str(k)) for k, texts in enumerate(said(entry, silent, key))))


def _known(entry: dict) -> bool:
    return any(isinstance(entry.get(key), list) for key in ("instances", "conversations", "messages")) or any(
        all(key in entry for key in form) for form in FORMS)


def said(entry: dict, note: Note, where: str) -> list[tuple[str, ...]]:
    """Its dialogues; what is no dialogue is counted."""
    if isinstance(entry.get("instances"), list):
        pairs = [_unnatural(each) for each in entry["instances"]]
    elif any(isinstance(entry.get(key), list) for key in ("conversations", "messages")):
        texts = texts_of(as_llava(entry, note), note)
        return [texts] if texts else []
    else:
        form = next(form for form in FORMS if all(key in entry for key in form))
        pairs = [("\n\n".join(filter(None, (text(entry.get(key)) for key in FORMS[form]))), text(entry[form[-1]]))]
    whole = [pair for pair in pairs if all(pair)]
    if len(whole) < len(pairs) or not pairs:
        note("instruction without words or answer", where)
    return whole


def _unnatural(instance: object) -> tuple[str, str]:
    if not isinstance(instance, dict):
        return "", ""
    asked, bound = text(instance.get("instruction_with_input")), text(instance.get("constraints"))
    return f"{asked} {bound}" if asked and bound.lower() not in UNBOUND else asked, text(instance.get("output"))


def text(value: object) -> str:
    """A text without outer white space, its lines kept; "" of anything else. Halves of characters become question
    marks."""
    return value.encode("utf-8", "replace").decode().strip() if isinstance(value, str) else ""
