"""``cfgraph ingest``: bring a hierarchy from a source into the store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cfgraph import defaults

from .brought import Sources
from .context import Context, pass_context
from .imported import SOURCES as IMPORTED
from .large import LARGE
from .learned import SOURCES as LEARNED
from .output import print_line, progress_bar
from .reading import reading
from .source import cells_max, ingest_field, ingest_source, into_folder, python_names


@click.group("ingest", cls=Sources, epilog="Example: cfgraph ingest ifs --map koch --depth 5 --as koch")
def command() -> None:
    """Bring a hierarchy into the store, from one of the sources below.

    Nothing is written before all input has been checked. The same command again goes on where it was interrupted. With
    --bulk an empty local store is filled by neo4j-admin, in one step: stopped meanwhile, and empty or whole whatever happens.
    With -o a field grows into a folder of Parquet files, without a store; the same command elsewhere joins in.

    Sources of other packages, found by their entry points in the group cfgraph.sources, stand behind ours:
    cfgraph ingest NAME [DATA] --as ID --set ARGUMENT=VALUE.
    """


def _shared(function: Callable) -> Callable:
    """The options that every source has."""
    options = (
        click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id."),
        click.option("--depth", type=int, required=True, help="The deepest level; the root's is 0."),
        click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of all that is drawn at random."),
        click.option("--bulk", is_flag=True, help="Fill an empty local store while its server is down: for millions of cells."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("cfg", epilog="Example: cfgraph ingest cfg --arity 4 --dimension 2 --depth 9 --as smooth")
@_shared
@click.option("--arity", type=int, default=defaults.ARITY, show_default=True, help="Children of every cell.")
@click.option("--dimension", type=int, default=defaults.DIMENSION, show_default=True, help="Of the centers.")
@click.option(
    "--scale-factor", type=float, default=defaults.SCALE_FACTOR, show_default=True, help="Child's scale over parent's."
)
@click.option("--rule", type=click.Choice(defaults.RULES), default=defaults.RULE, show_default=True, help="The generator.")
@click.option(
    "--separation", type=float, default=defaults.SEPARATION, show_default=True, help="d0: smallest distance of base residuals."
)
@click.option(
    "--amplitude", type=float, help=f"a < d0/2: size of the smooth perturbation.  [default: {defaults.AMPLITUDE_SHARE} d0]"
)
@click.option(
    "--frequency", type=float, default=defaults.FREQUENCY, show_default=True, help="Radians from the field's middle to its rim."
)
@into_folder
@pass_context
def cfg(
    context: Context, /, id: str, depth: int, bulk: bool, output: str | None, workers: int, engine: str | None, **design: Any
) -> int:
    """A seeded synthetic generator of any arity, dimension and scale factor.

    Its bound R, separation delta = d0 - 2a and Lipschitz constant Lambda are known and recorded.
    """
    from cfgraph.sources.cfg import Design, field

    made = field(id=id, depth=depth, design=Design(**design), cells_max=cells_max(output))
    return ingest_field(context, made, output=output, workers=workers, engine=engine, bulk=bulk)


@command.command("ifs", epilog="Example: cfgraph ingest ifs maps.json --map barnsley_fern --depth 6 --as fern")
@click.argument("maps", required=False)
@click.option("--map", "map_name", metavar="NAME", help="The entry of the file MAPS, or without MAPS a built-in system.")
@_shared
@click.option("--root-center", metavar="X,Y,...", help="The root's center.  [default: mean of the maps' fixed points]")
@LARGE
@click.option("--scale-factor", type=float, help="At least the largest norm of a map.  [default: that norm]")
@into_folder
@pass_context
def ifs(
    context: Context,
    /,
    maps: str | None,
    map_name: str | None,
    root_center: str | None,
    bulk: bool,
    output: str | None,
    workers: int,
    engine: str | None,
    **arguments: Any,
) -> int:
    """An affine iterated function system.

    MAPS is a JSON file, {"NAME": {"maps": [[a, b, c, d, e, f, p], ...]}} for x' = a x + b y + e, y' = c x + d y + f, or
    {"NAME": {"maps": [{"matrix": [[...]], "offset": [...]}, ...]}} in any dimension; Fractint's .ifs; the affine parts of a
    .flame; or it is one of the built-in systems dragon, fern, koch, levy, sierpinski. Probabilities are ignored. Maps that
    contract in another norm alone are taken in coordinates in which they do, which a note tells.
    """
    from cfgraph.errors import InputError
    from cfgraph.sources.ifs import field

    system = maps or map_name
    if system is None:
        raise InputError(f"expected a file of maps or a built-in system out of {', '.join(defaults.BUILT_IN)}; say which")
    center = None if root_center is None else root_center.split(",")
    made = field(maps=system, map_name=map_name, root_center=center, cells_max=cells_max(output), **arguments)
    return ingest_field(context, made, output=output, workers=workers, engine=engine, bulk=bulk)


@command.command("points", epilog="Example: cfgraph ingest points data.npz --key x --arity 3 --pca 8 --depth 5 --as digits")
@click.argument("data", metavar="FILE|FOLDER/", type=click.Path(path_type=Path))
@_shared
@reading
@LARGE
@click.option(
    "--arity", type=int, default=defaults.POINTS_ARITY, show_default=True, help="Children of every cell that is split."
)
@click.option("--pca", type=int, metavar="N", help="Keep N principal components.  [default: all coordinates as they are]")
@click.option(
    "--minimum-size", type=int, default=defaults.MINIMUM_SIZE, show_default=True, help="Fewest points of a cell that is split."
)
@click.option(
    "--scale-depth", type=int, default=defaults.SCALE_DEPTH, show_default=True, help="Levels that tell the scale factor."
)
@click.option("--points", "point_nodes", is_flag=True, help="Make each point a node of the graph, IN its cell.")
@click.option(
    "--duplicates",
    type=click.Choice(defaults.DUPLICATES),
    default=defaults.DUPLICATE_RULE,
    show_default=True,
    help="What equal points get.",
)
@click.option("--memory", metavar="SIZE", help="Read .parquet in pieces, several times, holding at most so much: 512MB, 2GB.")
@click.option(
    "--batch",
    type=int,
    default=defaults.POINT_BATCH,
    show_default=True,
    help="Rows of a mini-batch, of what is read in pieces.",
)
@click.option(
    "--placements", metavar="FILE", type=click.Path(path_type=Path), help="Write the address of each row's cell, as .parquet."
)
@pass_context
def points(context: Context, /, bulk: bool, **arguments: Any) -> None:
    """Recursive k-means on the points in FILE (.npy, .npz, .parquet, .feather, .csv, .tsv, .txt), a row a point.

    Cells have the properties size (how many points lie below) and radius (how far away the farthest cell below is).

    With --memory a .parquet file, and always a FOLDER of such files (in the order of their names), is read in pieces: the
    centers are learned by mini-batch k-means, in two passes a level, and sizes, means and radii are exact. Equal points are
    not looked for then: say --duplicates keep.
    """
    from cfgraph.sources.points import points as make

    ingest_source(context, make(**python_names(arguments)), bulk=bulk)


@command.command("parquet", epilog="Example: cfgraph ingest parquet koch.parquet --as koch")
@click.argument("data", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--as", "id", metavar="ID", help="The hierarchy's id.  [default: the one that it had]")
@LARGE
@pass_context
def parquet(context: Context, data: Path, id: str | None, large: bool) -> None:
    """What `cfgraph export -o FILE.parquet` wrote, as it was: a backup, or a hierarchy from another server.

    Cells, links, points and the predictors that grew it come back, and `cfgraph show --digest` tells the same digest. The
    hierarchy that it predicts is linked where the store holds it. A field can be trained on and grown further.
    """
    from cfgraph.formats.parquet import read_parquet as read
    from cfgraph.transfer.backup import ingest_parquet

    backup = read(data, id=id, large=large)
    if backup.digest is None:
        context.say(f"{data} tells no digest of its content, so nothing says whether it was changed; its invariants hold")
    with context.open_store() as store, progress_bar(f"ingest {backup.hierarchy.id}") as progress:
        hierarchy = ingest_parquet(store, backup, progress=progress)
    grown = "".join(f", grown by {grower.trained.id}" for grower in backup.growers)
    cells = backup.hierarchy.cells
    print_line(f"{hierarchy.id}: {len(cells)} cells, depth {cells.depth}, dimension {hierarchy.dimension}{grown}")


@command.command("folder", epilog="Example: cfgraph ingest folder grown/ --bulk")
@click.argument("folder", metavar="FOLDER/")
@click.option("--as", "id", metavar="ID", help="The hierarchy's id.  [default: the one that it has]")
@click.option("--bulk", is_flag=True, help="Fill an empty local store while its server is down: for millions of cells.")
@pass_context
def folder(context: Context, folder: str, id: str | None, bulk: bool) -> None:
    """What `-o FOLDER/` of ingest and rollout grew, or s3://BUCKET/...: with what grew it and what was done to its data first.

    `cfgraph show --digest` tells the digest of its manifest. With --bulk sheet after sheet goes through neo4j-admin; without,
    all cells are held in memory. For a server of one's own: `cfgraph export FOLDER/ --format neo4j-admin -o NEW/`, and the
    command in its README.md.
    """
    from cfgraph.formats.folders.reader import open_folder
    from cfgraph.sources.folder import backup_of
    from cfgraph.transfer.backup import ingest_parquet

    reader = open_folder(folder)
    if bulk:
        ingest_source(context, reader if id is None else reader.renamed(id), bulk=True)
        return
    with context.open_store() as store, progress_bar(f"ingest {folder}") as progress:
        hierarchy = ingest_parquet(store, backup_of(reader, id=id), progress=progress)
    grown = "".join(f", grown by {grower.trained.id}" for grower in reader.growers)
    print_line(f"{hierarchy.id}: {reader.count()} cells, depth {reader.depth}, dimension {hierarchy.dimension}{grown}")


for source in (*IMPORTED, *LEARNED):
    command.add_command(source)
