"""Examples before a question: other pictures, the same words, regions where they belong; what a model reads of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import loupe
from loupe import world
from loupe.codec import codec
from loupe.dialogue import dialogue
from loupe.errors import ConfigError
from loupe.evals import open_questions
from loupe.evals.asking import ask
from loupe.evals.shots import before, shown
from loupe.evals.spec import Benchmark
from loupe.frame import squash
from loupe.record import Record
from loupe.regions import Box
from loupe.sample import ImageMark, Regions, Sample, assistant, user
from loupe.tasks import task

ASKED = Benchmark("few", "records", "records", "val", task="grounding", task_options={"phrases": "refers"}, draw=1,
                  fit="train")


@pytest.fixture(scope="module")
def scenes():
    return list(world.records(12, 5, "train", world="mini"))


def test_one_sample_by_hand():
    a, b, c = (loupe.image.Image(data=bytes([k])) for k in range(3))
    box, other = Box(1, 2, 3, 4), Box(5, 6, 7, 8)
    examples = [Sample((b,), (user("Where is it?"), assistant(other))),
                Sample((c,), (user(box, "?"), assistant("A cup.")))]
    made = before(examples, Sample((a,), (user("Where is the dog?"),), id="q", extra={"truth": box}))
    assert made.images == (a, b, c) and made.id == "q" and made.extra == {"truth": box}
    assert made.turns == (
        user(ImageMark(1), "Where is it?"), assistant(replace(other, image=1)),
        user(ImageMark(2), replace(box, image=2), "?"), assistant("A cup."), user(ImageMark(0), "Where is the dog?"))


@pytest.mark.parametrize("name, options", [("grounding", {"phrases": "refers"}), ("question", {}), ("region", {})])
def test_examples_are_of_other_pictures_and_worded_as_the_question(scenes, name, options):
    asking, what = task(name, **options), replace(ASKED, task=name, task_options=options, shots=2)
    samples = [s for record in scenes[:4] for s in asking.every(record)[:2]]
    made = shown(what, samples, scenes)
    assert [s.id for s in made] == [s.id for s in samples] and all(len(s.turns) == 5 for s in made)
    wordings = {tuple(p for p in t.parts if isinstance(p, str))
                for r in scenes for s in asking.every(r) for t in s.turns}
    for few, sample in zip(made, samples):
        assert few.images[0] == sample.images[0] and few.images[0] not in few.images[1:]
        for k, turn in enumerate(few.turns):
            number = (1, 1, 2, 2, 0)[k]
            assert all(r.image == number for p in turn.parts if isinstance(p, Regions) for r in p.regions)
            assert (ImageMark(number) == turn.parts[0]) == (turn.role == "user")
            if turn.role == "user":
                assert tuple(p for p in turn.parts[1:] if isinstance(p, str)) in wordings
        assert few.turns[-1].parts[1:] == sample.turns[-1].parts, "its own words stay"
    assert made == shown(what, samples, scenes), "the same every time"
    other = shown(replace(what, shots_seed=1), samples, scenes)
    assert sum(a.images != b.images for a, b in zip(made, other)) > len(samples) / 2
    assert shown(replace(what, shots=0), samples, scenes) == tuple(samples)


def test_examples_that_are_whole_conversations(scenes):
    """In the fixed wordings, as the question: what is said of one picture stands among all that is said of it."""
    asking, what = task("conversation"), replace(ASKED, task="conversation", task_options={}, shots=1)
    samples = [s for record in scenes[:2] for s in asking.every(record)[:1]]
    posed = asking.pose(scenes[0], np.random.default_rng(3))
    assert asking.pose(scenes[0], np.random.default_rng(3)) == posed and posed.turns[-1].role == "user"
    drawn = asking(scenes[0], np.random.default_rng(3))
    assert drawn.id == posed.id and [t for t in drawn.turns if t.role == "assistant"][:-1] == [
        t for t in posed.turns if t.role == "assistant"]
    for few, sample in zip(shown(what, samples, scenes), samples, strict=True):
        count = len(few.turns) - len(sample.turns)
        assert count >= 2 and count % 2 == 0 and few.turns[count - 1].role == "assistant"
        assert few.turns[-1].parts[-1:] == sample.turns[-1].parts[-1:]


def test_without_records_or_answers(scenes):
    (sample, *_) = task("grounding", phrases="refers").every(scenes[0])
    for records, said in (([], "no records"), ([replace(r, phrases=()) for r in scenes], "no record gives an example")):
        with pytest.raises(ConfigError, match=said):
            shown(replace(ASKED, shots=1), [sample], records)


def test_a_benchmark_with_examples_is_another_one(tmp_path):
    world.write(tmp_path, 12, seed=3, val=20, world="mini")
    plain = open_questions(ASKED, tmp_path, "any")
    few = open_questions(replace(ASKED, shots=1), tmp_path, "any")
    assert [s.id for s in few.samples] == [s.id for s in plain.samples] and few.hash != plain.hash
    assert "shots" in few.benchmark.spec() and "shots" not in plain.benchmark.spec()
    assert {s.images[1].path.parent.name for s in few.samples} == {"train2017"}


def test_what_a_model_reads(scenes):
    """Pictures where their examples are, boxes by their own picture's frame; the answer is of the last question."""
    square = scenes[0]
    wide = Record(square.image, 192, 96, "w", "world")
    examples = [Sample((wide.image,), (user("Where?"), assistant(Box(96, 0, 192, 96))))]
    made = before(examples, Sample((square.image,), (user("And here?"),)))
    frames = [squash(96, 96, 96), squash(192, 96, 96)]
    text = dialogue("lyrics").render(made, codec("lyrics"), frames).text()
    assert text.count("<image>") == 2 and "0.500,0.000" in text.replace(" ", "") and text.index("Where?") < text.index(
        "And here?")


def test_the_miniature_answers_behind_examples(scenes):
    """It was trained on single pictures; the answer lies on the picture asked about all the same."""
    model = loupe.load("mini")
    samples = [task("grounding", phrases="refers").every(r)[0] for r in scenes[:2]]
    for answer, sample in zip(model.answer(list(shown(replace(ASKED, shots=1), samples, scenes[4:]))), samples):
        assert all(r.image == 0 and 0 <= r.box.x1 <= r.box.x2 <= sample.images[0].size[0] for r in answer.regions)
        assert answer.raw


def test_a_question_behind_another_of_the_same_picture(scenes):
    what = replace(ASKED, task="presence", task_options={"each": 1}, balance="kind")
    alone = {s.images[0]: s for s in ask(what, scenes)}
    behind = list(ask(replace(what, behind=("counting", "presence")), scenes))
    assert len(behind) > 6 and len({s.turns[1].parts for s in behind}) > 2
    for s in behind:
        assert [t.role for t in s.turns] == ["user", "assistant", "user"] and len(s.images) == 1
        assert replace(s, turns=s.turns[2:]) == alone[s.images[0]], "the question, its id and truth stay"
        record = next(r for r in scenes if r.image == s.images[0])
        solved = {sample.extra["truth"] for name in ("counting", "presence") for sample in task(name).every(record)}
        assert s.turns[1].parts[0] in {str(truth) for truth in solved}
    assert [s.turns for s in behind] == [s.turns for s in ask(replace(what, behind=("counting", "presence")), scenes)]
    assert "behind" not in what.spec() and "behind" in replace(what, behind=("counting",)).spec()


def test_nothing_to_ask_before_leaves_a_question_out(scenes):
    bare = [replace(scenes[0], objects=(), phrases=(), relations=())]
    assert list(ask(replace(ASKED, task="caption", task_options={}, behind=("region",)), bare)) == []
