"""Damaged copies of every reader's fixture: an error that teaches, or records with everything lost counted."""

import copy
import json
import pickle
from collections import Counter

import numpy as np
import pytest
from roots_of_readers import ROOTS

from loupe.errors import LoupeError
from loupe.readers import reader
from loupe.tasks import task

EACH = 24  # damaged copies of every annotation file
VALUES = (None, 17, -1, 2.5, "x", [[]], {"a": 1}, True, float("nan"), float("inf"), 10**30, [None, 3], "../../../etc/x",
          "", "/etc/passwd", "[1]", "\ud800")
KEYED = {  # names of so many levels are ids
    "ocr-vqa": 1, "art": 1, "pointqa-looktwice": 1, "vizwiz-grounding": 1, "mm-vet": 1, "coco-text": 2,
    "gqa": 1, "scienceqa": 1, "ai2d": 2, "pointqa-local": 1, "iconqa": 1}
TASKS = [task(name, **options) for name, options in (
    ("region", {}), ("reading", {"forms": ("point", "box", "polygon")}), ("question", {"style": "short"}),
    ("region-question", {}), ("dialogue", {"forms": ("point", "box")}), ("caption", {}), ("description", {}),
    ("counting", {}), ("relation", {}), ("inventory", {}), ("judgement", {}), ("which-region", {}),
    ("multiple-choice", {}), ("grounded-caption", {}), ("detection", {"kinds": ("phrase", "sentence")}))]


def content(records) -> Counter:
    out = Counter(records=len(records))
    for r in records:
        for kind in ("objects", "phrases", "relations", "captions", "questions", "words", "dialogues", "sentences"):
            out[kind] += len(getattr(r, kind))
    return out


def paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, inner in items:
        yield from paths(inner, (*at, key))


def damaged(data, name: str, rng):
    """One value replaced, or one key dropped (never a whole entry: files may hold fewer)."""
    every = [p for p in paths(data) if p]
    at = every[int(rng.integers(len(every)))]
    made = copy.deepcopy(data)
    owner = made
    for key in at[:-1]:
        owner = owner[key]
    if isinstance(owner, dict) and len(at) > KEYED.get(name, 0) and rng.random() < 0.3:
        del owner[at[-1]]
    else:
        owner[at[-1]] = VALUES[int(rng.integers(len(VALUES)))]
    return made, at


def read(name, root, split):
    opened = reader(name)(root, split)
    found = list(opened)
    for record in found:
        for each in TASKS:
            each.every(record)
            each(record, np.random.default_rng(0))
    return opened, content(found)


def check(name, root, split, whole, why):
    """`whole`: (problems, content) of the undamaged folder."""
    try:
        opened, found = read(name, root, split)
    except LoupeError as error:
        assert error.what and (error.got is not None or error.where is not None or error.do), why
        assert "Traceback" not in str(error)
        return
    if whole[1] - found:
        assert opened.problems - whole[0], f"{why}: lost {dict(whole[1] - found)} without a word"


def loaded(path):
    if path.suffix == ".p":
        return pickle.loads(path.read_bytes()), lambda value: pickle.dumps(value, 2)
    text = path.read_text("utf-8")
    if path.suffix in (".xml", ".txt"):  # a line each, none of them empty
        return text.splitlines(), lambda value: "".join(f"{line or None}\n" for line in value).encode(
            "utf-8", "replace")
    if path.suffix == ".tsv":
        return [line.split("\t") for line in text.splitlines()], lambda value: "".join(
            "\t".join(map(str, line if isinstance(line, list) else [line])) + "\n" for line in value).encode(
                "utf-8", "replace")
    try:
        return json.loads(text), lambda value: json.dumps(value).encode()
    except json.JSONDecodeError:  # a value a line
        return [json.loads(line) for line in text.splitlines()], lambda value: "".join(
            json.dumps(line) + "\n" for line in value).encode()


def wrong_values(path, name, rng):
    """Copies of a file in which a value is another or a key is gone, and where."""
    data, dump = loaded(path)
    for _ in range(EACH):
        made, at = damaged(data, name, rng)
        yield dump(made), at


def damaged_bytes(path, name, rng):
    """Copies of a file that are cut, flipped, of another encoding, or no data at all, and how each begins."""
    original = path.read_bytes()
    cuts = [original[:int(k)] for k in rng.integers(1, len(original), 4)]
    flipped = bytearray(original)
    flipped[int(rng.integers(len(original)))] ^= 0x80
    copies = [*cuts, bytes(flipped), original + b"]", b"\xff\xfe" + original, b"[" * 200_000, b"9" * 5000]
    if path.suffix != ".p":
        text = json.dumps(loaded(path)[0], ensure_ascii=False)
        copies += [text.replace("e", "é").encode("latin-1", "replace"), text.encode("utf-16")]
    return [(data, data[:30]) for data in copies]


@pytest.mark.parametrize("copies", [wrong_values, damaged_bytes])
@pytest.mark.parametrize("name", sorted(ROOTS))
def test_damaged_files(name, copies, tmp_path):
    make, split, files = ROOTS[name]
    root = make(tmp_path / "data")
    opened, found = read(name, root, split)
    whole = opened.problems, found
    rng = np.random.default_rng([8 if copies is damaged_bytes else 7, len(name)])
    for file in files:
        path = root / file
        original = path.read_bytes()
        for data, why in copies(path, name, rng):
            path.write_bytes(data)
            check(name, root, split, whole, f"{file}: {why}")
        path.write_bytes(original)


@pytest.mark.parametrize("name", sorted(ROOTS))
def test_pictures_that_are_none_are_counted(name, tmp_path):
    """A link that leads nowhere, one that leads out of the folder to no picture, and an empty file."""
    make, split, _ = ROOTS[name]
    root = make(tmp_path / "data")
    opened, found = read(name, root, split)
    whole = opened.problems, found
    (tmp_path / "secret.txt").write_text("no picture")
    for path in [p for p in sorted(tmp_path.rglob("*")) if p.suffix in (".jpg", ".png")]:
        kept = path.read_bytes()
        for target in (tmp_path / "nowhere.jpg", tmp_path / "secret.txt", None):
            path.unlink()
            path.symlink_to(target) if target else path.write_bytes(b"")
            check(name, root, split, whole, f"{path.name} -> {target}")
        path.unlink()
        path.write_bytes(kept)
