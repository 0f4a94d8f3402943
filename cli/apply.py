"""``cfgraph apply``"""

from pathlib import Path
from typing import Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .large import LARGE
from .output import print_line
from .reading import reading

FILE = click.Path(path_type=Path)


@click.command("apply", epilog="Example: cfgraph apply iris more.csv > addresses.txt")
@click.argument("id")
@click.argument("data", metavar="FILE", type=FILE)
@reading
@LARGE
@click.option(
    "--beam", type=int, default=defaults.BEAM, show_default=True, help="Cells kept a level: more find the nearest more often."
)
@click.option("--depth", type=int, help="Stop at this level.")
@click.option("--encoder", metavar="NAME|FILE", help="Of images: where the model that embedded them is by now.")
@click.option(
    "--device", default=defaults.DEVICE, show_default=True, help="Of images: where they are embedded: cpu, cuda, cuda:1."
)
@click.option("--cache", metavar="DIR", type=FILE, help="Of images: keep embeddings in this folder, as `ingest images` does.")
@click.option("--skip-broken", is_flag=True, help="Of images: leave out those that cannot be decoded.")
@click.option("--latents", metavar="FILE", type=FILE, help="Save where the points are among the centers, as .npy.")
@pass_context
def command(
    context: Context,
    /,
    id: str,
    data: Path,
    large: bool,
    beam: int,
    depth: int | None,
    latents: Path | None,
    encoder: str | None,
    device: str,
    cache: Path | None,
    skip_broken: bool,
    **reading: Any,
) -> None:
    """The cell of the hierarchy ID that each new point in FILE belongs to, an address a line.

    FILE, a table, has the columns of the data that the hierarchy was made of. Points go the same way as
    those (standardised, projected, ...), then down by the nearest centers. Where it was made of images FILE is a folder of
    such, or an array of them; the name of each stands behind its address.
    """
    from cfgraph.files.whole import check_place, whole_file
    from cfgraph.learning.new_images import NewImages
    from cfgraph.metric.apply import apply_named, is_of_images
    from cfgraph.sources.preparation import read_new_rows

    if latents is not None:
        check_place(latents)
    of_images: dict[str, Any] = {"encoder": encoder, "device": device, "cache": cache, "skip_broken": skip_broken}
    images = NewImages(data=data, key=reading["key"], large=large, say=context.say, **of_images)
    rows = images if data.is_dir() else read_new_rows(data, say=context.say, large=large, **reading)
    with context.open_store() as store, store.witness(id, depth=depth):  # all of it is of the same hierarchy
        given = images if data.suffix.lower() in (".npy", ".npz") and is_of_images(store, id) else rows
        found = apply_named(store, id, data=given, beam=beam, depth=depth)
    if latents is not None:
        import numpy as np

        with whole_file(latents) as file:
            np.save(file, found.rows)
    for note in found.notes:
        context.say(note)
    for row, address in enumerate(found.addresses):
        print_line(address if found.names is None else f"{address} {found.names[row]}")
