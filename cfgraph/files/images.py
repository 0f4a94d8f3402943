"""Images from files: brought upright, to red, green and blue of 8 bits, and to the size that is asked for.

An image is decoded when it is asked for, so that memory holds a batch of them. What cannot be decoded is a
:class:`BrokenImageError`, which whoever goes through many images may count or leave out.
"""

import hashlib
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import UInt8

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.files.arrays import read_arrays
from cfgraph.files.opened import opened, show_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")  # Pillow's, by the names that models give them
SHOWN = 3  # examples in messages
_FILE_BYTES_MAX = 1 << 30  # of one image's file
_CHANNELS = (1, 3, 4)

Pixels = UInt8[np.ndarray, "height width 3"]


class BrokenImageError(InputError):
    """An image cannot be decoded."""


@dataclass(frozen=True)
class Framing:
    """How an image is brought to ``height`` x ``width``.

    The shorter side becomes ``shorter`` long and the middle is cut out; without ``shorter`` the whole is squeezed into the
    size, whatever its proportions.
    """

    height: int
    width: int
    shorter: int | None = None
    filter: str = "bicubic"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.filter not in FILTERS:
            raise InputError(f"expected a size of at least 1 x 1 and a filter out of {', '.join(FILTERS)}, got {self}")
        if self.shorter is not None and self.shorter < max(self.height, self.width):
            raise InputError(f"a shorter side of {self.shorter} leaves no {self.height} x {self.width} to cut out")

    def frame(self, image: "Image") -> Pixels:
        """The pixels of an image, brought to the size as torchvision does it."""
        from PIL import Image

        resample = Image.Resampling[self.filter.upper()]
        if self.shorter is None:
            return np.asarray(_resized(image, (self.width, self.height), resample))
        wide, high = image.size
        if wide <= high:
            image = _resized(image, (self.shorter, int(self.shorter * high / wide)), resample)
        else:
            image = _resized(image, (int(self.shorter * wide / high), self.shorter), resample)
        left, top = (round((have - want) / 2) for have, want in zip(image.size, (self.width, self.height), strict=True))
        return np.asarray(image.crop((left, top, left + self.width, top + self.height)))


def _resized(image: "Image", size: tuple[int, int], resample: Any) -> "Image":
    return image if image.size == size else image.resize(size, resample)


class OneImage(Protocol):
    """An image that has not been decoded yet."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of what it is stored as."""

    def pixels(self, framing: Framing | None) -> Pixels:
        """The image in a size, or in its own; a :class:`BrokenImageError` for one that cannot be decoded."""


class Images(Protocol):
    """Images that have names; none is in memory that was not asked for."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each."""

    @property
    def notes(self) -> list[str]:
        """What a reader should know of them; of frames that were left out once they were read."""

    @property
    def where(self) -> str:
        """What errors call them."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> OneImage:
        """One of them; a :class:`BrokenImageError` for a file that cannot be read."""

    def size(self, number: int) -> tuple[int, int]:
        """Height and width of one of them."""


def read_images(data: Path | str | np.ndarray, *, key: str | None = None, large: bool = False) -> "ImageFolder | ImageArray":
    """The images of a folder, of an .npz or .npy file, or of an array, points x height x width [x channels].

    Raises:
        InputError: for a folder without images, what is no array of images, a name given twice, and files that cannot be read.
        MissingExtraError: where Pillow is not installed.
    """
    import_pillow()
    if not isinstance(data, Path | str):
        return ImageArray.of(np.asarray(data), names=None, where="the array")
    path = Path(data)
    if path.is_dir():
        if key is not None:
            raise InputError(f"a key picks an array of an .npz file, and {path} is a folder; leave --key out")
        return ImageFolder.find(path, large=large)
    return _read_file(path, key=key, large=large)


def import_pillow() -> Any:
    """The library, where it is installed; a MissingExtraError elsewhere."""
    try:
        import PIL
    except ImportError as error:
        raise MissingExtraError.of("pillow", extra="images", purpose="reading images") from error
    return PIL


def is_folder(data: Any) -> bool:
    """Whether data are named that are a folder of images."""
    return isinstance(data, Path | str) and Path(data).is_dir()


# -- files in a folder


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The image files in a folder and those inside it; names are relative to it, with slashes, in their order."""

    folder: Path
    names: tuple[str, ...]
    left_out: tuple[str, ...]  # other files
    large: bool = False
    animated: list[str] = field(default_factory=list)  # of those that were decoded

    @classmethod
    def find(cls, folder: Path, *, large: bool = False) -> "ImageFolder":
        """Look for image files, by what their names end in; hidden files and folders do not count."""
        found: list[str] = []
        others: list[str] = []
        try:
            for name in _files_in(folder):
                (found if name.lower().endswith(IMAGE_SUFFIXES) else others).append(name)
        except OSError as error:
            raise InputError(f"{folder} cannot be read: {error.strerror}; expected a folder of images") from None
        if not found:
            got = f"{len(others):,} other files, such as {others[0]!r}" if others else "an empty folder"
            raise InputError(
                f"expected image files in {folder} (names that end in {', '.join(IMAGE_SUFFIXES)}), got {got}"
                f"{'' if others else '; hidden files do not count'}"
            )
        return cls(folder, tuple(found), tuple(others), large)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def notes(self) -> list[str]:
        """What was left out."""
        notes = []
        if self.left_out:
            notes.append(f"{len(self.left_out):,} files that are no images were left out, such as {self.left_out[0]!r}")
        if self.animated:
            names = sorted(set(self.animated))
            notes.append(f"{len(names):,} images have several frames, of which the first counts, such as {names[0]!r}")
        return notes

    def read(self, number: int) -> "_FileImage":
        """The bytes of a file."""
        name = self.names[number]
        try:
            with opened(self.folder / name, expected="an image", large=self.large) as file:
                if file.size > _FILE_BYTES_MAX and not self.large:
                    raise InputError(f"it has {show_bytes(file.size)}; --large reads it all the same")
                return _FileImage(name, file.rewound().read(), self.large, self.animated)
        except InputError as error:
            raise BrokenImageError(_reason(error, self.folder / name)) from None

    def size(self, number: int) -> tuple[int, int]:
        """By what the file says at its begin, turned upright."""
        return self.read(number).size


def _reason(error: InputError, path: Path) -> str:
    """What an error says, without the name and what is told of all images alike."""
    return str(error).removeprefix(f"{path} ").replace(f" file {path}", " such file").removesuffix("; expected an image")


def _files_in(folder: Path) -> Iterator[str]:
    """The names of all files below a folder, sorted, but for hidden ones and what lies in hidden folders."""
    for above, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(above).relative_to(folder)
        yield from ((inside / name).as_posix() for name in sorted(files) if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


@dataclass(frozen=True, eq=False)
class _FileImage:
    """The bytes of an image file."""

    name: str
    content: bytes
    large: bool
    animated: list[str]

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.content).digest()

    def pixels(self, framing: Framing | None) -> Pixels:
        with self._decoded() as image:
            if getattr(image, "n_frames", 1) > 1:  # looking for them leaves the first
                image.seek(0)
                self.animated.append(self.name)
            image.load()
            upright = to_rgb(_upright(image))
            return np.asarray(upright) if framing is None else framing.frame(upright)

    @property
    def size(self) -> tuple[int, int]:
        with self._decoded() as image:
            wide, high = image.size
            return (wide, high) if _is_turned(image) else (high, wide)

    @contextmanager
    def _decoded(self) -> Iterator["Image"]:
        """The image, open; whatever the decoder raises is a :class:`BrokenImageError`."""
        from PIL import Image
        from PIL.Image import open as decode  # what `opened` has opened

        limit = Image.MAX_IMAGE_PIXELS
        try:
            if self.large:
                Image.MAX_IMAGE_PIXELS = None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of damaged tags that do not matter, and of sizes, which come next
                with decode(io.BytesIO(self.content)) as image:
                    wide, high = image.size
                    if not self.large and limit is not None and wide * high > limit:
                        raise BrokenImageError(_too_large(wide * high, limit))
                    yield image
        except BrokenImageError:
            raise
        except Image.DecompressionBombError:
            raise BrokenImageError(_too_large(None, limit)) from None
        except MemoryError:
            raise BrokenImageError("it does not fit into memory") from None
        except Exception as error:  # decoders raise a dozen classes for what is damaged, down to struct.error and IndexError
            reason = " ".join(str(error).split()).replace(repr(io.BytesIO), "")[:120]
            raise BrokenImageError("no image that can be decoded" if "cannot identify" in reason else reason) from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


_ORIENTATION, _TURNED = 0x0112, 5  # the tag that says how a camera was held; from 5 on height and width are exchanged


def _is_turned(image: "Image") -> bool:
    try:
        return image.getexif().get(_ORIENTATION, 1) >= _TURNED
    except Exception:  # of damaged tags
        return False


def _too_large(pixels: int | None, limit: int | None) -> str:
    got = "" if pixels is None else f"{pixels:,} pixels, "
    return f"{got}more than {limit or 0:,}, which may be a decompression bomb; --large reads it all the same"


def _upright(image: "Image") -> "Image":
    """The image as it was seen; as it is stored, where what the camera says of that is damaged."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image) or image
    except Exception:  # of damaged tags Pillow raises what comes
        return image


def to_rgb(image: "Image") -> "Image":
    """An image in red, green and blue of 8 bits. What lies behind transparency is shown; of 16 bits the upper 8 count."""
    from PIL import Image

    if image.mode == "RGB":
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_bytes(np.asarray(image))).convert("RGB")
    if image.mode == "P" or image.mode == "PA":
        image = image.convert("RGBA")  # palettes may hold transparency, which only this looks at
    return image.convert("RGB")


def _to_bytes(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Numbers as brightness of 8 bits: floats between 0 and 1, or to 255; whole numbers of 8 bits, or above of 16."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values)
        return np.clip(np.rint(values * (255 if values.max(initial=0) <= 1 else 1)), 0, 255).astype(np.uint8)
    values = np.maximum(values, 0)
    return (values if values.max(initial=0) <= 255 and values.dtype != np.uint16 else np.minimum(values, 65535) >> 8).astype(
        np.uint8
    )


# -- arrays


@dataclass(frozen=True, eq=False)
class ImageArray:
    """Images as an array, points x height x width [x channels of 1, 3 or 4]."""

    array: np.ndarray
    names: tuple[str, ...]
    where: str
    named: bool  # whether the names came with it
    largest: float  # the number that is white
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, array: np.ndarray, *, names: Sequence[str] | np.ndarray | None, where: str) -> "ImageArray":
        """The images of an array, by what shape and type it has.

        Raises:
            InputError: for what is no array of images, numbers below 0 or not finite, and names that do not fit.
        """
        fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in _CHANNELS)
        if array.dtype.kind not in "fiub" or not fits or 0 in array.shape:
            raise InputError(
                f"expected images in {where}, points x height x width, perhaps x channels (1, 3 or 4), got an array of shape "
                f"{array.shape} and type {array.dtype}"
            )
        wrong = ~(np.isfinite(array) & (array >= 0)).all(axis=tuple(range(1, array.ndim)))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"expected finite brightness of at least 0 in {where}, got others in {np.count_nonzero(wrong):,} images, the "
                f"first is number {first} (counted from 0); leave them out"
            )
        return cls(array, _checked_names(names, count=len(array), where=where), where, names is not None, _white(array))

    def __len__(self) -> int:
        return len(self.array)

    def read(self, number: int) -> "_ArrayImage":
        """One image."""
        return _ArrayImage(self.array[number], self.largest)

    def size(self, number: int) -> tuple[int, int]:
        """That of all of them."""
        return self.array.shape[1], self.array.shape[2]


@dataclass(frozen=True, eq=False)
class _ArrayImage:
    values: np.ndarray
    largest: float

    @property
    def digest(self) -> bytes:
        told = f"{self.values.shape} {self.values.dtype.str} {self.largest!r}"
        return hashlib.sha256(told.encode() + np.ascontiguousarray(self.values).tobytes()).digest()

    def pixels(self, framing: Framing | None) -> Pixels:
        from PIL import Image

        values = np.rint(self.values.astype(np.float64) * (255 / self.largest)).astype(np.uint8)
        if values.ndim == 2 or values.shape[2] == 1:
            values = np.repeat(values.reshape(*values.shape[:2], 1), 3, axis=2)
        values = np.ascontiguousarray(values[..., :3])
        return values if framing is None else framing.frame(Image.fromarray(values))


def _white(array: np.ndarray) -> float:
    """The number that is white: that of the type; of floats 1 or 255 where they fit that, else the largest that occurs."""
    if array.dtype.kind == "b":
        return 1.0
    if array.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(array.dtype).max)
    most = float(array.max())
    if array.dtype.kind == "f" and most <= 1:
        return 1.0
    return 255.0 if 128 <= most <= 255 else most


def _read_file(path: Path, *, key: str | None, large: bool) -> ImageArray:
    from cfgraph.files.arrays import read_array

    if path.suffix.lower() != ".npz":
        raw = read_array(path, what="images", key=key, large=large)
        return ImageArray.of(raw.values, names=None, where=raw.where)
    arrays = read_arrays(path, what="images", large=large)
    names = arrays.pop("names", None) if key != "names" else None
    if key is None:
        images = [name for name, array in arrays.items() if array.ndim >= 3]
        if len(images) != 1:
            raise InputError(
                f"{path} holds {len(images)} arrays of images; say which with --key: {', '.join(arrays) or 'none'}"
            )
        key = images[0]
    if key not in arrays:
        raise InputError(f"{path} holds no array {key!r}; it holds {', '.join(arrays)}")
    return ImageArray.of(arrays[key], names=names, where=f"array {key!r} of {path}")


def _checked_names(names: Any, *, count: int, where: str) -> tuple[str, ...]:
    if names is None:
        return tuple(str(number) for number in range(count))
    given = np.asarray(names)
    if given.ndim != 1 or given.dtype.kind not in "UST" or len(given) != count:
        raise InputError(
            f"expected {count:,} names, one for each image of {where}, got an array of shape {given.shape}, type {given.dtype}"
        )
    found = tuple(given.astype(str).tolist())
    if len(set(found)) < count:
        twice = Counter(found).most_common(1)[0][0]
        raise InputError(f"expected different names for the images of {where}, got {twice!r} twice; rename one of them")
    return found


# -- all of them at once, in one size


def read_pixels(images: Images, *, size: tuple[int, int] | None, skip_broken: bool = False, large: bool = False) -> "PixelRows":
    """All images as rows of brightness from 0 to 255, squeezed into a size; without one they must have one size already.

    Raises:
        InputError: for images that cannot be decoded, of several sizes, and for more than half of the free memory.
    """
    broken: dict[str, str] = {}
    sizes: dict[tuple[int, int], str] = {}
    good = []
    for number, name in enumerate(images.names):
        try:
            found = images.size(number)
        except BrokenImageError as error:
            broken[name] = str(error)
            continue
        sizes.setdefault(found, name)
        good.append((number, found))
    if size is None and len(sizes) > 1:
        raise InputError(_told_sizes(images, sizes, [found for _, found in good]))
    if not good:
        raise_broken(broken, of=images, all_of_them=True)
    height, width = size or next(iter(sizes))
    framing = Framing(height, width) if size is not None else None
    rows = _room_for(len(good), height * width * 3, images=images, size=(height, width), large=large)
    kept: list[int] = []
    for number, _ in good:
        try:
            pixels = images.read(number).pixels(framing)
        except BrokenImageError as error:
            broken[images.names[number]] = str(error)
            continue
        rows[len(kept)] = pixels.reshape(-1)
        kept.append(number)
    broken = dict(sorted(broken.items()))
    if broken:
        settle_broken(broken, of=images, skip=skip_broken)
    notes = (*images.notes, *skipped_note(broken))
    return PixelRows(rows[: len(kept)], (height, width), tuple(images.names[number] for number in kept), notes)


@dataclass(frozen=True, eq=False)
class PixelRows:
    """Images of one size as rows of 8 bits, their names, and what a reader should know."""

    values: UInt8[np.ndarray, "images columns"]
    size: tuple[int, int]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def _room_for(count: int, columns: int, *, images: Images, size: tuple[int, int], large: bool) -> np.ndarray:
    """An array for all of them; as floats, which they become, they may not take more than half of what is free."""
    from cfgraph.files.memory import free_memory

    needed, free = 9 * count * columns, free_memory()
    if not large and free is not None and needed > free / 2:
        raise InputError(
            f"{count:,} images of {size[0]}x{size[1]} in {images.where} take {show_bytes(needed)} of memory, more than half of "
            f"the {show_bytes(free)} that are free; say a smaller --size, or an --encoder; --large takes them all the same"
        )
    return np.empty((count, columns), dtype=np.uint8)


def _told_sizes(images: Images, sizes: dict[tuple[int, int], str], all_sizes: list[tuple[int, int]]) -> str:
    usual = max(sizes, key=all_sizes.count)
    others = [(size, name) for size, name in sizes.items() if size != usual]
    examples = ", ".join(f"{name!r} of {size[0]}x{size[1]}" for size, name in others[:SHOWN])
    return (
        f"expected images of one size in {images.where}, got {len(sizes):,}: {all_sizes.count(usual):,} of "
        f"{usual[0]}x{usual[1]} (height x width), others such as {examples}; "
        f"say --size {usual[0]}x{usual[1]} to bring all to it"
    )


def settle_broken(broken: dict[str, str], *, of: Images, skip: bool) -> None:
    """An error for images that cannot be decoded, unless they shall be left out and some are left."""
    if not skip or len(broken) == len(of):
        raise_broken(broken, of=of, all_of_them=len(broken) == len(of))


def raise_broken(broken: dict[str, str], *, of: Images, all_of_them: bool) -> None:
    """Which images cannot be decoded, how many, and why."""
    shown = "; ".join(f"{name!r}: {reason}" for name, reason in list(broken.items())[:SHOWN])
    more = "; ..." if len(broken) > SHOWN else ""
    helps = "none can be" if all_of_them else "mend or remove them, or say --skip-broken"
    raise InputError(f"{len(broken):,} of {len(of):,} images in {of.where} cannot be decoded ({shown}{more}); {helps}")


def skipped_note(broken: dict[str, str]) -> tuple[str, ...]:
    """What is said of images that were left out."""
    if not broken:
        return ()
    names = ", ".join(map(repr, list(broken)[:SHOWN]))
    return (f"{len(broken):,} images that cannot be decoded were left out: {names}{', ...' if len(broken) > SHOWN else ''}",)


def check_size(size: Any) -> tuple[int, int] | None:
    """``HxW`` or two numbers as height and width; an ``InputError`` for another."""
    if size is None:
        return None
    parts = size.lower().split("x") if isinstance(size, str) else list(size) if isinstance(size, tuple | list) else [size]
    try:
        numbers = [int(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 2 or min(numbers) < 1 or max(numbers) > 1 << 14:
        raise InputError(f"expected a size HEIGHTxWIDTH such as 224x224, got {size!r}")
    return numbers[0], numbers[1]
