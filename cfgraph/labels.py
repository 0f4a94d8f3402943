"""Labels: the class of each data point, by its number, or of each leaf, by its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from cfgraph.errors import InputError

NAME, LABEL = "name", "label"  # columns of a table
NAMES = "names"  # the array of an .npz file that holds names


@dataclass(frozen=True, eq=False)
class Labels:
    """A label a row: of data point ``row``, or, where there are names, of the leaf called ``names[row]``."""

    values: Shaped[np.ndarray, " rows"]
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.names is not None and len(self.names) != len(self.values):
            raise InputError(f"expected a label for each of {len(self.names)} names, got {len(self.values)}")

    @classmethod
    def read(cls, path: Path | str, *, key: str | None = None) -> "Labels":
        """The labels in a file.

        .npy holds one array; .npz the array ``key`` (not needed where it holds one beside ``names``); .csv, .tsv and .parquet a
        column ``label`` and perhaps a column ``name`` (``key`` calls the former otherwise), or a single column. Raises an
        ``InputError`` for a file that cannot be read or holds none of these.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"there is no file {path}; expected the labels of a hierarchy's points")
        if path.suffix in (".npy", ".npz"):
            values, names = _read_arrays(path, key=key)
        elif path.suffix in (".csv", ".tsv", ".parquet"):
            values, names = _read_table(path, key=key or LABEL)
        else:
            raise InputError(f"expected labels in a .npy, .npz, .csv, .tsv or .parquet file, got {path}")
        if values.ndim != 1 or values.dtype.kind not in "iufbOUS":
            raise InputError(
                f"expected one label a row in {path}, got an array of shape {values.shape} and type {values.dtype}"
            )
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise InputError(
                f"expected labels in {path}, got {int(np.isnan(values).sum())} that are not a number; leave them out"
            )
        return cls(values, names)


def _read_arrays(path: Path, *, key: str | None) -> tuple[np.ndarray, tuple[str, ...] | None]:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False), None
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    names = tuple(map(str, found.pop(NAMES).tolist())) if NAMES in found and key != NAMES else None
    if key is None and len(found) != 1:
        raise InputError(f"expected one array of labels in {path}, got {', '.join(found) or 'none'}; name one with --key")
    if key is not None and key not in found:
        raise InputError(f"expected the array {key!r} in {path}, which has {', '.join(found) or 'none'}")
    return found[key or next(iter(found))], names


def _read_table(path: Path, *, key: str) -> tuple[np.ndarray, tuple[str, ...] | None]:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if path.suffix == ".parquet":
            table = parquet.read_table(path)
        else:
            parse = csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
            table = csv.read_csv(
                path, parse_options=parse, convert_options=csv.ConvertOptions(column_types={NAME: pa.string()})
            )
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    others = [name for name in table.column_names if name != NAME]
    chosen = key if key in others else others[0] if len(others) == 1 and key == LABEL else None
    if chosen is None:
        raise InputError(f"expected a column {key!r} in {path}, got {', '.join(table.column_names)}; name one with --key")
    column = table.column(chosen)
    if column.null_count:
        raise InputError(f"expected a label in every row of {path}, got {column.null_count} without one; leave those rows out")
    names = tuple(map(str, table.column(NAME).to_pylist())) if NAME in table.column_names else None
    return _plain(column.to_pylist()), names


def _plain(values: Sequence) -> np.ndarray:
    """Labels as numbers where all are, else as text."""
    array = np.array(values)
    return array if array.dtype.kind in "iufb" else np.array(list(map(str, values)), dtype=object)
