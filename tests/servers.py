"""Servers that the tests need beside the shared one: with settings of their own, and behind TLS.

A ``TlsDoor`` stands before a real server and speaks TLS with whatever certificate a test wants; behind it every byte is
the server's own.
"""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cfgraph.server import home, local
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.store import Store


def write_certificate(folder: Path, *, name: str = "127.0.0.1", days: int = 1) -> None:
    """Write ``public.crt`` and ``private.key``: self-signed, for one address or host name, expired where ``days`` < 0."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cfgraph tests")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    try:
        place = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        place = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=2))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([place]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "public.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "private.key").write_bytes(key.private_bytes(*form))


class TlsDoor:
    """Takes TLS connections on a port of its own and carries their bytes to a plain one; use it in a ``with``."""

    def __init__(self, *, certificate: Path, port: int):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate / "public.crt", certificate / "private.key")
        self._behind, self._listener = port, socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> "TlsDoor":
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _take(self) -> None:
        while True:
            try:
                arrived, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(arrived,), daemon=True).start()

    def _carry(self, arrived: socket.socket) -> None:
        with (
            suppress(OSError),
            self._context.wrap_socket(arrived, server_side=True) as outside,
            socket.create_connection(("127.0.0.1", self._behind)) as inside,
        ):
            back = threading.Thread(target=_copy, args=(inside, outside), daemon=True)
            back.start()
            _copy(outside, inside)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Server:
    """A real server that a test started: where it listens, and what opens it."""

    local: LocalServer
    port: int
    password: str

    def url(self, scheme: str = "bolt", *, port: int | None = None, host: str = "127.0.0.1") -> str:
        """Its URL in some scheme; ``port`` is that of a door before it."""
        return f"{scheme}://{host}:{port or self.port}"

    def settings(self, **others: object) -> Settings:
        """What its user sets, with ``others`` in place of what is right."""
        right = {"username": "neo4j", "password": self.password, "database": None}
        return Settings(_env_file=None, **{**right, **others})

    def open(self, url: str | None = None, **others: object) -> Store:
        """Its store, to be used in a ``with``."""
        return Store.open(url or self.url(), settings=self.settings(**others))

    def environment(self, before: dict[str, str], **others: str) -> dict[str, str]:
        """The environment of a command that uses it."""
        return {**before, "CFGRAPH_STORE": self.url(), "NEO4J_USERNAME": "neo4j", "NEO4J_PASSWORD": self.password, **others}


@contextmanager
def serving(folder: Path, *, configuration: str = "", scheme: str = "bolt", online: bool = True) -> Iterator[Server]:
    """A local server in ``folder`` with other settings than its own, or more; ``scheme`` is what it speaks.

    Not ``online``: nobody waits for its database.
    """
    server = LocalServer(folder, settings=Settings(_env_file=None))
    try:
        with pytest.MonkeyPatch.context() as patch:
            others = {line.partition("=")[0] for line in configuration.splitlines()}
            own = [line for line in home.CONFIGURATION.splitlines() if line.partition("=")[0] not in others]
            patch.setattr(home, "CONFIGURATION", "\n".join([*own, configuration]))
            if not online:
                patch.setattr(local, "ask", lambda uri, *, password: None)
            patch.setattr(local, "uri_of", lambda start: f"{scheme}://{home.ADDRESS}:{start.port}")
            connection = server.ensure()
        yield Server(server, int(connection.uri.rpartition(":")[2]), connection.password.get_secret_value())
    finally:
        server.stop()
