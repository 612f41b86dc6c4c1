"""Visual Genome: hand-made folders, the real files of each version, damage."""

import json
import random
from collections import Counter

import pytest
from layouts import picture, relation, thing, visual_genome, write

from loupe.errors import FileError, ImageError
from loupe.readers import reader
from loupe.record import Relation
from loupe.regions import Box


def test_files_are_joined_by_id_not_by_position(tmp_path):
    one, two = records = reader("visual-genome")(visual_genome(tmp_path))
    assert [(o.id, o.name, o.box) for o in two.objects] == [("21", "dog", Box(1, 1, 11, 11))]
    assert [(o.id, o.names) for o in one.objects] == [("11", ("cup",)), ("12", ("table",)), ("13", ("lamp",))]
    assert one.objects[1].box == Box(0, 10, 40, 30)  # clipped
    assert one.relations == (Relation("11", "on", "12"), Relation("12", "under", "13"))
    assert one.extra == {"vg_id": 1, "coco_id": 77} and two.extra == {"vg_id": 2} and not one.exhaustive
    assert one.image.path == tmp_path / "VG_100K_2/1.jpg"
    assert records.problems == Counter({"box clipped to its picture": 1, "relation given twice": 1,
                                        "object added from a relation": 1})


def test_relations_of_other_ids(tmp_path):
    visual_genome(tmp_path)
    cup, table = thing(11, "cup", 2, 3, 10, 8), thing(12, "table", 0, 10, 40, 20)
    write(tmp_path / "objects.json", [{"image_id": 1, "objects": [cup, table | {"merged_object_ids": [50, 51]}]}])
    write(tmp_path / "relationships.json", [{"image_id": 1, "relationships": [
        relation(1, "on", cup, thing(51, "desk", 9, 9, 9, 9)),  # merged
        relation(2, "near", thing(60, "CUP", 2, 3, 10, 8), table),  # same box, same name
        relation(3, "on", thing(60, "cup", 2, 3, 10, 8), cup),  # so this is itself
        relation(4, "has", cup, thing(61, "handle", 2, 3, 10, 8)),  # same box, another name: a new object
        relation(5, "in", cup, thing(62, "room", 50, 3, 10, 8)),  # its box lies outside
        relation(6, "  ", cup, table), {"predicate": "on", "subject": cup}, "nonsense"]}])
    records = reader("visual-genome")(tmp_path)
    record = records[0]
    assert record.relations == (Relation("11", "on", "12"), Relation("11", "near", "12"), Relation("11", "has", "61"))
    assert [o.id for o in record.objects] == ["11", "12", "61"]
    assert records.problems == Counter({
        "object known under a second id": 1, "object added from a relation": 1, "relation of an object with itself": 1,
        "box outside its picture": 1, "relation with an object that has no box": 1,
        "relation without subject, predicate or object": 2, "relationships.json: entry is no object": 1})


def test_attributes_regions_and_questions(tmp_path):
    visual_genome(tmp_path)
    write(tmp_path / "attributes.json", [{"image_id": 1, "attributes": [
        thing(11, "cup", 2, 3, 10, 8, attributes=["Red ", "small", "red"]), thing(12, "table", 0, 10, 40, 25),
        thing(11, "cup", 2, 3, 10, 8, attributes=["full"]), thing(19, "spoon", 1, 1, 3, 3, attributes=["silver"])]}])
    write(tmp_path / "region_descriptions.json", [{"id": 1, "regions": [
        {"region_id": 5, "image_id": 1, "phrase": " the cup on\na table ", "x": 0, "y": 0, "width": 20, "height": 20},
        {"region_id": 6, "image_id": 1, "phrase": "", "x": 0, "y": 0, "width": 20, "height": 20},
        {"region_id": 7, "image_id": 1, "phrase": "nowhere", "x": 0, "y": 0, "width": 0, "height": 20}]}])
    write(tmp_path / "question_answers.json", [{"id": 1, "qas": [
        {"qa_id": 9, "image_id": 1, "question": "What is  red?", "answer": "The cup."},
        {"qa_id": 10, "question": "?"}]}])
    records = reader("visual-genome")(tmp_path)
    record = records[0]
    assert record.object_by_id()["11"].attributes == ("red", "small", "full")
    assert record.object_by_id()["19"].attributes == ("silver",)
    (phrase,) = record.phrases
    assert (phrase.text, phrase.region) == ("the cup on a table", Box(0, 0, 20, 20))
    assert (phrase.refers, phrase.id) == (False, "5")
    assert [(q.text, q.answers, q.id) for q in record.questions] == [("What is red?", ("The cup.",), "9")]
    for reason in ("object added from an attribute entry", "region description without words", "box without area",
                   "question without words or answer"):
        assert records.problems[reason] == 1


def test_order_of_elements_in_the_files_does_not_matter(shared_data, tmp_path):
    source = shared_data / "formats/visual_genome/v1.2"
    for seed, folder in enumerate(("a", "b")):
        for path in source.glob("*.json"):
            data = json.loads(path.read_text())
            random.Random(seed).shuffle(data)
            write(tmp_path / folder / path.name, data)
    real = [reader("visual-genome")(root, missing="keep") for root in (source, tmp_path / "a", tmp_path / "b")]
    blank = [[(r.id, r.width, r.objects, r.relations, r.phrases, r.questions) for r in records] for records in real]
    assert blank[0] == blank[1] == blank[2]
    assert real[0].problems == real[1].problems and real[1].hash != real[2].hash


@pytest.mark.parametrize("version, objects, relations", [("v1.0", 224, 140), ("v1.2", 177, 143)])
def test_the_real_files(shared_data, version, objects, relations):
    root = shared_data / "formats/visual_genome" / version
    records = reader("visual-genome")(root, missing="keep")
    everything = list(records)
    raw = {n: json.loads((root / f"{n}.json").read_text()) for n in ("region_descriptions", "question_answers")}
    assert [r.id for r in everything] == ["1", "2", "3", "4", "5"]
    assert sum(len(r.objects) for r in everything) == objects  # 1.0's 281 further ids all are known objects
    assert sum(len(r.relations) for r in everything) == relations
    assert sum(len(r.phrases) for r in everything) + records.problems["box without area"] + records.problems[
        "box outside its picture"] == sum(len(e["regions"]) for e in raw["region_descriptions"])
    assert sum(len(r.questions) for r in everything) == sum(len(e["qas"]) for e in raw["question_answers"])
    for record in everything:
        ids = record.object_by_id()
        assert all(r.subject in ids and r.object in ids and r.predicate == r.predicate.lower().strip()
                   for r in record.relations)
    clock = next(o for o in everything[0].objects if o.name == "clock")
    assert clock.box == Box(421, 91, 500, 430) and "green" in clock.attributes


def test_version_1_4_needs_the_size_from_the_picture(shared_data, tmp_path):
    root = shared_data / "formats/visual_genome/v1.4_partial"
    picture(tmp_path / "1.jpg", 800, 600)
    records = reader("visual-genome")(root, images=tmp_path)
    assert (records[0].width, records[0].height, len(records[0].objects)) == (800, 600, 16)
    unknown = reader("visual-genome")(root, missing="keep")
    assert list(unknown) == [] and unknown.problems == Counter({"picture does not decode": 1})
    with pytest.raises(ImageError):
        unknown[0]


def test_old_relations_on_new_objects_use_merged_ids(shared_data, tmp_path):
    for version, name in (("v1.4_partial", "objects"), ("v1.2", "relationships"), ("v1.2", "image_data")):
        data = json.loads((shared_data / f"formats/visual_genome/{version}/{name}.json").read_text())
        write(tmp_path / f"{name}.json", [e for e in data if e["image_id"] == 1])
    (record,) = reader("visual-genome")(tmp_path, missing="keep")
    sidewalk = next(o.id for o in record.objects if o.name == "sidewalk")
    assert sidewalk == "1058534" and not any(o.id == "5046" for o in record.objects)
    assert any(sidewalk in (r.subject, r.object) for r in record.relations)


def test_the_real_photos(shared_data):
    records = reader("visual-genome")(shared_data / "coco_photos/visual_genome")
    everything = list(records)
    assert [r.extra["coco_id"] for r in everything] == [184324, 349184, 415748]
    assert all(r.image.size == (r.width, r.height) and r.objects and r.relations and r.phrases for r in everything)
    assert records.problems["relation given twice"] == 12


def test_ids_never_pass_for_cocos(tmp_path):
    """Visual Genome's picture 2 is not COCO's picture 2."""
    visual_genome(tmp_path / "vg")
    picture(tmp_path / "images/val2017/000000000002.jpg")
    (tmp_path / "vg/VG_100K_2/2.jpg").unlink()
    assert [r.id for r in reader("visual-genome")(tmp_path / "vg")] == ["1"]


@pytest.mark.parametrize("content, part", [
    ({"images": [], "annotations": []}, "an object of images, annotations"), ({}, "another layout"),
    ([1, 2], "another layout"), ([{"image_id": 1}], "'objects'"), ([{"objects": []}], "image_id"),
    ([{"image_id": 1, "objects": {}}], "'objects'")])
def test_bad_files_raise(tmp_path, content, part):
    visual_genome(tmp_path)
    write(tmp_path / "objects.json", content)
    with pytest.raises(FileError, match=part) as error:
        reader("visual-genome")(tmp_path)
    assert "objects.json" in str(error.value) and "do=" not in str(error.value) and error.value.expected


def test_bad_elements_beside_good_ones_are_counted(tmp_path):
    visual_genome(tmp_path)
    write(tmp_path / "objects.json", [
        7, {"image_id": 2}, {"image_id": 1, "objects": [
            thing(11, "cup", 2, 3, 10, 8), 3, {"x": 1}, thing(11, "cup", 1, 1, 2, 2),
            thing(14, "x", 1, 1, "2", 2), thing(15, "x", True, 1, 2, 2)]}])
    (tmp_path / "relationships.json").unlink()
    records = reader("visual-genome")(tmp_path)
    assert [len(r.objects) for r in records] == [1, 0]
    assert records.problems == Counter({"objects.json: not an element with image_id (or id) and 'objects'": 2,
                                        "objects.json: entry is no object": 1, "object without id": 1,
                                        "object id given twice": 1, "box is not four numbers": 2})


def test_an_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(FileError, match="at least one of image_data.json, objects.json"):
        reader("visual-genome")(tmp_path)
