"""Drift: how a batch of new data differs from the data that a hierarchy was made of, or from another batch, cell by cell.

For a cell with a of N points in the one and b of M in the other, sizes are compared by Pearson's chi-square of the table (a,
N - a; b, M - b), one degree of freedom; where fewer than 20 points are expected in one of the four by the exact binomial
test, b of a + b points with probability M / (N + M), both tails doubled. Compared with another batch, so are the points
outside the cell's radius (of those in the cell), and the distances to the centers by the Mann-Whitney test. Those of the
first data are told where these are given again, and not tested: cells are made of them, so they lie nearer than others of
their kind. Tested are cells that have at least 20 points of both together, on every level below the root. All tests of a call
are one family: Holm's correction holds the probability of any false alarm among them at 5 %, whatever their dependence (Holm,
Scandinavian J. of Statistics 6, 1979).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.errors import InputError, notes_of
from cfgraph.metric.place import measured
from cfgraph.model.address import ROOT, level_of, parent_address
from cfgraph.model.as_html import Shown
from cfgraph.model.batch import Batch
from cfgraph.model.hierarchy import Hierarchy

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cfgraph.metric.apply import Data
    from cfgraph.store import Store

CELL_POINTS = 20  # of a cell that is tested, and of an expected number that chi-square is good enough for
LEVEL = 0.05  # of false alarms, over all tests together
VORONOI = ("points", "images")  # where the data's cells are those that descents find


@dataclass(frozen=True)
class CellDrift:
    """One cell: how many points it has of the one and of the other, and how these lie. P-values are corrected, None untested.

    ``ratio`` is how many times as large the batch's share is. ``outside`` and ``distance`` are the batch's: the share of its
    points in the cell that lie outside their radius, and the median distance to their centers; ``reference_...`` those of the
    batch, or of the first data, that it is compared with.
    """

    address: str
    reference: int
    points: int
    ratio: float
    p_size: float | None
    outside: float | None
    distance: float | None
    reference_outside: float | None = None
    reference_distance: float | None = None
    p_outside: float | None = None
    p_distance: float | None = None

    @property
    def p(self) -> float:
        """The least of its p-values."""
        return min((p for p in (self.p_size, self.p_outside, self.p_distance) if p is not None), default=1.0)


@dataclass(frozen=True)
class Drift(Shown):
    """A batch compared. ``against`` is the other batch's name, None for the data that the hierarchy was made of.

    ``cells`` has the tested ones, the most certain first; ``drifted`` says whether any of them differs.
    """

    id: str
    batch: str
    against: str | None
    points: int
    reference: int
    outside: float
    reference_outside: float | None
    distance: float
    reference_distance: float | None
    tested: int
    untested: int
    cells: tuple[CellDrift, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The fields, with ``drifted``."""
        return {**asdict(self), "drifted": self.drifted}

    @property
    def drifted(self) -> bool:
        """Whether any cell differs, at a chance of 5 % that one is said to where none does."""
        return any(cell.p < LEVEL for cell in self.cells)


def drift(store: "Store", id: str, *, batch: str, against: str | None = None, data: "Data | csr_array | None" = None) -> Drift:
    """How a batch differs from the first data, by cell: ``drift(store, "iris", batch="monday")``.

    Of the first data the graph knows sizes. Their distances and outsiders are told where they are given again, as ``data``:
    rows in the same order, which are known by their digest. These are not tested, since cells are made of them; those of
    another batch, ``against``, are: best of data of their kind that the hierarchy was not made of. Memory holds some 13 bytes
    a row, and the sizes of the cells that have at least 20 points.

    Raises:
        InputError: for a batch that is not placed as a whole; without ``against`` for a hierarchy that knows no sizes, or whose
            sizes count equal points once; with it for batches between which the hierarchy was grown; for other data than the
            hierarchy was made of, and for ``data`` and ``against`` together.
        NotFoundError: where there is no such hierarchy or batch.
        VanishedError, ChangedError: where the hierarchy or a batch changes meanwhile.
    """
    with store.witness(id) as witness:
        hierarchy = witness.hierarchy
        placed = _placed(store, id, batch)
        new = _read(store, placed)
        if against is None:
            sizes = _first_sizes(store, hierarchy, new.sizes)
            first = None if data is None else _first(store, hierarchy, data, beam=placed.beam)
            remarks = tuple(_remarks(hierarchy, placed, known=first is not None))
            return _report(placed, new, None, first, sizes, remarks=remarks)
        if data is not None:
            raise InputError("expected the first data, or a batch to compare with, got both; leave out data or against")
        if against == batch:
            raise InputError(f"batch {batch!r} does not differ from itself; name another one as --against")
        other = _placed(store, id, against)
        _check_cells(placed, other)
        old = _read(store, other)
        return _report(placed, new, other, old, old.sizes, remarks=_beams(placed, other))


def _placed(store: "Store", id: str, name: str) -> Batch:
    found = store.batch(id, name)
    store.check_batch(found)
    return found


def _check_cells(new: Batch, old: Batch) -> None:
    """Refuse batches between which the hierarchy was grown: their points lie on other depths, at other distances.

    The first data have no such: what a predictor grew has no sizes, so they are compared above that alone, where a descent by
    the nearest center comes by the same cells however deep it goes on.
    """
    if new.cells == old.cells:
        return
    earlier = min(new, old, key=lambda batch: batch.created).name
    raise InputError(
        f"batch {new.name!r} was {new.located}, and batch {old.name!r} {old.located}: {new.hierarchy!r} was grown between "
        f"them, so their points lie on other depths; take {earlier!r} back (cfgraph place {new.hierarchy} --remove {earlier}), "
        "place it again, and compare these"
    )


def _remarks(hierarchy: Hierarchy, new: Batch, *, known: bool) -> Iterator[str]:
    if hierarchy.origin not in VORONOI or new.beam != 1:
        yield (
            "the first data are counted where they are, and the batch where descents find it, which is not always the same; "
            "compare with a batch of such data (--against)"
        )
    if known:
        yield (
            "distances and outsiders are told, not tested: cells are made of the first data, which lie nearer to them than "
            "others of their kind; --against a batch of such data tests those, too"
        )
    else:
        yield (
            "the graph knows no distances of the first data; give them again as --data to see them, or name a batch of such "
            "data as --against to compare those, too"
        )


def _beams(new: Batch, old: Batch) -> tuple[str, ...]:
    if new.beam == old.beam:
        return ()
    return (f"they were placed with beams of {new.beam} and {old.beam}, which find other cells",)


@dataclass(frozen=True, eq=False)
class _Points:
    """Points as columns, sorted by the address of their cell: those below a cell are one slice."""

    addresses: list[str]  # different ones, sorted
    first: Int[np.ndarray, " addresses_and_end"]  # where the points of each begin
    distance: Float[np.ndarray, " points"]
    outside: Bool[np.ndarray, " points"]

    def below(self, address: str) -> slice:
        """The points in a cell and below it: keys from the address up to, not including, the address and a 0."""
        if address == ROOT:
            return slice(0, len(self.distance))
        low, high = (bisect_left(self.addresses, end) for end in (address, f"{address}0"))
        return slice(int(self.first[low]), int(self.first[high]))

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many points lie in and below each cell that has some."""
        found = Counter[str]()
        for address, count in zip(self.addresses, np.diff(self.first).tolist(), strict=True):
            found[address] += count
            while address != ROOT:
                address = parent_address(address)
                found[address] += count
        return found


def _read(store: "Store", batch: Batch) -> _Points:
    return _points((page["address"], page["distance"], page["outside"]) for page in store.batch_pages(batch))


def _first(store: "Store", hierarchy: Hierarchy, data: "Data | csr_array", *, beam: int) -> _Points:
    """The data that a hierarchy was made of, as they would be placed."""
    pieces = measured(store, hierarchy, data, beam=beam)
    return _points(([row[1] for row in piece], [row[3] for row in piece], [row[5] for row in piece]) for piece in pieces)


def _points(pages: Iterable[tuple[Sequence[str], Sequence[float], Sequence[bool]]]) -> _Points:
    """Points of which pages have the addresses, distances and whether they lie outside."""
    codes: dict[str, int] = {}
    code, distance, outside = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    for addresses, far, out in pages:
        code.append(np.array([codes.setdefault(address, len(codes)) for address in addresses], dtype=np.int32))
        distance.append(np.array(far, dtype=np.float64))
        outside.append(np.array(out, dtype=np.bool_))
    names = sorted(codes)
    place = np.empty(len(names), dtype=np.int32)
    place[[codes[name] for name in names]] = np.arange(len(names), dtype=np.int32)
    rank = place[np.concatenate(code)]
    order = np.argsort(rank, kind="stable")
    first = np.searchsorted(rank[order], np.arange(len(names) + 1))
    return _Points(names, first, np.concatenate(distance)[order], np.concatenate(outside)[order])


def _first_sizes(store: "Store", hierarchy: Hierarchy, new: Mapping[str, int]) -> Mapping[str, int]:
    """The sizes of the cells that may be tested. Cells that a predictor grew have none."""
    if not hierarchy.data_built or not hierarchy.points:
        raise InputError(
            f"{hierarchy.id!r} was not made of data, so its cells have no sizes to compare with; place data that should be "
            "like the batch as another one, and name that as --against"
        )
    found: dict[str, int] = {}
    for page in store.read_columns(hierarchy.id, ("size",)):
        if len(page["size"]):
            sizes = zip(page["address"].tolist(), page["size"].tolist(), strict=True)
            found |= {address: size for address, size in sizes if size >= CELL_POINTS or (size >= 0 and address in new)}
    if hierarchy.recipe.get("duplicates") == "drop" and found[ROOT] != hierarchy.points:
        raise InputError(
            f"{hierarchy.id!r} was made with --duplicates drop: its sizes count equal points once, {found[ROOT]:,} of "
            f"{hierarchy.points:,}, and a batch counts each; place data of the first kind as a batch, and name it as --against"
        )
    return found


def _report(
    batch: Batch,
    new: _Points,
    against: Batch | None,
    old: _Points | None,
    sizes: Mapping[str, int],
    *,
    remarks: tuple[str, ...],
) -> Drift:
    """A batch and what it is compared with: another one, else the first data, of which ``sizes`` may be all that is known."""
    points, reference = len(new.distance), sizes[ROOT]
    known = sizes.keys() if against is None else sizes.keys() | new.sizes.keys()
    there = sorted(known - {ROOT}, key=lambda address: (level_of(address), address))
    both = np.array([(sizes.get(address, 0), new.sizes.get(address, 0)) for address in there], dtype=np.int64).reshape(-1, 2)
    large = both.sum(axis=1) >= CELL_POINTS
    names = [address for address, is_large in zip(there, large.tolist(), strict=True) if is_large]
    a, b = both[large].T
    p = [different_shares(a, reference, b, points)]
    if old is not None and against is not None:
        p += [_outside_p(names, new, old), _distance_p(names, new, old)]
    corrected = holm(np.concatenate(p)).reshape(len(p), -1)
    cells = [
        _cell(address, new, old, counts=(one, other), totals=(reference, points), p=[_known(value) for value in values])
        for address, one, other, *values in zip(names, a.tolist(), b.tolist(), *corrected.tolist(), strict=True)
    ]
    return Drift(
        id=batch.hierarchy,
        batch=batch.name,
        against=None if against is None else against.name,
        points=points,
        reference=reference,
        outside=float(new.outside.mean()),
        reference_outside=None if old is None else float(old.outside.mean()),
        distance=float(np.median(new.distance)),
        reference_distance=None if old is None else float(np.median(old.distance)),
        tested=len(names),
        untested=len(there) - len(names),
        cells=tuple(sorted(cells, key=lambda cell: (cell.p, -abs(np.log(max(cell.ratio, 1e-9)))))),
        remarks=notes_of(remarks),
    )


def _known(p: float) -> float | None:
    return None if p != p else p


def _cell(
    address: str, new: _Points, old: _Points | None, *, counts: tuple[int, int], totals: tuple[int, int], p: list[float | None]
) -> CellDrift:
    ratio = counts[1] / totals[1] * totals[0] / counts[0] if counts[0] else float("inf")
    (outside, distance), there = _lie(new, address), (None, None) if old is None else _lie(old, address)
    p = [*p, None, None][:3]  # of sizes alone, where there is no other batch
    return CellDrift(
        address=address,
        reference=counts[0],
        points=counts[1],
        ratio=ratio,
        p_size=p[0],
        outside=outside,
        distance=distance,
        reference_outside=there[0],
        reference_distance=there[1],
        p_outside=p[1],
        p_distance=p[2],
    )


def _lie(points: _Points, address: str) -> tuple[float | None, float | None]:
    """The share of a cell's points outside, and their median distance; None without any."""
    inside = points.below(address)
    if inside.start == inside.stop:
        return None, None
    return float(points.outside[inside].mean()), float(np.median(points.distance[inside]))


Totals = int | Int[np.ndarray, " cells"]


def different_shares(
    a: Int[np.ndarray, " cells"], of: Totals, b: Int[np.ndarray, " cells"], of_other: Totals
) -> Float[np.ndarray, " cells"]:
    """P-values of a of N and b of M having one probability, cell by cell: chi-square, or exact where numbers are small.

    Not a number where there is nothing on one side, or all is in the cell or nothing.
    """
    from scipy import stats

    n, m = (np.broadcast_to(np.asarray(total, dtype=np.float64), a.shape) for total in (of, of_other))
    total, whole = (a + b).astype(np.float64), n + m
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.minimum(total, whole - total) * np.minimum(n, m) / whole  # the least of the four
        squared = (a * (m - b) - b * (n - a)) ** 2 * whole / (total * (whole - total) * n * m)
        share = m / whole
    rough = stats.chi2.sf(squared, 1)
    exact = np.minimum(1, 2 * np.minimum(stats.binom.cdf(b, total, share), stats.binom.sf(b - 1, total, share)))
    found: Float[np.ndarray, " cells"] = np.where(expected >= CELL_POINTS, rough, exact)
    return np.where((n > 0) & (m > 0) & (total > 0) & (total < whole), found, np.nan)


def _outside_p(names: list[str], new: _Points, old: _Points) -> Float[np.ndarray, " cells"]:
    """Points outside among those in a cell, of both batches."""
    counts = np.zeros((4, len(names)), dtype=np.int64)
    for place, address in enumerate(names):
        for row, points in ((0, old), (2, new)):
            inside = points.outside[points.below(address)]
            counts[row : row + 2, place] = int(inside.sum()), len(inside)
    return different_shares(counts[0], counts[1], counts[2], counts[3])


def _distance_p(names: list[str], new: _Points, old: _Points) -> Float[np.ndarray, " cells"]:
    """Distances in a cell, of both batches: not a number where one has fewer than 20."""
    from scipy import stats

    found = np.full(len(names), np.nan)
    for place, address in enumerate(names):
        one, other = old.distance[old.below(address)], new.distance[new.below(address)]
        if min(len(one), len(other)) >= CELL_POINTS:
            found[place] = stats.mannwhitneyu(one, other, method="asymptotic").pvalue
    return found


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """Holm's corrected p-values: ``max over i <= j of min(1, (m - i) p_i)``, sorted; what is not a number is no test."""
    found = np.full(len(p), np.nan)
    tests = np.flatnonzero(~np.isnan(p))
    order = tests[np.argsort(p[tests], kind="stable")]
    found[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return found
