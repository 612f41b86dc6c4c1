"""A folder that belongs to one run."""

import json

import pytest

from loupe.errors import FileError
from loupe.writers.plan import PLAN, claim

WHAT = "another painting lies here"


def test_the_same_plan_goes_on(tmp_path):
    plan = {"model": "mini", "sizes": (2, 3), "name": "Zürich"}
    claim(tmp_path / "out", plan, WHAT)
    before = (tmp_path / "out" / PLAN).read_bytes()
    (tmp_path / "out" / "picture.png").write_bytes(b"painted")
    claim(tmp_path / "out", plan, WHAT)
    assert (tmp_path / "out" / PLAN).read_bytes() == before
    assert json.loads(before) == {**plan, "sizes": [2, 3]}


def test_another_plan_is_refused_by_what_differs(tmp_path):
    claim(tmp_path, {"model": "mini", "sizes": {"rows": 2}}, WHAT)
    with pytest.raises(FileError, match=rf"{WHAT}: got sizes.rows \(2 -> 3\), in .*{PLAN}; give another --out"):
        claim(tmp_path, {"model": "mini", "sizes": {"rows": 3}}, WHAT)


def test_what_belongs_to_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    for place in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(FileError, match="among other files"):
            claim(place, {}, WHAT)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / PLAN).write_text('{"model": ')
    with pytest.raises(FileError, match="cannot read"):
        claim(tmp_path / "torn", {}, WHAT)
