"""What a rollout asks of the graph: pin what is grown, find the frontier, lease blocks, read what a predictor sees."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import neo4j
import numpy as np

from cfgraph.errors import DETAIL_MAX, DamagedError, InputError, VanishedError
from cfgraph.model.address import ROOT, is_address, key_of, parse_address, stem_of, subtree_range
from cfgraph.model.growth import Frontier
from cfgraph.model.hierarchy import Identity
from cfgraph.model.parts import Parts, Portion, merge_parts, without_nested
from cfgraph.store.graph import run_operation
from cfgraph.store.history import ASKED, GROWN, GROWTH, add_entry_in
from cfgraph.store.incarnation import another, check_cells, hold_hierarchy, hold_predictor
from cfgraph.store.part import Part
from cfgraph.store.reading import number_column, vector_column
from cfgraph.store.writing import Lease, key_pages

ASK_AGAIN_SECONDS = 0.2
KEYS = 10_000  # cells that a query is asked for by key
BELOW_TOLD = 20  # parts that a history names of a growth


@dataclass(frozen=True)
class GrownBy:
    """How a hierarchy was grown, or is being grown: pinned in the graph, the same for all workers.

    ``stop`` is what was asked for, ``{"depth": 8}`` for example; ``to_depth`` the deepest level that it allows.
    ``block_height`` fixes the cut into blocks, ``last_block`` the last one of a limited number of cells. ``since`` is when
    it was pinned, by the server's clock in milliseconds: it tells this growth from one that comes after it. ``incarnation``
    and ``predictor_incarnation`` are those of the hierarchy and the predictor, for whoever works at it.

    Where only parts were asked for so far, ``below`` are these (:class:`cfgraph.model.parts.Portion` as texts; of very many the
    latest), and ``pending`` those that are not there yet; None and empty where the whole is aimed at. ``changes`` is how
    often that changed.
    """

    predictor: str
    from_depth: int
    to_depth: int
    block_height: int
    stop: dict[str, float]
    last_block: str | None = None
    done: bool = False
    taken_over: int = 0
    truth: str | None = None
    since: int | None = None
    incarnation: str | None = None
    predictor_incarnation: str | None = None
    below: tuple[str, ...] | None = None
    pending: tuple[str, ...] = ()
    changes: int = 0

    @classmethod
    def of(cls, properties: dict[str, Any], **known: Any) -> Self:
        """The record that a GROWN_BY relationship's properties hold; ``known`` is what it leads from and to."""
        fields: dict[str, Any] = {
            name: properties.get(name) for name in ("from_depth", "to_depth", "block_height", "last_block", "since")
        }
        fields |= {"done": properties.get("done"), "taken_over": properties.get("taken_over") or 0}
        try:
            below, pending = properties.get("below"), properties.get("pending")
            fields |= {"below": None if below is None else tuple(below), "pending": tuple(pending or ())}
            fields["changes"] = properties.get("changes") or 0
            growth = cls(**fields, stop=json.loads(properties["stop"]), **known)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError(f"a growth does not say what its stop is: {error}") from error
        growth.check()
        return growth

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Self:
        """The record that ``dataclasses.asdict`` took apart, also where JSON made lists of its tuples."""
        below, pending = values.get("below"), values.get("pending") or ()
        return cls(**{**values, "below": None if below is None else tuple(below), "pending": tuple(pending)})

    def check(self) -> None:
        """Raise a ``DamagedError`` for values that no growth has."""
        numbers = (self.from_depth, self.to_depth, self.block_height, self.taken_over, self.changes)
        sound = all(type(number) is int and number >= 0 for number in numbers) and type(self.done) is bool
        sound &= isinstance(self.stop, dict) and all(type(limit) in (int, float) for limit in self.stop.values())
        sound &= isinstance(self.predictor, str) and (self.since is None or type(self.since) is int)
        sound &= all(isinstance(part, str) and _names_part(part) for part in (*(self.below or ()), *self.pending))
        if not sound or not isinstance(self.last_block, str | None):
            raise DamagedError(f"a growth has numbers of other types than cfgraph gives it: {str(self)[:DETAIL_MAX]}")

    @property
    def is_exact(self) -> bool:
        """Whether the stop tells the depth: a number of cells or a time only bounds it."""
        return not self.stop.keys() & {"cells", "seconds"}

    @property
    def whole_depth(self) -> int:
        """The level down to which all blocks are grown; below it, a limited number of cells grows a part of one more."""
        return self.to_depth - ("cells" in self.stop)

    @property
    def is_partial(self) -> bool:
        """Whether only parts of it were asked for so far."""
        return self.below is not None

    @property
    def turns(self) -> int:
        """How often it was pinned, or what is asked of it changed."""
        return 1 + self.changes

    def is_of(self, other: "GrownBy") -> bool:
        """Whether two are one growth: of one predictor to one depth, or with one stop where the stop tells no depth."""
        same = self.stop == other.stop or (self.is_exact and other.is_exact and self.to_depth == other.to_depth)
        return self.predictor == other.predictor and same

    def joined_by(self, asked: "GrownBy") -> Self:
        """This growth with what another rollout of the same one asks for besides: parts, or the whole."""
        joined = replace(self, from_depth=min(self.from_depth, asked.from_depth), done=False)
        if self.below is None or asked.below is None:
            return replace(joined, below=None, pending=())
        pending = without_nested(map(Portion.of_text, [*self.pending, *asked.below]))
        return replace(joined, below=merge_parts(self.below, asked.below), pending=tuple(map(str, pending)))

    def without(self, parts: Parts | None) -> Self:
        """This growth when some parts of it, or the whole, are there to its depth."""
        if parts is None:
            return replace(self, below=None, pending=(), done=True)
        pending = tuple(text for text in self.pending if not any(part.holds(Portion.of_text(text)) for part in parts.portions))
        return replace(self, pending=pending, done=self.is_partial and not pending)

    def properties(self) -> dict[str, Any]:
        """The relationship's properties; what is empty is none."""
        kept_elsewhere = (
            "predictor",
            "truth",
            "done",
            "taken_over",
            "since",
            "incarnation",
            "predictor_incarnation",
            "changes",
        )
        fields = {name: value for name, value in asdict(self).items() if name not in kept_elsewhere}
        return {**fields, **self.parts(), "stop": json.dumps(self.stop, sort_keys=True)}

    def parts(self) -> dict[str, list[str] | None]:
        """The properties that say which parts were asked for, and which are not there yet."""
        return {"below": None if self.below is None else list(self.below), "pending": list(self.pending) or None}


@dataclass(frozen=True)
class Pending:
    """A block that is still to grow: its root, and one of its frontier cells, which tells whether it is done."""

    root: str
    seed: str


@dataclass(frozen=True)
class Claim:
    """The answer to a claim: the ``leases`` that were granted, and what became of the other blocks asked about.

    ``held`` are the roots of blocks that others work on, with the owners; ``done`` the roots that are grown already.
    ``over`` says that the whole growth has reached its stop. ``taken_from`` says, by root, whose lease had ended.
    """

    leases: tuple[Lease, ...]
    done: frozenset[str]
    held: dict[str, str]
    over: bool = False
    taken_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AtWork:
    """A worker that holds leases just now: its name, how many, and the cells a second that it last told."""

    owner: str
    leases: int
    rate: float


@dataclass(frozen=True)
class Held:
    """A block that is leased: its root, the worker that holds it, and for how many seconds still; below 0 it is over."""

    root: str
    owner: str | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Seeds:
    """Frontier cells of one level in a block, in address order of slots, as a predictor sees them."""

    addresses: list[str]
    frontier: Frontier


class Growth(Part):
    """What a rollout and its workers ask."""

    def begin_growth(
        self,
        id: str,
        growth: GrownBy,
        *,
        growths: int = 0,
        state: str = "complete",
        known: Identity | None = None,
        predictor: Identity | None = None,
    ) -> GrownBy | None:
        """Pin a growth, or join the same one where it is pinned, with the incarnations that it is of.

        One of which parts were grown stays pinned when they are there: more parts of it, or all the rest, go on with it.
        ``growths`` is how many turns (:attr:`GrownBy.turns`) of growths the hierarchy had seen before its frontier was read,
        and ``state`` its state by then; where either is another by now, and no growth is under way, nothing is pinned and
        None comes back: what is left to grow has to be looked at again. ``known`` is which hierarchy is meant, and
        ``predictor`` whose weights were loaded. Raises a ``VanishedError`` where one of them is gone, an ``InputError`` where
        another growth is under way, or one of which parts were grown is another.
        """
        asked = {"predictor": growth.predictor, "growth": growth.properties(), "growths": growths, "state": state}

        def work(tx: neo4j.ManagedTransaction) -> tuple[dict[str, Any], GrownBy | None]:
            held, found = hold_hierarchy(tx, id, known)
            grower = hold_predictor(tx, growth.predictor, predictor)
            row = run_operation(tx, "begin_growth", id=id, **asked)[0]
            if found == "removing":
                raise VanishedError(f"hierarchy {id!r} was removed meanwhile")
            tokens: dict[str, Any] = {"incarnation": held.incarnation, "predictor_incarnation": grower.incarnation}
            if row["pinned"] is None:
                if row["since"] is not None:
                    add_entry_in(tx, id, GROWTH, **_told(replace(growth, since=row["since"])), stop=growth.stop)
                return row, replace(growth, since=row["since"], **tokens)
            pinned = replace(GrownBy.of(row["pinned"], predictor=row["pinned_predictor"]), **tokens)
            if not pinned.is_of(growth):
                return row, pinned
            if pinned.done and not row["fresh"]:
                return row, None
            joined = pinned.joined_by(growth)
            if joined != pinned:
                _amend(tx, id, joined)
                add_entry_in(tx, id, ASKED, **_told(replace(growth, since=pinned.since)))
            return row, joined

        row, pinned = self._graph.transact(work)
        if row["pinned"] is None and row["state"] not in ("complete", "growing"):
            raise InputError(f"hierarchy {id!r} is in state {row['state']!r}; finish that first by its own command")
        if pinned is None or (row["pinned"] is None and row["since"] is None):
            return None
        if not pinned.is_of(growth):
            raise _another_growth(id, pinned, growth)
        return pinned

    def settle_growth(self, id: str, growth: GrownBy) -> None:
        """Record of a growth of parts that by now the whole is there to its depth: nothing of it is pinned any more."""

        def work(tx: neo4j.ManagedTransaction) -> None:
            held, state = hold_hierarchy(tx, id, None)
            found = _growth_in(tx, id, growth)
            if growth.incarnation not in (None, held.incarnation) or state == "removing" or found is None:
                raise _gone(id)
            if found.done and found.is_partial:
                _amend(tx, id, found.without(None))

        self._graph.transact(work)

    def pin_growth_end(self, id: str, growth: GrownBy, *, last_block: str) -> GrownBy:
        """Pin the last block of a growth that is limited by a number of cells; the one pinned first counts."""
        rows = self._held(id, growth, "pin_growth_end", last_block=last_block)
        return replace(growth, last_block=rows[0]["last_block"])

    def finish_growth(self, id: str, growth: GrownBy, *, parts: Parts | None = None) -> None:
        """Record that a growth, or ``parts`` of it, reached its stop, as another worker may have done.

        It ends where nothing else that was asked for is left. Raises a ``VanishedError`` where it is gone.
        """

        def work(tx: neo4j.ManagedTransaction) -> str | None:
            held, state = hold_hierarchy(tx, id, None)
            if growth.incarnation not in (None, held.incarnation):
                raise another(f"hierarchy {id!r}")
            found = _growth_in(tx, id, growth)
            if found is None:
                return None
            left = found.without(parts)
            due = not found.done and state == "growing"  # else another worker was first
            if due and (left.done or left != found):
                add_entry_in(tx, id, GROWN, **_told(replace(found, below=None if parts is None else parts.texts)))
            if due and not left.done and left != found:
                _amend(tx, id, left)
            elif left.done:
                run_operation(tx, "finish_growth", id=id, since=growth.since, below=left.parts()["below"])
            return state

        state = self._graph.transact(work)
        if state in (None, "removing"):
            raise _gone(id)

    def _held(self, id: str, growth: GrownBy, operation: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of an operation on a growth while its hierarchy is locked; a ``VanishedError`` where either is gone."""

        def work(tx: neo4j.ManagedTransaction) -> list[dict[str, Any]]:
            held, _ = hold_hierarchy(tx, id, None)
            if growth.incarnation not in (None, held.incarnation):
                raise another(f"hierarchy {id!r}")
            return run_operation(tx, operation, id=id, since=growth.since, **parameters)

        rows = self._graph.transact(work)
        if not rows:
            raise _gone(id)
        return rows

    def read_growth(self, id: str) -> list[GrownBy]:
        """What grew the hierarchy, the latest first."""
        rows = self._graph.read("read_growth", id=id)
        try:
            return [GrownBy.of(row.pop("growth"), **row) for row in rows]
        except DamagedError as error:
            raise DamagedError.of(id, str(error)) from error

    def grown_by(self, id: str) -> GrownBy | None:
        """What grew a hierarchy last; None where no predictor did."""
        return next(iter(self.read_growth(id)), None)

    def read_copies(self, id: str) -> list[tuple[str, str]]:
        """The hierarchies that were grown as copies of its prefix, the latest first, each with its state."""
        return [(row["copy"], row["state"]) for row in self._graph.read("read_copies", id=id)]

    def count_frontier(self, id: str, top: str = ROOT) -> dict[int, int]:
        """The number of frontier cells by level: of all, or of those at and below ``top``, without looking at others."""
        _, high = subtree_range(id, top)  # a cell's own key lies right below its descendants'
        rows = self._graph.read("count_frontier", low=key_of(id, top), high=high)
        return {row["level"]: row["cells"] for row in rows}

    def read_frontier_keys(self, id: str, addresses: Collection[str]) -> set[str]:
        """Which of some cells are frontier just now, by their addresses."""
        keys = sorted({key_of(id, address) for address in addresses})
        pages = (self._graph.read("read_frontier_keys", keys=page) for page in key_pages(keys, size=KEYS))
        return {row["key"][len(id) :] for page in pages for row in page}

    def frontier_depth(self, id: str) -> int:
        """The deepest level that still can grow; 0 where there is none."""
        levels = self.count_frontier(id)
        if strange := [level for level in levels if type(level) is not int]:
            raise DamagedError.of(id, f"the level of some cells is {strange[0]!r}")
        return max(levels, default=0)

    def read_frontier(self, id: str, *, start: str, depth: int, page: int, top: str = ROOT) -> list[tuple[str, int]]:
        """Address and level of frontier cells from the key ``start`` on, above level ``depth``, in address order.

        With ``top`` those at and below it alone, where ``start`` is its key or one behind it.
        """
        _, high = subtree_range(id, top)
        columns = self._graph.read("read_frontier", start=start, high=high, depth=depth, page=page)[0]
        return [(key[len(id) :], level) for key, level in zip(columns["keys"], columns["levels"], strict=True)]

    def read_open_blocks(self, id: str, blocks: Collection[Pending]) -> dict[str, str | None]:
        """By its root each of some blocks that is still to grow: who holds it just now, None where nobody does."""
        keys = sorted([key_of(id, block.root), key_of(id, block.seed)] for block in blocks)
        found = self._graph.read("read_open_blocks", blocks=keys)[0]
        return {key[len(id) :]: None for key in found["free"]} | {key[len(id) :]: owner for key, owner in found["held"]}

    def claim_frontier(
        self,
        id: str,
        blocks: Sequence[Pending],
        *,
        owner: str,
        token: str,
        lease_seconds: float,
        most: int = 1,
        rate: float = 0.0,
        dead_owners: Collection[str] = (),
        growth: GrownBy | None = None,
    ) -> Claim:
        """Lease the first of some blocks that nobody holds, ``most`` at most, for some seconds by the server's clock.

        The same ``token`` again, after a connection was lost, finds the lease that it was granted. Raises a
        ``VanishedError`` where the hierarchy or the predictor that grows it was removed, even if the hierarchy is being
        grown again: by another ``growth`` than the one that is named.
        """
        incarnation = None if growth is None else growth.incarnation
        parameters = {
            "incarnation": incarnation,
            "since": None if growth is None else growth.since,
            # By key: the one order in which locks are taken everywhere.
            "blocks": sorted([key_of(id, block.root), key_of(id, block.seed)] for block in blocks),
            "most": most,
            "owner": owner,
            "token": token,
            "milliseconds": int(lease_seconds * 1000),
            "rate": rate,
            "dead_owners": list(dead_owners),
        }
        rows = self._graph.write("claim_frontier", id=id, **parameters)
        if rows and _is_in_between(rows[0]):
            time.sleep(ASK_AGAIN_SECONDS)
            rows = self._graph.write("claim_frontier", id=id, **parameters)
        answer = _checked_answer(rows, id, incarnation=incarnation)
        claims = {key[len(id) :]: before for key, before in answer["claims"]}
        answers = [(key[len(id) :], kind, who) for key, kind, who in answer["answers"]]
        return Claim(
            leases=tuple(Lease(root=root, token=token) for root in claims),
            done=frozenset(root for root, kind, _ in answers if kind == "done"),
            held={root: who for root, kind, who in answers if kind == "held"},
            over=answer["state"] == "complete",
            taken_from={root: before for root, before in claims.items() if before is not None},
        )

    def renew_leases(self, id: str, leases: Collection[Lease], *, lease_seconds: float, rate: float = 0.0) -> set[Lease]:
        """Move the end of leases; those that still held. One that ended is over, even if nobody took it yet."""
        rows = self._graph.write("renew_leases", leases=_keyed(leases, id), milliseconds=int(lease_seconds * 1000), rate=rate)
        return {Lease(root=row["key"][len(id) :], token=row["token"]) for row in rows}

    def release_leases(self, id: str, leases: Collection[Lease]) -> None:
        """Give leases back unfinished."""
        if leases:
            self._graph.write("release_leases", leases=_keyed(leases, id))

    def read_time(self) -> float:
        """What the server's clock says, in seconds."""
        return float(self._graph.read("read_time")[0]["now"]) / 1000

    def read_workers(self, id: str) -> list[AtWork]:
        """The workers that hold leases on a hierarchy just now, by the server's clock."""
        return [AtWork(**row) for row in self._graph.read("read_workers", id=id)]

    def leases(self, id: str) -> list[Held]:
        """The blocks of a hierarchy that are leased, by address, those whose lease is over and that nobody took among them."""
        rows = self._graph.read("read_leases", id=id)
        return [Held(row["key"][len(id) :], row["owner"], (row["milliseconds"] or 0) / 1000) for row in rows]

    def read_block(self, id: str, root: str, *, depth: int, arity: int) -> list[Seeds]:
        """The frontier cells of a block above level ``depth``, one ``Seeds`` a level, with their parents' tuples."""
        _, high = subtree_range(id, root)  # the root's own key lies right below its descendants'
        rows = self._graph.read("read_block", key=key_of(id, root), high=high, depth=depth, id_size=len(id))
        levels = sorted({cell[1] for row in rows for cell in row["cells"]})
        return [_seeds(rows, level=level, arity=arity, id=id) for level in levels]


def _is_in_between(answer: dict[str, Any]) -> bool:
    """Whether a growth is not there though the hierarchy grows: it was removed, or it ends in this very moment.

    Its end changes a node and a relationship, and a reader may see the one before the other.
    """
    return answer["state"] == "growing" and not answer["pinned"]


def _growth_in(tx: neo4j.ManagedTransaction, id: str, growth: GrownBy) -> GrownBy | None:
    """A growth as it is while its hierarchy is locked; None where it is gone."""
    found = [row for row in run_operation(tx, "read_growth", id=id) if row["growth"].get("since") == growth.since]
    return GrownBy.of(found[0]["growth"], predictor=found[0]["predictor"]) if found else None


def _told(growth: GrownBy) -> dict[str, Any]:
    """What a history tells of a growth."""
    below = None if growth.below is None else list(growth.below[:BELOW_TOLD])
    known = {"since": growth.since, "predictor": growth.predictor, "to_depth": growth.to_depth, "below": below}
    return {**known, "from_depth": growth.from_depth}


def _amend(tx: neo4j.ManagedTransaction, id: str, growth: GrownBy) -> None:
    """Write what else is asked of a growth, or is there of it by now."""
    known = {"since": growth.since, "from_depth": growth.from_depth, "done": growth.done}
    run_operation(tx, "amend_growth", id=id, **known, **growth.parts())


def _another_growth(id: str, pinned: GrownBy, asked: GrownBy) -> InputError:
    """The error of whoever asks for another growth than the one that is pinned."""
    if not pinned.done:
        return InputError(
            f"{id!r} is being grown by {pinned.predictor!r} with the stop {json.dumps(pinned.stop)} (to level "
            f"{pinned.to_depth}); finish that with the same predictor and stop before growing it by {asked.predictor!r} with "
            f"{json.dumps(asked.stop)}"
        )
    parts = Parts.of_texts(pinned.below or ())
    return InputError(
        f"{id!r} was grown by {pinned.predictor!r} below {parts} alone, in the blocks of the cut for level {pinned.to_depth}, "
        f"and that depth stays pinned until the rest is there: go on with --predictor {pinned.predictor} and --to-depth "
        f"{pinned.to_depth} (--below what you look for, or all the rest without it), or grow a copy (--from-depth, --as) by "
        f"{asked.predictor!r} with {json.dumps(asked.stop)}"
    )


def _names_part(text: str) -> bool:
    address, mark, level = text.partition(":")
    return is_address(address) and (not mark or (level.isascii() and level.isdecimal()))


def _gone(id: str) -> VanishedError:
    return VanishedError(f"hierarchy {id!r}, or the predictor that grows it, was removed meanwhile")


def _checked_answer(rows: list[dict[str, Any]], id: str, *, incarnation: str | None) -> dict[str, Any]:
    answer = rows[0] if rows else {"state": None, "incarnation": None}
    check_cells(id, answer["incarnation"] if incarnation is None else incarnation, answer["incarnation"], answer["state"])
    if _is_in_between(answer):
        raise VanishedError(
            f"the predictor that grows {id!r} was removed meanwhile; the graph is valid, and another can go on with it"
        )
    return answer


def _keyed(leases: Collection[Lease], id: str) -> list[list[str]]:
    """Leases as parameters, in the one order in which locks are taken everywhere."""
    return sorted([key_of(id, lease.root), lease.token] for lease in leases)


def _seeds(rows: list[dict[str, Any]], *, level: int, arity: int, id: str) -> Seeds:
    families = [row for row in rows if any(cell[1] == level for cell in row["cells"])]
    families.sort(key=lambda row: () if row["parent"] is None else parse_address(row["parent"]))
    found = [(family, cell) for family, row in enumerate(families) for cell in sorted(row["cells"], key=lambda cell: cell[5])]
    found = [(family, cell) for family, cell in found if cell[1] == level]
    addresses, _, center, scale, root_distance, slot, length = zip(*(cell for _, cell in found), strict=True)
    try:
        centers = vector_column(center)
        frontier = Frontier(
            center=centers,
            scale=number_column(scale),
            root_distance=number_column(root_distance),
            length=number_column(length),
            level=np.full(len(found), level, dtype=np.int32),
            slot=np.array(slot, dtype=np.int32),
            tuples=np.stack([_tuple(row, arity=arity, dimension=centers.shape[1], id=id) for row in families]),
            family=np.array([family for family, _ in found]),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise DamagedError.of(id, f"what a cell to be grown holds {error}") from error
    return Seeds(addresses=list(addresses), frontier=frontier)


def _tuple(row: dict[str, Any], *, arity: int, dimension: int, id: str) -> np.ndarray:
    if row["parent"] is None:
        return np.zeros((arity, dimension))
    if len(row["tuple"]) != arity or sorted(row["slots"], key=str) != sorted(range(arity), key=str):
        raise DamagedError.of(id, f"the children of {stem_of(row['parent'])}/ are not in slots 0..{arity - 1}")
    residuals = vector_column([residual for _, residual in sorted(zip(row["slots"], row["tuple"], strict=True))])
    if residuals.shape[1] != dimension:
        raise ValueError(f"is a residual of {residuals.shape[1]} numbers, not {dimension}")
    return residuals
