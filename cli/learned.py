"""The sources of ``cfgraph ingest`` that learn a hierarchy from raw data."""

from pathlib import Path
from typing import Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .large import LARGE
from .reading import NAMES, embeddings_reading, read_embeddings, reading
from .source import cells_max, ingest_field, ingest_source, into_folder, python_names

FILE = click.Path(path_type=Path)
SHARPNESS = click.option(
    "--sharpness",
    type=float,
    default=defaults.SHARPNESS,
    show_default=True,
    help="Power of the similarities, at least 1; others than 1 take a matrix of all pairs.",
)
STARTS = click.option(
    "--starts", type=int, metavar="N", help="Searches, of which the best counts.  [default: 4 up to 1,000 points, else 1]"
)
PASSES = click.option(
    "--passes", type=int, metavar="N", help="Of a search, at most.  [default: 50; 6 above 5,000 points, 0 above 50,000]"
)
LEAF_SIZE = click.option(
    "--leaf-size", type=int, default=defaults.LEAF_SIZE, show_default=True, help="Most points that a leaf stands for."
)
CHECKPOINT = click.option(
    "--checkpoint", metavar="FILE", type=FILE, help="Go on from this file where the same training was stopped."
)
SIZE = click.option("--size", metavar="HxW", help="Of images in a folder: bring them to this size.  [default: that of all]")
SKIP_BROKEN = click.option("--skip-broken", is_flag=True, help="Of images in a folder: leave out those that cannot be decoded.")
SVD = click.option(
    "--svd",
    type=int,
    metavar="N",
    help="Bring rows to N directions of a truncated SVD first; sparse rows (SciPy's .npz) stay sparse until then.",
)


@click.command("dasgupta", epilog="Example: cfgraph ingest dasgupta iris.csv --points --as iris")
@click.argument("data", metavar="FILE", type=FILE)
@click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id.")
@click.option("--similarity", is_flag=True, help="FILE is a symmetric matrix of similarities, rather than features.")
@reading
@LARGE
@SVD
@click.option("--names", metavar="FILE", type=FILE, help="Names of the points, one a line.")
@click.option(
    "--fit",
    type=click.Choice(defaults.DASGUPTA_FITS),
    default=defaults.DASGUPTA_FIT,
    show_default=True,
    help="What the tree is refined from; relaxed (HypHC's relaxation) needs torch.",
)
@click.option("--refine/--no-refine", default=True, show_default=True, help="Move subtrees to where they cost least.")
@SHARPNESS
@STARTS
@PASSES
@LEAF_SIZE
@click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of all that is drawn at random.")
@click.option("--embeddings", metavar="FILE", type=FILE, help="Vectors of the points, with --similarity: they give centers.")
@embeddings_reading
@click.option("--condense", "minimum", type=int, metavar="M", help="Keep the splits into clusters of M points or more.")
@click.option("--levels", type=int, metavar="L", help="Cut the tree at L heights.")
@click.option("--points", "point_nodes", is_flag=True, help="Make each point a node of the graph, IN its cell.")
@pass_context
def dasgupta(
    context: Context,
    /,
    data: Path,
    similarity: bool,
    embeddings: Path | None,
    embeddings_reading: dict[str, Any],
    **arguments: Any,
) -> None:
    """A binary tree of low Dasgupta cost, of the points in FILE: a table, a row a point.

    The cost (arXiv 1510.05043): what is alike shall be merged low. Similar are points whose features, standardised, point the
    same way. Cells have the properties height, merge, dasgupta (their share of the cost), and the layout of the tree in the
    Poincare disk: hyp_angle, hyp_depth, hyp_xy.
    """
    from cfgraph.sources.dasgupta import dasgupta as make

    arguments["embeddings"] = read_embeddings(embeddings, reading=embeddings_reading, large=arguments["large"])
    arguments["similarity" if similarity else "data"] = data
    ingest_source(context, make(say=context.say, **python_names(arguments)))


@click.command("induced", epilog="Example: cfgraph ingest induced digits.npy --pca 8 --depth 6 --as digits")
@click.argument("data", metavar="FILE", type=FILE)
@click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id.")
@click.option("--depth", type=int, required=True, help="The deepest level; the root's is 0.")
@reading
@LARGE
@click.option(
    "--arity", type=int, default=defaults.INDUCED_ARITY, show_default=True, help="Children of every cell, at least 2."
)
@click.option(
    "--scale-factor", type=float, default=defaults.SCALE_FACTOR, show_default=True, help="Child's scale over parent's."
)
@click.option(
    "--bandwidth", type=float, default=defaults.BANDWIDTH, show_default=True, help="h, as a part of the spread of the data."
)
@click.option("--temperature", type=float, default=defaults.TEMPERATURE, show_default=True, help="tau, as a part of h.")
@click.option("--pca", type=int, metavar="D", help="Keep D principal components.  [default: all coordinates as they are]")
@click.option("--sample", type=int, metavar="N", help="Take N points, drawn at random.  [default: all]")
@click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of all that is drawn at random.")
@into_folder
@pass_context
def induced(
    context: Context,
    /,
    data: Path,
    id: str,
    depth: int,
    output: str | None,
    workers: int,
    engine: str | None,
    large: bool,
    **arguments: Any,
) -> int:
    """A field whose rule the points in FILE define: a table, a row a point.

    The children of a cell lie towards the soft prototypes of what lies around it, so the hierarchy has no end and a predictor
    can learn its rule, unlike a tree of clusters, whose data run out. Data and rule are kept beside it, up to 256 MB.
    """
    from cfgraph.sources.induced import Design, field, read_data

    reading = {name: arguments.pop(name) for name in NAMES}
    design = Design(**python_names(arguments))
    design.recipe()
    table = read_data(data, large=large, **reading)
    made = field(table, id=id, depth=depth, design=design, cells_max=cells_max(output))
    return ingest_field(context, made, output=output, workers=workers, engine=engine)


@click.command("hcrl", epilog="Example: cfgraph ingest hcrl digits.npy --pca 20 --depth 3 --branching 3 --points --as digits")
@click.argument("data", metavar="FILE|DIR", type=FILE)
@click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id.")
@click.option(
    "--depth", type=int, default=defaults.HCRL_DEPTH, show_default=True, help="The level of the leaves; the root's is 0."
)
@click.option(
    "--branching",
    metavar="K|K,K,...|any",
    default=str(defaults.HCRL_BRANCHING),
    show_default=True,
    help="The most children of a node; one number for each level above the leaves; or any, which gives a star.",
)
@reading
@LARGE
@SIZE
@SKIP_BROKEN
@SVD
@click.option("--standardise", "standardised", is_flag=True, help="Bring columns to mean 0 and deviation 1 first.")
@click.option("--pca", type=int, metavar="N", help="Keep N principal components.  [default: all coordinates as they are]")
@click.option(
    "--encoder",
    type=click.Choice(defaults.HCRL_ENCODERS),
    default=defaults.HCRL_ENCODER,
    show_default=True,
    help="vae: a tree of the latents of a variational autoencoder, both learned in turns; needs torch.",
)
@click.option("--latent", type=int, default=defaults.LATENT, show_default=True, help="Coordinates of these latents.")
@click.option(
    "--likelihood",
    type=click.Choice(defaults.LIKELIHOODS),
    default=defaults.LIKELIHOODS[0],
    show_default=True,
    help="Of the autoencoder; bernoulli is for data in [0, 1].",
)
@click.option(
    "--device", metavar="DEVICE", default=defaults.DEVICE, show_default=True, help="Where it is trained: cpu or cuda."
)
@click.option(
    "--levels",
    type=click.Choice(defaults.LEVEL_RULES),
    default=defaults.LEVEL_RULE,
    show_default=True,
    help="fixed: each level explains every point; free: points have level proportions, and the tree is hung anew.",
)
@click.option(
    "--covariance",
    type=click.Choice(defaults.COVARIANCES),
    help="Of a node's Gaussian.  [default: diagonal; isotropic with --levels free]",
)
@click.option(
    "--start",
    type=click.Choice(defaults.HCRL_STARTS),
    help="Recursive k-means, or the root alone.  [default: split; grow with --branching any]",
)
@click.option(
    "--surgery/--no-surgery",
    default=None,
    help="Grow, prune and merge nodes where the penalised bound rises.  [default: where the start is grow]",
)
@click.option("--gamma", type=float, default=defaults.CONCENTRATION, show_default=True, help="Of the sticks, Beta(1, gamma).")
@click.option("--alpha", type=float, default=defaults.CONCENTRATION, show_default=True, help="Of free level proportions.")
@click.option(
    "--floor", type=float, help="The least variance of a node.  [default: a thousandth of the data's; of latents 0.01]"
)
@click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of all that is drawn at random.")
@click.option("--field", is_flag=True, help="Make a complete tree a field, which train and rollout take.")
@CHECKPOINT
@click.option("--points", "point_nodes", is_flag=True, help="Make each point a node of the graph, IN its cell.")
@pass_context
def hcrl(context: Context, /, branching: str, **arguments: Any) -> None:
    """A nested-CRP tree of Gaussians (HCRL, arXiv 1901.09906), of the points in FILE: a table.

    Instead of FILE a folder of images can be named. Every node has a Gaussian, which explains the points on all ways through
    it; its mean is the cell's center. Cells have the properties sigma (the Gaussian's mean deviation), mass (how many points'
    ways lead through), share (of the sticks) and emission (the weight of the points that the node explains). Children stand
    by falling mass.
    """
    from cfgraph.sources.hcrl import hcrl as make

    ingest_source(context, make(branching=_branching(branching), say=context.say, **python_names(arguments)))


def _branching(text: str) -> int | list[int] | None:
    """A number, one a level, or any number."""
    if text == "any":
        return None
    try:
        numbers = [int(one) for one in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"expected a number, one for each level (4,3,2) or any, got {text!r}", param_hint="--branching"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


@click.command("infohier", epilog="Example: cfgraph ingest infohier digits.npy --latents latents.npy --points --as digits")
@click.argument("data", metavar="FILE|DIR", type=FILE)
@click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id.")
@reading
@LARGE
@SIZE
@SKIP_BROKEN
@SVD
@click.option("--names", metavar="FILE", type=FILE, help="Names of the points, one a line.")
@click.option(
    "--views",
    type=click.Choice(defaults.VIEWS),
    help="What a point could also have been.  [default: images where FILE has them, else vectors]",
)
@click.option("--latents", metavar="FILE", type=FILE, help="Save the latents, as .npy: `ingest points` makes a field of them.")
@click.option("--epochs", type=int, metavar="N", help="Of training.  [default: 150 below 5,000 points, fewer above]")
@click.option("--batch", type=int, default=defaults.BATCH, show_default=True, help="Points whose views tell each other apart.")
@click.option("--rate", type=float, default=defaults.RATE, show_default=True, help="The learning rate.")
@click.option(
    "--lambda-contrastive",
    type=float,
    default=defaults.LAMBDA_CONTRASTIVE,
    show_default=True,
    help="Weight of what two views of a point have in common.",
)
@click.option(
    "--lambda-hierarchical",
    type=float,
    default=defaults.LAMBDA_HIERARCHICAL,
    show_default=True,
    help="Weight of Dasgupta's cost, relaxed, on triples of a batch.",
)
@SHARPNESS
@STARTS
@PASSES
@LEAF_SIZE
@click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of all that is drawn at random.")
@click.option("--device", default=defaults.DEVICE, show_default=True, help="Where the encoder is trained: cpu, cuda, cuda:1.")
@CHECKPOINT
@click.option("--condense", "minimum", type=int, metavar="M", help="Keep the splits into clusters of M points or more.")
@click.option("--levels", type=int, metavar="L", help="Cut the tree at L heights.")
@click.option("--points", "point_nodes", is_flag=True, help="Make each point a node of the graph, IN its cell.")
@pass_context
def infohier(context: Context, /, data: Path, **arguments: Any) -> None:
    """A binary tree of low Dasgupta cost on latents that an encoder learns from FILE: a table.

    A row a point; .npy and .npz may hold images, points x height x width, perhaps with channels, and a folder of image files
    can be named instead. The encoder (torch) learns
    what two views of a point have in common, and to make Dasgupta's cost low (InfoHier, arXiv 2501.08717). It is kept with
    the hierarchy: `cfgraph apply` encodes new data, without torch. Cells have the properties that `ingest dasgupta` gives.
    """
    from cfgraph.sources.infohier import infohier as make

    ingest_source(context, make(data=data, say=context.say, **python_names(arguments)))


@click.command("images", epilog="Example: cfgraph ingest images pets --encoder timm:resnet50 --depth 4 --points --as pets")
@click.argument("data", metavar="DIR|FILE", type=FILE)
@click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id.")
@click.option("--depth", type=int, required=True, help="The deepest level; the root's is 0.")
@click.option("--key", help="The array of an .npz file; not needed where it holds one of images.")
@LARGE
@click.option(
    "--encoder",
    metavar="NAME|FILE",
    default=defaults.PIXELS,
    show_default=True,
    help="pixels, open_clip:MODEL/PRETRAINED, timm:MODEL, torchvision:MODEL, or a file of ONNX or TorchScript.",
)
@click.option(
    "--size", metavar="HxW", help="Of pixels, and of models in files.  [default: that of the images, or of the model]"
)
@click.option(
    "--norm", type=click.Choice(defaults.NORMS), help="Colors that a model in a file is used to.  [default: imagenet]"
)
@click.option("--batch", type=int, default=defaults.IMAGE_BATCH, show_default=True, help="Images that are embedded at once.")
@click.option("--device", default=defaults.DEVICE, show_default=True, help="Where images are embedded: cpu, cuda, cuda:1.")
@click.option("--cache", metavar="DIR", type=FILE, help="Keep embeddings in this folder, so that an interrupted run goes on.")
@click.option("--latents", metavar="FILE", type=FILE, help="Save the embeddings, as .npy, in the order of the names.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be decoded.")
@click.option("--standardise", "standardised", is_flag=True, help="Bring columns to mean 0 and deviation 1 first.")
@click.option("--pca", type=int, metavar="N", help="Keep N principal components.  [default: all coordinates as they are]")
@click.option(
    "--arity", type=int, default=defaults.POINTS_ARITY, show_default=True, help="Children of every cell that is split."
)
@click.option(
    "--minimum-size", type=int, default=defaults.MINIMUM_SIZE, show_default=True, help="Fewest images of a cell that is split."
)
@click.option(
    "--scale-depth", type=int, default=defaults.SCALE_DEPTH, show_default=True, help="Levels that tell the scale factor."
)
@click.option(
    "--duplicates",
    type=click.Choice(defaults.DUPLICATES),
    default=defaults.DUPLICATE_RULE,
    show_default=True,
    help="What equal images get.",
)
@click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of k-means.")
@click.option("--points", "point_nodes", is_flag=True, help="Make each image a node of the graph, with its name, IN its cell.")
@pass_context
def images(context: Context, /, **arguments: Any) -> None:
    """Recursive k-means on images: the files in DIR and the folders inside it, or an array of images in FILE (.npz, .npy).

    An encoder makes a row of numbers of each: a network, by name or in a file, or pixels. Weights of named models are fetched
    once by their library, and are not kept in the graph; a file of them may stand behind the name: timm:resnet50/FILE. Loading
    TorchScript runs the code that is in it: name only files that you trust.
    """
    from cfgraph.sources.images import images as make

    ingest_source(context, make(say=context.say, **python_names(arguments)))


SOURCES = (dasgupta, infohier, hcrl, induced, images)
