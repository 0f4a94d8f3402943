"""Trees: a dag in which each node has one parent at most, and the order in which its nodes are met."""

import numpy as np
from jaxtyping import Float, Int

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.model.dag import Dag, check_cycles


def tree_parents(dag: Dag, *, purpose: str) -> Int[np.ndarray, " nodes"]:
    """The parent of each node, -1 for a root; an ``InputError`` that names the ``purpose`` where one has several."""
    several = np.flatnonzero(np.bincount(dag.child, minlength=dag.count) > 1)
    if len(several):
        raise InputError(
            f"{purpose} needs a tree, got {len(several):,} of {dag.count:,} nodes with several parents, "
            f"first {dag.label(int(several[0]))}; leave all parents but one out"
        )
    parent = np.full(dag.count, -1, dtype=np.int64)
    parent[dag.child] = dag.parent
    return parent


def tree_order(dag: Dag, parent: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " nodes"]:
    """The nodes of a dag that is a tree (or several), each before its children, a subtree in one piece, siblings by slot.

    Raises:
        InputError: for a cycle, which it shows.
    """
    slot = np.zeros(dag.count, dtype=np.int64)
    slot[dag.child] = np.arange(len(dag.child))
    order = preorder(parent, slot=slot)
    if len(order) < dag.count:
        check_cycles(dag)
    return order


def preorder(parent: Int[np.ndarray, " nodes"], *, slot: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " reached"]:
    """The nodes that hang under roots, each before its children, a subtree in one piece, siblings (and roots) by ``slot``.

    Without recursion, so for trees of any depth; what hangs under a cycle is left out.
    """
    below = np.lexsort((-slot, parent))  # siblings backwards, since the stack gives back what came last
    start = np.searchsorted(parent[below], np.arange(-1, len(parent) + 1)).tolist()
    below = below.tolist()
    order: list[int] = []
    stack = below[start[0] : start[1]]
    while stack:
        node = stack.pop()
        order.append(node)
        first, last = start[node + 1], start[node + 2]
        if first < last:
            stack += below[first:last]
    return np.array(order, dtype=np.int64)


def cut_merges(children: Int[np.ndarray, "merges 2"], *, clusters: int) -> Int[np.ndarray, " leaves"]:
    """The cluster of each leaf when the last ``clusters - 1`` merges are undone, numbered by their lowest leaves.

    Merge i makes the node ``leaves + i``, as SciPy numbers them.

    Raises:
        InputError: for a number of clusters that is not between 1 and the number of leaves.
    """
    leaves = len(children) + 1
    clusters = check_integer(clusters, name="number of clusters", low=1, high=leaves)
    kept = len(children) - (clusters - 1)
    top = np.arange(leaves + len(children))
    for merge in range(kept - 1, -1, -1):
        top[children[merge]] = top[leaves + merge]
    _, first, label = np.unique(top[:leaves], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label]


def height_lengths(
    height: Float[np.ndarray, " nodes"], *, parent: Int[np.ndarray, " edges"], child: Int[np.ndarray, " edges"]
) -> tuple[Float[np.ndarray, " edges"], tuple[str, ...]]:
    """``height[parent] - height[child]``, 0 where that is negative, and a note of how often it was."""
    difference = height[parent] - height[child]
    inverted = int(np.count_nonzero(difference < 0))
    notes = (f"{inverted:,} nodes lie higher than what they are merged into; those edges have length 0",) if inverted else ()
    return np.maximum(difference, 0.0), notes
