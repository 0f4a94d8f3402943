"""``cfgraph reconstruct``"""

from pathlib import Path

import click

from .context import Context, pass_context
from .output import print_line


@click.command("reconstruct", epilog="Example: cfgraph reconstruct digits / /0 /0/2 -o cells.npy")
@click.argument("id")
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write the rows to this file, as .npy, instead."
)
@pass_context
def command(context: Context, id: str, addresses: tuple[str, ...], output: Path | None) -> None:
    """What cells of the hierarchy ID look like among the data it was made of: an address and its numbers a line.

    Their centers go backwards through what was done to the data first: columns scaled, axes projected, the decoder of `ingest
    hcrl --encoder vae`. Cells of every level can be asked for, and those that a predictor grew. `cfgraph plot --form
    reconstructions` draws them all, where the data are images.
    """
    from cfgraph.files.whole import check_place, whole_file
    from cfgraph.metric.apply import reconstruct

    if output is not None:
        check_place(output)
    with context.open_store() as store:
        rows = reconstruct(store, id, addresses=addresses)
    if output is None:
        for address, row in zip(addresses, rows.tolist(), strict=True):
            print_line(" ".join([address, *(f"{number:.6g}" for number in row)]))
        return
    import numpy as np

    with whole_file(output) as file:
        np.save(file, rows)
    context.say(f"wrote {output}")
