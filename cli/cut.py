"""``cfgraph cut``: flat clusters from a hierarchy."""

from pathlib import Path
from typing import Any

import click

from .context import Context, pass_context
from .output import FORMAT, print_rows


@click.command("cut", epilog="Example: cfgraph cut digits --clusters 10 -o labels.csv")
@click.argument("id", metavar="ID")
@click.option(
    "--clusters", type=int, metavar="K", help="At most K: SciPy's fcluster by heights; else the largest is split first."
)
@click.option("--height", type=float, metavar="H", help="Undo every merge above H.")
@click.option("--level", type=int, metavar="L", help="The cells of level L.")
@click.option("--persistence", is_flag=True, help="Those of most stability, as HDBSCAN takes them.")
@click.option("--sizes", metavar="MIN..MAX", help="The highest cells of so many points.")
@click.option("--minimum-size", type=int, metavar="M", help="Of --persistence: points of a cluster.  [default: 5]")
@click.option("--method", type=click.Choice(["eom", "leaf"]), help="Of --persistence.  [default: as ID was made, else eom]")
@click.option("--allow-single/--no-single", default=None, help="Of --persistence: whether one cluster may hold all points.")
@click.option("--epsilon", type=float, metavar="E", help="Of --persistence: no split below this distance.")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write a row a point: .csv, .parquet, .npy."
)
@click.option("--as-property", metavar="NAME", help="Keep the cut in the graph, as a property of cells.")
@click.option("--remove-property", metavar="NAME", help="Remove a cut that was kept; no other option goes with it.")
@FORMAT
@pass_context
def command(
    context: Context,
    /,
    id: str,
    output: Path | None,
    as_property: str | None,
    remove_property: str | None,
    format: str,
    **asked: Any,
) -> None:
    """Flat clusters from the hierarchy ID: a number for each point, -1 for noise.

    Points are the data points that the graph knows (`ingest ... --points`, or a cell each), else the leaves. FILE gets the
    columns row, cell (in which the point lies), name, label and, by persistence, probability; without it the clusters are
    printed. --as-property NAME sets the label on each cluster's cell and on all cells below it.
    """
    from cfgraph.errors import InputError

    given = [name for name, value in asked.items() if value not in (None, False)]
    if remove_property is not None:
        if given or output is not None or as_property is not None:
            raise InputError("--remove-property goes with no other option; leave them out")
        _remove(context, id, remove_property)
        return
    _cut(context, id, asked, output=output, as_property=as_property, format=format)


def _cut(
    context: Context, id: str, asked: dict[str, Any], *, output: Path | None, as_property: str | None, format: str
) -> None:
    from cfgraph.judging.cut import check_labels_file, cut

    if output is not None:
        check_labels_file(output)
    with context.open_store() as store:
        found = cut(store, id, as_property=as_property, **asked)
    for note in found.notes:
        context.say(note)
    noise = int((found.labels < 0).sum())
    context.say(f"{len(found.rows):,} clusters of {len(found):,} {found.what}, {noise:,} of them noise")
    if as_property is not None:
        context.say(f"kept as the property {as_property!r} of the cells of {id}")
    if output is not None:
        found.save(output)
        context.say(f"wrote {output}")
        return
    table = found.cluster_table()
    print_rows(list(table), list(zip(*table.values(), strict=True)), format=format)


def _remove(context: Context, id: str, name: str) -> None:
    with context.open_store() as store:
        store.remove_cut(store.read_whole(id), name)
    context.say(f"removed the property {name!r} of the cells of {id}")
