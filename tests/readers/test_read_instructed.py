"""Flickr30k Entities, A-OKVQA and TextCaps by hand, and on real records where they are there."""

import json
from collections import Counter

import instructed_layouts
import numpy as np
import pytest
from instructed_layouts import MEN, RIGHT, entity, thing
from layouts import picture

from loupe.augment import flip, shown
from loupe.codec import codec
from loupe.data.overlap import keys
from loupe.dialogue import dialogue
from loupe.errors import FileError
from loupe.frame import frame
from loupe.readers import reader
from loupe.readers.records import Records
from loupe.regions import Box
from loupe.sample import Regions
from loupe.tasks import task
from loupe.writers.records import write_records

HIM, HER, HAT = Box(2, 3, 12, 25), Box(24, 9, 40, 30), Box(23, 1, 30, 9)  # from 1, the last pixel included
BUSHES = Box(0, 0, 20, 30)


@pytest.fixture
def entities(tmp_path):
    return instructed_layouts.flickr30k_entities(tmp_path / "flickr30k")


def test_sentences_keep_their_phrases_and_regions(entities):
    (record,) = reader("flickr30k-entities")(entities, "val")
    assert [s.text for s in record.sentences] == [
        "Two yöung guys with shaggy hair look at each other.", "Two men are outside near many bushes, one in a hat.",
        "A man's friend wears a hat in the yard.", "A man doesn't move.", "Two friends enjoy time spent together."]
    assert record.captions == tuple(s.text for s in record.sentences) and record.id == "1000092795"
    first, second, third, fourth, fifth = (s.pieces for s in record.sentences)
    assert first == (("Two yöung guys", (HIM, HER)), (" with ", ()), ("shaggy hair", (BUSHES,)),
                     (" look at each other.", ()))  # thing 0 is not to be seen
    assert second[2:] == (("many bushes", (BUSHES,)), (", one in ", ()), ("a hat", (HAT,)), (".", ()))
    assert third == (("A man's friend", (HIM,)), (" wears ", ()), ("a hat", (HAT,)), (" in the yard.", ()))  # a scene
    assert fourth == (("A man", (HER,)), (" doesn't move.", ()))
    assert fifth == (("Two friends", (HIM, HER)), (" enjoy time spent together.", ()))  # nobndbox
    assert [(o.id, o.box, o.names) for o in record.objects] == [
        ("0", HIM, ()), ("1", BUSHES, ()), ("2", HER, ()), ("3", HAT, ()), ("4", BUSHES, ())]
    assert {(p.text, p.region, p.object, p.refers) for p in record.phrases} == {
        ("shaggy hair", BUSHES, "4", False), ("many bushes", BUSHES, "1", False), ("a hat", HAT, "3", False),
        ("A man's friend", HIM, "0", False), ("A man", HER, "2", False)}


def test_words_that_mean_different_boxes_are_no_phrase(entities):
    entity(entities, "36979", ("[/EN#6/x The man] .", "[/EN#5/x the man] .", "[/EN#6/x It] .", "A .", "B ."))
    record = reader("flickr30k-entities")(entities, "train")[0]
    assert [(p.text, p.region) for p in record.phrases] == [("It", HAT)]
    assert len(record.sentences) == 3 and len(record.captions) == 5
    asked = task("detection", kinds=["phrase"]).every(record)
    assert [s.extra["name"] for s in asked] == ["It"]


def test_oddities_of_a_picture_are_counted(entities):
    odd = (thing(MEN, 1), thing((30, 20, 60, 28), 4), thing((50, 2, 60, 9), 6), thing(RIGHT), thing(RIGHT, 7).replace(
        "<xmax>40</xmax>", ""), thing((9, 9, 8, 12), 5), thing("truncated", 10), thing((5, "x", 9, 12), 9))
    entity(entities, "36979", (*instructed_layouts.SENTENCES[:3], "Nothing here .", "[/EN#6/x A hat] ",
                               "[/EN#12/people One more] ."), odd)
    (entities / "train.txt").write_text("36979\n36979\nx\n\n5.jpg\n1000092795.jpg\n77\n")
    entity(entities, "77")
    (entities / "UNRELATED_CAPTIONS").write_text("# format: <imageID> <sentence number>\n36979 2\n")
    records = reader("flickr30k-entities")(entities, "train")
    assert [r.id for r in records] == ["36979", "1000092795"] and records.problems == Counter({
        "line is no picture's id": 1, "picture given twice": 1, "listed picture without its annotation files": 1,
        "picture not found": 1, "box clipped to its picture": 1, "box outside its picture": 1,
        "object without the id of a thing": 1, "box is not four numbers": 2, "box without area": 1,
        "object without a box, scene or nobndbox": 1, "picture with another number of sentences than 5": 1,
        "sentence about another picture (UNRELATED_CAPTIONS)": 1, "sentence without a marked phrase": 1,
        "phrase about a thing no object is": 3})  # 2, 8 and 12
    assert [s.text for s in records[0].sentences] == ["Two yöung guys with shaggy hair look at each other."]
    assert len(records[0].captions) == 5 and records[0].objects[1].box == Box(29, 19, 40, 28)


def test_damage_is_told_by_file_and_place(entities):
    def refused(match):
        with pytest.raises(FileError, match=match):
            reader("flickr30k-entities")(entities, "val")

    entity(entities, "1000092795", ("[/EN#1/people Two men", *"abcd"))
    refused(r"cut short: got .*Two men'.*1000092795.txt: sentence 1; unpack annotations.zip again")
    entity(entities, "1000092795", (*"abcde",))
    refused(r"got picture without a marked phrase: 1000092795.txt|got .*sentence without")
    entity(entities, "1000092795", size=("?", 30))
    refused(r"got annotation without the size of its picture: 1000092795.xml.*val.txt")
    entity(entities, "1000092795", size=(80, 60))
    refused(r"pictures are of another size than their annotations say: got 1000092795.jpg: 40 x 30, annotated 80 x 60")
    with pytest.raises(FileError, match=r"does not exist.*test.txt.*check --root and the split"):
        reader("flickr30k-entities")(entities, "test")
    with pytest.raises(FileError, match="Annotations"):
        reader("flickr30k-entities")(entities / "Sentences")


def test_every_picture_without_a_split_and_elsewhere(entities, tmp_path):
    assert [r.id for r in reader("flickr30k-entities")(entities)] == ["36979", "1000092795"]
    (tmp_path / "other").mkdir()
    for name in ("Annotations", "Sentences"):
        (tmp_path / "other/annotations").mkdir(exist_ok=True)
        (entities / name).rename(tmp_path / "other/annotations" / name)
    (entities / "val.txt").rename(tmp_path / "other/val.txt")
    records = reader("flickr30k-entities")(tmp_path / "other", "val", images=entities / "flickr30k-images")
    assert len(records) == 1 and keys(records.pictured(0)) == {("file", "1000092795.jpg")}


def test_sentences_become_grounded_captions_and_phrases_with_all_their_boxes(entities):
    (record,) = reader("flickr30k-entities")(entities, "val")
    rng = np.random.default_rng(0)
    written = {s.turns[-1].parts for s in (task("grounded-caption")(record, rng) for _ in range(40))}
    assert len(written) == 5 and (
        "A man's friend ", Regions((HIM,), "A man's friend"), " wears a hat ", Regions((HAT,), "a hat"),
        " in the yard.") in written
    (asked,) = task("grounded-caption").every(record)
    assert asked.extra["truth"][:4] == (HIM, "Two yöung guys", HER, "Two yöung guys")  # 220 and 336 pixels
    found = {s.extra["name"]: s.extra["truth"] for s in task("detection", kinds=["phrase"]).every(record)}
    assert found["two men"] == (HIM, HER) and found["a hat"] == (HAT,) and len(found) == 8
    sample = next(s for s in (task("detection", kinds=["phrase", "sentence"])(record, rng) for _ in range(99))
                  if s.extra["kind"] == "sentence" and "bushes" in s.extra["name"])
    assert sample.turns[1].parts == (
        "Two men ", Regions((HIM, HER), "Two men"), ", many bushes ", Regions((BUSHES,), "many bushes"), ", a hat ",
        Regions((HAT,), "a hat"))

    def said(name, form):
        answers = dialogue(form).render(sample, codec(name), [frame("squash", 40, 30, 40)])
        return answers.text()

    assert said("minigpt", "minigpt-v2").startswith("<s>[INST] <Img><image></Img> [detection] ")
    assert said("minigpt", "minigpt-v2").endswith(
        "[/INST] <p>Two men</p> {<5><10><30><83>}<delim>{<60><30><100><100>}, <p>many bushes</p> {<0><0><50><100>}, "
        "<p>a hat</p> {<57><3><75><30>}</s>")
    assert said("pink", "pink").endswith("Two men [0.050,0.100,0.300,0.833] [0.600,0.300,1.000,1.000], many bushes "
                                         "[0.000,0.000,0.500,1.000], a hat [0.575,0.033,0.750,0.300]</s>")


def test_sentences_are_stored_and_mirrored(entities, tmp_path):
    (record,) = reader("flickr30k-entities")(entities, "val")
    write_records([record], tmp_path / "r", "val")
    assert Records(tmp_path / "r", "val")[0].sentences == record.sentences
    turned = shown(record, flip(40, 30))
    assert [s.text for s in turned.sentences] == [s.text for s in record.sentences]
    assert turned.sentences[3].pieces[0] == ("A man", (Box(0, 9, 16, 30),))
    line = (tmp_path / "r/val.jsonl").read_text()
    (tmp_path / "r/val.jsonl").write_text(line.replace('"sentences": [{"pieces": [[', '"sentences": [{"pieces": [[7, '))
    with pytest.raises(FileError, match=r"Sentence.pieces = .*sentences\[0\]"):
        Records(tmp_path / "r", "val")[0]


def test_real_sentences(shared_data):
    records = reader("flickr30k-entities")(shared_data / "formats/flickr30k_entities", missing="keep")
    (record,) = records
    assert (record.id, record.width, record.height, len(record.objects)) == ("1000092795", 333, 500, 4)
    young = record.sentences[0].pieces[0]
    assert young == ("Two young guys", (Box(158, 124, 219, 335), Box(196, 109, 261, 373)))  # names of two objects
    assert record.sentences[1].pieces[2][0] == "many bushes" and len(record.sentences[1].pieces[2][1]) == 2
    assert [p.text for p in record.phrases] == ["A man"]
    assert record.captions[4] == "Two friends enjoy time spent together."
    assert set(records.problems) == {"phrase about a thing no object is"}, "the XML is cut to some of its objects"


def test_every_real_sentence_is_cut_at_its_marks(shared_data, tmp_path):
    """Boxes for every thing of the eight pictures; the words as the data's authors read them."""
    folder = shared_data / "formats/flickr30k_entities/Sentences"
    read = 0
    for path in sorted(folder.glob("*.txt")):
        lines = list(filter(None, path.read_text().splitlines()))
        opening = [token for line in lines for token in line.split() if token[0] == "["]
        things = sorted({token.split("/")[1][3:] for token in opening} - {"0"})
        entity(tmp_path, path.stem, lines, [thing(MEN, each) for each in things])
        picture(tmp_path / f"flickr30k-images/{path.stem}.jpg")
        record = next(r for r in reader("flickr30k-entities")(tmp_path) if r.id == path.stem)
        for line, sentence in zip(lines, record.sentences, strict=True):
            marked = [t for t in line.replace("] ", "]\n").replace(" [", "\n[").splitlines() if t.startswith("[/EN#")]
            words = ["".join(t.split()[1:]).rstrip("]") for t in marked if not t.startswith("[/EN#0")]
            told = [text.replace(" ", "") for text, regions in sentence.pieces if regions]
            assert told == words
            read += len(told)
    assert read > 100


def test_aokvqa_is_a_choice_and_an_open_question(tmp_path):
    root = instructed_layouts.aokvqa(tmp_path / "aokvqa")
    first, second = reader("aokvqa")(root)
    mouth, where = first.questions
    assert (mouth.answers, mouth.options) == (("cigarette", "smoke"), ("toothpick", "food", "pöpsicle", "cigarette"))
    assert Counter(mouth.votes) == {"smoke": 6, "cigarette": 4} and mouth.id == "22jbM6gDxdaMaunuzgrsBB"
    assert (where.answers, where.votes) == (("food", "here"), ()), "ten answers that are too different to be counted"
    assert first.extra == {"coco_id": 9} and keys(first) == {("coco", 9)}
    assert [s.extra["truth"] for s in task("multiple-choice").every(first)] == ["D", "B"]
    assert not task("question").every(first)
    (one, _) = task("question", chosen=True).every(first)
    assert (one.extra["truth"], one.extra["references"]) == ("cigarette", ("cigarette", "smoke"))


def test_aokvqa_counts_what_it_leaves_out(tmp_path):
    root = instructed_layouts.aokvqa(tmp_path / "aokvqa")
    data = json.loads((root / "aokvqa_v1p0_train.json").read_text("utf-8"))
    ask = instructed_layouts.question
    data += [ask("a", "x", "No?", 1, ["a"]), ask("b", 9, " ", 1, ["a"]), ask("c", 9, "Beyond?", 4, ["a"] * 3 + ["b"]),
             ask("d", 9, "None?", None, []), ask("e", 3, "Gone?", 1, ["a"]), 7, ask("f", 9, "Bare?", 0, None),
             ask("g", 9, "Twice?", 0, ["a"], choices=["a", "a"])]
    (root / "aokvqa_v1p0_train.json").write_text(json.dumps(data))
    records = reader("aokvqa")(root)
    assert [(q.text, q.answers, len(q.options)) for q in records[0].questions][2:] == [
        ("Beyond?", ("a", "b"), 0), ("Bare?", ("toothpick",), 4), ("Twice?", ("a",), 0)]
    assert records.problems == Counter({
        "entry is of another form": 2, "question without words or answer": 2, "picture not found": 1,
        "question without a right choice: asked openly": 2})
    for entry in data[:3]:
        entry.pop("correct_choice_idx"), entry.pop("direct_answers")
    (root / "aokvqa_v1p0_test.json").write_text(json.dumps(data[:3]))
    hidden = reader("aokvqa")(root, "test")
    assert len(hidden) == 0 and hidden.problems == Counter({"question without words or answer": 3})
    (root / "aokvqa_v1p0_train.json").write_text('{"questions": []}')
    with pytest.raises(FileError, match="another layout.*correct_choice_idx"):
        reader("aokvqa")(root)


def test_real_aokvqa(shared_data, tmp_path):
    picture(tmp_path / "coco/val2017/000000461751.jpg")
    (record,) = reader("aokvqa")(shared_data / "formats/aokvqa", "val", file="aokvqa_v1p0_val_sample1.json",
                                 images=tmp_path / "coco")
    (q,) = record.questions
    assert (q.text, q.answers, len(q.votes)) == ("What is in the motorcyclist's mouth?", ("cigarette",), 10)
    assert q.options == ("toothpick", "food", "popsicle stick", "cigarette")
    assert record.extra == {"coco_id": 461751}


def test_textcaps_gathers_the_captions_of_a_picture(tmp_path):
    root = instructed_layouts.textcaps(tmp_path / "textcaps")
    records = reader("textcaps")(root)
    assert [(r.id, r.captions) for r in records] == [
        ("0054c91397f2fe05", ("A bottle of Pepsi on a täble.", "A bottle says pepsi.")),
        ("005635e119b9f32f", ("A sign reads stop.",))]
    data = json.loads((root / "TextCaps_0.1_train.json").read_text("utf-8"))
    data["data"] += [{"image_id": "x", "caption_str": " "}, {"caption_str": "A cup."}, 3,
                     {"image_id": "0000000000000000", "caption_str": "Gone."}, {"image_id": 7, "reference_strs": 5}]
    (root / "TextCaps_0.1_train.json").write_text(json.dumps(data))
    (tmp_path / "textvqa").mkdir()
    (root / "train_images").rename(tmp_path / "textvqa/train_images")  # TextVQA's are the same pictures
    bad = reader("textcaps")(root)
    assert len(bad) == 2 and bad.problems == Counter({
        "picture without a caption": 2, "entry is of another form": 2, "picture not found": 1})
    assert keys(bad.pictured(0)) == {("file", "0054c91397f2fe05.jpg")}
    for entry in data["data"][:3]:
        entry.pop("caption_str"), entry.pop("reference_strs")
    (root / "TextCaps_0.1_test.json").write_text(json.dumps({"data": data["data"][:3]}))
    hidden = reader("textcaps")(root, "test")
    assert len(hidden) == 0 and hidden.problems == Counter({"picture without a caption": 3})
