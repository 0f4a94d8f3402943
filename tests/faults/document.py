"""Document: the findings as docs/reliability.md, below what they are findings about."""

from collections.abc import Sequence
from pathlib import Path

from tests.faults.finding import Finding

INTRODUCTION = Path(__file__).with_name("introduction.md").read_text(encoding="utf-8")


def as_markdown(findings: Sequence[Finding], *, conditions: dict[str, str]) -> str:
    """The whole of docs/reliability.md."""
    rows = [Finding.COLUMNS, ("---",) * len(Finding.COLUMNS), *(finding.row() for finding in findings)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    faults, cells = sum(finding.faults for finding in findings), sum(finding.cells for finding in findings)
    lost, doubled = sum(finding.lost for finding in findings), sum(finding.doubled for finding in findings)
    told = f"In all: {faults:,} faults, {cells:,} cells, {lost:,} lost, {doubled:,} doubled."
    listed = "\n".join(f"* {name}: {value}" for name, value in conditions.items())
    return "\n".join([INTRODUCTION, table, "", told, "", "## The run", "", listed, ""])
