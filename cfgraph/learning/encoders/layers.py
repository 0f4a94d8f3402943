"""Steps that were networks when they were trained: layers, and convolutions of images. They need numpy alone.

Batch normalisation is folded into the layers with the means and variances that it ended with, so what becomes of a row does not
depend on the rows beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.encoders.steps import Rows
from cfgraph.predictors.network import Layers, forward

ROWS = 4_096  # that are encoded at once
NUMBERS = 1 << 22  # of patches of images that are held at once: 34 MB
PIXELS_MAX = 1 << 24  # of one image, all channels
SIDE = 3  # of a convolution's window


@dataclass(frozen=True, eq=False)
class Mlp:
    """Affine layers with ReLU between them."""

    kind: ClassVar[str] = "mlp"

    layers: Layers

    def __post_init__(self) -> None:
        _check_layers(self.layers)

    @property
    def columns(self) -> int:
        """As many as the first layer takes."""
        return len(self.layers[0][0])

    def apply(self, rows: Rows) -> Float[np.ndarray, "points dim"]:
        """What the last layer gives."""
        found = np.empty((len(rows), self.layers[-1][0].shape[1]))
        for low in range(0, len(rows), ROWS):
            found[low : low + ROWS] = forward(rows[low : low + ROWS], self.layers)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """``layer0.weight`` (inputs x outputs), ``layer0.bias``, ..."""
        return _named("layer", self.layers)

    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these arrays; an ``InputError`` for others than it has."""
        _check_named(arrays, settings, places={"layer": len(arrays) // 2}, known=())
        return cls(_layers("layer", arrays, count=len(arrays) // 2))


@dataclass(frozen=True, eq=False)
class Convolutions:
    """Convolutions of 3 x 3 with ReLU behind each, the mean over all places, then an affine layer.

    A row is an image, its numbers in the order of ``shape``: (channels, height, width), or, where ``channels_last``, (height,
    width, channels). Images have a border of zeros, one wide; ``strides`` are the steps from window to window.
    """

    kind: ClassVar[str] = "convolutions"

    shape: tuple[int, int, int]
    channels_last: bool
    strides: tuple[int, ...]
    kernels: Layers  # weight (inputs, 3, 3, outputs) and bias of each
    dense: tuple[np.ndarray, np.ndarray]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1 or np.prod(self.shape, dtype=float) > PIXELS_MAX:
            raise InputError(f"expected three sizes of an image, got {self.shape}")
        if not self.kernels or len(self.strides) != len(self.kernels) or min(self.strides) < 1:
            raise InputError(f"expected a stride of at least 1 for each convolution, got {self.strides}")
        for weight, bias in self.kernels:
            if weight.ndim != 4 or weight.shape[1:3] != (SIDE, SIDE) or bias.shape != weight.shape[3:]:
                raise InputError(f"expected convolutions of {SIDE} x {SIDE}, got a weight of shape {weight.shape}")
        inputs = [self._channels, *(weight.shape[3] for weight, _ in self.kernels)]
        if [weight.shape[0] for weight, _ in self.kernels] != inputs[:-1] or len(self.dense[0]) != inputs[-1]:
            raise InputError("expected convolutions that take as many channels as come before them")
        _check_layers((self.dense,))

    @property
    def _channels(self) -> int:
        return self.shape[2 if self.channels_last else 0]

    @property
    def columns(self) -> int:
        """As many as an image has numbers."""
        return int(np.prod(self.shape))

    def apply(self, rows: Rows) -> Float[np.ndarray, "points dim"]:
        """What the affine layer gives."""
        found = np.empty((len(rows), self.dense[0].shape[1]))
        size = self.columns // self._channels * SIDE**2 * max(weight.shape[0] for weight, _ in self.kernels)
        step = max(1, NUMBERS // size)
        for low in range(0, len(rows), step):
            found[low : low + step] = self._encode(rows[low : low + step])
        return found

    def _encode(self, rows: Rows) -> Float[np.ndarray, "points dim"]:
        images = rows.reshape(-1, *self.shape)
        images = images if self.channels_last else images.transpose(0, 2, 3, 1)
        for (weight, bias), stride in zip(self.kernels, self.strides, strict=True):
            images = _convolve(images, weight, stride=stride) + bias
            np.maximum(images, 0.0, out=images)
        return forward(images.mean(axis=(1, 2)), (self.dense,))

    def arrays(self) -> dict[str, np.ndarray]:
        """``convolution0.weight`` (inputs x 3 x 3 x outputs), ``convolution0.bias``, ..., ``dense0.weight``, ..."""
        return {**_named("convolution", self.kernels), **_named("dense", (self.dense,))}

    def settings(self) -> dict[str, Any]:
        """The shape of an image, where its channels are, and the strides."""
        return {"shape": list(self.shape), "channels_last": self.channels_last, "strides": list(self.strides)}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these arrays and settings; an ``InputError`` for others than it has."""
        count = len(arrays) // 2 - 1
        known = ("shape", "channels_last", "strides")
        _check_named(arrays, settings, places={"convolution": count, "dense": 1}, known=known)
        shape, strides = (tuple(int(size) for size in settings[name]) for name in ("shape", "strides"))
        (dense,) = _layers("dense", arrays, count=1)
        kernels = _layers("convolution", arrays, count=count)
        return cls(shape, bool(settings["channels_last"]), strides, kernels, dense)  # type: ignore[arg-type]  # checked by it


def _convolve(
    images: Float[np.ndarray, "points height width inputs"],
    weight: Float[np.ndarray, "inputs side side outputs"],
    *,
    stride: int,
) -> Float[np.ndarray, "points rows columns outputs"]:
    """Every window times the weight, as one product of matrices."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))[:, ::stride, ::stride]
    flat = windows.reshape(*windows.shape[:3], -1)
    return flat @ weight.reshape(-1, weight.shape[3])


def _named(what: str, layers: Layers) -> dict[str, np.ndarray]:
    pairs = ((f"{what}{place}", layer) for place, layer in enumerate(layers))
    return {f"{name}.{part}": array for name, layer in pairs for part, array in zip(("weight", "bias"), layer, strict=True)}


def _names(places: Mapping[str, int]) -> Iterator[str]:
    for what, count in places.items():
        for place in range(count):
            yield from (f"{what}{place}.weight", f"{what}{place}.bias")


def _check_named(
    arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any], *, places: Mapping[str, int], known: tuple[str, ...]
) -> None:
    """An InputError for arrays or settings other than these, and for numbers that are not finite."""
    wanted = sorted([*_names(places), *known])
    if sorted([*arrays, *settings]) != wanted or not arrays:
        raise InputError(
            f"expected {', '.join(wanted) or 'layers'}, got {', '.join(sorted([*arrays, *settings])) or 'nothing'}"
        )
    for name, array in arrays.items():
        if array.dtype != np.float64 or not np.isfinite(array).all():
            raise InputError(f"expected finite numbers as {name}")


def _layers(what: str, arrays: Mapping[str, np.ndarray], *, count: int) -> Layers:
    return tuple((arrays[f"{what}{place}.weight"], arrays[f"{what}{place}.bias"]) for place in range(count))


def _check_layers(layers: Layers) -> None:
    for weight, bias in layers:
        if weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise InputError(f"expected layers of inputs x outputs, got a weight of shape {weight.shape}")
    if any(one[0].shape[1] != len(other[0]) for one, other in pairwise(layers)):
        raise InputError("expected layers that take as many numbers as the one before gives")
