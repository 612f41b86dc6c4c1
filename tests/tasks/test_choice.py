"""Letters: one option is true, the others are not, and every letter is right equally often."""

from collections import Counter

import numpy as np
import pytest

from loupe.errors import ConfigError
from loupe.sample import Regions
from loupe.tasks import task
from tests.handmade import kitchen
from tests.tasks.test_tasks import asked


def holds(kind: str, option: str, s, record) -> bool:
    boxes = [p.regions[0] for p in s.turns[0].parts if isinstance(p, Regions)]
    if kind == "number":
        text = "".join(p for p in s.turns[0].parts if isinstance(p, str))
        name = next(name for name in record.vocabulary if f" {name}" in text.split(":")[0].replace("?", " "))
        return option == str(sum(name in o.names for o in record.objects))
    first, *rest = ([o for o in record.objects if o.box == box][0] for box in boxes)
    if kind == "relation":
        a, b = first.box, rest[0].box
        return {"left of": a.x2 <= b.x1, "right of": b.x2 <= a.x1, "above": a.y2 <= b.y1, "below": b.y2 <= a.y1}[option]
    return option in (first.names if kind == "name" else first.attributes)


def test_one_option_is_true(pictures):
    letters, kinds = Counter(), Counter()
    for record in pictures:
        for s in task("choice", each=3).every(record):
            options, kind = s.extra["options"], s.extra["kind"]
            assert len(set(options)) == len(options) in (3, 4)
            true = [letter for letter, option in zip("ABCD", options) if holds(kind, option, s, record)]
            assert true == [s.extra["truth"]] and options["ABCD".index(true[0])] == s.extra["right"]
            letters[len(options), true[0]] += 1
            kinds[kind] += 1
            text = "".join(p if isinstance(p, str) else "#" for p in s.turns[0].parts)
            assert ", ".join(f"{letter} {option}" for letter, option in zip("ABCD", options)) in text
    assert set(kinds) == {"name", "colour", "number", "relation"}
    for count in (3, 4):
        found = [letters[count, letter] for letter in "ABCD"[:count]]
        assert min(found) > 0.6 * sum(found) / count


def test_too_few_options_are_not_asked():
    few = kitchen(objects=kitchen().objects[:1], vocabulary=("cup",))
    assert not asked("choice", few, kinds=["name", "colour", "relation"])
    assert {s.extra["kind"] for s in asked("choice", few).values()} == {"number"}
    assert task("choice", kinds=("number",))(kitchen(exhaustive=False), np.random.default_rng(0)) is None


def test_options_in_brackets(pictures):
    """Lyrics, Appendix A: (a) blue (b) yellow."""
    plain, marked = task("choice", each=1), task("choice", each=1, marks="(a)")
    for record in pictures[:20]:
        for one, other in zip(plain.every(record), marked.every(record)):
            assert other.extra["truth"] == f"({one.extra['truth'].lower()})" and one.id == other.id
            shown = " ".join(f"({letter}) {o}" for letter, o in zip("abcd", one.extra["options"]))
            assert shown in "".join(p for p in other.turns[0].parts if isinstance(p, str))
    with pytest.raises(ConfigError, match="way to mark options"):
        task("multiple-choice", marks="1.")
