"""Drawing on the page with mouse and touch: what is drawn is what the server is asked about, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest

from loupe.regions import Mask
from tests.serving.visitor import Visitor


@pytest.fixture
def desk(browser, standin):
    visitor = Visitor(browser, standin.url)
    visitor.begin()
    yield visitor
    visitor.leave()


@pytest.fixture
def phone(browser, standin):
    visitor = Visitor(browser, standin.url, phone=True)
    visitor.begin()
    yield visitor
    visitor.leave()


def asked(standin) -> list[dict]:
    """The regions of the last question."""
    parts = standin.asked[-1][1]["messages"][-1]["content"]
    return [p for p in parts if p["type"] not in ("text", "image_url")]


def test_each_kind_with_the_mouse(desk, standin):
    desk.drag((12, 14), (44, 47))
    desk.tool("Point")
    desk.click(69, 60)
    desk.tool("Polygon")
    for corner in [(50, 45), (88, 44), (70, 80)]:
        desk.click(*corner)
    desk.tab.keyboard.press("Enter")
    desk.tool("Brush")
    desk.drag((20, 80), (60, 88))
    desk.ask("what are these?")
    box, point, polygon, mask = asked(standin)
    assert box["type"] == "box" and box["box"] == pytest.approx([12, 14, 44, 47], abs=0.11)
    assert point["type"] == "point" and point["point"] == pytest.approx([69, 60], abs=0.11)
    assert polygon["type"] == "polygon"
    assert np.ravel(polygon["polygon"]) == pytest.approx([50, 45, 88, 44, 70, 80], abs=0.11)
    assert {r["image"] for r in (box, point, polygon, mask)} == {0}
    scale = float(desk.canvas.get_attribute("data-view").split()[0])
    painted = Mask.from_rle(mask["mask"]).array()
    assert painted.shape == (96, 96) and (painted != stroke((20, 80), (60, 88), 18 / scale)).sum() <= 4


def stroke(a, b, radius) -> np.ndarray:
    """Pixels whose centre is no further than `radius` from the segment."""
    y, x = np.mgrid[0:96, 0:96] + 0.5
    along = np.array(b, float) - a
    t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / (along @ along), 0, 1)
    return np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1]) <= radius


def test_each_kind_with_a_finger(phone, standin):
    phone.touch((12, 14), (30, 30), (44, 47))
    phone.tool("Point")
    phone.touch((69, 60))
    phone.tool("Polygon")
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    phone.touch(*zip(60 + 20 * np.cos(turn), 30 + 15 * np.sin(turn)))
    phone.tool("Brush")
    phone.touch((20, 80), (40, 84), (60, 88))
    phone.ask("what are these?")
    box, point, polygon, mask = asked(standin)
    assert box["box"] == pytest.approx([12, 14, 44, 47], abs=0.3)
    assert point["point"] == pytest.approx([69, 60], abs=0.3)
    assert 5 <= len(polygon["polygon"]) <= 24  # a shape drawn in one pull is closed and made simple
    ring = np.array(polygon["polygon"])
    assert np.hypot((ring[:, 0] - 60) / 20, (ring[:, 1] - 30) / 15) == pytest.approx(1, abs=0.04)
    assert Mask.from_rle(mask["mask"]).area > 100


@pytest.mark.long
def test_two_fingers_zoom_and_draw_nothing(phone):
    before = float(phone.canvas.get_attribute("data-view").split()[0])
    x, y = phone.at(48, 48)
    phone.fingers([[(x - 20 - k, y), (x + 20 + k, y)] for k in range(0, 60, 10)])
    after = float(phone.canvas.get_attribute("data-view").split()[0])
    assert after == pytest.approx(before * 70 / 20, rel=0.05)
    assert phone.at(48, 48) == pytest.approx((x, y), abs=2)  # what lay between the fingers stays there
    assert not phone.tab.locator(".words .chip").count()


def test_move_resize_undo_redo_delete(desk, standin):
    desk.drag((20, 20), (40, 40))
    desk.drag((40, 40), (50, 60))  # the lower right handle
    desk.tool("Select and move")
    desk.drag((30, 30), (35, 25))
    desk.drag((40, 30), (300, 30))  # only as far as the picture goes
    assert desk.tags == ["box 1 from 66, 15 to 96, 55"]
    undo = desk.tab.get_by_role("button", name="Undo")
    said = []
    for _ in range(3):
        undo.click()
        said += desk.tags
    assert said == ["box 1 from 25, 15 to 55, 55", "box 1 from 20, 20 to 50, 60", "box 1 from 20, 20 to 40, 40"]
    undo.click()
    assert desk.tags == [] and undo.is_disabled() and not desk.tab.locator(".words .chip").count()
    for _ in range(4):
        desk.tab.keyboard.press("Control+Shift+z")
    assert desk.tags == ["box 1 from 66, 15 to 96, 55"] and desk.tab.locator(".words .chip").count() == 1
    desk.tab.keyboard.press("Delete")
    assert desk.tags == [] and desk.said.startswith("Deleted box 1")
    desk.tab.keyboard.press("Control+z")
    assert desk.tags == ["box 1 from 66, 15 to 96, 55"]


@pytest.mark.long
def test_corners_of_a_polygon_move_and_grow(desk):
    desk.tool("Polygon")
    for corner in [(20, 20), (60, 20), (60, 60), (20, 60)]:
        desk.click(*corner)
    desk.click(20, 20)  # on the first corner: closed
    assert desk.tags == ["polygon 1 with 4 corners"]
    desk.drag((40, 20), (40, 8))  # the middle of a side becomes a corner
    assert desk.tags == ["polygon 1 with 5 corners"]
    desk.tab.keyboard.press("Control+z")
    assert desk.tags == ["polygon 1 with 4 corners"]


@pytest.mark.long
def test_brush_adds_to_what_is_painted_and_wipes(desk, standin):
    desk.tool("Brush")
    desk.drag((20, 20), (40, 20))
    desk.drag((20, 30), (40, 30))
    assert desk.tags == ["painted area 1"]
    desk.ask("first")
    first = Mask.from_rle(asked(standin)[0]["mask"]).array()
    desk.tab.locator(".tags button").first.click()
    desk.tab.get_by_role("button", name="Wipe away").click()
    desk.drag((20, 20), (40, 20))
    desk.tab.locator(".tags button").first.dblclick()
    desk.ask("second")
    second = Mask.from_rle(asked(standin)[0]["mask"]).array()
    assert first[20, 30] and first[30, 30] and not second[20, 30] and second[31, 30]
    assert not (second & ~first).any()


@pytest.mark.long
def test_a_slip_of_the_hand_draws_nothing(desk):
    desk.click(70, 70)
    desk.tool("Point")
    desk.click(-3, 50)  # beside the picture
    assert desk.tags == []


@pytest.mark.long
def test_regions_beside_the_picture_are_cut_off(desk, standin):
    desk.drag((80, 80), (120, 110))
    desk.ask("here?")
    assert asked(standin)[0]["box"] == pytest.approx([80, 80, 96, 96], abs=0.11)


@pytest.mark.long
def test_wheel_zooms_where_the_mouse_is(desk, standin):
    place = desk.at(30, 40)
    desk.tab.mouse.move(*place)
    desk.tab.mouse.wheel(0, -400)
    desk.tab.wait_for_timeout(50)
    assert desk.at(30, 40) == pytest.approx(place, abs=1)
    desk.drag((25, 35), (45, 55))
    desk.ask("zoomed")
    assert asked(standin)[0]["box"] == pytest.approx([25, 35, 45, 55], abs=0.11)
    desk.tab.get_by_role("button", name="fit the whole picture").click()
    assert desk.at(0, 0)[0] > 0
