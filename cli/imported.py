"""The sources of ``cfgraph ingest`` that import hierarchies which people have already."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cfgraph import defaults

from .context import Context, pass_context
from .large import LARGE
from .reading import embeddings_reading as embeddings_options
from .reading import read_embeddings, reading
from .source import ingest_source, python_names

FILE = click.Path(path_type=Path)


def _shared(function: Callable) -> Callable:
    """The options that every imported source has; it gets embeddings that are read already."""

    @wraps(function)
    def with_embeddings(*, embeddings: Path | None, embeddings_reading: dict[str, Any], large: bool, **arguments: Any) -> None:
        vectors = read_embeddings(embeddings, reading=embeddings_reading, large=large)
        function(embeddings=vectors, large=large, **python_names(arguments))

    options = (
        click.option("--as", "id", required=True, metavar="ID", help="The new hierarchy's id."),
        click.option("--embeddings", metavar="FILE", type=FILE, help="Vectors of the leaves: they give centers and lengths."),
        embeddings_options,
        LARGE,
        click.option("--points", "point_nodes", is_flag=True, help="Make each data point a node of the graph, IN its cell."),
    )
    command: Callable = with_embeddings
    for option in reversed(options):
        command = option(command)
    return command


def _shrinking(function: Callable) -> Callable:
    """The options that make a deep tree shallow."""
    options = (
        click.option("--condense", "minimum", type=int, metavar="M", help="Keep the splits into clusters of M points or more."),
        click.option("--levels", type=int, metavar="L", help="Cut the tree at L heights."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command("logits", epilog="Example: cfgraph ingest logits logits.npy --names classes.txt --points --as classes")
@click.argument("data", metavar="FILE", type=FILE)
@_shared
@reading
@click.option("--names", metavar="FILE", type=FILE, help="Names of the classes, one a line.")
@click.option(
    "--linkage",
    type=click.Choice(defaults.LOGITS_LINKAGES),
    default=defaults.LOGITS_LINKAGE,
    show_default=True,
    help="How classes merge: l2h is the paper's rule; spectral (normalised cuts) and average go by their affinities.",
)
@click.option(
    "--from", "clustering", metavar="kmeans:K|gmm:K", help="FILE holds features: its classes are the clusters of these."
)
@click.option("--seed", type=int, default=defaults.SEED, show_default=True, help="Of the clustering of --from.")
@click.option("--multiway", type=float, metavar="T", help="Collapse merges within T of the largest height of their parent's.")
@click.option("--attach", is_flag=True, help="Make each data point a leaf below its class.")
@pass_context
def logits(context: Context, /, **arguments: Any) -> None:
    """A tree of the classes of a classifier, from its logits or log-probabilities in FILE, a row a data point.

    The method of "From Logits to Hierarchies" (arXiv 2410.07858): the group of classes that is predicted least surely is merged
    with the group that its points would be given to next. Cells have the properties name, height and affinity; each point lies
    in the class that is predicted for it.
    """
    from cfgraph.sources.logits import logits as make

    ingest_source(context, make(**arguments))


@click.command("linkage", epilog="Example: cfgraph ingest linkage linkage.npy --names names.txt --as words")
@click.argument("data", metavar="FILE", type=FILE)
@_shared
@_shrinking
@reading
@click.option("--names", metavar="FILE", type=FILE, help="Names of the points, one a line.")
@pass_context
def linkage(context: Context, /, **arguments: Any) -> None:
    """SciPy's linkage matrix in FILE, a table: a row a merge.

    Cells have the properties height and merge (their number in the matrix); lengths are differences of heights.
    """
    from cfgraph.sources.linkage import linkage as make

    ingest_source(context, make(**arguments))


@click.command("tree", epilog="Example: cfgraph ingest tree species.nwk --as species")
@click.argument("data", metavar="FILE", type=FILE)
@_shared
@_shrinking
@click.option("--tree", "index", metavar="N|NAME", help="Of several trees in FILE, take this one; the first is 0.")
@click.option(
    "--bad-lengths",
    type=click.Choice(defaults.BAD_LENGTHS),
    default=defaults.BAD_LENGTH,
    show_default=True,
    help="What becomes of lengths that are negative, infinite or no numbers; what stood there stays as given_length.",
)
@click.option(
    "--underscores",
    type=click.Choice(defaults.UNDERSCORES),
    default=defaults.UNDERSCORE,
    show_default=True,
    help="Of names without quotes in Newick and NEXUS: as they stand, or blanks.",
)
@pass_context
def tree(context: Context, /, **arguments: Any) -> None:
    """A tree in FILE, with its names and branch lengths: Newick, NEXUS, PhyloXML, or nested JSON (d3's name and children).

    The file's beginning tells which. Annotations in brackets (BEAST's [&rate=0.2], NHX's [&&NHX:S=human]), further keys of JSON
    and what PhyloXML says of clades become properties of cells. A .npy, .csv or .parquet file with the columns parent, child,
    lambda_val and child_size is hdbscan's condensed tree. From Python, cfgraph.sources.tree also takes scikit-learn's
    AgglomerativeClustering and BisectingKMeans, HDBSCAN, and trees of ete, dendropy, scikit-bio, Bio.Phylo, igraph and SciPy.
    """
    from cfgraph.sources.tree import tree as make

    ingest_source(context, make(**arguments))


@click.command("edges", epilog="Example: cfgraph ingest edges ontology.tsv --as ontology")
@click.argument("data", metavar="FILE", type=FILE)
@_shared
@_shrinking
@click.option("--child", metavar="COLUMN", help="The column of the children.  [default: child]")
@click.option("--parent", metavar="COLUMN", help="The column of the parents.  [default: parent]")
@click.option("--length", metavar="COLUMN", help="The column of the lengths.  [default: length or weight, if there is one]")
@click.option("--name", metavar="COLUMN", help="The column of the children's names.  [default: name, if there is one]")
@click.option(
    "--separator", metavar="SIGN", help="Between columns: a sign, comma, semicolon, tab, bar, blanks.  [default: found]"
)
@click.option("--decimal", type=click.Choice([".", ","]), help="The decimal sign of lengths.  [default: found]")
@click.option("--reverse", is_flag=True, help="The parent stands first, the child second.")
@click.option("--no-parent", metavar="TEXT", multiple=True, help="What stands for no parent.  [default: NaN, NULL, -1, ...]")
@click.option("--lineage", metavar="COLUMN", help="The column of whole lineages, as B;X;Y, one a leaf.")
@click.option("--lineage-separator", metavar="SIGN", help="What stands between the ranks of a lineage.  [default: found]")
@click.option("--ranks", metavar="COLUMN,...", help="The columns that hold a rank each, from the root on.")
@click.option(
    "--relation", metavar="NAME", multiple=True, help="Of an ontology: a relation that leads to parents.  [default: is_a]"
)
@pass_context
def edges(context: Context, /, **arguments: Any) -> None:
    """Who stands under whom in FILE: pairs of child and parent, lineages, an ontology or a taxonomy.

    Pairs and lineages are tables: .tsv, .csv, .parquet, .feather. Ontologies are OBO or obographs JSON, NCBI's taxonomy is
    nodes.dmp with names.dmp beside it. A node may have several parents; several roots hang under a virtual one, which no path
    uses. Cycles are refused, and shown. Columns without a header go by number, from 1. Further columns become properties.
    """
    from cfgraph.sources.edges import edges as make

    ingest_source(context, make(**arguments))


@click.command("graph", epilog="Example: cfgraph ingest graph taxonomy.graphml --as taxonomy")
@click.argument("data", metavar="FILE", type=FILE)
@_shared
@_shrinking
@click.option("--root", metavar="NAME", help="Of an undirected tree: the node that its edges lead away from.")
@pass_context
def graph(context: Context, /, **arguments: Any) -> None:
    """A directed graph in FILE: GraphML, GEXF, GML or node-link JSON, edges from parents to children.

    Attributes of nodes that are numbers, texts or truth values become properties of cells (one that is called like what every
    cell has, such as level, gets an underscore); `length` or `weight` of edges their lengths. From Python,
    cfgraph.sources.graph takes any networkx DiGraph.
    """
    from cfgraph.sources.graph import graph as make

    ingest_source(context, make(**arguments))


SOURCES = (logits, linkage, tree, edges, graph)
