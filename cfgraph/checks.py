"""What the sources' arguments must be: each check gives the value back, or an InputError that says what was expected."""

import math
import operator
import re
from collections.abc import Sequence

from cfgraph.errors import InputError

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])i?)?b?\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def check_choice(value: str, *, name: str, among: Sequence[str]) -> str:
    """One of some words."""
    if value not in among:
        raise InputError(f"expected {name} to be one of {', '.join(among)}, got {value!r}")
    return value


def check_integer(value: int | None, *, name: str, low: int, high: int | None = None) -> int:
    """A whole number of at least ``low``, and at most ``high`` where one is given."""
    wanted = f"at least {low}" if high is None else f"between {low} and {high}"
    if value is None:
        raise InputError(f"expected a whole number {wanted} as {name}, and none was given; say --{name.replace(' ', '-')} N")
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


def check_bytes(size: str | int, *, name: str) -> int:
    """A number of bytes, or what a text such as ``512MB`` or ``2GB`` means; at least one."""
    if not isinstance(size, str):
        return check_integer(size, name=f"{name} in bytes", low=1)
    match = _SIZE.fullmatch(size)
    number = 0 if match is None else int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    if number < 1:
        raise InputError(f"expected a size such as 512MB or 2GB for --{name.replace(' ', '-')}, got {size!r}")
    return number
