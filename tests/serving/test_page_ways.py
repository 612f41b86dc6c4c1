"""Ways to use the page: photos of phones, paste and drop, the keyboard alone, small screens, the dark."""

from __future__ import annotations

import base64

import pytest
from PIL import Image as Pillow

from tests.serving.standin import png
from tests.serving.visitor import Visitor


@pytest.fixture
def desk(browser, standin):
    visitor = Visitor(browser, standin.url)
    yield visitor
    visitor.leave()


def test_a_phones_photo_stands_upright(desk, standin, tmp_path):
    photo = Pillow.new("RGB", (400, 300), "white")
    photo.paste((200, 0, 0), (0, 200, 100, 300))  # lower left as stored: upper left when turned clockwise
    exif = Pillow.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    desk.open(tmp_path / "photo.jpg")
    assert "300 by 400 pixels" in desk.canvas.get_attribute("aria-label")
    desk.drag((0, 0), (100, 100))
    desk.ask("what is here?")
    (box,) = [p for p in standin.asked[-1][1]["messages"][0]["content"] if p["type"] == "box"]
    assert box["box"] == pytest.approx([0, 0, 100, 100], abs=1)
    drawn = Pillow.open(desk.save("Picture with drawings")).convert("RGB")
    scale = drawn.width / 300
    assert drawn.size == (300 * scale, 400 * scale)
    red, white = drawn.getpixel((int(60 * scale), int(60 * scale))), drawn.getpixel((int(60 * scale), int(300 * scale)))
    assert red[0] > 150 and red[1] < 60 and min(white) > 240


GIVE = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const box = new DataTransfer();
  box.items.add(new File([bytes], "given.png", {type: "image/png"}));
  const name = kind === "paste" ? "clipboardData" : "dataTransfer";
  const make = kind === "paste" ? ClipboardEvent : DragEvent;
  document.querySelector(kind === "paste" ? "body" : ".stage")
    .dispatchEvent(new make(kind, {[name]: box, bubbles: true, cancelable: true}));
}"""


@pytest.mark.long
def test_paste_and_drop_and_several_pictures(desk, standin):
    desk.tab.evaluate(GIVE, ["paste", base64.b64encode(png()).decode()])
    desk.ready()
    desk.tab.evaluate(GIVE, ["drop", base64.b64encode(png((48, 64))).decode()])
    desk.tab.get_by_role("button", name="Add to this conversation").click()
    desk.tab.get_by_role("tab", name="Picture 2").wait_for()
    assert "48 by 64 pixels" in desk.canvas.get_attribute("aria-label")
    desk.drag((10, 10), (20, 20))
    desk.ask("which one?")
    content = standin.asked[-1][1]["messages"][0]["content"]
    assert [p["type"] for p in content] == ["image_url", "image_url", "box", "text"] and content[2]["image"] == 1
    desk.answers.first.locator(".chip").first.click()  # the answer speaks of the first picture
    assert "96 by 96 pixels" in desk.canvas.get_attribute("aria-label")
    desk.shot("desk-two-pictures")


def test_the_keyboard_alone(desk, standin):
    keys = desk.tab.keyboard
    sample = desk.tab.locator(".samples button").first
    sample.wait_for()
    for _ in range(12):
        keys.press("Tab")
        if sample.evaluate("e => e === document.activeElement"):
            break
    keys.press("Enter")
    desk.ready()
    assert desk.said.startswith("Opened scene-0.png, 96 by 96")
    desk.canvas.focus()
    keys.press("b")
    keys.press("ArrowLeft")  # the cursor, in the middle
    for _ in range(3):
        keys.press("Shift+ArrowLeft")
    keys.press("Enter")
    keys.press("Shift+ArrowDown")
    keys.press("Shift+ArrowRight")
    keys.press("Enter")
    (tag,) = desk.tags
    step = 40 / float(desk.canvas.get_attribute("data-view").split()[0])
    left, top = (float(v) for v in tag.split("from ")[1].split(" to ")[0].split(","))
    assert (left, top) == pytest.approx((48 - 3 * step, 48), abs=0.6) and desk.said == f"Added {tag}."
    keys.press("p")
    keys.press("ArrowUp")
    keys.press("Enter")
    assert desk.tags[1].startswith("point 2 at 48, 48")
    keys.press("v")
    keys.press("ArrowRight")
    assert desk.tags[1].startswith("point 2 at 49, 48")
    keys.press("Delete")
    keys.press("/")
    keys.type("what is this?")
    keys.press("Enter")
    desk.settled(0)
    assert desk.said.startswith("Answer: There is a large red circle [2]")
    assert [p["type"] for p in standin.asked[0][1]["messages"][0]["content"]] == ["image_url", "box", "text"]


NAMELESS = """() => [...document.querySelectorAll("button, input, [role=textbox], [role=application], img")]
  .filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.getAttribute("alt") !== null
    || e.labels?.length || e.innerText?.trim())).map((e) => e.outerHTML.slice(0, 120))"""
SMALL = """() => [...document.querySelectorAll("button")]
  .filter((e) => e.checkVisibility() && !e.matches(".chip, .link, .small"))
  .map((e) => [e.getAttribute("aria-label") || e.innerText, e.getBoundingClientRect()])
  .filter(([, r]) => r.height < 34 || r.width < 34).map(([name]) => name)"""


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.long)], ids=["light", "dark"])
def test_a_phone(browser, standin, dark):
    phone = Visitor(browser, standin.url, phone=True, dark=dark)
    phone.tab.locator(".samples img").last.wait_for()
    name = f"phone-{'dark' if dark else 'light'}"
    phone.shot(f"{name}-begin")
    phone.begin()
    phone.touch((12, 14), (30, 30), (44, 47))
    phone.shot(f"{name}-region")
    phone.ask("what is left of this?")
    phone.shot(f"{name}-answer")
    assert phone.tab.evaluate("document.documentElement.scrollWidth") == 390
    assert phone.tab.evaluate("document.documentElement.scrollHeight") == 844
    assert phone.tab.evaluate(NAMELESS) == [] and phone.tab.evaluate(SMALL) == []
    paper = phone.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(25, 24, 21)" if dark else "rgb(251, 250, 247)")
    phone.leave()


@pytest.mark.long
def test_desk_in_the_dark_and_what_is_on_it(desk):
    desk.begin()
    desk.tab.get_by_role("button", name="Dark colours").click()
    desk.drag((12, 14), (44, 47))
    desk.shot("desk-dark-region")
    desk.tab.get_by_role("button", name="What the model's pixels show").click()
    desk.tab.get_by_text("Mean error 5.9 %").wait_for()
    assert desk.tab.locator("dialog img").count() == 3
    desk.shot("desk-dark-pixels")
    desk.tab.keyboard.press("Escape")
    desk.tab.get_by_role("button", name="Keys").click()
    desk.shot("desk-dark-keys")
    desk.tab.keyboard.press("Escape")
    assert desk.tab.evaluate(NAMELESS) == []
    desk.tab.reload()
    assert desk.tab.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.long
def test_new_takes_two_presses(desk):
    desk.begin()
    desk.drag((12, 14), (44, 47))
    desk.tab.get_by_role("button", name="New conversation").click()
    assert len(desk.tags) == 1
    desk.tab.get_by_role("button", name="Start anew").click()
    desk.tab.get_by_role("button", name="Choose a picture").wait_for()
