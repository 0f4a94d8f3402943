"""``cfgraph compare``"""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from .context import Context, pass_context
from .large import LARGE
from .output import print_json, print_line, print_table, progress_bar
from .reading import embeddings_reading as embeddings_options
from .reading import read_embeddings

if TYPE_CHECKING:
    from rich.table import Table

    from cfgraph.comparing.measures import PathDistortion
    from cfgraph.comparing.report import Comparison, Measured, Report, SeedsReport, Spread
    from cfgraph.files.embeddings import Embeddings
    from cfgraph.judging.compare_names import NameComparison, TreeAgreement
    from cfgraph.store import Store, Stores

    from .console import Console

WIDTH = 100  # columns, where stdout is no terminal


class _Options(TypedDict):
    pairs: int
    seed: int
    seeds: int
    device: str
    workers: int


@click.command("compare", epilog="Example: cfgraph compare koch koch-grown")
@click.argument("true")
@click.argument("predicted")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@click.option("--pairs", type=int, default=10_000, show_default=True, help="Pairs of cells whose path distance is compared.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples.")
@click.option(
    "--seeds", type=int, default=0, show_default=True, metavar="N", help="Train again with seeds 0..N-1; adds mean and spread."
)
@click.option(
    "--by",
    type=click.Choice(["address", "name"]),
    help="How cells are matched.  [default: by name where a hierarchy was imported]",
)
@click.option("--bootstrap", "samples", type=click.IntRange(min=0), default=0, metavar="N", help="By name: intervals, N draws.")
@click.option("--embeddings", metavar="FILE", type=click.Path(path_type=Path), help="By name: adds tree sampling divergence.")
@embeddings_options
@LARGE
@click.option("--device", default="cpu", show_default=True, help="Where a network is evaluated: cpu, cuda, mps.")
@click.option("--workers", type=int, default=1, show_default=True, help="Of two folders: processes that compare side by side.")
@pass_context
def command(
    context: Context,
    true: str,
    predicted: str,
    format: str,
    by: str | None,
    samples: int,
    embeddings: Path | None,
    embeddings_reading: dict[str, Any],
    large: bool,
    **options: Unpack[_Options],
) -> None:
    """Compare a true with a predicted hierarchy, level by level, over the levels that nobody had seen.

    Teacher-forced (one step from every true parent) and rolled out (what PREDICTED holds), with the baselines and a proven
    bound on the error beside them. Cells match by address. Either may be a snapshot: koch@before (then both are read whole);
    or a folder that a field was grown into: FOLDER/ (sheet by sheet); or NAME:PLACE, read by another package.

    By name, for hierarchies that have no addresses in common, such as imported ones: the names and the edges between names that
    they share, and how the path metrics differ; of trees, over the leaves (or data points) that both have, Robinson-Foulds,
    triplet distance, Fowlkes-Mallows by level and cophenetic correlation.
    """
    from cfgraph.comparing.compare import compare
    from cfgraph.errors import InputError
    from cfgraph.formats.folders.place import is_folder
    from cfgraph.formats.readers import is_elsewhere

    folders = [is_folder(title) or is_elsewhere(title) for title in (true, predicted)]
    vectors = read_embeddings(embeddings, reading=embeddings_reading, large=large)
    with ExitStack() as stack:
        store = None if all(folders) else stack.enter_context(context.open_stores())
        progress = stack.enter_context(progress_bar(f"compare {predicted}"))
        by = by or ("address" if store is None or any(folders) else _fit(store, true, predicted))
        _check_options(by, bootstrap=samples, embeddings=embeddings, seeds=options["seeds"], workers=options["workers"] - 1)
        if by == "name":
            if store is None or any(folders):
                raise InputError("fields in folders have no names to compare by; leave --by name out")
            asked = {"pairs": options["pairs"], "seed": options["seed"], "samples": samples}
            found = _compare_names(context, store, true, predicted, embeddings=vectors, **asked)
            return _print_names(found, format=format)
        report = compare(store, true, predicted, progress=progress, **options)
    _print(context, report, format=format)


def _print(context: Context, report: "Report", *, format: str) -> None:
    for warning in report.warnings:
        context.say(f"WARNING: {warning}", loud=True)
    if format == "json":
        print_json(report)
    else:
        print_report(report)


def _check_options(by: str, **options: Any) -> None:
    """Refuse what the other comparison alone can do, rather than leave it out in silence."""
    from cfgraph.errors import InputError

    strange = ("seeds", "workers") if by == "name" else ("bootstrap", "embeddings")
    if asked := [f"--{name}" for name in strange if options[name]]:
        other = "address" if by == "name" else "name"
        raise InputError(f"these are compared by {by}, and {', '.join(asked)} is of a comparison by {other}; leave it out")


def _fit(store: "Store | Stores", true: str, predicted: str) -> str:
    from cfgraph.sources.snapshots import find_snapshot

    for home, title in (store.resolve(true), store.resolve(predicted)):
        kept = find_snapshot(home, title)
        if home.hierarchy(title if kept is None else kept.id).imported:
            return "name"
    return "address"


def _compare_names(
    context: Context, store: "Store | Stores", true: str, predicted: str, *, embeddings: "Embeddings | None", **options: int
) -> "NameComparison":
    from cfgraph.judging.compare_names import compare_names
    from cfgraph.sources.snapshots import read_either

    for note in embeddings.notes if embeddings else ():
        context.say(note)
    (first, _), (second, _) = read_either(store, true), read_either(store, predicted)
    return compare_names(first, second, embeddings=embeddings, **options)


def _print_names(found: "NameComparison", *, format: str) -> None:
    """What a comparison by name found, as tables or JSON on stdout."""
    if format == "json":
        print_json(found)
        return
    shared = [[what, s.both, s.only_first, s.only_second] for what in ("names", "edges") if (s := getattr(found, what))]
    if shared:
        print_table(["shared", "both", f"only {found.first}", f"only {found.second}"], shared)
    rows = [] if found.path_distortion is None else _distortion_rows(found.path_distortion)
    if found.trees is not None:
        rows += _tree_rows(found.trees)
    print_table(["measure", "value", ""], rows)
    for remark in found.remarks:
        print_line(f"* {remark}")


def _distortion_rows(found: "PathDistortion") -> list[list]:
    note = f"over {found.pairs:,} pairs of names"
    return [["path metric: mean relative difference", found.mean_relative, note], ["largest", found.max_relative, ""]]


def _tree_rows(found: "TreeAgreement") -> list[list]:
    clades, triplet, left_out = found.robinson_foulds, found.triplet, sum(found.left_out)
    over = f"over {found.leaves:,} leaves" + (f", {left_out:,} left out" if left_out else "")
    sampled = "" if triplet.exact else f"sampled, standard error {triplet.standard_error:.2g}"
    rows = [
        [
            "Robinson-Foulds, normalised",
            clades.normalised,
            f"{clades.distance:,} of {clades.first + clades.second:,} clades; {over}",
        ],
        ["triplet distance", triplet.distance, sampled],
        ["cophenetic correlation", found.cophenetic_correlation, ""],
    ]
    if found.tree_sampling_divergence is not None:
        first, second = found.tree_sampling_divergence
        rows.append(["tree sampling divergence", f"{first:.4f} and {second:.4f}", "each on the graph of nearest neighbours"])
    rows += [[f"Fowlkes-Mallows, level {level}", value, ""] for level, value in found.fowlkes_mallows.items()]
    return rows + [[f"{name}, 95% interval", f"{one.low:.4f} to {one.high:.4f}", ""] for name, one in found.intervals.items()]


def print_report(report: "Report") -> None:
    """The report as tables on stdout."""
    import sys

    from .console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    grower = f", grown by {report.predictor} ({report.family})" if report.predictor else ""
    console.print(f"{report.predicted} against {report.true}: {_range(report)}{grower}")
    console.print()
    console.print(_levels(report))
    _print_certificate(report, console)
    if report.baselines:
        console.print()
        console.print(_baselines(report))
    _print_whole(report, console)
    if report.seeds is not None:
        console.print(_seeds(report.seeds))
    for remark in report.remarks:
        console.print(f"* {remark}")


def _range(report: "Comparison") -> str:
    if not report.levels:
        return f"no level below the prefix of depth {report.from_depth}"
    first, last = report.levels[0].level, report.levels[-1].level
    return f"levels {first} to {last} from a prefix of depth {report.from_depth}"


def _table(*columns: str, title: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, title_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", no_wrap=place == 0)
    return table


def _levels(report: "Comparison") -> "Table":
    columns = ("level", "matched", "missing", "extra", "nMSE 1 step", "nMSE rolled", "slots right", "max error", "certificate")
    table = _table(*columns, title="Level by level")
    for level in report.levels:
        counts = (level.matched, level.only_true, level.only_predicted)
        measures = (
            level.teacher_forced.nmse,
            level.rolled_out.nmse,
            level.rolled_out.max_center_error,
            level.certificate,
        )
        numbers = [_number(measure) for measure in measures]
        numbers.insert(2, _share(level.rolled_out.slot_accuracy))
        table.add_row(str(level.level), *(f"{count:,}" for count in counts), *numbers)
    return table


def _print_certificate(report: "Comparison", console: "Console") -> None:
    found = report.certificates
    _print_measured(found.measured, console)
    if found.side is None:
        console.print(f"no certificate: {found.reason}")
        return
    constant = f"growth {_number(found.growth)}" if found.lipschitz is None else f"Lambda {_number(found.lipschitz)}"
    console.print(
        f"certificate ({found.side}): eta {_number(found.eta)}, {constant}; every center within {_number(found.from_prefix)} "
        f"from the prefix, {_number(found.from_root)} from the root, {_number(_last(found.by_level))} level by level"
    )
    if found.remark is not None:
        console.print(found.remark)


def _print_measured(found: "Measured | None", console: "Console") -> None:
    if found is not None:
        console.print(
            f"measured: eta {_number(found.eta)}, Lambda of the true rule {_number(found.lipschitz)}; the cells compared are "
            f"within {_number(_last(found.by_level))} level by level"
        )


def _last(bounds: tuple[float | None, ...]) -> float | None:
    return next((bound for bound in reversed(bounds) if bound is not None), None)


def _baselines(report: "Report") -> "Table":
    deepest = max((place for place, level in enumerate(report.levels) if level.parents), default=0)
    name = f"level {report.levels[deepest].level}" if report.levels else "no level"
    columns = ("rule", "nMSE 1 step", "nMSE rolled", "slots right", "max error", "Hausdorff / diameter", "skill")
    table = _table(*columns, title=f"Beside the baselines ({name})")
    rows = [(f"{report.family or report.predicted} (this)", report), *report.baselines.items(), *report.beside.items()]
    for place, (family, found) in enumerate(rows):
        table.add_row(family, *_summary(found, deepest), style="bold" if place == 0 else None)
    return table


def _summary(found: "Comparison", place: int) -> list[str]:
    """What a row of the baselines' table says of one level, and of the whole."""
    wholes = [_number(found.hausdorff_over_diameter), _number(found.skill)]
    if not found.levels:
        return ["-"] * 4 + wholes
    level, rolled = found.levels[place], found.levels[place].rolled_out
    errors = [_number(level.teacher_forced.nmse), _number(rolled.nmse)]
    return [*errors, _share(rolled.slot_accuracy), _number(rolled.max_center_error), *wholes]


def _print_whole(report: "Comparison", console: "Console") -> None:
    paths = report.path_distortion
    console.print(
        f"path distortion over {paths.pairs:,} pairs (seed {paths.seed}, {paths.left_out:,} of distance 0 left out): "
        f"relative mean {_number(paths.mean_relative)}, max {_number(paths.max_relative)}; "
        f"multiplicative {_number(paths.multiplicative)}; additive max {_number(paths.max_additive)}"
    )
    console.print(
        f"Hausdorff distance of the centers at level {report.hausdorff_level}: {_number(report.hausdorff)}, "
        f"{_number(report.hausdorff_over_diameter)} of the diameter; skill {_number(report.skill)}"
    )
    if (sample := report.hausdorff_sample) is not None:
        console.print(
            f"  (on a sample: {sample.true:,} of {sample.true_of:,} true and {sample.predicted:,} of "
            f"{sample.predicted_of:,} predicted centers)"
        )


def _seeds(seeds: "SeedsReport") -> "Table":
    flagged = f", flagged: seeds {', '.join(map(str, seeds.flagged))}" if seeds.flagged else ""
    title = f"{seeds.family} trained with {len(seeds.seeds)} seeds: mean ± standard deviation{flagged}"
    table = _table("level", "nMSE 1 step", "nMSE rolled", "slots right", "max error", title=title)
    for level in seeds.levels:
        rolled = level.rolled_out
        spreads = (level.teacher_forced["nmse"], rolled["nmse"], rolled["slot_accuracy"], rolled["max_center_error"])
        table.add_row(str(level.level), *map(_spread, spreads))
    return table


def _spread(spread: "Spread") -> str:
    return _number(spread.mean) if spread.std is None else f"{_number(spread.mean)} ± {_number(spread.std)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    """A share with enough digits that only what is exactly 1 reads as 1."""
    return "-" if value is None else "1" if value == 1 else f"{min(value, 0.9999):.4f}"
