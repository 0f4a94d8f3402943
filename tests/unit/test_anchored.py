"""`anchored`: the network of `mlp`, asked by how much the tuple changes below a parent; and what is proven of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.comparing.compare import compare_cells
from cfgraph.model.cells import Cells
from cfgraph.model.growth import frontier_of, grow, observe
from cfgraph.predictors import NetworkOptions, dump_predictor, fit_predictor, load_predictor
from cfgraph.predictors.network import Anchored, _first_layers, _Fit
from cfgraph.sources.cfg import cfg
from tests.trees import smooth_cells

torch = pytest.importorskip("torch")

QUICK = NetworkOptions(width=8, hidden=2, steps=60, polish=20)
ROUGH = NetworkOptions(width=6, hidden=1, steps=40, polish=5)  # far enough from the truth that a bound has something to bound


def fit_on(truth, *, family="anchored", depth=2, bound=None, options=QUICK):
    """A predictor of the first levels of a field."""
    observed, tuples = observe(truth.cells.prefix(depth), arity=truth.arity)
    field = {"scale_factor": truth.scale_factor, "residual_bound": bound or truth.residual_bound}
    return fit_predictor(family, observed=observed, tuples=tuples, options=options, **field)


def roll_out(predictor, truth, *, depth=2):
    """The prefix, grown to the depth of the truth."""
    field = {"arity": truth.arity, "scale_factor": truth.scale_factor, "depth": truth.cells.depth}
    return grow(truth.cells.prefix(depth), rule=predictor.predict, **field)


def test_it_is_the_parents_tuple_and_what_the_network_of_mlp_says_of_the_change():
    truth = cfg(id="truth", depth=4, arity=3, dimension=2, seed=1)
    anchored, network = (fit_on(truth, family=family, bound=99.0) for family in ("anchored", "mlp"))
    frontier = frontier_of(truth.cells, np.arange(len(truth.cells)), arity=3)
    parents = truth.cells.parent[1:]
    at = network.predict(frontier)
    above = truth.cells.residual[truth.cells.first_child[parents][:, None] + np.arange(3)]
    expected = np.concatenate([at[:1], above + at[1:] - at[parents]])
    np.testing.assert_allclose(anchored.predict(frontier), expected, atol=1e-12)


def test_the_network_is_the_one_that_mlp_learns():
    truth = cfg(id="truth", depth=3, arity=3, dimension=2, seed=1)
    own, around = fit_on(truth), Anchored.around(fit_on(truth, family="mlp"))
    assert dump_predictor(own) == dump_predictor(around)
    assert own.describe()["network_lipschitz"] == fit_on(truth, family="mlp").lipschitz()
    assert own.lipschitz() is None


def test_a_cell_on_its_parent_repeats_the_parents_tuple():
    truth = cfg(id="truth", depth=2, arity=3, dimension=2, seed=1)
    residual = truth.cells.residual.copy()
    residual[1] = 0.0
    center = truth.cells.center.copy()
    center[1] = center[0]
    length = truth.cells.length.copy()
    length[1] = 0.0
    cells = truth.cells.with_columns(residual=residual, center=center, length=length)
    frontier = frontier_of(cells, np.array([1]), arity=3)
    np.testing.assert_array_equal(fit_on(truth, bound=99.0).predict(frontier)[0], residual[1:4])


def test_the_steps_telescope_below_an_observed_parent():
    truth = cfg(id="truth", depth=6, arity=2, dimension=2, seed=3)
    predictor = fit_on(truth, bound=99.0)
    grown = roll_out(predictor, truth)
    anchors = grown.level_rows(1)
    above = np.arange(len(grown))
    while (deeper := grown.level[above] > 1).any():
        above[deeper] = grown.parent[above[deeper]]
    rows, tuples = grown.expansions(2)
    below = grown.level[rows] >= 2
    rows, tuples = rows[below], tuples[below]
    anchor_tuple = grown.residual[grown.first_child[above[rows]][:, None] + np.arange(2)]
    assert len(np.unique(above[rows])) == anchors.stop - anchors.start
    network = predictor.network_tuples
    rule = anchor_tuple + network(grown.center[rows]) - network(grown.center[above[rows]])
    np.testing.assert_allclose(tuples, rule, atol=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.3, 0.6]), st.integers(1, 3))
@settings(max_examples=4, deadline=None)
def test_the_certificate_holds_and_does_not_depend_on_windows(seed, arity, dimension, scale_factor, depth):
    """Of data, so that no generator is known; in windows so small that observed parents lie above them, or in them."""
    truth = cfg(id="truth", depth=5, arity=arity, dimension=dimension, scale_factor=scale_factor, seed=seed)
    truth = truth.replace(origin="points", lipschitz=None)
    predictor = fit_on(truth, depth=depth, bound=99.0, options=ROUGH)
    grown = roll_out(predictor, truth, depth=depth)
    reports = [
        compare_cells(truth, grown, predictor=predictor, from_depth=depth, window_cells=window_cells)
        for window_cells in (None, 5, 40, 200)
    ]
    found = reports[0].certificates
    assert (found.side, found.remark) == ("anchored", None)
    for report in reports:
        assert report.certificates.eta == pytest.approx(found.eta, rel=1e-9)
        for level, bound in zip(report.levels, report.certificates.by_level, strict=True):
            assert level.rolled_out.max_center_error <= bound
            assert bound <= level.certificate * (1 + 1e-12)
    assert found.eta == pytest.approx(_slow_eta(predictor, truth, depth=depth), rel=1e-6, abs=1e-11)


def _slow_eta(predictor, truth, *, depth):
    """The largest error at the true centers of the rule with the tuple of the observed parent, cell by cell."""
    cells, largest = truth.cells, 0.0
    for row in range(len(cells)):
        if cells.level[row] < depth or cells.child_count[row] == 0:
            continue
        anchor = row
        while cells.level[anchor] > depth - 1:
            anchor = cells.parent[anchor]
        tuples = [cells.residual[cells.first_child[one] : cells.first_child[one] + truth.arity] for one in (anchor, row)]
        network = predictor.network_tuples(cells.center[[anchor, row]])
        largest = max(largest, float(np.linalg.norm(tuples[0] + network[1] - network[0] - tuples[1], axis=1).max()))
    return largest


def test_eta_is_not_that_of_one_step_from_the_true_parent():
    """Each step is small beside the sum of all: a certificate that stood on the former would promise too much."""
    truth = cfg(id="truth", depth=7, arity=2, dimension=1, scale_factor=0.6, frequency=8.0, seed=4)
    truth = truth.replace(origin="points", lipschitz=None)
    predictor = fit_on(truth, depth=1, bound=99.0, options=ROUGH)
    report = compare_cells(truth, roll_out(predictor, truth, depth=1), predictor=predictor, from_depth=1)
    observed, tuples = observe(truth.cells, arity=2)
    unseen = observed.level >= 1
    one_step = np.linalg.norm((predictor.predict(observed) - tuples)[unseen], axis=2).max()
    assert report.certificates.eta > 1.05 * one_step


def test_it_is_void_where_a_residual_was_clipped_and_without_observed_parents():
    truth = cfg(id="truth", depth=4, arity=3, dimension=2, seed=1)
    data = truth.replace(origin="points", lipschitz=None)
    clipping = fit_on(truth, bound=0.9 * float(np.linalg.norm(truth.cells.residual, axis=1).max()))
    grown = roll_out(clipping, truth)
    found = compare_cells(data, grown, predictor=clipping, from_depth=2).certificates
    assert found.side is None
    assert "void: a residual was clipped to the bound" in found.reason
    beside = compare_cells(truth, grown, predictor=clipping, from_depth=2).certificates
    assert beside.side == "generator"
    assert beside.remark == found.reason
    free = fit_on(truth, bound=99.0)
    from_root = compare_cells(data, roll_out(free, truth, depth=0), predictor=free, from_depth=0).certificates
    assert from_root.side is None
    assert "a prefix of depth 0 has none" in from_root.reason


def test_the_gradient_that_is_written_out_is_that_of_the_loss():
    random = torch.Generator().manual_seed(0)
    inputs, target = (torch.randn(20, width, dtype=torch.float64, generator=random) for width in (3, 4))
    options = NetworkOptions(width=5, hidden=2, decay=0.01)
    layers = _first_layers(3, 4, options=options, random=random)
    layers = tuple((weight + 0.1, bias + 0.2) for weight, bias in layers)
    fit, rows = _Fit.of(inputs, target, layers=layers, options=options), torch.arange(3, 17)
    loss = fit.descend(rows)
    again = _Fit(inputs, target, fit.numbers, tuple((w.requires_grad_(), b.requires_grad_()) for w, b in layers), (), options)
    recorded = again.loss(rows)
    recorded.backward()
    torch.testing.assert_close(loss, recorded.detach(), rtol=1e-12, atol=0)
    gradient = torch.cat([part.grad.reshape(-1) for layer in layers for part in layer])
    torch.testing.assert_close(fit.numbers.grad, gradient, rtol=1e-10, atol=1e-14)


def test_a_saved_one_grows_the_same_cells():
    truth = cfg(id="truth", depth=4, arity=3, dimension=2, seed=1)
    predictor = fit_on(truth)
    again = load_predictor(*dump_predictor(predictor))
    assert again.family == "anchored"
    np.testing.assert_array_equal(roll_out(again, truth).center, roll_out(predictor, truth).center)


def test_a_root_alone_is_answered_by_the_network():
    predictor = fit_predictor(
        "anchored", **dict(zip(("observed", "tuples"), observe(smooth_cells(3), arity=4), strict=True)),
        scale_factor=0.5, residual_bound=99.0, options=QUICK,
    )  # fmt: skip
    root = frontier_of(Cells.from_root(np.array([0.3, -0.2])), np.array([0]), arity=4)
    np.testing.assert_array_equal(predictor.predict(root), predictor.network_tuples(root.center))
