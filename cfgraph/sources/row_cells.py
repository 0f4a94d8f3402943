"""Row cells: the cell that each row lies in, in a file of 4 bytes a row, which has no name and is gone when it is closed.

It lies where temporary files lie (``TMPDIR``), and is zeros at first.
"""

import tempfile
from io import FileIO
from types import TracebackType
from typing import Self

import numpy as np
from jaxtyping import Int

from cfgraph.errors import InputError

_KIND = np.dtype("<i4")


class RowCells:
    """Whole numbers of at most 2^31 - 1, one a row, read and written piece by piece."""

    def __init__(self, count: int) -> None:
        try:
            self._file: FileIO = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by __exit__
            self._file.truncate(count * _KIND.itemsize)
        except OSError as error:
            raise _failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def read(self, start: int, count: int) -> Int[np.ndarray, " rows"]:
        """The numbers of some rows that follow one another."""
        content, done = bytearray(count * _KIND.itemsize), 0
        try:
            self._file.seek(start * _KIND.itemsize)
            while done < len(content):
                taken = self._file.readinto(memoryview(content)[done:])
                if not taken:
                    raise OSError("it was cut short")
                done += taken
        except OSError as error:
            raise _failed(error) from error
        return np.frombuffer(content, dtype=_KIND).astype(np.int64)

    def write(self, start: int, cells: Int[np.ndarray, " rows"]) -> None:
        """Set those of some rows."""
        content, done = memoryview(cells.astype(_KIND).tobytes()), 0
        try:
            self._file.seek(start * _KIND.itemsize)
            while done < len(content):
                done += self._file.write(content[done:]) or 0
        except OSError as error:
            raise _failed(error) from error


def _failed(error: OSError) -> InputError:
    return InputError(
        f"the temporary file of 4 bytes a row in {tempfile.gettempdir()} cannot be kept: {error.strerror or error}; free some "
        "space, or name another folder in TMPDIR"
    )
