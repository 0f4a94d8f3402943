"""InfoHier: an encoder learned from raw data by two views of each point, then a tree of low Dasgupta cost on its latents.

The encoder's training is :mod:`cfgraph.learning.infohier` (arXiv 2501.08717), the search for the tree
:mod:`cfgraph.sources.dasgupta`. Latents are brought to length 1 and are the centers; the encoder is kept with the hierarchy, so
that new data go the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from jaxtyping import Float

from cfgraph import defaults
from cfgraph.checks import check_integer, check_number
from cfgraph.errors import InputError
from cfgraph.files.column_order import names_for_recipe
from cfgraph.files.texts import given_names
from cfgraph.files.whole import check_place, whole_file
from cfgraph.learning.checkpoint import Checkpoint
from cfgraph.learning.encoders import Pipeline, UnitLength, dump_encoder
from cfgraph.learning.infohier import FEWEST, Schedule, Trained, encode_points, train_encoder
from cfgraph.learning.trainable import OWN, Trainable, new_encoder
from cfgraph.learning.views import View, find_view
from cfgraph.model.address import check_id
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.moved import renamed
from cfgraph.predictors.network import check_device, import_torch
from cfgraph.sources.dasgupta import How, check_point_names, known_rows, tree_of
from cfgraph.sources.imported import ImportOptions
from cfgraph.sources.raw import RawData

SEEN, EPOCHS_MAX, EPOCHS_MIN = 750_000, 150, 10  # epochs: as many as see so many points, between these two

Say = Callable[[str], None]


@renamed(point_nodes="points", minimum="condense")
def infohier(
    data: Path | str | np.ndarray,
    *,
    id: str = "infohier",
    key: str | None = None,
    columns: Sequence[str] | None = None,
    header: str = defaults.HEADER_RULE,
    separator: str | None = None,
    decimal: str | None = None,
    svd: int | None = None,
    names: Path | str | Sequence[str] | None = None,
    encoder: Any = None,
    views: str | View | None = None,
    latents: Path | str | None = None,
    epochs: int | None = None,
    batch: int = defaults.BATCH,
    rate: float = defaults.RATE,
    lambda_contrastive: float = defaults.LAMBDA_CONTRASTIVE,
    lambda_hierarchical: float = defaults.LAMBDA_HIERARCHICAL,
    sharpness: float = defaults.SHARPNESS,
    starts: int | None = None,
    passes: int | None = None,
    leaf_size: int = defaults.LEAF_SIZE,
    seed: int = defaults.SEED,
    device: str = defaults.DEVICE,
    checkpoint: Path | str | None = None,
    size: str | tuple[int, int] | None = None,
    skip_broken: bool = False,
    large: bool = False,
    say: Say = lambda line: None,
    **options: Unpack[ImportOptions],
) -> ImportedWithCells:
    """A tree of low Dasgupta cost on latents that an encoder learned: ``infohier(id="digits", data=images)``.

    The loss is ``lambda_contrastive NT-Xent + lambda_hierarchical relaxed cost`` (:mod:`cfgraph.learning.infohier`), by Adam,
    the latter off for the first quarter of the epochs. Cells are as :func:`cfgraph.sources.dasgupta` makes them, on latents
    of length 1 that are not standardised. The same seed gives the same bits on one machine (``cpu``).

    Args:
        id: the hierarchy's id.
        data: a file, an array, a tensor or a data frame: a row a point, or images, points x height x width, points x
            channels x height x width, or points x height x width x channels; or a folder of images, after
            whose files leaves are named.
        key: the array of an .npz file; not needed where it holds one.
        columns: those of a table; all unless given.
        header: whether the first line of a table of text is one: ``yes``, ``no``, or ``auto`` where that is to be found out.
        separator: what stands between the cells of a table of text, a character or ``comma``, ``semicolon``, ``tab``, ``bar``,
            ``blanks``; found unless given.
        decimal: the sign before the decimals of numbers in a table of text, ``.`` or ``,``; found unless given.
        svd: how many directions of a truncated SVD rows are brought to first, not centered; sparse rows (``scipy.sparse``, or
            .npz files of it) stay sparse until then.
        names: of the points, or a file with one a line.
        encoder: a torch module of your own, which is trained in place, or a function, which is not: a batch of points in
            float32, standardised, becomes points x numbers. Neither can be kept, so :func:`cfgraph.apply` refuses.
        views: ``vectors`` or ``images`` (:mod:`cfgraph.learning.views`), or a function of a batch (of standardised vectors, or
            of images between 0 and 1) and a torch generator; unless given as the data are. ``vectors`` flattens images.
        latents: a file (.npy) for the latents, of length 1.
        epochs: 150 below 5,000 points, above as many as see 750,000 points, at least 10.
        batch: points whose views tell each other apart.
        rate: Adam's learning rate.
        lambda_contrastive: the weight of what two views have in common.
        lambda_hierarchical: the weight of the relaxed cost on triples of the batch.
        sharpness: of similarities, as :func:`cfgraph.sources.dasgupta` has it, and the four that follow too.
        starts: of the search.
        passes: of the search.
        leaf_size: of the search.
        seed: of all that is drawn at random.
        device: ``cpu``, or ``cuda`` and the like; float32 on either.
        checkpoint: a file from which the same call goes on where it was stopped.
        size: of a folder's images: height and width that all are brought to; needed where they have several.
        skip_broken: whether images that cannot be decoded are left out.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        say: is told how training and search go.
        options: ``condense``, ``levels`` and ``points`` of :func:`cfgraph.sources.imported.imported`.

    Raises:
        InputError: for fewer than two points, numbers or latents that are not finite, views that do not go with the data, a
            loss that is not finite (with the epoch), a checkpoint of another training, and arguments out of their range.
        MissingExtraError: where torch is not installed.
    """
    check_id(id)
    search = {"sharpness": sharpness, "starts": starts, "passes": passes, "leaf_size": leaf_size, "seed": seed}
    how = How.checked(fit="search", refine=True, **search)
    weights = {"lambda_contrastive": lambda_contrastive, "lambda_hierarchical": lambda_hierarchical}
    asked = _Asked.checked(epochs=epochs, batch=batch, rate=rate, seed=how.seed, weights=weights)
    if options.get("embeddings") is not None:
        raise InputError("embeddings are for what has none; centers are means of the latents; leave embeddings out")
    if latents is not None:
        check_place(latents)
    import_torch(purpose="training an encoder")
    check_device(device)
    view = None if views is None else find_view(views)
    reading: dict[str, Any] = {"key": key, "columns": columns, "header": header, "large": large}
    reading |= {"separator": separator, "decimal": decimal}
    flat = views == "vectors"
    raw = RawData.read_folder(data, as_vectors=flat, size=size, skip_broken=skip_broken, large=large)
    if raw is None:
        raw = RawData.read(data, as_vectors=flat, svd=svd, seed=how.seed, **reading)
    elif svd is not None:
        raise InputError("directions are of rows of numbers, and a folder holds images; leave --svd out")
    names, told = given_names(names, large=large)
    names = raw.names if names is None and how.leaf_size == 1 else names
    check_point_names(names, points=len(raw.values), leaf_size=how.leaf_size)
    task = _Task(raw, *(view or find_view("vectors" if raw.shape.channels is None else "images")), asked.schedule(raw), device)
    found = task.learn(encoder, checkpoint=checkpoint, say=say)
    notes = (*raw.notes, *raw.prepared[1], *found.notes)
    known = known_rows(found.latents, sharpness=how.sharpness, digest=raw.digest, notes=notes, encoder=found.encoder)
    if latents is not None:
        with whole_file(latents) as file:
            np.save(file, known.features())
    recipe = {
        **known.recipe,
        **names_for_recipe(raw.columns),
        **how.recipe,
        **found.recipe,
        **({} if svd is None else {"svd": svd}),
    }
    made = tree_of(known, how, id=id, origin="infohier", recipe=recipe, names=names, say=say, options=options)
    return made.replace(point_names=raw.names, notes=(*told, *made.notes))


class _Asked(NamedTuple):
    """How an encoder shall be trained; the epochs may be left to the number of points."""

    epochs: int | None
    batch: int
    rate: float
    seed: int
    weights: dict[str, float]

    @classmethod
    def checked(cls, *, epochs: Any, batch: Any, rate: Any, seed: int, weights: dict[str, Any]) -> "_Asked":
        """The arguments, or an InputError for one that is out of its range."""
        weights = {name: check_number(value, name=name, low=0.0) for name, value in weights.items()}
        if not any(weights.values()):
            raise InputError("expected a loss that counts, got 0 for both lambda_contrastive and lambda_hierarchical")
        if check_number(rate, name="learning rate", low=0.0) == 0:
            raise InputError(f"expected a learning rate above 0, got {rate}")
        epochs = None if epochs is None else check_integer(epochs, name="number of epochs", low=1)
        return cls(epochs, check_integer(batch, name="batch", low=FEWEST), float(rate), seed, weights)

    def schedule(self, raw: RawData) -> Schedule:
        """The same for these points."""
        usual = max(EPOCHS_MIN, min(EPOCHS_MAX, SEEN // len(raw.values)))
        return Schedule(epochs=self.epochs or usual, batch=self.batch, rate=self.rate, seed=self.seed, **self.weights)


@dataclass(frozen=True, eq=False)
class _Learned:
    """Latents, what makes them of raw data (None where that is people's own), and what is told."""

    latents: Float[np.ndarray, "points dim"]
    encoder: Encoder | None
    recipe: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Task:
    """What shall be learned, and how."""

    raw: RawData
    views: str
    view: View
    schedule: Schedule
    device: str

    def __post_init__(self) -> None:
        if self.views == "images" and self.raw.shape.channels is None:
            raise InputError(
                f"views of images are for images, points x height x width, perhaps with channels, got rows of "
                f"{self.raw.shape.columns:,} numbers; reshape them, or say --views vectors"
            )

    def learn(self, own: Any, *, checkpoint: Path | str | None, say: Say) -> _Learned:
        """Train an encoder, and encode the points with it."""
        encoder = new_encoder(self.raw.shape, own=own, seed=self.schedule.seeds.encoder)
        training = {**self._training(encoder), "data_sha256": self.raw.digest}
        kept = None if checkpoint is None else Checkpoint(Path(checkpoint), training)
        material = self.raw.material(self.view)
        trained = None
        if encoder.parameters:
            trained = train_encoder(encoder, material, schedule=self.schedule, device=self.device, checkpoint=kept, say=say)
        standardised, step = self.raw.prepared[0], encoder.step(self.raw.shape)
        if step is None:
            latents, record = encode_points(encoder, material, device=self.device), None
        else:
            latents = Pipeline((standardised, step)).encode(self.raw.values)
            record = dump_encoder(*self.raw.steps, standardised, step, UnitLength())
        _check_latents(latents)
        recipe = {**self._training(encoder), "device": self.device, "torch": import_torch().__version__}
        recipe |= {} if trained is None else {"batch": trained.batch}
        return _Learned(latents, record, recipe, _told(encoder, trained, self.schedule))

    def _training(self, encoder: Trainable) -> dict[str, Any]:
        """What makes the same training again, but for the data."""
        return {"encoder": encoder.kind, "sizes": list(self.raw.shape.sizes), "views": self.views, **asdict(self.schedule)}


def _check_latents(latents: Float[np.ndarray, "points dim"]) -> None:
    wrong = ~np.isfinite(latents).all(axis=1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"expected an encoder that gives finite numbers, got others for {np.count_nonzero(wrong):,} points, the first in "
            f"row {row} (counted from 0); lower the learning rate, or mend the encoder where it is your own"
        )


def _told(encoder: Trainable, trained: Trained | None, schedule: Schedule) -> tuple[str, ...]:
    notes = []
    if trained is None:
        notes.append("the encoder has no weights to train, and was taken as it is")
    else:
        losses = trained.losses._asdict().items()
        parts = [f"{value:.4g} {name}" for name, value in losses if getattr(schedule, f"lambda_{name}")]
        notes.append(f"the encoder's losses after {schedule.epochs} epochs: {', '.join(parts)}")
    if encoder.kind == OWN:
        notes.append("the encoder is your own, and is not kept: encode new data by it, then locate their latents")
    return tuple(notes)
