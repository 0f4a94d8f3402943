"""``cfgraph export``: take a hierarchy or what a predictor learned away as a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import progress_bar

if TYPE_CHECKING:
    from cfgraph.store import Store
    from cfgraph.train import TrainedPredictor


FOLDER_FORMAT = "neo4j-admin"


@click.command("export", epilog="Example: cfgraph export koch --depth 4 -o koch.graphml")
@click.argument("id", metavar="ID")
@click.option("-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--format", metavar="NAME", help="graphml, node-link, maps, json or neo4j-admin; else the suffix tells it.")
@click.option("--depth", type=click.IntRange(min=0), help="Leave out deeper levels.")
@pass_context
def command(context: Context, id: str, output: Path, format: str | None, depth: int | None) -> None:
    """Write the hierarchy or the predictor ID to a file.

    A hierarchy becomes GraphML (.graphml) or networkx's node-link JSON (.json): a node is a cell, named by its address, an
    edge leads from parent to child, and its weight is its length in the path metric. GraphML has no lists, so there
    centers and residuals are JSON text, such as "[0.5, -1.25]". A predictor of the family recurrence becomes the maps of
    the iterated function system that it has learned (.json), which `cfgraph ingest ifs` reads.

    The format neo4j-admin makes a new folder FILE of CSV files for `neo4j-admin database import full`, of a complete
    hierarchy with the predictors that grew it; the README.md in it holds the exact command and says what is left out.
    """
    from cfgraph.exports import check_place, choose_format

    if format == FOLDER_FORMAT:
        return _export_folder(context, id, output, depth=depth)
    chosen = choose_format(check_place(output), asked=format)
    with context.open_store() as store:
        _export(store, id, output, chosen=chosen, depth=depth)
    context.say(f"wrote {output}")


def _export_folder(context: Context, identifier: str, folder: Path, *, depth: int | None) -> None:
    from cfgraph.bulk import export_bulk
    from cfgraph.errors import InputError
    from cfgraph.exports.files import check_folder

    if depth is not None:
        raise InputError(f"--depth is for graphml and node-link; {FOLDER_FORMAT} writes the whole hierarchy")
    check_folder(folder)
    with context.open_store() as store, progress_bar(f"export {identifier}") as progress:
        export_bulk(store, identifier, folder, progress=progress)
    context.say(f"wrote {folder}, with the command in {folder / 'README.md'}")


def _export(store: "Store", identifier: str, path: Path, *, chosen: str, depth: int | None) -> None:
    from cfgraph.errors import InputError, NotFoundError
    from cfgraph.exports import export_hierarchy, export_predictor

    try:
        hierarchy = store.hierarchy(identifier)
    except NotFoundError:
        trained = _find_predictor(store, identifier)
        if depth is not None:
            raise InputError(f"--depth leaves out levels of a hierarchy, and {identifier!r} is a predictor") from None
        export_predictor(trained, path, format=chosen)
    else:
        export_hierarchy(hierarchy.with_cells(store.read(identifier, depth=depth)), path, format=chosen)


def _find_predictor(store: "Store", identifier: str) -> "TrainedPredictor":
    from cfgraph.errors import NotFoundError

    try:
        return store.predictor(identifier)
    except NotFoundError:
        told = f"there is no hierarchy and no predictor {identifier!r} in this store; `cfgraph ls` lists what it holds"
        raise NotFoundError(told) from None
