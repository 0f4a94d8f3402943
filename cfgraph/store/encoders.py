"""Encoders: what was done to data before a hierarchy was made of it, kept beside the hierarchy, its weights in parts."""

import json
from functools import partial
from typing import Any

import neo4j
from pydantic import ValidationError

from cfgraph.errors import DamagedError, InputError, VanishedError
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.store.graph import run_operation, write_bounded
from cfgraph.store.incarnation import hold_hierarchy
from cfgraph.store.part import Part


class Encoders(Part):
    """Keeping encoders and asking for them."""

    def _encoder_of(self, hierarchy: Hierarchy) -> Encoder | None:
        """A hierarchy's encoder, as it says that it has one; a ``DamagedError`` for what is not that one."""
        if hierarchy.encoder_sha256 is None:
            return None
        rows = self._graph.read("read_encoder", id=hierarchy.id)
        if len(rows) != 1:
            raise DamagedError.of(hierarchy.id, f"it has {len(rows)} encoders, and should have one")
        return self._read_parts(hierarchy, **rows[0])

    def _read_parts(self, hierarchy: Hierarchy, *, encoder: dict[str, Any], parts: list[Any]) -> Encoder:
        if sorted(parts, key=repr) != sorted(range(len(parts)), key=repr):
            raise DamagedError.of(hierarchy.id, "parts of its encoder are missing")
        weights = [self._read_part(hierarchy, number) for number in range(len(parts))]
        try:
            found = Encoder.of_parts(encoder["steps"], weights)
        except (ValidationError, ValueError, TypeError, KeyError, RecursionError, InputError) as error:
            raise DamagedError.of(hierarchy.id, "its encoder is none that cfgraph wrote") from error
        if found.digest != hierarchy.encoder_sha256:
            raise DamagedError.of(hierarchy.id, "its encoder is another one than it was made with")
        return found

    def _read_part(self, hierarchy: Hierarchy, number: int) -> bytes:
        rows = self._graph.read("read_encoder_part", id=hierarchy.id, number=number)
        if len(rows) != 1:
            raise DamagedError.of(hierarchy.id, f"part {number} of its encoder is there {len(rows)} times")
        weights: bytes = rows[0]["weights"]
        return weights

    def _write_encoder(self, claimed: Hierarchy, hierarchy: HierarchyWithCells) -> None:
        """Write a hierarchy's encoder, a part a transaction; what is there already is found."""
        encoder = hierarchy.encoder
        if encoder is None:
            return

        def begin(tx: neo4j.ManagedTransaction) -> None:
            _hold(tx, claimed)
            found = run_operation(tx, "write_encoder", id=claimed.id, properties=encoder_properties(encoder))
            if found[0]["sha256"] != encoder.digest:
                raise InputError(
                    f"{claimed.id!r} was begun with another encoder, which nothing says how to go on with; remove it with "
                    f"`cfgraph rm {claimed.id}`, and begin again"
                )

        def add(tx: neo4j.ManagedTransaction, *, number: int, part: bytes) -> None:
            _hold(tx, claimed)
            run_operation(tx, "write_encoder_part", id=claimed.id, number=number, weights=part)

        with self._graph.session() as session:
            write_bounded(session, begin, twice=True)
            for number, part in enumerate(encoder.parts):
                write_bounded(session, partial(add, number=number, part=part), twice=True)


def encoder_properties(encoder: Encoder) -> dict[str, Any]:
    """The node's properties: the weights lie in parts beside it."""
    return {"steps": json.dumps(encoder.steps, sort_keys=True), "sha256": encoder.digest, "bytes": len(encoder.weights)}


def _hold(tx: neo4j.ManagedTransaction, claimed: Hierarchy) -> None:
    _, state = hold_hierarchy(tx, claimed.id, claimed.identity)
    if state == "removing":
        raise VanishedError(f"hierarchy {claimed.id!r} was removed meanwhile")
