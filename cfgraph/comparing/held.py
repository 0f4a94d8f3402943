"""Held: one of two hierarchies that are compared, in a store or in a folder, with what is known of how it was grown."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError
from cfgraph.formats.folders.place import is_folder
from cfgraph.formats.readers import is_elsewhere, open_elsewhere
from cfgraph.model.encoder import Encoder
from cfgraph.model.hierarchy import FieldHierarchy
from cfgraph.model.reader import Reader
from cfgraph.sources.snapshots import WithGrowers, find_snapshot, read_either

if TYPE_CHECKING:
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store, Stores

KEPT_BYTES = 1 << 26  # of a folder's sheets that stay in memory: one is read to its end before the next one


@dataclass(frozen=True, eq=False)
class Held:
    """A field, its cells read as they are asked for, and what grew it."""

    hierarchy: FieldHierarchy
    reader: Reader
    grown_by: tuple[str, ...]  # the ids of predictors, the latest first
    from_depth: int  # the least that a growth began with; 0 for none
    latest: "Callable[[], TrainedPredictor | None]"  # the predictor that grew it last
    encoder: Callable[[], Encoder | None]  # what was done to its data first

    @classmethod
    def in_store(cls, store: "Store", hierarchy: FieldHierarchy) -> "Held":
        """A hierarchy of a store, within a witness of it."""
        history = store.read_growth(hierarchy.id)
        return cls(
            hierarchy,
            store.reader(hierarchy.id),
            grown_by=tuple(dict.fromkeys(growth.predictor for growth in history)),
            from_depth=min((growth.from_depth for growth in history), default=0),
            latest=lambda: store.predictor(history[0].predictor) if history else None,
            encoder=lambda: store.encoder(hierarchy),
        )

    @classmethod
    def in_folder(cls, place: str) -> "Held":
        """A field in a folder, by its path or URL."""
        from cfgraph.formats.folders.reader import open_folder

        reader = open_folder(place, kept_bytes=KEPT_BYTES)
        growers = [grower.trained for grower in reader.growers]
        return cls(
            reader.hierarchy,
            reader,
            grown_by=tuple(trained.id for trained in growers),
            from_depth=reader.cut.from_depth if growers else 0,
            latest=lambda: growers[0] if growers else None,
            encoder=reader.encoder,
        )

    @classmethod
    def elsewhere(cls, title: str) -> "Held":
        """A hierarchy that another package reads."""
        reader = open_elsewhere(title)
        known = reader.hierarchy.require_field("compare by address")
        return cls(known, reader, grown_by=(), from_depth=0, latest=lambda: None, encoder=lambda: None)


@dataclass(frozen=True)
class Named:
    """What one of the two is called: an id of a store, a snapshot (``koch@before``), a folder, or ``NAME:PLACE``."""

    title: str
    store: "Store | None" = None  # None of a folder, and of what another package reads
    snapshot: Any = None

    @classmethod
    def of(cls, title: str, stores: "Store | Stores | None") -> "Named":
        """What a title means; an ``InputError`` for an id without a store."""
        if isinstance(title, str) and (is_elsewhere(title) or is_folder(title)):
            return cls(title)
        if stores is None:
            raise InputError(f"{title!r} is the id of a hierarchy, which only a store knows; folders are named with a /")
        store, title = stores.resolve(title)
        return cls(title, store, find_snapshot(store, title))

    def held(self, stack: ExitStack) -> Held:
        """It, to be read page by page; at its end the stack proves that it stayed as it was."""
        if self.store is None:
            return Held.elsewhere(self.title) if is_elsewhere(self.title) else Held.in_folder(self.title)
        witness = stack.enter_context(self.store.witness(self.title))
        return Held.in_store(self.store, witness.hierarchy.require_field("compare by address"))

    def read(self) -> WithGrowers:
        """It with all its cells, and what grew it."""
        if self.store is not None:
            return read_either(self.store, self.title)
        if is_elsewhere(self.title):
            raise InputError(f'{self.title!r}, which another package reads, is compared by address; leave by="name" out')
        from cfgraph.formats.folders.reader import open_folder
        from cfgraph.sources.folder import read_folder

        reader = open_folder(self.title)
        return read_folder(reader), reader.growers
