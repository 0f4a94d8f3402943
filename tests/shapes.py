"""The type checker of the tests: beartype, where it can read the hints."""

from beartype import beartype
from beartype.roar import BeartypeDecorHintPep673Exception


def check(function):
    """The function with its argument and array shapes checked; as it is where it speaks of ``Self``, which beartype refuses.

    A protocol is left unchecked: whether something has its properties would be found out by asking for them, of a store too.
    """
    for name, hint in getattr(function, "__annotations__", {}).items():
        if getattr(hint, "_is_protocol", False):
            function.__annotations__[name] = object
    try:
        return beartype(function)
    except BeartypeDecorHintPep673Exception:
        return function
