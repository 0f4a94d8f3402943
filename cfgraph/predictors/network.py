"""Networks: ReLU networks from what a predictor may see of a cell to its tuple, fitted by least squares.

``mlp`` sees the center, as the paper's predictor does (arXiv 2605.07119). ``mlp-context`` sees the center, the cell's own
residual and its slot: a rule of the center alone cannot express rotations (derived, docs/mathematics.md). ``anchored`` is the
network of ``mlp``, asked only by how much the tuple changes from a cell's parent to the cell.

Only training needs torch, and prediction on a device other than ``cpu``. Everything is in float64. Training runs on one
thread, because sums over several come out differently from run to run; the only randomness is a seeded generator of its own.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.model.growth import Frontier
from cfgraph.predictors.options import NetworkOptions
from cfgraph.predictors.predictor import Learning, Predictor

if TYPE_CHECKING:
    import torch

_ROWS = 4096  # cells evaluated at once
_FLAT = 1e-9  # an input that varies less than this share of the most varying one is constant but for rounding
_ROUNDING = 1e-12
_SOLVED = 1e-20  # a loss at which there is nothing left to learn
_CHECK_EVERY = 50  # steps between looks at the loss
_HISTORY = 20  # steps that L-BFGS remembers
_LAST_RATE = 1e-2  # the last learning rate as a share of the first: a cosine leads from one to the other


Layers = tuple[tuple[Any, Any], ...]  # weight (inputs, outputs) and bias of each layer, as numpy arrays or torch tensors


def forward(inputs: Any, layers: Layers) -> Any:
    """The network's output: affine layers with ReLU between them. The one formula, for numpy arrays and torch tensors."""
    for weight, bias in layers[:-1]:
        inputs = (inputs @ weight + bias).clip(min=0)
    weight, bias = layers[-1]
    return inputs @ weight + bias


@dataclass(frozen=True, eq=False, kw_only=True)
class Network(Predictor):
    """A ReLU network on normalised inputs and outputs; what it sees of a cell is for the two families to say."""

    input_mean: Float[np.ndarray, " inputs"]
    input_scale: Float[np.ndarray, " inputs"]
    output_mean: Float[np.ndarray, "arity dim"]
    output_scale: float
    layers: Layers = field(repr=False)
    loss: float  # what training reached: the mean squared error of the normalised tuples
    options: NetworkOptions
    device: str = "cpu"

    @classmethod
    @abstractmethod
    def see(cls, frontier: Frontier) -> Float[np.ndarray, "cells inputs"]:
        """What the network sees of each cell."""

    @classmethod
    @abstractmethod
    def _spread(cls, seen: np.ndarray, *, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """What is subtracted from, and what divides, each input."""

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        tuples = np.empty((len(frontier), self.arity, self.dimension))
        for low in range(0, len(frontier), _ROWS):
            part = slice(low, low + _ROWS)
            tuples[part] = self._answer(self.see(frontier.take(np.arange(len(frontier))[part])))
        return tuples

    def _answer(self, seen: Float[np.ndarray, "cells inputs"]) -> Float[np.ndarray, "cells arity dim"]:
        """The network's tuples for what it sees of some cells."""
        output = self._evaluate((seen - self.input_mean) / self.input_scale)
        tuples: np.ndarray = self.output_mean + self.output_scale * output.reshape(-1, self.arity, self.dimension)
        return tuples

    def _evaluate(self, inputs: Float[np.ndarray, "cells inputs"]) -> Float[np.ndarray, "cells outputs"]:
        outputs: np.ndarray
        if self.device == "cpu":
            outputs = forward(inputs, self.layers)
        else:
            torch = import_torch()
            outputs = forward(torch.from_numpy(inputs).to(self.device), self._device_layers).cpu().numpy()
        return outputs

    @cached_property
    def _device_layers(self) -> Layers:
        torch = import_torch()
        return tuple(tuple(torch.from_numpy(part).to(self.device) for part in layer) for layer in self.layers)

    def weights(self) -> dict[str, np.ndarray]:
        """The normalisation and, layer by layer, ``layer0.weight``, ``layer0.bias``, ..."""
        parts = {
            f"layer{index}.{name}": np.ascontiguousarray(part)
            for index, layer in enumerate(self.layers)
            for name, part in zip(("weight", "bias"), layer, strict=True)
        }
        return {**super().weights(), **parts}

    def config(self) -> dict[str, Any]:
        """The rest, without the device: it is for whoever loads the network to say."""
        rest = super().config()
        return {**{name: rest[name] for name in rest if name not in ("layers", "device")}, "options": asdict(self.options)}

    @classmethod
    def restore(cls, weights: Mapping[str, np.ndarray], config: Mapping[str, Any], *, device: str) -> Self:
        """The network on a device, whichever one it was trained on."""
        count = sum(name.endswith(".bias") for name in weights)
        layers = tuple((weights[f"layer{index}.weight"], weights[f"layer{index}.bias"]) for index in range(count))
        arrays: dict[str, Any] = {item.name: weights[item.name] for item in fields(cls) if item.name in weights}
        options = NetworkOptions(**config["options"])
        return cls(**{**config, "options": options}, **arrays, layers=layers, device=device)

    def describe(self) -> dict[str, Any]:
        """The Lipschitz constant, the loss that training reached and the options."""
        return {**super().describe(), "loss": self.loss, "options": asdict(self.options)}

    @classmethod
    def learn(cls, observed: Frontier, tuples: np.ndarray, *, how: Learning) -> dict[str, Any]:
        """Least squares by Adam and L-BFGS, from seeded weights.

        Raises:
            MissingExtraError: where torch is not installed.
        """
        options = how.options or NetworkOptions()
        seen = cls.see(observed)
        mean, scale = cls._spread(seen, dimension=observed.dimension)
        target, normal = _normalise_tuples(tuples)
        layers, loss = _train((seen - mean) / scale, target, options=options, seed=how.seed, device=how.device)
        learned = {**normal, "layers": layers, "loss": loss, "options": options, "device": how.device}
        return {"input_mean": mean, "input_scale": scale, **learned}


class CenterNetwork(Network):
    """A network f of the center alone; what is made of it is for the two families to say."""

    @classmethod
    def see(cls, frontier: Frontier) -> Float[np.ndarray, "cells dim"]:
        """The centers."""
        return frontier.center

    @classmethod
    def _spread(cls, seen: np.ndarray, *, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        return seen.mean(axis=0), _scales(seen)

    def network_tuples(self, center: Float[np.ndarray, "cells dim"]) -> Float[np.ndarray, "cells arity dim"]:
        """f of each center: the network's tuples, not clipped."""
        parts = [self._answer(center[low : low + _ROWS]) for low in range(0, len(center), _ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.arity, self.dimension))

    def network_lipschitz(self) -> float:
        """The product of the layers' spectral norms with the normalisation, the maximum over slots: an upper bound for f."""
        first = np.linalg.norm(self.layers[0][0] / self.input_scale[:, None], ord=2)
        between = math.prod(np.linalg.norm(weight, ord=2) for weight, _ in self.layers[1:-1])
        slots = self.layers[-1][0].reshape(-1, self.arity, self.dimension)
        return float(self.output_scale * first * between * np.linalg.norm(slots, ord=2, axis=(0, 2)).max())


class Mlp(CenterNetwork):
    """Center -> tuple: the paper's predictor."""

    family: ClassVar[str] = "mlp"

    def lipschitz(self) -> float:
        """That of the network."""
        return self.network_lipschitz()


class Anchored(CenterNetwork):
    """``T(parent) + f(c) - f(c')``, f the network of ``mlp`` and c' the parent's center; f(c) for a root.

    ``c' = c - length r / |r|`` with r the cell's own residual (c where that is zero), so no scale factor is needed. Where f is
    off by much the same at a cell and at its parent, the answer is not. Below an observed parent a the steps telescope to
    ``T(a) + f(c) - f(c_a)``, which is a rule of the center with f's constant (derived, docs/mathematics.md).
    """

    family: ClassVar[str] = "anchored"

    @classmethod
    def around(cls, network: Mlp) -> Self:
        """The predictor with the network that ``mlp`` learned: the same that it would learn itself."""
        return cls(**{item.name: getattr(network, item.name) for item in fields(network)})

    def _tuples(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        tuples = self.network_tuples(frontier.center)
        rows = np.flatnonzero(frontier.slot >= 0)
        tuples[rows] += self.offsets(frontier.take(rows))
        return tuples

    def offsets(self, frontier: Frontier) -> Float[np.ndarray, "cells arity dim"]:
        """``T(parent) - f(c')`` of cells that have parents: below them the rule is this and f, all the way down."""
        offsets: np.ndarray = frontier.parent_tuple - self.network_tuples(_parent_centers(frontier))
        return offsets

    def describe(self) -> dict[str, Any]:
        """What ``mlp`` says, and the network's constant."""
        return {**super().describe(), "network_lipschitz": self.network_lipschitz()}


def _parent_centers(frontier: Frontier) -> Float[np.ndarray, "cells dim"]:
    """Where the parents of cells lie, by the cells' own residuals and lengths."""
    norm = np.linalg.norm(frontier.residual, axis=1)
    back = np.divide(frontier.length, norm, out=np.zeros(len(norm)), where=norm > 0)
    centers: np.ndarray = frontier.center - back[:, None] * frontier.residual
    return centers


class MlpContext(Network):
    """Center, own residual and slot -> tuple. A root has a zero residual and no slot."""

    family: ClassVar[str] = "mlp-context"

    @classmethod
    def see(cls, frontier: Frontier) -> Float[np.ndarray, "cells inputs"]:
        """The centers, the residuals, and a column a slot that is 1 in the cells of that slot."""
        slots = frontier.slot[:, None] == np.arange(frontier.arity)
        return np.hstack([frontier.center, frontier.residual, slots.astype(np.float64)])

    @classmethod
    def _spread(cls, seen: np.ndarray, *, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        mean, scale = np.zeros(seen.shape[1]), np.ones(seen.shape[1])
        for part in (slice(0, dimension), slice(dimension, 2 * dimension)):
            mean[part], scale[part] = seen[:, part].mean(axis=0), _scales(seen[:, part])
        return mean, scale


def _scales(seen: Float[np.ndarray, "cells inputs"]) -> Float[np.ndarray, " inputs"]:
    """The standard deviation of each input; the largest one for those that do not vary but for rounding."""
    scale = seen.std(axis=0)
    floor = max(_FLAT * scale.max(), _ROUNDING * np.abs(seen).max())
    return np.where(scale > floor, scale, scale.max() if scale.max() > floor else 1.0)


def _normalise_tuples(tuples: np.ndarray) -> tuple[Float[np.ndarray, "parents outputs"], dict[str, Any]]:
    """Tuples less their mean, over the root mean square of that; and the two."""
    mean = tuples[0] + (tuples - tuples[0]).mean(axis=0)
    deviation = (tuples - mean).reshape(len(tuples), -1)
    scale, size = float(np.sqrt((deviation**2).mean())), float(np.sqrt((tuples**2).mean()))
    scale = scale if scale > _ROUNDING * size else size or 1.0
    return deviation / scale, {"output_mean": mean, "output_scale": scale}


def check_device(device: str) -> None:
    """An ``InputError`` unless networks can be evaluated on this device, in float64; ``cpu`` needs no torch."""
    if device == "cpu":
        return
    torch = import_torch(purpose=f"the device {device!r}")
    try:
        torch.zeros(1, dtype=torch.float64, device=device).item()
    except Exception as error:  # torch raises five classes here, from AssertionError to NotImplementedError
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"the device {device!r} cannot be used ({reason}); use cpu, or cuda where there is a GPU") from error


def has_torch() -> bool:
    """Whether torch can be imported; it is not loaded for the answer."""
    from importlib.util import find_spec

    return find_spec("torch") is not None


def import_torch(*, purpose: str = "training a network") -> Any:
    """The library, where it is installed; a MissingExtraError that names the purpose elsewhere."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError.of("torch", extra="torch", purpose=purpose) from error
    return torch


def _train(inputs: np.ndarray, target: np.ndarray, *, options: NetworkOptions, seed: int, device: str) -> tuple[Layers, float]:
    """The trained layers as numpy arrays, and their loss."""
    torch = import_torch()
    with one_thread(torch):
        random = torch.Generator().manual_seed(seed)
        first = _first_layers(inputs.shape[1], target.shape[1], options=options, random=random)
        seen, wanted = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (inputs, target))
        fit = _Fit.of(seen, wanted, layers=first, options=options)
        _descend(fit, batches=_batches(len(inputs), options=options, random=random))
        rows, witnesses = _two_batches(len(inputs), options=options, random=random)
        _polish(fit, rows=rows, witnesses=witnesses)
        loss = fit.error(witnesses).item()
        return tuple(tuple(part.cpu().numpy().copy() for part in layer) for layer in fit.layers), loss


@contextmanager
def exact(torch: Any) -> Iterator[None]:
    """Products in full float32 on every device, and the same kernels in every run; the caller's choice afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def one_thread(torch: Any) -> Iterator[None]:
    """One thread, and gradients whatever the caller's mode; the caller's number of threads afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def _first_layers(inputs: int, outputs: int, *, options: NetworkOptions, random: Any) -> Layers:
    """He's initial weights, drawn on the CPU so that every device starts alike; the last layer at zero, the mean tuple."""
    import torch

    sizes = [inputs, *[options.width] * options.hidden, outputs]
    layers: list[tuple[torch.Tensor, torch.Tensor]] = []
    for fan_in, fan_out in pairwise(sizes):
        gain = math.sqrt(2 / fan_in) if len(layers) < options.hidden else 0.0
        weight = gain * torch.randn(fan_in, fan_out, dtype=torch.float64, generator=random)
        layers.append((weight, torch.zeros(fan_out, dtype=torch.float64)))
    return tuple(layers)


@dataclass(frozen=True, eq=False)
class _Fit:
    """What is fitted: examples and layers on one device, these as views of one row of numbers that optimisers move.

    The gradient is written out: for networks as small as these, recording what to differentiate takes longer than the
    arithmetic, four times with 31 parents and half again with 1,024.
    """

    inputs: "torch.Tensor"
    target: "torch.Tensor"
    numbers: "torch.Tensor"
    layers: Layers
    slopes: Layers  # where the gradient goes: views of ``numbers.grad``
    options: NetworkOptions

    @classmethod
    def of(cls, inputs: "torch.Tensor", target: "torch.Tensor", *, layers: Layers, options: NetworkOptions) -> "_Fit":
        """With these first layers, copied to where the examples are."""
        import torch

        numbers = torch.cat([part.reshape(-1) for layer in layers for part in layer]).to(inputs.device)
        numbers.grad = torch.zeros_like(numbers)
        return cls(inputs, target, numbers, _views(numbers, layers), _views(numbers.grad, layers), options)

    def error(self, rows: Any) -> "torch.Tensor":
        """The mean squared error over some examples."""
        mean: torch.Tensor = ((forward(self.inputs[rows], self.layers) - self.target[rows]) ** 2).mean()
        return mean

    def loss(self, rows: Any) -> "torch.Tensor":
        """The error and the penalty on the squared weights: what is made small."""
        return self.error(rows) + self._penalty()

    def _penalty(self) -> "torch.Tensor":
        squares: torch.Tensor = sum((weight**2).sum() for weight, _ in self.layers)
        return self.options.decay * squares

    def descend(self, rows: Any) -> "torch.Tensor":
        """The loss, with its gradient left in ``numbers.grad``."""
        import torch

        seen = [self.inputs[rows]]
        for weight, bias in self.layers[:-1]:
            seen.append(torch.addmm(bias, seen[-1], weight).clamp_(min=0))
        weight, bias = self.layers[-1]
        miss = torch.addmm(bias, seen[-1], weight).sub_(self.target[rows])
        loss = (miss**2).mean() + self._penalty()
        self._push_back(miss.mul_(2 / miss.numel()), seen=seen)
        return loss

    def _push_back(self, push: "torch.Tensor", *, seen: "list[torch.Tensor]") -> None:
        """The gradient, layer by layer from the last: ``push`` is that of the error by what a layer gives."""
        import torch

        for place in reversed(range(len(self.layers))):
            (weight, _), (weight_slope, bias_slope) = self.layers[place], self.slopes[place]
            torch.mm(seen[place].T, push, out=weight_slope)
            torch.sum(push, 0, out=bias_slope)
            weight_slope.add_(weight, alpha=2 * self.options.decay)
            if place:
                push = torch.mm(push, weight.T).mul_(seen[place] > 0)


def _views(numbers: "torch.Tensor", layers: Layers) -> Layers:
    """The numbers in the shapes of layers, as views."""
    import torch

    parts = iter(torch.split(numbers, [part.numel() for layer in layers for part in layer]))
    return tuple((next(parts).view(weight.shape), next(parts).view(bias.shape)) for weight, bias in layers)


def _batches(count: int, *, options: NetworkOptions, random: Any) -> Callable[[int], Any]:
    """The rows that each step sees: all of them, or the next part of a random order that is drawn anew when used up."""
    import torch

    if count <= options.batch:
        return lambda step: slice(None)
    parts: list[Any] = []

    def next_batch(step: int) -> Any:
        if not parts:
            parts.extend(torch.split(torch.randperm(count, generator=random), options.batch))
        return parts.pop()

    return next_batch


def _two_batches(count: int, *, options: NetworkOptions, random: Any) -> tuple[Any, Any]:
    """Rows to polish on and rows to judge that by: all and all, or two random batches that have no row in common."""
    import torch

    if count <= options.batch:
        return slice(None), slice(None)
    order = torch.randperm(count, generator=random)
    return order[: options.batch], order[options.batch : 2 * options.batch]


def _descend(fit: _Fit, *, batches: Callable[[int], Any]) -> None:
    """Adam with a learning rate that falls along a cosine; it stops early where nothing is left to learn."""
    import torch

    options = fit.options
    adam = torch.optim.Adam([fit.numbers], lr=options.rate)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(options.steps, 1), eta_min=options.rate * _LAST_RATE)
    for step in range(options.steps):
        rows = batches(step)
        if step % _CHECK_EVERY == 0 and fit.error(rows).item() <= _SOLVED:
            return
        fit.descend(rows)
        adam.step()
        cosine.step()


def _polish(fit: _Fit, *, rows: Any, witnesses: Any) -> None:
    """L-BFGS on some examples, from where Adam arrived; undone should it end higher on the witnesses than it began."""
    import torch

    options = fit.options
    before, start = fit.loss(witnesses).item(), fit.numbers.clone()
    if options.polish == 0 or fit.error(rows).item() <= _SOLVED:
        return
    method = torch.optim.LBFGS(
        [fit.numbers],
        max_iter=options.polish,
        history_size=_HISTORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-10,
        tolerance_change=1e-13,
    )
    method.step(lambda: fit.descend(rows))  # type: ignore[no-untyped-call]  # torch's own, without types
    if not fit.loss(witnesses).item() <= before:  # not a number counts as higher
        fit.numbers.copy_(start)
