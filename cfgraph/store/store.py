"""The store: hierarchies and predictors in one Neo4j database."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import AddressError, InputError, NotFoundError, StoreRefusedError, StoreUnavailableError, VanishedError
from cfgraph.model.address import ROOT, check_id, key_of, level_of, parse_address, subtree_range
from cfgraph.model.blocks import Block, block_height, block_of_cells, block_of_run, cut_cells, cut_runs
from cfgraph.model.cells import EXPANDED, FRONTIER, Cells, known_values
from cfgraph.model.hierarchy import FieldHierarchy, Hierarchy, HierarchyWithCells
from cfgraph.predictors.trained import TrainedPredictor
from cfgraph.settings import Settings, load_settings
from cfgraph.store import reading
from cfgraph.store.digest import digest_hierarchy, digest_pages
from cfgraph.store.graph import Graph
from cfgraph.store.growing import Growing, GrownBy
from cfgraph.store.queries import load_query
from cfgraph.store.records import hierarchy_of, predictor_of, properties_of
from cfgraph.store.writing import SESSIONS, BlockWriter, Written, key_pages, label_list

if TYPE_CHECKING:
    from cfgraph.server.local import Connection

log = logging.getLogger("cfgraph.store")
SCHEMA_VERSION = 2  # 2: data points
SCHEMA_OPERATIONS = (
    "create_frontier_index",  # built in the background, beside the next one, where there are cells already
    "create_cell_constraint",
    "create_lease_constraint",
    "create_point_constraint",
    "create_schema_constraint",
    "await_indexes",
)
SERVER_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
HOST_AND_PORT = re.compile(r"(\[[^\s/?#\\]+\]|[^\s/?#\\\[\]:]+)(:[0-9]+)?/?")
REMOVE_BATCH = 10_000
LINK_ROWS = 10_000  # links or points a transaction
VERIFICATION_CELLS = 5_000  # a page of verify: each cell comes with its parents and children
Progress = Callable[[int, int], None]  # cells done, cells in all
Grown = tuple[TrainedPredictor, list[dict[str, Any]]]  # a predictor, and the properties of each GROWN_BY that leads to it


@dataclass(frozen=True)
class Counts:
    """What a hierarchy holds just now."""

    cells: int
    depth: int
    frontier: int
    leaves: int
    predicted: int


class Store:
    """Hierarchies and predictors in one Neo4j database; open it with :meth:`open`, in a ``with``."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.growing = Growing(graph)

    # -- opening

    @classmethod
    def open(
        cls, url: str | None = None, *, settings: Settings | None = None, say: Callable[[str], None] = lambda _: None
    ) -> Self:
        """The store behind a URL: ``local`` or ``local:DIR`` (a server is started where none runs), ``bolt://``, ``neo4j://``.

        ``settings`` give what the URL does not (default: the environment). Raises ``InputError`` for a URL of no known
        form, ``StoreError`` where the server is down, refuses, or is too old.
        """
        settings = settings or load_settings()
        graph = connect(url or settings.store, settings=settings, say=say)
        try:
            ensure_schema(graph)
        except BaseException:
            graph.close()
            raise
        return cls(graph)

    def close(self) -> None:
        """Let go of the connections; a local server runs on until ``cfgraph down``."""
        self.graph.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- hierarchies

    def write(
        self,
        hierarchy: HierarchyWithCells,
        *,
        progress: Progress = lambda done, total: None,
        sessions: int = SESSIONS,
        then: Literal["complete", "growing"] = "complete",
        growers: Sequence[Grown] = (),
    ) -> Hierarchy:
        """Write a hierarchy with its cells; the same recipe again goes on where it stopped, or finds it done.

        The cells go in as canonical blocks, top-down, over several sessions side by side; between any two transactions
        the graph holds a valid, shallower hierarchy of state ``writing``. ``growers`` are what grew it in another store.
        Raises ``InputError`` where the id is taken by another recipe or a predictor.
        """
        cells = _writable(hierarchy)
        self._check_growers(hierarchy, growers)
        state = self._claim(hierarchy, cells)
        if state == "writing":
            self._write_growers(hierarchy, growers)
            self._write_cells(hierarchy, cells, progress=progress, sessions=sessions)
            self._write_links(hierarchy, cells)
            self._write_points(hierarchy, cells)
            state = self._end_writing(hierarchy.id, then=then)
        return hierarchy.replace(state=state)

    def _check_growers(self, hierarchy: Hierarchy, growers: Sequence[Grown]) -> None:
        """Refuse what cannot be kept beside the hierarchy, before anything is written."""
        for trained, _ in growers:
            if trained.id == hierarchy.id:
                raise InputError(f"the id {hierarchy.id!r} is that of the predictor that grew it; choose another")
            self.graph.transact(lambda tx, trained=trained: _check_predictor_in(tx, trained))

    def _write_growers(self, hierarchy: Hierarchy, growers: Sequence[Grown]) -> None:
        """Write what grew a hierarchy elsewhere, the earliest growth first."""
        for trained, growths in growers:
            self.write_predictor(trained)
            for growth in growths:
                if not self.graph.write("write_growth", id=hierarchy.id, predictor=trained.id, growth=growth)[0]["written"]:
                    raise VanishedError(f"hierarchy {hierarchy.id!r} or predictor {trained.id!r} was removed meanwhile")

    def _end_writing(self, identifier: str, *, then: str) -> str:
        """Move on from ``writing``; the state that it is in by now, where somebody who wrote the same was faster."""
        rows = self.graph.write("set_hierarchy_state", id=identifier, state=then, expected=["writing"])
        rows = rows or [row["hierarchy"] for row in self.graph.read("read_hierarchy", id=identifier)]
        if not rows or rows[0]["state"] == "removing":
            raise VanishedError(f"hierarchy {identifier!r} was removed meanwhile")
        return rows[0]["state"]

    def _claim(self, hierarchy: Hierarchy, cells: Cells) -> str:
        """Create the hierarchy with its root, or find it; the state that it is in."""
        found = self.graph.transact(lambda tx: _claim_in(tx, hierarchy, cells))
        return "writing" if found is None else found

    def _write_cells(self, hierarchy: Hierarchy, cells: Cells, *, progress: Progress, sessions: int) -> None:
        done = 1

        def count(written: Written) -> None:
            nonlocal done
            done += written.cells
            progress(done, len(cells))

        # An expanded cell without children here has some by links alone, which come in the end.
        to_expand = (cells.state == EXPANDED) & (cells.child_count > 0)
        last_state = np.where(to_expand, FRONTIER, cells.state).astype(np.uint8)
        with BlockWriter(self.graph, identifier=hierarchy.id, sessions=sessions, done=count) as writer:
            for layer in _layers(hierarchy, cells, last_state=last_state):
                for make_block in self._unwritten(hierarchy.id, cells, layer):
                    writer.submit(make_block())
                writer.drain()

    def _unwritten(self, identifier: str, cells: Cells, layer: "_Layer") -> Iterator[Callable[[], Block]]:
        """The blocks of a layer of which a seed is frontier still: all of them but after an interruption."""
        for part in key_pages(layer, size=10_000):
            keys = [key_of(identifier, cells.addresses[row]) for row, _ in part]
            frontier = {row["key"] for row in self.graph.read("read_frontier_keys", keys=keys)}
            yield from (make_block for (_, make_block), key in zip(part, keys, strict=True) if key in frontier)

    def _write_links(self, hierarchy: HierarchyWithCells, cells: Cells) -> None:
        """Write the edges from second parents, once all cells are there; those that are there already are found."""
        links = cells.links
        if links is None:
            return
        addresses, values = cells.addresses, (links.slot.tolist(), links.residual.tolist(), links.length.tolist())
        ends = [[key_of(hierarchy.id, addresses[row]) for row in rows.tolist()] for rows in (links.parent, links.child)]
        for page in key_pages([list(row) for row in zip(*ends, *values, strict=True)], size=LINK_ROWS):
            self._write_rows("create_links", "linked", page, identifier=hierarchy.id)

    def _write_points(self, hierarchy: HierarchyWithCells, cells: Cells) -> None:
        """Write the data points as nodes, where that was asked for."""
        if not hierarchy.point_nodes:
            return
        addresses = cells.addresses
        placed = [[row, addresses[cell]] for row, cell in enumerate(hierarchy.cell_of_point.tolist()) if cell >= 0]
        for page in key_pages(placed, size=LINK_ROWS):
            self._write_rows("create_points", "placed", page, identifier=hierarchy.id, id=hierarchy.id)

    def _write_rows(self, operation: str, column: str, rows: list, *, identifier: str, **parameters: str) -> None:
        """Write rows of which each finds its cells; a ``VanishedError`` where some are gone."""
        if self.graph.write(operation, rows=rows, **parameters)[0][column] != len(rows):
            raise VanishedError(f"hierarchy {identifier!r} was removed, or lost cells, meanwhile; run cfgraph verify")

    def set_state(self, identifier: str, *, state: str, expected: tuple[str, ...]) -> str:
        """Move a hierarchy on to ``state``; a ``VanishedError`` where it is in none of the ``expected`` ones."""
        rows = self.graph.write("set_hierarchy_state", id=identifier, state=state, expected=list(expected))
        if not rows:
            raise VanishedError(f"hierarchy {identifier!r} was removed, or taken on by somebody else, meanwhile")
        return rows[0]["state"]

    def hierarchies(self) -> list[Hierarchy]:
        """Every hierarchy, without cells, oldest first."""
        return [hierarchy_of(row["hierarchy"]) for row in self.graph.read("list_hierarchies")]

    def hierarchy(self, identifier: str) -> Hierarchy:
        """One hierarchy, without cells; a ``NotFoundError`` where there is none of that id."""
        rows = self.graph.read("read_hierarchy", id=check_id(identifier))
        if not rows:
            raise NotFoundError(f"there is no hierarchy {identifier!r} in this store; `cfgraph ls` lists what it holds")
        return hierarchy_of(rows[0]["hierarchy"])

    def counts(self, identifier: str) -> Counts:
        """How many cells a hierarchy has by now, counted."""
        low, high = subtree_range(check_id(identifier))
        return Counts(**self.graph.read("count_cells", low=low, high=high)[0])

    def read(self, identifier: str, *, depth: int | None = None, top: str = ROOT) -> Cells:
        """The cells at and below ``top``, down to level ``depth`` where one is given, in breadth-first order.

        A prefix costs what it holds, whatever lies below it. At its last level cells that go on count as frontier.
        """
        hierarchy = self._readable(identifier)
        parse_address(top)
        if depth is not None and depth < level_of(top):
            raise InputError(f"expected a depth of at least {level_of(top)}, the level of {top}, got {depth}")
        cells = reading.read_cells(self.graph, identifier, depth=depth, top=top, extras=hierarchy.data_built)
        return reading.with_own(self.graph, cells, hierarchy) if hierarchy.imported else cells

    def read_whole(self, identifier: str, *, depth: int | None = None) -> HierarchyWithCells:
        """A hierarchy with its cells, and with the cells that its data points lie in where points are nodes of the graph."""
        hierarchy = self._readable(identifier)
        cells = self.read(identifier, depth=depth)
        placed = self._read_points(hierarchy, cells) if hierarchy.point_nodes and depth is None else None
        return hierarchy.with_cells(cells, cell_of_point=placed)

    def _read_points(self, hierarchy: Hierarchy, cells: Cells) -> Int[np.ndarray, " points"]:
        """The row of the cell that each data point lies in; -1 for none."""
        row_of = {address: row for row, address in enumerate(cells.addresses)}
        placed = np.full(hierarchy.points, -1, dtype=np.int64)
        for page in reading.point_pages(self.graph, hierarchy.id):
            placed[page["row"]] = [row_of[address] for address in page["address"]]
        return placed

    def read_level(self, identifier: str, level: int) -> dict[str, np.ndarray]:
        """The columns of one level's cells, in breadth-first order, with their ``address``."""
        if level < 0:
            raise InputError(f"expected a level of at least 0, got {level}")
        cells = self.read(identifier, depth=level)
        rows = cells.level_rows(level)
        return {"address": np.array(cells.addresses[rows]), **cells.take(rows)}

    def read_columns(self, identifier: str, columns: tuple[str, ...], *, top: str = ROOT) -> Iterator[dict[str, np.ndarray]]:
        """Pages of chosen columns (``address`` always among them) of the cells below ``top``, in key order."""
        hierarchy = self._readable(identifier)
        known = ("center", "scale", "root_distance", "state", "predicted", "residual", "length", "radius", "size")
        if unknown := set(columns) - set(known):
            raise InputError(f"expected columns among {', '.join(known)}, got {', '.join(sorted(unknown))}")
        edges, extras = (
            bool({"residual", "length"} & set(columns)),
            hierarchy.data_built and bool({"radius", "size"} & set(columns)),
        )
        for page in reading.read_pages(self.graph, identifier, top=top, edges=edges, extras=extras):
            yield {"address": np.array(page["addresses"]), **{name: np.array(page[name]) for name in columns}}

    def parent_tuple(self, identifier: str, address: str) -> Float[np.ndarray, "arity dim"] | None:
        """The tuple of a cell's parent, in slot order; None for the root."""
        parse_address(address)
        return reading.parent_tuple(self.graph, check_id(identifier), address)

    def digest(self, identifier: str) -> str:
        """One name for everything that the hierarchy's cells hold: equal digests, equal cells."""
        hierarchy = self._readable(identifier)
        if hierarchy.imported:  # links and points speak of rows, so it is read whole
            return digest_hierarchy(self.read_whole(identifier))
        return digest_pages(reading.read_pages(self.graph, identifier))

    def _readable(self, identifier: str) -> Hierarchy:
        hierarchy = self.hierarchy(identifier)
        if hierarchy.state == "removing":
            raise InputError(f"{identifier!r} is half removed; run `cfgraph rm {identifier}` again to finish that")
        return hierarchy

    def remove(self, identifier: str, *, progress: Callable[[int], None] = lambda removed: None) -> int:
        """Remove a hierarchy or a predictor, in batches; interrupted and called again it finishes. The number of cells removed.

        First the leases end, so that no worker's block can be committed any more; then the cells go; the node itself goes last.
        """
        if self.graph.write("remove_predictor", id=check_id(identifier))[0]["removed"]:
            return 0
        self.hierarchy(identifier)
        self.set_state(identifier, state="removing", expected=("writing", "growing", "complete", "removing"))
        removed = self._remove_cells(identifier, progress)
        self.graph.write("remove_hierarchy", id=identifier)
        return removed + self._remove_cells(identifier, progress)

    def _remove_cells(self, identifier: str, progress: Callable[[int], None]) -> int:
        removed, (low, high) = 0, subtree_range(identifier)
        self.graph.write("remove_leases", id=identifier)
        while self.graph.write("remove_points", low=low, high=high, batch=REMOVE_BATCH)[0]["removed"]:
            pass
        while batch := self.graph.write("remove_cells", low=low, high=high, batch=REMOVE_BATCH)[0]["removed"]:
            removed += batch
            progress(removed)
        return removed

    def verification_pages(self, identifier: str) -> Iterator[dict[str, list]]:
        """Every cell with what the invariants speak of, in key order, a page at a time."""
        start, high = subtree_range(identifier)
        while True:
            page = self.graph.read("read_verification", start=start, high=high, page=VERIFICATION_CELLS)[0]
            if not page["cells"]:
                return
            start = reading.next_key(page["cells"][-1][0])
            yield page

    def import_pages(self, identifier: str) -> Iterator[dict[str, list]]:
        """Every cell as it is, with every edge that leads to it, in key order, a page at a time.

        Of an imported hierarchy with the values of its own properties (``own``), where points are nodes with the numbers
        of those in the cell (``points``).
        """
        hierarchy = self._readable(identifier)
        start, high = subtree_range(identifier)
        asked = {"high": high, "page": reading.PAGE_CELLS, "names": list(hierarchy.own), "points": hierarchy.point_nodes}
        while True:
            page = self.graph.read("read_import", start=start, **asked)[0]
            last = page.pop("last")
            if last is None:
                return
            start = reading.next_key(last)
            yield reading.checked(page, identifier)

    def own_kinds(self, hierarchy: Hierarchy) -> dict[str, set[str]]:
        """The types, as Neo4j calls them, of the values in each property of the source's own."""
        if not hierarchy.own:
            return {}
        low, high = subtree_range(hierarchy.id)
        rows = self.graph.read("read_own_kinds", low=low, high=high, names=list(hierarchy.own))
        found = {row["name"]: {kind.removesuffix(" NOT NULL") for kind in row["kinds"]} - {"NULL"} for row in rows}
        return {name: found.get(name, set()) for name in hierarchy.own}

    def strays(self, identifier: str) -> list[dict[str, Any]]:
        """Cells that say they are the hierarchy's but cannot be found by its keys."""
        low, high = subtree_range(identifier)
        return self.graph.read("read_strays", id=identifier, low=low, high=high)

    # -- predictors

    def write_predictor(self, trained: TrainedPredictor) -> None:
        """Keep a trained predictor; the same recipe again is done already, another one under a taken id is refused."""
        self.graph.transact(lambda tx: _write_predictor_in(tx, trained))

    def predictors(self) -> list[TrainedPredictor]:
        """Every predictor, without its weights, oldest first."""
        return [predictor_of(row["predictor"]) for row in self.graph.read("list_predictors")]

    def predictor(self, identifier: str) -> TrainedPredictor:
        """One predictor with its weights; a ``NotFoundError`` where there is none of that id."""
        rows = self.graph.read("read_predictor", id=check_id(identifier))
        if not rows:
            raise NotFoundError(f"there is no predictor {identifier!r} in this store; `cfgraph ls` lists what it holds")
        return predictor_of(rows[0]["predictor"])

    def link_truth(self, copy: str, truth: str) -> None:
        """Remember which hierarchy a copy predicts."""
        self.graph.write("link_truth", id=copy, truth=truth)

    def growers(self, identifier: str) -> list[Grown]:
        """Every predictor that grew a hierarchy, with its weights, and the properties of each GROWN_BY that leads to it."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.graph.read("read_growth", id=identifier):
            found.setdefault(row["predictor"], []).append(row["growth"])
        return [(self.predictor(name), growths) for name, growths in found.items()]

    def grown_by(self, identifier: str) -> GrownBy | None:
        """What grew a hierarchy last; None where no predictor did."""
        return next(iter(self.growing.history(identifier)), None)

    # -- asking

    def query(
        self, cypher: str, parameters: dict[str, Any] | None = None, *, write: bool = False
    ) -> tuple[list[str], list[list[Any]]]:
        """The column names and rows of Cypher of one's own; without ``write`` the server itself refuses to write."""
        if not cypher.strip():
            raise InputError("expected a Cypher statement, got an empty one")
        return self.graph.query(cypher, parameters or {}, write=write)

    def query_operation(
        self, name: str, parameters: dict[str, Any] | None = None, *, write: bool = False
    ) -> tuple[list[str], list[list[Any]]]:
        """The same for one of cfgraph's own operations, by name."""
        operation = load_query(name)
        operation.check_parameters(parameters or {})
        return self.graph.query(operation.statement, parameters or {}, write=write, asked=f"these parameters of {name}")

    def find_named(self, identifier: str, names: Collection[str]) -> dict[str, str]:
        """The addresses of the cells of some names; an ``AddressError`` for names that no cell, or several, have."""
        self._readable(identifier)
        low, high = subtree_range(identifier)
        rows = self.graph.read("find_named", low=low, high=high, names=sorted(names), id_size=len(identifier))
        found = {row["name"]: row["address"] for row in rows}
        if missing := [name for name in sorted(names) if name not in found]:
            raise AddressError(
                f"expected an address such as '/' or '/2/0', or the name of a cell; none of {identifier!r} is called "
                f"{missing[0]!r}"
            )
        if len(rows) > len(found):
            name = Counter(row["name"] for row in rows).most_common(1)[0][0]
            places = [row["address"] for row in rows if row["name"] == name]
            raise AddressError(
                f"{len(places)} cells of {identifier!r} are called {name!r}, at {', '.join(places[:3])}"
                f"{', ...' if len(places) > 3 else ''}; say which by address"
            )
        return found

    def read_ways(self, identifier: str, addresses: list[str]) -> dict[str, dict[str, Any]]:
        """Every cell on the ways from the root to some cells, by address."""
        self._readable(identifier)
        wanted = {ROOT}
        for address in addresses:
            slots = parse_address(address)
            wanted |= {"".join(f"/{slot}" for slot in slots[:level]) for level in range(1, len(slots) + 1)}
        found = {}
        for keys in key_pages(sorted(key_of(identifier, address) for address in wanted), size=10_000):
            found |= {row["address"]: row for row in self.graph.read("read_path", keys=keys, id_size=len(identifier))}
        return found


_Layer = list[tuple[int, Callable[[], Block]]]  # of each block: the row of a seed of its, and how it is made


def _layers(hierarchy: Hierarchy, cells: Cells, *, last_state: np.ndarray) -> Iterator[_Layer]:
    """The blocks of a hierarchy in memory, in layers: those of one can be written side by side, after those before."""
    if not isinstance(hierarchy, FieldHierarchy):
        make = partial(block_of_run, cells, last_state=last_state, virtual_root=hierarchy.virtual_root)
        for wave in cut_runs(cells):
            yield [(int(cells.parent[run.children.start]), partial(make, run)) for run in wave]
        return
    for layer in cut_cells(cells, height=block_height(arity=hierarchy.arity, dimension=hierarchy.dimension)):
        make = partial(block_of_cells, cells, last_state=last_state)
        yield [(row, partial(make, row, last_level=last)) for row, last in layer]


def connect(url: str, *, settings: Settings, say: Callable[[str], None]) -> Graph:
    """A connection to the server behind a store URL; a local one is started where it does not run."""
    if url == "local" or url.startswith("local:"):
        from cfgraph.server.local import LocalServer

        server = LocalServer.of_url(url, settings=settings, say=say)
        try:
            return connect_to(server.ensure())
        except StoreUnavailableError:
            if not server.await_end():
                raise
            return connect_to(server.ensure())  # the first was on its way out: killed, and not gone yet
    _check_url(url)
    if settings.password is None:
        raise StoreRefusedError(f"{url} wants a password; set NEO4J_PASSWORD (and NEO4J_USERNAME, if it is not 'neo4j')")
    return Graph.connect(
        url, username=settings.username, password=settings.password.get_secret_value(), database=settings.database
    )


def connect_to(server: "Connection") -> Graph:
    """A connection to a local server."""
    password = server.password.get_secret_value()
    return Graph.connect(server.uri, username=server.username, password=password, database=server.database)


def _check_url(url: str) -> None:
    """Refuse what is no server's URL, without repeating a password that it may hold."""
    expected = "expected a store URL such as local, local:DIR, bolt://HOST:7687 or neo4j+s://HOST"
    scheme, separator, rest = url.partition("://")
    if separator and scheme != scheme.lower():
        raise InputError(f"{expected}, in small letters: {scheme.lower()}://{rest if '@' not in rest else '...'}")
    if "@" in url:
        raise InputError(f"{expected}; user name and password do not belong in it: use NEO4J_USERNAME and NEO4J_PASSWORD")
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in SERVER_SCHEMES and parts.hostname and (parts.port is None or parts.port):
            if HOST_AND_PORT.fullmatch(url.removeprefix(f"{parts.scheme}://")):
                return
            expected += " with nothing behind host and port (NEO4J_DATABASE names a database)"
    raise InputError(f"{expected}, got {url!r}")


def ensure_schema(graph: Graph) -> None:
    """Set up the schema where the database has none; refuse one that a newer cfgraph made."""
    rows = graph.read("read_schema_version")
    version = rows[0]["version"] if rows else 0
    if isinstance(version, int) and version < SCHEMA_VERSION:
        for operation in SCHEMA_OPERATIONS:
            graph.create_schema(operation)
        version = graph.write("write_schema_version", version=SCHEMA_VERSION)[0]["version"]
    if not isinstance(version, int):
        raise StoreRefusedError(
            f"{graph.place} holds a Schema node named 'cfgraph' with version {version!r}, which cfgraph did not write; name "
            "another database with NEO4J_DATABASE"
        )
    if version > SCHEMA_VERSION:
        raise StoreRefusedError(
            f"{graph.place} holds schema version {version}, and this cfgraph knows {SCHEMA_VERSION}; upgrade cfgraph"
        )


def _writable(hierarchy: HierarchyWithCells) -> Cells:
    cells = hierarchy.require_cells().cells
    if cells.top != ROOT:
        raise InputError(f"expected a whole hierarchy or a prefix of one, got the subtree below {cells.top}")
    if not (np.isfinite(cells.center).all() and np.isfinite(cells.residual).all()):
        raise InputError(f"hierarchy {hierarchy.id!r} has centers or residuals that are no finite numbers")
    key_of(hierarchy.id, cells.addresses[int(np.argmax(cells.level))])
    return cells


def _claim_in(tx: Any, hierarchy: Hierarchy, cells: Cells) -> str | None:
    from cfgraph.store.graph import run_operation

    found = run_operation(tx, "claim_id", id=hierarchy.id)[0]
    if found["predictor"] is not None:
        raise InputError(f"the id {hierarchy.id!r} is taken by a predictor; choose another")
    if found["hierarchy"] is not None:
        return _check_same(hierarchy, hierarchy_of(found["hierarchy"]))
    state = FRONTIER if cells.state[0] == EXPANDED else int(cells.state[0])
    run_operation(
        tx,
        "create_hierarchy",
        id=hierarchy.id,
        properties=properties_of(hierarchy.replace(state="writing")),
        center=cells.center[0].tolist(),
        scale=float(cells.scale[0]),
        radius=_present(cells.radius),
        size=_present(cells.size),
        label=label_list(state)[0],
        own={name: value for name, column in cells.own.items() if (value := known_values(column[:1])[0]) is not None},
    )
    return None


def _present(column: np.ndarray | None) -> float | int | None:
    value = None if column is None else column[0].item()
    return None if value != value else value  # NaN is the absence of a radius


def _check_same(asked: Hierarchy, found: Hierarchy) -> str:
    if found.state == "removing":
        raise InputError(f"{asked.id!r} is half removed; run `cfgraph rm {asked.id}` again to finish that")
    if found.recipe_digest != asked.recipe_digest:
        unlike = sorted(
            key for key in asked.recipe.keys() | found.recipe.keys() if asked.recipe.get(key) != found.recipe.get(key)
        )
        raise InputError(
            f"the id {asked.id!r} is taken by a hierarchy of another recipe (they differ in {', '.join(unlike)}); "
            f"choose another id, or remove it with `cfgraph rm {asked.id}`"
        )
    return found.state


def _write_predictor_in(tx: Any, trained: TrainedPredictor) -> None:
    from cfgraph.store.graph import run_operation

    if not _check_predictor_in(tx, trained):
        properties = properties_of(trained)
        run_operation(tx, "write_predictor", properties=properties, hierarchy=trained.hierarchy, depth=trained.depth)


def _check_predictor_in(tx: Any, trained: TrainedPredictor) -> bool:
    """Whether the same predictor is there already; an ``InputError`` where its id is taken by anything else."""
    from cfgraph.store.graph import run_operation

    found = run_operation(tx, "claim_id", id=trained.id)[0]
    if found["hierarchy"] is not None:
        raise InputError(f"the id {trained.id!r} is taken by a hierarchy; choose another")
    if found["predictor"] is not None and found["predictor"]["recipe"] != properties_of(trained)["recipe"]:
        raise InputError(
            f"the id {trained.id!r} is taken by a predictor of another recipe; choose another, or `cfgraph rm {trained.id}`"
        )
    return found["predictor"] is not None
