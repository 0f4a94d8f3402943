"""Newick: a tree comes back as it was, and an error says where it is."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import InputError
from cfgraph.formats.newick import dag_newick, format_newick, parse_newick, read_newick
from cfgraph.model.dag import Dag

NASTY = [
    "",
    " ",
    "a b",
    " lead",
    "trail ",
    "it's",
    "''",
    "(",
    ")",
    ",",
    ":",
    ";",
    "[x]",
    "line\nbreak",
    "tab\t",
    "a_b",
    "é✓",
    "\u2028",
]


def nested(dag, node=0):
    """A dag as nested tuples: (name, length of the edge above, children)."""
    below = [int(child) for parent, child in zip(dag.parent, dag.child, strict=True) if parent == node]
    return (dag.names[node] if dag.names else None, length_above(dag, node), [nested(dag, child) for child in below])


def length_above(dag, node):
    if node == 0:
        value = dag.columns["branch_length"][0] if "branch_length" in dag.columns else float("nan")
    else:
        edge = int(np.flatnonzero(dag.child == node)[0])
        value = float("nan") if dag.length is None else dag.length[edge]
    return repr(float(value))


def refuse(told, text, **options):
    with pytest.raises(InputError, match=told) as caught:
        parse_newick(text, **options)
    assert "\n" not in str(caught.value)


def test_what_stands_in_the_text_is_in_the_dag():
    dag = parse_newick("((a:1,b:2.5e-3)inner:0.5,'c d':3,)root:7;\n")
    assert dag.names == ["root", "inner", "a", "b", "c d", None]
    assert dag.parent.tolist() == [0, 1, 1, 0, 0]
    assert dag.child.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(dag.length, [0.5, 1, 0.0025, 3, np.nan])
    np.testing.assert_array_equal(dag.columns["branch_length"], [7] + [np.nan] * 5)
    assert dag.lengths == "branch"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a;", ["a"]),
        (";", None),
        ("(,);", None),
        ("();", None),
        ("(a_b,'a b',A)'';", ["", "a_b", "a b", "A"]),
        (" ( a ,\r\n\tb )\n c ; \n", ["c", "a", "b"]),
        ("('it''s','''')x;", ["x", "it's", "'"]),
    ],
)
def test_names_and_blanks(text, names):
    assert parse_newick(text).names == names


def test_without_lengths_there_are_none():
    dag = parse_newick("(a,b);")
    assert dag.length is None
    assert dag.lengths == "unit"
    assert not dag.columns


def test_comments_are_left_out_and_counted():
    dag = parse_newick("[&R] ((a[one [nested] it's],'[b]'):1[&support=[9]],c)[x];")
    assert dag.names == [None, None, "a", "[b]", "c"]
    assert dag.length[0] == 1
    assert dag.columns["support"].tolist() == [None, "[9]", None, None, None]
    assert dag.notes == ("3 of 4 edges have no length, and count 0", "2 comments in brackets were left out")


def random_dag(chance, nodes):
    """A random tree in the order in which parse_newick numbers one, with any names and lengths."""
    order, parent, stack = 0, [-1], [0]
    while len(parent) < nodes:
        stack = stack[: chance.randint(1, len(stack))]
        parent.append(stack[-1])
        order += 1
        stack.append(order)
    names = [chance.choice([None, *NASTY, str(chance.random())]) for _ in parent]
    length = [chance.choice([np.nan, 0.0, 1e-300, 5e-324, 1.7e308, chance.random(), 2.0]) for _ in parent]
    columns = {} if np.isnan(length[0]) else {"branch_length": np.array([length[0]] + [np.nan] * (nodes - 1))}
    return Dag(
        count=nodes,
        parent=np.array(parent[1:], dtype=np.int64),
        child=np.arange(1, nodes),
        length=np.array(length[1:]),
        lengths="branch",
        names=names,
        columns=columns,
    )


def test_a_thousand_random_trees_come_back_exactly():
    for seed in range(1000):
        chance = random.Random(seed)
        dag = random_dag(chance, nodes=chance.randint(1, 40))
        back = parse_newick("".join(dag_newick(dag)))
        assert nested(back) == nested(dag), seed
        assert back.parent.tolist() == dag.parent.tolist()


@settings(max_examples=200)
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_name_comes_back(names):
    parent = np.array([-1] + [0] * (len(names) - 1))
    back = parse_newick("".join(format_newick(parent, names=names)))
    assert (back.names or [None] * len(names)) == names


def test_siblings_stand_in_the_order_of_their_slots():
    parent, names = np.array([1, -1, 1, 2, 2]), ["a", "r", "b", "c", "d"]
    assert "".join(format_newick(parent, names=names)) == "(a,(c,d)b)r;\n"
    assert "".join(format_newick(parent, slot=np.array([1, 0, 0, 5, 2]), names=names)) == "((d,c)b,a)r;\n"


def test_a_chain_of_a_hundred_thousand_comes_back():
    depth = 100_000
    dag = parse_newick("(" * depth + "leaf" + "".join(f")n{index}:1" for index in range(depth)) + ";")
    assert dag.count == depth + 1
    assert dag.names[0] == f"n{depth - 1}"
    assert dag.parent.tolist() == list(range(depth))
    back = parse_newick("".join(dag_newick(dag)))
    assert back.names == dag.names
    np.testing.assert_array_equal(back.length, dag.length)


def test_a_wide_tree_is_written_in_pieces():
    parent = np.array([-1] + [0] * 100_000)
    pieces = list(format_newick(parent))
    assert len(pieces) > 1
    assert "".join(pieces) == "(" + "," * 99_999 + ");\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "got nothing"),
        (" \n", "got nothing"),
        ("(a,b)", r"expected a ';' before the end of the text, line 1, column 6"),
        ("((a,b);", r"expected ',' or '\)' here|expected ',' or '\)' after '\)', at line 1, column 7 .* got ';'"),
        ("((a,\nb", r"expected 2 '\)' and a ';' before the end .* line 2, column 2"),
        ("(a,b));", r"expected ';' after '\)', at line 1, column 6 .* got '\)'"),
        ("a,b;", r"expected ';' after a, at line 1, column 2 .* got ','; a tree has one root"),
        ("(a\nb,c);", r"expected ',' or '\)' after a, at line 2, column 1 .* got 'b'; names with blanks"),
        ("(a,'O'Brien);", r"after 'O', at line 1, column 7 .* quotes stand in quotes"),
        ("(a,\n 'b);", r"expected a second ' for the one at line 2, column 2"),
        ("(a:x,b);", r"expected a length, .* for a at line 1, column 4 .* got 'x'"),
        ("(a:,b);", r"expected a length, .* for a at line 1, column 4 .* got ','"),
        ("(a:1,\nb:-0.5);", r"expected a length, a finite number of at least 0, for b at line 2, column 3 .* got '-0.5'"),
        ("(a:nan,b);", r"for a at line 1, column 4 .* got 'nan'"),
        ("(a:1,b:1e999);", r"for b at line 1, column 8 .* got '1e999'"),
        ("(a:1_0,b);", r"for a .* got '1_0'"),
        ("(a:1)(b:2);", r"after '\)', at line 1, column 6 .* got '\('"),
        ("(a(b));", r"after a, at line 1, column 3 .* got '\('"),
        ("(a,b)[open;", r"expected a '\]' for the '\[' at line 1, column 6"),
        ("(a],b);", r"at line 1, column 3 .* got '\]'"),
        ("(a,b); trailing", r"expected one tree .* got 2, the second at line 1, column 8"),
        ("(a,b);\n(c,d);\n(e,';');", r"expected one tree .* got 3, the second at line 2, column 1; say which with --tree"),
    ],
)
def test_an_error_says_where_it_is(text, told):
    refuse(told, text)


def test_one_of_several_trees_is_picked():
    text = "(a,b);\n('c;',d);\n(e,f:-1);"
    assert parse_newick(text, index=1).names[1:] == ["c;", "d"]
    refuse(r"for f at line 3, column 6", text, index=2)
    refuse(r"expected a tree from 0 to 2 of the text, got 3", text, index=3)


def test_files_are_read_with_their_line_ends(tmp_path):
    (tmp_path / "a.nwk").write_bytes("\ufeff('x\r\ny',b);".encode())
    assert read_newick(tmp_path / "a.nwk").names == [None, "x\r\ny", "b"]
    (tmp_path / "b.nwk").write_bytes(b"(a,\n\xff);")
    for name, told in (("b.nwk", "in UTF-8, got byte 0xff in line 2"), ("c.nwk", "there is no file")):
        with pytest.raises(InputError, match=told):
            read_newick(tmp_path / name)


def test_what_is_no_tree_is_not_written():
    two = Dag(count=3, parent=np.array([0, 1]), child=np.array([2, 2]))
    with pytest.raises(InputError, match="needs a tree, got 1 of 3 nodes with several parents, first node 2"):
        list(dag_newick(two))
    with pytest.raises(InputError, match="one root, got 2 roots"):
        list(format_newick(np.array([-1, -1])))
    with pytest.raises(InputError, match="got nodes that hang under a cycle"):
        list(dag_newick(Dag(count=3, parent=np.array([1, 2]), child=np.array([2, 1]))))


@settings(max_examples=300)
@given(st.text("(),:;'[]ab1.- \n", max_size=20))
def test_any_text_is_a_tree_that_comes_back_or_one_clear_line(text):
    dag, told = None, ""
    try:
        dag = parse_newick(text)
    except InputError as error:
        told = str(error)
    assert "\n" not in told
    if dag is not None:
        back = parse_newick("".join(dag_newick(dag)))
        assert nested(back) == nested(dag)
