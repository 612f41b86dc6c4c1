"""Overrides are read by the field's type, JSON comes back as the same value, and errors name what is near."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loupe.config import change, differences, from_json, overrides, settings, to_json
from loupe.errors import ConfigError


@dataclass(frozen=True)
class Still:
    pass


@dataclass(frozen=True)
class Narrow:
    hidden: int = 8
    bias: bool = False
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pace:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int | float = 0
    clip: float | None = 1.0


@dataclass(frozen=True)
class Part:
    name: str
    pace: Pace = Pace()
    tuner: Still | Narrow = Still()
    tasks: tuple[tuple[str, float], ...] = (("find", 1.0), ("count", 2.0))
    curve: Pace | None = None
    layer: int | tuple[int, ...] = -2


@dataclass(frozen=True)
class Whole:
    name: str = "w"
    parts: tuple[Part, ...] = (Part("first"), Part("second"))
    config: dict = field(default_factory=lambda: {"model_type": "clip", "hidden_size": 64})
    typed: dict[str, Narrow] = field(default_factory=lambda: {"a": Narrow()})


@pytest.mark.parametrize("override, read, expected", [
    ("parts.second.pace.lr=2e-4", lambda w: w.parts[1].pace.lr, 2e-4),
    ("parts.0.pace.lr=3", lambda w: w.parts[0].pace.lr, 3.0),
    ("parts.0.layer=-1", lambda w: w.parts[0].layer, -1),
    ("parts.0.layer=0,-1", lambda w: w.parts[0].layer, (0, -1)),
    ("parts.0.layer=[0, -1]", lambda w: w.parts[0].layer, (0, -1)),
    ("parts.first.pace.betas=0.8,0.95", lambda w: w.parts[0].pace.betas, (0.8, 0.95)),
    ("parts.first.pace.betas.1=0.5", lambda w: w.parts[0].pace.betas, (0.9, 0.5)),
    ("parts.first.pace.warmup=0.05", lambda w: w.parts[0].pace.warmup, 0.05),
    ("parts.first.pace.warmup=10_000", lambda w: w.parts[0].pace.warmup, 10000),
    ("parts.first.pace.clip=none", lambda w: w.parts[0].pace.clip, None),
    ("parts.first.tuner=Narrow", lambda w: w.parts[0].tuner, Narrow()),
    ("parts.first.tuner=Narrow(hidden=16, bias=yes)", lambda w: w.parts[0].tuner, Narrow(16, True)),
    ('parts.first.tuner={"is":"Narrow","targets":["q","k"]}', lambda w: w.parts[0].tuner, Narrow(targets=("q", "k"))),
    ("parts.first.tuner=Narrow(targets=q, hidden=4)", lambda w: w.parts[0].tuner, Narrow(4, False, ("q",))),
    ("parts.first.tasks.count=5", lambda w: w.parts[0].tasks, (("find", 1.0), ("count", 5.0))),
    ('parts.first.tasks=[["say",1]]', lambda w: w.parts[0].tasks, (("say", 1.0),)),
    ("parts.first.curve=Pace(lr=1)", lambda w: w.parts[0].curve, Pace(1.0)),
    ("config.hidden_size=128", lambda w: w.config, {"model_type": "clip", "hidden_size": 128}),
    ("config.heads=4", lambda w: w.config["heads"], 4),
    ("config.note=plain text", lambda w: w.config["note"], "plain text"),
    ("typed.a.hidden=3", lambda w: w.typed["a"].hidden, 3),
    ("name=a=b", lambda w: w.name, "a=b"),
])
def test_override(override, read, expected):
    value = read(change(Whole(), override))
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize("override, words", [
    ("parts.second.pace.lrr=1", ["lrr", "did you mean 'lr'", "betas, warmup", "parts.second.pace"]),
    ("parts.secnd.pace.lr=1", ["did you mean 'second'"]),
    ("parts.first.pace.lr=fast", ["'fast'", "float", "parts.first.pace.lr"]),
    ("parts.first.tuner.hidden=3", ["known there"]),
    ("parts.first.tuner=Narow", ["did you mean 'Narrow'"]),
    ("parts.first.tuner=Narrow(hiden=2)", ["did you mean 'hidden'"]),
    ("parts.first.curve.lr=3", ["Pace", "set it as a whole"]),
    ("config.hiden_size=3", ["did you mean 'hidden_size'"]),
    ("typed.b.hidden=3", ["unknown key"]),
    ("name", ["path=value"]),
    ("typed=[1", ["JSON"]),
])
def test_wrong_override_says_what_is_near(override, words):
    with pytest.raises(ConfigError) as caught:
        change(Whole(), override)
    for word in words:
        assert word in str(caught.value)


@given(st.floats(1e-9, 1e9), st.integers(1, 10**6), st.booleans(), st.sampled_from([Still(), Narrow(3, True, ("x",))]),
       st.one_of(st.none(), st.floats(0.1, 5)))
def test_json_round_trip(lr, warmup, whole, tuner, clip):
    value = Whole(parts=(Part("p", Pace(lr, warmup=warmup if whole else warmup / 10**7, clip=clip), tuner),))
    assert from_json(Whole, json.loads(json.dumps(to_json(value)))) == value


def test_change_prints_back_through_json():
    """A float written by repr and read as an override is the same float."""
    assert change(Whole(), f"parts.first.pace.lr={0.1 + 0.2!r}").parts[0].pace.lr == 0.1 + 0.2


def test_unknown_and_missing_json():
    with pytest.raises(ConfigError, match="did you mean 'parts'"):
        from_json(Whole, {"part": []})
    with pytest.raises(ConfigError, match="lacks settings.*name"):
        from_json(Part, {})


def test_differences_name_paths():
    changed = change(change(Whole(), "parts.second.pace.lr=2"), "config.heads=2")
    assert differences(Whole(), changed) == ("parts.second.pace.lr (0.001 -> 2.0)", "config.heads (absent -> 2)")
    assert differences(Whole(), Whole()) == ()


def test_overrides_lead_from_one_value_to_another():
    changed = Whole()
    for text in ("parts.second.pace.lr=2", "parts.first.pace.clip=none", "config.heads=2"):
        changed = change(changed, text)
    said = overrides(Whole(), changed)
    assert set(said) == {"parts.second.pace.lr=2.0", "parts.first.pace.clip=none", "config.heads=2"}
    again = Whole()
    for text in said:
        again = change(again, text)
    assert again == changed and overrides(changed, changed) == ()
    with pytest.raises(ConfigError, match="no path=value changes"):
        overrides(Whole(), Whole(parts=Whole().parts[:1]))


def test_free_dictionaries_keep_what_json_can_say():
    @dataclass(frozen=True)
    class Free:
        config: dict[str, Any] | None = None

    value = Free({"a": None, "b": 1, "c": {"d": "e"}})
    assert from_json(Free, to_json(value)) == value and from_json(Free, {}) == Free()


@pytest.mark.parametrize("name", ["pink", "lyrics"])
def test_every_setting_said_by_its_path_changes_nothing(name):
    from loupe.recipes import recipe

    chosen = recipe(name)
    lines = list(settings(chosen))
    assert len(lines) == len({line.partition("=")[0] for line in lines}) > 30
    for line in lines:
        assert not differences(chosen, change(chosen, line)), line


def test_settings_name_what_a_path_names():
    from loupe.recipes import recipe

    lines = set(settings(recipe("pink")))
    assert {"seed=0", "model.codec=pink", "stages.tune.optim.lr=0.0005", "stages.align.tune.vision=Frozen()",
            "stages.tune.mixture.sources.objects365.tasks.detection=1.0"} <= lines


def test_stages_may_be_left_out_of_a_path():
    from loupe.recipes import recipe

    pink = recipe("pink")
    assert pink.change("tune.optim.lr=1") == pink.change("stages.tune.optim.lr=1") != pink
    with pytest.raises(ConfigError, match="unknown setting or stage: got 'tun'.*did you mean 'tune'.*align, tune"):
        pink.change("tun.optim.lr=1")


@pytest.mark.parametrize("data, says", [
    ({"tasks": ["grounding"]}, r"got 'grounding', expected \[str, float\], in tasks.0"),
    ({"tasks": {"grounding": 1}}, r"expected \[\[str, float\], ...\], in tasks"),
    ({"options": "file=x"}, r"expected \{name: value, ...\}, in options"),
])
def test_a_text_is_no_list(data, says):
    """Its letters are not taken for elements."""
    from loupe.data.mixture import Source

    with pytest.raises(ConfigError, match=says):
        from_json(Source, {"name": "a", "reader": "coco", "folder": "coco", **data})
