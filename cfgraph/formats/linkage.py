"""Linkages: SciPy's matrix Z of merges, read and written: a dag of it, and back.

Row i of Z merges the nodes Z[i, 0] and Z[i, 1] into node n + i, at the height Z[i, 2]; nodes below n are points.
The dag has the same numbers, and keeps them in the column ``merge`` too, so that Z comes back from anywhere as it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points, read_points
from cfgraph.files.whole import whole_file
from cfgraph.formats.newick import OTHERS, tree_of
from cfgraph.model.dag import Dag
from cfgraph.model.trees import height_lengths, preorder

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import HierarchyWithCells

_ROUNDING = 1e-9  # of the largest height: distances are roots of sums that are 0 but for the last digits


def read_linkage(
    path: Path | str,
    *,
    names: Sequence[str] | None = None,
    **reading: Any,
) -> Dag:
    """The linkage in a file; see :func:`linkage_dag`, and :func:`cfgraph.files.arrays.read_points` on ``reading``."""
    table = read_points(path, what="merges", **reading)
    dag = linkage_dag(table.values, names=names, where=str(path))
    return replace(dag, notes=(*table.notes, *dag.notes))


def linkage_dag(
    Z: Float[np.ndarray, "merges 4"], *, names: Sequence[str | None] | None = None, where: str = "the linkage"
) -> Dag:
    """The tree of SciPy's linkage matrix: points 0..n-1 under merges n..2n-2, slot 0 for Z[i, 0] and slot 1 for Z[i, 1].

    Columns: ``height`` (0 at points), ``size``, and ``merge``, the node's number in Z. The length of an edge is the
    difference of the heights at its ends; where a merge lies above the next one (an inversion, as centroid and median
    linkage make them) it is 0, and a note says how often.

    Heights that are negative by rounding alone are 0, with a note. A merge matrix of R's ``hclust`` is read too, where heights
    stand beside it: points are -1 to -n there, and merges count from 1 (:func:`_from_r`).

    Raises:
        InputError: for a matrix that is no linkage, with the first row that is wrong, and another number of names than points.
    """
    Z = check_points(Z, where=where, remedy="leave such values out of the data, and link them again").values
    Z, notes = _from_r(Z, where=where)
    Z, rounded = _without_rounding(Z)
    _check_linkage(Z, where=where)
    _check_count(names, points=len(Z) + 1)
    dag = merges_dag(Z[:, :2].astype(np.int64), points=len(Z) + 1, height=Z[:, 2], names=names)
    return replace(dag, notes=(*notes, *rounded, *dag.notes))


def _from_r(
    Z: Float[np.ndarray, "merges columns"], *, where: str
) -> tuple[Float[np.ndarray, "merges columns"], tuple[str, ...]]:
    """SciPy's matrix of one in R's numbering: -p is point p - 1, and m is merge m - 1; with sizes, whatever stood there.

    Without heights beside the two columns of ``hclust(...)$merge`` there is an ``InputError`` that says how to add them.
    """
    nodes = Z[:, :2]
    is_r = Z.shape[1] >= 2 and len(Z) > 0 and (nodes[0] < 0).all() and (nodes == np.floor(nodes)).all() and (nodes != 0).all()
    if not is_r:
        return Z, ()
    if Z.shape[1] not in (3, 4):
        raise InputError(
            f"{where} is the merge matrix of R's hclust without its heights, got {Z.shape[1]} columns: save "
            "cbind(tree$merge, tree$height) as it is"
        )
    points, own = len(Z) + 1, np.arange(1, len(Z) + 1)
    there = (nodes < own[:, None]) & (nodes >= -points)
    if not there.all():
        row = int(np.flatnonzero(~there.all(axis=1))[0])
        raise InputError(
            f"{where} is no merge matrix of R's hclust: row {row} (counted from 0), {Z[row].tolist()}: expected points from -1 "
            f"to -{points} and merges above"
        )
    children = np.where(nodes < 0, -nodes - 1, points + nodes - 1).astype(np.int64)
    sizes = _sizes(children, points=points)[points:]
    if Z.shape[1] == 4 and not np.array_equal(Z[:, 3], sizes):
        row = int(np.flatnonzero(Z[:, 3] != sizes)[0])
        raise InputError(
            f"{where} is no merge matrix of R's hclust: row {row} (counted from 0), {Z[row].tolist()}: expected as size, the "
            f"fourth column, the sum of the merged sizes, {sizes[row]}"
        )
    return np.column_stack([children, Z[:, 2], sizes]).astype(np.float64), (
        "nodes are numbered as in R's hclust: -1 is point 0",
    )


def _without_rounding(Z: Float[np.ndarray, "merges columns"]) -> tuple[Float[np.ndarray, "merges columns"], tuple[str, ...]]:
    """The same without negative heights that are no larger than what rounding makes of numbers such as the highest."""
    if Z.shape[1] != 4:
        return Z, ()
    below = Z[:, 2] < 0
    below &= Z[:, 2] >= -_ROUNDING * np.abs(Z[:, 2]).max(initial=0.0)
    if not below.any():
        return Z, ()
    Z = Z.copy()
    Z[below, 2] = 0.0
    count = int(below.sum())
    return Z, (
        "a height was negative by rounding, and is 0"
        if count == 1
        else f"{count:,} heights were negative by rounding, and are 0",
    )


def merges_dag(
    children: Int[np.ndarray, "merges 2"],
    *,
    points: int,
    height: Float[np.ndarray, " merges"] | None = None,
    names: Sequence[str | None] | None = None,
) -> Dag:
    """The tree (or trees) of valid merges: node ``points + i`` has the children ``children[i]``; heights if they are known."""
    count = points + len(children)
    parent, child = np.repeat(np.arange(points, count), 2), children.reshape(-1)
    columns = {"size": _sizes(children, points=points), "merge": np.arange(count)}
    length = None
    notes: tuple[str, ...] = ()
    if height is not None:
        columns = {"height": np.concatenate([np.zeros(points), height]), **columns}
        length, notes = height_lengths(columns["height"], parent=parent, child=child)
    return Dag(
        count=count,
        parent=parent,
        child=child,
        length=length,
        lengths="unit" if length is None else "height",
        names=None if names is None else [*names, *[None] * len(children)],
        columns=columns,
        node_of_point=np.arange(points),
        notes=notes,
    )


def _sizes(children: Int[np.ndarray, "merges 2"], *, points: int) -> Int[np.ndarray, " nodes"]:
    sizes = [1] * points
    for one, other in children.tolist():
        sizes.append(sizes[one] + sizes[other])
    return np.array(sizes, dtype=np.int64)


def _check_count(names: Sequence[str | None] | None, *, points: int) -> None:
    if names is not None and len(names) != points:
        raise InputError(f"expected {points:,} names, one for each point of the linkage, got {len(names):,}")


def _check_linkage(Z: Float[np.ndarray, "merges columns"], *, where: str) -> None:
    if Z.shape[1] != 4:
        raise InputError(
            f"expected four columns in {where} (two nodes, height, size, as of scipy.cluster.hierarchy.linkage), "
            f"got {Z.shape[1]}"
        )
    faults = [fault for fault in _faults(Z) if fault is not None]
    if faults:
        row, message = min(faults)
        raise InputError(f"{where} is no linkage: row {row} (counted from 0), {Z[row].tolist()}: {message}")
    from scipy.cluster.hierarchy import is_valid_linkage

    try:
        is_valid_linkage(Z, throw=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is no linkage, says SciPy: {error}") from None


def _faults(Z: Float[np.ndarray, "merges 4"]):
    """For each rule of a linkage the first row that breaks it, and what it asks for."""
    merges, points = len(Z), len(Z) + 1
    nodes, own = Z[:, :2], points + np.arange(len(Z))
    there = (nodes == np.floor(nodes)) & (nodes >= 0) & (nodes < own[:, None])
    yield _first(~there.all(axis=1), "expected whole numbers of nodes that are there by then, points and merges above")
    yield _first(Z[:, 2] < 0, "expected a height of at least 0")
    if not there.all():
        return
    children = nodes.astype(np.int64)
    _, first = np.unique(children, return_index=True)
    again = np.ones(2 * merges, dtype=bool)
    again[first] = False
    yield _first(again[0::2] | again[1::2], "a node of it was merged before, and each can be merged once")
    size = np.concatenate([np.ones(points), Z[:, 3]])
    yield _first(Z[:, 3] != size[children].sum(axis=1), "expected as size, the fourth column, the sum of the merged sizes")


def _first(wrong: np.ndarray, message: str) -> tuple[int, str] | None:
    rows = np.flatnonzero(wrong)
    return (int(rows[0]), message) if len(rows) else None


def dag_linkage(
    parent: Int[np.ndarray, " nodes"],
    height: Float[np.ndarray, " nodes"],
    *,
    slot: Int[np.ndarray, " nodes"] | None = None,
    merge: Int[np.ndarray, " nodes"] | None = None,
) -> Float[np.ndarray, "merges 4"]:
    """SciPy's linkage matrix of a binary tree with heights; undoes :func:`linkage_dag`.

    Args:
        parent: each node's parent, -1 for the root; nodes in any order.
        height: that of each merge; what leaves have does not count.
        slot: siblings stand in its order; in that of their numbers unless given.
        merge: each node's number in the linkage (the column of that name). Unless given, leaves are numbered in their
            order and merges by height, each after those below it.

    Raises:
        InputError: for a tree that is not binary or not whole, heights that are negative or not finite, numbers that
            do not fit.
    """
    parent, height = np.asarray(parent, dtype=np.int64), np.asarray(height, dtype=np.float64)
    slot = np.arange(len(parent)) if slot is None else np.asarray(slot)
    children = np.bincount(parent[parent >= 0], minlength=len(parent))
    order = preorder(parent, slot=slot)
    _check_binary(parent, children=children, order=order)
    inner = children > 0
    if not (np.isfinite(height[inner]) & (height[inner] >= 0)).all():
        raise InputError("a linkage needs finite heights of at least 0 at every node with children; this tree has others")
    number = _number_nodes(parent, height, inner=inner, order=order) if merge is None else np.asarray(merge, dtype=np.int64)
    _check_numbers(number, parent=parent, inner=inner)
    return _fill_linkage(number, parent=parent, slot=slot, height=height, inner=inner)


def _check_binary(parent: np.ndarray, *, children: np.ndarray, order: np.ndarray) -> None:
    roots = int(np.count_nonzero(parent < 0))
    if roots != 1 or len(order) < len(parent) or len(parent) < 3:
        raise InputError(f"a linkage is one tree with one root and at least two leaves, got {len(parent)} nodes, {roots} roots")
    others = np.flatnonzero((children != 0) & (children != 2))
    if len(others):
        raise InputError(
            f"a linkage is binary: each node has two children or none; got {len(others):,} others, first node {others[0]} "
            f"with {children[others[0]]}"
        )


def _number_nodes(
    parent: Int[np.ndarray, " nodes"], height: Float[np.ndarray, " nodes"], *, inner: np.ndarray, order: np.ndarray
) -> Int[np.ndarray, " nodes"]:
    """Leaves in their order, then merges by height; where one below lies higher, by that height; children first."""
    above, reach = parent.tolist(), np.where(inner, height, 0.0).tolist()
    for node in order[:0:-1].tolist():
        if reach[node] > reach[above[node]]:
            reach[above[node]] = reach[node]
    rank = np.empty(len(parent), dtype=np.int64)
    rank[order] = np.arange(len(order))
    number = np.empty(len(parent), dtype=np.int64)
    number[np.lexsort((-rank, np.array(reach), inner))] = np.arange(len(parent))
    leaves = np.flatnonzero(~inner)
    number[leaves] = np.arange(len(leaves))
    return number


def _check_numbers(number: np.ndarray, *, parent: np.ndarray, inner: np.ndarray) -> None:
    """Each number once, leaves first, children before what they are merged into."""
    points, below = int(np.count_nonzero(~inner)), parent >= 0
    fits = len(number) == len(parent) and np.array_equal(np.sort(number), np.arange(len(parent)))
    if not (fits and (number[~inner] < points).all() and (number[below] < number[parent[below]]).all()):
        raise InputError(
            f"expected in the column merge each number from 0 to {len(parent) - 1:,} once, {points:,} leaves first, children "
            "before their parents; the tree was changed since: leave merge out to number its nodes anew"
        )


def _fill_linkage(number, *, parent, slot, height, inner) -> Float[np.ndarray, "merges 4"]:
    points = int(np.count_nonzero(~inner))
    Z = np.empty((points - 1, 4))
    below = np.flatnonzero(parent >= 0)
    below = below[np.lexsort((slot[below], number[parent[below]]))]  # pairs of siblings, in the order of their merges
    Z[:, :2] = number[below].reshape(-1, 2)
    Z[number[inner] - points, 2] = height[inner]
    Z[:, 3] = _sizes(Z[:, :2].astype(np.int64), points=points)[points:]
    return Z


def write_linkage(hierarchy: "HierarchyWithCells", path: str | Path) -> None:
    """Write a hierarchy's linkage matrix: as CSV with a header where ``path`` ends in ``.csv``, else as .npy."""
    Z = to_linkage(hierarchy)
    with whole_file(path) as file:
        if Path(path).suffix.lower() == ".csv":
            rows = (f"{one:.0f},{other:.0f},{height!r},{size:.0f}\n" for one, other, height, size in Z.tolist())
            file.write("".join(["left,right,height,size\n", *rows]).encode())
        else:
            buffer = BytesIO()  # a pipe cannot be asked for its position, which numpy does
            np.save(buffer, Z, allow_pickle=False)
            file.write(buffer.getbuffer())


def to_linkage(hierarchy: "HierarchyWithCells") -> Float[np.ndarray, "merges 4"]:
    """The linkage matrix of a binary hierarchy that holds its cells, and whose cells have the property ``height``.

    A hierarchy that came from a linkage gives the same one, bit for bit. Else, and of its upper levels alone, leaves are
    numbered in breadth-first order, merges by height.

    Raises:
        InputError: for cells with several parents, several roots, cells with other than two children, no heights.
    """
    dag = tree_of(hierarchy, purpose="a linkage")
    if "height" not in dag.columns:
        raise InputError(
            f"a linkage has the height of each merge, and the cells of {hierarchy.id!r} have no property height; newick, "
            f"{OTHERS} do without"
        )
    cells, merge = hierarchy.cells, dag.columns.get("merge")
    if merge is not None and not np.array_equal(np.sort(merge), np.arange(len(merge))):
        merge = None  # a part of a linkage: its nodes are numbered anew
    return dag_linkage(cells.parent, dag.columns["height"], slot=cells.slot, merge=merge)
