"""Row groups: what a .parquet file declares of its rows, held against itself and against the memory that they take.

A value that comes again and again is written once: rows take little room in a file, and much in memory. So numbers are
counted before they are read, and texts are read as the file has them, each once, measured, and only then written out.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, cast

from cfgraph.errors import InputError
from cfgraph.files.opened import OpenedFile

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

_BUFFER_BYTES = 1 << 16  # of a column that are read at a time
_VALUE_BYTES = 8  # of a float, and of what says where a text lies


def check_groups(table: "parquet.ParquetFile", names: Collection[str], *, file: OpenedFile, times: float = 1) -> None:
    """An ``InputError`` for a file that tells two numbers of its rows, and for columns that do not fit, so many ``times``."""
    file.check_fits(times * check_rows(table, names, file=file))


def check_rows(table: "parquet.ParquetFile", names: Collection[str], *, file: OpenedFile) -> int:
    """How many bytes these columns take at most; an ``InputError`` for a file that tells two numbers of its rows."""
    _check_chunks(file)
    metadata = table.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if metadata.num_rows != sum(group.num_rows for group in groups) or any(group.num_rows < 0 for group in groups):
        raise InputError(f"{file.path} cannot be read as .parquet: it tells two numbers of its rows; save it again")
    needed = _VALUE_BYTES * metadata.num_rows * len(names)
    for group in groups:
        chunks = [group.column(number) for number in range(group.num_columns)]
        try:
            chosen = [chunk for chunk in chunks if _column_of(chunk.path_in_schema, names)]
        except UnicodeDecodeError as error:
            raise InputError(f"{file.path} cannot be read as .parquet: a name of a column is no UTF-8: {error}") from None
        needed += sum(chunk.total_uncompressed_size + _VALUE_BYTES * chunk.num_values for chunk in chosen)
    return needed


def _check_chunks(file: OpenedFile) -> None:
    """What pyarrow says of damaged descriptions of columns, as an exception: asked one by one they end the process."""
    from pyarrow import parquet

    with parquet.ParquetFile(file.rewound(), pre_buffer=False, buffer_size=_BUFFER_BYTES) as table:
        for number in range(table.num_row_groups):
            nothing = table.reader.iter_batches(0, row_groups=[number], column_indices=None)  # opens columns, reads no row
            list(nothing)
    file.rewound()


def _column_of(path: str, names: Collection[str]) -> bool:
    """Whether a place in the schema is a column of these names, or lies in one, as the items of lists do."""
    return path in names or any(path.startswith(f"{name}.") for name in names)


def read_columns(file: OpenedFile, names: Collection[str] | None = None, *, times: float = 1) -> "pa.Table":
    """The columns of a .parquet file that are named, else all but nested ones; texts are checked to be UTF-8.

    Raises:
        InputError: for columns that do not fit, so many ``times``, and as :func:`check_groups`.
        pyarrow.ArrowException: for a damaged file.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(file.rewound()) as table:
        chosen = [field.name for field in table.schema_arrow if _is_chosen(field, names)]
        check_groups(table, chosen, file=file, times=times)
        once = list(_written_once(table))
    with parquet.ParquetFile(file.rewound(), read_dictionary=once, page_checksum_verification=True) as table:
        read = table.read(columns=chosen)
    read.validate(full=True)
    file.check_fits(times * (read.nbytes + sum(map(_written_out, read.columns))))
    return read.cast(_written(read.schema))


def _is_chosen(field: "pa.Field", names: Collection[str] | None) -> bool:
    from pyarrow import types

    return not types.is_nested(field.type) if names is None else field.name in names


def _written_once(table: "parquet.ParquetFile") -> Iterator[str]:
    """The columns of texts of which the file has each different one once."""
    metadata = table.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    encoded = {chunk.path_in_schema for chunk in chunks if {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & set(chunk.encodings)}
    for field in table.schema_arrow:
        if field.name in encoded and _text_type(field.type) is not None:
            yield field.name


def _text_type(kind: "pa.DataType") -> "pa.DataType | None":
    """The type of a text in a column, written out; None for a column of anything else."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    return kind if is_text else None


def _written_out(column: "pa.ChunkedArray") -> int:
    """How many bytes the texts of a column take when each row has its own."""
    from pyarrow import types

    if not types.is_dictionary(column.type) or _text_type(column.type) is None:
        return 0
    return sum(_row_bytes(part) for part in column.chunks)


def _row_bytes(part: "pa.Array") -> int:
    from pyarrow import compute

    encoded = cast("pa.DictionaryArray", part)
    texts = cast("pa.StringArray", encoded.dictionary)  # or of another width, or of bytes
    lengths = compute.binary_length(texts).take(encoded.indices)
    return compute.sum(lengths).as_py() or 0


def _written(schema: "pa.Schema") -> "pa.Schema":
    """The same columns, with texts in each row."""
    for place, field in enumerate(schema):
        if (kind := _text_type(field.type)) is not None:
            schema = schema.set(place, field.with_type(kind))
    return schema
