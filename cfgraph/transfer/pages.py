"""Pages: a hierarchy out of the store, page by page, with an eye on whether it stays as it is meanwhile."""

from collections.abc import Callable, Iterator

from cfgraph.errors import VanishedError
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store import Store

Progress = Callable[[int, int], None]  # cells done, cells in all


def watched_pages(store: Store, hierarchy: Hierarchy, *, progress: Progress) -> Iterator[dict[str, list]]:
    """Every page of ``Store.import_pages``; a ``VanishedError`` at the end where a complete hierarchy changed meanwhile."""
    total, done = store.counts(hierarchy.id).cells, 0
    for page in store.import_pages(hierarchy.id):
        yield page
        done += len(page["key"])
        progress(done, total)
    if hierarchy.state == "complete" and (done != total or store.hierarchy(hierarchy.id) != hierarchy):
        raise VanishedError(f"{hierarchy.id!r} changed while it was read; export it again")
