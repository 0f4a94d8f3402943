"""Sparse rows: SciPy's matrices, from .npz files as ``scipy.sparse.save_npz`` writes them or as objects, checked on the way.

What a file says of its entries is held against its shape before SciPy reads a number by it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.memory import free_memory
from cfgraph.files.npy import Archive, opened_archive
from cfgraph.files.opened import HOW, opened, show_bytes, suffix_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MARKS = {"format", "shape", "data"}
_INDICES = {"csr": ("indices", "indptr"), "csc": ("indices", "indptr"), "coo": ("row", "col")}
_TOO_LARGE = 1e100  # as of dense numbers
_ENTRY_BYTES = 32  # of an entry while it is read: a value and two numbers, once as they were saved, once in order
_SHARE = 0.5  # of the free memory that may be asked for


def is_sparse(data: Any) -> "TypeGuard[csr_array]":
    """Whether something is a matrix of ``scipy.sparse``, of either of its two families."""
    return hasattr(data, "tocsr") and hasattr(data, "nnz")


def holds_sparse(names: Sequence[str]) -> bool:
    """Whether an archive of arrays of these names is a sparse matrix that SciPy saved."""
    return set(names) >= _MARKS


def read_sparse(path: Path | str, *, what: str, large: bool = False) -> "csr_array | None":
    """The sparse rows in an .npz file; None for a file of another kind, which other readers explain.

    Raises:
        InputError: for a file that is missing, damaged or too large, and for entries that are none of its matrix.
    """
    if suffix_of(Path(path)) != ".npz":
        return None
    with opened(path, expected=f"{what}, a row each, in an .npz file", large=large) as file, opened_archive(file) as archive:
        return sparse_rows(archive) if holds_sparse(archive.names) else None


def sparse_rows(archive: Archive) -> "csr_array":
    """The sparse matrix that an archive holds, its entries in order, each once, without zeros.

    Raises:
        InputError: for another layout than csr, csc and coo, entries outside the matrix, and values that are not finite.
    """
    from scipy import sparse

    where = f"the sparse rows of {archive.file.path}"
    layout = _layout(archive, where=where)
    rows, columns = _shape(archive, where=where)
    if missing := {*_INDICES[layout]} - set(archive.names):
        raise InputError(f"{where} have no array {', '.join(sorted(missing))}; save them again with scipy.sparse.save_npz")
    data = archive.read("data")
    archive.file.check_fits(_ENTRY_BYTES * data.size + 16 * ((columns if layout == "csc" else 0) + rows))
    one, other = (archive.read(name) for name in _INDICES[layout])
    if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in (one, other)) or data.ndim != 1:
        raise InputError(f"expected whole numbers in a row each as the places of {where}, and values in one")
    parts = (data, (one, other)) if layout == "coo" else (data, one, other)
    try:
        matrix = getattr(sparse, f"{layout}_array")(parts, shape=(rows, columns))
        if layout != "coo":  # SciPy checks the places of a coo at once
            matrix.check_format(full_check=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{where} cannot be read: {' '.join(str(error).split())[:200]}; save them again") from None
    return check_sparse(matrix, where=where)


def check_sparse(matrix: Any, *, where: str) -> "csr_array":
    """A matrix of SciPy's as rows of finite floats, its entries in order, each once, without zeros.

    Raises:
        InputError: for other values than real numbers, an empty one, NaN and infinities (with the first one's place).
    """
    from scipy import sparse

    if len(matrix.shape) != 2 or matrix.dtype.kind not in "fiub":
        raise InputError(f"expected rows x columns of numbers in {where}, got {matrix.dtype} of shape {matrix.shape}")
    if 0 in matrix.shape:
        raise InputError(f"expected at least one point in {where}, got an empty matrix of shape {matrix.shape}")
    rows = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    rows.sort_indices()
    fine = np.abs(rows.data) <= _TOO_LARGE  # False for NaN
    if not fine.all():
        entry = int(np.flatnonzero(~fine)[0])
        row = int(np.searchsorted(rows.indptr, entry, side="right")) - 1
        raise InputError(
            f"expected finite numbers of at most {_TOO_LARGE:g} in {where}, got {np.count_nonzero(~fine)} others, the first "
            f"{rows.data[entry]} in row {row}, column {rows.indices[entry]} (counted from 0); leave such rows out"
        )
    return rows


def dense_rows(rows: "csr_array", *, where: str, large: bool = False) -> tuple[Float[np.ndarray, "points columns"], str]:
    """The same with every zero written out, and a note that says so.

    Raises:
        InputError: where that takes more than half of the memory that is free.
    """
    needed, free = 8 * rows.shape[0] * rows.shape[1], free_memory()
    if not large and free is not None and needed > _SHARE * free:
        raise InputError(
            f"{where} are {rows.shape[0]:,} x {rows.shape[1]:,}, of which {rows.nnz:,} are not 0; with the others written out "
            f"they take {show_bytes(needed)} of memory, more than half of the {show_bytes(free)} that are free; --svd 100 "
            f"takes 100 directions of them as they are, where a command has it; {HOW}"
        )
    share = rows.nnz / (rows.shape[0] * rows.shape[1])
    return rows.toarray(), f"SciPy's sparse rows, {share:.2%} of them not 0, with the zeros written out"


def digest_of_sparse(rows: "csr_array") -> str:
    """SHA-256 of the shape and the entries, whatever layout they came in."""
    found = hashlib.sha256(repr(tuple(int(size) for size in rows.shape)).encode())
    for part, kind in ((rows.indptr, "<i8"), (rows.indices, "<i8"), (rows.data + 0.0, "<f8")):
        found.update(np.ascontiguousarray(part, dtype=kind).tobytes())
    return found.hexdigest()


def _layout(archive: Archive, *, where: str) -> str:
    told = archive.read("format")
    name = str(told.astype(str).reshape(-1)[0]) if told.size == 1 and told.dtype.kind in "SU" else "?"
    if name not in _INDICES:
        raise InputError(
            f"expected {where} in one of the layouts {', '.join(_INDICES)}, got {name[:20]!r}; save matrix.tocsr()"
        )
    return name


def _shape(archive: Archive, *, where: str) -> tuple[int, int]:
    told = archive.read("shape")
    if told.shape != (2,) or told.dtype.kind not in "iu" or (told.astype(np.float64) < 1).any():
        raise InputError(f"expected a number of rows and one of columns, both above 0, in {where}, got {told.tolist()!s:.60}")
    rows, columns = told.tolist()
    return rows, columns
