"""Rows that end with a separator: the empty last cell is no column, in tables of pairs and in those of numbers alike."""

import numpy as np
import pytest

from cfgraph.errors import InputError
from cfgraph.files.arrays import Reading, read_points
from cfgraph.files.named import read_named_table
from cfgraph.files.trailing import ABOVE, NOTE, SOME
from cfgraph.sources.edges import read_edges


@pytest.fixture
def place(tmp_path):
    def put(text: str, name: str):
        path = tmp_path / name
        path.write_text(text)
        return path

    return put


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("child,parent,weight\na,r,1,\nb,r,2,", NOTE),
        ("child,parent,weight,\na,r,1,\nb,r,2,\n", NOTE),
        ("child,parent,weight,\na,r,1\nb,r,2\n", ABOVE),
        ("a,r,1,\nb,r,2,\n", NOTE),
        ("child,parent,weight\n\na,r,1,\n# a comment\nb,r,2, \n", NOTE),
        ("child;parent;weight\na;r;1;\nb;r;2;\n", NOTE),
        ("weight,child,parent\n1,a,r,\n2,b,r,\n", NOTE),
    ],
)
def test_pairs_are_those_without_the_separator(text, note, place):
    dag = read_edges(place(text, "x.csv"))
    assert dag.names == ["a", "b", "r"]
    assert note in dag.notes
    assert dag.child.tolist() == [0, 1]
    assert dag.length is not None
    assert dag.length.tolist() == [1, 2]


def test_pairs_between_tabs_are_two_columns(place):
    for text in ("child\tparent\na\tr\t\nb\tr\t", "a\tr\t\nb\tr\t\n"):
        dag = read_edges(place(text, "x.tsv"))
        assert dag.names == ["a", "b", "r"]
        assert NOTE in dag.notes


def test_a_first_column_without_a_name_is_still_one_where_the_last_holds_anything(place):
    dag = read_edges(place("child,parent,note\n1,a,r,x\n2,b,r,\n", "x.csv"))
    assert dag.names == ["a", "b", "r"]
    assert NOTE not in dag.notes
    assert list(dag.columns) == ["note"]


@pytest.mark.parametrize(
    "text",
    [
        "child,parent,weight\na,r,1,\nb,r,2\n",
        "child,parent,weight\na,r,1\n\nb,r,2,\n",
        "child,parent,weight,\na,r,1\nb,r,2,\n",
        "a,r,1,\nb,r,2\n",
        "a,r,1\nb,r,2,\n",
        'a,r,1\n"b",r,2,',
        "a;r;1\nb;r;2;\n",
    ],
)
def test_rows_of_which_some_end_so_are_read_and_told(text, place):
    dag = read_edges(place(text, "x.csv"))
    assert dag.names == ["a", "b", "r"]
    assert SOME in dag.notes
    assert dag.length is not None
    assert dag.length.tolist() == [1, 2]


def test_rows_of_other_widths_are_told_by_their_line(place):
    for text, line in (("child,parent\na,r,x\nb,r\n", 3), ("child,parent\na,r,\nb\n", 3), ("a,r\nb,r,,\n", 2)):
        with pytest.raises(InputError, match=rf"line {line} of .*expected [23] columns"):
            read_edges(place(text, "x.csv"))
    dag = read_edges(place("child,parent,note\na,r,\nb,r,\n", "x.csv"))
    assert NOTE not in dag.notes  # the column has a name


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("x,y\n1,2,\n3,4,", NOTE),
        ("x,y,\n1,2,\n3,4,", NOTE),
        ("x,y,\n1,2\n3,4\n", ABOVE),
        ("1,2,\n3,4,\n", NOTE),
        ("\r\n1,2,\r\n\r\n3,4,\r\n", NOTE),
        ("x;y\n1,0;2,0;\n3,0;4,0;\n", NOTE),
        ('"x","y"\n"1","2",\n3,4,\n', NOTE),
        ("# x,y\n1,2,\n3,4,\n", "the names of columns are those of the comment in line 1"),
        ("%  of somebody\nx,y\n1,2,\n3,4,\n", NOTE),
    ],
)
def test_numbers_are_those_without_the_separator(text, note, place):
    found = read_points(place(text, "x.csv"))
    assert np.array_equal(found.values, [[1, 2], [3, 4]])
    assert note in found.notes


@pytest.mark.parametrize("text", ["x,y\n1,2,\n3,4\n", "x,y\n1,2\n3,4,\n", "x,y,\n1,2\n3,4,\n", "1,2,\n3,4\n", "1;2\n3;4\n1;2;"])
def test_numbers_of_which_some_rows_end_so(text, place):
    found = read_points(place(text, "x.csv"))
    assert np.array_equal(found.values[:2], [[1, 2], [3, 4]])
    assert SOME in found.notes


def test_a_cell_behind_a_header_that_ends_so_is_not_cut_off(place):
    with pytest.raises(InputError):
        read_points(place("x,y,\n1,2\n3,4,5\n", "x.csv"))


def test_numbers_behind_row_names_and_gaps_stay_what_they_were(place):
    found = read_points(place("x,y\n1,2,3\n4,5,6\n", "x.csv"))
    assert np.array_equal(found.values, [[2, 3], [5, 6]])
    for text in ("x,y,z\n1,2,\n3,4,\n", "x,y\n1,2,\n3,4,5\n", "1,2\n3,\n"):
        with pytest.raises(InputError, match="expected a finite number"):
            read_points(place(text, "x.csv"))


def test_a_line_far_below_counts_too(place):
    rows = "1,2,\n" * 60
    found = read_points(place(f"x,y\n{rows}", "x.csv"))
    assert found.values.shape == (60, 2)
    with pytest.raises(InputError, match="expected a finite number"):
        read_points(place(f"x,y\n{rows}1,2,3\n", "x.csv"))


def test_labels_are_those_without_the_separator(place):
    found = read_named_table(place('name,label\na,"x\ny,",\nb,z,\n', "x.csv"), what="labels", reading=Reading())
    assert found.names == ("a", "b")
    assert found.columns.column_names == ["label"]
    assert found.columns.column(0).to_pylist() == ["x\ny,", "z"]
    assert NOTE in found.notes
