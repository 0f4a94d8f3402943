"""The registry: families by name, and the three things that are done with them: fit, dump, load."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.checks import check_integer, check_number, check_scale_factor
from cfgraph.entries import PREDICTORS, load_of_others, names_of_others, told_of_others
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
    "local-linear": ("local_linear", "LocalLinear"),
    "recurrence": ("recurrence", "Recurrence"),
    "mlp": ("network", "Mlp"),
    "mlp-context": ("network", "MlpContext"),
    "anchored": ("network", "Anchored"),
}


def find_family(family: str) -> type[Predictor]:
    """The class of a family, of cfgraph's own or of another package (entry point ``cfgraph.predictors``).

    An ``InputError`` that lists the families where there is none of that name, and for what is no family.
    """
    found = load_of_others(PREDICTORS, family, own=_HOMES)
    if found is not None:
        return _checked(found, family)
    if family not in _HOMES:
        names = ", ".join((*FAMILIES, *families_of_others()))
        raise InputError(f"expected a family out of {names}, got {family!r}; one of another package needs that installed here")
    module, name = _HOMES[family]
    kind: type[Predictor] = getattr(importlib.import_module(f"cfgraph.predictors.{module}"), name)
    return kind


def families_of_others() -> tuple[str, ...]:
    """The names of the families that other packages bring; none of them is loaded."""
    return names_of_others(PREDICTORS, own=_HOMES)


def _checked(found: Any, family: str) -> type[Predictor]:
    """What another package brings as a family, if it is one."""
    where = told_of_others(PREDICTORS, family)
    if not (isinstance(found, type) and issubclass(found, Predictor)):
        raise InputError(f"expected a class of cfgraph.predictors.Predictor as the family {family!r} of {where}, got {found!r}")
    if (named := getattr(found, "family", None)) != family:
        raise InputError(
            f"expected the class {found.__name__} of {where} to have family = {family!r}, got {named!r}: what was trained is "
            "found again by that name"
        )
    return found


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


def check_weights(weights: Mapping[str, np.ndarray]) -> None:
    """An ``InputError`` for weights that are no finite numbers."""
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"its {name} holds {np.count_nonzero(~np.isfinite(array)):,} numbers that are not finite")


def _check_field(config: Mapping[str, Any]) -> None:
    """An ``InputError`` for numbers that no field has."""
    check_integer(config["arity"], name="arity", low=1)
    check_integer(config["dimension"], name="dimension", low=0)
    check_scale_factor(config["scale_factor"])
    if check_number(config["residual_bound"], name="residual bound") < 0:
        raise InputError(f"expected a residual bound of at least 0, got {config['residual_bound']}")


def _one_cell(predictor: Predictor) -> Frontier:
    """A root at the origin, to ask a predictor something."""
    nothing = np.zeros(1)
    return Frontier(
        center=np.zeros((1, predictor.dimension)),
        scale=np.ones(1),
        root_distance=nothing,
        length=nothing,
        level=np.zeros(1, dtype=np.int32),
        slot=np.full(1, -1, dtype=np.int32),
        tuples=np.zeros((1, predictor.arity, predictor.dimension)),
        family=np.zeros(1, dtype=np.int64),
    )


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
        arrays = load(bytes(weights))
        check_weights(arrays)
        _check_field(rest)
        predictor = kind.restore(arrays, rest, device=device)
        predictor.predict(_one_cell(predictor))  # whether its parts fit together is for it to show
        return predictor
    except (SafetensorError, KeyError, TypeError, ValueError, IndexError, AttributeError, InputError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the saved {kind.family} predictor cannot be read: {reason}; train it again") from error
