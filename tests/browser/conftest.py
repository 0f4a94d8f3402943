"""A real Chromium, and a real explorer for it to look at."""

import secrets
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.browser.looking import Looked, a_browser, find_browser

MISSING = "no Chromium is there: `apt-get install chromium`, or name one by CFGRAPH_BROWSER"


@pytest.fixture(scope="session")
def explorer_process():
    """An explorer that runs while the tests do; its ``address`` is an attribute of the process."""
    words = [sys.executable, "-m", "tests.browser.shown", secrets.token_urlsafe(16), "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), address
            process.address = address
            yield process
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def explorer(explorer_process):
    """Its address."""
    return explorer_process.address


@pytest.fixture(scope="module")
def browsers():
    """Browsers by the way that they draw, started when one is asked for; no longer than a file.

    The loop that drives them runs in this thread, and no command that has one of its own could run beside it.
    """
    pytest.importorskip("playwright", reason="playwright is not installed: make install")
    from playwright.sync_api import sync_playwright

    started = {}
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())

        def browser(renderer):
            if renderer not in started:
                started[renderer] = stack.enter_context(a_browser(playwright, find_browser(), renderer))
            return started[renderer]

        yield browser


@pytest.fixture
def look(request):
    """Opens pages; at the end nothing may have been complained of on any."""
    if find_browser() is None:
        if request.node.get_closest_marker("slow"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    browsers = request.getfixturevalue("browsers")
    with ExitStack() as stack:
        opened = []

        def open_page(words="", *, renderer="pixels", address=None, width=1280, height=800, **context):
            given = {
                "viewport": {"width": width, "height": height},
                "color_scheme": "dark",
                "reduced_motion": "reduce",
                **context,
            }
            place = browsers(renderer).new_context(**given)
            stack.callback(place.close)
            opened.append(Looked(place.new_page(), address or request.getfixturevalue("explorer")))
            if words:
                opened[-1].open(words)
            return opened[-1]

        yield open_page
        for one in opened:
            one.untroubled()
