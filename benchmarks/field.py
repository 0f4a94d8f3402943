"""Field: cells far below what is stored, by their addresses, against growing that many families by one level."""

import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Rival, Say, take_turns
from cfgraph import field
from cfgraph.model.growth import Frontier, expand

CELLS, CELLS_QUICK, LEVEL = 50_000, 2_000, 300
ADDRESSES, DEPTH = 100_000, 40


def measure_field(*, cells: int, rounds: int, say: Say) -> list[Finding]:
    """``field``: cells of level 300 on koch, each on a way of its own, a level at a time; and 100,000 cells of level 40."""
    koch = field("koch")
    slots = np.random.default_rng(0).integers(4, size=(cells, LEVEL), dtype=np.int32)
    many = np.random.default_rng(1).integers(4, size=(ADDRESSES, DEPTH), dtype=np.int32)
    rivals = [
        Rival("field.cells, level 300", lambda _: koch.cells(slots)),
        Rival("expand, 300 times", _expand_often, prepare=lambda: _families(koch.cells(slots[:, :9]))),
        Rival("field.cells, level 40", lambda _: koch.cells(many)),
    ]
    say(f"{cells:,} cells of level {LEVEL} by address: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    ours, theirs, shallow = (seconds[rival.name] for rival in rivals)
    return [
        Finding(
            name="field",
            title="cells of level 300 by address, a level, over expanding as many cells",
            values=tuple(mine / their for mine, their in zip(ours, theirs, strict=True)),
            wanted=Wanted("at most", 2),
            ours=f"`field('koch').cells` of {cells:,} random addresses of level {LEVEL}: {rate(cells * LEVEL, ours)} cells/s, "
            "the maps' composing with them",
            theirs=f"`model.growth.expand` of {cells:,} cells to their 4 children each, tuples given, {LEVEL} times: "
            f"{rate(cells * LEVEL, theirs)} cells/s",
        ),
        Finding(
            name="field",
            title=f"{ADDRESSES:,} random addresses of level {DEPTH} on koch",
            values=tuple(shallow),
            wanted=Wanted("at most", 1),
            unit=" s",
            ours="`field('koch').cells`, all columns",
            theirs="-",
        ),
    ]


def _families(cells) -> tuple[Frontier, np.ndarray]:
    count = len(cells)
    tuples = np.random.default_rng(2).normal(size=(count, 4, 2))
    frontier = Frontier(
        center=cells.center,
        scale=cells.scale,
        root_distance=cells.root_distance,
        length=cells.length,
        level=cells.level,
        slot=cells.slot,
        tuples=np.zeros((count, 4, 2)),
    )
    return frontier, tuples


def _expand_often(families: tuple[Frontier, np.ndarray]) -> None:
    frontier, tuples = families
    for _ in range(LEVEL):
        expand(frontier, tuples=tuples, scale_factor=1 / 3)
