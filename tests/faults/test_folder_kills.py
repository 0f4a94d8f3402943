"""Processes that grow a folder, killed by SIGKILL at any moment: the same files at the end, and nothing else."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from cfgraph.formats.folders.checking import verify_folder
from cfgraph.formats.folders.reader import open_folder

KILLS = 200 if os.environ.get("CFGRAPH_FAULTS") == "full" else 6
GROW = """
import sys
from cfgraph.model import sheets
from cfgraph.sources.cfg import Design, field
from cfgraph.transfer.fields import write_field

if __name__ == "__main__":
    sheets.SHEET_BYTES = 100_000
    made = field(id="killed", depth=int(sys.argv[2]), design=Design(arity=4))
    write_field(made, sys.argv[1], workers=int(sys.argv[3]))
"""


def contents(place):
    return {file.name: file.read_bytes() for file in place.glob("*.parquet")}


def started(processes, place):
    """Wait until growing has begun, or all have ended; when that was."""
    while not (place / "prefix.parquet").exists() and any(process.poll() is None for process in processes):
        time.sleep(0.02)
    return time.monotonic()


def kill(process):
    """Kill a process and all that it started; whether it was alive."""
    alive = process.poll() is None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return alive


@pytest.mark.slow("starts and kills processes that grow")
def test_kills_leave_the_same_files(tmp_path):
    program, chance = tmp_path / "grow.py", random.Random(int(os.environ["CFGRAPH_FAULTS_SEED"]))
    program.write_text(GROW)

    def start(place, workers):
        return subprocess.Popen([sys.executable, program, place, "8", str(workers)], start_new_session=True)

    calm = start(tmp_path / "calm", 1)
    begin = started([calm], tmp_path / "calm")
    assert calm.wait() == 0
    lasts, killed, number = time.monotonic() - begin, 0, 0
    while killed < KILLS:
        place, number = tmp_path / f"round-{number}", number + 1
        while killed < KILLS and not (place / "manifest.json").exists():
            processes = [start(place, chance.choice([1, 1, 2])) for _ in range(chance.choice([1, 2]))]
            started(processes, place)
            time.sleep(chance.uniform(0, 1.2) * lasts)
            killed += sum(map(kill, processes))
        assert start(place, 1).wait() == 0
        assert contents(place) == contents(tmp_path / "calm")
        assert verify_folder(open_folder(f"{place}/")).clean
