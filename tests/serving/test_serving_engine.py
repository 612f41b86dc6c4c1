"""Questions join and leave a running batch, and get the answers they would have got alone."""

import threading
import time

import pytest
import torch

from loupe.models.decoding import see
from loupe.models.look import Limits, Look
from loupe.sample import Answer, Problem, Sample, user
from loupe.serving.batches import Batches
from loupe.serving.desk import Ticket, Wish
from loupe.serving.engine import Engine
from loupe.serving.faults import Refused
from loupe.serving.settings import Settings
from loupe.serving.slots import Slots, apart, together

CAPTION = "Describe the picture in a sentence and box each thing you name."
QUESTIONS = ("Where is the circle?", CAPTION, "How many circles are there?", "What is in the picture?", "Hm?")


class Waiting:
    """A ticket and the moment it is done."""

    def __init__(self, sample, pictures=(), **wish):
        self.done, self.told = threading.Event(), 0
        self.ticket = Ticket(sample, pictures, Wish(**wish), self._notify)

    def _notify(self):
        self.told += 1
        if self.ticket.done:
            self.done.set()

    def result(self, desk):
        assert self.done.wait(60), "no answer"
        if self.ticket.error:
            raise self.ticket.error
        return desk.read(self.ticket)


@pytest.fixture
def started():
    made = []

    def start(desk):
        made.append(desk)
        return desk

    yield start
    for desk in made:
        desk.stop()


def samples(drawn, questions=QUESTIONS):
    return [(Sample((record.image,), (user(text),)), (record.image.content_hash,))
            for text in questions for record in drawn]


def test_answers_are_those_of_a_look(mini, drawn, started):
    engine = started(Engine(mini.vlm, Settings(rows=6)))
    asked = [Waiting(sample, pictures) for sample, pictures in samples(drawn)]
    for each in asked:
        engine.submit(each.ticket)
    said = [each.result(engine) for each in asked]
    looks = {record.image: mini.look(record.image, answer=256) for record in drawn}
    for each, answer in zip(asked, said):
        alone = looks[each.ticket.sample.images[0]].answers([each.ticket.sample])[0]
        assert (answer.raw, answer.regions) == (alone.raw, alone.regions)
        assert answer.score == pytest.approx(alone.score, abs=1e-3)
    assert engine.looked == len(drawn) and engine.answered == len(asked)
    assert not len(engine.slots) and engine.slots.layers[0].buffers is None
    assert max(len(a.raw) for a in said) > 100 > min(len(a.raw) for a in said)  # they left at different times


def test_rows_that_join_late_read_what_they_would_alone(mini, drawn):
    """Logits of each row, whatever else is in the batch, against those of its own pass."""
    model = mini.vlm
    looks = [see(model, [(record.image,)]) for record in drawn[:3]]
    bodies = [list(model.encoder.encode([Sample((drawn[0].image,), (user(text),))])[0].ids) for text in QUESTIONS[:3]]
    slots, said = Slots(model), [[] for _ in bodies]
    last = [slots.join(looks[0], [0], [bodies[0]])[0]]
    for step in range(4):
        ids = [int(row.argmax()) for row in last]
        for k, token in enumerate(ids):
            said[k].append(token)
        last = list(slots.step(ids))
        if step == 0:
            last += list(slots.join(together(looks[1:]), [0, 1], bodies[1:]))
    for k, (look, body) in enumerate(zip(looks, bodies)):
        alone = Slots(model).join(look, [0], [body + said[k]])[0]
        assert torch.allclose(last[k], alone, atol=2e-3)
    assert slots.leave(0) == 2 and len(slots) == 2
    token = int(last[2].argmax())
    moved = slots.step([token, int(last[1].argmax())])[0]
    alone = Slots(model).join(looks[2], [0], [bodies[2] + said[2] + [token]])[0]
    assert torch.allclose(moved, alone, atol=2e-3)


def test_looks_taken_apart_are_those_of_each_picture(mini, drawn):
    both = apart(see(mini.vlm, [(record.image,) for record in drawn[:2]]))
    for prefix, record in zip(both, drawn):
        alone = see(mini.vlm, [(record.image,)])
        assert torch.allclose(prefix.layers[-1][0], alone.layers[-1][0], atol=1e-4)
    answer = Look(mini.vlm, (drawn[1].image,), both[1], Limits()).ask(QUESTIONS[0])
    assert answer.raw == mini.look(drawn[1].image).ask(QUESTIONS[0]).raw


def test_a_picture_is_looked_at_once_and_forgotten_in_time(mini, drawn, started):
    engine = started(Engine(mini.vlm, Settings(looks=600_000)))  # room for two or so

    def ask(record):
        waiting = Waiting(*samples([record], QUESTIONS[:1])[0])
        engine.submit(waiting.ticket)
        waiting.result(engine)
        return waiting.ticket.count.cached

    assert [ask(drawn[0]), ask(drawn[0])] == [0, 65] and engine.looked == 1
    one = engine.looks.weight
    for record in drawn[1:]:
        ask(record)
    assert engine.looks.weight <= 600_000 and len(engine.looks) == 600_000 // one < len(drawn)
    assert ask(drawn[0]) == 0 and engine.looked == len(drawn) + 1


def test_a_cancelled_question_frees_its_place(mini, drawn, started):
    engine = started(Engine(mini.vlm, Settings(rows=1)))
    first, second = (Waiting(*samples(drawn, [CAPTION])[0]) for _ in range(2))
    first.ticket.stream = True
    engine.submit(first.ticket)
    engine.submit(second.ticket)
    while not first.told:
        time.sleep(0.001)
    first.ticket.cancel()
    assert second.result(engine).raw
    assert first.ticket.done and engine.cancelled == 1 and engine.answered == 1
    assert len(first.ticket.written.ids) < len(second.ticket.written.ids)


def test_one_cancelled_while_it_waits_is_never_asked(mini, drawn, started):
    engine = started(Engine(mini.vlm, Settings(rows=1)))
    waiting = [Waiting(*samples(drawn, [CAPTION])[0]) for _ in range(3)]
    for each in waiting:
        engine.submit(each.ticket)
    waiting[1].ticket.cancel()
    waiting[2].result(engine)
    assert waiting[1].ticket.written is None


class Slow:
    """A predictor that waits to be let go."""

    name = "slow"

    def __init__(self):
        self.go, self.batches = threading.Event(), []

    def answer(self, samples):
        self.batches.append(len(samples))
        self.go.wait(30)
        for sample in samples:
            yield Answer((f"said {sample.turns[0].parts[0]}",), raw="said")


def asking(text) -> Sample:
    return Sample((), (user(text),))


def test_a_full_queue_says_when_to_come_again(started):
    slow = Slow()
    desk = started(Batches(slow, Settings(rows=2, queue=3)))
    first = Waiting(asking("0"))
    desk.submit(first.ticket)
    while not slow.batches:
        time.sleep(0.001)
    more = [Waiting(asking(str(k))) for k in range(1, 4)]
    for each in more:
        desk.submit(each.ticket)
    with pytest.raises(Refused) as told:
        desk.submit(Waiting(asking("too many")).ticket)
    assert told.value.status == 429 and 1 <= int(told.value.headers["Retry-After"]) <= 60
    more[0].ticket.cancel()  # its place in the queue is free at once
    late = Waiting(asking("late"))
    desk.submit(late.ticket)
    slow.go.set()
    assert [each.result(desk).text for each in (first, *more[1:], late)] == ["said 0", "said 2", "said 3", "said late"]
    assert slow.batches == [1, 2, 1] and desk.refused == 1


def test_other_predictors_tell_why_they_could_not_ask(started):
    class Failing:
        name = "failing"

        def answer(self, samples):
            for sample in samples:
                yield Answer((), (Problem(sample.turns[0].parts[0], "because", 0),))

    desk = started(Batches(Failing(), Settings()))
    for kind, status in (("picture", 400), ("question", 400), ("endpoint", 502)):
        waiting = Waiting(asking(kind))
        desk.submit(waiting.ticket)
        with pytest.raises(Refused, match="because") as told:
            waiting.result(desk)
        assert told.value.status == status


def test_an_accident_costs_its_batch_alone(mini, drawn, started, monkeypatch):
    engine = started(Engine(mini.vlm, Settings()))
    step = Slots.step

    def fails(self, ids):
        monkeypatch.setattr(Slots, "step", step)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Slots, "step", fails)
    lost, good = (Waiting(*samples(drawn, [CAPTION])[0]) for _ in range(2))
    engine.submit(lost.ticket)
    with pytest.raises(Refused, match="the model failed"):
        lost.result(engine)
    engine.submit(good.ticket)
    assert good.result(engine).raw and engine.alive


def test_a_question_that_does_not_fit_is_refused_alone(mini, drawn, started):
    engine = started(Engine(mini.vlm, Settings()))
    long, good = Waiting(asking("cup " * 2000)), Waiting(*samples(drawn, QUESTIONS[:1])[0])
    engine.submit(long.ticket)
    engine.submit(good.ticket)
    with pytest.raises(Refused, match="does not fit"):
        long.result(engine)
    assert good.result(engine).raw


def test_stopping_lets_answers_end(mini, drawn):
    engine = Engine(mini.vlm, Settings())
    waiting = Waiting(*samples(drawn, [CAPTION])[0])
    waiting.ticket.stream = True
    engine.submit(waiting.ticket)
    while not waiting.told:
        time.sleep(0.001)
    engine.stop()
    assert waiting.result(engine).raw and not engine.alive
    with pytest.raises(Refused, match="stopping"):
        engine.submit(Waiting(asking("late")).ticket)
