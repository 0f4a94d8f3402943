"""Export: the one verb that takes a hierarchy, or what a predictor learned, away as a file. docs/formats.md has the formats.

From a store, whole hierarchies go by in pages wherever a format allows it: memory does not grow with the number of cells.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from cfgraph import formats
from cfgraph.errors import InputError, NotFoundError
from cfgraph.files.whole import check_folder, check_place
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.model.growth import count_cells
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells
from cfgraph.model.progress import Asked, shown
from cfgraph.moved import renamed
from cfgraph.store import Store, Stores
from cfgraph.transfer.folders import export_folder
from cfgraph.transfer.pages import Progress, check_complete, read_sound, watched_pages, witness_complete

if TYPE_CHECKING:
    from cfgraph.model.cells import Cells
    from cfgraph.predictors.trained import TrainedPredictor

FOLDER_FORMAT = "neo4j-admin"
Options = Mapping[str, bool]  # of a format alone, by the names that its writer has for them
WHOLE = ("parquet", FOLDER_FORMAT)  # formats that leave nothing out
TOLD_CELLS = 100_000  # from so many on it is told that they are held in memory ...
BYTES_A_CELL, BYTES_A_NUMBER = 600, 30  # ... at so many bytes each and for each number of a center, measured at a million
Say = Callable[[str], None]
_PAGED = {
    **{"graphml": "write_graphml", "gexf": "write_gexf", "dot": "write_dot"},
    **dict.fromkeys(("json", "node-link"), "write_node_link"),
}


class _Options(TypedDict, total=False):
    """What :func:`export` is told besides, for checkers."""

    format: str | None
    depth: int | None
    spreadsheet_safe: bool
    annotations: bool
    progress: Asked
    say: Say


@overload
def export(source: Store | Stores, id: str, output: str | Path, **options: Unpack[_Options]) -> None: ...
@overload
def export(
    source: "Hierarchy | TrainedPredictor | FolderReader", output: str | Path, /, **options: Unpack[_Options]
) -> None: ...
@overload
def export(
    source: "Hierarchy | TrainedPredictor | FolderReader", *, output: str | Path, **options: Unpack[_Options]
) -> None: ...
@renamed(path="output")
def export(
    source: "Store | Stores | Hierarchy | TrainedPredictor | FolderReader",
    id: Any = None,
    output: Any = None,
    *,
    format: str | None = None,
    depth: int | None = None,
    spreadsheet_safe: bool = False,
    annotations: bool = False,
    progress: Asked = None,
    say: Say = lambda line: None,
) -> None:
    """Write a hierarchy or what a predictor learned to a file: ``export(store, "koch", "koch.graphml")``.

    What is in memory needs no id: ``export(hierarchy, "koch.graphml")``.

    Args:
        source: a store, or several of which one holds it, a hierarchy with its cells, a predictor, or a field's folder
            (``open_folder("grown/")``).
        id: of a store, the id of the hierarchy or the predictor.
        output: the file, or for ``neo4j-admin`` and perhaps ``csv`` the new folder; it is there whole or not at all.
        format: its name; else the suffix tells it.
        depth: leaves deeper levels out.
        spreadsheet_safe: of ``csv``: an apostrophe comes before texts that a spreadsheet would take for formulas.
        annotations: of ``newick`` and ``nexus``: the source's own properties stand beside the names, as BEAST has them.
        progress: is told how many cells are done, and how many there are; unless given, a live line shows it on terminals and
            in notebooks.
        say: is told ahead where many cells are to be held in memory, and about how much that is; and which batches of new data
            the file will not hold.

    Raises:
        InputError: for a place that cannot be written, a format that cannot hold what is asked for, ``depth`` where a
            format leaves nothing out or a predictor is exported, ``spreadsheet_safe`` where it is not ``csv``, and
            ``annotations`` where it is neither ``newick`` nor ``nexus``.
        NotFoundError: where the store has nothing of that id.
        DamagedError: for what could not be read back from the file; `cfgraph verify` names what is wrong.
        VanishedError, ChangedError: where the hierarchy is removed or grown meanwhile; nothing is written then.
    """
    if output is None and not isinstance(source, Store | Stores):
        id, output = None, id
    if output is None:
        raise InputError(
            "expected a file to write: "
            + ('export(store, "koch", FILE)' if isinstance(source, Store | Stores) else "export(hierarchy, FILE)")
        )
    path: str | Path = output
    chosen = check_export(path, format=format, depth=depth, spreadsheet_safe=spreadsheet_safe, annotations=annotations)
    options = {"spreadsheet_safe": True} if spreadsheet_safe else {}
    options |= {"annotations": True} if annotations else {}
    if isinstance(source, FolderReader):
        if chosen in WHOLE and depth is not None:
            raise _no_depth(chosen)
        with shown(progress, f"export {source.hierarchy.id}") as show:
            export_folder(source, Path(path), chosen=chosen, depth=depth, options=options, progress=show)
    elif isinstance(source, Store | Stores):
        home, title = source.resolve(_required(id))
        with shown(progress, f"export {title}") as show:
            _export_stored(home, title, Path(path), chosen=chosen, depth=depth, options=options, progress=show, say=say)
    elif isinstance(source, Hierarchy):
        _export_hierarchy(source, path, chosen=chosen, depth=depth, options=options)
    else:
        _export_predictor(source, path, chosen=chosen, depth=depth)


def check_export(
    path: str | Path,
    *,
    format: str | None = None,
    depth: int | None = None,
    spreadsheet_safe: bool = False,
    annotations: bool = False,
) -> str:
    """The format that an export will have; an ``InputError`` for what can be refused before a store is opened."""
    folder = format == FOLDER_FORMAT
    chosen = FOLDER_FORMAT if folder else formats.choose_format(path, asked=format)
    if folder and depth is not None:
        raise _no_depth(chosen)
    if spreadsheet_safe and chosen != "csv":
        raise InputError(f"--spreadsheet-safe is for csv, and {chosen} is no spreadsheet's format; leave it out")
    if annotations and chosen not in formats.OF_TREES:
        raise InputError(f"--annotations is for {' and '.join(formats.OF_TREES)}; {chosen} does without, leave it out")
    (check_folder if folder or (chosen == "csv" and not _is_one_csv(path)) else check_place)(path)
    return chosen


def _is_one_csv(path: str | Path) -> bool:
    from cfgraph.formats.csv import is_one_file

    return is_one_file(path)


def _required(id: str | None) -> str:
    if id is None:
        raise InputError('expected the id of a hierarchy or a predictor in the store: export(store, "koch", path=...)')
    return id


def _export_stored(
    store: Store, id: str, path: Path, *, chosen: str, depth: int | None, options: Options, progress: Progress, say: Say
) -> None:
    if chosen == FOLDER_FORMAT:
        from cfgraph.transfer.bulk import export_bulk

        _tell_batches(store, id, chosen, say=say)
        export_bulk(store, id, path, progress=progress)
        return
    try:
        hierarchy = store.hierarchy(id)
    except NotFoundError:
        _export_predictor(_find_predictor(store, id), path, chosen=chosen, depth=depth)
        return
    if chosen in WHOLE and depth is not None:
        raise _no_depth(chosen)
    if chosen != "parquet":
        _tell_batches(store, id, chosen, say=say)
    if depth is None:
        check_complete(hierarchy)
    if depth is None and (write := _streaming(chosen)) is not None:
        write(store, hierarchy, path, progress=progress, **options)
    else:
        _tell_memory(hierarchy, chosen, depth=depth, cells=_count(store, hierarchy, depth=depth), say=say)
        formats.export_hierarchy(_read(store, hierarchy, depth=depth), path, format=chosen, **options)


def _tell_batches(store: Store, id: str, chosen: str, *, say: Say) -> None:
    """Say that batches are left out."""
    if names := [batch.name for batch in store.batches(id)]:
        say(f"{chosen} leaves out data that was placed: batch {', '.join(names)} of {id!r}; parquet holds it")


def _count(store: Store, hierarchy: Hierarchy, *, depth: int | None) -> int:
    """How many cells there are down to a depth, at most."""
    found = store.counts(hierarchy.id)
    if depth is None or not isinstance(hierarchy, FieldHierarchy):
        return found.cells
    return min(found.cells, 1 + count_cells(1, arity=hierarchy.arity, levels=min(depth, found.depth)))


def _tell_memory(hierarchy: Hierarchy, chosen: str, *, depth: int | None, cells: int, say: Say) -> None:
    """Say of many cells that they will be held in memory, about how much that is, and what does without."""
    if cells < TOLD_CELLS:
        return
    what = f"{chosen} holds the whole hierarchy" if depth is None else "an export with --depth holds its cells"
    size = cells * (BYTES_A_CELL + BYTES_A_NUMBER * hierarchy.dimension)
    others = ", ".join(("parquet", "csv", *(name for name in _PAGED if name != "json"), FOLDER_FORMAT))
    say(f"{what} in memory, up to {cells:,} cells and about {size / 1e9:.1f} GB; {others} stream it whole, page by page")


def _export_hierarchy(hierarchy: Hierarchy, path: str | Path, *, chosen: str, depth: int | None, options: Options) -> None:
    if chosen == FOLDER_FORMAT:
        raise InputError(f"{FOLDER_FORMAT} is written from a store; write {hierarchy.id!r} into one first, by Store.write")
    if chosen in WHOLE and depth is not None:
        raise _no_depth(chosen)
    if depth is not None:
        hierarchy = _prefix_of(hierarchy, hierarchy.require_cells().cells.prefix(depth))
    formats.export_hierarchy(hierarchy.require_cells(), path, format=chosen, **options)


def _export_predictor(trained: "TrainedPredictor", path: str | Path, *, chosen: str, depth: int | None) -> None:
    if depth is not None:
        raise InputError(f"--depth leaves out levels of a hierarchy, and {trained.id!r} is a predictor")
    formats.export_predictor(trained, path, format=chosen)


def _no_depth(chosen: str) -> InputError:
    return InputError(f"--depth is for the other formats; {chosen} writes the whole hierarchy")


def _find_predictor(store: Store, id: str) -> "TrainedPredictor":
    try:
        return store.predictor(id)
    except NotFoundError:
        message = f"there is no hierarchy and no predictor {id!r} in this store; `cfgraph ls` lists what it holds"
        raise NotFoundError(message) from None


def _read(store: Store, hierarchy: Hierarchy, *, depth: int | None) -> HierarchyWithCells:
    if depth is None:
        return read_sound(store, hierarchy)
    return _prefix_of(hierarchy, store.read(hierarchy, depth=depth))


def _prefix_of(hierarchy: Hierarchy, cells: "Cells") -> HierarchyWithCells:
    """The hierarchy with the cells of a prefix, without the points and links that lie outside it."""
    links = 0 if cells.links is None else len(cells.links)
    return hierarchy.with_cells(cells).replace(links=links, point_nodes=False)


def _streaming(chosen: str) -> Callable[..., object] | None:
    """What writes a format from a store page by page; None for a format that wants the whole hierarchy at once."""
    if chosen in _PAGED:
        return partial(_export_elements, write=getattr(formats, _PAGED[chosen]))
    if chosen not in ("csv", "parquet"):
        return None
    from cfgraph.transfer import backup

    write = {"csv": backup.export_csv, "parquet": backup.export_parquet}[chosen]
    return lambda store, hierarchy, path, **options: write(store, hierarchy.id, path, **options)


def _export_elements(store: Store, hierarchy: Hierarchy, path: Path, *, write: Callable[..., None], progress: Progress) -> None:
    from cfgraph.formats.elements import elements_of_pages

    witness = witness_complete(store, hierarchy)
    with witness.explaining():
        pages = partial(watched_pages, store, witness, progress=progress)
        write(elements_of_pages(witness.hierarchy, pages, own_kinds=store.own_kinds(hierarchy)), path)
