"""The judgement of miniatures: what is asked, figures worked by hand, goals, baselines that do not look, going on."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import world
from loupe.cli import main
from loupe.errors import ConfigError
from loupe.evals import BENCHMARKS, evaluate, open_questions, rescore
from loupe.evals.benchmark import Shelf
from loupe.evals.grid import Colours, Masks, pixels_of, places
from loupe.evals.metrics import by_kind, measure
from loupe.evals.metrics.looks import pairs
from loupe.evals.miniature import GOALS, MINI, OWN_ROOT, SUITES, Goal
from loupe.evals.predictions import Prediction
from loupe.evals.suite import goals_table, names_of, scores_of, verdicts
from loupe.predictors import Blind
from loupe.recipes.mini import MINI as MINI_RECIPE
from loupe.regions import Box, Colour, Mask, Point, contains, pixels
from loupe.sample import Answer, Found, Problem, Regions
from loupe.world.noise import clean, floor

SCENE = {"width": 100, "height": 100, "relations": [["a", "matching", "b"]], "objects": [
    {"id": "a", "names": ["star"], "attributes": ["red"], "place": Box(10, 10, 30, 30)},
    {"id": "b", "names": ["star"], "attributes": ["red"], "place": Box(60, 12, 80, 32)},
    {"id": "c", "names": ["moon"], "attributes": ["large", "blue"], "place": Box(10, 60, 50, 100)}]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("judging") / "data"
    world.write(out, 12, seed=4, val=30, world="mini")
    return out


class Truthful:
    """Answers with the truth; yes or no by the true outline."""

    name = "truthful"

    def __init__(self, shapes=None, small=None):
        self.shapes, self.small, self.asked = shapes, small, 0

    def answer(self, samples):
        for s in samples:
            self.asked += 1
            if s.task == "segmentation":
                point = s.turns[-1].parts[0 if isinstance(s.turns[-1].parts[0], Regions) else 1].regions[0]
                yield Answer(("yes" if contains(self.shapes[s.id.split("#")[0]], point) else "No.",))
            elif s.task == "reconstruction":
                point = next(p for p in s.turns[-1].parts if isinstance(p, Regions)).regions[0]
                small = np.asarray(s.images[0].pillow().resize((64, 64), Pillow.Resampling.BICUBIC))
                yield Answer((Colour(*small[int(point.y * 64 / 96), int(point.x * 64 / 96)].tolist()),))
            else:
                yield answer(s.extra["truth"])


class Always:
    name = "always"

    def __init__(self, answer: Answer):
        self.said = answer

    def answer(self, samples):
        return (self.said for _ in samples)


def answer(truth) -> Answer:
    if isinstance(truth, str):
        return Answer((truth,), (), truth)
    if not isinstance(truth, tuple):
        return Answer((Found(truth if isinstance(truth, (Box, Point)) else truth.box),))
    if all(isinstance(v, str) for v in truth):
        return Answer((", ".join(truth) or "none",))
    if isinstance(truth[-1], str):  # box, words, box, words: said the other way round
        truth = tuple(v for box, words in zip(truth[::2], truth[1::2]) for v in (words + " ", box, " and "))
    return Answer(tuple(v if isinstance(v, (str, Colour)) else Found(v) for v in truth))


def said(truth, *parts, question=("?",), problems=(), **extra) -> Prediction:
    parts = tuple(p if isinstance(p, (str, Found, Colour)) else Found(p) for p in parts)
    return Prediction("q", question, truth, Answer(parts, tuple(problems), ""), (), extra)


@pytest.mark.parametrize("what", [b for b in MINI if not b.form and b.name not in OWN_ROOT], ids=lambda b: b.name)
def test_true_answers_are_right_and_nothing_else_is(what, root):
    questions = open_questions(what, root)
    assert len({s.record for s in questions.samples}) == len(questions) <= 30  # one of each picture
    assert evaluate(Truthful(), questions, root).scores.main.value == 1.0
    for wrong in (Answer(("kumquat",)), Answer(())):
        assert evaluate(Always(wrong), questions, root).scores.main.value == 0.0


def test_everything_the_miniature_is_taught_is_asked():
    """Every task of its stages, and of those that are asked in two ways both; plain captions, scored against
    references elsewhere (cider), stand in for no skill of their own."""
    taught = {name for stage in MINI_RECIPE.stages for source in stage.mixture.sources for name, _ in source.tasks}
    seen = {(b.task, kind) for b in MINI for kind in b.task_options.get("kinds", ("",))}
    assert taught - {"caption", "segmentation"} == {task for task, _ in seen}, "masks are asked by expressions"
    for task, kinds in {"counting": ("name", "region"), "detection": ("name", "region"), "reading": ("read", "find"),
                        "coarse-position": ("names", "boxes", "steps")}.items():
        assert {kind for name, kind in seen if name == task} == set(kinds)


def test_expressions_are_asked_in_thirds_and_scored_apart(root):
    result = evaluate(Truthful(), open_questions("mini-grounding", root), root)
    counts = {kind: scores.count for kind, scores in result.kinds.items()}
    assert set(counts) == {"attribute", "relation", "order"} and max(counts.values()) - min(counts.values()) <= 1
    assert all(s.main.value == 1.0 for s in result.kinds.values())
    three = [said("yes", "yes", kind="a"), said("no", "yes", kind="b"), said("no", "no", kind="b")]
    assert {k: s.main.value for k, s in by_kind("words", three, "kind").items()} == {"a": 1.0, "b": 0.5}
    assert set(by_kind("words", three, "truth")) == {"yes", "no"}


def test_a_part_is_the_beginning_of_the_whole(root):
    whole = open_questions("mini-counting", root)
    assert [s.id for s in whole.samples] == [s.id for s in open_questions("mini-counting", root).samples]
    assert [s.id for s in whole.samples] != sorted(s.id for s in whole.samples)
    assert whole.some(7) == whole.samples[:7] == whole.some(12)[:7]
    few = open_questions(replace(BENCHMARKS["mini-counting"], most=5), root)
    assert few.samples == whole.samples[:5]
    published = replace(BENCHMARKS["coco-counting-val2017"])
    every = open_questions(published, root)
    some, more = every.some(20), every.some(30)
    assert set(s.id for s in some) < set(s.id for s in more) and some != every.samples[:20]
    assert [s.id for s in some] == [s.id for s in every.samples if s in some]  # in the file's order


def test_parts_of_a_drawn_benchmark_go_on(root, tmp_path):
    first, rest = Truthful(), Truthful()
    evaluate(first, "mini-presence", root, tmp_path, limit=10)
    result = evaluate(rest, "mini-presence", root, tmp_path, limit=25)
    assert (first.asked, rest.asked, result.count) == (10, 15, 25)
    assert rescore(result.path).scores == result.scores
    assert rescore(result.path).kinds == result.kinds and set(result.kinds) == {"name", "box"}
    shelf = Shelf()
    assert [len(open_questions(n, root, shelf=shelf)) for n in ("mini-point", "mini-box")] == [30, 30]


def test_descriptions_by_hand():
    region = Regions((Box(10, 10, 30, 30),))
    questions = [said("left star", text, question=("Describe ", region), scene=SCENE, references=("left star",))
                 for text in ("left star", "leftmost red star", "star", "red star above the moon", "the moon", "shiny")]
    scores = measure("descriptions", questions)
    assert scores["unique"] == 2 / 6 and scores["exact"] == 1 / 6  # the other star lies above the moon, too
    assert scores["true of the object, perhaps of others"] == 4 / 6
    assert dict(scores.remarks) == {"words outside the world's grammar, counted wrong": 1}
    hard = [said("moon", "moon", question=("Describe ", Regions((Box(10, 60, 50, 100),))), scene=SCENE, object="c"),
            said("star", "red star", question=("Describe ", region), scene=SCENE, object="a")]
    scores = measure("descriptions", hard)
    assert scores["unique"] == 0.5 and scores["unique, another of its class in the picture"] == 0


def test_grounding_beside_a_rival_by_hand():
    questions = [said(Box(10, 60, 50, 100), Box(10, 60, 50, 100), scene=SCENE, object="c"),
                 said(Box(10, 10, 30, 30), Box(60, 12, 80, 32), scene=SCENE, object="a")]
    scores = measure("referring", questions)
    assert scores["IoU >= 0.5"] == 0.5 and scores["IoU >= 0.5, another of its class in the picture"] == 0


def test_relations_by_hand():
    ends = (Regions((Box(10, 10, 30, 30),)), " to ", Regions((Box(60, 12, 80, 32),)))
    texts = {"left of": True, "to the left of": True, "Left of.": True, "right of": False, "larger than": False,
             "far from": False, "matching": True, "as red as": True, "as blue as": False, "level with": True, "": False}
    for text, good in texts.items():
        scores = measure("relations", [said("left of", text, question=ends, scene=SCENE, references=("left of",))])
        assert scores["holds"] == good, text


def test_sets_by_hand():
    a, b = Box(0, 0, 10, 10), Box(20, 0, 30, 10)
    cases = [(("star", "moon", "star"), ("star, star, moon",), 1), (("star", "moon"), ("star",), 0), ((), ("none",), 1),
             ((), ("star",), 0), ((), ("",), 0), (("star",), ("None.",), 0), ((a, b), (b, a), 1), ((a, b), (a, a), 0),
             ((a, "star", b, "moon"), (b, " moon ", a, " star"), 1), ((a, "star"), (a, " moon"), 0)]
    for truth, parts, right in cases:
        assert measure("sets", [said(truth, *parts)])["exact set"] == right, (truth, parts)
    assert measure("sets", [said(("star", "moon"), "star"), said(("star",), "star")])["F1"] == 4 / 5
    torn = said(("star",), problems=[Problem("truncated", "[", 0)])
    assert dict(measure("sets", [torn]).unreadable) == {"truncated": 1}


def test_sets_reached_step_by_step():
    """The places an answer goes through are no items; the names behind them are."""
    a, b = Point(5, 5), Point(25, 5)
    cases = [(("star",), (a, ": ", b, " star"), 1), ((), (a, ": none"), 1), (("star",), (a, ": none"), 0),
             ((), (a, ": ", b, " star"), 0), (("star",), (b, " star"), 1), (("star",), (a, " star ", b, " moon"), 0),
             (("star", "moon"), (a, ": ", b, " moon ", a, " star"), 1), ((), (a,), 0), (("star",), ("star",), 1)]
    for truth, parts, right in cases:
        assert measure("sets", [said(truth, *parts, kind="steps")])["exact set"] == right, (truth, parts)
    assert measure("sets", [said((), a, ": none", kind="both")])["exact set"] == 0


def test_answers_of_several_kinds_by_hand():
    box = Box(0, 0, 10, 10)
    questions = [said("red", "Red."), said("2", "3"), said(box, Box(0, 0, 10, 5)), said(box, Box(0, 0, 10, 4)),
                 said(box, "no"), said((box,), box)]
    scores = measure("answers", questions)
    assert scores["right"] == 0.5 and scores["right, words"] == 0.5 and scores["right, regions"] == 0.5


def test_captions_by_hand():
    """Two of three pairs agree; they name two of three objects: F1 = 2 * (2/3) * (2/3) / (4/3) = 2/3."""
    parts = ("A red star ", Box(11, 10, 30, 30), " above a large blue moon ", Box(10, 60, 50, 98), ", and a blue star ",
             Box(60, 12, 80, 32))
    p = said((), *parts, scene=SCENE)
    assert [words for words, _ in pairs(p)] == ["A red star", "a large blue moon", "a blue star"]
    scores = measure("captions", [p])
    assert scores["pairs that agree"] == scores["objects named"] == pytest.approx(2 / 3)
    assert scores.main.value == pytest.approx(2 / 3) and scores["all right and complete"] == 0
    tied = said((), Found(Box(60, 12, 80, 32), phrase="the right star"), scene=SCENE)
    assert measure("captions", [tied])["pairs that agree"] == 1
    assert measure("captions", [said((), "a star", scene=SCENE)]).main.value == 0


def mask(x1, y1, x2, y2) -> Mask:
    return Mask.from_array(pixels(Box(x1, y1, x2, y2), 10, 10))


def test_masks_by_hand():
    """Intersections 8 + 2 of unions 10 + 20; the said boxes 10 + 8 of 20 + 10; both true boxes fill the masks."""
    questions = [said(mask(0, 0, 5, 2), Box(0, 0, 5, 4), mask(0, 0, 4, 2)),
                 said(mask(0, 0, 5, 2), Box(0, 0, 4, 2), mask(4, 0, 10, 2))]
    scores = measure("masks", questions)
    assert scores["cIoU"] == 10 / 30 and scores["gIoU"] == pytest.approx((8 / 10 + 2 / 20) / 2)
    assert scores["cIoU of the said box, filled"] == 18 / 30 and scores["cIoU of the true box, filled"] == 1
    assert scores["cIoU above the said box"] == pytest.approx(-8 / 30)
    assert scores["cIoU above the true box"] == pytest.approx(-20 / 30)
    assert measure("masks", [said(mask(0, 0, 5, 2))])["cIoU"] == 0


def test_colours_by_hand():
    truth = (Colour(0, 0, 0), Colour(255, 255, 255))
    means = {"patch mean": 0.5, "image mean": 0.5, "noise floor": 0.1}
    half = said(truth, Colour(0, 0, 0), Colour(153, 153, 153), **means)  # mean error 0.2
    assert measure("colours", [half]).main.value == pytest.approx((0.5 - 0.2) / (0.5 - 0.1))
    assert measure("colours", [half])["mean error"] == pytest.approx(0.2)
    assert measure("colours", [said(truth, Colour(0, 0, 0), "", **means)])["mean error"] == pytest.approx(0.25)


def test_masks_and_pictures_are_put_together(root):
    what = replace(BENCHMARKS["mini-masks"], most=4)
    questions = open_questions(what, root)
    shapes = {s.id: s.extra["truth"] for s in questions.samples}
    truthful = Truthful(shapes)
    scores = evaluate(truthful, questions, root).scores
    held = sum(contains(shape.box, p) for shape in shapes.values() for p in places(shape.width, shape.height, 48))
    assert 4 * 10 < truthful.asked <= 4 + held  # one for the box, then its places
    assert scores["cIoU"] > 0.8 and scores["cIoU above the said box"] > 0.1
    assert scores["cIoU of the said box, filled"] == scores["cIoU of the true box, filled"]
    pixel = open_questions(replace(BENCHMARKS["mini-pixels"], most=2), root)
    scores = evaluate(Truthful(), pixel, root).scores
    assert scores["mean error"] == 0 and scores.main.value > 1  # better than the noise floor: it knows the noise
    assert 0 < scores["mean error of the noise floor"] < scores["mean error of the patch mean"]
    assert scores["mean error of the patch mean"] < scores["mean error of the image mean"]
    for grid, what in ((Masks(Always(Answer(())), 4), questions), (Colours(Always(Answer(())), 16), pixel)):
        assert next(iter(grid.answer(what.samples[:1]))).problems


def test_places():
    assert places(10, 20, 2) == [Point(2.5, 5), Point(7.5, 5), Point(2.5, 15), Point(7.5, 15)]
    assert pixels_of(16, 64).tolist() == list(range(2, 64, 4))
    with pytest.raises(ConfigError, match="does not fit"):
        open_questions(replace(BENCHMARKS["mini-pixels"], grid=15), "/nowhere", shelf=Given())


class Given(Shelf):
    def open(self, what, folder):
        made = list(world.records(1, 3, "val", world="mini"))
        return type("Records", (list,), {"hash": "", "problems": {}})(made)


def test_noise_is_what_a_clean_scene_lacks():
    (record,) = world.records(1, 3, "val", world="mini")
    scene = clean(record)
    picture = np.asarray(record.image.pillow(), float)
    assert 0.5 < np.abs(scene.pixels - picture).mean() < 10  # the same scene but for grain and JPEG
    inner = np.zeros((96, 96), bool)
    for o in record.objects:
        inner |= o.shape.array()
    assert np.abs(scene.pixels - picture)[inner].mean() < np.abs(scene.pixels - picture)[~inner].mean()
    assert 0 < floor(record) < 0.03
    assert floor(replace(record, extra={})) == 0.0


def test_blind_models_see_grey_of_the_same_size():
    seen = []

    class Looking:
        name, identity = "looking", {"weights": "w"}

        def answer(self, samples):
            for s in samples:
                seen.append(np.asarray(s.images[0].pillow()))
                yield Answer((str(s.images[0].size),))

        def shortened(self, answer):
            self.short = answer
            return self

    from loupe.image import Image
    from loupe.sample import Sample, user

    buffer = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)).save(buffer, "PNG")
    good, torn = (Sample((Image(data=data),), (user("?"),)) for data in (buffer.getvalue(), b"torn"))
    blind = Blind(Looking()).shortened(5)
    answers = list(blind.answer([good, torn, good]))
    assert [a.text for a in answers] == ["(30, 20)", "", "(30, 20)"] and answers[1].problems
    assert (np.stack(seen) == 128).all() and blind.identity["blind"] and blind.predictor.short == 5


def test_goals_are_figures_that_exist(root):
    results = [evaluate(Truthful(), open_questions(replace(BENCHMARKS[g.benchmark], most=2), root), root)
               for g in GOALS if not BENCHMARKS[g.benchmark].form]
    found = verdicts(results, "truthful")
    assert [v.goal for v in found] == [g for g in GOALS if not BENCHMARKS[g.benchmark].form]
    assert {v.said for v in found} == {"aim reached"}
    shown = goals_table(found)
    assert shown.count("\n") == len(found) + 1 and "88   95" in shown
    data = json.loads(json.dumps(scores_of(results, {"model": "truthful"})))
    assert data["results"][0]["figures"]["IoU >= 0.5"]["low"] < 1 and data["results"][0]["kinds"]
    for value, must, aim, words in ((0.5, 0.6, 0.9, "missed"), (0.6, 0.6, 0.9, "reached"), (0.9, 0.6, None, "reached")):
        goal = Goal("it", "mini-point", "exact", must, aim)
        first = replace(results[0], benchmark="mini-point")
        figure = replace(first.scores.figures[0], name="exact", value=value)
        assert verdicts([replace(first, scores=replace(first.scores, figures=(figure,)))], "truthful",
                        [goal])[0].said == words


def test_suites_name_benchmarks():
    for names in SUITES.values():
        assert set(names) <= set(BENCHMARKS)
    assert names_of(["mini-point", "mini-quick"])[0] == "mini-point"
    assert len(names_of(["mini", "mini-quick"])) == len(MINI)
    assert {g.benchmark for g in GOALS} <= set(SUITES["mini"])


def test_a_suite_from_the_command_line(root, tmp_path, capsys):
    assert main(["evaluate", "random-object", "mini-grounding,mini-description", "--root", str(root), "--limit", "9",
                 "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "grounding, IoU 0.5" in shown and "description singles out" in shown
    data = json.loads((tmp_path / "scores.json").read_text())
    assert {r["model"] for r in data["results"]} >= {"random-object", "whole-image"} and len(data["goals"]) == 2
    assert "Goals" in (tmp_path / "report.html").read_text()


def test_goals_are_not_said_to_be_missed_on_another_world(tmp_path, capsys):
    world.write(tmp_path / "shifted", 2, seed=4, val=6, world="shifted")
    assert main(["evaluate", "random-object", "mini-grounding", "--root", str(tmp_path / "shifted"), "--limit", "3",
                 "--out", str(tmp_path / "out")]) == 0
    assert "missed" not in capsys.readouterr().out and "Goals" not in (tmp_path / "out/report.html").read_text()
    data = json.loads((tmp_path / "out/scores.json").read_text())
    assert data["goals"] == [] and data["results"] and data["worlds"][""]["world"] == "shifted"
