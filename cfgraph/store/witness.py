"""Witness: whether a hierarchy that is read in several queries stayed as it was meanwhile.

The database lets nobody read several pages of one moment. So whoever reads them looks before and after: at the end the
hierarchy must be the same incarnation, and nothing may have changed what was read. That holds

* of a ``complete`` hierarchy, where it is complete at the end with the same growths,
* of the levels that a growth began with and of those above them: it adds below, and a read of a prefix takes the cells of
  its last level for frontier, grown or not,
* of each cell by itself: once written it stays, until all are removed. A ``live`` read asks for no more than that.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import neo4j

from cfgraph.errors import ChangedError, DamagedError, InputError, NotFoundError, StoreUnavailableError, VanishedError
from cfgraph.model.address import check_id
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store.graph import Graph, run_operation
from cfgraph.store.incarnation import identity_in
from cfgraph.store.records import hierarchy_of

ENDING_TRIES, ENDING_SECONDS = 5, 0.05  # the moment in which a growth begins or ends: its node and its relationship change
APART = ("incarnation", "state", "locked")  # properties that are compared by themselves, or are there for a moment


@dataclass(frozen=True)
class _State:
    """What the graph says of a hierarchy at one moment."""

    properties: dict[str, Any]
    growths: list[dict[str, Any]]

    def check(self, id: str) -> None:
        """Raise a ``DamagedError`` for a growth that does not say where it began, or whether it is done."""
        for growth in self.growths:
            if type(growth["done"]) is not bool or not isinstance(growth["from_depth"], int | None):
                raise DamagedError.of(id, f"a growth of it has other values than cfgraph gives it: {growth}")

    @property
    def state(self) -> str:
        return str(self.properties.get("state"))

    @property
    def grows(self) -> bool:
        return any(not growth["done"] for growth in self.growths)

    @property
    def lasting(self) -> dict[str, Any]:
        return {name: value for name, value in self.properties.items() if name not in APART}


class Witness:
    """What a hierarchy is when a read begins; use it in a ``with``, whose end proves that it is so still.

    What goes wrong inside while the hierarchy changes is told as that: half of what is asked for may be gone.

    Args:
        graph: where it is.
        of: the hierarchy, or its id; a ``VanishedError`` where the hierarchy is not the one there any more.
        depth: the deepest level that is read; None for all.
        live: whether each cell may be of another moment.

    Raises:
        NotFoundError: where there is none of that id.
        InputError: where it is half removed.
        ChangedError: where it is being written or grown, and what is asked for is not settled.
    """

    def __init__(self, graph: Graph, of: str | Hierarchy, *, depth: int | None = None, live: bool = False):
        self.id = check_id(of if isinstance(of, str) else of.id)
        self._graph, self._depth, self._live = graph, depth, live
        found = self._look()
        if found is None and isinstance(of, Hierarchy):
            raise VanishedError(f"hierarchy {self.id!r} was removed meanwhile")
        if found is None:
            raise NotFoundError(f"there is no hierarchy {self.id!r} in this store; `cfgraph ls` lists what it holds")
        if not isinstance(of, str) and not of.identity.is_that_of(identity_in(found.properties)):
            raise _replaced(self.id)
        self._before = found
        self.hierarchy: Hierarchy = hierarchy_of(found.properties)
        if found.state == "removing":
            raise InputError(f"{self.id!r} is half removed; run `cfgraph rm {self.id}` again to finish that")
        self._check_settled()

    @property
    def grown(self) -> bool:
        """Whether a predictor that the store holds had grown it, or was growing it, when the read began."""
        return bool(self._before.growths)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.check()
        elif isinstance(error, Exception):
            self._explain(error)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """A ``with`` around what calls :meth:`check` itself, before it keeps what it read: errors are told as in that."""
        try:
            yield
        except Exception as error:
            self._explain(error)
            raise

    def _explain(self, error: Exception) -> None:
        """Raise what is to blame for an error in a read, where that is a change meanwhile."""
        if isinstance(error, VanishedError | ChangedError | StoreUnavailableError):
            return
        if (change := self._change()) is not None:
            raise change from error
        if isinstance(error, DamagedError) and error.id is None:  # told by the server, which knows no hierarchies
            raise DamagedError.of(self.id, str(error)) from error

    def check(self) -> None:
        """Raise a ``VanishedError`` or a ``ChangedError`` where what was read may be of several moments."""
        if (change := self._change()) is not None:
            raise change

    def _look(self) -> _State | None:
        for _ in range(ENDING_TRIES):
            found = _state_in(self._graph.read("read_state", id=self.id), self.id)
            if found is None:
                return None
            if found.state not in ("growing", "complete") or (found.state == "growing") == found.grows or not found.growths:
                return found  # one without a growth is a copy whose growth is to begin, not one that ends
            time.sleep(ENDING_SECONDS)
        return found

    def _check_settled(self) -> None:
        """Raise a ``ChangedError`` where what is asked for may change while it is read."""
        found = self._before
        if self._live or (found.state == "complete" and not found.grows):
            return
        settled = min((growth["from_depth"] or 0 for growth in found.growths if not growth["done"]), default=0)
        if self._depth is not None and self._depth <= settled:
            return
        if found.state == "writing":
            raise ChangedError(f"{self.id!r} is being written; finish that first, by its own command, and run this again")
        if not found.grows:
            raise ChangedError(
                f"{self.id!r} is grown in part, and the predictor that grew it was removed; finish that by a rollout with "
                "another one (to the depth that it has is enough), and run this again"
            )
        raise ChangedError(
            f"{self.id!r} is being grown from level {settled} on, and what lies below may change while it is read; finish its "
            f"rollout by the same command, or ask for no more than level {settled} (--depth {settled}, where a command has it)"
        )

    def _change(self) -> Exception | None:
        before, after = self._before, self._look()
        gone = after is None or after.state == "removing"
        if after is None or gone or not identity_in(before.properties).is_that_of(identity_in(after.properties)):
            return VanishedError(f"{self.id!r} was removed while it was read; nothing was made of what is left of it")
        if self._live or (before.lasting, before.state, before.growths) == (after.lasting, after.state, after.growths):
            return None
        begun = [growth["from_depth"] or 0 for growth in after.growths if growth not in before.growths or not growth["done"]]
        same = before.lasting == after.lasting and len(after.growths) >= len(before.growths)
        if same and self._depth is not None and self._depth <= min(begun, default=0):
            return None
        return ChangedError(f"{self.id!r} changed while it was read; run this again")


class Proof(Witness):
    """That a hierarchy which was read before is there at the end of a live read; use it in a ``with``, as a witness.

    Tokens are given once, so that what is there at the end was there all the time: how it begins nobody has to look.
    """

    def __init__(self, graph: Graph, known: Hierarchy):
        self.id, self.hierarchy, self._graph = known.id, known, graph
        self._after: _State | None = None
        self._looked = False

    def read(self, operation: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of an operation behind which nothing else is read: it shares a transaction with the look at the end."""

        def work(tx: neo4j.ManagedTransaction) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            return run_operation(tx, operation, **parameters), run_operation(tx, "read_state", id=self.id)

        found, state = self._graph.transact(work, write=False)
        self._after, self._looked = _state_in(state, self.id), True
        return found

    def read_with_state(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The row of an operation whose statement looks at the hierarchy itself, behind all else: as ``read_state`` does."""
        row = self._graph.read(operation, id=self.id, **parameters)[0]
        hierarchy, growths = row.pop("hierarchy"), row.pop("growths")
        self._after = _state_in([] if hierarchy is None else [{"hierarchy": hierarchy, "growths": growths}], self.id)
        self._looked = True
        return row

    @property
    def is_as_made(self) -> bool:
        """Whether at the end it was there, and no predictor had ever grown it."""
        if self._change() is not None or self._after is None:
            return False
        return not (self._after.growths or self._after.properties.get("former_predictors"))

    def _change(self) -> Exception | None:
        if not self._looked:
            self._after = _state_in(self._graph.read("read_state", id=self.id), self.id)
        if self._after is None or self._after.state == "removing":
            return VanishedError(f"hierarchy {self.id!r} was removed meanwhile")
        if not self.hierarchy.identity.is_that_of(identity_in(self._after.properties)):
            return _replaced(self.id)
        return None


def _state_in(rows: list[dict[str, Any]], id: str) -> _State | None:
    """What rows of ``read_state`` say."""
    if not rows:
        return None
    found = _State(rows[0]["hierarchy"], rows[0]["growths"])
    found.check(id)
    return found


def _replaced(id: str) -> VanishedError:
    return VanishedError(f"hierarchy {id!r} was removed meanwhile, and another made under its id; run it again")
