"""Ontologies and parent tables as people have them: OBO, obographs, NCBI's taxonomy, roots in all spellings, lineages."""

import gzip
import io
import json
import math
import tarfile

import numpy as np
import obonet
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from cfgraph.errors import InputError
from cfgraph.formats import export_hierarchy
from cfgraph.sources.edges import edges, read_edges
from cfgraph.sources.linkage import linkage


@pytest.fixture
def place(tmp_path):
    def write(content, name="edges.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def pairs(dag):
    return {(dag.names[child], dag.names[parent]) for child, parent in zip(dag.child, dag.parent, strict=True)}


def told(dag):
    return "; ".join(dag.notes)


def refuse(match, data, **options):
    with pytest.raises(InputError, match=match) as caught:
        read_edges(data, **options)
    assert "\n" not in str(caught.value)


# -- rows of roots

TREE = {("a", "r"), ("b", "a")}


@pytest.mark.parametrize(
    "nothing", ["", " ", "r", "NaN", "nan", "NULL", "null", "None", "NA", "N/A", "<NA>", "nil", "-1", "\\N", '""']
)
@pytest.mark.parametrize("head", ["child,parent\n", ""])
def test_a_root_may_have_a_row_of_its_own(place, nothing, head):
    dag = read_edges(place(f"{head}r,{nothing}\na,r\nb,a\n"))
    assert pairs(dag) == TREE
    assert set(dag.names) == {"r", "a", "b"}
    assert "1 row has no parent" in told(dag)
    assert "'r' is a root" in told(dag)


@pytest.mark.parametrize("word", ["None", "NaN", "NA", "-1", "null"])
def test_what_is_a_child_somewhere_is_a_node(place, word):
    dag = read_edges(place(f"child,parent\n{word},r\na,{word}\n"))
    assert pairs(dag) == {(word, "r"), ("a", word)}
    assert dag.notes == ()


def test_two_roots_without_a_parent_are_not_tied_together(place):
    found = edges(id="two", data=place("child,parent\nA,NaN\nB,NaN\na1,A\nb1,B\n"))
    assert found.virtual_root
    assert sorted(filter(None, found.cells.names)) == ["A", "B", "a1", "b1"]


def test_zero_is_no_parent_where_rows_tell_of_nodes(place):
    dag = read_edges(place("id,parent_id,label\n1,0,x\n2,1,y\n3,1,z\n"))
    assert pairs(dag) == {("2", "1"), ("3", "1")}
    assert "'0' is nobody's child, and was taken for no parent" in told(dag)
    dag = read_edges(place("1,0\n2,0\n3,1\n4,1\n"))  # nodes 0..4, as graphs number them
    assert ("1", "0") in pairs(dag)
    assert "--no-parent 0" in told(dag)
    assert pairs(read_edges(place("1,0\n2,0\n3,1\n4,1\n"), no_parent=["0"])) == {("3", "1"), ("4", "1")}
    assert pairs(read_edges(place("0,5\n1,0\n"))) == {("0", "5"), ("1", "0")}


def test_what_stands_for_no_parent_can_be_said(place):
    dag = read_edges(place("child,parent\nr,top\na,r\nb,None\n"), no_parent=["top"])
    assert pairs(dag) == {("a", "r"), ("b", "None")}


def test_a_loop_below_another_parent_is_a_cycle(place):
    with pytest.raises(InputError, match="cycles, got one of 1 edges: 'a' -> 'a'"):
        edges(id="loop", data=place("child,parent\na,r\na,a\n"))


def test_a_root_row_beside_others_of_the_same_child_adds_nothing(place):
    dag = read_edges(place("child,parent\na,\na,r\n"))
    assert pairs(dag) == {("a", "r")}


def test_isolated_nodes_are_kept(place):
    found = edges(id="isolated", data=place("child,parent\na,r\nalone,\n"))
    assert "alone" in found.cells.names
    assert edges(id="one", data=place("child,parent\nalone,alone\n")).cells.names == ["alone"]


def test_a_row_without_a_child_is_refused_with_its_line(place):
    refuse(r"line 4 of .*got no child of 'r'; leave the row out or fill it", place("child,parent\na,r\n\n,r\n"))


# -- headers, separators, comments


@pytest.mark.parametrize(
    ("head", "note"),
    [
        ("taxid,parent_taxid", "'taxid' was taken for the column of children"),
        ("item,parent", "'item'"),
        ("ID,Parent ID", "'ID'"),
        ("id,parentId", "'id'"),
        ("node,parent", "'node'"),
        ("parent,term", "'term'"),
    ],
)
def test_near_headers_are_read_and_told(place, head, note):
    flip = head.startswith("parent,")
    rows = "r,a\na,b\n" if flip else "a,r\nb,a\n"
    dag = read_edges(place(f"{head}\n{rows}"))
    assert pairs(dag) == TREE
    assert note in told(dag)
    assert "--child and --parent say others" in told(dag)


@pytest.mark.parametrize("sign", [";", "|", "\t", ","])
def test_separators_are_found(place, sign):
    dag = read_edges(place(f"child{sign}parent\na{sign}r\nb{sign}a\n"))
    assert pairs(dag) == TREE
    assert ("--separator" in told(dag)) == (sign != ",")  # which the suffix tells


@pytest.mark.parametrize(("sign", "option"), [(":", ":"), (" ", "space"), ("\t", "tab"), ("\t", "\\t"), (";", "semicolon")])
def test_separators_can_be_said(place, sign, option):
    assert pairs(read_edges(place(f"child{sign}parent\na{sign}r\nb{sign}a\n"), separator=option)) == TREE


def test_separators_of_several_characters_are_refused(place):
    refuse("expected as separator a plain character", place("a::r\n"), separator="::")
    refuse("say what stands between columns with --separator", place("a:r\n"))


def test_decimal_commas(place):
    dag = read_edges(place("child;parent;length\na;r;1,5\nb;a;2\n"))
    np.testing.assert_array_equal(dag.length, [1.5, 2])
    assert "decimal commas" in told(dag)
    dag = read_edges(place("a;r;1,5\nb;a;0,25\n"))
    assert pairs(dag) == TREE
    np.testing.assert_array_equal(dag.length, [1.5, 0.25])
    refuse("line 2 of .*got '1,500'.*--decimal ,", place("child;parent;length\na;r;1,500\nb;a;2\n"))
    np.testing.assert_array_equal(read_edges(place("child;parent;length\na;r;1,500\n"), decimal=",").length, [1.5])
    refuse("expected . or , as the decimal sign", place("a,r\n"), decimal="x")


def test_rows_that_begin_with_a_hash_under_a_header_are_data(place):
    dag = read_edges(place("# about\nchild,parent\n#1 fans,clubs\n# a remark\nclubs,root\n"))
    assert pairs(dag) == {("#1 fans", "clubs"), ("clubs", "root")}
    assert "1 rows begin with # and were read as data" in told(dag)
    dag = read_edges(place("clubs,root\n#1 fans,clubs\n"))
    assert pairs(dag) == {("clubs", "root")}
    assert "1 rows begin with # and were left out as comments" in told(dag)
    refuse(r"line 4 of .*no child", place("child,parent\n#1,r\n#2,r\n,r\n"))


def test_the_short_header_of_r(place):
    dag = read_edges(place('"child" "parent"\n"1" "a" "r"\n"2" "b" "a"\n'), separator="space")
    assert pairs(dag) == TREE
    assert "first column has no name" in told(dag)


def test_an_index_column_is_no_property(place):
    dag = read_edges(place(",child,parent\n0,a,r\n1,b,a\n"))
    assert pairs(dag) == TREE
    assert dag.columns == {}
    assert "without a name was left out" in told(dag)


def test_the_parent_first_is_told_and_reversed(place):
    text = "root\tc0\nroot\tc1\nc0\tg0\nc0\tg1\n"
    dag = read_edges(place(text, "pf.tsv"))
    assert ("root", "c0") in pairs(dag)
    assert "--reverse" in told(dag)
    back = read_edges(place(text, "pf.tsv"), reverse=True)
    assert pairs(back) == {("c0", "root"), ("c1", "root"), ("g0", "c0"), ("g1", "c0")}
    assert back.notes == ()
    assert "--reverse" not in told(read_edges(place("a\tr\nb\tr\nc\tr\n", "pf.tsv")))


def test_columns_by_number(place):
    text = "x,a,r\ny,b,a\n"
    assert pairs(read_edges(place(text), child="2", parent="3")) == TREE
    refuse("numbers of columns up to 3", place(text), child="2", parent="4")


def test_gzip(place):
    assert pairs(read_edges(place(gzip.compress(b"child;parent\na;r\nb;a\n"), "e.csv.gz"))) == TREE


# -- names and properties


def test_names_with_gaps(place):
    dag = read_edges(place("child,parent,child_name,parent_name\n1,0,dog,animal\n2,0,,animal\n3,0,,animal\n"))
    assert pairs(dag) == {("dog", "animal"), ("2", "animal"), ("3", "animal")}
    assert dag.columns["identifier"].tolist() == [{"animal": "0", "dog": "1"}.get(name, name) for name in dag.names]
    assert "2 of 4 nodes have no name" in told(dag)


def test_a_column_called_name(place):
    dag = read_edges(place("child,parent,name\n1,0,dog\n2,0,cat\n"))
    assert pairs(dag) == {("dog", "0"), ("cat", "0")}
    dag = read_edges(place("child,parent,called\n1,0,dog\n2,0,cat\n"), name="called")
    assert pairs(dag) == {("dog", "0"), ("cat", "0")}
    refuse("expected one column 'none'", place("child,parent\n1,0\n"), name="none")


def test_names_of_two_nodes_make_identifiers(place):
    dag = read_edges(place("child,parent,name\n1,0,dog\n2,0,dog\n3,0,\n"))
    assert pairs(dag) == {("1", "0"), ("2", "0"), ("3", "0")}
    assert dict(zip(dag.names, dag.columns["label"], strict=True)) == {"1": "dog", "2": "dog", "3": None, "0": None}


def test_further_columns_are_properties_of_their_kinds(place):
    text = (
        "child,parent,count,share,wild,code,when,empty,level\n"
        "a,r,1,0.5,true,007,2020-01-01,,low\nb,r,,,,,,,\nc,r,3,NA,False,010,x,,high\n"
    )
    dag = read_edges(place(text))
    at = [dag.names.index(name) for name in "abcr"]
    assert dag.columns["count"][at].tolist() == [1, -1, 3, -1]
    assert dag.columns["count"].dtype == np.int64
    np.testing.assert_array_equal(dag.columns["share"][at], [0.5, math.nan, math.nan, math.nan])
    assert dag.columns["wild"][at].tolist() == [True, None, False, None]
    assert dag.columns["code"][at].tolist() == ["007", None, "010", None]
    assert dag.columns["when"][at].tolist() == ["2020-01-01", None, "x", None]
    assert dag.columns["level_"][at].tolist() == ["low", None, "high", None]
    assert "empty" not in dag.columns
    assert "'level' is called like what every cell has, and is the property 'level_'" in told(dag)
    assert edges(id="told", data=place(text)).own_kinds["wild"] == "BOOLEAN"


def test_negative_numbers_are_values_and_no_gaps(place):
    dag = read_edges(place("child,parent,offset\na,r,-1\nb,r,\nc,r,5\n"))
    assert [dag.columns["offset"][dag.names.index(name)] for name in "abcr"] == [-1, None, 5, None]


def test_what_differs_between_rows_of_one_child_is_of_edges(place):
    dag = read_edges(place("child,parent,kind,score\na,r,x,1\na,s,y,1\nb,r,x,2\n"))
    assert list(dag.columns) == ["score"]
    assert "were left out: kind" in told(dag)


# -- Parquet, Feather, data frames

COLUMNS = {"child": ["a", "b", "r"], "parent": ["r", "a", None], "n": [1, 2, None], "kept": [True, False, None]}
FRAMES = {
    "arrow": lambda: pa.table(COLUMNS),
    "pandas": lambda: pd.DataFrame(COLUMNS, index=[5, 6, 7]),
    "pandas of categories": lambda: pd.DataFrame(COLUMNS).astype({"child": "category", "parent": "category"}),
    "columns": lambda: COLUMNS,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_data_frames(kind):
    dag = read_edges(FRAMES[kind]())
    assert pairs(dag) == TREE
    assert dict(zip(dag.names, dag.columns["n"].tolist(), strict=True)) == {"a": 1, "b": 2, "r": -1}
    assert dict(zip(dag.names, dag.columns["kept"].tolist(), strict=True)) == {"a": True, "b": False, "r": None}


@pytest.mark.parametrize("name", ["e.parquet", "e.feather", "e.pq", "e"])
def test_files_of_columns(tmp_path, name):
    table = pa.table(COLUMNS)
    if name == "e.feather":
        feather.write_feather(table, tmp_path / name)
    else:
        parquet.write_table(table, tmp_path / name)
    assert pairs(read_edges(tmp_path / name)) == TREE


def test_the_index_of_pandas_in_a_file_is_no_column(tmp_path):
    frame = pd.DataFrame(COLUMNS)[lambda frame: frame.child != "x"].iloc[[2, 0, 1]]
    frame.to_parquet(tmp_path / "e.parquet")
    dag = read_edges(tmp_path / "e.parquet")
    assert set(dag.columns) == {"n", "kept"}
    assert "a column without a name was left out" in told(dag)
    frame.rename_axis("rows").to_parquet(tmp_path / "e.parquet")
    assert set(read_edges(tmp_path / "e.parquet").columns) == {"n", "kept"}
    frame.set_index("child").to_parquet(tmp_path / "e.parquet")
    assert pairs(read_edges(tmp_path / "e.parquet")) == TREE


def test_numbers_that_pandas_made_floats_are_identifiers_still():
    dag = read_edges(pd.DataFrame({"child": [1, 2, 3], "parent": [np.nan, 1, 1]}))
    assert pairs(dag) == {("2", "1"), ("3", "1")}


@pytest.mark.parametrize(
    "data", [[("a", "r"), ("b", "a")], [["a", "r", 1.5], ["b", "a", 2]], np.array([["a", "r"], ["b", "a"]])]
)
def test_rows_from_python(data):
    assert pairs(read_edges(data)) == TREE


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (5, "data frame, columns by name or rows of child and parent, got int"),
        ([("a",)], "rows of"),
        ([], "holds no rows"),
        (pd.DataFrame({"x": [1], "y": [2]}), "names 'child' and 'parent'"),
        ({"child": ["a"], "parent": [{"x": 1}]}, "texts or numbers as children and parents"),
        ({"child": [b"a", None], "parent": ["r", "s"]}, "row 2 of the table: .*no child"),
    ],
)
def test_python_data_of_other_forms_is_refused(data, match):
    refuse(match, data)


def test_a_damaged_parquet_is_refused(place):
    refuse("no table of child-parent pairs", place(b"PAR1" + bytes(100), "e.parquet"))


# -- OBO

OBO = """format-version: 1.2
ontology: made

[Term]
id: X:1
name: the root ! really
namespace: things
def: "What is \\"all\\"; see ! below." [src:1]

[Term]
id: X:2
name: a kid\\, or two {source="here"} ! comment
alt_id: X:20
alt_id: X:21
is_a: X:1 {source="y"} ! the root
xref: Y:1

[Term]
id: X:3
is_a: X:1
relationship: part_of X:2 {is_inferred="true"} ! a kid
relationship: regulates X:1

[Term]
id: X:4
name: old
is_a: X:1
is_obsolete: true

[Term]
id: X:5
name: alone

[Typedef]
id: part_of
name: part of

[Instance]
id: I:1
"""


def test_obo(place):
    dag = read_edges(place(OBO, "o.obo"))
    assert pairs(dag) == {("a kid, or two", "the root"), ("X:3", "the root")}
    assert set(dag.names) == {"the root", "a kid, or two", "X:3", "alone"}
    assert "1 obsolete term was left out, and 1 relations with them" in told(dag)
    assert "other relations were left out: part_of (1), regulates (1)" in told(dag)
    assert "left out: xref (1), [Instance] stanzas (1)" in told(dag)
    of = {name: column[dag.names.index("a kid, or two")] for name, column in dag.columns.items()}
    assert of == {"identifier": "X:2", "namespace": None, "def": None, "alt_id": ["X:20", "X:21"]}
    assert dag.columns["def"][dag.names.index("the root")] == 'What is "all"; see ! below.'


@pytest.mark.parametrize(
    ("relation", "wanted"),
    [
        ("part_of", {("X:3", "a kid, or two")}),
        ("part of", {("X:3", "a kid, or two")}),
        (["is_a", "part_of"], {("a kid, or two", "the root"), ("X:3", "the root"), ("X:3", "a kid, or two")}),
        (["is_a", "regulates"], {("a kid, or two", "the root"), ("X:3", "the root")}),
    ],
)
def test_relations_to_follow(place, relation, wanted):
    assert pairs(read_edges(place(OBO, "o.obo"), relation=relation)) == wanted


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "! by somebody\n" + text,
        lambda text: text.replace("[Term]", "[Term] ! a term"),
        lambda text: text.replace("is_a: X:1 {source", "is_a:X:1   {source"),
        lambda text: text.split("\n\n", 1)[1],
        lambda text: text.replace("\n\n[", "\n["),
        lambda text: text.replace('is_a: X:1 {source="y"}', 'is_a: \\\nX:1 {source="y"}'),
        lambda text: gzip.compress(text.encode()),
    ],
    ids=["crlf", "mark", "remark", "stanza remark", "blanks", "no header", "no blank lines", "continued", "gzip"],
)
@pytest.mark.parametrize("name", ["o.obo", "o.txt"])
def test_obo_in_other_dress(place, change, name):
    dag = read_edges(place(change(OBO), name))
    assert pairs(dag) == {("a kid, or two", "the root"), ("X:3", "the root")}
    assert dag.count == 4


@pytest.mark.parametrize(
    ("text", "match", "options"),
    [
        ("format-version: 1.2\n", "holds no .Term.", {}),
        ("[Term]\nname: x\n", "line 1 of .*expected an id in each .Term.", {}),
        ("[Term]\nid: X:1\nnonsense\n", "line 3 of .*expected .Term. or a tag with a colon", {}),
        ("[Term]\nid: X:1\nrelationship: part_of\n", "line 1 of .*expected a relation and a term", {}),
        (
            OBO,
            r"a relation that .* holds, got 'has_part'; it holds is_a \(3\), regulates \(1\), part_of \(1\)",
            {"relation": "has_part"},
        ),
        ("[Term]\nid: X:1\nis_obsolete: true\n", "all 1 terms of .* are obsolete", {}),
        ("[Term]\nid: a\nrelationship: part_of b\n", r"got 'is_a'; it holds part_of \(1\)", {}),
    ],
)
def test_obo_that_is_damaged_is_told(place, text, match, options):
    refuse(match, place(text, "o.obo"), **options)


def test_terms_of_one_name_go_by_their_identifiers(place):
    dag = read_edges(place("[Term]\nid: a\nname: x\n\n[Term]\nid: b\nname: x\nis_a: a\n", "o.obo"))
    assert pairs(dag) == {("b", "a")}
    assert dag.columns["label"].tolist() == ["x", "x"]


def test_terms_that_relations_alone_name(place):
    dag = read_edges(place("[Term]\nid: a\nis_a: Z:9\n", "o.obo"))
    assert pairs(dag) == {("a", "Z:9")}
    assert "1 terms are named by relations alone, first 'Z:9'" in told(dag)


LETTERS = st.text('ab !{}"\\:,é', max_size=8)


@st.composite
def obo_files(draw):
    count = draw(st.integers(1, 12))
    lines = ["format-version: 1.2", ""]
    dead = {index for index in range(1, count) if draw(st.integers(0, 5)) == 0}
    for index in range(count):
        lines += ["[Term]", f"id: T:{index}"]
        name = " ".join(draw(LETTERS).replace("\\", "").split()).strip("!{} ")
        lines += [f"name: {name}"] if name else []
        for other in range(index) if index not in dead else ():
            kind = draw(st.sampled_from(["", "", "is_a", "part_of", "regulates"]))
            tail = draw(st.sampled_from(["", ' {source="x"}', " ! a name", ' {a="b", c="d"} ! x {y}']))
            if kind and other not in dead:
                lines.append(f"is_a: T:{other}{tail}" if kind == "is_a" else f"relationship: {kind} T:{other}{tail}")
        lines += ["is_obsolete: true"] if index in dead else []
        lines += draw(st.sampled_from([[], ['synonym: "x" EXACT []'], ["xref: Y:1 ! z"]]))
        lines.append("")
    return "\n".join([*lines, "[Typedef]", "id: part_of", "name: part of", ""])


@settings(max_examples=150, deadline=None)
@given(obo_files())
def test_terms_names_and_relations_are_obonets(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "made.obo"
    path.write_text(text)
    graph = obonet.read_obo(io.StringIO(text))
    for kinds in (["is_a"], ["is_a", "part_of"], ["regulates", "is_a", "part_of"]):
        wanted = {(term, other) for term, other, kind in graph.edges(keys=True) if kind in kinds}
        there = {kind for *_, kind in graph.edges(keys=True)}
        if (there and not set(kinds) <= there) or (not there and kinds != ["is_a"]):
            refuse("expected a relation that", path, relation=kinds)
            continue
        dag = read_edges(path, relation=kinds)
        calls = dag.columns.get("identifier", np.array(dag.names, dtype=object)).tolist()
        assert set(calls) == set(graph)
        assert {(calls[child], calls[parent]) for child, parent in zip(dag.child, dag.parent, strict=True)} == wanted
        names = dag.columns["label"].tolist() if "label" in dag.columns else dag.names
        for identifier, name in zip(calls, names, strict=True):
            assert name == graph.nodes[identifier].get("name", None if "label" in dag.columns else identifier)


# -- obographs

PURL = "http://purl.obolibrary.org/obo/"


def obograph(**changes):
    graph = {
        "nodes": [
            {"id": f"{PURL}GO_1", "lbl": "root", "type": "CLASS", "meta": {"definition": {"val": "all"}}},
            {
                "id": f"{PURL}GO_2",
                "lbl": "kid",
                "meta": {
                    "basicPropertyValues": [
                        {"pred": "http://www.geneontology.org/formats/oboInOwl#hasAlternativeId", "val": "GO:9"}
                    ]
                },
            },
            {"id": f"{PURL}GO_3", "lbl": "old", "meta": {"deprecated": True}},
            {"id": f"{PURL}BFO_0000050", "lbl": "part of", "type": "PROPERTY"},
            {"id": f"{PURL}GO_4", "type": "CLASS"},
        ],
        "edges": [
            {"sub": f"{PURL}GO_2", "pred": "is_a", "obj": f"{PURL}GO_1"},
            {"sub": f"{PURL}GO_4", "pred": f"{PURL}BFO_0000050", "obj": f"{PURL}GO_2"},
        ],
    }
    return {"graphs": [{**graph, **changes}]}


def test_obographs(place):
    dag = read_edges(place(json.dumps(obograph()), "o.json"))
    assert pairs(dag) == {("kid", "root")}
    assert set(dag.names) == {"root", "kid", "GO:4"}
    assert "1 obsolete term was left out" in told(dag)
    at = dag.names.index("kid")
    assert (dag.columns["identifier"][at], dag.columns["alt_id"][at]) == ("GO:2", ["GO:9"])
    assert dag.columns["def"][dag.names.index("root")] == "all"


@pytest.mark.parametrize("relation", ["part_of", "part of", "BFO:0000050"])
def test_relations_of_obographs(place, relation):
    assert pairs(read_edges(place(json.dumps(obograph()), "o.json"), relation=relation)) == {("GO:4", "kid")}


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ({"nodes": [], "edges": []}, "cfgraph ingest graph"),
        ({"name": "x", "children": []}, "cfgraph ingest tree"),
        ({"x": 1}, "got an object with x"),
        ([{"x": 1}], "another JSON"),
        (obograph(nodes=[{"lbl": "x"}]), "'id' at each node of .*node 0"),
        (obograph(nodes={}), "holds no nodes|expected a list"),
        (obograph(nodes={"a": 1}), "expected a list as 'nodes'"),
        (obograph(edges=[{"sub": "a"}]), "expected texts as 'sub', 'pred' and 'obj' .* at edge 0"),
        ({"graphs": [5]}, "expected child-parent pairs, or obographs"),
    ],
)
def test_other_json_is_refused(place, document, match):
    refuse(match, place(json.dumps(document), "o.json"))


def test_damaged_json_is_refused(place):
    refuse("no JSON: .* in line 1, column", place('{"graphs": [', "o.json"))


# -- NCBI's taxonomy

NODES = (
    "1\t|\t1\t|\tno rank\t|\t\t|\n2\t|\t131567\t|\tsuperkingdom\t|\t\t|\n"
    "131567\t|\t1\t|\tno rank\t|\t\t|\n9\t|\t2\t|\tgenus\t|\t\t|\n"
)
NAMES = (
    "1\t|\troot\t|\t\t|\tscientific name\t|\n2\t|\tBacteria\t|\tBacteria <bacteria>\t|\tscientific name\t|\n"
    '2\t|\tMonera\t|\t\t|\tin-part\t|\n131567\t|\tcellular "organisms"\t|\t\t|\tscientific name\t|\n'
)
TAXA = {("2", "131567"), ("131567", "1"), ("9", "2")}
CALLED = {("Bacteria", 'cellular "organisms"'), ('cellular "organisms"', "root"), ("9", "Bacteria")}


def test_nodes_dmp_alone(place):
    dag = read_edges(place(NODES, "nodes.dmp"))
    assert pairs(dag) == TAXA
    assert dict(zip(dag.names, dag.columns["rank"], strict=True))["2"] == "superkingdom"
    assert "no names.dmp lies beside it" in told(dag)
    assert "1 is a root" in told(dag)


@pytest.mark.parametrize("how", ["file", "folder", "gz", "folder of gz", "tar", "windows"])
def test_nodes_dmp_with_names(tmp_path, how):
    gzipped = "gz" in how
    for name, text in (("nodes.dmp", NODES), ("names.dmp", NAMES)):
        content = text.replace("\n", "\r\n" if how == "windows" else "\n").encode()
        (tmp_path / (f"{name}.gz" if gzipped else name)).write_bytes(gzip.compress(content) if gzipped else content)
    data = tmp_path if how.startswith("folder") else tmp_path / ("nodes.dmp.gz" if gzipped else "nodes.dmp")
    if how == "tar":
        with tarfile.open(tmp_path / "taxdump.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "nodes.dmp", "nodes.dmp")
            archive.add(tmp_path / "names.dmp", "names.dmp")
        data = tmp_path / "taxdump.tar.gz"
    dag = read_edges(data)
    assert pairs(dag) == CALLED
    assert dag.columns["identifier"].tolist() == [1, 2, 131567, 9]
    assert "1 of 4 taxa have no scientific name" in told(dag)


def test_taxa_of_one_name_are_told_apart(tmp_path):
    (tmp_path / "nodes.dmp").write_text(NODES + "10\t|\t9\t|\tgenus\t|\t\t|\n11\t|\t9\t|\tgenus\t|\t\t|\n")
    more = "".join(
        f"{taxon}\t|\t{name}\t|\t{unique}\t|\tscientific name\t|\n"
        for taxon, name, unique in ((9, "Morus", "Morus <plants>"), (10, "Morus", "Morus <birds>"), (11, "root", ""))
    )
    (tmp_path / "names.dmp").write_text(NAMES + more)
    dag = read_edges(tmp_path / "nodes.dmp")
    assert {"Morus <plants>", "Morus <birds>", "root (1)", "root (11)", "Bacteria"} <= set(dag.names)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (NODES + "3\t|\tx\t|\tgenus\t|\t\t|\n", "line 5 of .*expected a number as parent, got 'x'"),
        (NODES + "3\t|\t1\t|\n", "line 5 of .*expected 4 columns"),
        (NODES + "2\t|\t1\t|\tgenus\t|\t\t|\n", "each taxon once .* got 2 twice"),
    ],
)
def test_damaged_nodes_are_told_with_their_line(place, text, match):
    refuse(match, place(text, "nodes.dmp"))


def test_taxa_without_their_parent_are_roots(place):
    dag = read_edges(place(NODES + "7\t|\t5\t|\tgenus\t|\t\t|\n", "nodes.dmp"))
    assert "1 taxa have a parent that .* does not hold, first 7 under 5".replace(
        ".*", str(place(NODES, "x").parent / "nodes.dmp")
    ) in told(dag)


# -- lineages and ranks


@pytest.mark.parametrize("sign", [";", "; ", "|", " > "])
def test_lineages_beside_leaves(place, sign):
    text = "".join(
        f"{leaf}\t{sign.join(ranks)}\n"
        for leaf, ranks in (("g1", ("B", "X", "Y")), ("g2", ("B", "X", "Z")), ("g3", ("B", "W")))
    )
    dag = read_edges(place(text, "l.tsv"))
    assert pairs(dag) == {("X", "B"), ("W", "B"), ("Y", "X"), ("Z", "X"), ("g1", "Y"), ("g2", "Z"), ("g3", "W")}
    assert "was read so; --child 1 --parent 2 reads pairs" in told(dag)
    assert pairs(read_edges(place(text, "l.tsv"), child="1", parent="2")) == {
        (row.split("\t")[0], row.split("\t")[1]) for row in text.splitlines()
    }


def test_lineages_with_a_header(place):
    text = "Feature ID\tTaxon\tConfidence\nf1\td__B; p__X; s__\t0.9\nf2\td__B; p__X; s__y\t\n"
    for options in ({}, {"lineage": "Taxon"}, {"lineage": "taxon", "child": "Feature ID"}):
        dag = read_edges(place(text, "taxonomy.tsv"), **options)
        assert pairs(dag) == {("p__X", "d__B"), ("s__y", "p__X"), ("f1", "p__X"), ("f2", "s__y")}
        assert dag.columns["Confidence"][dag.names.index("f1")] == 0.9
        assert np.isnan(dag.columns["Confidence"][dag.names.index("d__B")])


def test_one_name_at_several_places_is_several_nodes(place):
    dag = read_edges(place("a,X;uncultured\nb,Y;uncultured\n"))
    assert sorted(dag.names) == ["X", "Y", "a", "b", "uncultured", "uncultured"]
    assert "addresses tell the cells apart" in told(dag)


def test_lineages_alone(place):
    dag = read_edges(place("B;X;Y\nB;X;Z\nB;X;Z\n", "l.txt"), lineage="1")
    assert pairs(dag) == {("X", "B"), ("Y", "X"), ("Z", "X")}
    assert "1 of 3 rows lead to a node that another leads to" in told(dag)
    assert pairs(read_edges(place("B:X\n", "l.txt"), lineage="1", lineage_separator=":")) == {("X", "B")}


PROFILE = "k__B\t100.0\nk__B|p__F\t60.5\nk__B|p__F|c__C\t40.5\nk__B|p__P\t39.5\n"  # as profilers of metagenomes write them
CLADES = {("p__F", "k__B"), ("p__P", "k__B"), ("c__C", "p__F")}


def test_lineages_with_a_number_each(place):
    dag = read_edges(place(PROFILE, "profile.tsv"))
    assert pairs(dag) == CLADES
    assert "numbers, which were left out" in told(dag)
    assert len(pairs(read_edges(place(PROFILE, "profile.tsv"), child="1", parent="2"))) == 4
    headed = place("clade\tabundance\n" + PROFILE, "profile.tsv")
    with pytest.raises(InputError, match="say --lineage clade to read them so, or --child 1 --parent 2"):
        read_edges(headed)
    dag = read_edges(headed, lineage="clade")
    assert pairs(dag) == CLADES
    assert dag.columns["abundance"].tolist() == [100.0, 60.5, 39.5, 40.5]
    assert "--child abundance says that it does" in told(dag)


def test_numbers_that_are_names_stay_pairs(place):
    assert pairs(read_edges(place("1|2\t5\n5\t7\n", "n.tsv"))) == {("1|2", "5"), ("5", "7")}


def test_a_lineage_that_ends_with_the_leaf(place):
    assert pairs(read_edges(place("id,lineage\nY,B;X;Y\nZ,B;X;Z\n"))) == {("X", "B"), ("Y", "X"), ("Z", "X")}


def test_a_column_a_rank(place):
    text = "id,kingdom,phylum,genus,mass\n1,A,C,Homo,70\n2,A,,Amoeba,\n3,P,T,NA,5\n"
    for options in ({}, {"ranks": "kingdom,phylum,genus"}, {"ranks": ["kingdom", "phylum", "genus"], "child": "id"}):
        dag = read_edges(place(text), **options)
        assert pairs(dag) == {
            ("C", "A"),
            ("Homo", "C"),
            ("1", "Homo"),
            ("Amoeba", "A"),
            ("2", "Amoeba"),
            ("T", "P"),
            ("3", "T"),
        }
        assert dag.columns["rank"][dag.names.index("Homo")] == "genus"
        assert dag.columns["mass"][dag.names.index("1")] == 70
    assert "a column a rank: kingdom, phylum, genus; --ranks says others" in told(read_edges(place(text)))
    dag = read_edges(place("kingdom,phylum\nA,C\nA,D\n"), ranks="kingdom,phylum")
    assert pairs(dag) == {("C", "A"), ("D", "A")}


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        ("id,a,b\n1,x,y\n", {"ranks": "a,c"}, "columns of --ranks .* got no 'c'"),
        ("id,a,b\n1,x,y\n", {"lineage": "c"}, "columns of --lineage .* got no 'c'"),
        ("id,l\n1,xy\n", {"lineage": "l"}, "expected lineages with .* --lineage-separator"),
        (
            "id,l\n1,x;y\n1,x;z\n",
            {"lineage": "l"},
            "line 3 of .*one lineage for each leaf, got another one of '1' than in line 2",
        ),
        ("id,l\n,x;y\n", {"lineage": "l"}, "line 2 of .*a name for each leaf"),
        ("a,b\n,\nx,y\n", {"ranks": "a,b"}, "line 2 of .*at least one rank"),
        ("a,b\nx,y\n", {"ranks": "a,b", "lineage": "a"}, "leave one out"),
        ("a,b\nx,y\n", {"ranks": "a,b", "parent": "a"}, "leave --parent out"),
    ],
)
def test_lineages_of_other_forms_are_told(place, text, options, match):
    refuse(match, place(text), **options)


# -- other files


def test_an_export_to_parquet_has_a_command_of_its_own(tmp_path):
    export_hierarchy(edges(id="it", data=[("a", "r"), ("b", "a")]), tmp_path / "h.parquet")
    refuse(f"is an export of cfgraph; read it with: cfgraph ingest parquet {tmp_path}", tmp_path / "h.parquet")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("#NEXUS\nbegin trees;\n", "tree"),
        ("((a,b),c);\n", "tree"),
        ("<graphml/>\n", "graph"),
        ('{"nodes": []}', "graph"),
        ("graph [\n]", "graph"),
    ],
)
def test_other_kinds_are_named_with_the_command_that_reads_them(place, text, command):
    refuse(f"cfgraph ingest {command}", place(text, "it.txt"))


@pytest.mark.parametrize("option", [" ", "space", "spaces", "blank", "blanks", "whitespace", "\\s+", "BLANKS"])
def test_edges_between_blanks_stand_between_as_many_as_there_are(option, place):
    text = "# of somebody\nchild   parent \t length\n a  r 1\r\nb\ta  2  \n\n"
    dag = read_edges(place(text), separator=option)
    assert pairs(dag) == TREE
    assert dag.length is not None
    assert sorted(dag.length.tolist()) == [1, 2]
    refuse("line 4 of .*expected 3 columns", place(text.replace("2  \n", "\n")), separator=option)


@pytest.mark.parametrize(
    "text",
    [
        "child parent\na r\nb a\n",
        "a r\nb a\n",
        "  a   r\n  b \t a\n",
        '"a" r\nb "a"\n',
        "a r 1\nb a 2.5\n",
        "child parent length\na r 1\nb a 2\n",
    ],
)
def test_edges_between_blanks_are_found_and_told(text, place):
    dag = read_edges(place(text.replace("\t", " "), "it.txt"))
    assert pairs(dag) == TREE
    assert "columns were found between blanks; --separator says another sign" in told(dag)


@pytest.mark.parametrize(
    "text", ["Homo sapiens Homo\nPan paniscus Pan\n", "Felis catus\nFelis\n", "a, b\nc d\n", "a b,c\nd e f\n"]
)
def test_blanks_in_names_are_no_separators(text, place):
    with pytest.raises(InputError, match=r"child|expected 2 columns"):
        read_edges(place(text, "it.txt"))


@pytest.mark.parametrize(
    ("text", "name", "sign"),
    [
        ("child;parent\na;r\nb;a\n", "it.csv", ";"),
        ("child\tparent\na\tr\nb\ta\n", "it.csv", "\t"),
        ("child,parent\na,r\nb,a\n", "it.tsv", ","),
        ("child,or node;parent\na;r\nb;a\n", "it.csv", ";"),
    ],
)
def test_the_separator_that_fits_all_lines_is_taken(text, name, sign, place):
    options = {"child": "child,or node"} if "or node" in text else {}
    dag = read_edges(place(text, name), **options)
    assert pairs(dag) == TREE
    assert f"columns were found between {sign!r}" in told(dag)


def test_excels_first_line_tells_the_separator(place):
    assert pairs(read_edges(place("sep=;\nchild;parent\na;r\nb;a\n", "it.csv"))) == TREE
    assert pairs(read_edges(place("sep=|\r\na|r\r\nb|a\r\n", "it.csv"))) == TREE
    refuse("line 4 of .*expected 2 columns, as in the first row, got 3", place("sep=;\nchild;parent\na;r\nb;a;c\n", "it.csv"))


@pytest.mark.parametrize("head", ["#parent,child", "# parent,child", "#Parent ID,ID", "# of somebody\n#parent,child"])
def test_a_comment_above_the_rows_may_name_the_columns(head, place):
    dag = read_edges(place(f"{head}\nr,a\na,b\n", "it.csv"))
    assert pairs(dag) == TREE
    assert f"the names of columns are those of the comment in line {head.count(chr(10)) + 1}" in told(dag)


@pytest.mark.parametrize("head", ["#see, also", "#parent,child\n", "# parent,child,weight", "# made of parent,child pairs"])
def test_other_comments_above_the_rows_name_none(head, place):
    assert pairs(read_edges(place(f"{head}\na,r\nb,a\n", "it.csv"))) == TREE


@pytest.mark.parametrize(
    ("encoding", "note"), [("cp1252", "was read as Windows-1252"), ("utf-16", None), ("utf-16-le", None), ("utf-8-sig", None)]
)
def test_edges_in_other_encodings(encoding, note, place):
    dag = read_edges(place("child;parent\nä;r\nb;ä\n".encode(encoding), "it.csv"))
    assert pairs(dag) == {("ä", "r"), ("b", "ä")}
    assert note is None or note in told(dag)
    names = place("é\nß\n".encode(encoding), "names.txt")
    found = linkage(np.array([[0, 1, 1.0, 2]]), names=names)
    assert set(found.cells.names) >= {"é", "ß"}
    assert (note is None) == (not any("names: no UTF-8" in one for one in found.notes))


@pytest.mark.parametrize("option", ["bar", "pipe", "|", "Bar"])
def test_edges_between_bars_have_the_words_of_tables(option, place):
    assert pairs(read_edges(place("child|parent\na|r\nb|a\n"), separator=option)) == TREE


@pytest.mark.parametrize(
    "head",
    ["source,target", "from,to", "Source;Target", "ancestor,descendant", "superclass/subclass", "Super-Class\tSub-Class"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_headers_that_say_who_stands_above(head, turned, place):
    sign = next(sign for sign in ",;/\t" if sign in head)
    upper, lower = head.split(sign)
    rows = [(upper, lower), ("r", "a"), ("a", "b")]
    text = "".join(f"{sign.join(row[::-1] if turned else row)}\n" for row in rows)
    dag = read_edges(place(text), separator="/" if sign == "/" else None)
    assert pairs(dag) == TREE
    assert f"{lower!r} was taken for the column of children and {upper!r} for that of parents" in told(dag)
    assert pairs(read_edges(place(text), child=lower, parent=upper, separator="/" if sign == "/" else None)) == TREE


def test_parent_and_child_stand_in_either_order(place):
    for text in ("parent,child\nr,a\na,b\n", "child,parent\na,r\nb,a\n", "Parent;Child\nr;a\na;b\n"):
        assert pairs(read_edges(place(text))) == TREE


def test_two_rows_that_look_like_parent_first_have_the_hint(place):
    assert "--reverse reads them" in told(read_edges(place("r\ta\nr\tb\n")))
    assert "--reverse" not in told(read_edges(place("a\tr\nb\tr\n")))
    assert "--reverse" not in told(read_edges(place("child\tparent\nr\ta\nr\tb\n")))


@pytest.mark.parametrize("text", [" 1 10\n 2 10\n10 11\n", "a r\nb r\n"])
def test_numbers_between_blanks_may_stand_to_the_right(text, place):
    assert len(pairs(read_edges(place(text, "it.txt")))) == text.count("\n")


@pytest.mark.parametrize("text", ["- root\n  - a\n", "Felis catus\n  Felis silvestris\n", "a -\nb -\n", "a: 1\nb: 2\n"])
def test_outlines_and_lists_are_no_tables(text, place):
    refuse("expected a child, a tab or a comma", place(text, "it.txt"))


def test_names_that_look_alike_are_told(place):
    dag = read_edges(place("child,parent\n\u00e9,r\ne\u0301,r\na\u200b,r\na,r\nß,r\n"))
    assert dag.count == 6
    assert "2 names look like another's" in told(dag)
    assert "look like" not in told(read_edges(place("child,parent\né,r\nß,é\n")))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<http://a/x> <http://b/y> <http://c/z> .\n", "triples of RDF"),
        ("# of somebody\n@prefix : <http://x/> .\n:a :b :c .\n", "triples of RDF"),
        ('*Vertices 2\n1 "a"\n2 "b"\n', "a network of Pajek's"),
    ],
)
def test_other_texts_are_named(place, text, what):
    refuse(f"is {what}", place(text, "it.txt"))


def test_confidences_behind_ranks_are_no_names(place):
    text = "OTU\tSize\tTaxonomy\nO1\t10\tB(100);P(99);C(80);\nO2\t5\tB(100);P(98.5);\n"
    dag = read_edges(place(text, "it.taxonomy"))
    assert pairs(dag) == {("P", "B"), ("C", "P"), ("O1", "C"), ("O2", "P")}
    assert "were taken for confidences" in told(dag)
    kept = read_edges(place(text.replace("B(100);P(99)", "B(1);P(a)"), "it.taxonomy"))
    assert ("P(a)", "B(1)") in pairs(kept)
