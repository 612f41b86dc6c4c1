"""What is written has the very keys and kinds of the published files."""

import json
import pickle

import pytest

from loupe import world, writers


@pytest.fixture(scope="module")
def records():
    return list(world.records(12, seed=1, objects=(3, 6)))


def kinds(value, at="", out=None):
    """Path of keys -> the types found there; list positions are one."""
    out = {} if out is None else out
    if isinstance(value, dict):
        for key, inner in value.items():
            kinds(inner, f"{at}.{key}", out)
    elif isinstance(value, list):
        out.setdefault(at, set()).add("list")
        for inner in value:
            kinds(inner, f"{at}[]", out)
    else:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        out.setdefault(at, set()).add("number" if number else type(value).__name__)
    return out


def same_form(mine, theirs, ignore=()):
    mine = {path: k for path, k in kinds(mine).items() if not path.startswith(tuple(ignore) or "\0")}
    theirs = {path: k for path, k in kinds(theirs).items() if not path.startswith(tuple(ignore) or "\0")}
    assert set(mine) == set(theirs)
    for path, found in mine.items():
        assert found <= theirs[path] | {"number"} if "number" in theirs[path] else found & theirs[path], path


@pytest.mark.parametrize("version, folder", [("1.0", "v1.0"), ("1.2", "v1.2"), ("1.4", "v1.4_partial")])
def test_visual_genome(records, shared_data, tmp_path, version, folder):
    writers.write_visual_genome(records, tmp_path, version)
    for real in sorted((shared_data / "formats" / "visual_genome" / folder).glob("*.json")):
        ignore = ("[].qas[].a_objects", "[].qas[].q_objects", "[].relationships[].synsets[]",
                  "[].objects[].merged_object_ids[]", "[].coco_id", "[].flickr_id")
        mine = json.loads((tmp_path / real.name).read_text())
        theirs = json.loads(real.read_text())
        same_form(mine, theirs, ignore)
        assert mine[0].keys() == theirs[0].keys()


def test_coco(records, shared_data, tmp_path):
    writers.write_coco(records, tmp_path, "val2017")
    for name in ("instances", "captions"):
        mine = json.loads((tmp_path / f"annotations/{name}_val2017.json").read_text())
        theirs = json.loads((shared_data / f"coco_photos/annotations/{name}_val2017.json").read_text())
        assert set(mine) == set(theirs)
        ids = [c["id"] for c in mine.get("categories", [])]
        assert len(set(ids)) == len(ids) and (not ids or max(ids) > len(ids))  # with gaps, as COCO's
        for key in ("info", "licenses", "images", "categories"):
            same_form({key: mine.get(key, [])}, {key: theirs.get(key, [])})
        assert {frozenset(a) for a in mine["annotations"]} == {frozenset(a) for a in theirs["annotations"]}


def test_refer(records, shared_data, tmp_path):
    writers.write_refer({"train": records}, tmp_path, "refcocog", "umd")
    folder = shared_data / "coco_photos/refer/refcocog"
    mine = pickle.loads((tmp_path / "refs(umd).p").read_bytes())
    same_form(mine, pickle.loads((folder / "refs(umd).p").read_bytes()))
    mine, theirs = (json.loads((f / "instances.json").read_text()) for f in (tmp_path, folder))
    assert set(mine) == set(theirs)
    same_form(mine["images"], theirs["images"])
    assert {frozenset(a) for a in mine["annotations"]} == {frozenset(a) for a in theirs["annotations"]}


def test_llava(records, shared_data, tmp_path):
    writers.write_llava(records, tmp_path, pictures=False)
    mine = json.loads((tmp_path / "chat.json").read_text())
    same_form(mine, json.loads((shared_data / "formats/llava_pretrain/blip_laion_cc_sbu_first100.json").read_text()))
    for entry in mine:
        assert [turn["from"] for turn in entry["conversations"]][:2] == ["human", "gpt"]
        assert entry["conversations"][0]["value"].count("<image>") == 1
        assert not any("<image>" in turn["value"] for turn in entry["conversations"][1:])
    assert {m["conversations"][0]["value"].startswith("<image>\n") for m in mine} == {True, False}


def test_objects365(records, tmp_path):
    writers.write_objects365(records, tmp_path, "train")
    mine = json.loads((tmp_path / "zhiyuan_objv2_train.json").read_text())
    assert set(mine) == {"images", "annotations", "categories", "licenses"}
    assert set(mine["images"][0]) == {"height", "id", "license", "width", "file_name", "url"}
    assert set(mine["annotations"][0]) == {"id", "iscrowd", "isfake", "area", "isreflected", "bbox", "image_id",
                                           "category_id"}
    for image in mine["images"]:
        assert image["file_name"].startswith("images/v1/patch0/objects365_v1_")
        assert (tmp_path / image["file_name"]).is_file()
