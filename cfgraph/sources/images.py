"""Images as a hierarchy: each becomes a row of numbers by an encoder, and these are split by recursive k-means.

The encoder is a network of others, taken as it is (:mod:`cfgraph.learning.embedders`), or the pixels themselves; the splitting
is that of :mod:`cfgraph.sources.points`. What was done is kept with the hierarchy, a network by name and SHA-256, so that new
images can be located.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfgraph import defaults
from cfgraph.errors import InputError
from cfgraph.files.arrays import PointTable, check_points
from cfgraph.files.images import ImageArray, ImageFolder, check_size, read_images, read_pixels
from cfgraph.files.whole import check_place, whole_file
from cfgraph.learning.embedders import embed, find_embedder
from cfgraph.learning.encoders import Embedding, Pixels, Standardise, Step
from cfgraph.model.address import check_id
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.moved import renamed
from cfgraph.sources.points import split_points
from cfgraph.sources.similarity import standardise
from cfgraph.sources.splitting import Splitting

Say = Callable[[str], None]


@renamed(point_nodes="points", standardised="standardise")
def images(
    data: Path | str | np.ndarray,
    *,
    id: str = "images",
    depth: int | None = None,
    arity: int = defaults.POINTS_ARITY,
    key: str | None = None,
    encoder: str = defaults.PIXELS,
    size: str | tuple[int, int] | None = None,
    norm: str | None = None,
    batch: int = defaults.IMAGE_BATCH,
    device: str = defaults.DEVICE,
    cache: Path | str | None = None,
    latents: Path | str | None = None,
    skip_broken: bool = False,
    standardise: bool = False,
    pca: int | None = None,
    minimum_size: int = defaults.MINIMUM_SIZE,
    scale_depth: int = defaults.SCALE_DEPTH,
    duplicates: str = defaults.DUPLICATE_RULE,
    seed: int = defaults.SEED,
    points: bool = False,
    large: bool = False,
    say: Say = lambda line: None,
) -> FieldWithCells:
    """The hierarchy that recursive k-means makes of images: ``images(id="pets", data="pets", encoder="timm:resnet50")``.

    Args:
        id: the hierarchy's id.
        data: a folder of image files, which are named relative to it; or an .npz or .npy file, or an array, points x height x
            width [x channels]. The names of an .npz are its array ``names``, where it has one.
        depth: the deepest level.
        arity: K, the number of children of every cell that is split.
        key: the array of an .npz file; not needed where it holds one of images.
        encoder: ``pixels``; ``open_clip:MODEL/PRETRAINED``, ``timm:MODEL`` or ``torchvision:MODEL``, each perhaps with a file
            of weights behind a slash; or a file of ONNX (.onnx) or TorchScript (.pt). Loading TorchScript runs its code.
        size: height and width, of pixels and of models that take several sizes; ``"224x224"`` or two numbers.
        norm: of files: which colors the model was trained with: ``imagenet`` (unless given), ``clip``, or ``none``.
        batch: images that are embedded at once; halved once where the device's memory does not hold them.
        device: ``cpu``, or ``cuda`` and the like.
        cache: a folder in which embeddings are kept, by image and model, so that an interrupted run goes on.
        latents: a file (.npy) for the embeddings, in the order of the images' names.
        skip_broken: whether images that cannot be decoded are left out; else they are an error that names them.
        standardise: whether columns are brought to mean 0 and deviation 1 first.
        pca: how many principal components to keep; all coordinates as they are unless given.
        minimum_size: the fewest images of a cell that is split.
        scale_depth: the deepest level that the scale factor is estimated from.
        duplicates: what images that are equal to the encoder get: ``refuse``, ``keep`` or ``drop`` (all but the first).
        seed: of k-means.
        points: whether the images are to be nodes of the graph too, each IN the deepest cell that it is of.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows, and have more pixels than Pillow's limit.
        say: is told how it goes.

    Raises:
        InputError: for a folder without images, images that cannot be decoded or, for pixels, have several sizes, a model that
            is not known or not to be had, embeddings that are not finite (with the image), and what ``points`` refuses.
        MissingExtraError: where a library is not installed.
    """
    check_id(id)
    numbers = {"depth": depth, "arity": arity, "pca": pca, "minimum_size": minimum_size, "scale_depth": scale_depth}
    splitting = Splitting.checked(**numbers, duplicates=duplicates, seed=seed)
    if latents is not None:
        check_place(latents)
    found = read_images(data, key=key, large=large)
    network = _Network(encoder, check_size(size), norm, batch, device, cache)
    rows = network.embed(found, skip_broken=skip_broken, large=large, say=say)
    if latents is not None:
        with whole_file(latents) as file:
            np.save(file, rows.table.values)
    rows = rows.standardised() if standardise else rows
    return split_points(
        rows.table,
        splitting,
        id=id,
        recipe={"source": "images", **rows.recipe},
        point_nodes=points,
        before=rows.steps,
        names=rows.names,
    )


class _Rows(NamedTuple):
    """A row an image, what made it, and the images' names."""

    table: PointTable
    steps: tuple[Step, ...]
    names: tuple[str, ...]
    recipe: dict[str, Any]

    def standardised(self) -> "_Rows":
        """The same with columns of mean 0 and deviation 1."""
        ready = standardise(self.table.values)
        table = PointTable(ready.values, (*self.table.notes, *ready.notes))
        steps = (*self.steps, Standardise(ready.mean, ready.deviation))
        return self._replace(table=table, steps=steps, recipe={**self.recipe, "standardised": True})


class _Network(NamedTuple):
    """What makes rows of images, and how."""

    encoder: str
    size: tuple[int, int] | None
    norm: str | None
    batch: int
    device: str
    cache: Path | str | None

    def embed(self, found: ImageFolder | ImageArray, *, skip_broken: bool, large: bool, say: Say) -> _Rows:
        """A row for each image; of pixels their brightness."""
        if self.encoder == defaults.PIXELS:
            return self._pixels(found, skip_broken=skip_broken, large=large)
        embedder = find_embedder(self.encoder, size=self.size, norm=self.norm, device=self.device)
        how: dict[str, Any] = {"batch": self.batch, "cache": self.cache, "device": self.device}
        rows = embed(found, embedder, **how, skip_broken=skip_broken, say=say)
        table = replace(check_points(rows.values, where=found.where), notes=rows.notes)
        recipe: dict[str, Any] = {"encoder": _without_folders(self.encoder), "model_sha256": embedder.digest}
        recipe["preparation"] = embedder.preparation.settings()
        say(f"{len(rows.names):,} images of {found.where} have {embedder.dimension:,} numbers each, by {self.encoder}")
        return _Rows(table, (Embedding.of(embedder),), rows.names, recipe)

    def _pixels(self, found: ImageFolder | ImageArray, *, skip_broken: bool, large: bool) -> _Rows:
        unused = [f"--{name}" for name in ("norm", "cache") if getattr(self, name) is not None]
        if unused:
            raise InputError(
                f"{unused[0]} is about networks, and {defaults.PIXELS} is none; leave it out, or name an --encoder"
            )
        read = read_pixels(found, size=self.size, skip_broken=skip_broken, large=large)
        step = Pixels(*read.size)
        table = PointTable(step.apply(read.values), read.notes)
        return _Rows(table, (step,), read.names, {"encoder": defaults.PIXELS, "size": list(read.size)})


def _without_folders(encoder: str) -> str:
    """The name of an encoder, of a file without the folders that lead there: recipes are the same on every machine."""
    library, colon, model = encoder.rpartition(":")
    model, slash, weights = model.partition("/") if colon else ("", "", model)
    return f"{library}{colon}{model}{slash}{Path(weights).name if weights else ''}"
