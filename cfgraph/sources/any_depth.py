"""field: where the rule of a hierarchy comes from, and what of it is stored, as one thing that can be asked.

The rule is, in this order: the predictor that is named; the one that grew the hierarchy last; the maps, the generator or the
data that made it. Imported hierarchies and those of data have none: then what is stored answers alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cfgraph.errors import InputError
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.formats.readers import DescribedReader
from cfgraph.model.address import ROOT
from cfgraph.model.cells import Cells
from cfgraph.model.descent import Descent, FrontierDescent, MapsDescent, Places, SpannedDescent
from cfgraph.model.encoder import Encoder
from cfgraph.model.field import Field
from cfgraph.model.growth import Rule as FrontierRule
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells, Known
from cfgraph.model.invariants import TOLERANCE
from cfgraph.model.reader import CellsReader, Reader
from cfgraph.model.rules import CenterRule, TupleRule
from cfgraph.predictors.predictor import Predictor
from cfgraph.predictors.recurrence import Recurrence
from cfgraph.predictors.trained import TrainedPredictor
from cfgraph.sources.rules import RECURRENT_DEPTH
from cfgraph.store.reader import KnownReader

if TYPE_CHECKING:
    from cfgraph.formats.maps import AffineMaps
    from cfgraph.sources.cfg import Design
    from cfgraph.store import Store

_NOWHERE = 2**62  # a level below all that is stored
_RANK = 1e-9  # singular values below this share of the largest: displacements that span too little to tell maps from


def field(
    of: "Store | Hierarchy | FolderReader | DescribedReader | AffineMaps | Design | str",
    id: str | None = None,
    *,
    predictor: "Predictor | TrainedPredictor | str | None" = None,
    maps: "AffineMaps | Path | str | None" = None,
) -> Field:
    """What can be asked at any depth: cells, children, distances, offsets, radius and reach; nothing of it is stored.

    Args:
        of: a store, with the ``id`` of a hierarchy in it; a hierarchy with its cells; a field's open folder
            (:func:`cfgraph.formats.folders.reader.open_folder`); a reader of another package's that has a ``hierarchy``; affine
            maps, or the name of a built-in system; or the design of a generator (``sources.cfg.Design``).
        id: of the hierarchy in the store.
        predictor: the rule below what is stored; of a store, also by its id. Unless given, the one that grew the hierarchy
            last, or what the hierarchy was made by.
        maps: the maps of an ``ifs`` hierarchy that was made from a file; without them its rule comes from its first levels.

    Raises:
        InputError: for maps and predictors of another hierarchy, and what is no such thing.
        NotFoundError: for an id that the store does not hold.
    """
    from cfgraph.store import Store

    if isinstance(of, Store):
        if id is None:
            raise InputError("expected the id of a hierarchy beside the store; store.hierarchies() lists what it holds")
        return _field_of_store(of, id, predictor=predictor, maps=maps)
    if id is not None:
        raise InputError(f"an id names a hierarchy in a store, got {id!r} beside {type(of).__name__}")
    if isinstance(of, FolderReader):
        return _field_of_folder(of, predictor=predictor, maps=maps)
    if isinstance(of, DescribedReader):
        return _field_elsewhere(of, predictor=predictor, maps=maps)
    if isinstance(of, Hierarchy):
        return _field_in_memory(of.require_cells(), predictor=predictor, maps=maps)
    if predictor is not None or maps is not None:
        raise InputError("maps and generators are rules themselves; leave out predictor and maps, or give a hierarchy")
    return _field_of_rule(of)


def _field_of_rule(of: Any) -> Field:
    """The field of maps or of a generator: nothing of it is stored."""
    from cfgraph.formats.maps import AffineMaps, read_maps
    from cfgraph.sources.cfg import Design, rule_of
    from cfgraph.sources.cfg import field as field_of_design
    from cfgraph.sources.ifs import field as field_of_maps

    if isinstance(of, Design):
        made = field_of_design(id="field", depth=0, design=of)
        rule = rule_of(made.hierarchy.recipe)
        descent: Descent = FrontierDescent(rule, made.hierarchy.arity, made.hierarchy.dimension)
    elif isinstance(of, AffineMaps | str | Path):
        system = of if isinstance(of, AffineMaps) else read_maps(of)
        made = field_of_maps(id="field", maps=system, depth=0)
        system = _in_coordinates(system, made.hierarchy.recipe)
        descent = _maps_from(system, center=made.root.center[0], scale_factor=made.hierarchy.scale_factor)
    else:
        raise InputError(
            "expected a store and an id, a hierarchy with cells, affine maps, the name of a built-in system, or the design of "
            f"a generator, got {type(of).__name__}"
        )
    return Field(
        name=made.hierarchy.recipe.get("maps", made.hierarchy.origin),
        arity=made.hierarchy.arity,
        scale_factor=made.hierarchy.scale_factor,
        residual_bound=made.hierarchy.residual_bound,
        root=_root_of(made.root, descent),
        descent=descent,
    )


def _root_of(cells: Cells, descent: Descent) -> Places:
    return Places(
        level=0,
        slot=np.array([-1]),
        center=cells.center[:1],
        scale=cells.scale[:1],
        root_distance=cells.root_distance[:1],
        length=cells.length[:1],
        residual=cells.residual[:1],
        stored=np.zeros(1, dtype=np.bool_),
        memory=descent.start(),
    )


def _field_in_memory(hierarchy: HierarchyWithCells, *, predictor: Any, maps: Any) -> Field:
    """The field of a hierarchy with its cells."""
    if hierarchy.cells.top != ROOT:
        raise InputError(f"a field starts at the root, and these cells of {hierarchy.id!r} at {hierarchy.cells.top}")
    reader = CellsReader(hierarchy.cells)
    found = _Found(hierarchy, reader, encoder=hierarchy.require_encoder)
    named = _loaded(predictor)
    if isinstance(named, str):
        raise InputError(f"a predictor is named by its id in a store, got {named!r} beside a hierarchy in memory; give itself")
    return found.field(named, maps=maps)


def _field_of_store(store: "Store", id: str, *, predictor: Any, maps: Any) -> Field:
    """The field of a hierarchy in the graph."""
    hierarchy = store.hierarchy(id)
    trained = store.predictor(predictor) if isinstance(predictor, str) else predictor
    named = _loaded(trained)
    assert not isinstance(named, str), "what the id names was read"
    found = _Found(hierarchy, KnownReader(store, hierarchy), encoder=lambda: store.encoder(hierarchy))
    growers = store.growers(id)
    longest = max((grower.trained.residual_bound for grower in growers), default=0.0)
    if named is not None or not growers or maps is not None:
        known = Known(trained.id, trained.identity) if isinstance(trained, TrainedPredictor) else None
        return replace(found.field(named, maps=maps, grown_within=longest if growers else None), predictor=known)
    depths = [int(growth["from_depth"]) for growth in growers[0].growths]
    rule_from = min(depths) if len(growers) == 1 else _NOWHERE
    latest = growers[0].trained
    made = found.field(latest.load(), rule_from=rule_from, grown_within=longest)
    return replace(made, predictor=Known(latest.id, latest.identity))


def _field_of_folder(reader: FolderReader, *, predictor: Any, maps: Any) -> Field:
    """The field of a folder: what is stored in it, and below that the rule of what grew it, or of what made it."""
    named = _loaded(predictor)
    if isinstance(named, str):
        raise InputError(f"a predictor is named by its id in a store, got {named!r} beside a folder; give itself")
    found, growers = _Found(reader.hierarchy, reader, encoder=reader.encoder), reader.growers
    longest = max((grower.trained.residual_bound for grower in growers), default=None)
    if named is not None or not growers or maps is not None:
        return found.field(named, maps=maps, grown_within=longest)
    return found.field(growers[0].trained.load(), rule_from=reader.cut.from_depth, grown_within=longest)


def _field_elsewhere(reader: DescribedReader, *, predictor: Any, maps: Any) -> Field:
    """The field of a hierarchy that another package reads: what is stored there, and below that a rule that is known."""
    named = _loaded(predictor)
    if isinstance(named, str):
        raise InputError(f"a predictor is named by its id in a store, got {named!r} beside a reader; give itself")
    return _Found(reader.hierarchy, reader, encoder=lambda: None).field(named, maps=maps)


def _loaded(predictor: Any) -> "Predictor | str | None":
    if isinstance(predictor, TrainedPredictor):
        return predictor.load()
    if predictor is None or isinstance(predictor, Predictor | str):
        return predictor
    raise InputError(f"expected a predictor, or the id of one in the store, got {type(predictor).__name__}")


@dataclass(frozen=True, eq=False)
class _Found:
    """A hierarchy of which something is stored."""

    hierarchy: Hierarchy
    reader: Reader
    encoder: Callable[[], Encoder | None]

    def field(
        self,
        predictor: Predictor | None,
        *,
        maps: Any = None,
        rule_from: int = _NOWHERE,
        grown_within: float | None = None,
    ) -> Field:
        """The field below what is stored; ``rule_from`` is from where on what is stored follows the predictor.

        ``grown_within`` is the largest bound of those that grew stored cells; None where none is known to have.
        """
        known = self.hierarchy
        if not isinstance(known, FieldHierarchy):
            if predictor is not None or maps is not None:
                known.require_field("a rule below what is stored")
            return self._stored_alone(f"{known.id!r} was imported ({known.origin}), which makes no rule known")
        if predictor is not None:
            if maps is not None:
                raise InputError("a predictor and maps are two rules; give one of them")
            predictor.check_fits(arity=known.arity, dimension=known.dimension)
            if abs(predictor.scale_factor - known.scale_factor) > 1e-12:
                raise InputError(
                    f"expected a predictor of scale factor {known.scale_factor!r}, that of {known.id!r}, got one of "
                    f"{predictor.scale_factor!r}: it was trained on another hierarchy"
                )
            bound = self._bound(known, grown_within, predictor)
            return self._ruled(_descent_of(predictor), residual_bound=bound, rule_from=rule_from)
        descent = self._own_descent(known, maps=maps)
        if descent is None:
            return self._stored_alone(f"no rule is known of {known.origin!r}; name a predictor")
        own = grown_within is None and not self._grown_by_others
        return self._ruled(descent, residual_bound=self._bound(known, grown_within), rule_from=0 if own else _NOWHERE)

    @property
    def _grown_by_others(self) -> bool:
        """Whether cells are stored, or may be, of predictors that are not at hand: nothing tells what bounds these."""
        known = self.hierarchy
        in_memory = isinstance(known, HierarchyWithCells) and bool(known.cells.predicted.any())
        return bool(known.former_predictors) or (in_memory and known.origin != "rollout")

    def _bound(self, known: FieldHierarchy, *bounds: "float | Predictor | None") -> float | None:
        """R of all residuals, those that predictors shortened to theirs (but for rounding) with them; None where not known."""
        if self._grown_by_others:
            return None
        grown = [bound.residual_bound if isinstance(bound, Predictor) else bound for bound in bounds if bound is not None]
        return max([known.residual_bound, *(bound * (1 + TOLERANCE) for bound in grown)])

    def _stored_alone(self, why: str) -> Field:
        known = self.hierarchy
        as_field = known if isinstance(known, FieldHierarchy) else None
        bounded = as_field is not None and not known.data_built and not self._grown_by_others
        return Field(
            name=known.id,
            arity=None if as_field is None else as_field.arity,
            scale_factor=None if as_field is None else as_field.scale_factor,
            residual_bound=known.residual_bound if bounded else None,
            reader=self.reader,
            no_rule=why,
            paths=not known.links,
            virtual_root=known.virtual_root,
        )

    def _ruled(self, descent: Descent, *, residual_bound: float | None, rule_from: int) -> Field:
        known = self.hierarchy
        assert isinstance(known, FieldHierarchy)
        return Field(
            name=known.id,
            arity=known.arity,
            scale_factor=known.scale_factor,
            residual_bound=residual_bound,
            descent=descent,
            reader=self.reader,
            rule_from=rule_from,
        )

    def _own_descent(self, known: FieldHierarchy, *, maps: Any) -> Descent | None:
        """The rule that the hierarchy was made by."""
        from cfgraph.sources.rules import Beside, find_rule

        if known.origin == "ifs":
            return self._descent_of_maps(known, maps)
        if maps is not None:
            raise InputError(f"maps are the rule of hierarchies of `ifs`, and {known.id!r} is one of {known.origin!r}")
        rule = find_rule(known, beside=Beside(encoder=self.encoder, prefix=self._prefix))
        return None if rule is None else FrontierDescent(_as_frontier_rule(rule), known.arity, known.dimension)

    def _prefix(self, depth: int) -> Cells:
        return self.reader.read(top=ROOT, depth=depth)

    def _descent_of_maps(self, known: FieldHierarchy, maps: Any) -> Descent | None:
        from cfgraph.defaults import BUILT_IN
        from cfgraph.formats.maps import AffineMaps, read_maps
        from cfgraph.sources.rules import Beside, find_rule

        name = known.recipe.get("maps")
        system = None
        if maps is not None:
            system = maps if isinstance(maps, AffineMaps) else read_maps(maps, name=None if maps in BUILT_IN else name)
            if system.digest != known.recipe.get("maps_sha256"):
                raise InputError(f"{known.id!r} was made of other maps than these ({system.name!r}): their digests differ")
        elif name in BUILT_IN:
            named = read_maps(str(name))
            system = named if named.digest == known.recipe.get("maps_sha256") else None
        prefix = self._prefix(RECURRENT_DEPTH)
        if system is not None:
            system = _in_coordinates(system, known.recipe)
            return _maps_from(system, center=prefix.center[0], scale_factor=known.scale_factor)
        recovered = _recovered(prefix, known)
        if recovered is not None:
            return recovered
        rule = find_rule(known, beside=Beside(encoder=self.encoder, prefix=self._prefix))
        return None if rule is None else FrontierDescent(_as_frontier_rule(rule), known.arity, known.dimension)


def _in_coordinates(system: "AffineMaps", recipe: dict[str, Any]) -> "AffineMaps":
    """The maps in the coordinates of the hierarchy that was made of them."""
    basis = recipe.get("coordinates")
    return system if basis is None else system.in_coordinates(np.array(basis))


def _maps_from(system: "AffineMaps", *, center: np.ndarray, scale_factor: float) -> MapsDescent:
    """``A_k^t / s`` and ``u_k = f_k(x0) - x0``."""
    turn = np.ascontiguousarray((system.matrix / scale_factor).transpose(0, 2, 1))
    return MapsDescent(turn, system.displace(center), scale_factor)


def _recovered(prefix: Cells, known: FieldHierarchy) -> MapsDescent | None:
    """The maps as the first two levels tell them, ``A_j^t / s = U^+ T_j``; None where the displacements span too little."""
    rows, tuples = prefix.expansions(known.arity)
    if len(rows) <= known.arity or rows[0] != 0:
        return None
    top, below = tuples[0], tuples[1 : known.arity + 1]
    values = np.linalg.svd(top, compute_uv=False)
    if len(values) < known.dimension or values[-1] <= _RANK * values[0]:
        return None
    turn: np.ndarray = np.linalg.pinv(top) @ below
    if np.abs(top @ turn - below).max() > _RANK * np.abs(below).max():
        return None
    return MapsDescent(turn, top, known.scale_factor)


def _descent_of(predictor: Predictor) -> Descent:
    """A predictor's rule; of a recurrence whose tuples keep to the span of the root's, with the maps that bound its reach."""
    plain = FrontierDescent(predictor.predict, predictor.arity, predictor.dimension)
    if not isinstance(predictor, Recurrence) or predictor.basis.shape[1] != predictor.rank:
        return plain
    turn = predictor.maps()[0].transpose(0, 2, 1) / predictor.scale_factor
    top = predictor.root_tuple
    off = float(np.linalg.norm(predictor.alpha @ top - top @ turn, axis=2).max(initial=0.0))
    return SpannedDescent(
        predictor.predict,
        predictor.arity,
        predictor.dimension,
        maps=MapsDescent(turn, top, predictor.scale_factor),
        inverse=np.linalg.pinv(top),
        off=off,
        residual_bound=predictor.residual_bound,
    )


def _as_frontier_rule(rule: CenterRule | TupleRule) -> FrontierRule:
    """A rule of centers, or of tuples, as one of frontiers."""
    if isinstance(rule, TupleRule):
        return lambda frontier: rule.step[frontier.slot] @ (rule.basis.T @ frontier.parent_tuple)
    return lambda frontier: rule.tuples_at(frontier.center)
