"""Verify names every corruption that plain Cypher can make, by its invariant and its place."""

import numpy as np
import pytest

from cfgraph.metric.place import place
from cfgraph.store import reading
from cfgraph.store.sound_pages import count_sound
from cfgraph.store.verify import INVARIANTS, verify
from tests.grown import grown_hierarchy, ragged_hierarchy
from tests.tampering import MAKERS, write_grown

CELL = "MATCH (c:Cell {key: $id + '/1/0'}) "
EDGE = "MATCH (p:Cell)-[e:CHILD]->(c:Cell {key: $id + '/1/0'}) "
OTHER = "MATCH (q:Cell {key: $id + '/2'}) "
HIERARCHY = "MATCH (h:Hierarchy {id: $id}) "

# invariant, where verify must say it is, the corruption
CORRUPTIONS = [
    ("hierarchy", "", HIERARCHY + "REMOVE h.scale_factor"),
    ("hierarchy", "", HIERARCHY + "SET h.arity = 'three'"),
    ("hierarchy", "", HIERARCHY + "SET h.recipe = '{broken'"),
    ("hierarchy", "", HIERARCHY + "SET h.state = 'removing'"),
    ("root", "", HIERARCHY + "MATCH (h)-[r:ROOT]->() DELETE r"),
    ("root", "", HIERARCHY + "MATCH (c:Cell {key: $id + '/1'}) CREATE (h)-[:ROOT]->(c)"),
    ("root", "/", "MATCH (c:Cell {key: $id + '/1'}), (r:Cell {key: $id + '/'}) CREATE (c)-[:CHILD {slot: 0}]->(r)"),
    ("root_distance", "/", "MATCH (r:Cell {key: $id + '/'}) SET r.root_distance = 0.5"),
    ("key", "/1/0", CELL + "SET c.hierarchy = 'other'"),
    ("key", "/1/0", CELL + "SET c.address = '/0/1'"),
    ("key", "/1/0", CELL + "REMOVE c.key"),
    ("key", "/1/0", CELL + "SET c.key = 'zz-' + $id + '/1/0'"),
    ("key", "/01/0", CELL + "SET c.key = $id + '/01/0'"),
    ("property", "/1/0", CELL + "REMOVE c.center"),
    ("property", "/1/0", CELL + "SET c.center = [0.0]"),
    ("property", "/1/0", CELL + "SET c.center = [0.0, 0.0 / 0.0]"),
    ("property", "/1/0", CELL + "SET c.center = 'here'"),
    ("property", "/1/0", CELL + "REMOVE c.scale"),
    ("property", "/1/0", CELL + "SET c.root_distance = 1.0 / 0.0"),
    ("property", "/1/0", EDGE + "REMOVE e.residual"),
    ("property", "/1/0", EDGE + "SET e.length = 'long'"),
    ("level", "/1/0", CELL + "SET c.level = 7"),
    ("level", "/1/0", CELL + "REMOVE c.level"),
    ("parent", "/1/0", EDGE + "DELETE e"),
    (
        "parent",
        "/1/0",
        EDGE + "MATCH (q:Cell {key: $id + '/2'}) CREATE (q)-[:CHILD {slot: 0, residual: e.residual, length: e.length}]->(c)",
    ),
    ("parent", "/1/0", EDGE + "MATCH (q:Cell {key: $id + '/2'}) CREATE (q)-[f:CHILD]->(c) SET f = e DELETE e"),
    ("parent", "/1/0", EDGE + "CREATE (p)-[f:CHILD]->(c) SET f = e"),
    ("parent", "/1", "MATCH (c:Cell {key: $id + '/1'}) CREATE (c)-[:CHILD {slot: 3}]->(:Thing {hierarchy: $id})"),
    ("slot", "/1/0", EDGE + "SET e.slot = 5"),
    ("slot", "/1", EDGE + "SET e.slot = 2"),
    ("slot", "/1/0", EDGE + "REMOVE e.slot"),
    ("center", "/1/0", CELL + "SET c.center = [c.center[0] + 1e-6, c.center[1]]"),
    ("center", "/1/0", EDGE + "SET e.residual = [e.residual[1], e.residual[0]]"),
    ("scale", "/1/0", CELL + "SET c.scale = c.scale * 1.001"),
    ("length", "/1/0", EDGE + "SET e.length = e.length * 1.001"),
    ("root_distance", "/1/0", CELL + "SET c.root_distance = c.root_distance + 0.001"),
    ("bound", "/1/0", EDGE + "SET e.residual = [1000.0, 0.0]"),
    ("expansion", "/1/0", CELL + "SET c:Frontier"),
    ("expansion", "/1/0", CELL + "SET c:Leaf"),
    ("expansion", "/1/0/0", "MATCH (c:Cell {key: $id + '/1/0/0'}) REMOVE c:Frontier"),
    ("expansion", "/1/0/0", "MATCH (c:Cell {key: $id + '/1/0/0'}) SET c:Leaf"),
    ("expansion", "/1/0", "MATCH (c:Cell {key: $id + '/1/0/0'}) DETACH DELETE c"),
    ("expansion", "/1", CELL + "DETACH DELETE c"),
    ("expansion", "/1/0", "MATCH (c:Cell {key: $id + '/1/0/0'}) REMOVE c:Cell"),
    ("predicted", "/1/0", CELL + "SET c.predicted = true"),
    ("predicted", "/1/0/0", CELL + "SET c.predicted = true"),
    ("property", "/1/0", CELL + "SET c.predicted = 'yes'"),
    ("property", "/1/0", CELL + "SET c.size = -1"),
    ("lease", "/1/0", "CREATE (:Lease {key: $id + '/1/0', hierarchy: $id, owner: 'nobody', token: 'x', until: 0})"),
]


# What no `rm` would find again: cells outside the hierarchy's range, and hierarchies that cannot be read.
SPOILED = (
    "MATCH (n) WHERE n.hierarchy = $id OR n.key STARTS WITH $id + '/' OR n.key STARTS WITH 'zz-' + $id DETACH DELETE n",
    "MATCH (h:Hierarchy {id: $id}) DETACH DELETE h",
)


def places(report, invariant):
    """Where the report says that the invariant is broken."""
    return [violation.place for violation in report.violations if violation.invariant == invariant]


@pytest.mark.parametrize(("invariant", "place", "cypher"), CORRUPTIONS, ids=lambda value: value[-60:] if value else "")
def test_verify_names_the_corruption(store, new_id, invariant, place, cypher):
    hierarchy = grown_hierarchy(new_id(), arity=3, depth=3)
    store.write(hierarchy)
    assert verify(store, hierarchy.id).clean
    store.query(cypher, {"id": hierarchy.id}, write=True)
    report = verify(store, hierarchy.id)
    assert any(found.endswith(place) for found in places(report, invariant)), report.violations
    for spoiled in SPOILED:
        store.query(spoiled, {"id": hierarchy.id}, write=True)


DATA_CORRUPTIONS = [
    ("radius", "MATCH (c:Cell)-[:CHILD]->(:Leaf {hierarchy: $id}) WHERE c.radius > 0 WITH c LIMIT 1 SET c.radius = 0.0"),
    ("radius", "MATCH (c:Frontier {hierarchy: $id}) WITH c LIMIT 1 SET c.radius = 1.0"),
    ("radius", "MATCH (c:Cell {key: $id + '/'}) SET c.radius = 100.0"),
    ("size", "MATCH (c:Cell {key: $id + '/0'}) SET c.size = c.size + 1"),
    ("property", "MATCH (c:Cell {key: $id + '/0'}) SET c.size = 'many'"),
]


@pytest.mark.parametrize(("invariant", "cypher"), DATA_CORRUPTIONS)
def test_verify_names_the_corruption_of_data_built_trees(store, new_id, invariant, cypher):
    hierarchy = ragged_hierarchy(new_id(), arity=2, depth=6, seed=3)
    store.write(hierarchy)
    assert verify(store, hierarchy.id).clean
    store.query(cypher, {"id": hierarchy.id}, write=True)
    assert places(verify(store, hierarchy.id), invariant)


MORE_CORRUPTIONS = [  # of an imported hierarchy with links and points, and of what grew one
    ("link", "dag", "MATCH (:Cell)-[e:CHILD {primary: false}]->(c:Cell WHERE c.hierarchy = $id) WITH e LIMIT 1 DELETE e"),
    ("link", "dag", "MATCH (c:Cell {key: $id + '/0/0'}), (q:Cell {key: $id + '/0'}) CREATE (c)-[:CHILD {primary: false}]->(q)"),
    ("point", "dag", "MATCH (p:Point {key: $id + '/0'})-[e:IN]->() DELETE e"),
    ("point", "dag", "MATCH (p:Point {key: $id + '/0'}), (c:Cell {key: $id + '/'}) CREATE (p)-[:IN]->(c)"),
    ("point", "dag", "MATCH (p:Point {key: $id + '/0'}) SET p.row = 1"),
    ("point", "dag", "MATCH (p:Point {key: $id + '/0'}) SET p.key = 'zz-' + p.key"),
    (
        "point",
        "field",
        "MATCH (c:Cell {key: $id + '/'}) CREATE (c)<-[:IN]-(:Point {key: $id + '/0', hierarchy: $id, row: 0})",
    ),
    ("grower", "grown", "MATCH (:Hierarchy {id: $id})-[:GROWN_BY]->(p) SET p.config = '{}'"),
    ("grower", "grown", "MATCH (:Hierarchy {id: $id})-[:GROWN_BY]->(p) SET p.arity = p.arity + 1"),
    ("point", "dag", "MATCH (h:Hierarchy {id: $id}) SET h.points = 9223372036854775807"),
    ("size", "points", "MATCH (h:Hierarchy {id: $id}) SET h.points = h.points + 1"),
    ("size", "dag", "MATCH (h:Hierarchy {id: $id}) SET h.points = 0"),
    ("encoder", "points", "MATCH (:Hierarchy {id: $id})-[:ENCODED_BY]->(e) SET e.steps = '[]'"),
    ("encoder", "points", "MATCH (h:Hierarchy {id: $id}) REMOVE h.encoder_sha256"),
    ("hierarchy", "grown", "MATCH (:Hierarchy {id: $id})-[g:GROWN_BY]->() SET g.stop = 'soon'"),
    ("batch", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'})-[e:IN]->() DELETE e"),
    ("batch", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'}) DETACH DELETE p"),
    ("batch", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'}), (c:Cell {key: $id + '/'}) CREATE (p)-[:IN]->(c)"),
    ("batch", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'}) SET p.distance = null"),
    ("batch", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'}) REMOVE p.batch"),
    ("batch", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'}) SET p.key = $id + '/@batch-2/1'"),
    ("batch", "placed", "MATCH (b:Batch {key: $id + '/@batch-1'}) SET b.done = 2"),
    ("batch", "placed", "MATCH (b:Batch {key: $id + '/@batch-1'}) REMOVE b.digest"),
    ("batch", "placed", "MATCH (b:Batch {key: $id + '/@batch-1'}) DETACH DELETE b"),
    ("batch", "placed", "MATCH (b:Batch {key: $id + '/@batch-1'})<-[e:PLACED]-() DELETE e"),
    ("point", "placed", "MATCH (p:Point {key: $id + '/@batch-1/1'}) SET p.key = 'zz-' + p.key"),
]


@pytest.mark.parametrize(("invariant", "kind", "cypher"), MORE_CORRUPTIONS, ids=lambda value: value[-60:])
def test_verify_names_what_is_beside_the_cells(store, new_id, invariant, kind, cypher):
    id = new_id()
    if kind == "grown":
        write_grown(store, id, rule=new_id("rule"))
    else:
        store.write(MAKERS["points" if kind == "placed" else kind](id))
    if kind == "placed":
        place(store, id, data=np.arange(6.0).reshape(3, 2))
    assert verify(store, id).clean
    store.query(cypher, {"id": id}, write=True)
    assert places(verify(store, id), invariant)
    lost = "MATCH (p:Point WHERE p.key STARTS WITH 'zz-' + $id) DETACH DELETE p"  # which `rm` cannot know for its own
    store.query(lost, {"id": id}, write=True)


# A child of another kind in the place of one, with all that lay below it: page by page everything is as it should be.
REPLACED = (
    "MATCH (p:Cell {key: $id + '/1'}), (c:Cell) WHERE c.key STARTS WITH $id + '/1/2' DETACH DELETE c "
    "WITH DISTINCT p CREATE (p)-[:CHILD {slot: 2, length: 0.1, residual: [0.1, 0.1]}]->(:Thing {hierarchy: $id})"
)


@pytest.mark.parametrize("page_cells", [1, 2, 7, 1000])
@pytest.mark.parametrize(("arity", "depth"), [(3, 3), (12, 2), (1, 6)])
def test_sound_cells_are_looked_at_a_page_at_a_time(store, new_id, monkeypatch, arity, depth, page_cells):
    made = grown_hierarchy(new_id(), arity=arity, depth=depth)
    store.write(made)
    monkeypatch.setattr(reading, "PAGE_CELLS", page_cells)
    hierarchy, seen, count = store.hierarchy(made.id), [], len(made.cells)
    assert count_sound(store, hierarchy, grown=False, progress=seen.append) == count
    assert seen == [min(count, (page + 1) * page_cells) for page in range(-(-count // page_cells))]
    last = "MATCH (c:Cell {hierarchy: $id}) WITH c ORDER BY c.key DESC LIMIT 1 MATCH (c)<-[e:CHILD]-() "
    for spoil, mend in (
        ("SET c.scale = c.scale * 1.01", "SET c.scale = c.scale / 1.01"),
        ("SET e.slot = toFloat(e.slot)", "SET e.slot = toInteger(e.slot)"),
        ("SET c.predicted = true", "REMOVE c.predicted"),
        ("SET c.radius = 1.0", "REMOVE c.radius"),
        ("SET e.primary = true", "REMOVE e.primary"),
        ("SET c.level = toFloat(c.level)", "SET c.level = toInteger(c.level)"),
    ):
        store.query(last + spoil, {"id": made.id}, write=True)
        assert count_sound(store, hierarchy, grown=False) is None, spoil
        store.query(last + mend, {"id": made.id}, write=True)
    assert count_sound(store, hierarchy, grown=False) == count
    assert verify(store, made.id).clean


@pytest.mark.parametrize("page_cells", [3, 1000])
def test_a_child_in_the_place_of_another_is_found_by_the_number_of_edges(store, new_id, monkeypatch, page_cells):
    made = grown_hierarchy(new_id(), arity=3, depth=3)
    store.write(made)
    monkeypatch.setattr(reading, "PAGE_CELLS", page_cells)
    store.query(REPLACED, {"id": made.id}, write=True)
    seen = []
    assert count_sound(store, store.hierarchy(made.id), grown=False, progress=seen.append) is None
    assert seen[-1] == 36  # each page is sound by itself
    assert "/1" in places(verify(store, made.id), "parent")
    for spoiled in SPOILED:
        store.query(spoiled, {"id": made.id}, write=True)


def test_cells_are_looked_at_one_by_one_where_they_are_not_sound_at_once(store, new_id, monkeypatch):
    asked, read = [], store._graph.read
    monkeypatch.setattr(store._graph, "read", lambda operation, **told: asked.append(operation) or read(operation, **told))
    kinds = {"field": False, "points": True, "dag": True}
    for kind, one_by_one in kinds.items():
        id = new_id()
        store.write(MAKERS[kind](id))
        asked.clear()
        report = verify(store, id)
        assert report.clean
        assert report.cells == store.counts(id).cells
        assert ("read_verification" in asked) is one_by_one, kind


def test_every_invariant_has_a_corruption():
    covered = {row[0] for row in (*CORRUPTIONS, *DATA_CORRUPTIONS, *MORE_CORRUPTIONS)}
    assert covered == set(INVARIANTS) - {"digest"}  # tests/store/test_digests.py has one
