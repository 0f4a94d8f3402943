"""The registry: families by name, and the three things that are done with them: fit, dump, load."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.model.growth import Frontier
from cfgraph.predictors import DEVICE, FAMILIES, SEED
from cfgraph.predictors.network import check_device
from cfgraph.predictors.options import NetworkOptions
from cfgraph.predictors.predictor import Learning, Predictor

_HOMES = {
    "zero": ("baselines", "Zero"),
    "mean": ("baselines", "Mean"),
    "nearest": ("baselines", "Nearest"),
    "affine": ("baselines", "Affine"),
    "parent": ("baselines", "Parent"),
    "scaled-parent": ("baselines", "ScaledParent"),
    "recurrence": ("recurrence", "Recurrence"),
    "mlp": ("network", "Mlp"),
    "mlp-context": ("network", "MlpContext"),
}


def find_family(family: str) -> type[Predictor]:
    """The class of a family; an ``InputError`` that lists the families where there is none of that name."""
    if family not in _HOMES:
        raise InputError(f"expected a family out of {', '.join(FAMILIES)}, got {family!r}")
    module, name = _HOMES[family]
    kind: type[Predictor] = getattr(importlib.import_module(f"cfgraph.predictors.{module}"), name)
    return kind


def fit_predictor(
    family: str,
    *,
    observed: Frontier,
    tuples: Float[np.ndarray, "parents arity dim"],
    scale_factor: float,
    residual_bound: float,
    seed: int = SEED,
    device: str = DEVICE,
    options: NetworkOptions | None = None,
) -> Predictor:
    """A predictor of one family, fitted to observed parents and the tuples of their children.

    The same call gives the same predictor, bit for bit on the same machine.

    Args:
        family: one of ``FAMILIES``.
        observed: the parents, as :func:`~cfgraph.model.growth.observe` gives them.
        tuples: the residuals of their children, parent by parent.
        scale_factor: s of the hierarchy.
        residual_bound: R: no residual that the predictor answers is longer.
        seed: of the networks' first weights and batches.
        device: where a network is trained, in torch's words: ``cpu``, ``cuda``, ``cuda:1``.
        options: the networks' size and training; the defaults of :class:`NetworkOptions` unless given.

    Raises:
        InputError: for an unknown family or device, and where there is nothing, or not enough, to learn from.
        MissingExtraError: for a network where torch is not installed.
    """
    kind = find_family(family)
    check_device(device)
    _check_examples(observed, tuples)
    learned = kind.learn(observed, tuples, how=Learning(seed=seed, device=device, options=options))
    field = {"scale_factor": float(scale_factor), "residual_bound": float(residual_bound)}
    return kind(arity=tuples.shape[1], dimension=tuples.shape[2], **field, **learned)


def _check_examples(observed: Frontier, tuples: np.ndarray) -> None:
    if len(tuples) == 0:
        raise InputError("expected at least one parent with all its children to learn from, got none; observe more levels")
    if tuples.shape != (len(observed), observed.arity, observed.dimension):
        raise InputError(
            f"expected a tuple of {observed.arity} residuals of dimension {observed.dimension} for each of {len(observed)} "
            f"parents, got an array of shape {tuples.shape}"
        )
    if not np.isfinite(tuples).all():
        raise InputError("expected finite residuals to learn from, got NaN or infinity")


def dump_predictor(predictor: Predictor) -> tuple[bytes, dict[str, Any]]:
    """The predictor's weights as safetensors bytes, and the rest of it as a JSON-ready config."""
    from safetensors.numpy import save

    return save(predictor.weights()), {"family": predictor.family, **predictor.config()}


def load_predictor(weights: bytes, config: Mapping[str, Any], *, device: str = DEVICE) -> Predictor:
    """The predictor that :func:`dump_predictor` took apart, on any machine and device.

    On the device ``cpu`` even a network needs no torch.

    Raises:
        InputError: for weights or a config that no predictor was saved as, and for a device that is not there.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    rest = dict(config)
    kind = find_family(str(rest.pop("family", None)))
    check_device(device)
    try:
        return kind.restore(load(bytes(weights)), rest, device=device)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the saved {kind.family} predictor cannot be read: {reason}; train it again") from error
