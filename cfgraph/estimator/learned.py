"""What the estimators of learned trees have in common: latents, clusters by merges that are undone, the way to the graph."""

from abc import abstractmethod
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from cfgraph.checks import check_integer
from cfgraph.errors import EstimatorError, InputError
from cfgraph.formats.linkage import to_linkage
from cfgraph.metric.apply import encode
from cfgraph.metric.locate import locate
from cfgraph.model.address import check_id, key_of
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import HierarchyWithCells
from cfgraph.model.trees import cut_merges

ID = "tree"  # of a fitted hierarchy until it gets a name of its own


class LearnedTree(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):
    """A hierarchy that was learned from points: these where its centers are, and the way to the graph."""

    hierarchy_: HierarchyWithCells

    def transform(self, X: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points latents"]:
        """The points where the tree's centers are: through all that was done to those of ``fit``."""
        check_is_fitted(self)
        return encode(self.hierarchy_, data=validate_data(self, X, dtype=np.float64, reset=False))

    @property
    def _n_features_out(self) -> int:
        return self.hierarchy_.dimension

    def to_hierarchy(self, id: str) -> HierarchyWithCells:
        """The hierarchy under an id, with its cells and its encoder: ``store.write(tree.to_hierarchy("digits"))``.

        Raises:
            InputError: for an id that is none, or so long that the deepest cell's key does not fit in the database's index.
        """
        check_is_fitted(self)
        key_of(check_id(id), max(self.hierarchy_.cells.addresses, key=len))
        return self.hierarchy_.replace(id=id)


class MergedTree(LearnedTree):
    """A binary tree of merges, and the ``n_clusters`` that are left when the last of them are undone."""

    n_clusters: int
    beam: int

    @abstractmethod
    def _make(self, X: Float[np.ndarray, "points dim"]) -> HierarchyWithCells:
        """The tree of the points; an ``InputError`` for parameters out of their range."""

    def fit(self, X: Float[np.ndarray, "points dim"], y: None = None) -> Self:
        """Find the tree of some points; ``y`` is not used.

        Raises:
            EstimatorError: (a ``ValueError``) for fewer than two points, fewer leaves than clusters, and parameters out of
                their range. What is no table of finite numbers gets scikit-learn's own errors.
        """
        X = validate_data(self, X, dtype=np.float64)
        try:
            clusters = check_integer(self.n_clusters, name="number of clusters", low=1)
            check_integer(self.beam, name="beam", low=1)
            if len(X) < max(2, clusters):
                raise InputError(f"expected at least {max(2, clusters)} points, got n_samples = {len(X)}")
            made = self._make(X)
            self.children_ = to_linkage(made)[:, :2].astype(np.int64)
            of_leaf = cut_merges(self.children_, clusters=clusters)
        except InputError as error:
            raise EstimatorError(str(error)) from None
        self.hierarchy_ = made
        self._label_of_cell, self.labels_ = _labels(made, of_leaf)
        self.cost_ = float(np.nansum(made.cells.own["dasgupta"]))
        return self

    def predict(self, X: Float[np.ndarray, "points dim"]) -> Int[np.ndarray, " points"]:
        """The cluster of the leaf that each point is located at: that of ``labels_`` where a beam finds a point's own leaf."""
        rows = self._locate(X)  # first, for it says whether there is a tree
        found: np.ndarray = self._label_of_cell[rows]
        return found

    def apply(self, X: Float[np.ndarray, "points dim"]) -> np.ndarray:
        """The address of the leaf that each point is located at: an array of strings (dtype object)."""
        return addresses_of(self.hierarchy_.cells, self._locate(X))

    def _locate(self, X: Float[np.ndarray, "points dim"]) -> Int[np.ndarray, " points"]:
        rows = self.transform(X)
        return locate(self.hierarchy_.cells, rows, beam=self.beam)


def addresses_of(cells: Cells, rows: Int[np.ndarray, " rows"]) -> np.ndarray:
    """Addresses as objects: of text of a fixed width, a deep tree's few long ones would fill the memory."""
    found = np.empty(len(rows), dtype=object)
    found[:] = [cells.addresses[row] for row in rows.tolist()]
    return found


def number_by_first(code: Int[np.ndarray, " points"]) -> tuple[Int[np.ndarray, " points"], Int[np.ndarray, " codes"]]:
    """Codes as numbers from 0 in the order in which they come first; and the codes in that order."""
    known, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.argsort(order)[inverse], known[order]


def _labels(
    hierarchy: HierarchyWithCells, of_leaf: Int[np.ndarray, " leaves"]
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " points"]]:
    """The cluster of each cell that is a leaf (-1 of others), and of each point, numbered by the points that come first."""
    cells, cell_of_point = hierarchy.cells, hierarchy.cell_of_point
    assert cell_of_point is not None
    of_cell = np.full(len(cells), -1, dtype=np.int64)
    leaves = np.flatnonzero(cells.child_count == 0)
    of_cell[leaves] = of_leaf[cells.own["merge"][leaves]]
    labels, known = number_by_first(of_cell[cell_of_point])
    number = np.empty(known.max() + 1, dtype=np.int64)
    number[known] = np.arange(len(known))
    of_cell[leaves] = number[of_cell[leaves]]
    return of_cell, labels
