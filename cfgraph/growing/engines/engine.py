"""Engine: what runs shifts, as the fleet sees it; anything that has ``submit`` is made one."""

import sys
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol, runtime_checkable

from cfgraph.errors import InputError

SHIFT_SECONDS = 30.0  # how long a shift grows: short beside what a user waits for, long beside what a submission takes
PATIENCE_SECONDS = 60.0  # without a lease and without a new cell: then shifts are submitted again


@runtime_checkable
class Handle(Protocol):
    """What an engine gives for a function that it was handed: asked again and again, it never calls back."""

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""

    def result(self) -> Any:
        """What the function gave, or the error that it, or the engine, met."""


@runtime_checkable
class Submits(Protocol):
    """Whatever takes a function and its arguments, as executors of ``concurrent.futures`` do, loky's, Dask's, submitit's."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """A handle of what is to be run."""


class Engine:
    """A user's own executor as an engine. What runs on engines of a kind is a class below this one.

    Args:
        executor: whatever has ``submit(function, *arguments)`` giving handles with ``done()`` and ``result()``.
        name: what messages call it.
    """

    shift_seconds = SHIFT_SECONDS
    patience_seconds = PATIENCE_SECONDS
    is_elsewhere = False  # whether it certainly runs on other machines
    ahead = 2  # tasks of a fleet that are handed out for each worker, so that none waits for its next one
    help = "look at what it says itself"  # where to look when nothing comes of it

    def __init__(self, executor: Submits, *, name: str | None = None):
        if not callable(getattr(executor, "submit", None)):
            raise InputError(
                "expected an executor that has submit(function, *arguments), such as concurrent.futures' ProcessPoolExecutor, "
                f"or an engine's name, got {type(executor).__name__}"
            )
        self._executor = executor
        self.name = name or type(executor).__name__

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Hand a function over."""
        handle = self._executor.submit(function, *arguments)
        if not isinstance(handle, Handle):
            raise InputError(
                f"expected {self.name}.submit to give a handle with done() and result(), got {type(handle).__name__}"
            )
        return handle

    def wait(self, handles: Collection[Handle], seconds: float) -> None:
        """Wait so long, or less where the engine tells at once that one of these has ended."""
        time.sleep(seconds)

    def cancel(self, handle: Handle) -> None:
        """Take back what has not begun, where the engine can; what runs ends by itself."""
        cancel = getattr(handle, "cancel", None)
        if callable(cancel):
            cancel()

    def tend(self) -> None:
        """Do what the engine needs now and then: asked every two seconds while shifts, or tasks of a folder, are at work."""

    def halt(self) -> None:
        """Tell shifts that run to end between two blocks, where the engine can; others end when their time is over."""

    def close(self) -> None:
        """End what this engine started; a user's own executor stays as it is."""

    @staticmethod
    def is_installed(module: str) -> bool:
        """Whether a library is there, without loading it."""
        from importlib.util import find_spec

        return module in sys.modules or find_spec(module) is not None
