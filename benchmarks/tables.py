"""Tables: points read from a .parquet file, against pyarrow's table stacked by numpy: the time, and the peak of memory."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.files.arrays import read_points

SHAPE, SHAPE_QUICK = (1_000_000, 64), (50_000, 16)
TIMES, PEAK = 1.5, 2.5  # of reading, and of the array
_MEASURED = """
import re, sys
from pathlib import Path
from cfgraph.files.arrays import read_points
import numpy, pyarrow.parquet, pyarrow.compute
def told(name):
    return int(re.search(f"{name}:\\\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
before = told("VmRSS")
values = read_points(sys.argv[1]).values
print(1024 * (told("VmHWM") - before) / values.nbytes)
"""


def measure_tables(*, shape: tuple[int, int], rounds: int, say: Say) -> list[Finding]:
    """``tables``: columns of floats, read as points, checked to be finite."""
    import pyarrow as pa
    from pyarrow import parquet

    rows, columns = shape
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.parquet"
        parquet.write_table(pa.table({f"x{number}": chance.standard_normal(rows) for number in range(columns)}), path)

        def stacked(_: object) -> np.ndarray:
            table = parquet.read_table(path)
            return np.column_stack([table.column(name).to_numpy() for name in table.column_names])

        say(f"tables: {rows:,} x {columns} floats in a .parquet of {path.stat().st_size / 1e6:.0f} MB")
        rivals = [Rival("read_points", lambda _: read_points(path).values), Rival("pyarrow and numpy", stacked)]
        seconds = take_turns(rivals, rounds=rounds, say=say)
        peaks = tuple(_peak(path) for _ in range(rounds)) if sys.platform == "linux" else ()
    ours, theirs = (float(np.median(seconds[rival.name])) for rival in rivals)
    what = f"points from a .parquet of {rows:,} x {columns}"
    mine = f"`read_points`, every value checked: {ours:.3g} s"
    their = f"`numpy.column_stack` of the columns of `pyarrow.parquet.read_table`: {theirs:.3g} s"
    found = [
        Finding(
            name="tables",
            title=f"time to read {what}, over pyarrow's and numpy's",
            values=ratios(seconds["read_points"], seconds["pyarrow and numpy"]),
            wanted=Wanted("at most", TIMES) if shape == SHAPE else None,
            ours=mine,
            theirs=their,
        )
    ]
    if peaks:
        title = f"peak of memory to read {what}, over that of the array"
        wanted = Wanted("at most", PEAK) if shape == SHAPE else None  # of small arrays libraries take most
        found.append(Finding("tables", title, peaks, wanted, mine, "the array of floats that is made"))
    return found


def _peak(path: Path) -> float:
    """How much memory a process of its own takes at most while it reads, in lengths of the array."""
    words = [sys.executable, "-c", _MEASURED, str(path)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
