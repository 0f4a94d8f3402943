"""Who holds a lease: a name for this process that a later process on the same machine can prove dead."""

import os
import socket
from hashlib import sha256
from pathlib import Path


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def machine() -> str:
    """This machine since it booted, as this process sees it: process ids mean the same only within that."""
    spaces = Path("/proc/self/ns/pid")
    namespace = spaces.readlink() if spaces.exists() else ""
    seen = f"{socket.gethostname()} {_read('/proc/sys/kernel/random/boot_id')} {namespace}"
    return f"{socket.gethostname()}:{sha256(seen.encode()).hexdigest()[:8]}"


def _started(process: int) -> str:
    """When a process started, in the kernel's ticks; empty where none runs (or the system does not tell)."""
    fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
    ended = fields[:1] in (["Z"], ["X"])  # a process that ended and whose parent has not asked for it yet
    return fields[19] if len(fields) > 19 and not ended else ""


def own_name() -> str:
    """This process as the owner of leases: machine, process id, start time."""
    return f"{machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Whether an owner certainly runs no more: it ran on this machine, and no such process is there.

    What stands behind a ``+`` tells owners of one process apart.
    """
    where, process, started = (["", "", *owner.partition("+")[0].rsplit(":", 2)])[-3:]
    if where != machine() or not process.isdigit():
        return False
    return _started(int(process)) != started if started else _is_gone(int(process))


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks whether the process is there
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
