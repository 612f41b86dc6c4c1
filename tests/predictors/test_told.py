"""Answers of other tools, joined by id and scored: values worked out by hand."""

from __future__ import annotations

import json

import layouts
import pytest

from loupe import cli
from loupe.errors import ConfigError, FileError
from loupe.evals import open_questions
from loupe.predictors.told import read_told, score_told
from loupe.regions import Box

TRUE = {11: Box(2, 3, 12, 11), 13: Box(20, 10, 30, 20)}


@pytest.fixture
def root(tmp_path):
    """Two pictures of 40 x 30; three phrases for one box of each: sent_ids 10, 11, 20."""
    file = layouts.instances(pattern="COCO_train2014_{:012d}.jpg", annotations=[
        layouts.annotation(key, image, [box.x1, box.y1, box.width, box.height])
        for (key, box), image in zip(TRUE.items(), (1, 2))])
    layouts.refer(tmp_path / "refer", refs=[layouts.reference(1, 11, 1, "val", "left cup", "the cup"),
                                            layouts.reference(2, 13, 2, "val", "right one")])
    layouts.write(tmp_path / "refer/refcoco/instances.json", file)
    return tmp_path


def shikra(x1, y1, x2, y2) -> str:
    """On the square of 40 the picture lies 5 lower."""
    return f"[{x1 / 40:.3f},{(y1 + 5) / 40:.3f},{x2 / 40:.3f},{(y2 + 5) / 40:.3f}]"


def lines(path, *entries):
    path.write_text("\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries) + "\n")
    return path


def test_boxes_of_shikra_by_the_sentence(root, tmp_path):
    """The true box; one of which it is 80 / 180 (IoU 0.44: wrong); and one that cannot be read: 1 of 3 is right."""
    questions = open_questions("refcoco-val", root, "any")
    assert len(questions) == 3
    file = lines(tmp_path / "shikra.jsonl", {"sent_id": 20, "text": "Answer: [0.5,0.4"},
                 {"sent_id": 11, "prompt": "the cup", "text": shikra(2, 3, 12, 21)},
                 {"sent_id": "10", "text": f"It is at {shikra(*TRUE[11].xyxy)}."})
    told = read_told(file, questions)
    result = score_told(told, questions, "shikra", root=root)
    assert result.count == 3 and told.problems == ()
    assert result.scores.main.value == pytest.approx(1 / 3) and result.scores.main.count == 3
    assert result.scores.main.low < 1 / 3 < result.scores.main.high and result.scores.unread == 1
    boxes = {p.id.rpartition(":")[2]: p.answer.regions for p in result.predictions}
    assert boxes["10"][0].xyxy == pytest.approx(TRUE[11].xyxy, abs=0.03) and boxes["20"] == ()


@pytest.mark.parametrize("codec, text", [("minigpt", "{<5><10><30><37>}"),
                                         ("internvl", "<box>[[50, 100, 300, 367]]</box>")])
def test_each_codec_has_its_own_numbers(root, tmp_path, codec, text):
    """(2, 3, 12, 11) of 40 x 30 is (5, 10, 30, 37) of a hundred."""
    questions = open_questions("refcoco-val", root, "any")
    told = read_told(lines(tmp_path / "a.jsonl", {"id": questions.samples[0].id, "response": text}), questions)
    assert score_told(told, questions, codec).scores.main.value == 1


def test_what_does_not_match_is_counted(root, tmp_path):
    """By picture only where one question is asked of it; two lines for a question are none."""
    questions = open_questions("refcoco-val", root, "any")
    file = lines(tmp_path / "a.jsonl", {"image_id": 1, "answer": "x"}, {"image_id": "000000000002", "prediction": "y"},
                 {"sent_id": 99, "text": "z"}, {"sent_id": 11, "text": [1, 2]}, "",
                 {"sent_id": 10, "text": "a"}, {"sent_id": 10, "text": "b"}, 
                 {"question_id": 20, "text": "a running number, no sentence"})
    told = read_told(file, questions)
    assert list(told.texts.values()) == ["y"]
    assert dict(told.problems) == {
        "lines whose image_id names several questions": 1, "lines whose sent_id names no question": 1,
        "lines whose question_id names no question": 1, "lines whose answer is no text": 1,
        "further lines for a question": 1, "questions with several lines": 1, "questions without a line": 1}


def test_what_is_wrong_is_told(root, tmp_path, capsys):
    questions = open_questions("refcoco-val", root, "any")
    for entry, said in (("{", "not JSON.*a.jsonl:1"), ({"text": "a"}, "no id: got text, expected question_id or"),
                        ({"sent_id": 10, "said": "a"}, "no answer: got sent_id, said, expected prediction or")):
        with pytest.raises(FileError, match=said):
            read_told(lines(tmp_path / "a.jsonl", entry), questions)
    file = lines(tmp_path / "b.jsonl", {"sent_id": 10, "text": shikra(*TRUE[11].xyxy)})
    with pytest.raises(ConfigError, match="answered with regions: got no --codec"):
        score_told(read_told(file, questions), questions)
    none = lines(tmp_path / "c.jsonl", {"sent_id": 99, "text": "a"})
    with pytest.raises(FileError, match="no answer belongs to a question: got 1 lines whose sent_id names no question"):
        score_told(read_told(none, questions), questions, "shikra")
    argv = ["score", str(file), "--benchmark", "refcoco-val", "--root", str(root), "--count", "any"]
    assert cli.main([*argv, "--codec", "shikra"]) == 0
    said = capsys.readouterr().out
    assert "1 of 3 questions answered, only these are scored" in said and "2  questions without a line" in said
    assert "100.0 % [" in said and "1 of 3" in said
    assert cli.main(["score", str(file)]) == 2
    assert "--benchmark NAME" in capsys.readouterr().err
