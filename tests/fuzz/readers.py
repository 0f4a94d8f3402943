"""Every reader of files with small inputs that it reads. A new reader is a line in :data:`READERS`."""

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather
from pyarrow import parquet as arrow_parquet
from scipy import sparse

from cfgraph.files.arrays import read_points
from cfgraph.files.embeddings import Embeddings
from cfgraph.files.labels import Labels
from cfgraph.files.texts import read_names
from cfgraph.formats.parquet import read_parquet, write_parquet
from cfgraph.sources.edges import edges
from cfgraph.sources.graph import graph
from cfgraph.sources.ifs import field, ifs
from cfgraph.sources.linkage import linkage
from cfgraph.sources.logits import logits
from cfgraph.sources.tree import tree

VALUES = np.array([[0.5, -1.25, 3], [2.5, 3.75, 1], [-4.5, 5.25, 2], [6.5, 0.125, 7]])
MERGES = np.array([[0, 1, 0.5, 2], [2, 3, 1.5, 2], [4, 5, 2.5, 4]])
FRAME = pa.table({"x": VALUES[:, 0], "y": VALUES[:, 1], "name": list("abcd"), "__index_level_0__": [4, 2, 7, 1]})
LISTS = pa.table({"v": VALUES.tolist()})
LABELS = pa.table({"label": ["cat", "dog", "cat", "cow"], "name": list("abcd")})


@dataclass(frozen=True)
class Reader:
    """A reader of files that end in ``suffix``, and the inputs that are mutated."""

    name: str
    read: Callable[[Path], Any]
    suffix: str
    make: Callable[[], list[bytes]]

    @property
    def corpus(self) -> list[bytes]:
        """The inputs, made once."""
        return _corpus(self.make)


@cache
def _corpus(make: Callable[[], list[bytes]]) -> list[bytes]:
    return make()


def _text(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def _saved(*writes: Callable[[io.BytesIO], Any]) -> Callable[[], list[bytes]]:
    def make() -> list[bytes]:
        files = [io.BytesIO() for _ in writes]
        for write, file in zip(writes, files, strict=True):
            write(file)
        return [file.getvalue() for file in files]

    return make


def _exported() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h.parquet"
        write_parquet(ifs(id="h", maps="koch", depth=2), path)
        return [path.read_bytes()]


NUMBERS = _text(
    "x,y,z\n0.5,-1.25,3\n2.5,3.75,1\n-4.5,5.25,2\n6.5,.125,7\n",
    "x;y\n0,5;-1,25\n2,5;3,75\n",
    "# a b\n0.5 -1.25\n2.5 3.75\n# end\n",
    ',"x",y\n3,"0.5",1\n1,2.5,3\n',
    "sep=|\nx|y\n1|2\n3|4\n",
    "\ufeffx\ty\r\n1\t2\r\n3\t4\r\n",
)
WORDS = _text(
    "name,label\na,cat\nb,dog\n", 'name;label\n"a;b";größer\nc;2\n', "cat\ndog\ncat\n", "label\n1\n2\n", '"a\nb",1\n"c",2\n'
)
PAIRS = _text(
    "child\tparent\na\tr\nb\tr\nc\ta\n",
    "a,r\nb,r\n",
    "child,parent,length,note\na,r,1.5,x\nb,r,2,y\n",
    "# c\n1\t0\n2\t0\n3\t1\n",
)
TREES = _text(
    "((a:1,b:2)c:1,d:3)r;",
    "('it''s':1,\"b b\":2,(x,y)[&&NHX:S=1]:0.5);",
    "[&R] (a[&rate=1.5]:1,b:2e-3)90;\n(c,d);",
    "#NEXUS\nBEGIN TREES;\n TRANSLATE 1 a, 2 b;\n TREE t = [&R] (1:1,2:2);\nEND;\n",
)
GRAPHML = _text(
    '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="d" for="node" attr.name="size" '
    'attr.type="double"/><graph edgedefault="directed"><node id="a"><data key="d">1.5</data></node><node id="b"/>'
    '<edge source="a" target="b"/></graph></graphml>'
)
GEXF = _text(
    '<?xml version="1.0"?><gexf xmlns="http://www.gexf.net/1.2draft" version="1.2"><graph defaultedgetype="directed"><nodes>'
    '<node id="a" label="A"/><node id="b" label="B"/></nodes><edges><edge id="0" source="a" target="b"/></edges></graph></gexf>'
)
NODES = {
    "directed": True,
    "multigraph": False,
    "nodes": [{"id": "a", "size": 1}, {"id": "b"}],
    "links": [{"source": "a", "target": "b"}],
}
NESTED = {"name": "r", "children": [{"name": "a", "value": 1}, {"name": "b", "children": [{"name": "c"}]}]}
JSON = _text(json.dumps(NODES), json.dumps(NESTED))
MAPS = _text(
    '{"koch": {"maps": [[0.5, 0, 0, 0.5, 0, 0, 0.5], [0.5, 0, 0, 0.5, 0.5, 0, 0.5]]}}',
    '{"a": {"maps": [{"matrix": [[0.5, 0], [0, 0.5]], "offset": [0, 1]}, {"matrix": [[0.4, 0], [0, 0.4]], "offset": [1, 0]}]}}',
    "fern {\n 0 0 0 .16 0 0 .01\n .85 .04 -.04 .85 0 1.6 .85\n}\n",
)
ANNOTATED = _text(
    "((a:1[&rate=0.5,h={1,2.5}],b:2[&&NHX:S=x:D=N])'c''s':1,d_e:NaN,x:-1)[&!name=\"q\"]0.98;",
    "((a,(b)Y#H1:1::0.6)g,(Y#H1,c)h)r;\n;;\n",
    "(a:1:90:.5,b:2)r:0;",
)
NEXUS = _text(
    "#NEXUS\nBEGIN TAXA; DIMENSIONS NTAX=3; TAXLABELS 'a b' c d_e; END;\nBEGIN TREES;\n[x]\n"
    "TREE 'one two' = [&U] [&R] (1:1,(2,3)n:2);\n"
    "UTREE * t2 = ((1,2),3);\nEND;\n",
    "#nexus begin trees; translate a Homo_sapiens, b 'it''s'; tree t=[&lnP=-1.5](a[&rate=1]:1,b:2e-3)[&p={1,2}]; end;",
    "#NEXUS\nBegin data; matrix a 0101 b 0011; end;\nbegin trees; tree x = (a,b); endblock;",
)
PHYLOXML = _text(
    '<?xml version="1.0"?><phyloxml xmlns="http://www.phyloxml.org"><phylogeny rooted="true"><name>t</name>'
    '<clade><name>r</name><clade branch_length="1.5"><name>a</name><confidence type="bootstrap">90</confidence></clade>'
    "<clade><branch_length>2</branch_length><taxonomy><scientific_name>b c</scientific_name></taxonomy></clade>"
    "</clade></phylogeny></phyloxml>"
)
CONDENSED = _text("parent,child,lambda_val,child_size\n4,5,0.5,2\n4,6,0.5,2\n5,0,1.5,1\n5,1,2,1\n6,2,1,1\n6,3,inf,1\n")
OBOGRAPHS = _text(
    json.dumps(
        {
            "graphs": [
                {
                    "nodes": [
                        {"id": "A:1", "lbl": "a", "type": "CLASS"},
                        {"id": "A:2", "lbl": "b", "meta": {"deprecated": False}},
                    ],
                    "edges": [{"sub": "A:2", "pred": "is_a", "obj": "A:1"}],
                }
            ]
        }
    )
)
TAXA = _text("1\t|\t1\t|\tno rank\t|\t\t|\n2\t|\t1\t|\tgenus\t|\tx\t|\n3\t|\t2\t|\tspecies\t|\t\t|\n")
LINEAGES = _text(
    "id\tlineage\nx\td__Bacteria;p__A;c__B\ny\td__Bacteria;p__A;c__C\n",
    "kingdom,phylum,class\nB,A,C\nB,A,D\nB,,E\n",
    "id,parent_id,name,size\n1,,r,3\n2,1,a,2.5\n3,1,,1\n",
)
GML = _text('graph [ directed 1 node [ id 0 label "a" size 1.5 ] node [ id 1 label "b" ] edge [ source 0 target 1 length 2 ] ]')
FLAME = _text(
    '<flames><flame name="x"><xform weight="1" linear="1" coefs="0.5 0 0 0.5 0 0"/><xform weight="1" linear="1" '
    'coefs="0.5 0 0 0.5 0.5 0"/></flame></flames>'
)
OBO = _text(
    "format-version: 1.2\n\n[Term]\nid: A:1\nname: a\n\n[Term]\nid: A:2\nname: b\nis_a: A:1 ! a\n"
    'relationship: part_of A:1 {x="y"} ! a\nalt_id: A:3\n'
)
PARQUET = _saved(
    lambda file: arrow_parquet.write_table(FRAME, file),
    lambda file: arrow_parquet.write_table(LISTS, file, compression="zstd"),
    lambda file: arrow_parquet.write_table(FRAME.drop_columns(["name"]), file, compression="gzip", use_dictionary=False),
)
PAIRS_PARQUET = _saved(
    lambda file: arrow_parquet.write_table(pa.table({"child": ["a", "b"], "parent": ["r", "r"], "size": [1, 2]}), file),
)
FEATHER = _saved(
    lambda file: feather.write_feather(FRAME, file, compression="lz4"),
    lambda file: feather.write_feather(LISTS, file, compression="zstd"),
    lambda file: feather.write_feather(LABELS, file, compression="uncompressed"),
)
NPY = _saved(
    lambda file: np.save(file, VALUES),
    lambda file: np.save(file, VALUES.astype(np.float16)),
    lambda file: np.save(file, np.arange(24).reshape(2, 3, 4)),
)
NPZ = _saved(
    lambda file: np.savez_compressed(file, it=VALUES),
    lambda file: np.savez(file, it=VALUES, names=np.array(list("abcd"))),
    lambda file: sparse.save_npz(file, sparse.csr_array(VALUES)),
    lambda file: sparse.save_npz(file, sparse.coo_array(VALUES)),
)
LABEL_FILES = _saved(
    lambda file: np.save(file, np.array(["cat", "dog"])),
    lambda file: np.savez(file, it=np.array([1, 2]), names=np.array(["a", "b"])),
    lambda file: arrow_parquet.write_table(LABELS, file),
)


def _source(make: Callable[..., Any], **options: Any) -> Callable[[Path], Any]:
    """A source, called with a file as its data."""
    return lambda path: make(id="h", data=path, **options)


READERS = [
    Reader("points csv", read_points, ".csv", NUMBERS),
    Reader("points txt", read_points, ".txt", NUMBERS),
    Reader("points tsv", read_points, ".tsv", NUMBERS),
    Reader("points npy", read_points, ".npy", NPY),
    Reader("points npz", read_points, ".npz", NPZ),
    Reader("points parquet", read_points, ".parquet", PARQUET),
    Reader("points feather", read_points, ".feather", FEATHER),
    Reader("points unnamed", read_points, "", lambda: [*NUMBERS(), *PARQUET(), *FEATHER(), *NPY(), *NPZ()]),
    Reader("embeddings csv", Embeddings.read, ".csv", lambda: [*NUMBERS(), *WORDS()]),
    Reader("embeddings npz", Embeddings.read, ".npz", NPZ),
    Reader("embeddings parquet", Embeddings.read, ".parquet", PARQUET),
    Reader("embeddings feather", Embeddings.read, ".feather", FEATHER),
    Reader("labels csv", Labels.read, ".csv", WORDS),
    Reader("labels txt", Labels.read, ".txt", WORDS),
    Reader("labels unnamed", Labels.read, "", LABEL_FILES),
    Reader("logits csv", _source(logits), ".csv", NUMBERS),
    Reader("logits parquet", _source(logits), ".parquet", PARQUET),
    Reader("logits npy", _source(logits), ".npy", NPY),
    Reader("linkage npy", _source(linkage), ".npy", _saved(lambda file: np.save(file, MERGES))),
    Reader("linkage csv", _source(linkage), ".csv", _saved(lambda file: np.savetxt(file, MERGES, delimiter=","))),
    Reader("names", read_names, ".txt", WORDS),
    Reader("edges tsv", _source(edges), ".tsv", PAIRS),
    Reader("edges csv", _source(edges), ".csv", PAIRS),
    Reader("edges unnamed", _source(edges), "", lambda: [*PAIRS(), *OBO()]),
    Reader("tree", _source(tree), ".nwk", TREES),
    Reader("tree annotated", _source(tree), ".nwk", ANNOTATED),
    Reader(
        "tree bad lengths", _source(tree, bad_lengths="unknown", underscores="blanks"), ".nwk", lambda: [*ANNOTATED(), *TREES()]
    ),
    Reader("tree nexus", _source(tree), ".nex", NEXUS),
    Reader("tree phyloxml", _source(tree), ".xml", PHYLOXML),
    Reader("tree json", _source(tree), ".json", JSON),
    Reader("tree condensed", _source(tree), ".csv", CONDENSED),
    Reader("edges obo", _source(edges, relation=["is_a", "part_of"]), ".obo", OBO),
    Reader("edges obographs", _source(edges), ".json", OBOGRAPHS),
    Reader("edges taxa", _source(edges), ".dmp", TAXA),
    Reader("edges lineages", _source(edges), ".tsv", LINEAGES),
    Reader("edges parquet", _source(edges), ".parquet", PAIRS_PARQUET),
    Reader("graph gml", _source(graph), ".gml", GML),
    Reader("graph graphml", _source(graph), ".graphml", GRAPHML),
    Reader("graph gexf", _source(graph), ".gexf", GEXF),
    Reader("graph json", _source(graph), ".json", JSON),
    Reader("ifs", lambda path: field(id="h", maps=path, depth=1), ".json", MAPS),
    Reader("ifs fractint", lambda path: field(id="h", maps=path, depth=1), ".ifs", MAPS),
    Reader("ifs flame", lambda path: field(id="h", maps=path, depth=1), ".flame", FLAME),
    Reader("export", read_parquet, ".parquet", _exported),
]
PACKED = 12  # of so many inputs one is compressed by gzip


def packed(content: bytes) -> bytes:
    """The same by gzip, without a time in it."""
    return gzip.compress(content, mtime=0)
