"""REFER's pickles and the flattened JSON lists."""

import os
import pickle
import pickletools
from collections import Counter

import pytest
from layouts import refer, reference, write

from loupe.errors import FileError
from loupe.readers import reader
from loupe.readers.plain_pickle import as_text, read_pickle
from loupe.regions import Box


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_splits_hold_their_references_on_all_instances(tmp_path, protocol):
    root = refer(tmp_path / "refer", protocol=protocol)
    val = reader("refer")(root, "val")
    assert len(val) == 1 and [(p.text, p.id, p.object, p.refers, p.region) for p in val[0].phrases] == [
        ("right one", "1:10", "13", True, Box(20, 10, 30.5, 22.25))]
    assert [o.id for o in val[0].objects] == ["11", "13"] and val[0].extra == {"coco_id": 1}
    assert val[0].image.path.name == "000000000001.jpg"
    train = reader("refer")(root, "train")
    assert [p.text for p in train[0].phrases] == ["left cup", "the cup"]
    assert len(reader("refer")(root)) == 2 and reader("refer")(root, "testA")[0].id == "2"
    assert len(reader("refer")(root / "refcoco", "val")) == 1


def test_unknown_split_and_by_name_those_there(tmp_path):
    root = refer(tmp_path / "refer")
    with pytest.raises(FileError, match=r"'testB', expected testA \(1\), train \(1\), val \(1\)"):
        reader("refer")(root, "testB")
    with pytest.raises(FileError, match=r"refs\(unc\).p, expected refs\(google\).p"):
        reader("refer")(root, "val", by="google")
    with pytest.raises(FileError, match="dataset="):
        reader("refer")(root, "val", dataset="refcocog")


def test_every_lost_expression_is_counted(tmp_path):
    refs = [reference(0, 11, 1, "val", "left cup"), reference(1, 99, 1, "val", "a", "b"),
            reference(2, 12, 88, "val", "nowhere"), {"ref_id": 3}, reference(4, 12, 2, "val", "")]
    records = reader("refer")(refer(tmp_path / "refer", refs=refs), "val")
    assert [len(r.phrases) for r in records] == [1, 0]
    assert records.problems == Counter({"expression without its object": 2, "expression without its picture": 1,
                                        "reference without image_id or sentences": 1, "expression without text": 1})


class Nasty:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("payload", [lambda p: Nasty(os.system, f"touch {p}"),
                                     lambda p: Nasty(eval, f"open({str(p)!r}, 'w')"), lambda p: os.getcwd,
                                     lambda p: Nasty, lambda p: Counter(a=1), lambda p: 1j])
def test_anything_but_plain_values_is_refused_and_nothing_runs(tmp_path, payload, protocol):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(pickle.dumps([{"x": payload(tmp_path / "touched")}], protocol))
    with pytest.raises(FileError, match="refused"):
        read_pickle(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("code", [
    b"cos\nsystem\n(S'true'\ntR.", b"(S'true'\nios\nsystem\n.", b"(cos\nsystem\nS'true'\no.", b"Pother\n.",
    b"\x80\x04\x8c\x02os\x8c\x06system\x93.", b"\x80\x02\x82\x01.", b"]}b.", b"](K\x01tR."])
def test_handwritten_opcodes_are_refused(tmp_path, code):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(code)
    with pytest.raises(FileError, match="refused|damaged"):
        read_pickle(path)


def test_truncated_and_empty_pickles_are_named(tmp_path):
    path = tmp_path / "refs(unc).p"
    whole = pickle.dumps([reference(0, 11, 1, "val", "left cup")], 2)
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(FileError, match="empty|damaged|refused"):
            read_pickle(path)


def test_python_2_text_is_read_as_utf_8(tmp_path):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xc3\\xa9  au lait'\np3\nsa.")  # as Python 2 writes {'sent': str}
    value, _ = read_pickle(path)
    assert as_text(value[0]["sent"]) == "café au lait"
    assert as_text("naïve") == "naïve" and as_text(b"x") == "" and as_text("日本") == "日本"


def test_wrong_layout(tmp_path):
    root = refer(tmp_path / "refer")
    (root / "refcoco/refs(unc).p").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(FileError, match="expected a list of dictionaries"):
        reader("refer")(root, "val")


def test_the_real_references(shared_data):
    root = shared_data / "coco_photos/refer"
    ops = {op.name for op, *_ in pickletools.genops((root / "refcocog/refs(umd).p").read_bytes())}
    assert not ops & {"GLOBAL", "REDUCE", "BUILD", "STACK_GLOBAL"}
    val, test = (reader("refer")(root, split, dataset="refcocog", by="umd") for split in ("val", "test"))
    assert [p.text for r in val for p in r.phrases] == ["the fork in the side of green plate",
                                                        "a steel fork on the right side of a green plate"]
    record = test[0]
    assert record.image.path.parts[-2:] == ("train2017", "000000180239.jpg")
    assert record.image.size == (record.width, record.height) == (640, 418)
    assert record.object_by_id()[record.phrases[0].object].name == "potted plant"


@pytest.mark.parametrize("dataset, expressions, references", [("refcoco", 10834, 3811), ("refcoco+", 10758, 3805),
                                                              ("refcocog", 4896, 2573)])
def test_flattened_lists_hold_the_published_counts(shared_data, dataset, expressions, references):
    records = reader("refer-json")(shared_data / "formats/refcoco_minigpt", "val", dataset=dataset, missing="keep")
    everything = list(records)
    assert sum(len(r.phrases) for r in everything) == expressions  # the sizes papers report for val
    assert sum(len(r.objects) for r in everything) == references and not set(records.problems) - {
        "box clipped to its picture"}
    assert len({p.id for r in everything for p in r.phrases}) == expressions


def test_flattened_entries(tmp_path):
    entry = {"img_id": "COCO_train2014_000000000001_4", "sents": "left cup", "bbox": [2, 3, 10, 8],
             "height": 30, "width": 40}
    write(tmp_path / "refcoco_val.json", [entry, entry | {"sents": "the cup"}, entry | {"bbox": [1]}, {"img_id": 3}, 5])
    (record,) = records = reader("refer-json")(tmp_path, "val", missing="keep")
    assert record.extra == {"coco_id": 1} and [p.text for p in record.phrases] == ["left cup", "the cup"]
    assert record.objects[0].box == Box(2, 3, 12, 11)
    assert records.problems == Counter({"entry without img_id, sents, bbox, width or height": 3})
