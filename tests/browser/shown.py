"""What the browser's tests look at: a real server over hierarchies in memory; the process tells its address."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import cfgraph
from cfgraph.exploring.server import listen, serve
from cfgraph.exploring.start import Asked, Shelved, address_of, of_cells
from cfgraph.formats.maps import read_maps

SCRIPT, IMAGE = "<script>document.title='taken'</script>", "<img src=x onerror=document.title='taken'>"
TREE = {  # names of somebody's making
    "name": "beings",
    "children": [
        {"name": "plants", "children": [{"name": "ferns"}, {"name": "mosses"}, {"name": "شجرة"}]},
        {"name": IMAGE, "children": [{"name": SCRIPT}, {"name": "a name of " + "very " * 60 + "many words"}]},
        {"name": "\u202eright to left", "children": [{"name": "' OR 1=1 //"}, {"name": "${alert(1)}"}]},
    ],
}
EDGES = "child\tparent\nmiddle\ttop\nlow\tmiddle\nlow\tother\nother\ttop\ndeep\tlow\nlast\tother\n"
HOSTILE = "<b>bold<\u2215b> \u202e & 100%"  # an id


def hierarchies():
    """Fractals, one of them off its rule, a tree with names, cells in space, and an id of somebody's making."""
    yield cfgraph.sources.ifs("koch", id="koch", depth=4)
    yield cfgraph.sources.ifs("fern", id="fern", depth=4)
    yield off("koch off")
    yield named_tree("names", TREE)
    yield named_tree("names moved", turned(TREE))
    yield of_edges("parents")
    yield cfgraph.sources.ifs("sierpinski", id=HOSTILE, depth=2)
    yield cfgraph.sources.cfg(id="space", arity=3, dimension=3, depth=5)


def off(id, *, by=0.02):
    """Koch's curve by maps that are not quite its own."""
    koch, random = read_maps("koch"), np.random.default_rng(3)
    turned = koch.matrix + random.normal(scale=by, size=koch.matrix.shape) / 3
    turned /= 3 * np.linalg.norm(turned, ord=2, axis=(1, 2))[:, None, None] * (1 + 1e-12)
    return cfgraph.sources.ifs(replace(koch, matrix=turned), id=id, depth=4, scale_factor=1 / 3)


def named_tree(id, tree):
    """A tree of names, without centers."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tree.json"
        file.write_text(json.dumps(tree))
        return cfgraph.sources.tree(file, id=id)


def turned(tree):
    """The same tree, the last children first: the same names at other addresses."""
    return {**tree, "children": [turned(child) for child in reversed(tree["children"])]} if "children" in tree else tree


def of_edges(id):
    """Cells one of which has two parents."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "edges.tsv"
        file.write_text(EDGES)
        return cfgraph.sources.edges(file, id=id)


if __name__ == "__main__":
    explored = of_cells([Shelved(one) for one in hierarchies()], Asked(browser=False, port=int(sys.argv[2])), place="in memory")
    listener = listen(int(sys.argv[2]) or None)
    address = address_of(listener.getsockname()[1], sys.argv[1], explored)
    serve(explored, listener, token=sys.argv[1], started=lambda: print(address, flush=True))
