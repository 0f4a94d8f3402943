"""Every query of docs/cypher.md runs, reads only, and finds something in a hierarchy that has what it asks for."""

import re
from pathlib import Path

import pytest

from tests.grown import ragged_hierarchy

DOCUMENT = Path(__file__).parents[2] / "docs" / "cypher.md"
QUERIES = re.findall(r"^## (\d+\..*?)$.*?^```cypher\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def example(store):
    hierarchy = ragged_hierarchy("cypher-document", arity=2, depth=4, leaf_share=0.15, seed=0)
    store.write(hierarchy)
    yield hierarchy
    store.remove(hierarchy.id)


def test_there_are_a_dozen_queries():
    assert len(QUERIES) >= 12


def test_it_lists_every_label_and_type():
    """All that follow a colon in parentheses or brackets, in the operations and in the examples; the dynamic ones by hand."""
    texts = [re.sub(r"//[^\n]*|'[^']*'", "", path.read_text()) for path in (DOCUMENT.parents[1] / "cypher").glob("*.cypher")]
    used = {name for text in texts for name in re.findall(r"[(\[]\w*:(\w+)", text)} | {"Frontier", "Leaf"}
    (told,) = re.findall(r"These are all labels and all types .*?: (.*?)\. In a database", DOCUMENT.read_text(), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", told)) == used


@pytest.mark.parametrize(("title", "cypher"), QUERIES, ids=[title[:30] for title, _ in QUERIES])
def test_query_of_the_document_runs(store, example, title, cypher):
    columns, rows = store.query(cypher, {"id": example.id})
    assert columns
    if int(title.split(".")[0]) not in (10, 11, 12):  # those want a rollout; tests/acceptance has one
        assert rows, f"query {title} found nothing"
