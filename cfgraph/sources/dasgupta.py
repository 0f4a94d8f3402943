"""Binary trees of low Dasgupta cost, from features or from similarities: average linkage or bisecting 2-means, refined.

Dasgupta's cost (arXiv 1510.05043) of a tree is the sum, over all pairs of points, of their similarity times the number of
points below their lowest common ancestor: what is alike shall be merged low. A search moves subtrees to where they cost least
(:mod:`cfgraph.sources.regrafting`); ``fit="relaxed"`` begins with HypHC's relaxation (arXiv 2010.00402) instead. A lower cost
is not a higher purity: docs/learning.md has both, side by side.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from jaxtyping import Float, Int

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable
from cfgraph.files.column_order import names_for_recipe
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.texts import given_names
from cfgraph.learning.encoders import Standardise, UnitLength, dump_encoder
from cfgraph.model.address import check_id
from cfgraph.model.dag import Dag
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.model.trees import height_lengths
from cfgraph.moved import renamed
from cfgraph.sources.bisecting import bisect
from cfgraph.sources.circle import Layout, decode, lay_out, of_learned
from cfgraph.sources.imported import ImportOptions, SourceOptions, imported, with_embeddings
from cfgraph.sources.preparation import Rows, read_rows
from cfgraph.sources.regrafting import (
    PASSES,
    FeatureSimilarities,
    MatrixSimilarities,
    Regrafted,
    Similarities,
    regraft,
    tree_cost,
    tree_levels,
)
from cfgraph.sources.similarity import check_similarity, feature_rows, similarity_matrix, standardise, to_unit_rows, unit_rows

FEW_POINTS, MANY_POINTS, MOST_REFINED = 1_000, 5_000, 50_000
STARTS = 4  # up to FEW_POINTS; above, one
FEWER_PASSES = 6  # above MANY_POINTS, where average linkage is left out, too; none above MOST_REFINED


Say = Callable[[str], None]


@renamed(point_nodes="points", minimum="condense")
def dasgupta(
    data: Path | str | Float[np.ndarray, "points dim"] | None = None,
    *,
    id: str = "dasgupta",
    similarity: Path | str | Float[np.ndarray, "points points"] | None = None,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    svd: int | None = None,
    names: Path | str | Sequence[str] | None = None,
    fit: str = defaults.DASGUPTA_FIT,
    refine: bool = True,
    sharpness: float = defaults.SHARPNESS,
    starts: int | None = None,
    passes: int | None = None,
    leaf_size: int = defaults.LEAF_SIZE,
    seed: int = defaults.SEED,
    large: bool = False,
    say: Say = lambda line: None,
    **options: Unpack[SourceOptions],
) -> ImportedWithCells:
    """The binary tree of least Dasgupta cost that was found, with the layout of its leaves in the Poincare disk.

    ``C = sum over merges v of A and B of |v| w(A, B)``, w the sum of the similarities across. Of features these are
    ``((1 + cos) / 2) ** sharpness`` after each column was brought to mean 0 and standard deviation 1. Larger children have
    the lower slots; where they are equal, the one with the smallest row. Centers are means of the features, standardised
    and brought to length 1.

    Cells have the properties ``height`` (1 less the mean similarity across the merge, made to rise towards the root),
    ``merge`` (the number in SciPy's linkage matrix), ``dasgupta`` (the merge's share of C), and the layout: ``hyp_angle``,
    ``hyp_depth`` (distance from the middle), ``hyp_xy`` (within the unit disk).

    Args:
        id: the hierarchy's id.
        data: features: a file, an array, a tensor or a data frame, a row a point.
        similarity: in place of ``data``: a symmetric matrix of similarities, in such a file or as an array.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table; all unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        svd: how many directions of a truncated SVD rows are brought to first, in place of standardised columns; sparse rows
            (``scipy.sparse``, or .npz files of it) stay sparse until then. All columns, standardised, unless given.
        names: of the points, or a file with one a line.
        fit: ``search``; or ``relaxed``, which begins with HypHC's relaxation, and needs torch.
        refine: whether subtrees are moved to where they cost least.
        sharpness: p of ``s ** p``; at least 1. Other than 1 it takes a matrix of all pairs.
        starts: how many searches, of which the best counts; 4 up to 1,000 points, else 1.
        passes: of a search, at most; 50 up to 5,000 points, 6 up to 50,000, else none.
        leaf_size: the most points that a leaf stands for; from 2 on the search is one of clusters, whose inside is left.
        seed: of all that is drawn at random.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        say: is told how the search goes.
        options: ``condense``, ``levels`` and ``points`` of :func:`cfgraph.sources.imported.imported`; with a
            ``similarity`` also ``embeddings``, and of a file of them ``embeddings_key``, ``embeddings_columns``,
            ``embeddings_header``, ``embeddings_separator`` and ``embeddings_decimal``.

    Raises:
        InputError: for both or neither of data and similarity, numbers that are not finite, fewer than two points, a matrix
            that is none of similarities, more points than a matrix of all pairs can have, and arguments out of their range.
        MissingExtraError: for ``relaxed`` where torch is not installed.
    """
    check_id(id)
    how = How.checked(fit=fit, refine=refine, sharpness=sharpness, starts=starts, passes=passes, leaf_size=leaf_size, seed=seed)
    reading: dict[str, Any] = {"key": key, "columns": columns, "header": header, "large": large}
    reading |= {"separator": separator, "decimal": decimal}
    known = _read(data, similarity, how=how, svd=svd, reading=reading)
    names, told = given_names(names, large=large)
    check_point_names(names, points=known.points, leaf_size=leaf_size)
    if known.of_features and options.get("embeddings") is not None:
        raise InputError("embeddings are for a similarity matrix; centers of features are their means; leave --embeddings out")
    recipe = {**known.recipe, **how.recipe, **({} if svd is None else {"svd": svd})}
    made = tree_of(
        known, how, id=id, origin="dasgupta", recipe=recipe, names=names, say=say, options=with_embeddings(options, large=large)
    )
    return made.replace(notes=(*told, *made.notes))


def tree_of(
    known: "Known",
    how: "How",
    *,
    id: str,
    origin: str,
    recipe: dict[str, Any],
    names: Sequence[str] | None,
    say: Say,
    options: ImportOptions,
) -> ImportedWithCells:
    """The tree of least cost that a search finds, as a hierarchy of some origin; of features, centers are their means."""
    found = _search(known, how, say=say)
    dag = _dag(found, known, names=names)
    if known.of_features:
        options = {**options, "embeddings": Embeddings(known.features(), names=None, digest=None)}
    made = imported(dag, id=id, origin=origin, recipe={**recipe, "radius": found.layout.radius}, **options)
    return made.replace(encoder=known.encoder)


class How(NamedTuple):
    """How a tree is looked for."""

    fit: str
    refine: bool
    sharpness: float
    starts: int | None
    passes: int | None
    leaf_size: int
    seed: int

    @classmethod
    def checked(cls, *, fit, refine, sharpness, starts, passes, leaf_size, seed) -> "How":
        """The arguments, or an InputError for one that is out of its range."""
        if fit not in defaults.DASGUPTA_FITS:
            raise InputError(f"expected a fit out of {', '.join(defaults.DASGUPTA_FITS)}, got {fit!r}")
        leaf_size = check_integer(leaf_size, name="leaf size", low=1)
        if fit == "relaxed" and leaf_size > 1:
            raise InputError("the relaxed fit moves single points; leave --leaf-size out, or take --fit search")
        return cls(
            fit,
            bool(refine),
            check_number(sharpness, name="sharpness", low=1.0),
            None if starts is None else check_integer(starts, name="number of starts", low=1),
            None if passes is None else check_integer(passes, name="number of passes", low=0),
            leaf_size,
            check_integer(seed, name="seed", low=0),
        )

    @property
    def recipe(self) -> dict[str, Any]:
        """What makes the same tree again."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def starts_of(self, points: int) -> int:
        """How many searches there are."""
        return self.starts or (STARTS if points <= FEW_POINTS else 1)

    def passes_of(self, leaves: int) -> int:
        """How many passes a search has, at most."""
        if not self.refine:
            return 0
        if self.passes is not None:
            return self.passes
        return PASSES if leaves <= MANY_POINTS else FEWER_PASSES if leaves <= MOST_REFINED else 0


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the points."""

    similarities: Similarities
    most: float  # what a similarity can be
    recipe: dict[str, Any]
    notes: tuple[str, ...]
    encoder: Encoder | None = None  # of features, where it can be kept
    unit: Float[np.ndarray, "points dim"] | None = None  # these, where the similarities do not tell them

    @property
    def points(self) -> int:
        """How many there are."""
        return len(self.similarities.rows)

    def similar(self, one: Int[np.ndarray, " pairs"], other: Int[np.ndarray, " pairs"]) -> Float[np.ndarray, " pairs"]:
        """Similarities of pairs of points."""
        rows = self.similarities.rows
        if isinstance(self.similarities, MatrixSimilarities):
            return rows[one, other]
        return np.einsum("pd,pd->p", rows[one], rows[other])

    @property
    def of_features(self) -> bool:
        """Whether rows of length 1 stand behind the similarities."""
        return self.unit is not None or isinstance(self.similarities, FeatureSimilarities)

    def features(self) -> Float[np.ndarray, "points dim"]:
        """The rows of length 1 whose similarities these are. They are made when they are asked for: memory holds many once."""
        return unit_rows(self.similarities.rows) if self.unit is None else self.unit

    def total(self) -> float:
        """The sum of all similarities of pairs."""
        rows = self.similarities.rows
        if isinstance(self.similarities, MatrixSimilarities):
            return float(rows.sum()) / 2
        whole = rows.sum(axis=0)
        return float(whole @ whole - np.einsum("pd,pd->", rows, rows)) / 2


def _read(data: Any, similarity: Any, *, how: How, svd: int | None, reading: dict[str, Any]) -> Known:
    if (data is None) == (similarity is None):
        raise InputError("expected either features or a similarity matrix; give one of data and similarity")
    given, what = (data, "points") if similarity is None else (similarity, "similarities")
    if svd is not None and similarity is not None:
        raise InputError("directions are of features; leave --svd out with a similarity matrix")
    where = str(given) if isinstance(given, Path | str) else "the array"
    rows = read_rows(given, svd=svd, seed=how.seed, what=what, **reading)
    if len(rows.table.values) < 2:
        raise InputError(f"expected at least two points for a tree, got {len(rows.table.values)} in {where}")
    return _of_features(rows, how) if similarity is None else _of_matrix(rows.table, how, where=where)


def _of_features(rows: Rows, how: How) -> Known:
    """Columns are standardised, but for those of an SVD, whose sizes are what it found."""
    values, steps, notes = rows.table.values, rows.steps, rows.table.notes
    if not steps:
        ready = standardise(values)
        values, steps, notes = ready.values, (Standardise(ready.mean, ready.deviation),), (*notes, *ready.notes)
    encoder = dump_encoder(*steps, UnitLength())
    known = known_rows(values, sharpness=how.sharpness, digest=rows.table.digest, notes=notes, encoder=encoder)
    return replace(known, recipe=known.recipe | names_for_recipe(rows.table.columns))


def known_rows(
    rows: Float[np.ndarray, "points dim"], *, sharpness: float, digest: str, notes: tuple[str, ...], encoder: Encoder | None
) -> Known:
    """What is known of points by rows whose directions say how similar they are; ``digest`` is of the data behind them.

    The rows are brought to length 1 where they are: memory holds many once.
    """
    unit, remarks = to_unit_rows(rows, out=rows)
    told: dict[str, Any] = {
        "most": 1.0,
        "recipe": {"data_sha256": digest},
        "notes": (*notes, *remarks),
        "encoder": encoder,
    }
    if sharpness == 1:
        return Known(FeatureSimilarities(feature_rows(unit)), **told)
    return Known(MatrixSimilarities(similarity_matrix(unit, sharpness=sharpness)), unit=unit, **told)


def _of_matrix(table: PointTable, how: How, *, where: str) -> Known:
    if how.leaf_size > 1:
        raise InputError("clusters of points at the leaves come from features; leave --leaf-size out with a similarity matrix")
    matrix = check_similarity(table.values, sharpness=how.sharpness, where=where)
    most = max(1.0, float(matrix.max()))
    return Known(MatrixSimilarities(matrix), most, {"similarity_sha256": table.digest}, table.notes)


def check_point_names(names: Sequence[str] | None, *, points: int, leaf_size: int) -> None:
    """An InputError for names of another number than points, and for leaves that are no points."""
    if names is None:
        return
    if len(names) != points:
        raise InputError(f"expected {points:,} names, one for each point, got {len(names):,}")
    if leaf_size > 1:
        raise InputError("names are of points, and a leaf of several has none; leave --names out, or take --leaf-size 1")


@dataclass(frozen=True, eq=False)
class _Found:
    """The best tree, canonical: children before their parents, larger ones first."""

    children: Int[np.ndarray, "merges 2"]
    leaf_of: Int[np.ndarray, " points"]
    size: Float[np.ndarray, " nodes"]
    height: Float[np.ndarray, " nodes"]
    share: Float[np.ndarray, " nodes"]
    layout: Layout
    notes: tuple[str, ...]


def _search(known: Known, how: How, *, say: Say) -> _Found:
    """The cheapest of the trees that all starts led to."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # sums in one order, so that every run finds the same tree
        best: tuple[Regrafted, _Start] | None = None
        for start in _starts(known, how, say=say):
            passes = how.passes_of(len(start.children) + 1)
            random = np.random.default_rng([how.seed, start.number])
            told = say if len(start.size) > MANY_POINTS else _unsaid
            one = regraft(start.children, start.similarities, sizes=start.size, passes=passes, random=random, say=told)
            say(f"{start.name}: cost {one.before:.7g}, refined {one.cost:.7g}")
            if best is None or one.cost < best[0].cost:
                best = one, start
        assert best is not None
        return _canonical(known, *best)


@dataclass(frozen=True, eq=False)
class _Start:
    """A tree to begin with."""

    name: str
    number: int
    children: Int[np.ndarray, "merges 2"]
    similarities: Similarities
    size: Int[np.ndarray, " leaves"]
    leaf_of: Int[np.ndarray, " points"]
    inside: Float[np.ndarray, " leaves"]  # what each leaf of several points costs
    angle: Float[np.ndarray, " leaves"] | None = None
    radius: float = 0.0


def _starts(known: Known, how: How, *, say: Say) -> Iterator[_Start]:
    points = known.points
    whole = {"similarities": known.similarities, "size": np.ones(points, dtype=np.int64), "leaf_of": np.arange(points)}
    alone: dict[str, Any] = {**whole, "inside": np.zeros(points)}
    for number in range(how.starts_of(points)):
        if how.fit == "relaxed":
            yield _relaxed(known, how, number=number, say=say, alone=alone)
            continue
        if points <= MANY_POINTS and how.leaf_size == 1:
            yield _Start("average linkage", 2 * number, _average_linkage(known), **alone)
        random = np.random.default_rng([how.seed, 2 * number + 1, 1])
        children, leaf_of = bisect(_vectors(known), largest=how.leaf_size, random=random)
        named = ("bisecting 2-means", 2 * number + 1, children)
        yield _Start(*named, **(alone if len(children) == points - 1 else _clusters(known, leaf_of)))


def _vectors(known: Known) -> Float[np.ndarray, "points columns"]:
    """What 2-means splits: the rows whose products similarities are; of a matrix, its rows."""
    return known.similarities.rows


def _average_linkage(known: Known) -> Int[np.ndarray, "merges 2"]:
    from scipy.cluster.hierarchy import linkage

    one, other = np.triu_indices(known.points, 1)
    distance = np.maximum(known.most - _condensed(known, one, other), 0.0)
    return linkage(distance, "average")[:, :2].astype(np.int64)


def _condensed(known: Known, one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, " pairs"]:
    rows = known.similarities.rows
    matrix = rows if isinstance(known.similarities, MatrixSimilarities) else rows @ rows.T
    return matrix[one, other]


def _clusters(known: Known, leaf_of: Int[np.ndarray, " points"]) -> dict[str, Any]:
    """Leaves of several points: their rows added up, and what each costs as a star."""
    order = np.argsort(leaf_of, kind="stable")
    size = np.bincount(leaf_of)
    rows = known.similarities.rows
    sums = np.add.reduceat(rows[order], np.cumsum(size) - size, axis=0)
    own = np.bincount(leaf_of, weights=np.einsum("pd,pd->p", rows, rows))
    within = (np.einsum("pd,pd->p", sums, sums) - own) / 2
    return {"similarities": FeatureSimilarities(sums), "size": size, "leaf_of": leaf_of, "inside": size * within}


def _relaxed(known: Known, how: How, *, number: int, say: Say, alone: dict[str, Any]) -> _Start:
    """The best tree of the relaxation's epochs, by its exact cost."""
    from cfgraph.learning.relaxation import relax

    named = ("relaxed", number)
    if known.points == 2:
        return _Start(*named, np.array([[0, 1]]), **alone)
    best, least = None, np.inf
    for epoch, found in enumerate(relax(known.similar, leaves=known.points, seed=how.seed + number), start=1):
        children = decode(found.angle)
        cost = float(tree_cost(children, known.similarities).sum())
        say(f"epoch {epoch}: loss {found.loss:.6f}, cost {cost:.7g}")
        if cost < least:
            best, least = (children, found), cost
    assert best is not None
    return _Start(*named, best[0], **alone, angle=best[1].angle, radius=best[1].radius)


def _canonical(known: Known, found: Regrafted, start: _Start) -> _Found:
    """The tree with its slots and its numbers as they shall be, and what is told of it."""
    leaves = len(start.size)
    children, root = found.children, _root(found.children)
    levels = list(tree_levels(children, root=root))
    size = np.concatenate([start.size, np.zeros(leaves - 1)]).astype(np.float64)
    first = np.concatenate([_smallest_rows(start.leaf_of), np.zeros(leaves - 1, dtype=np.int64)])
    share = np.concatenate([start.inside, tree_cost(children, start.similarities, sizes=start.size)])
    height = np.concatenate([_heights_inside(known, start), np.zeros(leaves - 1)])
    children = children.copy()
    for level in reversed(levels):
        pairs = children[level - leaves]
        size[level], first[level] = size[pairs].sum(axis=1), first[pairs].min(axis=1)
        swapped = np.lexsort((first[pairs], -size[pairs]), axis=1)
        pairs = children[level - leaves] = np.take_along_axis(pairs, swapped, axis=1)
        mean = share[level] / size[level] / size[pairs].prod(axis=1)
        height[level] = np.maximum(np.maximum(known.most - mean, 0.0) / known.most, height[pairs].max(axis=1))
    merges = leaves + np.lexsort((first[leaves:], size[leaves:], height[leaves:]))
    number = np.concatenate([np.arange(leaves), np.empty(leaves - 1, dtype=np.int64)])
    number[merges] = np.arange(leaves, 2 * leaves - 1)
    order = np.concatenate([np.arange(leaves), merges])
    children, size = number[children[merges - leaves]], size[order]
    if start.angle is not None and found.cost == found.before:
        layout = of_learned(start.angle, children, radius=start.radius)
    else:
        layout = lay_out(children, size)
    notes = _told(known, found, start)
    return _Found(children, start.leaf_of, size, height[order], share[order], layout, notes)


def _unsaid(line: str) -> None:
    """Searches of few points are over before anybody asks how they go."""


def _root(children: Int[np.ndarray, "merges 2"]) -> int:
    below = np.zeros(2 * len(children) + 1, dtype=bool)
    below[children] = True
    return int(np.flatnonzero(~below)[0])


def _smallest_rows(leaf_of: Int[np.ndarray, " points"]) -> Int[np.ndarray, " leaves"]:
    return np.unique(leaf_of, return_index=True)[1]


def _heights_inside(known: Known, start: _Start) -> Float[np.ndarray, " leaves"]:
    """0 for single points; of a leaf of several, 1 less the mean similarity of its points."""
    pairs = start.size * (start.size - 1) / 2
    mean = start.inside / start.size / np.maximum(pairs, 1)
    return np.where(start.size > 1, np.maximum(known.most - mean, 0.0) / known.most, 0.0)


def _told(known: Known, found: Regrafted, start: _Start) -> tuple[str, ...]:
    total, inside = known.total(), float(start.inside.sum())
    whole = known.points * total
    cost, before = (cost + inside for cost in (found.cost, found.before))
    normal = f", {cost / whole:.5f} of n times the sum of all similarities" if whole else ""
    begun = f"{start.name} costs {before:.6g}" if found.passes else f"{start.name}, not refined"
    return (f"Dasgupta's cost is {cost:.6g}{normal}; {begun}",)


def _dag(found: _Found, known: Known, *, names: Sequence[str] | None) -> Dag:
    leaves = len(found.children) + 1
    count = leaves + len(found.children)
    parent, child = np.repeat(np.arange(leaves, count), 2), found.children.reshape(-1)
    length, notes = height_lengths(found.height, parent=parent, child=child)
    layout = found.layout
    columns = {
        "height": found.height,
        "size": found.size.astype(np.int64),
        "merge": np.arange(count),
        "dasgupta": np.where(found.share > 0, found.share, np.where(np.arange(count) < leaves, np.nan, 0.0)),
        "hyp_angle": layout.angle,
        "hyp_depth": layout.depth,
        "hyp_xy": layout.xy,
    }
    return Dag(
        count=count,
        parent=parent,
        child=child,
        length=length,
        lengths="height",
        names=None if names is None else [*names, *[None] * len(found.children)],
        columns=columns,
        node_of_point=found.leaf_of,
        notes=(*known.notes, *found.notes, *notes),
    )
