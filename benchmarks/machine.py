"""Machine: what the numbers were measured on. No host name and no path is told."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("numpy", "neo4j", "neo4j-rust-ext", "networkx")


def peak_bytes() -> int:
    """The most memory that this process had; VmHWM and not ru_maxrss, which a process inherits from the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def describe_machine(*, server: str | None) -> dict[str, str]:
    """Processor, memory, system and versions. ``server`` is the version of the Neo4j that was used, where one was."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    described = {
        "processor": f"{_processor()}, {_cores()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": _system(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Python packages": packages,
    }
    return described | ({} if server is None else {"Neo4j": f"{server} Community, on the same machine"})


def load_now() -> str:
    """How busy the machine is: the mean number of running processes in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"
    except (OSError, KeyError):
        return f"{platform.system()} {platform.machine()}"
