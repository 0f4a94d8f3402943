"""Processes: a pool of processes on this machine, from the standard library; a new one where a process of it was killed.

Alone (:class:`Processes`), or beside this process, which works too (:class:`ProcessesBeside`).
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.synchronize import Event as Flag
from typing import Any, cast

from cfgraph.growing.crew import END_SECONDS
from cfgraph.growing.engines import shift
from cfgraph.growing.engines.engine import Engine, Handle
from cfgraph.loading import leave_frames_out


class Processes(Engine):
    """A pool of ``workers`` processes, spawned: a fork would share the driver's connections."""

    help = "its processes were killed, or there is too little memory for so many"

    def __init__(self, *, workers: int):
        self._workers, self._spawn = workers, multiprocessing.get_context("spawn")
        self._halted = self._spawn.Event()
        self._pool = self._start()
        super().__init__(self._pool, name="processes")

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, self._spawn, initializer=_begin, initargs=(self._halted,))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Hand a function over; where a process of the pool was killed, which ends the pool, to a new pool."""
        self._halted.clear()  # the pool may have served another rollout before
        try:
            return super().submit(function, *arguments)
        except BrokenProcessPool:
            self._pool.shutdown(wait=False)
            self._executor = self._pool = self._start()
            return super().submit(function, *arguments)

    def halt(self) -> None:
        """Tell the processes to end between two blocks."""
        self._halted.set()

    def close(self) -> None:
        """Wait for what runs, which was told to end, but not for ever; what has not begun never does."""
        self.halt()
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        ending = threading.Thread(target=partial(self._pool.shutdown, wait=True, cancel_futures=True), daemon=True)
        ending.start()
        ending.join(END_SECONDS)
        if ending.is_alive():
            for process in processes:
                process.kill()
            ending.join()


class ProcessesBeside(Processes):
    """``workers`` of which this process is one, in a thread: it works while the others, ``workers - 1`` processes, start.

    For tasks that numpy and pyarrow do, outside of Python's lock, for the most part.
    """

    ahead = 1  # what has ended is heard of at once

    def __init__(self, *, workers: int):
        super().__init__(workers=workers - 1)
        self._here = ThreadPoolExecutor(1, thread_name_prefix="cfgraph-task")
        self._last: Future[Any] | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Have a function run here, or by another process while there is one that does."""
        if self._last is not None and not self._last.done():
            return super().submit(function, *arguments)
        self._last = self._here.submit(function, *arguments)
        return self._last

    def prepare(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the others start, and do this first; what becomes of it is nobody's concern."""
        for _ in range(self._workers):
            super().submit(function, *arguments)

    def wait(self, handles: Collection[Handle], seconds: float) -> None:
        """Wait until one of these has ended, or so long."""
        if handles:
            wait(cast("Collection[Future[Any]]", handles), timeout=seconds, return_when=FIRST_COMPLETED)
        else:
            time.sleep(seconds)

    def close(self) -> None:
        """Wait for what runs; what has not begun never does."""
        super().close()
        self._here.shutdown(wait=True, cancel_futures=True)


def _begin(halted: Flag) -> None:
    """What a process of the pool does first: it ends when it is told to, not at a signal from the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_frames_out()
    alone = threading.Event()
    shift.halt_when(lambda: halted.is_set() or alone.is_set())
    threading.Thread(target=_await_parent, args=(alone,), daemon=True).start()


def _await_parent(alone: threading.Event) -> None:
    """End with whoever started the pool, killed or not: a pool's process would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        alone.set()
        time.sleep(END_SECONDS)
        os._exit(1)
