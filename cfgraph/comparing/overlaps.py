"""Overlaps: cells of two hierarchies matched by the data points in them, where no two sets are equal.

Equal sets are matched first. Of the cells that are left, a cell a of the first side and a cell b of the second are matched
where each has its best Jaccard overlap with the other, and that is at least 1/2:

    J(a, b) = |points(a) & points(b)| / |points(a) | points(b)|

so that what both have is at least as much as what either lacks. Of equal overlaps the first in the order of addresses counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from cfgraph.comparing.outlines import Matching, Placed, match_keys

if TYPE_CHECKING:
    from scipy.sparse import csr_array

OVERLAP = 0.5
PAIRS_MAX = 500_000_000  # pairs of a cell above a point on either side, in all: above that equal sets alone are matched
BLOCK_PAIRS = 4_000_000  # of these at once


@dataclass(frozen=True, eq=False)
class PointMatching:
    """A matching, the overlap of each matched cell of the first side, and what is to be said of it."""

    matching: Matching
    overlap: Float[np.ndarray, " firsts"]  # 1 for equal sets
    remark: str | None = None


def match_points(first: Placed, second: Placed) -> PointMatching:
    """Match cells by the sets of data points in them and below them; cells without any have no partner."""
    equal = match_keys(first.outline, second.outline)
    overlap = np.ones(len(first.outline))
    left = [(partner < 0) & (side.size > 0) for partner, side in ((equal.of_first, first), (equal.of_second, second))]
    one, other = (_incidence(side, chosen) for side, chosen in zip((first, second), left, strict=True))
    points = min(one.shape[1], other.shape[1])
    one, other = one[:, :points], other[:, :points]
    work = int(np.bincount(one.indices, minlength=points) @ np.bincount(other.indices, minlength=points))
    if work > PAIRS_MAX:
        said = f"cells with equal sets of points alone were matched: to find the best overlaps means {work:,} pairs of cells"
        return PointMatching(equal, overlap, said)
    rows = [np.flatnonzero(chosen) for chosen in left]
    here, there, share = _mutual(one, other, [side.size[row] for side, row in zip((first, second), rows, strict=True)])
    overlap[rows[0][here]] = share
    return PointMatching(equal.with_pairs(rows[0][here], rows[1][there]), overlap)


def _incidence(side: Placed, chosen: Bool[np.ndarray, " cells"]) -> "csr_array":
    """Which points lie in which of the chosen cells, or below them: a row a cell, a column a point."""
    from scipy.sparse import csr_array

    number = np.where(chosen, np.cumsum(chosen) - 1, -1)
    cells, points = list[np.ndarray](), list[np.ndarray]()
    cell = np.where(side.cell >= 0, side.cell, -1)
    point = np.flatnonzero(cell >= 0)
    while len(point):
        inside = point[number[cell[point]] >= 0]
        cells.append(number[cell[inside]])
        points.append(inside)
        cell[point] = side.outline.parent[cell[point]]
        point = point[cell[point] >= 0]
    row, column = (np.concatenate([np.empty(0, dtype=np.int64), *parts]) for parts in (cells, points))
    return csr_array((np.ones(len(row), dtype=np.int32), (row, column)), shape=(int(chosen.sum()), len(side.cell)))


def _mutual(
    one: "csr_array", other: "csr_array", sizes: list[Int[np.ndarray, " cells"]]
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """The pairs in which each is the other's best, with their overlaps."""
    best = [np.full(len(size), -1, dtype=np.int64) for size in sizes]
    share = [np.zeros(len(size)) for size in sizes]
    for row, column, common in _overlapping(one, other):
        jaccard = common / (sizes[0][row] + sizes[1][column] - common)
        for mine, its, place in ((row, column, 0), (column, row, 1)):
            _keep_best(best[place], share[place], mine, its, jaccard)
    here = np.flatnonzero((best[0] >= 0) & (share[0] >= OVERLAP))
    here = here[best[1][best[0][here]] == here]
    return here, best[0][here], share[0][here]


def _overlapping(
    one: "csr_array", other: "csr_array"
) -> Iterator[tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]]:
    """Pairs of cells with how many points they have in common, rows of the first side in blocks."""
    cost = np.concatenate([[0], np.cumsum(one @ np.bincount(other.indices, minlength=one.shape[1]))])
    low, across = 0, other.T.tocsr()
    while low < one.shape[0]:
        high = max(low + 1, int(np.searchsorted(cost, cost[low] + BLOCK_PAIRS, side="right")) - 1)
        common = (one[low:high] @ across).tocoo()
        yield common.row.astype(np.int64) + low, common.col.astype(np.int64), common.data.astype(np.int64)
        low = high


def _keep_best(
    best: Int[np.ndarray, " cells"],
    share: Float[np.ndarray, " cells"],
    mine: Int[np.ndarray, " pairs"],
    its: Int[np.ndarray, " pairs"],
    jaccard: Float[np.ndarray, " pairs"],
) -> None:
    order = np.lexsort((its, -jaccard, mine))
    cell, first = np.unique(mine[order], return_index=True)
    found, partner = jaccard[order][first], its[order][first]
    better = found > share[cell]
    best[cell[better]], share[cell[better]] = partner[better], found[better]
