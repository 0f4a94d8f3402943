"""``open_clip:MODEL/PRETRAINED``: the image half of a CLIP model, PRETRAINED a tag of open_clip's or a file.

Embeddings are brought to length 1, as CLIP compares them: ``model.encode_image(images, normalize=True)``.
"""

from pathlib import Path
from typing import Any

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.files.images import Framing
from cfgraph.learning.embedders.embedder import Embedder, Preparation, checked, module_digest, short, torch_run
from cfgraph.learning.embedders.weights import load_named, quiet, unknown_model


def load_open_clip(name: str, *, size: tuple[int, int] | None, device: str) -> Embedder:
    """The embedder of a name behind ``open_clip:``.

    Raises:
        InputError: for a model or a tag that open_clip does not know, and weights that are not to be had.
    """
    open_clip = _import()
    model, _, pretrained = name.partition("/")
    if model not in open_clip.list_models():
        raise unknown_model(model, open_clip.list_models(), library="open_clip")
    tags = open_clip.list_pretrained_tags_by_model(model)
    if not pretrained:
        told = f"one of {', '.join(tags)}, or a file" if tags else "a file of them, since open_clip has none"
        raise InputError(f"which weights of {model}? Say open_clip:{model}/PRETRAINED with {told}")
    is_file = pretrained not in tags
    if is_file and not Path(pretrained).is_file():
        raise unknown_model(pretrained, tags, library=f"open_clip, of {model}, has no such file and")

    def load() -> Any:
        return open_clip.create_model(
            model, pretrained=pretrained, weights_only=True, pretrained_image=False, pretrained_text=False
        )

    if is_file:
        try:
            with quiet():
                whole = load()
        except Exception as error:  # torch, pickle, safetensors and open_clip raise a dozen classes
            raise InputError(f"{pretrained} holds no weights of open_clip:{model}: {short(error)}") from error
    else:
        url = None if (of_tag := open_clip.get_pretrained_cfg(model, pretrained)).get("hf_hub") else of_tag.get("url")
        whole = load_named(load, name=f"open_clip:{name}", url=url, here=url is None, file_form=f"open_clip:{model}/FILE")
    preparation = _preparation(whole.visual.preprocess_cfg, model=model, size=size)
    name_of_model = f"open_clip:{model}"
    run = torch_run(whole, device=device, name=name_of_model, ask=lambda images: whole.encode_image(images, normalize=True))
    return checked(f"open_clip:{name}", module_digest(whole.visual), preparation, run)


def _import() -> Any:
    try:
        with quiet():
            import open_clip
    except ImportError as error:
        raise MissingExtraError.of("open_clip_torch", extra="images", purpose="an encoder of open_clip") from error
    return open_clip


def _preparation(config: dict[str, Any], *, model: str, size: tuple[int, int] | None) -> Preparation:
    found = size or config["size"]
    height, width = (found, found) if isinstance(found, int) else tuple(found)[-2:]
    mode = config.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash") or (mode == "shortest" and height != width):
        raise InputError(f"open_clip:{model} wants images in a way that cfgraph does not know ({mode}, {height}x{width})")
    filter = "bilinear" if config.get("interpolation") == "bilinear" else "bicubic"
    framing = Framing(height, width, height if mode == "shortest" else None, filter)
    return Preparation(framing, tuple(config["mean"]), tuple(config["std"]))
