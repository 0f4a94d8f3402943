"""Files that are something else are named for what they are, by the readers of trees, graphs, edges and maps as by tables."""

import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from cfgraph.errors import InputError
from cfgraph.files.texts import read_names
from cfgraph.formats.maps import read_maps
from cfgraph.sources.edges import read_edges
from cfgraph.sources.graph import read_graph
from cfgraph.sources.tree import read_tree


def excel() -> bytes:
    """A workbook, as openpyxl begins one."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml"):
            archive.writestr(name, "<?xml version='1.0'?><Types/>")
    return made.getvalue()


def picture() -> bytes:
    """A picture."""
    made = io.BytesIO()
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(made, "PNG")
    return made.getvalue()


FILES = {
    "an Excel or Office file": excel(),
    "an old Excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(60),
    "a pickle of Python's; loading it would run whatever code is in it, so that is never done": pickle.dumps(np.eye(2)),
    "an image": picture(),
    "a PDF": b"%PDF-1.4\n1 0 obj\n",
    "a database of SQLite": b"SQLite format 3\x00" + bytes(60),
    "a zip archive": b"PK\x03\x04" + bytes(40),
    "a file of R's": gzip.compress(b"X\n\x00\x00\x00\x03\x00\x04\x02\x00"),
    "a file of MATLAB's": b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(60),
    "a file of SPSS's": b"$FL2@(#) IBM SPSS STATISTICS" + bytes(60),
    "a file of Stata's": b"<stata_dta><header><release>118</release>" + bytes(60),
    "an xz file": b"\xfd7zXZ\x00" + bytes(20),
}
READERS = [(read_edges, ".tsv"), (read_tree, ".nwk"), (read_graph, ".graphml"), (read_graph, ".json"), (read_graph, ".gexf")]
READERS += [(read_graph, ".gml"), (read_graph, ".bin"), (read_maps, ".json"), (read_names, ".txt")]


@pytest.mark.parametrize(("read", "suffix"), READERS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("told", FILES)
def test_a_file_that_is_something_else_is_named(told, read, suffix, tmp_path):
    path = tmp_path / f"it{suffix}"
    path.write_bytes(FILES[told])
    with pytest.raises(InputError) as caught:
        read(path)
    assert f"{path} is {told}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!DOCTYPE html><html><body>404</body></html>", "is a page of HTML"),
        ('<?xml version="1.0"?><rdf:RDF xmlns:rdf="x"><owl:Ontology/></rdf:RDF>', "is an ontology in OWL; convert it to OBO"),
        ("digraph G {\n a -> b;\n}\n", "is a graph in DOT"),
        ('{"cells": [{"cell_type": "code"}], "nbformat": 4}', "obographs JSON"),
        ("a: 1\nb: 2\n", "expected a child, a tab or a comma"),
    ],
)
def test_edges_name_what_a_text_is(text, told, tmp_path):
    path = tmp_path / "it.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        read_edges(path)
