"""Cuts: flat clusters kept in the graph, as a property of cells that reads as one of the source's own.

Before the first cell changes the hierarchy's record says, under its lock, who is at it and which cut that is, and names the
property no more; when all cells are written it names it again. So a cut that was interrupted is no property of the hierarchy,
it is told as ``unfinished``, and the same again sets all of it. A cut remembers of how many cells it is: those that grow later
have no part in it, until the same cut is kept again. Each transaction proves the hierarchy's incarnation and that nobody else
has begun since; whoever reads several pages meanwhile finds the record changed (:mod:`cfgraph.store.witness`), and digests of
subtrees are void from then on.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import neo4j
import numpy as np
from jaxtyping import Int

from cfgraph.errors import ChangedError, InputError, VanishedError
from cfgraph.model.columns import INTEGER, RESERVED
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.store.graph import run_operation, write_bounded
from cfgraph.store.history import CUT, CUT_REMOVED, add_entry_in
from cfgraph.store.incarnation import check_cells, hold_hierarchy, new_incarnation
from cfgraph.store.part import Part
from cfgraph.store.records import hierarchy_of
from cfgraph.store.writing import key_pages

MARK_ROWS = 10_000  # cells a transaction
CELLS, UNFINISHED = "cells", "unfinished"  # what is told of a cut besides how it was made
Progress = Callable[[int, int], None]  # cells done, cells in all


class Cuts(Part):
    """Keeping cuts as properties of cells, and removing them."""

    def cuts(self, id: str) -> dict[str, Any]:
        """The properties of a hierarchy's cells that are cuts, and how each was made: ``{"clusters": 4, "cells": 79}``.

        ``cells`` is how many there were then. An ``unfinished`` one is being kept or removed just now, or that stopped midway.
        """
        rows = self._graph.read("read_hierarchy", id=id)
        return told_cuts(rows[0]["hierarchy"]) if rows else {}

    def keep_cut(
        self,
        hierarchy: HierarchyWithCells,
        name: str,
        label: Int[np.ndarray, " cells"],
        *,
        about: Mapping[str, Any],
        progress: Progress = lambda done, total: None,
    ) -> None:
        """Keep the label of each cell as a property of this name; a cell of label -1 has none.

        A cut of that name is replaced. Interrupted, the same again goes through all cells anew.

        Raises:
            InputError: for a name that cells have already, of their source or from cfgraph.
            VanishedError: where the hierarchy is removed meanwhile, even if another is made under its id.
            ChangedError: where it is not complete, somebody else keeps a cut meanwhile, or a growth begins.
        """
        _check_name(name)
        values = [None if one < 0 else one for one in label.tolist()]
        told = {key: value for key, value in about.items() if value is not None} | {CELLS: len(label)}
        self._mark(hierarchy, name, list(zip(hierarchy.cells.addresses, values, strict=True)), about=told, progress=progress)

    def remove_cut(self, hierarchy: HierarchyWithCells, name: str, *, progress: Progress = lambda done, total: None) -> None:
        """Remove a cut's property from all cells, unfinished ones too; an ``InputError`` where no cut has that name."""
        there = self.cuts(hierarchy.id)
        if name not in there:
            raise InputError(f"{hierarchy.id!r} has no cut {name!r}; it has {', '.join(there) or 'none'}")
        rows: list[tuple[str, int | None]] = [(address, None) for address in hierarchy.cells.addresses]
        self._mark(hierarchy, name, rows, about=None, progress=progress)

    def _mark(
        self,
        hierarchy: Hierarchy,
        name: str,
        rows: list[tuple[str, int | None]],
        *,
        about: dict[str, Any] | None,
        progress: Progress,
    ) -> None:
        token = new_incarnation()
        incarnation = self._graph.transact(lambda tx: _begin_in(tx, hierarchy, name, token=token, about=about))
        done = 0
        with self._graph.session() as session:
            for page in key_pages([[address, {name: value}] for address, value in rows], size=MARK_ROWS):

                def work(tx: neo4j.ManagedTransaction, page: list[Any] = page) -> None:
                    found = run_operation(tx, "mark_cells", id=hierarchy.id, rows=page)[0]
                    check_cells(hierarchy.id, incarnation, found["incarnation"], found["state"])
                    _check_token(hierarchy, token, found["token"])
                    if found["marked"] != len(page):
                        raise VanishedError(f"hierarchy {hierarchy.id!r} lost cells meanwhile; run cfgraph verify")

                write_bounded(session, work, twice=True)
                done += len(page)
                progress(done, len(rows))
        self._graph.transact(lambda tx: _end_in(tx, hierarchy, name, token=token, about=about))


def _begin_in(
    tx: neo4j.ManagedTransaction, hierarchy: Hierarchy, name: str, *, token: str, about: dict[str, Any] | None
) -> str:
    """Hide the property, and say who is at it, and with which cut; the hierarchy's incarnation."""
    found, cuts = _held(tx, hierarchy)
    if name in found.own and name not in cuts:
        raise InputError(
            f"cells of {hierarchy.id!r} have a property {name!r} of their source already; choose another name for the cut"
        )
    if found.own and not found.own_kinds:
        raise InputError(
            f"{hierarchy.id!r} was made by an earlier version and does not say of which kinds its properties are; run "
            "`cfgraph upgrade --yes` first"
        )
    cuts = cuts if about is None else {**cuts, name: about}  # beside own properties without it: unfinished
    _set_own(tx, {own: kind for own, kind in _kinds(found).items() if own != name}, cuts, hierarchy=found, token=token)
    assert found.incarnation is not None  # whoever holds a node gives it one
    return found.incarnation


def _end_in(tx: neo4j.ManagedTransaction, hierarchy: Hierarchy, name: str, *, token: str, about: dict[str, Any] | None) -> None:
    """Name the property again, or, where it was removed, forget it."""
    found, cuts = _held(tx, hierarchy)
    _check_token(hierarchy, token, run_operation(tx, "read_hierarchy", id=hierarchy.id)[0]["hierarchy"].get("marked"))
    kinds = {own: kind for own, kind in _kinds(found).items() if own != name}
    cuts = {other: told for other, told in cuts.items() if other != name}
    if about is not None:
        kinds, cuts = {**kinds, name: INTEGER}, {**cuts, name: about}
    _set_own(tx, kinds, cuts, hierarchy=found, token=token)
    add_entry_in(tx, hierarchy.id, CUT_REMOVED if about is None else CUT, property=name, **({"cut": about} if about else {}))


def _held(tx: neo4j.ManagedTransaction, hierarchy: Hierarchy) -> tuple[Hierarchy, dict[str, Any]]:
    """The hierarchy as it is, its node locked, and its cuts; an error where it is not the one that was read, or is at work."""
    _, state = hold_hierarchy(tx, hierarchy.id, hierarchy.identity)
    if state == "removing":
        raise VanishedError(f"hierarchy {hierarchy.id!r} was removed meanwhile")
    if state != "complete":
        raise ChangedError(f"{hierarchy.id!r} is {state}; a cut is kept of what is complete: finish that first")
    properties = run_operation(tx, "read_hierarchy", id=hierarchy.id)[0]["hierarchy"]
    return hierarchy_of(properties), _cuts_in(properties)


def _set_own(
    tx: neo4j.ManagedTransaction, kinds: Mapping[str, str | None], cuts: dict[str, Any], *, hierarchy: Hierarchy, token: str
) -> None:
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    run_operation(
        tx,
        "set_own",
        id=hierarchy.id,
        own=sorted(kinds) or None,
        kinds=json.dumps(known, sort_keys=True) if known else None,
        cuts=json.dumps(cuts, sort_keys=True) if cuts else None,
        token=token,
    )


def _kinds(hierarchy: Hierarchy) -> dict[str, str | None]:
    """The kind of each own property; None for one that no cell has a value of."""
    return {name: hierarchy.own_kinds.get(name) for name in hierarchy.own}


def told_cuts(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The cuts that the node of these properties tells of; one that is none of its cells' properties (yet) is unfinished."""
    own = properties.get("own") or ()
    return {name: about if name in own else {**about, UNFINISHED: True} for name, about in _cuts_in(properties).items()}


def _cuts_in(properties: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(properties.get("cuts") or "{}")
    except (TypeError, ValueError):
        return {}
    return {name: about for name, about in found.items() if isinstance(about, dict)} if isinstance(found, dict) else {}


def _check_token(hierarchy: Hierarchy, token: str, found: Any) -> None:
    if found != token:
        raise ChangedError(f"another cut of {hierarchy.id!r} was begun meanwhile; run this again to keep this one")


def _check_name(name: str) -> None:
    if not name or "\0" in name or len(name) > 200 or name != name.strip():
        raise InputError(f"expected a name for the property that keeps the cut, such as family, got {name[:40]!r}")
    if name in (*RESERVED, "name", "row"):
        raise InputError(f"cells have a property {name!r} of cfgraph's own; choose another name for the cut")
