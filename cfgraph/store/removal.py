"""Removal: a hierarchy or a predictor out of the graph, in batches, so that an interrupted one can be finished."""

from collections.abc import Callable

from cfgraph.model.address import check_id, subtree_range
from cfgraph.store.hierarchies import Hierarchies
from cfgraph.store.ingest import Ingest

REMOVE_BATCH = 10_000


class Removal(Hierarchies, Ingest):
    """Removing hierarchies and predictors."""

    def remove(self, id: str, *, progress: Callable[[int], None] = lambda removed: None) -> int:
        """Remove a hierarchy or a predictor, in batches; interrupted and called again it finishes. The number of cells removed.

        First the leases end, so that no worker's block can be committed any more; then the cells go; the node itself goes last.
        """
        if self._graph.write("remove_predictor", id=check_id(id))[0]["removed"]:
            return 0
        self.hierarchy(id)
        self.set_state(id, state="removing", expected=("writing", "growing", "complete", "removing"))
        removed = self._remove_cells(id, progress)
        self._graph.write("remove_hierarchy", id=id)
        return removed + self._remove_cells(id, progress)

    def _remove_cells(self, id: str, progress: Callable[[int], None]) -> int:
        removed, (low, high) = 0, subtree_range(id)
        self._graph.write("remove_leases", id=id)
        while self._graph.write("remove_points", low=low, high=high, batch=REMOVE_BATCH)[0]["removed"]:
            pass
        while batch := self._graph.write("remove_cells", low=low, high=high, batch=REMOVE_BATCH)[0]["removed"]:
            removed += batch
            progress(removed)
        return removed
