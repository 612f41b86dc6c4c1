"""A-OKVQA: questions about COCO's photos that need knowledge of the world, each with four choices and ten answers."""

from __future__ import annotations

from pathlib import Path

from loupe.readers.base import Note, silent, words
from loupe.readers.entries import Entries, distinct, key_text, ranked, said_by_each, value_of
from loupe.readers.index import is_id
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.science import options_of, right_of
from loupe.readers.stream import Piece
from loupe.record import Question, Record


class AOkVqa(Entries):
    """`AOkVqa(root, "train")` reads aokvqa_v1p0_train.json: [{"image_id", "question_id", "question", "choices",
    "correct_choice_idx", "direct_answers", "difficult_direct_answer", "rationales"}]. Pictures are COCO's of 2017.

    The right choice is the first answer, those given without choices follow, the usual one first. They are `votes`,
    too, where the question counts as one that can be answered so. Questions without answers (the test split's) are
    left out and counted. Rationales are not read: a record has no place for them.
    """

    source = "aokvqa"
    sized = False
    usual_split = "train"
    arrays = ("data",)
    layout = '[{"image_id", "question_id", "question", "choices", "correct_choice_idx", "direct_answers"}, ...]'

    def _usual_files(self) -> list[Path]:
        return [self.root / place / f"aokvqa_v1p0_{self.split}.json" for place in ("", "annotations")]

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (f"{self.split}2017", *COCO_FOLDERS), ("coco", "coco2017", "mscoco"))

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not is_id(entry.get("image_id")) or entry["image_id"] < 0:
            self._odd(piece)
            return None
        return str(entry["image_id"]) if self._asked(entry, self.note) else None

    def _names(self, picture: str) -> tuple[str, ...]:
        return coco_names(f"{int(picture):012d}")

    def _ids(self, picture: str) -> dict[str, int]:
        return {"coco_id": int(picture)}

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        asked = (self._asked(entry, silent) for entry in self.entries(number)
                 if isinstance(entry, dict) and entry.get("image_id") == int(picture))
        return Record(image, *image.size, picture, self.source, self.split,
                      questions=distinct(filter(None, asked)), extra=self._ids(picture))

    @staticmethod
    def _asked(entry: dict, note: Note) -> Question | None:
        """None, with its reason counted, without words or without any answer."""
        key, given = key_text(entry.get("question_id")), entry.get("direct_answers")
        right = right_of({"choices": entry.get("choices"), "answer": entry.get("correct_choice_idx")})
        direct = ranked(given) if isinstance(given, list) else ()
        text = words(entry.get("question"))
        if not text or not (right or direct):
            note("question without words or answer", f"question {key}")
            return None
        if right is None:
            note("question without a right choice: asked openly", f"question {key}")
        votes = said_by_each(given) if entry.get("difficult_direct_answer") is False else ()
        return Question(text, tuple(dict.fromkeys(([right] if right else []) + list(direct))), key, votes=votes,
                        options=options_of(entry.get("choices")) if right else ())
