"""Purity: dendrogram purity against higra's on a tree of merges of two, and against itself on wider and wider cells."""

from functools import partial

import numpy as np

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.judging.against_data import dendrogram_purity
from cfgraph.judging.dendrogram import Dendrogram

CLASSES = 100
TIMES_WIDE = 10  # a star takes some milliseconds: as often in a round
KEPT_NUMBERS = 1 << 21  # 16 MB
AGREEMENT = 1e-9


def measure_purity(*, leaves: int, rounds: int, say: Say) -> list[Finding]:
    """``purity``: from a column of parents to the number, so that the tree is made anew by both in each round."""
    return [*_measure_binary(leaves, rounds=rounds, say=say), _measure_wide(leaves, rounds=rounds, say=say)]


def _measure_binary(leaves: int, *, rounds: int, say: Say) -> list[Finding]:
    findings = []
    for name, above in (("balanced", _balanced(leaves)), ("a chain of merges", _chain(leaves))):
        label = _labels(leaves)
        rivals = [Rival("cfgraph", partial(_ours, above, label)), Rival("higra", partial(_theirs, above, label))]
        ours, theirs = (rival.work(None) for rival in rivals)
        if abs(ours - theirs) > AGREEMENT:
            raise AssertionError(f"higra finds {theirs} where dendrogram_purity finds {ours}")
        say(f"dendrogram purity of {leaves:,} leaves in merges of two, {name}, {CLASSES} classes")
        findings.append(_found_binary(take_turns(rivals, rounds=rounds, say=say), leaves=leaves, name=name))
    return findings


def _balanced(leaves: int) -> np.ndarray:
    """Parents as higra has them: leaves first, the root last and its own parent; merge i takes the two that wait longest."""
    above = leaves + np.arange(2 * leaves - 1) // 2
    above[-1] = 2 * leaves - 2
    return above


def _chain(leaves: int) -> np.ndarray:
    """Merge i takes merge i - 1 and leaf i + 1: as deep as a tree can be."""
    above = np.concatenate([[0], np.arange(leaves - 1), np.arange(1, leaves)]) + leaves
    above[-1] = 2 * leaves - 2
    return above


def _labels(points: int) -> np.ndarray:
    return np.random.default_rng(0).integers(CLASSES, size=points)


def _ours(above: np.ndarray, label: np.ndarray, _: object) -> float:
    parent = len(above) - 1 - above[::-1]
    parent[0] = -1
    return dendrogram_purity(Dendrogram(parent, len(above) - 1 - np.arange(len(label))), label)


def _theirs(above: np.ndarray, label: np.ndarray, _: object) -> float:
    import higra

    return float(higra.dendrogram_purity(higra.Tree(above), label))


def _found_binary(seconds: dict[str, list[float]], *, leaves: int, name: str) -> Finding:
    ours, theirs = (1000 * float(np.median(seconds[rival])) for rival in ("cfgraph", "higra"))
    return Finding(
        name="purity",
        title=f"dendrogram purity against higra's, merges of two, {name}",
        values=ratios(seconds["higra"], seconds["cfgraph"]),
        wanted=Wanted("at least", 0.5),
        ours=f"`Dendrogram` and `judging.dendrogram_purity`, {leaves:,} leaves, {CLASSES} random classes: {ours:.3g} ms",
        theirs=f"`higra.Tree` and `higra.dendrogram_purity` of the same parents and labels, the same number: {theirs:.3g} ms",
    )


def _star_purity(children: int, label: np.ndarray, _: object) -> list[float]:
    parent, point = np.concatenate([[-1], np.zeros(children, dtype=np.int64)]), np.arange(1, children + 1)
    return [dendrogram_purity(Dendrogram(parent, point), label) for _ in range(TIMES_WIDE)]


def _free_much() -> None:
    """Free an array larger than any that is measured: glibc then keeps what is freed, for stars of either size."""
    np.ones(KEPT_NUMBERS)


def _measure_wide(leaves: int, *, rounds: int, say: Say) -> Finding:
    """A star with twice the children against one with half of them: about 2 where the way is linear, 4 where quadratic."""
    rivals = []
    for children in (leaves // 2, leaves):
        work = partial(_star_purity, children, _labels(children))
        rivals.append(Rival(f"{children} children", work, prepare=_free_much))
    say(f"dendrogram purity of stars of {leaves // 2:,} and {leaves:,} children")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    half, whole = (seconds[rival.name] for rival in rivals)
    return Finding(
        name="purity",
        title="dendrogram purity of a star, the time for twice the children",
        values=ratios(whole, half),
        wanted=Wanted("at most", 2.6),
        ours=f"{leaves:,} children of one cell, {CLASSES} classes drawn at random: {_milliseconds(whole):.3g} ms",
        theirs=f"{leaves // 2:,} children: {_milliseconds(half):.3g} ms; higra's time is quadratic in the children",
    )


def _milliseconds(seconds: list[float]) -> float:
    return 1000 * float(np.median(seconds)) / TIMES_WIDE
