"""Questions with answers to choose from: ScienceQA and AI2D. One record a question (ScienceQA) or a diagram (AI2D)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tqdm import tqdm

from loupe.errors import FileError, unknown_name
from loupe.readers.base import Note, Reader, clipped_box, is_number, silent, words
from loupe.readers.entries import Entries, distinct, key_text, question_of, value_of
from loupe.readers.stream import Piece, missing_file, read_json
from loupe.record import Question, Record, Word

SPLITS = ("train", "val", "test")


class ScienceQa(Entries):
    """`ScienceQa(root, "train")` reads problems.json: {id: {"question", "choices", "answer": number, "hint", "image",
    "split", ...}}. Questions without a picture are counted and left out; a hint stands before its question. Pictures
    lie in images/train/<id>/image.png."""

    source = "scienceqa"
    sized = False
    usual_split = "train"
    layout = '{id: {"question", "choices", "answer", "image", "split"}}'

    def __init__(self, root, split: str = "", **options):
        if split and split not in SPLITS:
            raise unknown_name("split of ScienceQA", split, SPLITS)
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / place / "problems.json" for place in ("", "data/scienceqa", "scienceqa")]

    def _gather(self, path: Path) -> None:
        self._files: dict[str, str] = {}  # question -> its picture's file
        super()._gather(path)

    def _folders(self) -> list[Path]:
        return [self.root / place / self.split for place in ("images", "data/scienceqa/images", "")]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not piece.key or not isinstance(entry, dict) or entry.get("split") not in SPLITS:
            self._odd(piece)
            return None
        if entry["split"] != self.split:
            return None
        if not key_text(entry.get("image")):
            self.note("question without a picture", piece.key)
            return None
        if right_of(entry) is None or not words(entry.get("question")):
            self.note("question without words or answer", piece.key)
            return None
        self._files[piece.key] = f"{piece.key}/{key_text(entry['image'])}"
        return piece.key

    def _names(self, picture: str) -> tuple[str, ...]:
        return (self._files[picture],)

    def _has(self, names) -> bool:
        """All files are called image.png: one in another question's folder is another picture."""
        found = self.pictures.find(names)
        if found is not None and found.parent.name != names[0].split("/")[0]:
            self._unfound += 1
            self.note("picture not found", names[0])
            return False
        return super()._has(names)

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        key = self._pictures[number]
        (entry,) = self.entries(number)[:1]
        image = self._image(self._names(key))
        hint = words(entry.get("hint"))
        text = f"{hint} {words(entry['question'])}" if hint else entry["question"]
        made = question_of(text, (right_of(entry),), key, note, key, options=options_of(entry["choices"]),
                           topics=tuple(filter(None, (words(entry.get(k)) for k in ("subject", "topic")))))
        return Record(image, *image.size, key, self.source, self.split, questions=(made,) if made else ())


def options_of(choices: object) -> tuple[str, ...]:
    return tuple(map(words, choices)) if isinstance(choices, list) else ()


def right_of(entry: dict) -> str | None:
    """The choice that is the answer; None where there is none, or where it cannot be told from another."""
    options, at = options_of(entry.get("choices")), entry.get("answer")
    fits = type(at) is int and 0 <= at < len(options) and all(options) and len(set(options)) == len(options) > 1
    return options[at] if fits else None


class Ai2d(Reader):
    """`Ai2d(root, "train")`: questions/<picture>.json, annotations/<picture>.json (printed words) and images/.

    Splits need ai2d_test_ids.csv ("test" are the pictures it names); "" is all of them. Questions about letters that
    stand only on other copies of the diagrams (`abcLabel`) are counted and left out.
    """

    source = "ai2d"
    sized = False

    def __init__(self, root, split: str = "", *, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        if split not in ("", "train", "test"):
            raise unknown_name("split of AI2D", split, ("", "train", "test"))
        folder = next((p for p in (self.root / "questions", self.root / "ai2d/questions") if p.is_dir()), None)
        if folder is None:
            raise missing_file(self.root / "questions" / "0.png.json")
        if not any(folder.glob("*.json")):
            raise missing_file(folder / "0.png.json")
        self.base, test = folder.parent, self._test() if split else set()
        self._files: list[tuple[str, Path]] = []
        for path in tqdm(sorted(folder.glob("*.json"), key=lambda p: (len(p.name), p.name)), desc="ai2d", delay=2,
                         disable=None, leave=False, unit="picture"):
            name = path.name.removesuffix(".json")
            if split and (name.partition(".")[0] in test) != (split == "test"):
                continue
            if self._asked(path, self.note) and self._has((name,)):
                self._files.append((name, path))
        self._ready(len(self._files))

    def _folders(self) -> list[Path]:
        return [self.root / place for place in ("images", "ai2d/images")]

    def _test(self) -> set[str]:
        path = next((p for p in (self.root / "ai2d_test_ids.csv", self.root / "ai2d/ai2d_test_ids.csv")
                     if p.is_file()), None)
        if path is None:
            raise missing_file(self.root / "ai2d_test_ids.csv")
        data = path.read_bytes()
        found = {line.strip().partition(b".")[0].decode("utf-8", "replace") for line in data.splitlines()} - {""}
        if not found:
            raise FileError("file names no picture", got="no line", expected="an id a line", where=path)
        self._digests[path.name] = hashlib.sha256(data).hexdigest()
        return found

    def _asked(self, path: Path, note: Note) -> list[Question]:
        data, digest = read_json(path)
        self._digests[path.name] = digest
        lines = data.get("questions") if isinstance(data, dict) else None
        if not isinstance(lines, dict):
            raise FileError("annotation file is of another layout", got=str(data)[:60], where=path,
                            expected='{"imageName", "questions": {text: {"answerTexts", "correctAnswer"}}}')
        out = []
        for text, line in lines.items():
            where = f"{path.name}: {text[:40]}"
            if not isinstance(line, dict):
                note("question of another form", where)
                continue
            if line.get("abcLabel") is True:
                note("question about letters that are not drawn", where)
                continue
            right = right_of({"choices": line.get("answerTexts"), "answer": line.get("correctAnswer")})
            made = question_of(text, (right,) if right else (), key_text(line.get("questionId")), note, where,
                               options=options_of(line.get("answerTexts")))
            out += [made] if made is not None else []
        return list(distinct(out))

    def _record(self, i: int, note: Note) -> Record:
        name, path = self._files[i]
        image = self._image((name,))
        width, height = image.size
        return Record(image, width, height, name, self.source, self.split, questions=tuple(self._asked(path, silent)),
                      words=tuple(self._printed(name, width, height, note)))

    def _printed(self, name: str, width: int, height: int, note: Note):
        path = self.base / "annotations" / f"{name}.json"
        if not path.is_file():
            return
        try:
            texts = json.loads(path.read_bytes()).get("text")
        except (ValueError, RecursionError, AttributeError):
            note("annotation of a diagram cannot be read", path.name)
            return
        for key, line in texts.items() if isinstance(texts, dict) else ():
            text, corners = (words(line.get("value")), line.get("rectangle")) if isinstance(line, dict) else ("", None)
            flat = [v for corner in corners for v in corner] if isinstance(corners, list) and all(
                isinstance(corner, list) for corner in corners) else []
            if not text or len(flat) != 4 or not all(map(is_number, flat)):
                note("printed word of another form", f"{path.name}: {key}")
                continue
            box = clipped_box(flat[0], flat[1], flat[2] - flat[0], flat[3] - flat[1], width, height, note,
                              f"{path.name}: {key}")
            if box is not None:
                yield Word(text, box)
