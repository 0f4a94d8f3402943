"""Stability: what HDBSCAN knows of the clusters of a condensed tree, as properties of cells and of data points.

Of cells: ``cluster``, the number in the condensed tree (0 for the root), by which flat clusters are numbered; ``lambda_birth``,
the density at which a cluster splits from its parent; ``stability``, its excess of mass; ``selected``, whether it is one of the
flat clustering; ``persistence``, of those, hdbscan's ``cluster_persistence_``. Of points: ``lambda``, at which each leaves its
cluster; ``label`` and ``probability`` in the flat clustering, as of ``labels_`` (none for noise) and ``probabilities_``.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int

from cfgraph.model.condensed import CondensedTree, Selection, condense_tree, densities
from cfgraph.model.dag import Dag

SELECTION = "selection"  # in a recipe: how the model took its clusters
OF_CLUSTERS = ("cluster", "lambda_birth", "stability", "selected", "persistence")


def selection_of(model: Any) -> Selection:
    """How a fitted ``HDBSCAN`` takes its clusters; hdbscan's sums have 32 bits, those of scikit-learn 64."""
    limit = getattr(model, "max_cluster_size", None)
    farthest = float(getattr(model, "cluster_selection_epsilon_max", np.inf))
    return Selection(
        method=getattr(model, "cluster_selection_method", "eom"),
        allow_single=bool(getattr(model, "allow_single_cluster", False)),
        epsilon=float(getattr(model, "cluster_selection_epsilon", 0.0)),
        size_max=int(limit) if limit else None,
        epsilon_max=farthest if np.isfinite(farthest) else None,
        single_precision=hasattr(model, "condensed_tree_"),
        reference=bool(getattr(model, "match_reference_implementation", False)),
    )


def selection_of_labels(tree: CondensedTree, labels: Any) -> Selection:
    """The way of taking clusters that gives the labels of hdbscan's ``CondensedTree``; its defaults where none does."""
    usual = Selection(single_precision=True)
    if labels is None:
        return usual
    ways = [replace(usual, method=method, allow_single=single) for method in ("eom", "leaf") for single in (False, True)]
    return next((way for way in ways if np.array_equal(tree.take(way).label, labels)), usual)


def condensed_tree(
    dag: Dag, parent: Int[np.ndarray, " nodes"], points: Int[np.ndarray, " points"], *, minimum: int
) -> CondensedTree | None:
    """The condensed tree of one with heights, its ``start`` by the numbers of the dag; None where some lack or are inverted."""
    height = dag.columns.get("height")
    if height is None or np.count_nonzero(parent < 0) != 1:
        return None
    inner = np.bincount(dag.parent, minlength=dag.count) > 0
    height = np.where(np.isnan(height) & ~inner, 0.0, height)
    if np.isnan(height).any() or (height[dag.child] > height[dag.parent]).any():
        return None
    order = _breadth_first(dag, root=int(np.flatnonzero(parent < 0)[0]))
    row = np.empty(dag.count + 1, dtype=np.int64)
    row[order], row[-1] = np.arange(dag.count), -1
    tree = condense_tree(row[parent[order]], densities(height[order]), row[points], minimum=minimum)
    return replace(tree, start=order[tree.start])


def _breadth_first(dag: Dag, *, root: int) -> Int[np.ndarray, " nodes"]:
    """The nodes of a tree level by level, children in the order of their edges."""
    by_parent = np.argsort(dag.parent, kind="stable")
    children, first = dag.child[by_parent], np.searchsorted(dag.parent[by_parent], np.arange(dag.count + 1))
    here, found = np.array([root]), [np.array([root])]
    while len(here):
        counts = first[here + 1] - first[here]
        begins = np.repeat(first[here] - np.cumsum(counts) + counts, counts)
        here = children[begins + np.arange(int(counts.sum()))]
        found.append(here)
    return np.concatenate(found)


def with_stability(dag: Dag, tree: CondensedTree, *, node: Int[np.ndarray, " clusters"], selection: Selection) -> Dag:
    """A dag of clusters with what its condensed tree tells of them and of its points; ``node`` of each cluster."""
    chosen = tree.select(selection)
    taken = tree.take(selection, chosen)
    persistence = np.full(len(tree), np.nan)
    if taken.persistence is not None:
        persistence[taken.clusters] = taken.persistence
    values = {
        "cluster": np.arange(len(tree)),
        "lambda_birth": tree.birth,
        "stability": tree.stability,
        "selected": chosen,
        "persistence": persistence,
    }
    columns = {}
    for name, column in values.items():
        columns[name] = np.empty(dag.count, dtype=column.dtype)
        columns[name][node] = column
    of_points = {"lambda": tree.lambda_of_point, "label": taken.label, "probability": taken.probability}
    return replace(
        dag,
        columns={**dag.columns, **columns},
        point_columns={name: column for name, column in of_points.items() if column is not None},
        recipe={**dag.recipe, **({SELECTION: selection.record} if selection.record else {})},
    )
