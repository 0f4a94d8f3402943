"""materialise: what a field answers, made cells of the graph: a subtree down to a level, in blocks of the canonical cut."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cfgraph.checks import check_integer
from cfgraph.errors import InputError
from cfgraph.growing.rollout import RolloutReport, Stop, rollout
from cfgraph.growing.status import Status
from cfgraph.model.address import level_of, parse_address
from cfgraph.model.field import Field
from cfgraph.model.parts import Portion
from cfgraph.model.progress import Asked
from cfgraph.store import Store
from cfgraph.store.reader import KnownReader

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy, Known


def materialise(
    field: Field,
    address: str,
    levels: int,
    *,
    depth: int,
    anyway: bool = False,
    device: str = "cpu",
    workers: int = 1,
    show: Callable[[Status], None] | None = None,
    progress: Asked = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> RolloutReport:
    """Grow in the graph what a field answers below a cell, ``levels`` levels of it: ``materialise(koch, "/0/2", 3, depth=12)``.

    It is a rollout by the field's predictor, to the level ``level(address) + levels``, of the blocks of the cut for ``depth``
    that meet the cell's line and subtree: whole blocks, so it may end up to a block's height deeper (the report's ``to_depth``
    tells). Leases and fences are a rollout's; interrupted, the same call goes on; others may work at it. The depth stays
    pinned: what is grown later, by ``materialise`` or ``rollout``, is grown for the same one, and the whole of it ends in the
    digest of an undisturbed rollout.

    Args:
        field: of a hierarchy in a store: ``cfgraph.field(store, id)``, by the rule of a predictor that the store holds.
        address: the cell; it need not be there yet.
        levels: how many levels of its subtree are wanted; with 0 the cell itself.
        depth: D, the depth that the hierarchy is cut into blocks for.
        anyway: grow even by a predictor that is no better than nothing (``TrainedPredictor.beats_zero`` is False).
        device: where a network is evaluated.
        workers: processes that grow side by side.
        show: gets the status now and then.
        progress: unless ``show`` is given: told how many cells are grown and how many there will be; else a live line shows
            that on terminals and in notebooks (``True``: everywhere, ``False``: nowhere).
        interrupted: is asked between blocks.

    Raises:
        InputError: for a field that lies in no store, or whose rule is no predictor's, or one that is no better than nothing;
            for levels deeper than ``depth``; for another depth or predictor than those that are pinned.
        VanishedError: where the hierarchy or the predictor is not the one any more that the field was made of.
    """
    store, hierarchy, predictor = _find_ground(field)
    parse_address(address)
    deepest = level_of(address) + check_integer(levels, name="number of levels", low=0)
    if deepest > check_integer(depth, name="depth", low=0):
        raise InputError(
            f"expected a depth of at least {deepest} ({levels} levels below {address}, which is on level {level_of(address)}), "
            f"got {depth}: it is what the whole hierarchy is cut into blocks for, so choose the deepest level that you may want"
        )
    return rollout(
        store,
        hierarchy,
        predictor=predictor,
        stop=Stop(depth=depth),
        below=[Portion(address, deepest)],
        anyway=anyway,
        device=device,
        workers=workers,
        show=show,
        progress=progress,
        interrupted=interrupted,
    )


def _find_ground(field: Field) -> "tuple[Store, Hierarchy, Known]":
    """The store that a field lies in, the hierarchy in it, and the predictor whose rule the field goes by."""
    if not isinstance(field, Field):
        raise InputError(f"expected a field, as cfgraph.field(store, id) gives it, got {type(field).__name__}")
    reader = field.reader
    if not isinstance(reader, KnownReader) or not isinstance(reader.store, Store):
        raise InputError(
            f"expected the field of a hierarchy in a store, and {field.name!r} lies in none: write it there first, by "
            "Store.write, and make the field of that: cfgraph.field(store, id)"
        )
    if field.predictor is None:
        rule = field.no_rule if field.descent is None else "its rule is what made it, or a predictor that has no id"
        raise InputError(
            f"expected a field by the rule of a predictor that the store holds, which the graph can be grown by; of "
            f"{field.name!r} {rule}. Train one on it (cfgraph.train, Store.write_predictor), and name it: "
            "cfgraph.field(store, id, predictor=ID)"
        )
    return reader.store, reader.hierarchy, field.predictor
