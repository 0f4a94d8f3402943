"""Raw data for encoders: points as rows, and what a row is: a vector, or an image of some size.

Images come as points x height x width, points x channels x height x width, or points x height x width x channels, from arrays,
.npy and .npz. Whatever reads images of another kind makes a :class:`RawData` of them, and all behind it stays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, check_points, read_array
from cfgraph.files.in_memory import as_array, as_table
from cfgraph.files.opened import suffix_of
from cfgraph.files.sparse import is_sparse
from cfgraph.learning.encoders import Standardise, Step
from cfgraph.learning.infohier import Material
from cfgraph.learning.trainable import Shape
from cfgraph.learning.views import View
from cfgraph.sources.preparation import read_folder, read_rows
from cfgraph.sources.similarity import standardise

CHANNELS = (1, 3, 4)  # numbers that tell which of four axes is that of the channels
_ARRAYS = (".npy", ".npz")


@dataclass(frozen=True, eq=False)
class RawData:
    """Points as rows of finite floats, what a row is, and what a reader should know of it."""

    values: Float[np.ndarray, "points columns"]
    shape: Shape
    digest: str
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()  # that the points came through while they were read
    names: tuple[str, ...] | None = None  # of images in a folder
    columns: tuple[str, ...] | None = None  # what the columns of a table are called

    @classmethod
    def of(cls, table: PointTable, shape: Shape, *, steps: tuple[Step, ...] = ()) -> Self:
        """A table whose rows have a shape."""
        notes = table.notes if shape.channels is None else ()  # that images were flattened is ours alone
        return cls(table.values, shape, table.digest, notes, steps, columns=table.columns)

    @classmethod
    def read(
        cls,
        data: Any,
        *,
        as_vectors: bool,
        svd: int | None = None,
        seed: int = defaults.SEED,
        **reading: Any,
    ) -> Self:
        """An array or another table in memory, or a file. More than two axes are images, unless they shall be vectors.
        Sparse rows, and what is brought to ``svd`` directions, are vectors (:func:`cfgraph.sources.preparation.read_rows`).

        Raises:
            InputError: as :func:`cfgraph.files.arrays.read_points`, for fewer than two points, and more axes than images have.
        """
        named = isinstance(data, Path | str)
        array = None
        if svd is None and not named and not is_sparse(data) and as_table(data, where="the array") is None:
            array = as_array(data, where="the array")
        if array is None and (svd is not None or not named or suffix_of(Path(data)) not in _ARRAYS):
            rows = read_rows(data, svd=svd, seed=seed, **reading)
            shape, where = Shape(rows.table.values.shape[1]), str(data) if named else "the array"
            return cls._checked(rows.table, shape, where=where, steps=rows.steps)
        where, told = "the array", tuple[str, ...]()
        if array is None:
            raw = read_array(data, what="points", **reading)
            array, where, told = np.array(raw.values), raw.where, raw.notes
        table = check_points(array, where=where)
        table = replace(table, notes=(*told, *table.notes))
        flat = as_vectors or array.ndim == 2
        return cls._checked(table, Shape(table.values.shape[1]) if flat else image_shape(array.shape, where=where), where=where)

    @classmethod
    def read_folder(cls, data: Any, *, as_vectors: bool, size: Any, skip_broken: bool, large: bool) -> Self | None:
        """The images of a folder, brought to ``size``, in red, green and blue from 0 to 1; None for what is no folder.

        Raises:
            InputError: as :func:`cfgraph.sources.preparation.read_folder`, and for fewer than two images.
        """
        folder = read_folder(data, size=size, skip_broken=skip_broken, large=large)
        if folder is None:
            return None
        assert folder.size is not None
        columns = folder.table.values.shape[1]
        shape = Shape(columns) if as_vectors else Shape(columns, 3, *folder.size, channels_last=True)
        found = cls._checked(folder.table, shape, where=str(data), steps=folder.steps)
        return replace(found, names=folder.names, notes=folder.table.notes)

    @classmethod
    def _checked(cls, table: PointTable, shape: Shape, *, where: str, steps: tuple[Step, ...] = ()) -> Self:
        if len(table.values) < 2:
            raise InputError(f"expected at least two points for a tree, got {len(table.values)} in {where}")
        return cls.of(table, shape, steps=steps)

    @cached_property
    def prepared(self) -> tuple[Standardise, tuple[str, ...]]:
        """What brings vectors to mean 0 and deviation 1 column by column, images channel by channel; and what is told of it."""
        if self.shape.channels is None:
            ready = standardise(self.values)
            return Standardise(ready.mean, ready.deviation), ready.notes
        ready = standardise(self._images.transpose(0, 2, 3, 1).reshape(-1, self.shape.channels))
        notes = tuple(note.replace("columns", "channels") for note in ready.notes)
        return Standardise(self._by_row(ready.mean), self._by_row(ready.deviation)), notes

    def material(self, view: View) -> Material:
        """What an encoder is trained on: vectors standardised, images from 0 (black) to 1, which views come before the rest."""
        step, _ = self.prepared
        if self.shape.channels is None:
            return Material(step.apply(self.values).astype(np.float32), view)
        low = min(0.0, float(self.values.min()))
        span = float(self.values.max()) - low or 1.0
        mean, deviation = (self._shaped(part[None])[0, :, :1, :1] for part in (step.mean, step.deviation))
        return Material(((self._images - low) / span).astype(np.float32), view, (mean - low) / span, deviation / span)

    @property
    def _images(self) -> Float[np.ndarray, "points channels height width"]:
        return self._shaped(self.values)

    def _shaped(self, rows: Float[np.ndarray, "points columns"]) -> Float[np.ndarray, "points channels height width"]:
        images = rows.reshape(len(rows), *self.shape.row)
        return np.moveaxis(images, -1, 1) if self.shape.channels_last else images

    def _by_row(self, channels: Float[np.ndarray, " channels"]) -> Float[np.ndarray, " columns"]:
        """A number of each channel for every number of a row."""
        whole = np.broadcast_to(channels[:, None, None], self.shape.sizes)
        return np.ascontiguousarray(np.moveaxis(whole, 0, -1) if self.shape.channels_last else whole).reshape(-1)


def image_shape(sizes: Sequence[int], *, where: str) -> Shape:
    """What an array of images holds, by its sizes: three or four, the points first.

    Of four, the second are channels, unless it can be none and the last can: 1, 3 or 4.
    """
    columns = math.prod(sizes[1:])
    if len(sizes) == 3:
        return Shape(columns, 1, sizes[1], sizes[2])
    if len(sizes) != 4:
        raise InputError(
            f"expected images, points x height x width, perhaps with channels, in {where}, got the shape {tuple(sizes)}; "
            "--views vectors takes points of any shape"
        )
    if sizes[3] in CHANNELS and sizes[1] not in CHANNELS:
        return Shape(columns, sizes[3], sizes[1], sizes[2], channels_last=True)
    return Shape(columns, sizes[1], sizes[2], sizes[3])
