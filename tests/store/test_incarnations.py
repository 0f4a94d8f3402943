"""What is removed and made again under an id is another one: who was at work on the first touches nothing of it."""

import json

import numpy as np
import pytest

from cfgraph.errors import DamagedError, StoreRefusedError, VanishedError
from cfgraph.growing.crew import read_task
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.store import Store, removal
from cfgraph.store.verify import verify
from cfgraph.transfer.export import export
from tests.grown import grown_hierarchy
from tests.store.test_imported import make

TOKEN = "MATCH (n {id: $id}) WHERE n.recipe IS NOT NULL RETURN n.incarnation"
FORGET = "MATCH (n {id: $id}) WHERE n.recipe IS NOT NULL REMOVE n.incarnation"


def token_of(store, id):
    return store.query(TOKEN, {"id": id})[1][0][0]


@pytest.fixture
def other(store_url):
    """Another client of the same store."""
    with Store.open(store_url) as store:
        yield store


def once(action):
    """Does something the first time that it is called."""
    calls = []

    def called(*_):
        calls.append(None)
        if len(calls) == 1:
            action()

    return called


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("state", ["complete", "writing"])
def test_a_stale_ingest_changes_nothing(store, other, new_id, same, state):
    id = new_id()
    stale = grown_hierarchy(id, depth=7)
    successor = stale if same else grown_hierarchy(id, depth=7, seed=1)

    def replace():
        other.remove(id)
        if state == "complete":
            other.write(successor)
        else:
            with pytest.raises(RuntimeError, match="stopped"):
                other.write(successor, progress=stop)

    with pytest.raises(VanishedError, match="was removed meanwhile, and another made under its id"):
        store.write(stale, progress=once(replace), sessions=1)
    assert verify(store, id).clean
    other.write(successor)
    whole = new_id("whole")
    other.write(successor.replace(id=whole))
    assert store.digest(id) == store.digest(whole)


def stop(done, total):
    raise RuntimeError("stopped")


def test_a_stale_rm_leaves_the_next_one(store, other, new_id, monkeypatch):
    monkeypatch.setattr(removal, "REMOVE_BATCH", 20)
    hierarchy = grown_hierarchy(new_id(), depth=4)
    store.write(hierarchy)
    said = []

    def replace():
        other.remove(hierarchy.id)
        other.write(hierarchy)

    removed = store.remove(hierarchy.id, progress=once(replace), say=said.append)
    assert removed == 20
    assert ["was removed by another command meanwhile" in line for line in said] == [True]
    assert store.counts(hierarchy.id).cells == len(hierarchy.cells)
    assert verify(store, hierarchy.id).clean
    assert store.remove(hierarchy.id, say=said.append) == len(hierarchy.cells)
    assert len(said) == 1


def test_tokens_differ_and_the_same_recipe_takes_on_the_graph_s(store, other, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=2)
    first = store.write(hierarchy)
    assert other.write(hierarchy).incarnation == first.incarnation == token_of(store, hierarchy.id)
    store.remove(hierarchy.id)
    assert store.write(hierarchy).incarnation not in (None, first.incarnation)
    trained = store.write_predictor(train(hierarchy, id=new_id("rule"), depth=2, family="mean"))
    assert other.predictor(trained.id).incarnation == trained.incarnation == token_of(store, trained.id)


def test_what_an_earlier_version_made_gets_its_token_when_it_is_written_to(store, new_id):
    truth = grown_hierarchy(new_id("truth"), depth=4)
    store.write(truth)
    trained = train(truth, id=new_id("rule"), depth=3, family="recurrence")
    store.write_predictor(trained)
    for id in (truth.id, trained.id):
        store.query(FORGET, {"id": id}, write=True)
    digest = store.digest(truth.id)
    with store.witness(truth.id) as witness:  # somebody writes meanwhile: a token where there was none is no change
        assert witness.hierarchy.incarnation is None
        store.write(truth)
        store.write_predictor(trained)
    tokens = token_of(store, truth.id), token_of(store, trained.id)
    assert None not in tokens
    for id in (truth.id, trained.id):
        store.query(FORGET, {"id": id}, write=True)
    assert store.digest(truth.id) == digest
    assert token_of(store, truth.id) is None  # a read writes nothing
    rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=5))
    assert None not in (token_of(store, truth.id), token_of(store, trained.id))
    store.query(FORGET, {"id": truth.id}, write=True)
    assert store.remove(truth.id) == 3**0 + 3 + 9 + 27 + 81 + 243


def test_train_proves_what_it_read(store, other, new_id):
    truth, rule = grown_hierarchy(new_id("truth"), depth=3), new_id("rule")
    store.write(truth)
    observed = store.read_whole(truth.id)
    other.remove(truth.id)
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        store.write_predictor(train(observed, id=rule, depth=2, family="mean"), observed=observed)
    other.write(truth)
    with pytest.raises(VanishedError, match="another made under its id"):
        store.write_predictor(train(observed, id=rule, depth=2, family="mean"), observed=observed)
    assert rule not in [trained.id for trained in store.predictors()]
    observed = store.read_whole(truth.id)
    store.write_predictor(train(observed, id=rule, depth=2, family="mean"), observed=observed)
    trained_on = "MATCH (:Predictor {id: $rule})-[:TRAINED_ON]->(h:Hierarchy) RETURN h.incarnation"
    assert store.query(trained_on, {"rule": rule})[1] == [[observed.incarnation]]


def test_a_growth_proves_both_ends(store, other, new_id):
    truth = grown_hierarchy(new_id("truth"), depth=3)
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=2, family="mean"))
    growth = rollout_plan(store, truth.id, trained)
    before = store.hierarchy(truth.id)
    other.remove(trained.id)
    other.write_predictor(train(truth, id=trained.id, depth=2, family="zero"))
    with pytest.raises(VanishedError, match=f"predictor {trained.id!r} was removed meanwhile, and another"):
        store.begin_growth(truth.id, growth, known=before.identity, predictor=trained.identity)
    assert store.hierarchy(truth.id).state == "complete"
    pinned = store.begin_growth(truth.id, growth)
    other.remove(trained.id)
    other.write_predictor(trained)
    with pytest.raises(VanishedError, match="and made again"):
        read_task(store, truth.id, pinned)
    with pytest.raises(VanishedError):
        store.finish_growth(truth.id, pinned)
    other.remove(truth.id)
    other.write(truth)
    with pytest.raises(VanishedError, match="another made under its id"):
        store.begin_growth(truth.id, growth, known=before.identity)
    with pytest.raises(VanishedError, match="another made under its id"):
        store.pin_growth_end(truth.id, pinned, last_block="/")
    assert store.hierarchy(truth.id).state == "complete"


def test_a_growth_that_came_and_ended_meanwhile_is_not_begun_again(store, other, new_id, monkeypatch):
    """Between looking at the frontier and pinning the growth of it, another worker pins the same one and reaches its stop."""
    truth = grown_hierarchy(new_id("truth"), depth=3)
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=2, family="recurrence"))
    grow, counted = {"predictor": trained.id, "stop": Stop(depth=5)}, []

    def count_frontier(id, ask=store.count_frontier):
        found = ask(id)
        if not counted:
            counted.append(rollout(other, id, **grow))
        return found

    monkeypatch.setattr(store, "count_frontier", count_frontier)
    report = rollout(store, truth.id, **grow)
    assert counted[0].grown > 0
    assert (report.grown, report.finished, report.to_depth) == (0, True, 5)
    assert len(store.read_growth(truth.id)) == 1


def test_a_copy_that_another_finished_meanwhile_is_not_grown_again(store, other, new_id, monkeypatch):
    """Between finding the copy there and looking at its growths, another one pins its growth and reaches its stop."""
    truth, copy = grown_hierarchy(new_id("truth"), depth=3), new_id("copy")
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=2, family="mean"))
    grow, grown = {"predictor": trained.id, "stop": Stop(depth=5), "from_depth": 2, "copy_as": copy}, []

    def read_growth(id, ask=store.read_growth):
        if not grown:
            grown.append(rollout(other, truth.id, **grow))
        return ask(id)

    monkeypatch.setattr(store, "read_growth", read_growth)
    report = rollout(store, truth.id, **grow)
    assert grown[0].grown > 0
    assert (report.grown, report.finished, report.to_depth) == (0, True, 5)
    assert len(store.read_growth(copy)) == 1


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("asked", ["read_growth", "count_frontier"])
def test_nothing_left_to_grow_is_said_of_the_one_that_was_meant(store, other, new_id, monkeypatch, asked, again):
    """Removed while a growth is planned, and perhaps made again as another: there is no frontier then, and no success."""
    truth = grown_hierarchy(new_id("truth"), depth=3)
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=2, family="recurrence"))
    ask, done = getattr(store, asked), []

    def remove_first(id):
        if not done:
            done.append(other.remove(id))
            if again:
                other.write(make(id))
        return ask(id)

    monkeypatch.setattr(store, asked, remove_first)
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=5))


@pytest.mark.parametrize("damage", ["e.length = -2.5", "c.center = [0.5, 0.5]", "c.root_distance = 7.0"])
def test_no_copy_of_a_damaged_prefix(store, new_id, damage):
    """What would grow from it would be as wrong, under another name."""
    truth, copy = grown_hierarchy(new_id("truth"), depth=3), new_id("copy")
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=2, family="mean"))
    store.query(f"MATCH ()-[e:CHILD]->(c:Cell {{key: $id + '/1'}}) SET {damage}", {"id": truth.id}, write=True)
    with pytest.raises(DamagedError, match="first /1: "):
        rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=5), from_depth=2, copy_as=copy)
    assert copy not in [hierarchy.id for hierarchy in store.hierarchies()]


def rollout_plan(store, id, trained):
    from cfgraph.growing.rollout import plan_growth

    hierarchy = store.hierarchy(id)
    frontier = store.count_frontier(id)
    return plan_growth(hierarchy, trained, stop=Stop(depth=5), frontier=frontier, cells=0, root_scale=1.0)


def test_a_copy_is_linked_to_the_truth_that_was_read(store, other, new_id):
    truth, copy = grown_hierarchy(new_id("truth"), depth=3), grown_hierarchy(new_id("copy"), depth=2, seed=2)
    known, made = store.write(truth), store.write(copy)
    other.remove(truth.id)
    other.write(truth)
    with pytest.raises(VanishedError, match="another made under its id"):
        store.link_truth(made, known)
    store.link_truth(made, store.hierarchy(truth.id))
    assert store.query("MATCH (:Hierarchy {id: $id})-[:PREDICTS]->(t) RETURN t.id", {"id": copy.id})[1] == [[truth.id]]


@pytest.mark.parametrize("name", ["h.parquet", "h.json", "h.graphml", "h.gexf", "h.csv", "folder", "h.dot"])
def test_no_file_holds_a_token(store, run, new_id, tmp_path, name):
    hierarchy = store.write(grown_hierarchy(new_id(), depth=3))
    token = store.hierarchy(hierarchy.id).incarnation
    export(store, hierarchy.id, output=tmp_path / name, format="neo4j-admin" if name == "folder" else None)
    files = [path for path in (tmp_path, *tmp_path.rglob("*")) if path.is_file()]
    assert files
    assert not [path for path in files if token.encode() in path.read_bytes() or b"incarnation" in path.read_bytes()]
    assert token not in run("show", hierarchy.id, "--format", "json").stdout
    assert "incarnation" not in json.dumps(hierarchy.model_dump(mode="json"))


def test_a_hierarchy_from_elsewhere_takes_no_token_along(store, new_id):
    first = store.write(grown_hierarchy(new_id("first"), depth=2))
    second = store.write(store.read_whole(first.id).replace(id=new_id("second")))
    assert second.incarnation not in (None, first.incarnation)


def test_links_and_points_go_into_no_other(store, other, new_id, monkeypatch):
    """Those of a stale ingest find cells at the addresses that they know, and prove whose they are."""
    stale = make(new_id(), node_of_point=np.array([3, 3, 4, -1]), point_nodes=True)

    def replace():
        other.remove(stale.id)
        other.write(stale)

    monkeypatch.setattr(store, "_write_cells", lambda *_, **__: replace())
    with pytest.raises(VanishedError, match="another made under its id"):
        store.write(stale)
    assert verify(store, stale.id).clean
    np.testing.assert_array_equal(store.read_whole(stale.id).cell_of_point, stale.cell_of_point)


def test_another_schema_is_refused_by_what_does_not_know_it(store, monkeypatch):
    from cfgraph.store import opening

    assert store.query("MATCH (s:Schema {name: 'cfgraph'}) RETURN s.version")[1] == [[4]]
    monkeypatch.setattr(opening, "SCHEMA_VERSION", 2)
    with pytest.raises(StoreRefusedError, match="holds schema version 4, and this cfgraph knows 2"):
        opening.check_schema(store._graph)
