"""A person at the page: a real browser, led in pixels of the picture."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

FLAGS = [f"--{flag}" for flag in ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync",
                                  "disable-background-networking", "disable-component-update")]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
KEPT = Path(os.environ.get("LOUPE_SCREENSHOTS", "build/screenshots"))  # looked at by people, never compared
DESK, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}


def launched():
    """(playwright, browser); skips where either is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("needs a browser: apt-get install chromium")
    playwright = api.sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=found, args=FLAGS)


class Visitor:
    """One tab. Places are pixels of the picture on the stage."""

    def __init__(self, browser, url: str, phone: bool = False, dark: bool = False):
        self.url, self.faults, self.hosts = url, [], set()
        self.context = browser.new_context(
            viewport=PHONE if phone else DESK, device_scale_factor=2 if phone else 1, has_touch=phone, is_mobile=phone,
            color_scheme="dark" if dark else "light", accept_downloads=True)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(60_000)  # a busy machine is no failure
        self.tab.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)
        self.tab.on("pageerror", lambda e: self.faults.append(str(e)))
        self.tab.on("request", lambda r: self.hosts.add(r.url.split("/")[2] if r.url.startswith("http") else ""))
        self.tab.goto(url)

    def open(self, file: Path) -> None:
        with self.tab.expect_file_chooser() as chooser:
            self.tab.get_by_role("button", name="Choose a picture").click()
        chooser.value.set_files(file)
        self.ready()

    def begin(self) -> None:
        """With the first sample."""
        self.tab.locator(".samples button").first.click()
        self.ready()

    def ready(self) -> None:
        self.tab.locator(".canvas[data-view]").wait_for()

    @property
    def canvas(self):
        return self.tab.locator(".canvas")

    def at(self, x: float, y: float) -> tuple[float, float]:
        scale, left, top = map(float, self.canvas.get_attribute("data-view").split())
        frame = self.canvas.bounding_box()
        return frame["x"] + left + x * scale, frame["y"] + top + y * scale

    def tool(self, name: str) -> None:
        self.tab.get_by_role("radio", name=name, exact=True).click()

    def click(self, x: float, y: float) -> None:
        self.tab.mouse.click(*self.at(x, y))

    def drag(self, *places: tuple[float, float]) -> None:
        self.tab.mouse.move(*self.at(*places[0]))
        self.tab.mouse.down()
        for place in places[1:]:
            self.tab.mouse.move(*self.at(*place), steps=4)
        self.tab.mouse.up()

    def touch(self, *places: tuple[float, float]) -> None:
        """One finger down at the first place, along the others, and up."""
        self.fingers([[self.at(*place)] for place in places])

    def fingers(self, moments: list[list[tuple[float, float]]]) -> None:
        """Where all fingers are, moment by moment, on the screen."""
        wire = self.context.new_cdp_session(self.tab)

        def send(kind: str, moment) -> None:
            points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(moment)]
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        send("touchStart", moments[0])
        for moment in moments[1:]:
            send("touchMove", moment)
        send("touchEnd", [])

    def write(self, text: str) -> None:
        self.tab.get_by_role("textbox", name="Your question").click()
        self.tab.keyboard.type(text)

    def ask(self, text: str) -> None:
        """Write, send, and wait for the whole answer."""
        before = self.answers.count()
        self.write(text)
        self.tab.keyboard.press("Enter")
        self.settled(before)

    def settled(self, before: int) -> None:
        self.answers.nth(before).wait_for()
        self.tab.locator(f".answer:not([data-status=streaming]) >> nth={before}").wait_for()

    @property
    def answers(self):
        return self.tab.locator(".answer")

    @property
    def tags(self) -> list[str]:
        """The regions of the picture, as a screen reader says them."""
        return [b.get_attribute("aria-label") for b in self.tab.locator(".tags button").all()]

    @property
    def said(self) -> str:
        """What a screen reader was told last."""
        return self.tab.locator("[aria-live=polite]").inner_text()

    def save(self, item: str) -> Path:
        """One entry of the export menu."""
        self.tab.get_by_role("button", name="Export").click()
        with self.tab.expect_download() as download:
            self.tab.get_by_role("menuitem", name=item).click()
        return Path(download.value.path())

    def shot(self, name: str) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=KEPT / f"{name}.png")

    def leave(self) -> None:
        """Nothing went wrong unseen, and nothing outside was asked."""
        self.context.close()
        assert not self.faults, self.faults
        assert self.hosts <= {self.url.split("/")[2], ""}, self.hosts
