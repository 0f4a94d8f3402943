"""Files of numpy's, .npy and .npz: what they declare is held against what they hold before anything is made of it."""

import math
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from cfgraph.errors import InputError
from cfgraph.files.opened import OpenedFile, show_bytes

_MAGIC, _ZIP = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")
_OTHER_FORMAT = "it is of another format, or holds Python objects"
_AXES_MAX = 64  # of an array, says numpy
_HEADER_BYTES_MAX = 1 << 16  # numpy reads up to 10,000, but only after it took in as many as are declared
_CHARACTER_MAX = 0x10FFFF
_HALVES = (0xD800, 0xDFFF)  # of pairs in UTF-16: no characters by themselves
_NUMBER_MAX = np.iinfo(np.intp).max
_HEADERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
    (3, 0): npy_format.read_array_header_2_0,  # names of fields apart, in UTF-8: nothing here asks for them
}
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of numpy
# What zipfile, numpy and Python's parser below it raise for what somebody made up; RuntimeErrors: a password, deep nesting.
_FAULTS = (
    *(ValueError, TypeError, KeyError, OverflowError, RuntimeError, SyntaxError, tokenize.TokenError),
    *(EOFError, zlib.error, zipfile.BadZipFile),
)


def read_npy(file: OpenedFile, *, copied: bool = True) -> np.ndarray:
    """The array in a .npy file, of the type that it was saved in; ``copied`` where it becomes floats of 8 bytes then.

    Raises:
        InputError: for another form, Python objects, more or fewer bytes than declared, and what does not fit.
    """
    start = file.rewound().read(len(_MAGIC))
    if start.startswith(_ZIP):
        raise InputError(f"{file.path} holds an archive of arrays; rename it to end in .npz")
    return _read(file.rewound(), file.size, file=file, copied=copied)


@dataclass(frozen=True, eq=False)
class Archive:
    """An .npz file: arrays by name. An array is read when it is asked for."""

    file: OpenedFile
    zipped: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    @property
    def names(self) -> list[str]:
        """The arrays' names, in the file's order."""
        return list(self.members)

    def read(self, name: str, *, copied: bool = True) -> np.ndarray:
        """One of the arrays, as :func:`read_npy` gives it; an ``InputError`` too for one that is packed too well to be data."""
        member, what = self.members[name], f"array {name!r}"
        self.file.check_ratio(member.file_size, min(member.compress_size, self.file.size), what=what)
        try:
            with self.zipped.open(member) as stream:
                return _read(stream, member.file_size, file=self.file, copied=copied, what=what)
        except _FAULTS as error:
            raise _damaged(self.file, error) from None

    def read_all(self) -> dict[str, np.ndarray]:
        """All of them, where they fit together."""
        self.file.check_fits(sum(member.file_size for member in self.members.values()))
        return {name: self.read(name) for name in self.members}


@contextmanager
def opened_archive(file: OpenedFile) -> Iterator[Archive]:
    """An .npz file's arrays.

    Raises:
        InputError: for another form, a damaged one, names that stand for places elsewhere, and two arrays of one name.
    """
    start = file.rewound().read(len(_MAGIC))
    if start == _MAGIC:
        raise InputError(f"{file.path} holds a single array; rename it to end in .npy")
    if not start.startswith(_ZIP):
        raise _damaged(file, ValueError(_OTHER_FORMAT))
    try:
        zipped = zipfile.ZipFile(file.rewound())
    except _FAULTS as error:
        raise _damaged(file, error) from None
    with zipped:
        yield Archive(file, zipped, _members(zipped.infolist(), file=file))


def _members(found: Sequence[zipfile.ZipInfo], *, file: OpenedFile) -> dict[str, zipfile.ZipInfo]:
    """The members that are arrays, by name."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        _check_member(member, file=file)
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise InputError(f"{file.path} holds two arrays {name[:60]!r}, and which is meant cannot be told; save it again")
        if name != member.filename:
            members[name] = member
    return members


def _check_member(member: zipfile.ZipInfo, *, file: OpenedFile) -> None:
    """Nothing is unpacked to a disk here, but who made such members meant harm, to whoever unpacks them."""
    fault = _member_fault(member)
    if fault is not None:
        raise InputError(f"{file.path} holds {member.orig_filename[:60]!a}, {fault}; save plain arrays with numpy.savez")


def _member_fault(member: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in str(path) or not member.orig_filename.isprintable():
        return "a name that no array has"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    if member.compress_type not in _PACKINGS:
        return "packed in another way than numpy's"
    return None


def _read(stream: IO[bytes], size: int, *, file: OpenedFile, copied: bool, what: str = "") -> np.ndarray:
    """The array in a stream of ``size`` bytes."""
    try:
        shape, kind = _read_header(stream)
        count = math.prod(shape)
        _check_declared(count * kind.itemsize, size - stream.tell(), shape=shape, where=what and f"{what} of ", file=file)
        file.check_fits(count * (kind.itemsize + (8 if copied and kind != np.float64 else 0)), what=what)
        stream.seek(0)
        array = npy_format.read_array(stream, allow_pickle=False)
        _check_characters(array)
        return array
    except _FAULTS as error:
        raise _damaged(file, error) from None


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and the type that an array declares; a ``ValueError`` for those that no array has."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(_OTHER_FORMAT)
    stream.seek(0)
    version = npy_format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"its version is {version}, and numpy writes up to version (3, 0) here")
    width = 2 if version == (1, 0) else 4
    if int.from_bytes(stream.read(width), "little") > _HEADER_BYTES_MAX:
        raise ValueError("its header is longer than any that numpy writes")
    stream.seek(npy_format.MAGIC_LEN)
    try:
        shape, _, kind = _HEADERS[version](stream)
    except MemoryError:  # says Python's parser of what is nested too deeply
        raise ValueError("its header is nested too deeply") from None
    if kind.hasobject:
        raise ValueError("it holds Python objects")
    if kind.itemsize == 0:
        raise ValueError(f"its values, of type {kind}, have no bytes")
    if len(shape) > _AXES_MAX or any(length < 0 for length in shape):
        raise ValueError(f"it declares the shape {_shown(shape)}, which no array has")
    if math.prod(length or 1 for length in shape) * kind.itemsize > _NUMBER_MAX:
        raise ValueError(f"it declares the shape {_shown(shape)}, which no machine can hold")
    return shape, kind


def _check_declared(declared: int, there: int, *, shape: tuple[int, ...], where: str, file: OpenedFile) -> None:
    if declared != there:
        raise InputError(
            f"{where}{file.path} declares {show_bytes(declared)} of numbers, of shape {_shown(shape)}, and {show_bytes(there)} "
            "follow; it is damaged or cut off: save it again"
        )


def _check_characters(array: np.ndarray) -> None:
    """A ``ValueError`` for text whose numbers stand for no characters."""
    if array.dtype.kind == "U" and array.size:
        codes = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        low, high = _HALVES
        if (codes > _CHARACTER_MAX).any() or ((codes >= low) & (codes <= high)).any():
            raise ValueError("it holds numbers for text that stand for no characters")


def _shown(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _damaged(file: OpenedFile, error: Exception) -> InputError:
    """What numpy says of a file, but for its advice to load it all the same: that runs whatever is in a pickle."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if "pickle" in reason:
        reason = _OTHER_FORMAT
    return InputError(f"{file.path} is no {file.suffix} file of plain numbers: {reason[:200]}; save plain numbers with numpy")
