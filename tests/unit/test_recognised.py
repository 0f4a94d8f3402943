"""A file that is something else is named for what it is, by how it begins, whatever it is called."""

import gzip
import io
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from cfgraph.files.recognised import HEAD, recognise

TABLE = pa.table({"x": [1.0, 2.0]})
TEXTS = {
    "nexus": "#NEXUS\nBEGIN TREES;\n",
    "nexus ": "  \n#nexus\nbegin taxa;",
    "graphml": '<?xml version="1.0"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    "gexf": '<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">',
    "phyloxml": '<?xml version="1.0"?><phyloxml xmlns="http://www.phyloxml.org">',
    "phyloxml ": '<?xml version="1.0"?><phy:phyloxml xmlns:phy="http://www.phyloxml.org">',
    "nexml": '<nex:nexml version="0.9">',
    "owl": '<?xml version="1.0"?>\n<rdf:RDF xmlns="http://x">',
    "html": "<!DOCTYPE html>\n<html>",
    "html ": "<HTML><head>",
    "flame": '<flame name="a" version="Apophysis">',
    "xml": '<?xml version="1.0"?><other/>',
    "obo": "format-version: 1.2\nontology: go\n",
    "obo ": "! a comment\ndate: 1\n\n[Term]\nid: A:1\n",
    "obographs": '{"graphs": [{"nodes": []}]}',
    "node-link": '{"directed": true, "multigraph": false, "nodes": [{"id": 1}]}',
    "nested json": '{"name": "flare", "children": [{"name": "a"}]}',
    "maps": '{"koch": {"maps": [[0.5, 0, 0, 0.5, 0, 0, 1]]}}',
    "notebook": '{"cells": [{"cell_type": "code"}], "nbformat": 4}',
    "json": '[{"a": 1}]',
    "fractint": "fern {\n 0 0 0 .16 0 0 .01\n}",
    "gml": 'Creator "x"\ngraph [\n directed 1\n',
    "dot": "digraph G { a -> b }",
    "newick": "((a:1,b:2):1,c);",
    "newick ": "[&R] (a,b);",
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_are_recognised(kind, encoding):
    found = recognise(TEXTS[kind].encode(encoding))
    assert found.kind == kind.strip()
    message = str(found.error("a.csv", expected="points"))
    assert message.startswith("expected points, and a.csv is ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n",
        "1 2\n3 4\n",
        "# a comment\n1,2\n",
        "<unk>,1\n",
        "[CLS]\t1\n",
        "{a},1\n",
        "child\tparent\na\tb\n",
        "(1)\n(2)\n",
        "graph,1\n",
        "name: it,1\n",
        "BMX,1\n",
        "cat\ndog\n",
        "",
    ],
)
def test_tables_and_names_are_not(text):
    found = recognise(text.encode())
    assert found is None or not found.certain


def saved(write) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(*names) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


BINARY = {
    "npy": saved(lambda file: np.save(file, np.zeros(3))),
    "npz": saved(lambda file: np.savez(file, np.zeros(3))),
    "parquet": saved(lambda file: parquet.write_table(TABLE, file)),
    "feather": saved(lambda file: feather.write_feather(TABLE, file)),
    "feather 1": b"FEA1" + bytes(50),
    "gzip": gzip.compress(b"x"),
    "excel": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "opendocument": zipped("mimetype"),
    "zip": zipped("table.csv"),
    "pickle": pickle.dumps([1, 2]),
    "pickle 2": pickle.dumps({"a": np.zeros(3)}, protocol=2),
    "pickle 4": pickle.dumps(TABLE, protocol=4),
    "pickle torch": zipped("archive/data.pkl"),
    "sqlite": b"SQLite format 3\x00" + bytes(50),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(50),
    "image": b"\x89PNG\r\n\x1a\n",
    "excel 97": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50),
}


@pytest.mark.parametrize("kind", BINARY)
def test_binary_files_are_recognised(kind):
    found = recognise(BINARY[kind][:HEAD])
    assert found.kind == kind.split()[0]
    assert found.certain
