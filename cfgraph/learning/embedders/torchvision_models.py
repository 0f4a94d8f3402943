"""``torchvision:MODEL``, ``torchvision:MODEL/WEIGHTS`` and ``torchvision:MODEL/FILE``: a classifier without its last layer."""

from pathlib import Path
from typing import Any

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.files.images import Framing
from cfgraph.learning.embedders.embedder import IMAGENET, Embedder, Preparation, checked, module_digest, torch_run
from cfgraph.learning.embedders.weights import load_named, quiet, read_weights, split_weights, unknown_model
from cfgraph.predictors.network import import_torch

_LAST = ("fc", "classifier", "heads", "head")  # where networks have what classifies


def load_torchvision(name: str, *, size: tuple[int, int] | None, device: str) -> Embedder:
    """The embedder of a name behind ``torchvision:``.

    Raises:
        InputError: for a model or weights that torchvision does not know or that are not to be had.
    """
    models = _import()
    model, named = split_weights(name)
    known = models.list_models(module=models)
    if model not in known:
        raise unknown_model(model, known, library="torchvision")
    enum = models.get_model_weights(model)
    with quiet():
        module = models.get_model(model, weights=None)
    preset = enum.DEFAULT
    if named is not None and str(named) not in enum.__members__:
        _cut(module)
        if not named.is_file():
            raise unknown_model(
                str(named), list(enum.__members__), library=f"torchvision's {model}, which has no such file either,"
            )
        read_weights(named, module, name=f"torchvision:{model}")
    else:
        preset = preset if named is None else enum[str(named)]
        state = load_named(
            lambda: preset.get_state_dict(progress=False, check_hash=True, weights_only=True),
            name=f"torchvision:{name}",
            url=preset.url,
            here=_cached(preset.url),
            file_form=f"torchvision:{model}/FILE",
        )
        module.load_state_dict(state)
        _cut(module)
    spelled = f"torchvision:{name}"
    preparation = _preparation(preset.transforms(), size=size)
    return checked(spelled, module_digest(module), preparation, torch_run(module, device=device, name=f"torchvision:{model}"))


def _import() -> Any:
    try:
        with quiet():
            import torchvision.models
    except ImportError as error:
        raise MissingExtraError.of("torchvision", extra="images", purpose="an encoder of torchvision") from error
    return torchvision.models


def _cached(url: str) -> bool:
    """Whether torch has fetched a file before."""
    hub = import_torch(purpose="embedding images").hub
    return (Path(hub.get_dir()) / "checkpoints" / Path(url).name).is_file()


def _cut(module: Any) -> None:
    """The last layer of a classifier taken out, so that what comes to it is the embedding."""
    nn = import_torch(purpose="embedding images").nn
    for place in _LAST:
        last = getattr(module, place, None)
        if isinstance(last, nn.Linear):
            setattr(module, place, nn.Identity())
            return
        if isinstance(last, nn.Sequential):
            linear = [key for key, part in last.named_children() if isinstance(part, nn.Linear)]
            if linear:
                setattr(last, linear[-1], nn.Identity())
                return
    raise InputError(f"{type(module).__name__} of torchvision has no last layer that could be left out; take another model")


def _preparation(preset: Any, *, size: tuple[int, int] | None) -> Preparation:
    crop, resize = getattr(preset, "crop_size", [224])[0], getattr(preset, "resize_size", [256])[0]
    filter = getattr(getattr(preset, "interpolation", None), "value", "bilinear")
    mean, deviation = getattr(preset, "mean", IMAGENET[0]), getattr(preset, "std", IMAGENET[1])
    framing = Framing(crop, crop, max(crop, resize), filter) if size is None else Framing(*size, max(size), filter)
    return Preparation(framing, tuple(mean), tuple(deviation))
