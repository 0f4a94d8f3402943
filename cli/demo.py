"""``cfgraph demo``"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfgraph.errors import InputError

from .context import Context, pass_context
from .output import print_line, print_table, progress_bar

if TYPE_CHECKING:
    from cfgraph.comparing.report import Report
    from cfgraph.demo import Outcome, Question


@click.command("demo", epilog="Example: cfgraph demo --output demo-output")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="The folder for the pictures.",
)
@pass_context
def command(context: Context, output: Path) -> None:
    """The whole story on examples.

    Hierarchies in, a predictor learned, the frontier grown, truth and prediction compared: a fern and a Koch curve
    learned from two levels and grown six more, a smooth generator learned by the ReLU network, hand-written digits
    clustered and learned, two Cypher queries, and a picture of each.
    """
    from cfgraph.plots.page import check_library

    check_library()  # before anything is started or written
    _check_store(context)
    begin = time.monotonic()
    context.say("starting: a private Neo4j, if none runs yet (the first time its jars are fetched)")
    with context.open_store() as store:
        from cfgraph.demo import CHAPTERS, ask_questions, check_ids, run_chapter

        check_ids(store)
        output.mkdir(parents=True, exist_ok=True)
        for number, chapter in enumerate(CHAPTERS, start=1):
            context.say(f"[{time.monotonic() - begin:5.1f} s] {number} of {len(CHAPTERS)}: {chapter.title}")
            with ExitStack() as bars:
                outcome = run_chapter(store, chapter, output=output, progress=_bars(bars))
            _print_outcome(number, outcome)
        for question in ask_questions(store):
            _print_question(question)
    context.say(
        f"[{time.monotonic() - begin:5.1f} s] done; the graph is still there. Look at it on a page of this machine: "
        f"`cfgraph --store {context.store_url} explore fern --beside fern-grown`"
    )


def _check_store(context: Context) -> None:
    """Refuse a store that the environment names: it is there for other work, unless it is typed for this too."""
    if not context.store_typed and context.store_url != "local":
        raise InputError(
            "the demo makes hierarchies of its own, and the environment (CFGRAPH_STORE, NEO4J_URI or a .env file) "
            "names a store for other work; say where the demo goes: `cfgraph --store local:demo demo`"
        )


def _bars(open_bars: ExitStack) -> Callable[[str], Callable[[int, int], None]]:
    """Shows one progress bar after another."""

    def next_bar(label: str) -> Callable[[int, int], None]:
        open_bars.close()  # the one before is done
        return open_bars.enter_context(progress_bar(label))

    return next_bar


def _print_outcome(number: int, outcome: "Outcome") -> None:
    from cfgraph.comparing.report import DISTORTION_REMARK

    chapter, report = outcome.chapter, outcome.report
    print_line()
    print_line(f"{number}. {chapter.title}", bold=True)
    for line in (chapter.about, "", *(f"  $ {line}" for line in outcome.commands), ""):
        print_line(line)
    message = f"{outcome.learned['family']} learned from levels 0 to {report.from_depth}"
    if "growth" in outcome.learned["learned"]:
        message += f"; {len(outcome.learned['learned']['maps'])} maps recovered (cfgraph show {outcome.learned['id']})"
    print_line(message)
    rows = list(_rows(report, outcome.learned["family"]))
    print_table(["rule", "nMSE, one step", "nMSE, rolled out", "slots right", "largest center error", "certificate"], rows)
    remarks = [remark for remark in report.remarks if remark != DISTORTION_REMARK]  # the table has no path distances
    for line in (*(f"WARNING: {warning}" for warning in report.warnings), *(f"* {remark}" for remark in remarks)):
        print_line(line)
    print_line(f"picture: {outcome.picture}")


def _rows(report: "Report", family: str) -> Iterator[list]:
    """The prediction level by level; at the deepest level the two best baselines, and what is learned beside them."""
    for level in report.levels:
        yield _row(f"{family}, level {level.level}", level)
    ranked = sorted(report.baselines.items(), key=lambda item: item[1].levels[-1].teacher_forced.nmse or float("inf"))
    for name, baseline in ranked[:2]:
        yield _row(f"{name}, level {baseline.levels[-1].level} (a baseline)", baseline.levels[-1])
    for name, learned in report.beside.items():
        yield _row(f"{name}, level {learned.levels[-1].level} (learned, beside)", learned.levels[-1])


def _row(name: str, level) -> list:
    forced, rolled = level.teacher_forced, level.rolled_out
    return [name, *map(_short, (forced.nmse, rolled.nmse, forced.slot_accuracy, rolled.max_center_error, level.certificate))]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _print_question(question: "Question") -> None:
    print_line()
    print_line(question.title, bold=True)
    for line in ("", f"  $ {question.command}", "", *(f"  {line}" for line in question.cypher.splitlines())):
        print_line(line)
    print_table(question.columns, question.rows)
