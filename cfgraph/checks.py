"""What the sources' arguments must be: each check gives the value back, or an InputError that says what was expected."""

import math
import operator

from cfgraph.errors import InputError
from cfgraph.model.address import KEY_BYTES_MAX, key_of
from cfgraph.model.growth import check_growth, count_cells


def check_integer(value: int, *, name: str, low: int, high: int | None = None) -> int:
    """A whole number of at least ``low``, and at most ``high`` where one is given."""
    wanted = f"at least {low}" if high is None else f"between {low} and {high}"
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"expected a whole number as {name}, got {value!r}") from None
    if number < low or (high is not None and number > high):
        raise InputError(f"expected a whole number {wanted} as {name}, got {number}")
    return number


def check_number(value: float, *, name: str) -> float:
    """A finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"expected a finite number as {name}, got {value!r}")
    return number


def check_scale_factor(value: float) -> float:
    """A scale factor: ``0 < s < 1``."""
    if not 0 < check_number(value, name="scale factor") < 1:
        raise InputError(f"expected a scale factor above 0 and below 1, got {value}")
    return float(value)


def check_depth(depth: int, *, id: str, arity: int) -> int:
    """A depth whose full tree is no absurd number of cells, and whose deepest cell's key fits in the database's index."""
    depth = check_integer(depth, name="depth", low=0)
    check_growth(1, arity=arity, levels=depth)
    longest = len(id.encode()) + depth * (1 + len(str(arity - 1)))
    if longest > KEY_BYTES_MAX:
        raise InputError(
            f"depth {depth} at arity {arity} would be {count_cells(1, arity=arity, levels=depth):,} cells below the root, the "
            f"deepest with a key of {longest} bytes, and the database's index holds {KEY_BYTES_MAX}; ask for a smaller depth"
        )
    return depth


def check_deepest_key(id: str, address: str) -> None:
    """An InputError where the key of the deepest cell of a ragged tree does not fit in the database's index."""
    key_of(id, address)
