"""Exploring: cells of a view a second, far down, from a graph; bytes a cell; against growing as many and asking one by one."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.graph import Bench
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph import field, sources
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


SIDES = {"a large": 4096.0, "a middle-sized": 1400.0, "a small": 300.0}  # pixels of views at home


def measure_stored_views(bench: Bench, *, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``views``: cold views of a stored hierarchy, the largest of all its cells but the deepest, against reading all cells."""
    id = "bench-views"
    bench.store.write(sources.ifs(id=id, maps="fern", depth=depth))
    home = Scene.of("fern").home
    counts: dict[str, list[int]] = {size: [] for size in SIDES}

    def look(side: float) -> int:
        scene = Scene.open(bench.store, id)
        scene.cut(replace(home, z=home.z * side, width=side, height=side), px=2.0, cap=400_000)
        held = scene.terrain.held
        return 0 if held is None else len(held)

    def cold(size: str) -> Rival:
        return Rival(f"{size} view", lambda _: look(SIDES[size]), finish=lambda count: counts[size].append(int(str(count))))

    rivals = [*map(cold, SIDES), Rival("store.read", lambda _: bench.store.read(id))]
    say(f"cold views of a hierarchy of depth {depth}: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    cells = len(bench.store.read(id))
    bench.store.remove(id)
    return [
        _of_view(size, counts[size][-1], seconds[f"{size} view"], cells=cells, whole=seconds["store.read"]) for size in SIDES
    ]


def _of_view(size: str, read: int, seconds: list[float], *, cells: int, whole: list[float]) -> Finding:
    waited = f"{median(seconds) * 1000:.0f} ms from nothing to the view: most of that is waiting for answers"
    return Finding(
        name="views",
        title=f"stored cells read for {size} view that is cold, a second",
        values=tuple(read / second for second in seconds),
        wanted=None if size == "a small" else Wanted("at least", 40_000),
        ours=f"`Scene.open(store, id).cut` of the fern, {read:,} of {cells:,} cells read family by family",
        theirs=f"`store.read` of all: {rate(cells, whole)} cells/s",
        remarks=(waited,) if size == "a small" else (),
    )
