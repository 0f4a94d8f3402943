"""Codec: points as the addresses of their cells, beside Faiss's residual quantizer at equal bits: error, and time to encode."""

from collections.abc import Iterator
from functools import partial
from math import log2
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.finding import Finding
from benchmarks.rounds import Rival, Say, ratios, take_turns
from benchmarks.search import EMBEDDINGS, HELD_OUT
from cfgraph import sources
from cfgraph.metric.locate import locate
from cfgraph.model.cells import Cells

ARITY = 4  # two bits a level
LEVELS = (4, 6)  # of fields
FIELD_DEPTH, FIELD_POINTS = 10, 20_000  # the cells whose centers are to be encoded, and how many of them
DATA_LEVELS = 5  # of trees of data
BEAMS = (1, 4)


class Task(NamedTuple):
    """Points to encode, others of their kind to learn from, and the cells whose addresses are the codes."""

    name: str
    cells: Cells
    levels: int
    known: np.ndarray
    asked: np.ndarray
    learned: bool  # whether the cells were learned from the known points, as Faiss learns; else they follow from the rule

    @property
    def bits(self) -> int:
        """What an address costs."""
        return round(self.levels * log2(ARITY))


def measure_codec(*, rounds: int, say: Say) -> list[Finding]:
    """``codec``: fields, digits, and embeddings of CIFAR-100 where these lie beside the project."""
    try:
        import faiss
    except ImportError:
        say("codec: left out, since faiss-cpu is not installed")
        return []
    faiss.omp_set_num_threads(1)
    return [finding for task in _tasks(say=say) for finding in _judge(task, rounds=rounds, say=say)]


def _tasks(*, say: Say) -> Iterator[Task]:
    for name, deep in (
        ("koch", sources.ifs(id="koch", maps="koch", depth=FIELD_DEPTH)),
        ("a smooth field", sources.cfg(id="smooth", arity=ARITY, depth=FIELD_DEPTH)),
    ):
        last = deep.cells.center[deep.cells.level_rows(FIELD_DEPTH)]
        some = np.random.default_rng(0).choice(len(last), 2 * FIELD_POINTS, replace=False)
        for levels in LEVELS:
            both = last[some[:FIELD_POINTS]], last[some[FIELD_POINTS:]]
            yield Task(name, deep.cells.prefix(levels), levels, *both, learned=False)
    for name, data in _data(say=say):
        order = np.random.default_rng(0).permutation(len(data))
        asked = min(HELD_OUT, len(data) // 4)
        known = data[order[asked:]]
        say(f"codec: a tree of {name}")
        tree = sources.points(id="tree", data=known, arity=ARITY, depth=DATA_LEVELS, duplicates="keep")
        yield Task(name, tree.cells, DATA_LEVELS, known, data[order[:asked]], learned=True)


def _data(*, say: Say) -> Iterator[tuple[str, np.ndarray]]:
    from sklearn.datasets import load_digits

    yield "digits", load_digits().data
    if not EMBEDDINGS.exists():
        say("codec: embeddings of CIFAR-100 are left out, since they are not there")
        return
    with np.load(EMBEDDINGS, allow_pickle=False) as file:
        yield "CIFAR-100 embeddings", file["emb64"].astype(np.float64)


def _judge(task: Task, *, rounds: int, say: Say) -> Iterator[Finding]:
    say(f"codec: {task.name}, {task.bits} bits")
    quantizers = {(stages, bits): _trained(task, stages=stages, bits=bits) for stages, bits in _shapes(task.bits)}
    queries = task.asked.astype(np.float32)
    errors = {shape: _error(task, one.decode(one.compute_codes(queries))) for shape, one in quantizers.items()}
    best = min(errors, key=lambda shape: errors[shape])
    ours = {beam: _error(task, task.cells.center[locate(task.cells, task.asked, beam=beam)]) for beam in BEAMS}
    seconds = take_turns(
        [
            Rival("cfgraph", lambda _: locate(task.cells, task.asked)),
            Rival("Faiss", partial(_codes, quantizers[best], queries)),
        ],
        rounds=rounds,
        say=say,
    )
    told = {name: f"{1000 * median(taken):.3g} ms" for name, taken in seconds.items()}
    how = f"learned from {len(task.known):,} other points" if task.learned else "which follow from the rule"
    mine = (
        f"`locate` of {len(task.asked):,} points among cells down to level {task.levels}, arity {ARITY}, {how}: error "
        f"{', '.join(f'{error:.4g} with a beam of {beam}' for beam, error in ours.items())}; {told['cfgraph']} with a beam of 1"
    )
    their = (
        f"`faiss.ResidualQuantizer` of {task.bits} bits, learned from {len(task.known):,} other points, on one thread: error "
        f"{', '.join(f'{error:.4g} in {stages} x {bits} bits' for (stages, bits), error in errors.items())}; "
        f"{told['Faiss']} in {best[0]} x {best[1]}"
    )
    remark = "errors are mean squared errors over the variance of the points"
    titled = [
        *(
            (f"error, a beam of {beam}, over that of Faiss's residual quantizer", (error / errors[best],))
            for beam, error in ours.items()
        ),
        ("speed of encoding, a beam of 1, against Faiss's", ratios(seconds["Faiss"], seconds["cfgraph"])),
    ]
    for title, values in titled:
        yield Finding("codec", f"{task.name} in {task.bits} bits: {title}", values, None, mine, their, remarks=(remark,))


def _shapes(bits: int) -> Iterator[tuple[int, int]]:
    """Stages and bits of each: as a hierarchy has them, and two at once where that goes."""
    yield bits // 2, 2
    yield 2, bits // 2
    if bits <= 10:
        yield 1, bits


def _trained(task: Task, *, stages: int, bits: int) -> Any:
    import faiss

    quantizer = faiss.ResidualQuantizer(task.known.shape[1], stages, bits)
    quantizer.train(task.known.astype(np.float32))
    return quantizer


def _codes(quantizer: Any, queries: np.ndarray, _: object) -> object:
    return quantizer.compute_codes(queries)


def _error(task: Task, decoded: np.ndarray) -> float:
    spread = ((task.asked - task.asked.mean(axis=0)) ** 2).sum(axis=1).mean()
    return float(((task.asked - decoded) ** 2).sum(axis=1).mean() / spread)
