"""``python -m tests.faults``: every fault, many times over; prints the table, writes docs/reliability.md."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from benchmarks.machine import describe_machine, load_now
from cfgraph.settings import load_settings
from tests.faults.conftest import FULL, SEED
from tests.faults.document import as_markdown
from tests.faults.finding import Finding

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs" / "reliability.md"


class Findings:
    """Collects the findings of a run."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        self.all.append(finding)


@click.command("faults", epilog="Example: python -m tests.faults --seed 123")
@click.option("--seed", type=int, help="Repeats the chances of an earlier run.  [default: CFGRAPH_FAULTS_SEED, else drawn]")
@click.option("--only", metavar="WORDS", help="Only faults whose names match, as pytest's -k; writes no document.")
def main(seed: int | None, only: str | None) -> None:
    """Kill, cut, stop and starve; a whole run that passes writes docs/reliability.md."""
    os.environ[FULL] = "full"
    if seed is not None:
        os.environ[SEED] = str(seed)
    findings, load, begin = Findings(), load_now(), datetime.now(UTC)
    early = ["-W", "ignore:Module already imported"]  # by this very module, of pytest's plugins' libraries
    words = ["-n0", "-v", "--durations=0", "--durations-min=1", *early, str(FOLDER), *(["-k", only] if only else [])]
    code = pytest.main(words, plugins=[_Named(findings)])
    click.echo("\n".join(" | ".join(row) for row in [Finding.COLUMNS, *(found.row() for found in findings.all)]))
    if code == 0 and not only:
        conditions = {
            "command": f"`make faults SEED={os.environ[SEED]}`",
            "date": begin.date().isoformat(),
            "time": f"{(datetime.now(UTC) - begin).total_seconds() / 60:.0f} minutes",
            **describe_machine(server=_server()),
            "load": f"{load} and {load_now()} running processes on average at the start and at the end",
        }
        DOCUMENT.write_text(as_markdown(findings.all, conditions=conditions), encoding="utf-8")
        click.echo(f"written to {DOCUMENT.relative_to(DOCUMENT.parents[1])}", err=True)
    sys.exit(code)


class _Named:
    """Makes the findings known to the fixtures by a name."""

    def __init__(self, findings: Findings):
        self._findings = findings

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._findings, "faults-findings")


def _server() -> str:
    return "of NEO4J_URI" if os.environ.get("NEO4J_URI") else load_settings().neo4j_version


if __name__ == "__main__":
    main()
