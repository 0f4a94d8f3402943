"""What every source of ``cfgraph ingest`` ends with: the hierarchy is written, and what it is is said."""

from typing import TYPE_CHECKING

from .context import Context
from .output import print_line, progress_bar

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy
    from cfgraph.sources.field import Field


def ingest_source(context: Context, source: "Field | Hierarchy", *, bulk: bool = False) -> None:
    """Write what a source gave, grown first where it is not, and say what it is."""
    from cfgraph.model.hierarchy import FieldHierarchy

    write = _write_in_bulk if bulk else _write
    hierarchy, count, depth = write(context, source)
    for remark in _remarks(hierarchy):
        context.say(f"{hierarchy.id}: {remark}")
    if not isinstance(hierarchy, FieldHierarchy):
        print_line(f"{hierarchy.id}: {count} cells, depth {depth}, dimension {hierarchy.dimension}{_describe(hierarchy)}")
    else:
        print_line(
            f"{hierarchy.id}: {count} cells, depth {depth}, arity {hierarchy.arity}, dimension {hierarchy.dimension}, "
            f"scale factor {hierarchy.scale_factor:.6g}"
        )


def _write(context: Context, source: "Field | Hierarchy") -> tuple["Hierarchy", int, int]:
    from cfgraph.model.hierarchy import Hierarchy

    hierarchy = source.require_cells() if isinstance(source, Hierarchy) else source.grow()
    with context.open_store() as store, progress_bar(f"ingest {hierarchy.id}") as progress:
        store.write(hierarchy, progress=progress)
    return hierarchy, len(hierarchy.cells), hierarchy.cells.depth


def _write_in_bulk(context: Context, source: "Field | Hierarchy") -> tuple["Hierarchy", int, int]:
    from cfgraph.transfer.bulk import ingest_bulk

    with progress_bar("writing files") as progress:
        report = ingest_bulk(context.store_url, source, settings=context.settings, say=context.say, progress=progress)
    return report.hierarchy, report.cells, report.depth


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
