"""Dag paths: path distances where cells have several parents, against networkx's Dijkstra."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.metric.shortest import Edges, pair_distances

PAIRS = 1_000
PAIRS_OF_NETWORKX = 20  # a round
EDGES_A_NODE = 1.75  # as in the Gene Ontology
SIBLING_SHARE = 0.6  # of the parents that are chosen because they have children: makes a few terms of very many
ROOTS = 3
AGREEMENT = 1e-9
WANTED = {"equal lengths": 100, "lengths of their own": 8}
ONTOLOGY = Path(__file__).parents[2] / "shared" / "data" / "hierarchies" / "go_2024-07-17_is_a_part_of.tsv"


@dataclass(frozen=True)
class Subject:
    """A hierarchy whose cells have several parents."""

    title: str
    description: str
    edges: Edges


def measure_dag_paths(*, nodes: int, rounds: int, say: Say) -> list[Finding]:
    """``dag``: a thousand random pairs, and a few by each of networkx's two algorithms, with and without lengths."""
    return [_measure(subject, lengths=lengths, rounds=rounds, say=say) for subject in _subjects(nodes) for lengths in WANTED]


def _subjects(nodes: int) -> Iterator[Subject]:
    made = make_dag(nodes, seed=0)
    yield Subject("a made ontology", f"a made ontology of {nodes:,} nodes and {len(made.parent):,} edges", made)
    if ONTOLOGY.exists():
        read = read_edges(ONTOLOGY)
        yield Subject("the Gene Ontology", f"the Gene Ontology, {read.count:,} nodes and {len(read.parent):,} edges", read)


def make_dag(nodes: int, *, seed: int) -> Edges:
    """Edges like those of an ontology: parents are earlier nodes, and the more likely the more children they have."""
    random = np.random.default_rng(seed)
    more = random.geometric(1 / EDGES_A_NODE, size=nodes - ROOTS)
    child = np.repeat(np.arange(ROOTS, nodes), more)
    other = (random.random(len(child)) * child).astype(np.int64)
    first_edge = np.concatenate([np.zeros(ROOTS, dtype=np.int64), np.cumsum(more) - more])
    parent, copied = other.copy(), (random.random(len(child)) < SIBLING_SHARE) & (other >= ROOTS)
    for edge in np.flatnonzero(copied).tolist():  # in order: the parents of an earlier node are known by then
        parent[edge] = parent[first_edge[other[edge]]]
    return Edges(nodes, parent, child)


def read_edges(path: Path) -> Edges:
    """Edges from a file with a line of headings, then a child and its parent, named, in each line."""
    pairs = np.array([line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines()[1:]])
    names, number = np.unique(pairs, return_inverse=True)
    child, parent = number.reshape(-1, 2).T
    return Edges(len(names), parent, child)


def _measure(subject: Subject, *, lengths: str, rounds: int, say: Say) -> Finding:
    plain, random = subject.edges, np.random.default_rng(0)
    own = None if lengths == "equal lengths" else random.exponential(size=len(plain.parent))
    columns = (plain.count, plain.parent, plain.child, own)
    graph = _as_networkx(Edges(*columns))
    searches = {"nx.dijkstra_path_length": nx.dijkstra_path_length, "nx.bidirectional_dijkstra": _bidirectional_length}
    rivals = [
        Rival(
            "pair_distances", lambda pairs: pair_distances(Edges(*columns), *pairs), prepare=lambda: _draw(random, plain, PAIRS)
        ),
        *(
            Rival(name, partial(_search, graph, search), prepare=lambda: _draw(random, plain, PAIRS_OF_NETWORKX))
            for name, search in searches.items()
        ),
    ]
    _check_agreement(Edges(*columns), graph, pairs=_draw(random, plain, PAIRS_OF_NETWORKX))
    say(f"path distances in {subject.description}, {lengths}: {', '.join(rival.name for rival in rivals)}")
    return _found(take_turns(rivals, rounds=rounds, say=say), subject=subject, lengths=lengths)


def _as_networkx(edges: Edges) -> nx.Graph:
    graph, arcs = nx.Graph(), edges.arcs
    graph.add_nodes_from(range(edges.count))
    ends = zip(arcs.tail.tolist(), arcs.head.tolist(), strict=True)
    if edges.length is None:
        graph.add_edges_from(ends)  # an edge without a weight is 1 long
    else:
        graph.add_weighted_edges_from((*pair, length) for pair, length in zip(ends, arcs.length.tolist(), strict=True))
    return graph


def _draw(random: np.random.Generator, edges: Edges, count: int) -> np.ndarray:
    return random.integers(edges.count, size=(2, count))


def _bidirectional_length(graph: nx.Graph, source: int, target: int) -> float:
    return nx.bidirectional_dijkstra(graph, source, target)[0]


def _search(graph: nx.Graph, search, pairs: np.ndarray) -> list[float]:
    return [_length(graph, search, first, second) for first, second in pairs.T.tolist()]


def _length(graph: nx.Graph, search, first: int, second: int) -> float:
    try:
        return search(graph, first, second)
    except nx.NetworkXNoPath:
        return np.nan


def _check_agreement(edges: Edges, graph: nx.Graph, *, pairs: np.ndarray) -> None:
    ours, theirs = pair_distances(edges, *pairs), np.array(_search(graph, nx.dijkstra_path_length, pairs))
    if not np.allclose(ours, theirs, rtol=AGREEMENT, equal_nan=True):
        raise AssertionError(f"networkx finds {theirs.tolist()} where pair_distances finds {ours.tolist()}")


def _found(seconds: dict[str, list[float]], *, subject: Subject, lengths: str) -> Finding:
    ours = [taken / PAIRS for taken in seconds["pair_distances"]]
    theirs = {name: [taken / PAIRS_OF_NETWORKX for taken in seconds[name]] for name in seconds if name.startswith("nx")}
    medians = " and ".join(f"{1000 * float(np.median(taken)):.3g} ms with `{name}`" for name, taken in theirs.items())
    return Finding(
        name="dag",
        title=f"path distances in {subject.title}, {lengths}, against `nx.dijkstra_path_length`, a pair",
        values=ratios(theirs["nx.dijkstra_path_length"], ours),
        wanted=Wanted("at least", WANTED[lengths]),
        ours=f"`shortest.pair_distances` of {PAIRS:,} random pairs in {subject.description}, from the columns of its edges on: "
        f"{1e6 * float(np.median(ours)):.3g} µs a pair",
        theirs=f"{PAIRS_OF_NETWORKX} random pairs a round in an `nx.Graph` that is ready: {medians}, a pair",
        remarks=(
            "what counts is the former, which looks from one end alone; the latter is "
            f"{float(np.median(ratios(theirs['nx.bidirectional_dijkstra'], ours))):,.1f} times as long as ours",
        ),
    )
