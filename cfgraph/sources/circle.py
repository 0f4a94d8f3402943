"""The circle: the leaves of a binary tree as points at the rim of the Poincare disk, whose gaps give the tree back.

A leaf stands at an angle, at radius r. Two leaves whose angles differ by t have their lowest common ancestor, on the
geodesic between them, at the distance d from the middle that

    tanh d = 2 r / (1 + r^2) * cos(t / 2)

so the larger the angle, the higher the ancestor: the tree is the single linkage of the angles, read off the gaps between
neighbours once the circle is cut at its largest gap. Source: HypHC, arXiv 2010.00402; the layout of a tree that was found
otherwise: derived, docs/learning.md.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

RADIUS = 1 - 1e-3  # of the leaves of a tree that was laid out rather than learned
CLOSING = 1.05  # times the largest gap that a tree can have: where the circle is cut
_BELOW_ONE = 1 - 1e-12


class Layout(NamedTuple):
    """Where each node lies in the disk; a tree's leaves first, as it numbers them."""

    angle: Float[np.ndarray, " nodes"]  # in [0, 2 pi)
    depth: Float[np.ndarray, " nodes"]  # hyperbolic distance from the middle
    radius: float  # Euclidean, of the leaves

    @property
    def xy(self) -> Float[np.ndarray, "nodes 2"]:
        """``tanh(depth / 2) (cos angle, sin angle)``: within the unit disk."""
        return np.tanh(self.depth / 2)[:, None] * np.stack([np.cos(self.angle), np.sin(self.angle)], axis=1)


def decode(angle: Float[np.ndarray, " leaves"]) -> Int[np.ndarray, "merges 2"]:
    """The binary tree of leaves at angles: ``children[i]`` are those of node ``leaves + i``, merged from small gaps to large.

    Equal gaps are merged in the order of their angles, from the largest gap on.
    """
    order, gaps = cut_circle(angle)
    leaves = len(order)
    owner = list(range(leaves))  # of a run of neighbours, known at its ends: the node that it is
    first, last = list(range(leaves)), list(range(leaves))  # at either end of a run, where its other end is
    node = order.tolist()
    children = []
    for gap in np.argsort(gaps, kind="stable").tolist():
        left, right = owner[gap], owner[gap + 1]
        children.append((node[left], node[right]))
        low, high = first[gap], last[gap + 1]
        node[left] = leaves + len(children) - 1
        owner[low] = owner[high] = left
        first[high], last[low] = low, high
    return np.array(children, dtype=np.int64).reshape(-1, 2)


def cut_circle(angle: Float[np.ndarray, " leaves"]) -> tuple[Int[np.ndarray, " leaves"], Float[np.ndarray, " gaps"]]:
    """The leaves in the order of their angles, from the largest gap on, and the gaps between neighbours."""
    turned = np.mod(angle, 2 * np.pi)
    order = np.argsort(turned, kind="stable")
    gaps = np.diff(turned[order], append=turned[order[0]] + 2 * np.pi)
    start = int(np.argmax(gaps)) + 1
    return np.roll(order, -start), np.roll(gaps, -start)[:-1]


def lay_out(children: Int[np.ndarray, "merges 2"], size: Float[np.ndarray, " nodes"]) -> Layout:
    """The layout that decodes to a tree: neighbours stand ``sqrt(size)`` of their lowest common ancestor apart.

    Args:
        children: of node ``leaves + i``, children before parents; the first child comes first along the circle.
        size: of each node, larger than those of its children.
    """
    order, boundary = _along(children)
    leaves = len(order)
    gaps = np.empty(leaves)
    gaps[boundary] = np.sqrt(size[leaves:])
    gaps[-1] = CLOSING * np.sqrt(size.max())
    gaps *= 2 * np.pi / gaps.sum()
    along = np.concatenate([[0.0], np.cumsum(gaps[:-1])])
    angle = np.empty(leaves)
    angle[order] = along
    return _with_ancestors(angle, along[boundary], gaps[boundary], radius=RADIUS)


def of_learned(angle: Float[np.ndarray, " leaves"], children: Int[np.ndarray, "merges 2"], *, radius: float) -> Layout:
    """The layout that was learned: leaves at their angles, each node between the two leaves at its split."""
    order, boundary = _along(children)
    turned = np.mod(angle, 2 * np.pi)
    along = turned[order]
    gaps = np.mod(np.diff(along), 2 * np.pi)
    return _with_ancestors(turned, along[boundary], gaps[boundary], radius=radius)


def _with_ancestors(
    angle: Float[np.ndarray, " leaves"],
    start: Float[np.ndarray, " merges"],
    gap: Float[np.ndarray, " merges"],
    *,
    radius: float,
) -> Layout:
    rim = 2 * np.arctanh(radius)
    ancestors = np.arctanh(np.clip(2 * radius / (1 + radius**2) * np.cos(gap / 2), 1e-12, _BELOW_ONE))
    middle = np.mod(start + gap / 2, 2 * np.pi)
    depth = np.concatenate([np.full(len(angle), rim), ancestors])
    return Layout(np.concatenate([angle, middle]), depth, float(radius))


def _along(children: Int[np.ndarray, "merges 2"]) -> tuple[Int[np.ndarray, " leaves"], Int[np.ndarray, " merges"]]:
    """The leaves in the tree's order, and for each merge the place in it of the last leaf of its first child."""
    leaves = len(children) + 1
    width = np.ones(leaves + len(children), dtype=np.int64)
    pairs = children.tolist()
    for node, (one, other) in enumerate(pairs, start=leaves):
        width[node] = width[one] + width[other]
    first = np.zeros(len(width), dtype=np.int64)
    for node in range(len(width) - 1, leaves - 1, -1):
        one, other = pairs[node - leaves]
        first[one], first[other] = first[node], first[node] + width[one]
    order = np.empty(leaves, dtype=np.int64)
    order[first[:leaves]] = np.arange(leaves)
    return order, first[leaves:] + width[children[:, 0]] - 1
