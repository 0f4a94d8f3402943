"""Expected: how checks say what they expected: an ``AssertionError``, also where the part itself raised an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cfgraph.errors import one_line


def expect(holds: bool, message: str) -> None:
    """Raise an ``AssertionError`` unless something holds."""
    if not holds:
        raise AssertionError(message)


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """An error inside is one of the part that is checked: an ``AssertionError`` that says ``what`` was expected of it."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"expected {what}, got {type(error).__name__}: {one_line(error)}") from error


def expect_error(kind: type[Exception], call: Callable[[], Any], what: str) -> None:
    """Raise an ``AssertionError`` unless a call raises an error of a kind."""
    try:
        came = call()
    except kind:
        return
    except Exception as error:
        raise AssertionError(f"{what}: expected {kind.__name__}, got {type(error).__name__}: {one_line(error)}") from error
    raise AssertionError(f"{what}: expected {kind.__name__}, got {type(came).__name__}")


def expect_equal(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    """Raise an ``AssertionError`` unless two columns are equal, bit for bit, NaN and NaN among them; tells the first row."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    expect(found.shape == wanted.shape, f"{what}: expected an array of shape {wanted.shape}, got {found.shape}")
    same = found == wanted
    if wanted.dtype.kind == "f" and found.dtype.kind == "f":
        same |= np.isnan(found) & np.isnan(wanted)
    if not same.all():
        row = int(np.argmin(same.reshape(len(same), -1).all(axis=1)))
        raise AssertionError(f"{what}: expected {wanted[row]} in row {row}, got {found[row]}")
