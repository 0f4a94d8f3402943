"""Objects: trees of fitted Python objects as dags: scikit-learn's and hdbscan's estimators, networkx graphs, linkages.

Nothing here imports their libraries: an object is told by the name of its class, and read by its fitted attributes. Trees of
other libraries, node by node, are in :mod:`cfgraph.sources.tree_objects`, which is asked last.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.formats.linkage import linkage_dag, merges_dag
from cfgraph.formats.nested_json import nested_dag
from cfgraph.formats.newick import TreeRules
from cfgraph.model.condensed import Selection, tree_of_rows
from cfgraph.model.dag import Dag
from cfgraph.model.trees import height_lengths
from cfgraph.sources.condense import condense
from cfgraph.sources.graph import graph_dag
from cfgraph.sources.stability import selection_of, selection_of_labels, with_stability
from cfgraph.sources.tree_objects import tree_object_dag


def object_dag(thing: Any, *, names: Sequence[str | None] | None = None, rules: TreeRules | None = None) -> Dag:
    """The dag of a fitted estimator, a condensed tree, a graph, a tree of another library or a linkage matrix.

    ``names`` are those of the data's points; ``rules`` say what becomes of lengths that no edge can have.

    Raises:
        InputError: for an object of another class, one that is not fitted, and another number of names than points.
    """
    if isinstance(thing, Dag):
        return thing
    if isinstance(thing, np.ndarray):
        return _checked(condensed_dag(thing), names) if thing.dtype.names else linkage_dag(thing, names=names)
    found = next((_READERS[kind.__name__] for kind in type(thing).__mro__ if kind.__name__ in _READERS), None)
    if found is not None:
        return found(thing, names)
    if is_condensed_table(columns := _columns_of(thing)):
        return _checked(condensed_dag(_rows_of(thing, columns)), names)
    if callable(getattr(thing, "is_directed", None)):
        return _graph_dag(thing, names)
    if isinstance(thing, Mapping) and ("children" in thing or "_children" in thing):
        return nested_dag(thing, rules=rules)
    tree = tree_object_dag(thing, rules=rules)
    if tree is None:
        raise InputError(
            f"expected a fitted {', '.join(_READERS)}, a networkx DiGraph, a tree of ete, dendropy, scikit-bio, Bio.Phylo or "
            f"SciPy, nested dictionaries with children, or a linkage matrix, got {type(thing).__name__}"
        )
    return _checked(tree, names) if names is None or tree.node_of_point is not None else _named_points(tree, names)


def _checked(dag: Dag, names: Sequence[str | None] | None) -> Dag:
    """The dag itself, whose points are no nodes with names; an ``InputError`` for another number of names than points."""
    _check_points(names, points=0 if dag.node_of_point is None else len(dag.node_of_point))
    if names is None or dag.node_of_point is None or "merge" not in dag.columns:
        return dag
    return replace(dag, names=[*names, *[None] * (dag.count - len(names))])


def _named_points(dag: Dag, names: Sequence[str | None]) -> Dag:
    raise InputError(
        f"names are those of data points, and a tree without data has none, got {len(names):,}; its nodes have their own"
    )


def _graph_dag(graph: Any, names: Sequence[str | None] | None) -> Dag:
    """The dag of a networkx graph, of igraph's too; what hdbscan made of its trees is told by what its nodes have."""
    if hasattr(graph, "vs") and hasattr(graph, "to_networkx"):
        graph = graph.to_networkx()
        for *_, values in (*graph.nodes(data=True), *graph.edges(data=True)):
            values.pop("_igraph_index", None)
    if (condensed := _condensed_rows(graph)) is not None:
        return _checked(condensed_dag(condensed), names)
    if (merges := _linkage_rows(graph)) is not None:
        return linkage_dag(merges, names=names)
    return graph_dag(graph)


def _condensed_rows(graph: Any) -> np.ndarray | None:
    """The rows of a condensed tree that hdbscan's ``to_networkx`` gave as a graph; None for other graphs.

    There, every node but the root has a ``size``, edges have a ``weight`` that is a lambda, and points are the first numbers.
    """
    nodes = list(graph.nodes(data=True))
    edges = list(graph.edges(data=True))
    root = [node for node, values in nodes if "size" not in values]
    if len(root) != 1 or len(edges) != len(nodes) - 1 or not all(isinstance(node, int | np.integer) for node, _ in nodes):
        return None
    points = {node for node, values in nodes if values.get("size") == 1}
    others = any(set(values) != {"size"} for node, values in nodes if node != root[0]) or nodes[0][0] is None
    if others or any(set(values) != {"weight"} for *_, values in edges) or points != set(range(int(root[0]))):
        return None
    sizes = {node: values.get("size", 0) for node, values in nodes}
    kinds = [("parent", "<i8"), ("child", "<i8"), ("lambda_val", "<f8"), ("child_size", "<i8")]
    return np.array([(up, down, values["weight"], sizes[down]) for up, down, values in edges], dtype=kinds)


def _linkage_rows(graph: Any) -> np.ndarray | None:
    """The linkage that hdbscan's ``SingleLinkageTree.to_networkx`` gave as a graph; None for other graphs.

    There, merges alone have a ``size``, and the ``weight`` of both edges below one is its height.
    """
    nodes, edges = list(graph.nodes(data=True)), list(graph.edges(data=True))
    points = sum(not values for _, values in nodes)
    if len(nodes) != 2 * points - 1 or len(edges) != len(nodes) - 1 or any(set(values) != {"weight"} for *_, values in edges):
        return None
    if any(set(values) - {"size"} for _, values in nodes) or any(isinstance(node, str) for node, _ in nodes):
        return None
    if {int(node) for node, values in nodes if not values} != set(range(points)):
        return None
    rows = np.full((points - 1, 4), np.nan)
    for up, down, values in edges:
        row, place = int(up) - points, 0 if np.isnan(rows[int(up) - points, 0]) else 1
        if place and (not np.isnan(rows[row, 1]) or rows[row, 2] != values["weight"]):
            return None
        rows[row, place], rows[row, 2], rows[row, 3] = int(down), values["weight"], graph.nodes[up].get("size", np.nan)
    return None if np.isnan(rows).any() else rows


def _columns_of(thing: Any) -> list[str]:
    """The names of the columns of a DataFrame or an Arrow table; none for other things."""
    names = getattr(thing, "column_names", None)
    names = getattr(thing, "columns", None) if names is None else names
    return [] if names is None or callable(names) or isinstance(thing, Mapping) else [str(name) for name in names]


def is_condensed_table(columns: Iterable[str]) -> bool:
    """Whether a table of these columns is a condensed tree."""
    return set(CONDENSED) <= set(columns)


def _rows_of(table: Any, columns: Sequence[str]) -> np.ndarray:
    """The rows of a condensed tree in a table, of pandas', polars' or Arrow's."""
    rows = np.zeros(len(table), dtype=_CONDENSED_KINDS)
    for name in CONDENSED:
        try:
            rows[name] = np.asarray(table[name])
        except (TypeError, ValueError) as error:
            raise InputError(f"expected numbers in the column {name} of a condensed tree: {error}") from None
    return rows


def single_linkage_dag(tree: Any, names: Sequence[str | None] | None = None) -> Dag:
    """The merges of hdbscan's ``SingleLinkageTree``, a linkage whose heights are distances of mutual reachability."""
    return linkage_dag(np.asarray(tree.to_numpy(), dtype=np.float64), names=names, where="the SingleLinkageTree")


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
    selection = selection_of(model)
    if hasattr(model, "condensed_tree_"):
        dag = condensed_dag(model.condensed_tree_, selection=selection)
    else:
        rows = _fitted(model, "_single_linkage_tree_")
        Z = np.column_stack([np.asarray(rows[name], dtype=np.float64) for name in rows.dtype.names])
        if np.isinf(Z).any():
            raise InputError(
                "expected data without missing or infinite values under HDBSCAN; leave such rows out and fit again"
            )
        dag = condense(linkage_dag(Z, where="HDBSCAN's single linkage"), model.min_cluster_size, selection=selection)
    _check_points(names, points=0 if dag.node_of_point is None else len(dag.node_of_point))
    return dag


CONDENSED = ("parent", "child", "lambda_val", "child_size")
_CONDENSED_KINDS = [("parent", "<i8"), ("child", "<i8"), ("lambda_val", "<f8"), ("child_size", "<i8")]


def condensed_dag(tree: Any, *, where: str = "a condensed tree", selection: Selection | None = None) -> Dag:
    """The clusters of hdbscan's ``CondensedTree``, or of the rows that its ``to_numpy()`` gives, with their stability.

    Rows have ``parent``, ``child``, ``lambda_val`` and ``child_size``; points are the numbers below the smallest parent,
    which is the root. A lambda is a density, so no length: the ``height`` of a cluster is one over the lambda at which it ends.
    ``selection`` is how the model takes clusters; where it is not given, the way that gives the labels which the object has,
    else HDBSCAN's own defaults.
    """
    rows = tree.to_numpy() if hasattr(tree, "to_numpy") else np.asarray(tree)
    if rows.dtype.names is None or len(rows) == 0 or not set(CONDENSED) <= set(rows.dtype.names):
        raise InputError(f"expected {where} of rows with {', '.join(CONDENSED)}, got {rows.dtype}")
    upper, lower, density, sizes = _condensed_columns(rows, where=where)
    root = int(upper.min())
    is_point, count = lower < root, int(max(upper.max(), lower.max())) - root + 1
    points = np.full(root, -1)
    points[lower[is_point]] = upper[is_point] - root
    parent, child = upper[~is_point] - root, lower[~is_point] - root
    height = _heights(density, upper - root, count=count)
    length, notes = height_lengths(height, parent=parent, child=child)
    size = np.bincount(points[points >= 0], minlength=count)
    np.add.at(size, parent, sizes[~is_point])
    condensed = tree_of_rows(upper, lower, density, sizes, points=root)
    selection = selection or selection_of_labels(condensed, getattr(tree, "_labels", None))
    dag = Dag(
        count=count,
        parent=parent,
        child=child,
        length=length,
        lengths="height",
        columns={
            "height": height,
            "size": size,
        },
        node_of_point=points,
        notes=notes,
    )
    return with_stability(dag, condensed, node=np.arange(count), selection=selection)


def _condensed_columns(rows: np.ndarray, *, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parents, children, lambdas and sizes of a condensed tree, of which no row is wrong."""
    try:
        columns = [np.asarray(rows[name], dtype=np.float64) for name in CONDENSED]
    except (TypeError, ValueError) as error:
        raise InputError(f"expected numbers in {where}: {error}") from None
    whole = np.all(
        [(column == np.floor(column)) & (column >= 0) & (column < 2**53) for column in (*columns[:2], columns[3])], axis=0
    )
    if len(wrong := np.flatnonzero(~whole | ~(columns[2] >= 0))):
        row = {name: float(column[wrong[0]]) for name, column in zip(CONDENSED, columns, strict=True)}
        raise InputError(
            f"expected whole numbers of nodes and sizes, and a lambda of at least 0, in each row of {where}, got {row} in row "
            f"{wrong[0]} (counted from 0)"
        )
    upper, lower, sizes = (column.astype(np.int64) for column in (columns[0], columns[1], columns[3]))
    root, highest = int(upper.min()), int(max(upper.max(), lower.max()))
    if highest > root + len(rows) or root > len(rows) + 1 or (lower == root).any():
        raise InputError(
            f"expected {where} whose points are 0 to {root - 1:,}, and clusters from {root:,} on, as hdbscan numbers "
            f"them, got {len(rows):,} rows with numbers up to {highest:,}"
        )
    above, clusters = upper[lower >= root], lower[lower >= root]
    if not np.array_equal(np.unique(clusters), np.arange(root + 1, highest + 1)) or (above >= clusters).any():
        raise InputError(
            f"expected {where} in which each of the clusters {root + 1:,} to {highest:,} is the child of one with a smaller "
            f"number, as hdbscan numbers them, got {len(np.unique(clusters)):,} clusters that are children"
        )
    if len(np.unique(lower)) < len(lower):
        node = int(lower[np.flatnonzero(np.bincount(lower)[lower] > 1)[0]])
        raise InputError(f"expected one parent for each point and cluster of {where}, got several for {node}")
    return upper, lower, columns[2], sizes


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
    "CondensedTree": lambda tree, names: _checked(condensed_dag(tree), names),
    "SingleLinkageTree": single_linkage_dag,
}
