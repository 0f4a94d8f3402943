"""Verify, of a folder: every invariant of a field, sheet by sheet, each violation named; the digest of all cells at the end."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cfgraph.errors import InputError
from cfgraph.formats.folders.keyed import digest_of
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.formats.folders.sheets import LevelColumns
from cfgraph.model.cells import STATE_NAMES
from cfgraph.model.invariants import EdgeColumns, Ends, check_edges, check_sound
from cfgraph.model.sheets import PREFIX, Sheet
from cfgraph.store.verify import VerifyReport

EXAMPLES = 100  # violations of one kind in one level of a sheet that are kept


def verify_folder(reader: FolderReader, *, progress: Callable[[int, int], None] = lambda done, total: None) -> VerifyReport:
    """Check every invariant of a field in a folder; memory is bounded by a sheet and its parents.

    What grew it has to be loadable, its encoder the one that it says, and the digest that of the manifest. A file that is
    damaged is a violation too.
    """
    report = VerifyReport(id=reader.hierarchy.id, grown=reader.predicted)
    _check_prefix(reader, report)
    _check_beside(reader, report)
    report.cells = len(reader.prefix)
    whole = True
    for sheet in reader.cut.sheets():
        try:
            for level in range(sheet.above + 1, sheet.last + 1):
                _check_level(reader, sheet, level, report)
        except InputError as error:
            whole = False
            report.add("property", sheet.name, str(error))
            continue
        report.cells += sheet.cells(arity=reader.cut.arity)
        progress(report.cells, reader.count())
    if whole and (found := digest_of(reader)) != reader.manifest.digest:
        report.add("digest", "/", f"the manifest says {reader.manifest.digest}, and its cells have {found}")
    return report


def _check_prefix(reader: FolderReader, report: VerifyReport) -> None:
    try:
        check_sound(reader.hierarchy.with_cells(reader.prefix), grown=reader.predicted)
    except InputError as error:
        report.add("property", "/", str(error))
    if (len(reader.prefix), len(reader.places.frontier)) != (reader.cut.prefix_cells, reader.cut.frontier):
        report.add(
            "hierarchy", reader.hierarchy.id, "its prefix has another number of cells, or another frontier, than the plan"
        )
    if reader.manifest.cells != reader.count() or sum(reader.manifest.cells_by_level) != reader.count():
        report.add("hierarchy", reader.hierarchy.id, f"the manifest tells of another number of cells than {reader.count():,}")
    _check_files(reader, report)


def _check_files(reader: FolderReader, report: VerifyReport) -> None:
    """Whether the manifest lists just the files that the plan asks for, each once."""
    cut = reader.cut
    wanted = [(PREFIX, cut.prefix_cells), *((sheet.name, sheet.cells(arity=cut.arity)) for sheet in cut.sheets())]
    listed = Counter((record.name, record.cells) for record in reader.manifest.sheets)
    for name, cells in sorted((listed - Counter(wanted)).keys() | (Counter(wanted) - listed).keys()):
        times = f"{listed[name, cells]} times, and the plan {Counter(wanted)[name, cells]}"
        report.add("hierarchy", name, f"the manifest lists it, of {cells:,} cells, {times}")


def _check_beside(reader: FolderReader, report: VerifyReport) -> None:
    """Whether what grew it can be loaded, and its encoder is the one that it says."""
    try:
        for grower in reader.growers:
            grower.trained.load()
    except (InputError, ValueError) as error:
        report.add("grower", reader.hierarchy.id, str(error))
    try:
        reader.encoder()
    except InputError as error:
        report.add("encoder", reader.hierarchy.id, str(error))


def _check_level(reader: FolderReader, sheet: Sheet, level: int, report: VerifyReport) -> None:
    """Check the cells of one level of a sheet: where they stand, and what ties them to their parents."""
    places, arity = sheet.places(level, arity=reader.cut.arity), reader.cut.arity
    file = reader.sheets.file(sheet)
    table = file.table(level)
    held = file.columns_of(table)
    names = reader.places.addresses(level, places)
    for invariant, broken, detail in _misplaced(reader, sheet, level, table, names):
        _add(report, invariant, names, broken, detail)
    finite = np.isfinite(held.center).all(axis=1) & np.isfinite(held.residual).all(axis=1)
    for name in ("scale", "root_distance", "length"):
        finite &= np.isfinite(getattr(held, name))
    _add(report, "property", names, ~finite, "a number of it is not finite")
    above = _parents(reader, level, range(places.start // arity, places.stop // arity))
    edges = EdgeColumns(
        below=Ends(held.center, held.scale, held.root_distance),
        above=Ends(*(np.repeat(column, arity, axis=0) for column in (above.center, above.scale, above.root_distance))),
        residual=held.residual,
        length=held.length,
        primary=np.ones(len(held), dtype=bool),
        virtual=np.zeros(len(held), dtype=bool),
    )
    for check in check_edges(reader.hierarchy, edges):
        _add(report, check.invariant, names, check.broken, check.message)


def _misplaced(
    reader: FolderReader, sheet: Sheet, level: int, table: pa.Table, names: pa.StringArray
) -> Iterator[tuple[str, np.ndarray, str]]:
    """What of a level says other than where its cells stand."""
    places, arity = sheet.places(level, arity=reader.cut.arity), reader.cut.arity
    above = range(places.start // arity, places.stop // arity)
    wanted = {
        "node": reader.places.numbers(level, places),
        "parent": np.repeat(reader.places.numbers(level - 1, above), arity),
        "level": np.full(len(places), level),
        "slot": reader.places.slots(len(above)),
    }
    for name, values in wanted.items():
        invariant = {"node": "key", "parent": "parent"}.get(name, name)
        yield invariant, table.column(name).to_numpy() != values, f"its {name} is not that of its place"
    yield "key", ~pc.equal(table.column("address"), names).to_numpy(zero_copy_only=False), "its address is another"
    state = STATE_NAMES[int(reader.places.states(level, 1)[0])]
    yield "expansion", ~pc.equal(table.column("state"), pa.scalar(state)).to_numpy(), f"its state should be {state}"
    yield "predicted", table.column("predicted").to_numpy() != reader.predicted, "whether it was predicted is told wrongly"


def _parents(reader: FolderReader, level: int, above: range) -> LevelColumns:
    """The cells that those of a level hang on."""
    if level - 1 > reader.cut.from_depth:
        return reader.sheets.columns(level - 1, above)
    prefix, rows = reader.prefix, reader.places.frontier[above.start : above.stop]
    names = ("center", "scale", "root_distance", "residual", "length")
    return LevelColumns(**{name: getattr(prefix, name)[rows] for name in names})


def _add(report: VerifyReport, invariant: str, names: pa.StringArray, broken: np.ndarray, detail: str) -> None:
    rows = np.flatnonzero(broken)
    for row in rows[:EXAMPLES].tolist():
        report.add(invariant, names[row].as_py(), detail)
    if len(rows) > EXAMPLES:
        report.counts[invariant] += len(rows) - EXAMPLES
