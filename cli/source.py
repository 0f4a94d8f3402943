"""What every source of ``cfgraph ingest`` ends with: the hierarchy is written, and what it is is said."""

from typing import TYPE_CHECKING, Any

import click

from .context import Context
from .output import print_line, progress_bar

if TYPE_CHECKING:
    from cfgraph.formats.folders.reader import FolderReader
    from cfgraph.model.hierarchy import Hierarchy
    from cfgraph.sources.field_plan import FieldPlan


PYTHON_NAMES = {  # of an option, where its name here is older than the argument's: variables of the environment have it
    "point_nodes": "points",
    "minimum": "condense",
    "index": "tree",
    "map_name": "map",
    "standardised": "standardise",
}


def python_names(options: dict[str, Any]) -> dict[str, Any]:
    """Options by the names that the functions behind them have for them."""
    return {PYTHON_NAMES.get(name, name): value for name, value in options.items()}


OUTPUT = click.option(
    "-o", "--output", metavar="FOLDER/", help="Grow into this folder (or s3://BUCKET/...) instead of the store."
)
WORKERS = click.option("--workers", type=int, default=1, show_default=True, help="With -o: processes that grow side by side.")
ENGINE = click.option(
    "--engine", metavar="ENGINE", help="With -o: grow on processes, dask[:tcp://HOST:8786], ray[://HOST:10001], slurm:FOLDER."
)


def into_folder(command: Any) -> Any:
    """The options of growing into a folder: ``output``, ``workers`` and ``engine``."""
    return OUTPUT(WORKERS(ENGINE(command)))


def cells_max(output: str | None) -> int:
    """How many cells may be asked for: in a store, or in a folder."""
    if output is None:
        from cfgraph.model.growth import CELLS_MAX

        return CELLS_MAX
    from cfgraph.growing.folder import FOLDER_CELLS_MAX

    return FOLDER_CELLS_MAX


def ingest_field(
    context: Context, source: "FieldPlan", *, output: str | None, workers: int, engine: str | None, bulk: bool = False
) -> int:
    """Write a field that is not grown yet into the store, or into a folder."""
    from cfgraph.errors import InputError

    if output is None:
        if workers != 1 or engine is not None:
            option = "--workers" if engine is None else "--engine"
            raise InputError(f"{option} is about a folder (-o FOLDER/); leave it out: one process writes into a store")
        ingest_source(context, source, bulk=bulk)
        return 0
    if bulk:
        raise InputError("--bulk fills a store and -o a folder; leave one of them out")
    from cfgraph.transfer.fields import write_field

    from .rollout import stop_signals

    with progress_bar(f"ingest {source.hierarchy.id}") as progress, stop_signals() as interrupted:
        how: dict[str, Any] = {"workers": workers, "executor": engine, "progress": progress}
        report = write_field(source, output, **how, interrupted=lambda: bool(interrupted()))
    _say_remarks(context, source.hierarchy)
    if not report.finished:
        context.say("interrupted between two sheets; the same command goes on from here")
        return 128 + interrupted()
    print_line(f"{report.id}: {report.cells:,} cells, depth {report.depth} in {report.place}, {report.grown:,} grown now")
    return 0


def ingest_source(context: Context, source: "FieldPlan | Hierarchy | FolderReader", *, bulk: bool = False) -> None:
    """Write what a source gave, grown first where it is not, and say what it is."""
    from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy
    from cfgraph.sources.field_plan import FieldPlan

    if bulk or not isinstance(source, Hierarchy | FieldPlan):
        hierarchy, count, depth = _write_in_bulk(context, source)
    else:
        hierarchy, count, depth = _write(context, source)
    _say_remarks(context, hierarchy)
    if not isinstance(hierarchy, FieldHierarchy):
        print_line(f"{hierarchy.id}: {count} cells, depth {depth}, dimension {hierarchy.dimension}{_describe(hierarchy)}")
    else:
        print_line(
            f"{hierarchy.id}: {count} cells, depth {depth}, arity {hierarchy.arity}, dimension {hierarchy.dimension}, "
            f"scale factor {hierarchy.scale_factor:.6g}"
        )


def _write(context: Context, source: "FieldPlan | Hierarchy") -> tuple["Hierarchy", int, int]:
    from cfgraph.model.hierarchy import Hierarchy

    hierarchy = source.require_cells() if isinstance(source, Hierarchy) else source.grow()
    with context.open_store() as store, progress_bar(f"ingest {hierarchy.id}") as progress:
        store.write(hierarchy, progress=progress)
    return hierarchy, len(hierarchy.cells), hierarchy.cells.depth


def _write_in_bulk(context: Context, source: "FieldPlan | Hierarchy | FolderReader") -> tuple["Hierarchy", int, int]:
    from cfgraph.transfer.bulk import ingest_bulk

    with progress_bar("writing files") as progress:
        report = ingest_bulk(context.store_url, source, settings=context.settings, say=context.say, progress=progress)
    return report.hierarchy, report.cells, report.depth


def _say_remarks(context: Context, hierarchy: "Hierarchy") -> None:
    for remark in _remarks(hierarchy):
        context.say(f"{hierarchy.id}: {remark}")


def _remarks(hierarchy: "Hierarchy") -> list[str]:
    """What is worth saying besides: the notes, and the numbers that bound the field."""
    from cfgraph.model.hierarchy import FieldHierarchy

    if not isinstance(hierarchy, FieldHierarchy):
        return list(hierarchy.notes)
    measured = {
        "bound R": hierarchy.residual_bound,
        "separation delta": hierarchy.separation,
        "Lipschitz constant Lambda": hierarchy.lipschitz,
    }
    known = ", ".join(f"{name} {value:.6g}" for name, value in measured.items() if value is not None)
    by_level = hierarchy.separation_by_level
    levels = [f"separation by level: {', '.join(f'{value:.3g}' for value in by_level)}"] if by_level else []
    return [*hierarchy.notes, known, *levels]


def _describe(hierarchy: "Hierarchy") -> str:
    """What an imported hierarchy has that a field has not."""
    facts = [
        f"{hierarchy.links} edges from second parents" if hierarchy.links else "",
        "several roots under a virtual one" if hierarchy.virtual_root else "",
        f"{hierarchy.points} data points" if hierarchy.points else "",
    ]
    return "".join(f", {text}" for text in facts if text)
