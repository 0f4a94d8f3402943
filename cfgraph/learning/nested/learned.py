"""Learned: a nested-CRP tree with what encodes data for it; asked of new data where they lie and what cells look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.learning.encoders import NestedTree, Pipeline, Variational, load_encoder
from cfgraph.learning.nested.likelihood import Mixture, negative_log_likelihood
from cfgraph.learning.nested.model import Points, batches
from cfgraph.learning.nested.sweep import Levels, level_step, level_weights, path_step, through_nodes
from cfgraph.model.encoder import Encoder

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ROUNDS = 20  # of updates 1 to 3 of new rows, where each has its own level weights

Rows = Float[np.ndarray, "points columns"]


@dataclass(frozen=True, eq=False)
class Applied:
    """Where rows lie: the node of the most probable way, and the probability of the ways through each node.

    ``weight`` holds the probability of each level; None where the levels' weights are fixed.
    """

    node: Int[np.ndarray, " points"]
    probability: Float[np.ndarray, "points nodes"]
    weight: Float[np.ndarray, "points levels"] | None
    addresses: tuple[str, ...]  # of the nodes

    @property
    def address(self) -> list[str]:
        """The address of the cell that each row lies in."""
        return [self.addresses[node] for node in self.node.tolist()]


@dataclass(frozen=True, eq=False)
class LearnedTree:
    """What a tree was learned by, ready for new data; ``of`` makes it of the record that a hierarchy is kept with.

    :meth:`apply` asks for the most probable way, variances and masses counted. The nearest center
    (:func:`cfgraph.metric.locate.locate`) is another question, and its answer may differ.
    """

    steps: Pipeline
    nested: NestedTree

    @classmethod
    def of(cls, record: Encoder) -> Self:
        """The tree of a record; an ``InputError`` where it holds none."""
        pipeline = load_encoder(record)
        if not isinstance(pipeline.last, NestedTree):
            raise InputError("this encoder is of no nested-CRP tree; `cfgraph ingest hcrl` makes one")
        return cls(pipeline, pipeline.last)

    def encode(self, rows: "Rows | csr_array") -> Points:
        """Rows where the centers are; of an autoencoder with their variances."""
        *before, last = self.steps.steps[:-1] or (None,)
        if not isinstance(last, Variational):
            return Points(self.steps.encode(rows))
        return last.posterior(Pipeline((*before, last)).encode_to(rows, step=len(before)))

    def apply(self, rows: "Rows | csr_array") -> Applied:
        """Where rows lie, by update 1 in closed form; of free levels by updates 1 to 3 of the rows alone.

        Raises:
            InputError: for rows of another number of columns, or that are not finite.
        """
        points, tree, prior = self.encode(rows), self.nested.tree, self.nested.prior
        node, probability = np.empty(len(points), dtype=np.int64), np.empty((len(points), len(tree)))
        levels = None
        if prior.weights is None:
            levels = Levels.even(tree.shape, points=len(points), alpha=prior.alpha)
        for part in batches(len(points), nodes=len(tree)):
            density, weight = tree.log_densities(points.take(part)), level_weights(prior, levels, part)
            path, _ = path_step(tree, density, weight)
            for _ in range(ROUNDS if levels is not None else 0):
                assert levels is not None
                weight = level_step(tree.shape, density, path, through_nodes(tree.shape, path), levels.t[:, part])
                levels.weight[:, part], levels.t[:, part] = weight, prior.alpha + weight
                path, _ = path_step(tree, density, weight)
            node[part] = tree.shape.ends[path.argmax(axis=0)]
            probability[part] = through_nodes(tree.shape, path).T
        return Applied(node, probability, None if levels is None else levels.weight.T.copy(), self.nested.addresses)

    def transform(self, rows: Rows, *, levels: bool = False) -> Float[np.ndarray, "points features"]:
        """Rows where the centers are, and if asked for the probability of each level as columns more.

        Raises:
            InputError: as :meth:`apply`, and for levels whose weights are fixed, which say nothing of a row.
        """
        found = self.encode(rows).mean
        if not levels:
            return found
        weight = self.apply(rows).weight
        if weight is None:
            raise InputError("levels say something of a row where their weights are free; learn the tree with --levels free")
        return np.hstack([found, weight])

    def negative_log_likelihood(self, rows: Rows) -> Float[np.ndarray, " points"]:
        """``-log p`` of each row, in nats; of rows that the tree was not learned from it says how well it explains them.

        The tree as the mixture that it is once ways are summed over; of an autoencoder from 100 draws a row. The density is of
        rows as they come to the tree, or to the autoencoder: standardised, projected, where the data were.

        Raises:
            InputError: as :meth:`apply`.
        """
        mixture = Mixture.of_tree(self.nested.tree, self.nested.prior)
        *before, last = self.steps.steps[:-1] or (None,)
        if isinstance(last, Variational):
            return negative_log_likelihood(last, mixture, self.steps.encode_to(rows, step=len(before)))
        return -mixture.log_density(self.steps.encode(rows))

    def reconstruct(self, address: str) -> Float[np.ndarray, " columns"]:
        """What a cell looks like among the data: its center through all steps backwards.

        Raises:
            InputError: for an address that no cell has, and a step that has no way back.
        """
        found: Float[np.ndarray, " columns"] = self.reconstruct_all([address])[0]
        return found

    def reconstruct_all(self, addresses: Sequence[str]) -> Float[np.ndarray, "cells columns"]:
        """The same of several cells, a row each, for :func:`cfgraph.plots.plot_reconstructions` as images."""
        place = {address: node for node, address in enumerate(self.nested.addresses)}
        if unknown := [address for address in addresses if address not in place]:
            raise InputError(f"expected the address of a cell, such as {self.nested.addresses[-1]}, got {unknown[0]!r}")
        return self.steps.decode(self.nested.center[[place[address] for address in addresses]])
