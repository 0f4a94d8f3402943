"""Recognised files: what a file is by how it begins, whatever its name says, and which command reads it.

A reader that cannot take a file asks :func:`recognise` and says what :meth:`Recognised.error` makes of it. Nothing is loaded
for it, pickles least of all.
"""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from cfgraph.errors import InputError

HEAD = 1 << 12  # bytes of a file that are looked at
_WIDE = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Recognised:
    """What a file is.

    ``kind`` is a short name for programs, ``words`` are those for people; ``what_to_do`` names the command that reads it, or
    how it comes into a form that one reads. ``certain`` is False where a table or a list of names might begin like this too.
    """

    kind: str
    words: str
    what_to_do: str
    certain: bool = True

    def error(self, path: Path | str, *, expected: str) -> InputError:
        """The error of a reader that ``expected`` something else."""
        return InputError(f"expected {expected}, and {path} is {self.words}; {self.what_to_do}")


def check_signature(head: bytes, path: Path | str, *, expected: str) -> None:
    """An ``InputError`` for a file that is no text, and says by its first bytes what it is."""
    found = _by_signature(head)
    if found is not None and found.certain:
        raise found.error(path, expected=expected)


def recognise(head: bytes) -> Recognised | None:
    """What a file is that begins with these bytes (:data:`HEAD` of them are enough), without gzip; None for what it knows not.

    Tables of text are never recognised: nothing marks them.
    """
    found = _by_signature(head)
    return found if found is not None else _by_text(_as_text(head[:HEAD]))


def _command(verb: str, of: str = "FILE") -> str:
    return f"`cfgraph ingest {verb} {of}` reads it"


_TABLE = "`cfgraph ingest points`, `linkage` and `logits` read it"
_NEVER = "loading it would run whatever code is in it, so that is never done: "
_SAVE = "save its numbers with numpy.save, or the table with to_parquet or to_csv"
_SHEET = "save the sheet as .csv"
_IMAGES = "`cfgraph ingest images DIR` reads folders of such"

_SIGNATURES = [
    (b"\x93NUMPY", Recognised("npy", "an array of numpy's (.npy)", _TABLE)),
    (b"PAR1", Recognised("parquet", "a .parquet file", f"{_TABLE}, and `cfgraph ingest parquet` an export of cfgraph's")),
    (b"ARROW1", Recognised("feather", "a Feather (Arrow) file", _TABLE)),
    (b"FEA1", Recognised("feather", "a Feather file", _TABLE)),
    (b"\xff\xff\xff\xff", Recognised("arrow stream", "a stream of Arrow's", "save it as .feather or .parquet")),
    (b"\x1f\x8b", Recognised("gzip", "a gzip file", "unpack it with gunzip")),
    (b"BZh", Recognised("bzip2", "a bzip2 file", "unpack it with bunzip2")),
    (b"\xfd7zXZ\x00", Recognised("xz", "an xz file", "unpack it with unxz")),
    (b"\x28\xb5\x2f\xfd", Recognised("zstd", "a zstd file", "unpack it with unzstd")),
    (b"7z\xbc\xaf\x27\x1c", Recognised("7z", "a 7z archive", "unpack it, and name a file of it")),
    (b"Rar!", Recognised("rar", "a rar archive", "unpack it, and name a file of it")),
    (b"SQLite format 3\x00", Recognised("sqlite", "a database of SQLite", "save a table of it as .csv: sqlite3 -header -csv")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Recognised("excel", "an old Excel or Office file", _SHEET)),
    (b"\x89HDF\r\n\x1a\n", Recognised("hdf5", "an HDF5 file", _SAVE)),
    (b"CDF", Recognised("netcdf", "a NetCDF file", _SAVE, certain=False)),
    (b"MATLAB 5.0", Recognised("matlab", "a file of MATLAB's", "save a matrix with writematrix, as .csv")),
    (b"MATLAB 7.", Recognised("matlab", "a file of MATLAB's", "save a matrix with writematrix, as .csv")),
    (b"$FL2@(#)", Recognised("spss", "a file of SPSS's", "save the table as .csv")),
    (b"<stata_dta>", Recognised("stata", "a file of Stata's", "save the table as .csv: export delimited")),
    (b"X\n\0\0\0", Recognised("r", "a file of R's", "save a table with write.csv, a tree with ape::write.tree")),
    (b"RDX", Recognised("r", "a file of R's", "save a table with write.csv, a tree with ape::write.tree", certain=False)),
    (b"RDA", Recognised("r", "a file of R's", "save a table with write.csv, a tree with ape::write.tree", certain=False)),
    (b"%PDF-", Recognised("pdf", "a PDF", "name a file of data")),
    (b"ORC", Recognised("orc", "an ORC file", "save it as .parquet", certain=False)),
    (b"Obj\x01", Recognised("avro", "an Avro file", "save it as .parquet")),
    (b"\x89PNG\r\n\x1a\n", Recognised("image", "an image (PNG)", _IMAGES)),
    (b"\xff\xd8\xff", Recognised("image", "an image (JPEG)", _IMAGES)),
    (b"GIF87a", Recognised("image", "an image (GIF)", _IMAGES)),
    (b"GIF89a", Recognised("image", "an image (GIF)", _IMAGES)),
    (b"II*\x00", Recognised("image", "an image (TIFF)", _IMAGES)),
    (b"MM\x00*", Recognised("image", "an image (TIFF)", _IMAGES)),
]
_PICKLE = re.compile(rb"\x80[\x02-\x05](?:\x95.{8})?[\x00-\x7f\x80-\x98]", re.DOTALL)
_OLD_MODULES = rb"__builtin__|builtins|collections|copy_reg|copyreg|numpy|os|pandas|posix|sklearn|torch"
_OLD_PICKLE = re.compile(rb"(?:\(lp0\n|\(dp0\n|c(?:" + _OLD_MODULES + rb")(?:\.[\w.]+)?\n[A-Za-z_]\w*\n)")


def _by_signature(head: bytes) -> Recognised | None:
    for start, found in _SIGNATURES:
        if head.startswith(start):
            return found
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(head)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Recognised("image", "an image (WebP)", _IMAGES)
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return Recognised("image", "an image (BMP)", _IMAGES)
    if _PICKLE.match(head) or _OLD_PICKLE.match(head):
        return Recognised("pickle", "a pickle of Python's", f"{_NEVER}{_SAVE}")
    if re.match(rb"[\x00-\xff]{2}[\x00-\xff]{6}\{\"", head) and b'"dtype"' in head:
        return Recognised("safetensors", "a file of safetensors", _SAVE)
    return None


def _archive(head: bytes) -> Recognised:
    """A zip file, by the name of what is first in it."""
    size = int.from_bytes(head[26:28], "little")
    first = head[30 : 30 + size]
    if first.endswith(b".npy"):
        return Recognised("npz", "an archive of numpy's arrays (.npz)", _TABLE)
    if first.endswith(b"data.pkl") or b"archive/data.pkl" in head:
        return Recognised("pickle", "a file of torch.save, which holds a pickle", f"{_NEVER}{_SAVE}")
    if first.startswith((b"xl/", b"[Content_Types].xml", b"_rels/")):
        return Recognised("excel", "an Excel or Office file", _SHEET)
    if first == b"mimetype":
        return Recognised("opendocument", "an OpenDocument file", _SHEET)
    return Recognised("zip", "a zip archive", "unpack it, and name a file of it")


def _as_text(head: bytes) -> str:
    """The begin of a file as text, as far as it is one."""
    wide = next((name for mark, name in _WIDE.items() if head.startswith(mark)), None)
    text = head.decode(wide, "ignore") if wide else head.decode("utf-8-sig", "replace")
    return text.lstrip("\ufeff \t\r\n")


_GRAPH, _TREE, _EDGES = _command("graph"), _command("tree"), _command("edges")
_XML: list[tuple[str, Recognised]] = [
    ("graphml", Recognised("graphml", "a graph in GraphML", _GRAPH)),
    ("gexf", Recognised("gexf", "a graph in GEXF", _GRAPH)),
    ("phyloxml", Recognised("phyloxml", "a tree in PhyloXML", _TREE)),
    ("nexml", Recognised("nexml", "trees in NeXML", "save them as Newick, which `cfgraph ingest tree` reads")),
    ("flames?", Recognised("flame", "a flame of fractals (XML)", "`cfgraph ingest ifs FILE` reads its affine parts")),
    ("rdf:RDF|Ontology", Recognised("owl", "an ontology in OWL", "convert it to OBO or obographs: robot convert -o FILE.obo")),
    ("html", Recognised("html", "a page of HTML", "what was downloaded may be an error page; look at it")),
    ("svg", Recognised("svg", "a picture in SVG", "name a file of data")),
]


def _by_text(text: str) -> Recognised | None:
    first = text.partition("\n")[0].strip()
    if first[:6].upper() == "#NEXUS":
        return Recognised("nexus", "a NEXUS file", _TREE)
    if text.startswith("<") and not _TRIPLE.match(text):
        return _xml(text)
    for known in (_json, _obo, _ifs, _drawn, _rdf, _newick):
        if (found := known(text)) is not None:
            return found
    return None


def _xml(text: str) -> Recognised | None:
    for name, found in _XML:
        if re.search(rf"<(?:\w+:)?(?:{name})[\s>/]", text, re.IGNORECASE if name == "html" else 0):
            return found
    if re.match(r"<!doctype html", text, re.IGNORECASE):
        return _XML[6][1]
    if text.startswith(("<?xml", "<!DOCTYPE", "<!--")):
        return Recognised(
            "xml", "an XML file of another kind", "`cfgraph ingest graph` reads GraphML and GEXF, `tree` PhyloXML"
        )
    return None


def _json(text: str) -> Recognised | None:
    """JSON by its first keys. A line that begins with a bracket may be a cell of a table all the same."""
    if not re.match(r"[\[{]\s*(?:[\[{\"\]}]|-?[0-9]|null|true|false)", text):
        return None

    def has(*keys: str) -> bool:
        return any(re.search(rf'"{key}"\s*:', text) for key in keys)

    if has("nbformat") or (has("cells") and has("cell_type")):
        return Recognised("notebook", "a Jupyter notebook", "name a file of data")
    if re.search(r'"graphs"\s*:\s*\[', text):
        return Recognised("obographs", "an ontology as obographs (JSON)", _EDGES)
    if has("nodes", "links", "directed", "multigraph"):
        return Recognised("node-link", "a graph as node-link JSON", _GRAPH)
    if has("children"):
        return Recognised("nested json", "a tree as nested JSON", _GRAPH)
    if has("maps", "matrix", "ifs", "transforms"):
        return Recognised("maps", "affine maps as JSON", _command("ifs"))
    return Recognised(
        "json",
        "JSON of another kind",
        "`cfgraph ingest graph` reads node-link and nested JSON, `ifs` affine maps",
        certain=False,
    )


def _obo(text: str) -> Recognised | None:
    if re.match(r"format-version:", text) or re.match(r"(?:\s*!.*\n|[\w-]+:.*\n|\s*\n)*\[(?:Term|Typedef)\]\s*\n", text):
        return Recognised("obo", "an ontology in OBO", _EDGES)
    return None


def _ifs(text: str) -> Recognised | None:
    """Fractint's systems: a name and rows of numbers between braces."""
    if re.match(r"(?:\s*;.*\n)*\s*[\w.-]+\s*(?:\(3D\)\s*)?\{\s*(?:;.*)?\n?(?:\s*;.*\n)*\s*[-+.0-9]", text):
        return Recognised("fractint", "systems of affine maps as Fractint has them", _command("ifs"))
    return None


_TRIPLE = re.compile(r"<[a-z][\w+.-]*:[^<>\s]*>\s+<[^<>\s]+>\s")


def _rdf(text: str) -> Recognised | None:
    if _TRIPLE.match(text) or re.match(r"(?:#.*\n|\s)*@(?:prefix|base)\s", text):
        return Recognised("rdf", "triples of RDF", "convert an ontology to OBO or obographs: robot convert -o FILE.obo")
    return None


def _drawn(text: str) -> Recognised | None:
    if re.match(r"(?:#.*\n|\s*Creator .*\n|\s*Version .*\n)*\s*graph\s*\[", text):
        return Recognised("gml", "a graph in GML", _GRAPH)
    if re.match(r"(?:strict\s+)?(?:di)?graph\b[^\[\n]*\{", text):
        return Recognised("dot", "a graph in DOT", "save it as GraphML, which `cfgraph ingest graph` reads")
    if re.match(r"\*vertices\s+[0-9]", text, re.IGNORECASE):
        return Recognised("pajek", "a network of Pajek's", "save it as GraphML, which `cfgraph ingest graph` reads")
    return None


def _newick(text: str) -> Recognised | None:
    """A bracket, and a tree's end or another bracket after it."""
    text = re.sub(r"\A(?:\[[^\]]*\]\s*)+", "", text)
    if re.match(r"\([^;\n]*\)[^;\n]*;", text) or re.match(r"\(+[^\s()]*[,:(]", text):
        return Recognised("newick", "a tree in Newick", _TREE, certain=False)
    return None
