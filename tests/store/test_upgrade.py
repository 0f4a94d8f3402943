"""Hierarchies in the form that 0.1 wrote, in a real store: they work, and an upgrade brings what their cells tell."""

import pytest

from cfgraph import history, sources, to_networkx, upgrade
from cfgraph.store import Store
from cfgraph.store.upgrade import plan_upgrade
from cfgraph.store.verify import verify

# 0.1 knew no kinds of properties, no incarnations and no history.
OLD = """
MATCH (h:Hierarchy {id: $id}) REMOVE h.own_kinds, h.incarnation
WITH h MATCH (h)-[:HISTORY]->(entry:Entry) DETACH DELETE entry
"""
BIT_BY_BIT = """
CREATE (h:Hierarchy {id: $id, state: 'complete', origin: 'tree', dimension: 0, residual_bound: 0.0, lengths: 'branch',
                     points: 2, own: ['branch_length', 'name'], recipe: $recipe, created: datetime('2026-11-26T12:00:00Z')})
CREATE (h)-[:ROOT]->(r:Cell {key: $id + '/', hierarchy: $id, address: '/', level: 0, center: [], scale: 1.0,
        root_distance: 0.0})
CREATE (r)-[:CHILD {slot: 0, residual: [], length: 1.0}]->(:Cell:Leaf {key: $id + '/0', hierarchy: $id, address: '/0', level: 1,
        center: [], scale: 1.0, root_distance: 1.0, name: 'a', branch_length: 1.0})
CREATE (r)-[:CHILD {slot: 1, residual: [], length: 2.0}]->(:Cell:Leaf {key: $id + '/1', hierarchy: $id, address: '/1', level: 1,
        center: [], scale: 1.0, root_distance: 2.0, name: 'b', branch_length: 2})
"""


@pytest.fixture
def old(store, new_id, place):
    """Makes imported hierarchies as 0.1 wrote them."""

    def make(name="old", tree="((a:1,b:1.5):1,c:2)r;"):
        written = store.write(sources.tree(id=new_id(name), data=place("tree.nwk", tree)))
        store.query(OLD, {"id": written.id}, write=True)
        return written

    return make


def steps_of(found):
    return [(step.id, step.what, step.cells, step.obstacle) for step in found]


def kinds_of(store, id):
    return store.hierarchy(id).own_kinds


def test_what_the_cells_tell_is_kept(store, old):
    before = old()
    digest, graph = store.digest(before.id), to_networkx(store.read_whole(before.id))
    assert verify(store, before.id).clean
    assert steps_of(plan_upgrade(store, [before.id])) == [(before.id, "kinds", 5, None)]
    assert kinds_of(store, before.id) == {}
    assert steps_of(upgrade(store, [before.id])) == [(before.id, "kinds", 5, None)]
    assert kinds_of(store, before.id) == before.own_kinds
    assert store.digest(before.id) == digest
    again = to_networkx(store.read_whole(before.id))
    assert dict(again.nodes(data=True)) == dict(graph.nodes(data=True))
    assert list(again.edges(data=True)) == list(graph.edges(data=True))
    assert verify(store, before.id).clean
    assert [(entry.kind, entry.about) for entry in history(store, before.id).entries] == [
        ("made", {"origin": "tree", "recipe": before.recipe}),
        ("upgraded", {"what": "kinds"}),
    ]
    assert steps_of(plan_upgrade(store, [before.id])) == steps_of(upgrade(store, [before.id])) == []
    damage = "MATCH (c:Cell {key: $key}) SET c.name = 7"
    store.query(damage, {"key": f"{before.id}/1"}, write=True)
    assert verify(store, before.id).counts == {"property": 1}  # which nothing could know before


def test_a_hierarchy_that_0_1_wrote_bit_by_bit(store, new_id):
    id = new_id()
    store.query(BIT_BY_BIT, {"id": id, "recipe": '{"source": "tree"}'}, write=True)
    digest = store.digest(id)
    assert verify(store, id).clean
    assert steps_of(upgrade(store, [id])) == [(id, "kinds", 3, None)]
    assert kinds_of(store, id) == {"branch_length": "FLOAT", "name": "STRING"}
    assert store.digest(id) == digest
    assert verify(store, id).clean
    assert store.hierarchy(id).incarnation is not None


def test_interrupted_it_goes_on(store, old, monkeypatch):
    one, two = sorted([old("a"), old("b")], key=lambda hierarchy: hierarchy.id)
    read = Store.own_kinds

    def stop(self, hierarchy):
        if hierarchy.id == two.id:
            raise KeyboardInterrupt
        return read(self, hierarchy)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "own_kinds", stop)
        with pytest.raises(KeyboardInterrupt):
            upgrade(store, [one.id, two.id])
    assert (kinds_of(store, one.id), kinds_of(store, two.id)) == (one.own_kinds, {})
    assert steps_of(upgrade(store, [one.id, two.id])) == [(two.id, "kinds", 5, None)]
    assert kinds_of(store, two.id) == two.own_kinds


def test_what_is_in_the_way_is_told_and_the_rest_done(store, old, monkeypatch):
    half, whole = sorted([old("a"), old("b")], key=lambda hierarchy: hierarchy.id)  # as they are told of
    store.query("MATCH (h:Hierarchy {id: $id}) SET h.state = 'writing'", {"id": half.id}, write=True)
    found = steps_of(upgrade(store, [half.id, whole.id]))
    assert [obstacle for _, _, _, obstacle in found] == ["it is in state 'writing'; finish that first", None]
    assert (kinds_of(store, half.id), kinds_of(store, whole.id)) == ({}, whole.own_kinds)
    gone, read = old("c"), Store.own_kinds

    def remove(self, hierarchy):
        if hierarchy.id == gone.id:
            store.remove(gone.id)
        return read(self, hierarchy)

    monkeypatch.setattr(Store, "own_kinds", remove)
    ((*_, obstacle),) = steps_of(upgrade(store, [gone.id]))
    assert "removed" in obstacle


def test_upgrade_on_the_command_line(told, store, old):
    before = old()
    planned, said = told("upgrade", before.id, "--format", "csv")
    assert f"{before.id},kinds,5," in planned
    assert "to do" in planned
    assert "nothing was changed" in said
    assert kinds_of(store, before.id) == {}
    assert "done" in told("upgrade", before.id, "--yes", "--format", "csv")[0]
    assert kinds_of(store, before.id) == before.own_kinds
    assert "nothing is left" in told("upgrade", before.id)[1]
    assert "no hierarchy" in told("upgrade", f"{before.id}-none", code=2)[1]
    assert isinstance(plan_upgrade(store), list)  # of the whole store, in which others work
