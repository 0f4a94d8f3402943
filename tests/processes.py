"""Other processes, as tests look at them."""

import time
from collections.abc import Iterable

import psutil

POLL_SECONDS = 0.05


def is_at_work(process: psutil.Process) -> bool:
    """Whether a process still runs.

    One that ended stays in the list as a zombie until its parent asks for it: where that parent is gone, until the first
    process of the machine does, which in some containers takes its time or never happens.
    """
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children_of(pid: int) -> list[psutil.Process]:
    """The processes that one has started; none where it ended."""
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def await_ended(processes: Iterable[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Wait until processes run no more, children of this one or not; those that still do after so long."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if is_at_work(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left
