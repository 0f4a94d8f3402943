"""Relaxation: Dasgupta's cost made smooth, by leaves that move along a circle in the Poincare disk (HypHC, arXiv 2010.00402).

Each leaf has an angle, all have one radius. Of three leaves i, j, k the pair whose lowest common ancestor lies deepest
(:mod:`cfgraph.sources.circle` has the formula) is the one that is merged first, softly so at a temperature tau:

    loss = mean over triples of  s_ij + s_ik + s_jk - sum over the pairs of s_pair * softmax(d / tau)_pair
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfgraph.predictors.network import import_torch, one_thread

EPOCHS, TRIPLES, BATCH = 25, 50_000, 512
RATE, TEMPERATURE = 5e-3, 0.05
HALVED_EVERY = 8  # epochs: the rate and the temperature
START = 0.05  # of the angles' two numbers, times a normal one, and of the radius: a step is relative to these
RADII = (1e-2, 1 - 1e-3)
_NEAR_ONE, _NEAR_ZERO = 1 - 1e-12, 1e-12

Similar = Callable[[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]], Float[np.ndarray, " pairs"]]


class Relaxed(NamedTuple):
    """Where the leaves are after an epoch."""

    angle: Float[np.ndarray, " leaves"]
    radius: float
    loss: float  # of the epoch, on average


def relax(similar: Similar, *, leaves: int, epochs: int = EPOCHS, seed: int) -> Iterator[Relaxed]:
    """Move the leaves of a tree along a circle; where they are after each epoch.

    Args:
        similar: the similarities of pairs of leaves.
        leaves: how many there are; three at least.
        epochs: of fresh triples.
        seed: of the first angles and of the triples.

    Raises:
        MissingExtraError: where torch is not installed.
    """
    torch = import_torch(purpose="the relaxed fit")
    random = torch.Generator().manual_seed(seed)
    turn = (START * torch.randn((leaves, 2), generator=random, dtype=torch.float64)).requires_grad_()
    radius = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([turn, radius], lr=RATE)
    for epoch in range(epochs):
        shrunk, losses = 0.5 ** (epoch // HALVED_EVERY), []
        for group in optimiser.param_groups:
            group["lr"] = RATE * shrunk
        with one_thread(torch):
            for triples in _triples(torch, leaves=leaves, random=random):
                optimiser.zero_grad()
                alike = _similarities(torch, similar, triples)
                loss = relaxed_cost(turn[triples], alike, radius=radius, temperature=TEMPERATURE * shrunk)
                loss.backward()
                optimiser.step()
                losses.append(float(loss.detach()))
        found = turn.detach()
        angle = torch.atan2(found[:, 1], found[:, 0]).numpy().copy()
        yield Relaxed(angle, float(radius.detach().clamp(*RADII)), float(np.mean(losses)))


def _triples(torch: Any, *, leaves: int, random: Any) -> Iterator[Any]:
    """An epoch's triples of different leaves, in batches; those drawn with equal ones are left out."""
    for start in range(0, TRIPLES, BATCH):
        drawn = torch.randint(leaves, (min(BATCH, TRIPLES - start), 3), generator=random)
        i, j, k = drawn.T
        different = drawn[(i != j) & (i != k) & (j != k)]
        if len(different):
            yield different


PAIRS = ((0, 1), (0, 2), (1, 2))


def _similarities(torch: Any, similar: Similar, triples: Any) -> Any:
    columns = triples.numpy().T
    return torch.from_numpy(np.stack([similar(columns[one], columns[other]) for one, other in PAIRS], axis=1))


def relaxed_cost(turns: Any, similarity: Any, *, radius: Any, temperature: float) -> Any:
    """The loss of some triples, as the head of this module has it.

    Args:
        turns: (triples x 3 x 2) the two numbers of each leaf of each triple, whose direction is its angle.
        similarity: (triples x 3) of the pairs of each triple, in the order of ``PAIRS``.
        radius: of all leaves, a number that torch can follow.
        temperature: tau.
    """
    torch = import_torch()
    unit = turns / turns.norm(dim=-1, keepdim=True).clamp(min=1e-15)
    r = radius.clamp(*RADII)
    cosine = torch.stack([(unit[:, one] * unit[:, other]).sum(-1) for one, other in PAIRS], dim=1)
    half = ((1 + cosine) / 2).clamp(_NEAR_ZERO, 1).sqrt()
    depth = torch.atanh((2 * r / (1 + r**2) * half).clamp(_NEAR_ZERO, _NEAR_ONE))
    soft = torch.softmax(depth / temperature, dim=1)
    return (similarity.sum(dim=1) - (similarity * soft).sum(dim=1)).mean()
