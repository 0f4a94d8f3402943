"""Affine maps ``f_k(x) = A_k x + t_k``: read from JSON, or one of the classics by name.

Two forms, both under the name of an entry; a key that starts with ``_`` is a comment and probabilities are ignored:

    {"NAME": {"maps": [[a, b, c, d, e, f, p], ...]}}                           x' = a x + b y + e, y' = c x + d y + f
    {"NAME": {"maps": [{"matrix": [[...], ...], "offset": [...]}, ...]}}       any dimension
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfgraph.defaults import BUILT_IN
from cfgraph.errors import InputError
from cfgraph.files.texts import JSON_TIMES, read_text
from cfgraph.files.whole import whole_file
from cfgraph.predictors.recurrence import Recurrence

if TYPE_CHECKING:
    from cfgraph.predictors.trained import TrainedPredictor


_FORM = '{"NAME": {"maps": [[a, b, c, d, e, f, p], ...]}} or {"NAME": {"maps": [{"matrix": [[...]], "offset": [...]}, ...]}}'
_HEIGHT = math.sqrt(3) / 2  # of a triangle of side 1
_CLASSICS: dict[str, list[list[float]]] = {
    # Barnsley, Fractals Everywhere (1988), table of IFS codes
    "fern": [
        [0, 0, 0, 0.16, 0, 0],
        [0.85, 0.04, -0.04, 0.85, 0, 1.6],
        [0.2, -0.26, 0.23, 0.22, 0, 1.6],
        [-0.15, 0.28, 0.26, 0.24, 0, 0.44],
    ],
    "koch": [
        [1 / 3, 0, 0, 1 / 3, 0, 0],
        [1 / 6, -_HEIGHT / 3, _HEIGHT / 3, 1 / 6, 1 / 3, 0],
        [1 / 6, _HEIGHT / 3, -_HEIGHT / 3, 1 / 6, 1 / 2, _HEIGHT / 3],
        [1 / 3, 0, 0, 1 / 3, 2 / 3, 0],
    ],
    "sierpinski": [
        [0.5, 0, 0, 0.5, 0, 0],
        [0.5, 0, 0, 0.5, 0.5, 0],
        [0.5, 0, 0, 0.5, 0.25, _HEIGHT / 2],
    ],
    # Heighway's dragon: z -> (1 + i) z / 2 and z -> 1 - (1 - i) z / 2
    "dragon": [
        [0.5, -0.5, 0.5, 0.5, 0, 0],
        [-0.5, -0.5, 0.5, -0.5, 1, 0],
    ],
    # Levy's C curve: z -> (1 + i) z / 2 and z -> (1 - i) z / 2 + (1 + i) / 2
    "levy": [
        [0.5, -0.5, 0.5, 0.5, 0, 0],
        [0.5, 0.5, -0.5, 0.5, 0.5, 0.5],
    ],
}


@dataclass(frozen=True, eq=False)
class AffineMaps:
    """The maps of one iterated function system, in slot order."""

    name: str
    matrix: Float[np.ndarray, "arity dim dim"]
    offset: Float[np.ndarray, "arity dim"]

    @property
    def arity(self) -> int:
        """The number K of maps."""
        return len(self.matrix)

    @property
    def dimension(self) -> int:
        """The dimension d of the space that the maps act on."""
        return self.matrix.shape[1]

    @cached_property
    def norms(self) -> Float[np.ndarray, " arity"]:
        """``norm2(A_k)``: how far each map stretches at most."""
        return np.linalg.norm(self.matrix, ord=2, axis=(1, 2))

    @property
    def fixed_points(self) -> Float[np.ndarray, "arity dim"]:
        """The point that each map leaves where it is: ``(I - A_k)^-1 t_k``."""
        return np.linalg.solve(np.eye(self.dimension) - self.matrix, self.offset[..., None])[..., 0]

    @property
    def digest(self) -> str:
        """SHA-256 of the maps' numbers, whatever file and form they came in."""
        numbers = [(self.matrix + 0.0).tolist(), (self.offset + 0.0).tolist()]  # + 0.0 makes -0.0 and 0.0 one
        return hashlib.sha256(json.dumps(numbers, separators=(",", ":")).encode()).hexdigest()

    def displace(self, point: Float[np.ndarray, " dim"]) -> Float[np.ndarray, "arity dim"]:
        """``u_k = f_k(x) - x``: how each map displaces a point."""
        return np.einsum("kij,j->ki", self.matrix, point) + self.offset - point


def read_maps(source: Path | str, *, name: str | None = None, large: bool = False) -> AffineMaps:
    """The maps of a built-in system (a ``str`` out of ``BUILT_IN``) or of one entry of a JSON file.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file that is missing, empty, not JSON or of another form; numbers that are not finite; a name
            that the file does not hold.
    """
    if isinstance(source, str) and source in BUILT_IN:
        if name not in (None, source):
            raise InputError(
                f"{source} is a built-in system of that one name, got map name {name!r}; for a file write ./{source}"
            )
        rows = [_plane_map(row, where=source) for row in _CLASSICS[source]]
        return _stack(rows, name=source, where=source)
    path = Path(source)
    entries = _entries(path, large=large)
    chosen = _choose(entries, name=name, path=path)
    where = f"{chosen!r} in {path}"
    return _stack(_parse_maps(entries[chosen], where=where), name=chosen, where=where)


def _entries(path: Path, *, large: bool) -> dict[str, Any]:
    """The entries of a file of maps, without its comments."""
    document = _load_json(path, large=large)
    if not isinstance(document, dict):
        raise InputError(f"expected {_FORM} in {path}, got {_kind(document)} at the top")
    entries = {name: entry for name, entry in document.items() if not name.startswith("_")}
    if not entries:
        raise InputError(f"expected at least one entry {_FORM} in {path}, got none")
    return entries


def _load_json(path: Path, *, large: bool) -> Any:
    expected = f"a built-in system out of {', '.join(BUILT_IN)}, or {_FORM}"
    text = read_text(path, expected=expected, times=JSON_TIMES, large=large)
    try:
        return json.loads(text, object_pairs_hook=_unique_names)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except _RepeatedNameError as error:
        raise InputError(f"{path} holds the name {error.args[0]!r} twice in one object; rename or remove one") from None
    except (RecursionError, ValueError) as error:  # ValueError: whole numbers of thousands of digits
        raise InputError(f"{path} is not JSON of maps: {error}") from None


class _RepeatedNameError(Exception):
    """A name that stands twice in one JSON object: which of the two is meant cannot be told."""


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise _RepeatedNameError(name)
        document[name] = value
    return document


def _choose(entries: dict[str, Any], *, name: str | None, path: Path) -> str:
    names = ", ".join(entries)
    if name is None and len(entries) > 1:
        raise InputError(f"{path} holds {len(entries)} entries; say which with --map: {names}")
    if name is not None and name not in entries:
        raise InputError(f"{path} holds no entry {name!r}; it holds {names}")
    return next(iter(entries)) if name is None else name


def _parse_maps(entry: Any, *, where: str) -> list[tuple[np.ndarray, np.ndarray]]:
    maps = entry.get("maps") if isinstance(entry, dict) else None
    if not isinstance(maps, list):
        raise InputError(f'expected {{"maps": [...]}} for {where}, got {_kind(entry)} without a list "maps"')
    return [_parse_map(item, where=f"map {index} of {where}") for index, item in enumerate(maps)]


def _parse_map(item: Any, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(item, list):
        return _plane_map(item, where=where)
    if not isinstance(item, dict) or not {"matrix", "offset"} <= item.keys():
        raise InputError(
            f'expected [a, b, c, d, e, f, p] or {{"matrix": [[...]], "offset": [...]}} as {where}, got {_kind(item)}'
        )
    rows, offset = item["matrix"], item["offset"]
    if not (isinstance(rows, list) and rows and all(isinstance(row, list) for row in rows)):
        raise InputError(f"expected a list of rows as the matrix of {where}, got {_kind(rows)}")
    if not isinstance(offset, list) or any(len(row) != len(rows) for row in rows) or len(offset) != len(rows):
        shape = f"{len(rows)} rows of {sorted({len(row) for row in rows})} numbers"
        length = f"{len(offset)} numbers" if isinstance(offset, list) else _kind(offset)
        raise InputError(f"expected a square matrix and an offset of the same length in {where}, got {shape} and {length}")
    matrix = [
        [_number(value, where=f"matrix[{i}][{j}] of {where}") for j, value in enumerate(row)] for i, row in enumerate(rows)
    ]
    return np.array(matrix), np.array([_number(value, where=f"offset[{i}] of {where}") for i, value in enumerate(offset)])


def _plane_map(row: list[Any], *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """``[a, b, c, d, e, f]``, with or without a probability, which is ignored."""
    if len(row) not in (6, 7):
        raise InputError(f"expected the 6 numbers a, b, c, d, e, f, or 7 with the probability, as {where}, got {len(row)}")
    a, b, c, d, e, f = (_number(value, where=f"number {index} of {where}") for index, value in enumerate(row[:6]))
    return np.array([[a, b], [c, d]]), np.array([e, f])


def _number(value: Any, *, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"expected a number as {where}, got {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"expected a finite number as {where}, got {number}")
    return number


def _stack(maps: list[tuple[np.ndarray, np.ndarray]], *, name: str, where: str) -> AffineMaps:
    if not maps:
        raise InputError(f"expected at least one map in {where}, got none")
    dimensions = [len(offset) for _, offset in maps]
    if len(set(dimensions)) > 1:
        raise InputError(f"expected maps of one dimension in {where}, got the dimensions {dimensions}, map by map")
    matrices, offsets = zip(*maps, strict=True)
    return AffineMaps(name=name, matrix=np.stack(matrices).astype(float), offset=np.stack(offsets).astype(float))


def check_contraction(maps: AffineMaps) -> AffineMaps:
    """The maps themselves where all contract, ``norm2(A_k) < 1``; else an InputError that says which does not."""
    worst = int(maps.norms.argmax())
    if not maps.norms[worst] < 1:
        raise InputError(
            f"expected maps that contract (norm2 of every matrix below 1), got norm2 = {maps.norms[worst]:.6g} in map {worst} "
            f"of {maps.name!r}; scale its matrix down"
        )
    return maps


def _kind(value: Any) -> str:
    """What a JSON value is, in JSON's words, short enough for one line."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else f"the text {value[:40]!r}" if isinstance(value, str) else str(value)


def write_maps(trained: "TrainedPredictor", path: str | Path) -> None:
    """Write the maps that a recurrence recovered: ``{"NAME": {"maps": [{"matrix": [[...]], "offset": [...]}], ...}}``.

    NAME is the predictor's id. The root's center and the scale factor stand beside the maps, for ``--root-center`` and
    ``--scale-factor``: they are what the maps' own defaults would be, unless the hierarchy was made with others.

    Raises:
        InputError: for a predictor of another family, and for a place that cannot be written.
    """
    document = maps_document(trained)
    with whole_file(path) as file:
        file.write(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")


def maps_document(trained: "TrainedPredictor") -> dict[str, Any]:
    """What :func:`write_maps` writes, as a JSON-ready object."""
    predictor = trained.load()
    if not isinstance(predictor, Recurrence):
        raise InputError(
            f"predictor {trained.id!r} is of the family {trained.family}, which learns no maps; train one with "
            "--family recurrence"
        )
    matrix, offset = predictor.maps()
    maps = [{"matrix": a, "offset": t} for a, t in zip(matrix.tolist(), offset.tolist(), strict=True)]
    name = trained.id.lstrip("_") or "maps"  # a name that starts with _ is a comment to those who read the file
    entry = {"maps": maps, "root_center": predictor.root_center.tolist(), "scale_factor": predictor.scale_factor}
    return {name: entry}
