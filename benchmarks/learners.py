"""``python -m benchmarks.learners``: what learners of hierarchies reach, each beside its rivals, as tables; CPU seconds.

Prints Markdown; a whole run writes docs/learners.md. Sets that are not scikit-learn's own lie beside the project, and rows
about them are left out where they are not there.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from benchmarks.machine import describe_machine, load_now, peak_bytes
from cfgraph import defaults
from cfgraph.judging.against_data import dendrogram_purity
from cfgraph.judging.by_level import hierarchical_f
from cfgraph.judging.dendrogram import Dendrogram

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cfgraph.model.hierarchy import HierarchyWithCells

SHARED = Path(__file__).parents[2] / "shared" / "data"
DOCUMENT = Path(__file__).parents[1] / "docs" / "learners.md"
SEEDS = range(4)
SMALL = 1_000  # points up to which the relaxation has its four seeds, too
PURITY_POINTS = 12_000
NEW_POINTS = 5_000  # up to which new data are tried
NEW_SEEDS = range(3)
BEAMS = (1, 4, 16)
FLAT = ("iris", "wine", "digits", "optdigits")  # for flat clusterings
MADE_POINTS, MADE_DIMENSION, MADE_CLUSTERS = 50_000, 32, 50
MANY_POINTS, MANY_LEAF = 1_000_000, 8
HCRL_SEEDS, HCRL_POINTS, HCRL_DIMENSION, HCRL_LEVELS = range(3), 2_000, 50, 3
LATENT_SEEDS = range(3)
LATENT_WAYS: dict[str, dict] = {
    "`ingest infohier`": {},
    "`ingest infohier --lambda-hierarchical 0`, contrastive alone": {"lambda_hierarchical": 0},
}
MEANS_ARITY, MEANS_DEPTH = 2, 9
WORDS, TOPICS, DOCUMENTS, DIRECTIONS = 5_000, 20, 1_000, 50
HYPHC = {"zoo": 2.805e5, "iris": 7.880e5, "wine": 1.567e6}  # its own code's best of 4 seeds, twice the cost, as it prints it


class Set(NamedTuple):
    """Points with classes."""

    name: str
    data: np.ndarray
    classes: np.ndarray


class Timed(NamedTuple):
    """What something gave, and the CPU seconds that it took."""

    value: object
    seconds: float


def timed(work: Callable[[], object]) -> Timed:
    """Do it once."""
    begin = time.process_time()
    value = work()
    return Timed(value, time.process_time() - begin)


def known_sets() -> Iterator[Set]:
    """Those of the table, from small to large."""
    from sklearn.datasets import load_digits, load_iris, load_wine

    uci = np.load(SHARED / "uci_benchmarks.npz") if (SHARED / "uci_benchmarks.npz").exists() else None
    if uci is not None:
        yield Set("zoo", uci["zoo_x"], uci["zoo_y"])
    yield Set("iris", *load_iris(return_X_y=True))
    yield Set("wine", *load_wine(return_X_y=True))
    if uci is not None:
        yield Set("glass", uci["glass_identification_x"], uci["glass_identification_y"])
    yield Set("digits", *load_digits(return_X_y=True))
    if uci is not None:
        name = "optical_recognition_of_handwritten_digits"
        yield Set("optdigits", uci[f"{name}_x"], uci[f"{name}_y"])
    cifar = SHARED / "cifar100_test_emb_r20.npz"
    if cifar.exists():
        loaded = np.load(cifar)
        labels = next(loaded[key] for key in loaded.files if key == "fine")
        yield Set("CIFAR-100, 64-d embeddings", loaded["emb64"].astype(np.float64), labels)


def similar_rows(data: np.ndarray) -> np.ndarray:
    """The rows whose products are the similarities."""
    from cfgraph.sources.similarity import feature_rows, standardise, to_unit_rows

    return feature_rows(to_unit_rows(standardise(data).values)[0])


def purity(children: np.ndarray, classes: np.ndarray) -> float:
    """Dendrogram purity of a tree of merges."""
    from cfgraph.files.labels import Labels
    from cfgraph.formats.linkage import merges_dag
    from cfgraph.judging.evaluate import evaluate
    from cfgraph.sources.imported import imported

    tree = imported(merges_dag(children, points=len(classes)), id="judged", origin="linkage")
    return evaluate(tree, labels=Labels(classes)).dendrogram_purity


def dasgupta_rows(one: Set) -> Iterator[list[str]]:
    """A set's rows of the table: each way, its cost, its purity, its CPU seconds."""
    from scipy.cluster.hierarchy import linkage

    from cfgraph.sources import dasgupta
    from cfgraph.sources.bisecting import bisect
    from cfgraph.sources.regrafting import FeatureSimilarities, tree_cost

    rows = similar_rows(one.data)
    similarities, points = FeatureSimilarities(rows), len(rows)
    whole = rows.sum(axis=0)
    total = points * float(whole @ whole - np.einsum("pd,pd->", rows, rows)) / 2

    def row(way: str, children: np.ndarray, seconds: float) -> list[str]:
        cost = float(tree_cost(children, similarities).sum())
        judged = f"{purity(children, one.classes):.3f}" if points <= PURITY_POINTS else "-"
        return [one.name, f"{points:,}", way, f"{2 * cost:.4g}", f"{cost / total:.5f}", judged, f"{seconds:.2f}"]

    upper = np.triu_indices(points, 1)
    average = timed(lambda: linkage(np.maximum(1 - (rows @ rows.T)[upper], 0), "average")[:, :2].astype(np.int64))
    yield row("average linkage (SciPy)", average.value, average.seconds)
    ward = timed(lambda: linkage(rows, "ward")[:, :2].astype(np.int64))
    yield row("Ward (SciPy)", ward.value, ward.seconds)
    halves = timed(lambda: bisect(rows, random=np.random.default_rng(0)).children)
    yield row("bisecting 2-means", halves.value, halves.seconds)
    if one.name in HYPHC:
        printed = ["-", "-", "-"]
        yield [one.name, f"{points:,}", "HypHC, its own code's best of 4 (measured apart)", f"{HYPHC[one.name]:.4g}", *printed]
    fits = ["search"] + (["relaxed alone", "relaxed"] if points <= SMALL else [])
    for fit in fits:
        seeds = SEEDS if points <= SMALL else SEEDS[:1]
        how = {"fit": fit.split()[0], "refine": fit != "relaxed alone", "starts": 1}
        found = [timed(lambda seed=seed, how=how: dasgupta(id="it", data=one.data, seed=seed, **how)) for seed in seeds]
        trees = [merges_of(result.value) for result in found]
        costs = [float(tree_cost(tree, similarities).sum()) for tree in trees]
        best = int(np.argmin(costs))
        told = f"`ingest dasgupta{'' if fit == 'search' else ' --fit relaxed'}{' --no-refine' if 'alone' in fit else ''}`"
        told += f", best of {len(seeds)} seeds" if len(seeds) > 1 else ""
        yield row(told, trees[best], max(result.seconds for result in found))


def merges_of(hierarchy) -> np.ndarray:
    """The merges of a hierarchy, as SciPy numbers them."""
    from cfgraph.formats.linkage import to_linkage

    return to_linkage(hierarchy)[:, :2].astype(np.int64)


def hcrl_rows() -> Iterator[list[str]]:
    """Nested-CRP trees beside recursive k-means and Ward's tree of as many leaves, the worst and the mean of seeds."""
    for deviation in (0.5, 1.0, 1.5):
        made = [made_tree(seed, deviation) for seed in HCRL_SEEDS]
        given = [(data, [leaf // 4, leaf // 2, leaf]) for data, leaf in made]
        yield from seed_rows(f"made, deviation {deviation:g}", given, branching=2)
    for one in known_sets():
        if one.name in ("digits", "optdigits"):
            given = [(first_components(one.data, seed=seed), [one.classes]) for seed in HCRL_SEEDS]
            yield from seed_rows(one.name, given, branching=3)


def seed_rows(name: str, given: list[tuple[np.ndarray, list[np.ndarray]]], *, branching: int) -> Iterator[list[str]]:
    """A row a way."""
    seeds = [list(hcrl_ways(data, labels, seed=seed, branching=branching)) for seed, (data, labels) in enumerate(given)]
    for found in zip(*seeds, strict=True):
        nodes = "-".join(str(count) for count in sorted({min(one.nodes for one in found), max(one.nodes for one in found)}))
        several = "-" if found[0].several is None else worst_and_mean([one.several for one in found])
        purities, seconds = worst_and_mean([one.purity for one in found]), max(one.seconds for one in found)
        yield [name, found[0].way, nodes, purities, several, f"{seconds:.2f}"]


def worst_and_mean(values: list[float]) -> str:
    """Of values of which higher ones are better."""
    return f"{min(values):.3f}, {np.mean(values):.3f}"


class Judged(NamedTuple):
    """What a way gave for one seed."""

    way: str
    nodes: int
    purity: float
    several: float | None  # hierarchical F, where labels have several levels
    seconds: float

    @classmethod
    def of(cls, way: str, found: Timed, tree: Dendrogram, labels: list[np.ndarray]) -> "Judged":
        """Of a tree."""
        several = hierarchical_f(tree, labels).f if len(labels) > 1 else None
        return cls(way, tree.cells, dendrogram_purity(tree, labels[-1]), several, found.seconds)


def made_tree(seed: int, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """Points around the leaves of a binary tree whose steps halve from level to level (2, 1, 1/2), and their leaves."""
    random, means = np.random.default_rng(seed), np.zeros((1, HCRL_DIMENSION))
    for step in (2.0, 1.0, 0.5):
        means = np.repeat(means, 2, axis=0)
        means += step * random.normal(size=means.shape)
    leaf = random.integers(len(means), size=HCRL_POINTS)
    return means[leaf] + deviation * random.normal(size=(HCRL_POINTS, HCRL_DIMENSION)), leaf


def first_components(data: np.ndarray, *, seed: int) -> np.ndarray:
    """The first 20 principal components."""
    from sklearn.decomposition import PCA

    return PCA(20, random_state=seed).fit_transform(data)


def hcrl_ways(data: np.ndarray, labels: list[np.ndarray], *, seed: int, branching: int) -> Iterator[Judged]:
    """Each way of one seed."""
    from scipy.cluster.hierarchy import linkage

    from cfgraph.sources import hcrl, points

    leaves = branching**HCRL_LEVELS
    ways = {
        f"`ingest hcrl --branching {branching}`": {},
        "`--covariance isotropic`": {"covariance": "isotropic"},
        "`--surgery`": {"surgery": True},
        "`--branching any`": {"branching": None},
        "`--branching any --levels free`": {"branching": None, "levels": "free"},
        f"no hierarchy: `--depth 1 --branching {leaves}`": {"depth": 1, "branching": leaves},
    }
    for way, options in ways.items():
        how = {"depth": HCRL_LEVELS, "branching": branching, **options}
        yield judged_hierarchy(way, lambda how=how: hcrl(id="it", data=data, seed=seed, **how), labels)
    how = {"depth": HCRL_LEVELS, "arity": branching, "seed": seed, "duplicates": "keep"}
    yield judged_hierarchy("recursive k-means (`ingest points`)", lambda: points(id="it", data=data, **how), labels)
    ward = timed(lambda: linkage(data, "ward"))
    yield Judged.of(f"Ward (SciPy), cut to {leaves} leaves", ward, cut_merges(ward.value, leaves), labels)


def judged_hierarchy(way: str, work: Callable[[], object], labels: list[np.ndarray]) -> Judged:
    """A hierarchy that is made, and judged."""
    found = timed(work)
    tree = Dendrogram(parent=found.value.cells.parent, cell_of_point=found.value.cell_of_point)
    return Judged.of(way, found, tree, labels)


def vae_rows() -> Iterator[list[str]]:
    """Autoencoders with a nested-CRP tree as their prior beside plain ones; likelihoods are of a fifth that is held out."""
    for one in known_sets():
        if one.name in ("digits", "optdigits"):
            seeds = [list(vae_ways(one, seed=seed)) for seed in HCRL_SEEDS]
            for found in zip(*seeds, strict=True):
                way, numbers = found[0][0], [each[1:] for each in found]
                shown = [" ".join("-" if x is None else f"{x:.3f}" for x in column) for column in zip(*numbers, strict=True)]
                yield [one.name, way, *shown]


def vae_ways(one: Set, *, seed: int) -> Iterator[tuple[str, float | None, float | None, float | None, float]]:
    """Of a seed: the way, NMI of nine clusters, dendrogram purity, negative log-likelihood of held-out rows, CPU seconds."""
    from scipy.cluster.hierarchy import linkage
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score as nmi

    from cfgraph.judging.flat import cut_clusters, cut_level
    from cfgraph.learning.nested.autoencoder import FLOOR, Training, alternate, train_plain
    from cfgraph.learning.nested.fit import Plan
    from cfgraph.learning.nested.likelihood import Mixture, negative_log_likelihood
    from cfgraph.learning.nested.model import Prior

    order, data = np.random.default_rng(seed).permutation(len(one.data)), one.data / one.data.max()
    cut = 4 * len(order) // 5
    known, held_out, classes = data[order[:cut]], data[order[cut:]], one.classes
    how = Training(latent=10, likelihood="bernoulli", seed=seed)
    for shape in ((3, 3, 3), (27,)):
        prior = Prior(weights=(1.0,) * (len(shape) + 1), floor=FLOOR, middle=np.zeros(10), diagonal=True)
        plan = Plan(limits=shape, start="split", surgery=False, seed=seed)
        done = timed(lambda plan=plan, prior=prior: alternate(data, plan, prior, training=how))
        fit, part = done.value.found.fit, alternate(known, plan, prior, training=how)
        tree = Dendrogram(parent=fit.tree.shape.parent, cell_of_point=fit.sums.end)
        flat = nmi(classes, cut_level(tree, 2)) if len(shape) > 1 else None
        loss = negative_log_likelihood(part.step, Mixture.of(part.found.fit, prior), held_out).mean()
        name = f"tree {' x '.join(map(str, shape))} as the prior"
        yield name, flat, dendrogram_purity(tree, classes), loss, done.seconds
    plain = timed(lambda: train_plain(known, training=how, epochs=how.plain_epochs + how.epochs))
    loss = negative_log_likelihood(plain.value, Mixture.standard(10), held_out).mean()
    yield "plain, N(0, 1) as the prior, as many epochs", None, None, loss, plain.seconds
    latents = train_plain(data, training=how, epochs=how.plain_epochs + how.epochs).apply(data)
    ward = timed(lambda: linkage(latents, "ward"))
    tree = cut_merges(ward.value, 27)
    yield (
        "Ward on the plain one's latents",
        nmi(classes, cut_clusters(tree, 9)),
        dendrogram_purity(tree, classes),
        None,
        ward.seconds,
    )
    means = timed(lambda: KMeans(9, n_init=5, random_state=seed).fit_predict(latents))
    yield "k-means on the plain one's latents", nmi(classes, means.value), None, None, means.seconds


def cut_merges(Z: np.ndarray, leaves: int) -> Dendrogram:
    """The last merges of a linkage, so that so many leaves are left."""
    from scipy.cluster.hierarchy import fcluster

    points, count = len(Z) + 1, 2 * leaves - 1
    cluster = fcluster(Z, leaves, "maxclust") - 1
    below = np.concatenate([np.arange(points), np.full(len(Z), -1)])  # a point below each merge
    top, parent = {}, np.full(count, -1)
    for merge, pair in enumerate(Z[:, :2].astype(int)):
        below[points + merge] = below[pair[0]]
        if merge >= points - leaves:
            row = len(Z) - 1 - merge
            for child in pair.tolist():
                parent[top.get(child, count - leaves + cluster[below[child]])] = row
            top[points + merge] = row
    height = np.zeros(count)
    height[: leaves - 1] = Z[::-1, 2][: leaves - 1]
    return Dendrogram(parent=parent, cell_of_point=count - leaves + cluster, height=height)


def large_rows() -> Iterator[list[str]]:
    """Sizes at which a matrix of all pairs is no longer thought of; each in a process of its own, which has no other peak."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    for points, how in ((MADE_POINTS, {"passes": 1}), (MANY_POINTS, {"leaf_size": MANY_LEAF})):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            note, seconds, more = pool.submit(_measure_large, points, how).result()
        words = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in how.items())
        yield [f"{points:,} x {MADE_DIMENSION}, made", f"`{words}`", note, f"{seconds:.0f}", f"{more:.1f}"]


def _measure_large(points: int, how: dict[str, int]) -> tuple[str, float, float]:
    """What came out, the CPU seconds, and by how many times the data's own size the peak of memory rose."""
    from cfgraph.sources import dasgupta

    dasgupta(id="it", data=made_points(100))  # what is loaded and made once
    data = made_points(points)
    before = peak_bytes()
    found = timed(lambda: dasgupta(id="it", data=data, **how))
    more = (peak_bytes() - before) / data.nbytes
    (note,) = (note for note in found.value.notes if note.startswith("Dasgupta"))
    return note, found.seconds, more


def made_points(count: int) -> np.ndarray:
    """Points of a mixture of Gaussians."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(MADE_CLUSTERS, MADE_DIMENSION))
    return centers[random.integers(MADE_CLUSTERS, size=count)] + 0.7 * random.normal(size=(count, MADE_DIMENSION))


def flat_rows(one: Set) -> Iterator[list[str]]:
    """Flat clusterings as logits, merged; beside linkages of all points."""
    from scipy.cluster.hierarchy import linkage

    from cfgraph.files.labels import Labels
    from cfgraph.judging.evaluate import evaluate
    from cfgraph.sources import logits
    from cfgraph.sources.similarity import standardise

    data, labels = standardise(one.data).values, Labels(one.classes)
    for method in ("average", "ward"):
        tree = timed(lambda method=method: linkage(data, method)[:, :2].astype(np.int64))
        judged = f"{purity(tree.value, one.classes):.3f}"
        yield [one.name, f"{method} linkage of all points (SciPy)", judged, f"{tree.seconds:.2f}"]
    for clustering in (f"{kind}:{times * len(set(one.classes.tolist()))}" for times in (1, 4) for kind in ("kmeans", "gmm")):
        for rule in defaults.LOGITS_LINKAGES:
            asked = {"clustering": clustering, "linkage": rule}
            trees = [timed(lambda seed=seed, asked=asked: logits(id="it", data=data, seed=seed, **asked)) for seed in SEEDS[:3]]
            found = [evaluate(tree.value, labels=labels).dendrogram_purity for tree in trees]
            told = f"`ingest logits --from {clustering} --linkage {rule}`"
            yield [one.name, told, " ".join(f"{value:.3f}" for value in found), f"{max(tree.seconds for tree in trees):.2f}"]


def class_rows() -> Iterator[list[str]]:
    """Classes of CIFAR-100 from the logits of two classifiers, against their 20 superclasses."""
    from cfgraph.sources.logits import merge_logits

    path = SHARED / "cifar100_test_logprobs.npz"
    if not path.exists():
        return
    loaded = np.load(path)
    superclass = np.zeros(100, dtype=np.int64)
    superclass[loaded["fine"]] = loaded["coarse"]
    for key, told in (("logp_wrn16_4", "WRN-16-4, 75.4 % right"), ("logp_lenet5", "LeNet-5, 12.5 % right")):
        for rule in defaults.LOGITS_LINKAGES:
            merges = timed(lambda key=key, rule=rule: merge_logits(loaded[key], linkage=rule))
            tree = np.column_stack([merges.value.group, merges.value.other])
            yield [told, f"`--linkage {rule}`", f"{purity(tree, superclass):.3f}", f"{merges.seconds:.2f}"]


def new_data_rows(one: Set) -> Iterator[list[str]]:
    """How many points a tree finds again that it was made of, and how well it names the class of new ones; mean of splits."""
    tried = [new_data(one, seed=seed) for seed in NEW_SEEDS]
    for row, beam in enumerate(BEAMS):
        own, right, pace, nearest = np.mean([split[row] for split in tried], axis=0)
        known = int(0.8 * len(one.data))
        sizes = f"{known:,} / {len(one.data) - known:,}"
        yield [one.name, sizes, str(beam), f"{own:.3f}", f"{right:.3f}", f"{nearest:.3f}", f"{pace:.0f}"]


def new_data(one: Set, *, seed: int) -> list[tuple[float, float, float, float]]:
    """Of one split, for each beam: found themselves, classes right, microseconds a point, right by the nearest neighbour."""
    from sklearn.neighbors import KNeighborsClassifier

    from cfgraph import apply, encode
    from cfgraph.sources import dasgupta

    order = np.random.default_rng(seed).permutation(len(one.data))
    known, new = np.split(order, [int(0.8 * len(order))])
    tree = dasgupta(id="it", data=one.data[known], starts=1)
    point_of = {tree.cells.addresses[cell]: point for point, cell in enumerate(tree.cell_of_point.tolist())}
    rows, classes = encode(tree, data=one.data[known]), one.classes[known]
    nearest = KNeighborsClassifier(1).fit(rows, classes).score(encode(tree, data=one.data[new]), one.classes[new])
    tried = []
    for beam in BEAMS:
        found = timed(lambda beam=beam: apply(tree, data=one.data[known], beam=beam))
        own = np.mean((rows[[point_of[address] for address in found.value]] == rows).all(axis=1))
        named = classes[[point_of[address] for address in apply(tree, data=one.data[new], beam=beam)]]
        right = np.mean(named == one.classes[new])
        tried.append((float(own), float(right), 1e6 * found.seconds / len(known), float(nearest)))
    return tried


def linear_probe(latents: np.ndarray, classes: np.ndarray) -> float:
    """The share of a fifth of the points whose class a logistic regression on the others names."""
    from sklearn.linear_model import LogisticRegression

    order = np.random.default_rng(0).permutation(len(latents))
    known, new = np.split(order, [int(0.8 * len(order))])
    return LogisticRegression(C=10, max_iter=2_000).fit(latents[known], classes[known]).score(latents[new], classes[new])


def infohier_rows() -> Iterator[list[str]]:
    """Digits: what trees on the pixels reach, and what latents do with and without the hierarchical loss."""
    from scipy.cluster.hierarchy import linkage
    from sklearn.datasets import load_digits

    from cfgraph.files.labels import Labels
    from cfgraph.judging.evaluate import evaluate
    from cfgraph.sources import infohier, points

    digits = load_digits()
    classes, pixels = digits.target, f"{linear_probe(digits.data / 16, digits.target):.3f}"

    def told(values: Iterator[float]) -> str:
        return " / ".join(f"{value:.3f}" for value in values)

    def judged(trees: list[Timed]) -> str:
        return told(evaluate(tree.value, labels=Labels(classes)).dendrogram_purity for tree in trees)

    def merged(rows: np.ndarray, *how: str) -> np.ndarray:
        return linkage(rows, *how)[:, :2].astype(np.int64)

    for way, how in {"average": ["average"], "average, by angles": ["average", "cosine"], "ward": ["ward"]}.items():
        tree = timed(lambda how=how: merged(digits.data, *how))
        yield [f"linkage of the pixels, {way}", pixels, "-", f"{purity(tree.value, classes):.3f}", f"{tree.seconds:.1f}"]
    means = {"data": digits.data, "arity": MEANS_ARITY, "depth": MEANS_DEPTH}
    trees = [timed(lambda seed=seed: points(id="it", seed=seed, **means)) for seed in LATENT_SEEDS]
    way = f"recursive k-means of the pixels, `ingest points --arity {MEANS_ARITY} --depth {MEANS_DEPTH}`"
    yield [way, pixels, "-", judged(trees), slowest(trees)]
    for way, more in LATENT_WAYS.items():
        asked = {"data": digits.data, **more}
        trees = [timed(lambda seed=seed, asked=asked: infohier(id="it", seed=seed, **asked)) for seed in LATENT_SEEDS]
        latents = [tree.value.cells.center[tree.value.cell_of_point] for tree in trees]
        probes = told(linear_probe(rows, classes) for rows in latents)
        average = told(purity(merged(rows, "average", "cosine"), classes) for rows in latents)
        yield [way, probes, average, judged(trees), slowest(trees)]


def text_rows() -> Iterator[list[str]]:
    """Texts: names of things by a language model's embeddings, and made documents by their words; three seeds."""
    for name, data, labels in known_texts():
        for way, make in text_ways(labels, sparse=not isinstance(data, np.ndarray)).items():
            trees = [timed(lambda seed=seed, make=make, data=data: make(data, seed)) for seed in LATENT_SEEDS]
            found = " / ".join(f"{dendrogram_purity(tree.value, labels):.3f}" for tree in trees)
            yield [name, way, found, slowest(trees)]


def known_texts() -> Iterator[tuple[str, "np.ndarray | csr_array", np.ndarray]]:
    """COCO's names in CLIP's space with their supercategories, and documents of made topics, tf-idf weighted."""
    path = SHARED / "clip_vitb32_text_detic.npz"
    if path.exists():
        loaded = np.load(path)
        labels = np.unique(loaded["coco_super"], return_inverse=True)[1]
        yield f"{len(labels)} names of COCO, CLIP ViT-B/32", loaded["coco"].astype(np.float64), labels
    rows, topic = made_documents()
    yield f"{rows.shape[0]:,} made documents, {rows.shape[1]:,} words, {topic.max() + 1} topics", rows, topic


def made_documents() -> tuple["csr_array", np.ndarray]:
    """Documents of 50 words, two fifths of a topic of their own, the others of the topic that all share, tf-idf weighted."""
    from scipy.sparse import csr_array

    random = np.random.default_rng(0)
    own, shared = random.dirichlet(np.full(WORDS, 0.05), size=TOPICS), random.dirichlet(np.full(WORDS, 0.5))
    topic = random.integers(TOPICS, size=DOCUMENTS)
    counts = np.stack([random.multinomial(50, (2 * own[one] + 3 * shared) / 5) for one in topic])
    weight = np.log(DOCUMENTS / (1 + (counts > 0).sum(axis=0))) + 1
    return csr_array(counts * weight), topic


def text_ways(labels: np.ndarray, *, sparse: bool) -> dict[str, Callable[["np.ndarray | csr_array", int], Dendrogram]]:
    """What makes a tree of texts, by what it is called. Rivals of sparse rows have the same directions, by scikit-learn."""
    from scipy.cluster.hierarchy import linkage
    from sklearn.decomposition import TruncatedSVD

    from cfgraph import sources

    classes = int(labels.max()) + 1
    few, told = ({"svd": DIRECTIONS}, f" --svd {DIRECTIONS}") if sparse else ({}, "")

    def rows_of(data: "np.ndarray | csr_array", seed: int) -> np.ndarray:
        rows = TruncatedSVD(DIRECTIONS, random_state=seed).fit_transform(data) if sparse else data
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def merged(method: str) -> Callable[["np.ndarray | csr_array", int], Dendrogram]:
        return lambda data, seed: dendrogram(sources.linkage(id="it", data=linkage(rows_of(data, seed), method)))

    def learned(source: str, **how: object) -> Callable[["np.ndarray | csr_array", int], Dendrogram]:
        return lambda data, seed: dendrogram(getattr(sources, source)(id="it", data=data, seed=seed, **how))

    depth = int(np.ceil(np.log2(classes))) + 1
    return {
        "average linkage of rows of length 1 (SciPy)": merged("average"),
        "Ward of rows of length 1 (SciPy)": merged("ward"),
        "recursive k-means of rows of length 1 (`ingest points --arity 2`)": lambda data, seed: dendrogram(
            sources.points(id="it", data=rows_of(data, seed), arity=2, depth=depth, seed=seed, duplicates="keep")
        ),
        f"`ingest logits --from kmeans:{2 * classes}`, of these": lambda data, seed: dendrogram(
            sources.logits(id="it", data=rows_of(data, seed), clustering=f"kmeans:{2 * classes}", seed=seed)
        ),
        f"`ingest dasgupta{told}`": learned("dasgupta", **few),
        f"`ingest hcrl{told or ' --pca 20'} --depth 2 --branching {classes},2`": learned(
            "hcrl", **(few or {"pca": 20}), depth=2, branching=(classes, 2)
        ),
        f"`ingest infohier{told}`": learned("infohier", **few),
    }


def dendrogram(tree: "HierarchyWithCells") -> Dendrogram:
    """A hierarchy as its judges see it."""
    return Dendrogram(parent=tree.cells.parent, cell_of_point=tree.cell_of_point)


def slowest(results: list[Timed]) -> str:
    """The CPU seconds of the one that took longest."""
    return f"{max(result.seconds for result in results):.1f}"


def as_table(head: list[str], rows: Iterator[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


COST_HEAD = ["data", "points", "way", "2 C", "C / (n sum s)", "dendrogram purity", "CPU seconds"]
FLAT_HEAD = ["data", "way", "dendrogram purity", "CPU seconds"]
CLASS_HEAD = ["classifier", "way", "dendrogram purity of classes", "CPU seconds"]
NEW_HEAD = [
    "data",
    "known / new",
    "beam",
    "find themselves",
    "class of new ones",
    "1-nearest neighbour",
    "microseconds a point",
]
HCRL_HEAD = ["data", "way", "nodes", "dendrogram purity: worst, mean", "hierarchical F: worst, mean", "CPU seconds, at most"]
VAE_HEAD = ["data", "way", "NMI of nine clusters", "dendrogram purity", "nats a held-out row", "CPU seconds"]
LATENTS_HEAD = ["way", "linear probe", "purity, average linkage of latents", "purity, the tree itself", "CPU seconds"]
TEXT_HEAD = ["texts", "way", "dendrogram purity", "CPU seconds"]
LARGE_HEAD = ["data", "options", "what came out", "CPU seconds", "peak memory over the data's"]


@click.command("learners")
@click.option(
    "--only",
    metavar="NAME",
    multiple=True,
    help="These sets alone, `large`, `infohier`, `text`, `hcrl` and `vae`; writes no document.",
)
def main(only: tuple[str, ...]) -> None:
    """Measure what learners reach beside their rivals."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    load = load_now()
    sets = [one for one in known_sets() if not only or one.name.split(",")[0] in only]
    cost = as_table(COST_HEAD, (row for one in sets for row in dasgupta_rows(one)))
    new = as_table(NEW_HEAD, (row for one in sets if len(one.data) <= NEW_POINTS for row in new_data_rows(one)))
    flat = as_table(FLAT_HEAD, (row for one in sets if one.name in FLAT for row in flat_rows(one)))
    of_classes = as_table(CLASS_HEAD, class_rows() if not only or "logits" in only else iter(()))
    latents = as_table(LATENTS_HEAD, infohier_rows()) if not only or "infohier" in only else ""
    texts = as_table(TEXT_HEAD, text_rows()) if not only or "text" in only else ""
    large = as_table(LARGE_HEAD, large_rows()) if not only or "large" in only else ""
    nested = as_table(HCRL_HEAD, hcrl_rows()) if not only or "hcrl" in only else ""
    latent = as_table(VAE_HEAD, vae_rows()) if not only or "vae" in only else ""
    told = {"date": datetime.now(UTC).date().isoformat(), **describe_machine(server=None), "load": f"{load} and {load_now()}"}
    text = "\n\n".join(
        [
            "<!-- Written by `python -m benchmarks.learners`. -->",
            "# What learners of hierarchies reach",
            "[learning.md](learning.md) says what each is. All was measured in one run, on one thread.",
            "## Dasgupta's cost",
            "2 C as HypHC prints it, and C over n times the sum of all similarities, which is at most 1; lower is better. "
            "Purity is another question: higher is better, and a lower cost does not make it so.",
            cost,
            "## New data",
            "Trees of `ingest dasgupta --starts 1` of four fifths of the points; `cfgraph apply` on these, and on the others. "
            "The rival is the nearest of all known points, encoded alike. Means of three splits; who finds a point that "
            "equals it has found itself.",
            new,
            "## Flat clusterings, merged",
            "`ingest logits --from` makes a flat clustering's clusters the classes of logits, and merges these (three seeds). "
            "That such trees beat learned deep ones is the claim of From Logits to Hierarchies (arXiv 2410.07858).",
            flat,
            "## Classes of a classifier",
            "The tree of CIFAR-100's 100 classes from a classifier's log-probabilities, its purity by the 20 superclasses that "
            "it was never told of. `l2h` is the paper's rule, the other two are ours.",
            of_classes,
            "## InfoHier",
            "1,797 digits, three seeds; purity is by their ten classes, the probe a logistic regression on four fifths of the "
            "points. Whether the hierarchical loss helps, the rows with and without it say.",
            latents,
            "## Texts",
            "Names of things as a language model embeds them, by the supercategories of COCO; and documents as they come from "
            "counting words (tf-idf), which are sparse rows: a truncated SVD brings them to few directions first. Three seeds.",
            texts,
            "## Many points",
            large,
            "## Nested-CRP trees of Gaussians",
            "Points around the leaves of a made binary tree (2,000 in 50 dimensions), and digits on 20 principal components in "
            "trees of three levels of three children; three seeds, higher is better. Ward's tree is the better one on digits.",
            nested,
            "The same as the prior of a variational autoencoder (10 latents, Bernoulli), seed by seed; 100 draws a likelihood.",
            latent,
            "## The run",
            "\n".join(f"* {name}: {value}" for name, value in told.items()),
        ]
    )
    click.echo(text)
    if not only:
        DOCUMENT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
