"""Page: the explorer's second renderer, which writes dots into an image without a GPU, beside the canvas's own rectangles."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Say

DOTS, DOTS_QUICK = 1_000_000, 50_000
SIZE = (1280, 700)
MILLISECONDS = 60.0  # for a million dots
TIMES = 5.0  # as fast as rectangles
DRAW = """
async ({ dots, rounds, size }) => {
  const { Pixels } = await import("/pixels.js");
  let seed = 12345;
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 4294967296;
  const column = (made) => Float32Array.from({ length: dots }, made);
  const spread = (side) => column(() => (random() - 0.5) * side * 1.2);
  const cut = { count: dots, x: spread(size[0]), y: spread(size[1]), r: column(() => 1) };
  const colors = Uint32Array.from({ length: dots }, () => (0xff000000 | (random() * 0xffffff)) >>> 0);
  const canvas = () => Object.assign(document.createElement("canvas"), { width: size[0], height: size[1] });
  const pixels = new Pixels(canvas());
  const picture = { cut, colors, move: { k: 1, x: 0, y: 0 }, box: [0, 0, ...size], dimmed: null };
  const order = { ratio: 1, size: 1, background: 0xff140f0d, pictures: [picture] };
  const plain = canvas().getContext("2d", { willReadFrequently: true });
  const part = (color, by) => ((color >>> by) & 255).toString(16).padStart(2, "0");
  const hex = Array.from(colors, (color) => "#" + [0, 8, 16].map((by) => part(color, by)).join(""));
  const ways = {
    pixels: () => pixels.draw(order),
    rectangles: () => {
      plain.fillStyle = "#0d0f14";
      plain.fillRect(0, 0, ...size);
      for (let row = 0; row < dots; row += 1) {
        plain.fillStyle = hex[row];
        plain.fillRect(Math.round(cut.x[row] + size[0] / 2) - 1, Math.round(cut.y[row] + size[1] / 2) - 1, 2, 2);
      }
      plain.getImageData(0, 0, 1, 1); // wait until it is drawn
    },
  };
  const taken = { pixels: [], rectangles: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of round % 2 ? ["pixels", "rectangles"] : ["rectangles", "pixels"]) {
      const begun = performance.now();
      ways[name]();
      if (round) taken[name].push(performance.now() - begun);
      await new Promise((done) => setTimeout(done, 0));
    }
  }
  const lit = pixels.pixels.reduce((sum, color) => sum + (color !== 0xff140f0d), 0);
  return { ...taken, lit };
}
"""


def measure_page(*, dots: int, rounds: int, say: Say) -> list[Finding]:
    """``page``: milliseconds a frame in a real Chromium, and how many times as fast that is as rectangles."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        say("page: left out, since playwright is not installed")
        return []
    from tests.browser.looking import a_browser, find_browser

    path = find_browser()
    if path is None:
        say("page: left out, since no Chromium is there")
        return []
    handler = partial(_Silent, directory=str(files("cfgraph.exploring").joinpath("page")))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with a_browser(playwright, path, "pixels") as browser:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/pixels.js")
            found = page.evaluate(DRAW, {"dots": dots, "rounds": rounds, "size": list(SIZE)})
        server.shutdown()
    say(f"  page: {json.dumps(found)}")
    assert found["lit"] > dots / 10
    ours = f"{dots:,} dots of 2 x 2 pixels, written into an image of {SIZE[0]} x {SIZE[1]} pixels, without a GPU"
    theirs = "the same dots by fillRect of the canvas"
    times = tuple(their / our for their, our in zip(found["rectangles"], found["pixels"], strict=True))
    return [
        Finding(
            "page",
            f"explorer: a frame of {dots:,} dots",
            tuple(found["pixels"]),
            Wanted("at most", MILLISECONDS),
            ours,
            "-",
            unit=" ms",
        ),
        Finding("page", f"explorer: {dots:,} dots, pixels beside rectangles", times, Wanted("at least", TIMES), ours, theirs),
    ]


class _Silent(SimpleHTTPRequestHandler):
    """Gives out the page's files, and says nothing of it."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}  # noqa: RUF012 - as the class above has it

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
