"""Talking on the page: chips, streaming, several turns, quick questions, an honest no, exports."""

from __future__ import annotations

import io
import json
from threading import Semaphore

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.plain import from_plain
from loupe.regions import Box, Mask
from loupe.sample import Regions, Sample
from tests.serving.standin import FOUND, png
from tests.serving.visitor import Visitor


@pytest.fixture
def desk(browser, standin):
    visitor = Visitor(browser, standin.url)
    visitor.begin()
    yield visitor
    visitor.leave()


def test_the_answer_streams_and_its_chips_light_up(desk, standin):
    standin.gate = Semaphore(0)
    desk.drag((12, 14), (44, 47))
    desk.write("what is left of this?")
    desk.tab.keyboard.press("Enter")
    answer = desk.answers.first
    standin.gate.release()
    answer.get_by_text("There is").wait_for()
    assert answer.get_attribute("data-status") == "streaming" and answer.locator(".chip").count() == 0
    standin.gate.release()
    answer.locator(".chip").first.wait_for()  # a region is there as soon as it is said
    assert answer.get_attribute("data-status") == "streaming" and len(desk.tags) == 2
    standin.gate.release(3)
    desk.settled(0)
    assert " ".join(answer.locator("p").first.inner_text().split()) == (
        "There is a large red circle 2 left of a small blue square 3.")
    assert desk.tags[1:] == ["box 2, a large red circle from 12, 14 to 44, 47",
                             "box 3, a small blue square from 58, 50 to 80, 71"]
    dark = desk.canvas.screenshot()
    chip = answer.locator(".chip").nth(1)
    chip.hover()
    assert desk.canvas.get_attribute("data-lit") == "3" and desk.canvas.screenshot() != dark
    desk.tool("Select and move")
    desk.tab.mouse.move(*desk.at(70, 60))  # and back: the picture lights up the chip
    assert "on" in chip.get_attribute("class").split()
    desk.tab.mouse.move(*desk.at(90, 90))
    assert "on" not in chip.get_attribute("class").split()
    desk.shot("desk-answer")


def test_turns_before_are_told_with_their_regions(desk, standin):
    desk.drag((12, 14), (44, 47))
    desk.ask("what is this?")
    desk.write("and @2 ")
    assert desk.tab.locator(".words .chip").inner_text() == "2"  # a region the model found
    desk.write("?")
    desk.tab.keyboard.press("Enter")
    desk.settled(1)
    first, said, second = standin.asked[-1][1]["messages"]
    assert [p["type"] for p in first["content"]] == ["image_url", "box", "text"]
    assert first["content"][0]["image_url"]["url"].startswith("loupe:")
    assert said["role"] == "assistant" and said["content"].count("[") == 2
    assert [r["box"] for r in said["regions"]] == [f["box"] for f in FOUND]
    assert [p["type"] for p in second["content"]] == ["text", "box", "text"]
    assert second["content"][1]["box"] == FOUND[0]["box"] and second["content"][2]["text"].strip() == "?"


@pytest.mark.long
def test_quick_questions_and_an_honest_no(desk, standin):
    desk.drag((12, 14), (44, 47))
    quick = desk.tab.get_by_role("toolbar", name="Questions about")
    for k, label in enumerate(["What is this?", "Describe", "Read the text", "What colour?", "Outline", "Where else?"]):
        quick.get_by_role("button", name=label).click()
        desk.settled(k)
    said = [" ".join(text.split()) for text in desk.answers.locator("p").all_inner_texts()]
    assert said[:4] == ["circle", "the large red circle", "EXIT", "#c82c28"]
    assert desk.tags[-2:] == ["painted area 2", "box 3, a small blue square from 58, 50 to 80, 71"]  # no repeat
    paths = [path.rsplit("/", 1)[1] for path, _ in standin.asked]
    assert paths == ["ask", "describe", "ask", "ask", "segment", "ask", "locate"]
    desk.tab.locator(".composer").get_by_text("Find").click()
    desk.ask("the green dragon")
    assert "Not there." in desk.answers.last.inner_text() and len(desk.tags) == 3
    assert desk.said == "the green dragon: not in this picture."
    desk.shot("desk-not-there")
    desk.tab.get_by_role("button", name="Show its best guess").click()
    desk.settled(7)
    assert standin.asked[-1][1]["check"] is False and len(desk.tags) == 4


@pytest.mark.long
def test_an_answer_is_stopped_and_asked_again(desk, standin):
    desk.write("a long story")
    desk.tab.keyboard.press("Enter")
    desk.answers.first.get_by_text("Word").wait_for()
    desk.tab.get_by_role("button", name="Stop the answer").click()
    desk.settled(0)
    assert desk.answers.first.get_attribute("data-status") == "stopped"
    desk.tab.wait_for_timeout(200)
    assert ("broken off", {}) in standin.asked  # its place is free
    desk.ask("an odd one")
    assert "could not be read as a region" in desk.answers.nth(1).inner_text()


@pytest.mark.long
def test_a_full_server_is_asked_again(desk, standin):
    standin.full = 1
    desk.ask("are you there?")
    assert desk.answers.first.get_attribute("data-status") == "done" and len(standin.asked) == 2
    assert len(desk.faults) == 1 and "429" in desk.faults.pop()  # the browser's own note


@pytest.mark.long
def test_trouble_is_told_where_it_happened(browser, standin, tmp_path):
    visitor = Visitor(browser, standin.url)
    bad = tmp_path / "broken.png"
    bad.write_bytes(png()[:60])
    with visitor.tab.expect_file_chooser() as chooser:
        visitor.tab.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(bad)
    visitor.tab.locator(".toast", has_text="no picture that can be read").wait_for()
    visitor.begin()
    standin.full = 9
    visitor.write("anyone?")
    visitor.tab.keyboard.press("Enter")
    visitor.answers.locator("[role=alert]", has_text="too many questions").wait_for()
    visitor.context.close()


def test_exports(desk, standin):
    desk.drag((10, 60), (40, 90))
    desk.ask("what is left of this?")
    desk.tab.locator(".composer").get_by_text("Find").click()
    desk.ask("the green dragon")
    desk.tab.get_by_role("button", name="Correct the answer").first.click()
    desk.tab.get_by_role("textbox", name="The right answer").fill("Nothing is.")
    desk.tab.keyboard.press("Enter")

    told = json.loads(desk.save("Conversation").read_text("utf-8"))
    assert [t["role"] for t in told["turns"]] == ["user", "assistant"] * 2 and told["turns"][3]["absent"]
    assert told["pictures"][0]["width"] == 96 and [r["number"] for r in told["regions"]] == [1, 2, 3]
    assert told["turns"][1]["corrected"] and told["turns"][1]["text"] == "Nothing is."

    sample = from_plain(json.loads(desk.save("Loupe sample").read_text("utf-8")))
    assert isinstance(sample, Sample) and sample.sizes == ((96, 96),)
    assert [t.role for t in sample.turns] == ["user", "assistant"] * 2
    region, words = sample.turns[0].parts
    assert isinstance(region, Regions) and isinstance(region.regions[0], Box) and words == " what is left of this?"
    assert region.regions[0].xyxy == pytest.approx((10, 60, 40, 90), abs=0.11)
    assert sample.turns[1].parts == ("Nothing is.",) and sample.turns[3].parts == ("It is not in the picture.",)
    assert (np.asarray(sample.images[0].pillow()) == np.asarray(Pillow.open(io.BytesIO(png())))).all()

    drawn = np.asarray(Pillow.open(desk.save("Picture with drawings")).convert("RGB")).astype(int)
    assert drawn.shape == (1056, 1056, 3)  # 11 times as large
    edge, outside = drawn[75 * 11, 10 * 11], drawn[1040, 20]  # on the box's left side, in the colour of tag 1
    assert abs(edge - (0, 114, 178)).max() < 40 and abs(outside - (214, 210, 200)).max() == 0


@pytest.mark.long
def test_a_found_mask_comes_back_bit_for_bit(desk):
    desk.click(69, 60)
    desk.tool("Point")
    desk.click(28, 30)
    desk.tab.get_by_role("button", name="Outline").click()
    desk.settled(0)
    sample = from_plain(json.loads(desk.save("Loupe sample").read_text("utf-8")))
    y, x = np.mgrid[0:96, 0:96]
    assert sample.turns[1].parts[-1].regions == (Mask.from_array((x - 28) ** 2 + (y - 30) ** 2 < 256),)
