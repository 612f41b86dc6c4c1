"""A large annotation file is passed over once: by the first of several processes, and not again the next time."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest
from layouts import coco

from loupe.readers import reader
from loupe.readers import scan as module
from loupe.readers.scan import scanned


@pytest.fixture
def root(tmp_path, monkeypatch):
    """COCO with every kind of oddity an instances file may have; every file counts as large."""
    monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setenv("LOUPE_CACHE", str(tmp_path / "cache"))
    root = coco(tmp_path / "data")
    path = root / "annotations/instances_val2017.json"
    data = json.loads(path.read_text())
    first = data["images"][0]
    data["images"] += [first, first, {"id": "x"}, {**first, "id": 77, "width": 0},
                       {**first, "id": 78, "file_name": "é"}]
    data["annotations"] += [{"image_id": None}, *({**data["annotations"][0], "image_id": 900 + k} for k in range(8))]
    data["licenses"] = [{"id": 4, "name": "CC BY"}]
    path.write_text(json.dumps(data))
    return root


@pytest.fixture
def unread(monkeypatch):
    """Nothing is passed over any more."""
    def forbid():
        monkeypatch.setattr("loupe.readers.instances.Stream", lambda path: pytest.fail(f"{path} is read again"))
    return forbid


def told(root, **options) -> tuple:
    made = reader("coco")(root, "val2017", **options)
    return list(made), dict(made.problems), made.examples, made.hash


@pytest.mark.parametrize("options", [{}, {"missing": "keep"}])
def test_what_is_kept_is_what_was_found(root, tmp_path, monkeypatch, unread, options):
    with monkeypatch.context() as none:
        none.setenv("LOUPE_CACHE", "")
        plain = told(root, **options)
    assert not (tmp_path / "cache").exists()
    first = told(root, **options)
    unread()
    assert told(root, **options) == first == plain
    assert plain[1]["image id given twice"] == 2 and plain[1]["annotations of a picture the file does not list"] == 8
    assert {"annotation without image_id", "image entry without width and height"} <= plain[1].keys()


def test_pictures_are_looked_for_anew(root, unread):
    before = told(root)
    unread()
    next((root / "val2017").glob("*.jpg")).unlink()
    assert len(told(root)[0]) == len(before[0]) - 1


def test_a_file_that_changed_is_read_again(root):
    before = told(root)
    path = root / "annotations/instances_val2017.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "annotations": data["annotations"][1:]}))
    after = told(root)
    assert after[3] != before[3] and after[0] != before[0]
    text = path.read_text()
    path.write_text(text.replace("CC BY", "CC XY"))  # of the same size
    os.utime(path, ns=(1, 1))
    assert told(root)[3] != after[3]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_damage_is_mended(root, tmp_path, damage):
    before = told(root)
    for path in (tmp_path / "cache/scans").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-400] if damage is None else damage)
    assert told(root) == before
    assert not list((tmp_path / "cache/scans").glob("*.new"))


def test_without_a_place_to_keep_it(root, tmp_path, monkeypatch):
    before = told(root)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOUPE_CACHE", str(tmp_path / "file"))
    assert told(root) == before


def test_small_files_are_not_kept(root, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1 << 20)
    told(root)
    assert not (tmp_path / "cache").exists()


def test_of_several_one_reads_and_the_others_wait(root):
    from loupe.readers.instances import _scan

    path, calls, out = root / "annotations/instances_val2017.json", [], []

    def slow(path):
        calls.append(1)
        time.sleep(0.3)
        return _scan(path, True)

    threads = [threading.Thread(target=lambda: out.append(scanned(path, slow, "x").hash)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and len(out) == 3 and len(set(out)) == 1
