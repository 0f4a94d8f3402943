"""Objects: trees of fitted Python objects as dags: scikit-learn's and hdbscan's estimators, networkx graphs, linkages.

Nothing here imports their libraries: an object is told by the name of its class, and read by its fitted attributes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.formats.linkage import linkage_dag, merges_dag
from cfgraph.model.dag import Dag
from cfgraph.model.trees import height_lengths
from cfgraph.sources.condense import condense
from cfgraph.sources.graph import graph_dag


def object_dag(thing: Any, *, names: Sequence[str | None] | None = None) -> Dag:
    """The dag of a fitted estimator, a networkx DiGraph or a linkage matrix; ``names`` are those of the data's points.

    Raises:
        InputError: for an object of another class, one that is not fitted, and another number of names than points.
    """
    if isinstance(thing, Dag):
        return thing
    if isinstance(thing, np.ndarray):
        return linkage_dag(thing, names=names)
    found = next((_READERS[kind.__name__] for kind in type(thing).__mro__ if kind.__name__ in _READERS), None)
    if found is not None:
        return found(thing, names)
    if callable(getattr(thing, "is_directed", None)):
        return graph_dag(thing)
    raise InputError(
        f"expected a fitted {', '.join(_READERS)}, a networkx DiGraph or a linkage matrix, got {type(thing).__name__}"
    )


def agglomerative_dag(model: Any, names: Sequence[str | None] | None = None) -> Dag:
    """The merges of scikit-learn's ``AgglomerativeClustering``, with heights where it kept its distances.

    ``compute_distances=True``, or a ``distance_threshold``, makes it keep them. Where it stopped early (with a
    ``connectivity``) there are several roots.
    """
    children = np.asarray(_fitted(model, "children_"), dtype=np.int64)
    points = int(_fitted(model, "n_leaves_"))
    _check_points(names, points=points)
    height = getattr(model, "distances_", None)
    height = None if height is None else np.asarray(height, dtype=np.float64)
    return merges_dag(children, points=points, height=height, names=names)


def bisecting_dag(model: Any, names: Sequence[str | None] | None = None) -> Dag:
    """The splits of scikit-learn's ``BisectingKMeans``: its clusters are the leaves, and hold the points.

    The tree is a private attribute of the estimator, so another version may lack it; then an error says so. Names are
    those of points, which are no nodes here, and are not kept.
    """
    labels = np.asarray(_fitted(model, "labels_"), dtype=np.int64)
    _check_points(names, points=len(labels))
    nodes, edges = _walk(getattr(model, "_bisecting_tree", None))
    leaves = np.flatnonzero([node.left is None for node in nodes])
    if len(leaves) != labels.max() + 1:
        raise _strange(model)
    points = leaves[labels]  # the clusters are numbered as the leaves stand in the tree
    parent, child = (np.array(edges, dtype=np.int64).reshape(-1, 2)).T
    size = np.bincount(points, minlength=len(nodes))
    for above, below in edges[::-1]:  # each parent comes before its children
        size[above] += size[below]
    return Dag(count=len(nodes), parent=parent, child=child, columns={"size": size}, node_of_point=points)


def _walk(root: Any) -> tuple[list[Any], list[tuple[int, int]]]:
    """The nodes of a tree of objects with ``left`` and ``right``, from left to right, and its edges."""
    nodes: list[Any] = []
    edges: list[tuple[int, int]] = []
    stack = [(-1, root)]
    while stack:
        above, node = stack.pop()
        if not (hasattr(node, "left") and hasattr(node, "right")):
            raise _strange(node)
        if above >= 0:
            edges.append((above, len(nodes)))
        if node.left is not None:
            stack += (len(nodes), node.right), (len(nodes), node.left)
        nodes.append(node)
    return nodes, edges


def _strange(thing: Any) -> InputError:
    return InputError(
        f"expected the tree that scikit-learn 1.1 to 1.9 keep in BisectingKMeans._bisecting_tree, got {type(thing).__name__}; "
        "this version keeps another: make the hierarchy with `cfgraph ingest points --arity 2` instead"
    )


def hdbscan_dag(model: Any, names: Sequence[str | None] | None = None) -> Dag:
    """The condensed tree of an ``HDBSCAN``, of the library of that name or of scikit-learn.

    Its clusters are the nodes, with ``size`` and ``height``: the distance (1 / lambda) at which a cluster splits or falls
    apart. ``node_of_point`` is the cluster that a point leaves last. scikit-learn keeps the single linkage alone, which is
    condensed here by the estimator's ``min_cluster_size``. Names are those of points, which are no nodes here.
    """
    if hasattr(model, "condensed_tree_"):
        dag = condensed_dag(model.condensed_tree_)
    else:
        rows = _fitted(model, "_single_linkage_tree_")
        Z = np.column_stack([np.asarray(rows[name], dtype=np.float64) for name in rows.dtype.names])
        if np.isinf(Z).any():
            raise InputError(
                "expected data without missing or infinite values under HDBSCAN; leave such rows out and fit again"
            )
        dag = condense(linkage_dag(Z, where="HDBSCAN's single linkage"), model.min_cluster_size)
    _check_points(names, points=0 if dag.node_of_point is None else len(dag.node_of_point))
    return dag


def condensed_dag(tree: Any) -> Dag:
    """The clusters of hdbscan's ``CondensedTree``, or of the rows that its ``to_numpy()`` gives.

    Rows have ``parent``, ``child``, ``lambda_val`` and ``child_size``; points are the numbers below the smallest parent,
    which is the root.
    """
    rows = tree.to_numpy() if hasattr(tree, "to_numpy") else np.asarray(tree)
    wanted = ("parent", "child", "lambda_val", "child_size")
    if rows.dtype.names is None or len(rows) == 0 or not set(wanted) <= set(rows.dtype.names):
        raise InputError(f"expected a condensed tree of rows with {', '.join(wanted)}, got {rows.dtype}")
    upper, lower = rows["parent"].astype(np.int64), rows["child"].astype(np.int64)
    root = int(upper.min())
    is_point, count = lower < root, int(max(upper.max(), lower.max())) - root + 1
    points = np.full(root, -1)
    points[lower[is_point]] = upper[is_point] - root
    parent, child = upper[~is_point] - root, lower[~is_point] - root
    height = _heights(rows["lambda_val"].astype(np.float64), upper - root, count=count)
    length, notes = height_lengths(height, parent=parent, child=child)
    size = np.bincount(points[points >= 0], minlength=count)
    np.add.at(size, parent, rows["child_size"].astype(np.int64)[~is_point])
    return Dag(
        count=count,
        parent=parent,
        child=child,
        length=length,
        lengths="height",
        columns={"height": height, "size": size},
        node_of_point=points,
        notes=notes,
    )


def _heights(
    density: Float[np.ndarray, " rows"], cluster: Int[np.ndarray, " rows"], *, count: int
) -> Float[np.ndarray, " clusters"]:
    """One over the largest lambda at which anything leaves a cluster: where it ends. 0 for an infinite one."""
    last = np.zeros(count)
    np.maximum.at(last, cluster, density)
    with np.errstate(divide="ignore"):
        return np.where(last > 0, 1.0 / last, 0.0)


def _fitted(model: Any, attribute: str) -> Any:
    value = getattr(model, attribute, None)
    if value is None:
        raise InputError(f"expected a fitted {type(model).__name__}, got one without {attribute}; call its fit first")
    return value


def _check_points(names: Sequence[str | None] | None, *, points: int) -> None:
    if names is not None and len(names) != points:
        raise InputError(f"expected {points:,} names, one for each point, got {len(names):,}")


_READERS: dict[str, Callable[[Any, Sequence[str | None] | None], Dag]] = {
    "AgglomerativeClustering": agglomerative_dag,
    "BisectingKMeans": bisecting_dag,
    "HDBSCAN": hdbscan_dag,
    "CondensedTree": lambda tree, names: condensed_dag(tree),
}
