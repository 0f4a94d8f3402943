"""Embedding: images through a network, a batch in memory at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.files.images import BrokenImageError, Images, Pixels, settle_broken, skipped_note
from cfgraph.learning.embedders.cache import EmbeddingCache
from cfgraph.learning.embedders.embedder import DeviceMemoryError, Embedder

LINES = 20  # about so many are told of many images
SHOWN = 3
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Embedded:
    """A row an image, the images' names, and what a reader should know."""

    values: Float[np.ndarray, "images dim"]  # float32
    names: tuple[str, ...]
    notes: tuple[str, ...]


def embed(
    images: Images,
    embedder: Embedder,
    *,
    batch: int,
    cache: Path | str | None = None,
    skip_broken: bool = False,
    device: str = "cpu",
    say: Say = lambda line: None,
) -> Embedded:
    """The embedding of each image; those that a cache knows are not made again.

    Raises:
        InputError: for images that cannot be decoded, unless they are skipped; numbers that are not finite, with the image; and
            a device whose memory does not hold half a batch.
    """
    check_integer(batch, name="batch", low=1)
    known = None if cache is None else EmbeddingCache.of(Path(cache), key=embedder.key, dimension=embedder.dimension)
    if known is not None and known.damaged:
        say(f"{known.damaged:,} damaged files of the cache {cache} were removed; what they held is made again")
    work = _Work(images, embedder, known, batch, device, say)
    broken: dict[str, str] = {}
    for number, name in enumerate(images.names):
        try:
            work.take(number, only_look=bool(broken) and not skip_broken)
        except BrokenImageError as error:
            broken[name] = str(error)
    work.flush()
    if broken:
        settle_broken(broken, of=images, skip=skip_broken)
    kept = np.flatnonzero(work.done)
    notes = (*images.notes, *skipped_note(broken))
    return Embedded(work.rows[kept], tuple(images.names[number] for number in kept.tolist()), notes)


class _Work:
    """What is done, and the images that wait until a batch is full."""

    def __init__(
        self, images: Images, embedder: Embedder, cache: EmbeddingCache | None, batch: int, device: str, say: Say
    ) -> None:
        self.images, self.embedder, self.cache, self.batch, self.device, self.say = images, embedder, cache, batch, device, say
        self.rows = np.empty((len(images), embedder.dimension), dtype=np.float32)
        self.done = np.zeros(len(images), dtype=bool)
        self.halved = False
        self.found = 0  # in the cache
        self.told_at = self.every = max(batch, math.ceil(len(images) / LINES))
        self.waiting: list[tuple[int, bytes, Pixels]] = []

    def take(self, number: int, *, only_look: bool) -> None:
        """Look at an image: its embedding comes from the cache, or with its batch; ``only_look`` where all is lost anyway."""
        image = self.images.read(number)
        if self.cache is not None and (row := self.cache.known.get(image.digest)) is not None:
            self.rows[number], self.done[number] = row, True
            self.found += 1
        else:
            pixels = image.pixels(self.embedder.preparation.framing)
            if not only_look:
                self.waiting.append((number, image.digest, pixels))
        if len(self.waiting) >= self.batch:
            self.flush()
        if number + 1 == self.told_at and number + 1 < len(self.images):
            from_cache = f", {self.found:,} of them from the cache" if self.found else ""
            self.say(f"embedded {number + 1:,} of {len(self.images):,} images{from_cache}")
            self.told_at += self.every

    def flush(self) -> None:
        """Embed what waits; with half the batch, once, where the device's memory does not hold it."""
        while self.waiting:
            part = self.waiting[: self.batch]
            try:
                found = self.embedder.embed(np.stack([pixels for _, _, pixels in part]))
            except DeviceMemoryError as error:
                self._halve(error)
                continue
            self._check_finite(found, part)
            numbers = [number for number, _, _ in part]
            self.rows[numbers], self.done[numbers] = found, True
            if self.cache is not None:
                self.cache.add([digest for _, digest, _ in part], found)
            del self.waiting[: len(part)]

    def _halve(self, error: Exception) -> None:
        if self.halved or self.batch < 2:
            raise InputError(
                f"the memory of {self.device} does not hold a batch of {self.batch} images; take a smaller --batch, "
                "or another device"
            ) from error
        self.halved, self.batch = True, self.batch // 2
        self.say(f"the memory of {self.device} does not hold {2 * self.batch} images at once; goes on with {self.batch}")

    def _check_finite(self, found: np.ndarray, part: list[tuple[int, bytes, Pixels]]) -> None:
        wrong = np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist()
        if wrong:
            names = ", ".join(repr(self.images.names[part[row][0]]) for row in wrong[:SHOWN])
            raise InputError(
                f"{self.embedder.name} gives numbers that are not finite for {len(wrong):,} images of a batch: {names}"
                f"{', ...' if len(wrong) > SHOWN else ''}; look at these images, or take another encoder"
            )
