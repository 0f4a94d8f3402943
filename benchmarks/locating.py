"""Locating: 100,000 points down to level 12 of koch, and the nearest of its 16.7 million cells, against SciPy's k-d tree.

The tree needs the centers, which are made before and not timed; a field needs none.
"""

import tracemalloc
from collections.abc import Callable

import numpy as np

from benchmarks.finding import Finding, Wanted, rate
from benchmarks.rounds import Rival, Say, ratios, take_turns
from benchmarks.subject import learn_rule, make_subject
from cfgraph.learning.train import train
from cfgraph.model.field import Field
from cfgraph.sources.any_depth import field

OFF = (
    1e-6  # how far points are from some center: a k-d tree is some hundred times slower where they are farther than cells apart
)
PREFIX = 3
SLOW_POINTS = 10_000  # of a network


def measure_locating(*, depth: int, points: int, rounds: int, say: Say) -> list[Finding]:
    """``locating``: maps, a recurrence and a network locate; maps find the nearest; the tree is built, and queried."""
    from scipy.spatial import cKDTree

    subject = make_subject("bench", depth=PREFIX)
    maps = field("koch")
    fields = {"maps": maps, "recurrence": field(subject, predictor=learn_rule("bench-rule", subject, depth=PREFIX).load())}
    network = field(subject, predictor=train(subject, id="bench-mlp", depth=PREFIX, family="mlp").load())
    centers = _centers(maps, depth)
    random = np.random.default_rng(0)
    x = centers[random.integers(len(centers), size=points)] + OFF * random.normal(size=(points, 2))
    tree = cKDTree(centers)
    _check(maps, x[:1000], depth, tree)
    rivals = [
        *(Rival(name, lambda _, one=one: one.locate(x, depth=depth)) for name, one in fields.items()),
        Rival("nearest", lambda _: maps.nearest(x, depth=depth)),
        Rival("mlp", lambda _: network.locate(x[:SLOW_POINTS], depth=depth)),
        Rival("k-d query", lambda _: tree.query(x)),
        Rival("k-d build", lambda _: cKDTree(centers)),
    ]
    say(f"{points:,} points among {len(centers):,} cells: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    peaks = {name: _working_memory(lambda one=one: one.locate(x, depth=depth)) for name, one in fields.items()}
    peaks["nearest"] = _working_memory(lambda: maps.nearest(x, depth=depth))
    return _found(seconds, peaks, points=points, cells=len(centers), depth=depth)


def _centers(maps: Field, depth: int) -> np.ndarray:
    """All centers of a level: the rows of U B_w along all ways, summed."""
    descent = maps.descent
    center, scale = np.array(maps.cells(["/"]).center), 1.0
    composed = np.eye(center.shape[1])[None]
    for level in range(depth):
        center = (center[:, None] + scale * (descent.displacement @ composed)).reshape(-1, center.shape[1])
        scale *= descent.scale_factor
        if level + 1 < depth:
            composed = (descent.turn @ composed[:, None]).reshape(-1, *composed.shape[1:])
    return center


def _check(maps: Field, x: np.ndarray, depth: int, tree: object) -> None:
    ours, theirs = maps.nearest(x, depth=depth).distance, tree.query(x)[0]
    if not np.allclose(ours, theirs, rtol=0, atol=1e-14):
        raise AssertionError(f"the k-d tree finds another nearest: {np.abs(ours - theirs).max()} apart")


def _working_memory(ask: Callable[[], object]) -> float:
    """What is held at once beside the answer, in MB."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        answer = ask()
        after, peak = tracemalloc.get_traced_memory()
        del answer
        return (peak - max(after, before)) / 1e6
    finally:
        tracemalloc.stop()


def _found(seconds: dict[str, list[float]], peaks: dict[str, float], *, points: int, cells: int, depth: int) -> list[Finding]:
    query = seconds["k-d query"]
    both = [one + other for one, other in zip(query, seconds["k-d build"], strict=True)]
    tree = "`scipy.spatial.cKDTree`"
    found = []
    for name in ("maps", "recurrence"):
        ours = f"`field.locate` of {points:,} points by {name} to level {depth} of koch: {rate(points, seconds[name])} points/s"
        against = [
            (
                "SciPy's k-d tree, built and queried",
                both,
                10,
                f"{tree} of all {cells:,} centers, and its `query`",
            ),
            ("a query of SciPy's k-d tree", query, 0.5, f"{tree}'s `query` alone: {rate(points, query)} points/s"),
        ]
        found += [
            Finding(
                name="locating",
                title=f"locate by {name} against {title}",
                values=ratios(theirs, seconds[name]),
                wanted=Wanted("at least", wanted),
                ours=ours,
                theirs=text,
            )
            for title, theirs, wanted, text in against
        ]
    found.append(
        Finding(
            name="locating",
            title="the nearest cell against a query of SciPy's k-d tree",
            values=ratios(query, seconds["nearest"]),
            wanted=Wanted("at least", 0.05),
            ours=f"`field.nearest` by maps, exact: {rate(points, seconds['nearest'])} points/s",
            theirs=f"{tree}'s `query`, the same question: {rate(points, query)} points/s",
        )
    )
    a_point = [taken / min(points, SLOW_POINTS) for taken in seconds["mlp"]]
    found.append(
        Finding(
            name="locating",
            title="locate by mlp against a query of SciPy's k-d tree, a point",
            values=ratios([taken / points for taken in query], a_point),
            wanted=None,
            ours=f"`field.locate` of {min(points, SLOW_POINTS):,} of these points by a network of default size",
            theirs=f"{tree}'s `query`",
        )
    )
    found += [
        Finding(
            name="locating",
            title=f"working memory of {'nearest' if name == 'nearest' else f'locate by {name}'}",
            values=(peak,),
            wanted=Wanted("at most", 50),
            unit=" MB",
            ours=f"the most that is allocated at once for {points:,} points, without the answer (`tracemalloc`)",
            theirs="nothing: a size",
        )
        for name, peak in peaks.items()
    ]
    return found
