"""``cfgraph export``: take a hierarchy or what a predictor learned away as a file."""

from pathlib import Path
from typing import Any

import click

from .context import Context, pass_context
from .output import progress_bar

STDOUT = Path("/dev/stdout")


@click.command("export", epilog="Example: cfgraph export koch --depth 4 -o koch.graphml")
@click.argument("id", metavar="ID")
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The file to write; - is stdout."
)
@click.option("--format", metavar="NAME", help="One of the names below; else the suffix tells it.")
@click.option("--depth", type=click.IntRange(min=0), help="Leave out deeper levels.")
@click.option(
    "--spreadsheet-safe",
    is_flag=True,
    help="Of csv: put an apostrophe before texts that begin with =, +, -, @, a tab or a line's end, which a spreadsheet "
    "takes for formulas.",
)
@click.option("--annotations", is_flag=True, help="Of newick and nexus: properties stand beside the names, [&rate=0.2].")
@pass_context
def command(
    context: Context,
    id: str,
    output: Path,
    format: str | None,
    depth: int | None,
    spreadsheet_safe: bool,
    annotations: bool,
) -> None:
    """Write the hierarchy or the predictor ID to a file.

    \b
    parquet      .parquet             all there is, without loss; `cfgraph ingest parquet` brings it back
    csv          .csv, or a folder    a row a cell; in a folder cells, edges, points, and what is known of all
    graphml      .graphml             a node is a cell, named by its address; an edge leads from parent to child,
    gexf         .gexf                and its weight is its length in the path metric; lists are JSON text,
    node-link    .json                such as "[0.5, -1.25]", but in node-link
    dot          .dot, .gv            for Graphviz
    nested-json                       d3's name and children, with properties: trees with one root
    newick       .nwk, .newick, .tre  trees with one root: names and lengths
    nexus        .nex, .nexus, .nxs   the same, with a block of taxa
    linkage      .npy                 SciPy's matrix of merges: binary trees with heights
    neo4j-admin  a new folder         CSV files for `neo4j-admin database import full`, with the command in README.md
    maps         .json                of a predictor of the family recurrence: the iterated function system that it has
                                      learned, which `cfgraph ingest ifs` reads

    parquet and neo4j-admin take complete hierarchies as a whole, with the predictors that grew them. They, csv,
    graphml, gexf, node-link and dot stream: memory does not grow with the number of cells. newick, nexus, nested-json,
    linkage and --depth hold the cells in memory, and say so first where these are many. ID may be a folder that a field was
    grown into: FOLDER/.
    """
    from cfgraph.formats.folders.place import is_folder
    from cfgraph.formats.folders.reader import open_folder
    from cfgraph.transfer.export import FOLDER_FORMAT, check_export, export

    output = STDOUT if output == Path("-") else output
    # Before a server is started for it.
    check_export(output, format=format, depth=depth, spreadsheet_safe=spreadsheet_safe, annotations=annotations)
    how: dict[str, Any] = {
        "format": format,
        "depth": depth,
        "spreadsheet_safe": spreadsheet_safe,
        "annotations": annotations,
        "say": context.say,
    }
    if is_folder(id):
        with progress_bar(f"export {id}") as progress:
            export(open_folder(id), output=output, progress=progress, **how)
    else:
        with context.open_stores() as store, progress_bar(f"export {id}") as progress:
            export(store, id, output=output, progress=progress, **how)
    context.say(f"wrote {output}" + (f", with the command in {output / 'README.md'}" if format == FOLDER_FORMAT else ""))
