"""The type checker of the tests: beartype, where it can read the hints."""

from beartype import beartype
from beartype.roar import BeartypeDecorHintPep673Exception


def check(function):
    """The function with its argument and array shapes checked; as it is where it speaks of ``Self``, which beartype refuses."""
    try:
        return beartype(function)
    except BeartypeDecorHintPep673Exception:
        return function
