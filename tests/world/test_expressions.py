"""Every expression means one thing, found by a reader of its own; every sentence and relation is true."""

import re
from collections import Counter

import numpy as np
import pytest

from loupe import world
from loupe.world.expressions import Referring
from loupe.world.scene import generator

from .resolver import NAMES, View, nouns, resolve

SCENES = 150


@pytest.fixture(scope="module")
def scenes():
    return [world.make(21, index) for index in range(SCENES)]


@pytest.fixture(scope="module")
def records(scenes):
    return [world.record(scene) for scene in scenes]


def target(scene, record, phrase):
    at = [o.id for o in record.objects].index(phrase.object)
    flat = list(scene.things) + [part for thing in scene.things for part in thing.parts]
    return flat[at]


def test_every_expression_means_exactly_its_object(scenes, records):
    wrong, kinds = [], Counter()
    for scene, record in zip(scenes, records):
        view = View(scene)
        for phrase in record.phrases:
            if phrase.refers:
                found = resolve(view, phrase.text)
                kinds["read"] += 1
                if found is None or len(found) != 1 or found[0] is not target(scene, record, phrase):
                    wrong.append((scene.index, phrase.text, [getattr(f, "name", f) for f in found or ["unreadable"]]))
    assert kinds["read"] > 10 * SCENES
    assert not wrong, wrong[:10]


def test_expressions_are_of_every_kind_and_short_ones_come_first(scenes):
    kinds, several, things = Counter(), 0, 0
    for scene in scenes:
        referring = Referring(scene, generator(21, "train", scene.index, 1))
        for thing in referring.things:
            found = referring.of(thing)
            kinds.update(expression.kind for expression in found)
            several += len({expression.kind for expression in found}) >= 3
            things += 1
            for expression in (e for e in found if e.kind == "attribute"):
                assert len(expression.text.split()) <= 5
    assert set(kinds) >= {"attribute", "order", "relation", "size", "part", "word", "place", "sentence"}
    assert several / things > 0.7


def test_nearly_every_object_is_referred_to(records):
    objects = [(r, o) for r in records for o in r.objects if o.part_of is None and not o.crowd]
    without = [o for r, o in objects if not any(p.refers and p.object == o.id for p in r.phrases)]
    assert len(without) <= 0.01 * len(objects)


def test_relations_are_true_and_have_a_long_tail(scenes, records):
    predicates = Counter()
    for scene, record in zip(scenes, records):
        view, objects = View(scene), record.object_by_id()
        ids = dict(zip([o.id for o in record.objects], scene.things))
        for relation in record.relations:
            predicates[relation.predicate] += 1
            a, b = objects[relation.subject], objects[relation.object]
            if relation.predicate in ("has", "with"):
                assert b.part_of == a.id
            elif relation.predicate in ("of", "part of", "belonging to") or a.part_of:
                assert a.part_of == b.id
            elif match := re.match(r"as (\w+) as", relation.predicate):
                assert match[1] in a.attributes and match[1] in b.attributes
            else:
                assert view.holds(NAMES[relation.predicate], ids[a.id], ids[b.id]), (scene.index, relation)
    assert len(predicates) > 30
    assert sum(predicates[p] for p, _ in predicates.most_common(6)) > 0.4 * sum(predicates.values())


def test_descriptions_and_captions_name_what_is_there(scenes, records):
    for scene, record in zip(scenes, records):
        view = View(scene)
        for phrase in record.phrases:
            if not phrase.refers and phrase.object is not None and "group of" not in phrase.text:
                said = nouns(view, re.sub(r"^an? ", "", phrase.text))
                assert target(scene, record, phrase) in said
        assert 2 <= len(record.captions) <= 5
        plain = record.captions[0].lower()
        for thing in view.things:
            assert thing.name in plain or thing.kind.many in plain


def test_answers_are_true(scenes, records):
    for scene, record in zip(scenes, records):
        names = Counter(thing.name for thing in View(scene).things)
        plurals = {thing.kind.many: thing.name for thing in scene.things}
        assert len(record.questions) >= 3
        for question in record.questions:
            (answer,) = question.answers
            if match := re.match(r"How many (\w+) are there\?", question.text):
                assert int(answer) == names[plurals[match[1]]]
            elif match := re.match(r"Is there an? (\w+) in", question.text):
                assert answer == ("yes" if names[match[1]] else "no")
            elif match := re.match(r"What colour is the (\w+)\?", question.text):
                assert [answer] == [thing.colour for thing in scene.things if thing.name == match[1]]
            elif match := re.match(r"What does the (\w+) say\?", question.text):
                assert [answer] == [thing.word for thing in scene.things if thing.name == match[1]]
            elif question.text == "How many things are there in all?":
                assert int(answer) == sum(names.values())
            elif match := re.match(r"Is the (.+) left or right of the (.+)\?", question.text):
                view = View(scene)
                (a,), (b,) = nouns(view, match[1]), nouns(view, match[2])
                assert answer == ("left" if view.middle(a)[0] < view.middle(b)[0] else "right")


def test_many_pictures_have_two_of_a_class(scenes):
    several = [scene for scene in scenes if sum(not thing.crowd for thing in scene.things) > 1]
    twins = [max(Counter(t.name for t in scene.things if not t.crowd).values()) > 1 for scene in several]
    assert np.mean(twins) > 0.5
