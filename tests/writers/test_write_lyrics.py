"""Lyrics' sources: records -> published layouts -> records, and the world's folders read by the recipe's readers."""

from __future__ import annotations

import tarfile

import pytest

from loupe import world, writers
from loupe.errors import ConfigError
from loupe.readers import reader
from loupe.tasks import task
from loupe.world import lyrics
from loupe.writers.coco import file_name
from loupe.writers.numbers import number

COUNT = 24


@pytest.fixture(scope="module")
def scenes():
    return list(world.records(COUNT, 4, "train", world="mini"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("lyrics") / "data"
    world.write(out, COUNT, seed=4, val=20, world="mini", also="lyrics", oddities=0.0)
    return out


@pytest.mark.parametrize("layout, split, key", [
    ("vqa", "train2014", lambda r: r.id), ("gqa", "train", lambda r: r.id),
    ("dvqa", "train", lambda r: f"bar_train_{int(r.id):08d}.png"), ("chartqa", "train", lambda r: f"{r.id}.png")])
def test_questions_come_back(scenes, tmp_path, layout, split, key):
    writers.write_vqa(scenes, tmp_path, layout)
    back = {r.id: r for r in reader(layout)(tmp_path, split)}
    assert set(back) == {key(r) for r in scenes if r.questions}
    for given in scenes:
        if given.questions:
            got = back[key(given)]
            assert [(q.text, q.answers[0]) for q in got.questions] == [(q.text, q.answers[0]) for q in given.questions]
            assert got.image.content_hash == given.image.content_hash


def test_choices_come_back(scenes, tmp_path):
    made = [lyrics.chosen(record) for record in scenes]
    writers.write_vqa(made, tmp_path, "scienceqa")
    back = {r.id: r.questions[0] for r in reader("scienceqa")(tmp_path, "train")}
    for given in made:
        for q in given.questions:
            assert q.answers[0] in q.options and len(set(q.options)) == 4
            same = back[given.id]
            assert (same.text, same.answers, same.options) == (q.text, q.answers, q.options)
    assert len(back) == sum(bool(r.questions) for r in made) > COUNT / 3


def test_captions_come_back_from_shards(scenes, tmp_path):
    writers.write_shards(scenes, tmp_path)
    names = []
    for k in range(4):
        with tarfile.open(tmp_path / f"{k:05d}.tar") as tar:  # somebody else reads them too
            names.append(tar.getnames())
    assert all(names) and sorted(n for some in names for n in some) == sorted(
        f"{number(r.id):09d}{ending}" for r in scenes for ending in (".jpg", ".txt", ".json"))
    records = reader("webdataset")(tmp_path)
    got = {r.id.split("/")[1]: r for r in records}
    assert set(got) == {f"{number(r.id):09d}" for r in scenes} and not records.problems
    for given in scenes:
        same = got[f"{number(given.id):09d}"]
        assert same.captions == given.captions[:1] and same.image.content_hash == given.image.content_hash


def test_spans_come_back_with_their_boxes(scenes, tmp_path):
    writers.write_shards(scenes, tmp_path, spans=True)
    seen = 0
    for record in reader("webdataset")(tmp_path):
        given = next(r for r in scenes if f"{number(r.id):09d}" == record.id.split("/")[1])
        for phrase in record.phrases:
            same = [p for p in given.phrases if p.text.lower() == phrase.text.lower()]
            assert any(max(abs(a - b) for a, b in zip(p.region.box.xyxy, phrase.region.xyxy)) < 1e-9 for p in same)
            seen += phrase.refers
    assert seen > COUNT


def test_some_of_the_web_is_of_other_pictures(scenes):
    said = [lyrics.webbed(record).captions[0] == record.captions[0] for record in scenes]
    assert 0.6 * COUNT <= sum(said) < COUNT
    assert [lyrics.webbed(r).captions for r in scenes] == [lyrics.webbed(r).captions for r in scenes]


def test_every_source_of_the_world_opens_whole(folder):
    train = {"laion": "webdataset", "cc3m": "webdataset", "grit": "webdataset", "vqav2": "vqa", "gqa": "gqa",
             "dvqa": "dvqa", "chartqa": "chartqa", "scienceqa": "scienceqa", "docvqa": "docvqa", "textvqa": "textvqa"}
    for place, name in train.items():
        records = reader(name)(folder / place, "train2014" if name == "vqa" else "train")
        assert len(list(records)) == len(records) > 3 and not records.problems, place
    assert len(reader("vqa")(folder / "vqav2", "val2014")) > 0
    assert {r.image.path.parent.name for r in reader("vqa")(folder / "vqav2", "train2014")} == {"train2017"}
    asked = task("multiple-choice").every(reader("scienceqa")(folder / "scienceqa", "train")[0])
    assert asked[0].extra["truth"] in "ABCD" and "laion/, cc3m/" in (folder / "README.txt").read_text()
    with pytest.raises(ConfigError, match="did you mean 'lyrics'"):
        world.write(folder.parent / "x", 4, also="lyric")


def test_file_names_are_those_of_coco(scenes):
    assert file_name(scenes[0]) == f"{number(scenes[0].id):012d}.jpg"
