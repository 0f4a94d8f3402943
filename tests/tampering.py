"""Tampering: what Cypher can do to a small hierarchy, one thing at a time, each undone again."""

import random
from contextlib import contextmanager

import numpy as np

from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.dag import Dag
from cfgraph.sources import ifs, points
from cfgraph.sources.imported import imported

VALUES = (
    *(
        "null",
        "0.0 / 0.0",
        "1.0 / 0.0",
        "'text'",
        "''",
        "[1.0]",
        "[]",
        "['a', 'b']",
        "[1, 2]",
        "[0.0 / 0.0, 1.0]",
        "7",
        "0",
        "-3",
    ),
    *("-2.5", "0.0", "1e300", "9223372036854775807", "true", "false", "date('2026-01-01')", "point({x: 1.0, y: 2.0})"),
)
PLACES = {  # the nodes and edges, as `it`, of which one is tampered with
    "Hierarchy": "(it:Hierarchy {id: $id})",
    "root": "(:Hierarchy {id: $id})-[:ROOT]->(it)",
    "cell": "(it:Cell WHERE it.hierarchy = $id AND it.level = 1)",
    "end": "(it:Cell&(Frontier|Leaf) WHERE it.hierarchy = $id)",
    "point": "(it:Point WHERE it.hierarchy = $id)",
    "predictor": "(:Hierarchy {id: $id})-[:GROWN_BY]->(it:Predictor)",
    "encoder": "(:Hierarchy {id: $id})-[:ENCODED_BY]->(it:Encoder)",
    "part": "(:Hierarchy {id: $id})-[:ENCODED_BY]->(:Encoder)-[:PART]->(it:EncoderPart)",
    "edge": "(:Cell)-[it:CHILD WHERE it.primary IS NULL]->(c:Cell WHERE c.hierarchy = $id)",
    "link": "(:Cell)-[it:CHILD WHERE it.primary = false]->(c:Cell WHERE c.hierarchy = $id)",
    "growth": "(:Hierarchy {id: $id})-[it:GROWN_BY]->()",
}
A_CELL = "MATCH (c:Cell {key: $id + '/0'}) "
A_LEAF = "MATCH (c:Cell&(Frontier|Leaf) WHERE c.hierarchy = $id) WITH c ORDER BY c.key LIMIT 1 "
FORMS = {  # what is done to labels and edges, and what undoes it
    "no label Cell": (A_CELL + "REMOVE c:Cell SET c:Lost", "MATCH (c:Lost WHERE c.hierarchy = $id) REMOVE c:Lost SET c:Cell"),
    "a Frontier with children": (A_CELL + "SET c:Frontier", A_CELL + "REMOVE c:Frontier"),
    "a Leaf with children": (A_CELL + "SET c:Leaf", A_CELL + "REMOVE c:Leaf"),
    "no ROOT": (
        "MATCH (h:Hierarchy {id: $id})-[e:ROOT]->() DELETE e",
        "MATCH (h:Hierarchy {id: $id}), (c:Cell {key: $id + '/'}) CREATE (h)-[:ROOT]->(c)",
    ),
    "no primary parent": (
        A_CELL + "MATCH (p)-[e:CHILD]->(c) CREATE (p)-[k:KEPT]->(c) SET k = properties(e) DELETE e",
        "MATCH (p)-[k:KEPT]->(c WHERE c.hierarchy = $id) CREATE (p)-[e:CHILD]->(c) SET e = properties(k) DELETE k",
    ),
    **{
        f"{name} ({more})": (
            f"{start}{ends} CREATE (p)-[:CHILD {{slot: 0, residual: c.center, length: 1.0, extra: $id{more}}}]->(q)",
            "MATCH ()-[e:CHILD {extra: $id}]->() DELETE e",
        )
        for name, start, ends in (
            ("two parents", A_CELL, "MATCH (p:Cell {key: $id + '/1'}) WITH c, p, c AS q"),
            ("its own ancestor", A_LEAF, "MATCH (q:Cell {key: $id + '/0'}) WITH c, c AS p, q"),
            ("its own parent", A_CELL, "WITH c, c AS p, c AS q"),
            ("above the root", A_LEAF, "MATCH (q:Cell {key: $id + '/'}) WITH c, c AS p, q"),
            ("a parent elsewhere", A_CELL, "MATCH (p:Cell {key: $other + '/1'}) WITH c, p, c AS q"),
            ("a child elsewhere", A_CELL, "MATCH (q:Cell {key: $other + '/1'}) WITH c, c AS p, q"),
        )
        for more in ("", ", primary: false")
    },
    "a cell beyond the keys": (
        A_LEAF + "SET c.was = c.key, c.key = $id + '0'",
        "MATCH (c:Cell WHERE c.hierarchy = $id AND c.was IS NOT NULL) SET c.key = c.was REMOVE c.was",
    ),
    "a cell of no address": (
        A_LEAF + "SET c.was = c.key, c.key = $id + '/x'",
        "MATCH (c:Cell WHERE c.hierarchy = $id AND c.was IS NOT NULL) SET c.key = c.was REMOVE c.was",
    ),
    "a cell too many": (
        "MATCH (p:Cell {key: $id + '/0'}) CREATE (c:Cell:Leaf {key: $id + '/0/99'}) "
        "SET c += p {.hierarchy, .level, .center, .scale, .root_distance}, c.address = '/0/99'",
        "MATCH (c:Cell {key: $id + '/0/99'}) DETACH DELETE c",
    ),
    "a point without a cell": (
        "MATCH (p:Point WHERE p.hierarchy = $id) WITH p LIMIT 1 MATCH (p)-[e:IN]->(c) CREATE (p)-[:WAS]->(c) DELETE e",
        "MATCH (p:Point WHERE p.hierarchy = $id)-[e:WAS]->(c) CREATE (p)-[:IN]->(c) DELETE e",
    ),
    "a point in two cells": (
        "MATCH (p:Point WHERE p.hierarchy = $id) WITH p LIMIT 1 MATCH (c:Cell {key: $id + '/'}) "
        "CREATE (p)-[:IN {extra: $id}]->(c)",
        "MATCH ()-[e:IN {extra: $id}]->() DELETE e",
    ),
}


def make_dag(id):
    """Several parents, own columns of many kinds, and data points as nodes."""
    columns = {
        "height": np.linspace(0.0, 1.0, 8),
        "rank": np.arange(8),
        "kind": np.array(list("abcdefgh"), dtype=object),
        "sure": np.array([True, None] * 4, dtype=object),
        "mixed": np.array([True, 1, "one", None, 1.5, -3, "", "x"], dtype=object),
        "latent": np.linspace(-1.0, 1.0, 24).reshape(8, 3),
    }
    parent, child = np.array([0, 0, 1, 2, 2, 1, 3, 4]), np.array([1, 2, 3, 3, 4, 5, 6, 7])
    dag = Dag(8, parent, child, names=list("rstuvwxy"), columns=columns, node_of_point=np.array([6, 5, 7, 6]))
    return imported(dag, id=id, origin="edges", recipe={"source": "test"}, points=True)


def write_grown(store, id, *, rule):
    """A field that a predictor grew by one level."""
    true = ifs(id=id, maps="koch", depth=2)
    store.write(true)
    store.write_predictor(train(true, id=rule, depth=2, family="recurrence"))
    rollout(store, id, predictor=rule, stop=Stop(depth=3))


MAKERS = {
    "field": lambda id: ifs(id=id, maps="koch", depth=2),
    "points": lambda id: points(id=id, data=np.random.default_rng(0).normal(size=(60, 2)), depth=3, minimum_size=4, pca=2),
    "dag": make_dag,
}


def property_tamperings(store, id):
    """A place, a property and a value for each of what stands there, and for a property that nobody wrote."""
    for place, pattern in PLACES.items():
        _, rows = store.query(f"MATCH {pattern} RETURN keys(it) AS names LIMIT 1", {"id": id})
        for (names,) in rows:
            for name in sorted(names):
                yield from ((place, name, value) for value in VALUES)


def form_tamperings():
    """A form for each of what labels and edges may be."""
    yield from (("form", name, "") for name in FORMS)


@contextmanager
def tampered(store, id, *, other, place, name, value):
    """The hierarchy with one thing tampered with; whether there was anything to do it to."""
    with store._graph.session() as session:
        if place == "form":
            done, undone = FORMS[name]
            session.run(done, id=id, other=other).consume()
            try:
                yield
            finally:
                session.run(undone, id=id, other=other).consume()
            return
        asked = f"MATCH {PLACES[place]} RETURN elementId(it) AS it, properties(it) AS was ORDER BY it LIMIT 1"
        row = session.run(asked, id=id).single()
        is_edge = place in ("edge", "link", "growth")
        match = "MATCH ()-[it]->() WHERE elementId(it) = $it " if is_edge else "MATCH (it) WHERE elementId(it) = $it "
        session.run(f"{match} SET it[$name] = {value}", it=row["it"], name=name).consume()
        try:
            yield
        finally:
            session.run(f"{match} SET it = $was", it=row["it"], was=row["was"]).consume()


def chosen(cases, *, seed):
    """The cases in an order of the seed's."""
    cases = list(cases)
    random.Random(seed).shuffle(cases)
    return cases
