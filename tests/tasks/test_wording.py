"""Wordings: the shipped files, a user's own folder, and what is said of mistakes."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loupe.errors import ConfigError, FileError
from loupe.regions import Box
from loupe.sample import Regions, user
from loupe.tasks import TASKS, question, task
from loupe.tasks.base import STYLES
from loupe.tasks.wording import BUILT_IN, Wording, file_name
from tests.handmade import kitchen

KINDS = [(name, kind) for name in TASKS for kind in task(name).placeholders]
GAMES = ("car-racing", "space-invaders")  # one instruction each, which tells the game's own numbers


@pytest.mark.parametrize("name, kind", [each for each in KINDS if each[0] not in GAMES])
def test_at_least_twelve_wordings_each(name, kind):
    known = task(name).wordings(kind)
    assert len(known) == len(set(known)) >= 12


def test_no_file_is_left_over():
    styles = {file_name("style", style) for style in STYLES if style}
    assert {p.name for p in BUILT_IN.glob("*.txt")} == {file_name(*each) for each in KINDS} | styles


def test_wordings_hold_no_marks_tags_or_digits():
    for path in BUILT_IN.glob("*.txt"):
        if path.stem in GAMES:
            continue
        assert not re.search(r"[<>\[\]\d]", path.read_text())


@given(st.text(max_size=30), st.text(max_size=10))
def test_data_is_never_read_as_a_wording(phrase, before):
    before = before.replace("{", "").replace("}", "")
    wording = Wording.parse(before + "{phrase}!{region}{phrase}", ("phrase", "region"), "here")
    box = Box(0, 0, 1, 1)
    assert wording.fill(phrase=phrase, region=box) == tuple(
        p for p in (f"{before}{phrase}!", Regions((box,)), phrase) if p)


def test_all_wordings_are_drawn():
    made = task("caption")
    assert len({made(kitchen(), np.random.default_rng(k)).turns[0] for k in range(300)}) == len(made.wordings())


def test_a_users_folder_replaces_files_by_name(tmp_path):
    (tmp_path / "grounding.txt").write_text("\nOù est {phrase} ?\n\n", encoding="utf-8")
    assert question("grounding", templates=str(tmp_path), phrase="x") == user("Où est x ?")
    assert question("caption", templates=str(tmp_path)) == question("caption")
    sample = task("grounding", templates=str(tmp_path))(kitchen(), np.random.default_rng(0))
    assert sample.turns[0].parts[0].startswith("Où est")


@pytest.mark.parametrize("line, says", [
    ("Find {phrase} and {thing}", r"grounding.txt:2; did you mean|unknown placeholder.*'\{thing\}'.*grounding.txt:2"),
    ("Find it", r"lacks a placeholder.*'Find it'.*\{phrase\}.*grounding.txt:2"),
    ("Find {phrase", r"brace outside a placeholder.*grounding.txt:2"),
    ("Find {phrase} {}", r"brace outside a placeholder.*grounding.txt:2")])
def test_mistakes_are_named_with_file_and_line(tmp_path, line, says):
    (tmp_path / "grounding.txt").write_text(f"Where is {{phrase}}?\n{line}\n")
    with pytest.raises(ConfigError, match=says):
        task("grounding", templates=str(tmp_path)).wordings()


def test_wrong_folders_are_named(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        task("caption", templates=str(tmp_path / "no")).wordings()
    (tmp_path / "captions.txt").write_text("x\n")
    with pytest.raises(ConfigError, match="captions.txt.*did you mean 'caption.txt'"):
        task("caption", templates=str(tmp_path)).wordings()
    (tmp_path / "captions.txt").rename(tmp_path / "caption.txt")
    (tmp_path / "caption.txt").write_bytes(b"\xff\n")
    with pytest.raises(FileError, match="UTF-8"):
        task("caption", templates=str(tmp_path)).wordings()
