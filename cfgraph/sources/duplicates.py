"""Duplicates: rows that are equal to the last bit."""

import numpy as np
from jaxtyping import Float, Int


def group_rows(values: Float[np.ndarray, "points dim"]) -> tuple[Int[np.ndarray, " groups"], Int[np.ndarray, " points"]]:
    """The first row of each group of equal rows, and each row's group."""
    rows = np.ascontiguousarray(values + 0.0)  # + 0.0 makes -0.0 and 0.0 one
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, group = np.unique(whole, return_index=True, return_inverse=True)
    return first, group
