"""New images: files and arrays as they come to the steps of an encoder, those for pixels and those of networks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.files.images import read_images, read_pixels
from cfgraph.learning.embedders import embed
from cfgraph.learning.encoders import Embedding, Pixels, Step


class ImageRows(NamedTuple):
    """A row an image, the images' names, and what a reader should know."""

    values: Float[np.ndarray, "images columns"]
    names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class NewImages:
    """Images to encode as others were, and how: a folder, an .npz or .npy file, or an array.

    ``encoder`` names the network, where it has another place than before; its weights must be the same ones.
    """

    data: Path | str | np.ndarray
    key: str | None = None
    encoder: str | None = None
    device: str = defaults.DEVICE
    batch: int = defaults.IMAGE_BATCH
    cache: Path | str | None = None
    skip_broken: bool = False
    large: bool = False
    say: Callable[[str], None] = lambda line: None

    def rows(self, step: Step) -> ImageRows:
        """What becomes of the images by the first step of an encoder, :class:`Pixels` or :class:`Embedding`.

        Raises:
            InputError: as :func:`cfgraph.files.images.read_images` and :func:`cfgraph.learning.embedders.embed`, and for a
                network that is not to be had or has other weights.
        """
        assert isinstance(step, Pixels | Embedding)
        images = read_images(self.data, key=self.key, large=self.large)
        if isinstance(step, Pixels):
            read = read_pixels(images, size=(step.height, step.width), skip_broken=self.skip_broken, large=self.large)
            return ImageRows(step.apply(read.values), read.names, read.notes)
        embedder = step.find(self.encoder, device=self.device)
        found = embed(
            images,
            embedder,
            batch=self.batch,
            cache=self.cache,
            skip_broken=self.skip_broken,
            device=self.device,
            say=self.say,
        )
        return ImageRows(found.values.astype(np.float64), found.names, found.notes)


def of_images(steps: tuple[Step, ...]) -> bool:
    """Whether steps begin at images."""
    return bool(steps) and isinstance(steps[0], Pixels | Embedding)
