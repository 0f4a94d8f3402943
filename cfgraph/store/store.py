"""The store: hierarchies and predictors in one Neo4j database, the one door to the graph.

What people ask lies in parts, a file each: ``hierarchies`` (what there is, its cells), ``ingest`` (writing one), ``removal``,
``predictors``, ``growth`` (what a rollout asks), ``placing`` (new data in its cells), ``cuts``, ``subtree_digests``, ``asking``
(Cypher of one's own), ``looking`` (what a page shows of cells), ``boxes`` (cells by where they lie), ``levels`` (how
large hierarchies are, without a count), ``upgrade``, ``opening``.
``verify`` and the reading of pages use them from inside; nobody outside reaches through to the connection.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from cfgraph.errors import StoreRefusedError
from cfgraph.model.as_html import table_html
from cfgraph.settings import Settings, load_settings
from cfgraph.store.asking import Asking
from cfgraph.store.boxes import Boxes
from cfgraph.store.cuts import Cuts
from cfgraph.store.graph import Access, Graph
from cfgraph.store.hierarchies import Counts
from cfgraph.store.levels import KnownLevels
from cfgraph.store.looking import Looking
from cfgraph.store.opening import check_schema, connect, connect_to, create_schema, local_folder
from cfgraph.store.placing import Placing
from cfgraph.store.removal import Removal
from cfgraph.store.subtree_digests import SubtreeDigests
from cfgraph.store.upgrade import Upgrades
from cfgraph.visible import visible

if TYPE_CHECKING:
    from cfgraph.server.local import Connection

__all__ = ["Counts", "Store"]


class Store(Removal, KnownLevels, Placing, SubtreeDigests, Asking, Upgrades, Cuts, Looking, Boxes):
    """Hierarchies and predictors in one Neo4j database; open it with :meth:`open`, in a ``with``."""

    @classmethod
    def open(
        cls, url: str | None = None, *, settings: Settings | None = None, say: Callable[[str], None] | None = None
    ) -> Self:
        """The store behind a URL: ``local`` or ``local:DIR`` (a server is started where none runs), ``bolt://``, ``neo4j://``.

        ``settings`` give what the URL does not (default: the environment). ``say`` is told of a server that is fetched or
        started, and how it is stopped; unless given, that is said on stderr. Raises ``InputError`` for a URL of no known
        form, ``StoreError`` where the server is down, refuses, or is too old.
        """
        settings = settings or load_settings()
        graph = connect(url or settings.store, settings=settings, say=say or _say_on_stderr)
        try:
            _bring_up_to_date(graph)
        except BaseException:
            graph.close()
            raise
        store = cls(graph)
        store.folder = local_folder(url or settings.store, settings=settings)
        return store

    def close(self) -> None:
        """Let go of the connections; a local server runs on until ``cfgraph down``."""
        self._graph.close()

    def __enter__(self) -> Self:
        return self

    def _repr_html_(self) -> str:
        rows = [[one.id, one.origin, one.state, one.dimension, f"{one.created:%Y-%m-%d %H:%M}"] for one in self.hierarchies()]
        return table_html(f"store at {self.place}", ("hierarchy", "source", "state", "dimension", "created"), rows)

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def connect(
        cls, uri: str, *, username: str, password: str, database: str | None, retry_seconds: float | None = None
    ) -> Self:
        """The store of a server that is known to be one, as ``access`` tells it: for a worker's own connection.

        ``retry_seconds`` is how long a transaction is tried again that failed for a passing reason.
        """
        graph = Graph.connect(uri, username=username, password=password, database=database, retry_seconds=retry_seconds)
        return cls(graph)

    @classmethod
    def of_server(cls, connection: "Connection") -> Self:
        """The store of a local server that runs; nothing is set up in it."""
        return cls(connect_to(connection))

    @classmethod
    def of_running(cls, url: str, *, settings: Settings) -> Self | None:
        """The store behind a URL, where its server runs: nothing is started or set up; None where a local one does not run."""
        if local_folder(url, settings=settings) is None:
            return cls(connect(url, settings=settings, say=lambda _: None))
        from cfgraph.server.local import LocalServer

        running = LocalServer.of_url(url, settings=settings).connection()
        return None if running is None else cls.of_server(running)

    @property
    def access(self) -> Access | None:
        """Where the server is and who one is there; None over a driver that was handed in."""
        return self._graph.access

    @property
    def place(self) -> str:
        """What messages call the server."""
        return self._graph.place

    def resolve(self, title: str) -> tuple["Store", str]:
        """Itself and the title: as :meth:`cfgraph.store.stores.Stores.resolve`, which has several stores to choose from."""
        return self, title

    def count_nodes(self) -> int:
        """How many nodes the database holds, of whatever kind, but for the schema's own."""
        nodes: int = self._graph.read("count_nodes")[0]["nodes"]
        return nodes

    def count_connections(self) -> int:
        """How many connections the server has just now, this one among them."""
        connections: int = self._graph.read("count_connections")[0]["connections"]
        return connections


def _say_on_stderr(line: str) -> None:
    if sys.stderr is not None:  # as in a program without a console
        sys.stderr.write(f"cfgraph: {visible(line)}\n")


def _bring_up_to_date(graph: Graph) -> None:
    """Raise an older schema, and make one for what neo4j-admin imported; else the first writer makes it.

    Who may not do that can read all the same; what first writes tells them then.
    """
    version = check_schema(graph)
    if version is not None or graph.read("list_hierarchies"):
        with suppress(StoreRefusedError):
            create_schema(graph)
        check_schema(graph)
