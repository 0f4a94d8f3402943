"""docs/servers.md, "The least rights": the GRANTs are Cypher, and they cover what the statements of cypher/ do."""

import re
from pathlib import Path

import pytest

from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.store import graph as graph_module
from cfgraph.store.queries import load_queries, load_query
from tests.grown import grown_hierarchy

DOCUMENT = (Path(__file__).parents[2] / "docs" / "servers.md").read_text().partition("## The least rights")[2]
STATEMENTS = [s.strip() for block in re.findall(r"```cypher\n(.*?)```", DOCUMENT, re.S) for s in block.split(";") if s.strip()]
ROLES = {  # a role comes with those before it
    "cfgraph_reader": ("cfgraph_reader",),
    "cfgraph_worker": ("cfgraph_reader", "cfgraph_worker"),
    "cfgraph_writer": ("cfgraph_reader", "cfgraph_worker", "cfgraph_writer"),
    "cfgraph_founder": ("cfgraph_reader", "cfgraph_worker", "cfgraph_writer", "cfgraph_founder"),
}
GRANT = re.compile(
    r"GRANT (?P<right>CREATE|DELETE|MATCH|SET PROPERTY)(?: \{(?P<properties>[^}]*)\})?"
    r" ON GRAPH neo4j (?:NODES|RELATIONSHIPS) (?P<names>[\w, ]+) TO (?P<role>\w+)"
)
DYNAMIC = {"Frontier", "Leaf"}  # what $($label) may be


def granted(role):
    """``(right, name, property or *)`` of everything that the document grants a role, with those it comes with."""
    found = set()
    for statement in STATEMENTS:
        match = GRANT.fullmatch(statement)
        if match and match["role"] in ROLES[role]:
            for name in match["names"].split(", "):
                found |= {(match["right"], name, key) for key in (match["properties"] or "*").split(", ")}
        if (match := re.fullmatch(r"GRANT REMOVE LABEL (\w+) ON GRAPH neo4j TO (\w+)", statement)) and match[2] in ROLES[role]:
            found.add(("REMOVE LABEL", match[1], "*"))
    return found


def needs(statement):
    """``(right, name, property or *)`` of everything that a statement of ours does, as its text says."""
    text = re.sub(r"//[^\n]*|'[^']*'", "", statement)
    text, dynamic = re.subn(r":\$\(\$\w+\)", "", text)
    names = dict(reversed(re.findall(r"[\(\[](\w+):(\w+)", text)))
    needed = {("MATCH", name, "*") for name in re.findall(r"\w?:([A-Z]\w+)", text)}
    for clause in CREATING.findall(text):
        needed |= {("CREATE", name, "*") for name in re.findall(r"[\(\[]\w*:(\w+)", clause)}
        for name, keys in re.findall(r"[\(\[]\w*:(\w+)\s*\{([^}]*)\}", clause):
            needed |= {("SET PROPERTY", name, key) for key in re.findall(r"(\w+):", keys)}
    needed |= {("CREATE", name, "*") for name in DYNAMIC if dynamic}
    changed = re.findall(r"(?:\bSET|,)\s+(\w+)\.(\w+)\s*=", text) + re.findall(r"\bREMOVE\s+(\w+)\.(\w+)", text)
    changed += [(variable, "*") for variable in re.findall(r"\bSET\s+(\w+)\s*=", text)]
    needed |= {("SET PROPERTY", names[variable], key) for variable, key in changed}
    needed |= {("REMOVE LABEL", label, "*") for label in re.findall(r"\bREMOVE\s+\w+:(\w+)", text)}
    for detach, variable in re.findall(r"(DETACH\s+)?DELETE\s+(\w+)", text):
        ended = (names[variable], *KINDS[names[variable]]) if detach else (names[variable],)
        needed |= {("DELETE", name, "*") for name in ended}
    return needed


CREATING = re.compile(
    r"\b(?:CREATE|MERGE)\b((?:(?!\b(?:SET|WITH|RETURN|MATCH|ON|FOREACH|UNWIND|CREATE|MERGE)\b).)*)", re.DOTALL
)
KINDS = {  # the relationship types that a node of a label may have, all of which a DETACH DELETE ends
    "Cell": ("ROOT", "CHILD", "IN"),
    "Point": ("IN",),
    "Hierarchy": ("ROOT", "GROWN_BY", "TRAINED_ON", "PREDICTS", "ENCODED_BY", "HISTORY", "PLACED"),
    "Batch": ("PLACED",),
    "Entry": ("HISTORY",),
    "Encoder": ("ENCODED_BY", "PART"),
    "EncoderPart": ("PART",),
    "Predictor": ("GROWN_BY", "TRAINED_ON"),
    "SubtreeDigest": (),
}


def missing(operation, role):
    """What an operation does that a role may not."""
    rights = granted(role)
    return {
        (right, name, key)
        for right, name, key in needs(load_query(operation).statement)
        if not {(right, name, key), (right, name, "*")} & rights
    }


@pytest.fixture
def used(monkeypatch):
    """The names of the operations that run meanwhile."""
    seen = set()

    def load(name):
        seen.add(name)
        return load_query(name)

    monkeypatch.setattr(graph_module, "load_query", load)
    return seen


def test_what_is_needed_is_read_off_the_statements():
    assert needs("MATCH (h:Hierarchy {id: $id}) SET h.state = 'x' REMOVE h.pinning") == {
        ("MATCH", "Hierarchy", "*"),
        ("SET PROPERTY", "Hierarchy", "state"),
        ("SET PROPERTY", "Hierarchy", "pinning"),
    }
    assert ("DELETE", "GROWN_BY", "*") in needs("MATCH (p:Predictor) DETACH DELETE p")
    made = needs("MATCH (p:Cell) CREATE (p)-[:CHILD {slot: 1}]->(c:Cell:$($labels) {key: 1})")
    assert {("CREATE", name, "*") for name in ("Cell", "CHILD", "Frontier", "Leaf")} <= made
    assert {("SET PROPERTY", "CHILD", "slot"), ("SET PROPERTY", "Cell", "key")} <= made
    assert missing("create_hierarchy", "cfgraph_worker")
    assert missing("create_children", "cfgraph_reader")


@pytest.mark.parametrize("name", [query.name for query in load_queries().values() if query.access != "schema"])
def test_every_operation_is_covered(name):
    access = load_query(name).access
    role = "cfgraph_founder" if name == "write_schema_version" else "cfgraph_reader" if access == "read" else "cfgraph_writer"
    assert missing(name, role) == set()


def test_schema_is_covered():
    made = [query.statement.split() for query in load_queries().values() if query.access == "schema"]
    assert {words[1] for words in made if words[0] == "CREATE"} == set(
        re.findall(r"GRANT CREATE (CONSTRAINT|INDEX) ON DATABASE neo4j TO cfgraph_founder", "\n".join(STATEMENTS))
    )


def test_worker_may_do_what_a_rollout_does(store, new_id, used):
    truth = grown_hierarchy(new_id("truth"), depth=3)
    store.write(truth)
    rule = new_id("rule")
    store.write_predictor(train(truth, id=rule, depth=2, family="recurrence"))
    used.clear()
    rollout(store, truth.id, predictor=rule, stop=Stop(depth=4))
    rollout(store, truth.id, predictor=rule, stop=Stop(cells=200))
    assert {
        "begin_growth",
        "pin_growth_end",
        "claim_frontier",
        "create_children",
        "fence_block",
        "finish_growth",
        "add_entry",
    } <= used
    assert {name: missing(name, "cfgraph_worker") for name in used if missing(name, "cfgraph_worker")} == {}
    used.clear()
    store.digest(truth.id)
    store.counts(truth.id)
    assert {name: missing(name, "cfgraph_reader") for name in used if missing(name, "cfgraph_reader")} == {}


def test_worker_may_not_do_more(store):
    for name in ("create_hierarchy", "write_predictor", "remove_cells", "remove_hierarchy", "claim_id", "write_schema_version"):
        assert missing(name, "cfgraph_worker"), name


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement[:70])
def test_the_server_can_read_them(store, statement):
    """Community has no roles, and says so of Cypher that it understands; of other Cypher it says that it does not."""
    if store._graph.read("read_server_version")[0]["edition"] != "community":
        pytest.skip("the tests' server has roles, which no test may change")
    with pytest.raises(Exception, match="Unsupported administration command"):
        store.query(statement, write=True)
