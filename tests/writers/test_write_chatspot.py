"""ChatSpot's sources: records -> published layouts -> records, and the world's folders read by the recipe's readers."""

import json

import numpy as np
import pytest

from loupe import world, writers
from loupe.errors import ConfigError, FileError
from loupe.readers import reader
from loupe.regions import Polygon
from loupe.tasks import task
from loupe.world import chatspot
from loupe.writers.numbers import number
from loupe.writers.text_questions import OcrVqa, TextVqa

COUNT = 30


@pytest.fixture(scope="module")
def scenes():
    return list(world.records(COUNT, 4, "train", world="mini"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("chatspot") / "data"
    world.write(out, COUNT, seed=4, val=20, world="mini", also="chatspot", oddities=0.0)
    return out


@pytest.mark.parametrize("layout, key", [
    ("ocr-vqa", OcrVqa.book), ("textvqa", TextVqa.name), ("docvqa", lambda r: f"documents/loup{int(r.id):04d}_1.jpg"),
    ("st-vqa", lambda r: f"coco-text/COCO_train2014_{int(r.id):012d}.jpg")])
def test_questions_come_back(scenes, tmp_path, layout, key):
    writers.write_text_questions(scenes, tmp_path, layout)
    back = reader(layout)(tmp_path, "train")
    asked = {key(record): record for record in scenes if record.questions}
    assert {r.id for r in back} == set(asked) and not back.problems
    for got in back:
        given = asked[got.id]
        assert [(q.text, q.answers[0]) for q in got.questions] == [(q.text, q.answers[0]) for q in given.questions]
        assert got.image.content_hash == given.image.content_hash and (got.width, got.height) == got.image.size


@pytest.mark.parametrize("layout", ["coco-text", "hiertext", "art"])
def test_words_and_their_places_come_back(scenes, tmp_path, layout):
    root = tmp_path / "words"
    writers.write_text_regions(scenes, root, layout)
    if layout == "coco-text":
        writers.write_coco(scenes, tmp_path / "coco", "train2017", captions=False)
    back = reader(layout)(root, "train")
    written = {number(record.id): record for record in scenes}
    keys = {"coco-text": int, "hiertext": lambda i: int(i, 16), "art": lambda i: int(i.removeprefix("gt_"))}[layout]
    assert not back.problems
    assert {keys(r.id) for r in back} == {k for k, r in written.items() if r.words or layout != "art"}
    for got in back:
        given = written[keys(got.id)]
        assert [(w.text, w.region.box) for w in got.words] == [(w.text, w.region.box) for w in given.words]
        assert got.image.content_hash == given.image.content_hash


def test_outlines_of_words_come_back(scenes, tmp_path):
    from dataclasses import replace

    ring = Polygon(((3, 4), (30, 6), (28, 20), (10, 22), (2, 18)))
    record = next(r for r in scenes if r.words)
    record = replace(record, words=(replace(record.words[0], region=ring),))
    for layout in ("hiertext", "art"):
        writers.write_text_regions([record], tmp_path / layout, layout)
        assert reader(layout)(tmp_path / layout, "train")[0].words[0].region == ring


def test_questions_about_regions_come_back(scenes, tmp_path):
    made = [chatspot.counted(record) for record in scenes]
    writers.write_looktwice(made, tmp_path, "test")
    back = {r.id: r for r in reader("pointqa-looktwice")(tmp_path, "test")}
    assert set(back) == {r.id for r in made if r.questions} and len(reader("pointqa-looktwice")(tmp_path, "train")) == 0
    for given in made:
        if given.questions:
            assert [(q.text, q.answers, q.region, q.point, q.kind) for q in back[given.id].questions] == [
                (q.text, q.answers, q.region, q.point, q.kind) for q in given.questions]
    outlined = [chatspot.outlined(record) for record in scenes]
    writers.write_vizwiz_grounding(outlined, tmp_path / "vizwiz")
    records = reader("vizwiz-grounding")(tmp_path / "vizwiz", "val")
    assert len(records) == sum(bool(r.questions) for r in outlined) > COUNT / 2 and not records.problems
    assert [r.questions[0].region for r in records] == [r.questions[0].region for r in outlined if r.questions]
    assert [r.questions[0].answers for r in records] == [r.questions[0].answers for r in outlined if r.questions]


def test_the_counts_are_true(scenes):
    seen = 0
    for record in scenes:
        for q in chatspot.counted(record).questions:
            (o,) = [o for o in record.objects if o.box == q.region and o.id == q.id.split(":")[0]]
            assert q.answers == (str(sum(o.name in other.names for other in record.objects)),)
            assert o.shape.array()[int(q.point.y), int(q.point.x)]
            seen += 1
    assert seen > 100


def test_dialogues_with_boxes_come_back(scenes, tmp_path):
    made = [chatspot.talked(record) for record in scenes]
    writers.write_llava_boxes(made, tmp_path)
    records = reader("llava-665k")(tmp_path)
    assert len(records) == COUNT and not records.problems
    for got, given in zip(records, made):
        assert len(got.dialogues) == len(given.dialogues)
        for talk, same in zip(got.dialogues, given.dialogues):
            assert len(talk.texts) == len(same.texts) and len(talk.regions) <= len(same.regions)
            for _, box in talk.regions:  # two decimals of 96 pixels: half a hundredth off
                assert min(np.abs(np.subtract(box.xyxy, other.xyxy)).max() for _, other in same.regions) <= 0.49


def test_every_source_of_the_world_opens_whole(folder):
    train = {"ocr-vqa": "ocr_vqa", "st-vqa": "st_vqa", "docvqa": "docvqa", "textvqa": "textvqa",
             "coco-text": "coco_text", "hiertext": "hiertext", "art": "art", "pointqa-looktwice": "pointqa",
             "records": "regionchat/records", "llava-captions": "llava_cc3m", "llava-665k": "llava_665k"}
    for name, place in train.items():
        records = reader(name)(folder / place, "" if name.startswith("llava") else "train")
        assert len(list(records)) == len(records) > 0 and not records.problems, name
    for name, place, split in (("coco-text", "coco_text", "val"), ("pointqa-looktwice", "pointqa", "test"),
                               ("vizwiz-grounding", "vizwiz_grounding", "val"), ("textvqa", "textvqa", "val"),
                               ("docvqa", "docvqa", "val"), ("ocr-vqa", "ocr_vqa", "val"),
                               ("hiertext", "hiertext", "validation")):
        held = reader(name)(folder / place, split)
        assert len(list(held)) > 0, name
        assert not {r.image.content_hash for r in held} & {
            r.image.content_hash for r in reader(name)(folder / place, "train")} if name in train else True


def test_region_chat_of_the_world_is_true_talk_about_its_objects(folder):
    records = reader("records")(folder / "regionchat/records", "train")
    talks = [(record, talk) for record in records for talk in record.dialogues]
    assert len(talks) > COUNT and any(talk.regions for _, talk in talks)
    for record, talk in talks:
        boxes = {o.box for o in record.objects}
        assert len(talk.texts) % 2 == 0 and {region for _, region in talk.regions} <= boxes
        assert all(any(handle in text for text in talk.texts) for handle, _ in talk.regions)
    sample = task("dialogue", forms=("box",), about="regions")(talks[0][0], np.random.default_rng(0))
    assert sample is None or any(not isinstance(p, str) for t in sample.turns for p in t.parts)


def test_worlds_with_and_without_are_told_apart(folder, tmp_path):
    with pytest.raises(FileError, match="also chatspot"):
        world.write(folder, COUNT, seed=4, val=20, world="mini", oddities=0.0)
    with pytest.raises(ConfigError, match="did you mean 'chatspot'"):
        world.write(tmp_path / "new", 2, also="chat-spot")
    settings = json.loads((folder / "world.json").read_text())
    old = tmp_path / "old"
    world.write(old, 2, seed=1, val=1)
    stored = json.loads((old / "world.json").read_text())
    del stored["also"]  # as written before there was a choice
    (old / "world.json").write_text(json.dumps(stored))
    world.write(old, 2, seed=1, val=1)
    assert settings["also"] == "chatspot" and "ocr_vqa/" in (folder / "README.txt").read_text()
    assert not (old / "ocr_vqa").exists()
