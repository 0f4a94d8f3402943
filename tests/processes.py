"""Other processes, as tests look at them."""

import psutil


def is_at_work(process: psutil.Process) -> bool:
    """Whether a process still runs.

    One that ended stays in the list as a zombie until its parent asks for it: where that parent is gone, until the first
    process of the machine does, which in some containers takes its time or never happens.
    """
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
