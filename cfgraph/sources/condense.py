"""Condense: deep trees made shallow, by the size of their clusters or by the heights of their merges.

Both take a tree whose nodes hold points (leaves do, where nothing else is said), keep some of its nodes, and hang each
point under the lowest node kept above it. Neither recurses, and both take the memory of some columns.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.model.condensed import Selection, follow
from cfgraph.model.dag import Dag
from cfgraph.model.trees import height_lengths, tree_order, tree_parents
from cfgraph.sources.stability import OF_CLUSTERS, condensed_tree, with_stability


def condense(dag: Dag, minimum: int, *, selection: Selection | None = None) -> Dag:
    """The splits of a tree into clusters of at least ``minimum`` points, as HDBSCAN condenses a single linkage.

    Going down from the root, a cluster goes on where at most one child is large enough (the points of the others fall out
    of it), and splits where two or more are; points of smaller children beside such a split fall out there as well. So
    every node of the result is a cluster, and ``node_of_point`` is the cluster that a point leaves last.

    A cluster's name, ``height`` and other columns are those of the node where it ends: where it splits, or falls
    apart. ``size`` counts its points and those of the clusters below. Lengths are height differences, or the sum of
    the lengths on the way. Where each node has a height and none lies above its parent, clusters and points get what
    :mod:`cfgraph.sources.stability` says, by the ``selection``.

    Raises:
        InputError: for what is no tree, and a minimum below 2 or above the number of points.
    """
    parent = tree_parents(dag, purpose="--condense")
    order = tree_order(dag, parent)
    points = _nodes_of_points(dag, parent, order)
    minimum = check_integer(minimum, name="minimum cluster size", low=2, high=max(2, int(np.count_nonzero(points >= 0))))
    large = (_subtree_points(parent, order, points) >= minimum) | (parent < 0)
    heirs = np.flatnonzero(large & (parent >= 0))
    rivals = np.bincount(parent[heirs], minlength=dag.count)
    only = heirs[rivals[parent[heirs]] == 1]
    end = np.arange(dag.count)
    end[parent[only]] = only  # a cluster goes on in its only large child
    owner = follow(end)[follow(np.where(large, np.arange(dag.count), parent))]
    kept = large & (rivals != 1)
    note = f"{dag.count:,} nodes were condensed to {np.count_nonzero(kept):,} clusters of at least {minimum:,} points"
    done = _contract(dag, parent, order, kept=kept, node_of_point=_moved(points, owner), note=note)
    clash = sorted(set(OF_CLUSTERS) & done.columns.keys())
    found = None if clash else condensed_tree(dag, parent, points, minimum=minimum)
    if found is None:
        told = f"stabilities were left out: the tree has attributes called {', '.join(clash)} already"
        return replace(done, notes=(*done.notes, told)) if clash else done
    number = np.full(dag.count, -1)
    number[order[kept[order]]] = np.arange(done.count)
    return with_stability(done, found, node=number[owner[found.start]], selection=selection or Selection())


def cut_levels(dag: Dag, levels: int) -> Dag:
    """A tree cut at ``levels`` heights: as many levels below the root, whose deepest cells hold the points.

    The heights are taken from those of the merges so that the number of clusters grows by the same factor from level to
    level: with n leaves, level l of L has the fewest clusters that are at least ``n ** (l / (L + 1))`` and one more height
    cut than the level above. So every level splits something, and each as much as the others. A cut undoes the merges at
    its height and above; a merge below a higher one (an inversion) counts as high as what it contains, as SciPy's
    ``fcluster`` has it. A cluster that a level leaves whole is one cell, not a chain of them, so branches may be shorter.

    Without a column ``height``, that of a node is the longest way down to a leaf, by lengths or by edges.

    Raises:
        InputError: for what is no tree, and more levels than there are different heights of splits.
    """
    levels = check_integer(levels, name="number of levels", low=1)
    parent = tree_parents(dag, purpose="--levels")
    order = tree_order(dag, parent)
    children = np.bincount(dag.parent, minlength=dag.count)
    reach = _reach(dag, parent, order, leaf=children == 0)
    band = _bands(reach, children=children, roots=int(np.count_nonzero(parent < 0)), levels=levels)
    kept = (parent < 0) | (band > band[parent])
    owner = follow(np.where(kept, np.arange(dag.count), parent))
    points = _nodes_of_points(dag, parent, order)
    note = f"{dag.count:,} nodes were cut at {levels:,} heights, which left {np.count_nonzero(kept):,} cells"
    return _contract(dag, parent, order, kept=kept, node_of_point=_moved(points, owner), note=note)


def _moved(points: Int[np.ndarray, " points"], owner: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " points"]:
    """The owner of each point's node; -1 for a point that lies in none."""
    return np.where(points >= 0, owner[points], -1)


def _nodes_of_points(dag: Dag, parent: np.ndarray, order: Int[np.ndarray, " nodes"]) -> Int[np.ndarray, " points"]:
    """The node of each point; where no data is known each leaf is a point, in the tree's order."""
    if dag.node_of_point is not None:
        return np.asarray(dag.node_of_point)
    leaf = np.bincount(dag.parent, minlength=dag.count) == 0
    return order[leaf[order]]


def _subtree_points(
    parent: Int[np.ndarray, " nodes"], order: Int[np.ndarray, " nodes"], points: Int[np.ndarray, " points"]
) -> Int[np.ndarray, " nodes"]:
    """How many points lie at and below each node."""
    size, above = np.bincount(points[points >= 0], minlength=len(parent)).tolist(), parent.tolist()
    for node in order[::-1].tolist():
        if above[node] >= 0:
            size[above[node]] += size[node]
    return np.array(size, dtype=np.int64)


def _reach(
    dag: Dag, parent: Int[np.ndarray, " nodes"], order: Int[np.ndarray, " nodes"], *, leaf: Bool[np.ndarray, " nodes"]
) -> Float[np.ndarray, " nodes"]:
    """The largest height at and below each node; without heights, the longest way from it down to a leaf."""
    height = dag.columns.get("height")
    if height is not None and np.isnan(height[~leaf]).any():
        raise InputError(
            f"--levels needs the height of every node with children, got {np.isnan(height[~leaf]).sum():,} without"
        )
    step = np.zeros(dag.count)
    if height is None:
        step[dag.child] = 1.0 if dag.length is None else np.nan_to_num(dag.length, nan=1.0)
    reach = np.zeros(dag.count) if height is None else np.where(leaf, 0.0, height)
    above, steps, reached = parent.tolist(), step.tolist(), reach.tolist()
    for node in order[::-1].tolist():
        if above[node] >= 0 and reached[node] + steps[node] > reached[above[node]]:
            reached[above[node]] = reached[node] + steps[node]
    return np.array(reached)


def _bands(
    reach: Float[np.ndarray, " nodes"], *, children: Int[np.ndarray, " nodes"], roots: int, levels: int
) -> Int[np.ndarray, " nodes"]:
    """How many of the cuts lie above each node's merge, so that it is still whole there; all of them above a leaf."""
    splits, inner = children > 1, children > 0
    heights, which = np.unique(-reach[splits], return_inverse=True)  # from the highest to the lowest
    if levels > len(heights):
        raise InputError(
            f"expected at most {len(heights):,} levels, as many as there are different heights at which the tree splits, "
            f"got {levels:,}"
        )
    clusters = roots + np.cumsum(np.bincount(which, weights=children[splits] - 1))
    wanted = roots * (clusters[-1] / roots) ** (np.arange(1, levels + 1) / (levels + 1))
    index = np.arange(levels)
    cut = np.maximum.accumulate(np.searchsorted(clusters, wanted) - index) + index  # each at a height of its own
    cut = np.minimum(cut, len(heights) - levels + index)
    band = np.full(len(reach), levels)
    band[inner] = np.searchsorted(heights[cut], -reach[inner], side="left")
    return band


def _contract(
    dag: Dag,
    parent: Int[np.ndarray, " nodes"],
    order: Int[np.ndarray, " nodes"],
    *,
    kept: Bool[np.ndarray, " nodes"],
    node_of_point: Int[np.ndarray, " points"],
    note: str,
) -> Dag:
    """The tree of the kept nodes, each under the next one above it, in the order of the tree."""
    nodes = order[kept[order]]
    number = np.full(dag.count + 1, -1)  # the last entry is what -1 finds
    number[nodes] = np.arange(len(nodes))
    above, length = _lift(dag, parent, kept=kept)
    child = np.flatnonzero(above[nodes] >= 0)
    upper = number[above[nodes[child]]]
    stale = OF_CLUSTERS if set(OF_CLUSTERS) <= dag.columns.keys() else ()  # they are of the clusters that there were
    columns = {name: column[nodes] for name, column in dag.columns.items() if name not in ("size", "merge", *stale)}
    length = None if length is None else length[nodes[child]]
    notes: tuple[str, ...] = ()
    if dag.lengths == "height" and "height" in columns:
        length, notes = height_lengths(columns["height"], parent=upper, child=child)
    points, tree = number[node_of_point], np.full(len(nodes), -1)
    tree[child] = upper
    columns["size"] = _subtree_points(tree, np.arange(len(nodes)), points)
    names = None if dag.names is None else [dag.names[node] for node in nodes.tolist()]
    lost = sum(name is not None for name in dag.names or ()) - sum(name is not None for name in names or ())
    if lost:
        note += f"; {lost:,} names are of nodes that are cells no more: their points go by their numbers"
    return Dag(
        count=len(nodes),
        parent=upper,
        child=child,
        length=length,
        lengths=dag.lengths,
        names=names if names is not None and any(name is not None for name in names) else None,
        columns=columns,
        node_of_point=points,
        notes=(*dag.notes, note, *notes),
    )


def _lift(
    dag: Dag, parent: Int[np.ndarray, " nodes"], *, kept: Bool[np.ndarray, " nodes"]
) -> tuple[Int[np.ndarray, " nodes"], Float[np.ndarray, " nodes"] | None]:
    """The next kept node above each node (-1 for none), and the lengths on the way to it added up."""
    above = parent.copy()
    way = None
    if dag.length is not None:
        way = np.zeros(dag.count)
        way[dag.child] = dag.length
    while True:
        rows = np.flatnonzero((above >= 0) & ~kept[above])
        if len(rows) == 0:
            return above, way
        through = above[rows]
        if way is not None:
            way[rows] += way[through]
        above[rows] = above[through]
