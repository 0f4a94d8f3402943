"""Trees as people have them: dialects of Newick, NEXUS, PhyloXML, nested JSON, condensed trees, trees of other libraries."""

import gzip
import json
import math
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet
from scipy.cluster.hierarchy import linkage, to_tree

from cfgraph.errors import InputError
from cfgraph.formats.linkage import linkage_dag
from cfgraph.formats.nested_json import nested_dag, parse_json, parse_nested_json, write_nested_json
from cfgraph.formats.newick import TreeRules, parse_newick, write_newick
from cfgraph.formats.nexus import parse_nexus, write_nexus
from cfgraph.model.columns import known_values
from cfgraph.sources.condense import condense
from cfgraph.sources.linkage import linkage as ingest_linkage
from cfgraph.sources.objects import object_dag
from cfgraph.sources.tree import read_tree, tree

nan = math.nan
X = np.random.default_rng(3).normal(size=(40, 3))


def shape(dag):
    """A dag that is a tree as nested pairs of a name and children, and lengths by name."""
    below = {node: [] for node in range(dag.count)}
    for parent, child in zip(dag.parent.tolist(), dag.child.tolist(), strict=True):
        below[parent].append(child)

    def written(node):
        name = (dag.names[node] if dag.names else None) or ""
        inside = ",".join(map(written, below[node]))
        return f"({inside}){name}" if below[node] else name

    return written(0)


def lengths(dag):
    """The length above each named node."""
    above = dict(zip(dag.child.tolist(), [nan] * len(dag.child) if dag.length is None else dag.length.tolist(), strict=True))
    return {dag.names[node]: above.get(node, nan) for node in range(dag.count) if dag.names[node]}


def own(dag, name):
    """A column by the names of its nodes, without gaps."""
    column = known_values(dag.columns[name])
    return {dag.names[node] or node: value for node, value in enumerate(column) if value is not None}


def refuse(told, read, *arguments, **options):
    with pytest.raises(InputError, match=told) as caught:
        read(*arguments, **options)
    assert "\n" not in str(caught.value)


NAMES = [
    ('("Homo sapiens":1,"Pan (troglodytes)":2)x;', ["x", "Homo sapiens", "Pan (troglodytes)"]),
    ('("say ""hi""",b)x;', ["x", 'say "hi"', "b"]),
    ("('it''s',b)x;", ["x", "it's", "b"]),
    ('(\'say "hi"\',"it\'s")x;', ["x", 'say "hi"', "it's"]),
    ("(5'-nucleotidase:1,b:2)x;", ["x", "5'-nucleotidase", "b"]),
    ("(O'Brien,D'Arcy:1)x;", ["x", "O'Brien", "D'Arcy"]),
    ('(5"end,b)x;', ["x", '5"end', "b"]),
    ("(a',b')x;", ["x", "a'", "b'"]),
    ("(Homo sapiens,Pan troglodytes:2)x;", ["x", "Homo sapiens", "Pan troglodytes"]),
    ("( a b\t,\n c )x ;", ["x", "a b", "c"]),
    ("(a_b,'a_b')x;", ["x", "a_b", "a_b"]),
    ("('[&x]',']')x;", ["x", "[&x]", "]"]),
    ("(a|b/c.d-e+f*g=h<i>j{k}@l#m%n^o~p,b)x;", ["x", "a|b/c.d-e+f*g=h<i>j{k}@l#m%n^o~p", "b"]),
    ("('a;b',\"c;d\")x;", ["x", "a;b", "c;d"]),
    ("((a,b)95,(c,d)95)100;", ["100", "95", "a", "b", "95", "c", "d"]),
    ("(é✓,'日本 語')x;", ["x", "é✓", "日本 語"]),
    ("(a[comment]:1[&&NHX:S=x],[before]b)x[after];", ["x", "a", "b"]),
    ("[&R]'a b';", ["a b"]),
]


@pytest.mark.parametrize(("text", "names"), NAMES)
def test_names(text, names):
    assert parse_newick(text).names == names


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("(Homo sapiens,b c,'d e')x;", "2 names without quotes hold blanks, and were taken as they stand"),
        ("(a_b,'a_b')x;", "underscores stand in names with quotes and without; those without may be blanks"),
        ("((a:1,b)x,c:3);", "2 of 4 edges have no length, and count 0"),
        ("[&U](a,b);", "the tree is said to be unrooted"),
        ("[hello](a[x],b);", "2 comments in brackets were left out"),
        ("(a[&level=1],b);", "attributes that are called like what cells have got an underscore: level is level_"),
    ],
)
def test_what_was_taken_for_something_is_told(text, note):
    assert any(told.startswith(note) for told in parse_newick(text).notes)


@pytest.mark.parametrize("text", ["(a,b);", "[&R](a:1,b:2)x;", "('a b','c d',e_f);", "(a:1,b:2);\n;;\n ;"])
def test_what_is_plain_needs_no_note(text):
    assert parse_newick(text).notes == ()


def test_underscores_are_blanks_where_that_is_said():
    assert parse_newick("(a_b,'c_d')e_f;", rules=TreeRules(underscores="blanks")).names == ["e f", "a b", "c_d"]
    refuse("expected keep or blanks for underscores, got 'no'", TreeRules, underscores="no")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("((1[&height=0.0]:[&rate=0.25]3.5,2[&rate=2]:1)r[&posterior=1.0]:1,3:4)z;", {"rate": {"1": 0.25, "2": 2.0}}),
        ("(a[&n=1],b[&n=12])r;", {"n": {"a": 1, "b": 12}}),
        ("(a[&n=-1],b[&n=12])r;", {"n": {"a": -1, "b": 12}}),
        ("(a[&n=1],b[&n=1.5])r;", {"n": {"a": 1.0, "b": 1.5}}),
        ("(a[&n=1],b[&n=x])r;", {"n": {"a": "1", "b": "x"}}),
        ("(a[&n=007],b[&n=1])r;", {"n": {"a": "007", "b": "1"}}),
        ("(a[&n=1e-3],b[&n=NaN])r;", {"n": {"a": 0.001}}),
        ("(a[&t=true],b[&t=FALSE])r;", {"t": {"a": True, "b": False}}),
        ("(a[&s=\"x, y\"],b[&s='z'])r;", {"s": {"a": "x, y", "b": "z"}}),
        ("(a[&v={1,2.5}],b[&v={3,4}])r;", {"v": {"a": [1.0, 2.5], "b": [3.0, 4.0]}}),
        ("(a[&v={1,2}],b[&v={3}])r;", {"v": {"a": "{1,2}", "b": "{3}"}}),
        ("(a[&v={1,2}],b[&v=3])r;", {"v": {"a": "{1,2}", "b": "3"}}),
        ("(a[&v={x,y}],b)r;", {"v": {"a": "{x,y}"}}),
        ("(a[&height_95%_HPD={1,2},!color=#ff0000],b)r;", {"height_95%_HPD": {"a": [1.0, 2.0]}, "!color": {"a": "#ff0000"}}),
        ('(a[&prob(percent)="100",prob+-sd="1+-0"],b)r;', {"prob(percent)": {"a": "100"}, "prob+-sd": {"a": "1+-0"}}),
        ("(a:1[&x=1],b:[&x=2]3)r;", {"x": {"a": 1, "b": 2}}),
        ("(a[&x=1]:1[&x=2],b)r;", {"x": {"a": 1}, "x_": {"a": 2}}),
        ("(A,B,(C,D)r[&&NHX:B=95:S=human]:0.5)z;", {"B": {"r": 95}, "S": {"r": "human"}}),
        ("(A[&&NHX:D=N:E=1.1.1.1],B)z;", {"D": {"A": "N"}, "E": {"A": "1.1.1.1"}}),
        ("(a[&level=1,name=y],b)r;", {"level_": {"a": 1}, "name_": {"a": "y"}}),
        ("((a,b)i[&height=1.5],c)r[&height=2];", {"height": {"i": 1.5, "r": 2.0}}),
        ("((a,b)i[&height=1.5],c)r;", {"height_": {"i": 1.5}}),
        ("(A:0.1:90:0.5,B:0.2)x:1:100;", {"support": {"A": 90.0, "x": 100.0}, "probability": {"A": 0.5}}),
        ("(A::90,B:0.2)x;", {"support": {"A": 90.0}}),
        ("(A:1::0.5,B:0.2)x;", {"probability": {"A": 0.5}}),
        ("('a'[&s=\"it's\"],b)r;", {"s": {"a": "it's"}}),
    ],
)
def test_annotations_are_columns(text, columns):
    dag = parse_newick(text)
    for name, values in columns.items():
        found = own(dag, name)
        assert found == values
        assert [type(value) for value in found.values()] == [type(value) for value in values.values()]
    assert not any("comments" in note for note in dag.notes)


def test_annotations_do_not_change_the_tree():
    dag = parse_newick("((1[&height=0.0]:[&rate=0.225]3.5,2[&height={0.0,1.0}]:[&rate=0.18]3.5)[&posterior=1.0]:1.0,3:4.5);")
    assert shape(dag) == "((1,2),3)"
    assert lengths(dag) == {"1": 3.5, "2": 3.5, "3": 4.5}
    assert dag.columns["posterior"].tolist()[1] == 1.0


@pytest.mark.parametrize("rule", ["zero", "unknown"])
@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("-0.02", -0.02),
        ("-1e-17", -1e-17),
        ("NaN", None),
        ("nan", None),
        ("NA", None),
        ("inf", None),
        ("-inf", None),
        ("1e999", None),
    ],
)
def test_bad_lengths_are_kept_as_properties(rule, number, kept):
    text = f"(a:0.5,b:{number},(c:1,d:2)e:3)r;"
    refuse(f"for b at line 1, column 10 .* got '{number}'; --bad-lengths zero", parse_newick, text)
    dag = parse_newick(text, rules=TreeRules(bad_lengths=rule))
    assert str(lengths(dag)["b"]) == ("0.0" if rule == "zero" else "nan")
    assert lengths(dag)["e"] == 3
    assert ("given_length" in dag.columns) == (kept is not None)
    if kept is not None:
        assert own(dag, "given_length") == {"b": kept}
    assert dag.notes[0].startswith(f"1 lengths that are negative, infinite or no numbers are {'0' if rule == 'zero' else rule}")


@pytest.mark.parametrize("text", ["(a:x,b);", "(a:1x,b);", "(a:,b);", "(a:1 2,b);", "(a:1:2:3:4,b);", "(a:1:x,b);"])
@pytest.mark.parametrize("rule", ["error", "zero"])
def test_what_is_no_length_is_refused(text, rule):
    refuse("expected", parse_newick, text, rules=TreeRules(bad_lengths=rule))


@pytest.mark.parametrize(
    "text", ["(a,b);\n;\n", "(a,b);;", ";(a,b);", " ; ; (a,b);", "(a,b);[the end]", "[x];(a,b);", "(a,b);\n[y]\n;"]
)
def test_a_blank_tree_is_none(text):
    assert parse_newick(text).names == [None, "a", "b"]


def test_comments_are_those_of_the_tree_that_is_taken():
    text = "[&R] (a[x]:1,b:2);\n[&R] (a[y]:1,b[z]:2);"
    assert parse_newick(text, index=0).notes == ("1 comments in brackets were left out",)
    assert parse_newick(text, index=1).notes == ("2 comments in brackets were left out",)
    assert parse_newick(text, index="1").notes == ("2 comments in brackets were left out",)


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("((A,(B)Y#H1)x,(Y#H1,C)y)r;", {("x", "Y"), ("y", "Y"), ("Y", "B")}),
        ("((A,(B)#H1)x,(#H1,C)y)r;", {("x", "#H1"), ("y", "#H1"), ("#H1", "B")}),
        ("((A,Y#LGT1)x,((B)Y#LGT1,C)y)r;", {("x", "Y"), ("y", "Y"), ("Y", "B")}),
        ("((A,(B)Y#1)x,(Y#1,C)y)r;", {("x", "Y"), ("y", "Y"), ("Y", "B")}),
        ("((A,Y#R2)x,(Y#R2,C)y)r;", {("x", "Y"), ("y", "Y")}),
    ],
)
def test_a_hybrid_is_one_cell_with_two_parents(text, edges):
    dag = parse_newick(text)
    found = {(dag.names[up], dag.names[down]) for up, down in zip(dag.parent, dag.child, strict=True)}
    assert edges <= found
    assert len(found) == len(dag.parent) == dag.count
    assert len(set(dag.names)) == dag.count


def test_lengths_of_a_hybrid_are_those_of_its_edges():
    hierarchy = tree_of("((A:1,(B:1)Y#H1:2::0.3)x:1,(Y#H1:5::0.7,C:1)y:1)r;")
    assert sorted([*hierarchy.cells.length.tolist(), *hierarchy.cells.links.length.tolist()]) == [0, 1, 1, 1, 1, 1, 2, 5]


@pytest.mark.parametrize("text", ["(A#1,B#1)r;", "(A#H1,b)r;", "('Y#H1','Y#H1')r;", "(HIV#1,(SIV#1,c)x)r;"])
def test_names_that_only_look_like_hybrids_stay(text):
    dag = parse_newick(text)
    assert len(dag.parent) == dag.count - 1
    assert "hybrid" not in dag.columns


@pytest.mark.parametrize(
    ("text", "told"), [("((a)Y#H1,(b)Y#H1)r;", "children in 2 places"), ("((a)Y#H1,Z#H1)r;", "names 'Y', 'Z'")]
)
def test_hybrids_that_do_not_fit_are_refused(text, told):
    refuse(f"for the hybrid node #H1 of the text, got {told}", parse_newick, text)


def tree_of(text, **options):
    """A text as a hierarchy."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.nwk"
        path.write_text(text)
        return tree(id="t", data=path, **options)


def test_doubled_names_are_told_once_and_never_guessed():
    hierarchy = tree_of("((a,a),(b,c));")
    assert hierarchy.notes == ("1 name is of several leaves: 'a'; addresses tell them apart",)
    assert sorted(name for name in hierarchy.cells.names if name) == ["a", "a", "b", "c"]
    from cfgraph.files.embeddings import Embeddings

    vectors = Embeddings.of(np.eye(3), names=["a", "b", "c"])
    refuse("names that are of one leaf each, got 'a', which several", tree_of, "((a,a),(b,c));", embeddings=vectors)
    from cfgraph.judging.leaves import Leaves

    refuse("one leaf of 't' each, got 'a'", Leaves.of(hierarchy).named, ["a", "b"])
    assert len(Leaves.of(hierarchy).named(["b", "c"])) == 2


# -- NEXUS

HEAD = "#NEXUS\nBegin Taxa;\n Dimensions ntax=3;\n TaxLabels A 'B b' C;\nEnd;\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Begin Trees; Translate 1 A, 2 'B b', 3 C; tree T1 = [&R] ((1[&rate=0.1]:1,2:1):1,3:2); End;", "((A,B b),C)"),
        ("BEGIN TREES;\nTREE T = ((A,'B b'),C);\nEND;", "((A,B b),C)"),
        ("begin trees; utree t=((A,'B b'),C); endblock;", "((A,B b),C)"),
        ("begin trees; tree * 'the best' = [&U][&lnP=-1] ((1,2),3); end;", "((A,B b),C)"),
        ("begin trees; tree*t=((1,2),3); end;", "((A,B b),C)"),
        ("begin trees; translate\n\t1\tA,\n\t2\t'B b',\n\t3\tC,\n; tree t = (1,(2,3)); end;", "(A,(B b,C))"),
        (
            'begin trees [here]; title x; link taxa = y; translate a A [one], b "B b", c C; tree t = (A,(b,c)); end;',
            "(A,(B b,C))",
        ),
        (
            "begin trees; translate 1 Homo sapiens, 2 O'Brien, 3 5'-end; tree t = (1,(2,3)); end;",
            "(Homo sapiens,(O'Brien,5'-end))",
        ),
        ("begin trees; translate 1 A, 2 B, 3 C; tree t = ((1,2)2,3)1; end;", "((A,B)2,C)1"),
        ("begin characters; dimensions nchar=2; matrix A ac B'b gt C '-;'; end; begin trees; tree t = (x,y); end;", "(x,y)"),
        ("begin paup; set tree=1; log file='a;b'; end; begin trees; tree t = (x,[;]y); end;", "(x,y)"),
        ("begin trees; tree t = ('a;b','it''s'); end;", "(a;b,it's)"),
        ("begin trees; tree t = (x,y);", "(x,y)"),
        ("begin trees; tree t = (x,y); end; junk", None),
        ("[!a note; of 'sorts] begin trees; tree t = (x,y); end;", "(x,y)"),
    ],
)
def test_nexus(text, wanted):
    if wanted is None:
        refuse("expected a ';' at the end of the command 'junk', which begins at line", parse_nexus, HEAD + text)
    else:
        assert shape(parse_nexus(HEAD + text)) == wanted


def test_nexus_says_what_was_guessed():
    assert (
        "3 leaves are called by the numbers of taxa, and got the names of these"
        in parse_nexus(HEAD + "begin trees; tree t = (1,2,3); end;").notes
    )
    assert any("unrooted" in note for note in parse_nexus(HEAD + "begin trees; utree t = (A,C); end;").notes)
    named = parse_nexus("#NEXUS begin taxa; taxlabels 3 2 1; end; begin trees; tree t = (1,2,3); end;")
    assert named.names[1:] == ["1", "2", "3"]
    soft = parse_nexus(HEAD + "begin trees; translate 1 a_b; tree t = (1,x_y); end;", rules=TreeRules(underscores="blanks"))
    assert soft.names[1:] == ["a b", "x y"]


SEVERAL = (
    "#nexus\nbegin trees;\n tree one = (a,b);\n tree 'no. two' = (c,d:-1);\nend;\n"
    "begin trees; tree One = (e,f); tree 9 = (g,h); end;"
)


@pytest.mark.parametrize(
    ("index", "names"),
    [(0, ["a", "b"]), ("0", ["a", "b"]), ("one", ["a", "b"]), ("One", ["e", "f"]), (2, ["e", "f"]), ("3", ["g", "h"])],
)
def test_a_tree_of_several_by_number_and_by_name(index, names):
    assert parse_nexus(SEVERAL, index=index).names[1:] == names


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (None, r"got 4, the second at line 4, .* say which with --tree, counted from 0, or a name \(one, no. two, One, 9\)"),
        (4, "expected a tree from 0 to 3 of the text or a name .* got 4"),
        (-1, "got -1"),
        ("ONE", "got 'ONE', which 2 trees are called"),
        ("two", "got 'two'"),
        ("no. two", "a length, .* for d at line 4, column 24 of the text"),
    ],
)
def test_a_tree_that_is_not_there(index, told):
    refuse(told, parse_nexus, SEVERAL, index=index)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#NEXUS", "expected a block of trees .* got no block"),
        (HEAD, "expected a block of trees .* got the blocks TAXA"),
        (HEAD + "begin trees; tree t (a,b); end;", "no sign '='"),
        (HEAD + "begin trees; translate 1 A, 2; tree t = (1,2); end;", "pairs of a key and a name .* got '2' alone"),
        (HEAD + "begin trees; tree t = ((a,b); end;", "at line 6, column .* got ';'"),
        (HEAD + "begin trees; tree t = (a,b)", "expected a ';' at the end of the command"),
        (HEAD + "begin trees; tree t = (a[x,b); end;", "expected a ']'"),
        (HEAD + "begin trees; tree t = ; end;", None),
    ],
)
def test_nexus_that_is_none(text, told):
    if told is None:
        assert parse_nexus(text).count == 1
    else:
        refuse(told, parse_nexus, text)


# -- nested JSON and PhyloXML

FLARE = {
    "name": "flare",
    "children": [{"name": "analytics", "children": [{"name": "A", "size": 3938}, {"name": "B", "size": 12}]}],
}


@pytest.mark.parametrize(
    ("data", "wanted", "columns"),
    [
        (FLARE, "((A,B)analytics)flare", {"size_": {"A": 3938, "B": 12}}),
        (
            {"name": "r", "children": [{"name": "a", "value": 1.5}, {"name": "b", "value": 2}]},
            "(a,b)r",
            {"value": {"a": 1.5, "b": 2.0}},
        ),
        ({"name": "r", "_children": [{"name": "a", "ok": True}]}, "(a)r", {"ok": {"a": True}}),
        ({"id": 1, "children": [{"id": 2, "v": [1, 2]}, {"id": 3, "v": [3, 4]}]}, "(2,3)1", {"v": {"2": [1, 2], "3": [3, 4]}}),
        ({"name": "r", "children": [{"name": "a", "x": 1}, {"name": "b", "x": "y"}]}, "(a,b)r", {"x": {"a": "1", "b": "y"}}),
        ([{"name": "r", "children": []}], "r", {}),
        ({"children": [{"name": "a"}, {"children": None}]}, "(a,)", {}),
    ],
)
def test_nested_json(data, wanted, columns):
    dag = parse_nested_json(json.dumps(data))
    assert shape(dag) == wanted
    assert {name: own(dag, name) for name in columns} == columns
    assert shape(object_dag(data)) == wanted if isinstance(data, dict) else True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON: .* line 1, column 2"),
        ("[]", "expected an object with a name and children, .* got a list"),
        ("[1, 2]", "got a list"),
        ('{"a": 1}', "got an object with the keys a"),
        ('{"nodes": [], "links": []}', "node-link JSON, .* `cfgraph ingest graph` reads it"),
        ('{"name": "r", "children": {"a": 1}}', "expected a list as 'children' of r in .* got an object with the keys a"),
        (
            '{"name": "r", "children": [{"name": "s", "children": ["a"]}]}',
            "expected objects as children of r/s in .* got a text",
        ),
        ('{"name": ["r"], "children": []}', "expected a text as 'name' .* got a list"),
        ('{"name": "r", "children": [{"name": "a", "length": -1}]}', "got -1.0 at node 1 .* --bad-lengths zero"),
    ],
)
def test_nested_json_that_is_none(text, told):
    refuse(told, parse_nested_json, text)


def test_nested_json_of_any_depth():
    depth = 5_000
    text = '{"name":"n","children":[' * depth + '{"name":"leaf","v":[1,2.5],"t":"a\\"b"}' + "]}" * depth
    dag = parse_nested_json(text)
    assert dag.count == depth + 1
    assert dag.parent.tolist() == list(range(depth))
    refuse("is no JSON from line 1, column", parse_nested_json, text[:-1])
    refuse("is no JSON from line 1, column", parse_nested_json, text + "x")
    refuse("is no JSON from line 1, column", parse_nested_json, text.replace('"leaf"', "leaf"))


@settings(max_examples=60)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_deep_json_is_json(value):
    from cfgraph.formats.nested_json import _parse_deep

    assert _parse_deep(json.dumps(value), where="x") == value
    assert parse_json(json.dumps(value), where="x") == value


PHYLO = """<?xml version="1.0" encoding="{encoding}"?>
<phyloxml xmlns="http://www.phyloxml.org"><phylogeny rooted="{rooted}"><name>first</name>
<clade><clade branch_length="0.06"><confidence type="bootstrap">90</confidence>
<clade><name>Ä</name><branch_length>0.1</branch_length>
<property ref="NOAA:depth" datatype="xsd:integer">1200</property></clade>
<clade><branch_length>0.23</branch_length>
<taxonomy><id>9606</id><scientific_name>Homo sapiens</scientific_name></taxonomy></clade>
</clade><clade><name>C</name><events><speciations>1</speciations></events></clade></clade></phylogeny>{more}</phyloxml>"""


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_phyloxml(tmp_path, encoding):
    path = tmp_path / "p.xml"
    path.write_bytes(PHYLO.format(encoding=encoding, rooted="true", more="").encode(encoding))
    dag = read_tree(path)
    assert shape(dag) == "((Ä,Homo sapiens),C)"
    assert lengths(dag) == {"Ä": 0.1, "Homo sapiens": 0.23, "C": pytest.approx(nan, nan_ok=True)}
    assert own(dag, "bootstrap") == {1: 90}
    assert own(dag, "NOAA:depth") == {"Ä": 1200}
    assert own(dag, "taxonomy_id") == {"Homo sapiens": 9606}
    assert dag.notes == ("what clades hold besides was left out: events (1 times)", "1 of 4 edges have no length, and count 0")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PHYLO.format(encoding="utf-8", rooted="false", more="<phylogeny><clade/></phylogeny>"), r"got 2 \(first, 1\)"),
        ("<phyloxml></phyloxml>", "begins with <phyloxml>, and no phylogeny"),
        ("<graphml/>", "`cfgraph ingest graph` reads it"),
        ("<phyloxml><phylogeny></phylogeny></phyloxml>", "expected clades"),
        ("<phyloxml><phylogeny><clade>", "is no XML"),
        ("<phyloxml><phylogeny><clade/><clade/></phylogeny></phyloxml>", "one outermost clade"),
        ("<p><phylogeny><clade><clade branch_length='-1'/></clade></phylogeny></p>", "got -1.0 at node 1 .*--bad-lengths"),
        ("<p><phylogeny><clade><clade branch_length='x'/></clade></phylogeny></p>", "got 'x' at clade 1"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><p><phylogeny><clade/></phylogeny></p>", "declares entities"),
    ],
)
def test_phyloxml_that_is_none(tmp_path, text, told):
    (tmp_path / "p.xml").write_text(text)
    refuse(told, read_tree, tmp_path / "p.xml")


def test_a_deep_phylogeny(tmp_path):
    depth = 20_000
    (tmp_path / "p.xml").write_text(f"<p><phylogeny>{'<clade>' * depth}<name>a</name>{'</clade>' * depth}</phylogeny></p>")
    assert read_tree(tmp_path / "p.xml").count == depth


# -- files are told by their beginning


@pytest.mark.parametrize("suffix", [".nwk", ".txt", ".nex", ".tre"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "((a,b),c);",
        "\ufeff#NEXUS\nbegin trees; tree t = ((a,b),c); end;",
        '{"children": [{"children": [{"name": "a"}, {"name": "b"}]}, {"name": "c"}]}',
    ],
)
def test_a_file_is_told_by_its_beginning(tmp_path, suffix, packed, text):
    path = tmp_path / f"t{suffix}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert shape(read_tree(path)) == "((a,b),c)"


def test_files_of_one_tree_have_none_to_choose(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(FLARE))
    refuse("holds one tree alone", read_tree, tmp_path / "t.json", index=0)


# -- condensed trees


def condensed_rows():
    """A condensed tree as hdbscan writes one: points leave at the lambda of their cluster's end."""
    ours = condense(linkage_dag(linkage(X, "single")), 4)
    points = len(ours.node_of_point)
    ends = 1 / ours.columns["height"]
    rows = [(points + int(cluster), point, ends[cluster], 1) for point, cluster in enumerate(ours.node_of_point)]
    for up, down in zip(ours.parent, ours.child, strict=True):
        rows.append((points + int(up), points + int(down), ends[up], int(ours.columns["size"][down])))
    kinds = [("parent", "<i8"), ("child", "<i8"), ("lambda_val", "<f8"), ("child_size", "<i8")]
    return np.array(rows, dtype=kinds)


ROWS = condensed_rows()


def check_condensed(dag):
    wanted = object_dag(ROWS)
    assert dag.parent.tolist() == wanted.parent.tolist()
    assert dag.node_of_point.tolist() == wanted.node_of_point.tolist()
    for name in ("height", "size", "lambda_birth", "stability"):
        np.testing.assert_allclose(dag.columns[name], wanted.columns[name], rtol=1e-12)
    assert dag.lengths == "height"


def test_a_condensed_tree_from_whatever_holds_it(tmp_path):
    table = pa.table({name: ROWS[name] for name in ROWS.dtype.names})
    np.save(tmp_path / "c.npy", ROWS)
    csv.write_csv(table, tmp_path / "c.csv")
    parquet.write_table(table, tmp_path / "c.parquet")
    for name in ("c.npy", "c.csv", "c.parquet"):
        check_condensed(read_tree(tmp_path / name))
    check_condensed(object_dag(ROWS.view(np.recarray)))
    check_condensed(object_dag(table))
    check_condensed(object_dag(type("CondensedTree", (), {"to_numpy": lambda self: ROWS})()))
    check_condensed(object_dag(condensed_graph(ROWS)))
    hierarchy = tree(id="c", data=tmp_path / "c.npy", points=True)
    assert hierarchy.points == len(X)
    assert hierarchy.own_kinds["stability"] == "FLOAT"


def condensed_graph(rows):
    """What hdbscan's ``CondensedTree.to_networkx`` makes of the rows."""
    graph = nx.DiGraph()
    for row in rows:
        graph.add_edge(int(row["parent"]), int(row["child"]), weight=row["lambda_val"])
    nx.set_node_attributes(graph, {int(row["child"]): int(row["child_size"]) for row in rows}, "size")
    return graph


def test_stability_is_what_campello_and_others_define():
    dag = object_dag(ROWS)
    root, points = ROWS["parent"].min(), len(X)
    for cluster in range(dag.count):
        mine = ROWS["parent"] == root + cluster
        birth = ROWS["lambda_val"][ROWS["child"] == root + cluster]
        birth = birth[0] if len(birth) else 0.0
        assert dag.columns["lambda_birth"][cluster] == birth
        expected = ((ROWS["lambda_val"][mine] - birth) * ROWS["child_size"][mine]).sum()
        assert dag.columns["stability"][cluster] == pytest.approx(expected)
    assert root == points


@pytest.mark.parametrize(
    ("row", "name", "value", "told"),
    [
        (0, "lambda_val", nan, "got .* in row 0"),
        (1, "lambda_val", -1.0, "in row 1"),
        (2, "child_size", -1, "in row 2"),
        (0, "parent", 10**9, "whose clusters|clusters from"),
        (3, "child", 0, "expected one parent for each point"),
    ],
)
def test_condensed_trees_that_are_none(row, name, value, told):
    rows = ROWS.copy()
    rows[name][row] = value
    refuse(told, object_dag, rows)


def test_tables_of_other_kinds_are_told(tmp_path):
    (tmp_path / "p.csv").write_text("child,parent\na,b\nc,b\n")
    refuse(
        "with the columns parent, child, lambda_val, child_size, got the columns child, parent; `cfgraph ingest edges`",
        read_tree,
        tmp_path / "p.csv",
    )


def test_single_linkage_trees():
    Z = linkage(X, "single")
    wanted = linkage_dag(Z)
    graph = nx.DiGraph()
    for row, (one, other, height, _) in enumerate(Z, start=len(X)):
        graph.add_edge(row, one, weight=height)
        graph.add_edge(row, other, weight=height)
    nx.set_node_attributes(graph, dict(enumerate(Z[:, 3], start=len(X))), "size")
    for thing in (type("SingleLinkageTree", (), {"to_numpy": lambda self: Z})(), graph, to_tree(Z)):
        dag = object_dag(thing)
        assert dag.columns["merge"].tolist() == wanted.columns["merge"].tolist()
        np.testing.assert_array_equal(dag.columns["height"], wanted.columns["height"])
        assert dag.child.tolist() == wanted.child.tolist()
    refuse("a part of one is no linkage", object_dag, to_tree(Z).left if to_tree(Z).left.count > 1 else to_tree(Z).right)
    assert object_dag(to_tree(Z), names=[f"p{row}" for row in range(len(X))]).names[3] == "p3"


# -- trees of other libraries, by what they have


def node(name=None, children=(), **values):
    return SimpleNamespace(name=name, children=list(children), **values)


def test_trees_by_what_their_nodes_have():
    ete = node(
        "",
        [
            node("x", [node("a", dist=1.0, support=1.0), node("b", dist=2.0, support=0.5)], dist=0.5, support=1.0),
            node("c", dist=3.0, support=1.0),
        ],
        dist=0.0,
        support=1.0,
    )
    dag = object_dag(ete)
    assert shape(dag) == "((a,b)x,c)"
    assert lengths(dag) == {"x": 0.5, "a": 1, "b": 2, "c": 3}
    assert own(dag, "support") == {0: 1.0, "x": 1.0, "a": 1.0, "b": 0.5, "c": 1.0}
    assert "branch_length" not in dag.columns
    bio = SimpleNamespace(
        root=SimpleNamespace(
            name=None,
            branch_length=None,
            clades=[
                SimpleNamespace(name="a", branch_length=1.5, clades=[], confidence=90),
                SimpleNamespace(name="b", branch_length=None, clades=[], confidence=None),
            ],
        )
    )
    dag = object_dag(bio)
    assert shape(dag) == "(a,b)"
    assert own(dag, "confidence") == {"a": 90}
    refuse("got -1.0 at node 1", object_dag, node("r", [node("a", length=-1)]))
    assert object_dag(node("r", [node("a", length=-1)]), rules=TreeRules(bad_lengths="unknown")).length is None
    refuse("expected a number as the length of the node 'a'", object_dag, node("r", [node("a", length="1")]))
    twice = node("a")
    refuse("'a' is met twice", object_dag, node("r", [twice, twice]))
    refuse("expected a fitted .* got list", object_dag, [1, 2])


def test_a_deep_tree_of_objects():
    below = node("leaf")
    for _ in range(20_000):
        below = node(None, [below])
    assert object_dag(below).count == 20_001


def test_dendropy_trees():
    import dendropy

    read = dendropy.Tree.get(data="((a:1,b:2)90:.5,'c d':3);", schema="newick")
    read.seed_node.child_nodes()[0].annotations.add_new("rate", 0.5)
    dag = object_dag(read)
    assert shape(dag) == "((a,b)90,c d)"
    assert lengths(dag) == {"90": 0.5, "a": 1.0, "b": 2.0, "c d": 3.0}
    assert own(dag, "rate") == {"90": 0.5}


# -- linkages


def test_heights_that_are_negative_by_rounding_are_0():
    Z = linkage(X, "average")
    Z[0, 2] = -2.2e-16
    dag = linkage_dag(Z)
    assert dag.columns["height"].min() == 0
    assert dag.notes[0] == "a height was negative by rounding, and is 0"
    Z[0, 2] = -0.1
    refuse("row 0 .* expected a height of at least 0", linkage_dag, Z)


@pytest.mark.parametrize("columns", [3, 4])
def test_merges_of_r(columns):
    R = np.array([[-1, -2, 0.5, 2], [-3, 1, 0.8, 3], [-4, 2, 1.0, 4]])
    dag = linkage_dag(R[:, :columns])
    wanted = linkage_dag(np.array([[0, 1, 0.5, 2], [2, 4, 0.8, 3], [3, 5, 1.0, 4]]))
    assert dag.child.tolist() == wanted.child.tolist()
    assert dag.columns["height"].tolist() == wanted.columns["height"].tolist()
    assert dag.notes == ("nodes are numbered as in R's hclust: -1 is point 0",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[-1, -2], [-3, 1]], "without its heights, got 2 columns"),
        ([[-1, -2, 0.5], [-3, 2, 1]], "row 1 .* points from -1 to -3"),
        ([[-1, -2, 0.5], [-9, 1, 1]], "row 1 .* points from -1 to -3"),
        ([[-1, -2, 0.5], [-1, 1, 1]], "row 1 .* was merged before"),
        ([[-1, -2, 0.5, 2], [-3, 1, 1, 7]], "row 1 .* the sum of the merged sizes, 3"),
    ],
)
def test_merges_of_r_that_are_none(rows, told):
    refuse(told, linkage_dag, np.array(rows, dtype=float))


# -- written and read again


@pytest.mark.parametrize("form", ["newick", "nexus", "nested"])
def test_what_is_written_comes_back(tmp_path, form):
    hierarchy = tree_of("((\"a b\":1[&rate=0.5,v={1,2}],'it''s':2[&rate=1.5])x[&kind=\"y, z\"]:0.5,c#H1:3[&n=4])r:7;")
    path = tmp_path / f"t.{form}"
    if form == "nested":
        write_nested_json(hierarchy, path)
    else:
        (write_newick if form == "newick" else write_nexus)(hierarchy, path, annotations=True)
    back = tree(id="t", data=path)
    assert back.cells.names == hierarchy.cells.names
    assert back.cells.parent.tolist() == hierarchy.cells.parent.tolist()
    assert back.cells.length.tolist() == hierarchy.cells.length.tolist()
    assert back.cells.own.keys() - {"value"} == hierarchy.cells.own.keys()
    for name, column in hierarchy.cells.own.items():
        assert known_values(back.cells.own[name]) == known_values(column), name


def test_leaves_of_a_linkage_are_numbers_in_each_form(tmp_path):
    hierarchy = ingest_linkage(id="z", data=linkage(X[:5], "average"))
    for write, name in ((write_newick, "z.nwk"), (write_nexus, "z.nex"), (write_nested_json, "z.json")):
        write(hierarchy, tmp_path / name)
        dag = read_tree(tmp_path / name)
        assert sorted(name for name in dag.names if name) == ["0", "1", "2", "3", "4"]
    assert json.loads((tmp_path / "z.json").read_text())["children"]


def test_export_by_name_and_suffix(tmp_path):
    from cfgraph.transfer.export import export

    hierarchy = tree_of("((a:1[&rate=2],b:2)x:1,c:3);")
    export(hierarchy, output=tmp_path / "t.nex", annotations=True)
    assert own(read_tree(tmp_path / "t.nex"), "rate") == {"a": 2}
    export(hierarchy, output=tmp_path / "t.json", format="nested-json")
    assert shape(read_tree(tmp_path / "t.json")) == "((a,b)x,c)"
    refuse(
        "--annotations is for newick and nexus; csv does without",
        export,
        hierarchy,
        output=tmp_path / "t.csv",
        annotations=True,
    )


def test_a_nested_json_is_written_at_any_depth(tmp_path):
    depth = 1200
    hierarchy = tree_of("(" * depth + "leaf" + ")" * depth + ";")
    write_nested_json(hierarchy, tmp_path / "deep.json")
    assert read_tree(tmp_path / "deep.json").count == depth + 1


# -- dendropy writes, both read

STYLES = [
    {"schema": "newick"},
    {"schema": "newick", "unquoted_underscores": True},
    {"schema": "newick", "preserve_spaces": True},
    {"schema": "newick", "suppress_rooting": True, "suppress_internal_node_labels": True},
    {"schema": "newick", "suppress_edge_lengths": True},
    {"schema": "newick", "suppress_annotations": False},
    {"schema": "newick", "suppress_annotations": False, "annotations_as_nhx": True},
    {"schema": "newick", "edge_label_compose_fn": lambda edge: f"{edge.length:.6e}"},
    {"schema": "nexus"},
    {"schema": "nexus", "translate_tree_taxa": True},
    {"schema": "nexus", "simple": True, "preserve_spaces": True},
    {"schema": "nexus", "suppress_annotations": False, "translate_tree_taxa": True},
    {"schema": "nexus", "unquoted_underscores": True, "suppress_taxa_blocks": True},
]
LABELS = [
    "Homo_sapiens",
    "a b",
    "it's",
    "x(1)",
    "semi;colon",
    "comma,",
    "é",
    "5'-end",
    "[b]",
    "plain",
    "A-1",
    'say "hi"',
    "t:1",
    "a_b c",
]


def random_dendropy_tree(chance):
    """A tree of dendropy with odd names, lengths and annotations."""
    import dendropy

    labels = list(chance.permutation(LABELS)[: chance.integers(3, len(LABELS))])
    space = dendropy.TaxonNamespace(labels)
    made = dendropy.Tree(taxon_namespace=space)
    inner = [made.seed_node]
    for label in labels:
        above = inner[chance.integers(len(inner))]
        if chance.random() < 0.4 and above is not None:
            above = above.new_child(label=f"n{len(inner)}", edge_length=float(chance.random()))
            inner.append(above)
        below = above.new_child(edge_length=float(chance.random() * 10.0 ** chance.integers(-8, 8)))
        below.taxon = space.get_taxon(label)
        if chance.random() < 0.5:
            below.annotations.add_new("rate", float(chance.random()))
    for empty in [found for found in inner[1:] if not found.child_nodes()]:
        empty.parent_node.remove_child(empty)
    made.is_rooted = bool(chance.random() < 0.5)
    return made


def splits(root, children, name, length):
    """Each node as the set of leaf names below it and its length."""
    found, stack, below = [], [(root, False)], {}
    while stack:
        here, done = stack.pop()
        if not done:
            stack.append((here, True))
            stack += [(child, False) for child in children(here)]
            continue
        under = children(here)
        below[id(here) if not isinstance(here, int) else here] = leaves = (
            frozenset().union(*(below[id(child) if not isinstance(child, int) else child] for child in under))
            if under
            else frozenset([name(here)])
        )
        found.append((tuple(sorted(map(str, leaves))), None if length(here) is None else float(length(here)), name(here) or ""))
    return sorted(found, key=repr)


def check_with_dendropy(seed):
    import dendropy

    chance = np.random.default_rng(seed)
    style = dict(STYLES[seed % len(STYLES)])
    schema = style.pop("schema")
    text = random_dendropy_tree(chance).as_string(schema, **style)
    soft = bool(chance.random() < 0.5)
    theirs = dendropy.Tree.get(data=text, schema=schema, preserve_underscores=not soft)
    ours = (parse_nexus if schema == "nexus" else parse_newick)(text, rules=TreeRules(underscores="blanks" if soft else "keep"))
    below = {node: [] for node in range(ours.count)}
    above = {}
    for place, (up, down) in enumerate(zip(ours.parent.tolist(), ours.child.tolist(), strict=True)):
        below[up].append(down)
        above[down] = None if ours.length is None or np.isnan(ours.length[place]) else ours.length[place]
    mine = splits(0, lambda n: below[n], lambda n: (ours.names or [None] * ours.count)[n], lambda n: above.get(n))
    wanted = splits(
        theirs.seed_node, lambda n: n.child_nodes(), lambda n: n.taxon.label if n.taxon else n.label, lambda n: n.edge_length
    )
    assert mine == wanted, (seed, text)


def test_two_hundred_trees_that_dendropy_wrote():
    for seed in range(200):
        check_with_dendropy(seed)


@pytest.mark.slow("two thousand trees, a hundredth of a second each")
def test_two_thousand_trees_that_dendropy_wrote():
    for seed in range(200, 2200):
        check_with_dendropy(seed)


# -- whatever comes, a tree or one clear line


@settings(max_examples=300, deadline=None)
@given(st.text("(),:;'[]\"&={}#H1ab. -\n\t", max_size=30))
def test_any_newick_is_a_tree_or_one_clear_line(text):
    for rules in (TreeRules(), TreeRules(bad_lengths="zero")):
        assert is_tree_or_one_line(parse_newick, text, rules=rules)


def is_tree_or_one_line(read, text, **options):
    """Whether a text is read, or refused in one line: what else is raised goes through."""
    told = ""
    try:
        assert read(text, **options).count
    except InputError as error:
        told = str(error)
    return "\n" not in told


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "begin trees;",
                "end;",
                "tree",
                "utree",
                "t",
                "=",
                "(a,b);",
                "translate",
                "1",
                ",",
                "'",
                "[",
                "]",
                ";",
                "(",
                ")",
                "taxlabels",
                "\n",
                "*",
                '"',
                "begin taxa;",
            ]
        ),
        max_size=14,
    )
)
def test_any_nexus_is_a_tree_or_one_clear_line(words):
    assert is_tree_or_one_line(parse_nexus, "#NEXUS " + " ".join(words))


def test_a_chain_of_a_hundred_thousand():
    depth = 100_000
    text = "(" * depth + "leaf[&x=1]" + "".join(f")n{index}:1" for index in range(depth)) + ";"
    assert parse_newick(text).parent.tolist() == list(range(depth))
    assert parse_nexus(f"#NEXUS begin trees; tree t = {text} end;").count == depth + 1


def test_nested_objects_in_memory():
    assert nested_dag(FLARE).count == 4


@pytest.mark.parametrize(
    "rows",
    ["4,0,1,1\n4,1,1,1\n6,2,1,1\n6,3,1,1\n", "4,5,1,2\n6,5,1,2\n5,0,1,1\n", "4,0,1,1\n6,5,1,2\n5,6,1,2\n"],
    ids=["no child", "two parents", "circle"],
)
def test_clusters_of_a_condensed_tree_are_children_of_ones_before(tmp_path, rows):
    (tmp_path / "condensed.csv").write_text("parent,child,lambda_val,child_size\n" + rows)
    with pytest.raises(InputError, match="is the child of one with a smaller number, as hdbscan numbers them"):
        tree(tmp_path / "condensed.csv")
