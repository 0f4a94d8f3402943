"""Autoencoder: latents and a nested-CRP tree of them, learned in turns; training needs torch, what comes out numpy alone.

    E log p(x | z) + weight * (sum over nodes i of (r_i / sum w) E log N(z; mu_i, sigma_i^2) + 1/2 sum log s^2)

is made large for each row, z ~ q(z | x) = N(m, diag s^2), with the responsibilities r and the Gaussians of the tree held.
Before there is a tree, the prior is N(0, 1): a plain variational autoencoder. Weights of levels are divided by their sum, as
z is emitted once. Between the epochs the tree is swept on (m, s).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError
from cfgraph.learning.checkpoint import Checkpoint
from cfgraph.learning.encoders.variational import LOG_VARIANCES, Variational
from cfgraph.learning.nested.fit import Found, Plan, begin, tidied
from cfgraph.learning.nested.keeping import Keeper, tree_state
from cfgraph.learning.nested.model import LOG_2PI, Points, Prior, Tree, batches
from cfgraph.learning.nested.surgery import operate
from cfgraph.learning.nested.sweep import (
    Fit,
    Levels,
    converge,
    emissions,
    expect,
    level_weights,
    path_step,
    sweep,
    through_nodes,
)
from cfgraph.predictors.network import Layers, forward, import_torch, one_thread

FIRST_SWEEPS, SWEEPS, LAST_SWEEPS = 30, 2, 10
FLOOR = 1e-2  # of a node's variance: else a leaf collapses on duplicates, and the encoder follows

Say = Callable[[str], None]
PriorOf = Callable[[Int[np.ndarray, " batch"]], "Pull"]
Rows = Float[np.ndarray, "points columns"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """Sizes and schedules."""

    latent: int
    likelihood: str  # bernoulli or gaussian
    device: str = "cpu"
    seed: int = 0
    hidden: tuple[int, ...] = (256, 128)
    batch: int = 128
    plain_epochs: int = 100
    plain_rate: float = 2e-3
    plain_warm: int = 20  # epochs over which the weight rises from 0 to 1
    epochs: int = 60
    rate: float = 1e-3
    warm: int = 10


class Pull(NamedTuple):
    """What a prior says of latents: ``E log p(z) = -1/2 sum_j [(s^2 + m^2) precision - 2 m weighted] - 1/2 constant``."""

    precision: Float[np.ndarray, "batch latent"]
    weighted: Float[np.ndarray, "batch latent"]
    constant: Float[np.ndarray, " batch"]

    @classmethod
    def standard(cls, rows: int, *, latent: int) -> "Pull":
        """That of N(0, 1)."""
        return cls(np.ones((rows, latent)), np.zeros((rows, latent)), np.full(rows, latent * LOG_2PI))


class Alternated(NamedTuple):
    """An autoencoder, the tree of its latents, and these."""

    step: Variational
    found: Found
    points: Points


def alternate(
    rows: Rows,
    plan: Plan,
    prior: Prior,
    *,
    training: Training,
    checkpoint: Checkpoint | None = None,
    say: Say = lambda line: None,
) -> Alternated:
    """Pre-train, make a tree of the latents, train both in turns, and sweep the tree a last time.

    A training that was stopped goes on from its checkpoint, and ends with the same bits.

    Raises:
        InputError: for a checkpoint of another training, and a device whose memory does not hold half a batch.
        MissingExtraError: where torch is not installed.
    """
    from threadpoolctl import threadpool_limits

    torch = import_torch(purpose="a variational autoencoder")
    with one_thread(torch), threadpool_limits(limits=1):
        networks, keeper = Networks.new(rows.shape[1], training), Keeper(checkpoint)
        if keeper.began_with is not None:
            say("goes on behind epoch {1} of the phase {0!r}, by its checkpoint".format(*keeper.began_with))
        networks.train_plain(rows, epochs=training.plain_epochs, keeper=keeper, say=say)
        optimiser = networks.optimiser(training.rate)
        done = keeper.resume("tree", networks, optimiser) or 0
        points = networks.posterior(rows)
        tree, levels = keeper.tree(plan.limits) if done else _first_tree(points, prior, plan, say=say)
        for epoch in range(done + 1, training.epochs + 1):
            points = networks.posterior(rows)
            fit = _swept(tree, levels, points, prior, sweeps=SWEEPS)
            tree, levels = fit.tree, fit.levels
            weight = min(1.0, (epoch - 1) / training.warm)
            loss = networks.epoch(rows, optimiser, weight=weight, prior_of=_pull_of(fit, points, prior), say=say)
            say(f"epoch {epoch} with the tree: loss {loss:.6g}, bound {fit.bound:.6g}, {len(tree)} nodes")
            held = tree_state(tree, levels) if checkpoint else None
            keeper.save("tree", networks, optimiser, done=epoch, last=epoch == training.epochs, tree=held)
        step = networks.step()
        points = step.posterior(rows)
        found = tidied(_swept(tree, levels, points, prior, sweeps=LAST_SWEEPS), points, prior)
    return Alternated(step, found, points)


def train_plain(rows: Rows, *, training: Training, epochs: int, say: Say = lambda line: None) -> Variational:
    """A plain variational autoencoder: what a tree's is compared with.

    Raises:
        MissingExtraError: where torch is not installed.
    """
    torch = import_torch(purpose="a variational autoencoder")
    with one_thread(torch):
        networks = Networks.new(rows.shape[1], training)
        networks.train_plain(rows, epochs=epochs, keeper=Keeper(None), say=say)
        return networks.step()


def _first_tree(points: Points, prior: Prior, plan: Plan, *, say: Say) -> tuple[Tree, Levels | None]:
    """A tree of the plain autoencoder's latents."""
    fit = converge(begin(points, prior, plan), points, prior, sweeps=FIRST_SWEEPS, say=say)
    if plan.surgery:
        fit = operate(fit, points, prior, seed=plan.seed, say=say)
    return fit.tree, fit.levels


def _swept(tree: Tree, levels: Levels | None, points: Points, prior: Prior, *, sweeps: int) -> Fit:
    """A tree on new latents."""
    fit = expect(tree, points, prior, levels=levels)
    for _ in range(sweeps):
        fit = sweep(fit, points, prior)
    return fit


def _pull_of(fit: Fit, points: Points, prior: Prior) -> PriorOf:
    """What the tree says of a batch, by responsibilities that are those of an epoch's beginning."""
    tree = fit.tree
    precision = np.broadcast_to(1 / tree.variance, tree.mean.shape)
    constant = (tree.mean**2 * precision - np.log(precision) + LOG_2PI).sum(axis=1)

    def pull(rows: Int[np.ndarray, " batch"]) -> Pull:
        weight = level_weights(prior, fit.levels, rows)
        path, _ = path_step(tree, tree.log_densities(points.take(rows)), weight)
        emitted = emissions(tree.shape, path, through_nodes(tree.shape, path), weight) / weight.sum(axis=0)
        return Pull(emitted.T @ precision, emitted.T @ (tree.mean * precision), emitted.T @ constant)

    return pull


class Networks:
    """An encoder and a decoder as torch's tensors on a device, in float32."""

    def __init__(self, encoder: Layers, decoder: Layers, log_noise: Any, training: Training, random: Any):
        self.encoder, self.decoder, self.log_noise = encoder, decoder, log_noise
        self.training, self.random = training, random
        self.batch, self.halved = training.batch, False

    @classmethod
    def new(cls, columns: int, training: Training) -> "Networks":
        """He's initial weights, drawn on the CPU so that every device starts alike."""
        torch = import_torch()
        random = torch.Generator().manual_seed(training.seed)
        sizes = (columns, *training.hidden)
        encoder = _layers((*sizes, 2 * training.latent), random=random, device=training.device)
        decoder = _layers((training.latent, *sizes[::-1]), random=random, device=training.device)
        log_noise = torch.zeros((), device=training.device, requires_grad=training.likelihood == "gaussian")
        return cls(encoder, decoder, log_noise, training, random)

    def optimiser(self, rate: float) -> Any:
        """Adam over all weights."""
        parameters = [part for layers in (self.encoder, self.decoder) for layer in layers for part in layer]
        noise = [self.log_noise] if self.log_noise.requires_grad else []
        return import_torch().optim.Adam([*parameters, *noise], lr=rate)

    def state(self) -> dict[str, Any]:
        """All that changes while they are trained, but for the optimiser's own."""
        layers = {name: [[part.detach() for part in one] for one in getattr(self, name)] for name in ("encoder", "decoder")}
        noise, drawn = self.log_noise.detach(), self.random.get_state()
        return {**layers, "log_noise": noise, "random": drawn, "batch": self.batch, "halved": self.halved}

    def restore(self, state: dict[str, Any]) -> None:
        """The networks as they were; a ``ValueError`` or the like for the state of others."""
        with import_torch().no_grad():
            for name in ("encoder", "decoder"):
                for mine, other in zip(getattr(self, name), state[name], strict=True):
                    for part, value in zip(mine, other, strict=True):
                        part.copy_(value)
            self.log_noise.copy_(state["log_noise"])
        self.random.set_state(state["random"])
        self.batch, self.halved = int(state["batch"]), bool(state["halved"])

    def train_plain(self, rows: Rows, *, epochs: int, keeper: Keeper, say: Say) -> None:
        """Epochs with the prior N(0, 1); none where what is kept is of a later phase."""
        optimiser, how = self.optimiser(self.training.plain_rate), self.training
        done = keeper.resume("plain", self, optimiser)
        if done is None:
            return
        for epoch in range(done + 1, epochs + 1):
            weight = min(1.0, (epoch - 1) / how.plain_warm)
            loss = self.epoch(
                rows, optimiser, weight=weight, prior_of=lambda batch: Pull.standard(len(batch), latent=how.latent), say=say
            )
            say(f"epoch {epoch} of the plain autoencoder: loss {loss:.6g}")
            keeper.save("plain", self, optimiser, done=epoch, last=epoch == epochs)

    def epoch(self, rows: Rows, optimiser: Any, *, weight: float, prior_of: PriorOf, say: Say = lambda line: None) -> float:
        """All rows once, in random batches; the mean loss.

        Where the device's memory does not hold a batch, the epoch begins anew with half of it, once.
        """
        torch, how = import_torch(), self.training
        try:
            return self._epoch(rows, optimiser, weight=weight, prior_of=prior_of)
        except torch.cuda.OutOfMemoryError as error:
            if self.halved or self.batch < 2:
                raise InputError(
                    f"the memory of {how.device} does not hold a batch of {self.batch} points; take --device cpu"
                ) from error
            self.halved, self.batch = True, self.batch // 2
            say(
                f"the memory of {self.training.device} does not hold {2 * self.batch} points at once; goes on with {self.batch}"
            )
            return self.epoch(rows, optimiser, weight=weight, prior_of=prior_of, say=say)

    def _epoch(self, rows: Rows, optimiser: Any, *, weight: float, prior_of: PriorOf) -> float:
        torch, total = import_torch(), 0.0
        order = torch.randperm(len(rows), generator=self.random).numpy()
        for low in range(0, len(rows), self.batch):
            batch = order[low : low + self.batch]
            optimiser.zero_grad()
            loss = self._loss(rows[batch], prior_of(batch), weight=weight)
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(batch)
        return total / len(rows)

    def _loss(self, rows: Rows, pull: Pull, *, weight: float) -> Any:
        torch = import_torch()
        x, *prior = (self._tensor(part) for part in (rows, *pull))
        m, log_variance = self._encoded(x)
        variance = log_variance.exp()
        drawn = torch.randn(m.shape, generator=self.random).to(m.device)
        found = forward(m + variance.sqrt() * drawn, self.decoder)
        explained = self._log_likelihood(x, found)
        log_prior = -0.5 * ((variance + m**2) * prior[0] - 2 * m * prior[1]).sum(dim=1) - 0.5 * prior[2]
        entropy = 0.5 * (log_variance + LOG_2PI + 1).sum(dim=1)
        return -(explained + weight * (log_prior + entropy)).mean()

    def _encoded(self, x: Any) -> tuple[Any, Any]:
        found = forward(x, self.encoder)
        return found[:, : self.training.latent], found[:, self.training.latent :].clamp(*LOG_VARIANCES)

    def _log_likelihood(self, x: Any, found: Any) -> Any:
        torch = import_torch()
        if self.training.likelihood == "bernoulli":
            return -torch.nn.functional.binary_cross_entropy_with_logits(found, x, reduction="none").sum(dim=1)
        return -0.5 * (LOG_2PI + self.log_noise + (x - found) ** 2 / self.log_noise.exp()).sum(dim=1)

    def _tensor(self, array: np.ndarray) -> Any:
        return import_torch().from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self.training.device)

    def posterior(self, rows: Rows) -> Points:
        """q(z | x) of every row."""
        torch, parts = import_torch(), []
        with torch.no_grad():
            for part in batches(len(rows), nodes=max(self.training.hidden)):
                parts.append([one.double().cpu().numpy() for one in self._encoded(self._tensor(rows[part]))])
        m, log_variance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return Points(m, np.exp(log_variance))

    def step(self) -> Variational:
        """What encodes and decodes, in numpy."""
        layers = (_arrays(self.encoder), _arrays(self.decoder))
        return Variational(*layers, self.training.likelihood, float(self.log_noise.detach()))


def _layers(sizes: tuple[int, ...], *, random: Any, device: str) -> Layers:
    return tuple(_drawn(sizes, random=random, device=device))


def _drawn(sizes: tuple[int, ...], *, random: Any, device: str) -> Iterator[tuple[Any, Any]]:
    torch = import_torch()
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes), start=2):
        gain = math.sqrt((1 if number == len(sizes) else 2) / fan_in)
        weight = gain * torch.randn(fan_in, fan_out, generator=random)
        yield weight.to(device).requires_grad_(), torch.zeros(fan_out, device=device).requires_grad_()


def _arrays(layers: Layers) -> Layers:
    return tuple(tuple(part.detach().cpu().numpy() for part in layer) for layer in layers)
