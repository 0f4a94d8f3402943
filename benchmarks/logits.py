"""Logits: the merges of a classifier's classes, against a transcription of the method to numpy; and their memory."""

import heapq
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.special import softmax

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, ratios, take_turns
from cfgraph.sources.logits import Merges, merge_logits

SHAPE, SHAPE_QUICK = (50_000, 1_000), (2_000, 100)
DIMENSION = 64  # of the features that the logits are made of
SPREADS = (1.0, 0.8, 0.6)  # of the classes: of ten clusters, of ten clusters in each, of the classes in each
NOISE, TEMPERATURE = 0.9, 0.35
DECIMALS, TIE = 12, 1e-12  # what a tie is, as cfgraph.sources.logits has it
AGREEMENT = 1e-9
TRANSCRIPTIONS = {"numpy transcription": False, "numpy transcription in place": True}
TYPES = ("float32", "float64")

# A process of its own, so that its memory is its own. VmHWM and not ru_maxrss, which a child inherits from its parent.
PROGRAM = """
import json, resource, sys
from pathlib import Path
from cfgraph.sources.logits import merge_logits, read_logits
values = read_logits(sys.argv[1]).values
merge_logits(values)
status = Path("/proc/self/status")
if status.exists():
    peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"peak": peak, "input": values.nbytes, "type": str(values.dtype)}))
"""


def measure_logits(*, shape: tuple[int, int], rounds: int, say: Say) -> list[Finding]:
    """``logits``: `merge_logits` and the transcription take turns on the same array; then the peak memory of processes."""
    logits = make_logits(*shape)
    rivals = [
        Rival("merge_logits", lambda _: merge_logits(logits)),
        *(Rival(name, lambda _, tuned=tuned: transcribe(logits, tuned=tuned)) for name, tuned in TRANSCRIPTIONS.items()),
    ]
    for tuned in TRANSCRIPTIONS.values():
        _check_agreement(merge_logits(logits), transcribe(logits, tuned=tuned))
    say(f"merging by logits, {shape[0]:,} x {shape[1]:,}: {', '.join(rival.name for rival in rivals)}")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    return [*_found_speed(seconds, shape=shape), *_measure_memory(logits, say=say)]


def make_logits(points: int, classes: int, *, seed: int = 0) -> np.ndarray:
    """Seeded logits in float32 of classes in clusters in clusters: features with noise, times the classes' directions."""
    random = np.random.default_rng(seed)
    per_cluster = max(1, classes // 10), max(1, classes // 100), 1
    directions = np.zeros((classes, DIMENSION))
    for spread, width in zip(SPREADS, per_cluster, strict=True):
        centers = random.normal(size=(-(-classes // width), DIMENSION))
        directions += spread * np.repeat(centers, width, axis=0)[:classes]
    directions = (directions / np.sqrt(np.mean(directions**2))).astype(np.float32)
    features = directions[random.integers(classes, size=points)]
    features += NOISE * random.normal(size=features.shape).astype(np.float32)
    return features @ directions.T * np.float32(TEMPERATURE)


def transcribe(logits: np.ndarray, *, tuned: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The method as it is described, a merge at a time in float64: pairs of ids, heights, affinities.

    Masked rows go through SciPy's softmax; ``tuned`` works in place instead, without the quotients that nobody reads.
    """
    values = logits.astype(np.float64)
    probabilities = softmax(values, axis=1)
    count, predicted = values.shape[1], values.argmax(axis=1)
    points = np.bincount(predicted, minlength=count)
    ends = np.cumsum(points)[:-1]
    means = np.bincount(predicted, weights=probabilities.max(axis=1), minlength=count) / np.maximum(points, 1)
    scores = means.round(DECIMALS).tolist()
    queue = [(score, number) for number, score in enumerate(scores)]
    heapq.heapify(queue)
    members, rows = [np.array([number]) for number in range(count)], np.split(np.argsort(predicted, kind="stable"), ends)
    group_of_class, size = np.arange(count), np.repeat([1, 0], [count, count - 1])  # by id
    pairs, heights, affinities = [], [], []
    for new in range(count, 2 * count - 1):
        score, group = heapq.heappop(queue)
        while size[group] == 0:
            score, group = heapq.heappop(queue)
        gains = _gains(values, probabilities, rows=rows[group], inside=members[group], tuned=tuned)
        means = np.bincount(group_of_class, weights=gains, minlength=len(size)) / np.maximum(size, 1)
        means[(size == 0) | (np.arange(len(size)) == group)] = -1
        other = int(np.argmax(means >= means.max() * (1 - TIE)))
        pairs.append((group, other))
        heights.append(score)
        affinities.append(means[other])
        members.append(np.concatenate([members[group], members[other]]))
        rows.append(np.sort(np.concatenate([rows[group], rows[other]])))
        scores.append(round(scores[group] + scores[other], DECIMALS))
        group_of_class[members[new]] = new
        size[[group, other, new]] = 0, 0, len(members[new])
        heapq.heappush(queue, (scores[new], new))
    return np.array(pairs), np.array(heights), np.array(affinities)


def _gains(values: np.ndarray, probabilities: np.ndarray, *, rows: np.ndarray, inside: np.ndarray, tuned: bool) -> np.ndarray:
    gains = np.zeros(values.shape[1])
    if len(rows):
        masked = values[rows]
        masked[:, inside] = -np.inf
        best = masked.argmax(axis=1)
        highest = masked[np.arange(len(rows)), best]
        there = np.flatnonzero(highest > -np.inf)
        if len(there) < len(rows):
            masked, best, highest = masked[there], best[there], highest[there]
        share = _share_tuned(masked, highest) if tuned else softmax(masked, axis=1)[np.arange(len(masked)), best]
        gains = np.bincount(best, weights=share, minlength=len(gains)).astype(float)
    return gains if gains.any() else probabilities[:, inside].sum(axis=1) @ probabilities


def _share_tuned(masked: np.ndarray, highest: np.ndarray) -> np.ndarray:
    masked -= highest[:, None]
    return 1 / np.exp(masked, out=masked).sum(axis=1)


def _check_agreement(ours: Merges, theirs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    pairs, heights, affinities = theirs
    if not (np.column_stack([ours.group, ours.other]) == pairs).all():
        raise AssertionError(f"merge_logits and the transcription differ first in merge {_first(ours, pairs)}")
    np.testing.assert_allclose(ours.height, heights, rtol=AGREEMENT)
    np.testing.assert_allclose(ours.affinity, affinities, rtol=AGREEMENT)


def _first(ours: Merges, pairs: np.ndarray) -> int:
    return int(np.flatnonzero((np.column_stack([ours.group, ours.other]) != pairs).any(axis=1))[0])


def _found_speed(seconds: dict[str, list[float]], *, shape: tuple[int, int]) -> list[Finding]:
    ours, cores = seconds["merge_logits"], len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    described = {
        "numpy transcription": "the method's description in numpy and float64, a merge at a time, the rows of each group and "
        "the queue kept: the group's rows taken, masked and put through `scipy.special.softmax`",
        "numpy transcription in place": "the same, but exponentiated in place and added up, without the quotients that are "
        "not looked at; more than a transcription",
    }
    return [
        Finding(
            name="logits",
            title=f"merges of classes by logits against a {name}",
            values=ratios(seconds[name], ours),
            wanted=None if tuned else Wanted("at least", 3),
            ours=f"`merge_logits` of {shape[0]:,} x {shape[1]:,} seeded logits in float32, of classes in clusters in clusters, "
            f"on {cores} cores: {float(np.median(ours)):.3g} s",
            theirs=f"{described[name]}: {float(np.median(seconds[name])):.3g} s",
            remarks=("Both make the same merges, which is checked; heights and affinities agree within 1e-9.",),
        )
        for name, tuned in TRANSCRIPTIONS.items()
    ]


def _measure_memory(logits: np.ndarray, *, say: Say) -> list[Finding]:
    found = []
    with TemporaryDirectory(prefix="cfgraph-bench-") as folder:
        for kind in TYPES:
            path = Path(folder) / f"{kind}.npy"
            np.save(path, logits.astype(kind))
            output = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, stdout=subprocess.PIPE).stdout
            done = json.loads(output)
            path.unlink()
            say(f"  peak memory with {kind}: {done['peak'] / 1e6:.0f} MB of which the input is {done['input'] / 1e6:.0f} MB")
            found.append(_found_memory(done))
    return found


def _found_memory(done: dict) -> Finding:
    return Finding(
        name="logits",
        title=f"peak memory of merging by {done['type']} logits over that of the logits",
        values=(done["peak"] / done["input"],),
        wanted=Wanted("at most", 2.5),
        ours=f"resident memory of a process that reads {done['input'] / 1e6:.0f} MB from a .npy file and merges: "
        f"{done['peak'] / 1e6:.0f} MB, the input and Python with its libraries included",
        theirs="the size of the array",
    )
