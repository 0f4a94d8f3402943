"""The last step of what a nested-CRP tree was learned by: the tree itself. Rows that come to it are where its centers are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.nested.model import Prior, Tree
from cfgraph.learning.nested.shape import Shape


@dataclass(frozen=True, eq=False)
class NestedTree:
    """A tree of Gaussians with its sticks and its prior, and of each node the cell that it became: its address, its center.

    ``apply`` leaves rows as they are: :class:`cfgraph.learning.nested.learned.LearnedTree` asks the tree.
    """

    kind: ClassVar[str] = "nested-tree"

    tree: Tree
    prior: Prior
    addresses: tuple[str, ...]
    center: Float[np.ndarray, "nodes columns"]

    @property
    def columns(self) -> int:
        """As many as the means have."""
        return self.tree.mean.shape[1]

    def apply(self, rows: Float[np.ndarray, "points columns"]) -> Float[np.ndarray, "points columns"]:
        """The rows themselves."""
        return rows

    def decode(self, rows: Float[np.ndarray, "points columns"]) -> Float[np.ndarray, "points columns"]:
        """The rows themselves."""
        return rows

    def arrays(self) -> dict[str, np.ndarray]:
        """Parents, Gaussians and sticks."""
        tree = self.tree
        numbers = {"mean": tree.mean, "variance": tree.variance, "a": tree.a, "b": tree.b, "middle": self.prior.middle}
        return {"parent": tree.shape.parent, **numbers, "center": self.center}

    def settings(self) -> dict[str, Any]:
        """Limits, prior and addresses."""
        prior = self.prior
        return {
            "limits": list(self.tree.shape.limits),
            "weights": None if prior.weights is None else list(prior.weights),
            **{name: getattr(prior, name) for name in _NUMBERS},
            "addresses": list(self.addresses),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these arrays and settings; an ``InputError`` for what is no tree."""
        if set(arrays) != {"parent", *_ARRAYS, "middle"}:
            raise InputError(f"expected parents, Gaussians and sticks of a tree, got {', '.join(sorted(arrays))}")
        if set(settings) != {"limits", "weights", "addresses", *_NUMBERS}:
            raise InputError(f"expected limits, prior and addresses of a tree, got {', '.join(sorted(settings))}")
        shape = Shape(arrays["parent"], tuple(settings["limits"]))
        _check_tree(arrays, nodes=len(shape), addresses=len(settings["addresses"]))
        tree = Tree(shape, *(arrays[name] for name in ("mean", "variance", "a", "b")))
        weights = None if settings["weights"] is None else tuple(settings["weights"])
        prior = Prior(weights=weights, middle=arrays["middle"], **{name: settings[name] for name in _NUMBERS})
        return cls(tree, prior, tuple(settings["addresses"]), arrays["center"])


_ARRAYS = ("mean", "variance", "a", "b", "center")  # a row a node
_NUMBERS = ("floor", "diagonal", "gamma", "alpha", "pseudo", "penalty")


def _check_tree(arrays: Mapping[str, np.ndarray], *, nodes: int, addresses: int) -> None:
    parent, mean, variance = arrays["parent"], arrays["mean"], arrays["variance"]
    rows = np.arange(1, nodes)
    if parent.dtype != np.int64 or nodes == 0 or parent[0] != -1 or (parent[1:] < 0).any() or (parent[1:] >= rows).any():
        raise InputError("expected a parent before each node but the first")
    fits = mean.ndim == variance.ndim == 2 and variance.shape[1] in (1, mean.shape[1])
    fits = fits and arrays["middle"].shape == mean.shape[1:] and arrays["center"].shape == mean.shape
    lengths = {len(arrays[name]) for name in _ARRAYS} | {addresses}
    numbers = [arrays[name] for name in (*_ARRAYS, "middle")]
    if not fits or lengths != {nodes} or any(not np.isfinite(array).all() for array in numbers):
        raise InputError("expected finite Gaussians and sticks for each node")
    if not ((variance > 0).all() and (arrays["a"] > 0).all() and (arrays["b"] > 0).all()):
        raise InputError("expected variances and sticks above 0")
