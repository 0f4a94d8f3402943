"""Ray: shifts as tasks of a cluster, or of a Ray that is started on this machine."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.growing.engines.engine import Engine, Handle
from cfgraph.growing.engines.ray_driver import Answer, Driver, as_task

PATIENCE_SECONDS = 120.0  # a node of Ray's takes half a minute to start on a busy machine


class Ray(Engine):
    """Shifts on Ray: ``ray`` starts one here, ``ray://HOST:10001`` goes to a cluster that runs.

    A Ray that is started here listens on every address of this machine, whatever it is told: its own documentation says to
    run it in a network that one trusts. One that this process is connected to already (``ray.init``) is used as it is.
    """

    patience_seconds = PATIENCE_SECONDS
    help = "see `ray status`, and its dashboard"

    def __init__(self, place: str, *, workers: int):
        if place and (not place.startswith("//") or place == "//"):
            raise InputError(f"expected a cluster such as ray://HOST:10001, got {f'ray:{place}'!r}")
        try:
            import ray
            from ray import cloudpickle
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("ray", extra="ray", purpose="growing on Ray (--engine ray)") from error
        if place:
            try:
                import grpc  # noqa: F401 - which Ray's client wants, and Ray itself does not
            except ModuleNotFoundError as error:
                raise MissingExtraError.of(
                    "grpcio", extra="ray", purpose="a cluster of Ray's (--engine ray://HOST:10001)"
                ) from error
        self._pickle = cloudpickle.dumps
        self._driver = None if ray.is_initialized() else Driver(place, workers=workers)
        self._hand_over = _here(as_task(ray)) if self._driver is None else self._driver.submit
        super().__init__(self, name="ray")

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Hand a task over, which Ray tries again by itself where its node was lost."""
        return _Handle(self._hand_over(self._pickle((function, arguments))))

    def close(self) -> None:
        """Leave the cluster, or end the Ray that was started here."""
        if self._driver is not None:
            with suppress(Exception):
                self._driver.close()


def _here(task: Any) -> "Callable[[bytes], Future[Answer]]":
    """What hands a task over to the Ray that this process is connected to."""

    def hand_over(payload: bytes) -> "Future[Answer]":
        answer: Future[Answer] = task.remote(payload).future()
        return answer

    return hand_over


class _Handle:
    """A function that Ray was handed. It cannot be taken back: a shift ends by itself."""

    def __init__(self, answer: "Future[Answer]"):
        self._answer = answer

    def done(self) -> bool:
        """Whether it has ended."""
        return self._answer.done()

    def result(self) -> Any:
        """What it gave, or the error that it, or Ray, met."""
        from ray import cloudpickle

        given, payload = self._answer.result()
        if not given:
            raise cloudpickle.loads(payload)
        return cloudpickle.loads(payload)
