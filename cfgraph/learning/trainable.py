"""Trainable: the encoders that training moves, as torch modules, and the steps that they become when it is over.

Vectors go through layers D - 256 - 256 - 64. Images go through five convolutions of 3 x 3 (16, 16, 32, 32, 64 channels; the
second, fourth and fifth of stride 2), the mean over all places and a layer of 128. Behind each but the last come batch
normalisation and ReLU.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.learning.encoders import Convolutions, Mlp, Step
from cfgraph.predictors.network import import_torch

WIDTHS, VECTOR_LATENTS = (256, 256), 64
CHANNELS, STRIDES, IMAGE_LATENTS = (16, 16, 32, 32, 64), (1, 2, 1, 2, 2), 128

MLP, CONVOLUTIONS, OWN = Mlp.kind, Convolutions.kind, "own"


@dataclass(frozen=True)
class Shape:
    """What a point is: ``columns`` numbers, or, where it has ``channels``, an image whose numbers lie in its row.

    ``channels_last`` says in which order they do: (height, width, channels) rather than (channels, height, width).
    """

    columns: int
    channels: int | None = None
    height: int = 1
    width: int = 1
    channels_last: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of a point as encoders take it: (columns,), or (channels, height, width)."""
        return (self.columns,) if self.channels is None else (self.channels, self.height, self.width)

    @property
    def row(self) -> tuple[int, int, int]:
        """Of an image, the sizes in the order of its row."""
        assert self.channels is not None
        size = self.height, self.width
        return (*size, self.channels) if self.channels_last else (self.channels, *size)


@dataclass(frozen=True, eq=False)
class Trainable:
    """An encoder: what it is, the module or function, and how many numbers it gives of a point."""

    kind: str
    module: Any
    dimension: int

    @property
    def parameters(self) -> list[Any]:
        """What training moves; none of a function, or of a module that is frozen."""
        found = self.module.parameters() if hasattr(self.module, "parameters") else ()
        return [parameter for parameter in found if parameter.requires_grad]

    def step(self, shape: Shape) -> Step | None:
        """What it has become, in numpy; None for one of people's own, which cannot be kept."""
        if self.kind == MLP:
            return Mlp(_folded(self.module))
        if self.kind == CONVOLUTIONS:
            *kernels, dense = _folded(self.module)
            return Convolutions(shape.row, shape.channels_last, STRIDES, tuple(kernels), dense)
        return None


def new_encoder(shape: Shape, *, own: Any = None, seed: int) -> Trainable:
    """The encoder for points of a shape, with seeded first weights; or people's own, as it is.

    Raises:
        InputError: for one of their own that is no function of a batch, or does not give a row of numbers for each point.
    """
    if own is not None:
        return _own(own, shape)
    torch = import_torch(purpose="training an encoder")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if shape.channels is None:
            return Trainable(MLP, _mlp(shape.columns), VECTOR_LATENTS)
        return Trainable(CONVOLUTIONS, _convolutions(shape.channels), IMAGE_LATENTS)


def _mlp(columns: int) -> Any:
    nn = import_torch().nn
    sizes = (columns, *WIDTHS)
    hidden = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair, bias=False), nn.BatchNorm1d(pair[1]), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], VECTOR_LATENTS))


def _convolutions(channels: int) -> Any:
    nn = import_torch().nn
    parts: list[Any] = []
    for (inputs, outputs), stride in zip(pairwise((channels, *CHANNELS)), STRIDES, strict=True):
        window = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        parts += [window, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS[-1], IMAGE_LATENTS))


def _own(own: Any, shape: Shape) -> Trainable:
    """How many numbers it gives is found out by two points of zeros."""
    torch = import_torch()
    if not callable(own):
        raise InputError(f"expected an encoder that takes a batch of points, a torch module or a function, got {own!r}")
    if hasattr(own, "eval"):
        own.eval()
    with torch.no_grad():
        found = own(torch.zeros((2, *shape.sizes)))
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 2 or found.shape[1] == 0:
        given = f"shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
        raise InputError(f"expected an encoder that gives points x numbers, got {given} of a batch of 2 points")
    return Trainable(OWN, own, int(found.shape[1]))


def _folded(module: Any) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Weight and bias of each layer and convolution, with the normalisation behind it in them; in float64."""
    parts = list(module.cpu().children())
    weighted = [(part, after) for part, after in pairwise((*parts, None)) if hasattr(part, "weight") and not _is_norm(part)]
    return tuple(_with_norm(part, after if _is_norm(after) else None) for part, after in weighted)


def _is_norm(part: Any) -> bool:
    return hasattr(part, "running_mean")


def _with_norm(part: Any, norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """``(x W - mean) gamma / sqrt(variance + eps) + beta`` as one weight, inputs first, and one bias."""
    weight = np.moveaxis(_array(part.weight), 0, -1)
    bias = np.zeros(weight.shape[-1]) if part.bias is None else _array(part.bias)
    if norm is None:
        return weight.copy(), bias.copy()
    gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return weight * gain, (bias - _array(norm.running_mean)) * gain + _array(norm.bias)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()
