"""A database that is not cfgraph's alone: nodes of others under the same labels are passed over, and left as they are."""

import re
from pathlib import Path

import pytest

from cfgraph.errors import NotFoundError, StoreRefusedError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.store import Store
from cfgraph.store.verify import verify
from tests.grown import grown_hierarchy

MAKE = """
CREATE (boss:Hierarchy {name: 'management', foreign: $mark}), (:Hierarchy {id: 7, foreign: $mark}),
       (:Hierarchy {id: ['a', 'b'], foreign: $mark}), (:Hierarchy {id: $id, state: 'growing', foreign: $mark}),
       (:Predictor {id: $rule, foreign: $mark}), (:Predictor {foreign: $mark}), (:Hierarchy {recipe: 'soup', foreign: $mark}),
       (cell:Cell:Frontier {name: 'A1', foreign: $mark}), (cell)-[:CHILD]->(:Cell:Leaf {level: 'ground', foreign: $mark}),
       (:Point {x: 1, y: 2, foreign: $mark}), (:Lease {flat: 3, foreign: $mark}), (:Schema {name: 'org', foreign: $mark}),
       (boss)-[:ROOT]->(cell)
"""


@pytest.fixture
def others(store, new_id):
    """Somebody else's nodes, two of them with ids that ours have: those ids, and a look at what there is of the others'."""
    id, rule = new_id("shared"), new_id("rule")
    store.query(MAKE, {"id": id, "rule": rule, "mark": id}, write=True)

    def there():
        return store.query("MATCH (n {foreign: $mark}) RETURN labels(n), properties(n) ORDER BY elementId(n)", {"mark": id})

    before = there()
    yield id, rule
    assert there() == before
    assert len(before[1]) == 12
    store.query("MATCH (n {foreign: $mark}) DETACH DELETE n", {"mark": id}, write=True)


def test_ls_passes_them_over(store, run, others):
    run("ls")
    id, rule = others
    assert not {id, rule} & {kept.id for kept in [*store.hierarchies(), *store.predictors()]}
    with pytest.raises(NotFoundError):
        store.hierarchy(id)
    with pytest.raises(NotFoundError):
        store.predictor(rule)
    run("show", id, code=2)
    run("rm", id, code=2)


def test_ours_live_beside_them_under_the_same_ids(store, run, new_id, others):
    id, rule = others
    truth = grown_hierarchy(id, depth=3)
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="mean"))
    copy = rollout(store, id, predictor=rule, stop=Stop(depth=4), from_depth=2, copy_as=new_id("copy"))
    assert verify(store, id).clean
    assert verify(store, copy.id).clean
    told = run("ls", "--format", "csv").stdout
    assert {id, rule, copy.id} <= set(re.split(r"[,\s]", told))
    run("show", id)
    run("show", rule)
    run("rm", copy.id)
    run("rm", rule)
    run("rm", id)
    assert id not in {hierarchy.id for hierarchy in store.hierarchies()}


@pytest.mark.slow("a server of its own")
def test_cells_of_others_with_equal_keys_are_no_reason_not_to_list(tmp_path: Path):
    server = LocalServer(tmp_path / "store", settings=Settings(_env_file=None))
    try:
        connection = server.ensure()
        with Store.of_server(connection) as store:
            store.query("UNWIND ['A1', 'A1'] AS key CREATE (:Cell {key: key})", write=True)
        url = f"local:{tmp_path / 'store'}"
        with Store.open(url, settings=Settings(_env_file=None)) as store:
            assert (store.hierarchies(), store.predictors()) == ([], [])
            with pytest.raises(StoreRefusedError, match=r"holds is in the way of cfgraph's schema.*NEO4J_DATABASE"):
                store.write(grown_hierarchy("it", depth=2))
            assert store.query("MATCH (n) RETURN labels(n), n.key")[1] == [[["Cell"], "A1"]] * 2
            store.query("MATCH (cell:Cell) DETACH DELETE cell", write=True)
            assert store.query("SHOW CONSTRAINTS YIELD name RETURN count(*)")[1] == [[0]]
            store.write(grown_hierarchy("it", depth=2))
            assert ["cell_key"] in store.query("SHOW CONSTRAINTS YIELD name RETURN name")[1]
    finally:
        server.stop()
