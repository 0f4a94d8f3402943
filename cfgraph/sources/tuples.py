"""What sources measure of residual tuples and how they put them in order: separation, bound, canonical slots.

A tuple is the K residuals of a cell's children, in slot order; many of them are an array (cells, arity, dim).
"""

import numpy as np
from jaxtyping import Float, Int

_BATCH_VALUES = 1 << 20  # floats compared at once


def smallest_distance(tuples: Float[np.ndarray, "cells arity dim"]) -> float | None:
    """``min over cells and slots i < j of |r_i - r_j|``: the separation; None where no tuple has two residuals."""
    cells, arity, dimension = tuples.shape
    if cells == 0 or arity < 2:
        return None
    step = max(1, _BATCH_VALUES // (arity * dimension + 1))
    batches = (tuples[low : low + step] for low in range(0, cells, step))
    return float(min(smallest_in_batch(batch) for batch in batches))


def smallest_in_batch(tuples: Float[np.ndarray, "cells arity dim"]) -> float:
    """The same of at least one tuple of at least two residuals, all at once."""
    return min(
        float(np.linalg.norm(tuples[:, slot + 1 :] - tuples[:, slot : slot + 1], axis=2).min())
        for slot in range(tuples.shape[1] - 1)
    )


def largest_norm(residuals: Float[np.ndarray, "cells dim"]) -> float:
    """``max |r|``: the bound R of the residuals that are there; 0 where there are none."""
    return float(np.sqrt(np.einsum("cd,cd->c", residuals, residuals)).max(initial=0.0))


def match_slots(
    family: Float[np.ndarray, "arity dim"], parent_family: Float[np.ndarray, "arity dim"]
) -> Int[np.ndarray, " arity"]:
    """The order that makes a tuple most like its parent's: row ``order[k]`` goes to slot k (the Hungarian method).

    It minimises ``sum_k |r_order(k) - p_k|^2``. Only ``-2 r.p`` of that depends on the order, so that neither tuple's
    scale matters, and the order can be found before the scale factor is known.
    """
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(-(parent_family @ family.T))[1]


def axis_order(family: Float[np.ndarray, "arity dim"], *, weight: Float[np.ndarray, " arity"]) -> Int[np.ndarray, " arity"]:
    """The order of a root's children, which have no parent's tuple to be like: along their first principal axis.

    The axis points to where its largest component is positive, so that the order does not depend on a solver's sign.
    """
    middle = np.average(family, axis=0, weights=weight)
    axis = np.linalg.svd((family - middle) * np.sqrt(weight)[:, None], full_matrices=False)[2][0]
    axis = axis * np.sign(axis[np.argmax(np.abs(axis))])
    return np.argsort((family - middle) @ axis, kind="stable")
