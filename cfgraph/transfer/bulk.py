"""Bulk: hierarchies in and out of a database as the files that neo4j-admin imports while the server is down.

In: cells are grown piece by piece, written as CSV, imported by neo4j-admin into a database beside the store's, and that takes
the place of the store's empty one in a step that a crash cannot leave half done (cfgraph/server/importing.py). Out: the
store's pages become the same kind of files, with the command that reads them.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfgraph.errors import DamagedError, InputError, NotFoundError
from cfgraph.files.whole import whole_folder
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.formats.neo4j_admin import (
    HIERARCHY_NODE,
    OWN_TYPES,
    EncoderRows,
    Form,
    GrowerRows,
    ImportFolder,
    own_type,
    takes_parquet,
)
from cfgraph.model.columns import one_kind, width_of
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy, FieldWithCells, Hierarchy, HierarchyWithCells, same_recipe
from cfgraph.model.pieces import Piece, pieces_of_cells
from cfgraph.server.importing import import_files, prepare_staging
from cfgraph.server.local import Connection, LocalServer
from cfgraph.settings import Settings
from cfgraph.sources.field_plan import FieldPlan, Spread
from cfgraph.store import Store
from cfgraph.store.encoders import encoder_properties
from cfgraph.store.history import WRITTEN
from cfgraph.store.incarnation import new_incarnation
from cfgraph.store.records import properties_of
from cfgraph.transfer.pages import check_growers, watched_pages, witness_complete

if TYPE_CHECKING:
    from cfgraph.predictors.trained import Grower

LEAVING_SECONDS = 2.0  # how long a connection that was closed may still be counted
POLL_SECONDS = 0.1
Progress = Callable[[int, int], None]  # cells written, cells in all


@dataclass(frozen=True)
class BulkReport:
    """What a bulk ingest did: ``seconds`` by stage, in order. Nothing where the store held the hierarchy already."""

    hierarchy: FieldHierarchy
    cells: int
    depth: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BulkExport:
    """What an export wrote, and the arguments of neo4j-admin that import it, to be given in its folder."""

    cells: int
    arguments: tuple[str, ...]


class _AlreadyThereError(Exception):
    """The store holds the same hierarchy, whole."""


def ingest_bulk(
    url: str,
    source: FieldPlan | Hierarchy | FolderReader,
    *,
    settings: Settings,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress = lambda done, total: None,
) -> BulkReport:
    """Fill the empty local store behind ``url`` with one hierarchy, by neo4j-admin: a field, cells in memory, or a folder.

    The server is stopped meanwhile. Interrupted or killed at any moment this leaves the store empty or whole, and the same
    call again finishes, or finds it done. Raises an ``InputError`` for a store that is not local, holds anything else or is
    in use; a ``LocalServerError`` where the disk is full or neo4j-admin fails.
    """
    server = LocalServer.of_url(url, settings=settings, say=say)
    plan = _Plan.of(source)
    clock = _Clock()
    try:
        with server.offline(check=lambda connection: _check_empty(connection, plan.hierarchy, place=url)) as launcher:
            clock.note("stop")
            files = prepare_staging(server.home)
            say(f"writing {plan.cells:,} cells as files for neo4j-admin")
            form = form_of(source, version=launcher.pinned.version)
            hierarchy, arguments = write_files(files, source, form=form, progress=progress)
            clock.note("write")
            say("neo4j-admin imports them")
            import_files(launcher, arguments, nodes=plan.cells, form=form)
            clock.note("import")
        clock.note("start")
    except _AlreadyThereError:
        say(f"{plan.hierarchy.id}: the store holds it already, whole")
        hierarchy = plan.hierarchy
    with Store.open(url, settings=settings, say=say) as store:
        store.ensure_schema()
        clock.note("schema")
        written = store.hierarchy(hierarchy.id).require_field("--bulk")
        if not store.read_entries(written.id):
            store.add_entry(written, WRITTEN, bulk=True)
        return BulkReport(written, plan.cells, plan.depth, clock.seconds)


def form_of(source: FieldPlan | Hierarchy | FolderReader, *, version: str) -> Form:
    """In which form a source goes through a version of neo4j-admin: the faster one where its cells come in pieces."""
    return "parquet" if isinstance(source, FieldPlan | FolderReader) and takes_parquet(version) else "csv"


@dataclass
class _Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.monotonic)

    def note(self, stage: str) -> None:
        """The stage ends now."""
        now = time.monotonic()
        self.seconds[stage], self.last = now - self.last, now


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be written, of a field or of cells in memory."""

    hierarchy: FieldHierarchy
    cells: int
    depth: int
    pieces: Callable[[Spread], Iterator[Piece]]
    with_spread: Callable[[Spread], FieldHierarchy]
    growers: "tuple[Grower, ...]" = ()
    encoder: Encoder | None = None

    @classmethod
    def of(cls, source: FieldPlan | Hierarchy | FolderReader) -> "_Plan":
        first = HIERARCHY_NODE + 1
        if isinstance(source, FolderReader):
            known = source.hierarchy
            pieces = partial(source.pieces, first=first)
            counts = (source.count(), source.depth)
            return cls(known, *counts, lambda _: pieces(), lambda _: known, source.growers, source.encoder())
        if isinstance(source, FieldPlan):
            return cls(
                source.hierarchy,
                source.cells,
                source.depth,
                pieces=lambda spread: source.pieces(first=first, spread=spread),
                with_spread=lambda spread: source.with_spread(spread).hierarchy,
                encoder=source.encoder,
            )
        if not isinstance(source, FieldHierarchy):
            raise InputError(
                f"--bulk fills a store with a field, and {source.id!r} was imported ({source.origin}): files for neo4j-admin "
                "cannot hold the empty centers of cells without embeddings; leave --bulk out"
            )
        if not isinstance(source, FieldWithCells):
            raise InputError(f"hierarchy {source.id!r} has no cells to write; read them first: store.read_whole({source.id!r})")
        cells = source.cells
        encoder = source.require_encoder()
        made = (lambda _: pieces_of_cells(cells, first=first)), (lambda _: source)
        return cls(source, len(cells), cells.depth, *made, encoder=encoder)


def write_files(
    files: Path,
    source: FieldPlan | Hierarchy | FolderReader,
    *,
    form: Form = "csv",
    progress: Progress = lambda done, total: None,
) -> tuple[Hierarchy, list[str]]:
    """Write all files into a folder; the hierarchy with what was measured meanwhile, and neo4j-admin's arguments."""
    plan = _Plan.of(source)
    spread = Spread(plan.hierarchy.arity)
    kinds = {name: plan.hierarchy.own_kinds.get(name) for name in plan.hierarchy.own}
    own = _column_types(kinds, id=plan.hierarchy.id, otherwise="leave --bulk out")
    texts = [*plan.hierarchy.notes, *(text for grower in plan.growers for text in grower.trained.warnings)]
    written = {"form": form, "texts": texts, "own": own, **_points_of(source)}
    with ImportFolder(files, plan.hierarchy.id, ids="actual", **written) as folder:
        for piece in plan.pieces(spread):
            folder.add_piece(piece)
            progress(folder.cells, plan.cells)
        hierarchy = plan.with_spread(spread)
        growers = [rows_of_grower(grower, hierarchy.id) for grower in plan.growers]
        return hierarchy, folder.finish(
            {**properties_of(hierarchy), "incarnation": new_incarnation()},
            growers=[replace(one, properties={**one.properties, "incarnation": new_incarnation()}) for one in growers],
            encoder=None if plan.encoder is None else encoder_rows(plan.encoder),
        )


def _points_of(source: FieldPlan | Hierarchy | FolderReader) -> dict[str, Any]:
    """What an :class:`ImportFolder` is told of the data points of cells in memory, where these are to be nodes."""
    if not isinstance(source, HierarchyWithCells) or not source.point_nodes:
        return {}
    if source.cell_of_point is None:
        raise InputError(
            f"the data points of {source.id!r} are to be nodes, and it does not hold the cells that they lie in; read the "
            f"whole of it first: store.read_whole({source.id!r})"
        )
    columns = {name: source.point_columns[name] for name in source.point_kinds or ()}
    return {"point_names": source.point_names, "point_columns": columns, "cell_of_point": source.cell_of_point}


def _check_empty(connection: Connection, hierarchy: Hierarchy, *, place: str) -> None:
    """Refuse a store that holds or serves anybody; say so where it holds just this hierarchy."""
    with Store.of_server(connection) as store:
        _check_unused(store, place=place)
        nodes = store.count_nodes()
        if nodes == 0:
            return
        with_same_recipe = _find_same(store, hierarchy)
    if with_same_recipe:
        raise _AlreadyThereError
    raise InputError(
        f"--bulk fills an empty store, and the one at {place} holds {nodes:,} nodes; leave --bulk out, or name another: "
        "--store local:DIR"
    )


def _find_same(store: Store, hierarchy: Hierarchy) -> bool:
    try:
        found = store.hierarchy(hierarchy.id)
    except (NotFoundError, DamagedError):
        return False
    return found.state == "complete" and same_recipe(found.recipe, hierarchy.recipe)


def _check_unused(store: Store, *, place: str) -> None:
    """Refuse while others are connected: what they write now would be lost, and the server stops under them."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while (others := store.count_connections() - 1) > 0:
        if time.monotonic() > deadline:
            who = "another is" if others == 1 else f"{others} others are"
            raise InputError(f"--bulk stops the server, and {who} connected to {place}; close that first")
        time.sleep(POLL_SECONDS)


# -- out


def export_bulk(store: Store, id: str, directory: Path, *, progress: Progress = lambda done, total: None) -> BulkExport:
    """Write a complete hierarchy as a folder that neo4j-admin imports, with a README that says how.

    Besides its cells and edges: the predictors that grew it. Memory is bounded by a page of cells. Raises an ``InputError``
    for a folder that is not empty or cannot be written, and for a hierarchy that is not complete.
    """
    witness = witness_complete(store, id)
    hierarchy = witness.hierarchy
    with witness.explaining():
        growers = store.growers(id)
        check_growers(id, growers)
        texts = [*hierarchy.notes, *(text for grower in growers for text in grower.trained.warnings)]
        with whole_folder(directory) as part:
            own, names = _own_types(store, hierarchy), store.point_names(hierarchy)
            besides = store.point_columns(hierarchy)
            with ImportFolder(part, id, ids="key", texts=texts, own=own, point_names=names, point_columns=besides) as folder:
                for page in watched_pages(store, witness, progress=progress):
                    folder.add_page(page)
                encoder = store.encoder(hierarchy)
                arguments = folder.finish(
                    properties_of(hierarchy),
                    growers=[rows_of_grower(grower, id) for grower in growers],
                    encoder=None if encoder is None else encoder_rows(encoder),
                )
            (part / "README.md").write_text(readme_of(hierarchy, arguments, growers=growers), encoding="utf-8")
    return BulkExport(folder.cells, tuple(arguments))


def _own_types(store: Store, hierarchy: Hierarchy) -> dict[str, str | None]:
    """The type of each property of the source's own, as a column of neo4j-admin's; None where no cell has it."""
    kinds = {name: one_kind(found) for name, found in store.own_kinds(hierarchy).items()}
    return _column_types(kinds, id=hierarchy.id, otherwise="export as parquet")


def _column_types(kinds: Mapping[str, str | None], *, id: str, otherwise: str) -> dict[str, str | None]:
    """The same of properties of these kinds; ``otherwise`` says what to do where a file for neo4j-admin cannot have one."""
    mixed = [name for name, kind in kinds.items() if kind not in (None, *OWN_TYPES) and not width_of(kind)]
    if mixed:
        raise InputError(
            f"the cells of {id!r} have values of several types, or lists, in the property {', '.join(mixed)}, and a "
            f"column for neo4j-admin has one type; {otherwise}"
        )
    strange = [name for name in kinds if ":" in name]
    if strange:
        raise InputError(f"a column for neo4j-admin cannot be called {', '.join(map(repr, strange))}; {otherwise}")
    return {name: own_type(kind) for name, kind in kinds.items()}


def encoder_rows(encoder: Encoder) -> EncoderRows:
    """What was done to a hierarchy's data first, for files of neo4j-admin."""
    return EncoderRows(encoder_properties(encoder), encoder.parts)


def rows_of_grower(grower: "Grower", id: str) -> GrowerRows:
    """A predictor that grew a hierarchy, for files of neo4j-admin."""
    trained_on = {"depth": grower.trained.depth} if grower.trained.hierarchy == id else None
    return GrowerRows(properties_of(grower.trained), tuple(grower.growths), trained_on)


README = """\
# The hierarchy {id}, for neo4j-admin

In this folder, with the server stopped (Neo4j 5.26 or newer, any edition):

    {command}

It REPLACES the database `neo4j` by this hierarchy. Start the server; the first cfgraph command makes the indexes.
{after}
Here are the Hierarchy node, its ROOT, all cells with their labels and properties{cuts}, all CHILD edges, {points}{encoder}
and {growers}.
Left out: predictors that did not grow it, and relationships to other hierarchies (PREDICTS, and TRAINED_ON of theirs).
"""

RESTORE = """
CSV has no empty lists, which the centers and residuals of dimension 0 are. So then:

    {command}
"""


def readme_of(hierarchy: Hierarchy, arguments: list[str], *, growers: list["Grower"]) -> str:
    """How a folder for neo4j-admin is imported."""
    restore = ["query", "--write", "--name", "restore_empty_lists", "-p", f"id={json.dumps(hierarchy.id)}"]
    names = ", ".join(grower.trained.id for grower in growers)
    return README.format(
        id=hierarchy.id,
        command=shlex.join(["neo4j-admin", *arguments]),
        after=RESTORE.format(command=shlex.join(["cfgraph", *restore])) if hierarchy.dimension == 0 else "",
        cuts=f" (among them the cuts that were kept: {', '.join(hierarchy.cuts)})" if hierarchy.cuts else "",
        points="all data points with their IN, " if hierarchy.point_nodes else "",
        encoder="what was done to its data first (Encoder), " if hierarchy.encoder_sha256 else "",
        growers=f"the predictors that grew it ({names}), with their weights" if names else "no predictor, since none grew it",
    )
