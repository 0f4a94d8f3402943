"""Looking: a browser that is there, pages of the explorer in it, and what is seen on them."""

import os
import re
import shutil
import time
from contextlib import contextmanager
from io import BytesIO
from urllib.parse import parse_qsl

import numpy as np

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",  # a name that was turned to this machine
)
RENDERERS = {  # what a browser is started with, so that it draws on a GPU that is software, or has none
    "webgl": ("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    "pixels": ("--disable-gpu", "--disable-software-rasterizer"),
}
SECONDS = 60  # that something may take on a busy machine
QUIET = 1.0  # seconds without a new picture or a new place after which a page is at rest
DARK = (13, 15, 20)  # the ground of the dark page
HIDE = """(how) => {
  for (const one of document.querySelectorAll(".legend, .measure, .zoom, .tip, .banner")) one.style.visibility = how;
}"""
LIT = 40  # how far from the ground a channel of a lit pixel is


def find_browser():
    """The path of a Chromium: named by CFGRAPH_BROWSER, or on PATH; None where there is none."""
    named = os.environ.get("CFGRAPH_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def until(holds, what, seconds=SECONDS):
    """Wait for something to be true, asking from outside: the page's own policy refuses to evaluate text."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.03)
    return found


class Looked:
    """A page of the explorer, with all that it asked for and all that it complained of."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.asked, self.complaints, self.refused = [], [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("response", self._answered)
        page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _answered(self, response):
        """Keep what was asked for where it was refused: the console alone does not say it."""
        if response.status >= 400:
            self.refused.append((response.status, response.url, response.request.post_data))

    @property
    def origin(self):
        """The server's own."""
        return self.address.partition("/#")[0]

    @property
    def token(self):
        """That of the address."""
        return re.search(r"token=([^&]+)", self.address)[1]

    def open(self, words):
        """Open a link of the page, with the token."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.origin}/#token={self.token}&{words}")
        self.settle()

    def settle(self, answers=1):
        """Wait until so many pictures were drawn since the page was opened, and none is awaited."""
        stage = self.page.locator("#stage")
        until(lambda: int(stage.get_attribute("data-answers") or 0) >= answers, "a picture")
        until(lambda: stage.get_attribute("aria-busy") == "false", "an answer")

    @property
    def answers(self):
        """How many pictures were drawn."""
        return int(self.page.locator("#stage").get_attribute("data-answers") or 0)

    def do(self, *keys):
        """Press keys on the map, and wait for what they lead to."""
        for key in keys:
            self.page.keyboard.press(key)
        self.rest()

    def rest(self):
        """Wait until nothing moves any more: a key glides, and asks for the finer cells when it has arrived."""
        stage, seen, since = self.page.locator("#stage"), None, time.monotonic()
        end = since + SECONDS
        while time.monotonic() - since < QUIET:
            now = (self.answers, stage.get_attribute("aria-busy"), self.page.url)
            if now != seen or now[1] != "false":
                seen, since = now, time.monotonic()
            assert time.monotonic() < end, f"not within {SECONDS} s: a page at rest"
            time.sleep(0.05)

    def text(self, place):
        """What is written somewhere."""
        return self.page.locator(place).inner_text()

    @property
    def link(self):
        """What the address bar says, by name."""
        return dict(parse_qsl(self.page.evaluate("() => location.hash.slice(1)")))

    def shot(self):
        """A picture of the map alone, as PNG."""
        self.page.evaluate(HIDE, "hidden")
        shot = self.page.locator("#stage").screenshot(type="png")
        self.page.evaluate(HIDE, "")
        return shot

    def lit(self):
        """The pixels of the map that show a cell."""
        return lit_pixels(self.shot())

    def untroubled(self):
        """What held while it was looked at: nothing was asked of others, nothing was complained of."""
        elsewhere = [url for url in self.asked if not url.startswith((f"{self.origin}/", "blob:", "data:", "about:"))]
        assert elsewhere == []
        assert self.complaints == []


def pixels_of(png):
    """The pixels of a picture, red, green and blue."""
    from PIL import Image

    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(int)


def lit_pixels(png):
    """Which pixels of a picture are not its ground."""
    return np.abs(pixels_of(png) - np.array(DARK)).max(axis=2) > LIT


def share_near(first, second, pixels=2):
    """The share of some lit pixels that have one of others within so many pixels."""
    from scipy.ndimage import distance_transform_edt

    return float((distance_transform_edt(~second)[first] <= pixels).mean()) if first.any() else 0.0


@contextmanager
def a_browser(playwright, path, renderer, *more):
    """A browser that draws in one way."""
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *RENDERERS[renderer], *more])
    try:
        yield browser
    finally:
        browser.close()
