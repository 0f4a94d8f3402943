"""Opened files: the one way in which files of people's are read, and what every one of them is refused for.

A file is regular and not empty, it is what it was when the reading ends, and it fits: reading it takes at most half of the
memory that is free, and what is compressed becomes at most 500 times as long, unless ``large`` is said. Each reader holds
what a file declares against this by :meth:`OpenedFile.check_fits`; gzip is undone here, for all of them.
"""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cfgraph.errors import InputError
from cfgraph.files.memory import free_memory

RATIO_MAX = 500  # compressed numbers and texts of people's become up to some 20 times as long; nothing but bombs comes near
_SHARE = 0.5  # of the free memory
_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_KINDS |= {stat.S_IFSOCK: "a socket"}
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
HOW = "--large (from Python large=True) reads it all the same"


@dataclass(frozen=True, eq=False)
class OpenedFile:
    """A file that is open for reading, uncompressed, with its length in bytes; ``large`` lifts the limits."""

    path: Path
    handle: BinaryIO
    size: int
    large: bool = False

    @property
    def suffix(self) -> str:
        """What its name ends in, without .gz and in small letters."""
        return suffix_of(self.path)

    def rewound(self) -> BinaryIO:
        """The handle, at its begin."""
        self.handle.seek(0)
        return self.handle

    def check_fits(self, needed: float, *, what: str = "") -> None:
        """An ``InputError`` where so many bytes are more than half of the memory that is free, for ``what`` of it or all."""
        free = free_memory()
        if not self.large and free is not None and needed > _SHARE * free:
            raise InputError(
                f"{what and f'{what} of '}{self.path} takes up to {show_bytes(needed)} of memory, more than half of the "
                f"{show_bytes(free)} that are free; {HOW}"
            )

    def check_ratio(self, unpacked: int, packed: int, *, what: str = "") -> None:
        """An ``InputError`` where something compressed becomes more than 500 times as long."""
        if not self.large and unpacked > RATIO_MAX * packed:
            raise InputError(
                f"{what and f'{what} of '}{self.path} is {show_bytes(packed)} compressed and becomes {show_bytes(unpacked)}"
                f"{'' if what else ' or more'}, over {RATIO_MAX} times as much; {HOW}"
            )


def suffix_of(path: Path) -> str:
    """What the name of a file ends in, in small letters; .gz, which any may have besides, does not count."""
    path = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return path.suffix.lower()


def show_bytes(number: float) -> str:
    """A number of bytes as people write it: ``6.4 GB``."""
    power = 0
    while number >= 1000 and power < len(_UNITS) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.1f} {_UNITS[power]}" if power else f"{number:.0f} bytes"


@contextmanager
def opened(path: Path | str, *, expected: str, large: bool = False) -> Iterator[OpenedFile]:
    """A file to read within the block; ``expected`` says for errors what should be in it.

    Raises:
        InputError: for a file that is missing, cannot be read, is no regular one or empty, for damaged gzip and one that
            becomes too long, for memory that runs out, and, at the end, for a file that changed meanwhile.
    """
    path = Path(path)
    with _handle(path, expected=expected) as handle:
        before = os.fstat(handle.fileno())
        _check_regular(path, before, expected=expected)
        try:
            yield _unpacked(OpenedFile(path, handle, before.st_size, large), expected=expected)
        except InputError:
            _check_unchanged(path, before, handle)
            raise
        except MemoryError:
            raise InputError(
                f"{path} does not fit into memory{_free_words()}; take a part of it, or a larger machine"
            ) from None
        except OSError as error:
            raise _unreadable(path, error, expected=expected) from None
        _check_unchanged(path, before, handle)


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """A block that reads a file several times; an ``InputError`` at its end where the file became another one meanwhile."""
    before = moment_of(path)
    yield
    if before is not None and moment_of(path) != before:
        raise changed(path)


def moment_of(path: Path) -> tuple[int, ...] | None:
    """Which file this is, and when it was written; None where that cannot be told, which whoever opens it explains."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _handle(path: Path, *, expected: str) -> BinaryIO:
    """The file, open. What waits for a writer, as pipes do, is not waited for."""
    try:
        return io.BufferedReader(io.FileIO(path, "rb", opener=_open_at_once))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; expected {expected}") from None
    except (OSError, ValueError) as error:  # a name with a zero byte, or one that the system cannot encode
        raise _unreadable(path, error, expected=expected) from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _unreadable(path: Path, error: Exception, *, expected: str) -> InputError:
    said = " ".join(str(getattr(error, "strerror", None) or error).split())  # libraries' own may have several lines
    return InputError(f"{path} cannot be read: {said}; expected {expected}")


def _check_regular(path: Path, status: os.stat_result, *, expected: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise InputError(f"{path} is {kind}, no regular file; expected {expected}; save it to a file first")
    if status.st_size == 0:
        raise InputError(f"{path} is empty; expected {expected}")


def _check_unchanged(path: Path, before: os.stat_result, handle: BinaryIO) -> None:
    """An ``InputError`` where a file was written while it was read: what came of it is of several moments."""
    after = os.fstat(handle.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise changed(path)


def changed(path: Path) -> InputError:
    """The error of a file that is another one than it was."""
    return InputError(f"{path} changed while it was read; run this again when whatever writes it is done")


def _free_words() -> str:
    free = free_memory()
    return "" if free is None else f", of which {show_bytes(free)} are free"


def _unpacked(file: OpenedFile, *, expected: str) -> OpenedFile:
    """The same file without gzip, where it has some: in memory, since most readers go to and fro in it."""
    if file.rewound().read(len(_GZIP)) != _GZIP:
        file.rewound()
        return file
    whole = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=file.rewound(), mode="rb") as stream:
            while piece := stream.read(_PIECE):
                file.check_ratio(whole.tell() + len(piece), file.size)
                file.check_fits(2 * (whole.tell() + len(piece)))  # a buffer that grows is there twice
                whole.write(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{file.path} is a damaged gzip file: {error}; copy or compress it again") from None
    if whole.tell() == 0:
        raise InputError(f"{file.path} is a gzip file of nothing; expected {expected}")
    return OpenedFile(file.path, whole, whole.tell(), file.large)
