"""Which embedder a name means."""

from difflib import get_close_matches
from pathlib import Path

from cfgraph.errors import InputError
from cfgraph.learning.embedders.clip_models import load_open_clip
from cfgraph.learning.embedders.embedder import Embedder
from cfgraph.learning.embedders.model_files import ONNX, TORCHSCRIPT, load_onnx, load_torchscript
from cfgraph.learning.embedders.timm_models import load_timm
from cfgraph.learning.embedders.torchvision_models import load_torchvision
from cfgraph.predictors.network import check_device

FORMS = "pixels, open_clip:MODEL/PRETRAINED, timm:MODEL, torchvision:MODEL, or a file of ONNX (.onnx) or TorchScript (.pt)"
_LIBRARIES = {"open_clip": load_open_clip, "timm": load_timm, "torchvision": load_torchvision}
IMAGENET = "imagenet"


def find_embedder(name: str, *, size: tuple[int, int] | None = None, norm: str | None = None, device: str = "cpu") -> Embedder:
    """The embedder that is called so.

    Args:
        name: ``open_clip:MODEL/PRETRAINED``, ``timm:MODEL``, ``torchvision:MODEL``, or a file that ends in .onnx or .pt.
        size: height and width of images, where a model takes others than its usual ones.
        norm: of files: which means and deviations of colors the model was trained with (``NORMS``); ImageNet's unless given.
        device: ``cpu``, or ``cuda`` and the like.

    Raises:
        InputError: for a name that nothing is called by (with near ones), weights that are not to be had, and bad files.
        MissingExtraError: where the library is not installed.
    """
    library, colon, model = name.partition(":")
    if colon and library in _LIBRARIES:
        if norm is not None:
            raise InputError(f"{library} knows which colors {name} was trained with; a normalisation is for files of one's own")
        check_device(device)
        return _LIBRARIES[library](model, size=size, device=device)
    path, suffix = Path(name), Path(name).suffix.lower()
    if suffix in ONNX:
        return load_onnx(path, size=size, norm=norm or IMAGENET, device=device)
    if suffix in TORCHSCRIPT:
        check_device(device)
        return load_torchscript(path, size=size, norm=norm or IMAGENET, device=device)
    near = get_close_matches(library if colon else name, ["pixels", *_LIBRARIES], n=1)
    raise InputError(f"expected an encoder out of {FORMS}, got {name!r}{f'; perhaps {near[0]}' if near else ''}")
