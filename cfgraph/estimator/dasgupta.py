"""Trees of low Dasgupta cost as scikit-learn knows clusterers."""

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.estimator.learned import ID, MergedTree
from cfgraph.estimator.random_state import seed_of
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.sources.dasgupta import dasgupta

CLUSTERS = 2  # as AgglomerativeClustering


class DasguptaClustering(MergedTree):
    """A binary tree of low Dasgupta cost, and the ``n_clusters`` that are left when its last merges are undone.

    ``transform`` gives the rows whose products the similarities are: standardised, and of length 1. ``predict`` gives new
    points the clusters of the leaves that they are located at.

    Parameters:
        n_clusters: of ``labels_``.
        fit_by: ``search``, or ``relaxed``, which begins with HypHC's relaxation, and needs torch.
        sharpness: the power of the similarities, at least 1; others than 1 take a matrix of all pairs.
        starts: how many searches, of which the best counts; 4 up to 1,000 points, else 1.
        passes: of a search, at most; 50 up to 5,000 points, 6 up to 50,000, else none.
        leaf_size: the most points that a leaf stands for.
        beam: how many cells a level ``predict`` keeps.
        random_state: a whole number gives the same tree as ``cfgraph.sources.dasgupta`` with that seed; None, others each time.

    Attributes:
        hierarchy_: the hierarchy with its cells.
        children_: the merges, as SciPy's and scikit-learn's own numbers have them: ``[merges, 2]``.
        labels_: the cluster of each point of ``fit``, numbered by their first points.
        cost_: Dasgupta's cost.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    def __init__(
        self,
        n_clusters: int = CLUSTERS,
        *,
        fit_by: str = defaults.DASGUPTA_FIT,
        sharpness: float = defaults.SHARPNESS,
        starts: int | None = None,
        passes: int | None = None,
        leaf_size: int = defaults.LEAF_SIZE,
        beam: int = defaults.BEAM,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_clusters = n_clusters
        self.fit_by = fit_by
        self.sharpness = sharpness
        self.starts = starts
        self.passes = passes
        self.leaf_size = leaf_size
        self.beam = beam
        self.random_state = random_state

    def _make(self, X: Float[np.ndarray, "points dim"]) -> ImportedWithCells:
        return dasgupta(
            id=ID,
            data=X,
            fit=self.fit_by,
            sharpness=self.sharpness,
            starts=self.starts,
            passes=self.passes,
            leaf_size=self.leaf_size,
            seed=seed_of(self.random_state),
        )
