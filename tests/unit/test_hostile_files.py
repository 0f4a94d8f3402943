"""Files that other programs parse or run stay well-formed and harmless, whatever names, ids and attributes hold."""

import csv
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pyarrow as pa
import pydot
import pytest

from cfgraph.errors import InputError
from cfgraph.formats import read_gexf, read_graphml, to_networkx, write_dot, write_gexf, write_graphml
from cfgraph.formats.csv import guard_formulas
from cfgraph.model.dag import Dag
from cfgraph.plots import Panel, plot_cells, plot_report, plot_tree
from cfgraph.sources.imported import imported
from cfgraph.transfer.export import check_export, export
from cfgraph.visible import visible
from tests.trees import smooth_cells
from tests.unit.test_formats import make_dag
from tests.unit.test_plots import REPORT, comments_of, picture
from tests.unit.test_tree_plots import ANIMALS, DRAW, tree
from tests.unit.test_visible import HOSTILE

MARKUP = ["<b>&\"quote'", "]]>", "<!-- -- -->", "<![CDATA[", "&#27;", "&amp;", "a--b-", "$x$ % \\n \\G"]
LETTERS = [*HOSTILE, *MARKUP]
STORED = [text for text in LETTERS if not "\ud800" <= text <= "\udfff"]  # a hierarchy holds no halves of characters
BY_CODE = {"ids": lambda text: text if text in MARKUP else f"{ord(text):04x}"}


def parsed(path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def names_of_all(count: int) -> list[str]:
    """So many names that hold all hostile letters between them."""
    return [f"a{''.join(LETTERS[at::count])}b" for at in range(count)]


def draw_all(folder, suffix):
    """Every kind of picture, with every hostile letter wherever a name can stand."""
    for number, name in enumerate(names_of_all(20)):
        plot_cells([Panel(smooth_cells(1), name, grown_by=name)], folder / f"centers-{number}{suffix}")
        plot_report({**REPORT, "predicted": name, "warnings": [name]}, folder / f"report-{number}{suffix}")
    for form in DRAW:
        panels = [Panel(tree(ANIMALS), name, grown_by=name, names=names_of_all(8)) for name in names_of_all(2)]
        plot_tree(panels, folder / f"{form}{suffix}", form=form)


def test_svg_is_well_formed(tmp_path):
    draw_all(tmp_path, ".svg")
    shown = set()
    for path in tmp_path.iterdir():
        assert parsed(path).tag.endswith("svg")
        shown |= comments_of(path)
    for letter in {*HOSTILE} - {*"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85"}:  # which are blanks
        assert any(visible(letter) in words for words in shown), repr(letter)


def test_png_shows_what_cannot_be_drawn(tmp_path):
    draw_all(tmp_path, ".png")
    assert all(picture(path).size for path in tmp_path.iterdir())


@pytest.mark.parametrize("form", DRAW)
def test_picture_shows_control_characters_written_out(form, tmp_path):
    for name, path in (("a\x1b\u202eb", tmp_path / "one.png"), ("a\\x1b\\u202eb", tmp_path / "two.png")):
        plot_tree([Panel(tree(ANIMALS), name, names=[name] * 8)], path, form=form)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("text", STORED, **BY_CODE)
@pytest.mark.parametrize(("write", "read"), [(write_graphml, read_graphml), (write_gexf, read_gexf)])
def test_xml_is_well_formed_and_comes_back(write, read, text, tmp_path):
    names = [f"a{text}", text, f"{text}b", "d", None, "f"]
    hierarchy = make_dag("it", names=names, columns={"label": np.array(names, dtype=object)})
    write(hierarchy, tmp_path / "h.xml")
    assert parsed(tmp_path / "h.xml") is not None
    expected = to_networkx(hierarchy.cells, hierarchy=hierarchy)
    assert dict(read(tmp_path / "h.xml").nodes(data=True)) == dict(expected.nodes(data=True))


@pytest.mark.parametrize("text", LETTERS, **BY_CODE)
@pytest.mark.parametrize(("write", "read"), [(write_graphml, read_graphml), (write_gexf, read_gexf)])
def test_xml_of_any_graph_is_well_formed(write, read, text, tmp_path):
    graph = nx.DiGraph(**{f"of{text}": text})
    graph.add_node(f"a{text}", **{f"of{text}": text})
    graph.add_edge(f"a{text}", f"b{text}", **{f"of{text}": text})
    write(graph, tmp_path / "h.xml")
    assert parsed(tmp_path / "h.xml") is not None
    assert len(read(tmp_path / "h.xml")) == 2


@pytest.mark.parametrize("text", STORED, **BY_CODE)
def test_dot_parses_and_holds_no_control_character(text, tmp_path):
    write_dot(make_dag("it", names=[f"a{text}", text, f"{text}b", "d", None, "f"]), tmp_path / "h.dot")
    content = (tmp_path / "h.dot").read_text(encoding="utf-8")
    assert not set(content) & (set(HOSTILE) - {"\n", "\t"})
    (found,) = pydot.graph_from_dot_data(content)
    assert len(found.get_edges()) == 7


# -- spreadsheets

FORMULAS = ["=cmd|calc!A1", "+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
HARMLESS = ["a=1", "1-2", " =1", "'=1", "", "a\n=1", "é", None, "/0", '"=1"', "#x"]


def rows_of(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def sheet():
    """A star whose leaves have names of both kinds, with a column of numbers below zero and one called like a formula."""
    names = ["root", *FORMULAS, *HARMLESS]
    count = len(names)
    columns = {"=height": np.arange(count) - 5.5, "-note": np.array(names, dtype=object)}
    dag = Dag(count=count, parent=np.zeros(count - 1, int), child=np.arange(1, count), names=names, columns=columns)
    return imported(dag, id="sheet", origin="edges", recipe={})


def test_formulas_are_guarded_on_request_alone(sheet, tmp_path):
    export(sheet, output=tmp_path / "plain.csv")
    export(sheet, output=tmp_path / "safe.csv", spreadsheet_safe=True)
    plain, safe = rows_of(tmp_path / "plain.csv"), rows_of(tmp_path / "safe.csv")
    names = ["root", *FORMULAS, *(name or "" for name in HARMLESS)]
    guarded = ["root", *(f"'{name}" for name in FORMULAS), *(name or "" for name in HARMLESS)]
    assert [row["name"] for row in plain] == [row["-note"] for row in plain] == names
    assert [row["name"] for row in safe] == [row["'-note"] for row in safe] == guarded
    heights = [float(row["'=height"]) for row in safe]
    assert heights == [float(row["=height"]) for row in plain] == (np.arange(len(names)) - 5.5).tolist()
    others = plain[0].keys() - {"name", "-note", "=height"}
    assert all(row[name] == other[name] for row, other in zip(plain, safe, strict=True) for name in others)


def test_folder_of_csv_is_guarded_in_every_table(sheet, tmp_path):
    export(sheet, output=tmp_path / "safe", format="csv", spreadsheet_safe=True)
    assert [row["name"] for row in rows_of(tmp_path / "safe" / "cells.csv")][1] == "'=cmd|calc!A1"
    assert len(rows_of(tmp_path / "safe" / "edges.csv")) == len(FORMULAS) + len(HARMLESS)
    assert guard_formulas(pa.table({"parent": ["=x"], "slot": [-1]})).to_pydict() == {"parent": ["'=x"], "slot": [-1]}


@pytest.mark.parametrize("name", ["h.graphml", "h.parquet", "h.json", "h.nwk", "h.dot", "h.npy", "h.gexf"])
def test_other_formats_refuse_to_be_safe_for_spreadsheets(sheet, name, tmp_path):
    with pytest.raises(InputError, match=r"--spreadsheet-safe is for csv, and \w+ is no spreadsheet's format; leave it out"):
        export(sheet, output=tmp_path / name, spreadsheet_safe=True)
    with pytest.raises(InputError, match="--spreadsheet-safe is for csv, and neo4j-admin is"):
        check_export(tmp_path / "new", format="neo4j-admin", spreadsheet_safe=True)
    assert not list(tmp_path.iterdir())
