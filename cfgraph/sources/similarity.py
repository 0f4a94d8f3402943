"""Similarities of points, as Dasgupta's cost asks for them: from features, or as they stand in a matrix.

Features: columns are standardised, rows brought to length 1, and ``s_ij = (1 + cos_ij) / 2``, as HypHC has it (arXiv
2010.00402). That is ``phi_i . phi_j`` with ``phi = (1, x) / sqrt(2)``, so sums over sets of points are products of sums of
rows. A ``sharpness`` p makes it ``s^p``, which needs the whole matrix.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cfgraph.checks import check_number
from cfgraph.errors import InputError

MATRIX_POINTS = 20_000  # of which a matrix of all pairs is made, at most: 3.2 GB, and its sums along a tree 6.4 GB
ASYMMETRY = 1e-9  # of the largest entry
ROWS = 2_048  # of a matrix that is made at once


@dataclass(frozen=True, eq=False)
class Standardised:
    """Features brought to mean 0 and standard deviation 1, and how: what new data need."""

    values: Float[np.ndarray, "points dim"]
    mean: Float[np.ndarray, " dim"]
    deviation: Float[np.ndarray, " dim"]  # 1 where a column has none
    notes: tuple[str, ...] = ()


def standardise(values: Float[np.ndarray, "points dim"]) -> Standardised:
    """``(x - mean) / deviation``, column by column; a column without any variance is only moved."""
    mean = values.mean(axis=0)
    centered = values - mean
    deviation = np.sqrt(np.einsum("pd,pd->d", centered, centered) / len(values))
    constant = deviation <= np.abs(mean) * np.finfo(float).eps * 4
    centered[:, constant] = 0.0
    deviation = np.where(constant, 1.0, deviation)
    centered /= deviation
    count = int(np.count_nonzero(constant))
    notes = (f"{count:,} of {len(mean):,} columns hold one value only, and say nothing",) if count else ()
    return Standardised(centered, mean, deviation, notes)


def to_unit_rows(
    values: Float[np.ndarray, "points dim"], *, out: Float[np.ndarray, "points dim"] | None = None
) -> tuple[Float[np.ndarray, "points dim"], tuple[str, ...]]:
    """Rows of length 1, in ``out`` if given; rows of zeros stay so, and a note says how many there are."""
    length = np.sqrt(np.einsum("pd,pd->p", values, values))
    zero = int(np.count_nonzero(length == 0))
    notes = (f"{zero:,} points lie in the middle of all, and are as similar to each as to any other (1/2)",) if zero else ()
    return np.divide(values, np.where(length > 0, length, 1.0)[:, None], out=out), notes


def feature_rows(unit: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points columns"]:
    """``phi = (1, x) / sqrt(2)``, whose products are ``(1 + cos) / 2``; with a column more."""
    rows = np.empty((len(unit), unit.shape[1] + 1))
    rows[:, 0] = 1.0
    rows[:, 1:] = unit
    rows *= np.sqrt(0.5)
    return rows


def unit_rows(rows: Float[np.ndarray, "points columns"]) -> Float[np.ndarray, "points dim"]:
    """The rows of length 1 that :func:`feature_rows` was given, but for their last bits."""
    unit: np.ndarray = rows[:, 1:] / np.sqrt(0.5)
    return unit


def similarity_matrix(unit: Float[np.ndarray, "points dim"], *, sharpness: float) -> Float[np.ndarray, "points points"]:
    """``((1 + cos) / 2) ** sharpness`` of all pairs, 0 of a point with itself."""
    check_pairs(len(unit), way="say --sharpness 1, which needs no matrix")
    rows = feature_rows(unit)
    found = np.empty((len(rows), len(rows)))
    for start in range(0, len(rows), ROWS):
        part = found[start : start + ROWS]
        np.maximum(rows[start : start + ROWS] @ rows.T, 0.0, out=part)
        part **= sharpness
    np.fill_diagonal(found, 0.0)
    return (found + found.T) / 2  # a product's two halves may differ in the last bit


def check_pairs(points: int, *, way: str) -> None:
    """An InputError where a matrix of all pairs would be too large, with the way out."""
    if points > MATRIX_POINTS:
        raise InputError(f"expected at most {MATRIX_POINTS:,} points for a matrix of all pairs, got {points:,}; {way}")


def check_similarity(values: Float[np.ndarray, "rows columns"], *, sharpness: float, where: str) -> np.ndarray:
    """A similarity matrix as it was given, to the power of its sharpness, 0 on its diagonal.

    Raises:
        InputError: for one that is not square, not symmetric (within 1e-9 of its largest entry) or somewhere negative, with
            the row and the column, and for one that is zero.
    """
    rows, columns = values.shape
    if rows != columns:
        raise InputError(f"expected a similarity for each pair of points, a square matrix, in {where}, got {rows} x {columns}")
    check_pairs(rows, way="give features rather than similarities")
    check_number(sharpness, name="sharpness", low=1.0)
    found = values.astype(np.float64)
    np.fill_diagonal(found, 0.0)
    largest = float(np.abs(found).max(initial=0.0))
    _refuse_first(found < 0, found, where=where, what="similarities of at least 0")
    _refuse_first(np.abs(found - found.T) > ASYMMETRY * largest, found, where=where, what="as much from i to j as from j to i")
    if largest == 0.0:
        raise InputError(f"expected two points at least that are similar, got zeros only in {where}")
    return ((found + found.T) / 2) ** sharpness


def _refuse_first(wrong: np.ndarray, values: np.ndarray, *, where: str, what: str) -> None:
    if wrong.any():
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        pair = f"{values[row, column]:g} (and {values[column, row]:g} the other way round)"
        raise InputError(
            f"expected {what} in {where}, got {pair} in row {row}, column {column} (counted from 0), and "
            f"{np.count_nonzero(wrong)} such entries in all"
        )
