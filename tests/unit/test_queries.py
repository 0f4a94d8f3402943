"""The query loader refuses what breaks the rules of cypher/README.md, and says where."""

import pytest

from cfgraph.errors import QueryFileError
from cfgraph.store.queries import load_queries, load_query, parse_query

GOOD = """// name: read_thing
// purpose: a thing
// access: read
// parameter: id string
// column: thing map
MATCH (t:Thing {id: $id}) // not $this one
RETURN t AS thing
"""


def test_parse_query_reads_header_and_statement():
    query = parse_query(GOOD, file="read_thing.cypher")
    assert (query.access, query.parameters, query.columns) == ("read", {"id": "string"}, {"thing": "map"})
    assert query.statement.startswith("MATCH")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: read_thing", "name: other", "expected the name 'read_thing'"),
        ("// parameter: id string\n", "", "declared parameters differ from the used ones: id"),
        ("$id", "'x'", "declared parameters differ from the used ones: id"),
        ("access: read", "access: maybe", "expected access"),
        ("// purpose: a thing\n", "", "purpose"),
        ("// purpose: a thing", "// whatever", "read_thing.cypher:2"),
        ("RETURN t AS thing", "RETURN t AS thing; MATCH (n) RETURN n", "several"),
        ("MATCH (t:Thing {id: $id}) // not $this one\nRETURN t AS thing\n", "", "read_thing.cypher:6"),
        ("id string", "id", "name type"),
    ],
)
def test_parse_query_refuses(old, new, told):
    assert old in GOOD
    with pytest.raises(QueryFileError, match=told.replace("$", r"\$")):
        parse_query(GOOD.replace(old, new), file="read_thing.cypher")


def test_every_query_file_loads():
    queries = load_queries()
    assert len(queries) > 30
    assert all(query.purpose for query in queries.values())


def test_load_query_lists_what_there_is():
    with pytest.raises(QueryFileError, match="read_hierarchy"):
        load_query("no_such_operation")
    with pytest.raises(QueryFileError):
        load_query("../secrets")


def test_a_call_without_a_parameter_is_refused():
    with pytest.raises(QueryFileError, match=r"missing: id"):
        load_query("read_hierarchy").check_parameters({})
    with pytest.raises(QueryFileError, match=r"unknown: other"):
        load_query("read_hierarchy").check_parameters({"id": "x", "other": 1})
