"""The terminal's conversation: regions, several pictures, taking back, keeping, a keyboard with history."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import cli
from loupe.cli.conversation import Conversation
from loupe.cli.typed import parts_of, spelled
from loupe.errors import ConfigError, RegionError
from loupe.image import Image
from loupe.plain import from_plain
from loupe.predictors.view import View
from loupe.regions import Box, Point, Polygon
from loupe.sample import Answer, Found, Problem, Regions


class Echo:
    """Says how many turns it was shown, with the regions of the last one moved by a pixel."""

    name = "echo"

    def answer(self, samples):
        for sample in samples:
            asked = [p for p in sample.turns[-1].parts if isinstance(p, Regions)]
            words = "".join(p for p in sample.turns[-1].parts if isinstance(p, str))
            if "silent" in words:
                yield Answer((), (Problem("endpoint", "no", 0),), "")
                continue
            found = [Found(Box(r.x1 + 1, r.y1, r.x2, r.y2, r.image), 0.5, "thing") for p in asked for r in p.regions]
            yield Answer((f"turn {len(sample.turns)} ", *found), (), f"turn {len(sample.turns)}")


@pytest.fixture
def talk(tmp_path):
    files = []
    for k in range(2):
        files.append(tmp_path / f"{k}.png")
        Pillow.fromarray(np.full((60, 80, 3), 90 * k, np.uint8)).save(files[-1])
    echo = Echo()
    return Conversation(echo, View(echo, [Image.of(f) for f in files], lambda *_: echo), out=tmp_path / "answers")


def test_regions_name_their_picture():
    assert parts_of("Is @2:box(1,2,3,4) like @point(5, 6)?") == ["Is ", Box(1, 2, 3, 4, 1), " like ", Point(5, 6), "?"]
    for region in (Box(1, 2, 3, 4, 2), Point(1, 2.5, 1), Polygon(((0, 0), (5, 0), (5, 5)), 1)):
        assert parts_of(spelled(region)) == [region]
    for torn in ("What is in @box(1,2", "@point", "Is @box(1,2,3,4) on @2:polygon 1 2?"):
        with pytest.raises(RegionError, match="not closed"):
            parts_of(torn)
    assert parts_of("me@pointless.example") == ["me@pointless.example"]
    with pytest.raises(RegionError, match="no such picture: got 3, expected 1 to 2"):
        parts_of("@3:point(1,2)", 2)
    with pytest.raises(RegionError, match="no such picture"):
        parts_of("@0:point(1,2)", 2)


def test_regions_are_pixels_of_their_picture(talk):
    small = r"less than a pixel: got @box\(0.1,0.25,0.4,0.6\), .* 80 x 60"
    for wrong, said in (("@box(0.1,0.25,0.4,0.6)", small), ("@box(-9,1,-2,5)", "outside its picture"),
                        ("@2:point(80,10)", r"outside its picture: got @2:point\(80,10\), expected .* 80 x 60"),
                        ("@polygon(5,70,9,61,20,65)", "outside its picture")):
        with pytest.raises(RegionError, match=said):
            talk.line(f"What is {wrong}?")
    assert not talk.said
    assert talk.line("What is @box(60,50,200,90)?")[0] == "turn 1", "what juts out is cut"


def test_turns_are_taken_back_and_begun_anew(talk, tmp_path):
    assert talk.line("What is @2:box(4,6,21,30)?")[:2] == ["turn 1", "  @2:box(5,6,21,30)  0.50  thing"]
    assert talk.line("And?") == ["turn 3"]
    assert talk.line("silent") == ["(nothing)", "  unreadable (endpoint): no"] and len(talk.said) == 2
    assert talk.line("/undo") == ["taken back: And?"] and talk.line("And then?") == ["turn 3"]
    assert talk.line("/show") == ["> What is @2:box(4,6,21,30)?", "  turn 1", "> And then?", "  turn 3"]
    assert talk.line("/reset") and talk.line("Anew?") == ["turn 1"]
    talk.line("/undo")
    for wrong, words in (("/undo", "nothing to take back"), ("/sav x", "did you mean '/save'"), ("/save", "no file")):
        with pytest.raises(ConfigError, match=words):
            talk.line(wrong)
    assert (tmp_path / "answers" / "01.png").is_file() and len(list((tmp_path / "answers").iterdir())) == 1


def test_a_conversation_is_kept(talk, tmp_path):
    with pytest.raises(ConfigError, match="nothing to keep"):
        talk.line("/save a.json")
    talk.line("What is @2:box(4,6,21,30)?")
    talk.line(f"/save {tmp_path}/kept/a.json")
    data = json.loads((tmp_path / "kept/a.json").read_text())
    assert data["turns"] == [{"question": "What is @2:box(4,6,21,30)?", "answer": "turn 1",
                              "regions": ["@2:box(5,6,21,30)"], "problems": []}]
    sample = from_plain(data["sample"])
    assert sample.turns[0].parts[1].regions == (Box(4, 6, 21, 30, 1),)
    assert sample.turns[1].parts[1] == Regions((Box(5, 6, 21, 30, 1),), "thing") and len(sample.images) == 2
    talk.line(f"/save {tmp_path}/a.html")
    talk.line(f"/save {tmp_path}/a.png")
    assert "<figure" in (tmp_path / "a.html").read_text() and Pillow.open(tmp_path / "a.png").width > 900


def test_a_keyboard_has_a_history(tmp_path):
    """A real terminal: two lines, the second by the arrow key; the history is kept."""
    pytest.importorskip("readline")
    Pillow.new("RGB", (40, 40)).save(tmp_path / "a.png")
    script = "\n".join((
        "import sys; sys.path.insert(0, sys.argv[1])",
        "import test_chat_conversation as t; from loupe import cli, predictors",
        "echo = t.Echo()",
        "echo.look = lambda images: t.View(echo, [t.Image.of(i) for i in images], lambda *_: echo)",
        "predictors.load = lambda *a, **k: echo",
        "sys.exit(cli.main(['chat', 'mini', sys.argv[2], '--history', sys.argv[3]]))"))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "INPUTRC": "/dev/null"}
    child = subprocess.Popen([sys.executable, "-c", script, os.path.dirname(__file__), str(tmp_path / "a.png"),
                              str(tmp_path / "state" / "chat")], stdin=theirs, stdout=theirs, stderr=theirs,
                             env=environment, close_fds=True)
    os.close(theirs)
    seen = b""

    def until(mark: bytes, count: int) -> None:
        nonlocal seen
        end = time.monotonic() + 60
        while seen.count(mark) < count and time.monotonic() < end:
            try:
                seen += os.read(ours, 4096)
            except OSError:
                return

    until(b"> ", 1)
    os.write(ours, b"Where is it?\n")
    until(b"turn 1\r\n", 1)
    until(b"> ", 2)
    os.write(ours, b"\x1b[A\n")
    until(b"turn 3\r\n", 1)
    os.write(ours, b"/quit\n")
    assert child.wait(30) == 0, seen
    os.close(ours)
    assert b"turn 3" in seen and seen.count(b"Where is it?") >= 2
    assert (tmp_path / "state" / "chat").read_text().splitlines()[-2:] == ["Where is it?", "/quit"]


def test_answers_of_the_miniature_go_into_files(carried, tmp_path, capsys):
    Pillow.fromarray(np.random.default_rng(1).integers(0, 255, (60, 80, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    assert cli.main(["chat", str(tmp_path / "a.png"), "--say", "Where is @box(4,6,21,30)?", "--say", "Where?",
                     "--constrain", "box", "--out", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["01.png", "02.png", "conversation.json"]
    assert "kept: " in capsys.readouterr().out
    assert cli.main(["chat", str(tmp_path / "a.png"), "--say", "Where is @2:box(4,6,21,30)?"]) == 2
    assert "no such picture" in capsys.readouterr().err


def test_a_turn_taken_back_leaves_nothing(carried, tmp_path):
    """The next answer is that of a conversation that never had the turn."""
    import loupe

    model = loupe.load("mini", device="cpu", answer=6)
    picture = Image.of(np.random.default_rng(1).integers(0, 255, (60, 80, 3)).astype(np.uint8))
    one, other = (Conversation(model, model.look(picture)) for _ in range(2))
    for line in ("What is @box(4,6,21,30)?", "How many are there?", "/undo", "Where is the star?"):
        one.line(line)
    for line in ("What is @box(4,6,21,30)?", "Where is the star?"):
        other.line(line)
    assert [a.raw for _, a in one.said] == [a.raw for _, a in other.said]
    assert model.look(picture).show()._repr_html_().startswith("<iframe")
