"""``cfgraph search``"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .large import LARGE
from .output import FORMAT, print_rows
from .reading import reading

if TYPE_CHECKING:
    from cfgraph.metric.search import Found

FILE = click.Path(path_type=Path)
FACTORS = (0.25, 0.5, 1, 2, 4)  # of the beam that --recall judges
_BINARY = (".npy", ".npz", ".parquet", ".pq", ".feather", ".arrow", ".ipc")
NOT_ABOUT = {"key": (".csv", ".tsv", ".txt", *(name for name in _BINARY if name != ".npz")), "columns": (".npy", ".npz")}
NOT_ABOUT |= {"header": _BINARY, "separator": _BINARY, "decimal": _BINARY}  # the files that options are not about

UNASKED = {"header": defaults.HEADER_RULE}


@click.command("search", epilog="Example: cfgraph search digits more.npy --data digits.npy -k 10")
@click.argument("id")
@click.argument("queries", metavar="FILE", type=FILE)
@click.option("--data", metavar="FILE", type=FILE, required=True, help="What the hierarchy was made of: it keeps cells alone.")
@click.option("-k", "k", type=int, default=defaults.NEIGHBOURS, show_default=True, help="How many points for each query.")
@click.option(
    "--beam",
    type=int,
    default=defaults.SEARCH_BEAM,
    show_default=True,
    help="Cells kept a level: more find more, and cost more.",
)
@click.option(
    "--recall", is_flag=True, help="Print how much is found and looked at, for this beam and others, not what is found."
)
@click.option("--data-key", help="The same of --data.  [default: as --key]")
@reading
@LARGE
@click.option("--encoder", metavar="NAME|FILE", help="Of images: where the model that embedded them is by now.")
@click.option(
    "--device", default=defaults.DEVICE, show_default=True, help="Of images: where they are embedded: cpu, cuda, cuda:1."
)
@click.option("--cache", metavar="DIR", type=FILE, help="Of images: keep embeddings in this folder, as `ingest images` does.")
@click.option("--skip-broken", is_flag=True, help="Of images: leave out those that cannot be decoded.")
@FORMAT
@pass_context
def command(
    context: Context,
    /,
    id: str,
    queries: Path,
    data: Path,
    k: int,
    beam: int,
    recall: bool,
    data_key: str | None,
    large: bool,
    encoder: str | None,
    device: str,
    cache: Path | None,
    skip_broken: bool,
    format: str,
    **asked_of: Any,
) -> None:
    """The points of the hierarchy ID nearest to each row of FILE, found through its cells: a line a point.

    FILE, a table, has the columns of the data that the hierarchy was made of, which is given again
    as --data and checked. Rows go the same way as those (standardised, projected, ...), and then down, a beam of cells a
    level; the points below the cells at its end are looked at. Where the hierarchy was made of images, both are folders of
    such, or arrays of them. How many points were looked at is said on stderr.

    The hierarchy is the index, and is read whole: its cells and the rows of --data have to fit into memory.
    """
    from cfgraph.metric.apply import is_of_images
    from cfgraph.metric.search import SearchIndex

    of_images: dict[str, Any] = {"encoder": encoder, "device": device, "cache": cache, "skip_broken": skip_broken}
    files = {**asked_of, "large": large, "say": context.say}
    of_data = {**files, "key": files["key"] if data_key is None else data_key}
    with context.open_store() as store, store.witness(id):  # all of it is of the same hierarchy
        images = {**of_images, "large": large, "say": context.say} if is_of_images(store, id) else None
        index = SearchIndex.of(store, id, data=_read(data, of_data, beside=queries, images=images))
    asked = _read(queries, files, beside=data, images=images)
    if recall:
        beams = sorted({max(1, round(factor * beam)) for factor in FACTORS}) if beam > 0 else [beam]
        print_rows(["beam", "recall", "looked_at", "compared"], index.judge(asked, k=k, beams=beams), format=format)
        return
    found = index.search(asked, k=k, beam=beam)
    for note in found.notes:
        context.say(note)
    context.say(
        f"looked at {found.looked_at:.2%} of {found.points:,} points, the mean of {len(found.addresses):,} queries; with the "
        f"centers of cells {found.compared:.2%}"
    )
    named = found.names is not None
    columns_of = ["query", "rank", "point", *(["name"] if named else []), "cell", "distance"]
    print_rows(columns_of, Rows(found, named=named), format=format)


def _read(path: Path, options: dict[str, Any], *, beside: Path, images: dict[str, Any] | None) -> Any:
    """The rows of one of two files, or images. An option goes to the files it is about; where that is neither, to both."""
    from cfgraph.learning.new_images import NewImages
    from cfgraph.sources.preparation import read_new_rows

    fits = {name: _suffix(path) not in others or _suffix(beside) in others for name, others in NOT_ABOUT.items()}
    given = {name: options[name] if fits[name] else UNASKED.get(name) for name in NOT_ABOUT}
    if path.is_dir() or (images is not None and _suffix(path) in (".npy", ".npz")):
        return NewImages(data=path, key=given["key"], **(images or {}))
    return read_new_rows(path, say=options["say"], large=options["large"], **given)


def _suffix(path: Path) -> str:
    from cfgraph.files.opened import suffix_of

    return suffix_of(path)


class Rows:
    """What was found, a row a point, to be gone through again and again."""

    def __init__(self, found: "Found", *, named: bool):
        self._found, self._named = found, named

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for query, rank, point, name, cell, distance in self._found.rows():
            yield (query, rank, point, *([name] if self._named else []), cell, distance)
