"""Opening: the server behind a URL, and the schema that a database of cfgraph has."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cfgraph.errors import InputError, StoreRefusedError, StoreUnavailableError
from cfgraph.settings import Settings
from cfgraph.store.graph import Graph

if TYPE_CHECKING:
    from cfgraph.server.local import Connection


# 2: data points; 3: incarnations, which an earlier version would write past; 4: batches of new data, which an earlier version
# would take for the first, and digests, which it would leave over
SCHEMA_VERSION = 4
SCHEMA_OPERATIONS = (
    "create_frontier_index",  # built in the background, beside the next one, where there are cells already
    "create_cell_constraint",
    "create_lease_constraint",
    "create_point_constraint",
    "create_batch_constraint",
    "create_digest_constraint",
    "create_schema_constraint",
    "await_indexes",
)
SERVER_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
HOST_AND_PORT = re.compile(r"(\[[^\s/?#\\]+\]|[^\s/?#\\\[\]:]+)(:[0-9]+)?/?")


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
    secret = settings.secret()
    if secret is None:
        raise StoreRefusedError(
            f"{url} wants a password; set NEO4J_PASSWORD, or NEO4J_PASSWORD_FILE to a file that holds it (and NEO4J_USERNAME, "
            "if it is not 'neo4j')"
        )
    return Graph.connect(url, username=settings.username, password=secret.get_secret_value(), database=settings.database)


def local_folder(url: str, *, settings: Settings) -> Path | None:
    """The folder of a local store; None of a server of one's own."""
    if url != "local" and not url.startswith("local:"):
        return None
    from cfgraph.server.local import LocalServer

    return LocalServer.of_url(url, settings=settings).home.directory


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


def create_schema(graph: Graph) -> None:
    """Set up the schema where the database has none, or that of an older cfgraph."""
    if (check_schema(graph) or 0) < SCHEMA_VERSION:
        for operation in SCHEMA_OPERATIONS:
            graph.create_schema(operation)
        graph.write("write_schema_version", version=SCHEMA_VERSION)
        check_schema(graph)  # a newer cfgraph may have been faster


def check_schema(graph: Graph) -> int | None:
    """The version of the database's schema, None where it has none; refuse one that a newer cfgraph made."""
    rows = graph.read("read_schema_version")
    if not rows:
        return None
    version = rows[0]["version"]
    if not isinstance(version, int):
        raise StoreRefusedError(
            f"{graph.place} holds a Schema node named 'cfgraph' with version {version!r}, which cfgraph did not write; name "
            "another database with NEO4J_DATABASE"
        )
    if version > SCHEMA_VERSION:
        raise StoreRefusedError(
            f"{graph.place} holds schema version {version}, and this cfgraph knows {SCHEMA_VERSION}; upgrade cfgraph"
        )
    return version
