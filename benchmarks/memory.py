"""Memory: growth and path distances without a database, against numpy and against networkx."""

from dataclasses import fields
from functools import partial

import networkx as nx
import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Rival, Say, ratios, take_turns
from benchmarks.subject import forget_views, learn_rule, make_subject
from cfgraph.formats import to_networkx
from cfgraph.metric.distances import path_distances
from cfgraph.model.cells import Cells
from cfgraph.model.growth import grow

PAIRS = 1_000_000
PAIRS_OF_NETWORKX = 10  # a round
AGREEMENT = 1e-9


def measure_growth(*, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``growth``: a recurrence grows a prefix of depth 2, numpy copies the same bytes; both fill memory of their own."""
    subject = make_subject("bench", depth=2)
    rule = learn_rule("bench-rule", subject, depth=2).load().predict
    how = {"rule": rule, "arity": subject.arity, "scale_factor": subject.scale_factor, "depth": depth}
    output = _columns(grow(subject.cells, **how))
    rivals = [
        Rival("grow", lambda cells: grow(cells, **how), prepare=lambda: forget_views(subject).cells),
        Rival("numpy copy", lambda _: [np.copy(column) for column in output]),
        Rival("grow with addresses", lambda cells: _grow_addresses(cells, how), prepare=lambda: forget_views(subject).cells),
    ]
    count, size = len(output[0]), sum(column.nbytes for column in output)
    say(f"growing {count:,} cells in memory: {', '.join(rival.name for rival in rivals)}")
    return _found_growth(take_turns(rivals, rounds=rounds, say=say), count=count, size=size, depth=depth)


def _columns(cells: Cells) -> list[np.ndarray]:
    values = (getattr(cells, field.name) for field in fields(cells))
    return [value for value in values if isinstance(value, np.ndarray)]


def _grow_addresses(cells: Cells, how: dict) -> list[str]:
    return grow(cells, **how).addresses


def _found_growth(seconds: dict[str, list[float]], *, count: int, size: int, depth: int) -> list[Finding]:
    copy = seconds["numpy copy"]
    theirs = (
        f"`np.copy` of every column of the result, {size / 1e6:.0f} MB, into memory of its own as growth does: "
        f"{size / 1e9 / float(np.median(copy)):.2g} GB/s"
    )
    ours = f"`grow` with `recurrence` (arity 4, dimension 2) from a prefix of depth 2 to depth {depth}, {count:,} cells"
    titles = {"grow": "growth in memory", "grow with addresses": "growth in memory, with addresses"}
    return [
        Finding(
            name="growth",
            title=f"{title} against numpy copying the same bytes",
            values=ratios(copy, seconds[rival]),
            wanted=Wanted("at least", 0.15) if rival == "grow" else None,
            ours=f"{ours}{'' if rival == 'grow' else ', and `cells.addresses`'}: {rate(count, seconds[rival])} cells/s",
            theirs=theirs,
        )
        for rival, title in titles.items()
    ]


def measure_paths(*, depth: int, rounds: int, say: Say) -> list[Finding]:
    """``paths``: path distances of a million pairs, and of a few by each of networkx's two algorithms."""
    cells = make_subject("bench", depth=depth).cells
    graph = to_networkx(cells).to_undirected()
    random = np.random.default_rng(0)
    searches = {"nx.dijkstra_path_length": nx.dijkstra_path_length, "nx.bidirectional_dijkstra": _bidirectional_length}
    rivals = [
        Rival("path_distances", lambda pairs: path_distances(cells, *pairs), prepare=lambda: _draw(random, cells, PAIRS)),
        *(
            Rival(name, partial(_search, cells, graph, search), prepare=lambda: _draw(random, cells, PAIRS_OF_NETWORKX))
            for name, search in searches.items()
        ),
    ]
    for search in searches.values():
        _check_agreement(cells, graph, search, pairs=_draw(random, cells, PAIRS_OF_NETWORKX))
    say(f"path distances in a hierarchy of {len(cells):,} cells: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    return [_found_paths(seconds, searches=tuple(searches), count=len(cells))]


def _draw(random: np.random.Generator, cells: Cells, count: int) -> np.ndarray:
    return random.integers(len(cells), size=(2, count))


def _bidirectional_length(graph: nx.Graph, source: str, target: str) -> float:
    return nx.bidirectional_dijkstra(graph, source, target)[0]


def _search(cells: Cells, graph: nx.Graph, search, pairs: np.ndarray) -> list[float]:
    names = cells.addresses
    return [search(graph, names[first], names[second]) for first, second in pairs.T.tolist()]


def _check_agreement(cells: Cells, graph: nx.Graph, search, *, pairs: np.ndarray) -> None:
    ours, theirs = path_distances(cells, *pairs), np.array(_search(cells, graph, search, pairs))
    if not np.allclose(ours, theirs, rtol=AGREEMENT, atol=AGREEMENT):
        raise AssertionError(f"networkx finds {theirs.tolist()} where path_distances finds {ours.tolist()}")


def _found_paths(seconds: dict[str, list[float]], *, searches: tuple[str, ...], count: int) -> Finding:
    ours = [taken / PAIRS for taken in seconds["path_distances"]]
    theirs = {name: [taken / PAIRS_OF_NETWORKX for taken in seconds[name]] for name in searches}
    fastest = [min(taken) for taken in zip(*theirs.values(), strict=True)]
    medians = " and ".join(f"{1000 * float(np.median(taken)):.3g} ms with `{name}`" for name, taken in theirs.items())
    return Finding(
        name="paths",
        title="path distances against networkx's Dijkstra, a pair",
        values=ratios(fastest, ours),
        wanted=Wanted("at least", 1000),
        ours=f"`metric.path_distances` of {PAIRS:,} random pairs in a hierarchy of {count:,} cells: "
        f"{1e6 * float(np.median(ours)):.3g} µs a pair",
        theirs=f"{PAIRS_OF_NETWORKX} random pairs a round in the undirected graph of the same hierarchy: {medians}, a pair; "
        "what counts is the faster one of each round",
    )
