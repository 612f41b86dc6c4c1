"""The page on the real server with the shipped miniature: from a picture to an answer, for every kind of region."""

from __future__ import annotations

import json

import pytest

from loupe.plain import from_plain
from loupe.sample import Regions
from tests.serving.visitor import Visitor


@pytest.fixture(scope="module")
def url(server) -> str:
    return server.url + "/"


def test_from_a_picture_to_answers(browser, url):
    desk = Visitor(browser, url)
    desk.tab.locator(".samples img").nth(5).wait_for()
    desk.shot("mini-begin")
    desk.begin()
    desk.drag((10, 10), (50, 50))
    desk.tool("Point")
    desk.click(70, 60)
    desk.tool("Polygon")
    for corner in [(50, 50), (90, 50), (70, 90)]:
        desk.click(*corner)
    desk.tab.keyboard.press("Enter")
    desk.tool("Brush")
    desk.drag((20, 80), (40, 84))
    assert desk.tab.locator(".words .chip").count() == 4
    desk.ask("what is there?")
    desk.ask("Describe the picture in a sentence and box each thing you name.")
    desk.shot("mini-described")
    assert [a.get_attribute("data-status") for a in desk.answers.all()] == ["done", "done"]
    desk.tab.locator(".tags button").first.click()
    desk.tab.get_by_role("button", name="What is this?").click()
    desk.settled(2)
    desk.tab.get_by_role("button", name="What colour?").click()
    desk.settled(3)
    assert desk.answers.nth(2).locator("p").first.inner_text().strip()
    desk.tab.locator(".composer").get_by_text("Find").click()
    desk.ask("a circle")
    guess = desk.tab.get_by_role("button", name="Show its best guess")
    if guess.count():
        guess.click()
        desk.settled(5)
    found = desk.answers.last.locator(".chip")
    assert found.count() >= 1
    found.first.hover()
    assert desk.canvas.get_attribute("data-lit") == found.first.inner_text().split()[0]
    desk.shot("mini-found")
    sample = from_plain(json.loads(desk.save("Loupe sample").read_text("utf-8")))
    assert sum(isinstance(p, Regions) for p in sample.turns[0].parts) == 4
    desk.leave()


@pytest.mark.long
def test_what_the_model_makes_of_the_pixels(browser, url):
    phone = Visitor(browser, url, phone=True)
    phone.begin()
    phone.tab.get_by_role("button", name="What the model's pixels show").click()
    phone.tab.get_by_text("8 × 8", exact=True).click()
    phone.tab.get_by_text("Mean error").wait_for(timeout=60_000)
    phone.shot("mini-phone-pixels")
    phone.leave()
