"""Clocks: a wrong time for a process, by libfaketime, which stands between it and the C library."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

HOUR = 3600


def shifted(hours: float) -> dict[str, str] | None:
    """What makes a process's clock wrong by so many hours, in its environment; None where this machine has no libfaketime."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    library = next(Path(found.origin).parent.glob("vendor/libfaketime/src/libfaketime.so.1"), None)
    changes = {"LD_PRELOAD": str(library), "FAKETIME": f"{hours * HOUR:+.0f}s", "DONT_FAKE_MONOTONIC": "1"}
    return changes if library is not None and _works(changes, hours) else None


def _works(changes: dict[str, str], hours: float) -> bool:
    command = [sys.executable, "-c", "import time; print(time.time())"]
    said = subprocess.run(command, env=os.environ | changes, capture_output=True, text=True).stdout
    return bool(said) and abs(float(said) - time.time() - hours * HOUR) < HOUR / 2
