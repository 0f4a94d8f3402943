"""Exports: GraphML and GEXF of a hierarchy in memory, against networkx's own writers; and the most memory that each holds."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import networkx as nx

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Rival, Say, ratios, take_turns
from benchmarks.subject import forgetting, make_subject
from cfgraph.formats import read_gexf, read_graphml, write_gexf, write_graphml
from cfgraph.model.hierarchy import Hierarchy

OURS = {"graphml": write_graphml, "gexf": write_gexf}
THEIRS = {"graphml": nx.write_graphml, "gexf": nx.write_gexf}
READ = {"graphml": read_graphml, "gexf": read_gexf}
# One export in a process of its own, which ends by telling the most memory that it held, in MB: by the kernel's status of it,
# since ru_maxrss of a process that was started by a large one is never below what that one held.
PROBE = """
import re, sys
from pathlib import Path
from benchmarks.exports import OURS, write_theirs
from benchmarks.subject import make_subject
whose, name, depth, path = sys.argv[1:]
subject = make_subject("bench", depth=int(depth))
(OURS[name] if whose == "ours" else write_theirs)(subject, path)
print(int(re.search("VmHWM:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1]) / (1 << 10))
"""


def measure_exports(*, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``exports``: seconds to the file, and the peak of a process that makes the hierarchy and writes it."""
    subject, found = make_subject("bench", depth=depth), []
    for name, write in OURS.items():
        with TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{whose}.{name}" for whose in ("ours", "theirs")]
            found += _measure(subject, name, write=write, paths=paths, depth=depth, rounds=rounds, say=say)
    return found


def _measure(subject: Hierarchy, name: str, *, write, paths: list[Path], depth: int, rounds: int, say: Say) -> list[Finding]:
    cells = len(subject.cells)
    say(f"exporting {cells:,} cells as {name}: cfgraph and networkx")
    rivals = [
        Rival("cfgraph", lambda hierarchy: write(hierarchy, paths[0]), prepare=forgetting(subject)),
        Rival("networkx", lambda hierarchy: write_theirs(hierarchy, paths[1]), prepare=forgetting(subject)),
    ]
    seconds = take_turns(rivals, rounds=rounds, say=say)
    _check_equal(*(READ[name](path) for path in paths))
    ours, theirs = (_peak(whose, name, depth=depth, path=path) for whose, path in zip(("ours", "theirs"), paths, strict=True))
    description = f"`write_{name}` of {cells:,} cells in memory"
    beside = f"a `DiGraph` with the same attributes, lists as JSON text, by `nx.write_{name}`"
    return [
        Finding(
            name="exports",
            title=f"export as {name} against networkx's writer",
            values=ratios(seconds["networkx"], seconds["cfgraph"]),
            wanted=Wanted("at least", 3),
            ours=f"{description}: {rate(cells, seconds['cfgraph'])} cells/s",
            theirs=f"{beside}, the graph's making included: {rate(cells, seconds['networkx'])} cells/s",
        ),
        Finding(
            name="exports",
            title=f"peak memory of an export as {name}",
            values=(ours,),
            wanted=Wanted("at most", 300),
            unit=" MB",
            ours=f"a process that makes the hierarchy and writes it: {description}",
            theirs=f"{beside}: {theirs:.0f} MB",
        ),
    ]


def write_theirs(hierarchy: Hierarchy, path: str | Path) -> None:
    """The hierarchy as who knows networkx well would write it: a graph made from columns, which networkx's writer takes."""
    graph = _graph(hierarchy)
    name = Path(path).suffix.removeprefix(".")
    if name == "gexf":
        for node in graph:
            graph.nodes[node]["label"] = node
    THEIRS[name](graph, path)


def _graph(hierarchy: Hierarchy) -> nx.DiGraph:
    cells, names, graph = hierarchy.cells, hierarchy.cells.addresses, nx.DiGraph()
    states = ("Expanded", "Frontier", "Leaf")
    nodes = (cells.level, cells.center, cells.scale, cells.root_distance, cells.state, cells.predicted)
    for node, level, center, scale, distance, state, predicted in zip(names, *(c.tolist() for c in nodes), strict=True):
        attributes = {"level": level, "center": json.dumps(center), "scale": scale, "root_distance": distance}
        graph.add_node(node, **attributes, state=states[state], predicted=predicted)
    edges = (cells.parent, cells.slot, cells.residual, cells.length)
    rows = zip(names[1:], *(column[1:].tolist() for column in edges), strict=True)
    for child, parent, slot, residual, length in rows:
        graph.add_edge(names[parent], child, slot=slot, residual=json.dumps(residual), length=length, weight=length)
    return graph


def _check_equal(ours: nx.DiGraph, theirs: nx.DiGraph) -> None:
    """Refuse to compare files that do not hold the same nodes and edges."""
    for *_, values in [*theirs.nodes(data=True), *theirs.edges(data=True)]:
        values |= {name: json.loads(values[name]) for name in ("center", "residual") if name in values}
        for name in ("label", "id"):
            values.pop(name, None)
    ours.graph.clear()
    theirs.graph.clear()
    if not nx.utils.graphs_equal(ours, theirs):
        raise AssertionError("the two files hold different graphs")


def _peak(whose: str, name: str, *, depth: int, path: Path) -> float:
    command = [sys.executable, "-c", PROBE, whose, name, str(depth), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    return float(done.stdout)
