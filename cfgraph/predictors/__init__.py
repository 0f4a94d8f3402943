"""Predictors: the families that learn the rule from parent to children, one interface for all of them.

    zero, mean, nearest, affine, parent, scaled-parent       baselines: every report prints them
    local-linear                                             a plane through the nearest observed parents: reports print it, too
    recurrence                                               T_wj = alpha_j T_w: exact for affine iterated function systems
    mlp, mlp-context, anchored                               ReLU networks; only their training needs torch

Everything is loaded when it is first used: importing this package imports neither numpy nor torch.
"""

from typing import TYPE_CHECKING

from cfgraph.late import load_late

if TYPE_CHECKING:
    from cfgraph.predictors.options import NetworkOptions as NetworkOptions
    from cfgraph.predictors.predictor import Predictor as Predictor
    from cfgraph.predictors.registry import dump_predictor as dump_predictor
    from cfgraph.predictors.registry import fit_predictor as fit_predictor
    from cfgraph.predictors.registry import load_predictor as load_predictor

__all__ = [
    "AUTO",
    "BASELINES",
    "BESIDE",
    "DEVICE",
    "FAMILIES",
    "LEARNED_BESIDE",
    "NETWORKS",
    "SEED",
    "NetworkOptions",
    "Predictor",
    "dump_predictor",
    "fit_predictor",
    "load_predictor",
]

BASELINES = ("zero", "mean", "nearest", "affine", "parent", "scaled-parent")
LEARNED_BESIDE = ("local-linear",)  # learned families that every report shows beside the baselines
BESIDE = (*BASELINES, *LEARNED_BESIDE)  # all that it shows
NETWORKS = ("mlp", "mlp-context", "anchored")
FAMILIES = (*BESIDE, "recurrence", *NETWORKS)

AUTO = "auto"  # the default family: whichever is best on held-out parents
SEED = 0
DEVICE = "cpu"

_HOMES = {
    "NetworkOptions": "cfgraph.predictors.options",
    "Predictor": "cfgraph.predictors.predictor",
    "dump_predictor": "cfgraph.predictors.registry",
    "fit_predictor": "cfgraph.predictors.registry",
    "load_predictor": "cfgraph.predictors.registry",
}

if not TYPE_CHECKING:  # a type checker goes by the names above: another one is a mistake
    __getattr__ = load_late(__name__, _HOMES)
