"""Document: the findings as a table for the terminal and as docs/benchmarks.md."""

from collections.abc import Sequence

from benchmarks.finding import COLUMNS, Finding

INTRODUCTION = """\
<!-- Written by `make bench`; edit benchmarks/document.py instead. -->

# Benchmarks

What cfgraph does against what one would do without it. Every number is a ratio of speeds measured in one run on one
machine (2 is twice as fast as the other way), except where it has a unit or its name says that it is a score. The ways
to do something take turns, in an order that changes every round, after a round that warms up and is not counted. So
whatever else slows the machine down slows all of them down, and a ratio means something where a time does not. What
counts is the median over the rounds.
"""


def as_text(findings: Sequence[Finding]) -> str:
    """The table, in columns."""
    rows = [COLUMNS, *(finding.row() for finding in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def as_markdown(findings: Sequence[Finding], *, machine: dict[str, str], rounds: int, date: str, load: str) -> str:
    """The whole of docs/benchmarks.md."""
    table = "\n".join(_line(row) for row in (COLUMNS, ("---",) * len(COLUMNS), *(finding.row() for finding in findings)))
    conditions = {
        "command": f"`make bench` ({rounds} rounds)",
        "date": date,
        **machine,
        "load": f"{load} running processes on average at the start and at the end, the benchmark's own among the latter",
    }
    listed = "\n".join(f"* {name}: {value}" for name, value in conditions.items())
    parts = [INTRODUCTION, f"{table}\n", *_shortfalls(findings), f"## The machine\n\n{listed}\n", "## What was measured\n"]
    return "\n".join([*parts, *map(_section, findings)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shortfalls(findings: Sequence[Finding]) -> list[str]:
    missed = [finding for finding in findings if finding.verdict == "NO"]
    if not missed:
        return ["Everything that is wanted was reached in this run.\n"]
    lines = [f"* {finding.title}: {finding.row()[2]}, wanted {finding.row()[4]}." for finding in missed]
    return ["**What falls short of what is wanted in this run:**\n", *lines, ""]


def _section(finding: Finding) -> str:
    lines = [f"### {finding.title}", "", f"* cfgraph: {finding.ours}", f"* beside it: {finding.theirs}"]
    values = ", ".join(f"{value:.3g}" for value in finding.values)
    return "\n".join([*lines, f"* each round: {values}", *(f"* {remark}" for remark in finding.remarks), ""])
