"""A picture is known by the same ids and name whether its annotations are parsed or not."""

import pytest
from roots_of_readers import ROOTS

from loupe.data.overlap import keys
from loupe.errors import ImageError
from loupe.readers import reader


@pytest.mark.parametrize("name", sorted(ROOTS))
def test_pictures_are_known_without_parsing(name, tmp_path):
    make, split, _ = ROOTS[name]
    opened = reader(name)(make(tmp_path / "data"), split)
    problems, compared = +opened.problems, 0
    for i in range(len(opened)):
        try:
            record = opened[i]
        except ImageError:
            continue
        known = opened.pictured(i)
        assert (known.image and known.image.path) == (record.image and record.image.path)
        assert keys(known) == keys(record)
        compared += 1
    assert compared and opened.problems >= problems


def test_nothing_annotated_is_read(tmp_path, monkeypatch):
    make, split, _ = ROOTS["visual-genome"]
    opened = reader("visual-genome")(make(tmp_path / "data"), split)
    monkeypatch.setattr(type(opened), "_record", None)
    assert [dict(opened.pictured(i).extra)["vg_id"] for i in range(len(opened))] == [1, 2, 3][:len(opened)]
