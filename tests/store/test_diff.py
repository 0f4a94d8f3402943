"""A diff of hierarchies in the graph: what plain Cypher does to cells is found, and what is no cell is said to be damaged."""

import numpy as np
import pytest

from cfgraph.comparing.diff import diff
from cfgraph.errors import ChangedError, DamagedError, NotFoundError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.dag import Dag
from cfgraph.sources.ifs import ifs
from cfgraph.sources.imported import imported
from cfgraph.sources.points import points
from cfgraph.store import reading
from tests.unit.test_diff import counts, random_dag


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    """So that few cells have many pages."""
    monkeypatch.setattr(reading, "PAGE_CELLS", 50)


@pytest.fixture
def koch(store, new_id):
    """The id of one that is written, and the same in memory."""
    hierarchy = ifs(id=new_id("koch"), maps="koch", depth=4)
    store.write(hierarchy)
    return hierarchy


def test_equal_wherever_they_are(store, new_id, koch, tmp_path):
    again = koch.replace(id=new_id("again"))
    store.write(again)
    for one, other in ((koch.id, again.id), (koch.id, koch), (koch, koch.id), (koch.id, koch.id)):
        found = diff(one, other, store=store)
        assert found.equal, found
        assert found.both == len(koch.cells)


def test_an_imported_one_equals_itself_in_memory(store, new_id):
    for hierarchy in (random_dag(new_id("dag"), second=20), with_everything(new_id("full"))):
        store.write(hierarchy)
        for by in ("address", "name", "points") if hierarchy.point_nodes else ("address", "name"):
            found = diff(hierarchy.id, hierarchy, store=store, by=by)
            assert found.equal, (by, found)
            assert found.both


def with_everything(id):
    """Names that some lack, vectors, whole numbers, texts, truth values, points, and a second parent."""
    columns = {
        "vector": np.array([[0.5, 1.0], [np.nan, np.nan], [2.0, 3.0], [4.0, 5.0]]),
        "number": np.array([1, -1, 3, 4]),
        "share": np.array([0.5, np.nan, 2.0, 1.0]),
        "text": np.array(["a", None, "c", "d"], dtype=object),
        "yes": np.array([True, False, None, True], dtype=object),
    }
    dag = Dag(
        4,
        np.array([0, 0, 1, 2]),
        np.array([1, 2, 3, 3]),
        names=["root", "left", "right", "low"],
        columns=columns,
        node_of_point=np.array([3, 1, 3, 0]),
    )
    return imported(dag, id=id, origin="edges", points=True)


def change(store, id, statement, **parameters):
    store.query(statement, parameters={"id": id, **parameters}, write=True)


CHANGES = {
    "moved": "MATCH (c:Cell {key: $id + '/2/1'}) SET c.center = [c.center[0] + c.scale / 2, c.center[1]]",
    "scaled": "MATCH (c:Cell {key: $id + '/2/1'}) SET c.scale = c.scale * 2",
    "edge": "MATCH (c:Cell {key: $id + '/2/1'})<-[e:CHILD]-() SET e.length = e.length * 2",
    "state": "MATCH (c:Cell {key: $id + '/2/1'}) SET c.predicted = true",
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_plain_cypher_changed(store, koch, kind):
    change(store, koch.id, CHANGES[kind])
    found = diff(koch, koch.id, store=store)
    assert counts(found) == {kind: 1}
    example = found.kinds[kind].examples[0]
    assert (example.first, example.level) == ("/2/1", 2)
    if kind == "moved":
        assert example.amount == pytest.approx(0.5)
    assert found.first_level == (None if kind == "state" else 2)


def test_edges_and_names_that_plain_cypher_changed(store, new_id):
    hierarchy = random_dag(new_id("dag"), second=20)
    store.write(hierarchy)
    change(store, hierarchy.id, "MATCH (c:Cell {name: 'n7'}) WHERE c.hierarchy = $id SET c.name = 'seven'")
    found = diff(hierarchy, hierarchy.id, store=store)
    assert counts(found) == {"renamed": 1}
    assert found.kinds["renamed"].examples[0].detail == "'n7' -> 'seven'"
    by_name = diff(hierarchy, hierarchy.id, store=store, by="name")
    assert by_name.count("only first") == by_name.count("only second") == 1
    statement = (
        "MATCH (:Cell)-[e:CHILD {primary: false}]->(c:Cell) WHERE c.hierarchy = $id WITH e ORDER BY c.key LIMIT 1 DELETE e"
    )
    change(store, hierarchy.id, statement)
    for by, expected in (("address", {"renamed"}), ("name", {"only first", "only second"})):
        found = diff(hierarchy, hierarchy.id, store=store, by=by)
        assert found.count("edge removed") == 1
        assert expected <= found.kinds.keys()


def test_points_that_were_put_elsewhere(store, new_id):
    hierarchy = with_everything(new_id("full"))
    store.write(hierarchy)
    statement = (
        "MATCH (p:Point {row: 1})-[e:IN]->(:Cell) WHERE p.hierarchy = $id MATCH (c:Cell {key: $id + '/1'}) "
        "DELETE e CREATE (p)-[:IN]->(c)"
    )
    change(store, hierarchy.id, statement)
    assert counts(diff(hierarchy, hierarchy.id, store=store)) == {"points": 2}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("MATCH (c:Cell {key: $id + '/2/1'}) SET c.center = [0.0 / 0.0, 1.0]", "the center of /2/1 is not finite"),
        ("MATCH (c:Cell {key: $id + '/2/1'}) SET c.center = [1.0 / 0.0, 1.0]", "the center of /2/1 is not finite"),
        ("MATCH (c:Cell {key: $id + '/2/1'}) SET c.center = [1.0]", "center of .* another dimension"),
        ("MATCH (c:Cell {key: $id + '/2/1'}) REMOVE c.scale", "some cells lack a property"),
        ("MATCH (c:Cell {key: $id + '/2/1'})<-[e:CHILD]-() DELETE e", "cell /2/1 has 0 primary parents"),
        ("MATCH (c:Cell {key: $id + '/2/1/0/3'}) SET c.key = $id + '/2/1/0/x'", "the address '/2/1/0/x'"),
        ("MATCH (c:Cell) WHERE c.hierarchy = $id DETACH DELETE c", "no cells, not even a root"),
    ],
)
def test_what_is_no_cell_is_damaged(store, koch, statement, told):
    change(store, koch.id, statement)
    with pytest.raises(DamagedError, match=told):
        diff(koch.id, koch, store=store)


def test_ids_that_there_are_not(store, koch):
    with pytest.raises(NotFoundError, match="cfgraph ls"):
        diff(koch.id, "nowhere", store=store)


def test_one_that_is_being_grown_is_refused(store, new_id, koch):
    rule, copy = new_id("rule"), new_id("copy")
    store.write_predictor(train(koch, id=rule, depth=2, family="recurrence"))
    rollout(store, koch.id, predictor=rule, stop=Stop(cells=100), from_depth=2, copy_as=copy)
    grown = diff(koch.id, copy, store=store)
    assert set(grown.kinds) <= {"only first", "state", "moved", "edge", "scaled"}
    change(store, copy, "MATCH (h:Hierarchy {id: $id}) SET h.state = 'growing'")
    with pytest.raises(ChangedError):
        diff(koch.id, copy, store=store)


def test_a_grown_copy_is_its_truth_but_for_the_last_digits(store, new_id, koch):
    rule, copy = new_id("rule"), new_id("copy")
    store.write_predictor(train(koch, id=rule, depth=2, family="recurrence"))
    rollout(store, koch.id, predictor=rule, stop=Stop(depth=4), from_depth=2, copy_as=copy)
    found = diff(koch.id, copy, store=store, tolerance=1e-9)
    assert set(found.kinds) == {"state"}
    assert found.kinds["state"].examples[0].detail == "Expanded -> Expanded (predicted)"
    assert found.first_level is None


def test_a_refit_by_points(store, new_id):
    """Three far clusters are found again under other slots; what lies in them is matched by what it has in common."""
    random = np.random.default_rng(0)
    data = random.normal(size=(60, 2)) + 40 * np.repeat([[0, 0], [1, 0], [0, 1]], 20, axis=0)
    one = points(data=data, id=new_id("one"), arity=3, depth=2, seed=0, points=True)
    other = points(data=data[::-1].copy(), id=new_id("other"), arity=3, depth=2, seed=1, points=True)
    turned = other.replace(id=new_id("turned")).with_cells(other.cells, cell_of_point=other.cell_of_point[::-1].copy())
    for hierarchy in (one, turned):
        store.write(hierarchy)
    found = diff(one.id, turned.id, store=store, by="points", tolerance=1e-9)
    assert found.both >= 4  # the root and the three clusters at least
    assert [dict(level.kinds) for level in found.levels[:2]] == [{}, {}]
    assert diff(one.id, turned.id, store=store, tolerance=1e-9).count("points")  # by address the slots are others
    assert diff(turned.id, turned, store=store, by="points").equal
