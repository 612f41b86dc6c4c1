"""Records of the world -> published layouts -> records: what was said comes back."""

import pytest

from loupe import writers
from loupe.readers import reader
from loupe.regions import Mask, iou
from loupe.world import records

COUNT = 12


@pytest.fixture(scope="module")
def scenes():
    return list(records(COUNT, 5, "train"))


def by_number(things):
    return {writers.coco.number(thing.id): thing for thing in things}


def same_boxes(got, given, within):
    got, given = by_number(got), by_number(given)
    assert got.keys() == given.keys()
    for key, o in got.items():
        assert o.box.xyxy == pytest.approx(given[key].box.xyxy, abs=within)
        assert o.name == given[key].name and o.crowd == given[key].crowd
        yield o, given[key]


def test_coco(scenes, tmp_path):
    writers.write_coco(scenes, tmp_path, "val2017")
    back = reader("coco")(tmp_path, "val2017")
    assert len(back) == COUNT and not back.problems
    for got, given in zip(back, scenes):
        assert (got.id, got.width, got.height, got.captions) == (given.id, given.width, given.height,
                                                                 tuple(dict.fromkeys(given.captions)))
        crowds = {o.name for o in given.objects if o.crowd}
        assert got.vocabulary == tuple(n for n in given.vocabulary if n not in crowds) and got.exhaustive
        assert got.image.content_hash == given.image.content_hash
        named = [o for o in given.objects if o.name in given.vocabulary]
        for o, truth in same_boxes(got.objects, named, 0.01):
            shape = o.shape if isinstance(o.shape, Mask) else Mask.from_polygons(o.shape, got.width, got.height)
            assert iou(shape, truth.shape) == 1.0  # the outline, pixel by pixel
    captions = reader("coco-captions")(tmp_path, "val2017")
    assert [r.captions for r in captions] == [r.captions for r in back]


def test_coco_agrees_with_pycocotools(scenes, tmp_path):
    pycoco = pytest.importorskip("pycocotools.coco")
    writers.write_coco(scenes, tmp_path, "val2017", oddities=0.2)
    api = pycoco.COCO(str(tmp_path / "annotations/instances_val2017.json"))
    for record in reader("coco")(tmp_path, "val2017"):
        assert {o.id for o in record.objects} == {str(k) for k in api.getAnnIds(int(record.id))}
        for o in record.objects:
            assert o.name == api.cats[api.anns[int(o.id)]["category_id"]]["name"]


def test_objects365(scenes, tmp_path):
    writers.write_objects365(scenes, tmp_path, "train")
    back = reader("objects365")(tmp_path, "train")
    assert len(back) == COUNT and not back.problems
    for got, given in zip(back, scenes):
        assert set(got.vocabulary) <= set(given.vocabulary) and got.image.size == (given.width, given.height)
        assert list(same_boxes(got.objects, [o for o in given.objects if o.name in given.vocabulary], 1e-6))


@pytest.mark.parametrize("version", ["1.0", "1.2", "1.4"])
def test_visual_genome(scenes, tmp_path, version):
    writers.write_visual_genome(scenes, tmp_path, version)
    back = reader("visual-genome")(tmp_path)
    truth = {record.id: record for record in scenes}
    assert len(back) == COUNT and not back.problems
    for got in back:
        given = truth[got.id]
        for o, same in same_boxes(got.objects, given.objects, 0.5):
            assert o.attributes == same.attributes
        assert {(r.subject, r.predicate, r.object) for r in got.relations} == {
            (r.subject, r.predicate, r.object) for r in given.relations}
        assert [p.text for p in got.phrases] == [p.text for p in given.phrases]
        assert not any(p.refers for p in got.phrases)
        for p, same in zip(got.phrases, given.phrases):
            assert p.region.xyxy == pytest.approx(same.region.box.xyxy, abs=0.5)
        assert [(q.text, q.answers) for q in got.questions] == [(q.text, q.answers[:1]) for q in given.questions]


def test_oddities_of_real_files_do_not_change_what_is_said(scenes, tmp_path):
    writers.write_visual_genome(scenes, tmp_path / "odd", "1.2", oddities=0.5)
    writers.write_visual_genome(scenes, tmp_path / "clean", "1.2")
    odd, clean = (reader("visual-genome")(tmp_path / name) for name in ("odd", "clean"))
    for a, b in zip(odd, clean):
        assert set(a.relations) == set(b.relations) and [o.name for o in a.objects] == [o.name for o in b.objects]
        assert [o.id for o in a.objects] == [o.id for o in b.objects]
        assert [p.text.lower().rstrip(".") for p in a.phrases] == [p.text.lower().rstrip(".") for p in b.phrases]
        assert all(0 <= o.box.x1 < o.box.x2 <= a.width and 0 <= o.box.y1 < o.box.y2 <= a.height for o in a.objects)
    assert set(odd.problems) == {"box clipped to its picture", "relation given twice",
                                 "relation of an object with itself"}
    assert not clean.problems


@pytest.mark.parametrize("dataset, by, splits", [("refcoco", "unc", ("train", "val", "testA")),
                                                 ("refcocog", "umd", ("train", "val", "test"))])
def test_refer(scenes, tmp_path, dataset, by, splits):
    parts = {split: scenes[k::3] for k, split in enumerate(splits)}
    writers.write_refer(parts, tmp_path / "refer" / dataset, dataset, by)
    writers.write_coco(scenes, tmp_path / "coco", "train2017", captions=False)
    for split in splits:
        back = reader("refer")(tmp_path / "refer", split, dataset=dataset, by=by)
        assert not back.problems
        truth = {record.id: record for record in parts[split]}
        assert {r.id for r in back} <= truth.keys() and len(back) > 0
        for got in back:
            said = {(p.object, " ".join(writers.refer.tokens(p.text))) for p in truth[got.id].phrases}
            objects = truth[got.id].object_by_id()
            for p in got.phrases:
                assert (p.object, p.text) in said and p.refers
                assert p.region.xyxy == pytest.approx(objects[p.object].box.xyxy, abs=0.01)
            assert len({p.id for p in got.phrases}) == len(got.phrases)


def test_llava(scenes, tmp_path):
    writers.write_llava(scenes, tmp_path)
    back = reader("llava")(tmp_path)
    assert len(back) == COUNT and not back.problems
    for got, given in zip(back, scenes):
        texts = got.dialogues[0].texts
        assert texts[1] == given.captions[0] and "<image>" not in "".join(texts)
        assert texts[2::2] == tuple(q.text for q in given.questions[:len(texts[2::2])])
    captions = reader("llava-captions")(tmp_path)
    assert [r.captions[0] for r in captions] == [r.captions[0] for r in scenes]
