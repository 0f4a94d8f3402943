"""Incarnations: whether a hierarchy or a predictor is still the one that was meant, proven inside a transaction.

What is removed and made again under the same id is another one. Each gets a random token when it is made; who works on it
knows the token, and every transaction that writes proves it:

* What changes a node (its state, a growth, its end) locks the node first and compares after (:func:`hold_hierarchy`).
* What writes cells, links or points reads the token with its last statement (:func:`check_cells`) or as one of its own
  (:func:`prove_cells`), without a lock, so that blocks do not queue behind one another. By then its own cells are locked; a
  hierarchy's node is made before any of its cells and goes after the last one. So what it reads is the incarnation of just
  these cells.

One that an earlier version made has no token; the first transaction that locks its node gives it one.
"""

import secrets
from typing import Any

import neo4j

from cfgraph.errors import VanishedError
from cfgraph.model.hierarchy import Identity
from cfgraph.store.graph import run_operation


def new_incarnation() -> str:
    """A random token."""
    return secrets.token_hex(16)


def identity_in(properties: dict[str, Any]) -> Identity:
    """Which one it is whose properties (or a row that has them) these are."""
    created: Any = properties.get("created")
    return Identity(properties.get("incarnation"), created.to_native() if hasattr(created, "to_native") else created)


def hold_hierarchy(tx: neo4j.ManagedTransaction, id: str, known: Identity | None) -> tuple[Identity, str]:
    """Lock a hierarchy's node, prove that it is the ``known`` one (None: whichever there is); its identity and its state."""
    rows = run_operation(tx, "lock_hierarchy", id=id, fresh=new_incarnation())
    found = _proven(rows, known, what=f"hierarchy {id!r}")
    return found, rows[0]["state"] or ""


def hold_predictor(tx: neo4j.ManagedTransaction, id: str, known: Identity | None) -> Identity:
    """Lock a predictor's node and prove that it is the ``known`` one (None: whichever there is)."""
    return _proven(run_operation(tx, "lock_predictor", id=id, fresh=new_incarnation()), known, what=f"predictor {id!r}")


def _proven(rows: list[dict[str, Any]], known: Identity | None, *, what: str) -> Identity:
    if not rows:
        raise VanishedError(f"{what} was removed meanwhile")
    found = identity_in(rows[0])
    if known is not None and not known.is_that_of(found):
        raise another(what)
    return found


def prove_cells(tx: neo4j.ManagedTransaction, id: str, incarnation: str) -> None:
    """Prove, as a transaction's last statement, that the cells that it wrote to are of this incarnation and are to stay."""
    found = run_operation(tx, "read_incarnation", id=id)[0]["hierarchy"] or {}
    check_cells(id, incarnation, found.get("incarnation"), found.get("state"))


def check_cells(id: str, incarnation: str | None, found: str | None, state: str | None) -> None:
    """Raise a ``VanishedError`` where cells are of another incarnation than the one that was written to, or are to go."""
    if state is None or state == "removing":
        raise VanishedError(f"hierarchy {id!r} was removed meanwhile; nothing of it is left half-written")
    if found != incarnation:
        raise another(f"hierarchy {id!r}")


def another(what: str) -> VanishedError:
    """The error of whoever finds another one under the id of the one that was meant."""
    return VanishedError(f"{what} was removed meanwhile, and another made under its id: that one was not touched")
