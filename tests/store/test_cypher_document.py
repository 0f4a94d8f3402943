"""Every query of docs/cypher.md runs, reads only, and finds something in a hierarchy that has what it asks for."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage

from cfgraph import sources
from cfgraph.store.notifications import LABELS, TYPES
from tests.grown import grown_hierarchy, ragged_hierarchy

DOCUMENT = Path(__file__).parents[2] / "docs" / "cypher.md"
QUERIES = re.findall(r"^## (\d+\..*?)$.*?^```cypher\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def example(store):
    hierarchy = ragged_hierarchy("cypher-document", arity=2, depth=4, leaf_share=0.15, seed=0)
    store.write(hierarchy)
    yield hierarchy
    store.remove(hierarchy.id)


@pytest.fixture(scope="module")
def condensed(store):
    X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0, 0], [9, 9]], 30, axis=0)
    hierarchy = store.write(sources.linkage(id="cypher-document-condensed", data=linkage(X, "single"), condense=5))
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
def test_query_of_the_document_runs(store, example, condensed, title, cypher):
    asked = condensed if "condensed" in title else example
    columns, rows = store.query(cypher, {"id": asked.id})
    assert columns
    if int(title.split(".")[0]) not in (10, 11, 12):  # those want a rollout; tests/acceptance has one
        assert rows, f"query {title} found nothing"


def test_the_labels_and_types_that_a_misspelt_one_may_mean_are_those_of_the_document():
    (told,) = re.findall(r"These are all labels and all types .*?: (.*?)\. In a database", DOCUMENT.read_text(), re.DOTALL)
    assert {*LABELS, *TYPES} == set(re.findall(r"`(\w+)`", told))


@pytest.fixture(scope="module")
def crowd(store):
    """Many cells of another hierarchy in the same store: what reads all cells is found out by them."""
    hierarchy = grown_hierarchy("cypher-document-crowd", arity=8, depth=4)
    store.write(hierarchy)
    with store._graph.session(write=True) as session:  # the planner goes by what was counted, and counts now and then by itself
        session.run("CALL db.prepareForReplanning()").consume()
    yield len(hierarchy.cells)
    store.remove(hierarchy.id)


def shown_elsewhere():
    """The queries of the README and the documents that stand in a line of their own, or inside a sentence."""
    for file in (DOCUMENT.parents[1] / "README.md", *sorted(DOCUMENT.parent.glob("*.md"))):
        text = file.read_text()
        yield from re.findall(r"`(MATCH [^`]* RETURN [^`]*)`", text)
        yield from re.findall(r"^cfgraph query '(MATCH [^']*)'", text, re.MULTILINE)


def hits(plan):
    """The hits of the database of a whole plan."""
    return plan.get("dbHits", 0) + sum(map(hits, plan.get("children", ())))


def steps(plan):
    """The steps of a whole plan, each with its hits and what it looks at."""
    yield f"{plan['operatorType']}: {plan.get('dbHits', 0)} hits, {plan.get('rows')} rows; {plan['args'].get('Details')}"
    for child in plan.get("children", ()):
        yield from steps(child)


ALL = [*(cypher for _, cypher in QUERIES), *shown_elsewhere()]


def test_queries_are_shown_elsewhere_too():
    assert len(ALL) >= len(QUERIES) + 3


@pytest.mark.parametrize("cypher", ALL, ids=[cypher[:40] for cypher in ALL])
def test_query_of_the_documents_reads_its_own_cells_alone(store, example, crowd, cypher):
    """By the profile: no more than some hits for each cell of the hierarchy that is asked about, whatever else is there."""
    named = re.sub(r"'(?:clusters|seen)([/0])'", rf"'{example.id}\1'", cypher)
    assert named.count(example.id) in (0, 2)
    with store._graph.session(write=False) as session:
        result = session.run("PROFILE " + named, {"id": example.id})
        rows = len(list(result))
        profile = result.consume().profile
        found = hits(profile)
    bound = 40 * (len(example.cells) + rows)
    assert bound < crowd, "the crowd is too small to tell"
    assert found <= bound, "\n".join(steps(profile))
