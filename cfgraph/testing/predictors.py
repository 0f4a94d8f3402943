"""Predictors: whether a family of somebody's, or one of it that has learned, can grow hierarchies and be kept in the graph."""

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np

from cfgraph.errors import CfgraphError, InputError
from cfgraph.model.cells import Cells
from cfgraph.model.growth import Frontier, grow, observe
from cfgraph.model.hierarchy import FieldWithCells
from cfgraph.model.invariants import check_sound
from cfgraph.predictors.predictor import Learning, Predictor
from cfgraph.predictors.registry import check_weights
from cfgraph.sources.cfg import cfg
from cfgraph.testing.expected import expect, expect_equal, expect_error, expecting

CELLS, FAMILIES = 24, 5  # of the frontier that a predictor is shown
NEAR = 1e-9  # how far answers may differ that are asked for alone and together: batches sum in another order
STEPS = (1e-6, 1e-3, 1.0)  # how far centers are moved to see what a Lipschitz constant is worth


def check_predictor(made: type[Predictor] | Predictor, *, seed: int = 0) -> Predictor:
    """Whether a predictor can grow hierarchies and be kept; of a family's class, whether it learns such a one, twice the same.

    What is asked of an answer: float64 tuples, finite, none longer than the residual bound; the same bits for the same
    frontier, which stays as it was; for each cell what it gets alone, in another order, and where whole families are told as
    such; nothing for no cells, zeros or anything for a root, an ``InputError`` for cells of another arity or dimension. What it
    grows is sound. A Lipschitz constant, where it tells one, holds at points that are drawn, and then the rule looks at
    the center alone. ``weights`` are finite arrays, ``config`` and ``describe`` are JSON, and ``restore`` of the two gives the
    same bits.

    Args:
        made: the class of a family, which is then fitted to a smooth field of arity 3 in the plane, or one that was fitted.
        seed: of what is drawn.

    Returns:
        The one that was fitted, or the one that was given.

    Raises:
        AssertionError: for the first thing that does not hold.
    """
    predictor = made if isinstance(made, Predictor) else _fitted(made, seed=seed)
    expect(
        isinstance(predictor.family, str) and bool(predictor.family),
        f"expected the class to have its family's name, a text, got {predictor.family!r}",
    )
    shown = _frontier(predictor, seed=seed)
    tuples = _check_answer(predictor, shown)
    _check_each_cell(predictor, shown, tuples)
    _check_edges(predictor, shown)
    _check_lipschitz(predictor, shown, tuples, seed=seed)
    _check_kept(predictor, shown, tuples)
    _check_growth(predictor)
    return predictor


def _fitted(kind: Any, *, seed: int) -> Predictor:
    subclass = isinstance(kind, type) and issubclass(kind, Predictor)
    expect(subclass, f"expected a class of cfgraph.predictors.Predictor, or one of it, got {kind!r}")
    truth = cfg(id="testing", arity=3, dimension=2, depth=4, seed=seed)
    observed, tuples = observe(truth.cells, arity=3)
    field = {"arity": 3, "dimension": 2, "scale_factor": truth.scale_factor, "residual_bound": truth.residual_bound}
    fitted = list[Predictor]()
    for _ in range(2):
        with expecting("learn to give the family's own fields"):
            fitted.append(kind(**field, **kind.learn(observed, tuples, how=Learning(seed=seed))))
    first, second = fitted
    for name, weights in first.weights().items():
        expect_equal(second.weights()[name], weights, f"learned twice from the same, {name}")
    texts = [_as_json(predictor) for predictor in fitted]
    expect(texts[0] == texts[1], f"learned twice from the same: {texts[0]} and {texts[1]}")
    return first


def _as_json(predictor: Predictor) -> str:
    with expecting("config() to be JSON, without arrays and NaN"):
        return json.dumps(predictor.config(), allow_nan=False)


def _frontier(predictor: Predictor, *, seed: int) -> Frontier:
    """Cells of level 1 in random families."""
    rng = np.random.default_rng(seed)
    return Frontier(
        center=rng.normal(size=(CELLS, predictor.dimension)),
        scale=np.full(CELLS, predictor.scale_factor),
        root_distance=np.zeros(CELLS),
        length=np.zeros(CELLS),
        level=np.ones(CELLS, dtype=np.int32),
        slot=rng.integers(0, predictor.arity, size=CELLS).astype(np.int32),
        tuples=rng.normal(size=(FAMILIES, predictor.arity, predictor.dimension)),
        family=rng.integers(0, FAMILIES, size=CELLS),
    )


def _ask(predictor: Predictor, frontier: Frontier, what: str) -> np.ndarray:
    with expecting(f"predict to answer for {what}"):
        return predictor.predict(frontier)


def _check_answer(predictor: Predictor, shown: Frontier) -> np.ndarray:
    before = pickle.dumps(shown)
    tuples = _ask(predictor, shown, f"{CELLS} cells")
    expect(pickle.dumps(shown) == before, "expected the frontier to stay as it was, and predict changed it")
    wanted = (CELLS, predictor.arity, predictor.dimension)
    sound = isinstance(tuples, np.ndarray) and tuples.shape == wanted and tuples.dtype == np.float64
    came = f"{tuples.dtype} of shape {tuples.shape}" if isinstance(tuples, np.ndarray) else type(tuples).__name__
    expect(sound, f"expected float64 of shape {wanted}, got {came}")
    expect(bool(np.isfinite(tuples).all()), "expected finite residuals, got others")
    longest = float(np.linalg.norm(tuples, axis=2).max())
    bound = predictor.residual_bound
    expect(longest <= bound * (1 + NEAR), f"expected residuals of at most {bound:.6g}, got one of {longest:.6g}")
    expect_equal(_ask(predictor, shown, "the same cells again"), tuples, "asked again")
    return tuples.copy()


def _check_each_cell(predictor: Predictor, shown: Frontier, tuples: np.ndarray) -> None:
    room = NEAR * max(1.0, predictor.residual_bound)
    for rows, what in [(np.array([row]), f"cell {row} alone") for row in range(CELLS)] + [(np.arange(CELLS)[::-1], "reversed")]:
        off = float(np.abs(_ask(predictor, shown.take(rows), what) - tuples[rows]).max())
        expect(off <= room, f"{what}: expected the tuple that the cell gets among others, got one that is off by {off:.3g}")
    whole = replace(
        shown.take(np.arange(predictor.arity)), slot=np.arange(predictor.arity, dtype=np.int32), tuples=shown.tuples[:1]
    )
    told = _ask(predictor, replace(whole, family=np.zeros(predictor.arity, dtype=np.int64)), "a whole family")
    expect_equal(_ask(predictor, replace(whole, family=None), "a family without rows"), told, "whole families told as such")


def _check_edges(predictor: Predictor, shown: Frontier) -> None:
    nothing = _ask(predictor, shown.take(np.array([], dtype=np.int64)), "no cells")
    wanted = (0, predictor.arity, predictor.dimension)
    expect(nothing.shape == wanted, f"expected no tuples, of shape {wanted}, for no cells, got {nothing.shape}")
    arity, dimension = predictor.arity + 1, predictor.dimension + 1
    other = replace(shown, center=np.zeros((CELLS, dimension)), tuples=np.zeros((FAMILIES, arity, dimension)))
    expect_error(InputError, lambda: predictor.predict(other), f"cells of arity {arity} and dimension {dimension}")


def _check_lipschitz(predictor: Predictor, shown: Frontier, tuples: np.ndarray, *, seed: int) -> None:
    with expecting("lipschitz() to give a number or None"):
        constant = predictor.lipschitz()
    if constant is None:
        return
    told = isinstance(constant, float | int) and np.isfinite(constant) and constant >= 0
    expect(bool(told), f"expected a Lipschitz constant of at least 0, or None, got {constant!r}")
    elsewhere = replace(shown, tuples=shown.tuples[::-1] + 1.0, slot=(shown.slot + 1) % predictor.arity)
    same = np.allclose(_ask(predictor, elsewhere, "other families"), tuples, rtol=0, atol=NEAR)
    expect(same, "expected lipschitz() to be None where the rule looks at more than the center, got a number")
    rng = np.random.default_rng(seed)
    for step in STEPS:
        moved = rng.normal(size=shown.center.shape) * step
        change = _ask(predictor, replace(shown, center=shown.center + moved), "other centers") - tuples
        allowed = constant * np.linalg.norm(moved, axis=1)
        worst = float((np.linalg.norm(change, axis=2).max(axis=1) - allowed * (1 + NEAR)).max())
        expect(
            worst <= NEAR * max(1.0, predictor.residual_bound),
            f"expected tuples to change by at most {constant:.6g} times the distance of the centers, one changed by "
            f"{worst:.3g} more",
        )


def _check_kept(predictor: Predictor, shown: Frontier, tuples: np.ndarray) -> None:
    from safetensors.numpy import load, save

    with expecting("weights() to be finite arrays by name, which safetensors keeps"):
        weights = load(save(predictor.weights()))
        check_weights(weights)
    again = json.loads(_as_json(predictor))
    field = {name: getattr(predictor, name) for name in ("arity", "dimension", "scale_factor", "residual_bound")}
    expect(field.items() <= again.items(), f"expected config() to hold {field}, got {again}")
    with expecting("describe() to be JSON without NaN"):
        json.dumps(predictor.describe(), allow_nan=False)
    with expecting("restore to make the predictor of its weights and its config"):
        restored = type(predictor).restore(weights, again, device="cpu")
    expect_equal(_ask(restored, shown, "the same cells, restored"), tuples, "kept and restored")
    expect(restored.lipschitz() == predictor.lipschitz(), "expected the same Lipschitz constant when kept and restored")


def _check_growth(predictor: Predictor) -> None:
    root = Cells.from_root(np.zeros(predictor.dimension))
    with expecting("a root and two levels below it to be grown"):
        cells = grow(root, rule=predictor.predict, arity=predictor.arity, scale_factor=predictor.scale_factor, depth=3)
    grown = FieldWithCells(
        id="testing",
        origin="rollout",
        dimension=predictor.dimension,
        arity=predictor.arity,
        scale_factor=predictor.scale_factor,
        residual_bound=predictor.residual_bound,
        recipe={"source": "rollout"},
        cells=cells,
    )
    try:
        check_sound(grown, grown=True)
    except CfgraphError as error:
        raise AssertionError(f"expected sound cells of what it grows: {error}") from error
