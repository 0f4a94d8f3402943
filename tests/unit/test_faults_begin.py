"""`python -m tests.faults` begins: the long run is seldom made, and what it is made of is imported in another order there."""

import subprocess
import sys
from pathlib import Path


def test_the_long_run_begins():
    words = [sys.executable, "-m", "tests.faults", "--only", "nothing_is_called_so"]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 5, done.stdout + done.stderr  # pytest's own: no test was chosen
    assert "deselected" in done.stdout
