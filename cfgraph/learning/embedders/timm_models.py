"""``timm:MODEL`` and ``timm:MODEL/FILE``: a network of timm without its classifier, the features behind its pooling."""

import math
from typing import Any

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.files.images import Framing
from cfgraph.learning.embedders.embedder import Embedder, Preparation, checked, module_digest, torch_run
from cfgraph.learning.embedders.weights import load_named, quiet, read_weights, split_weights, unknown_model


def load_timm(name: str, *, size: tuple[int, int] | None, device: str) -> Embedder:
    """The embedder of a name behind ``timm:``.

    Raises:
        InputError: for a model that timm does not know, weights that are not to be had, and images that it cannot take.
    """
    timm = _import()
    model, file = split_weights(name)
    architecture, _, tag = model.partition(".")
    with quiet():
        if not timm.is_model(architecture):
            raise unknown_model(model, timm.list_models(), library="timm")
        tags = timm.list_pretrained(f"{architecture}.*")
    if file is None and (not tags or (tag and model not in tags)):
        raise (
            unknown_model(model, tags or timm.list_pretrained(), library="timm")
            if tag
            else InputError(f"timm has no weights of {model}; give a file of them: timm:{model}/FILE")
        )
    if file is not None:
        with quiet():
            module = timm.create_model(model, pretrained=False, num_classes=0)
        read_weights(file, module, name=f"timm:{model}")
    else:
        module = load_named(
            lambda: timm.create_model(model, pretrained=True, num_classes=0),
            name=f"timm:{model}",
            url=None,
            file_form=f"timm:{model}/FILE",
        )
    with quiet():
        preparation = _preparation(timm.data.resolve_model_data_config(module), name=model, size=size)
    return checked(f"timm:{name}", module_digest(module), preparation, torch_run(module, device=device, name=f"timm:{model}"))


def _import() -> Any:
    try:
        import timm
        import timm.data
    except ImportError as error:
        raise MissingExtraError.of("timm", extra="images", purpose="an encoder of timm") from error
    return timm


def _preparation(config: dict[str, Any], *, name: str, size: tuple[int, int] | None) -> Preparation:
    """As timm's own transform for inference."""
    height, width = size or config["input_size"][1:]
    scaled = {math.floor(side / config["crop_pct"]) for side in (height, width)}
    mode = config.get("crop_mode", "center")
    if mode == "squash" and config["crop_pct"] == 1:
        shorter = None
    elif mode == "center" and len(scaled) == 1:
        (shorter,) = scaled
    else:
        raise InputError(f"timm:{name} wants images cut out in a way that cfgraph does not know ({mode}, {height}x{width})")
    filter = config["interpolation"] if config["interpolation"] != "random" else "bilinear"
    return Preparation(Framing(height, width, shorter, filter), tuple(config["mean"]), tuple(config["std"]))
