"""Growing where one looks, against a real server: parts of a rollout, in any order, interrupted, at once; then the rest."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

from cfgraph.errors import AddressError, DamagedError, InputError
from cfgraph.growing import rollout as rollout_module
from cfgraph.growing.describe import describe
from cfgraph.growing.extent import extent_of
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.growing.status import Watch, growth_status
from cfgraph.learning.train import train
from cfgraph.model.cells import LEAF
from cfgraph.model.growth import grow
from cfgraph.model.parts import Parts
from cfgraph.store import Store
from cfgraph.store.growth import GrownBy
from cfgraph.store.verify import verify
from tests.grown import grown_hierarchy, ragged_hierarchy

DEPTH = 7


@pytest.fixture(autouse=True, scope="module")
def _small_blocks():
    """Blocks of two levels, so that a small hierarchy has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollout_module, "block_height", lambda **_: 2)
        yield


@pytest.fixture(scope="module")
def grown(store, shared_id):
    """A true hierarchy in the store, and a predictor of it."""
    truth = grown_hierarchy(shared_id("truth"), arity=3, dimension=2, depth=3)
    store.write(truth)
    trained = train(truth, id=shared_id("rule"), depth=3, family="recurrence")
    store.write_predictor(trained)
    return truth, trained


@pytest.fixture
def start(store, new_id, grown):
    """Makes copies of its first levels that are grown nowhere yet: with an absurdly early interruption."""

    def make(name="copy", **options):
        return grow_copy(store, grown, new_id(name), interrupted=lambda: True, **options).id

    return make


def grow_copy(store, grown, id, **options):
    """Roll out a copy of the first two levels."""
    truth, trained = grown
    options = {"stop": Stop(depth=DEPTH), "from_depth": 2, **options}
    return rollout(store, truth.id, predictor=trained.id, copy_as=id, **options)


@pytest.fixture(scope="module")
def whole(store, shared_id, grown):
    """The digest of an undisturbed whole rollout, and its cells."""
    report = grow_copy(store, grown, shared_id("whole"))
    return store.digest(report.id), store.read(report.id)


def test_parts_then_the_rest_are_a_whole_rollout(store, new_id, grown, whole):
    _, trained = grown
    digest, cells = whole
    copy = new_id("parts")
    part = grow_copy(store, grown, copy, below=["/0/1/2/0/1"])
    assert (part.finished, part.below, part.left, part.to_depth) == (True, ("/0/1/2/0/1",), (), DEPTH)
    # levels 3 (a block of the top layer with its 3 seeds), 4 and 5, 6 and 7
    assert part.grown == 9 + 12 + 12
    found = store.read(copy)  # complete: whatever reads may read it
    assert {f"/0/1/2/0/1/{a}/{b}" for a, b in product(range(3), repeat=2)} <= set(found.addresses)
    assert set(found.addresses) <= set(cells.addresses)
    assert verify(store, copy).clean
    (growth,) = store.read_growth(copy)
    assert (growth.below, growth.pending, growth.done, growth.to_depth) == (("/0/1/2/0/1",), (), True, DEPTH)
    again = grow_copy(store, grown, copy, below=["/0/1/2/0/1"])
    assert (again.grown, again.finished, again.to_depth) == (0, True, DEPTH)
    other = rollout(store, copy, predictor=trained.id, stop=Stop(depth=DEPTH), below=["/2", "/2/1", "/1/1/1/1/1/1/1"])
    assert (other.below, other.finished) == (("/1/1/1/1/1/1/1", "/2"), True)
    assert verify(store, copy).clean
    found = set(store.read(copy).addresses)
    assert {address for address in cells.addresses if address.startswith("/2")} <= found
    assert store.read_growth(copy)[0].below == ("/0/1/2/0/1", "/1/1/1/1/1/1/1", "/2")
    rest = grow_copy(store, grown, copy)
    assert rest.finished
    assert part.grown + other.grown + rest.grown == len(cells) - 13
    assert store.digest(copy) == digest
    assert verify(store, copy).clean
    (growth,) = store.read_growth(copy)
    assert (growth.below, growth.pending, growth.done, growth.from_depth) == (None, (), True, 2)
    assert grow_copy(store, grown, copy).grown == 0
    assert rollout(store, copy, predictor=trained.id, stop=Stop(depth=DEPTH + 1), below=["/0/0"]).grown > 0


def test_what_is_grown_is_what_was_measured(store, grown, new_id):
    copy = new_id("copy")
    grow_copy(store, grown, copy, below=["/0/0/0/0/0/0/0"], interrupted=lambda: True)
    shown = describe(store, copy)
    left = shown["growing"]["left"]
    assert (shown["state"], shown["growing"]["below"]) == ("growing", ["/0/0/0/0/0/0/0"])
    assert left == 9 + 12 + 12
    statuses = []
    report = grow_copy(store, grown, copy, below=["/0/0/0/0/0/0/0"], show=statuses.append)
    assert report.grown == left
    assert statuses[0].total == left
    growth = store.grown_by(copy)
    extent = extent_of(store, copy, growth, parts=Parts(("/0/0/0/0/0/0/0",)), arity=3)
    end = growth_status(store, store.hierarchy(copy), growth, extent=extent)
    assert (end.left, end.frontier) == (0, 1)


def test_the_frontier_that_is_told_is_the_one_that_is_there(store, grown, new_id, monkeypatch):
    seen = []
    note = Watch.note
    monkeypatch.setattr(Watch, "note", lambda self, event: (note(self, event), seen.append(self))[0])
    parts = Parts.of(["/0/1", "/1/1/1/1/1", "/1/1/1/2/0/0/0", "/2/2/2/2"], arity=3)
    report = grow_copy(store, grown, new_id("copy"), below=parts.addresses)
    found = store.read(report.id)
    frontier = [found.addresses[row] for row in np.flatnonzero(found.state == 1)]
    assert seen[-1]._frontier == sum(map(parts.meets, frontier))
    assert seen[-1]._left == 0


MORE = [pytest.param(blocks, marks=pytest.mark.slow("the same at other blocks")) for blocks in (0, 1, 4)]


@pytest.mark.parametrize("blocks", [2, *MORE])
def test_an_interrupted_part_goes_on(store, grown, new_id, whole, blocks):
    copy, parts = new_id("copy"), ["/0/1/2/0", "/2/2"]
    asked = iter(range(10**6))
    part = grow_copy(store, grown, copy, below=parts, interrupted=lambda: next(asked) >= blocks)
    assert not part.finished
    assert part.left == ("/0/1/2/0", "/2/2")
    assert store.hierarchy(copy).state == "growing"
    assert verify(store, copy).clean
    rest = grow_copy(store, grown, copy, below=parts)
    assert (rest.finished, rest.left, store.hierarchy(copy).state) == (True, (), "complete")
    undisturbed = grow_copy(store, grown, new_id("beside"), below=parts)
    assert part.grown + rest.grown == undisturbed.grown
    assert store.digest(copy) == store.digest(undisturbed.id)
    grow_copy(store, grown, copy)
    assert store.digest(copy) == whole[0]


def test_another_part_ends_while_one_is_interrupted(store, grown, new_id, whole):
    """It is there then, and said to be; the hierarchy grows on until the other one is there, too, or the whole."""
    copy = new_id("copy")
    grow_copy(store, grown, copy, below=["/0/0/0"], interrupted=lambda: True)
    other = grow_copy(store, grown, copy, below=["/1"])
    assert (other.finished, other.left) == (True, ("/0/0/0",))
    assert store.hierarchy(copy).state == "growing"
    assert store.grown_by(copy).pending == ("/0/0/0",)
    assert {address for address in whole[1].addresses if address.startswith("/1")} <= set(store.read(copy, live=True).addresses)
    grow_copy(store, grown, copy, below=["/0"])  # which has the other one in it
    assert (store.grown_by(copy).pending, store.hierarchy(copy).state) == ((), "complete")
    grow_copy(store, grown, copy)
    assert store.digest(copy) == whole[0]


def test_a_part_of_a_whole_rollout_that_is_under_way(store, grown, start, whole):
    copy = start()
    part = grow_copy(store, grown, copy, below=["/1/1/1/1/1/1/1"])
    assert (part.finished, part.left, part.grown) == (True, ("/",), 9 + 12 + 12)
    assert (store.hierarchy(copy).state, store.grown_by(copy).below) == ("growing", None)
    assert grow_copy(store, grown, copy).finished
    assert store.digest(copy) == whole[0]


def test_the_whole_of_a_part_that_is_under_way(store, grown, new_id, whole):
    copy = new_id("copy")
    grow_copy(store, grown, copy, below=["/0/0/0"], interrupted=lambda: True)
    rest = grow_copy(store, grown, copy)
    assert (rest.finished, store.grown_by(copy).below, store.hierarchy(copy).state) == (True, None, "complete")
    assert store.digest(copy) == whole[0]


def test_the_root_is_the_whole(store, grown, new_id, whole):
    copy = new_id("copy")
    report = grow_copy(store, grown, copy, below=["/0/0", "/"])
    assert (report.below, report.finished) == ((), True)
    assert store.digest(copy) == whole[0]


def test_rollouts_of_different_parts_at_once(store, store_url, grown, new_id, start, whole):
    copy = new_id("copy")
    grow_copy(store, grown, copy, below=["/0/0/0"], interrupted=lambda: True)
    parts = [["/0/0/0"], ["/0/0/1/1/1/1"], ["/0/0/1/1/1/1", "/2"], ["/1", "/2/2/2"], ["/0/0/1"]]

    def work(below):
        with Store.open(store_url) as own:
            return grow_copy(own, grown, copy, below=below)

    with ThreadPoolExecutor(len(parts)) as pool:
        reports = list(pool.map(work, parts))
    assert all(report.finished for report in reports)
    assert (store.hierarchy(copy).state, store.grown_by(copy).pending) == ("complete", ())
    one = grow_copy(store, grown, new_id("one"), below=[address for below in parts for address in below])
    assert sum(report.grown for report in reports) == one.grown  # exactly once, whoever grew a block that several need
    assert store.digest(copy) == store.digest(one.id)
    assert verify(store, copy).clean
    grow_copy(store, grown, copy)
    assert store.digest(copy) == whole[0]


def test_a_crew_grows_parts(store, grown, new_id, whole):
    copy, parts = new_id("copy"), ["/0/0", "/2/1/0/1/2/0"]
    report = grow_copy(store, grown, copy, below=parts, workers=2)
    one = grow_copy(store, grown, new_id("one"), below=parts)
    assert (report.finished, report.grown) == (True, one.grown)
    assert store.digest(copy) == store.digest(one.id)
    grow_copy(store, grown, copy, workers=2)
    assert store.digest(copy) == whole[0]


def test_a_network_ends_in_the_same_bits(store, new_id):
    """Its bits depend on the batch, so on whole canonical blocks: the seeds beside a line are grown with it."""
    truth = grown_hierarchy(new_id("truth"), arity=3, dimension=2, depth=4)
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=3, family="mlp"))
    one = rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=7), from_depth=4, copy_as=new_id("one"))
    copy = {"predictor": trained.id, "stop": Stop(depth=7), "from_depth": 4, "copy_as": new_id("two")}
    rollout(store, truth.id, below=["/0/1/2/0/1/2", "/1/1/1"], **copy)
    rollout(store, truth.id, below=["/2"], **copy)
    two = rollout(store, truth.id, **copy)
    assert store.digest(two.id) == store.digest(one.id)
    memory = grow(truth.cells, rule=trained.load().predict, arity=3, scale_factor=truth.scale_factor, depth=7)
    np.testing.assert_allclose(store.read(two.id).center, memory.center, atol=1e-9)


def test_another_depth_is_refused_until_the_rest_is_there(store, grown, new_id):
    truth, trained = grown
    copy = new_id("copy")
    grow_copy(store, grown, copy, below=["/0/0"], interrupted=lambda: True)
    own = {"predictor": trained.id}
    for options in ({"below": ["/0/0"]}, {"below": ["/1"]}, {}):  # while it is under way
        with pytest.raises(InputError, match=rf"is being grown by '{trained.id}' .*\(to level {DEPTH}\)".replace("|", r"\|")):
            rollout(store, copy, stop=Stop(depth=DEPTH - 1), **own, **options)
    grow_copy(store, grown, copy, below=["/0/0"])
    before = store.digest(copy)
    for options in ({"below": ["/0/0"]}, {"below": ["/1"]}, {}):  # and when the part is there
        with pytest.raises(InputError, match=rf"below /0/0 alone, .* --to-depth {DEPTH}"):
            rollout(store, copy, stop=Stop(depth=DEPTH + 1), **own, **options)
    with pytest.raises(InputError, match=rf"below /0/0 alone, .* --to-depth {DEPTH}"):
        rollout(store, copy, stop=Stop(cells=5_000), **own)
    other = store.write_predictor(train(truth, id=new_id("other"), depth=2, family="mean"))
    with pytest.raises(InputError, match=rf"--predictor {trained.id} and --to-depth {DEPTH}".replace("|", r"\|")):
        rollout(store, copy, predictor=other.id, stop=Stop(depth=DEPTH), below=["/1"], anyway=True)
    assert (store.digest(copy), store.hierarchy(copy).state) == (before, "complete")
    rollout(store, copy, stop=Stop(depth=DEPTH), below=["/1", "/2"], **own)
    rollout(store, copy, stop=Stop(depth=DEPTH), below=["/0"], **own)  # parts that together are the whole
    assert store.grown_by(copy).below == ("/0", "/1", "/2")
    deeper = rollout(store, copy, stop=Stop(depth=DEPTH + 2), below=["/1/1/1/1/1/1/1/1/1"], **own)
    assert (deeper.finished, deeper.from_depth) == (True, DEPTH)
    assert [growth.below for growth in store.read_growth(copy)] == [("/1/1/1/1/1/1/1/1/1",), None]
    assert verify(store, copy).clean


def test_a_precision_of_that_depth_is_the_same_growth(store, grown, new_id):
    _, trained = grown
    copy = grow_copy(store, grown, new_id("copy"), stop=Stop(precision=0.05), below=["/0/0/0"])
    (growth,) = store.read_growth(copy.id)
    more = rollout(store, copy.id, predictor=trained.id, stop=Stop(depth=growth.to_depth), below=["/1/1/1"])
    assert (more.finished, more.to_depth, len(store.read_growth(copy.id))) == (True, growth.to_depth, 1)


def test_bad_parts_are_refused_before_anything_is_written(store, grown, new_id):
    truth, trained = grown
    for below, stop, told in (
        (["/0/x"], Stop(depth=DEPTH), "slots joined by slashes"),
        (["/0/3"], Stop(depth=DEPTH), "slots 0 to 2"),
        (["/0" * 8], Stop(depth=DEPTH), r"levels 0 to 7, .* on level 8"),
        (["/0" * 300], Stop(precision=0.05), "on level 300"),
        (["/0"], Stop(cells=100), "--to-depth, or --precision; got --cells"),
        (["/0"], Stop(seconds=1.0), "--to-depth, or --precision; got --seconds"),
        (["/"], Stop(seconds=1.0), "--to-depth, or --precision; got --seconds"),
        (["/0"], Stop(depth=90), "about 10\\^43 more cells"),
        (["/0"], Stop(depth=9_000), "too long for the database's index"),
        ([], Stop(depth=DEPTH), "at least one address"),
        ("/0", Stop(depth=DEPTH), "a list of addresses"),
    ):
        for options in ({}, {"from_depth": 2, "copy_as": new_id("copy")}):
            with pytest.raises(InputError, match=told):
                rollout(store, truth.id, predictor=trained.id, stop=stop, below=below, **options)
            assert options.get("copy_as") not in [hierarchy.id for hierarchy in store.hierarchies()]
    assert store.read_growth(truth.id) == []
    with pytest.raises(AddressError):
        rollout(store, truth.id, predictor=trained.id, stop=Stop(depth=DEPTH), below=["0/1"])


def test_a_line_that_ends_in_a_leaf_leads_nowhere(store, new_id):
    truth = ragged_hierarchy(new_id("truth"), arity=2, depth=5)
    store.write(truth)
    trained = store.write_predictor(train(truth, id=new_id("rule"), depth=4, family="mean"))
    leaf = next(truth.cells.addresses[row] for row in np.flatnonzero(truth.cells.state == LEAF))
    grow_it = {"predictor": trained.id, "stop": Stop(depth=9)}
    with pytest.raises(InputError, match=f"its line ends in {leaf}, which"):
        rollout(store, truth.id, below=[leaf + "/0/1"], anyway=True, **grow_it)
    with pytest.raises(InputError, match=f"its line ends in {leaf}, which"):
        rollout(store, truth.id, below=[leaf + "/0/1"], from_depth=5, copy_as=new_id("copy"), **grow_it)
    nothing = rollout(store, truth.id, below=[leaf], anyway=True, **grow_it)
    assert (nothing.grown, nothing.finished, store.read_growth(truth.id)) == (0, True, [])


def test_only_lines_and_subtrees_are_looked_at(store, grown, new_id, monkeypatch):
    """What is counted and paged through are ranges of the index in the part, but for a block's own seeds."""
    _, trained = grown
    copy = grow_copy(store, grown, new_id("copy"), stop=Stop(depth=5)).id  # whole to level 5: 243 frontier cells
    ranges, read = [], type(store._graph).read

    def note(self, operation, **asked):
        if operation in ("count_frontier", "read_frontier", "read_block"):
            ranges.append((operation, asked.get("low") or asked.get("start") or asked["key"], asked["high"]))
        return read(self, operation, **asked)

    monkeypatch.setattr(type(store._graph), "read", note)
    part = "/0/1/2/0/1/1"
    report = rollout(store, copy, predictor=trained.id, stop=Stop(depth=8), below=[part])
    assert report.finished
    assert {operation for operation, _, _ in ranges} >= {"count_frontier", "read_block"}
    assert all(low.startswith(f"{copy}/0/1/2/0") and high.startswith(f"{copy}/0/1/2/") for _, low, high in ranges)


def test_a_growth_with_damaged_parts_is_damaged(store, grown, new_id):
    copy = grow_copy(store, grown, new_id("copy"), below=["/0/0/0"]).id
    damage = "MATCH (h:Hierarchy {id: $id})-[g:GROWN_BY]->() SET g.below = $below"
    for below in (["/0", "x"], 7, [1, 2]):
        store.query(damage, {"id": copy, "below": below}, write=True)
        with pytest.raises(DamagedError):
            store.read_growth(copy)
    known = {"from_depth": 2, "to_depth": 5, "block_height": 2, "done": True, "stop": '{"depth": 5}'}
    assert GrownBy.of({**known, "below": ["/0"]}, predictor="rule").below == ("/0",)
