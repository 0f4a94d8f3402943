"""Processes: a pool of processes on this machine, from the standard library; a new one where a process of it was killed."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.synchronize import Event as Flag
from typing import Any

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
