"""Servers whose folder was removed below them: they run on without a file to their name, and nothing else finds them."""

from pathlib import Path


def find_orphans(directory: Path) -> list[int]:
    """The processes of servers of ``directory`` as it was before it was removed. Only Linux tells; elsewhere none."""
    home = str(directory.resolve())
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if is_orphan(process, home=home)]


def is_orphan(process: Path, *, home: str) -> bool:
    """Whether a process below /proc is a server, and works in a folder that was at ``home`` and is no more."""
    try:
        # A folder that was moved, not removed, shows its new path here.
        return str((process / "cwd").readlink()) == f"{home} (deleted)" and b"--home-dir=" in (process / "cmdline").read_bytes()
    except OSError:
        return False  # ended by now, or another user's
