"""``python -m tests.fuzz``: many mutated inputs over every reader; exit code 1 where something was found."""

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from tests.fuzz.run import make_input, run, try_input


@click.command("fuzz", epilog="Example: python -m tests.fuzz --inputs 100000 --seed 7")
@click.option("--inputs", type=click.IntRange(min=1), default=100_000, show_default=True, help="How many.")
@click.option("--seed", type=int, help="Repeats the inputs of an earlier run.  [default: drawn]")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes.")
@click.option("--only", type=int, metavar="N", help="Only the input of this number, in this process, with its traceback.")
@click.option("--keep", metavar="DIR", type=click.Path(path_type=Path), help="Write the inputs that found something here.")
def main(inputs: int, seed: int | None, workers: int, only: int | None, keep: Path | None) -> None:
    """Read mutated inputs: no traceback, no hang, no more memory than they may take."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    if only is not None:
        _repeat(only, seed=seed, keep=keep)
        return
    click.echo(f"{inputs:,} inputs of seed {seed}", err=True)
    with click.progressbar(length=inputs, file=sys.stderr) as bar:
        finds = run(inputs, seed=seed, workers=workers, progress=lambda done: bar.update(done - bar.pos))
    for find in finds:
        click.echo(f"{find}  (--seed {seed} --only {find.number})")
        if keep is not None:
            _keep(find.number, seed=seed, folder=keep)
    for (reader, what, place), times in Counter((find.reader, find.what, find.place) for find in finds).most_common():
        click.echo(f"{times} x {reader}: {what} {place}")
    click.echo(f"{inputs:,} inputs of seed {seed}: {len(finds)} finds")
    sys.exit(bool(finds))


def _keep(number: int, *, seed: int, folder: Path) -> None:
    reader, content = make_input(number, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{seed}-{number}{reader.suffix}").write_bytes(content)


def _repeat(number: int, *, seed: int, keep: Path | None) -> None:
    reader, content = make_input(number, seed=seed)
    click.echo(f"{reader.name}: {content[:400]!r}")
    if keep is not None:
        _keep(number, seed=seed, folder=keep)
    with tempfile.TemporaryDirectory() as folder:
        click.echo(try_input(reader, content, folder=Path(folder)))
        reader.read(Path(folder) / f"input{reader.suffix}")


if __name__ == "__main__":
    main()
