"""``cfgraph train``"""

import click

from cfgraph.predictors import AUTO, DEVICE, FAMILIES, SEED

from .context import Context, pass_context
from .output import print_line, print_table


@click.command("train", epilog="Example: cfgraph train koch --depth 2 --as koch-rule")
@click.argument("id")
@click.option("--depth", type=int, required=True, metavar="L", help="Learn from the cells of levels up to this one.")
@click.option("--as", "name", required=True, metavar="PREDICTOR", help="The predictor's id.")
@click.option("--family", default=AUTO, show_default=True, metavar="FAMILY", help=f"{AUTO}, or one of {', '.join(FAMILIES)}.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the networks' first weights and batches.")
@click.option("--device", default=DEVICE, show_default=True, help="Where networks are trained: cpu, cuda, cuda:1.")
@pass_context
def command(context: Context, id: str, depth: int, name: str, family: str, seed: int, device: str) -> None:
    """Learn a predictor from the first levels of a hierarchy, judge it, and keep it in the graph.

    Parents of the deepest observed level are held out to judge by, a third at a time; `auto` takes the family that is best on
    them. The table shows every judged family's error there, and with the whole level held out; networks are trained only where
    a closed form is not exact already. A predictor that is no better than the best baseline, or a baseline that is worse than
    zero, is FLAGGED.
    """
    from cfgraph.learning.train import train
    from cfgraph.predictors.trained import JUDGED_BY, judgements

    with context.open_store() as store:
        observed = store.read_whole(id, depth=max(depth, 0))
        trained = train(observed, id=name, depth=depth, family=family, seed=seed, device=device)
        store.write_predictor(trained, observed=observed)
    for warning in trained.warnings:
        context.say(f"WARNING: {warning}")
    learned = f"{trained.family}, learned from levels 0 to {trained.depth} of {trained.hierarchy}"
    print_line(f"{trained.id}: {learned}, judged by {trained.judged_by}")
    reasons = {"not_trained": trained.not_trained, "outrun": trained.outrun}
    print_table(["family", *JUDGED_BY], judgements(trained.folds, trained.validation, **reasons))
