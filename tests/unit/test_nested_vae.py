"""Autoencoders with a nested-CRP tree as their prior: records, likelihoods, determinism, digits."""

from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.datasets import load_digits
from sklearn.metrics import normalized_mutual_info_score

from cfgraph.errors import InputError
from cfgraph.files.arrays import check_points
from cfgraph.judging.dendrogram import Dendrogram
from cfgraph.judging.flat import cut_level
from cfgraph.learning import checkpoint
from cfgraph.learning.encoders import Standardise, Variational, dump_encoder, load_encoder
from cfgraph.learning.nested.autoencoder import FLOOR, Networks, Pull, Training, _pull_of, alternate, train_plain
from cfgraph.learning.nested.fit import Plan
from cfgraph.learning.nested.keeping import Keeper
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.learning.nested.likelihood import Mixture, negative_log_likelihood
from cfgraph.learning.nested.model import Points, Prior
from cfgraph.learning.nested.start import split
from cfgraph.learning.nested.sweep import emissions, path_step, through_nodes
from cfgraph.sources.hcrl import Asked, hcrl, learn
from cfgraph.sources.preparation import Rows
from tests.unit.test_hcrl import ASKED

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="an autoencoder needs torch")
RANDOM = np.random.default_rng(0)
DATA = np.clip(
    0.5 + 0.4 * np.sign(RANDOM.normal(size=(4, 6)))[RANDOM.integers(4, size=200)] + 0.05 * RANDOM.normal(size=(200, 6)), 0, 1
)
BRIEF = Training(latent=2, likelihood="bernoulli", hidden=(8,), plain_epochs=5, epochs=3, plain_warm=2, warm=2)


def layers(random, *sizes):
    return tuple((random.normal(size=size), random.normal(size=size[1])) for size in pairwise(sizes))


def step_of(likelihood="bernoulli", latent=2, columns=5):
    random = np.random.default_rng(1)
    return Variational(layers(random, columns, 4, 2 * latent), layers(random, latent, 4, columns), likelihood, log_noise=-0.5)


def prior_of(levels, latent=2, **others):
    return Prior(**{"weights": (1.0,) * levels, "floor": FLOOR, "middle": np.zeros(latent), "diagonal": True, **others})


def test_an_autoencoder_is_a_step_and_comes_back():
    rows = RANDOM.uniform(size=(7, 5))
    for likelihood in ("bernoulli", "gaussian"):
        step = step_of(likelihood)
        record = dump_encoder(Standardise(np.zeros(5), np.ones(5)), step)
        again = load_encoder(record)
        np.testing.assert_array_equal(again.encode(rows), step.apply(rows))
        np.testing.assert_array_equal(again.steps[-1].decode(step.apply(rows)), step.decode(step.apply(rows)))
        assert again.steps[-1].posterior(rows).variance.shape == (7, 2)
        inside = step.decode(step.apply(rows))
        assert ((inside > 0) & (inside < 1)).all() == (likelihood == "bernoulli")


def test_autoencoders_that_are_none_are_refused():
    step = step_of()
    arrays, settings = step.arrays(), step.settings()
    broken = [
        (arrays, {**settings, "likelihood": "poisson"}),
        (arrays, {}),
        ({**arrays, "encoder0.weight": arrays["encoder0.weight"][:, :2]}, settings),
        ({**arrays, "encoder0.weight": arrays["encoder0.weight"] * np.nan}, settings),
        (
            {**arrays, "decoder1.weight": arrays["decoder1.weight"][:, :2], "decoder1.bias": arrays["decoder1.bias"][:2]},
            settings,
        ),
        ({**arrays, "more": np.zeros(1)}, settings),
        ({}, settings),
    ]
    for one in broken:
        with pytest.raises(InputError, match="expected"):
            Variational.restore(*one)


def test_log_likelihoods_are_those_of_the_distributions():
    rows, z = (RANDOM.uniform(size=(3, 5)) > 0.5).astype(float), RANDOM.normal(size=(3, 2))
    mean = step_of().decode(z)
    np.testing.assert_allclose(step_of().log_likelihood(rows, z), np.log(np.where(rows == 1, mean, 1 - mean)).sum(axis=1))
    step = step_of("gaussian")
    np.testing.assert_allclose(step.log_likelihood(rows, z), norm.logpdf(rows, step.decode(z), np.exp(-0.25)).sum(axis=1))


def test_the_mixture_is_one_and_importance_sampling_finds_the_likelihood():
    """Where decoder and encoder are linear the likelihood is known: x = W z + noise, z of a mixture of two."""
    weight = np.array([[1.0, 0.5, 0.0]])
    mixture = Mixture(np.array([0.3, 0.7]), np.array([[1.0], [-2.0]]), np.array([[0.5], [0.2]]))
    z = np.array([[0.4], [-1.0]])
    exact = np.log(0.3 * norm.pdf(z, 1, 0.5**0.5) + 0.7 * norm.pdf(z, -2, 0.2**0.5))[:, 0]
    np.testing.assert_allclose(mixture.log_density(z), exact)
    encoder = ((np.hstack([weight.T / 1.5, np.zeros((3, 1))]), np.array([0.0, -1.0])),)
    step = Variational(encoder, ((weight, np.zeros(3)),), "gaussian", log_noise=-1.0)
    rows = np.array([[1.0, 0.2, 0.1], [-2.0, -1.0, 0.4]])
    parts = [
        share * multivariate_normal.pdf(rows, mu * weight[0], weight.T @ weight * v + np.exp(-1) * np.eye(3))
        for share, mu, v in ((0.3, 1.0, 0.5), (0.7, -2.0, 0.2))
    ]
    found = negative_log_likelihood(step, mixture, rows, draws=4000)
    np.testing.assert_allclose(found, -np.log(sum(parts)), atol=0.05)


def test_what_a_tree_says_of_latents_is_the_mean_over_its_nodes():
    points = Points(RANDOM.normal(size=(60, 2)), RANDOM.uniform(0.1, 1, size=(60, 2)))
    for diagonal in (False, True):
        prior = prior_of(3, diagonal=diagonal)
        fit = split(points, prior, limits=(2, 2), seed=0)
        rows, tree = np.array([5, 3, 17]), fit.tree
        density = tree.log_densities(points.take(rows))
        weight = np.ones((3, 1))
        path, _ = path_step(tree, density, weight)
        wanted = (emissions(tree.shape, path, through_nodes(tree.shape, path), weight) / 3 * density).sum(axis=0)
        pull = _pull_of(fit, points, prior)(rows)
        m, variance = points.mean[rows], points.variance[rows]
        found = -0.5 * ((variance + m**2) * pull.precision - 2 * m * pull.weighted).sum(axis=1) - 0.5 * pull.constant
        np.testing.assert_allclose(found, wanted)
    standard = Pull.standard(3, latent=2)
    assert (standard.precision == 1).all()


@needs_torch
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("free", [False, True])
def test_training_in_turns_is_the_same_every_time(likelihood, free):
    plan, prior = Plan(limits=(2, 2), start="split", surgery=False, seed=0), prior_of(3)
    prior = replace(prior, weights=None) if free else prior
    how, told = replace(BRIEF, likelihood=likelihood), []
    one = alternate(DATA, plan, prior, training=how, say=told.append)
    again = alternate(DATA, plan, prior, training=how)
    assert dump_encoder(one.step).digest == dump_encoder(again.step).digest
    np.testing.assert_array_equal(one.found.fit.tree.mean, again.found.fit.tree.mean)
    assert sum("plain" in line for line in told) == 5
    assert sum("with the tree" in line for line in told) == 3
    assert (one.found.fit.tree.variance >= FLOOR).all()
    np.testing.assert_array_equal(one.points.mean, one.step.posterior(DATA).mean)
    mixture = Mixture.of(one.found.fit, prior)
    assert mixture.weight.sum() == pytest.approx(1)
    assert np.isfinite(negative_log_likelihood(one.step, mixture, DATA[:5], draws=3)).all()


@needs_torch
def test_latents_in_numpy_are_those_in_torch():
    networks = Networks.new(6, BRIEF)
    one, other = networks.posterior(DATA), networks.step().posterior(DATA)
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-4)


@needs_torch
def test_a_plain_autoencoder_learns():
    how, losses = replace(BRIEF, hidden=(16,)), []
    train_plain(DATA, training=how, epochs=30, say=lambda line: losses.append(float(line.split("loss ")[1])))
    assert losses[-1] < losses[0]


@needs_torch
def test_a_hierarchy_of_latents_finds_its_points_and_is_decoded(monkeypatch):
    monkeypatch.setattr(Asked, "training", BRIEF)
    asked = Asked.checked(**{**ASKED, "encoder": "vae", "depth": 2})
    found = learn(Rows(check_points(DATA, where="it")), id="it", asked=asked)
    tree, cells = LearnedTree.of(found.encoder), found.cells
    applied = tree.apply(DATA)
    assert applied.address == [cells.addresses[cell] for cell in found.cell_of_point.tolist()]
    assert found.dimension == 2
    assert found.recipe["encoder"] == "vae"
    image = tree.reconstruct("/0")
    assert image.shape == (6,)
    assert ((image > 0) & (image < 1)).all()


class StoppedError(Exception):
    """What somebody did."""


def stopping(words):
    def say(line):
        if line.startswith(words):
            raise StoppedError

    return say


@needs_torch
@pytest.mark.parametrize(
    ("words", "levels"),
    [("epoch 3 of the plain", "fixed"), ("epoch 2 with the tree", "fixed"), ("epoch 3 with the tree", "free")],
)
def test_a_training_that_was_stopped_goes_on_with_the_same_bits(tmp_path, monkeypatch, words, levels):
    monkeypatch.setattr(Asked, "training", BRIEF)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    asked = {"id": "it", "data": DATA, "encoder": "vae", "latent": 2, "depth": 2, "branching": 2, "levels": levels}
    whole, kept, told = hcrl(**asked), tmp_path / "kept", []
    with pytest.raises(StoppedError):
        hcrl(**asked, checkpoint=kept, say=stopping(words))
    for _ in range(2):  # the second finds it done
        again = hcrl(**asked, checkpoint=kept, say=told.append)
        assert again.encoder.digest == whole.encoder.digest
        assert again.cells.center.tobytes() == whole.cells.center.tobytes()
    assert told[0].startswith("goes on behind epoch")
    with pytest.raises(InputError, match="of another training: seed is 0 there and 1 here"):
        hcrl(**asked, seed=1, checkpoint=kept)


@needs_torch
def test_a_checkpoint_that_is_none_or_of_others_is_refused(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(Asked, "training", BRIEF)
    asked, kept = {"id": "it", "data": DATA, "encoder": "vae", "latent": 2, "depth": 2, "branching": 2}, tmp_path / "kept"
    with pytest.raises(InputError, match="say --encoder vae"):
        hcrl(id="it", data=DATA, checkpoint=kept)
    kept.write_bytes(b"none")
    with pytest.raises(InputError, match="is no checkpoint"):
        hcrl(**asked, checkpoint=kept)
    kept.unlink()
    hcrl(**asked, checkpoint=kept)
    whole = torch.load(kept, weights_only=True)
    for changed in ({"tree": {}}, {"networks": {}}, {"optimiser": {}}, {"phase": "tree", "done": "x"}):
        torch.save({**whole, **changed}, kept)
        with pytest.raises(InputError, match="the checkpoint"):
            hcrl(**asked, checkpoint=kept)


@needs_torch
def test_a_batch_that_memory_does_not_hold_is_halved_once(monkeypatch):
    import torch

    networks, told, most = Networks.new(6, replace(BRIEF, batch=64)), [], 40
    lossy = Networks._loss

    def small(self, rows, pull, *, weight):
        if len(rows) > most:
            raise torch.cuda.OutOfMemoryError
        return lossy(self, rows, pull, weight=weight)

    monkeypatch.setattr(Networks, "_loss", small)
    networks.train_plain(DATA, epochs=2, keeper=Keeper(None), say=told.append)
    assert told[0] == "the memory of cpu does not hold 64 points at once; goes on with 32"
    assert len(told) == 3
    most = 20
    with pytest.raises(InputError, match="does not hold a batch of 32 points"):
        networks.train_plain(DATA, epochs=1, keeper=Keeper(None), say=told.append)


@needs_torch
def test_a_device_that_is_none_is_refused():
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        Asked.checked(**{**ASKED, "encoder": "vae", "device": "abacus"})


@needs_torch
@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="there is no GPU")
def test_cuda_loses_as_cpu_does():
    losses = {}
    for device in ("cpu", "cuda"):
        networks = Networks.new(6, replace(BRIEF, device=device))
        networks.train_plain(
            DATA,
            epochs=1,
            keeper=Keeper(None),
            say=lambda line, device=device: losses.update({device: float(line.split("loss ")[1])}),
        )
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-3)


@needs_torch
@pytest.mark.slow("nine autoencoders at full size: minutes")
@pytest.mark.parametrize("seed", range(3))
def test_digits_are_clustered_and_explained_better_than_by_a_plain_one(seed):
    data, digit = load_digits(return_X_y=True)
    order, data = np.random.default_rng(seed).permutation(len(data)), data / 16
    known, held_out = data[order[:1437]], data[order[1437:]]
    how, prior = Training(latent=10, likelihood="bernoulli", seed=seed), prior_of(4, latent=10)
    plan = Plan(limits=(3, 3, 3), start="split", surgery=False, seed=seed)
    whole = alternate(data, plan, prior, training=how).found.fit
    tree = Dendrogram(parent=whole.tree.shape.parent, cell_of_point=whole.sums.end)
    assert normalized_mutual_info_score(digit, cut_level(tree, 2)) >= 0.75
    assert normalized_mutual_info_score(digit, whole.sums.end) >= 0.75
    found = alternate(known, plan, prior, training=how)
    plain = train_plain(known, training=how, epochs=how.plain_epochs + how.epochs)
    with_tree = negative_log_likelihood(found.step, Mixture.of(found.found.fit, prior), held_out).mean()
    assert with_tree <= negative_log_likelihood(plain, Mixture.standard(10), held_out).mean() - 0.2
