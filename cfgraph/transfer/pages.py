"""Pages: a hierarchy out of the store, page by page, proven to be of one moment before the last one is done with."""

from collections.abc import Callable, Iterable, Iterator

from cfgraph.errors import DamagedError, InputError
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells
from cfgraph.model.invariants import check_sound
from cfgraph.predictors.trained import Grower
from cfgraph.store import Store
from cfgraph.store.witness import Witness
from cfgraph.transfer.inspection import Inspection

Progress = Callable[[int, int], None]  # cells done, cells in all


def witness_complete(store: Store, of: str | Hierarchy) -> Witness:
    """A witness of a complete hierarchy; an ``InputError`` for one that is being written, grown or removed."""
    hierarchy = store.hierarchy(of) if isinstance(of, str) else of
    check_complete(hierarchy)
    return store.witness(hierarchy)


def check_complete(hierarchy: Hierarchy) -> None:
    """Raise an ``InputError`` for a hierarchy that is not complete."""
    if hierarchy.state != "complete":
        raise InputError(f"{hierarchy.id!r} is in state {hierarchy.state!r}; finish that first, by its own command")


def watched_pages(store: Store, witness: Witness, *, progress: Progress) -> Iterator[dict[str, list]]:
    """Every page of ``Store.import_pages``, each proven to be sound.

    Behind the last one the ``witness`` says where the hierarchy changed meanwhile. Raises a ``DamagedError`` for what could
    not be read back.
    """
    total, done = store.counts(witness.id).cells, 0
    inspection = Inspection(witness.hierarchy, grown=bool(store.read_growth(witness.id)))
    for page in store.import_pages(witness.id):
        inspection.check(page)
        yield page
        done += len(page["key"])
        progress(done, total)
    inspection.finish()
    store.check_points(witness.hierarchy)
    witness.check()


def read_sound(store: Store, hierarchy: Hierarchy) -> HierarchyWithCells:
    """A hierarchy with its cells, for a format that wants the whole at once; a ``DamagedError`` as :func:`watched_pages`."""
    with store.witness(hierarchy):
        whole = store.read_whole(hierarchy.id)
        try:
            check_sound(whole, grown=bool(store.read_growth(hierarchy.id)))
        except InputError as error:
            raise DamagedError.of(hierarchy.id, str(error)) from error
        return whole


def check_growers(id: str, growers: Iterable[Grower]) -> None:
    """Raise a ``DamagedError`` where a predictor that grew a hierarchy is not one that can be loaded again."""
    for trained, _ in growers:
        try:
            trained.load()
        except InputError as error:
            raise DamagedError.of(id, f"{trained.id!r}, which grew it: {error}") from error
