"""Memory: how many bytes this process can still take, by what the system says."""

import os
from collections.abc import Iterator
from pathlib import Path

_UNLIMITED = 1 << 62  # control groups of the first version write their largest number where there is no limit


def free_memory(root: Path = Path("/")) -> int | None:
    """How many bytes this process can take before it is refused some or killed; None where nothing tells.

    The least of what the machine has left, what every control group around the process leaves (containers and batch jobs
    are such), and what a limit on its address space leaves (``ulimit -v``). ``root`` is the folder that /proc and /sys lie in.
    """
    found = [_of_machine(root), *_of_groups(root), _of_address_space(root)]
    known = [free for free in found if free is not None]
    return max(0, min(known)) if known else None


def _of_machine(root: Path) -> int | None:
    """What Linux calls available, which counts caches that can be dropped; elsewhere the pages that are free."""
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return 1024 * int(rest.split()[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not known by this system
        return None


def _of_groups(root: Path) -> Iterator[int]:
    """What each control group that limits the process leaves, of both versions of them."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield from _along(root / "sys/fs/cgroup", group, names=("memory.max", "memory.current", "inactive_file"))
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _along(root / "sys/fs/cgroup" / "memory", group, names=names)


def _along(mount: Path, group: str, *, names: tuple[str, str, str]) -> Iterator[int]:
    """What a group and all those around it leave. Inside a container the outermost alone may be seen."""
    limit_name, used_name, cache_name = names
    inner = Path(group.lstrip("/"))
    for folder in dict.fromkeys(mount / part for part in (inner, *inner.parents)):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is not None and limit < _UNLIMITED:
            yield limit - max(0, (used or 0) - _counted(folder / "memory.stat", cache_name))


def _counted(file: Path, name: str) -> int:
    """A number in memory.stat: of the pages of files that are dropped when memory is short."""
    rows = (line.split() for line in _text(file).splitlines())
    return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == name), 0)


def _of_address_space(root: Path) -> int | None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    pages = _text(root / "proc/self/statm").split()
    return limit - (int(pages[0]) * os.sysconf("SC_PAGE_SIZE") if pages else 0)


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _text(file: Path) -> str:
    """What a file of the system says; nothing where it cannot be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
