"""Affine maps ``f_k(x) = A_k x + t_k``: read from JSON, Fractint or a flame, or one of the classics by name.

JSON has two main forms, both under the name of an entry; a key that starts with ``_`` is a comment and probabilities are
ignored:

    {"NAME": {"maps": [[a, b, c, d, e, f, p], ...]}}                           x' = a x + b y + e, y' = c x + d y + f
    {"NAME": {"maps": [{"matrix": [[...], ...], "offset": [...]}, ...]}}       any dimension

Others are read, too: maps by the names ``a`` .. ``f``, or as matrices with the offset as a last column (or, homogeneous, with a
last row 0 .. 0 1 besides); ``transforms``, ``functions`` or ``ifs`` for ``maps``; the list of maps without a name, which is the
file's then. Fractint and flames: :mod:`cfgraph.formats.ifs_texts`.
"""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfgraph.defaults import BUILT_IN
from cfgraph.errors import InputError
from cfgraph.files.texts import JSON_TIMES, read_text
from cfgraph.files.whole import whole_file
from cfgraph.formats.ifs_texts import Entry, looks_like_fractint, parse_flames, parse_fractint
from cfgraph.formats.xml import check_entities
from cfgraph.predictors.recurrence import Recurrence

if TYPE_CHECKING:
    from cfgraph.predictors.trained import TrainedPredictor


_MAPS = ("maps", "transforms", "functions", "ifs")
_LETTERS = set("abcdef")
_MATRICES, _OFFSETS = ("matrix", "A", "linear"), ("offset", "translation", "shift", "vector", "t", "b")
_FORM = '{"NAME": {"maps": [[a, b, c, d, e, f, p], ...]}} or {"NAME": {"maps": [{"matrix": [[...]], "offset": [...]}, ...]}}'
_EXPECTED = f"a built-in system out of {', '.join(BUILT_IN)}, or {_FORM}"
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
    notes: tuple[str, ...] = ()  # what is said of how they were read

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

    def in_coordinates(self, basis: Float[np.ndarray, "dim dim"]) -> "AffineMaps":
        """The same maps of y, where ``x = P y``: ``P^-1 A_k P`` and ``P^-1 t_k``."""
        matrix = np.linalg.solve(basis[None], self.matrix @ basis)
        return AffineMaps(self.name, matrix, np.linalg.solve(basis, self.offset.T).T, self.notes)

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
    text = read_text(path, expected=_EXPECTED, times=JSON_TIMES, large=large)
    if text.lstrip().startswith("<"):
        check_entities(text.encode(), path=path, large=large)
        return _of_texts(parse_flames(text, where=str(path)), name=name, path=path)
    if looks_like_fractint(text):
        return _of_texts(parse_fractint(text, where=str(path)), name=name, path=path)
    entries = _entries(text, path=path)
    chosen = _choose(entries, name=name, path=path)
    where = f"{chosen!r} in {path}"
    return _stack(_parse_maps(entries[chosen], where=where), name=chosen, where=where)


def _of_texts(entries: "dict[str, Entry]", *, name: str | None, path: Path) -> AffineMaps:
    """The maps of one entry of a file of texts; letters of its name may be small or large."""
    small = {known.casefold(): known for known in entries}
    chosen = _choose(entries, name=small.get((name or "").casefold(), name), path=path)
    found = _stack(entries[chosen].maps, name=chosen, where=f"{chosen!r} in {path}")
    return replace(found, notes=entries[chosen].notes)


def _entries(text: str, *, path: Path) -> dict[str, Any]:
    """The entries of a file of maps, without its comments; maps without a name have that of the file."""
    document = _load_json(text, path=path)
    if isinstance(document, list) and document:
        return {path.name.split(".")[0]: document}
    if not isinstance(document, dict):
        raise InputError(f"expected {_FORM} in {path}, got {_kind(document)} at the top")
    entries = {name: entry for name, entry in document.items() if not name.startswith("_")}
    if any(isinstance(entries.get(key), list) for key in _MAPS):
        name = entries.get("name")
        return {name if isinstance(name, str) and name else path.name.split(".")[0]: entries}
    if not entries:
        raise InputError(f"expected at least one entry {_FORM} in {path}, got none")
    return entries


def _load_json(text: str, *, path: Path) -> Any:
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
    maps = next((entry[key] for key in _MAPS if key in entry), None) if isinstance(entry, dict) else entry
    if not isinstance(maps, list):
        raise InputError(f'expected {{"maps": [...]}} for {where}, got {_kind(entry)} without a list "maps"')
    return [_parse_map(item, where=f"map {index} of {where}") for index, item in enumerate(maps)]


def _parse_map(item: Any, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(item, list) and any(isinstance(row, list) for row in item):
        return _whole_map(item, where=where)
    if isinstance(item, list):
        return _plane_map(item, where=where)
    if isinstance(item, dict) and item.keys() >= _LETTERS:
        return _plane_map([item[letter] for letter in sorted(_LETTERS)], where=where)
    matrix_key = _key_of(item, _MATRICES)
    offset_key = _key_of(item, _OFFSETS)
    if matrix_key is not None and offset_key is None and _is_wide(item[matrix_key]):
        return _whole_map(item[matrix_key], where=where)
    if matrix_key is None or offset_key is None:
        raise InputError(
            f'expected [a, b, c, d, e, f, p] or {{"matrix": [[...]], "offset": [...]}} as {where}, got {_kind(item)}'
        )
    rows, offset = item[matrix_key], item[offset_key]
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


def _key_of(item: Any, keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in item), None) if isinstance(item, dict) else None


def _is_wide(rows: Any) -> bool:
    """Whether a matrix has the offset as its last column."""
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, list) for row in rows) and len(rows[0]) != 1


def _whole_map(rows: list[Any], *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """A matrix with the offset as its last column, and perhaps, homogeneous, a last row of zeros and a one."""
    widths = sorted({len(row) if isinstance(row, list) else 0 for row in rows})
    if len(widths) != 1 or widths[0] not in (len(rows), len(rows) + 1):
        raise InputError(
            f"expected rows of a matrix with the offset as their last number as {where}, got {len(rows)} rows of {widths} "
            "numbers"
        )
    whole = np.array(
        [[_number(value, where=f"[{i}][{j}] of {where}") for j, value in enumerate(row)] for i, row in enumerate(rows)]
    )
    if len(whole) == widths[0]:  # homogeneous
        if len(whole) < 2 or whole[-1, :-1].any() or whole[-1, -1] != 1:
            raise InputError(
                f"expected a matrix with an offset beside it, or as its last column, as {where}, got {len(rows)} rows of "
                f"{widths[0]} numbers"
            )
        whole = whole[:-1]
    return whole[:, :-1], whole[:, -1]


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
