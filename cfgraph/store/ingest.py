"""Ingest: a hierarchy with its cells into the graph, block by block; the same again goes on where it stopped."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import neo4j
import numpy as np

from cfgraph.errors import InputError, VanishedError
from cfgraph.model.address import ROOT, key_of
from cfgraph.model.blocks import Block, block_height, block_of_cells, block_of_run, cut_cells, cut_runs
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells
from cfgraph.model.columns import known_values
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells, Identity, same_recipe
from cfgraph.model.progress import Asked, shown
from cfgraph.predictors.trained import Grower, TrainedPredictor
from cfgraph.store.encoders import Encoders
from cfgraph.store.graph import run_operation, write_bounded
from cfgraph.store.history import BEGUN, RESTORED, WRITTEN, Histories, add_entry_in
from cfgraph.store.incarnation import hold_hierarchy, hold_predictor, new_incarnation, prove_cells
from cfgraph.store.predictors import Predictors, check_predictor_in
from cfgraph.store.records import hierarchy_of, properties_of
from cfgraph.store.writing import SESSIONS, BlockWriter, Written, key_pages, label_list

LINK_ROWS = 10_000  # links or points a transaction
_VALUE_LENGTH = 80  # characters of a value in a message
Progress = Callable[[int, int], None]  # cells done, cells in all


class Ingest(Predictors, Encoders, Histories):
    """Writing hierarchies."""

    def write(
        self,
        hierarchy: HierarchyWithCells,
        *,
        progress: Asked = None,
        sessions: int = SESSIONS,
        then: Literal["complete", "growing"] = "complete",
        growers: Sequence[Grower] = (),
        restored: Mapping[str, str | None] | None = None,
    ) -> Hierarchy:
        """Write a hierarchy with its cells; the same recipe again goes on where it stopped, or finds it done.

        The cells go in as canonical blocks, top-down, over several sessions side by side; between any two transactions
        the graph holds a valid, shallower hierarchy of state ``writing``. ``growers`` are what grew it in another store;
        ``restored`` is what its history tells of the file that it is from, noted by whoever ends the writing. ``progress`` is
        told how many cells are done, and how many there are; unless given, a live line shows it on terminals and in notebooks.
        Raises ``InputError`` where the id is taken by another recipe or a predictor, ``VanishedError`` where the hierarchy is
        removed meanwhile, even if another is made under its id.
        """
        cells = _writable(hierarchy)
        self.ensure_schema()
        self._check_growers(hierarchy, growers)
        claimed = self._graph.transact(lambda tx: _claim_in(tx, hierarchy, cells))
        if claimed.state == "writing":
            self._write_encoder(claimed, hierarchy)
            self._write_growers(claimed, growers)
            with shown(progress, f"write {hierarchy.id}") as show:
                self._write_cells(claimed, cells, progress=show, sessions=sessions)
            self._write_links(claimed, cells)
            self._write_points(claimed, hierarchy)
            claimed = claimed.replace(state=self._end_writing(claimed, then=then, restored=restored))
        return claimed

    def _check_growers(self, hierarchy: Hierarchy, growers: Sequence[Grower]) -> None:
        """Refuse what cannot be kept beside the hierarchy, before anything is written."""
        for trained, _ in growers:
            if trained.id == hierarchy.id:
                raise InputError(f"the id {hierarchy.id!r} is that of the predictor that grew it; choose another")
            self._graph.transact(partial(check_predictor_in, trained=trained))

    def _write_growers(self, hierarchy: Hierarchy, growers: Sequence[Grower]) -> None:
        """Write what grew a hierarchy elsewhere, the earliest growth first."""
        for trained, growths in growers:
            kept = self.write_predictor(trained)
            for growth in growths:
                self._graph.transact(partial(_write_growth_in, hierarchy=hierarchy, trained=kept, growth=dict(growth)))

    def _end_writing(self, hierarchy: Hierarchy, *, then: str, restored: Mapping[str, str | None] | None) -> str:
        """Move on from ``writing``; the state that it is in by now, where somebody who wrote the same was faster."""

        def work(tx: neo4j.ManagedTransaction) -> str:
            _, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
            if state == "removing":
                raise VanishedError(f"hierarchy {hierarchy.id!r} was removed meanwhile")
            if state == "writing":
                run_operation(tx, "set_hierarchy_state", id=hierarchy.id, state=then)
                add_entry_in(tx, hierarchy.id, WRITTEN)
                if restored is not None:
                    add_entry_in(tx, hierarchy.id, RESTORED, **restored)
                return then
            return state

        return self._graph.transact(work)

    def _write_cells(self, hierarchy: Hierarchy, cells: Cells, *, progress: Progress, sessions: int) -> None:
        done = 1

        def count(written: Written) -> None:
            nonlocal done
            done += written.cells
            progress(done, len(cells))

        # An expanded cell without children here has some by links alone, which come in the end.
        to_expand = (cells.state == EXPANDED) & (cells.child_count > 0)
        last_state = np.where(to_expand, FRONTIER, cells.state).astype(np.uint8)
        with self.block_writer(hierarchy, sessions=sessions, done=count) as writer:
            for layer in _layers(hierarchy, cells, last_state=last_state):
                for make_block in self._unwritten(hierarchy.id, cells, layer):
                    writer.submit(make_block())
                writer.drain()

    def _unwritten(self, id: str, cells: Cells, layer: "_Layer") -> Iterator[Callable[[], Block]]:
        """The blocks of a layer of which a seed is frontier still: all of them but after an interruption."""
        for part in key_pages(layer, size=10_000):
            keys = [key_of(id, cells.addresses[row]) for row, _ in part]
            frontier = {row["key"] for row in self._graph.read("read_frontier_keys", keys=keys)}
            yield from (make_block for (_, make_block), key in zip(part, keys, strict=True) if key in frontier)

    def _write_links(self, hierarchy: Hierarchy, cells: Cells) -> None:
        """Write the edges from second parents, once all cells are there; those that are there already are found."""
        links = cells.links
        if links is None:
            return
        addresses, values = cells.addresses, (links.slot.tolist(), links.residual.tolist(), links.length.tolist())
        ends = [[key_of(hierarchy.id, addresses[row]) for row in rows.tolist()] for rows in (links.parent, links.child)]
        for page in key_pages([list(row) for row in zip(*ends, *values, strict=True)], size=LINK_ROWS):
            self._write_rows("create_links", "linked", page, hierarchy=hierarchy)

    def _write_points(self, claimed: Hierarchy, hierarchy: HierarchyWithCells) -> None:
        """Write the data points as nodes, where that was asked for."""
        if not hierarchy.point_nodes:
            return
        if hierarchy.cell_of_point is None:
            raise InputError(
                f"the data points of {hierarchy.id!r} are to be nodes, and it does not hold the cells that they lie in; read "
                f"the whole of it first: store.read_whole({hierarchy.id!r})"
            )
        addresses = hierarchy.cells.addresses
        names = hierarchy.point_names or [None] * len(hierarchy.cell_of_point)
        cells = enumerate(hierarchy.cell_of_point.tolist())
        besides = _besides(hierarchy)
        placed = [[row, addresses[cell], names[row], besides[row] if besides else {}] for row, cell in cells if cell >= 0]
        for page in key_pages(placed, size=LINK_ROWS):
            self._write_rows("create_points", "placed", page, hierarchy=claimed, id=claimed.id)

    def _write_rows(
        self, operation: str, column: str, rows: list[list[Any]], *, hierarchy: Hierarchy, **parameters: str
    ) -> None:
        """Write rows of which each finds its cells; a ``VanishedError`` where some are gone."""

        def work(tx: neo4j.ManagedTransaction) -> None:
            written = run_operation(tx, operation, rows=rows, **parameters)[0][column]
            prove_cells(tx, hierarchy.id, _token(hierarchy))
            if written != len(rows):
                raise VanishedError(f"hierarchy {hierarchy.id!r} lost cells meanwhile; run cfgraph verify")

        with self._graph.session() as session:
            write_bounded(session, work, twice=True)

    def block_writer(self, hierarchy: Hierarchy, **options: Any) -> BlockWriter:
        """A writer of blocks of one hierarchy of this store, for a ``with``; see ``cfgraph.store.writing.BlockWriter``."""
        return BlockWriter(self._graph, id=hierarchy.id, incarnation=_token(hierarchy), **options)

    def set_state(self, id: str, *, state: str, expected: tuple[str, ...], known: Identity | None = None) -> Identity:
        """Move a hierarchy on to ``state``; which one it is.

        Raises a ``VanishedError`` where it is in none of the ``expected`` states, or is not the ``known`` one.
        """

        def work(tx: neo4j.ManagedTransaction) -> Identity:
            held, found = hold_hierarchy(tx, id, known)
            if found not in expected:
                raise VanishedError(f"hierarchy {id!r} was taken on by somebody else meanwhile: it is in state {found!r}")
            run_operation(tx, "set_hierarchy_state", id=id, state=state)
            return held

        return self._graph.transact(work)


def _besides(hierarchy: HierarchyWithCells) -> list[dict[str, Any]]:
    """What a source knows of each data point besides; nothing where no property is to be kept."""
    names = list(hierarchy.point_kinds or ())
    if not set(names) <= hierarchy.point_columns.keys():
        raise InputError(
            f"the data points of {hierarchy.id!r} have properties that it does not hold; read the whole of it first: "
            f"store.read_whole({hierarchy.id!r})"
        )
    columns = [known_values(hierarchy.point_columns[name]) for name in names]
    return [
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in zip(*columns, strict=True)
    ]


_Layer = list[tuple[int, Callable[[], Block]]]  # of each block: the row of a seed of its, and how it is made


def _layers(hierarchy: Hierarchy, cells: Cells, *, last_state: np.ndarray) -> Iterator[_Layer]:
    """The blocks of a hierarchy in memory, in layers: those of one can be written side by side, after those before."""
    if not isinstance(hierarchy, FieldHierarchy):
        make = partial(block_of_run, cells, last_state=last_state, virtual_root=hierarchy.virtual_root)
        for wave in cut_runs(cells):
            yield [(int(cells.parent[run.children.start]), partial(make, run)) for run in wave]
        return
    for layer in cut_cells(cells, height=block_height(arity=hierarchy.arity, dimension=hierarchy.dimension)):
        make = partial(block_of_cells, cells, last_state=last_state)
        yield [(row, partial(make, row, last_level=last)) for row, last in layer]


def _writable(hierarchy: HierarchyWithCells) -> Cells:
    if not isinstance(hierarchy, Hierarchy):
        raise InputError(
            f"expected a hierarchy with its cells, got a {type(hierarchy).__name__}; what a Parquet file holds is written by "
            "`cfgraph ingest parquet`, or by cfgraph.transfer.backup.ingest_parquet"
        )
    hierarchy.require_cells().require_encoder()
    cells = hierarchy.cells
    if cells.top != ROOT:
        raise InputError(f"expected a whole hierarchy or a prefix of one, got the subtree below {cells.top}")
    if not (np.isfinite(cells.center).all() and np.isfinite(cells.residual).all()):
        raise InputError(f"hierarchy {hierarchy.id!r} has centers or residuals that are no finite numbers")
    key_of(hierarchy.id, cells.addresses[int(np.argmax(cells.level))])
    return cells


def _claim_in(tx: neo4j.ManagedTransaction, hierarchy: Hierarchy, cells: Cells) -> Hierarchy:
    """Make the hierarchy with its root, or find it; itself, with the state and the incarnation of what the graph holds."""
    found = run_operation(tx, "claim_id", id=hierarchy.id)[0]
    if found["predictor"] is not None:
        raise InputError(f"the id {hierarchy.id!r} is taken by a predictor; choose another")
    if found["hierarchy"] is not None:
        there = hierarchy_of(found["hierarchy"])
        _check_same(hierarchy, there)
        token = there.incarnation or hold_hierarchy(tx, there.id, there.identity)[0].incarnation
        return hierarchy.replace(state=there.state, incarnation=token)
    claimed = hierarchy.replace(state="writing", incarnation=new_incarnation())
    state = FRONTIER if cells.state[0] == EXPANDED else int(cells.state[0])
    run_operation(
        tx,
        "create_hierarchy",
        id=hierarchy.id,
        properties={**properties_of(claimed), "incarnation": claimed.incarnation},
        center=cells.center[0].tolist(),
        scale=float(cells.scale[0]),
        radius=_present(cells.radius),
        size=_present(cells.size),
        label=label_list(state)[0],
        own={name: value for name, column in cells.own.items() if (value := known_values(column[:1])[0]) is not None},
    )
    add_entry_in(tx, hierarchy.id, BEGUN)
    return claimed


def _write_growth_in(
    tx: neo4j.ManagedTransaction, *, hierarchy: Hierarchy, trained: TrainedPredictor, growth: dict[str, Any]
) -> None:
    hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
    hold_predictor(tx, trained.id, trained.identity)
    run_operation(tx, "write_growth", id=hierarchy.id, predictor=trained.id, growth=growth)


def _token(hierarchy: Hierarchy) -> str:
    """The incarnation of a hierarchy that this store gave: whoever writes to one has claimed it before."""
    if hierarchy.incarnation is None:
        raise InputError(f"hierarchy {hierarchy.id!r} was not claimed in this store; Store.write or a rollout begins there")
    return hierarchy.incarnation


def _present(column: np.ndarray | None) -> float | int | None:
    value = None if column is None else column[0].item()
    return None if value != value else value  # NaN is the absence of a radius


def _check_same(asked: Hierarchy, found: Hierarchy) -> None:
    if found.state == "removing":
        raise InputError(f"{asked.id!r} is half removed; run `cfgraph rm {asked.id}` again to finish that")
    if not same_recipe(found.recipe, asked.recipe):
        unlike = sorted(
            key for key in asked.recipe.keys() | found.recipe.keys() if asked.recipe.get(key) != found.recipe.get(key)
        )
        told = ", ".join(
            f"{key}: {_short(found.recipe.get(key))} there, {_short(asked.recipe.get(key))} here" for key in unlike
        )
        raise InputError(
            f"the id {asked.id!r} is taken by a hierarchy of another recipe (they differ in {told}); "
            f"choose another id, or remove it with `cfgraph rm {asked.id}`"
        )


def _short(value: Any) -> str:
    """A value of a recipe as people can compare it with another; long ones cut."""
    text = "none" if value is None else json.dumps(value)
    return text if len(text) <= _VALUE_LENGTH else f"{text[:_VALUE_LENGTH]}..."
