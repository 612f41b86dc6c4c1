"""Open questions about photos and charts: VQAv2 and OK-VQA, GQA, DVQA, ChartQA. One record a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loupe.errors import FileError, unknown_name
from loupe.readers.base import Note, words
from loupe.readers.entries import Entries, distinct, key_text, question_of, ranked, said_by_each, value_of
from loupe.readers.index import Collector, Index, is_id
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Piece, Stream, missing_file
from loupe.record import Question, Record


class Vqa(Entries):
    """`Vqa(root, "train2014")`: the questions and the annotations file, joined by question_id. VQAv2's files or, where
    those are not there, OK-VQA's. The answer most annotators gave is first; OK-VQA's are taken as they were typed.

    `Question.votes` are what the published scorer counts, of OK-VQA the lemmas; with raw=True what was typed.
    """

    source = "vqa"
    sized = False
    usual_split = "train2014"
    arrays = ("questions",)
    layout = '{"questions": [{"image_id", "question", "question_id"}, ...]}'

    def __init__(self, root, split: str = "", *, raw: bool = False, **options):
        self.raw = raw
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        names = [f"{version}OpenEnded_mscoco_{self.split}_questions.json" for version in ("v2_", "")]
        return [self.root / place / name for name in names for place in ("", "questions", "annotations")]

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (self.split, *COCO_FOLDERS), ("coco", "coco2014", "mscoco"))

    def _gather(self, path: Path) -> None:
        self._answers = self._annotations(path)
        super()._gather(path)

    def _annotations(self, questions: Path) -> Index:
        """Which bytes of the other file belong to which picture."""
        name = questions.name.replace("OpenEnded_", "").replace("_questions", "_annotations")
        path = next((p for place in (questions.parent, self.root, self.root / "annotations")
                     if (p := place / name).is_file() and p != questions), None)
        if path is None:
            raise missing_file(questions.parent / name)
        stream, found = Stream(path), Collector()
        for piece in stream:
            if piece.key != "annotations" or stream.keys.get("annotations") != "array":
                continue
            if isinstance(piece.value, dict) and is_id(piece.value.get("image_id")):
                found.add(piece.value["image_id"], piece.at, piece.size)
            else:
                self._odd(piece)
        if stream.keys.get("annotations") != "array":
            raise FileError("annotation file is of another layout", where=path, got=f"{stream.top} of "
                            f"{', '.join(list(stream.keys)[:6]) or 'nothing'}",
                            expected='{"annotations": [{"question_id", "image_id", "answers"}, ...]}')
        self._digests[path.name] = stream.hash
        return found.index(path)

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not is_id(entry.get("image_id")) or entry["image_id"] < 0:
            self._odd(piece)
            return None
        if not words(entry.get("question")):
            self.note("question without words or answer", f"byte {piece.at}: {piece.raw[:60]}")
            return None
        if entry["image_id"] not in self._answers:
            self.note("question without annotated answers", entry.get("question_id"))
            return None
        return str(entry["image_id"])

    def _names(self, picture: str) -> tuple[str, ...]:
        return coco_names(f"{int(picture):012d}")

    def _ids(self, picture: str) -> dict[str, int]:
        return {"coco_id": int(picture)}

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        return Record(image, *image.size, picture, self.source, self.split,
                      questions=distinct(self._questions(number, int(picture), note)), extra=self._ids(picture))

    def _questions(self, number: int, picture: int, note: Note) -> Iterator[Question]:
        answers = {key_text(line.get("question_id")): line for line in self._answers[picture]
                   if isinstance(line, dict) and line.get("image_id") == picture}
        for entry in self.entries(number):
            if not isinstance(entry, dict) or entry.get("image_id") != picture:
                continue
            key = key_text(entry.get("question_id"))
            found = said(answers[key]) if key in answers else ()
            made = question_of(entry.get("question"), found, key, note, f"question {key}",
                               votes=votes_of(answers[key], self.raw) if found else ())
            if made is not None:
                yield made


def votes_of(line: dict, raw: bool) -> tuple[str, ...]:
    """What each of the ten said: its `answer` or, with `raw`, its `raw_answer` where there is one."""
    lines, first = line.get("answers"), "raw_answer" if raw else "answer"
    return said_by_each([one.get(first, one.get("answer")) for one in lines if isinstance(one, dict)]
                        if isinstance(lines, list) else None)


def said(line: dict) -> tuple[str, ...]:
    """Different answers to a question, the usual one first."""
    lines = line.get("answers")
    given = [one.get("raw_answer", one.get("answer")) for one in lines if isinstance(one, dict)] if isinstance(
        lines, list) else []
    best = words(line.get("multiple_choice_answer"))
    return tuple(dict.fromkeys([*([best] if best else []), *ranked(given)]))


class Gqa(Entries):
    """`Gqa(root, "train_balanced")` reads train_balanced_questions.json: {question id: {"imageId", "question",
    "answer", "fullAnswer", ...}}; the short answer is taken. Pictures lie in images/."""

    source = "gqa"
    sized = False
    usual_split = "train_balanced"
    joined = False
    layout = '{id: {"imageId", "question", "answer"}}'

    def _usual_files(self) -> list[Path]:
        names = [f"{self.split}_questions.json", f"{self.split}_balanced_questions.json"]
        return [self.root / place / name for name in names for place in ("", "questions", "questions1.2")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in ("images", "allImages/images", "")] + usual_folders(
            self.root, ("VG_100K", "VG_100K_2"), ("visual_genome",))

    def _many(self, source, key: str) -> bool:
        return True  # a member a question, a few of each picture

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not key_text(entry.get("imageId")):
            self._odd(piece)
            return None
        if not words(entry.get("question")) or not words(entry.get("answer")):
            self.note("question without words or answer", piece.key)
            return None
        return key_text(entry["imageId"])

    def _names(self, picture: str) -> tuple[str, ...]:
        return (f"{picture}.jpg",)

    def _ids(self, picture: str) -> dict[str, int]:
        return {"vg_id": int(picture)} if picture.isdecimal() else {}  # "n..." are of another collection

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        asked = [question_of(entry.get("question"), ranked(entry.get("answer")), str(k), note, f"picture {picture}")
                 for k, entry in enumerate(self.entries(number)) if isinstance(entry, dict)]
        return Record(image, *image.size, picture, self.source, self.split, questions=tuple(filter(None, asked)),
                      extra=self._ids(picture))


class _Listed(Entries):
    """A list of {question, answer, a picture}."""

    sized = False
    arrays = ("data",)
    keys: tuple[str, str, str] = ("image", "question", "answer")

    def _picture(self, piece: Piece) -> str | None:
        entry, (image, question, answer) = value_of(piece), self.keys
        if not isinstance(entry, dict) or not key_text(entry.get(image)):
            self._odd(piece)
            return None
        if not words(entry.get(question)) or not ranked(entry.get(answer)):
            self.note("question without words or answer", f"byte {piece.at}: {piece.raw[:60]}")
            return None
        return key_text(entry[image])

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        picture, (_, question, answer) = self._pictures[number], self.keys
        image = self._image(self._names(picture))
        asked = (question_of(entry.get(question), ranked(entry.get(answer)), key_text(entry.get("question_id")), note,
                             f"picture {picture}")
                 for entry in self.entries(number) if isinstance(entry, dict))
        return Record(image, *image.size, picture, self.source, self.split,
                      questions=distinct(filter(None, asked)))


class Dvqa(_Listed):
    """`Dvqa(root, "train")` reads train_qa.json (val_easy, val_hard too): [{"image", "question", "answer", ...}]."""

    source = "dvqa"
    usual_split = "train"
    layout = '[{"image", "question", "answer"}, ...]'

    def _usual_files(self) -> list[Path]:
        return [self.root / place / f"{self.split}_qa.json" for place in ("", "qa")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in ("images", "")]


class ChartQa(_Listed):
    """`ChartQa(root, "train", by="human")` reads train/train_human.json, by="augmented" the questions made by a
    machine: [{"imgname", "query", "label"}]. Pictures lie in train/png/."""

    source = "chartqa"
    usual_split = "train"
    layout = '[{"imgname", "query", "label"}, ...]'
    keys = ("imgname", "query", "label")
    BY = ("human", "augmented")

    def __init__(self, root, split: str = "", *, by: str = "human", **options):
        if by not in self.BY:
            raise unknown_name("part of ChartQA", by, self.BY)
        self.by = by
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / place / self.split / f"{self.split}_{self.by}.json" for place in ("", "ChartQA Dataset")]

    def _folders(self) -> list[Path]:
        return [self.root / place / name for place in ("", "ChartQA Dataset")
                for name in (f"{self.split}/png", "png", "images")]


class AiChallenger(Entries):
    """`AiChallenger(root, "train")`: Chinese captions, caption_train_annotations_*.json, [{"image_id", "caption":
    [...]}]; "validation" likewise. Pictures lie in caption_train_images_*/."""

    source = "ai-challenger"
    sized = False
    usual_split = "train"
    arrays = ("data",)
    layout = '[{"image_id", "caption": [...]}, ...]'

    def _usual_files(self) -> list[Path]:
        found = sorted(self.root.glob(f"**/caption_{self.split}_annotations*.json"))
        return found or [self.root / f"caption_{self.split}_annotations_20170902.json"]

    def _folders(self) -> list[Path]:
        return [*sorted(p for p in self.root.glob(f"**/caption_{self.split}_images*") if p.is_dir()),
                self.root / "images"]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not key_text(entry.get("image_id")):
            self._odd(piece)
            return None
        if not captions_of(entry):
            self.note("picture without a caption", entry["image_id"])
            return None
        return key_text(entry["image_id"])

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        said: list[str] = []
        for entry in self.entries(number):
            given = captions_of(entry) if isinstance(entry, dict) else []
            if len(given) != (len(entry["caption"]) if isinstance(entry.get("caption"), list) else 1):
                note("caption without words", f"picture {picture}")
            said += given
        return Record(image, *image.size, picture, self.source, self.split, captions=tuple(dict.fromkeys(said)))


def captions_of(entry: dict) -> list[str]:
    given = entry.get("caption")
    return [text for text in map(words, given if isinstance(given, list) else [given]) if text]

