"""The page over models of others: the same tags and chips, and nothing offered that the model cannot do."""

from __future__ import annotations

import json

import pytest
from foreign_models import write
from stub_endpoint import said, served

import loupe
from tests.serving.visitor import Visitor

pytestmark = pytest.mark.long


def nothing_missing_is_offered(desk) -> None:
    """With a region selected: what is on a region's card and in the tools."""
    assert desk.tab.get_by_role("button", name="Where else?").count() == 1
    for name in ("Outline", "What the model's pixels show"):
        assert desk.tab.get_by_role("button", name=name).count() == 0
    assert desk.tab.locator(".composer").get_by_text("Find").count() == 1
    assert desk.tab.locator(".composer").get_by_text("Outline").count() == 0


def test_a_model_behind_an_endpoint(browser, running):
    from loupe.serving import application

    def say(body, pictures):
        if "there" in said(body):
            return 'A cup [{"bbox_2d": [100, 100, 500, 500], "label": "cup"}] and no plate.'
        return "yes" if said(body).startswith("Is ") else said(body)

    with served(say) as (address, stub):
        desk = Visitor(browser, running(application(loupe.load(f"{address}#seer,tries=1"))).url + "/")
        desk.begin()
        desk.drag((10, 10), (48, 48))
        nothing_missing_is_offered(desk)
        desk.ask("what is there?")
        assert "cup" in desk.answers.nth(0).inner_text()
        chip = desk.answers.nth(0).locator(".chip")
        chip.hover()
        assert desk.canvas.get_attribute("data-lit") == chip.inner_text().split()[0]
        desk.ask("and now?")
        earlier, asking = stub.bodies[-1]["messages"][-2:]
        assert "bbox_2d" in earlier["content"] and json.dumps(asking["content"]).count("and now?") == 1
        desk.tab.locator(".tags button").first.click()
        desk.tab.get_by_role("button", name="What colour?").click()
        desk.settled(2)
        assert "[10" in said(stub.bodies[-1])  # thousandths, as the endpoint hears it
        desk.shot("endpoint")
        desk.leave()


def test_a_checkpoint_of_another_family(browser, running, tmp_path):
    from loupe.serving import application

    model = loupe.load(write("qwen2_5_vl", tmp_path / "tiny"), device="cpu")
    desk = Visitor(browser, running(application(model, answer=8)).url + "/")
    desk.begin()
    desk.drag((10, 10), (50, 50))
    nothing_missing_is_offered(desk)
    desk.ask("what is this?")
    assert desk.answers.nth(0).get_attribute("data-status") == "done"
    desk.leave()
