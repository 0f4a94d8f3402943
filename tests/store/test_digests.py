"""Digests of subtrees in the graph: a diff by them is the diff of all cells; what voids them, and what does not."""

import numpy as np
import pytest

from cfgraph.comparing import digesting
from cfgraph.comparing.diff import diff
from cfgraph.comparing.verifying import verify_digests
from cfgraph.errors import ChangedError, StoreRefusedError, VanishedError
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.metric.place import place
from cfgraph.model import subtree_digests
from cfgraph.sources import points
from cfgraph.sources.ifs import ifs
from cfgraph.store import reading
from cfgraph.store import subtree_digests as kept_digests
from cfgraph.store.queries import load_query
from cfgraph.store.subtree_digests import DigestMark
from cfgraph.store.verify import verify
from cfgraph.transfer.export import export
from tests.grown import grown_hierarchy, ragged_hierarchy
from tests.unit.test_diff import random_dag, with_column


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """So that few cells have many pages, and many digests."""
    monkeypatch.setattr(reading, "PAGE_CELLS", 50)
    monkeypatch.setattr(subtree_digests, "KEPT", 6)
    monkeypatch.setattr(kept_digests, "PAGE_DIGESTS", 7)


def told(found):
    """What a diff tells of the cells. Sums of amounts may differ in their last digits."""
    known = found.to_dict()
    for name in ("cells_read", "digests"):
        known.pop(name)
    for kind in known["kinds"].values():
        kind["mean"] = kind["mean"] and pytest.approx(kind["mean"], rel=1e-12)
    return known


def digests_of(store, id):
    """The digests that are kept of a hierarchy, by address."""
    query = "MATCH (d:SubtreeDigest) WHERE d.key >= $id + '/' AND d.key < $id + '0' RETURN substring(d.key, size($id))"
    addresses = [row[0] for row in store.query(query, {"id": id})[1]]
    return store.kept_digests_at(store.digest_state(id), addresses)


def changed(hierarchy, random, *, id):
    """The same with some changes of some kinds, by chance: some none at all; and perhaps without the last level."""
    other = hierarchy.replace(id=id)
    if not hierarchy.imported and random.random() < 0.3:
        other = other.with_cells(other.cells.prefix(int(other.cells.level.max()) - 1))
    for _ in range(random.integers(4)):
        name = random.choice(["center", "scale", "length", "residual", "predicted"])
        column = getattr(other.cells, name).copy()
        rows = random.choice(len(column), size=random.integers(1, 4), replace=False)
        column[rows] = ~column[rows] if name == "predicted" else column[rows] + 0.5
        other = other.with_cells(other.cells.with_columns(**{name: column}))
    return other


MAKES = {
    "field": lambda id, seed: grown_hierarchy(id, arity=3, depth=5),
    "ragged": lambda id, seed: ragged_hierarchy(id, depth=5, seed=seed),
    "dag": lambda id, seed: random_dag(id, nodes=150, second=20, seed=seed),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("make", MAKES)
def test_a_diff_by_digests_is_that_of_all_cells(store, new_id, make, seed):
    random = np.random.default_rng(seed)
    one = MAKES[make](new_id("one"), seed)
    store.write(one)
    for number in range(2):
        other = changed(one, random, id=new_id(f"other-{number}"))
        write_as_it_is(store, other)
        full = diff(one.id, other.id, store=store, full=True)
        assert not full.digests
        first = diff(one.id, other.id, store=store)
        by_digests = diff(one.id, other.id, store=store)
        assert told(first) == told(full)
        assert told(by_digests) == told(full)
        assert by_digests.digests is not None
        assert by_digests.cells_read <= full.cells_read
        assert told(diff(one, other.id, store=store)) == {**told(full), "first": one.id}
        assert told(diff(other.id, one, store=store)) == told(diff(other.id, one.id, store=store, full=True))
    assert told(diff(one.id, one.id, store=store)) == told(diff(one.id, one.id, store=store, full=True))
    assert diff(one.id, one.id, store=store).cells_read == 0


def write_as_it_is(store, hierarchy):
    """Write a hierarchy; its predicted cells by Cypher, as no source makes them."""
    cells = hierarchy.cells
    store.write(hierarchy.with_cells(cells.with_columns(predicted=np.zeros(len(cells), dtype=bool))))
    at = [cells.addresses[row] for row in np.flatnonzero(cells.predicted).tolist()]
    change(store, hierarchy.id, "UNWIND $at AS at MATCH (c:Cell {key: $id + at}) SET c.predicted = true", at=at)


def change(store, id, statement, **parameters):
    store.query(statement, parameters={"id": id, **parameters}, write=True)


# -- what they are


def test_depth_changes_nothing_above_the_frontier(store, new_id, monkeypatch):
    monkeypatch.setattr(reading, "PAGE_CELLS", 2000)
    monkeypatch.setattr(subtree_digests, "KEPT", 16)
    shallow, deep = (ifs(id=new_id(f"koch-{depth}"), maps="koch", depth=depth) for depth in (5, 6))
    for hierarchy in (shallow, deep):
        store.write(hierarchy)
    full = diff(shallow.id, deep.id, store=store)
    one, other = (digests_of(store, hierarchy.id) for hierarchy in (shallow, deep))
    above = {address for address, kept in one.items() if kept.digest.level + 2 <= 5}
    assert len(above) == 1 + 4**2
    for address in above:
        assert one[address].digest.part_content == other[address].digest.part_content
        assert one[address].digest.content != other[address].digest.content
    assert told(diff(shallow.id, deep.id, store=store)) == told(full)


def test_one_cell_that_differs_is_found_among_few(store, new_id, monkeypatch):
    monkeypatch.setattr(reading, "PAGE_CELLS", 2000)
    monkeypatch.setattr(kept_digests, "PAGE_DIGESTS", 1000)
    one = ifs(id=new_id("one"), maps="koch", depth=6)
    center = one.cells.center.copy()
    center[one.cells.row("/2/1/0/3/2")] += 0.01
    other = one.replace(id=new_id("other")).with_cells(one.cells.with_columns(center=center))
    for hierarchy in (one, other):
        store.write(hierarchy)
    assert diff(one.id, other.id, store=store).cells_read == 2 * len(one.cells)  # and no more, though it makes the digests
    found = diff(one.id, other.id, store=store)
    assert found.kinds["moved"].examples[0].first == "/2/1/0/3/2"
    assert found.count("moved") == 1
    assert found.cells_read <= 0.05 * 2 * len(one.cells)
    assert (found.digests.first, found.digests.second) == tuple(
        digests_of(store, hierarchy.id)["/"].made.isoformat() for hierarchy in (one, other)
    )


def test_what_plain_cypher_changed_is_found_by_a_full_diff(store, new_id):
    koch, again = ifs(id=new_id("koch"), maps="koch", depth=4), ifs(id=new_id("again"), maps="koch", depth=4)
    store.write(koch)
    store.write(again)
    assert diff(koch.id, again.id, store=store).equal
    change(store, koch.id, "MATCH (c:Cell {key: $id + '/2/1'}) SET c.center = [c.center[0] + c.scale / 2, c.center[1]]")
    assert diff(koch.id, again.id, store=store).equal
    assert diff(koch.id, again.id, store=store, full=True).count("moved") == 1


# -- what voids them


@pytest.fixture
def grown(store, new_id):
    """A hierarchy with digests, another one with the same cells, and a predictor."""
    one = grown_hierarchy(new_id("one"), arity=3, dimension=2, depth=4)
    other = one.replace(id=new_id("other"))
    for hierarchy in (one, other):
        store.write(hierarchy)
    rule = train(one, id=new_id("rule"), depth=3, family="recurrence")
    store.write_predictor(rule)
    assert diff(one.id, other.id, store=store).equal
    return one, other, rule


def test_what_grew_below_voids_what_is_above_it_and_nothing_else(store, grown, monkeypatch):
    one, other, rule = grown
    monkeypatch.setattr(rollout_module, "block_height", lambda **_: 2)
    monkeypatch.setattr(digesting, "FEW", 1)
    before = digests_of(store, one.id)
    rollout(store, one.id, predictor=rule.id, stop=Stop(depth=6), below=["/1/2/0"])
    assert not any(kept.current for kept in digests_of(store, one.id).values())
    found = diff(one.id, other.id, store=store)
    assert found.digests is not None
    assert told(found) == told(diff(one.id, other.id, store=store, full=True))
    after = digests_of(store, one.id)
    assert all(kept.current for kept in after.values())
    assert verify_digests(store, one.id).clean  # those that were made around others are as if all had been read
    made = {address for address, kept in after.items() if address not in before or kept.made != before[address].made}
    way = {address for address in after if "/1/2/0".startswith(address) or address.startswith("/1/2/0")} | {"/"}
    assert made <= way
    assert "/" in made
    assert len(made) < len(after)
    assert all(after[address] == before[address] for address in after if address not in made)


def test_growing_everything_voids_all(store, grown):
    one, other, rule = grown
    before = digests_of(store, one.id)
    rollout(store, one.id, predictor=rule.id, stop=Stop(depth=6))
    found = diff(one.id, other.id, store=store)
    assert found.digests is None  # all cells were read
    assert told(found) == told(diff(one.id, other.id, store=store, full=True))
    assert told(found) == told(diff(one.id, other.id, store=store))
    after = digests_of(store, one.id)
    assert all(kept.current and kept.made > before["/"].made for kept in after.values())


def test_what_a_predictor_grew_counts_though_it_was_removed(store, grown):
    """Its growths go with it, so that the list of them is what it was before."""
    one, other, rule = grown
    for depth in (5, 6):
        rollout(store, one.id, predictor=rule.id, stop=Stop(depth=depth))
        store.remove(rule.id)
        found = diff(one.id, other.id, store=store)
        assert not found.equal
        assert told(found) == told(diff(one.id, other.id, store=store, full=True))
        store.write_predictor(rule)


def test_digests_are_confirmed_batch_behind_batch(store, grown, monkeypatch):
    """No batch looks at what another one has confirmed: else the work would grow with the square of their number."""
    one, _, _ = grown
    count = len(digests_of(store, one.id))
    change(store, one.id, "MATCH (d:SubtreeDigest) WHERE d.key STARTS WITH $id + '/' SET d.grown = 'before'")
    asked, run = [], kept_digests.run_operation

    def noted(tx, name, **parameters):
        rows = run(tx, name, **parameters)
        if name == "confirm_digests":
            asked.append((parameters["stretches"][0][0], rows[0]["confirmed"]))
        return rows

    monkeypatch.setattr(kept_digests, "run_operation", noted)
    monkeypatch.setattr(kept_digests, "REMOVE_BATCH", 4)
    root = digests_of(store, one.id)["/"].digest
    store.confirm_digests(store.digest_state(one.id), [DigestMark("/", "before", root.frontier)])
    lows, confirmed = zip(*asked, strict=True)
    assert sum(confirmed) == count > 4
    assert len(set(lows)) == len(lows) == count // 4 + 1
    assert all(kept.current for kept in digests_of(store, one.id).values())


def test_a_page_of_marks_reads_no_more_than_itself(store, grown):
    one, _, _ = grown
    state = store.digest_state(one.id)
    known = {"incarnation": state.identity.incarnation, "marked": state.marked, "version": kept_digests.VERSION}
    low, high = one.id + "/", one.id + "0"
    with store._graph.session(write=False) as session:
        statement = "PROFILE " + load_query("read_digest_marks").statement

        def hits(page):
            return _hits(session.run(statement, stretches=[[low, high]], level=2, page=page, **known).consume().profile)

        assert hits(1) < hits(1_000) / 2


def _hits(plan):
    return plan.get("dbHits", 0) + sum(_hits(child) for child in plan.get("children", []))


def test_a_growth_that_grew_nothing_leaves_all_true(store, grown):
    one, other, rule = grown
    before = digests_of(store, one.id)
    statement = (
        "MATCH (h:Hierarchy {id: $id}), (p:Predictor {id: $rule}) "
        "CREATE (h)-[:GROWN_BY {since: 1, from_depth: 4, to_depth: 4, done: true, stop: '{}', block_height: 1}]->(p)"
    )
    change(store, one.id, statement, rule=rule.id)
    assert not any(kept.current for kept in digests_of(store, one.id).values())
    assert diff(one.id, other.id, store=store).cells_read == 0
    after = digests_of(store, one.id)
    assert {address: kept.made for address, kept in after.items()} == {a: kept.made for a, kept in before.items()}
    assert all(kept.current for kept in after.values())


def test_a_batch_of_points_voids_nothing_and_is_no_difference(store, new_id, tmp_path):
    rng = np.random.default_rng(7)
    one = points(data=rng.normal(size=(300, 2)), id=new_id("one"), arity=3, depth=4, points=True)
    other = one.replace(id=new_id("other"))
    for hierarchy in (one, other):
        store.write(hierarchy)
    assert diff(one.id, other.id, store=store).equal
    before = digests_of(store, one.id)
    place(store, one.id, data=rng.normal(size=(40, 2)), batch="new")
    assert digests_of(store, one.id) == before
    assert all(kept.current for kept in before.values())
    kept = tmp_path / "one.parquet"
    export(store, one.id, output=kept)
    sides = (one.id, kept, one, store.read_whole(one.id))
    for first in sides:  # whoever has the batch, and whoever has not
        for full in (False, True):
            found = diff(first, other.id, store=store, full=full)
            assert found.equal, (first, found.kinds)
    assert diff(one.id, other.id, store=store).cells_read == 0
    assert verify(store, one.id).clean
    assert verify_digests(store, one.id).made == 0
    store.remove_batch(one.id, "new")
    after = digests_of(store, one.id)
    assert {address: one.digest for address, one in after.items()} == {address: one.digest for address, one in before.items()}
    assert all(one.current for one in after.values())


def test_what_is_removed_and_made_again_has_none(store, grown):
    one, other, _ = grown
    assert digests_of(store, one.id)
    store.remove(one.id)
    assert store.query("MATCH (d:SubtreeDigest) WHERE d.hierarchy = $id RETURN count(d)", {"id": one.id})[1] == [[0]]
    changed_one = with_column(one, "scale", 5, 9.0)
    store.write(changed_one)
    assert digests_of(store, one.id) == {}
    assert diff(one.id, other.id, store=store).count("scaled") == 1


def test_what_another_wrote_over_digests_is_no_digest(store, grown):
    one, other, _ = grown
    for property, value in (("content", "'x'"), ("version", "0"), ("incarnation", "'x'"), ("cells", "null"), ("made", "1")):
        change(store, one.id, f"MATCH (d:SubtreeDigest {{hierarchy: $id}}) SET d.{property} = {value}")
        assert all(kept.void for kept in digests_of(store, one.id).values())
        assert diff(one.id, other.id, store=store).equal
        assert all(kept.current for kept in digests_of(store, one.id).values())


# -- while they are made


def test_an_interrupted_pass_leaves_what_is_true_and_goes_on(store, new_id, monkeypatch):
    one = ifs(id=new_id("one"), maps="koch", depth=5)
    store.write(one)
    other = with_column(one, "scale", 700, 9.0)
    full = diff(one.id, other, store=store, full=True)
    monkeypatch.setattr(digesting, "WRITTEN", 3)
    write, calls = type(store).write_digests, []

    def stop(self, state, digests):
        calls.append(len(digests))
        if len(calls) == 4:
            raise KeyboardInterrupt
        write(self, state, digests)

    monkeypatch.setattr(type(store), "write_digests", stop)
    with pytest.raises(KeyboardInterrupt):
        diff(one.id, other, store=store)
    half = digests_of(store, one.id)
    assert len(half) == 9
    assert "/" not in half
    assert all(kept.current for kept in half.values())
    assert told(diff(one.id, other, store=store)) == told(full)
    assert told(diff(one.id, other, store=store)) == told(full)
    assert digests_of(store, one.id)["/"].current


def test_nothing_is_kept_of_what_grows_or_goes_meanwhile(store, grown):
    one, _, rule = grown
    state = store.begin_digests(store.digest_state(one.id))
    digests = [kept.digest for kept in digests_of(store, one.id).values()]
    rollout(store, one.id, predictor=rule.id, stop=Stop(depth=5), below=["/0"])
    with pytest.raises(ChangedError, match="changed while digests"):
        store.write_digests(state, digests)
    change(store, one.id, "MATCH (h:Hierarchy {id: $id}) SET h.state = 'growing'")
    with pytest.raises(ChangedError, match="is growing"):
        store.begin_digests(store.digest_state(one.id))
    store.remove(one.id)
    with pytest.raises(VanishedError):
        store.write_digests(state, digests)
    store.write(one)
    with pytest.raises(VanishedError):
        store.write_digests(state, digests)
    assert digests_of(store, one.id) == {}


def test_who_may_not_write_has_the_answer_all_the_same(store, new_id, monkeypatch):
    one = ifs(id=new_id("one"), maps="koch", depth=4)
    store.write(one)

    def refuse(self, *_, **__):
        raise StoreRefusedError("this user may not write")

    for name in ("begin_digests", "write_digests"):
        with monkeypatch.context() as patch:
            patch.setattr(type(store), name, refuse)
            found = diff(one.id, one, store=store)
        assert found.equal
        assert "no digests of" in found.remarks[0]
        assert "/" not in digests_of(store, one.id)


# -- held against the cells

LEFT_OVER = "MATCH (d:SubtreeDigest {key: $id + '/'}) CREATE (:SubtreeDigest {key: d.key + '9', hierarchy: $id})"


def test_verify_names_the_smallest_subtree_that_plain_cypher_changed(store, new_id):
    one = ifs(id=new_id("one"), maps="koch", depth=5)
    store.write(one)
    report = verify_digests(store, one.id)
    assert report.clean
    assert (report.cells, report.made) == (len(one.cells), report.digests)
    assert report.digests == len(digests_of(store, one.id))
    again = verify_digests(store, one.id)
    assert (again.clean, again.made, again.digests) == (True, 0, report.digests)
    center = "MATCH (c:Cell {key: $id + $at}) SET c.center = [c.center[0] + c.scale / 2, c.center[1]]"
    for at in ("/2/1/0/3", "/3/1/1/0/2"):
        change(store, one.id, center, at=at)
    found = verify_digests(store, one.id)
    assert found.counts == {"digest": 2}
    told_of = [violation.place for violation in found.violations]
    assert told_of == ["/2/1", "/3/1"]
    assert "center" in verify(store, one.id).counts  # its own way of finding it
    assert verify_digests(store, one.id).clean
    assert diff(one.id, one, store=store).count("moved") == 2


def test_verify_makes_what_is_void_after_a_growth_and_leaves_nothing_over(store, grown):
    one, _, rule = grown
    rollout(store, one.id, predictor=rule.id, stop=Stop(depth=5))
    change(store, one.id, LEFT_OVER)
    report = verify_digests(store, one.id)
    assert report.clean
    assert report.made
    kept = digests_of(store, one.id)
    assert len(kept) == report.digests
    assert all(one.current for one in kept.values())
    change(store, one.id, "MATCH (c:Cell {key: $id + '/1/1/1/1/1'}) DETACH DELETE c")
    assert verify_digests(store, one.id).counts["digest"] == 1
