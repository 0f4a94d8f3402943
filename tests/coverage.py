"""``python -m tests.coverage``: how much ``make test`` reaches of what ``make test-all`` reaches, in lines and branches.

Each ring runs under coverage, with the processes that it starts. All that there is to reach is what either of them reached.
Exit code 1 where the quick ring reaches less than 98 % of it. Files whose lines it leaves to the slow ring are listed.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

SHARE_MIN = 0.98
FILES_SHOWN = 20
HOUSE = Path(__file__).parents[1]
RINGS = {"quick": "not slow", "slow": "slow"}
Reached = dict[str, set]  # file -> its lines that ran, as numbers, and its branches that were taken, as pairs of numbers


def coverage(*words: str | Path, data: Path) -> int:
    """Run a command of coverage that writes to, or reads, the file ``data``; its exit code."""
    command = [sys.executable, "-m", "coverage", *map(str, words)]
    return subprocess.run(command, cwd=HOUSE, env={**os.environ, "COVERAGE_FILE": str(data)}, check=False).returncode


def run_ring(ring: str, *, folder: Path) -> int:
    """Run the tests of a ring; what they and their processes reached is in ``folder``; pytest's exit code."""
    return coverage("run", "-m", "pytest", "-q", "-m", RINGS[ring], data=folder / f"{ring}.coverage")


def reached_by(*rings: str, folder: Path) -> Reached:
    """What some rings reached together."""
    data = folder / "-".join(["both", *rings])
    parts = [part for ring in rings for part in sorted(folder.glob(f"{ring}.coverage*"))]
    coverage("combine", "-q", "--keep", *parts, data=data)
    coverage("json", "-q", "-o", data.with_suffix(".json"), data=data)
    files = json.loads(data.with_suffix(".json").read_text())["files"]
    return {file: {*found["executed_lines"], *map(tuple, found["executed_branches"])} for file, found in files.items()}


def left_out(quick: Reached, whole: Reached) -> dict[str, int]:
    """How many lines and branches of each file the quick ring leaves to the slow one, most first."""
    left = {file: len(reached - quick.get(file, set())) for file, reached in whole.items()}
    return dict(sorted(((file, count) for file, count in left.items() if count), key=lambda item: -item[1]))


@click.command("coverage", epilog="Example: python -m tests.coverage --folder measured")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Keeps what was measured.  [default: none]")
@click.option("--keep", multiple=True, type=click.Choice(list(RINGS)), help="A ring that FOLDER holds already.")
def main(folder: Path | None, keep: tuple[str, ...]) -> None:
    """Measure both rings, and compare them."""
    with tempfile.TemporaryDirectory() as passing:
        folder = (folder or Path(passing)).absolute()
        folder.mkdir(exist_ok=True, parents=True)
        failed = [ring for ring in RINGS if ring not in keep and run_ring(ring, folder=folder)]
        if failed:
            raise click.ClickException(f"the tests of these rings did not pass: {', '.join(failed)}; nothing is compared")
        quick, whole = reached_by("quick", folder=folder), reached_by(*RINGS, folder=folder)
    left, total = left_out(quick, whole), sum(map(len, whole.values()))
    share = 1 - sum(left.values()) / total
    for file, count in list(left.items())[:FILES_SHOWN]:
        click.echo(f"{count:5} {file}")
    click.echo(f"the quick ring reaches {share:.2%} of the {total:,} lines and branches that all tests reach")
    sys.exit(share < SHARE_MIN)


if __name__ == "__main__":
    main()
