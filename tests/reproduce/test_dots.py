import re
import xml.etree.ElementTree as xml

from loupe.reproduce.dots import LABEL, WIDTH, Dot, Panel, picture

ROWS = (("Lyrics & co", False), ("blind", True))
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*panels):
    return xml.fromstring(picture(ROWS, panels))


def marks(root, tag, kind):
    return [each for each in root.iter(SVG + tag) if each.get("class") == kind][1:]  # the first is the legend's


def test_a_mean_lies_where_its_axis_says_and_its_interval_around_it():
    root = drawn(Panel("accuracy", (Dot((50.0, 40.0, 75.0)), Dot((10.0, 10.0, 10.0)))))
    circle, = marks(root, "circle", "ours")
    assert float(circle.get("cx")) == LABEL + WIDTH / 2
    line = next(p for p in root.iter(SVG + "path") if p.get("class") == "ours")
    least, most = map(float, re.fullmatch(r"M([\d.]+) \d+H([\d.]+)", line.get("d")).groups())
    assert (least, most) == (LABEL + 0.4 * WIDTH, LABEL + 0.75 * WIDTH)
    assert float(marks(root, "circle", "beside")[0].get("cx")) == LABEL + 0.1 * WIDTH, "controls look different"


def test_names_are_escaped_and_long_ones_cut():
    said = [t.text for t in xml.fromstring(picture((("a" * 60, False), ("<b>", True)), [
        Panel("p", (Dot((1.0, 1.0, 1.0)), Dot()))])).iter(SVG + "text")]
    assert "<b>" in said and any(t == "a" * 33 + "…" for t in said)


def test_the_papers_number_and_the_trivial_baseline_are_drawn_where_known():
    root = drawn(Panel("one", (Dot((50.0, 40.0, 60.0), 80.0), Dot()), trivial=25.0),
                 Panel("two", (Dot((50.0, 40.0, 60.0)), Dot())))
    assert len(marks(root, "path", "paper")) == 1 and len(marks(root, "path", "trivial")) == 1
    assert marks(root, "path", "trivial")[0].get("d").startswith(f"M{LABEL + WIDTH / 4} ")


def test_a_quantity_that_is_no_share_has_an_axis_of_its_own():
    panel = Panel("error", (Dot((2.0, 1.0, 3.0)), Dot((-1.0, -1.5, 0.5))), share=False)
    assert panel.range == (-1.5, 3.0)
    assert Panel("flat", (Dot((0.0, 0.0, 0.0)),), share=False).range == (0.0, 1.0)


def test_what_is_not_measured_is_not_drawn():
    assert picture(ROWS, [Panel("one", (Dot(paper=80.0), Dot()))]) == ""
    titles = [t.text for t in drawn(Panel("one", (Dot(), Dot())), Panel("two", (Dot((1.0, 1.0, 1.0)), Dot()))).iter(
        SVG + "text") if t.get("class") == "title"]
    assert titles == ["two"]


def test_more_panels_than_fit_side_by_side_stand_below():
    panels = [Panel(str(k), (Dot((1.0, 1.0, 1.0)), Dot())) for k in range(5)]
    heights = {int(t.get("y")) for t in drawn(*panels).iter(SVG + "text") if t.get("class") == "title"}
    assert len(heights) == 2
