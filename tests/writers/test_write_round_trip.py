"""What the writers write the readers read back as it was."""

import pytest

from loupe import world, writers
from loupe.readers import reader
from loupe.world.kinds import CLASSES


@pytest.fixture(scope="module")
def records():
    return list(world.records(25, seed=31))


def wholes(record):
    return sorted((o.id, o.name, o.box.xyxy, o.crowd) for o in record.objects if o.name in CLASSES)


def pixels(o, record):
    from loupe.regions import Mask

    return o.shape.array() if isinstance(o.shape, Mask) else Mask.from_polygons(
        o.shape, record.width, record.height).array()


def test_coco(records, tmp_path):
    writers.write_coco(records, tmp_path, "val2017", categories=writers.categories_of(CLASSES))
    back = reader("coco")(tmp_path, "val2017")
    assert not back.problems and len(back) == len(records)
    for mine, theirs in zip(records, back):
        assert theirs.image.bytes() == mine.image.bytes() and theirs.captions in ((), mine.captions)
        assert wholes(theirs) == wholes(mine) and theirs.exhaustive and set(theirs.vocabulary) <= set(CLASSES)
        known = mine.object_by_id()
        for o in theirs.objects:
            assert (pixels(o, mine) == known[o.id].shape.array()).all()
    captions = reader("coco-captions")(tmp_path, "val2017")
    assert [r.captions for r in captions] == [r.captions for r in records]


@pytest.mark.parametrize("version", ["1.0", "1.2", "1.4"])
def test_visual_genome(records, tmp_path, version):
    writers.write_visual_genome(records, tmp_path, version)
    back = reader("visual-genome")(tmp_path)
    assert not back.problems and len(back) == len(records)
    for mine, theirs in zip(records, back):
        assert sorted((o.id, o.name, o.box.xyxy) for o in theirs.objects) == sorted(
            (o.id, o.name, o.box.xyxy) for o in mine.objects)
        assert {o.id: o.attributes for o in theirs.objects} == {o.id: o.attributes for o in mine.objects}
        assert sorted(map(repr, theirs.relations)) == sorted(map(repr, mine.relations))
        assert [(p.text, p.region.box) for p in theirs.phrases] == [(p.text, p.region.box) for p in mine.phrases]
        assert [(q.text, q.answers) for q in theirs.questions] == [(q.text, q.answers) for q in mine.questions]


def test_objects365(records, tmp_path):
    writers.write_objects365(records, tmp_path, "val", categories=writers.categories_of(CLASSES))
    back = reader("objects365")(tmp_path, "val")
    assert not back.problems
    assert [wholes(r) for r in back] == [wholes(r) for r in records]


def test_refer_means_the_same_objects(records, tmp_path):
    writers.write_coco(records, tmp_path / "coco", "train2017")
    writers.write_refer({"train": records}, tmp_path / "refer" / "refcoco")
    back = reader("refer")(tmp_path / "refer", "train", dataset="refcoco")
    assert not back.problems and len(back)
    known = {r.id: r for r in records}
    for theirs in back:
        mine = known[theirs.id]
        texts = {(p.text.lower(), p.object) for p in mine.phrases if p.refers}
        for phrase in theirs.phrases:
            assert phrase.refers and (phrase.text, phrase.object) in texts
            assert phrase.region.box == mine.object_by_id()[phrase.object].box


def test_llava(records, tmp_path):
    writers.write_llava(records, tmp_path)
    back = reader("llava")(tmp_path)
    assert len(back) == len(records) and not back.problems
    for mine, theirs in zip(records, back):
        (dialogue,) = theirs.dialogues
        assert dialogue.texts[1] == mine.captions[0] and len(dialogue.texts) % 2 == 0
