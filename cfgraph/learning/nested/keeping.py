"""Keeping: how far an autoencoder and its tree are, in a checkpoint, so that a training that was stopped goes on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.learning.checkpoint import Checkpoint
from cfgraph.learning.nested.model import Tree
from cfgraph.learning.nested.shape import Shape
from cfgraph.learning.nested.sweep import Levels
from cfgraph.predictors.network import import_torch

if TYPE_CHECKING:
    from cfgraph.learning.nested.autoencoder import Networks

PHASES = ("plain", "tree")
_NUMBERS = ("mean", "variance", "a", "b")


class Keeper:
    """What is kept of a training of two phases after their epochs; nothing where there is no checkpoint."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._state = None if checkpoint is None else checkpoint.load()
        self.began_with: tuple[str, int] | None = None  # the phase, and how many of its epochs are done, where one goes on
        if self._state is not None:
            phase, done = self._state.get("phase"), self._state.get("done")
            if phase not in PHASES or not isinstance(done, int):
                raise InputError("the checkpoint does not say how far its training is; name another file, or remove this one")
            self.began_with = phase, done

    def resume(self, phase: str, networks: "Networks", optimiser: Any) -> int | None:
        """How many epochs of a phase are done, the networks as they were then; None where a later phase was begun.

        Raises:
            InputError: for a state that does not fit the networks.
        """
        if self._state is None or self.began_with is None:
            return 0
        found, done = self.began_with
        if found != phase:
            return 0 if PHASES.index(found) < PHASES.index(phase) else None
        try:
            networks.restore(self._state["networks"])
            optimiser.load_state_dict(self._state["optimiser"])
            return done
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"the checkpoint does not fit the autoencoder that is trained: {reason}; name another") from error

    def tree(self, limits: tuple[int, ...]) -> tuple[Tree, Levels | None]:
        """The tree of the state that was resumed, and the level weights of points where these are their own."""
        assert self._state is not None
        try:
            held = {name: part.numpy() for name, part in self._state["tree"].items()}
            tree = Tree(Shape(held["parent"], limits), *(held[name] for name in _NUMBERS))
            return tree, Levels(held["weight"], held["t"]) if "weight" in held else None
        except (AttributeError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"the checkpoint holds no tree: {' '.join(str(error).split())[:200]}; name another") from error

    def save(
        self, phase: str, networks: "Networks", optimiser: Any, *, done: int, last: bool, tree: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the state after so many epochs of a phase."""
        if self._checkpoint is None:
            return
        state = {"phase": phase, "done": done, "networks": networks.state(), "optimiser": optimiser.state_dict()}
        self._checkpoint.save({**state, "tree": tree or {}}, last=last)


def tree_state(tree: Tree, levels: Levels | None) -> dict[str, Any]:
    """A tree as torch keeps it."""
    torch = import_torch()
    arrays = {"parent": tree.shape.parent, **{name: getattr(tree, name) for name in _NUMBERS}}
    if levels is not None:
        arrays |= levels._asdict()
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
