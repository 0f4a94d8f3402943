"""Locks on files, between processes. The kernel lets go of one when its holder ends, however it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_lock(path: Path, *, waiting: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Hold the lock on ``path``, an open file descriptor of which is given.

    Where another process has it, ``waiting`` is called once and the lock is waited for. The file stays: to remove it
    would give two processes a lock each, on two files of one name.
    """
    import fcntl  # only here, so that Windows can import the module

    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on ``path`` now; a missing file is held by nobody."""
    import fcntl

    try:
        with path.open("rb") as file:
            # Shared, so that two processes which ask at the same moment do not take each other for the holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False
