"""``cfgraph evaluate``: judge a hierarchy by labels and embeddings of its points."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .large import LARGE
from .output import print_json, print_line, print_table
from .reading import embeddings_reading as embeddings_options
from .reading import read_embeddings

if TYPE_CHECKING:
    from cfgraph.judging.evaluate import Evaluation


@click.command("evaluate", epilog="Example: cfgraph evaluate digits --labels classes.npy --clusters 10")
@click.argument("id", metavar="ID")
@click.option(
    "--labels",
    "files",
    required=True,
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The class of each point. Several times, or with several --key: of several levels, the coarsest first.",
)
@click.option("--key", "keys", multiple=True, help="The array or column of the labels, where the file has several.")
@click.option(
    "--labels-header",
    type=click.Choice(defaults.HEADER_RULES),
    default=defaults.HEADER_RULE,
    show_default=True,
    help="Whether the first line of a table of text of labels is one.",
)
@click.option(
    "--labels-separator",
    metavar="SIGN",
    help="Between the cells of such a table: a sign, comma, semicolon, tab, bar, blanks.  [default: found out]",
)
@click.option("--embeddings", metavar="FILE", type=click.Path(path_type=Path), help="A vector for each point.")
@embeddings_options
@LARGE
@click.option("--clusters", type=int, metavar="K", help="Also judge the cut into K clusters.")
@click.option("--height", type=float, metavar="H", help="Also judge the cut at height H.")
@click.option("--level", type=int, metavar="L", help="Also judge the cells of level L as clusters.")
@click.option(
    "--probe", is_flag=True, help="Also a linear probe of the embeddings: how much a linear rule finds of the classes."
)
@click.option(
    "--held-out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Data that the hierarchy was not made of: how likely they are, where its source has a density (hcrl).",
)
@click.option("--bootstrap", "samples", type=click.IntRange(min=0), default=0, metavar="N", help="Intervals, from N draws.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn at random.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")
@pass_context
def command(
    context: Context,
    id: str,
    files: tuple[Path, ...],
    keys: tuple[str, ...],
    labels_header: str,
    labels_separator: str | None,
    embeddings: Path | None,
    embeddings_reading: dict[str, Any],
    large: bool,
    clusters: int | None,
    height: float | None,
    level: int | None,
    probe: bool,
    held_out: Path | None,
    samples: int,
    seed: int,
    format: str,
) -> None:
    """Judge a hierarchy by the classes of its points, and by embeddings of them.

    Points are the data points where the hierarchy knows them (in FILE a row each: a table), else its
    leaves by name (a column `name` beside the column `label`; in an .npz file an array `names`). Prints dendrogram purity and
    leaf purity; with embeddings Dasgupta's cost with its bound, Moseley and Wang's revenue and the cophenetic correlation;
    for a cut NMI, ARI, accuracy and Fowlkes-Mallows; for labels of several levels hierarchical F.
    """
    from cfgraph.files.arrays import read_points
    from cfgraph.files.labels import Labels
    from cfgraph.judging.evaluate import Cut, evaluate

    cut = Cut.of(clusters=clusters, height=height, level=level)
    text: dict[str, Any] = {"header": labels_header, "separator": labels_separator}
    classes = [Labels.read(file, key=key, large=large, **text) for file, key in _labels_asked(files, keys)]
    new = None if held_out is None else read_points(held_out, large=large)
    vectors = read_embeddings(embeddings, reading=embeddings_reading, large=large)
    others = (*(new.notes if new else ()), *(vectors.notes if vectors else ()))
    for note in (*(note for one in classes for note in one.notes), *others):
        context.say(note)
    with context.open_store() as store:
        hierarchy = store.read_whole(id)
    held = None if new is None else new.values
    asked: dict[str, Any] = {"probe": probe, "held_out": held, "bootstrap": samples, "seed": seed}
    found = evaluate(hierarchy, labels=classes, embeddings=vectors, cut=cut, **asked)
    if format == "json":
        print_json(found)
        return
    _print(found)


def _labels_asked(files: tuple[Path, ...], keys: tuple[str, ...]) -> list[tuple[Path, str | None]]:
    """A file and a key for each level of labels."""
    from cfgraph.errors import InputError

    if len(files) == 1 and keys:
        return [(files[0], key) for key in keys]
    if keys and len(keys) != len(files):
        raise InputError(f"expected one --labels, or a --key for each of {len(files)}, got {len(keys)} keys")
    return list(zip(files, keys or (None,) * len(files), strict=True))


def _print(found: "Evaluation") -> None:
    left_out = f", {found.points_left_out:,} left out" if found.points_left_out else ""
    print_line(f"{found.id}: {found.points:,} points of {found.classes:,} classes{left_out}")
    rows = [
        _row(found, "dendrogram purity", "dendrogram_purity", found.dendrogram_purity),
        _row(found, "leaf purity", "leaf_purity", found.leaf_purity),
    ]
    if found.similarity is not None:
        cost = found.similarity
        rows += [
            ["Dasgupta's cost", cost.cost, f"at most {cost.bound:.6g}, as the flattest tree"],
            ["Dasgupta's cost, normalised", cost.relative, "of that: C / (n sum s)"],
            ["Moseley and Wang's revenue", cost.revenue, ""],
            ["cophenetic correlation", found.cophenetic_correlation, ""],
        ]
    if found.hierarchical is not None:
        right = ", ".join(f"{share:.4f}" for share in found.hierarchical.accuracy)
        rows.append(["hierarchical F", found.hierarchical.f, f"right by level: {right}"])
    if found.linear_probe is not None:
        rows.append(["linear probe", found.linear_probe, "of points right, by five folds"])
    if found.held_out is not None:
        note = f"nats a point, of {found.held_out.points:,} that it was not made of"
        rows.append(["negative log-likelihood", found.held_out.negative_log_likelihood, note])
    print_table(["measure", "value", ""], rows)
    if found.scores is not None and found.cut is not None:
        (name, value), scores = next(iter(found.cut.items())), found.scores
        titles = {"nmi": "NMI", "ari": "ARI", "accuracy": "accuracy", "fowlkes_mallows": "Fowlkes-Mallows"}
        title = f"cut by {name} {value:g}: {scores.clusters} clusters"
        print_table(
            ["measure", "value", ""],
            [_row(found, heading, key, getattr(scores, key)) for key, heading in titles.items()],
            title=title,
        )


def _row(found: "Evaluation", title: str, name: str, value: float) -> list[Any]:
    interval = found.intervals.get(name)
    note = (
        ""
        if interval is None
        else f"{interval.confidence:.0%} of {interval.samples} draws: {interval.low:.4f} to {interval.high:.4f}"
    )
    return [title, value, note]
