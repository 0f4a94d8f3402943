"""``cfgraph export``: take a hierarchy or what a predictor learned away as a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import progress_bar

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store


FOLDER_FORMAT = "neo4j-admin"
STREAMED = ("csv", "parquet")
STDOUT = Path("/dev/stdout")


@click.command("export", epilog="Example: cfgraph export koch --depth 4 -o koch.graphml")
@click.argument("id", metavar="ID")
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The file to write; - is stdout."
)
@click.option("--format", metavar="NAME", help="One of the names below; else the suffix tells it.")
@click.option("--depth", type=click.IntRange(min=0), help="Leave out deeper levels.")
@pass_context
def command(context: Context, id: str, output: Path, format: str | None, depth: int | None) -> None:
    """Write the hierarchy or the predictor ID to a file.

    \b
    parquet      .parquet             all there is, without loss; `cfgraph ingest parquet` brings it back
    csv          .csv, or a folder    a row a cell; in a folder cells, edges, points, and what is known of all
    graphml      .graphml             a node is a cell, named by its address; an edge leads from parent to child,
    gexf         .gexf                and its weight is its length in the path metric; lists are JSON text,
    node-link    .json                such as "[0.5, -1.25]", but in node-link
    dot          .dot, .gv            for Graphviz
    newick       .nwk, .newick, .tre  trees with one root: names and lengths
    linkage      .npy                 SciPy's matrix of merges: binary trees with heights
    neo4j-admin  a new folder         CSV files for `neo4j-admin database import full`, with the command in README.md
    maps         .json                of a predictor of the family recurrence: the iterated function system that it has
                                      learned, which `cfgraph ingest ifs` reads

    parquet and neo4j-admin take complete hierarchies as a whole, with the predictors that grew them. They and csv stream:
    memory does not grow with the number of cells.
    """
    from cfgraph.files.whole import check_folder
    from cfgraph.formats import check_place, choose_format
    from cfgraph.formats.csv import is_one_file

    output = STDOUT if output == Path("-") else output
    if format == FOLDER_FORMAT:
        return _export_folder(context, id, output, depth=depth)
    chosen = choose_format(output, asked=format)
    (check_folder if chosen == "csv" and not is_one_file(output) else check_place)(output)
    with context.open_store() as store:
        _export(store, id, output, chosen=chosen, depth=depth)
    context.say(f"wrote {output}")


def _export_folder(context: Context, identifier: str, folder: Path, *, depth: int | None) -> None:
    from cfgraph.errors import InputError
    from cfgraph.files.whole import check_folder
    from cfgraph.transfer.bulk import export_bulk

    if depth is not None:
        raise InputError(f"--depth is for the other formats; {FOLDER_FORMAT} writes the whole hierarchy")
    check_folder(folder)
    with context.open_store() as store, progress_bar(f"export {identifier}") as progress:
        export_bulk(store, identifier, folder, progress=progress)
    context.say(f"wrote {folder}, with the command in {folder / 'README.md'}")


def _export(store: "Store", identifier: str, path: Path, *, chosen: str, depth: int | None) -> None:
    from cfgraph.errors import InputError, NotFoundError
    from cfgraph.formats import export_hierarchy, export_predictor

    try:
        hierarchy = store.hierarchy(identifier)
    except NotFoundError:
        trained = _find_predictor(store, identifier)
        if depth is not None:
            raise InputError(f"--depth leaves out levels of a hierarchy, and {identifier!r} is a predictor") from None
        export_predictor(trained, path, format=chosen)
    else:
        if chosen == "parquet" and depth is not None:
            raise InputError("--depth is for the other formats; parquet writes the whole hierarchy")
        if chosen in STREAMED and depth is None:
            return _export_streamed(store, identifier, path, chosen=chosen)
        export_hierarchy(_read(store, hierarchy, depth=depth), path, format=chosen)


def _read(store: "Store", hierarchy: "Hierarchy", *, depth: int | None) -> "Hierarchy":
    """The hierarchy with its cells; of a prefix without the points and links that lie outside it."""
    if depth is None:
        return store.read_whole(hierarchy.id)
    cells = store.read(hierarchy.id, depth=depth)
    links = 0 if cells.links is None else len(cells.links)
    return hierarchy.replace(cells=cells, cell_of_point=None, links=links, point_nodes=False)


def _export_streamed(store: "Store", identifier: str, path: Path, *, chosen: str) -> None:
    from cfgraph.transfer.backup import export_csv, export_parquet

    write = {"csv": export_csv, "parquet": export_parquet}[chosen]
    with progress_bar(f"export {identifier}") as progress:
        write(store, identifier, path, progress=progress)


def _find_predictor(store: "Store", identifier: str) -> "TrainedPredictor":
    from cfgraph.errors import NotFoundError

    try:
        return store.predictor(identifier)
    except NotFoundError:
        told = f"there is no hierarchy and no predictor {identifier!r} in this store; `cfgraph ls` lists what it holds"
        raise NotFoundError(told) from None
