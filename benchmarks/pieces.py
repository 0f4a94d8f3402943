"""Pieces: points that are read in pieces, against scikit-learn's mini-batch k-means over the same rows held in memory.

The rival makes such a tree, too: ``MiniBatchKMeans`` on all rows, then on those of each cluster, and so on, with batches of
the same length. Each side runs in a process of its own, which tells its seconds, its peak of memory, and what share of the
squared distances from the mean of all rows its cells leave unexplained on each level. Of fewer rows recursive k-means of all
rows in memory is a third.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.machine import peak_bytes
from benchmarks.rounds import Say

if TYPE_CHECKING:
    from cfgraph.model.cells import Cells

ROWS, ROWS_QUICK = 5_000_000, 60_000
WHOLE_ROWS, WHOLE_ROWS_QUICK = 300_000, 20_000  # that are split with all of them in memory as well
DIMENSION, ARITY, DEPTH, FILES = 8, 3, 5, 5
MEMORY = "256MB"
BATCH = 32_768
PEAK_WANTED = Wanted("at most", 256)  # MB above a process that has loaded the libraries alone


@dataclass(frozen=True)
class Side:
    """What one side found: seconds, bytes above those of the libraries, and the unexplained share by level."""

    seconds: float
    bytes: int
    left: list[float]


def measure_pieces(*, rows: int, whole_rows: int, rounds: int, say: Say) -> list[Finding]:
    """``pieces``: time, memory and quality."""
    with TemporaryDirectory(prefix="cfgraph-bench-") as name:
        folder, few = Path(name) / "rows", Path(name) / "few"
        write_rows(folder, rows=rows)
        write_rows(few, rows=whole_rows)
        sides: dict[str, list[Side]] = {"pieces": [], "rival": []}
        for number in range(rounds):
            for side in ("pieces", "rival") if number % 2 == 0 else ("rival", "pieces"):
                sides[side].append(run_side(side, folder, say=say))
        small = {side: run_side(side, few, say=say) for side in ("pieces", "rival", "whole")}
    ours, theirs = sides["pieces"], sides["rival"]
    passes = 2 * (DEPTH + 1)
    speed = {name: rate(rows, [side.seconds for side in found]) for name, found in sides.items()}
    shown = f"{rows:,} rows of {DIMENSION} numbers, {ARITY} children a cell, depth {DEPTH}"
    shares = {name: ", ".join(f"{share:.4f}" for share in side.left) for name, side in small.items()}
    return [
        Finding(
            name="pieces",
            title=f"ingest points --memory {MEMORY}, {rows:,} rows",
            values=tuple(their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)),
            wanted=Wanted("at least", 0.5),
            ours=f"`sources.points` of {FILES} .parquet files, {shown}: {speed['pieces']} rows a second in all {passes} passes",
            theirs=f"nested `MiniBatchKMeans` over the same rows, held in memory: {speed['rival']} rows a second",
        ),
        Finding(
            name="pieces",
            title=f"peak memory of ingest points --memory {MEMORY}",
            values=tuple(side.bytes / 1e6 for side in ours),
            wanted=PEAK_WANTED,
            unit=" MB",
            ours="resident memory above that of a process that has loaded the libraries",
            theirs=f"the rival's: {max(side.bytes for side in theirs) / 1e6:,.0f} MB",
        ),
        Finding(
            name="pieces",
            title=f"squares left by points in pieces, {whole_rows:,} rows",
            values=(small["pieces"].left[-1] / small["whole"].left[-1],),
            wanted=Wanted("at most", 1.02),
            ours=f"of level {DEPTH}, over those of `sources.points` in memory; by level {shares['pieces']}",
            theirs=f"in memory {shares['whole']}; nested `MiniBatchKMeans` {shares['rival']}",
        ),
    ]


def write_rows(folder: Path, *, rows: int) -> None:
    """Rows around the cells of a tree of random displacements, shuffled, in some files."""
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir()
    random = np.random.default_rng(0)
    center = np.zeros((1, DIMENSION))
    for level in range(4):
        center = (center[:, None] + 10 * 0.5**level * random.normal(size=(len(center), 4, DIMENSION))).reshape(-1, DIMENSION)
    for number in range(FILES):
        count = rows // FILES
        some = center[random.integers(len(center), size=count)] + random.normal(size=(count, DIMENSION))
        columns = {f"x{place}": some[:, place] for place in range(DIMENSION)}
        parquet.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=100_000)


def run_side(side: str, folder: Path, *, say: Say) -> Side:
    """One side in a process of its own."""
    line = [sys.executable, "-m", "benchmarks.pieces", side, str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found = Side(**json.loads(done.stdout.splitlines()[-1]))
    say(f"  {side}: {found.seconds:.3g} s, {found.bytes / 1e6:,.0f} MB, left {found.left[-1]:.4f}")
    return found


# -- what a process does


Levels = list[tuple[np.ndarray, np.ndarray]]  # sizes and centers of the cells of each level, with childless ones above


def _pieces(folder: Path) -> Levels:
    from cfgraph.sources import points

    asked = {"depth": DEPTH, "arity": ARITY, "duplicates": "keep"}
    return _levels(points(folder, memory=MEMORY, batch=BATCH, progress=False, **asked).cells)


def _whole(folder: Path) -> Levels:
    from cfgraph.sources import points

    return _levels(points(_read(folder), depth=DEPTH, arity=ARITY, duplicates="keep", progress=False).cells)


def _levels(cells: "Cells") -> Levels:
    ends = cells.child_count == 0
    cuts = [np.flatnonzero((cells.level == level) | ((cells.level < level) & ends)) for level in range(cells.depth + 1)]
    return [(cells.size[rows], cells.center[rows]) for rows in cuts]


def _rival(folder: Path) -> Levels:
    from sklearn.cluster import MiniBatchKMeans

    rows = _read(folder)
    inside, levels = [np.arange(len(rows))], []
    for level in range(DEPTH + 1):
        levels.append((np.array([len(some) for some in inside]), np.stack([rows[some].mean(axis=0) for some in inside])))
        if level < DEPTH:
            inside = [part for some in inside for part in _split(rows, some, MiniBatchKMeans)]
    return levels


def _split(rows: np.ndarray, some: np.ndarray, learner: Callable) -> list[np.ndarray]:
    if len(some) < ARITY:
        return [some]
    label = learner(n_clusters=ARITY, batch_size=BATCH, n_init=3, random_state=0).fit(rows[some]).labels_
    return [some[label == number] for number in range(ARITY) if (label == number).any()]


def _read(folder: Path) -> np.ndarray:
    from pyarrow import parquet

    table = parquet.read_table(folder)
    return np.column_stack([table[name].to_numpy() for name in table.column_names])


def _squares(folder: Path, mean: np.ndarray) -> float:
    from pyarrow import parquet

    total = 0.0
    for file in sorted(folder.glob("*.parquet")):
        for batch in parquet.ParquetFile(file).iter_batches():
            total += sum(float(((column.to_numpy() - mean[place]) ** 2).sum()) for place, column in enumerate(batch.columns))
    return total


def _main() -> None:
    import pyarrow.parquet  # noqa: F401  # loaded before memory is looked at
    import sklearn.cluster  # noqa: F401  # as above

    import cfgraph.sources.streamed  # noqa: F401  # as above

    side, folder = sys.argv[1], Path(sys.argv[2])
    before, begin = peak_bytes(), time.perf_counter()
    found = {"pieces": _pieces, "rival": _rival, "whole": _whole}[side](folder)
    seconds, peak = time.perf_counter() - begin, peak_bytes()
    mean = found[0][1][0]
    total = _squares(folder, mean)
    left = [1 - float(size @ ((center - mean) ** 2).sum(axis=1)) / total for size, center in found]  # centers are means
    print(json.dumps({"seconds": seconds, "bytes": peak - before, "left": left}))


if __name__ == "__main__":
    _main()
