"""``cfgraph apply``"""

from pathlib import Path

import click

from cfgraph import defaults

from .context import Context, pass_context
from .header import HEADER
from .large import LARGE
from .output import print_line

FILE = click.Path(path_type=Path)


@click.command("apply", epilog="Example: cfgraph apply iris more.csv > addresses.txt")
@click.argument("id")
@click.argument("data", metavar="FILE", type=FILE)
@click.option("--key", help="The array of an .npz file; not needed where it holds one.")
@click.option("--columns", metavar="A,B,...", help="Columns of a .csv or .parquet file.  [default: all but an index]")
@HEADER
@LARGE
@click.option(
    "--beam", type=int, default=defaults.BEAM, show_default=True, help="Cells kept a level: more find the nearest more often."
)
@click.option("--depth", type=int, help="Stop at this level.")
@click.option("--latents", metavar="FILE", type=FILE, help="Save where the points are among the centers, as .npy.")
@pass_context
def command(
    context: Context,
    id: str,
    data: Path,
    key: str | None,
    columns: str | None,
    header: str,
    large: bool,
    beam: int,
    depth: int | None,
    latents: Path | None,
) -> None:
    """The cell of the hierarchy ID that each new point in FILE belongs to, an address a line.

    FILE (.npy, .npz, .csv or .parquet) has the columns of the data that the hierarchy was made of. Points go the same way as
    those (standardised, projected, ...), then down by the nearest centers.
    """
    from cfgraph.files.whole import check_place, whole_file
    from cfgraph.metric.apply import apply, encode
    from cfgraph.sources.preparation import read_new_rows

    if latents is not None:
        check_place(latents)
    asked = None if columns is None else columns.split(",")
    rows = read_new_rows(data, key=key, columns=asked, header=header, large=large)
    with context.open_store() as store, store.witness(id, depth=depth):  # both are of the same hierarchy
        addresses = apply(store, id, data=rows, beam=beam, depth=depth)
        encoded = None if latents is None else encode(store, id, data=rows)
    if latents is not None and encoded is not None:
        import numpy as np

        with whole_file(latents) as file:
            np.save(file, encoded)
    for address in addresses:
        print_line(address)
