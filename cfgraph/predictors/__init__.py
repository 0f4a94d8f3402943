"""Predictors: the families that learn the rule from parent to children, one interface for all of them.

    zero, mean, nearest, affine, parent, scaled-parent       baselines: every report prints them
    recurrence                                               T_wj = alpha_j T_w: exact for affine iterated function systems
    mlp, mlp-context                                         ReLU networks; only their training needs torch

Everything is loaded when it is first used: importing this package imports neither numpy nor torch.
"""

import importlib
from typing import Any

__all__ = [
    "AUTO",
    "BASELINES",
    "DEVICE",
    "FAMILIES",
    "NETWORKS",
    "SEED",
    "NetworkOptions",
    "Predictor",
    "dump_predictor",
    "fit_predictor",
    "load_predictor",
]

BASELINES = ("zero", "mean", "nearest", "affine", "parent", "scaled-parent")
NETWORKS = ("mlp", "mlp-context")
FAMILIES = (*BASELINES, "recurrence", *NETWORKS)

AUTO = "auto"  # the default family: whichever is best on held-out parents
SEED = 0
DEVICE = "cpu"

_HOMES = {
    "NetworkOptions": "options",
    "Predictor": "predictor",
    "dump_predictor": "registry",
    "fit_predictor": "registry",
    "load_predictor": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
