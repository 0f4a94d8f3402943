"""Dag: nodes and edges as a source finds them, before they have addresses; every imported hierarchy comes through here.

Nodes are numbered 0..n-1, edges lead from a parent to a child. :func:`cfgraph.sources.imported.place` turns a dag into a
hierarchy: it finds the roots, levels, primary parents and slots, and the centers where embeddings are given.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.model.columns import check_column

SHOWN = 5  # names in a message, and at either end of a cycle
Lengths = Literal["metric", "branch", "height", "unit"]


@dataclass(frozen=True, eq=False)
class Dag:
    """Nodes with names and columns, edges in the order of their slots, and the points that lie in nodes.

    ``length`` of an edge is NaN where the source has none for it, ``None`` where it has none at all (each is 1 then).
    ``lengths`` says where they come from: ``branch`` as they stand in the input, ``height`` as the difference of two
    heights, ``unit`` none. ``columns`` holds what a node has besides, a value a node: floats with NaN, whole numbers with
    -1, text and booleans with None for "none", vectors as columns of two dimensions with rows of NaN. Known names: ``height``
    (of a merge; 0 at points), ``affinity`` (of a merge by logits), ``size`` (points at and below a node).
    ``node_of_point[i]`` is the node that data point i lies in, -1 for none; ``None`` where no data is known.
    ``point_columns`` holds what a point has besides, a value a point; ``recipe`` what the hierarchy's recipe is to keep of it.
    """

    count: int
    parent: Int[np.ndarray, " edges"]
    child: Int[np.ndarray, " edges"]
    length: Float[np.ndarray, " edges"] | None = None
    lengths: Lengths = "unit"
    names: list[str | None] | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    node_of_point: Int[np.ndarray, " points"] | None = None
    point_columns: dict[str, np.ndarray] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the notes: the same dag from whatever file."""
        whole = hashlib.sha256(repr((self.count, self.lengths, self.names)).encode())
        arrays = {"parent": self.parent, "child": self.child, "length": self.length, "node_of_point": self.node_of_point}
        of_points = {f"point {name}": column for name, column in sorted(self.point_columns.items())}
        for name, column in {**arrays, **dict(sorted(self.columns.items())), **of_points}.items():
            if column is not None:
                plain = (
                    column.tolist() if column.dtype.kind in "OU" else np.ascontiguousarray(column + 0, dtype="<f8").tobytes()
                )
                whole.update(name.encode() + (repr(plain).encode() if isinstance(plain, list) else plain))
        return whole.hexdigest()

    def label(self, node: int) -> str:
        """What a message calls a node."""
        name = None if self.names is None else self.names[node]
        return f"node {node}" if name is None else repr(name)


def heights(count: int, *, parent: Int[np.ndarray, " edges"], child: Int[np.ndarray, " edges"]) -> Int[np.ndarray, " nodes"]:
    """The most edges from each node down to a leaf, children before parents; -1 for those from which a cycle can be reached."""
    sort = np.argsort(child, kind="stable")
    above, starts = parent[sort], np.searchsorted(child[sort], np.arange(count + 1))
    left, height = np.bincount(parent, minlength=count), np.full(count, -1, dtype=np.int64)
    here, round_ = np.flatnonzero(left == 0), 0
    while len(here):
        height[here] = round_
        parents = above[ranges(starts[here], starts[here + 1])]
        np.subtract.at(left, parents, 1)
        here, round_ = np.unique(parents[left[parents] == 0]), round_ + 1
    return height


def ranges(low: Int[np.ndarray, " some"], high: Int[np.ndarray, " some"]) -> Int[np.ndarray, " all"]:
    """The numbers from each ``low`` up to its ``high``, one range after the other."""
    counts = high - low
    return np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))


def find_cycle(dag: Dag) -> list[int] | None:
    """The nodes of a cycle in the order of its edges, the first not repeated; None where there is none."""
    endless = heights(dag.count, parent=dag.parent, child=dag.child) < 0
    if not endless.any():
        return None
    inside = endless[dag.parent] & endless[dag.child]  # each such node has a child that is one
    onward = dict(zip(dag.parent[inside].tolist(), dag.child[inside].tolist(), strict=True))
    place: dict[int, int] = {}
    node = int(np.flatnonzero(endless)[0])
    while node not in place:
        place[node] = len(place)
        node = onward[node]
    return [other for other, position in place.items() if position >= place[node]]


def check_cycles(dag: Dag) -> None:
    """An InputError that shows a cycle, where there is one."""
    cycle = find_cycle(dag)
    if cycle is None:
        return
    labels = [dag.label(node) for node in [*cycle, cycle[0]]]
    if len(labels) > 2 * SHOWN + 1:
        labels = [*labels[:SHOWN], f"... {len(labels) - 2 * SHOWN} more ...", *labels[-SHOWN:]]
    raise InputError(
        f"expected a hierarchy without cycles, got one of {len(cycle)} edges: {' -> '.join(labels)}; leave one out"
    )


def doubled_names(dag: Dag) -> tuple[str, ...]:
    """A note where several leaves have one name: what goes by names then needs others, and addresses tell them apart.

    Those of inner nodes may repeat without a word, as support values in Newick do.
    """
    if dag.names is None:
        return ()
    inner = np.bincount(dag.parent, minlength=dag.count) > 0
    leaves = [name for name, inside in zip(dag.names, inner.tolist(), strict=True) if name is not None and not inside]
    if len(doubled := _repeated(leaves)) == 0:
        return ()
    what = "1 name is of several leaves" if len(doubled) == 1 else f"{len(doubled):,} names are of several leaves each"
    return (f"{what}: {show_names(doubled)}; addresses tell them apart",)


def _repeated(names: Iterable[str]) -> list[str]:
    """The names that come again, each once, in the order in which they do."""
    seen, repeated = set[str](), dict[str, None]()
    for name in names:
        if name in seen:
            repeated[name] = None
        seen.add(name)
    return list(repeated)


def show_names(names: list[str]) -> str:
    """The first few names, as messages show them."""
    return ", ".join(map(repr, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


def check_columns(dag: Dag) -> None:
    """An InputError for what no property of the graph can be: a nameless one, a vector with holes, half a character."""
    for name, column in dag.columns.items():
        if not name or "\0" in name or not _fits_utf8([name]):
            raise InputError(f"expected a name for each attribute of nodes, text without NUL, got {name!r}; rename it")
        check_column(name, column, count=dag.count)
    _check_texts(dag)


def _check_texts(dag: Dag) -> None:
    columns = {"name": dag.names or []} | {name: column for name, column in dag.columns.items() if column.dtype.kind in "OU"}
    for name, column in columns.items():
        texts = [value if isinstance(value, str) else "" for value in column]
        if not _fits_utf8(texts):
            node = next(node for node, text in enumerate(texts) if not _fits_utf8([text]))
            raise InputError(
                f"expected text that UTF-8 can hold, got {texts[node][:40]!r} as {name!r} of node {node} (counted from 0), in "
                "which a surrogate stands alone"
            )


def _fits_utf8(texts: list[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
