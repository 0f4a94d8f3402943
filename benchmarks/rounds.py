"""Rounds: rivals take turns at the same work, so that whatever slows a machine down meanwhile slows all of them down."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rival:
    """One way to do the work. ``prepare`` comes before and ``finish`` after it, neither of them timed.

    ``work`` is given what ``prepare`` gave, and ``finish`` what ``work`` gave.
    """

    name: str
    work: Callable[[object], object]
    prepare: Callable[[], object] = lambda: None
    finish: Callable[[object], None] = lambda outcome: None


def take_turns(rivals: Sequence[Rival], *, rounds: int, say: Say) -> dict[str, list[float]]:
    """The seconds that each rival took in each round: A B, B A, A B, ... after one round that warms up and is not counted."""
    seconds: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    for number in range(rounds + 1):
        for rival in rivals if number % 2 == 0 else rivals[::-1]:
            taken = _time(rival)
            say(f"  {f'round {number} of {rounds}' if number else 'warm-up'}: {rival.name} {taken:.3g} s")
            if number:
                seconds[rival.name].append(taken)
    return seconds


def _time(rival: Rival) -> float:
    given = rival.prepare()
    gc.collect()
    start = time.perf_counter()
    outcome = rival.work(given)
    taken = time.perf_counter() - start
    del given
    rival.finish(outcome)
    return taken


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, ...]:
    """How many times as fast as theirs ours was, round by round."""
    return tuple(their / our for their, our in zip(theirs, ours, strict=True))
