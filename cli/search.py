"""``cfgraph search``"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .header import HEADER
from .large import LARGE
from .output import FORMAT, print_rows

if TYPE_CHECKING:
    from cfgraph.metric.search import Found

FILE = click.Path(path_type=Path)
FACTORS = (0.25, 0.5, 1, 2, 4)  # of the beam that --recall judges
ABOUT = {"key": (".npz",), "columns": (".csv", ".parquet"), "header": (".csv",)}  # the files that options are about


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
@click.option("--key", help="The array of an .npz file; not needed where it holds one.")
@click.option("--data-key", help="The same of --data.  [default: as --key]")
@click.option("--columns", metavar="A,B,...", help="Columns of .csv and .parquet files.  [default: all but an index]")
@HEADER
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
    key: str | None,
    data_key: str | None,
    columns: str | None,
    header: str,
    large: bool,
    format: str,
    **of_images: Any,
) -> None:
    """The points of the hierarchy ID nearest to each row of FILE, found through its cells: a line a point.

    FILE (.npy, .npz, .csv or .parquet) has the columns of the data that the hierarchy was made of, which is given again
    as --data and checked. Rows go the same way as those (standardised, projected, ...), and then down, a beam of cells a
    level; the points below the cells at its end are looked at. Where the hierarchy was made of images, both are folders of
    such, or arrays of them. How many points were looked at is said on stderr.
    """
    from cfgraph.metric.apply import is_of_images
    from cfgraph.metric.search import SearchIndex

    files = {"key": key, "columns": columns, "header": header, "large": large}
    of_data = {**files, "key": key if data_key is None else data_key}
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

    fits = {name: _suffix(path) in about or _suffix(beside) not in about for name, about in ABOUT.items()}
    key = options["key"] if fits["key"] else None
    if path.is_dir() or (images is not None and _suffix(path) in (".npy", ".npz")):
        return NewImages(data=path, key=key, **(images or {}))
    columns = options["columns"] if fits["columns"] else None
    header = options["header"] if fits["header"] else defaults.HEADER_RULE
    asked = None if columns is None else columns.split(",")
    return read_new_rows(path, key=key, columns=asked, header=header, large=options["large"])


def _suffix(path: Path) -> str:
    return path.suffix.lower()


class Rows:
    """What was found, a row a point, to be gone through again and again."""

    def __init__(self, found: "Found", *, named: bool):
        self._found, self._named = found, named

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for query, rank, point, name, cell, distance in self._found.rows():
            yield (query, rank, point, *([name] if self._named else []), cell, distance)
