"""InfoHier: an encoder trained for what two views of a point have in common, and for a tree of low Dasgupta cost.

With f the encoder, g a projection, a a head that gives each point an angle, and v, v' two views of a batch
(:mod:`cfgraph.learning.views`), the loss is that of InfoHier (arXiv 2501.08717):

    lambda_contrastive NT-Xent(g f(v), g f(v')) + lambda_hierarchical relaxed cost(a f(v), s),    s = (1 + cos(f(v), f(v))) / 2

NT-Xent (arXiv 2002.05709): a view has to find the other one of its point among all views of the batch. The relaxed cost is
HypHC's (:mod:`cfgraph.learning.relaxation`), on triples of the batch. No gradient goes into s: similarities that shrink would
make it small, and say nothing. The head is for training alone; trees that are read off it are far worse than those that are
searched on the latents.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.learning.checkpoint import Checkpoint
from cfgraph.learning.relaxation import PAIRS, relaxed_cost
from cfgraph.learning.trainable import Trainable
from cfgraph.learning.views import View
from cfgraph.predictors.network import exact, import_torch, one_thread

CONTRAST = 0.5  # the temperature of NT-Xent
PROJECTED, ANGLED = 64, 64  # numbers that the projection gives, and that the angle's head has between
TRIPLES = 4  # a point of the batch
WARM = 0.25  # of the epochs, in which the contrastive loss is alone
TEMPERATURES = (0.1, 0.02)  # of the relaxation, when it sets in and at the end
RADIUS = 0.5  # of the leaves' circle, at first
FEWEST = 8  # points in a batch; what is left of an epoch after its last whole batch is skipped where it is less
ENCODED = 4_096  # points that are encoded at once
LINES = 30  # about so many are told of a training

Say = Callable[[str], None]


class Seeds(NamedTuple):
    """Of the encoder's first weights, of the heads' ones (and what layers draw), of batches with views and triples."""

    encoder: int
    heads: int
    drawn: int


@dataclass(frozen=True)
class Schedule:
    """How an encoder is trained."""

    epochs: int
    batch: int
    rate: float
    lambda_contrastive: float
    lambda_hierarchical: float
    seed: int

    @property
    def seeds(self) -> "Seeds":
        """Of the single streams of random numbers."""
        return Seeds(*np.random.SeedSequence(self.seed).generate_state(len(Seeds._fields), np.uint64).tolist())

    def hierarchical(self, epoch: int) -> float:
        """The weight of the relaxed cost in an epoch (from 0)."""
        return self.lambda_hierarchical if epoch >= self._warm else 0.0

    def temperature(self, epoch: int) -> float:
        """That of the relaxation: it falls geometrically from where the first epochs are over."""
        share = max(0, epoch - self._warm) / max(1, self.epochs - 1 - self._warm)
        return TEMPERATURES[0] * (TEMPERATURES[1] / TEMPERATURES[0]) ** share

    @property
    def _warm(self) -> int:
        """The epochs of the contrastive loss alone; none where it does not count."""
        return int(WARM * self.epochs) if self.lambda_contrastive else 0


@dataclass(frozen=True, eq=False)
class Material:
    """What an encoder is trained on: points as views take them, and how what views give comes to the encoder."""

    points: Float[np.ndarray, "points ..."]  # float32
    view: View
    mean: Float[np.ndarray, "#channels 1 1"] | None = None  # None where points are standardised already
    deviation: Float[np.ndarray, "#channels 1 1"] | None = None


class Losses(NamedTuple):
    """The means of an epoch."""

    contrastive: float
    hierarchical: float


@dataclass(frozen=True)
class Trained:
    """How a training ended; the encoder itself has moved."""

    losses: Losses
    batch: int  # of the last epoch


def train_encoder(
    encoder: Trainable, material: Material, *, schedule: Schedule, device: str, checkpoint: Checkpoint | None, say: Say
) -> Trained:
    """Move an encoder's weights, from those that it has or from a checkpoint on.

    Raises:
        InputError: for a loss that is not finite, with the epoch; a device whose memory does not hold half a batch; views that
            are no batch; a checkpoint of another training.
    """
    torch = import_torch(purpose="training an encoder")
    with one_thread(torch), exact(torch), torch.random.fork_rng(devices=[]):
        torch.manual_seed(schedule.seeds.heads)
        training = _Training(torch, encoder, material, schedule=schedule, device=device)
        done = training.restore(checkpoint.load()) if checkpoint else 0
        if done:
            say(f"goes on behind epoch {done} of {schedule.epochs}, by its checkpoint")
        for epoch in range(done, schedule.epochs):
            training.train(epoch, say=say)
            last = epoch + 1 == schedule.epochs
            if checkpoint:
                checkpoint.save(training.state(epoch + 1), last=last)
            if last or (epoch + 1) % math.ceil(schedule.epochs / LINES) == 0:
                say(_line(epoch, training.losses, schedule))
        encoder.module.eval()
        return Trained(training.losses, training.batch)


def encode_points(encoder: Trainable, material: Material, *, device: str) -> Float[np.ndarray, "points dim"]:
    """What a torch encoder gives of the points themselves, as it is when it does not train."""
    torch = import_torch(purpose="an encoder")
    found = np.empty((len(material.points), encoder.dimension))
    with one_thread(torch), exact(torch), torch.no_grad():
        for low in range(0, len(found), ENCODED):
            batch = torch.from_numpy(material.points[low : low + ENCODED]).to(device)
            found[low : low + ENCODED] = encoder.module(_Prepared(torch, material, device)(batch)).cpu().numpy()
    return found


def _line(epoch: int, losses: Losses, schedule: Schedule) -> str:
    hierarchical = f"{losses.hierarchical:.4f}" if schedule.hierarchical(epoch) else "off"
    contrastive = f"{losses.contrastive:.4f}" if schedule.lambda_contrastive else "off"
    return f"epoch {epoch + 1} of {schedule.epochs}: contrastive loss {contrastive}, hierarchical loss {hierarchical}"


class _Prepared:
    """What comes to the encoder of a batch: images with their channels standardised, vectors as they are."""

    def __init__(self, torch: Any, material: Material, device: str) -> None:
        self._parts = [
            None if part is None else torch.from_numpy(part.astype(np.float32)).to(device)
            for part in (material.mean, material.deviation)
        ]

    def __call__(self, batch: Any) -> Any:
        mean, deviation = self._parts
        return batch if mean is None else (batch - mean) / deviation


class _Training:
    """All that changes while an encoder is trained: weights, the optimiser, the generator, the batch."""

    def __init__(self, torch: Any, encoder: Trainable, material: Material, *, schedule: Schedule, device: str) -> None:
        self.torch, self.device, self.schedule, self.view = torch, device, schedule, material.view
        self.encoder = encoder.module.to(device)
        self.heads = _heads(torch, encoder.dimension).to(device)
        self.parameters = [*encoder.parameters, *self.heads.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, lr=schedule.rate, foreach=False)
        self.random = torch.Generator().manual_seed(schedule.seeds.drawn)
        self.points = torch.from_numpy(material.points).to(device)
        self.prepared = _Prepared(torch, material, device)
        self.batch, self.halved = schedule.batch, False
        self.losses = Losses(math.nan, math.nan)

    def state(self, done: int) -> dict[str, Any]:
        """All of it, after so many epochs."""
        return {
            "done": done,
            "encoder": self.encoder.state_dict(),
            "heads": self.heads.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": self.random.get_state(),
            "torch_random": self.torch.get_rng_state(),  # what layers of people's own draw from, dropout above all
            "batch": self.batch,
            "halved": self.halved,
            "losses": list(self.losses),
        }

    def restore(self, state: dict[str, Any] | None) -> int:
        """How many epochs are done."""
        if state is None:
            return 0
        try:
            for name in ("encoder", "heads", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.random.set_state(state["random"])
            self.torch.set_rng_state(state["torch_random"])
            self.batch, self.halved, self.losses = state["batch"], state["halved"], Losses(*state["losses"])
            return int(state["done"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"the checkpoint does not fit the encoder that is trained: {reason}; name another file") from error

    def train(self, epoch: int, *, say: Say) -> None:
        """An epoch; begun anew with half the batch where the device's memory does not hold it."""
        self.encoder.train()
        try:
            self.losses = self._epoch(epoch)
        except self.torch.cuda.OutOfMemoryError as error:
            if self.halved or self.batch < 2 * FEWEST:
                raise InputError(
                    f"the memory of {self.device} does not hold a batch of {self.batch} points; take a smaller one, or cpu"
                ) from error
            self.halved, self.batch = True, self.batch // 2
            say(f"the memory of {self.device} does not hold {2 * self.batch} points at once; goes on with {self.batch}")
            self.optimiser.zero_grad(set_to_none=True)
            self.train(epoch, say=say)

    def _epoch(self, epoch: int) -> Losses:
        torch, weight = self.torch, self.schedule.hierarchical(epoch)
        sums, batches = torch.zeros(2, device=self.device), 0
        for rows in self._batches():
            losses = self._losses(rows, weight=weight, temperature=self.schedule.temperature(epoch))
            total = self.schedule.lambda_contrastive * losses[0] + weight * losses[1]
            if total.requires_grad:  # of two points there are no triples
                self.optimiser.zero_grad(set_to_none=True)
                total.backward()
                self.optimiser.step()
            sums += losses.detach()
            batches += 1
        found = Losses(*(sums / batches).tolist())
        if not all(map(math.isfinite, found)):
            raise InputError(
                f"the loss is no finite number in epoch {epoch + 1} ({found.contrastive} contrastive, {found.hierarchical} "
                f"hierarchical); lower the learning rate, which is {self.schedule.rate:g}"
            )
        return found

    def _batches(self) -> Iterator[Any]:
        """The rows of all points in random order, a batch at a time."""
        order = self.torch.randperm(len(self.points), generator=self.random)
        parts = order.split(self.batch)
        return iter(parts[:-1] if len(parts) > 1 and len(parts[-1]) < FEWEST else parts)

    def _losses(self, rows: Any, *, weight: float, temperature: float) -> Any:
        """The two losses of a batch; 0 for one that does not count."""
        batch = self.points[rows.to(self.device)]
        views = [self._viewed(batch) for _ in range(2)]
        latents = self.encoder(self.prepared(self.torch.cat(views)))
        contrastive = hierarchical = self.torch.zeros((), device=self.device)
        if self.schedule.lambda_contrastive:
            contrastive = nt_xent(self.heads["projection"](latents))
        if weight and len(batch) > 2:
            hierarchical = self._hierarchical(latents[: len(batch)], temperature=temperature)
        return self.torch.stack([contrastive, hierarchical])

    def _viewed(self, batch: Any) -> Any:
        view = self.view(batch, self.random)
        if not isinstance(view, self.torch.Tensor) or view.shape != batch.shape:
            given = f"shape {tuple(view.shape)}" if isinstance(view, self.torch.Tensor) else type(view).__name__
            raise InputError(f"expected a view of the shape of its batch, {tuple(batch.shape)}, got {given}")
        return view

    def _hierarchical(self, latents: Any, *, temperature: float) -> Any:
        torch = self.torch
        triples = draw_triples(len(latents), random=self.random).to(self.device)
        unit = torch.nn.functional.normalize(latents.detach(), dim=1)
        alike = (1 + unit @ unit.T) / 2
        similarity = torch.stack([alike[triples[:, one], triples[:, other]] for one, other in PAIRS], dim=1)
        turns = self.heads["angle"](latents)[triples]
        return relaxed_cost(turns, similarity, radius=self.heads.radius, temperature=temperature)


def _heads(torch: Any, dimension: int) -> Any:
    nn = torch.nn
    projection = nn.Sequential(nn.Linear(dimension, dimension), nn.ReLU(), nn.Linear(dimension, PROJECTED))
    angle = nn.Sequential(nn.Linear(dimension, ANGLED), nn.ReLU(), nn.Linear(ANGLED, 2))
    heads = nn.ModuleDict({"projection": projection, "angle": angle})
    heads.register_parameter("radius", nn.Parameter(torch.tensor(RADIUS)))
    return heads


def nt_xent(projected: Any) -> Any:
    """The mean of ``-log softmax(cos / t)`` of a view's other one, over all views but itself; i and i + B are a pair."""
    torch = import_torch()
    unit = torch.nn.functional.normalize(projected, dim=1)
    alike = (unit @ unit.T / CONTRAST).fill_diagonal_(-math.inf)
    other = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return torch.nn.functional.cross_entropy(alike, other)


def draw_triples(points: int, *, random: Any) -> Any:
    """Triples of different points of a batch, 4 a point: the second is drawn past the first, the third past both."""
    torch = import_torch()
    count = TRIPLES * points
    first, second, third = (torch.randint(points - taken, (count,), generator=random) for taken in range(3))
    second = second + (second >= first)
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    third = third + (third >= low)
    third = third + (third >= high)
    return torch.stack([first, second, third], dim=1)
