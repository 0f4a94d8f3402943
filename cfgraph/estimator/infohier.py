"""InfoHier as scikit-learn knows clusterers: an encoder that is trained, and the tree on its latents."""

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.estimator.dasgupta import CLUSTERS
from cfgraph.estimator.learned import ID, MergedTree
from cfgraph.estimator.random_state import seed_of
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.sources.infohier import infohier


class InfoHier(MergedTree):
    """A tree of low Dasgupta cost on latents that an encoder of vectors learned, and ``n_clusters`` cut from it; needs torch.

    ``transform`` gives the latents, of length 1, without torch. ``predict`` gives new points the clusters of the leaves that
    their latents are located at. Images, views and encoders of one's own are for ``cfgraph.sources.infohier``.

    Parameters:
        n_clusters: of ``labels_``.
        epochs: of training; 150 below 5,000 points, above as many as see 750,000 points, at least 10.
        batch: points whose views tell each other apart.
        rate: the learning rate.
        lambda_contrastive: the weight of what two views of a point have in common.
        lambda_hierarchical: the weight of Dasgupta's cost, relaxed, on triples of a batch.
        sharpness, starts, passes, leaf_size, beam: as :class:`DasguptaClustering` has them.
        device: where the encoder is trained.
        random_state: a whole number gives the same tree as ``cfgraph.sources.infohier`` with that seed; None, others each time.

    Attributes:
        hierarchy_: the hierarchy with its cells, and the encoder.
        children_: the merges, as SciPy's and scikit-learn's own numbers have them: ``[merges, 2]``.
        labels_: the cluster of each point of ``fit``, numbered by their first points.
        cost_: Dasgupta's cost.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    def __init__(
        self,
        n_clusters: int = CLUSTERS,
        *,
        epochs: int | None = None,
        batch: int = defaults.BATCH,
        rate: float = defaults.RATE,
        lambda_contrastive: float = defaults.LAMBDA_CONTRASTIVE,
        lambda_hierarchical: float = defaults.LAMBDA_HIERARCHICAL,
        sharpness: float = defaults.SHARPNESS,
        starts: int | None = None,
        passes: int | None = None,
        leaf_size: int = defaults.LEAF_SIZE,
        beam: int = defaults.BEAM,
        device: str = defaults.DEVICE,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_clusters = n_clusters
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.lambda_contrastive = lambda_contrastive
        self.lambda_hierarchical = lambda_hierarchical
        self.sharpness = sharpness
        self.starts = starts
        self.passes = passes
        self.leaf_size = leaf_size
        self.beam = beam
        self.device = device
        self.random_state = random_state

    def _make(self, X: Float[np.ndarray, "points dim"]) -> ImportedWithCells:
        own = {name: value for name, value in self.get_params().items() if name not in ("n_clusters", "beam", "random_state")}
        return infohier(id=ID, data=X, seed=seed_of(self.random_state), **own)
