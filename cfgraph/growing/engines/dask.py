"""Dask: shifts on a scheduler's workers, wherever they are, or on a cluster of this machine's own."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cfgraph.errors import EngineError, InputError, MissingExtraError, one_line
from cfgraph.growing.crew import END_SECONDS
from cfgraph.growing.engines.engine import Engine, Handle

CONNECT_SECONDS = 15.0
PROTOCOLS = ("tcp", "tls", "ucx", "ws", "wss")
# A shift whose worker was killed is not the cause of it; and one that has begun is not taken to another worker.
SETTINGS = {"distributed.scheduler.allowed-failures": 1_000_000, "distributed.scheduler.work-stealing": False}
# What an own cluster measures of itself, up to a hundred times a second, shows nobody; the cores are for growing.
UNWATCHED = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}


class Dask(Engine):
    """Shifts on Dask: ``dask`` starts ``workers`` processes here, ``dask:tcp://HOST:8786`` goes to a scheduler that runs."""

    help = "see its dashboard, and the logs of its scheduler and workers"

    def __init__(self, place: str, *, workers: int):
        try:
            import dask
            import distributed
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("distributed", extra="dask", purpose="growing on Dask (--engine dask)") from error
        self._distributed, self._address, self._workers = distributed, address_of(place) if place else "", workers
        self._cluster: Any = None
        if place:
            self._client = _connect(distributed, self._address)
        else:
            with dask.config.set(SETTINGS | UNWATCHED):
                self._cluster = _start(distributed, workers=workers)
            self._client = distributed.Client(self._cluster, set_as_default=False)
        super().__init__(self._client, name="dask")

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Hand a function over: each time anew, though its arguments are the same."""
        self.tend()
        if self._cluster is None and self._client.status == "closed":  # it has lost its scheduler
            self._client = _connect(self._distributed, self._address)
        handle: Handle = self._client.submit(function, *arguments, pure=False)
        return handle

    def tend(self) -> None:
        """Replace workers of an own cluster that Dask gave up on, as it does where one that was killed is long in starting."""
        if self._cluster is not None:
            self._cluster.scale(self._workers)

    def close(self) -> None:
        """Let go of the scheduler, and end the cluster where it is this engine's own."""
        with suppress(Exception):  # it may be gone
            self._client.close(timeout=END_SECONDS)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=END_SECONDS)  # what is not over by then ends with this process


def address_of(place: str) -> str:
    """The scheduler's address that stands behind ``dask:``; an ``InputError`` for what is none."""
    address = f"tcp:{place}" if place.startswith("//") else place  # dask://HOST:8786
    protocol, mark, rest = address.partition("://")
    if not mark or protocol not in PROTOCOLS or not rest:
        raise InputError(f"expected a scheduler's address such as dask:tcp://HOST:8786, got {f'dask:{place}'!r}")
    return address


def _start(distributed: Any, *, workers: int) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # or it takes port 8787, which another cluster may have
            silence_logs=logging.CRITICAL,
            memory_limit=0,  # none, as a crew's workers have none: looked after ten times a second otherwise
            config=UNWATCHED,  # of workers that are replaced, too
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise EngineError(f"no Dask cluster of {workers} workers starts on this machine: {one_line(error)}") from error


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise EngineError(
            f"no Dask scheduler answers at {address}: {one_line(error)}; start one (`dask scheduler`, and `dask worker "
            f"{address}` on each machine), or correct the address"
        ) from error
