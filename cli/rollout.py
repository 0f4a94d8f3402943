"""``cfgraph rollout``"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TypedDict, Unpack

import click

from .context import Context, pass_context
from .output import growth_line, print_line, progress_bar


class _Options(TypedDict):
    to_depth: int | None
    precision: float | None
    cells: int | None
    seconds: float | None
    from_depth: int | None
    output: str | None
    below: tuple[str, ...]
    anyway: bool
    device: str
    workers: int
    engine: str | None
    lease_seconds: float
    outage_seconds: float


@click.command(
    "rollout", epilog="Example: cfgraph rollout koch --predictor koch-rule --from-depth 2 --to-depth 8 --as koch-grown"
)
@click.argument("id")
@click.option("--predictor", required=True, metavar="ID", help="The predictor to grow with.")
@click.option("--to-depth", type=int, help="Stop when every cell down to this level is there.")
@click.option("--precision", type=float, help="Stop where the rest of the field is provably nearer than this.")
@click.option("--cells", type=int, help="Stop before the hierarchy has more cells than this (whole blocks, in address order).")
@click.option("--seconds", type=float, help="Stop so long after the growth began; the graph is valid, but not always the same.")
@click.option("--from-depth", type=int, help="Grow a copy of the levels up to this one; needs --as.")
@click.option("--as", "copy_as", metavar="NEW", help="The copy's id; needs --from-depth.")
@click.option(
    "-o", "--output", metavar="FOLDER/", help="Grow the copy into this folder (or s3://BUCKET/...) instead of the store."
)
@click.option(
    "--below",
    multiple=True,
    metavar="ADDRESS",
    help="Grow only this cell's line and all below it; repeatable, needs --to-depth or --precision.",
)
@click.option("--anyway", is_flag=True, help="Grow in place even by a predictor that is no better than nothing.")
@click.option("--device", default="cpu", show_default=True, help="Where a network is evaluated: cpu, cuda, mps.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that grow side by side.")
@click.option(
    "--engine", metavar="ENGINE", help="Grow on an engine: processes, dask[:tcp://HOST:8786], ray[://HOST:10001], slurm:FOLDER."
)
@click.option(
    "--lease-seconds",
    type=float,
    default=20.0,
    show_default=True,
    help="How long a block stays leased; renewed while it is grown.",
)
@click.option(
    "--outage-seconds", type=float, default=120.0, show_default=True, help="How long to wait for a store that does not answer."
)
@pass_context
def command(context: Context, id: str, predictor: str, copy_as: str | None, **options: Unpack[_Options]) -> int:
    """Grow a hierarchy's frontier with a predictor: in place, or as a copy of its first levels.

    Exactly one of --to-depth, --precision, --cells and --seconds says where to stop. A rollout that was interrupted or
    killed goes on with the same command and ends with the same graph. The same command elsewhere, against the same store,
    joins in: each worker leases blocks, renews its leases while it works, and takes over those that have ended.

    With --below only the blocks are grown that are needed for a cell, which may lie deeper than any yet, and for all below it
    down to the depth. The depth stays pinned: other cells, or the rest (without --below), are grown to the same one.

    With --engine it is an engine that runs --workers workers, for some seconds at a time, wherever it does. No password goes
    there: it is found where a worker runs, in NEO4J_PASSWORD or the file that NEO4J_PASSWORD_FILE names.

    With -o the copy becomes a folder of Parquet files, which takes no database and nobody's lease: the store is asked for the
    prefix and the predictor alone. Killed, it goes on with the same command; elsewhere, it joins in. `cfgraph compare`,
    `diff`, `show`, `verify`, `export`, `plot`, `locate`, `explore` and `train` read it as FOLDER/, and `cfgraph ingest folder`
    takes it into a store.

    A predictor whose nMSE on held-out parents is not below that of `zero` is no better than nothing: copies are grown with a
    warning, and growing in place wants --anyway, once: not where one joins in or goes on.
    """
    from cfgraph.growing.rollout import Stop, rollout

    stop = Stop(depth=options["to_depth"], precision=options["precision"], cells=options["cells"], seconds=options["seconds"])
    below = options["below"]
    label = (copy_as or id) + _below(below)
    output = options["output"]
    with ExitStack() as stack:
        store, interrupted = stack.enter_context(context.open_store()), stack.enter_context(stop_signals())
        show = stack.enter_context(growth_line(label)) if output is None else None
        progress = None if output is None else stack.enter_context(progress_bar(label))
        report = rollout(
            store,
            id,
            predictor=predictor,
            stop=stop,
            from_depth=options["from_depth"],
            copy_as=copy_as,
            output=output,
            below=below or None,
            anyway=options["anyway"],
            device=options["device"],
            workers=options["workers"],
            executor=options["engine"],
            lease_seconds=options["lease_seconds"],
            outage_seconds=options["outage_seconds"],
            show=show,
            progress=progress,
            interrupted=lambda: bool(interrupted()),
        )
    for warning in report.warnings:
        context.say(f"WARNING: {warning}")
    if report.below and report.finished and not report.grown:
        print_line(f"{report.id}: nothing is left to grow{_below(report.below)} down to level {report.to_depth}")
    else:
        depth = f"levels {report.from_depth} to {report.to_depth}" if report.grown else f"depth {report.to_depth}"
        print_line(f"{report.id}: {report.grown:,} cells grown by {report.predictor}, {depth}{_below(report.below)}")
    if not report.finished:
        context.say(
            "interrupted between two blocks; the graph is valid, and the same command goes on from here"
            if output is None
            else "interrupted between two sheets; the same command goes on from here"
        )
        return 128 + interrupted()
    if report.left:
        context.say(f"asked for by other rollouts and not there yet: what lies{_below(report.left)}; until then it is growing")
    return 0


def _below(addresses: Sequence[str]) -> str:
    """Where something grows, in words: nothing where that is everywhere."""
    more = len(addresses) - 3
    rest = f" and {more:,} more" if more > 0 else ""
    return f" below {', '.join(addresses[:3])}{rest}" if addresses else ""


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """The number of the signal that asked to stop, 0 so far. A second one does what it does in every command."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        handler = before.get(signal.Signals(number))
        if seen and callable(handler):
            handler(number, frame)
        seen.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen[0] if seen else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
