"""The first steps of encoders of images: their pixels, or what a network of others gives for them.

Both take images as rows of brightness from 0 to 255, height x width x 3. A network's weights are not kept: the step knows its
name, the SHA-256 of its weights and how images are prepared, so that the same network is found again, and no other one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.embedders import Embedder, Preparation, find_embedder

BATCH = 64  # rows that are embedded at once
Rows = Float[np.ndarray, "images columns"]


@dataclass(frozen=True)
class Pixels:
    """``x / 255`` of images of one size; others are squeezed into it when they are read."""

    kind: ClassVar[str] = "pixels"

    height: int
    width: int

    def __post_init__(self) -> None:
        if not all(isinstance(side, int) and side > 0 for side in (self.height, self.width)):
            raise InputError(f"expected a size of images, got {self.height} x {self.width}")

    @property
    def columns(self) -> int:
        """Three for each place."""
        return self.height * self.width * 3

    def apply(self, rows: Rows) -> Rows:
        """Brightness from 0 to 1."""
        return rows / 255

    def decode(self, rows: Rows) -> Rows:
        """Images with brightness from 0 to 1, as pictures are drawn; what lies outside is cut off."""
        return np.clip(rows, 0, 1)

    def arrays(self) -> dict[str, np.ndarray]:
        """None."""
        return {}

    def settings(self) -> dict[str, Any]:
        """The size."""
        return {"height": self.height, "width": self.width}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these settings; an ``InputError`` for others."""
        if arrays or set(settings) != {"height", "width"}:
            raise InputError(f"expected a height and a width, got {', '.join(sorted([*arrays, *settings]))}")
        return cls(**settings)


@dataclass(frozen=True)
class Embedding:
    """What a network gives for images: found by its name when it is needed, and refused where its weights are others."""

    kind: ClassVar[str] = "embedding"

    model: str
    sha256: str
    preparation: Preparation
    dimension: int

    @classmethod
    def of(cls, embedder: Embedder) -> Self:
        """What is kept of an embedder."""
        return cls(embedder.name, embedder.digest, embedder.preparation, embedder.dimension)

    @property
    def columns(self) -> int:
        """Three for each place of the size that the network takes."""
        return self.preparation.framing.height * self.preparation.framing.width * 3

    def find(self, name: str | None = None, *, device: str = "cpu") -> Embedder:
        """The network, under the name that it had or another one.

        Raises:
            InputError: where it is not to be had, with its name, and where its weights are others.
        """
        asked, framing = name or self.model, self.preparation.framing
        if name is None and ":" not in asked and not Path(asked).is_file():
            raise InputError(
                f"the model {asked} that these images were embedded by is not here; say where it is by --encoder FILE (its "
                f"SHA-256 begins with {self.sha256[:12]})"
            )
        found = find_embedder(asked, size=(framing.height, framing.width), device=device)
        if found.digest != self.sha256 or found.dimension != self.dimension:
            raise InputError(
                f"{asked} has other weights than {self.model}, which embedded these images: SHA-256 {found.digest[:12]}... "
                f"instead of {self.sha256[:12]}...; embeddings of the two say nothing of each other"
            )
        return replace(found, preparation=self.preparation)

    def apply(self, rows: Rows) -> Float[np.ndarray, "images dim"]:
        """The network's rows."""
        embedder, framing = self.find(), self.preparation.framing
        found = np.empty((len(rows), self.dimension))
        for low in range(0, len(rows), BATCH):
            part = np.clip(np.rint(rows[low : low + BATCH]), 0, 255).astype(np.uint8)
            found[low : low + BATCH] = embedder.embed(part.reshape(len(part), framing.height, framing.width, 3))
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """None: the weights are others'."""
        return {}

    def settings(self) -> dict[str, Any]:
        """All of it."""
        return {
            "model": self.model,
            "sha256": self.sha256,
            "preparation": self.preparation.settings(),
            "dimension": self.dimension,
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The step of these settings; an ``InputError`` for others."""
        if arrays or set(settings) != {"model", "sha256", "preparation", "dimension"}:
            raise InputError(f"expected what is kept of a network, got {', '.join(sorted([*arrays, *settings]))}")
        preparation = Preparation.restore(settings["preparation"])
        return cls(str(settings["model"]), str(settings["sha256"]), preparation, int(settings["dimension"]))
