"""Exploring: cells of a view a second, far down, from a graph; bytes a cell; against growing as many and asking one by one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.graph import Bench
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph import field, sources
from cfgraph.exploring.codec import Cut
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.view import View

SIZE = (1280.0, 700.0)
PX, PX_QUICK = 0.006, 0.2  # pixels: a million cells of koch, and 16,384
DEEP = 100
BOX_ROUNDS = 4  # times those of others: a box takes some hundredths of a second


def measure_exploring(*, quick: bool, rounds: int, say: Say) -> list[Finding]:
    """``exploring``: a million cells of a view as bytes, against asking the field for these cells; a view of level 100."""
    scene, koch = Scene.of("koch"), field("koch")
    home = scene.home
    view = replace(home, z=home.z * SIZE[1], width=SIZE[0], height=SIZE[1])
    px = PX_QUICK if quick else PX
    cut = scene.cut(view, px=px, cap=4_000_000)
    addresses = np.array(np.unravel_index(np.arange(len(cut)), (4,) * int(cut.level[0]))).T.astype(np.int32)
    random = np.random.default_rng(0)
    deep = iter(["/" + "/".join(map(str, random.integers(0, 4, DEEP))) for _ in range(1000)])
    rivals = [
        Rival("cut", lambda _: scene.cut(view, px=px, cap=4_000_000).to_bytes()),
        Rival("field.cells", lambda _: koch.cells(addresses)),
        Rival("level 100", lambda anchor: scene.cut(View(str(anchor), (0.0, 0.0), 500.0, *SIZE)), prepare=lambda: next(deep)),
    ]
    say(f"{len(cut):,} cells of a view: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    ours, theirs, hundred = (seconds[rival.name] for rival in rivals)
    size = len(cut.to_bytes()) / len(cut)
    return [
        Finding(
            name="exploring",
            title="cells of a view of a rule in memory, a second",
            values=tuple(len(cut) / second for second in ours),
            wanted=Wanted("at least", 1_000_000),
            ours=f"`Scene.of('koch').cut` of {len(cut):,} cells, as bytes",
            theirs="-",
        ),
        Finding(
            name="exploring",
            title="the same over asking the field for these cells by their addresses",
            values=tuple(their / mine for mine, their in zip(ours, theirs, strict=True)),
            wanted=Wanted("at least", 1),
            ours=f"`Scene.cut(...).to_bytes()`: {rate(len(cut), ours)} cells/s",
            theirs=f"`field('koch').cells`, all columns: {rate(len(cut), theirs)} cells/s",
        ),
        Finding(
            name="exploring",
            title=f"a view of koch at level {DEEP} that nobody looked at before",
            values=tuple(second * 1000 for second in hundred),
            wanted=Wanted("at most", 200),
            unit=" ms",
            ours="`Scene.of('koch').cut`, what double precision does not tell with it",
            theirs="-",
        ),
        Finding(
            name="exploring",
            title="bytes a cell",
            values=(size,),
            wanted=Wanted("at most", 20),
            ours="the cut, as it is sent",
            theirs="-",
        ),
    ]


SCAN = """
MATCH (cell:Cell)
WHERE cell.key >= $from AND cell.key < $to AND cell.level = $level
  AND $low[0] <= cell.center[0] <= $high[0] AND $low[1] <= cell.center[1] <= $high[1]
OPTIONAL MATCH (cell)<-[edge:CHILD]-(:Cell)
WHERE edge.primary IS NULL
RETURN collect(cell.key) AS keys, collect(cell.center) AS center, collect(cell.scale) AS scale,
       collect(cell.root_distance) AS root_distance, collect(cell.predicted) AS predicted,
       collect(labels(cell)) AS labels, collect(edge.residual) AS residual, collect(edge.length) AS length
"""


def measure_boxes(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``views``: the cells of the last level in a box, 1 % of all: by the ways of the maps, against a scan of the keys."""
    return [_measure_box(bench, maps=maps, depth=depth, rounds=rounds, say=say) for maps in ("koch", "fern")]


def _measure_box(bench: Bench, *, maps: str, depth: int, rounds: int, say: Say) -> Finding:
    id = "bench-boxes"
    tree = sources.ifs(id=id, maps=maps, depth=depth)
    bench.store.write(tree)
    known = field(bench.store, id)
    leaves = tree.cells.center[tree.cells.level_rows(depth)]
    middle = leaves[len(leaves) // 3]
    half = np.sort(np.abs(leaves - middle).max(axis=1))[max(1, len(tree.cells) // 100) - 1]
    low, high = (middle - half).tolist(), (middle + half).tolist()
    asked = {"from": f"{id}/", "to": f"{id}0", "level": depth, "low": low, "high": high}
    counts: set[int] = set()

    def scan(_: object) -> int:
        with bench.driver.session() as session:
            return len(session.run(SCAN, asked).single(strict=True)["keys"])

    def pruned(_: object) -> int:
        return len(bench.store.read_box(id, depth, low, high, field=known)["address"])

    rivals = [Rival("read_box", pruned, finish=_note(counts)), Rival("a scan", scan, finish=_note(counts))]
    say(f"the cells of level {depth} of {maps} in a box: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=BOX_ROUNDS * rounds, say=say)
    bench.store.remove(id)
    assert len(counts) == 1, f"they find other cells: {counts}"
    ours, theirs = (seconds[rival.name] for rival in rivals)
    return Finding(
        name="views",
        title=f"the cells of a level of {maps} in a box, 1 % of all cells",
        values=ratios(theirs, ours),
        wanted=Wanted("at least", 4),
        ours=f"`Store.read_box(..., field=...)`, its ways followed in memory: {counts.pop():,} of {len(tree.cells):,} cells",
        theirs="a scan of the hierarchy's keys that compares centers, the driver alone",
    )


def _note(counts: set[int]) -> Callable[[object], None]:
    return lambda count: counts.add(int(str(count)))


def measure_stored_views(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``views``: a cold view of a stored hierarchy, all its cells but the deepest read for it, against reading all cells."""
    id = "bench-views"
    bench.store.write(sources.ifs(id=id, maps="fern", depth=depth))
    home = Scene.of("fern").home
    view = replace(home, z=home.z * 4096, width=4096.0, height=4096.0)
    cuts: list[Cut] = []

    def look(_: object) -> int:
        scene = Scene.open(bench.store, id)
        cuts.append(scene.cut(view, px=2.0, cap=400_000))
        held = scene.terrain.held
        return 0 if held is None else len(held)

    counts: list[int] = []
    rivals = [
        Rival("a cold view", look, finish=lambda count: counts.append(int(str(count)))),
        Rival("store.read", lambda _: bench.store.read(id)),
    ]
    say(f"a cold view of a hierarchy of depth {depth}: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    cold, whole = (seconds[rival.name] for rival in rivals)
    cells = len(bench.store.read(id))
    bench.store.remove(id)
    return [
        Finding(
            name="views",
            title="stored cells read for a cold view, a second",
            values=tuple(count / second for count, second in zip(counts[-len(cold) :], cold, strict=True)),
            wanted=Wanted("at least", 40_000),
            ours=f"`Scene.open(store, id).cut` of the fern, {counts[-1]:,} of {cells:,} cells read family by family",
            theirs=f"`store.read` of all: {rate(cells, whole)} cells/s",
        ),
    ]
