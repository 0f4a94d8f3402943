"""Edges: child-parent pairs from files of many kinds, and one clear line for what is none."""

from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.model.dag import check_cycles, doubled_names, find_cycle
from cfgraph.sources.edges import edges_dag, read_edges
from cfgraph.sources.imported import ImportOptions, imported

REAL = Path(__file__).parents[3] / "shared" / "data" / "hierarchies"
needs_data = pytest.mark.skipif(not REAL.is_dir(), reason="the data lies beside a checkout, not in it")


@pytest.fixture
def place(tmp_path):
    def write(content, name="edges.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def pairs(dag):
    return [(dag.names[child], dag.names[parent]) for child, parent in zip(dag.child, dag.parent, strict=True)]


def refuse(told, *arguments, **options):
    with pytest.raises(InputError, match=told) as caught:
        read_edges(*arguments, **options)
    assert "\n" not in str(caught.value)


WANTED = [("a", "r"), ("b", "r"), ("a", "b")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.tsv", "child\tparent\na\tr\nb\tr\na\tb\n"),
        ("e.tsv", "a\tr\nb\tr\na\tb"),
        ("e.csv", "parent,child\nr,a\nr,b\nb,a\n"),
        ("e.csv", "\ufeffChild,Parent\r\na,r\r\n\r\nb,r\r\na,b\r\n"),
        ("e.csv", '"child","parent"\n"a","r"\nb,r\n\n\na,"b"\n'),
        ("e.tsv", "# made by hand\n\n#child\tparent\nchild\tparent\na\tr\n# in between\nb\tr\n   \na\tb\n#"),
        ("e.txt", "a\tr\nb\tr\na\tb\n"),
        ("e.txt", "a,r\nb,r\na,b\n"),
        ("e.csv", "a\tr\nb\tr\na\tb\n"),
        ("e.tsv", "extra\tchild\tother\tparent\n1\ta\t2\tr\n\tb\t\tr\n3\ta\t4\tb\n\t\t\t\n"),
    ],
)
def test_the_same_pairs_from_every_form(place, name, text):
    dag = read_edges(place(text, name))
    assert pairs(dag) == WANTED
    assert dag.length is None
    assert dag.lengths == "unit"


def test_columns_by_name_and_separator(place):
    path = place("id|of|is in\n1|a|r\n2|b|r\n3|a|b\n")
    assert pairs(read_edges(path, child="of", parent="is in", separator="|")) == WANTED
    refuse("names 'child' and 'parent', or two columns without a header", path, separator="|")
    refuse("names 'of' and 'under'", path, child="of", parent="under", separator="|")
    refuse("expected one column 'size'", path, child="of", parent="is in", length="size", separator="|")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.csv", "a,r,1.5\nb,r,\na,b,2e3\n"),
        ("e.csv", "child,parent,length\na,r,1.5\nb,r, \na,b,2e3\n"),
        ("e.csv", "weight,child,parent\n1.5,a,r\n,b,r\n2e3,a,b\n"),
    ],
)
def test_lengths(place, name, text):
    dag = read_edges(place(text, name))
    assert pairs(dag) == WANTED
    np.testing.assert_array_equal(dag.length, [1.5, np.nan, 2000])
    assert dag.lengths == "branch"


def test_names_are_taken_as_they_stand(place):
    dag = read_edges(place('child,parent\n"Smith, ""Joe""",Animal sounds\n"two\nlines",Animal sounds\n a, r \n', "e.csv"))
    assert pairs(dag)[:2] == [('Smith, "Joe"', "Animal sounds"), ("two\nlines", "Animal sounds")]
    assert pairs(dag)[2] == (" a", " r ")
    assert dag.notes == ("2 names begin or end with blanks and keep them, first ' a'",)


def test_names_beside_identifiers(place):
    head = "child\tparent\tchild_name\tparent_name\n"
    dag = read_edges(place(head + "1\t3\tone\tthree\n2\t3\ttwo\tthree\n"))
    assert pairs(dag) == [("one", "three"), ("two", "three")]
    assert dag.columns["identifier"].tolist() == ["1", "2", "3"]
    same = read_edges(place(head + "1\t3\tone\tthree\n2\t3\tone\tthree\n"))
    assert pairs(same) == [("1", "3"), ("2", "3")]
    assert same.columns["label"].tolist() == ["one", "one", "three"]
    assert "go by their identifiers" in same.notes[0]
    refuse("expected one name for each node .* got 'three' and 'tree' for '3'", place(head + "1\t3\t1\tthree\n2\t3\t2\ttree\n"))


def test_pairs_that_come_again_are_left_out(place):
    dag = read_edges(place("a\tr\nb\tr\na\tr\na\tb\na\tr\n"))
    assert pairs(dag) == WANTED
    assert dag.notes == ("2 of 5 rows repeat an earlier pair and were left out",)
    assert read_edges(place("a\tr\t1\na\tr\t1\n")).length.tolist() == [1]
    refuse("one length for each pair .* got 1.0 and 2.0 for 'a' under 'r'", place("a\tr\t1\na\tr\t2\n"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("# only\n\n# comments\n", "holds comments and blank lines only"),
        ("child\tparent\n", "holds a header and no rows"),
        ("# one\nchild\tparent\n\na\tr\n\tr\n", "line 5 of .*no child of 'r'; leave the row out or fill it$"),
        ("node,ancestor,x\na,r,x\n", "expected a first row .* that names 'child' and 'parent'.*got 3 columns: node, ancestor"),
        ('child\tparent\n"a\tr\nb\tr\n', "line 2 of .*: unexpected end of data; a name that begins with a quote"),
        ('child\tparent\nb\tr\n"a" 5\tr\n', "line 3 of .*expected after .*its own ones doubled"),
        ("a\tr\nb\n", "line 2 of .*: expected 2 columns, as in the first row, got 1$"),
        ("a\tr\nb\tr\tx\n", "line 2 of .*: expected 2 columns, as in the first row, got 3$"),
        ("alone\n", "a tab or a comma, and a parent in every row of .* got 'alone'"),
        ("a\tr\t1\nb\tr\t-2\n", "line 2 of .*finite length of at least 0, got '-2' for 'b' under 'r'$"),
        ("a\tr\t1\nb\tr\tnan\n", "line 2 of .*got 'nan' for 'b' under 'r'$"),
        ("a\tr\t1\nb\tr\tlong\n", "line 2 of .*got 'long' for 'b' under 'r'$"),
        (
            "fine_id\tfine\tcoarse_id\tcoarse\n1\ta\t2\tb\n",
            "got 4 columns: fine_id, fine, .* say which with --child and --parent",
        ),
        ("child\tparent\tparent\na\tr\tx\n", "expected one column 'parent' .* got 2"),
    ],
)
def test_bad_rows_are_told_with_their_line(place, text, told):
    refuse(told, place(text))


def test_files_that_are_not_there(tmp_path):
    refuse("there is no file .*; expected child-parent pairs", tmp_path / "none.tsv")
    refuse("cannot be read", tmp_path)


def test_pairs_from_python():
    dag = edges_dag(["a", "b", "a"], ["r", "r", "b"], length=[1, 2, 3])
    assert pairs(dag) == WANTED
    assert dag.length.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="as many children as parents"):
        edges_dag(["a"], [])
    for empty in ("", None):
        with pytest.raises(InputError, match="got an empty one"):
            edges_dag(["a", "b"], ["c", empty])


@needs_data
def test_the_gene_ontology_is_read_whole():
    dag = read_edges(REAL / "go_2024-07-17_is_a_part_of.tsv")
    assert (dag.count, len(dag.parent)) == (42_092, 73_689)
    assert np.count_nonzero(np.bincount(dag.child) > 1) == 22_987
    assert set(range(dag.count)) - set(dag.child.tolist()) == {
        dag.names.index(name) for name in ("GO:0008150", "GO:0003674", "GO:0005575")
    }
    assert find_cycle(dag) is None
    assert len(dag.notes) == 2
    assert "differ between the rows of one child are of its edges, and were left out: rel" in dag.notes[1]


@needs_data
def test_audioset_and_the_superclasses_are_read_with_names():
    dag = read_edges(REAL / "audioset_edges.tsv")
    assert (dag.count, len(dag.parent)) == (632, 670)
    assert ("Human voice", "Human sounds") in pairs(dag)
    assert dag.columns["identifier"][dag.names.index("Human voice")] == "/m/09l8g"
    assert find_cycle(dag) is None
    assert doubled_names(dag) == ()
    fine = read_edges(REAL / "cifar100_fine_coarse.tsv", child="fine", parent="coarse")
    assert len(set(fine.parent.tolist())) == 20


def test_cycles_are_found_and_shown():
    assert find_cycle(edges_dag(["a", "b", "c", "d"], ["r", "a", "b", "a"])) is None
    for child, parent, told in (
        (["a", "b"], ["r", "b"], "one of 1 edges: 'b' -> 'b'"),
        (["a", "b", "c", "x"], ["b", "c", "a", "a"], "one of 3 edges: 'a' -> 'c' -> 'b' -> 'a'"),
    ):
        with pytest.raises(InputError, match=told):
            check_cycles(edges_dag(child, parent))


def test_a_cycle_is_one_of_the_graph_and_found_where_networkx_finds_one():
    for seed in range(200):
        chance = np.random.default_rng(seed)
        nodes, edges = int(chance.integers(2, 12)), int(chance.integers(1, 20))
        ends = chance.integers(0, nodes, (edges, 2))
        dag = edges_dag([f"n{child}" for child in ends[:, 0]], [f"n{parent}" for parent in ends[:, 1]])
        graph = nx.DiGraph((dag.names[parent], dag.names[child]) for parent, child in zip(dag.parent, dag.child, strict=True))
        cycle = find_cycle(dag)
        assert (cycle is None) == nx.is_directed_acyclic_graph(graph)
        if cycle is not None:
            names = [dag.names[node] for node in [*cycle, cycle[0]]]
            assert all(graph.has_edge(*step) for step in pairwise(names))
            assert len(set(cycle)) == len(cycle)


@settings(max_examples=200)
@given(st.text('ab,\t"#\n \r1', max_size=24), st.sampled_from(["e.csv", "e.tsv", "e.txt"]))
def test_any_text_is_pairs_or_one_clear_line(tmp_path_factory, text, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(text.encode())
    dag, told = None, ""
    try:
        dag = read_edges(path)
    except InputError as error:
        told = str(error)
    assert "\n" not in told
    if dag is not None:
        assert len(dag.names) == dag.count == len(set(dag.names))
        assert "" not in dag.names


def test_a_first_row_that_may_be_a_header_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("node,ancestor\ncat,animal\ndog,animal\n")
    found = read_edges(tmp_path / "a.csv")
    assert found.count == 5
    assert "'node' under 'ancestor'; if it names the columns, do so with --child, --parent" in found.notes[-1]
    assert read_edges(tmp_path / "a.csv", child="node", parent="ancestor").count == 3
    (tmp_path / "b.csv").write_text("cat,animal\ndog,animal\n")
    assert read_edges(tmp_path / "b.csv").notes == ()


def test_options_that_sources_pass_on_are_those_of_imported():
    wanted = get_type_hints(imported)
    for name, kind in get_type_hints(ImportOptions).items():
        assert kind == wanted[name], name
