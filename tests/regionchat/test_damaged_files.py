"""Damaged copies of every file region dialogues and their measurements read: an error that teaches, or nothing lost."""

import copy
import json
from functools import partial

import numpy as np
import pytest

from loupe.endpoint import Cache, Ledger
from loupe.endpoint.reply import Reply
from loupe.errors import LoupeError
from loupe.evals.boxes_asked import read_boxes
from loupe.readers.records import Records
from loupe.record import Object, Word
from loupe.regionchat import Bounds, Settings, run, seeds
from loupe.regionchat.checks import faults
from loupe.regionchat.grammar import write
from loupe.regionchat.listing import listed
from loupe.regions import Box
from loupe.stored import from_stored
from loupe.writers.records import write_records
from tests.handmade import kitchen

VALUES = (None, 17, -1, 2.5, "x", [[]], {"a": 1}, True, float("nan"), float("inf"), 10**30, [None, 3], "", "\ud800")
BYTES = (b"", b"[" * 200_000, b"9" * 5000, b"[1]", b"17", b"null", b'{"a": ', b"\xff\xfe{}",
         '{"é": 1}'.encode("latin-1"), "{}".encode("utf-16"), b'{"a": NaN}')


def paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*at, key))


def damaged(data, rng, values=VALUES):
    """One value replaced or one key dropped."""
    every = [p for p in paths(data) if p]
    *way, last = every[int(rng.integers(len(every)))]
    owner = made = copy.deepcopy(data)
    for key in way:
        owner = owner[key]
    if isinstance(owner, dict) and rng.random() < 0.3:
        del owner[last]
    else:
        owner[last] = values[int(rng.integers(len(values)))]
    return made


def survives(read):
    """It reads, or says what is wrong."""
    try:
        return read()
    except LoupeError as error:
        assert error.what and (error.got is not None or error.where is not None or error.do)
        return None


@pytest.mark.parametrize("raw", [False, True])
def test_seed_examples(raw, tmp_path):
    source = sorted(seeds.BUILT_IN.glob("*.json"))[0]
    data, rng = json.loads(source.read_text("utf-8")), np.random.default_rng(1)
    path = tmp_path / "one.json"
    for made in BYTES if raw else [json.dumps(damaged(data, rng)).encode() for _ in range(150)]:
        path.write_bytes(made)
        survives(lambda: seeds.read(tmp_path))


@pytest.mark.parametrize("raw", [False, True])
def test_found_boxes(raw, tmp_path):
    data = [{"image_id": k % 2, "bbox": [1, 2, 3 + k, 4], "score": 0.5} for k in range(4)]
    path, rng = tmp_path / "boxes.json", np.random.default_rng(2)
    for made in BYTES if raw else [json.dumps(damaged(data, rng)).encode() for _ in range(150)]:
        path.write_bytes(made)
        found = survives(lambda: read_boxes(path))
        assert found is None or sum(map(len, found.values())) == 4 or made in (b"[]",)


def test_odd_records_are_written_about_or_not(tmp_path):
    """Whatever a record's texts are, rules write what passes their own checks."""
    thing = Object("t", Box(0, 50, 100, 100), ("table",), ("red", "standing"))
    write_records([kitchen(objects=(thing, *kitchen().objects[:2]), words=(Word("STOP", thing.box, "t"),))], tmp_path)
    line, rng = json.loads((tmp_path / "train.jsonl").read_text()), np.random.default_rng(6)
    line["objects"][1]["names"], odd = [" "], (" ", "<r2>", "\n\t", "two", ".", "the", "of", "are", "sitting", "0")
    read = 0
    for k in range(200):
        made = survives(lambda: from_stored(damaged(line, rng, (*VALUES, *odd)), tmp_path, "a line"))
        told = listed(made) if made is not None else None
        talk = write(told, np.random.default_rng(k)) if told is not None else None
        assert talk is None or faults(talk, told, Bounds()) == [], talk
        read += talk is not None
    assert read > 25


@pytest.fixture
def done(tmp_path):
    """A finished run by rule over three pictures."""
    write_records([kitchen(id=str(k), dialogues=()) for k in range(3)], tmp_path / "data")
    out = tmp_path / "out"
    run(Records(tmp_path / "data", "train"), out, Settings("grammar"))
    return Records(tmp_path / "data", "train"), out


@pytest.mark.parametrize("name", ["plan.json", "outcomes.jsonl"])
def test_a_damaged_run_is_refused_or_gone_on_with(name, done):
    """Every picture has its dialogues again, or the line that cannot be read is named."""
    reader, out = done
    path, rng = out / name, np.random.default_rng(3)
    original = path.read_bytes()
    rows = [json.loads(line) for line in original.splitlines()] if name.endswith("l") else [json.loads(original)]
    passed = json.loads((out / "manifest.json").read_text())["counts"]["dialogues that passed"]
    copies = [*BYTES, *(b"".join(json.dumps(row).encode() + b"\n" for row in (damaged(rows[0], rng), *rows[1:]))
                        for _ in range(60))]
    for made in copies:
        path.write_bytes(made)
        again = survives(lambda: run(reader, out, Settings("grammar")))
        if again is not None:
            counts = again.manifest["counts"]
            assert counts["pictures"] == 3 and counts["dialogues that passed"] >= passed > 0, made
    path.write_bytes(original)


def test_a_damaged_ledger(tmp_path):
    path, rng = tmp_path / "ledger.jsonl", np.random.default_rng(4)
    row = {"key": "a", "prompt": 10, "answer": 5, "counted": True}
    for made in [*(raw + b"\n" for raw in BYTES), *(json.dumps(damaged(row, rng)).encode() + b"\n" for _ in range(60))]:
        path.write_bytes(made)
        survives(lambda: Ledger(path).summary())


def test_a_damaged_cache(tmp_path):
    """A reply that cannot be read is asked for again; a file that is none is refused."""
    path, rng = tmp_path / "cache.sqlite", np.random.default_rng(5)
    kept = Cache(path)
    kept.put("k", Reply("words", 10, 5))
    stored = Reply("words", 10, 5).stored()
    rows = [*(json.dumps(damaged(stored, rng)) for _ in range(60)), "", "[" * 5000, "null", "[]", "{"]
    for row in rows:
        kept._rows.execute("UPDATE replies SET reply = ?", (row,))
        reply = survives(lambda: kept.get("k"))
        assert reply is None or isinstance(reply.text, str), row
    kept.close()
    whole = path.read_bytes()
    for made in (b"no database at all" * 90, whole[:1000], whole[:-4000] + bytes(4000)):
        path.write_bytes(made)
        for beside in tmp_path.glob("cache.sqlite-*"):
            beside.unlink()
        opened = survives(lambda: Cache(path))
        if opened is not None:
            survives(partial(opened.get, "k"))
            survives(partial(opened.put, "l", Reply("x")))
            opened.close()
