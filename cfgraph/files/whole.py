"""Files that are there whole or not at all: written beside their place under another name, then renamed."""

import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cfgraph.errors import InputError

OPEN_FILE = re.compile(r"/dev/(?:(stdout)|(stderr)|fd/([0-9]+))|/proc/self/fd/([0-9]+)")
NAME_BYTES_MAX = 200  # leaves room for the temporary file's own letters in the 255 bytes of a file name


def check_place(path: str | Path) -> Path:
    """The path itself if a file can be written there, else an ``InputError``: asked before any long work is done."""
    path = Path(path)
    try:
        os.path.realpath(path)  # complains of a name that holds a zero byte, which the following take for "not there"
        if path.is_dir():
            raise InputError(f"expected the name of a file to write, got the folder {str(path)!r}")
        _check_parent(path)
        if not _is_writable(path):
            raise InputError(f"cannot write {str(path)!r}: no permission; choose another place or change its rights")
    except (OSError, ValueError) as error:  # a name too long, or with a character that no name may hold
        raise _cannot_write(path, error) from error
    return path


def _check_parent(path: Path) -> None:
    parent = path.absolute().parent
    if not parent.is_dir():
        name = str(path.parent)
        reason = f"{name!r} is a file, no folder" if parent.exists() else f"there is no folder {name!r}; make it first"
        raise InputError(f"cannot write {str(path)!r}: {reason}")


def _is_writable(path: Path) -> bool:
    if path.exists() and not os.access(path, os.W_OK):
        return False
    return _is_stream(path) or os.access(path.parent, os.W_OK | os.X_OK)


def _is_stream(path: Path) -> bool:
    """Whether the path names a pipe, a device, or a file that is open already: written straight, never replaced."""
    return _descriptor(path) is not None or (path.exists() and not path.is_file())


def _descriptor(path: Path) -> int | None:
    """The number of the open file that a path such as /dev/stdout names."""
    found = OPEN_FILE.fullmatch(str(path))
    if found is None:
        return None
    return 1 if found[1] else 2 if found[2] else int(found[3] or found[4])


def _open_stream(path: Path) -> BinaryIO:
    """A stream for writing. What is open is written where it stands: opened anew, a file would lose what it holds."""
    descriptor = _descriptor(path)
    return path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """A binary file to write, which gets the name ``path`` only once everything is in it and on the disk.

    Where writing fails or is interrupted, what had that name before is untouched and nothing else is left. Raises an
    ``InputError`` with the system's reason where the place does not exist, may not be written or is full.
    """
    path = check_place(path)
    try:
        if _is_stream(path):
            with _open_stream(path) as stream:
                yield stream
        else:
            with _replacing(Path(os.path.realpath(path))) as file:  # a link stays, and what it names is replaced
                yield file
    except BrokenPipeError:
        raise  # whoever reads the pipe has had enough
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    part = target.with_name(f".{os.fsdecode(os.fsencode(target.name)[:NAME_BYTES_MAX])}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def spool_beside(path: str | Path) -> BinaryIO:
    """A file without a name for what has to wait, on the disk that ``path`` will lie on; it is gone when it is closed."""
    path = Path(path)
    return tempfile.TemporaryFile(dir=None if _is_stream(path) else Path(os.path.realpath(path)).parent)


def check_folder(path: str | Path) -> Path:
    """The path itself if a folder can be made there, or is there and empty; else an ``InputError``."""
    path = Path(path)
    try:
        os.path.realpath(path)
        if path.exists() and not path.is_dir():
            raise InputError(f"expected the name of a new folder, got the file {str(path)!r}; choose another name")
        if path.is_dir() and any(path.iterdir()):
            raise InputError(f"the folder {str(path)!r} is not empty, and nothing in it is replaced; choose another name")
        _check_parent(path)
        if not os.access(os.path.realpath(path.absolute().parent), os.W_OK | os.X_OK):
            raise InputError(f"cannot write {str(path)!r}: no permission; choose another place or change its rights")
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    return path


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """An empty folder to fill, which gets the name ``path`` only once everything is in it.

    Where filling it fails or is interrupted, nothing is left. Raises an ``InputError`` where the place cannot be written.
    """
    path = check_folder(path)
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{os.fsdecode(os.fsencode(target.name)[:NAME_BYTES_MAX])}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        yield part
        part.replace(target)  # over an empty folder; one that was filled meanwhile is not replaced
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _cannot_write(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return InputError(f"cannot write {str(path)!r}: {reason}; {'free some space or ' if full else ''}choose another place")
