"""LLaVA's conversations: one JSON list of {id, image, conversations}."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.record import Record
from loupe.writers.coco import file_name
from loupe.writers.files import Document, Entry, write
from loupe.writers.numbers import number

REQUESTS = ("Say briefly what this picture shows.", "What can be seen here?", "Which things are in this picture?",
            "Give a short description of the picture.", "Tell me in one sentence what is in the image.")
TURNS = 4  # questions after the description


class Llava:
    """A record's own dialogues, or one made of its captions and questions."""

    def __init__(self, file: str = "chat.json", under: str = "", folder: str = ""):
        self.path, self.under, self.folder = under + file, under, folder
        self.documents = (Document(self.path),)

    def pictures(self, record: Record) -> Iterator[str]:
        yield f"{self.under}{self.folder}{file_name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        stem = Path(file_name(record)).stem
        for k, texts in enumerate(self._dialogues(record)):
            turns = [{"from": ("human", "gpt")[at % 2], "value": text} for at, text in enumerate(texts)]
            if "<image>" not in turns[0]["value"]:
                mark = ("<image>\n{}", "{}\n<image>")[number(record.id) % 2]
                turns[0] = {"from": "human", "value": mark.format(turns[0]["value"])}
            yield self.path, "", {"id": stem if k == 0 else f"{stem}-{k}", "image": self.folder + file_name(record),
                                  "conversations": turns}

    @staticmethod
    def _dialogues(record: Record) -> Iterator[tuple[str, ...]]:
        if record.dialogues:
            for dialogue in record.dialogues:
                yield dialogue.texts
            return
        texts: list[str] = []
        if record.captions:
            texts += [REQUESTS[number(record.id) % len(REQUESTS)], record.captions[0]]
        for question in record.questions[:TURNS]:
            if question.answers:
                texts += [question.text, question.answers[0]]
        if texts:
            yield tuple(texts)


def write_llava(records: Iterable[Record], root: Path | str, file: str = "chat.json", *, pictures: bool = True) -> int:
    """Write chat.json under `root`, pictures beside it; returns the number of records read."""
    return write([Llava(file)], records, root, pictures)
