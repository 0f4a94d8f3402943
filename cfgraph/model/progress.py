"""Progress: a live line where somebody sees it, on a terminal and in notebooks, for calls that take a while.

``progress=None`` shows it there and nowhere else, ``True`` everywhere, ``False`` nowhere; a function is told how much is done,
and how much there is, and shows that as it likes.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cfgraph.visible import visible

Progress = Callable[[int, int], None]
Asked = bool | Progress | None


def is_seen(asked: Asked) -> bool:
    """Whether a line is to be shown: asked for, or neither asked for nor not, where somebody sees it."""
    return _somebody_looks() if asked is None else bool(asked)


def _somebody_looks() -> bool:
    if "IPython" in sys.modules:
        from rich.console import Console

        if Console().is_jupyter:
            return True
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def shown(asked: Asked, label: str) -> Iterator[Progress]:
    """What is to be told of progress while the block runs: the function that was given, a live line, or nothing."""
    if not isinstance(asked, bool) and asked is not None:
        yield asked
        return
    if not is_seen(asked):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Line

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    here = Console()
    console = here if here.is_jupyter else Console(stderr=True)
    with Line(*columns, console=console, transient=console.is_terminal, redirect_stdout=False, redirect_stderr=False) as line:
        task = line.add_task(visible(label), total=None)
        yield lambda done, total: line.update(task, completed=done, total=total or None)
