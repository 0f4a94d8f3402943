"""Linkages: SciPy's matrix comes back bit for bit, and what is none is refused with its row."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import is_valid_linkage, linkage

from cfgraph.errors import InputError
from cfgraph.formats.linkage import dag_linkage, linkage_dag, read_linkage
from cfgraph.model.dag import doubled_names

METHODS = ("single", "complete", "average", "weighted", "centroid", "median", "ward")


def random_linkage(seed):
    """A linkage of a few points by some method; on a grid, so that heights often are equal."""
    chance = np.random.default_rng(seed)
    X = chance.integers(0, 4, (chance.integers(2, 30), 2)) if seed % 2 else chance.standard_normal((chance.integers(2, 30), 3))
    return linkage(X.astype(float), METHODS[seed % len(METHODS)])


def tree_of(dag):
    """Parent and slot of each node, as a hierarchy keeps them."""
    parent, slot = np.full(dag.count, -1), np.zeros(dag.count, dtype=int)
    parent[dag.child] = dag.parent
    slot[dag.child] = np.arange(len(dag.child)) % 2
    return parent, slot


def refuse(told, Z, **options):
    with pytest.raises(InputError, match=told):
        linkage_dag(np.array(Z, dtype=float), **options)


def test_a_thousand_linkages_come_back_from_nodes_in_any_order():
    for seed in range(1000):
        Z = random_linkage(seed)
        dag = linkage_dag(Z)
        parent, slot = tree_of(dag)
        new = np.random.default_rng(seed).permutation(dag.count)  # new[i] is the place of node i
        moved = {name: np.empty_like(column) for name, column in {**dag.columns, "slot": slot}.items()}
        for name, column in moved.items():
            column[new] = dag.columns.get(name, slot)
        above = np.empty_like(parent)
        above[new] = np.where(parent < 0, -1, new[parent])
        back = dag_linkage(above, moved["height"], slot=moved["slot"], merge=moved["merge"])
        assert np.array_equal(back, Z), seed


def test_without_numbers_the_merges_are_the_same_in_a_valid_order():
    for seed in range(200):
        Z = random_linkage(seed)
        dag = linkage_dag(Z)
        parent, slot = tree_of(dag)
        back = dag_linkage(parent, dag.columns["height"], slot=slot)
        assert is_valid_linkage(back)
        assert clusters(back) == clusters(Z), seed
        if (np.diff(Z[:, 2]) > 0).all():
            assert np.array_equal(back, Z)


def clusters(Z):
    """Each merge as its points and its height."""
    sets = [frozenset([point]) for point in range(len(Z) + 1)]
    for one, other in Z[:, :2].astype(int):
        sets.append(sets[one] | sets[other])
    return sorted((sorted(inside), height) for inside, height in zip(sets[len(Z) + 1 :], Z[:, 2], strict=True))


def test_columns_and_lengths():
    dag = linkage_dag([[0, 2, 1.0, 2], [1, 3, 4.0, 3]], names=["a", "b", "c"])
    assert dag.names == ["a", "b", "c", None, None]
    assert dag.parent.tolist() == [3, 3, 4, 4]
    assert dag.child.tolist() == [0, 2, 1, 3]
    assert dag.length.tolist() == [1, 1, 4, 3]
    assert dag.lengths == "height"
    assert {name: column.tolist() for name, column in dag.columns.items()} == {
        "height": [0, 0, 0, 1, 4],
        "size": [1, 1, 1, 2, 3],
        "merge": [0, 1, 2, 3, 4],
    }
    assert dag.node_of_point.tolist() == [0, 1, 2]


def test_an_inversion_has_length_0_and_a_note():
    Z = linkage(np.array([[0, 0], [1, 0], [0.5, 0.9]]), "centroid")
    dag = linkage_dag(Z)
    assert Z[1, 2] < Z[0, 2]
    assert dag.length.min() == 0
    assert dag.columns["height"][3:].tolist() == Z[:, 2].tolist()
    assert dag.notes == ("1 nodes lie higher than what they are merged into; those edges have length 0",)


@pytest.mark.parametrize(
    ("Z", "told"),
    [
        ([[0, 1, 1]], "expected four columns .* got 3"),
        ([[0, 1, 1, 2], [0, 3, 2, 3]], r"row 1 .* was merged before"),
        ([[0, 1, 1, 2], [2, 2, 2, 3]], r"row 1 .* was merged before"),
        ([[0, 4, 1, 2], [1, 2, 2, 3]], r"row 0 .* nodes that are there by then"),
        ([[0, 1.5, 1, 2], [2, 3, 2, 3]], r"row 0 .* whole numbers"),
        ([[0, -1, 1, 2]], r"row 0 .* whole numbers"),
        ([[0, 1, -1, 2]], r"row 0 .* a height of at least 0"),
        ([[0, 1, 1, 2], [2, 3, 2, 4]], r"row 1 .* \[2.0, 3.0, 2.0, 4.0\]: .* the sum of the merged sizes"),
        ([[0, 1, np.nan, 2]], "expected finite numbers"),
    ],
)
def test_what_is_no_linkage_is_refused_with_its_row(Z, told):
    refuse(told, Z)


def test_what_scipy_finds_invalid_is_refused():
    """Every linkage with one number changed is refused where SciPy refuses it."""
    refused = 0
    for seed in range(300):
        chance = np.random.default_rng(seed)
        Z = linkage(chance.standard_normal((6, 2)), "average")
        Z[chance.integers(5), chance.integers(4)] = chance.integers(-2, 12)
        if not is_valid_linkage(Z):
            refuse("is no linkage", Z)
            refused += 1
    assert refused > 50


def test_names_are_counted_and_differ():
    Z = linkage(np.arange(4.0)[:, None])
    refuse("expected 4 names, one for each point of the linkage, got 3", Z, names=["a", "b", "c"])
    assert doubled_names(linkage_dag(Z, names=["a", "b", "a", "d"])) == (
        "1 name is of several leaves: 'a'; addresses tell them apart",
    )
    assert not doubled_names(linkage_dag(Z))


def test_files(tmp_path):
    Z = random_linkage(3)
    np.save(tmp_path / "z.npy", Z)
    np.savez(tmp_path / "z.npz", Z=Z, other=Z[:1])
    (tmp_path / "z.csv").write_text("\n".join(",".join(map(repr, row)) for row in Z.tolist()))
    for name, key in (("z.npy", None), ("z.npz", "Z"), ("z.csv", None)):
        assert np.array_equal(read_linkage(tmp_path / name, key=key).columns["height"][len(Z) + 1 :], Z[:, 2])
    np.save(tmp_path / "bad.npy", Z[::-1])
    with pytest.raises(InputError, match=r"bad.npy is no linkage: row 0 "):
        read_linkage(tmp_path / "bad.npy")


def test_trees_that_are_no_linkage():
    star = np.array([-1, 0, 0, 0])
    with pytest.raises(InputError, match=r"binary: .* got 1 others, first node 0 with 3"):
        dag_linkage(star, np.ones(4))
    with pytest.raises(InputError, match="got 4 nodes, 4 roots"):
        dag_linkage(np.full(4, -1), np.ones(4))
    with pytest.raises(InputError, match="finite heights"):
        dag_linkage(np.array([-1, 0, 0]), np.array([np.nan, 0, 0]))
    with pytest.raises(InputError, match="the tree was changed since"):
        dag_linkage(np.array([-1, 0, 0]), np.ones(3), merge=np.array([1, 0, 2]))
