"""Search: the ten nearest points found through a hierarchy, beside a look at all of them, and Faiss's IVF at the same cost."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.defaults import NEIGHBOURS, SEARCH_BEAM
from cfgraph.metric.retrieval import Neighbours, PointIndex
from cfgraph.sources.points import points

EMBEDDINGS = Path(__file__).parents[2] / "shared" / "data" / "cifar100_test_emb_r20.npz"
HELD_OUT = 1_000  # rows that are queries, and no hierarchy saw
SPLITS = range(3)
ARITY, DEPTH = 8, 3
IVF = "Faiss's IVF"
LISTS = (64, 95, 128, 256)  # of IVF; the second is the square root of the points, the usual advice


class Split(NamedTuple):
    """Points, queries, and what was found of the former."""

    data: np.ndarray
    queries: np.ndarray
    index: PointIndex
    every: Neighbours
    found: Neighbours

    def share(self, *counts: np.ndarray) -> float:
        """Some counts of a query, the mean, as a share of the points."""
        return float(sum(count.mean() for count in counts) / len(self.data))

    @property
    def cost(self) -> float:
        """The share of points and centers compared."""
        return self.share(self.found.looked_at, self.found.compared)


def measure_search(*, rounds: int, say: Say) -> list[Finding]:
    """``search``: recall, and what is looked at, of embeddings of CIFAR-100 where these lie beside the project."""
    if not EMBEDDINGS.exists():
        say("search: left out, since the embeddings of CIFAR-100 are not there")
        return []
    try:
        import faiss
    except ImportError:
        say("search: left out, since faiss-cpu is not installed")
        return []
    faiss.omp_set_num_threads(1)
    with np.load(EMBEDDINGS, allow_pickle=False) as file:
        data = file["emb64"].astype(np.float64)
    splits = []
    for seed in SPLITS:
        say(f"search: split {seed}, a tree of {len(data) - HELD_OUT:,} embeddings, arity {ARITY}, depth {DEPTH}")
        splits.append(_split(data, seed=seed))
    return [*_found(splits), *_timed(splits[0], rounds=rounds, say=say)]


def _split(data: np.ndarray, *, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(len(data))
    queries, known = data[order[:HELD_OUT]], data[order[HELD_OUT:]]
    tree = points(id="tree", data=known, depth=DEPTH, arity=ARITY, duplicates="keep", seed=seed)
    index = PointIndex.of(tree.cells, values=known, cell_of_point=tree.cell_of_point)
    return Split(known, queries, index, index.scan(queries), index.search(queries))


def _found(splits: list[Split]) -> Iterator[Finding]:
    looked = [split.share(split.found.looked_at) for split in splits]
    costs = [split.cost for split in splits]
    rivals = [_best_ivf(split) for split in splits]
    ours = (
        f"`ingest points --arity {ARITY} --depth {DEPTH}` of {len(splits[0].data):,} embeddings, {HELD_OUT:,} others asked, "
        f"three splits; `search` with its beam of {SEARCH_BEAM}: looked at {_shares(looked)} of the points, "
        f"{_shares(costs)} with the centers of cells"
    )
    theirs = (
        f"`IndexIVFFlat`, the best of {', '.join(map(str, LISTS))} lists at the first number of probes that looks at no less, "
        f"centroids included ({_shares([rival.cost for rival in rivals])}): recall "
        f"{', '.join(f'{rival.recall:.3f}' for rival in rivals)}"
    )
    recall = tuple(split.found.recall(split.every) for split in splits)
    name, titled = f"recall@{NEIGHBOURS}", "of CIFAR-100 embeddings"
    yield Finding("search", f"{name}, a score, {titled}", recall, Wanted("at least", 0.95), ours, theirs)
    yield Finding(
        "search",
        f"the share of the points looked at for it, {titled}",
        tuple(100 * share for share in looked),
        Wanted("at most", 10),
        ours,
        theirs,
        unit=" %",
    )
    yield Finding(
        "search",
        f"{name} over that of Faiss's IVF which looks at as much, {titled}",
        tuple(one / rival.recall for one, rival in zip(recall, rivals, strict=True)),
        None,
        ours,
        theirs,
    )


def _shares(values: list[float]) -> str:
    return ", ".join(f"{value:.1%}" for value in values)


class Ivf(NamedTuple):
    """A search of Faiss's, how much it found and looked at."""

    lists: int
    probes: int
    recall: float
    cost: float


def _best_ivf(split: Split) -> Ivf:
    """The best of several numbers of lists, each with the fewest probes that cost no less than ours."""
    return max((_ivf_at(split, lists=lists) for lists in LISTS), key=lambda found: found.recall)


def _ivf_at(split: Split, *, lists: int) -> Ivf:
    import faiss

    index, counted = _ivf(split, lists=lists), faiss.cvar.indexIVF_stats
    for probes in range(1, lists + 1):
        index.nprobe = probes
        counted.reset()
        _, rows = index.search(split.queries.astype(np.float32), NEIGHBOURS)
        cost = counted.ndis / len(split.queries) / len(split.data) + lists / len(split.data)
        if cost >= split.cost:
            break
    hits = [len(set(one) & set(other)) for one, other in zip(rows.tolist(), split.every.row.tolist(), strict=True)]
    return Ivf(lists, probes, float(np.mean(hits)) / NEIGHBOURS, float(cost))


def _ivf(split: Split, *, lists: int) -> Any:
    import faiss

    data = split.data.astype(np.float32)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(data.shape[1]), data.shape[1], lists)
    index.train(data)
    index.add(data)
    return index


def _timed(split: Split, *, rounds: int, say: Say) -> Iterator[Finding]:
    """The time of a search beside a scan, and beside IVF, on one thread each."""
    from threadpoolctl import threadpool_limits

    rival = _best_ivf(split)
    ivf, queries = _ivf(split, lists=rival.lists), split.queries.astype(np.float32)
    ivf.nprobe = rival.probes
    rivals = [
        Rival("cfgraph", lambda _: split.index.search(split.queries)),
        Rival("a scan", lambda _: split.index.scan(split.queries)),
        Rival(IVF, partial(_searched, ivf, queries)),
    ]
    say(f"search: {HELD_OUT:,} queries")
    with threadpool_limits(limits=1):
        seconds = take_turns(rivals, rounds=rounds, say=say)
    told = {name: f"{1000 * median(taken):.3g} ms" for name, taken in seconds.items()}
    beside = f"{rival.lists} lists, {rival.probes} probes, floats of 32 bits, one thread"
    for name, what in (
        ("a scan", f"`PointIndex.scan`, which looks at all {len(split.data):,} points by one matrix product: {told['a scan']}"),
        (IVF, f"{beside}: {told[IVF]}"),
    ):
        yield Finding(
            "search",
            f"a search for the {NEIGHBOURS} nearest of CIFAR-100 embeddings against {name}",
            ratios(seconds[name], seconds["cfgraph"]),
            None,
            f"`PointIndex.search`, {HELD_OUT:,} queries, floats of 64 bits: {told['cfgraph']}",
            what,
        )


def _searched(ivf: Any, queries: np.ndarray, _: object) -> object:
    return ivf.search(queries, NEIGHBOURS)
