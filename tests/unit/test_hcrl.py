"""Nested-CRP trees as hierarchies: what their cells hold, fields of them, new data, and what bad input gets."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cfgraph import apply, encode, grow, reconstruct, train
from cfgraph.errors import AddressError, InputError
from cfgraph.files.arrays import check_points
from cfgraph.files.embeddings import Embeddings
from cfgraph.learning.encoders import NestedTree, Standardise, dump_encoder, load_encoder
from cfgraph.learning.nested.learned import LearnedTree
from cfgraph.metric.locate import locate
from cfgraph.model.address import level_of
from cfgraph.model.dag import Dag
from cfgraph.model.encoder import Encoder
from cfgraph.model.invariants import check_sound
from cfgraph.sources import dasgupta, hcrl, points
from cfgraph.sources.hcrl import Asked, learn
from cfgraph.sources.imported import imported
from cfgraph.sources.preparation import Rows
from tests.unit.test_nested import made

DATA, LEAF = made(0, 0.2, points=400, dimension=12)
ASKED = {
    "depth": 3,
    "branching": 2,
    "standardised": False,
    "pca": None,
    "encoder": "none",
    "latent": 2,
    "likelihood": "bernoulli",
    "device": "cpu",
    "levels": "fixed",
    "covariance": None,
    "start": None,
    "surgery": None,
    "gamma": 1.0,
    "alpha": 1.0,
    "floor": None,
    "seed": 0,
}


def learned(data=DATA, *, field=False, **changes):
    return learn(Rows(check_points(data, where="it")), id="it", asked=Asked.checked(**{**ASKED, **changes}), field=field)


def test_cells_are_nodes_with_their_own_centers():
    hierarchy = hcrl(id="it", data=DATA, branching=2, points=True)
    cells, own = hierarchy.cells, hierarchy.cells.own
    assert len(cells) == 15
    assert set(own) == {"sigma", "mass", "share", "emission"}
    assert hierarchy.point_nodes
    assert hierarchy.lengths == "metric"
    assert own["mass"][0] == pytest.approx(400)
    assert own["share"][0] == pytest.approx(1)
    np.testing.assert_allclose(own["emission"].sum(), 4 * 400)  # every level explains each point once
    np.testing.assert_allclose(np.linalg.norm(cells.residual[1:], axis=1).max(), 1)
    leaves = np.flatnonzero(cells.child_count == 0)
    assert set(hierarchy.cell_of_point.tolist()) == set(leaves.tolist())
    for cell in np.flatnonzero(cells.child_count).tolist():
        children = np.flatnonzero(cells.parent == cell)
        assert (np.diff(own["mass"][children]) <= 1).all()  # in the order of sticks
    for leaf in leaves.tolist():
        inside = hierarchy.cell_of_point == leaf
        np.testing.assert_allclose(cells.center[leaf], DATA[inside].mean(axis=0), atol=0.05)
        assert own["sigma"][leaf] == pytest.approx(0.2, rel=0.2)
        assert len(np.unique(LEAF[inside])) == 1


def test_given_centers_are_not_means_of_what_lies_below():
    dag = Dag(count=4, parent=np.array([0, 1, 1]), child=np.array([1, 2, 3]))
    given = np.array([[9.0], [0.0], [4.0]])
    exact = Embeddings(given, names=None, digest=None, node=np.array([0, 2, 3]), exact=True)
    cells = imported(dag, id="it", origin="hcrl", embeddings=exact).cells
    assert cells.center[:, 0].tolist() == [9.0, 2.0, 0.0, 4.0]  # what is given none has the mean of those below
    means = imported(
        dag, id="it", origin="hcrl", embeddings=Embeddings(given, names=None, digest=None, node=np.array([0, 2, 3]))
    )
    assert means.cells.center[0, 0] == pytest.approx(13 / 3)


def test_a_branching_for_each_level():
    hierarchy = hcrl(id="it", data=DATA, branching=[4, 2], depth=2)
    assert np.bincount(hierarchy.cells.level).tolist() == [1, 4, 8]
    assert hierarchy.recipe["branching"] == [4, 2]


def test_unlimited_branching_begins_at_the_root_and_grows():
    told = []
    hierarchy = hcrl(id="it", data=DATA, branching=None, depth=2, say=told.append)
    assert hierarchy.recipe["start"] == "grow"
    assert hierarchy.recipe["surgery"] is True
    assert len(hierarchy.cells) > 8
    assert any("GROW" in line for line in told)


def test_free_levels_are_hung_anew():
    found = learned(levels="free", branching=None, depth=2)
    hierarchy = found
    assert any("minimum spanning tree" in note for note in hierarchy.notes)
    own = hierarchy.cells.own
    assert own["mass"][0] == pytest.approx(400)
    assert own["emission"].sum() == pytest.approx(400)
    purity = [np.bincount(LEAF[hierarchy.cell_of_point == cell]).max() for cell in np.unique(hierarchy.cell_of_point)]
    assert sum(purity) >= 0.95 * 400
    tree = LearnedTree.of(found.encoder)
    features = tree.transform(DATA, levels=True)
    assert features.shape == (400, 12 + 3)
    np.testing.assert_allclose(features[:, 12:].sum(axis=1), 1)
    np.testing.assert_array_equal(features[:, :12], tree.transform(DATA))


def test_a_complete_tree_is_a_field_that_trains():
    field = hcrl(id="it", data=DATA, branching=2, field=True)
    assert (field.arity, field.cells.depth) == (2, 3)
    check_sound(field, grown=True)
    assert train(field, id="rule", depth=2, family="scaled-parent").arity == 2
    plain = hcrl(id="it", data=DATA, branching=2)
    for level in range(4):
        one, other = (tree.cells.center[tree.cells.level == level] for tree in (field, plain))
        np.testing.assert_allclose(np.sort(one, axis=0), np.sort(other, axis=0), atol=1e-9)
    np.testing.assert_allclose(field.cells.center[field.cell_of_point], plain.cells.center[plain.cell_of_point], atol=1e-9)
    with pytest.raises(InputError, match="needs a field"):
        train(plain, id="rule", depth=2, family="scaled-parent")


def test_new_data_lie_where_the_same_points_did():
    for field in (False, True):
        found = learned(standardised=True, pca=4, field=field)
        record = Encoder(**found.encoder.model_dump())
        tree = LearnedTree.of(record)
        applied = tree.apply(DATA)
        addresses = found.cells.addresses
        assert applied.address == [addresses[cell] for cell in found.cell_of_point.tolist()]
        np.testing.assert_allclose(applied.probability[:, 0], 1)
        assert applied.weight is None
        centers = found.cells.center
        rows = tree.transform(DATA)
        np.testing.assert_array_equal(rows, load_encoder(record).encode(DATA))
        assert np.linalg.norm(rows - centers[found.cell_of_point], axis=1).mean() < np.linalg.norm(rows, axis=1).mean()


def test_probabilities_of_nodes_are_sums_of_those_below():
    found = learned()
    applied, cells = LearnedTree.of(found.encoder).apply(DATA + 0.3), found.cells
    row = [cells.addresses.index(address) for address in applied.addresses]
    probability = np.empty_like(applied.probability)
    probability[:, row] = applied.probability
    for cell in np.flatnonzero(cells.child_count).tolist():
        np.testing.assert_allclose(probability[:, cells.parent == cell].sum(axis=1), probability[:, cell], atol=1e-12)


def test_cells_are_reconstructed_among_the_data():
    found = learned(standardised=True)
    cells, tree = found.cells, LearnedTree.of(found.encoder)
    np.testing.assert_allclose(tree.reconstruct("/0/1"), DATA.mean(axis=0) + cells.center[4] * DATA.std(axis=0))
    assert cells.addresses[4] == "/0/1"
    with pytest.raises(InputError, match="address of a cell"):
        tree.reconstruct("/7")


def test_the_hierarchy_itself_is_asked_of_new_data_and_of_what_its_cells_look_like():
    tree = hcrl(id="it", data=DATA, depth=2, branching=2, standardise=True)
    assert apply(tree, data=DATA) == [tree.cells.addresses[cell] for cell in tree.cell_of_point.tolist()]
    assert apply(tree, data=DATA[:3], depth=1) == [address[:2] for address in apply(tree, data=DATA[:3])]
    assert apply(tree, data=DATA[:3], depth=9) == apply(tree, data=DATA[:3])
    with pytest.raises(InputError, match="beam"):
        apply(tree, data=DATA, beam=0)
    np.testing.assert_array_equal(reconstruct(tree, addresses=["/0/1"])[0], LearnedTree.of(tree.encoder).reconstruct("/0/1"))
    assert reconstruct(tree, addresses=[]).shape == (0, DATA.shape[1])
    with pytest.raises(InputError, match="has no cell /7"):
        reconstruct(tree, addresses=["/", "/7"])
    with pytest.raises(AddressError):
        reconstruct(tree, addresses=["0"])


def test_cells_of_a_rollout_are_located_by_their_centers_and_decoded():
    field = hcrl(id="it", data=DATA, branching=2, field=True, pca=4)
    rule = train(field, id="rule", depth=2, family="scaled-parent")
    cells = grow(field.cells.prefix(2), rule=rule.load().predict, arity=2, scale_factor=field.scale_factor, depth=5)
    grown = field.with_cells(cells, encoder=field.encoder)
    found = apply(grown, data=DATA)
    assert {level_of(address) for address in found} == {5}
    assert found == [cells.addresses[row] for row in locate(cells, encode(grown, data=DATA), beam=4).tolist()]
    assert reconstruct(grown, addresses=found[:2]).shape == (2, DATA.shape[1])


def test_what_no_step_leads_back_from_is_told():
    tree = dasgupta(id="it", data=DATA[:30])
    with pytest.raises(InputError, match="nothing leads back through a step of the kind 'unit-length'"):
        reconstruct(tree, addresses=["/"])
    field = points(id="it", data=DATA, depth=2, pca=3)
    mean = DATA.mean(axis=0)
    np.testing.assert_allclose(reconstruct(field, addresses=["/"])[0], mean, atol=1e-9)


def test_digits_have_a_root_that_looks_like_their_mean():
    data = load_digits().data
    found = learned(data, pca=20, branching=3)
    np.testing.assert_allclose(LearnedTree.of(found.encoder).reconstruct("/"), data.mean(axis=0), atol=1e-6)


def test_the_example_of_the_document_runs(tmp_path, monkeypatch, capsys):
    document = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", document, re.DOTALL) if "LearnedTree" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "learning.md", "exec"), {})
    assert "(3, 40)" in capsys.readouterr().out
    assert (tmp_path / "digits.png").stat().st_size > 10_000


def test_equal_rows_are_the_root_alone():
    hierarchy = hcrl(id="it", data=np.ones((30, 2)))
    assert len(hierarchy.cells) == 1
    assert any("all points are equal" in note for note in hierarchy.notes)


def test_more_leaves_than_points_are_noted():
    hierarchy = hcrl(id="it", data=DATA[:40], branching=3, depth=3)
    assert any("27 leaves for 40 points" in note for note in hierarchy.notes)


@pytest.mark.parametrize("factor", [1e-110, 1e-150, 1e90])
def test_numbers_of_any_size(factor):
    hierarchy = hcrl(id="it", data=DATA * factor, branching=2)
    assert np.isfinite(hierarchy.cells.center).all()
    assert np.isfinite(hierarchy.cells.own["sigma"]).all()


def test_the_command_line_takes_a_branching_in_three_ways():
    from click import BadParameter

    from cfgraph.cli.learned import _branching

    assert [_branching(text) for text in ("3", "4,2", "any")] == [3, [4, 2], None]
    with pytest.raises(BadParameter, match="one for each level"):
        _branching("few")


def test_two_points_and_constant_columns():
    assert len(hcrl(id="it", data=np.array([[0.0, 1], [2, 1]])).cells) == 1
    data = np.column_stack([DATA[:, :2], np.full(400, 3.0)])
    assert np.isfinite(hcrl(id="it", data=data, branching=2).cells.center).all()


def test_the_same_seed_makes_the_same_tree():
    one, again = (learned(surgery=True, start="grow", seed=4) for _ in range(2))
    assert one.recipe == again.recipe
    assert one.encoder.digest == again.encoder.digest


NAN = DATA.copy()
NAN[3, 1] = np.nan
REFUSED = {
    "not finite": ({"data": NAN}, "row 3, column 1"),
    "one point": ({"data": DATA[:1]}, "at least two points"),
    "depth": ({"depth": 0}, "at least 1 as depth"),
    "branching": ({"branching": 0}, "at least 1 as branching"),
    "one branching of several": ({"branching": [2, 0, 2]}, "at least 1 as branching"),
    "too many branchings": ({"branching": [2, 2, 2, 2]}, "each of the 3 levels.*got 4"),
    "too few branchings": ({"branching": [2]}, "each of the 3 levels.*got 1"),
    "a text": ({"branching": "two"}, "whole number as branching"),
    "many nodes": ({"branching": 20}, r"at most 5,000 nodes, got up to 8,421.*400 points would take 0.0 GB"),
    "gamma": ({"gamma": 0.0}, "gamma above 0"),
    "alpha": ({"alpha": -1.0}, "alpha above 0"),
    "floor": ({"floor": 0.0}, "floor above 0"),
    "a floor that is none": ({"floor": float("nan")}, "finite number as floor"),
    "levels": ({"levels": "loose"}, "rule for levels out of fixed, free"),
    "covariance": ({"covariance": "full"}, "covariance out of diagonal, isotropic"),
    "start": ({"start": "magic"}, "start out of split, grow"),
    "split into none": ({"start": "split", "branching": None}, "say --branching"),
    "a root that stays alone": ({"start": "grow", "surgery": False}, "stays alone"),
    "pca": ({"pca": 13}, "at most 12 principal components"),
    "a field of free levels": ({"levels": "free", "field": True}, "--levels fixed"),
    "a field of two numbers": ({"branching": [2, 3, 2], "field": True}, "one number as --branching"),
    "a field that is not complete": ({"data": DATA[:20], "branching": 3, "field": True}, "needs a complete tree"),
    "encoder": ({"encoder": "magic"}, "encoder out of none, vae"),
    "likelihood": ({"likelihood": "poisson"}, "likelihood out of bernoulli, gaussian"),
    "latents": ({"encoder": "vae", "latent": 0}, "at least 1 as number of latents"),
    "data outside": ({"encoder": "vae"}, r"in \[0, 1\] for a Bernoulli.*row 0, column 0.*--likelihood gaussian"),
    "id": ({"id": ""}, "id"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_told(arguments, told):
    with pytest.raises(InputError, match=told):
        hcrl(**{"id": "it", "data": DATA, **arguments})


def test_records_that_are_none_are_refused():
    with pytest.raises(InputError, match="no nested-CRP tree"):
        LearnedTree.of(dump_encoder(Standardise(np.zeros(2), np.ones(2))))
    step = load_encoder(learned().encoder).steps[-1]
    arrays, settings = step.arrays(), step.settings()
    broken = [
        ({**arrays, "a": arrays["a"][:3]}, settings),
        ({**arrays, "variance": -arrays["variance"]}, settings),
        ({**arrays, "mean": arrays["mean"] * np.nan}, settings),
        ({**arrays, "parent": arrays["parent"][::-1].copy()}, settings),
        ({name: array for name, array in arrays.items() if name != "b"}, settings),
        (arrays, {**settings, "addresses": ["/"]}),
        (arrays, {"limits": [2]}),
    ]
    for one in broken:
        with pytest.raises(InputError, match="expected"):
            NestedTree.restore(*one)
