"""Embeddings: vectors for the leaves of an imported hierarchy, by name or by the number of a data point."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import Reading, check_points, read_points
from cfgraph.files.in_memory import as_table
from cfgraph.files.index import schema_index
from cfgraph.files.kinds import kind_of
from cfgraph.files.named import RowNames, named_columns, read_named_array, read_row_names
from cfgraph.files.opened import unchanged
from cfgraph.files.sparse import read_sparse
from cfgraph.model.dag import Dag, show_names


class EmbeddingsReading(TypedDict, total=False):
    """How a file of embeddings is read, as the arguments of verbs that take other data besides."""

    embeddings_key: str | None
    embeddings_columns: Sequence[str] | None
    embeddings_header: str
    embeddings_separator: str | None
    embeddings_decimal: str | None


def read_embeddings(
    given: "Embeddings | Path | str | None", *, large: bool = False, **reading: Unpack[EmbeddingsReading]
) -> "Embeddings | None":
    """Embeddings as they were given, those of a file read; an ``InputError`` for what is about files where none was given."""
    asked: Any = {name.removeprefix("embeddings_"): value for name, value in reading.items() if value is not None}
    if isinstance(given, Path | str):
        return Embeddings.read(given, large=large, **asked)
    told = [name for name, value in asked.items() if (name, value) != ("header", defaults.HEADER_RULE)]
    if told:
        raise InputError(f"embeddings_{told[0]} is about a file of embeddings, and none was given; leave it out")
    return given


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
    def of(cls, values: Any, *, names: Sequence[str] | None = None) -> "Embeddings":
        """Vectors in memory: arrays, tensors, sparse rows, or a data frame, whose column ``name`` or index of texts has names.

        Raises an ``InputError`` for numbers that are not finite and names that are not as many.
        """
        where, notes = "the embeddings", tuple[str, ...]()
        frame = as_table(values, where=where)
        if frame is not None:
            found = named_columns(frame, index=schema_index(frame.schema), key=None, where=where)
            values, names, notes = found.columns, found.names if names is None else names, found.notes
        table = check_points(values, where=where, what="embeddings")
        return replace(cls._checked(table.values, names, digest=table.digest), notes=(*notes, *table.notes))

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        key: str | None = None,
        columns: Sequence[str] | None = None,
        header: str = defaults.HEADER_RULE,
        separator: str | None = None,
        decimal: str | None = None,
        large: bool = False,
    ) -> "Embeddings":
        """Vectors of a file; the options are those of :func:`cfgraph.files.arrays.read_array`.

        .npy holds a row a data point; .npz besides perhaps an array ``names``; a table (.parquet, .feather, or of text) perhaps
        a column ``name`` beside its columns of numbers, or an index of text, whose texts are names then. Raises an
        ``InputError`` for what cannot be read.
        """
        path = Path(path)
        asked = Reading(key=key, columns=columns, header=header, separator=separator, decimal=decimal)
        with unchanged(path):  # names and values are read one after the other
            kind = kind_of(path, what="embeddings", large=large)
            asked.check(kind, path=path, what="embeddings")
            if kind == "npz":
                if key is None and read_sparse(path, what="embeddings", large=large) is not None:
                    table = read_points(path, what="embeddings", large=large)
                    return replace(cls._checked(table.values, None, digest=table.digest), notes=table.notes)
                array, names = read_named_array(path, what="embeddings", key=key, large=large)
                table = check_points(array, where=f"the embeddings of {path}")
                return replace(cls._checked(table.values, names, digest=table.digest), notes=table.notes)
            rows = RowNames() if kind == "npy" else read_row_names(path, what="embeddings", reading=asked, large=large)
            chosen = rows.others if columns is None else columns
            options = {"key": key, "header": header, "separator": separator, "decimal": decimal, "large": large}
            table = read_points(path, columns=chosen, what="embeddings", **options)
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
    wanted = set(names)
    counts = Counter(n for n, inside in zip(dag.names or (), inner.tolist(), strict=False) if n in wanted and not inside)
    if doubled := [name for name, times in counts.items() if times > 1]:
        raise InputError(
            f"expected embeddings by names that are of one leaf each, got {show_names(doubled)}, which several leaves have; "
            "rename them"
        )
    by_kind = np.argsort(~inner, kind="stable").tolist()  # leaves last: names of inner nodes may repeat
    node_of = {dag.names[node]: node for node in by_kind if dag.names[node] is not None} if dag.names else {}
    unknown = [name for name in names if name not in node_of]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(names)} embeddings are of names that the hierarchy does not have: "
            f"{show_names(unknown)}; leave them out, or rename them"
        )
    return np.array([node_of[name] for name in names], dtype=np.int64)
