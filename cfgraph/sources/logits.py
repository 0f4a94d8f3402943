"""Logits as a hierarchy: the classes of a classifier, merged by what it takes for what.

"From Logits to Hierarchies" (Palumbo et al., arXiv 2410.07858), with softmax and sums in float64. Per point x: h, the class
of the largest logit, and g, its probability. Each class starts as a group. The score of a group is the sum over its classes
of the mean of g over the class's points (0 for a class without points). C - 1 times:

1. G = the group with the lowest score. For each point of G's classes, renormalise its probabilities over the classes outside
   G, and add the largest to rp of its class; rp starts from zeros. A point with nothing possible outside G adds nothing.
2. If G has no points, or none adds anything: ``rp[c] = sum over all x of p_c(x) * (sum of p_k(x) over k in G)``.
3. Merge G with the other group of the largest mean of rp over its classes.

Ties go to the lowest id, and what is mathematically a tie shall be one whatever order its sums were taken in: scores are
rounded to 12 decimals, and means of rp that differ by less than one in 10^12 are equal. The logits of a row are compared as
they are.

Cost: each time that a point is touched its group's score doubles at least, so it is touched at most 2 log2(C) times (a fifth
to a third of that is usual), each time for C exponentials; besides, O(C^2) to choose. Step 2 costs a pass over the logits
and a matrix product, for some hundred groups at once. Memory beside the logits: some 80 bytes a point, and 60 MB at most.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError
from cfgraph.files.arrays import points_of, read_array
from cfgraph.files.columns import RawArray, whole_columns
from cfgraph.files.embeddings import Embeddings, read_embeddings
from cfgraph.files.in_memory import as_array, as_raw
from cfgraph.files.texts import given_names
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.model.trees import cut_merges
from cfgraph.moved import renamed
from cfgraph.sources.affinity import TREES, class_affinities
from cfgraph.sources.clustering import cluster_logits
from cfgraph.sources.imported import imported
from cfgraph.sources.softmax import Outside, Predictions, predict, sum_products
from cfgraph.sources.softmax import mean_probabilities as _mean_probabilities

_DECIMALS = 12
_TIE = 1e-12
_AHEAD = 256  # groups whose step 2 is worked out in one pass, at most
_AHEAD_NUMBERS = 1 << 22  # numbers that it may take
_SUM_TOLERANCE = 0.01  # probabilities in float16 do not add up to 1 any better
_DIGEST_ROWS = 256
_SHOWN = 8  # names in an error


@renamed(point_nodes="points")
def logits(
    data: Path | str | Float[np.ndarray, "points classes"],
    *,
    id: str = "logits",
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    names: Path | str | Sequence[str] | None = None,
    linkage: str = defaults.LOGITS_LINKAGE,
    clustering: str | None = None,
    seed: int = defaults.SEED,
    multiway: float | None = None,
    attach: bool = False,
    embeddings: Embeddings | Path | str | None = None,
    embeddings_key: str | None = None,
    embeddings_columns: Sequence[str] | None = None,
    embeddings_header: str = defaults.HEADER_RULE,
    embeddings_separator: str | None = None,
    embeddings_decimal: str | None = None,
    points: bool = False,
    large: bool = False,
) -> ImportedWithCells:
    """The hierarchy of a classifier's classes, from its logits; a cell's center is the mean embedding of the points below it.

    Without embeddings it is the mean of their vectors of probabilities. A class that is predicted for no point takes part in
    no mean: its cell has its parent's center.

    Args:
        id: the hierarchy's id.
        data: a file, an array, a tensor or a data frame, a row a point and a column a class.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table, or the one that holds lists; all of numbers (but for an index) unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        names: of the classes, or a file with one a line.
        linkage: how classes are merged: ``l2h``, the paper's rule; ``spectral`` or ``average``, by their affinities
            (:mod:`cfgraph.sources.affinity`).
        clustering: ``kmeans:K`` or ``gmm:K`` where ``data`` are features: that clustering's clusters are the classes
            (:mod:`cfgraph.sources.clustering`), and the features the embeddings.
        seed: of the clustering.
        multiway: see :func:`logits_dag`.
        attach: the same.
        embeddings: a vector for each point, or a file of them.
        embeddings_key: the array of an .npz file of them.
        embeddings_columns: the columns of a table of them.
        embeddings_header: whether the first line of a table of text of them is a header.
        embeddings_separator: what stands between its cells; found unless given.
        embeddings_decimal: the sign before the decimals in it; found unless given.
        points: whether the points are to be nodes of the graph too, each IN its class.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.

    Raises:
        InputError: for what no logits can be, and what :func:`logits_dag` and ``imported`` refuse.
    """
    where = str(data) if isinstance(data, Path | str) else "the array"
    known: dict[str, Any] = {}
    reading: dict[str, Any] = {"key": key, "columns": columns, "header": header, "large": large}
    reading |= {"separator": separator, "decimal": decimal}
    if clustering is not None:
        features = points_of(data, where=where, **reading)
        seed = check_integer(seed, name="seed", low=0)
        table = LogitTable(cluster_logits(features.values, clustering=clustering, seed=seed), notes=features.notes)
        embeddings = Embeddings(features.values, names=None, digest=None) if embeddings is None else embeddings
        known = {"clustering": clustering, "seed": seed, "data_sha256": features.digest}
    else:
        table = logits_of(data, where=where, **reading)
    called, told = given_names(names, large=large)
    names = called or table.names
    merges = merge_logits(table.values, where=where, linkage=linkage)
    if names is None and attach:  # points are called by their numbers already
        names = [f"class {number}" for number in range(merges.classes)]
    dag = logits_dag(merges, names=names, multiway=multiway, attach=attach)
    dag = replace(dag, notes=(*table.notes, *told, *dag.notes))
    embeddings = read_embeddings(
        embeddings,
        embeddings_key=embeddings_key,
        embeddings_columns=embeddings_columns,
        embeddings_header=embeddings_header,
        embeddings_separator=embeddings_separator,
        embeddings_decimal=embeddings_decimal,
        large=large,
    )
    return imported(
        dag,
        id=id,
        origin="logits",
        recipe=known or {"logits_sha256": table.digest},
        embeddings=embeddings or _probability_vectors(table.values, merges, attach=attach),
        fill=True,
        points=points,
    )


def _probability_vectors(logits: Float[np.ndarray, "points classes"], merges: "Merges", *, attach: bool) -> Embeddings:
    """The probabilities of each point where points are cells, else their mean over each class's points."""
    if attach:
        from scipy.special import softmax

        return Embeddings(softmax(logits.astype(np.float64), axis=1), names=None, digest=None)
    points = np.bincount(merges.predicted, minlength=merges.classes)
    known = np.flatnonzero(points)
    return Embeddings(
        mean_probabilities(logits)[known], names=None, digest=None, node=known, weight=points[known].astype(np.float64)
    )


@dataclass(frozen=True, eq=False)
class LogitTable:
    """Logits as they were read, a row a point and a column a class, and the names of the classes where the file has some."""

    values: Float[np.ndarray, "points classes"]  # float16, float32 or float64
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the shape and the numbers as float64, whatever file and type they came from."""
        digest = hashlib.sha256(repr(self.values.shape).encode())
        for start in range(0, len(self.values), _DIGEST_ROWS):
            digest.update((self.values[start : start + _DIGEST_ROWS].astype("<f8") + 0.0).tobytes())  # -0.0 and 0.0 are one
        return digest.hexdigest()


def read_logits(path: Path | str, **reading: Any) -> LogitTable:
    """The logits in a file; ``reading`` is that of :func:`cfgraph.files.arrays.read_array`.

    Columns of numbers of a table name the classes; a single column of lists does not.

    Raises:
        InputError: for a file that is missing, empty, damaged or of another form, for what no logits can be, and for columns
            of whole numbers beside others, which may be labels, unless ``columns`` are told.
    """
    raw = read_array(path, what="logits", **reading)
    return _as_logits(raw, asked=reading.get("columns") is not None)


def logits_of(data: Any, *, where: str, **reading: Any) -> LogitTable:
    """The same of a file, or of data in memory, of which ``columns`` pick those of a data frame."""
    if isinstance(data, Path | str):
        return read_logits(data, **reading)
    columns = reading.get("columns")
    return _as_logits(as_raw(data, where=where, what="logits", columns=columns), asked=columns is not None)


def _as_logits(raw: RawArray, *, asked: bool) -> LogitTable:
    values = check_logits(raw.values, where=raw.where)
    whole = whole_columns(values, raw.names) if raw.names is not None and not asked else []
    if whole and raw.names is not None:
        others = [name for name in raw.names if name not in whole]
        shown = ",".join(others) if len(others) <= _SHOWN else f"{','.join(others[:_SHOWN])},..."
        raise InputError(
            f"expected a logit of a class in every column of {raw.where}, got whole numbers in "
            f"{', '.join(map(repr, whole[:_SHOWN]))} beside columns of fractions: a label or an id? Then leave it out, with "
            f"--columns {shown}; else name it there too"
        )
    return LogitTable(values, names=raw.names, notes=raw.notes)


def check_logits(array: Any, *, where: str) -> Float[np.ndarray, "points classes"]:
    """An array as logits: rows x at least two columns of floats; an array of floats is not copied if it lies row by row.

    What the rows hold is checked by :func:`merge_logits`, which reads them all anyway.

    Raises:
        InputError: for an array of another shape or type, or an empty one.
    """
    array = as_array(array, where=where)
    if array.dtype.kind not in "fiu":
        raise InputError(f"expected numbers in {where}, got an array of type {array.dtype}")
    if array.ndim != 2:
        raise InputError(
            f"expected points x classes in {where}, a row a point and a column a class, got shape {array.shape}; reshape it"
        )
    if len(array) == 0:
        raise InputError(f"expected at least one row of logits in {where}, got an empty array of shape {array.shape}")
    if array.shape[1] < 2:
        raise InputError(
            f"expected logits of at least two classes in {where}, got shape {array.shape}; a single logit z that tells two "
            "classes apart is the two columns 0 and z"
        )
    return np.ascontiguousarray(array, dtype=_float_type(array.dtype))


def _float_type(kind: np.dtype) -> np.dtype:
    """The type in native byte order that holds minus infinity and every number of ``kind``, but for those of longer floats."""
    if kind.kind == "f" and kind.itemsize < 8:
        return kind.newbyteorder("=")
    return np.dtype(np.float32 if kind.itemsize <= 2 else np.float64)


@dataclass(frozen=True, eq=False)
class Merges:
    """The C - 1 merges of C classes, in their order. Ids are SciPy's: classes are 0..C-1, and merge i makes C + i."""

    group: Int[np.ndarray, " merges"]  # G, the group that had the lowest score
    other: Int[np.ndarray, " merges"]  # what it was merged with
    height: Float[np.ndarray, " merges"]  # the score of G (of other linkages 1 less an affinity); never falls
    affinity: Float[np.ndarray, " merges"]  # the mean of rp over the classes of ``other`` (of other linkages, across)
    size: Int[np.ndarray, " nodes"]  # points of every class, then of every merge
    predicted: Int[np.ndarray, " points"]  # h, the class of every point
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.group)

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return len(self) + 1

    @cached_property
    def parent(self) -> Int[np.ndarray, " nodes"]:
        """The merge that each class or merge went into; -1 for the last."""
        parent = np.full(self.classes + len(self), -1, dtype=np.int64)
        parent[self.group] = parent[self.other] = np.arange(self.classes, len(parent))
        return parent

    def cut(self, clusters: int) -> Int[np.ndarray, " classes"]:
        """The cluster of each class when the last ``clusters - 1`` merges are undone, numbered by their lowest classes.

        ``merges.cut(k)[merges.predicted]`` are those of the points.

        Raises:
            InputError: for a number of clusters that is not between 1 and the number of classes.
        """
        clusters = check_integer(clusters, name="number of clusters", low=1, high=self.classes)
        return cut_merges(np.column_stack([self.group, self.other]), clusters=clusters)


def merge_logits(
    logits: Float[np.ndarray, "points classes"], *, where: str = "the array", linkage: str = defaults.LOGITS_LINKAGE
) -> Merges:
    """The merges of the classes of logits or log-probabilities; the module's text says how, for the ``linkage`` ``l2h``.

    Minus infinity is a probability of 0. The logits are neither copied nor changed, if they are floats row by row. ``where``
    is what errors call them.

    Raises:
        InputError: for another linkage, no points x classes of numbers; rows with NaN, with plus infinity, or without a finite
            logit; logits that are equal in every row; probabilities; too many classes for a matrix of all pairs.
    """
    if linkage not in defaults.LOGITS_LINKAGES:
        raise InputError(f"expected a linkage out of {', '.join(defaults.LOGITS_LINKAGES)}, got {linkage!r}")
    values = check_logits(logits, where=where)
    found = predict(values)
    notes = _check_rows(values, found, where=where, linkage=linkage)
    if linkage == "l2h":
        with Outside(values) as outside:
            groups = _Groups(values, found, outside)
            steps = [groups.merge() for _ in range(values.shape[1] - 1)]
        group, other, height, affinity = (np.array(column) for column in zip(*steps, strict=True))
    else:
        pairs, height, affinity = TREES[linkage](class_affinities(values, found))
        group, other = pairs.T
    sizes = np.bincount(found.predicted, minlength=2 * values.shape[1] - 1)
    for node, (one, two) in enumerate(zip(group, other, strict=True), start=values.shape[1]):
        sizes[node] = sizes[one] + sizes[two]
    return Merges(group, other, height, affinity, size=sizes, predicted=found.predicted, notes=notes)


def mean_probabilities(
    logits: Float[np.ndarray, "points classes"], *, where: str = "the array"
) -> Float[np.ndarray, "classes classes"]:
    """Row c: the mean over the points with h = c of their probabilities; NaN for a class without points.

    Raises:
        InputError: as :func:`merge_logits`.
    """
    values = check_logits(logits, where=where)
    found = predict(values)
    _check_rows(values, found, where=where)
    return _mean_probabilities(values, found)


def _check_rows(
    logits: Float[np.ndarray, "points classes"], found: Predictions, *, where: str, linkage: str = defaults.LOGITS_LINKAGE
) -> tuple[str, ...]:
    """Notes on rows that tell little; an InputError for those that are none of logits."""
    wrong = np.flatnonzero(~np.isfinite(found.highest))
    if len(wrong):
        value = found.highest[wrong[0]]
        got = "holds NaN" if np.isnan(value) else "holds plus infinity" if value > 0 else "is minus infinity throughout"
        raise InputError(
            f"expected a finite largest logit in every row of {where}, got {len(wrong)} rows without one, the first row "
            f"{wrong[0]} (counted from 0), which {got}; leave such rows out"
        )
    flat = np.flatnonzero(found.lowest == found.highest)
    if len(flat) == len(logits):
        raise InputError(
            f"expected logits that tell classes apart in {where}, and in each of its {len(logits)} rows all of them are equal; "
            "take those of a trained classifier"
        )
    _check_no_probabilities(logits, found, where=where)
    empty = logits.shape[1] - len(np.unique(found.predicted))
    notes = [f"{len(flat)} rows, the first row {flat[0]}, hold equal logits and count as class 0"] if len(flat) else []
    if empty:
        first = "; they merge first, by probabilities" if linkage == "l2h" else ""
        notes.append(f"{empty} of {logits.shape[1]} classes are predicted for no point{first}")
    return tuple(notes)


def _check_no_probabilities(logits: Float[np.ndarray, "points classes"], found: Predictions, *, where: str) -> None:
    if found.lowest.min() < 0 or found.highest.max() > 1:
        return
    if (np.abs(logits.sum(axis=1, dtype=np.float64) - 1) <= _SUM_TOLERANCE).all():
        raise InputError(
            f"expected logits or log-probabilities in {where}, got probabilities (none below 0, every row adds up to 1); take "
            "their logarithm: numpy.log(probabilities), where 0 becomes minus infinity, which is welcome"
        )


class _Groups:
    """Groups of classes as they merge: who is in which, the scores, and what the points of a group hold of the others."""

    def __init__(self, logits: Float[np.ndarray, "points classes"], found: Predictions, outside: Outside):
        count = logits.shape[1]
        points = np.bincount(found.predicted, minlength=count)
        score = np.bincount(found.predicted, weights=found.probability, minlength=count) / np.maximum(points, 1)
        self._logits, self._found, self._outside = logits, found, outside
        self._rows = np.split(np.argsort(found.predicted, kind="stable"), np.cumsum(points)[:-1])  # by class
        self._members = [np.array([number]) for number in range(count)]  # by id, as all that follows
        self._group_of_class = np.arange(count)
        self._size = np.zeros(2 * count - 1, dtype=np.int64)  # in classes; 0 for a group that is no more, or not yet
        self._size[:count] = 1
        self._queue = list(zip(np.round(score, _DECIMALS).tolist(), range(count), strict=True))
        heapq.heapify(self._queue)
        self._score = {group: score for score, group in self._queue}
        self._ahead: dict[int, Float[np.ndarray, " classes"]] = {}
        self._asked = 1

    def merge(self) -> tuple[int, int, float, float]:
        """Merge the group of the lowest score: its id, that of the other, its score, the affinity of the two."""
        group = self._pop()
        means = self._mean_gains(group)
        best = means.max()
        other = int(np.argmax(means >= best - _TIE * best))
        height = self._score[group]
        self._join(group, other)
        return group, other, height, float(means[other])

    def _pop(self) -> int:
        while True:
            _, group = heapq.heappop(self._queue)
            if self._size[group]:
                return group

    def _join(self, group: int, other: int) -> None:
        new, score = len(self._members), round(self._score[group] + self._score[other], _DECIMALS)
        self._members.append(np.concatenate([self._members[group], self._members[other]]))
        self._group_of_class[self._members[new]] = new
        self._size[[group, other, new]] = 0, 0, len(self._members[new])
        self._members[group] = self._members[other] = np.empty(0, dtype=np.int64)
        self._score[new] = score
        heapq.heappush(self._queue, (score, new))

    def _mean_gains(self, group: int) -> Float[np.ndarray, " groups"]:
        """The mean of rp over the classes of each group; -1 for those that ``group`` cannot be merged with."""
        total = np.bincount(self._group_of_class, weights=self._gains(group), minlength=len(self._size))
        possible = self._size > 0
        possible[group] = False
        return np.divide(total, self._size, out=np.full(len(total), -1.0), where=possible)

    def _gains(self, group: int) -> Float[np.ndarray, " classes"]:
        """``rp`` of every class."""
        members, found = self._members[group], self._found
        if len(members) == 1:
            rows = self._rows[members[0]]
            best, share = found.second[rows], found.second_share[rows]
        else:  # in the order of the points, so that sums do not depend on that of the merges
            rows = np.sort(np.concatenate([self._rows[number] for number in members]))
            best, share = self._outside.find(rows, inside=members)
        gains = np.bincount(best, weights=share, minlength=len(self._group_of_class))
        return gains if gains.any() else self._products(group)

    def _products(self, group: int) -> Float[np.ndarray, " classes"]:
        """``rp`` of every class by products of probabilities, worked out for the groups that follow as well."""
        if group not in self._ahead:
            together = [group, *self._followers(group)]
            members = [self._members[number] for number in together]
            self._ahead = dict(zip(together, sum_products(self._logits, self._found, groups=members), strict=True))
        return self._ahead.pop(group)

    def _followers(self, group: int) -> Iterable[int]:
        """The groups that come next in the queue and may need products too: those without points, else as many as last time."""
        most = max(1, min(_AHEAD, _AHEAD_NUMBERS // len(self._group_of_class)))
        hollow = self._score[group] == 0
        self._asked = self._asked if hollow else min(2 * self._asked, most)
        for score, number in heapq.nsmallest((most if hollow else self._asked) - 1, self._queue):
            if self._size[number] and (score == 0 or not hollow):
                yield number


def logits_dag(
    merges: Merges, *, names: Sequence[str] | None = None, multiway: float | None = None, attach: bool = False
) -> Dag:
    """The merges as a dag: nodes 0..C-1 are the classes, then come the merges in their order, then the points if attached.

    Children stand in the order of their numbers. A node has the columns ``height`` (0 at classes and points), ``affinity``
    (NaN where it is no merge) and ``size`` (points at and below it); an edge is as long as the heights of its ends differ.

    Args:
        merges: of :func:`merge_logits`.
        names: of the classes; their numbers unless given. Points are named by the numbers of their rows; merges are not named.
        multiway: a tolerance, as a share of the largest height. From the last merge to the first, each is compared with the
            merge that it hangs under by then; where their heights differ by at most ``multiway * height[-1]``, it is
            dissolved, and its children hang under that one. So no merge moves by more than the tolerance; 0 dissolves
            those of equal height. Nothing is dissolved unless it is given.
        attach: points become leaves below their classes, and lie in themselves rather than in their classes.

    Raises:
        InputError: for names of the wrong number, empty or doubled ones; a ``multiway`` not between 0 and 1.
    """
    labels = _check_names(names, count=merges.classes)
    parent, kept = _dissolve(merges, _check_multiway(multiway))
    number = np.full(len(parent), -1, dtype=np.int64)  # by id
    number[kept] = np.arange(len(kept))
    above = np.where(parent[kept] < 0, -1, number[parent[kept]])
    inner = merges.classes, len(kept)
    columns = {
        "height": np.concatenate([np.zeros(inner[0]), merges.height])[kept],
        "affinity": np.concatenate([np.full(inner[0], np.nan), merges.affinity])[kept],
        "size": merges.size[kept],
    }
    labels += [None] * (inner[1] - inner[0])
    where = merges.predicted
    if attach:
        above = np.concatenate([above, where])
        columns = {name: np.concatenate([values, _of_points(name, len(where))]) for name, values in columns.items()}
        labels += map(str, range(len(where)))
        where = np.arange(len(kept), len(above))
    return _build_dag(above, columns=columns, names=labels, node_of_point=where, notes=merges.notes)


def _of_points(column: str, count: int) -> np.ndarray:
    """A column's values at points."""
    return {"height": np.zeros(count), "affinity": np.full(count, np.nan), "size": np.ones(count, dtype=np.int64)}[column]


def _build_dag(
    above: Int[np.ndarray, " nodes"],
    *,
    columns: dict[str, np.ndarray],
    names: list[str | None],
    node_of_point: Int[np.ndarray, " points"],
    notes: tuple[str, ...],
) -> Dag:
    """The dag of a tree whose every node knows its parent, -1 at the root; edges by parent, then by child."""
    children = np.flatnonzero(above >= 0)
    children = children[np.argsort(above[children], kind="stable")]
    return Dag(
        count=len(above),
        parent=above[children],
        child=children,
        length=columns["height"][above[children]] - columns["height"][children],
        lengths="height",
        names=names,
        columns=columns,
        node_of_point=node_of_point,
        notes=notes,
    )


def _dissolve(merges: Merges, tolerance: float | None) -> tuple[Int[np.ndarray, " nodes"], Int[np.ndarray, " kept"]]:
    """The parent of every class and merge once merges of nearly equal height are dissolved, and those that are left."""
    parent, first = merges.parent.tolist(), merges.classes
    kept = np.ones(len(parent), dtype=bool)
    span = -1.0 if tolerance is None else tolerance * float(merges.height[-1])
    for node in range(len(parent) - 2, -1, -1):  # parents have the greater numbers
        if not kept[parent[node]]:
            parent[node] = parent[parent[node]]
        if node >= first and merges.height[parent[node] - first] - merges.height[node - first] <= span:
            kept[node] = False
    return np.array(parent), np.flatnonzero(kept)


def _check_multiway(multiway: float | None) -> float | None:
    if multiway is None:
        return None
    if not 0 <= check_number(multiway, name="multiway") <= 1:
        raise InputError(f"expected a share of the largest height, between 0 and 1, as multiway, got {multiway}")
    return float(multiway)


def _check_names(names: Sequence[str] | None, *, count: int) -> list[str | None]:
    """The classes' names as text, or their numbers."""
    labels: list[str | None] = [str(name) for name in (range(count) if names is None else names)]
    if len(labels) != count:
        raise InputError(f"expected {count} names, one for each class (each column of the logits), got {len(labels)}")
    if "" in labels:
        raise InputError(f"expected a name for every class, got an empty one for class {labels.index('')} (counted from 0)")
    name, times = Counter(labels).most_common(1)[0]
    if times > 1:
        raise InputError(f"expected different names for the classes, got {name!r} {times} times; tell them apart")
    return labels
