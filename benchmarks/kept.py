"""Kept: the newest findings of every benchmark, each with the run that it comes from.

A whole run takes more than an hour. What it has found is kept after each benchmark, so that one that is interrupted loses
nothing, and one that concerns what changed can be measured anew by itself.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.finding import Finding, Wanted

KEPT = Path(__file__).with_name("kept.json")


@dataclass(frozen=True)
class Run:
    """The conditions under which a benchmark was measured."""

    date: str
    rounds: int
    load: str
    machine: dict[str, str]


@dataclass(frozen=True)
class Kept:
    """A finding, and the run that found it."""

    finding: Finding
    run: Run


def read_kept(path: Path = KEPT) -> list[Kept]:
    """All that is kept, an empty list where nothing is."""
    if not path.exists():
        return []
    return [Kept(finding_of(one["finding"]), Run(**one["run"])) for one in json.loads(path.read_text(encoding="utf-8"))]


def keep(findings: Iterable[Finding], run: Run, *, order: tuple[str, ...], path: Path = KEPT) -> list[Kept]:
    """Put findings in the place of what their benchmarks found before; all that is kept now, in the order of names.

    Benchmarks that are no longer in ``order`` are forgotten.
    """
    new = [Kept(finding, run) for finding in findings]
    measured = {one.finding.name for one in new}
    kept = [one for one in read_kept(path) if one.finding.name not in measured and one.finding.name in order] + new
    kept.sort(key=lambda one: order.index(one.finding.name))  # stable: within a benchmark as it was measured
    text = json.dumps([asdict(one) for one in kept], indent=1, ensure_ascii=False)
    beside = path.with_suffix(".new")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)
    return kept


def finding_of(fields: dict) -> Finding:
    """The finding that JSON has kept."""
    wanted = fields.pop("wanted")
    lists = {name: tuple(fields.pop(name)) for name in ("values", "remarks")}
    return Finding(wanted=None if wanted is None else Wanted(**wanted), **lists, **fields)
