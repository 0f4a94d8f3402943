"""No value ever reaches Cypher but as a parameter: what the source may not do, searched for in the source."""

import ast
import re
from pathlib import Path

import pytest

from cfgraph.store.queries import load_queries

HOUSE = Path(__file__).parents[2]
FILES = sorted([*(HOUSE / "cfgraph").rglob("*.py"), *(HOUSE / "cli").glob("*.py")])
NAME = {file: file.relative_to(HOUSE).as_posix() for file in FILES}
# Every statement that reaches the driver: the files of cypher/, the user's own, and a constant.
RUN = {
    "cfgraph/store/graph.py": [
        "session.run(statement, parameters)",
        "tx.run(statement)",
        "within.run(query.statement, parameters)",
    ],
    "cfgraph/server/local.py": ["session.run('RETURN 1')"],
    # no session of a driver: uvicorn's server, and onnxruntime's
    "cfgraph/exploring/server.py": ["server.run(sockets=[listener])"],
    "cfgraph/learning/embedders/model_files.py": ["session.run(None, {input: part.astype(kind, copy=False)})"],
}
PROCEDURES = {"dbms.components", "dbms.listConnections", "db.awaitIndexes"}
CYPHER = re.compile(
    r"\b(MATCH|MERGE|CREATE|INSERT)\s*\(|\b(UNWIND|FOREACH)\b|\b(DETACH )?DELETE \w+\s*$|\bLOAD CSV\b|\bCALL\s*[{(]"
    r"|\b(SET|REMOVE)\s+\w+[.:]|\bRETURN\s+\w+|\bWHERE\s+\w+\.|\b(CREATE|DROP)\s+(CONSTRAINT|INDEX|DATABASE|USER)\b"
)


def sends(tree):
    """Calls that hand something to a ``run`` or ``execute_query`` of whatever it is, processes apart."""
    for node in ast.walk(tree):
        sending = (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("run", "execute_query")
        )
        if sending and ast.unparse(node.func.value) != "subprocess" and (node.args or node.keywords):
            yield ast.unparse(node)


def glued(tree):
    """Texts that are put together of several: f-strings, +, %, ``format``, ``join``, ``replace``."""
    for node in ast.walk(tree):
        gluing = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            gluing = node.func.attr in ("format", "format_map", "join", "replace", "substitute", "safe_substitute")
        if gluing:
            parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            yield node.lineno, " ".join(parts)


@pytest.mark.parametrize("file", FILES, ids=NAME.get)
def test_only_these_statements_reach_the_driver(file):
    assert sorted(sends(ast.parse(file.read_text()))) == RUN.get(NAME[file], [])


def test_statements_come_from_the_files_or_from_the_user():
    graph = (HOUSE / "cfgraph/store/graph.py").read_text()
    assert "statement = load_query(operation).statement" in graph
    assert re.search(r"query = load_query\(operation\)\n\s+query\.check_parameters", graph)
    asked = [
        (name, ast.unparse(node))
        for file, name in NAME.items()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("graph.query")
    ]
    assert [(name, call.partition(",")[0]) for name, call in asked] == [
        ("cfgraph/store/asking.py", "self._graph.query(cypher"),
        ("cfgraph/store/asking.py", "self._graph.query(operation.statement"),
    ]


@pytest.mark.parametrize("file", FILES, ids=NAME.get)
def test_no_cypher_is_put_together_from_strings(file):
    assert [found for found in glued(ast.parse(file.read_text())) if CYPHER.search(found[1])] == []


@pytest.mark.parametrize(
    "code",
    [
        "session.run(f'MATCH (n:Cell {{id: \"{value}\"}}) RETURN n')",
        "'MATCH (n) WHERE n.id = ' + value + ' RETURN n'",
        "'CREATE (n:%s)' % label",
        "'MATCH (n) SET n.{} = 1'.format(name)",
        "' '.join(['UNWIND $rows AS row', 'RETURN row'])",
        "load_query('read_cells').statement.replace('CREATE (x)', value)",
        "f'CREATE INDEX {name} FOR (n:Cell) ON (n.key)'",
        "driver.execute_query(text, name=value)",
    ],
)
def test_the_search_finds_what_it_is_for(code):
    tree = ast.parse(code)
    assert list(sends(tree)) or any(CYPHER.search(text) for _, text in glued(tree))


def test_no_operation_makes_cypher_of_its_parameters():
    """A parameter that is run, or that names a file, an address or a property, would be no value any more."""
    for query in load_queries().values():
        assert not re.search(r"\bLOAD\s+CSV\b|\bapoc\.|\bUSE\b", query.statement), query.name
        assert set(re.findall(r"\bCALL\s+(\w[\w.]*)", query.statement)) <= PROCEDURES, query.name
        assert set(re.findall(r":\s*\$\(\s*\$(\w+)\s*\)", query.statement)) <= {"label", "labels"}, query.name
        assert not re.search(r"\[\s*\$\w+\s*\]\s*=", query.statement), query.name  # n[$name] = value
