"""Data in memory: arrays of other libraries, tensors, lists and data frames, as the arrays that readers of files give."""

import decimal
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.columns import RawArray, of_table
from cfgraph.files.sparse import is_sparse

if TYPE_CHECKING:
    import pyarrow as pa


def as_raw(data: Any, *, where: str, what: str = "points", columns: Sequence[str] | None = None) -> RawArray:
    """Data as an array, of the type that they have; of a data frame the columns of numbers, with their names.

    Raises:
        InputError: for what is neither, rows of different lengths, masked values, and columns without numbers.
    """
    table = as_table(data, where=where)
    if table is not None:
        return of_table(table, where=where, what=what, columns=columns)
    return RawArray(as_array(data, where=where), where=where)


def as_table(data: Any, *, where: str) -> "pa.Table | None":
    """A data frame of pandas, polars or Arrow, columns by name, or rows with named fields, as a table; None for other data."""
    named = isinstance(data, Mapping) and not is_sparse(data)  # of which one kind is a dictionary
    fields = data.dtype.names if isinstance(data, np.ndarray) and data.ndim == 1 else None
    frame = hasattr(data, "columns") and (hasattr(data, "__arrow_c_stream__") or hasattr(data, "__dataframe__"))
    is_pandas = frame and hasattr(data, "iloc")
    if not (named or fields or frame or (type(data).__module__.startswith("pyarrow") and hasattr(data, "column_names"))):
        return None
    import pyarrow as pa

    try:
        if is_pandas:
            return pa.Table.from_pandas(_dense(data))
        if fields:
            return pa.table({name: np.ascontiguousarray(data[name]) for name in fields})
        if named:
            read = {str(name): as_array(column, where=f"{where}, column {str(name)!r}") for name, column in data.items()}
            return pa.Table.from_arrays([pa.array(column) for column in read.values()], names=list(read))
        return pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else pa.table(data)
    except (pa.ArrowException, ValueError, TypeError, OverflowError, AttributeError) as error:
        message = " ".join(str(part) for part in error.args)
        raise InputError(f"expected columns of numbers in {where}, got some that cannot be read: {one_line(message)}") from None


def _dense(frame: Any) -> Any:
    """A data frame of pandas with the zeros of its sparse columns written out."""
    sparse = [name for name, kind in frame.dtypes.items() if str(kind).startswith("Sparse")]
    return frame.astype({name: frame.dtypes[name].subtype for name in sparse}) if sparse else frame


def as_array(data: Any, *, where: str) -> np.ndarray:
    """An array, a tensor, or rows in lists, as an array of numpy's; numbers that are objects become floats.

    Raises:
        InputError: for what is none of these.
    """
    if hasattr(data, "detach") and hasattr(data, "cpu"):
        return _of_tensor(data, where=where)
    if isinstance(data, list | tuple) and any(hasattr(row, "detach") for row in data[:1]):
        data = [_of_tensor(row, where=where) for row in data]
    if isinstance(data, str | bytes) or data is None:
        raise InputError(f"expected an array or a table in {where}, got {type(data).__name__}")
    if isinstance(data, np.ma.MaskedArray) and np.ma.getmaskarray(data).any():
        masked = int(np.ma.getmaskarray(data).sum())
        raise InputError(
            f"expected numbers without gaps in {where}, got {masked} that are masked; fill them, or leave rows out"
        )
    if hasattr(data, "to_numpy") and not hasattr(data, "__array__"):
        data = data.to_numpy()
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise _no_array(data, where=where, error=error) from None
    if array.dtype.kind == "V" and array.dtype.names is None and "float" in array.dtype.name:
        return array.astype(np.float32)  # short floats that numpy has not, as of ml_dtypes
    return _of_objects(array, where=where) if array.dtype == object else array


def _of_tensor(data: Any, *, where: str) -> np.ndarray:
    """A tensor of torch's, wherever it is: what numpy has no type for, such as bfloat16, becomes floats."""
    try:
        tensor = data.detach()
        if getattr(tensor, "is_quantized", False):
            tensor = tensor.dequantize()
        if getattr(tensor, "is_nested", False):
            raise ValueError("it is a nested tensor, of rows of different lengths")
        if "strided" not in str(getattr(tensor, "layout", "strided")):
            tensor = tensor.to_dense()
        tensor = tensor.cpu().resolve_conj().resolve_neg()
        try:
            return tensor.numpy()
        except TypeError:
            return tensor.float().numpy()
    except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError) as error:  # as torch refuses a kind
        raise InputError(f"the tensor in {where} cannot be read: {one_line(error)}; give its numbers on the CPU") from None


def _of_objects(array: np.ndarray, *, where: str) -> np.ndarray:
    """Numbers that Python's objects hold, as floats; other objects as they are, which whoever reads them refuses."""
    if array.size and all(isinstance(one, numbers.Real | decimal.Decimal | np.bool_) for one in array.flat):
        try:
            return array.astype(np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"expected numbers in {where}, got some that are no floats: {one_line(error)}") from None
    return array


def _no_array(data: Any, *, where: str, error: Exception) -> InputError:
    if isinstance(data, list | tuple):
        lengths = [len(row) for row in data if hasattr(row, "__len__")]
        if len(set(lengths)) > 1:
            other = next(place for place, length in enumerate(lengths) if length != lengths[0])
            return InputError(
                f"expected rows of equal length in {where}, got {lengths[0]} values in row 0 and {lengths[other]} in row "
                f"{other} (counted from 0)"
            )
    return InputError(f"expected an array or a table of numbers in {where}, got {type(data).__name__}: {one_line(error)}")


def one_line(error: object) -> str:
    """What an error says, in a line of at most 200 characters."""
    return " ".join(str(error).split())[:200]
