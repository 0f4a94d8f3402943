"""Regrafting: subtrees of a binary tree are cut off and put where they cost least, by Dasgupta's cost, until none moves.

Dasgupta's cost of a binary tree is

    C = sum over inner nodes v with children A and B of |v| w(A, B),   w(A, B) = sum of the similarities over A x B.

A subtree X that is cut off and put back above Y (SPR: subtree pruning and regrafting) changes C by the price of its new
place less the saving of the cut. With x = |X|, p the parent of X, r_u the child of u away from X, w_u the w of the two
children of u, and primes for the tree without X:

    saving = |p| w_p + sum over u above p of  x w_u + (|u| - x) w(X, r_u)
    price  = (|Y|' + x) w(X, Y) + sum over u above Y of  x w'_u + (|u|' + x) w(X, r_u)

All summands are at least 0 where similarities are, so the search for Y from the root down leaves out a branch whose sum so
far reaches the best price that is known; nothing is lost by that. The searches of many X go down side by side, a level of
all of them in one step. Each move that they find is priced again when it is its turn, for the tree that is there by then.

The cost: Dasgupta, arXiv 1510.05043. The search: derived, docs/learning.md.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

PASSES = 50
FEW_LEAVES = 5_000  # up to so many, passes go on until they gain next to nothing
GAIN, COARSE_GAIN = 1e-7, 1e-5  # of the cost; a pass that gains less is the last one
ROUNDING = 1e-9  # of a price
CHUNK_MIN, CHUNK_MAX = 16, 4_096  # subtrees whose places are looked for side by side
CHUNKS = 16  # of a pass, at least: later ones see what was moved before
ROWS = 1 << 16  # of a table, worked on at once

Say = Callable[[str], None]


class Regrafted(NamedTuple):
    """A tree, what it costs, and what it cost before."""

    children: Int[np.ndarray, "merges 2"]  # of node leaves + i, in any order
    cost: float
    before: float
    passes: int


class Similarities(Protocol):
    """What is known of leaves: a row each, rows that are added up are those of sets, and ``w`` is linear in both."""

    rows: Float[np.ndarray, "leaves columns"]

    def pairs(self, tree: "_Tree", some: Int[np.ndarray, " pairs"], others: Int[np.ndarray, " pairs"]) -> np.ndarray:
        """``w`` of pairs of nodes."""

    def beside(self, tree: "_Tree", node: int, others: Int[np.ndarray, " nodes"]) -> Float[np.ndarray, " nodes"]:
        """``w`` of one node with each of some others."""

    def searched(self, tree: "_Tree", some: Int[np.ndarray, " some"]) -> "Weigh":
        """What gives ``w`` of ``some[i]`` and a node, for arrays of ``i`` and of nodes, while the tree stays as it is."""


Weigh = Callable[[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]], Float[np.ndarray, " pairs"]]


class FeatureSimilarities:
    """``w(A, B) = Phi_A . Phi_B``, Phi of a set the sum of its rows: exact in O(n d) wherever s = phi . phi."""

    def __init__(self, rows: Float[np.ndarray, "leaves columns"]):
        self.rows = rows

    def pairs(self, tree: "_Tree", some: Int[np.ndarray, " pairs"], others: Int[np.ndarray, " pairs"]) -> np.ndarray:
        """See :class:`Similarities`."""
        return np.einsum("pd,pd->p", tree.sums[some], tree.sums[others])

    def beside(self, tree: "_Tree", node: int, others: Int[np.ndarray, " nodes"]) -> Float[np.ndarray, " nodes"]:
        """See :class:`Similarities`."""
        return tree.sums[others] @ tree.sums[node]

    def searched(self, tree: "_Tree", some: Int[np.ndarray, " some"]) -> Weigh:
        """See :class:`Similarities`."""
        return lambda i, nodes: self.pairs(tree, some[i], nodes)


class MatrixSimilarities:
    """Similarities as they stand in a symmetric matrix: ``w(A, B)`` is the sum over A x B; O(n^2), whatever they are."""

    def __init__(self, rows: Float[np.ndarray, "leaves leaves"]):
        self.rows = rows

    def pairs(self, tree: "_Tree", some: Int[np.ndarray, " pairs"], others: Int[np.ndarray, " pairs"]) -> np.ndarray:
        """See :class:`Similarities`."""
        weigh = self.searched(tree, some)
        return weigh(np.arange(len(some)), others)

    def beside(self, tree: "_Tree", node: int, others: Int[np.ndarray, " nodes"]) -> Float[np.ndarray, " nodes"]:
        """See :class:`Similarities`."""
        return tree.sums[others[:, None], np.array(tree.leaves_below(node))].sum(axis=1)

    def searched(self, tree: "_Tree", some: Int[np.ndarray, " some"]) -> Weigh:
        """See :class:`Similarities`: sums over what lies below a node are differences of sums along the tree's leaves."""
        first, last, order = tree.intervals()
        sums = np.zeros((len(some), len(order) + 1))
        np.cumsum(tree.sums[np.ix_(some, order)], axis=1, out=sums[:, 1:])
        return lambda i, nodes: sums[i, last[nodes]] - sums[i, first[nodes]]


def regraft(
    children: Int[np.ndarray, "merges 2"],
    similarities: Similarities,
    *,
    sizes: Int[np.ndarray, " leaves"] | None = None,
    passes: int = PASSES,
    random: np.random.Generator,
    say: Say = lambda line: None,
) -> Regrafted:
    """The tree after so many passes over all its subtrees, or after the first that gains next to nothing.

    Args:
        children: of node ``leaves + i``; leaves are numbered first.
        similarities: of the leaves.
        sizes: how many points each leaf stands for; one unless given.
        passes: at most; 0 leaves the tree as it is, and tells its cost.
        random: the order in which subtrees are tried.
        say: is told of each pass.
    """
    tree = _Tree(children, similarities, sizes=sizes)
    before = cost = tree.cost
    least = GAIN if tree.leaves <= FEW_LEAVES else COARSE_GAIN
    for number in range(passes):
        moved = _pass(tree, random)
        tree.add_up()
        gained, cost = cost - tree.cost, tree.cost
        say(f"pass {number + 1}: {moved:,} subtrees moved, cost {cost:.7g}, {gained / (cost or 1):.1e} of it gained")
        if gained < least * cost:
            return Regrafted(tree.children, cost, before, number + 1)
    return Regrafted(tree.children, cost, before, passes)


def tree_levels(children: Int[np.ndarray, "merges 2"], *, root: int) -> Iterator[Int[np.ndarray, " inner"]]:
    """The inner nodes of a binary tree, level by level from its root."""
    leaves = len(children) + 1
    level = np.array([root] if len(children) else [], dtype=np.int64)
    while len(level):
        yield level
        below = children[level - leaves].reshape(-1)
        level = below[below >= leaves]


def tree_cost(
    children: Int[np.ndarray, "merges 2"], similarities: Similarities, *, sizes: Int[np.ndarray, " leaves"] | None = None
) -> Float[np.ndarray, " merges"]:
    """Each merge's share ``|v| w(A, B)`` of Dasgupta's cost: exact, in O(n d) for features."""
    tree = _Tree(children, similarities, sizes=sizes)
    return (tree.size * tree.weight)[tree.leaves :]


class _Tree:
    """A binary tree that changes, with the size of each node, the sum of its rows, and the w of its children."""

    def __init__(self, children: np.ndarray, similarities: Similarities, *, sizes: np.ndarray | None = None):
        self.leaves = len(children) + 1
        self.count = self.leaves + len(children)
        self.similarities = similarities
        self.child = np.full((self.count, 2), -1, dtype=np.int64)
        self.child[self.leaves :] = children
        self.parent = np.full(self.count, -1, dtype=np.int64)
        self.parent[children] = np.arange(self.leaves, self.count)[:, None]
        self.root = int(np.flatnonzero(self.parent < 0)[0])
        self.size, self.weight = np.ones(self.count), np.zeros(self.count)
        self.size[: self.leaves] = 1 if sizes is None else sizes
        columns = similarities.rows.shape[1]
        self.sums = np.empty((self.count, columns))
        self.sums[: self.leaves] = similarities.rows
        self._rows = max(1, ROWS * 32 // columns)
        self.add_up()

    @property
    def children(self) -> Int[np.ndarray, "merges 2"]:
        """The children of node ``leaves + i``."""
        return self.child[self.leaves :]

    @property
    def cost(self) -> float:
        """Dasgupta's."""
        return float(self.size @ self.weight)

    def levels(self) -> Iterator[Int[np.ndarray, " inner"]]:
        """The inner nodes, level by level from the root."""
        return tree_levels(self.children, root=self.root)

    def add_up(self) -> None:
        """Sizes, sums and w anew from the leaves: what was added and taken off drifts."""
        for level in reversed(list(self.levels())):
            for start in range(0, len(level), self._rows):
                nodes = level[start : start + self._rows]
                one, other = self.child[nodes].T
                self.size[nodes] = self.size[one] + self.size[other]
                self.sums[nodes] = self.sums[one] + self.sums[other]
        for start in range(self.leaves, self.count, self._rows):
            nodes = np.arange(start, min(start + self._rows, self.count))
            self.weight[nodes] = self.similarities.pairs(self, *self.child[nodes].T)

    def siblings(self, nodes: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " nodes"]:
        """The other child of each one's parent."""
        pairs = self.child[self.parent[nodes]]
        return np.where(pairs[:, 0] == nodes, pairs[:, 1], pairs[:, 0])

    def intervals(self) -> tuple[Int[np.ndarray, " nodes"], Int[np.ndarray, " nodes"], Int[np.ndarray, " leaves"]]:
        """The leaves below each node are ``order[first[node] : last[node]]``."""
        width = np.ones(self.count, dtype=np.int64)
        levels = list(self.levels())
        for level in reversed(levels):
            width[level] = width[self.child[level]].sum(axis=1)
        first = np.zeros(self.count, dtype=np.int64)
        for level in levels:
            one, other = self.child[level].T
            first[one] = first[level]
            first[other] = first[level] + width[one]
        order = np.empty(self.leaves, dtype=np.int64)
        order[first[: self.leaves]] = np.arange(self.leaves)
        return first, first + width, order

    def leaves_below(self, node: int) -> list[int]:
        """The leaves below one node, in some order."""
        found, stack = [], [node]
        while stack:
            node = stack.pop()
            if node < self.leaves:
                found.append(node)
            else:
                stack += self.child[node].tolist()
        return found

    def above(self, node: int) -> list[int]:
        """The nodes above one, from its parent to the root."""
        found, node = [], int(self.parent[node])
        while node >= 0:
            found.append(node)
            node = int(self.parent[node])
        return found

    def replace(self, old: int, new: int) -> None:
        """Hang a node where another one hangs."""
        parent = int(self.parent[old])
        self.parent[new] = parent
        if parent < 0:
            self.root = new
        else:
            self.child[parent, int(self.child[parent, 1] == old)] = new


def _pass(tree: _Tree, random: np.random.Generator) -> int:
    """Try to move every subtree, in random order; how many moved."""
    order, moved = random.permutation(tree.count), 0
    at_once = min(max(tree.count // CHUNKS, CHUNK_MIN), CHUNK_MAX, max(1, ROWS * 256 // tree.sums.shape[1]))
    for start in range(0, len(order), at_once):
        some = order[start : start + at_once]
        some = some[some != tree.root]
        if len(some):
            gain, place = _best_places(tree, some)
            found = np.flatnonzero(place >= 0)
            found = found[np.argsort(-gain[found], kind="stable")]
            pairs = zip(some[found].tolist(), place[found].tolist(), strict=True)
            moved += sum(_move(tree, node, above) for node, above in pairs)
    return moved


def _savings(tree: _Tree, some: Int[np.ndarray, " some"], weigh: Weigh) -> Float[np.ndarray, " some"]:
    """What cutting each of some subtrees off saves."""
    size, node, i = tree.size[some], tree.parent[some], np.arange(len(some))
    saving = tree.size[node] * tree.weight[node]
    while True:
        lower = tree.parent[node] >= 0
        i, node = i[lower], node[lower]
        if len(i) == 0:
            return saving
        away, node = tree.siblings(node), tree.parent[node]
        saving[i] += size[i] * tree.weight[node] + (tree.size[node] - size[i]) * weigh(i, away)


def _best_places(tree: _Tree, some: Int[np.ndarray, " some"]) -> tuple[Float[np.ndarray, " some"], Int[np.ndarray, " some"]]:
    """Above which node each of some subtrees costs least, -1 for where it is, and what it gains there."""
    weigh = tree.similarities.searched(tree, some)
    first, last, _ = tree.intervals()
    size, parent, sibling, middle = tree.size[some], tree.parent[some], tree.siblings(some), first[some]
    own = tree.similarities.pairs(tree, some, some)
    saving = _savings(tree, some, weigh)
    best, place = saving * (1 - ROUNDING), np.full(len(some), -1, dtype=np.int64)

    def holds(node: np.ndarray, i: np.ndarray) -> Bool[np.ndarray, " pairs"]:
        return (first[node] <= middle[i]) & (middle[i] < last[node])

    # A search is at a node whose part of the price is known; `inside` says that the subtree lies below that node now, and is
    # to be left out of it. The subtree's parent is not there without it: the sibling is in its place.
    i = np.arange(len(some))
    node = np.where(parent == tree.root, sibling, tree.root)
    inside = holds(node, i)
    so_far, weight = np.zeros(len(some)), weigh(i, node) - inside * own
    while len(i):
        there = tree.size[node] - inside * size[i]
        _keep_best(best, place, i, node, so_far + (there + size[i]) * weight)
        on = (node >= tree.leaves) & (so_far < best[i])
        i, node, inside, so_far, there = i[on], node[on], inside[on], so_far[on], there[on]
        below = tree.child[node]
        taken_off = below == parent[i, None]
        below = np.where(taken_off, sibling[i, None], below)
        within = inside[:, None] & ~taken_off & (first[below] <= middle[i, None]) & (middle[i, None] < last[below])
        weights = np.stack([weigh(i, below[:, 0]), weigh(i, below[:, 1])], axis=1) - within * own[i, None]
        # What an ancestor's own w loses is w with the child away from the subtree.
        lost = np.where((within | taken_off)[:, 0], weights[:, 1], weights[:, 0])
        step = size[i] * (tree.weight[node] - inside * lost)
        down = (so_far + step)[:, None] + (there + size[i])[:, None] * weights[:, ::-1]
        near = down < best[i, None]
        i, node, inside = np.broadcast_to(i[:, None], near.shape)[near], below[near], within[near]
        so_far, weight = down[near], weights[near]
    return saving - np.where(place >= 0, best, saving), place


def _keep_best(best: np.ndarray, place: np.ndarray, i: np.ndarray, node: np.ndarray, price: np.ndarray) -> None:
    """Keep, for each search, the best price so far and where it is; ``i`` is sorted."""
    starts = np.flatnonzero(np.concatenate([[True], i[1:] != i[:-1]]))
    low, which = np.minimum.reduceat(price, starts), i[starts]
    better = low < best[which]
    best[which[better]] = low[better]
    hits = np.flatnonzero(price == best[i])[::-1]  # the first of equals is written last
    place[i[hits]] = node[hits]


def _move(tree: _Tree, node: int, place: int) -> bool:
    """Put a subtree above another node if that gains, as the tree is now; whether it did."""
    if node == tree.root:
        return False
    above = tree.above(node)
    parent, above = above[0], above[1:]
    way = [up for up in tree.above(place) if up != parent]
    if place in (node, parent) or node in way:
        return False
    sibling = int(tree.siblings(np.array([node]))[0])
    size, up = tree.size[node], np.array(above, dtype=np.int64)
    lost = tree.similarities.beside(tree, node, tree.siblings(np.array([parent, *above[:-1]])) if above else up)
    saving = tree.size[parent] * tree.weight[parent] + (size * tree.weight[up] + (tree.size[up] - size) * lost).sum()
    # The price: of what lies above both, the subtree is left out first.
    on, rank = np.array(way, dtype=np.int64), {other: number for number, other in enumerate(above)}
    away = _away(tree, place, way, parent=parent, sibling=sibling)
    beside = tree.similarities.beside(tree, node, np.array([*away, place, node]))
    beside[:-1] -= beside[-1] * np.array([other in rank for other in [*away, place]])
    shared = np.array([rank.get(other, -1) for other in way], dtype=np.int64)
    there = tree.size[on] - size * (shared >= 0)
    weight = tree.weight[on] - (np.where(shared >= 0, lost[shared], 0.0) if len(lost) else 0.0)
    below = tree.size[place] - size * (place in rank)
    price = (size * weight + (there + size) * beside[:-2]).sum() + (below + size) * beside[-2]
    if saving - price <= ROUNDING * price:
        return False
    tree.replace(parent, sibling)
    tree.size[up] -= size
    tree.weight[up] -= lost
    tree.sums[up] -= tree.sums[node]
    tree.replace(place, parent)
    tree.child[parent] = place, node
    tree.parent[[place, node]] = parent
    tree.size[on] += size
    tree.weight[on] += beside[:-2]
    tree.sums[on] += tree.sums[node]
    tree.size[parent], tree.weight[parent] = below + size, beside[-2]
    tree.sums[parent] = tree.sums[place] + tree.sums[node]
    return True


def _away(tree: _Tree, place: int, way: list[int], *, parent: int, sibling: int) -> list[int]:
    """Of each node on the way up from a place the child away from it; the sibling is in its parent's place."""
    found, below = [], place
    for up in way:
        one, other = (sibling if child == parent else child for child in tree.child[up].tolist())
        found.append(other if one == below else one)
        below = up
    return found
