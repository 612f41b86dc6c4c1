"""Files appear whole or not at all; flaws come at the stated rate; unknown names are told."""

import errno
import json
import pickle

import pytest

from loupe import world, writers
from loupe.errors import ConfigError, FileError, LoupeError
from loupe.image import Image
from loupe.record import Object, Phrase, Record
from loupe.regions import Box
from loupe.writers import files
from loupe.writers.coco import categories_of
from loupe.writers.numbers import number
from loupe.writers.refer import PLACES, tokens


@pytest.fixture(scope="module")
def records():
    return list(world.records(60, seed=12, objects=(2, 5)))


def test_pickles_are_plain_and_joined_without_memory(records, tmp_path):
    writers.write_refer({"train": records[:20], "val": records[20:30]}, tmp_path)

    class Plain(pickle.Unpickler):
        def find_class(self, module, name):
            raise AssertionError(f"{module}.{name}")

    with open(tmp_path / "refs(unc).p", "rb") as file:
        refs = Plain(file).load()
        assert not file.read()
    assert {ref["split"] for ref in refs} == {"train", "val"}
    instances = json.loads((tmp_path / "instances.json").read_text())
    anns = {a["id"]: a for a in instances["annotations"]}
    for ref in refs:
        assert anns[ref["ann_id"]]["category_id"] == ref["category_id"]
        assert ref["file_name"] == f"COCO_train2014_{ref['image_id']:012d}_{ref['ann_id']}.jpg"
        assert 1 <= len(ref["sentences"]) <= 3
        for sentence in ref["sentences"]:
            assert sentence["sent"] == " ".join(sentence["tokens"]) == sentence["sent"].lower()


def test_each_data_set_has_its_manner(records, tmp_path):
    said = {}
    for name, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")):
        writers.write_refer({"train": records}, tmp_path / name, name, by)
        refs = pickle.loads((tmp_path / name / f"refs({by}).p").read_bytes())
        said[name] = [s["tokens"] for ref in refs for s in ref["sentences"]]
    mean = {name: sum(map(len, sentences)) / len(sentences) for name, sentences in said.items()}
    assert mean["refcoco"] < 5 < 7 < mean["refcocog"]
    assert not any(PLACES & set(sentence) for sentence in said["refcoco+"])
    assert any(PLACES & set(sentence) for sentence in said["refcoco"])


def test_a_full_disk_leaves_no_half_file(records, tmp_path, monkeypatch):
    writers.write_coco(records[:3], tmp_path, "train2017")
    path = tmp_path / "annotations/instances_train2017.json"
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.shutil, "copyfileobj", full)
    with pytest.raises(FileError, match="cannot write: got No space left on device"):
        writers.write_coco(records[:5], tmp_path, "train2017")
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp")) and not list(tmp_path.glob(".parts*"))


def test_flaws_come_at_their_rate_and_from_their_seed(records, tmp_path):
    def relations(rate, seed):
        writers.write_visual_genome(records, tmp_path / f"{rate}{seed}", oddities=rate, seed=seed, pictures=False)
        data = json.loads((tmp_path / f"{rate}{seed}" / "relationships.json").read_text())
        return [r for image in data for r in image["relationships"]]

    clean, odd = relations(0.0, 0), relations(0.2, 0)
    assert all(r["predicate"] == r["predicate"].lower().strip() and "name" in r["subject"] for r in clean)
    assert not any(r["subject"]["object_id"] == r["object"]["object_id"] for r in clean)
    share = sum(r["predicate"] != r["predicate"].lower().strip() for r in odd) / len(odd)
    assert 0.12 < share < 0.28
    assert 0.1 < sum("names" in r["subject"] for r in odd) / len(odd) < 0.3
    assert sum(r["subject"]["object_id"] == r["object"]["object_id"] for r in odd) > 0.08 * len(odd)
    assert len(odd) > 1.2 * len(clean)
    assert relations(0.2, 0) == odd != relations(0.2, 1)
    objects = [o for image in json.loads((tmp_path / "0.20" / "objects.json").read_text()) for o in image["objects"]]
    over = [o for o in objects if o["x"] < 0 or o["y"] < 0 or o["x"] + o["w"] > 96 or o["y"] + o["h"] > 96]
    assert 0.1 < len(over) / len(objects) < 0.3


def test_crowds_and_holes_are_run_lengths(tmp_path):
    some = [r for r in world.records(110, seed=5)
            if any(o.crowd or o.name == "ring" for o in r.objects)]
    writers.write_coco(some, tmp_path, pictures=False)
    data = json.loads((tmp_path / "annotations/instances_train2017.json").read_text())
    forms = {(a["iscrowd"], isinstance(a["segmentation"], dict)) for a in data["annotations"]}
    assert forms == {(0, False), (0, True), (1, True)}
    for a in data["annotations"]:
        if isinstance(a["segmentation"], dict):
            assert sum(a["segmentation"]["counts"][1::2]) == a["area"]
    coco = pytest.importorskip("pycocotools.coco")
    theirs = coco.COCO(str(tmp_path / "annotations/instances_train2017.json"))
    for a in theirs.loadAnns(theirs.getAnnIds())[:60]:
        assert abs(theirs.annToMask(a).sum() - a["area"]) <= 0.25 * a["area"] + 12


def test_records_of_other_sources_are_written_too(tmp_path):
    image = Image(data=next(world.records(1, 0)).image.data)
    box = Box(1.5, 2, 30.25, 40)
    record = Record(image, 96, 96, "IMG-7a", "elsewhere", objects=(Object("cup#1", box, ("cup",)),),
                    phrases=(Phrase("the cup", box, True, "cup#1"),), vocabulary=("cup",))
    writers.write_coco([record], tmp_path / "coco", captions=False)
    (ann,) = json.loads((tmp_path / "coco/annotations/instances_train2017.json").read_text())["annotations"]
    assert ann["bbox"] == [1.5, 2, 28.75, 38] and ann["id"] == number("cup#1") != number("cup#2")
    assert ann["segmentation"] == [[1.5, 2, 30.25, 2, 30.25, 40, 1.5, 40]]
    writers.write_refer({"val": [record]}, tmp_path / "refer")
    assert tokens("The cup's rim, please!") == ("the", "cup's", "rim", "please")
    with pytest.raises(LoupeError, match="list of classes"):
        writers.write_coco([Record(image, 96, 96, "1", "x")], tmp_path / "none")


def test_wrong_names_are_told(records, tmp_path):
    with pytest.raises(ConfigError, match="did you mean '1.[24]'"):
        writers.write_visual_genome(records[:1], tmp_path, "1.3")
    with pytest.raises(ConfigError, match="refcoco"):
        writers.write_refer({"train": records[:1]}, tmp_path, "refcocos")
    with pytest.raises(ConfigError, match="in no split"):
        writers.write_refer({"testC": records[:1]}, tmp_path)
    assert [c.id for c in categories_of("abcdefg")] == [1, 2, 3, 4, 5, 7, 8]
