"""Find: the engine that a name means, of cfgraph's own or of another package, or that an executor makes."""

from collections.abc import Callable

from cfgraph.entries import ENGINES, load_of_others, names_of_others, told_of_others
from cfgraph.errors import InputError
from cfgraph.growing.engines.dask import Dask
from cfgraph.growing.engines.engine import Engine, Submits
from cfgraph.growing.engines.processes import Processes
from cfgraph.growing.engines.ray import Ray
from cfgraph.growing.engines.slurm import Slurm
from cfgraph.growing.events import a_word_meanwhile

EXPECTED = "expected an engine such as {names}"


def _processes(place: str, *, workers: int) -> Engine:
    if place:
        raise InputError(f"expected nothing behind the engine's name 'processes', got {place!r}")
    return Processes(workers=workers)


OWN: dict[str, Callable[..., Engine]] = {"processes": _processes, "dask": Dask, "ray": Ray, "slurm": Slurm}
FORMS = ("processes", "dask", "dask:tcp://HOST:8786", "ray", "ray://HOST:10001", "slurm:FOLDER")


def find_engine(executor: str | Submits | Engine, *, workers: int) -> Engine:
    """The engine that is meant: one of :data:`FORMS`, one of another package (entry point ``cfgraph.engines``), an executor.

    Raises an ``InputError`` for an unknown name, a ``MissingExtraError`` where its library is not installed, an ``EngineError``
    where it is not reachable.
    """
    if isinstance(executor, Engine):
        return executor
    if not isinstance(executor, str):
        return Engine(executor)
    name, _, place = executor.partition(":")
    make = load_of_others(ENGINES, name, own=OWN) or OWN.get(name)
    if make is None:
        names = ", ".join([*FORMS, *names_of_others(ENGINES, own=OWN)])
        raise InputError(f"{EXPECTED.format(names=names)}, got {executor!r}")
    with a_word_meanwhile(name, reason="it has not started, or has not been reached, yet"):
        engine = make(place, workers=workers)
    if not isinstance(engine, Engine):
        raise InputError(
            f"expected the engine {name!r} of {told_of_others(ENGINES, name)} to be an Engine, got {type(engine).__name__}"
        )
    return engine
