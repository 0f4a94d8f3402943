"""Flat clusters: those of SciPy's fcluster, hdbscan and scikit-learn, label by label; and the rules of trees of other kinds."""

from dataclasses import replace

import hdbscan
import numpy as np
import pytest
import sklearn.cluster
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from cfgraph import sources
from cfgraph.errors import InputError
from cfgraph.judging.cut import cut
from cfgraph.model.condensed import Selection, condense_tree
from cfgraph.sources.stability import OF_CLUSTERS

QUICK = settings(max_examples=60, deadline=None)
KINDS = ("single", "average", "complete", "ward", "centroid", "median")


def data(seed, *, least=2, most=70):
    """Points that lie anywhere, in heaps, or on a grid, where distances are equal and points the same."""
    chance = np.random.default_rng(seed)
    count, kind = int(chance.integers(least, most)), seed % 4
    if kind == 0:
        return chance.normal(size=(count, 2))
    if kind == 1:
        return np.concatenate([chance.normal(at, 0.3, (count // 3 + 2, 2)) for at in ((0, 0), (3, 0), (0, 4))])
    return chance.integers(0, 6 if kind == 2 else 12, (count, 1 + kind % 2)).astype(float)


@QUICK
@given(st.integers(0, 2**32), st.sampled_from(KINDS))
def test_cuts_of_linkages_are_those_of_fcluster(seed, kind):
    X = data(seed)
    Z = linkage(X, kind)
    hierarchy = sources.linkage(id="z", data=Z)
    chance = np.random.default_rng(seed)
    for clusters in {1, len(X), *chance.integers(1, len(X) + 1, 3).tolist()}:
        found = cut(hierarchy, clusters=clusters)
        assert np.array_equal(found, fcluster(Z, clusters, "maxclust") - 1)
        assert found.sizes.tolist() == np.bincount(found.labels).tolist()
    for height in [0.0, *chance.choice(Z[:, 2], 2), float(Z[-1, 2]) / 2]:
        assert np.array_equal(cut(hierarchy, height=float(height)), fcluster(Z, height, "distance") - 1)


OPTIONS = st.fixed_dictionaries(
    {
        "min_cluster_size": st.integers(2, 9),
        "min_samples": st.integers(1, 6),
        "cluster_selection_method": st.sampled_from(["eom", "leaf"]),
        "allow_single_cluster": st.booleans(),
        "cluster_selection_epsilon": st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, 1.5]),
        "max_cluster_size": st.sampled_from([None, None, 8, 30]),
    }
)


@QUICK
@given(st.integers(0, 2**32), OPTIONS)
def test_persistence_is_that_of_hdbscan(seed, options):
    X = data(seed, least=10)
    model = hdbscan.HDBSCAN(**options | {"max_cluster_size": options["max_cluster_size"] or 0}).fit(X)
    hierarchy = sources.tree(id="m", data=model)
    found = cut(hierarchy, persistence=True)
    assert np.array_equal(found, model.labels_)
    assert np.array_equal(found.probabilities, model.probabilities_)
    assert np.array_equal(found.persistence, model.cluster_persistence_)
    own, points = hierarchy.cells.own, hierarchy.point_columns
    assert [own["cluster"][row] for row in found.rows] == sorted(own["cluster"][own["selected"]])
    assert np.array_equal(points["label"], model.labels_)
    assert np.array_equal(points["probability"], model.probabilities_)
    # The same from the merges alone, given how the model takes its clusters.
    assume(options["max_cluster_size"] is None)
    merges = sources.linkage(id="z", data=model.single_linkage_tree_.to_numpy())
    asked = {
        "minimum_size": options["min_cluster_size"],
        "method": options["cluster_selection_method"],
        "allow_single": options["allow_single_cluster"],
        "epsilon": options["cluster_selection_epsilon"],
    }
    again = cut(merges, persistence=True, **asked)
    np.testing.assert_array_equal(again, model.labels_)
    np.testing.assert_array_equal(again.probabilities, model.probabilities_)
    # A larger minimum size, of the condensed tree and of the merges.
    larger = asked | {"minimum_size": options["min_cluster_size"] + 5}
    np.testing.assert_array_equal(
        cut(hierarchy, persistence=True, **larger).sizes, cut(merges, persistence=True, **larger).sizes
    )


@QUICK
@given(st.integers(0, 2**32), OPTIONS)
def test_persistence_is_that_of_scikit_learn(seed, options):
    X = data(seed, least=10)
    try:
        model = sklearn.cluster.HDBSCAN(**options, copy=True).fit(X)
    except (KeyError, TypeError):  # some single clusters are too much for scikit-learn 1.9
        assume(False)
    found = cut(sources.tree(id="m", data=model), persistence=True)
    assert np.array_equal(found, model.labels_)
    assert np.array_equal(found.probabilities, model.probabilities_)


def test_the_labels_of_a_condensed_tree_tell_how_they_were_taken():
    X = data(5, least=60)
    for method in ("eom", "leaf"):
        model = hdbscan.HDBSCAN(min_cluster_size=4, cluster_selection_method=method).fit(X)
        assert np.array_equal(cut(sources.tree(id="m", data=model.condensed_tree_), persistence=True), model.labels_)


def test_condense_keeps_stability_and_a_clash_of_names_is_told():
    Z = linkage(data(1, least=60), "single")
    condensed = sources.linkage(id="z", data=Z, condense=5)
    assert set(OF_CLUSTERS) <= condensed.cells.own.keys()
    whole = cut(sources.linkage(id="z", data=Z), persistence=True, minimum_size=5)
    found = cut(condensed, persistence=True)
    assert np.array_equal(found, whole)
    assert np.array_equal(found.probabilities, whole.probabilities)
    rows, cells = found.rows, condensed.cells
    np.testing.assert_allclose(cells.own["persistence"][rows], found.persistence)
    assert list(found.cluster_table()) == ["label", "cell", "name", "points", "stability", "persistence"]
    assert found.cluster_table()["stability"] == cells.own["stability"][rows].tolist()


# ---------------------------------------------------------------- trees of other kinds


def newick(tmp_path, text):
    path = tmp_path / "tree.nwk"
    path.write_text(text)
    return sources.tree(id="t", data=path)


def test_without_heights_the_largest_is_split_first(tmp_path):
    tree = newick(tmp_path, "((a,b,c),(d,e),((f,g),(h,(i,j))));")
    assert cut(tree, clusters=1).labels.tolist() == [0] * 10
    three = cut(tree, clusters=3)
    assert three.cells == ["/2", "/0", "/1"] or sorted(three.cells) == ["/0", "/1", "/2"]
    assert sorted(cut(tree, clusters=4).cells) == ["/0", "/1", "/2/0", "/2/1"]
    five = cut(tree, clusters=5)  # /0 would make two more: /2/1 is the next that fits
    assert sorted(five.cells) == ["/0", "/1", "/2/0", "/2/1/0", "/2/1/1"]
    two = cut(tree, clusters=2)
    assert len(two.rows) == 1
    assert "1 clusters, the most of at most 2" in two.notes[0]


def test_levels_sizes_and_what_is_noise(tmp_path):
    tree = newick(tmp_path, "((a,b,c),(d,e),((f,g),(h,(i,j))));")
    assert cut(tree, level=0).cells == ["/"]
    assert sorted(cut(tree, level=1).cells) == ["/0", "/1", "/2"]
    sized = cut(tree, sizes="2..3")
    assert sorted(sized.cells) == ["/0", "/1", "/2/0", "/2/1"]
    assert (sized.labels >= 0).all()
    few = cut(tree, sizes=(3, 3))
    assert sorted(few.cells) == ["/0", "/2/1"]
    assert int((few.labels < 0).sum()) == 4
    cells = few.of_cells
    assert [tree.cells.addresses[row] for row in np.flatnonzero(cells == few.labels[0])] == ["/0", "/0/0", "/0/1", "/0/2"]


def test_heights_of_branches_are_the_longest_way_down(tmp_path):
    tree = newick(tmp_path, "((a:1,b:1):3,(c:2,d:2):2);")
    assert sorted(cut(tree, height=3.9).cells) == ["/0", "/1"]
    assert sorted(cut(tree, clusters=3).cells) == ["/0", "/1/0", "/1/1"]
    assert cut(tree, height=4).cells == ["/"]


def test_points_of_fields_are_cut_by_their_cells():
    X = np.random.default_rng(0).normal(size=(300, 2))
    field = sources.points(id="p", data=X, depth=4, arity=2)
    found = cut(field, level=2)
    assert len(found) == 300
    assert np.asarray(found).dtype == np.int64
    assert len(found.rows) == 4
    eight = cut(field, clusters=8)
    assert len(eight.rows) == 8
    assert eight.sizes.sum() == 300
    with pytest.raises(InputError, match="expected cells with heights, or with a radius each"):
        cut(field, height=0.5)
    with pytest.raises(InputError, match="needs the height of every merge"):
        cut(field, persistence=True)


def test_several_roots_were_never_merged(tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("child,parent\na,r\nb,r\nc,s\nd,s\n")
    roots = sources.edges(id="e", data=pairs)
    assert sorted(cut(roots, clusters=2).cells) == ["/0", "/1"]
    assert sorted(cut(roots, height=1e300).cells) == ["/0", "/1"]


def test_what_cannot_be_cut_is_refused(tmp_path):
    Z = linkage(data(1))
    hierarchy = sources.linkage(id="z", data=Z)
    for message, asked in [
        ("expected one way to cut, .*, got none", {}),
        ("got clusters and level", {"clusters": 2, "level": 1}),
        ("method is about cuts by persistence", {"clusters": 2, "method": "leaf"}),
        ("expected the method eom or leaf, got 'best'", {"persistence": True, "method": "best"}),
        ("expected 1 to .* clusters", {"clusters": 10_000}),
        ("expected sizes as MIN..MAX", {"sizes": "5-9"}),
        ("1 <= MIN <= MAX", {"sizes": (9, 5)}),
        ("height", {"height": float("nan")}),
        ("level", {"level": -1}),
        ("minimum size", {"persistence": True, "minimum_size": 1}),
        ("epsilon of at least 0", {"persistence": True, "epsilon": -1.0}),
        ("as_property keeps labels in a store", {"clusters": 2, "as_property": "x"}),
    ]:
        with pytest.raises(InputError, match=message):
            cut(hierarchy, **asked)
    with pytest.raises(InputError, match="leave the id out"):
        cut(hierarchy, "z", clusters=2)
    with pytest.raises(InputError, match="or a store and an id, got a dict"):
        cut({}, clusters=2)
    upset = sources.linkage(id="c", data=linkage(np.random.default_rng(3).normal(size=(60, 2)), "centroid"))
    with pytest.raises(InputError, match=r"inversions.*cut it by clusters"):
        cut(upset, persistence=True)


def test_selections_differ_from_their_defaults():
    assert Selection().record == {}
    assert replace(Selection(), method="leaf", size_max=9).record == {"method": "leaf", "size_max": 9}
    tree = condense_tree(np.array([-1, 0, 0]), np.array([1.0, 2.0, 3.0]), np.array([1, 1, 2, 2, -1]), minimum=2)
    assert tree.take(Selection()).label.tolist() == [0, 0, 1, 1, -1]
