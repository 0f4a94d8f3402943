"""Ray: shifts as tasks of a cluster, or of a Ray that is started on this machine."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cfgraph.errors import EngineError, InputError, MissingExtraError, one_line
from cfgraph.growing.engines.engine import Engine, Handle

# Nothing is told to its makers; and a busy machine takes longer to start a node than Ray thinks.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
PATIENCE_SECONDS = 120.0  # a node of Ray's takes half a minute to start on a busy machine


class Ray(Engine):
    """Shifts on Ray: ``ray`` starts one here, ``ray://HOST:10001`` goes to a cluster that runs.

    A Ray that is started here listens on every address of this machine, whatever it is told: its own documentation says to
    run it in a network that one trusts.
    """

    patience_seconds = PATIENCE_SECONDS
    help = "see `ray status`, and its dashboard"

    def __init__(self, place: str, *, workers: int):
        if place and (not place.startswith("//") or place == "//"):
            raise InputError(f"expected a cluster such as ray://HOST:10001, got {f'ray:{place}'!r}")
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("ray", extra="ray", purpose="growing on Ray (--engine ray)") from error
        self._ray, self._ours = ray, not ray.is_initialized()
        if self._ours:
            _start(ray, place, workers=workers)
        self._remotes: dict[Callable[..., Any], Any] = {}
        super().__init__(self, name="ray")

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Hand a task over, which Ray tries again by itself where its node was lost."""
        if function not in self._remotes:
            self._remotes[function] = self._ray.remote(max_retries=-1, num_cpus=1)(function)
        handle: Handle = self._remotes[function].remote(*arguments).future()
        return handle

    def cancel(self, handle: Handle) -> None:
        """Nothing: a future of Ray's knows not of which task it is, and a shift ends by itself."""

    def close(self) -> None:
        """Leave the cluster, or end the Ray that was started here."""
        if self._ours:
            with suppress(Exception):
                self._ray.shutdown()


def _start(ray: Any, place: str, *, workers: int) -> None:
    try:
        if place:
            ray.init(address=f"ray:{place}", log_to_driver=False)
        else:
            here = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}  # or it looks for a way out of this machine
            ray.init(num_cpus=workers, log_to_driver=False, configure_logging=False, **here)
    except Exception as error:  # its own, RuntimeError of another version, ConnectionError, ...
        where = f"ray:{place}" if place else "this machine"
        raise EngineError(
            f"no Ray on {where}: {one_line(error)}; start one (`ray start --head`, with this command's Python and Ray), or "
            "correct the address"
        ) from error
