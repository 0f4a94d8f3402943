"""Comparing: the one verb, by address or by name, of hierarchies in memory and in a store alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from cfgraph.checks import check_choice
from cfgraph.comparing.compare import PAIRS, check_comparable, compare_cells
from cfgraph.comparing.compare import compare as compare_stored
from cfgraph.comparing.report import Report
from cfgraph.defaults import HEADER_RULE
from cfgraph.errors import InputError
from cfgraph.judging.compare_names import NameComparison, compare_names
from cfgraph.judging.given import embeddings_of
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.model.progress import Asked, shown
from cfgraph.sources.snapshots import read_either

if TYPE_CHECKING:
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store, Stores

WAYS = ("address", "name")


class _Options(TypedDict, total=False):
    """What :func:`compare` is told besides, for checkers."""

    pairs: int
    seed: int
    seeds: int
    bootstrap: int
    embeddings: Any
    embeddings_header: str
    large: bool
    device: str
    workers: int
    trained: "TrainedPredictor | None"
    progress: Asked
    embeddings_key: str | None
    embeddings_columns: Sequence[str] | None
    embeddings_separator: str | None
    embeddings_decimal: str | None


@overload
def compare(
    store: "Store | Stores", true: str, predicted: str, *, by: Literal["address"] = ..., **options: Unpack[_Options]
) -> Report: ...
@overload
def compare(
    store: "Store | Stores", true: str, predicted: str, *, by: Literal["name"], **options: Unpack[_Options]
) -> NameComparison: ...
@overload
def compare(
    true: Hierarchy, predicted: Hierarchy, /, *, by: Literal["address"] = ..., **options: Unpack[_Options]
) -> Report: ...
@overload
def compare(
    true: Hierarchy, predicted: Hierarchy, /, *, by: Literal["name"], **options: Unpack[_Options]
) -> NameComparison: ...
def compare(
    store: Any,
    true: Any,
    predicted: Any = None,
    *,
    by: str = "address",
    pairs: int = PAIRS,
    seed: int = 0,
    seeds: int = 0,
    bootstrap: int = 0,
    embeddings: Any = None,
    embeddings_header: str = HEADER_RULE,
    embeddings_key: str | None = None,
    embeddings_columns: Sequence[str] | None = None,
    embeddings_separator: str | None = None,
    embeddings_decimal: str | None = None,
    large: bool = False,
    device: str = "cpu",
    workers: int = 1,
    trained: "TrainedPredictor | None" = None,
    progress: Asked = None,
) -> Report | NameComparison:
    """Compare two hierarchies: ``compare(store, "koch", "koch-grown")``, or ``compare(truth, grown)`` in memory.

    By address, level by level over the levels that nobody had seen: of a store the prefix and the predictor are those that the
    graph records. By name (``by="name"``), for hierarchies that have no addresses in common: names, edges and path metrics, and
    of trees Robinson-Foulds, triplets, Fowlkes-Mallows and the cophenetic correlation.

    Args:
        store: a store, or several of which each side may lie in one, or the true hierarchy with its cells.
        true: of a store the id of the true one, of a snapshot (``"koch@before"``), or a field's folder (``"grown/"``; of two
            folders the store is None); else the predicted hierarchy.
        predicted: of a store the id of the other.
        by: ``address`` or ``name``.
        pairs: of cells, over which path metrics are compared.
        seed: of the samples.
        seeds: by address: above 0 the predictor's family is trained again with so many seeds, for mean and spread.
        bootstrap: by name: draws for intervals over the leaves; 0: none.
        embeddings: by name: of the leaves, an array or a file, for the tree sampling divergence.
        embeddings_header: whether the first line of a .csv of embeddings is one: ``yes``, ``no`` or ``auto``.
        embeddings_key: which array of an .npz file of them.
        embeddings_columns: the columns of a table of them.
        embeddings_separator: what stands between the cells of a table of text of them; found unless given.
        embeddings_decimal: the sign before the decimals in it, ``.`` or ``,``; found unless given.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        device: by address: where a predictor runs.
        workers: of two folders: how many processes compare them, this one among them.
        trained: by address, in memory: what made the predicted one, for teacher forcing and certificates.
        progress: is told how many cells are done, and how many there are; unless given, a live line shows it on terminals and
            in notebooks.

    Raises:
        InputError: where the two are not comparable, and for options of the other comparison.
        NotFoundError, ChangedError: of a store, for an unknown id, and where one of them is written or grown meanwhile.
    """
    check_choice(by, name="by", among=WAYS)
    _check_options(by, bootstrap=bootstrap, embeddings=embeddings, seeds=seeds, trained=trained, workers=workers - 1)
    in_memory = isinstance(store, Hierarchy)
    if in_memory is not (predicted is None):
        raise InputError(
            "expected two hierarchies, compare(true, predicted), or a store and two ids, compare(store, 'koch', 'koch-grown')"
        )
    if by == "name":
        vectors = embeddings_of(
            embeddings,
            embeddings_key=embeddings_key,
            embeddings_columns=embeddings_columns,
            embeddings_header=embeddings_header,
            embeddings_separator=embeddings_separator,
            embeddings_decimal=embeddings_decimal,
            large=large,
        )
        both = (store, true) if in_memory else (read_either(store, true)[0], read_either(store, predicted)[0])
        return compare_names(*both, embeddings=vectors, pairs=pairs, samples=bootstrap, seed=seed)
    if not in_memory:
        with shown(progress, f"compare {true}") as show:
            asked: dict[str, Any] = {"pairs": pairs, "seed": seed, "seeds": seeds, "device": device, "workers": workers}
            return compare_stored(store, true, predicted, progress=show, **asked)
    if workers != 1:
        raise InputError("hierarchies in memory are compared by one process; leave --workers out, or compare two folders")
    truth, copy = store.require_cells().require_field("compare by address"), true.require_cells()
    check_comparable(truth, copy.require_field("compare by address"))
    known: dict[str, Any] = {"pairs": pairs, "seed": seed, "seeds": seeds, "device": device}
    return compare_cells(truth, copy.cells, trained=trained, predicted_id=copy.id, **known)


def _check_options(by: str, **options: Any) -> None:
    """Refuse what the other comparison alone can do, rather than leave it out in silence."""
    strange = ("seeds", "trained", "workers") if by == "name" else ("bootstrap", "embeddings")
    if asked := [name for name in strange if not _is_left_out(options[name])]:
        other = "address" if by == "name" else "name"
        raise InputError(f"these are compared by {by}, and {', '.join(asked)} is of a comparison by {other}; leave it out")


def _is_left_out(value: Any) -> bool:
    return value is None or (isinstance(value, int) and value == 0)
