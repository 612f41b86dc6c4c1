"""Pictures with answers, as a notebook shows them."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
from PIL import Image as Pillow

from loupe.evals.shown import shown
from loupe.image import Image
from loupe.regions import Box, Colour, Mask, Point
from loupe.sample import Answer, Found, Problem, user

ONE = Image.of(Pillow.new("RGB", (80, 40), "white"))


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_an_answer_lies_on_its_picture():
    answer = Answer(("It is ", Found(Box(8, 4, 40, 30), 0.5, "a <cup>"), ", ", Colour(255, 0, 102)),
                    (Problem("garbage", "[1,", 0),), "raw")
    made = shown([ONE, ONE], (user("What is at", Point(3, 4), "?"), answer), Box(1, 2, 3, 4, image=1))
    tags = Tags(made.content).found
    paths = [a["d"] for t, a in tags if t == "path" and a.get("class") == "line"]
    assert paths == ["M8.00 4.00L40.00 4.00L40.00 30.00L8.00 30.00Z", "M1.00 2.00L3.00 2.00L3.00 4.00L1.00 4.00Z"]
    assert sum(t == "figure" for t, _ in tags) == 2 and any(t == "circle" for t, _ in tags)
    chips = [a["data-r"] for t, a in tags if t == "button" and "chip" in a.get("class", "")]
    drawn = [a.get("data-r") for t, a in tags if t == "g"]
    assert chips == ["r1", "r2"] and set(chips) < set(drawn)
    assert "a &lt;cup&gt; 0.50" in made.content and "<cup>" not in made.content and "garbage" in made.content


def test_a_notebook_gets_a_frame_of_its_own(tmp_path):
    made = shown([ONE], Answer(("a cup",), (), "a cup"), Mask.from_array(np.eye(40, 80, dtype=bool)))
    (tag, attributes), = Tags(made._repr_html_()).found
    assert tag == "iframe" and attributes["srcdoc"] == made.content and attributes["sandbox"] == "allow-scripts"
    assert html.unescape(re.search('srcdoc="(.*?)"', made._repr_html_(), re.S).group(1)) == made.content
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", made.content)
    assert made.save(tmp_path / "a.html").read_text("utf-8") == made.content and "save" in repr(made)


def test_no_torch():
    code = "import sys, loupe.evals.shown, loupe.predictors.view; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
