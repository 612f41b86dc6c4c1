"""IconQA: questions about abstract drawings, with texts to choose from or a word or number to fill in."""

from __future__ import annotations

from pathlib import Path

from loupe.errors import FileError, unknown_name
from loupe.readers.base import Note, words
from loupe.readers.entries import key_text, question_of, ranked, value_of
from loupe.readers.science import SPLITS, ScienceQa, options_of, right_of
from loupe.readers.stream import Piece, read_json
from loupe.record import Record


class IconQa(ScienceQa):
    """`IconQa(root, "test")` reads problems.json, {id: {"question", "choices", "answer": number, "ques_type", ...}},
    and pid_splits.json, {"choose_txt_test": [id, ...]}. kind: of KINDS; answers that are pictures are not read.

    Pictures lie in iconqa/<split>/<kind>/<id>/image.png.
    """

    source = "iconqa"
    usual_split = "test"
    licence = "CC BY-NC-SA 4.0"
    layout = '{id: {"question", "choices", "answer", "ques_type"}}'
    KINDS = ("choose_txt", "fill_in_blank")

    def __init__(self, root, split: str = "", *, kind: str = "choose_txt", **options):
        if split and split not in SPLITS:
            raise unknown_name("split of IconQA", split, SPLITS)
        if kind not in self.KINDS:
            raise unknown_name("kind of IconQA's questions", kind, self.KINDS)
        self.kind = kind
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / place / "problems.json" for place in ("", "iconqa_data", "data/iconqa_data", "data")]

    def _folders(self) -> list[Path]:
        return [self.root / place / "iconqa" / self.split / self.kind
                for place in ("", "iconqa_data", "data/iconqa_data", "data")] + [self.root]

    def _gather(self, path: Path) -> None:
        chosen, name = path.with_name("pid_splits.json"), f"{self.kind}_{self.split}"
        lists, self._digests[chosen.name] = read_json(chosen)
        known = lists.get(name) if isinstance(lists, dict) else None
        if not isinstance(known, list) or not all(map(key_text, known)):
            there = f"an object of {', '.join(list(lists)[:6])}" if isinstance(lists, dict) else str(lists)[:60]
            raise FileError("list of questions is of another layout", got=there, where=chosen,
                            expected=f'{{"{name}": ["7", ...]}}')
        self._chosen, self._known = set(map(key_text, known)), set()
        super()._gather(path)
        for key in sorted(self._chosen - self._known):
            self.note("question of the split is not in the file", key)

    def _picture(self, piece: Piece) -> str | None:
        if piece.key not in self._chosen:
            return None
        self._known.add(piece.key)
        entry = value_of(piece)
        if not isinstance(entry, dict):
            self._odd(piece)
            return None
        if not words(entry.get("question")) or not self._right(entry):
            self.note("question without words or answer", piece.key)
            return None
        self._files[piece.key] = f"{piece.key}/image.png"
        return piece.key

    def _right(self, entry: dict) -> tuple[str, ...]:
        if self.kind == "fill_in_blank":
            return ranked(entry.get("answer"))
        answer = entry.get("answer")
        at = int(answer) if isinstance(answer, str) and answer.isdecimal() else answer
        return tuple(filter(None, (right_of({"choices": entry.get("choices"), "answer": at}),)))

    def _record(self, i: int, note: Note) -> Record:
        key = self._pictures[int(self._order[i])]
        (entry,) = self.entries(int(self._order[i]))[:1]
        image = self._image(self._names(key))
        options = options_of(entry.get("choices")) if self.kind == "choose_txt" else ()
        made = question_of(entry.get("question"), self._right(entry), key, note, key, options=options)
        return Record(image, *image.size, key, self.source, self.split, self.licence,
                      questions=(made,) if made else ())
