"""Imported hierarchies in the graph: any shape, several parents, several roots, points, and back again."""

import numpy as np
import pytest

from cfgraph.errors import InputError
from cfgraph.files.embeddings import Embeddings
from cfgraph.model.dag import Dag
from cfgraph.sources.imported import imported
from cfgraph.store.verify import verify

DIAMOND = {"count": 5, "parent": np.array([0, 0, 1, 2, 2]), "child": np.array([1, 2, 3, 3, 4]), "names": list("abcde")}


def back(store, hierarchy):
    """The hierarchy as the graph has it, verified and equal in everything to what was written."""
    store.write(hierarchy)
    report = verify(store, hierarchy.id)
    assert report.clean, [str(violation) for violation in report.violations[:10]]
    assert report.cells == len(hierarchy.cells)
    found = store.read_whole(hierarchy.id)
    assert_same(hierarchy, found)
    return found


def assert_same(wanted, found):
    """Every column alike."""
    assert found.model_dump() == wanted.model_dump()
    for name, column in wanted.cells.take(slice(None)).items():
        np.testing.assert_array_equal(found.cells.take(slice(None))[name], column, err_msg=name)
    assert set(found.cells.own) == set(wanted.cells.own)
    for name, column in wanted.cells.own.items():
        np.testing.assert_array_equal(found.cells.own[name], column, err_msg=name)
    assert (found.cells.links is None) == (wanted.cells.links is None)
    if wanted.cells.links is not None:
        for name, column in vars(wanted.cells.links).items():
            np.testing.assert_array_equal(getattr(found.cells.links, name), column, err_msg=name)
    if wanted.point_nodes:
        np.testing.assert_array_equal(found.cell_of_point, wanted.cell_of_point)


def make(id, *, embeddings=None, point_nodes=False, **columns):
    """A hierarchy from the columns of a dag."""
    dag = Dag(**{**DIAMOND, **columns})
    return imported(dag, id=id, origin="edges", recipe={}, embeddings=embeddings, points=point_nodes)


def test_several_parents(store, new_id):
    found = back(store, make(new_id()))
    assert found.cells.addresses == ["/", "/0", "/1", "/0/0", "/1/1"]
    assert found.cells.names == list("abcde")
    assert (found.cells.links.parent.tolist(), found.cells.links.child.tolist()) == ([2], [3])


def test_children_by_links_alone(store, new_id):
    """Both children of b are a's too, and a has the lower key."""
    parent, child = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 3, 4, 3, 4])
    found = back(store, make(new_id(), parent=parent, child=child, names=["root", "a", "b", "c", "d"]))
    assert found.cells.state.tolist() == [0, 0, 0, 2, 2]
    assert found.cells.child_count.tolist() == [2, 2, 0, 0, 0]


def test_several_roots_hang_under_a_virtual_one(store, new_id):
    hierarchy = make(new_id(), count=4, parent=np.array([0, 1]), child=np.array([1, 2]), names=list("abcd"))
    found = back(store, hierarchy)
    assert found.virtual_root
    assert found.cells.names == [None, "a", "d", "b", "c"]
    _, rows = store.query("MATCH (:Cell {key: $key})-[e:CHILD]->() RETURN e.length", {"key": f"{hierarchy.id}/"})
    assert rows == [[None], [None]]


def test_embeddings_give_centers(store, new_id):
    embeddings = Embeddings.of(np.array([[0.0, 2.0], [4.0, 0.0]]), names=["d", "e"])
    found = back(store, make(new_id(), embeddings=embeddings))
    np.testing.assert_allclose(found.cells.center, [[2, 1], [0, 2], [4, 0], [0, 2], [4, 0]])
    assert found.dimension == 2
    assert found.lengths == "metric"


def test_points_are_nodes(store, new_id):
    hierarchy = make(new_id(), node_of_point=np.array([3, 3, 4, -1]), point_nodes=True)
    found = back(store, hierarchy)
    assert found.cells.size.tolist() == [3, 2, 1, 2, 1]
    query = "MATCH (p:Point)-[:IN]->(:Cell {name: 'd', hierarchy: $id}) RETURN p.row ORDER BY p.row"
    assert store.query(query, {"id": hierarchy.id})[1] == [[0], [1]]
    store.remove(hierarchy.id)
    assert store.query("MATCH (p:Point {hierarchy: $id}) RETURN count(p)", {"id": hierarchy.id})[1] == [[0]]


def test_own_columns_of_every_kind(store, new_id):
    columns = {
        "height": np.array([2.5, np.nan, 1.0, 0.0, 0.0]),
        "rank": np.array([-1, 3, 0, 7, -1]),
        "kind": np.array(["x", None, "y", "", "'); DROP"], dtype=object),
        "sure": np.array([True, None, False, True, None], dtype=object),
    }
    found = back(store, make(new_id(), columns=columns))
    assert found.own == ("height", "kind", "name", "rank", "sure")


@pytest.mark.slow("30,000 children of one parent")
@pytest.mark.parametrize("count", [1, 2, 30_000])
def test_a_star(store, new_id, count):
    parent, child = np.zeros(count, dtype=np.int64), np.arange(1, count + 1)
    back(store, make(new_id(), count=count + 1, parent=parent, child=child, names=None))


@pytest.mark.slow("thousands of levels")
def test_a_chain(store, new_id):
    hierarchy = make(new_id(), count=3_001, parent=np.arange(3_000), child=np.arange(1, 3_001), names=None)
    assert back(store, hierarchy).cells.depth == 3_000


def test_a_random_dag(store, new_id):
    random = np.random.default_rng(3)
    edges = sorted({(int(random.integers(0, child)), child) for child in random.integers(1, 3_000, 6_000).tolist()})
    parent, child = np.array(edges).T
    order = random.permutation(3_000)
    names = [f"n{number}" for number in range(3_000)]
    embeddings = Embeddings.of(random.normal(size=(3_000, 3)), names=names)
    hierarchy = make(new_id(), count=3_000, parent=order[parent], child=order[child], names=names, embeddings=embeddings)
    found = back(store, hierarchy)
    assert len(found.cells.links) == len(edges) - (len(found.cells) - 1 - found.virtual_root * (found.cells.level == 1).sum())


def test_an_interrupted_write_goes_on(store, new_id):
    parent, child = np.arange(2_000) // 2, np.arange(1, 2_001)
    hierarchy = make(new_id(), count=2_001, parent=parent, child=child, names=None, node_of_point=child, point_nodes=True)
    whole = make(new_id(), count=2_001, parent=parent, child=child, names=None, node_of_point=child, point_nodes=True)
    store.write(whole)

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.write(hierarchy, progress=stop)
    assert store.hierarchy(hierarchy.id).state == "writing"
    assert verify(store, hierarchy.id).clean
    store.write(hierarchy)
    assert store.digest(hierarchy.id) == store.digest(whole.id)


def test_a_cycle_is_shown(new_id):
    with pytest.raises(InputError, match=r"a cycle|cycles, got one of 2 edges: 'b' -> 'c' -> 'b'"):
        make(new_id(), count=3, parent=np.array([0, 1, 2]), child=np.array([1, 2, 1]), names=list("abc"))


def test_a_prefix_of_several_roots(store, new_id):
    hierarchy = make(new_id(), count=5, parent=np.array([0, 1, 3, 4]), child=np.array([1, 2, 4, 2]), names=list("abcde"))
    whole = back(store, hierarchy)
    prefix = store.read(hierarchy.id, depth=2)
    wanted = whole.cells.prefix(2)
    assert prefix.addresses == wanted.addresses
    assert prefix.names == wanted.names
    assert (prefix.links is None) == (wanted.links is None)
    np.testing.assert_array_equal(prefix.length, wanted.length)
