"""HTML pages: whole, escaped, without the network, chips and regions tied together."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.errors import ImageError
from loupe.evals.page import Spot, chart, data_url, page, picture, section, table, text, words, write_page
from loupe.evals.report import Case, Score, case, cases, legend, scores, spread
from loupe.image import Image
from loupe.regions import Box, Colour, Mask, Point, Polygon
from loupe.sample import Answer, Found, Problem, Regions

VOID = {"meta", "link", "img", "br", "input", "hr"}
GREY = Image.of(np.full((40, 60, 3), 128, np.uint8))


class Reader(HTMLParser):
    """Checks that every element closes, and collects what a test asks for."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(source)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def attributes(self, name):
        return [a[name] for _, a in self.seen if a.get(name)]


def some_case() -> Case:
    answer = Answer(("at ", Found(Box(1, 2, 30, 20)), Colour(1, 2, 3)), (Problem("truncated", "<x", 0),), score=0.5)
    question = "Where is <b>it</b> ", Regions((Point(5, 5),)), "?"
    return Case(GREY, question, answer, [Box(0, 0, 30, 20)], True, "note")


def whole_page() -> str:
    mask = Mask.from_array(np.eye(40, 60, dtype=bool))
    return page("A & B", section("Scores", scores([Score("bench", "mini", 0.5, 0.4, 0.6, 100, 2, True)])),
                section("Answers", legend(), cases([some_case()])),
                section("Curve", chart({"loss": [(0, 2), (10, 1)]})),
                picture(GREY, Spot(mask), Spot(Polygon(((1, 1), (9, 1), (5, 8))), "asked", "<script>")),
                table([("a", 1, 2.5)], ("x", "y", "z")))


def test_every_element_closes_and_nothing_is_fetched():
    page_seen = Reader(whole_page())
    for link in page_seen.attributes("src") + page_seen.attributes("href"):
        assert link.startswith(("data:", "#")), link
    assert not re.search(r"url\(|@import", whole_page())
    ids = page_seen.attributes("id")
    assert len(ids) == len(set(ids))
    assert set(page_seen.attributes("aria-labelledby")) <= set(ids)
    assert all(a.get("alt") for tag, a in page_seen.seen if tag == "img")


def test_words_from_outside_are_escaped():
    shown = case(some_case())
    assert "<b>it</b>" not in shown and "&lt;b&gt;it&lt;/b&gt;" in shown
    assert "<script>" not in picture(GREY, Spot(Box(0, 0, 9, 9), "true", "<script>"))
    assert text('"') == "&quot;"


def test_each_chip_has_its_region_in_the_same_card():
    seen = Reader(case(some_case())).seen
    chips = {a["data-r"] for tag, a in seen if tag == "button"}
    marks = {a["data-r"] for tag, a in seen if tag == "g"}
    assert chips == marks and len(chips) == 3


def test_card_says_what_was_right_how_far_and_what_was_unreadable():
    shown = case(some_case())
    # intersection 29 x 18 = 522, union 600 + 522 - 522
    assert "IoU 0.87" in shown and "right" in shown and "truncated" in shown and "#010203" in shown
    assert "none" in case(Case(GREY, ("?",), Answer(()), []))


def test_overlay_is_in_the_pictures_own_pixels():
    seen = Reader(picture(GREY, Spot(Box(10, 5, 40.5, 30)))).seen
    assert next(a for tag, a in seen if tag == "svg")["viewbox"] == "0 0 60 40"
    line = next(a for _, a in seen if a.get("class") == "line")
    assert line["d"] == "M10.00 5.00L40.50 5.00L40.50 30.00L10.00 30.00Z"
    assert words(Box(10, 5, 40.4, 30)) == "(10, 5) to (40, 30)"


def test_large_and_turned_pictures_are_made_small_and_upright(tmp_path):
    large = Pillow.new("RGB", (1600, 1200), "red")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    large.save(tmp_path / "turned.jpg", exif=exif)
    import base64
    import io

    raw = base64.b64decode(data_url(Image(tmp_path / "turned.jpg")).split(",")[1])
    assert Pillow.open(io.BytesIO(raw)).size == (480, 640)


def test_corrupt_picture_is_an_error_not_a_broken_page(tmp_path):
    whole = tmp_path / "a.jpg"
    Pillow.effect_noise((300, 300), 90).save(whole)
    whole.write_bytes(whole.read_bytes()[:4000])
    with pytest.raises(ImageError):
        picture(Image(whole))


def test_chart_maps_values_to_its_axes():
    drawn = chart({"loss": [(0, 4.0), (100, 0.0)]})
    assert re.search(r'd="M58\.0 26\.0L742\.0 256\.0"', drawn)
    assert "Too few" in chart({"loss": [(0, float("nan"))]})


def test_a_chart_shows_how_far_values_spread():
    """0.5 of 0 to 1 on an axis of 230 pixels from 26 down to 256: 0.1 up and down are 23 pixels each."""
    drawn = chart({"a": [(0, 0.5), (1, 1.0)], "b": [(0, 0.5), (1, 0.5)]}, spread={"a": {0: 0.1, 1: 0.1}, "b": {0: 0.0}})
    assert 'd="M56.0 164.0L56.0 118.0"' in drawn and drawn.count('stroke-width="1.6"') == 2
    assert 'd="M740.0 49.0L740.0 26.0"' in drawn, "not beyond the axis"


def test_what_lies_below_a_chart_is_said():
    """The axis goes down to `least` where it must; a curve below it runs along the edge, each point with its value."""
    series = {"one": [(0, 1.0), (1, -3.25), (2, -0.4)], "two": [(0, 1.0), (1, -7.5), (2, -20.0)]}
    drawn = chart(series, least=-1.0)
    assert re.search(r'd="M58\.0 26\.0L400\.0 256\.0L742\.0 187\.0"', drawn), "-0.4 at 0.7 of 230"
    assert re.findall(r">(-[\d.]+)</text>", drawn) == ["-1", "-0.5", "-3.25", "-7.5", "-20"]
    heights = [float(v) for v in re.findall(r'y="([\d.]+)" text-anchor="(?:start|end)" style', drawn)]
    assert heights == [249, 236, 249], "two at one place stand above one another"
    whole = chart({"one": [(0, 1.0), (1, -0.69)]}, least=-1.0)
    assert ">-1</text>" in whole and "style" not in whole
    assert ">-20</text>" in chart(series) and "style" not in chart(series), "without `least` the axis goes all the way"


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    out = write_page(page("old"), tmp_path / "deep" / "a.html")
    before = out.read_text()
    with pytest.raises(TypeError):
        write_page(None, out)
    assert out.read_text() == before and len(list(out.parent.iterdir())) == 1


def test_questions_are_spread_over_the_file_and_over_pictures():
    class P:
        def __init__(self, number, image):
            self.number, self.images = number, (image,)

    many = [P(i, i // 3) for i in range(300)]
    chosen = spread(many, 10)
    assert [p.number for p in chosen] == list(range(0, 300, 30))
    assert [p.number for p in spread(many[:5], 12)] == [0, 1, 2, 3, 4]
