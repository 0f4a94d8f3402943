"""Sources: whether what somebody's source gives can be written, recognised, and made again."""

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from cfgraph.errors import CfgraphError, InputError, NotFoundError
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.model.invariants import check_sound
from cfgraph.store.digest import digest_hierarchy
from cfgraph.testing.expected import expect, expect_error, expecting

if TYPE_CHECKING:
    from cfgraph.store import Store


def check_source(make: Callable[[str], HierarchyWithCells], *, store: "Store | None" = None) -> HierarchyWithCells:
    """Whether a source gives a hierarchy that can be written and that is the same when it is made again.

    What is asked: a :class:`Hierarchy` with its cells, under the id that was asked for, whose cells keep every invariant and
    were predicted by nobody; its origin and a recipe that says how it was made, that JSON keeps as it is, and that does not
    depend on the id; the same cells and the same recipe when it is made again; an ``InputError`` for what can be no id. With a
    ``store``: that it is written, read back with the same digest, clean to ``verify``, and recognised when it is written again.

    Args:
        make: calls the source for an id: ``lambda id: mine("data.csv", id=id)``.
        store: of one's own; what is written there is removed again.

    Returns:
        What the source gave.

    Raises:
        AssertionError: for the first thing that does not hold.
    """
    mark = f"testing-{secrets.token_hex(4)}"
    with expecting("the source to give a hierarchy"):
        hierarchy, again, other = make(mark), make(mark), make(f"{mark}-other")
    expect(isinstance(hierarchy, Hierarchy), f"expected a Hierarchy with its cells, got {type(hierarchy).__name__}")
    with expecting("a Hierarchy with its cells"):
        hierarchy.require_cells()
    expect(hierarchy.id == mark, f"expected a hierarchy of the id that was asked for, {mark!r}, got {hierarchy.id!r}")
    expect(hierarchy.state == "complete", f"expected a hierarchy of state complete, got {hierarchy.state}")
    expect(bool(hierarchy.origin), "expected an origin, the source's name, got none")
    try:
        check_sound(hierarchy, grown=False)
    except CfgraphError as error:
        raise AssertionError(f"expected sound cells: {error}") from error
    _check_recipe(hierarchy, again, other)
    digests = [digest_hierarchy(one) for one in (hierarchy, again, other)]
    expect(len(set(digests)) == 1, "expected the same cells when they are made again, got others: give it a seed")
    expect_error(InputError, lambda: make(""), "an empty id")
    if store is not None:
        _check_written(hierarchy, again, store)
    return hierarchy


def _check_recipe(hierarchy: HierarchyWithCells, again: HierarchyWithCells, other: HierarchyWithCells) -> None:
    recipe = hierarchy.recipe
    expect(bool(recipe), "expected a recipe that says how it was made, got an empty one")
    with expecting(f"a recipe of texts, numbers, lists and tables, which JSON keeps, in {recipe}"):
        kept = json.loads(json.dumps(recipe, allow_nan=False))
    expect(kept == recipe, f"expected a recipe that JSON keeps as it is, got {kept} of {recipe}")
    expect(recipe == again.recipe, f"expected the same recipe when it is made again, got {recipe} and {again.recipe}")
    expect(recipe == other.recipe, f"expected a recipe without the id, got {recipe} and {other.recipe}")


def _check_written(hierarchy: HierarchyWithCells, again: HierarchyWithCells, store: "Store") -> None:
    from cfgraph.comparing.verifying import verify

    try:
        with expecting("a hierarchy that the store takes"):
            store.write(hierarchy, progress=False)
        digest, wanted = store.digest(hierarchy.id), digest_hierarchy(hierarchy)
        expect(digest == wanted, f"expected the digest {wanted} when it is read back, got {digest}")
        expect(verify(store, hierarchy.id, progress=False).clean, "expected a clean graph, and verify found something")
        with expecting("the same to be recognised when it is written again"):
            store.write(again, progress=False)
    finally:
        with suppress(NotFoundError):
            store.remove(hierarchy.id)
