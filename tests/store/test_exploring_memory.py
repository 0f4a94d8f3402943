"""The explorer's memory: bounded by its option while all cells of a store are looked at, page after page."""

import itertools
import threading

import psutil
import pytest

from cfgraph.exploring.codec import Cut
from cfgraph.sources.ifs import field as ifs_field
from tests.explorers import exploring
from tests.store.test_bulk import place_in

DEPTH = 10  # 1.4 million cells
LIMIT = 64 << 20  # a third of what all cells take
ANSWERS = 96 << 20  # what a view takes on its way besides: pages as they come, levels, columns


class Peak:
    """The most memory that a process holds while this is entered, looked at a hundred times a second."""

    def __init__(self, process):
        self._process, self._over = psutil.Process(process.pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.bytes = 0

    def __enter__(self):
        self.begin = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.01):
            self.bytes = max(self.bytes, self._process.memory_info().rss)


@pytest.mark.slow("imports 1.4 million cells into a server of its own, and looks at all of them")
def test_memory_stays_within_its_option_while_all_is_looked_at(tmp_path):
    with place_in(tmp_path / "store") as place:
        place.bulk(ifs_field(id="koch", maps="koch", depth=DEPTH))
        with exploring(place.run, "koch", "--memory", LIMIT) as page:
            home = page.ask("scene", id="koch")["home"]
            first = page.post("cut", id="koch", view={**home, "z": home["z"] * 700, "width": 1280, "height": 700})
            assert Cut.from_bytes(first.content).header["dots"] > 1_000
            stored = 0
            with Peak(page.process) as peak:
                for slots in itertools.product("0123", repeat=4):
                    view = {"anchor": "/" + "/".join(slots), "p": [0.0, 0.0], "z": 1000.0, "width": 1100, "height": 1100}
                    answer = page.post("cut", id="koch", view=view, px=1.0, margin=1.0)
                    header = Cut.from_bytes(answer.content).header
                    assert header["levels"] == [DEPTH, DEPTH]
                    assert header["notes"] == []
                    stored += header["stored"]
            assert stored >= 4**DEPTH
            held = peak.bytes - peak.begin
            assert LIMIT / 2 < held < LIMIT + ANSWERS, f"{held:,} bytes, {stored:,} cells"
