"""Tree objects: trees of ete, dendropy, scikit-bio, Bio.Phylo, igraph and SciPy (``ClusterNode``) as dags.

Nothing here imports these libraries: an object is told by what it has. Nodes that have ``children`` are read, whosesoever they
are, with ``name``, ``length`` (or ``dist``, ``branch_length``) and what else they have of texts, numbers and truth values.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.formats.annotations import Values, add_pairs
from cfgraph.formats.linkage import merges_dag
from cfgraph.formats.newick import Nodes, TreeRules, good_length, nodes_dag
from cfgraph.model.columns import INTEGER_MAX
from cfgraph.model.dag import Dag

_LENGTHS = ("length", "branch_length", "edge_length", "dist")
# What nodes have of their place in a tree, or twice.
_STRUCTURE = {
    "children",
    "clades",
    "parent",
    "up",
    "id",
    "name",
    "label",
    "taxon",
    "edge",
    "root",
    "comment",
    "comments",
    *_LENGTHS,
}


def tree_object_dag(thing: Any, *, rules: TreeRules | None = None) -> Dag | None:
    """The dag of a tree object; None for an object that is no tree.

    Raises:
        InputError: for nodes that are met twice, and lengths that no edge can have, unless the ``rules`` take them.
    """
    if all(hasattr(thing, name) for name in ("left", "right", "dist", "count", "id")):
        return cluster_node_dag(thing)
    if isinstance(getattr(thing, "merges", None), list) and hasattr(thing, "summary"):
        return _dendrogram_dag(thing.merges)
    root = getattr(thing, "seed_node", thing)  # dendropy's tree, else
    inside = getattr(thing, "root", None)  # that of Bio.Phylo
    root = inside if hasattr(inside, "clades") else root
    children = _children_of(root)
    return None if children is None else _nodes_dag(root, children, kind=type(thing).__name__, rules=rules or TreeRules())


def _children_of(root: Any) -> Callable[[Any], Iterable[Any]] | None:
    """How the nodes of a tree are asked for their children; None for what is no tree."""
    if isinstance(root, Mapping | np.ndarray | type):
        return None
    if callable(getattr(root, "child_nodes", None)):
        return lambda node: node.child_nodes()
    for name in ("clades", "children"):
        below = getattr(root, name, None)
        if below is not None and not isinstance(below, str | Mapping) and (callable(below) or isinstance(below, Iterable)):
            return partial(_below, name=name)
    return None


def _below(node: Any, *, name: str) -> Iterable[Any]:
    value = getattr(node, name, None)
    return (value() if callable(value) else value) or ()


def _nodes_dag(root: Any, children: Callable[[Any], Iterable[Any]], *, kind: str, rules: TreeRules) -> Dag:
    """The nodes below a root, each before its children, without recursion."""
    parents: list[int] = []
    names: list[str | None] = []
    lengths: list[float] = []
    bad: list[tuple[int, float]] = []
    values: Values = {}
    left: set[str] = set()
    seen: set[int] = set()
    stack = [(-1, root)]
    while stack:
        above, node = stack.pop()
        if id(node) in seen:
            raise InputError(
                f"expected a tree, got a {kind} in which the node {_name(node)!r} is met twice; copy it for each place"
            )
        seen.add(id(node))
        number = len(parents)
        parents.append(above)
        names.append(_name(node))
        length = _length(node, kind=kind)
        unknown = length is None or (above < 0 and length == 0)  # many give a root the length 0
        lengths.append(
            math.nan if length is None or unknown else good_length(length, number, bad=bad, rules=rules, where=f"the {kind}")
        )
        add_pairs(values, number, _properties(node, left))
        stack += [(number, child) for child in reversed(list(children(node)))]
    if set(values.get("support", {}).values()) == {1.0}:
        del values["support"]  # which ete gives each node that has none
    told = f"attributes that are no texts, numbers or truth values were left out: {', '.join(sorted(left))}"
    found = Nodes(np.array(parents, dtype=np.int64), names, np.array(lengths), bad=bad, values=values)
    return nodes_dag(found, rules=rules, notes=[told] if left else [])


def _name(node: Any) -> str | None:
    """A node's name: that of its taxon, its own, or its label; an empty one is none."""
    for given in (
        getattr(getattr(node, "taxon", None), "label", None),
        getattr(node, "name", None),
        getattr(node, "label", None),
    ):
        if given is not None and not callable(given) and str(given) != "":
            return str(given)
    return None


def _length(node: Any, *, kind: str) -> float | None:
    for name in _LENGTHS:
        length = getattr(node, name, None)
        if length is None or callable(length):
            continue
        if isinstance(length, bool) or not isinstance(length, int | float | np.number):
            raise InputError(f"expected a number as the {name} of the node {_name(node)!r} of the {kind}, got {length!r}")
        return float(length)
    return None


def _properties(node: Any, left: set[str]) -> list[tuple[str, Any]]:
    """What a node has besides: ete's features, dendropy's annotations, else its public attributes; ``left`` gets the others."""
    found = []
    for key, value in _attributes(node).items():
        value = value.item() if isinstance(value, np.generic) else value
        if value is None or key in _STRUCTURE or key in _LENGTHS or key.startswith("_"):
            continue
        if isinstance(value, bool | str | float) or (isinstance(value, int) and abs(value) <= INTEGER_MAX):
            found.append((key, value))
        elif not callable(value):
            left.add(key)
    return found


def _attributes(node: Any) -> dict[str, Any]:
    props = getattr(node, "props", None)
    if isinstance(props, Mapping):
        return {str(key): value for key, value in props.items()}
    features = getattr(node, "features", None)
    if isinstance(features, set | frozenset):
        return {str(key): getattr(node, key, None) for key in sorted(features)}
    if hasattr(node, "child_nodes"):
        notes = getattr(node, "annotations", ())
        return {str(note.name): note.value for note in notes if hasattr(note, "name")}
    return dict(getattr(node, "__dict__", {}))


def cluster_node_dag(root: Any) -> Dag:
    """The merges below SciPy's ``ClusterNode``: the linkage of ``scipy.cluster.hierarchy.to_tree`` as it was.

    Raises:
        InputError: for numbers of nodes that are those of no linkage.
    """
    nodes: dict[int, Any] = {}
    stack, met = [root], 0
    while stack:
        node = stack.pop()
        met += 1
        nodes[int(node.id)] = node
        if (node.left is None) != (node.right is None):
            raise InputError(f"expected two children or none at each ClusterNode, got one at node {node.id}")
        stack += [] if node.left is None else [node.right, node.left]
    points = sum(node.left is None for node in nodes.values())
    merges = [nodes[number] for number in range(points, met) if number in nodes]
    fits = len(nodes) == met == 2 * points - 1 and len(merges) == met - points and all(node.left is not None for node in merges)
    fits = fits and all(max(node.left.id, node.right.id) < node.id for node in merges)
    if not fits:
        raise InputError(
            f"expected the whole tree of a linkage, as scipy.cluster.hierarchy.to_tree gives it, with nodes 0 to "
            f"{2 * points - 2}, leaves first; got {met} nodes from {min(nodes)} to {max(nodes)}: a part of one is no linkage"
        )
    children = np.array([(node.left.id, node.right.id) for node in merges], dtype=np.int64).reshape(-1, 2)
    return merges_dag(children, points=points, height=np.array([float(node.dist) for node in merges]))


def _dendrogram_dag(merges: list[Any]) -> Dag:
    """The merges of igraph's dendrograms, whose numbers are those of a linkage."""
    children = np.array([tuple(pair) for pair in merges], dtype=np.int64).reshape(-1, 2)
    points = max(len(children) + 1, 0 if len(children) == 0 else int(children.max()) + 1 - len(children))
    free = np.arange(points, points + len(children))
    if len(children) and not ((children >= 0) & (children < free[:, None])).all():
        raise InputError("expected merges of nodes that are there by then in the dendrogram, got others; make it anew")
    return merges_dag(children, points=points)
