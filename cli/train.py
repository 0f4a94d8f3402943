"""``cfgraph train``"""

from typing import TYPE_CHECKING, Any

import click

from cfgraph.predictors import AUTO, DEVICE, FAMILIES, SEED

from .context import Context, pass_context
from .judged import print_validation
from .output import print_line

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import FieldWithCells
    from cfgraph.store import Store


@click.command("train", epilog="Example: cfgraph train koch --depth 2 --as koch-rule")
@click.argument("id", metavar="ID|FOLDER/")
@click.option("--depth", type=int, required=True, metavar="L", help="Learn from the cells of levels up to this one.")
@click.option("--as", "name", required=True, metavar="PREDICTOR", help="The predictor's id.")
@click.option(
    "--family",
    default=AUTO,
    show_default=True,
    metavar="FAMILY",
    help=f"{AUTO}, one of {', '.join(FAMILIES)}, or one of another package.",
)
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the networks' first weights and batches.")
@click.option("--device", default=DEVICE, show_default=True, help="Where networks are trained: cpu, cuda, cuda:1.")
@pass_context
def command(context: Context, id: str, depth: int, name: str, family: str, seed: int, device: str) -> None:
    """Learn a predictor from the first levels of a hierarchy, judge it, and keep it in the graph.

    Parents of the deepest observed level are held out to judge by, a third at a time; `auto` takes the family that is best on
    them. The table shows every judged family's error there, and with the whole level held out; networks are trained only where
    a closed form is not exact already. A predictor that is no better than the best baseline, or a baseline that is worse than
    zero, is FLAGGED. One whose error is not below that of zero is no better than nothing: a warning says so, and `cfgraph
    rollout` grows a hierarchy in place by it only with --anyway.

    Of a field in a folder (FOLDER/, s3://BUCKET/...) the first levels are read there, and the predictor is kept
    in the store all the same.
    """
    from cfgraph.formats.folders.place import is_folder
    from cfgraph.learning.train import train

    levels = max(depth, 0)
    how: dict[str, Any] = {"depth": depth, "family": family, "seed": seed, "device": device}
    with context.open_store() as store:
        observed = _read_folder(store, id, depth=levels) if is_folder(id) else store.read_whole(id, depth=levels)
        trained = train(observed, id=name, **how)
        store.write_predictor(trained, observed=None if is_folder(id) else observed)
    for warning in trained.warnings:
        context.say(f"WARNING: {warning}")
    learned = f"{trained.family}, learned from levels 0 to {trained.depth} of {trained.hierarchy}"
    print_line(f"{trained.id}: {learned}, judged by {trained.judged_by}")
    reasons = {"not_trained": trained.not_trained, "outrun": trained.outrun}
    print_validation(trained.folds, trained.validation, taken=trained.family, **reasons)


def _read_folder(store: "Store", place: str, *, depth: int) -> "FieldWithCells":
    """The first levels of a field in a folder; an ``InputError`` where the store has another hierarchy under its id."""
    from cfgraph.errors import InputError
    from cfgraph.formats.folders.reader import open_folder
    from cfgraph.model.hierarchy import same_recipe
    from cfgraph.sources.folder import read_folder

    observed = read_folder(open_folder(place), depth=depth)
    taken = next((one for one in store.hierarchies() if one.id == observed.id), None)
    if taken is not None and not same_recipe(taken.recipe, observed.recipe):
        raise InputError(
            f"the folder {place} holds {observed.id!r}, and the store holds another hierarchy of that id, which this predictor "
            f"would seem to be learned from; bring the folder in under another id first: cfgraph ingest folder {place} --as NEW"
        )
    return observed
