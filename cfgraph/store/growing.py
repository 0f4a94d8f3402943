"""What a rollout asks of the graph: pin what is grown, find the frontier, lease blocks, read what a predictor sees."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from cfgraph.address import key_of, parse_address, stem_of, subtree_range
from cfgraph.errors import InputError, StoreError, VanishedError
from cfgraph.growth import Frontier
from cfgraph.store.graph import Graph
from cfgraph.store.writing import Lease


@dataclass(frozen=True)
class GrownBy:
    """How a hierarchy was grown, or is being grown: pinned in the graph, the same for all workers.

    ``stop`` is what was asked for, ``{"depth": 8}`` for example; ``to_depth`` the deepest level that it allows.
    ``block_height`` fixes the cut into blocks, ``last_block`` the last one of a limited number of cells.
    """

    predictor: str
    from_depth: int
    to_depth: int
    block_height: int
    stop: dict[str, float]
    last_block: str | None = None
    done: bool = False
    truth: str | None = None

    @classmethod
    def of(cls, properties: dict[str, Any], *, predictor: str, truth: str | None = None) -> Self:
        """The record that a GROWN_BY relationship's properties hold."""
        fields = {name: properties.get(name) for name in ("from_depth", "to_depth", "block_height", "last_block")}
        return cls(**fields, stop=json.loads(properties["stop"]), done=properties["done"], predictor=predictor, truth=truth)

    def properties(self) -> dict[str, Any]:
        """The relationship's properties."""
        fields = {name: value for name, value in asdict(self).items() if name not in ("predictor", "truth", "done")}
        return {**fields, "stop": json.dumps(self.stop, sort_keys=True)}


@dataclass(frozen=True)
class Claim:
    """The answer to a claim: a ``lease`` where it was granted, else None and who holds the block."""

    lease: Lease | None
    owner: str
    taken_over: bool


@dataclass(frozen=True, eq=False)
class Seeds:
    """Frontier cells of one level in a block, in address order of slots, as a predictor sees them."""

    addresses: list[str]
    frontier: Frontier


class Growing:
    """The operations of a growing hierarchy."""

    def __init__(self, graph: Graph):
        self._graph = graph

    def begin(self, identifier: str, growth: GrownBy) -> GrownBy:
        """Pin a growth, or find the same one pinned; an ``InputError`` where another one is under way."""
        rows = self._graph.write("begin_growth", id=identifier, predictor=growth.predictor, growth=growth.properties())
        if not rows:
            raise VanishedError(f"hierarchy {identifier!r} or predictor {growth.predictor!r} was removed meanwhile")
        if rows[0]["pinned"] is None and rows[0]["state"] in ("complete", "growing"):
            return growth
        if rows[0]["pinned"] is None:
            raise InputError(f"hierarchy {identifier!r} is in state {rows[0]['state']!r}; finish that first by its own command")
        pinned = GrownBy.of(rows[0]["pinned"], predictor=rows[0]["pinned_predictor"])
        if (pinned.predictor, pinned.stop) != (growth.predictor, growth.stop):
            raise InputError(
                f"{identifier!r} is being grown by {pinned.predictor!r} with the stop {json.dumps(pinned.stop)}; finish that "
                f"with the same predictor and stop before growing it by {growth.predictor!r} with {json.dumps(growth.stop)}"
            )
        return pinned

    def pin_end(self, identifier: str, growth: GrownBy, *, last_block: str) -> GrownBy:
        """Pin the last block of a growth that is limited by a number of cells; the one pinned first counts."""
        rows = self._graph.write("pin_growth_end", id=identifier, last_block=last_block)
        if not rows:
            raise VanishedError(f"hierarchy {identifier!r} was removed meanwhile")
        return replace(growth, last_block=rows[0]["last_block"])

    def finish(self, identifier: str) -> None:
        """Record that the growth has reached its stop; another worker may have done so already."""
        self._graph.write("finish_growth", id=identifier)

    def history(self, identifier: str) -> list[GrownBy]:
        """What grew the hierarchy, the latest first."""
        rows = self._graph.read("read_growth", id=identifier)
        return [GrownBy.of(row["growth"], predictor=row["predictor"], truth=row["truth"]) for row in rows]

    def count_frontier(self, identifier: str) -> dict[int, int]:
        """The number of frontier cells by level."""
        low, high = subtree_range(identifier)
        return {row["level"]: row["cells"] for row in self._graph.read("count_frontier", low=low, high=high)}

    def next_frontier(self, identifier: str, *, start: str, depth: int) -> tuple[str, int] | None:
        """Address and level of the first frontier cell from the key ``start`` on, above level ``depth``; None at the end."""
        _, high = subtree_range(identifier)
        rows = self._graph.read("claim_frontier", start=start, high=high, depth=depth)
        return (rows[0]["key"][len(identifier) :], rows[0]["level"]) if rows else None

    def claim_block(
        self, identifier: str, root: str, *, owner: str, lease_seconds: float, dead_owner: str | None = None
    ) -> Claim:
        """Lease a block for some seconds by the server's clock; a ``VanishedError`` where the hierarchy is not growing."""
        token = secrets.token_hex(16)
        rows = self._graph.write(
            "claim_block",
            id=identifier,
            key=key_of(identifier, root),
            owner=owner,
            token=token,
            milliseconds=int(lease_seconds * 1000),
            dead_owner=dead_owner,
        )
        if not rows:
            raise VanishedError(f"hierarchy {identifier!r} was removed, or its growth was finished, meanwhile")
        granted = rows[0]["token"] == token
        return Claim(Lease(root=root, token=token) if granted else None, rows[0]["owner"], rows[0]["taken_over"])

    def release(self, identifier: str, lease: Lease) -> None:
        """Give a lease back unfinished."""
        self._graph.write("release_block", key=key_of(identifier, lease.root), token=lease.token)

    def read_block(self, identifier: str, root: str, *, depth: int, arity: int) -> list[Seeds]:
        """The frontier cells of a block above level ``depth``, one ``Seeds`` a level, with their parents' tuples."""
        _, high = subtree_range(identifier, root)  # the root's own key lies right below its descendants'
        rows = self._graph.read("read_block", key=key_of(identifier, root), high=high, depth=depth, id_size=len(identifier))
        levels = sorted({cell[1] for row in rows for cell in row["cells"]})
        return [_seeds(rows, level=level, arity=arity, identifier=identifier) for level in levels]


def _seeds(rows: list[dict], *, level: int, arity: int, identifier: str) -> Seeds:
    families = [row for row in rows if any(cell[1] == level for cell in row["cells"])]
    families.sort(key=lambda row: () if row["parent"] is None else parse_address(row["parent"]))
    found = [(family, cell) for family, row in enumerate(families) for cell in sorted(row["cells"], key=lambda cell: cell[5])]
    found = [(family, cell) for family, cell in found if cell[1] == level]
    addresses, _, center, scale, root_distance, slot, length = zip(*(cell for _, cell in found), strict=True)
    dimension = len(center[0])
    frontier = Frontier(
        center=np.array(center, dtype=np.float64).reshape(-1, dimension),
        scale=np.array(scale, dtype=np.float64),
        root_distance=np.array(root_distance, dtype=np.float64),
        length=np.array(length, dtype=np.float64),
        level=np.full(len(found), level, dtype=np.int32),
        slot=np.array(slot, dtype=np.int32),
        tuples=np.stack([_tuple(row, arity=arity, dimension=dimension, identifier=identifier) for row in families]),
        family=np.array([family for family, _ in found]),
    )
    return Seeds(addresses=list(addresses), frontier=frontier)


def _tuple(row: dict, *, arity: int, dimension: int, identifier: str) -> np.ndarray:
    if row["parent"] is None:
        return np.zeros((arity, dimension))
    if sorted(row["slots"]) != list(range(arity)):
        raise StoreError(
            f"the children of {stem_of(row['parent'])}/ in {identifier!r} are not in slots 0..{arity - 1}; run cfgraph verify"
        )
    return np.array([residual for _, residual in sorted(zip(row["slots"], row["tuple"], strict=True))], dtype=np.float64)
