"""What a page asks of single cells, and Cypher that is ended: by time, and by whoever asked for it."""

import threading
import time

import numpy as np
import pytest

from cfgraph import sources
from cfgraph.errors import CfgraphError, InputError
from tests.grown import grown_hierarchy

SLOW = "UNWIND range(1, 1000000000) AS a WITH a WHERE a % 999999999 = 5 RETURN count(a)"
SECONDS = 120


@pytest.fixture(scope="module")
def named(store, tmp_path_factory):
    """An imported hierarchy with second parents, names and numbers."""
    rows = ["child\tparent\tmass", "mid\troot\t1.5", "low\tmid\t2.5", "low\troot\t2.5", "Deep\tlow\t0.5", "deeper\tlow\t1"]
    path = tmp_path_factory.mktemp("looking") / "edges.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    made = store.write(sources.edges(path, id="looking-named"))
    yield made
    store.remove(made.id)


def test_one_cell_with_what_is_around_it(store, new_id):
    made = store.write(grown_hierarchy(new_id("it"), arity=3, depth=3))
    seen = store.look_at(made.id, "/0/1", most=2)
    assert seen.properties["address"] == "/0/1"
    assert (seen.state, seen.child_count, [child["address"] for child in seen.children]) == (0, 3, ["/0/1/0", "/0/1/1"])
    assert [(parent["address"], parent["slot"], parent["primary"]) for parent in seen.parents] == [("/0", 1, True)]
    nothing = store.look_at(made.id, "/0/7", most=2)
    assert (nothing.properties, nothing.children, nothing.parents, nothing.child_count) == (None, [], [], 0)
    below = store.measure_below(made.id, "/0", most=100)
    assert (below.cells, below.depth, below.more, below.frontier, below.leaves) == (13, 3, False, 9, 0)
    assert below.farthest == pytest.approx(
        made.cells.root_distance[made.cells.rows([f"/0/{i}/{j}" for i in range(3) for j in range(3)])].max()
    )
    assert store.measure_below(made.id, "/", most=10).more
    assert store.measure_below(made.id, "/", most=40).cells == 40
    assert store.measure_below(made.id, "/7", most=10).cells == 0


def test_names_and_second_parents(store, named):
    address = dict(zip(named.cells.names, named.cells.addresses, strict=True))
    seen = store.look_at(named.id, address["low"], most=9)
    assert {(parent["name"], parent["primary"]) for parent in seen.parents} in (
        {("mid", True), ("root", False)},
        {("mid", False), ("root", True)},
    )
    assert store.look_at(named.id, address["Deep"], most=9).names["/"] == "root"
    assert store.names_of(named.id, ["/", "/9", address["mid"]]) == {"/": "root", address["mid"]: "mid"}
    assert [hit["name"] for hit in store.search_names(named.id, "dee", most=9)] == ["Deep", "deeper"]
    assert [hit["name"] for hit in store.search_names(named.id, "DEEPER", most=9)] == ["deeper"]
    assert len(store.search_names(named.id, "e", most=1)) == 1
    within = store.search_property(named.id, "mass", text=None, between=(0.5, 1.0), most=9)
    assert {(hit["name"], hit["value"]) for hit in within} == {("Deep", 0.5), ("deeper", 1.0)}
    assert store.search_property(named.id, "mass", text="2.", between=None, most=9)[0]["name"] == "low"
    assert store.search_property(named.id, "nothing", text="2.", between=None, most=9) == []


def test_points_below_a_cell(store, new_id):
    data = np.random.default_rng(0).normal(size=(30, 2))
    made = store.write(sources.points(data, arity=2, depth=2, points=True, id=new_id("points")))
    assert store.count_points_below(made.id, "/", most=100) == 30
    assert store.count_points_below(made.id, "/", most=7) == 7
    pages = [store.points_below(made.id, "/", start=start, most=12) for start in (0, 12, 24, 36)]
    assert [len(page) for page in pages] == [12, 12, 6, 0]
    assert sorted(point["row"] for page in pages for point in page) == list(range(30))
    of_one = store.points_below(made.id, "/0", start=0, most=99)
    assert {point["address"].split("/")[1] for point in of_one} == {"0"}
    assert len(of_one) + store.count_points_below(made.id, "/1", most=99) == 30
    assert store.point_name(made.id, 0) is None


def test_truths(store, new_id):
    truth, copy = (store.write(grown_hierarchy(new_id(name), depth=2)) for name in ("truth", "copy"))
    both = "MATCH (c:Hierarchy {id: $copy}), (t:Hierarchy {id: $truth}) CREATE (c)-[:PREDICTS]->(t)"
    store.query(both, {"copy": copy.id, "truth": truth.id}, write=True)
    assert store.truths()[copy.id] == truth.id


def test_cypher_is_ended_after_some_seconds(store):
    with pytest.raises(InputError, match=r"took longer than 0\.3 s"), store.open_query(SLOW, seconds=0.3) as (_, rows):
        list(rows)


def test_cypher_is_ended_by_its_token(store):
    assert not store.end_query("nobody's")
    failed = []

    def ask():
        try:
            with store.open_query(SLOW, token="mine") as (_, rows):
                list(rows)
        except CfgraphError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = time.monotonic() + SECONDS
    while not store.end_query("mine") and time.monotonic() < deadline:
        time.sleep(0.05)
    asking.join(SECONDS)
    assert len(failed) == 1
    assert "too long" not in str(failed[0])
