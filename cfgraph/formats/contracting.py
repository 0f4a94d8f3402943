"""Contracting: coordinates in which all maps of a system contract, or a product of maps which shows that there are none.

Maps ``A_k`` contract in the norm ``|x|_X = sqrt(x^t X x)`` where ``X - A_k^t X A_k`` is positive definite for all k. With
``P = X^(-1/2)`` that is ``norm2(P^-1 A_k P) < 1``. In up to 12 dimensions X is sought by minimising the largest of these norms,
and proven in exact arithmetic. Above that only a few X are tried, sums ``I + m sum A_k^t X A_k``, and shown by eigenvalues with
a margin for rounding. Where a product of n maps has a spectral radius of 1 or more, no norm does (Rota and Strang, 1960).

The search is bounded by counts, not by time, so its result is the same on every machine; what a step costs is an estimate.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.formats.maps import AffineMaps

_PRODUCTS_MAX = 4_000  # of maps, whose spectral radii are looked at
_LENGTH_MAX = 12
_ROUNDING = 1e-12  # a spectral radius this near to 1 is 1 but for its rounding
_TRIES = 150  # of the search, for each number that is sought
_DISTORTION = 0.1  # what a factor of e between the axes may save of the logarithm of the norm
_EXACT_MAX = 12  # dimensions in which X is searched for, and definiteness is shown in exact arithmetic
_SEARCH_WORK = 900_000  # of each of four searches, in steps of about a microsecond, measured
_PRODUCT_WORK = 1_000_000  # of all products, in such steps
_SUM_WORK = 200_000  # of each sum, in such steps
_SUM_TERMS = 1_500


def find_coordinates(system: AffineMaps) -> Float[np.ndarray, "dim dim"]:
    """``P``, symmetric and of determinant 1, with ``norm2(P^-1 A_k P) < 1`` for all maps: x = P y.

    Raises:
        InputError: where a product of maps has a spectral radius of 1 or more, which is named, and where no P was found.
    """
    worst = int(system.norms.argmax())
    told = f"got norm2 = {system.norms[worst]:.6g} in map {worst} of {system.name!r}"
    expected = "expected maps that contract, in these coordinates or in others (norm2 of every matrix below 1), "
    if found := _expanding_product(system.matrix):
        word, radius = found
        which = f"map {word[0]} has" if len(word) == 1 else f"the product of the maps {', '.join(map(str, word))} has"
        raise InputError(
            f"{expected}{told}, and {which} an eigenvalue of absolute value {radius:.9g}, so no norm makes them contract; "
            "scale its matrix down"
        )
    form = _best_form(system.matrix)
    if form is None:
        raise InputError(
            f"{expected}{told}; no ellipsoid was found that all of them shrink, nor a product of them that grows, "
            f"{_bound(system.dimension)}; scale its matrix down"
        )
    values, axes = np.linalg.eigh(form)
    values = values / np.exp(np.log(values).mean())
    basis = (axes / np.sqrt(values)) @ axes.T
    if not system.in_coordinates(basis).norms.max() < 1:
        raise InputError(f"{expected}{told}; the coordinates that were found are too flat to compute in; scale its matrix down")
    return basis


def _bound(size: int) -> str:
    if size > _EXACT_MAX:
        return f"and above {_EXACT_MAX} dimensions, of {size}, only a few ellipsoids are tried"
    return "in a search of bounded length"


def _expanding_product(matrix: Float[np.ndarray, "arity dim dim"]) -> tuple[tuple[int, ...], float] | None:
    """The maps of a product whose spectral radius is 1 or more, the shortest first, and that; None where none was found."""
    count, looked_at = len(matrix), 0
    most = min(_PRODUCTS_MAX, int(_PRODUCT_WORK / (20 + matrix.shape[1] ** 3 / 180)))
    for length in range(1, _LENGTH_MAX + 1):
        if looked_at + count**length > most and length > 1:
            return None
        for word in product(range(count), repeat=length):
            looked_at += 1
            made = np.linalg.multi_dot([matrix[k] for k in word]) if length > 1 else matrix[word[0]]
            radius = float(np.abs(np.linalg.eigvals(made)).max())
            if not radius < 1 - _ROUNDING:
                return word, radius
    return None


def _best_form(matrix: Float[np.ndarray, "arity dim dim"]) -> Float[np.ndarray, "dim dim"] | None:
    """X, proven; at first the one that distorts little, then whatever there is."""
    from scipy.optimize import minimize

    search: Any = minimize  # its stubs know too much of each method's options
    starts = _starts(matrix)
    if matrix.shape[1] > _EXACT_MAX:
        ordered = sorted(starts, key=lambda entries: _strain(entries, matrix, _DISTORTION))
        return next((form for entries in ordered if is_proven(form := _form(entries, matrix.shape[1]), matrix)), None)
    tries = min(_TRIES * len(starts[0]), _evaluations(matrix))
    for weight in (_DISTORTION, 0.0):
        start = min(starts, key=lambda entries: _strain(entries, matrix, weight))
        limits = {"maxiter": tries, "maxfev": tries, "xatol": 1e-9, "fatol": 1e-9}
        for method, options in (("Nelder-Mead", limits), ("Powell", {"maxfev": tries})):
            start = search(_strain, start, args=(matrix, weight), method=method, options=options).x
            form = _form(start, matrix.shape[1])
            if is_proven(form, matrix):
                return form
    return None


def _evaluations(matrix: Float[np.ndarray, "arity dim dim"]) -> int:
    """How often a search may look at the norms: the fewer, the more maps there are, of more dimensions."""
    arity, size, _ = matrix.shape
    return max(1, int(_SEARCH_WORK / (250 + (arity + 2) * (8 + size**3 / 450))))


def _form(entries: Float[np.ndarray, " entries"], size: int) -> Float[np.ndarray, "dim dim"]:
    """X, symmetric to the last bit."""
    root = _triangle(entries, size)
    form = root @ root.T
    return (form + form.T) / 2


def _starts(matrix: Float[np.ndarray, "arity dim dim"]) -> list[np.ndarray]:
    """Where the search begins: the unit ball, and ``X = I + m sum A_k^t X A_k`` for m near the largest that has a solution.

    That is summed up term by term, so that no matrix of more than ``dim`` rows is made; a sum that ends early is a start too.
    """
    size = matrix.shape[1]
    places = np.tril_indices(size)
    forms = [np.eye(size)]
    terms = int(min(_SUM_TERMS, max(8, _SUM_WORK / (15 + len(matrix) * size**3 / 500)))) // 2 * 2
    radius = _radius_of_sum(matrix, terms)
    for share in (0.99, 0.9, 0.7):
        form = np.eye(size)
        with np.errstate(all="ignore"):
            for _ in range(terms):
                form = np.eye(size) + share / max(radius, 1e-12) * _pulled(form, matrix)
        if np.isfinite(form).all():
            forms.append((form + form.T) / 2)
    starts = []
    for form in forms:
        try:
            root = np.linalg.cholesky(form)
        except np.linalg.LinAlgError:
            continue
        root[np.diag_indices(size)] = np.log(np.diag(root))
        starts.append(root[places])
    return starts


def _pulled(form: Float[np.ndarray, "dim dim"], matrix: Float[np.ndarray, "arity dim dim"]) -> Float[np.ndarray, "dim dim"]:
    """``sum A_k^t X A_k``."""
    return (matrix.transpose(0, 2, 1) @ form @ matrix).sum(axis=0)


def _radius_of_sum(matrix: Float[np.ndarray, "arity dim dim"], terms: int) -> float:
    """The spectral radius of ``X -> sum A_k^t X A_k``: how much it makes X grow a step, in the last half of the steps."""
    form, grown = np.eye(matrix.shape[1]), 0.0
    for step in range(terms):
        form = _pulled(form, matrix)
        trace = float(np.trace(form))
        if not 0 < trace < np.inf:
            return 0.0
        form /= trace / len(form)
        grown += np.log(trace / len(form)) if step >= terms // 2 else 0.0
    return float(np.exp(grown / (terms - terms // 2)))


def _triangle(entries: Float[np.ndarray, " entries"], size: int) -> Float[np.ndarray, "dim dim"]:
    """The lower triangle L of ``X = L L^t``; the logarithms of its diagonal are given."""
    root = np.zeros((size, size))
    root[np.tril_indices(size)] = entries
    diagonal = np.diag_indices(size)
    root[diagonal] = np.exp(np.clip(root[diagonal], -300, 300))
    return root


def _strain(entries: np.ndarray, matrix: np.ndarray, weight: float) -> float:
    """The logarithm of the largest norm in the coordinates of X, and a little of the axes' largest ratio."""
    root = _triangle(entries, matrix.shape[1])
    with np.errstate(all="ignore"):
        try:
            moved = np.linalg.solve(root, (root.T[None] @ matrix).transpose(0, 2, 1)).transpose(0, 2, 1)
            norm = np.linalg.norm(moved, ord=2, axis=(1, 2)).max()
            strain = float(np.log(max(norm, 1e-300)) + weight * np.log(np.linalg.cond(root)))
        except np.linalg.LinAlgError:
            return np.inf
    return strain if np.isfinite(strain) else np.inf


def is_proven(form: Float[np.ndarray, "dim dim"], matrix: Float[np.ndarray, "arity dim dim"]) -> bool:
    """Whether X and all ``X - A_k^t X A_k`` are positive definite, for the numbers as they are.

    In up to 12 dimensions that is a proof, by exact fractions; above, the least eigenvalues exceed what rounding may do.
    """
    if not np.isfinite(form).all():
        return False
    if len(form) > _EXACT_MAX:
        lowest = min(float(np.linalg.eigvalsh(rest).min()) for rest in (form, *(form - a.T @ form @ a for a in matrix)))
        return lowest > 1e-10 * float(np.abs(form).max()) * len(form)
    x = _exact(form)
    if not _is_definite(x):
        return False
    size = range(len(x))
    for a in map(_exact, matrix):
        image = [[sum((x[i][k] * a[k][j] for k in size), Fraction(0)) for j in size] for i in size]
        rest = [[x[i][j] - sum((a[k][i] * image[k][j] for k in size), Fraction(0)) for j in size] for i in size]
        if not _is_definite(rest):
            return False
    return True


def _exact(matrix: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in matrix.tolist()]


def _is_definite(matrix: Sequence[Sequence[Fraction]]) -> bool:
    """Whether a symmetric matrix is positive definite: all its pivots are above 0."""
    rest = [list(row) for row in matrix]
    for step in range(len(rest)):
        if rest[step][step] <= 0:
            return False
        for row in range(step + 1, len(rest)):
            share = rest[row][step] / rest[step][step]
            for column in range(step, len(rest)):
                rest[row][column] -= share * rest[step][column]
    return True
