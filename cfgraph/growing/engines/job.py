"""Job: what a shift is told, as a plain value without a secret: engines write such values to disk, logs and the network."""

import pickle
import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import cfgraph
from cfgraph.errors import DETAIL_MAX, InputError, StoreRefusedError, StoreUnavailableError, one_line
from cfgraph.growing.outage import DRIVER_SECONDS
from cfgraph.settings import load_settings

if TYPE_CHECKING:
    from cfgraph.store import Store


class Checked(Protocol):
    """What of a job, or of a folder's task, an engine is checked for before anything runs."""

    @property
    def python(self) -> str:
        """The version of Python that is asked for."""

    @property
    def cfgraph(self) -> str:
        """That of cfgraph."""

    @property
    def store(self) -> str:
        """Where the cells are."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can open that."""


class Versions(TypedDict):
    """Versions by name."""

    python: str
    cfgraph: str


@dataclass(frozen=True)
class Job:
    """Where the graph is and what to grow of it, how: nothing in it is secret, and everything can be pickled and told.

    ``store`` is a URL without user name and password, or ``local:DIR``: who works a shift finds what opens it in an
    environment of his own (:func:`open_store`). ``growth`` is the plan that is pinned (:class:`cfgraph.store.growth.GrownBy`),
    with the incarnations that it is of. ``python`` and ``cfgraph`` are the versions of whoever asks.
    """

    store: str
    database: str | None
    id: str
    growth: dict[str, Any]
    device: str
    lease_seconds: float
    outage_seconds: float
    shift_seconds: float = 0.0
    sessions: int = 1
    below: tuple[str, ...] | None = None  # the parts that are grown; None for all
    python: str = ""
    cfgraph: str = ""

    def at(self, store: "Store") -> "Job":
        """This job at a store, asked for by this process; an ``InputError`` for one over somebody's own driver."""
        access = store.access
        if access is None:
            raise InputError(
                "an engine's workers need a store that was opened by its URL; grow with one worker in this process"
            )
        local = store.folder is not None
        place = f"local:{store.folder}" if local else access.uri
        return replace(self, store=place, database=None if local else access.database, **own_versions())

    @property
    def is_local(self) -> bool:
        """Whether the store is one that only this machine can open."""
        return self.store.startswith("local:")


def own_versions() -> Versions:
    """The versions that a shift must share with whoever asks for it: Python's first two numbers, and cfgraph's."""
    return Versions(python=".".join(platform.python_version_tuple()[:2]), cfgraph=cfgraph.__version__)


def refuse_unpicklable(job: object) -> None:
    """Raise an ``InputError`` for what cannot be pickled: it reaches no other process."""
    try:
        pickle.dumps(job)
    except Exception as error:  # PicklingError, TypeError, AttributeError, or what a class of somebody's raises
        what = f"{type(error).__name__}: {one_line(error)}"[:DETAIL_MAX]
        raise InputError(
            f"what grows this field cannot be handed to other processes, since pickle does not take it ({what}); use classes "
            "and functions of a module, without lambdas, locks and open files in them, or grow with one worker in this process"
        ) from error


def open_store(job: Job) -> "Store":
    """The store of a job, opened by what this process's environment holds: NEO4J_USERNAME, NEO4J_PASSWORD(_FILE).

    A local store's password lies in its folder. Raises a ``StoreRefusedError`` where there is no password here, and a
    ``StoreUnavailableError`` where nothing answers.
    """
    from cfgraph.store import Store

    settings = load_settings()
    if job.is_local:
        found = Store.of_running(job.store, settings=settings)
        if found is None:
            raise StoreUnavailableError(f"no server runs at {job.store} on this machine")
        return found
    secret = settings.secret()
    if secret is None:
        raise StoreRefusedError(no_password(job.store))
    access = {"username": settings.username, "password": secret.get_secret_value()}
    return Store.connect(job.store, **access, database=job.database, retry_seconds=DRIVER_SECONDS)


def no_password(url: str) -> str:
    """What whoever has no password for a store is told: a job holds none."""
    return (
        f"{url} wants a password, and there is none where the engine's workers run: a job holds no secret. Set NEO4J_PASSWORD, "
        "or NEO4J_PASSWORD_FILE to a file that holds it (and NEO4J_USERNAME, if it is not 'neo4j'), in their environment"
    )
