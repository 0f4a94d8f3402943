"""Models in files of one's own: ONNX, run by onnxruntime, and TorchScript, whose code torch runs."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.files.images import Framing
from cfgraph.files.opened import opened
from cfgraph.learning.embedders.embedder import (
    NORMS,
    Batch,
    DeviceMemoryError,
    Embedder,
    Preparation,
    Rows,
    as_rows,
    checked,
    lacks_memory,
    short,
    torch_run,
)
from cfgraph.learning.embedders.weights import quiet
from cfgraph.predictors.network import import_torch

ONNX = (".onnx",)
TORCHSCRIPT = (".pt", ".pth", ".ts", ".jit", ".torchscript")
USUAL_SIZE = (224, 224)
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


def load_torchscript(path: Path, *, size: tuple[int, int] | None, norm: str, device: str) -> Embedder:
    """The embedder in a TorchScript file. Loading it runs code: only files that one trusts.

    Raises:
        InputError: for a file that is none, and images that it cannot take.
    """
    torch = import_torch(purpose="a TorchScript file")
    content = _content(path)
    try:
        with quiet():
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")
    except Exception as error:  # torch raises several classes for what is none
        raise InputError(
            f"{path} is no TorchScript file ({short(error)}); save one with torch.jit.script(model).save(FILE); of "
            "weights alone say the model, too: timm:MODEL/FILE"
        ) from error
    preparation = _preparation(size or USUAL_SIZE, norm=norm)
    run = torch_run(module, device=device, name=path.name)
    return checked(str(path), hashlib.sha256(content).hexdigest(), preparation, run)


def load_onnx(path: Path, *, size: tuple[int, int] | None, norm: str, device: str) -> Embedder:
    """The embedder in an ONNX file: the first output, of an input of images x 3 x height x width.

    Raises:
        InputError: for a file that is none, another input, and images that it cannot take.
    """
    runtime = _import()
    content = _content(path)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(content, options, providers=_providers(runtime, device))
    except InputError:
        raise
    except Exception as error:  # onnxruntime has a class for each fault
        raise InputError(f"{path} is no ONNX file with all that belongs to it: {short(error)}") from error
    inputs = session.get_inputs()
    shape: list[int | str | None] = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or (shape[1] != 3 and isinstance(shape[1], int)) or inputs[0].type not in _TYPES:
        told = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise InputError(f"expected a model of one input, images x 3 x height x width, in {path}, got {told}")
    fixed = tuple(side if isinstance(side, int) else None for side in shape[2:])
    if size is not None and any(side not in (None, asked) for side, asked in zip(fixed, size, strict=True)):
        raise InputError(f"{path} takes images of {fixed[0]}x{fixed[1]} alone, got --size {size[0]}x{size[1]}; leave it out")
    usual = size or tuple(side or other for side, other in zip(fixed, USUAL_SIZE, strict=True))
    batch = shape[0] if isinstance(shape[0], int) else None
    run = _onnx_run(session, inputs[0].name, _TYPES[inputs[0].type], batch=batch, name=path.name)
    return checked(str(path), hashlib.sha256(content).hexdigest(), _preparation((usual[0], usual[1]), norm=norm), run)


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError.of("onnxruntime", extra="images", purpose="an ONNX file") from error
    return onnxruntime


def _content(path: Path) -> bytes:
    with opened(path, expected="a model", large=True) as file:
        return file.rewound().read()


def _preparation(size: tuple[int, int], *, norm: str) -> Preparation:
    if norm not in NORMS:
        raise InputError(f"expected a normalisation out of {', '.join(NORMS)}, got {norm!r}")
    height, width = size
    return Preparation(Framing(height, width, height if height == width else None), *NORMS[norm])


def _providers(runtime: Any, device: str) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    kind, _, number = device.partition(":")
    if kind != "cuda" or "CUDAExecutionProvider" not in runtime.get_available_providers():
        raise InputError(f"onnxruntime cannot use the device {device!r} here; use cpu, or install onnxruntime-gpu for cuda")
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)})]


def _onnx_run(session: Any, input: str, kind: type, *, batch: int | None, name: str) -> Callable[[Batch], Rows]:
    """How a session is asked; of a model for a fixed number of images so many at a time, the last ones filled up."""

    def ask(part: Batch) -> np.ndarray:
        try:
            return np.asarray(session.run(None, {input: part.astype(kind, copy=False)})[0])
        except Exception as error:  # onnxruntime has a class for each fault
            if isinstance(error, MemoryError) or lacks_memory(error):
                raise DeviceMemoryError from error
            raise

    def run(images: Batch) -> Rows:
        if batch is None:
            return as_rows(ask(images), count=len(images), name=name)
        found = []
        for low in range(0, len(images), batch):
            part = images[low : low + batch]
            filled = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), dtype=part.dtype)])
            found.append(as_rows(ask(filled), count=batch, name=name)[: len(part)])
        return np.concatenate(found)

    return run
