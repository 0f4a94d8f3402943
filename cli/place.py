"""``cfgraph place``"""

from pathlib import Path
from typing import Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .large import LARGE
from .output import print_line, print_table, progress_bar
from .reading import reading

FILE = click.Path(path_type=Path)
OF_ROWS = (
    "key",
    "columns",
    "header",
    "separator",
    "decimal",
    "large",
    "beam",
    "encoder",
    "device",
    "cache",
    "skip_broken",
)  # about rows to place


@click.command("place", epilog="Example: cfgraph place iris more.csv --batch monday")
@click.argument("id")
@click.argument("data", metavar="[FILE]", type=FILE, required=False)
@click.option(
    "--batch", metavar="NAME", help="What the batch is called.  [default: batch-1, batch-2, ...: the first that is free]"
)
@click.option("--names", metavar="FILE", type=FILE, help="Names of the rows, one a line.")
@click.option("--remove", metavar="NAME", help="Take this batch back.")
@reading
@LARGE
@click.option(
    "--beam",
    type=int,
    help=f"Cells kept a level.  [default: 1 for nested k-means, as of points and images, else {defaults.BEAM}]",
)
@click.option("--encoder", metavar="NAME|FILE", help="Of images: where the model that embedded them is by now.")
@click.option(
    "--device", default=defaults.DEVICE, show_default=True, help="Of images: where they are embedded: cpu, cuda, cuda:1."
)
@click.option("--cache", metavar="DIR", type=FILE, help="Of images: keep embeddings in this folder, as `ingest images` does.")
@click.option("--skip-broken", is_flag=True, help="Of images: leave out those that cannot be decoded.")
@pass_context
def command(
    context: Context,
    /,
    id: str,
    data: Path | None,
    batch: str | None,
    names: Path | None,
    remove: str | None,
    large: bool,
    beam: int | None,
    encoder: str | None,
    device: str,
    cache: Path | None,
    skip_broken: bool,
    **reading: Any,
) -> None:
    """Place the new points in FILE in the hierarchy ID, as a batch: each a node, IN the cell that it belongs to.

    FILE has the columns of the data that the hierarchy was made of, or is a folder of images, as for `apply`. Each point has
    the distance to its cell's center, the margin by which the next sibling is farther, and whether it lies outside the cell's
    radius. Rows go in some thousand at a time. Interrupted and run again, it goes on; rows that are placed already are found by
    their digest, and nothing is written. Without FILE the batches are listed; --remove takes one back.

    Columns that have names, in FILE and in the data that the hierarchy was made of, are found by these, in any order; others
    go by their order, and so do those of --columns.

    The data that the hierarchy was made of stay what they are: its sizes and its digest, and whatever reads its data, leave
    batches out.
    """
    if remove is not None or data is None:
        _refuse(**_asked_of_rows())
    if remove is not None:
        _refuse(FILE=data, batch=batch, names=names)
        with context.open_store() as store:
            removed = store.remove_batch(id, remove)
        print_line(f"took batch {remove} back from {id}: {removed:,} points")
    elif data is None:
        _refuse(batch=batch, names=names)
        _list(context, id)
    else:
        of_images = {"encoder": encoder, "device": device, "cache": cache, "skip_broken": skip_broken}
        asked = {**reading, "large": large}
        _place(context, id, data, names=names, asked=asked, of_images=of_images, batch=batch, beam=beam)


def _asked_of_rows() -> dict[str, bool]:
    """The options of OF_ROWS in the command itself; those of the environment are there for other calls, too."""
    source = click.get_current_context().get_parameter_source
    return {name: True for name in OF_ROWS if source(name) is click.core.ParameterSource.COMMANDLINE}


def _refuse(**given: Any) -> None:
    """An error for what is of no use here."""
    from cfgraph.errors import InputError

    for name, value in given.items():
        if value is not None:
            wrong, help = (
                ("FILE", "leave one of the two out")
                if name == "FILE"
                else (f"--{name.replace('_', '-')}", "name the FILE, or leave it out")
            )
            raise InputError(f"{wrong} is about rows to place, and none are to be placed here; {help}")


def _list(context: Context, id: str) -> None:
    with context.open_store() as store:
        store.hierarchy(id)
        batches = store.batches(id)
    if not batches:
        context.say(f"no batch was placed in {id}")
        return
    rows = [[one.name, one.state, one.done, one.rows, f"{one.created:%Y-%m-%d %H:%M:%S}", one.version] for one in batches]
    print_table(["batch", "state", "points", "rows", "created", "version"], rows)


def _place(
    context: Context,
    id: str,
    data: Path,
    *,
    names: Path | None,
    asked: dict,
    of_images: dict,
    **options: Any,
) -> None:
    from cfgraph.files.texts import given_names
    from cfgraph.learning.new_images import NewImages
    from cfgraph.metric.apply import is_of_images
    from cfgraph.metric.place import place
    from cfgraph.sources.preparation import read_new_rows

    images = NewImages(data=data, key=asked["key"], large=asked["large"], say=context.say, **of_images)
    rows = images if data.is_dir() else read_new_rows(data, say=context.say, **asked)
    called, told = given_names(names, large=asked["large"])
    with context.open_store() as store:
        with store.witness(id, live=True) as witness:
            pixels = data.suffix.lower() in (".npy", ".npz") and is_of_images(store, id)
        with progress_bar(f"place {data.name}") as progress:
            found = place(store, witness.id, data=images if pixels else rows, names=called, progress=progress, **options)
    for note in (*told, *found.notes):
        context.say(note)
    print_line(f"placed {found.batch.done:,} points in {id} as batch {found.batch.name}")
