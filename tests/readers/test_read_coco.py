"""COCO, captions and Objects365, on hand-made folders and on the real photos."""

from collections import Counter

import numpy as np
import pytest
from layouts import annotation, coco, instances, picture, write

from loupe.errors import FileError
from loupe.readers import reader
from loupe.regions import Box, Mask, Polygon, iou


def test_objects_captions_and_vocabulary(tmp_path):
    records = reader("coco")(coco(tmp_path), "val2017")
    one, two, three = records
    assert (one.id, one.source, one.split, one.width, one.height, one.licence) == (
        "1", "coco", "val2017", 40, 30, "Attribution License")
    assert [(o.id, o.name, o.box) for o in one.objects] == [("11", "cup", Box(2, 3, 12, 11)),
                                                            ("13", "person", Box(20, 10, 30.5, 22.25))]
    assert one.objects[0].shape == (Polygon(((2, 3), (12, 3), (12, 11), (2, 11))),)
    assert one.captions == ("A cup beside somebody.",) and two.captions == ("Ein Mann im Café",)
    assert one.vocabulary == ("cup", "person") and one.exhaustive and one.extra == {"coco_id": 1}
    assert three.objects == () and three.captions == () and three.exhaustive  # known to hold neither class
    assert one.image.size == (40, 30) and not records.problems


def test_a_crowd_leaves_the_vocabulary_of_its_picture(tmp_path):
    mask = Mask.from_array(np.tri(30, 40, dtype=bool))
    crowd = annotation(11, 1, [0, 0, 30, 30], 2, iscrowd=1, segmentation=mask.rle(compressed=False))
    packed = annotation(12, 2, [0, 0, 30, 30], 2, iscrowd=1, segmentation=mask.rle())
    records = reader("coco")(coco(tmp_path, annotations=[crowd, packed, annotation(13, 2, [1, 1, 3, 3])]), "val2017")
    for record in records[:2]:
        assert record.objects[0].crowd and record.objects[0].shape == mask
        assert record.vocabulary == ("cup",) and record.exhaustive
    assert records[2].vocabulary == ("cup", "person")


ODD = [  # annotation of picture 1, reason
    (annotation(1, 1, [35, 20, 10, 10.5]), "box clipped to its picture"),
    (annotation(1, 1, [40, 0, 5, 5]), "box outside its picture"),
    (annotation(1, 1, [-5, 0, 5, 5]), "box outside its picture"),
    (annotation(1, 1, [4, 4, 0, 5]), "box without area"),
    (annotation(1, 1, [4, 4, -3, 5]), "box without area"),
    (annotation(1, 1, [4, 4, 3, 5]) | {"bbox": [1, 2, 3]}, "box is not four numbers"),
    (annotation(1, 1, [4, 4, 3, 5]) | {"bbox": [1, 2, float("nan"), 3]}, "box is not four numbers"),
    (annotation(1, 1, [4, 4, 3, 5]) | {"bbox": "4 4 3 5"}, "box is not four numbers"),
    (annotation(1, 1, [4, 4, 3, 5], 9), "annotation of an unknown category"),
    (annotation(1, 1, [4, 4, 3, 5], [1]), "annotation of an unknown category"),
    (annotation(None, 1, [4, 4, 3, 5]), "annotation without id"),
    (annotation(1, 1, [4, 4, 3, 5]) | {"image_id": None}, "annotation without image_id"),
    (annotation(1, 99, [4, 4, 3, 5]), "annotations of a picture the file does not list"),
    (annotation(7, 1, [4, 4, 3, 5]), "annotation id given twice"),
    (annotation(1, 1, [4, 4, 3, 5], segmentation=[[1, 2, 3, 4]]), "outline left out: it cannot be read"),
    (annotation(1, 1, [4, 4, 3, 5], segmentation={"size": [30, 40], "counts": [5]}),
     "outline left out: it cannot be read"),
    (annotation(1, 1, [4, 4, 3, 5], segmentation={"counts": [5]}), "outline left out: it cannot be read")]


@pytest.mark.parametrize("odd, reason", ODD)
def test_each_oddity_is_counted_once_and_costs_only_itself(tmp_path, odd, reason):
    good = annotation(7, 1, [1, 1, 5, 5])
    records = reader("coco")(coco(tmp_path, annotations=[good, odd, annotation(8, 1, [9, 9, 5, 5])]), "val2017")
    assert list(records) == list(records)
    assert records.problems == Counter({reason: 1}) and len(records.examples[reason]) == 1
    ids = [o.id for o in records[0].objects]
    assert ids == (["7", "1", "8"] if "clipped" in reason or "outline" in reason else ["7", "8"])


def test_bad_image_entries_are_counted(tmp_path):
    data = instances()
    data["images"] += [{"id": 4}, {"id": 1, "file_name": "x.jpg", "width": 1, "height": 1}, 3,
                       {"id": 6, "file_name": "y.jpg"}]
    coco(tmp_path)
    write(tmp_path / "annotations/instances_val2017.json", data)
    records = reader("coco")(tmp_path, "val2017")
    assert len(records) == 3
    assert records.problems == Counter({"image entry without id or file_name": 2, "image id given twice": 1,
                                        "image entry without width and height": 1})


@pytest.mark.parametrize("change, part", [
    (lambda d: d.pop("annotations"), "lacks 'annotations'"), (lambda d: d.pop("images"), "lacks 'images'"),
    (lambda d: d.pop("categories"), "lacks 'categories'"), (lambda d: d.update(images={}), "'images' is no array"),
    (lambda d: d["categories"].append({"id": "x"}), "category cannot be read")])
def test_a_bad_file_raises_with_file_key_and_what_to_do(tmp_path, change, part):
    data = instances()
    change(data)
    coco(tmp_path)
    write(tmp_path / "annotations/instances_val2017.json", data)
    with pytest.raises(FileError, match=part) as error:
        reader("coco")(tmp_path, "val2017")
    assert "instances_val2017.json" in str(error.value) and error.value.expected and error.value.got


def test_other_layouts_and_missing_splits_are_told_apart(tmp_path):
    coco(tmp_path)
    with pytest.raises(FileError, match="instances_val2017.json in"):
        reader("coco")(tmp_path, "train2017")
    write(tmp_path / "annotations/instances_list.json", [{"image_id": 1}])
    with pytest.raises(FileError, match="a JSON array"):
        reader("coco")(tmp_path, "list")
    with pytest.raises(FileError, match="which split is meant"):
        reader("coco")(tmp_path)
    (tmp_path / "annotations/instances_list.json").unlink()
    only = reader("coco")(tmp_path)
    assert only.split == "val2017" and only[0].split == "val2017"


def test_missing_pictures_are_dropped_counted_or_raised(tmp_path):
    coco(tmp_path)
    (tmp_path / "val2017/000000000002.jpg").unlink()
    records = reader("coco")(tmp_path, "val2017")
    assert [r.id for r in records] == ["1", "3"]
    assert records.problems == Counter({"picture not found": 1})
    assert records.examples["picture not found"] == ["000000000002.jpg"]
    with pytest.raises(FileError, match="000000000002.jpg"):
        reader("coco")(tmp_path, "val2017", missing="raise")
    assert len(reader("coco")(tmp_path, "val2017", missing="keep")) == 3
    for path in (tmp_path / "val2017").iterdir():
        path.unlink()
    with pytest.raises(FileError, match="none of the 3 pictures.*val2017.*give --root or images="):
        reader("coco")(tmp_path, "val2017")


def test_pictures_of_another_size_are_refused(tmp_path):
    coco(tmp_path)
    picture(tmp_path / "val2017/000000000002.jpg", 80, 60)
    records = reader("coco")(tmp_path, "val2017")
    assert list(records.problems) == ["picture of another size than annotated (of those compared)"]
    for k in (1, 3):
        picture(tmp_path / f"val2017/{k:012d}.jpg", 80, 60)
    with pytest.raises(FileError, match="80 x 60, annotated 40 x 30"):
        reader("coco")(tmp_path, "val2017")


def test_captions_alone(tmp_path):
    records = reader("coco-captions")(coco(tmp_path), "val2017")
    assert [(r.id, r.captions, r.objects) for r in records] == [
        ("1", ("A cup beside somebody.",), ()), ("2", ("Ein Mann im Café",), ())]
    assert records.problems == Counter({"picture without a caption": 1})


def test_objects365_names_patches_and_file(tmp_path):
    data = instances(names=("Bread/Bun", "Bread", "Cell Phone"), pattern="images/v1/patch7/objects365_v1_{:08d}.jpg",
                     annotations=[annotation(1, 1, [1, 1, 5, 5], 1), annotation(2, 1, [1, 1, 5, 5], 3, isfake=1)])
    data["categories"][0]["name"], data["categories"][1]["name"] = "Cabinet/shelf", "Bread/Bun"
    write(tmp_path / "annotations/zhiyuan_objv2_train.json", data)
    for k in (1, 2, 3):
        picture(tmp_path / f"train/patch7/objects365_v1_{k:08d}.jpg")
    records = reader("objects365")(tmp_path, "train")
    assert [o.names for o in records[0].objects] == [("cabinet", "shelf"), ("cell phone",)]
    assert records[0].vocabulary == ("cabinet", "bread", "cell phone")
    assert records[0].image.path == tmp_path / "train/patch7/objects365_v1_00000001.jpg"
    assert records[0].source == "objects365" and not records.problems and records[0].extra == {}
    from loupe.readers.objects365 import class_names
    assert class_names(["Bread/Bun", "Bread"]) == [("bread/bun",), ("bread",)]


@pytest.mark.parametrize("split, pictures, boxes, crowds", [("train2017", 36, 406, 5), ("val2017", 31, 275, 3)])
def test_the_real_photos(shared_data, split, pictures, boxes, crowds):
    records = reader("coco")(shared_data / "coco_photos", split)
    everything = list(records)
    assert len(everything) == pictures and not records.problems
    assert sum(len(r.objects) for r in everything) == boxes
    assert sum(o.crowd for r in everything for o in r.objects) == crowds
    assert all(r.image.size == (r.width, r.height) for r in everything)


def test_real_outlines_agree_with_pycocotools(shared_data):
    pycoco = pytest.importorskip("pycocotools.coco")
    api = pycoco.COCO(str(shared_data / "coco_photos/annotations/instances_val2017.json"))
    for record in reader("coco")(shared_data / "coco_photos", "val2017")[:8]:
        for o in record.objects:
            x, y, w, h = api.anns[int(o.id)]["bbox"]
            assert o.box.xyxy == pytest.approx((x, y, x + w, y + h), abs=0.02)
            theirs = api.annToMask(api.anns[int(o.id)]).astype(bool)
            ours = o.shape if isinstance(o.shape, Mask) else Mask.from_polygons(o.shape, record.width, record.height)
            if isinstance(o.shape, Mask):
                assert (ours.array() == theirs).all()
            else:  # they draw the ring's line too, on a grid five times as fine
                assert iou(ours, Mask.from_array(theirs)) > 1 - 3 * np.sqrt(o.box.area + 9) / (theirs.sum() + 1)


def test_the_real_caption_file_is_read_whole(shared_data):
    records = reader("coco-captions")(shared_data / "formats/coco_captions", "val2017", missing="keep")
    assert len(records) == 5000
    assert records[0].id == "397133" and len(records[0].captions) == 5
