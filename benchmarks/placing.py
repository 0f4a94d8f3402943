"""Placing: new data into the cells of a hierarchy, against Store.write's points, which are located by whoever made them."""

import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.graph import Bench
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.metric.place import place
from cfgraph.sources import points

PLACED, WRITTEN, BATCH = "bench-placed", "bench-written", "new"
ROWS, ROWS_QUICK = 1_000_000, 20_000
FIRST, DIMENSION, DEPTH, ARITY = 4_000, 8, 4, 4  # 341 cells


def measure_placing(bench: Bench, *, rows: int, rounds: int, say: Say) -> list[Finding]:
    """``place``: as many points placed as written, in turns."""
    rng, store = np.random.default_rng(0), bench.store
    first, new = rng.normal(size=(FIRST, DIMENSION)), rng.normal(size=(rows, DIMENSION))
    made = points(id=PLACED, data=first, depth=DEPTH, arity=ARITY)
    store.write(made)
    cell = rng.integers(len(made.cells), size=rows)
    written = made.replace(id=WRITTEN, points=rows, point_nodes=True, cell_of_point=cell)

    def check(id: str, low: str, high: str) -> None:
        count = "MATCH (p:Point) WHERE p.key >= $low AND p.key < $high RETURN count(p)"
        found = bench.driver.execute_query(count, low=id + low, high=id + high).records[0][0]
        if found != rows:
            raise SystemExit(f"expected {rows:,} points of {id}, found {found:,}")

    def place_all(_: object) -> None:
        place(store, PLACED, data=new, batch=BATCH)

    def take_back(_: object) -> None:
        check(PLACED, "/@", "/A")
        store.remove_batch(PLACED, BATCH)

    def write_all(_: object) -> None:
        store.write(written)

    def remove(_: object) -> None:
        check(WRITTEN, "/", "/@")
        store.remove(WRITTEN)

    say(f"placing {rows:,} rows of {DIMENSION} numbers in {len(made.cells):,} cells, writing as many points")
    rivals = [Rival("place", place_all, finish=take_back), Rival("Store.write", write_all, finish=remove)]
    seconds = take_turns(rivals, rounds=rounds, say=say)
    store.remove(PLACED)
    speeds = {name: f"{rate(rows, taken)} points a second" for name, taken in seconds.items()}
    return [
        Finding(
            name="place",
            title=f"placing {rows:,} rows of {DIMENSION} numbers",
            values=ratios(seconds["Store.write"], seconds["place"]),
            wanted=Wanted("at least", 0.5),
            ours=f"`cfgraph.place` of an array, located in {len(made.cells):,} cells, distances and all; {speeds['place']}",
            theirs=f"`Store.write` of the same cells with as many points, whose cells are known; {speeds['Store.write']}",
        )
    ]
