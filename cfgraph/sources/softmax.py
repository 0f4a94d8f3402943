"""Softmax over the rows of a large array of logits: in float64, in chunks of rows, without ever copying the array.

Arrays are float16, float32 or float64 and stay so; a chunk's exponentials are float64 and stay in a processor's cache.
Minus infinity is a probability of 0. The largest of a row is found among the logits themselves, where nothing was rounded.
Rows are shared out to threads, since numpy computes without Python's lock; a row's numbers depend on no other row.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

_NUMBERS = 1 << 16  # in a chunk: 512 KB of exponentials
_NUMBERS_OF_PRODUCTS = 1 << 20  # in a chunk that is multiplied with itself: matrix products want many rows
_CHUNKS_OF_A_PART = 4  # at least; a thread is worth no less
_FAINT = 1e-280  # an exponential below this may have lost digits, or neighbours that count beside it


@dataclass(frozen=True, eq=False)
class Predictions:
    """What each row says by itself; ties go to the lowest class."""

    highest: Float[np.ndarray, " points"]  # the largest logit; NaN where one is NaN
    lowest: Float[np.ndarray, " points"]
    predicted: Int[np.ndarray, " points"]  # h, the class of the largest logit
    probability: Float[np.ndarray, " points"]  # g, that of h
    second: Int[np.ndarray, " points"]  # the class of the largest logit but that of h
    second_share: Float[np.ndarray, " points"]  # its probability among the classes but h; 0 where none of them is possible


def predict(logits: Float[np.ndarray, "points classes"]) -> Predictions:
    """Class and probability of each row, and the same again over the other classes; there must be two at least.

    Rows that hold NaN or plus infinity, or minus infinity alone, get no numbers of use: ``highest`` tells them.
    """
    count, classes = logits.shape
    found = Predictions(
        highest=np.empty(count),
        lowest=np.empty(count),
        predicted=np.empty(count, dtype=np.int64),
        probability=np.empty(count),
        second=np.empty(count, dtype=np.int64),
        second_share=np.empty(count),
    )
    step = _step(_NUMBERS, classes)

    def predict_part(rows: range) -> None:
        exponentials = np.empty((step, classes))
        with np.errstate(invalid="ignore", divide="ignore"):  # of this thread
            for part in _slices(rows, step):
                _predict_chunk(logits[part].astype(_working_type(logits)), exponentials, found=found, rows=part)

    with ThreadPoolExecutor(_threads()) as pool:
        _share_out(pool, predict_part, count=count, step=step)
    return found


def _predict_chunk(
    chunk: Float[np.ndarray, "rows classes"], exponentials: np.ndarray, *, found: Predictions, rows: slice
) -> None:
    each, numbers = np.arange(len(chunk)), exponentials[: len(chunk)]
    first = chunk.argmax(axis=1)  # where a row holds NaN: its place
    highest = chunk[each, first]
    _exponentiate(chunk, highest, out=numbers)
    found.lowest[rows] = chunk.min(axis=1)
    chunk[each, first] = -np.inf
    numbers[each, first] = 0
    rest = numbers.sum(axis=1)  # all but the 1 of the predicted class: 1 - its probability would have lost digits
    second = chunk.argmax(axis=1)
    share = numbers[each, second] / rest
    faint = np.flatnonzero(~(numbers[each, second] >= _FAINT))
    share[faint] = _share_of_highest(chunk[faint], second[faint])
    found.highest[rows], found.predicted[rows], found.probability[rows] = highest, first, 1 / (1 + rest)
    found.second[rows], found.second_share[rows] = second, share


def _exponentiate(
    chunk: Float[np.ndarray, "rows classes"], highest: Float[np.ndarray, " rows"], *, out: Float[np.ndarray, "rows classes"]
) -> None:
    """``exp(chunk - highest)`` in float64; a copy in between is twice as fast as numpy's conversion while it subtracts."""
    np.copyto(out, chunk)
    np.subtract(out, highest[:, None].astype(np.float64), out=out)
    np.exp(out, out=out)


def _share_of_highest(chunk: Float[np.ndarray, "rows classes"], place: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """The probability of each row's largest logit, which stands at ``place``; 0 where that is minus infinity."""
    highest = chunk[np.arange(len(chunk)), place].astype(np.float64)
    return np.where(np.isneginf(highest), 0, 1 / np.exp(chunk - highest[:, None]).sum(axis=1))


class Outside:
    """The best class of rows when some classes are ruled out; a context, which ends its threads."""

    def __init__(self, logits: Float[np.ndarray, "points classes"]):
        self._logits, self._step = logits, _step(_NUMBERS, logits.shape[1])
        self._penalty = np.zeros(logits.shape[1], dtype=_working_type(logits))
        self._pool = ThreadPoolExecutor(_threads())

    def __enter__(self) -> "Outside":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def find(
        self, rows: Int[np.ndarray, " rows"], *, inside: Int[np.ndarray, " ruled_out"]
    ) -> tuple[Int[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
        """Class and probability of the largest logit outside ``inside``, where the probabilities outside add up to 1.

        A row whose logits outside are all minus infinity has the probability 0 and a class that means nothing.
        """
        best, share = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))

        def find_part(part: range) -> None:
            exponentials = np.empty((min(self._step, len(part)), self._logits.shape[1]))
            chunk = np.empty(exponentials.shape, dtype=self._logits.dtype)
            with np.errstate(invalid="ignore"):  # of this thread
                for some in _slices(part, self._step):
                    best[some], share[some] = self._find_chunk(rows[some], chunk, exponentials)

        self._penalty[inside] = -np.inf
        _share_out(self._pool, find_part, count=len(rows), step=self._step)
        self._penalty[inside] = 0
        return best, share

    def _find_chunk(
        self, rows: Int[np.ndarray, " rows"], chunk: np.ndarray, exponentials: np.ndarray
    ) -> tuple[Int[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
        chunk = self._logits.take(rows, axis=0, out=chunk[: len(rows)], mode="clip")  # raise would copy once more
        chunk = np.add(chunk, self._penalty, out=chunk if chunk.dtype == self._penalty.dtype else None)
        best = chunk.argmax(axis=1)
        highest, numbers = chunk[np.arange(len(rows)), best], exponentials[: len(rows)]
        _exponentiate(chunk, highest, out=numbers)
        share = 1 / numbers.sum(axis=1)
        share[highest == -np.inf] = 0
        return best, share


def sum_products(
    logits: Float[np.ndarray, "points classes"], found: Predictions, *, groups: Sequence[Int[np.ndarray, " members"]]
) -> Float[np.ndarray, "groups classes"]:
    """``sum over x of p_c(x) * (sum of p_k(x) over k in G)`` for each of some groups G of classes and every class c.

    One pass over the logits and a matrix product, whatever the number of groups.
    """
    count, classes = logits.shape
    members, starts = np.concatenate(groups), np.cumsum([0, *map(len, groups[:-1])])
    total = np.zeros((len(groups), classes))
    for chunk in _probabilities(logits, found, rows=np.arange(count)):
        total += np.add.reduceat(chunk[:, members], starts, axis=1).T @ chunk
    return total


def mean_probabilities(logits: Float[np.ndarray, "points classes"], found: Predictions) -> Float[np.ndarray, "classes classes"]:
    """Row c: the mean probabilities of the points that are predicted to be of class c; NaN where there is none."""
    classes = logits.shape[1]
    order = np.argsort(found.predicted, kind="stable")
    total, start = np.zeros((classes, classes)), 0
    for chunk in _probabilities(logits, found, rows=order):
        there, first = np.unique(found.predicted[order[start : start + len(chunk)]], return_index=True)
        total[there] += np.add.reduceat(chunk, first, axis=0)
        start += len(chunk)
    with np.errstate(invalid="ignore"):
        return total / np.bincount(found.predicted, minlength=classes)[:, None]


def _probabilities(
    logits: Float[np.ndarray, "points classes"], found: Predictions, *, rows: Int[np.ndarray, " rows"]
) -> Iterator[Float[np.ndarray, "some classes"]]:
    """The probabilities of some rows, chunk by chunk."""
    for part in _slices(range(len(rows)), _step(_NUMBERS_OF_PRODUCTS, logits.shape[1])):
        chunk = logits[rows[part]] - found.highest[rows[part], None]
        np.exp(chunk, out=chunk)
        chunk *= found.probability[rows[part], None]
        yield chunk


def _working_type(logits: np.ndarray) -> np.dtype:
    """Float32 for float16, which processors are slow with; no number changes by that."""
    return np.result_type(logits.dtype, np.float32)


def _step(numbers: int, classes: int) -> int:
    return max(1, numbers // classes)


def _slices(rows: range, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, rows.stop)) for start in range(rows.start, rows.stop, step))


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share_out(pool: ThreadPoolExecutor, work: Callable[[range], None], *, count: int, step: int) -> None:
    """Do the work on rows 0..count-1: here, where there are few, else in as many parts as there are threads."""
    parts = min(_threads(), count // (_CHUNKS_OF_A_PART * step))
    if parts < 2:
        return work(range(count))
    ends = [count * number // parts for number in range(parts + 1)]
    for done in [pool.submit(work, range(start, end)) for start, end in pairwise(ends)]:
        done.result()
