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
    changes = {**_preloaded(), "FAKETIME": _told(hours)}
    return changes if "LD_PRELOAD" in changes and _works(changes, hours) else None


class JumpingClock:
    """The clock of processes that are under way: those started with its ``changes`` follow each jump."""

    def __init__(self, file: Path):
        self._file = file
        self.jump(0)
        self.changes = {**_preloaded(), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}

    @property
    def works(self) -> bool:
        """Whether this machine has what makes clocks wrong."""
        self.jump(5)
        works = "LD_PRELOAD" in self.changes and _works(self.changes, 5)
        self.jump(0)
        return works

    def jump(self, hours: float) -> None:
        """Be wrong by so many hours from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(_told(hours) + "\n", encoding="ascii")
        new.replace(self._file)  # whoever looks meanwhile sees the one or the other


def _preloaded() -> dict[str, str]:
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return {}
    library = next(Path(found.origin).parent.glob("vendor/libfaketime/src/libfaketime.so.1"), None)
    return {"LD_PRELOAD": str(library), "DONT_FAKE_MONOTONIC": "1"} if library is not None else {}


def _told(hours: float) -> str:
    return f"{hours * HOUR:+.0f}s"


def _works(changes: dict[str, str], hours: float) -> bool:
    command = [sys.executable, "-c", "import time; print(time.time())"]
    said = subprocess.run(command, env=os.environ | changes, capture_output=True, text=True).stdout
    return bool(said) and abs(float(said) - time.time() - hours * HOUR) < HOUR / 2
