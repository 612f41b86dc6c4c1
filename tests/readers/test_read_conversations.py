"""Conversations of other toolkits: regions in the words of any family, or in a list beside them."""

import json
from collections import Counter

import numpy as np
import pytest
from layouts import picture, write

from loupe.codec import CODECS, codec
from loupe.data.transcripts import write_transcripts
from loupe.dialogue import dialogue
from loupe.errors import ConfigError
from loupe.framing import Framing
from loupe.image import Image
from loupe.readers import reader
from loupe.record import Turns
from loupe.regions import Box, Point, Polygon
from loupe.sample import Regions, Sample, assistant, user
from loupe.tasks.dialogue import WrittenDialogue

WIDTH, HEIGHT = 300, 200
CUP, PLATE = Box(30, 60, 120, 150), Box(150, 20, 270, 90)


@pytest.fixture
def root(tmp_path):
    picture(tmp_path / "images/a.jpg", WIDTH, HEIGHT)
    return tmp_path


def entries(root, *talks, **more):
    """One entry for each talk: texts, a person's first."""
    write(root / "train.json", [
        {"id": k, "image": "a.jpg", "conversations": [{"from": ("human", "gpt")[n % 2], "value": text}
                                                     for n, text in enumerate(texts)], **more}
        for k, texts in enumerate(talks)])
    return root


def swift(root, question, answer, **objects):
    line = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"<image>{question}"},
                         {"role": "assistant", "content": answer}], "images": ["a.jpg"], "objects": objects}
    (root / "train.jsonl").write_text(json.dumps(line) + "\n")
    return root


@pytest.mark.parametrize("form", ["llava", "messages"])
@pytest.mark.parametrize("name", CODECS)
def test_what_export_writes_comes_back_in_every_codec(name, form, root):
    marks, image = codec(name), Image(path=root / "images/a.jpg")
    framing = Framing(marks.frame or "whole")
    told = Sample((image,), (user("What is ", CUP, "?"), assistant("A cup."), user("And the two of them?"),
                             assistant("They are ", Regions((CUP, PLATE), "things"), ".")), "dialogue", "a")
    path = root / ("train.json" if form == "llava" else "train.jsonl")
    write_transcripts([[told]], path, marks, framing.frame, form=form)
    (record,) = records = reader("conversations")(root, codec=name)
    (talk,) = record.dialogues
    regions = dict(talk.regions)
    frame = framing.frame(WIDTH, HEIGHT)
    steps = [n.grid or side for n, side in zip(marks.numbers("box"), (frame.width, frame.height))]
    bins = [side / n for side, n in zip((frame.view.width, frame.view.height), steps)]  # pixels of the picture
    worst = max(bins) * (1 if marks.rounding == "down" else 0.5) + 1e-6
    assert all(np.abs(np.subtract(a.xyxy, b.xyxy)).max() <= worst
               for a, b in zip(regions.values(), (CUP, PLATE), strict=True))
    tied = any(g.tied for g in marks.groups)
    assert talk.texts[0] == "What is <r1>?"
    assert talk.texts[3].replace(", ", " ") == f"They are {'things ' * tied}<r1> <r2>."
    assert not records.problems or set(records.problems) == {"box clipped to its picture"}
    again = WrittenDialogue()(record, np.random.default_rng(0))
    shown = [p for turn in again.turns for p in turn.parts if isinstance(p, Regions)]
    assert shown[0].phrase == "" and shown[1].phrase == "things" * tied


def test_pixels_of_the_resized_and_of_the_whole_picture(root):
    answer = ('```json\n[{"bbox_2d": [30, 60, 120, 150], "label": "cup"}, '
              '{"bbox_2d": [150, 20, 270, 90], "label": "plate"}]\n```')
    entries(root, ["<image>\nOutline all.", answer])
    (whole,) = reader("conversations")(root, codec="qwen2.5-vl", frame="whole")
    assert whole.dialogues == (Turns(("Outline all.", "cup <r1>, plate <r2>"), "0", (("<r1>", CUP), ("<r2>", PLATE)),
                                     (("<r1>", "cup"), ("<r2>", "plate"))),)
    (resized,) = reader("conversations")(root, codec="qwen2.5-vl")  # 308 x 196
    assert resized.dialogues[0].regions[0][1].xyxy == pytest.approx(
        (30 * 300 / 308, 60 * 200 / 196, 120 * 300 / 308, 150 * 200 / 196))
    (small,) = reader("conversations")(root, codec="qwen2.5-vl", max_pixels=140 * 84)  # 112 x 84: beyond its edge
    assert small.dialogues == ()


def test_what_cannot_be_read_is_left_out_whole_and_counted(root):
    good = ["<image>\nWhere?", "[0.10, 0.30, 0.40, 0.60]"]
    entries(root, good, ["Where?", "[0.10, 0.30, 0.40]", "Sure?", "yes"], ["Where?", "[0.40, 0.30, 0.10, 0.60]"],
            ["Where?", "[0.10, 1.30, 0.40, 1.60]"], ["Where?", "[0.10, 0.01, 0.40, 0.05]"])  # the padding alone
    (record,) = records = reader("conversations")(root, codec="llava")
    assert [d.id for d in record.dialogues] == ["0"]
    out = "dialogue with a region that is none, left out: "
    assert {k: v for k, v in records.problems.items() if k.startswith(out)} == {
        f"{out}garbage": 1, f"{out}inverted": 1, f"{out}out_of_range": 1, f"{out}nothing of it in the picture": 1}
    assert "entry 1: [0.10, 0.30, 0.40]" in records.examples[f"{out}garbage"]
    (plain,) = reader("conversations")(root)  # no codec: the words as they stand
    assert [d.texts[1] for d in plain.dialogues][:2] == [good[1], "[0.10, 0.30, 0.40]"]
    assert not any(d.regions for d in plain.dialogues)


def test_names_that_stand_without_their_region_are_words(root):
    entries(root, ["Find <|object_ref_start|>the cup<|object_ref_end|>.",
                   "<|object_ref_start|>the cup<|object_ref_end|><|box_start|>(100,300),(400,750)<|box_end|>"])
    (record,) = reader("conversations")(root, codec="qwen2-vl")
    assert record.dialogues == (Turns(("Find the cup.", "the cup <r1>"), "0", (("<r1>", CUP),),
                                      (("<r1>", "the cup"),)),)


def test_lists_beside_the_words(root):
    swift(root, "Find <ref-object> and <ref-object>", "<bbox><bbox>, not <bbox>", ref=["the cup", "the plate"],
          bbox=[[30, 60, 120, 150], [150, 20, 270, 90], [7, 9]])
    (record,) = records = reader("conversations")(root)
    assert record.dialogues == (Turns(("Find the cup and the plate", "<r1><r2>, not <r3>"), "0",
                                      (("<r1>", CUP), ("<r2>", PLATE), ("<r3>", Point(7, 9)))),)
    assert records.problems == Counter({"system message left out": 1})
    swift(root, "Find <ref-object>", "<bbox>", ref=["it"], bbox=[[0.1, 0.3, 0.4, 0.75]], bbox_type="norm1")
    assert dict(reader("conversations")(root)[0].dialogues[0].regions)["<r1>"].xyxy == pytest.approx(CUP.xyxy)


def test_a_name_right_before_its_box_in_a_list_is_tied_to_it(root):
    """As families with a mark around both have it; a name that stands alone is words."""
    swift(root, "Find <ref-object>", "<ref-object><bbox>, <ref-object> and <bbox>", ref=["it", "the cup", "the plate"],
          bbox=[[30, 60, 120, 150], [150, 20, 270, 90]])
    (record,) = reader("conversations")(root)
    assert record.dialogues[0].texts == ("Find it", "the cup <r1>, the plate and <r2>")
    assert record.dialogues[0].tied == (("<r1>", "the cup"),)
    sample = WrittenDialogue()(record, np.random.default_rng(0))
    write_transcripts([[sample]], root / "qwen.json", codec("qwen2-vl"), Framing("whole").frame)
    said = json.loads((root / "qwen.json").read_text())[0]["conversations"][1]["value"]
    assert said.startswith("<|object_ref_start|>the cup<|object_ref_end|><|box_start|>(100,300),(400,750)<|box_end|>")


@pytest.mark.parametrize("wrong", [
    {"bbox": []}, {"bbox": [[30, 60, 120, 150]] * 2}, {"bbox": [[30, 60, 120]]}, {"bbox": [[120, 60, 30, 150]]},
    {"bbox": [["a", 60, 120, 150]]}, {"bbox": [[400, 60, 500, 150]]}, {"bbox": "x"},
    {"bbox": [[1, 1, 2, 2]], "ref": []}, {"bbox": [[1, 1, 2, 2]], "bbox_type": "norm1000"},
    {"bbox": [[1e308, 1, 1e308, 2]]}])
def test_lists_that_do_not_fit_are_left_out(root, wrong):
    swift(root, "Find <ref-object>", "<bbox>", **{"ref": ["it"], **wrong})
    (record,) = records = reader("conversations")(root)
    assert record.dialogues == () and sum(k.startswith("dialogue with a region") for k in records.problems) == 1


def test_a_family_becomes_another(root):
    """From ms-swift's list to what Pink reads, through the task."""
    swift(root, "Find <ref-object>", "<bbox>", ref=["the cup"], bbox=[[30, 60, 120, 150]])
    (record,) = reader("conversations")(root)
    sample = WrittenDialogue()(record, np.random.default_rng(0))
    write_transcripts([[sample]], root / "pink.json", codec("pink"), Framing("squash").frame)
    assert json.loads((root / "pink.json").read_text())[0]["conversations"][1]["value"] == "[0.100,0.300,0.400,0.750]"


def test_polygons_and_pictures_by_their_whole_path(root, tmp_path_factory):
    far = tmp_path_factory.mktemp("far")
    picture(far / "000000000139.jpg", WIDTH, HEIGHT)
    entries(root, ["Outline it.", "<x_0><y_0><x_50><y_0><x_50><y_50>"])
    text = (root / "train.json").read_text().replace("a.jpg", str(far / "000000000139.jpg"))
    (root / "train.json").write_text(text)
    (record,) = reader("conversations")(root, codec="xy")
    assert record.extra == {"coco_id": 139}  # so that test pictures are known again
    assert record.dialogues[0].regions[0][1] == Polygon(((0, 0), (150, 0), (150, 100)))


def test_a_frame_needs_a_codec(root):
    with pytest.raises(ConfigError, match="give codec="):
        reader("conversations")(entries(root, ["a", "b"]), frame="pad")
    with pytest.raises(ConfigError, match="unknown codec"):
        reader("conversations")(root, codec="qwen")


def test_pictures_named_by_id_and_tags_that_are_words(tmp_path):
    """MiniGPT-v2's multi-task conversations: a picture of COCO by its id, tags and boxes as that family writes them."""
    picture(tmp_path / "images/COCO_train2014_000000000009.jpg", 200, 100)
    talk = [{"from": "human", "value": "<image>\n [refer] where is the cup?"},
            {"from": "gpt", "value": "<p>the cup</p> {<10><20><50><80>}"},
            {"from": "human", "value": "[vqa] is it full?"}, {"from": "gpt", "value": "yes"}]
    write(tmp_path / "train.json", [{"id": "000000000009", "conversations": talk}, {"conversations": talk}])
    (record,) = records = reader("conversations")(tmp_path, codec="minigpt", picture="id")
    assert record.extra == {"coco_id": 9} and records.problems == Counter({"entry without a picture": 1})
    (turns,) = record.dialogues
    ((handle, box),) = turns.regions
    assert box == Box(20, 20, 100, 80) and handle in turns.texts[1]
    sample = WrittenDialogue()(record, np.random.default_rng(0))
    frame = Framing("whole").frame(200, 100)
    said = dialogue("minigpt-v2").render(sample, codec("minigpt"), [frame]).text("@")
    assert said == ("<s>[INST] <Img>@</Img> [refer] where is the cup? [/INST] <p>the cup</p> {<10><20><50><80>}</s>"
                    "<s>[INST] [vqa] is it full? [/INST] yes</s>")
