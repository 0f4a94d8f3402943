"""Document: the findings as a table for the terminal and as docs/benchmarks.md."""

from collections.abc import Sequence

from benchmarks.finding import COLUMNS, Finding
from benchmarks.kept import Kept, Run

INTRODUCTION = """\
<!-- Written by `make bench`; edit benchmarks/document.py instead. -->

# Benchmarks

What cfgraph does against what one would do without it. Every number is a ratio of speeds measured in one run on one
machine (2 is twice as fast as the other way), except where it has a unit or its name says that it is a score. The ways
to do something take turns, in an order that changes every round, after a round that warms up and is not counted. So
whatever else slows the machine down slows all of them down, and a ratio means something where a time does not. What
counts is the median over the rounds. Each benchmark stands with its newest run, whose conditions are below.
"""


def as_text(findings: Sequence[Finding]) -> str:
    """The table, in columns."""
    rows = [COLUMNS, *(finding.row() for finding in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def as_markdown(kept: Sequence[Kept]) -> str:
    """The whole of docs/benchmarks.md."""
    findings = [one.finding for one in kept]
    rows = [(*finding.row(), one.run.date) for finding, one in zip(findings, kept, strict=True)]
    columns = (*COLUMNS, "day")
    table = "\n".join(_line(row) for row in (columns, ("---",) * len(columns), *rows))
    parts = [INTRODUCTION, f"{table}\n", *_shortfalls(findings), "## The machine\n", *_machines(kept), "## What was measured\n"]
    return "\n".join([*parts, *map(_section, kept)])


def _machines(kept: Sequence[Kept]) -> list[str]:
    """What is common to all runs on a machine, once for each that differs in something."""
    lines: list[str] = []
    seen: dict[str, tuple[dict[str, str], list[str]]] = {}
    for one in kept:
        machine = {name: value for name, value in one.run.machine.items() if name != "Neo4j"}
        seen.setdefault(repr(machine), (machine, []))[1].append(one.finding.name)
    servers = sorted({one.run.machine["Neo4j"] for one in kept if "Neo4j" in one.run.machine})
    for machine, names in seen.values():
        told = {} if len(seen) == 1 else {"benchmarks": ", ".join(dict.fromkeys(names))}
        lines += [*(f"* {name}: {value}" for name, value in {**told, **machine}.items()), ""]
    return [*lines[:-1], f"* Neo4j: {'; '.join(servers)}", ""] if servers else lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shortfalls(findings: Sequence[Finding]) -> list[str]:
    missed = [finding for finding in findings if finding.verdict == "NO"]
    if not missed:
        return ["Everything that is wanted was reached.\n"]
    lines = [f"* {finding.title}: {finding.row()[2]}, wanted {finding.row()[4]}." for finding in missed]
    return ["**What falls short of what is wanted:**\n", *lines, ""]


def _section(kept: Kept) -> str:
    finding = kept.finding
    lines = [f"### {finding.title}", "", f"* cfgraph: {finding.ours}", f"* beside it: {finding.theirs}"]
    values = ", ".join(f"{value:.3g}" for value in finding.values)
    return "\n".join(
        [
            *lines,
            f"* each round: {values}",
            *(f"* {remark}" for remark in finding.remarks),
            _conditions(kept.run, finding.name),
            "",
        ]
    )


def _conditions(run: Run, name: str) -> str:
    command = f"`python -m benchmarks --only {name}`"
    return f"* measured on {run.date} by {command} ({run.rounds} rounds asked for), load {run.load}"
