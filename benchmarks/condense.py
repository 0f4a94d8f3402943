"""Condense: a single linkage made shallow, against SciPy computing it."""

import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.formats.linkage import linkage_dag
from cfgraph.sources.condense import condense, cut_levels

MINIMUM, LEVELS = 25, 8


def measure_condense(*, points: int, rounds: int, say: Say) -> list[Finding]:
    """``condense``: the linkage matrix read and condensed, or cut at levels; SciPy's ``linkage(X, "single")`` beside it."""
    from scipy.cluster.hierarchy import linkage

    X = np.random.default_rng(0).standard_normal((points, 2))
    Z = linkage(X, "single")
    rivals = [
        Rival("condense", lambda _: condense(linkage_dag(Z), MINIMUM)),
        Rival("cut_levels", lambda _: cut_levels(linkage_dag(Z), LEVELS)),
        Rival("scipy linkage", lambda _: linkage(X, "single")),
    ]
    say(f"single linkage of {points:,} points: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    return [_found(way, seconds, points=points) for way in ("condense", "cut_levels")]


def _found(way: str, seconds: dict[str, list[float]], *, points: int) -> Finding:
    description = f"condensed to clusters of {MINIMUM}" if way == "condense" else f"cut at {LEVELS} levels"
    call = f"condense(linkage_dag(Z), {MINIMUM})" if way == "condense" else f"cut_levels(linkage_dag(Z), {LEVELS})"
    ours, theirs = (1000 * float(np.median(seconds[name])) for name in (way, "scipy linkage"))
    return Finding(
        name="condense",
        title=f"a single linkage of {points:,} points {description}, against SciPy computing it",
        values=ratios(seconds["scipy linkage"], seconds[way]),
        wanted=Wanted("at least", 1) if way == "condense" else None,
        ours=f"`{call}`, the check of the matrix included: {ours:.3g} ms",
        theirs=f'`scipy.cluster.hierarchy.linkage(X, "single")` of normally distributed points in the plane: {theirs:.3g} ms',
    )
