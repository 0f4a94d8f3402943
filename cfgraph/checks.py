"""What the sources' arguments must be: each check gives the value back, or an InputError that says what was expected."""

import math
import operator

from cfgraph.errors import InputError


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


def check_number(value: float | str, *, name: str, low: float | None = None) -> float:
    """A finite number, of at least ``low``."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"expected a finite number as {name}, got {value!r}")
    if low is not None and number < low:
        raise InputError(f"expected {name} of at least {low:g}, got {value!r}")
    return number


def check_scale_factor(value: float) -> float:
    """A scale factor: ``0 < s < 1``."""
    if not 0 < check_number(value, name="scale factor") < 1:
        raise InputError(f"expected a scale factor above 0 and below 1, got {value}")
    return float(value)
