"""Questions shared out: whole pictures, each question once, the same file in the end, clear words when one fails."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loupe import world
from loupe.cli import main
from loupe.errors import ConfigError, FileError
from loupe.evals import answer_part, evaluate, open_questions, read_predictions
from loupe.evals.parts import deal, part_file, part_files
from loupe.predictors import baseline
from loupe.regions import Box
from loupe.sample import Answer, Found

QUESTIONS = "mini-grounding"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("parts")
    world.write(out, 4, seed=3, val=12, world="mini")
    return out


@pytest.fixture
def questions(root):
    return open_questions(QUESTIONS, root, "any")


class Named:
    """Says a box that depends on the question alone; stops like a killed run after `stop` answers."""

    def __init__(self, name="named", stop=None):
        self.name, self.stop, self.asked = name, stop, []

    def answer(self, samples):
        for sample in samples:
            if len(self.asked) == self.stop:
                raise KeyboardInterrupt
            self.asked.append(sample.id)
            yield Answer((Found(Box(0, 0, 10 + len(sample.id), 50), 0.5),), raw=sample.id, score=0.5)


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 7))
def test_every_question_is_dealt_once_and_pictures_stay_whole(pictures, parts):
    class Asked:
        def __init__(self, number):
            self.number, self.images = number, (Picture(number),)

    class Picture:
        path = None

        def __init__(self, number):
            self.name = str(number)

    samples = [Asked(n) for n in pictures]
    dealt = [deal(samples, part, parts) for part in range(1, parts + 1)]
    assert sorted(id(s) for some in dealt for s in some) == sorted(map(id, samples))
    assert all(len({k for k, some in enumerate(dealt) if any(s.number == n for s in some)}) == 1 for n in set(pictures))
    largest = max((pictures.count(n) for n in set(pictures)), default=0)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= largest
    assert all([samples.index(s) for s in some] == sorted(samples.index(s) for s in some) for some in dealt)


def test_parts_become_the_whole(root, questions, tmp_path):
    whole = evaluate(Named(), questions, root, tmp_path / "whole", progress=False)
    workers = [Named() for _ in range(3)]
    for part, worker in enumerate(workers, 1):
        answer_part(worker, questions, root, tmp_path / "shared", part, 3)
    assert all(worker.asked for worker in workers)
    last = Named()
    result = evaluate(last, questions, root, tmp_path / "shared", progress=False)
    assert last.asked == [] and result.scores == whole.scores
    assert [p.id for p in result.predictions] == [p.id for p in whole.predictions]
    assert [p.name for p in (tmp_path / "shared").iterdir()] == [f"{QUESTIONS}.jsonl"]
    lines = [(tmp_path / name / f"{QUESTIONS}.jsonl").read_text().splitlines() for name in ("whole", "shared")]
    assert lines[0][0] == lines[1][0] and sorted(lines[0]) == sorted(lines[1])


def test_a_killed_part_goes_on_and_what_is_missing_is_asked(root, questions, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        answer_part(Named(stop=2), questions, root, tmp_path, 1, 2)
    again = Named()
    answer_part(again, questions, root, tmp_path, 1, 2)
    first = deal(questions.samples, 1, 2)
    assert again.asked == [s.id for s in first[2:]]
    last = Named()
    evaluate(last, questions, root, tmp_path, progress=False)
    assert last.asked == [s.id for s in questions.samples if s not in first]
    other = Named()
    answer_part(other, questions, root, tmp_path, 1, 4)
    assert other.asked == []


def test_parts_of_another_model_are_refused(root, questions, tmp_path):
    answer_part(Named("other"), questions, root, tmp_path, 2, 2)
    with pytest.raises(FileError, match="another run.*other.*named.*part2of2"):
        evaluate(Named(), questions, root, tmp_path, progress=False)
    assert part_files(tmp_path / f"{QUESTIONS}.jsonl") == [part_file(tmp_path / f"{QUESTIONS}.jsonl", 2, 2)]
    with pytest.raises(ConfigError, match="3 of 2"):
        answer_part(baseline("whole-image"), questions, root, tmp_path, 3, 2)


def test_two_workers_answer_as_one(root, tmp_path, capsys):
    asked = ["evaluate", "mini", QUESTIONS, "--root", str(root), "--count", "any", "--device", "cpu", "--limit", "6"]
    assert main([*asked, "--out", str(tmp_path / "one")]) in (None, 0)
    assert main([*asked, "--out", str(tmp_path / "two"), "--workers", "2"]) in (None, 0)
    (head, one), (other, two) = (read_predictions(tmp_path / name / f"{QUESTIONS}.jsonl") for name in ("one", "two"))
    assert head == other and {p.id: p.answer.raw for p in one} == {p.id: p.answer.raw for p in two} and len(one) == 6
    first, second = (json.loads((tmp_path / name / "scores.json").read_text())["results"] for name in ("one", "two"))
    assert first == second
    assert main([*asked, "--out", str(tmp_path / "three"), "--part", "1/2"]) in (None, 0)
    assert "without --part" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "three").iterdir()) == [
        f"{QUESTIONS}.blind.jsonl.part1of2", f"{QUESTIONS}.jsonl.part1of2"]


@pytest.mark.parametrize("more, words", [
    (["--workers", "0"], "--workers 0"), (["--workers", "2", "--curve"], "--curve"),
    (["--part", "1/2", "--workers", "2"], "--part beside --workers"), (["--part", "3/2"], "K/N")])
def test_what_cannot_be_shared_out_is_said(root, tmp_path, capsys, more, words):
    with pytest.raises(SystemExit) as left:
        raise SystemExit(main(["evaluate", "mini", QUESTIONS, "--root", str(root), "--out", str(tmp_path), *more]))
    assert left.value.code == 2 and words in capsys.readouterr().err


def test_a_failing_worker_says_why(root, tmp_path, capsys):
    (tmp_path / f"{QUESTIONS}.jsonl").write_text('{"loupe": "predictions", "version": 9}\n')
    assert main(["evaluate", "mini", QUESTIONS, "--root", str(root), "--out", str(tmp_path), "--count", "any",
                 "--device", "cpu", "--limit", "2", "--workers", "2"]) == 2
    assert "another version" in capsys.readouterr().err
