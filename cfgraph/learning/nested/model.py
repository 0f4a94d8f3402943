"""Model: a Gaussian at every node and Beta posteriors of the sticks; what they say of points.

Mass of a node: ``share(i) = share(parent) v_i prod over earlier siblings j of (1 - v_j)``, v ~ Beta(1, gamma) a priori and
Beta(a, b) a posteriori. Expectations are of logarithms: ``E log v = psi(a) - psi(a + b)``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from cfgraph.learning.nested.shape import Shape

NUMBERS = 1 << 21  # of nodes times rows at once
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class Points:
    """Points known up to a Gaussian each: ``N(mean, diag variance)``; without a variance they are exact."""

    mean: Float[np.ndarray, "points dim"]
    variance: Float[np.ndarray, "points dim"] | None = None

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return self.mean.shape[1]

    @property
    def spread(self) -> float:
        """The mean variance of a coordinate, over all points."""
        return float(self.mean.var(axis=0).mean())

    def take(self, chosen: slice | np.ndarray) -> Self:
        """Some of them."""
        return type(self)(self.mean[chosen], None if self.variance is None else self.variance[chosen])

    def squares(self, offset: Float[np.ndarray, " dim"]) -> Float[np.ndarray, "points dim"]:
        """``E (z - offset)^2``, coordinate by coordinate."""
        squares = (self.mean - offset) ** 2
        return squares if self.variance is None else squares + self.variance

    def moments(self, *, diagonal: bool) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " variances"]]:
        """The mean of all and their variance, one for each coordinate or one for all of them."""
        middle = self.mean.mean(axis=0)
        variance = self.squares(middle).mean(axis=0)
        return middle, variance if diagonal else variance.mean(keepdims=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class Prior:
    """What is assumed of all trees; ``weights`` are those of the levels, None where each point has its own."""

    weights: tuple[float, ...] | None
    floor: float  # of variances
    middle: Float[np.ndarray, " dim"]  # where pseudo-points lie
    diagonal: bool = False
    gamma: float = 1.0
    alpha: float = 1.0  # of level proportions
    pseudo: float = 0.0  # pseudo-points at each node
    penalty: float = 0.5  # of a number of a node, in log(points): 1/2 is the minimum description length

    @property
    def pseudo_variance(self) -> float:
        """That of pseudo-points."""
        return 1.0 if self.diagonal else 0.0

    def parameters(self, dimension: int) -> int:
        """How many numbers a node has."""
        return 2 * dimension if self.diagonal else dimension + 1


@dataclass(frozen=True, eq=False)
class Tree:
    """A shape with a Gaussian at each node (variances of one column: isotropic) and a Beta posterior of each stick."""

    shape: Shape
    mean: Float[np.ndarray, "nodes dim"]
    variance: Float[np.ndarray, "nodes variances"] = field(repr=False)
    a: Float[np.ndarray, " nodes"] = field(repr=False)
    b: Float[np.ndarray, " nodes"] = field(repr=False)

    def __len__(self) -> int:
        return len(self.shape)

    def with_sticks(self, ended: Float[np.ndarray, " nodes"], *, gamma: float) -> Self:
        """The same with the sticks of these masses of atoms."""
        a, b = stick_step(self.shape, ended, gamma=gamma)
        return replace(self, a=a, b=b)

    def moved(self, by: Float[np.ndarray, " dim"]) -> Self:
        """The same with all Gaussians moved."""
        return replace(self, mean=self.mean + by)

    @property
    def log_v(self) -> Float[np.ndarray, " nodes"]:
        """``E log v``; 0 where v = 1."""
        from scipy.special import psi

        return np.where(self.shape.certain, 0.0, psi(self.a) - psi(self.a + self.b))

    @property
    def log_rest(self) -> Float[np.ndarray, " nodes"]:
        """``E log (1 - v)``; 0 where v = 1, as nothing comes after that."""
        from scipy.special import psi

        return np.where(self.shape.certain, 0.0, psi(self.b) - psi(self.a + self.b))

    def log_shares(self) -> Float[np.ndarray, " nodes"]:
        """``E log share`` of each node."""
        return _along(self.shape, self.log_v, self.log_rest)

    def log_atoms(self) -> Float[np.ndarray, " atoms"]:
        """``E log pi`` of each atom: the share of its end; of an open end times what its children leave."""
        ends = self.shape.ends
        return (self.log_shares() + np.where(self.shape.open, self.shape.below(self.log_rest), 0.0))[ends]

    def atom_masses(self) -> Float[np.ndarray, " atoms"]:
        """``E pi`` of each atom; they sum to 1."""
        share = self.a / (self.a + self.b)
        certain = self.shape.certain
        log_v = np.where(certain, 0.0, np.log(share))
        log_rest = np.where(certain, 0.0, np.log(self.b / (self.a + self.b)))
        total = _along(self.shape, log_v, log_rest) + np.where(self.shape.open, self.shape.below(log_rest), 0.0)
        return np.exp(total[self.shape.ends])

    def emission_masses(self, weights: Float[np.ndarray, " levels"]) -> Float[np.ndarray, " nodes"]:
        """How likely each node emits a point: the weights are those of the levels, and sum to 1."""
        shape, atoms = self.shape, np.zeros(len(self))
        atoms[shape.ends] = self.atom_masses()
        through = shape.sum_up(atoms.copy())
        rest = 1 - np.cumsum(weights)
        return weights[shape.level] * through + rest[shape.level] * atoms

    def log_densities(self, points: Points) -> Float[np.ndarray, "nodes points"]:
        """``ell = -1/2 sum over j of [log 2 pi sigma_j^2 + (s_j^2 + (m_j - mu_j)^2) / sigma_j^2]``."""
        offset = self.mean[0]  # near the points, so that squares of differences are not those of large numbers
        mean, m, squares = self.mean - offset, points.mean - offset, points.squares(offset)
        precision, width = 1 / self.variance, self.variance.shape[1]
        shared = self.mean.shape[1] // width
        constant = shared * np.log(self.variance).sum(axis=1) + (mean**2 * precision).sum(axis=1) + m.shape[1] * LOG_2PI
        found = (mean * precision) @ m.T
        found -= 0.5 * (precision @ (squares if width > 1 else squares.sum(axis=1, keepdims=True)).T)
        found -= 0.5 * constant[:, None]
        return found


def _along(shape: Shape, log_v: Float[np.ndarray, " nodes"], log_rest: Float[np.ndarray, " nodes"]) -> np.ndarray:
    """Sums along the way from the root: of each node's own, and of what its earlier siblings leave."""
    total = log_v + shape.earlier(log_rest)
    for rows in shape.slices[1:]:
        total[rows] += total[shape.parent[rows]]
    return total


def stick_step(
    shape: Shape, ended: Float[np.ndarray, " nodes"], *, gamma: float
) -> tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"]]:
    """Update 4: ``a_i = 1 + mass through i``, ``b_i = gamma + mass through later siblings + the open end of i's parent``.

    ``ended`` is the mass of the atom that ends at each node, 0 where none does.
    """
    through = shape.sum_up(ended.copy())
    after = shape.below(through)[shape.parent] - through - shape.earlier(through)
    after[0] = 0.0
    left = np.where(shape.open, ended, 0.0)[shape.parent]
    left[0] = 0.0
    return 1 + through, gamma + np.maximum(after, 0.0) + left


def batches(count: int, *, nodes: int) -> Iterator[slice]:
    """Rows in parts, so that a number a node and a row take a bounded part of memory."""
    step = max(1, NUMBERS // max(1, nodes))
    return (slice(low, min(count, low + step)) for low in range(0, count, step))


def ended_of(tree_nodes: int, end: Int[np.ndarray, " points"]) -> Float[np.ndarray, " nodes"]:
    """The masses of atoms where each point takes one for certain."""
    return np.bincount(end, minlength=tree_nodes).astype(np.float64)
