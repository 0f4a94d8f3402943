"""Embeddings: vectors for the leaves of an imported hierarchy, by name or by the number of a data point."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points, read_points
from cfgraph.files.header import check_header_asked
from cfgraph.files.named import RowNames, read_named_array, read_row_names
from cfgraph.files.opened import suffix_of, unchanged
from cfgraph.model.dag import Dag, show_names


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A vector a row, of the node called ``names[row]``, or, without names, of data point ``row``.

    A source may say the ``node`` of each itself, and its ``weight``: how many vectors it is the mean of. ``exact`` ones are the
    centers of their nodes as they are, whatever lies below these.
    """

    values: Float[np.ndarray, "rows dim"]
    names: tuple[str, ...] | None
    digest: str | None  # of the values and names; None where the source made them
    node: Int[np.ndarray, " rows"] | None = None
    weight: Float[np.ndarray, " rows"] | None = None
    notes: tuple[str, ...] = ()  # what a reader should know of how they were read
    exact: bool = False

    @classmethod
    def of(cls, values: Float[np.ndarray, "rows dim"], *, names: Sequence[str] | None = None) -> "Embeddings":
        """Vectors in memory; raises an ``InputError`` for numbers that are not finite and names that are not as many."""
        table = check_points(np.asarray(values), where="the embeddings")
        return cls._checked(table.values, names, digest=table.digest)

    @classmethod
    def read(
        cls, path: Path | str, *, key: str | None = None, header: str = defaults.HEADER_RULE, large: bool = False
    ) -> "Embeddings":
        """Vectors of a file.

        .npy holds a row a data point; .npz besides perhaps an array ``names``; a .csv or .parquet file perhaps a column
        ``name`` beside its columns of numbers, or an index of text, whose texts are names then. ``header`` says whether the
        first line of a .csv is one (``yes``, ``no``, ``auto``), ``large`` lifts the limits of :mod:`cfgraph.files.opened`.
        Raises an ``InputError`` for what cannot be read.
        """
        path = Path(path)
        check_header_asked(header, path=path, what="embeddings")
        if suffix_of(path) == ".npz":
            array, names = read_named_array(path, what="embeddings", key=key, large=large)
            table = check_points(array, where=f"the embeddings of {path}")
            return cls._checked(table.values, names, digest=table.digest)
        is_table = suffix_of(path) in (".csv", ".parquet")
        with unchanged(path):  # names and values are read one after the other
            rows = read_row_names(path, what="embeddings", header=header, large=large) if is_table else RowNames()
            table = read_points(path, key=key, columns=rows.others, header=header, what="embeddings", large=large)
        read = cls._checked(table.values, rows.names, digest=table.digest)
        return replace(read, notes=(*table.notes, *rows.notes))

    @classmethod
    def _checked(cls, values: np.ndarray, names: Sequence[str] | None, *, digest: str) -> "Embeddings":
        if names is None:
            return cls(values, None, digest)
        if len(names) != len(values):
            raise InputError(f"expected a name for each of {len(values)} embeddings, got {len(names)} names")
        if len(set(names)) < len(names):
            doubled = [name for name, times in Counter(names).items() if times > 1]
            raise InputError(f"expected one embedding a name, got several for {show_names(doubled)}")
        from hashlib import sha256

        whole = sha256(digest.encode() + b"\0".join(name.encode() for name in names)).hexdigest()
        return cls(values, tuple(names), whole)

    def sums(self, dag: Dag) -> tuple[Float[np.ndarray, "nodes dim"], Float[np.ndarray, " nodes"]]:
        """The sum of the vectors given to each node, and how many they are."""
        node, rows = self._nodes(dag)
        weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
        total, count = np.zeros((dag.count, self.values.shape[1])), np.zeros(dag.count)
        np.add.at(total, node, weight[:, None] * self.values[rows])
        np.add.at(count, node, weight)
        return total, count

    def of_points(self, dag: Dag) -> "Embeddings":
        """The same by data point, where they were by name: so that they outlast the nodes that points lie in."""
        points = dag.node_of_point
        if self.names is None or points is None:
            return self
        row = np.full(dag.count, -1, dtype=np.int64)
        row[_named_nodes(self.names, dag)] = np.arange(len(self.values))
        row = row[points]
        lacking = np.flatnonzero(row < 0)
        if len(lacking):
            first = dag.label(int(points[lacking[0]]))
            raise InputError(f"{len(lacking)} of {len(row)} leaves have no embedding, such as {first}; give one for every leaf")
        return Embeddings(self.values[row], None, self.digest, notes=self.notes)

    def _nodes(self, dag: Dag) -> tuple[np.ndarray, np.ndarray]:
        """The nodes that vectors are given to, and the vectors' rows."""
        if self.node is not None:
            return self.node, np.arange(len(self.values))
        if self.names is not None:
            return _named_nodes(self.names, dag), np.arange(len(self.values))
        points = dag.node_of_point
        if points is None or len(points) != len(self.values):
            known = "no data points" if points is None else f"{len(points)} data points"
            raise InputError(
                f"expected an embedding for each data point, or names with them, got {len(self.values)} embeddings without "
                f"names, and the hierarchy has {known}; add an array 'names' (.npz) or a column 'name' (.csv, .parquet)"
            )
        inside = np.flatnonzero(points >= 0)
        return points[inside], inside


def _named_nodes(names: Sequence[str], dag: Dag) -> Int[np.ndarray, " names"]:
    inner = np.bincount(dag.parent, minlength=dag.count) > 0
    by_kind = np.argsort(~inner, kind="stable").tolist()  # leaves last: names of inner nodes may repeat
    node_of = {dag.names[node]: node for node in by_kind if dag.names[node] is not None} if dag.names else {}
    unknown = [name for name in names if name not in node_of]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(names)} embeddings are of names that the hierarchy does not have: "
            f"{show_names(unknown)}; leave them out, or rename them"
        )
    return np.array([node_of[name] for name in names], dtype=np.int64)
