"""Embedder: a network, and how images are prepared for it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cfgraph.errors import InputError
from cfgraph.files.images import Framing
from cfgraph.predictors.network import exact, import_torch

Batch = Float[np.ndarray, "images 3 height width"]
Rows = Float[np.ndarray, "images dim"]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
NORMS = {"imagenet": IMAGENET, "clip": CLIP, "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))}
_REASON = 160  # letters of what libraries say
_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "failed to allocate")


class DeviceMemoryError(Exception):
    """The memory of a device does not hold a batch; whoever embeds takes a smaller one."""


@dataclass(frozen=True)
class Preparation:
    """``(pixels / 255 - mean) / deviation``, color by color, of images that were brought to a size."""

    framing: Framing
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def prepare(self, pixels: UInt8[np.ndarray, "images height width 3"]) -> Batch:
        """A batch as networks take it, in float32, colors first."""
        shares = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)
        mean, deviation = (np.array(part, dtype=np.float32)[:, None, None] for part in (self.mean, self.deviation))
        batch: Batch = (shares - mean) / deviation
        return batch

    def settings(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {"framing": asdict(self.framing), "mean": list(self.mean), "deviation": list(self.deviation)}

    @classmethod
    def restore(cls, settings: Any) -> "Preparation":
        """The preparation of these settings; an ``InputError`` for others."""
        if not isinstance(settings, dict) or set(settings) != {"framing", "mean", "deviation"}:
            raise InputError(f"expected how images are prepared, got {settings}")
        mean, deviation = tuple(map(float, settings["mean"])), tuple(map(float, settings["deviation"]))
        if len(mean) != 3 or len(deviation) != 3 or not all(np.isfinite([*mean, *deviation])) or min(deviation) <= 0:
            raise InputError("expected three means and three deviations above 0")
        return cls(Framing(**settings["framing"]), mean, deviation)


@dataclass(frozen=True, eq=False)
class Embedder:
    """A network that gives a row of numbers for each image of a batch."""

    name: str  # as people name it
    digest: str  # SHA-256 of its weights, or of its file
    preparation: Preparation
    rows_of: Callable[[Batch], Rows]
    dimension: int

    @property
    def key(self) -> str:
        """What embeddings of an image depend on beside the image: equal keys, equal embeddings."""
        told = {"name": self.name.partition("/")[0], "sha256": self.digest, **self.preparation.settings()}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def embed(self, pixels: UInt8[np.ndarray, "images height width 3"]) -> Rows:
        """A row for each image of a batch."""
        return self.rows_of(self.preparation.prepare(pixels))


def checked(name: str, digest: str, preparation: Preparation, run: Callable[[Batch], Rows]) -> Embedder:
    """An embedder of a network that was tried on a black image; an ``InputError`` for what takes or gives something else."""
    framing = preparation.framing
    try:
        found = run(np.zeros((1, 3, framing.height, framing.width), dtype=np.float32))
    except (InputError, DeviceMemoryError):
        raise
    except Exception as error:  # what networks raise for what they do not take
        raise InputError(
            f"{name} takes no images of {framing.height}x{framing.width} ({short(error)}); say what it takes with --size"
        ) from error
    return Embedder(name, digest, preparation, run, found.shape[1])


def short(error: BaseException) -> str:
    """What a library says, in a line: its last one, where it shows the way there first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = next((line for line in reversed(lines) if "Error: " in line), lines[0] if lines else type(error).__name__)
    return line if len(line) <= _REASON else f"{line[: _REASON - 3]}..."


def as_rows(found: np.ndarray, *, count: int, name: str) -> Rows:
    """What a network gave as a row an image; an ``InputError`` for what is no row."""
    if found.ndim >= 2 and len(found) == count and found.size == count * found.shape[1] > 0:
        return found.reshape(count, -1).astype(np.float32, copy=False)
    raise InputError(
        f"expected a model that gives images x numbers, got {' x '.join(map(str, found.shape)) or 'a number'} of {count} "
        f"images by {name}; export it without what comes behind its embedding"
    )


def torch_run(module: Any, *, device: str, name: str, ask: Callable[[Any], Any] | None = None) -> Callable[[Batch], Rows]:
    """How a torch module is asked (by a call, or by ``ask``): in float32 without TF32, without gradients."""
    torch = import_torch(purpose="embedding images")
    try:
        module = module.eval().to(device)
    except torch.cuda.OutOfMemoryError as error:
        raise InputError(f"the memory of {device} does not hold {name}; take cpu, or a smaller model") from error

    def run(batch: Batch) -> Rows:
        with _memory_told(torch), torch.inference_mode(), exact(torch):
            found = (ask or module)(torch.from_numpy(batch).to(device))
            if not isinstance(found, torch.Tensor):
                raise InputError(
                    f"expected a model that gives a tensor of images x numbers, got {type(found).__name__} by {name}"
                )
            return as_rows(found.float().cpu().numpy(), count=len(batch), name=name)

    return run


@contextmanager
def _memory_told(torch: Any) -> Iterator[None]:
    """The errors that devices have for want of memory, as one."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or lacks_memory(error):
            raise DeviceMemoryError from error
        raise


def lacks_memory(error: BaseException) -> bool:
    """Whether an error of a library is one for want of memory."""
    return any(words in str(error).lower() for words in _MEMORY)


def module_digest(module: Any) -> str:
    """SHA-256 of all weights of a torch module, with their names, types and shapes."""
    torch = import_torch(purpose="embedding images")
    whole = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()
