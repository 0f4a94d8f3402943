"""Cells that are read family by family: the same as all at once, and never more of them than there is memory for."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np
import pytest

from cfgraph import field, sources
from cfgraph.errors import InputError
from cfgraph.exploring.codec import MISSING
from cfgraph.exploring.memory import Memory
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.stored import StoredCells
from cfgraph.exploring.terrain import Terrain
from cfgraph.model.address import format_address, parse_address
from cfgraph.model.reader import CellsReader
from tests.unit.test_exploring_cut import at_home, seen_from
from tests.unit.test_exploring_scene import colored


def read_as_asked(hierarchy, *, memory=None):
    """A scene that asks the reader for families, as of a hierarchy in a graph."""
    made = field(hierarchy)
    scene = Scene.of(hierarchy)
    held = StoredCells(made.ground, made.reader)
    return replace(scene, terrain=Terrain(scene.terrain.ground, held), memory=memory or Memory())


def same(one, other):
    """Whether two cuts show the same cells at the same pixels."""
    assert one.addresses() == other.addresses()
    assert np.abs(one.x - other.x).max() < 1e-3
    assert np.abs(one.y - other.y).max() < 1e-3


@pytest.fixture(scope="module")
def koch():
    return sources.ifs(id="koch", maps="koch", depth=7)


def test_families_that_are_read_when_they_are_seen(koch):
    rule, scene = Scene.of("koch"), read_as_asked(koch)
    for view in (at_home(rule, z=0.5), at_home(rule, z=5.0), seen_from(None, "/1/2/3/0/1/2/2/2/1/1", z=400.0)):
        cut = scene.cut(view, color="stored")
        same(cut, rule.cut(view))
        assert cut.header["stored"] == sum(address.count("/") <= 7 for address in cut.addresses())
    assert len(scene.terrain.held) < len(koch.cells) / 3
    assert scene.home == rule.home


def test_data_end_where_they_are_stored():
    tree = sources.points(id="tree", data=np.random.default_rng(0).normal(size=(300, 3)), arity=3, depth=5)
    held, axes = Scene.of(tree), {"kind": "columns", "columns": [0, 1]}
    cuts = [scene.cut(at_home(held), px=0.5, axes=axes) for scene in (read_as_asked(tree), held)]
    assert len(cuts[1]) > 100
    assert set(cuts[1].addresses()) <= set(cuts[0].addresses())  # the sums of edges bound tighter than stored radii


def test_properties_are_read_of_cells_that_are_looked_at(koch, monkeypatch):
    rows = np.arange(len(koch.cells))
    label = np.array([f"kind {row % 9}" if row % 7 else None for row in rows], dtype=object)
    weight = np.where(rows % 5 == 0, np.nan, rows / 3.0)
    tree = colored(koch, number=np.where(rows % 3 == 0, -1, rows), weight=weight, label=label)
    held, asked = Scene.of(tree), replace(read_as_asked(tree), hierarchy=tree.without_cells())
    assert asked.describe()["properties"] == held.describe()["properties"]
    assert asked.colors == held.colors
    read, own = [], CellsReader.own
    monkeypatch.setattr(
        CellsReader, "own", lambda self, addresses, name: read.append(len(addresses)) or own(self, addresses, name)
    )
    views = [at_home(held, z=0.5), seen_from(None, "/1/2/3/0", z=400.0), seen_from(None, "/1/2/3/0/1/2/2/2/1/1", z=400.0)]
    for view in views:
        for name in ("property:number", "property:weight", "property:label"):
            cuts = [scene.cut(view, color=name) for scene in (held, asked)]
            meanings = [cut.header["color"] for cut in cuts]
            if meanings[0]["kind"] == "number":
                assert meanings[0] == meanings[1]
                assert (cuts[0].value == cuts[1].value).all()
            else:
                texts = [[*meaning["labels"], *[None] * MISSING] for meaning in meanings]
                told = [[texts[one][value] for value in cut.value.tolist()] for one, cut in enumerate(cuts)]
                assert told[0] == told[1]
    before = len(read)
    asked.cut(views[0], color="property:number")
    assert len(read) == before  # they are held
    asked.terrain.held.shrink(asked.terrain.held.bytes // 2)
    asked.terrain.forget()
    assert (asked.cut(views[1], color="property:weight").value == held.cut(views[1], color="property:weight").value).all()
    many = np.array([f"name {row}" for row in rows], dtype=object)
    named = replace(read_as_asked(colored(koch, label=many)), hierarchy=colored(koch, label=many).without_cells())
    cut = named.cut(views[0], color="label")
    assert cut.header["color"]["labels"][-1] == "(others)"
    assert any("more than 64 values" in note for note in cut.header["notes"])


def test_points_in_cells_that_are_read_as_they_are_seen():
    points = np.random.default_rng(0).normal(size=(300, 2))
    tree = sources.points(points, id="tree", arity=3, depth=5)
    scene = read_as_asked(tree)
    assert scene.weights == ("points",)
    assert scene.cut(at_home(scene), px=20.0, weight="points").weight.sum() == 300
    assert (
        scene.cut(seen_from(None, "/0", z=scene.home.z * 500), weight="points").weight.sum()
        >= tree.cells.size[tree.cells.row("/0")]
    )


def test_memory_is_bounded_while_all_is_looked_at(koch):
    memory, rule = Memory(2**20), Scene.of("koch")
    scene, other = read_as_asked(koch, memory=memory), read_as_asked(koch, memory=memory)
    most = 0
    for first in range(4):
        for second in range(4):
            view = seen_from(None, f"/{first}/{second}", z=600.0)
            same(scene.cut(view, px=2.0), rule.cut(view, px=2.0))
            other.cut(view, px=4.0)
            with scene.asked():
                most = max(most, memory.bytes)
    assert 2**18 < most <= 2**20
    same(scene.cut(at_home(rule)), rule.cut(at_home(rule)))
    scene.refresh()
    same(scene.cut(view), rule.cut(view))
    before = memory.bytes
    other.close()
    assert memory.bytes < before


def test_what_memory_has_no_room_for_is_shown_coarser(koch, monkeypatch):
    memory, rule, taken = Memory(2**20), Scene.of("koch"), []
    scene, put = read_as_asked(koch, memory=memory), StoredCells._put

    def noted(held, *columns):
        put(held, *columns)
        taken.append(memory.bytes)

    monkeypatch.setattr(StoredCells, "_put", noted)
    view = at_home(rule)
    whole, cut = rule.cut(view, px=0.2), scene.cut(view, px=0.2)
    assert max(taken) < 1.2 * 2**20
    assert memory.bytes <= 2**20
    assert any("--memory" in note for note in cut.header["notes"])
    assert 100 < cut.header["coarse"] < len(whole)
    drawn = set(cut.addresses())
    for address in whole.addresses():
        slots = parse_address(address)
        assert sum(format_address(slots[:level]) in drawn for level in range(len(slots) + 1)) == 1
    near = scene.cut(seen_from(None, "/1/2", z=100.0))
    assert not any("--memory" in note for note in near.header["notes"])
    same(near, rule.cut(seen_from(None, "/1/2", z=100.0)))


class Slow(CellsReader):
    """A reader that answers for children once it is told to, and says when it was asked."""

    def __init__(self, cells):
        super().__init__(cells)
        object.__setattr__(self, "asked", threading.Event())
        object.__setattr__(self, "go_on", threading.Event())

    def children(self, addresses):
        self.asked.set()
        assert self.go_on.wait(60)
        return super().children(addresses)


def slowly(koch, memory):
    """A scene whose cells come once its reader is told to go on, and that reader."""
    reader = Slow(koch.cells)
    scene = read_as_asked(koch, memory=memory)
    held = StoredCells(scene.terrain.ground, reader)
    return replace(scene, terrain=Terrain(scene.terrain.ground, held)), reader


def test_a_slow_view_keeps_nobody_else_waiting(koch):
    memory, rule = Memory(2**22), Scene.of("koch")
    (slow, reader), other = slowly(koch, memory), read_as_asked(koch, memory=memory)
    near = seen_from(None, "/1/2", z=100.0)
    with ThreadPoolExecutor(1) as thread:
        late = thread.submit(slow.cut, near)
        assert reader.asked.wait(60)
        same(other.cut(near), rule.cut(near))
        assert not late.done()
        reader.go_on.set()
        same(late.result(60), rule.cut(near))


def test_what_has_no_room_since_others_look_waits_for_them(koch):
    memory, rule = Memory(2**20), Scene.of("koch")
    (slow, reader), other = slowly(koch, memory), read_as_asked(koch, memory=memory)
    reader.go_on.set()
    view = at_home(rule)
    slow.cut(view, px=0.4)  # takes most of what there is
    assert memory.bytes > 2**19
    reader.go_on.clear(), reader.asked.clear()
    with ThreadPoolExecutor(2) as threads:
        late = threads.submit(slow.cut, seen_from(None, "/1/2/3/1", z=600.0), px=2.0)
        assert reader.asked.wait(60)
        waiting = threads.submit(other.cut, view, px=0.4)
        done, _ = wait([waiting], timeout=1.0)
        assert not done
        reader.go_on.set()
        late.result(60)
        cut = waiting.result(60)
    assert not any("--memory" in note for note in cut.header["notes"])
    same(cut, rule.cut(view, px=0.4))
    assert memory.bytes <= 2**20


def test_what_went_half_way_is_not_taken_for_cells(koch, monkeypatch):
    scene, rule = read_as_asked(koch), Scene.of("koch")
    view = at_home(rule)
    before = scene.cut(view)
    held, keep = scene.terrain.held, np.ndarray.__getitem__

    class Failing(np.ndarray):
        def __getitem__(self, key):
            if isinstance(key, np.ndarray) and len(key) < len(self):
                raise MemoryError
            return keep(self, key)

    held._room["scale"] = held._room["scale"].view(Failing)
    with pytest.raises(MemoryError):
        held.shrink(held.bytes // 2)
    scene.terrain.forget()
    with pytest.raises(AssertionError, match="half-way"):
        scene.cut(view)
    scene.refresh()
    same(scene.cut(view), before)


def test_too_little_memory_is_refused():
    with pytest.raises(InputError, match="memory"):
        Memory(1000)
