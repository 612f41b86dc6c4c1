"""Short questions that view one prefix against plain generation: the same answers, the same probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_look import LLAMA, QWEN3, TEXTS, picture, tiny

from loupe.errors import CodecError, ConfigError, RegionError
from loupe.models import dense, viewing
from loupe.models.askable import denied
from loupe.models.decoding import Rows, generate
from loupe.models.look import Limits, Look
from loupe.models.rail import STOP, Grammar, Held, Words
from loupe.models.reading import pieces, read
from loupe.models.viewing import Plan, ask
from loupe.regions import Box, Colour, Point
from loupe.sample import Answer, Found, Sample, Turn, user
from loupe.tasks import question, task

LISTED = ["where is the red cup?", "where is the blue box?", "where is the plate?", "how many?"] * 2
SMALL_QWEN = {**QWEN3, "num_key_value_heads": 4}


def places(n: int, image, name="reconstruction", **fields) -> list[Sample]:
    width, height = image.size
    return [Sample((image,), (question(name, region=Point((i + 0.5) * width / n, (j + 0.5) * height / n), **fields),),
                   name) for j in range(n) for i in range(n)]


def bodies(model, samples) -> list[tuple[int, ...]]:
    return [e.ids for e in model.encoder.encode(samples)]


def asked(model, look, many, most, **options) -> list[viewing.Short]:
    """In the order of the questions."""
    out = [None] * len(many)
    for batch in ask(model, look.prefix, 0, many, most, **options):
        for k, said in batch:
            assert out[k] is None
            out[k] = said
    return out


@pytest.mark.parametrize("language", [LLAMA, SMALL_QWEN], ids=["llama", "qwen3"])
@pytest.mark.parametrize("attention", ["sdpa", "lean"])
def test_free_answers_are_those_of_plain_generation(language, attention):
    model = tiny(language, attention=attention)
    look = Look.at(model, [picture(1)])
    samples = [Sample(look.images, (user(text),)) for text in LISTED] + places(3, look.images[0])
    many = bodies(model, samples)
    plain, _ = generate(model, look.prefix, [0] * len(many), many, [12] * len(many))
    assert len({tuple(p.ids) for p in plain}) > 5
    for said, expected in zip(asked(model, look, many, 12), plain):
        assert said.ids == expected.ids and said.stopped == expected.stopped
        assert said.logs == pytest.approx(expected.logs, abs=1e-4)
    assert model.decoder.config._attn_implementation == attention


@pytest.mark.parametrize("view", [True, False], ids=["viewed", "copied"])
@pytest.mark.parametrize("marks,kind", [("xy", "colour"), ("pae", "colour"), ("xy", "box"), ("pink", "point")])
def test_grammars_give_the_answers_of_guides(marks, kind, view):
    """Guides ask for every token; rails only where there is a choice."""
    model = tiny(marks=marks)
    look = Look.at(model, [picture(1, 60, 40)], Limits(answer=48))
    samples = places(4, look.images[0])
    expected = look.answers(samples, constrain=kind)
    rail = Grammar(model.encoder.codec, kind, pieces(model))
    many = bodies(model, samples)
    plain, _ = generate(model, look.prefix, [0] * 16, many, [96] * 16, [Held(rail) for _ in many])
    found = asked(model, look, many, 96, rail=rail, view=view)
    for sample, said, answer, each in zip(samples, found, expected, plain):
        assert said.ids == each.ids and read(model, sample, said).parts[0] == pytest.approx(answer.parts[0]) \
            if kind == "colour" else said.ids == each.ids
        assert read(model, sample, said).raw == answer.raw
        assert said.stopped and len(said.logs) <= len(each.logs)
        for log, other in zip(said.logs, each.logs):
            assert log is None or log == pytest.approx(other, abs=1e-4)
    assert any(None in said.logs for said in found) == (marks != "xy")


def test_forced_tokens_cost_no_step(monkeypatch):
    """[r,g,b]: the brackets and commas are not asked for, and of three value tokens none follows."""
    counted = []
    feed = viewing.Batch.feed
    monkeypatch.setattr(viewing.Batch, "feed", lambda self, ids: counted.append(len(ids)) or feed(self, ids))
    model = tiny(marks="xy")
    look = Look.at(model, [picture(1)])
    many = bodies(model, places(3, look.images[0]))
    rail = Grammar(model.encoder.codec, "colour", pieces(model))
    monkeypatch.setattr(Grammar, "step", spaceless(Grammar.step))
    asked(model, look, many, 40, rail=rail)
    assert len([n for n in counted if n == 9]) == 3  # a pass that reads the questions, two steps
    counted.clear()
    words = Words([(5, 6, 7), (8, 9)])
    found = asked(model, look, many, 40, rail=words, watch=(5, 8))
    assert len([n for n in counted if n == 9]) == 1
    for said in found:
        assert said.ids in ([5, 6, 7], [8, 9]) and said.stopped and said.logs[1:] == [None] * (len(said.ids) - 1)
        assert said.shares[0][said.ids[0] == 8] == pytest.approx(math.exp(said.logs[0]), rel=1e-5)
        assert max(said.shares[0]) == pytest.approx(math.exp(said.logs[0]), rel=1e-5)


def spaceless(step):
    """Grammars allow one space in front; without it three value tokens are three choices."""
    return lambda self, state, token: None if self.pieces[token] == " " else step(self, state, token)


def test_rows_are_a_bound_on_memory_and_nothing_else():
    model = tiny(marks="xy")
    look = Look.at(model, [picture(1)])
    many = bodies(model, places(5, look.images[0]))
    rail = Grammar(model.encoder.codec, "colour", pieces(model))
    whole = asked(model, look, many, 40, rail=rail)
    for rows in (1, 7):
        for one, other in zip(whole, asked(model, look, many, 40, rail=rail, rows=rows)):
            assert one.ids == other.ids
            assert [v for v in one.logs if v is not None] == pytest.approx(
                [v for v in other.logs if v is not None], abs=1e-4)
    biggest = []
    feed = viewing.Batch.feed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(viewing.Batch, "feed", lambda self, ids: biggest.append(len(ids)) or feed(self, ids))
        asked(model, look, many, 40, rail=rail, rows=7)
    assert max(biggest) == 7


@pytest.mark.parametrize("view", [True, False], ids=["viewed", "copied"])
def test_beginnings_held_are_bounded_by_rows(view):
    """Digits one by one: many places share "[12,3". No more of these are kept than rows, and nothing else changes."""
    model = tiny(marks="pae")
    look = Look.at(model, [picture(1, 60, 40)])
    many = bodies(model, places(12, look.images[0]))
    plan = Plan.of(many)
    assert len(plan.stems) > 20 and plan.stems[0]
    rail = Grammar(model.encoder.codec, "colour", pieces(model))
    whole = asked(model, look, many, 40, rail=rail, view=view)
    kept, columns = [], []
    stems, made = viewing._stems, viewing.Batch.__init__

    def keep(*args):
        kept.append(stems(*args))
        return kept[-1]

    def watch(self, *args):
        made(self, *args)
        columns.append(sum(layer.capacity * len(layer.owners) for layer in self.cache.layers))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(viewing, "_stems", keep)
        patch.setattr(viewing.Batch, "__init__", watch)
        few = asked(model, look, many, 40, rail=rail, rows=5, view=view)
    assert [said.ids for said in few] == [said.ids for said in whole]
    assert max(len(k) for front in kept for k, _ in front.layers) == 5 and len(kept) == -(-len(plan.stems) // 5)
    longest = len(plan.stems[0]) + max(map(len, plan.tails)) + viewing.SPARE
    longest += 0 if view else look.prefix.length + len(plan.common)
    assert max(columns) <= 5 * len(look.prefix.layers) * longest


def test_the_look_is_not_copied():
    """Rows hold their own keys and values only, and the front is the look's own memory where nothing joins it."""
    model = tiny()
    look = Look.at(model, [picture(1)])
    front = viewing.Front(tuple((k[0], v[0]) for k, v in look.prefix.layers))
    batch = viewing.Batch(model, front, viewing.Front(()), [0] * 6, True)
    with torch.inference_mode(), viewing._viewing(model, True):
        batch.feed([[5, 6, 7]] * 6)
    assert all(layer.keys.shape[-2] == 3 for layer in batch.cache.layers)
    assert front.layers[0][0].data_ptr() == look.prefix.layers[0][0].data_ptr()


def test_plans_by_hand():
    plan = Plan.of([(1, 2, x, y, 9) for x in range(8) for y in range(5)] + [(1, 2, 0, 0, 9)])
    assert plan.common == (1, 2) and plan.stems == tuple((x,) for x in range(8))
    assert len(plan.tails) == 40 and plan.tails[0] == (0, 9) and plan.asked[40] == 0
    assert plan.which[5] == 1 and plan.tokens == 2 + 8 + 80
    alone = Plan.of([(1, 2, 3)])
    assert alone.common == (1, 2) and alone.tails == ((3,),) and alone.stems == ((),)
    prefix = Plan.of([(1, 2), (1, 2, 3)])  # one question begins another: a token of each stays
    assert prefix.common == (1,) and prefix.tails == ((2,), (2, 3))
    apart = Plan.of([(1, 2), (3, 4)])
    assert apart.common == () and len(apart.tails) == 2


def test_rails_know_what_is_forced():
    model = tiny(marks="pae")
    encoder = model.encoder
    rail = Grammar(encoder.codec, "colour", pieces(model))
    ids = encoder.tokenizer.encode("[1,20,255]", add_special_tokens=False)
    state = rail.start
    for token in ids:
        state = rail.step(state, token)
    assert rail.ends(state) and rail.forced(state) == STOP
    again = rail.start
    for token in encoder.tokenizer.encode("[7,90,0]", add_special_tokens=False):
        again = rail.step(again, token)
    assert again == state  # what was said does not matter any more
    assert rail.step(rail.start, encoder.tokenizer.convert_tokens_to_ids("a")) is None
    boxes = Grammar(tiny(marks="xy").encoder.codec, "box", pieces(tiny(marks="xy")))
    assert not boxes.forgetful and rail.forgetful  # a box's right edge depends on its left one
    with pytest.raises(ConfigError, match="must differ"):
        Words([(1, 2), (1, 2)])


@pytest.mark.parametrize("most", [4, 40])
def test_answers_cut_short_end_behind_a_whole_region(most):
    """Where there is no room for more, both ways leave out what was begun."""
    model = tiny(marks="pink")
    look = Look.at(model, [picture(1, 60, 40)], Limits(answer=most))
    samples = places(3, look.images[0])
    expected = look.answers(samples, constrain="boxes")
    found = dense.answers(model, look.prefix, 0, samples, model.encoder.encode(samples), most, "boxes")
    assert [(a.raw, a.problems) for a in found] == [(a.raw, a.problems) for a in expected]
    assert any(a.regions for a in found) == (most == 40)


def test_pixels_are_the_answers_one_by_one():
    model = tiny(marks="xy", seed=5)
    look = Look.at(model, [picture(2, 50, 30)])
    whole = look.pixels(5)
    assert whole.shape == (5, 5, 3) and whole.dtype == np.uint8 and len(np.unique(whole.reshape(-1, 3), axis=0)) > 3
    for said, colour in zip(look.answers(places(5, look.images[0]), constrain="colour"), whole.reshape(-1, 3)):
        assert said.parts == (Colour(*colour.tolist()),)
    assert (look.pixels(5, rows=3) == whole).all()
    few = look.pixels(2, size=4)  # of a picture of 4 x 4: its pixels 1 and 3
    assert (few == look.pixels(4)[1::2, 1::2]).all()


def test_questions_worded_once():
    """The same tokens as one by one, also where the place's text stands in the phrase, and with several pictures."""
    for marks in ("xy", "pink"):
        encoder = tiny(marks=marks).encoder
        for images in ([picture(2, 50, 30)], [picture(1), picture(2, 50, 30)]):
            last = len(images) - 1
            points = [Point(x + 0.5, 7.25, last) for x in range(6)]
            for phrase in ("the red cup", encoder.codec.text(points[0], encoder.frame(images[last]))):
                def asked(region, images=images, phrase=phrase):
                    turn = question("segmentation", region=region, phrase=phrase)
                    return Sample(tuple(images), (turn,), "segmentation")
                assert encoder.encode_at(asked, points) == encoder.encode([asked(p) for p in points])


def test_expected_colours():
    model = tiny(marks="xy", wide=False)  # says nearly everything with nearly the same probability
    look = Look.at(model, [picture(2)])
    mean = look.pixels(3, expected=True)
    assert (np.abs(mean.astype(int) - 127.5) < 40).all()
    values, numbers = dense._values(model.encoder)
    assert len(numbers) == 101 and (numbers[0], numbers[20], numbers[100]) == (0, pytest.approx(51), 255)
    body = bodies(model, places(3, look.images[0]))[0]
    rail = Grammar(model.encoder.codec, "colour", pieces(model))
    said = asked(model, look, [body], 40, rail=rail, watch=values)[0]
    for channel, share in enumerate(said.shares):
        assert mean[0, 0, channel] == round(sum(p * v for p, v in zip(share, numbers)) / sum(share))
    with pytest.raises(ConfigError, match="no token for each colour"):
        Look.at(tiny(marks="pink"), [picture(2)]).pixels(2, expected=True)


def test_masks_are_the_answers_one_by_one():
    model = tiny(marks="xy", seed=2)
    look = Look.at(model, [picture(2, 50, 30)])
    found = look.likely("the red cup", 6, check=False)
    assert found.probability.shape == (6, 6) and found.asked == 36
    encoder = model.encoder
    yes, no = (encoder.tokenizer.encode(word, add_special_tokens=False)[0] for word in ("yes", "no"))
    rail, watch = dense._words(look, ("yes", "no"))
    assert watch == (yes, no)
    many = bodies(model, places(6, look.images[0], "segmentation", phrase="the red cup"))
    plain, _ = generate(model, look.prefix, [0] * 36, many, [9] * 36, [Held(rail) for _ in many])
    with torch.inference_mode():  # [36, V] behind each question, by plain generation
        logits = Rows(model, look.prefix, [0] * 36, many, 1).ask()
    expected = logits[:, [yes, no]].float().softmax(-1)[:, 0].numpy()  # p(yes) / (p(yes) + p(no))
    assert np.abs(found.probability.reshape(-1) - expected).max() < 1e-4 and np.ptp(expected) > 0.01
    assert [said.ids[0] == yes for said in plain] == (found.probability.reshape(-1) > 0.5).tolist()
    mask = look.segment("the red cup", 6, check=False)
    assert (mask.width, mask.height) == (50, 30) and mask == found.mask
    assert mask.array()[2, 4] == (found.probability[0, 0] > 0.5)


def test_masks_inside_a_box():
    look = Look.at(tiny(marks="xy", seed=2), [picture(2, 60, 60)])
    box = Box(10, 10, 40, 60)
    found = look.likely("the red cup", 6, within=box, check=False)
    assert found.asked == 3 * 5 and found.box == box and (found.probability[:, 4:] == 0).all()
    everywhere = look.likely("the red cup", 6, check=False)
    assert np.abs(found.probability[1:, 1:4] - everywhere.probability[1:, 1:4]).max() < 1e-5
    small = look.likely("the red cup", 6, within=Box(16, 26, 18, 28), check=False)  # holds no place: the nearest one
    assert small.asked == 1 and small.probability[2, 1] == pytest.approx(everywhere.probability[2, 1], abs=1e-5)
    for outside in (Box(5000, 5000, 6000, 6000), Box(10, 60, 40, 80)):
        with pytest.raises(RegionError, match="outside the picture"):
            look.likely("the red cup", 6, within=outside)
    look.locate = lambda phrase: ()
    nothing = look.likely("the red cup", 6, within=True, check=False)
    assert nothing.asked == 0 and nothing.mask.area == 0 and nothing.box is None


def test_a_mask_of_places_by_hand():
    """2 x 2 places of a picture 4 wide and 3 high: each has two columns, the upper ones two of three rows."""
    mask = dense.mask_of(np.array([[0.9, 0.5], [0.6, 0.2]]), (4, 3), 1)
    assert mask.array().tolist() == [[True, True, False, False]] * 3 and mask.image == 1
    mask = dense.mask_of(np.array([[0.9, 0.6], [0.5, 0.2]]), (4, 3))
    assert mask.array().tolist() == [[True] * 4, [True] * 4, [False] * 4]


def test_the_second_of_two_pictures():
    """Of another shape than the first: its pixels, and a mask of the thing in a box of it."""
    model = tiny(marks="xy", seed=2)
    look = Look.at(model, [picture(1, 60, 40), picture(2, 30, 50)])
    points = [Point((i + 0.5) * 10, (j + 0.5) * 50 / 3, 1) for j in range(3) for i in range(3)]
    asked = [Sample(look.images, (question("reconstruction", region=point),), "reconstruction") for point in points]
    for said, colour in zip(look.answers(asked, constrain="colour"), look.pixels(3, image=1).reshape(-1, 3)):
        assert said.parts == (Colour(*colour.tolist()),)
    box = Box(0, 0, 28, 45)
    found = look.likely("", 3, within=box, boxed=True, image=1)
    assert found.asked == 9 and (found.mask.width, found.mask.height, found.mask.image) == (30, 50, 1)
    thing = Box(*box.xyxy, 1)
    many = bodies(model, [Sample(look.images, (question("segmentation", region=point, thing=thing),), "segmentation")
                          for point in points])
    _, words = dense._words(look, ("yes", "no"))
    with torch.inference_mode():
        logits = Rows(model, look.prefix, [0] * 9, many, 1).ask()
    expected = logits[:, list(words)].float().softmax(-1)[:, 0].numpy()
    assert np.abs(found.probability.reshape(-1) - expected).max() < 1e-4


def disc(grid: int, seen: list):
    """A disc that is asked about."""
    truth = np.hypot(*(np.mgrid[:grid, :grid] + 0.5 - grid / 2)) < grid / 3

    def ask(cells):
        seen.extend(cells.tolist())
        return np.where(truth.reshape(-1)[cells], 0.99, 0.01)
    return truth, ask


@pytest.mark.parametrize("grid,coarse", [(64, 16), (64, 8), (60, 20), (32, 32)])
def test_refinement_asks_along_the_border_only(grid, coarse):
    seen: list[int] = []
    truth, answer = disc(grid, seen)
    found, count = dense.refined(answer, np.ones((grid, grid), bool), coarse)
    assert ((found > 0.5) == truth).all()
    assert count == len(seen) == len(set(seen))
    assert count == grid * grid if coarse == grid else count < 0.6 * grid * grid


def test_refinement_asks_where_nothing_is_sure():
    found, count = dense.refined(lambda cells: np.full(len(cells), 0.6), np.ones((16, 16), bool), 4)
    assert count == 256 and (found == np.float32(0.6)).all()
    found, count = dense.refined(lambda cells: np.full(len(cells), 0.95), np.ones((16, 16), bool), 4)
    assert count == 16 and (found == np.float32(0.95)).all()
    assert dense.refined(lambda cells: np.full(len(cells), 0.6), np.ones((16, 16), bool), 4, sure=0.5)[1] == 16
    seen: list[int] = []
    dense.refined(lambda cells: seen.extend(cells) or np.full(len(cells), dense.SURE), np.ones((8, 8), bool), 2)
    assert seen == [2 * 8 + 2, 2 * 8 + 6, 6 * 8 + 2, 6 * 8 + 6]  # a block is asked in its middle; so sure is enough


def test_refinement_finds_a_box_between_the_coarse_places():
    inside = np.zeros((32, 32), bool)
    inside[13, 15] = inside[20:22, 27] = True
    found, count = dense.refined(lambda cells: np.full(len(cells), 0.9), inside, 8)
    assert ((found > 0.5) == inside).all() and count == 3


def test_bad_input():
    look = Look.at(tiny(marks="xy"), [picture(1)])
    for where, wrong in (
            ("n", lambda: look.pixels(0)), ("grid", lambda: look.segment("a cup", 0)),
            ("nothing to look for", lambda: look.segment(" ")), ("nothing to look for", lambda: look.there(" ")),
            ("fit the picture", lambda: look.pixels(3, size=4)), ("coarse", lambda: look.segment("a cup", 8, coarse=3)),
            ("no such picture", lambda: look.pixels(2, image=1)),
            ("rows", lambda: look.pixels(2, rows=-1)), ("rows", lambda: look.pixels(2, rows=0)),
            ("rows", lambda: look.segment("a cup", 8, rows=0)), ("rows", lambda: look.segment("a cup", 8, rows=2.5)),
            ("rows", lambda: list(ask(look.model, look.prefix, 0, [(5, 6)], 4, rows=-1))),
            ("size", lambda: look.pixels(2, size=0)), ("size", lambda: look.pixels(2, size=-4)),
            ("coarse", lambda: look.segment("a cup", 8, coarse=2.0)),
            ("coarse", lambda: look.segment("a cup", 8, coarse=0)),
            ("sure", lambda: look.segment("a cup", 8, sure=7.0)), ("sure", lambda: look.segment("a cup", 8, sure=-1)),
            ("sure", lambda: look.segment("a cup", 8, sure=float("nan")))):
        with pytest.raises(ConfigError, match=where):
            wrong()
    two = Look.at(look.model, [picture(1), picture(2)])
    with pytest.raises(ConfigError, match="first picture alone.*within"):  # its box would be taken for the second's
        two.likely("a cup", 4, within=True, image=1)
    with pytest.raises(ConfigError, match="no such picture"):
        Look.at(tiny(marks="xy"), []).pixels(2)
    with pytest.raises(CodecError, match="no way to write a colour"):
        Look.at(tiny(marks="minigpt"), [picture(1)]).pixels(2)
    model = tiny(marks="xy")
    model.encoder.max_length = look.prefix.length + 3
    with pytest.raises(ConfigError, match="does not fit"):
        Look.at(model, [picture(1)]).pixels(2)
    assert TEXTS


def test_a_mask_of_the_thing_in_a_box():
    """The answers to the box's own question, asked one by one; a box that was found first gives the same mask."""
    model = tiny(marks="xy", seed=2)
    look = Look.at(model, [picture(2, 60, 60)])
    box = Box(10, 10, 40, 60)
    found = look.likely("", 6, within=box, boxed=True)
    assert found.asked == 15
    many = bodies(model, places(6, look.images[0], "segmentation", thing=box))
    rail, (yes, _) = dense._words(look, ("yes", "no"))
    plain, _ = generate(model, look.prefix, [0] * 36, many, [9] * 36, [Held(rail) for _ in many])
    said = np.array([each.ids[0] == yes for each in plain]).reshape(6, 6)
    assert (said[1:, 1:4] == (found.probability[1:, 1:4] > 0.5)).all()
    phrased = look.likely("the red cup", 6, within=box, check=False)
    assert np.abs(found.probability - phrased.probability).max() > 1e-4
    look.locate = lambda phrase: (Found(box),)
    assert look.segment("the red cup", 6, within=True, boxed=True, check=False) == found.mask
    with pytest.raises(ConfigError, match="within"):
        look.segment("the red cup", 6, boxed=True)


def test_what_is_not_there_is_not_looked_for():
    look = Look.at(tiny(marks="xy", seed=2), [picture(2, 60, 60)])
    whole = look.likely("the red cup", 4, check=False)
    look.denial = lambda phrase: 0.5
    assert look.there("the red cup", sure=0.6) and not look.there("the red cup")
    found = look.likely("the red cup", 4)
    assert found.absent and found.asked == 0 and not found.mask.area and found.mask.height == 60
    assert not look.segment("the red cup", 4).area
    look.denial = lambda phrase: 0.49
    again = look.likely("the red cup", 4)
    assert (again.probability == whole.probability).all() and not again.absent
    box = Box(0, 0, 39, 39)  # where a box alone says what is meant nothing is asked first
    look.denial = None
    assert look.likely(" ", 4, within=box, boxed=True).asked


def test_a_denial_is_held_to_yes_or_no():
    """However little the model thinks of either: the mean over the wordings of p(no) / (p(yes) + p(no))."""
    model = tiny(marks="xy", seed=2)
    look = Look.at(model, [picture(2, 60, 60)])
    yes, no = (model.encoder.tokenizer.encode(word, add_special_tokens=False)[0] for word in ("yes", "no"))
    wordings = task("presence").wordings("name")
    asked = [Sample(look.images, (Turn("user", wording.fill(thing="a cup")),), "presence") for wording in wordings]
    assert question("presence", kind="name", thing="a cup") == asked[0].turns[0] and len(asked) > 5
    with torch.inference_mode():
        logits = Rows(model, look.prefix, [0] * len(asked), bodies(model, asked), 1).ask()
    expected = logits[:, [no, yes]].float().softmax(-1)[:, 0]
    assert look.denial("a cup") == pytest.approx(float(expected.mean()), abs=1e-5)
    assert not all(int(row.argmax()) in (yes, no) for row in logits)


def test_what_a_no_in_words_is():
    for text, no in (("No, it is not.", True), ("no", True), ("None at all", True), ("Nothing of the kind", True),
                     ("Not here", True), ("Yes", False), ("North of the box", False), ("A small ring", False)):
        assert denied(Answer((text,), score=0.1)) is no
