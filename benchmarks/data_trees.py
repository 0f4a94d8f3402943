"""``python -m benchmarks.data_trees``: how far trees of k-means can be predicted, and whether four ideas help; as tables.

Prints Markdown; a whole run writes docs/data_trees.md. A tree is built of the data, parents of the first levels are learned
from, and the tuples of the next level's parents are asked for, at their true centers. The embeddings lie beside the project,
and rows about them are left out where they are not there.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.machine import describe_machine, load_now
from cfgraph.model.cells import Cells

SHARED = Path(__file__).parents[2] / "shared" / "data"
DOCUMENT = Path(__file__).parents[1] / "docs" / "data_trees.md"
DIMENSIONS = (2, 8)
ARITY, PREFIX = 4, 4  # parents of levels 0 to 3 are learned from, those of level 4 asked for
SEEDS = range(3)
NEAR = 8  # observed cells that say how it looks around a cell
CONTEXT = 2  # observed parents whose tuples are given
FAMILIES = ("mean", "parent", "scaled-parent", "nearest", "recurrence", "local-linear", "mlp")
IDEAS = ("local covariance", "tuples of near parents", "unordered tuple", "scale by level")


class Known(NamedTuple):
    """What is known of some parents, and their tuples (residuals in units of the parent's scale)."""

    level: np.ndarray
    center: np.ndarray
    own: np.ndarray  # the parent's own residual
    tuples: np.ndarray  # parents x arity x dimension


def known_sets() -> Iterator[tuple[str, np.ndarray]]:
    """Digits, and embeddings of images that their network never saw."""
    from sklearn.datasets import load_digits

    yield "digits", load_digits().data
    path = SHARED / "cifar100_test_emb_r20.npz"
    if path.exists():
        yield "CIFAR-100, 64-d embeddings", np.load(path)["emb64"].astype(np.float64)


def split(cells: Cells) -> tuple[Known, Known]:
    """The parents of the observed levels, and those of the next one."""
    rows, tuples = cells.expansions(ARITY)
    level = cells.level[rows]
    both = (level < PREFIX, level == PREFIX)
    known, asked = (Known(level[of], cells.center[rows[of]], cells.residual[rows[of]], tuples[of]) for of in both)
    return known, asked


def scales(cells: Cells, level: np.ndarray) -> np.ndarray:
    """The scales of levels."""
    first = [cells.level_rows(one).start for one in range(cells.depth + 1)]
    return cells.scale[first][level]


def features(one: Known, known: Known, cells: Cells, *, ideas: frozenset[str]) -> np.ndarray:
    """What a learner is told of parents: center, own residual, level; and what an idea adds."""
    columns = [one.center, one.own, one.level[:, None]]
    scale = scales(cells, one.level)
    if "local covariance" in ideas:  # of observed cells of the deepest level, around the center, in units of the scale
        deepest = cells.center[cells.level_rows(PREFIX)]
        columns += [covariances(one.center, deepest, scale)]
    if "tuples of near parents" in ideas:
        near = np.argsort(((one.center[:, None] - known.center) ** 2).sum(axis=2) + own_place(one, known), axis=1)[:, :CONTEXT]
        columns += [known.tuples[near].reshape(len(near), -1)]
        columns += [((one.center[:, None] - known.center[near]) / scale[:, None, None]).reshape(len(near), -1)]
    return np.column_stack(columns)


def own_place(one: Known, known: Known) -> np.ndarray:
    """Infinity where a parent would be its own neighbour: its tuple is what is asked for."""
    same = (one.level[:, None] == known.level) & (one.center[:, None] == known.center).all(axis=2)
    return np.where(same, np.inf, 0.0)


def covariances(center: np.ndarray, around: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The upper half of the second moments of the nearest cells about a center."""
    near = np.argsort(((center[:, None] - around) ** 2).sum(axis=2), axis=1)[:, :NEAR]
    offset = (around[near] - center[:, None]) / scale[:, None, None]
    moments = np.einsum("pnd,pne->pde", offset, offset) / NEAR
    return moments[:, *np.triu_indices(center.shape[1])]


def level_sizes(known: Known) -> Callable[[np.ndarray], np.ndarray]:
    """The root mean square of residuals by level, on a straight line in logarithms: deeper levels lie on it."""
    levels = np.unique(known.level)
    size = [np.sqrt((known.tuples[known.level == one] ** 2).mean()) for one in levels]
    slope, start = np.polyfit(levels, np.log(size), 1)
    return lambda level: np.exp(start + slope * level)


def in_order(tuples: np.ndarray) -> np.ndarray:
    """Children by their coordinate along the axis of the tuples' largest variance: an order that slots do not decide."""
    flat = tuples.reshape(-1, tuples.shape[2])
    axis = np.linalg.svd(flat, full_matrices=False)[2][0]
    order = np.argsort(tuples @ axis, axis=1)
    return np.take_along_axis(tuples, order[:, :, None], axis=1)


def learn(known: Known, asked: Known, cells: Cells, *, ideas: frozenset[str]) -> np.ndarray:
    """Tuples by kernel ridge regression; its kernel's width and its ridge by three folds of the observed parents."""
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    size = level_sizes(known) if "scale by level" in ideas else lambda level: np.ones(len(level))
    targets = in_order(known.tuples) if "unordered tuple" in ideas else known.tuples
    targets = (targets / size(known.level)[:, None, None]).reshape(len(targets), -1)
    middle = targets.mean(axis=0)
    grid = {"kernelridge__alpha": [1e-3, 1e-2, 0.1, 1, 10, 100], "kernelridge__gamma": [1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3]}
    model = GridSearchCV(
        make_pipeline(StandardScaler(), KernelRidge(kernel="rbf")), grid, cv=KFold(3, shuffle=True, random_state=0)
    )
    model.fit(features(known, known, cells, ideas=ideas), targets - middle)
    found = model.predict(features(asked, known, cells, ideas=ideas)) + middle
    return found.reshape(asked.tuples.shape) * size(asked.level)[:, None, None]


def by_family(family: str, cells: Cells, *, factor: float, bound: float) -> np.ndarray:
    """What one of cfgraph's own families says of the same parents."""
    from cfgraph.model.growth import observe
    from cfgraph.predictors import fit_predictor

    parents, tuples = observe(cells.prefix(PREFIX), arity=ARITY)
    fitted = fit_predictor(family, observed=parents, tuples=tuples, scale_factor=factor, residual_bound=bound)
    asked, _ = observe(cells, arity=ARITY)
    return fitted.predict(asked.take(np.flatnonzero(asked.level == PREFIX)))


def errors(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """The squared error over the squares of the true residuals: slot by slot, and where slots may be exchanged."""
    whole = float((true**2).sum())
    slots = np.array(list(permutations(range(ARITY))))
    every = ((found[:, slots] - true[:, None]) ** 2).sum(axis=(2, 3))
    return float(((found - true) ** 2).sum()) / whole, float(every.min(axis=1).sum()) / whole


def rows(name: str, data: np.ndarray, dimension: int) -> Iterator[list[str]]:
    """A way a row: both errors, seed by seed."""
    from cfgraph.sources import points

    told: dict[str, list[tuple[float, float]]] = {}
    counts = []
    for seed in SEEDS:
        tree = points(id="it", data=data, arity=ARITY, depth=PREFIX + 1, pca=dimension, seed=seed, duplicates="drop")
        cells = tree.cells
        known, asked = split(cells)
        counts.append(f"{len(known.level)} / {len(asked.level)}")
        for family in FAMILIES:
            found = by_family(family, cells, factor=tree.scale_factor, bound=tree.residual_bound)
            told.setdefault(f"`{family}`", []).append(errors(found, asked.tuples))
        for way, ideas in ways().items():
            found = learn(known, asked, cells, ideas=ideas)
            told.setdefault(way, []).append(errors(found, asked.tuples))
    for way, found in told.items():
        shown = [" / ".join(f"{value:.3f}" for value in column) for column in zip(*found, strict=True)]
        if "unordered" in way or "all four" in way:
            shown[0] = "-"  # its slots are no slots of the tree
        yield [name, str(dimension), counts[0], way, *shown]


def ways() -> dict[str, frozenset[str]]:
    """The learner alone, with one idea, and with all of them."""
    single = {f"learner, {idea}": frozenset([idea]) for idea in IDEAS}
    return {"learner": frozenset(), **single, "learner, all four": frozenset(IDEAS)}


HEAD = ["data", "d", "parents known / asked", "way", "nMSE", "nMSE, slots exchanged at will"]


@click.command("data-trees")
def main() -> None:
    """Measure how far trees of k-means can be predicted."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    load = load_now()
    body = [row for name, data in known_sets() for dimension in DIMENSIONS for row in rows(name, data, dimension)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in [HEAD, ["---"] * len(HEAD), *body])
    told = {"date": datetime.now(UTC).date().isoformat(), **describe_machine(server=None), "load": f"{load} and {load_now()}"}
    text = "\n\n".join(
        [
            "<!-- Written by `python -m benchmarks.data_trees`. -->",
            "# How far trees of data can be predicted",
            "Trees of recursive k-means (`ingest points`, four children a cell). Parents of levels 0 to 3 are known, the "
            "tuples of the parents of level 4 asked for, at their true centers. nMSE is the squared error over the squares "
            "of the true residuals: 1 is what predicting no displacement at all has. In the last column slots may be "
            "exchanged, parent by parent, as is best. Three seeds of k-means.",
            "The learner is a kernel ridge regression on center, own residual and level, its two numbers chosen by three folds "
            "of the known parents. Four ideas are tried on it: the second moments of the eight nearest observed cells in units "
            "of the scale; tuples and offsets of the two nearest known parents; tuples whose children are put in an order of "
            "their own, so that slots need not be learned; and residuals divided by what they are at their level, on a line "
            "through the known levels.",
            table,
            "## The run",
            "\n".join(f"* {name}: {value}" for name, value in told.items()),
        ]
    )
    click.echo(text)
    DOCUMENT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
