"""Given: labels and embeddings as people have them: arrays, lists, series, files, by data point or by the name of a leaf."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, Unpack

import numpy as np

from cfgraph.defaults import HEADER_RULE
from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings, EmbeddingsReading, read_embeddings
from cfgraph.files.labels import Labels

KINDS = "iufbOUS"  # numbers, truth values and texts


def labels_of(given: Any, *, key: str | Sequence[str] | None = None, large: bool = False, **reading: Any) -> list[Labels]:
    """Labels level by level, the coarsest first.

    One level is an array, a list, a series, a mapping from names of leaves to labels, a file, or ``Labels``; several levels are
    a list or tuple of such. ``key`` says which column or array of a file, several keys of one file several levels; ``reading``
    is the ``header`` and the ``separator`` of such files.

    Raises:
        InputError: for what is none of these, a label that is missing, and a key of what is no file.
    """
    levels = list(given) if _is_several(given) else [given]
    keys = [key] * len(levels) if key is None or isinstance(key, str) else list(key)
    if len(levels) == 1 and len(keys) > 1:
        levels *= len(keys)
    if len(keys) != len(levels):
        raise InputError(f"expected a key for each of {len(levels)} files of labels, or one file, got {len(keys)} keys")
    return [_one(level, key=name, large=large, **reading) for level, name in zip(levels, keys, strict=True)]


def _is_several(given: Any) -> TypeGuard[Iterable[Any]]:
    """Whether labels of several levels were given: a list of files, arrays or lists rather than of labels."""
    if not isinstance(given, list | tuple) or not given:
        return False
    return all(isinstance(level, Labels | Path | list | tuple | Mapping | np.ndarray) or _is_series(level) for level in given)


def _is_series(given: Any) -> bool:
    return hasattr(given, "to_numpy") and hasattr(given, "dtype")


def _one(given: Any, *, key: str | None, large: bool, header: str = HEADER_RULE, separator: str | None = None) -> Labels:
    if isinstance(given, str | Path):
        return Labels.read(given, key=key, header=header, separator=separator, large=large)
    if header != HEADER_RULE or separator is not None:
        name = "labels_separator" if header == HEADER_RULE else "labels_header"
        raise InputError(f"{name} is about a file of labels, and none was given; leave it out")
    if key is not None:
        raise InputError("a key picks a column or an array of a file of labels, and no file was given; leave key out")
    if isinstance(given, Labels):
        return given
    if isinstance(given, Mapping):
        return Labels(_checked(list(given.values())), tuple(map(str, given)))
    return Labels(_checked(given))


def _checked(given: Any) -> np.ndarray:
    """A label a row, with none missing."""
    try:
        found = given.to_numpy() if _is_series(given) else np.asarray(given if hasattr(given, "__array__") else list(given))
    except (TypeError, ValueError) as error:
        raise InputError(f"expected labels as an array, a list or a file, got {type(given).__name__}: {error}") from None
    if found.ndim != 1 or found.dtype.kind not in KINDS:
        raise InputError(f"expected one label a row, got an array of shape {found.shape} and type {found.dtype}")
    lacking = [row for row, label in enumerate(found.tolist()) if label is None or label != label]
    if lacking:
        raise InputError(
            f"expected a label in every row, got {len(lacking)} without one, the first in row {lacking[0]}; leave them out"
        )
    if found.dtype.kind in "OUS" and len({type(label) for label in found.tolist()}) > 1:
        return np.array(list(map(str, found.tolist())), dtype=object)
    return found.astype(object) if found.dtype.kind in "US" else found


def embeddings_of(given: Any, *, large: bool = False, **reading: Unpack[EmbeddingsReading]) -> Embeddings | None:
    """Vectors of the points: an array or a frame, a row each, a file, or ``Embeddings``; None for None."""
    file = read_embeddings(given if isinstance(given, str | Path) else None, large=large, **reading)
    if file is not None or given is None or isinstance(given, Embeddings):
        return file or given
    try:
        return Embeddings.of(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected embeddings as rows of numbers, or a file of them, got {type(given).__name__}: {error}"
        ) from None
