"""Servers of one's own, as they are met: behind TLS, with credentials that will not do, absent, read-only, not online."""

import http.server
import os
import re
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cfgraph.comparing.compare import compare
from cfgraph.errors import CypherError, InputError, ReadOnlyError, StoreRefusedError, StoreUnavailableError
from cfgraph.formats import to_networkx
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.metric.path import find_path
from cfgraph.server import home
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.store import Store
from cfgraph.store import graph as graph_module
from cfgraph.store.opening import SCHEMA_VERSION
from cfgraph.store.verify import verify
from tests.compose import server_settings
from tests.grown import grown_hierarchy
from tests.servers import Server, TlsDoor, serving, write_certificate

TLS = """\
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.base_directory={folder}
dbms.ssl.policy.bolt.private_key=private.key
dbms.ssl.policy.bolt.public_certificate=public.crt
dbms.ssl.policy.bolt.client_auth=NONE
server.bolt.tls_level=REQUIRED
"""


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    """The folder of a server that was stopped: it holds a hierarchy, a predictor and what that grew."""
    folder = tmp_path_factory.mktemp("seed") / "store"
    hierarchy = grown_hierarchy("kept", arity=3, depth=3)
    with serving(folder) as server, server.open() as store:
        store.write(hierarchy)
        store.write_predictor(train(hierarchy, id="rule", depth=2, family="mean"))
        rollout(store, "kept", predictor="rule", from_depth=2, copy_as="grown", stop=Stop(depth=3))
    return folder


def copy_of(seed: Path, folder: Path) -> Path:
    shutil.copytree(seed, folder)
    return folder


@pytest.fixture(scope="module")
def plain(seed, tmp_path_factory):
    """A server without TLS, with the settings of docker-compose.yml: one that it does not know would stop its start."""
    known = {line.partition("=")[0] for line in home.CONFIGURATION.splitlines()}
    more = "".join(f"{name}={value}\n" for name, value in server_settings().items() if name not in known)
    with serving(copy_of(seed, tmp_path_factory.mktemp("plain") / "store"), configuration=more) as server:
        yield server


@pytest.mark.slow("a server of its own")
def test_settings_of_compose_are_the_servers(plain: Server):
    with plain.open() as store:
        rows = dict(store.query("SHOW SETTINGS YIELD name, value")[1])
    wanted = {name: value for name, value in server_settings().items() if not name.startswith("internal.")}
    sizes = {"1g": "1.00GiB", "512m": "512.00MiB"}  # as the server prints them
    assert {name: rows[name] for name in wanted} == {name: sizes.get(value, value) for name, value in wanted.items()}


@pytest.fixture
def nobody(tmp_path) -> Server:
    """What a user sets for a server that is not there: enough for what is refused before one is met."""
    return Server(LocalServer(tmp_path / "store", settings=Settings(_env_file=None)), port=1, password="not-to-be-told")


@pytest.fixture
def tom(plain: Server):
    """Makes another user, whose wrong passwords lock nobody else out."""
    with plain.open() as store:
        yield lambda rest: store.query(f"CREATE USER tom SET PASSWORD 'long enough' {rest}", write=True)
        store.query("DROP USER tom IF EXISTS", write=True)


def ids_at(server: Server, url: str, **others: object) -> list[str]:
    with server.open(url, **others) as store:
        return [hierarchy.id for hierarchy in store.hierarchies()]


@pytest.mark.slow("servers of their own")
class TestCertificates:
    """What ``+s`` refuses, it refuses for a reason that is told; ``+ssc`` takes any certificate."""

    def test_server_that_speaks_tls_only(self, seed, tmp_path, monkeypatch):
        write_certificate(tmp_path / "tls")
        configuration = TLS.format(folder=tmp_path / "tls")
        with serving(copy_of(seed, tmp_path / "store"), configuration=configuration, scheme="bolt+ssc") as server:
            for scheme in ("bolt+ssc", "neo4j+ssc"):
                assert ids_at(server, server.url(scheme)) == ["kept", "grown"]
            for scheme in ("bolt+s", "neo4j+s"):
                with pytest.raises(StoreRefusedError, match=r"nobody known here signed .* SSL_CERT_FILE, .* \+ssc in place of"):
                    server.open(server.url(scheme))
            for scheme in ("bolt", "neo4j"):
                with pytest.raises(StoreUnavailableError, match=rf"if it wants TLS, put \+s behind {scheme} in the URL"):
                    server.open(server.url(scheme))
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls" / "public.crt"))
            assert ids_at(server, server.url("bolt+s")) == ["kept", "grown"]
            with pytest.raises(StoreRefusedError, match=r"its certificate is another host's \(.*localhost.*in the URL"):
                server.open(server.url("bolt+s", host="localhost"))

    @pytest.mark.parametrize(
        ("certificate", "told"),
        [
            ({"days": -1}, r"its certificate is out of date \(certificate has expired\); have it renewed"),
            ({"days": 5}, r"its certificate is out of date \(certificate is not yet valid\)"),
            ({"name": "example.org"}, r"its certificate is another host's \(IP address mismatch"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
    def test_certificates_that_will_not_do(self, plain, tmp_path, monkeypatch, certificate, told, scheme):
        write_certificate(tmp_path, **certificate)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.crt"))
        with TlsDoor(certificate=tmp_path, port=plain.port) as door:
            with pytest.raises(StoreRefusedError, match=told):
                plain.open(plain.url(f"{scheme}+s", port=door.port))
            assert ids_at(plain, plain.url("bolt+ssc", port=door.port)) == ["kept", "grown"]

    @pytest.mark.parametrize("scheme", ["bolt+s", "bolt+ssc", "neo4j+s"])
    def test_tls_with_a_server_that_has_none(self, plain, scheme):
        with pytest.raises(StoreUnavailableError, match=r"does not speak TLS .*leave \+s or \+ssc out of the URL"):
            plain.open(plain.url(scheme))


@pytest.mark.slow("a server of its own, to lock users out of")
class TestCredentials:
    """Every refusal is exit code 3, says which setting to look at, and repeats no password."""

    @pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
    def test_expired_password(self, plain, tom, scheme):
        tom("CHANGE REQUIRED")
        with pytest.raises(StoreRefusedError, match=r"password changed .* ALTER CURRENT USER .* NEO4J_PASSWORD") as caught:
            plain.open(plain.url(scheme), username="tom", password="long enough")
        assert "long enough" not in str(caught.value)

    def test_wrong_passwords(self, plain, tom):
        tom("CHANGE NOT REQUIRED")
        for _ in range(3):
            with pytest.raises(
                StoreRefusedError, match=r"refuses the user name or password; check NEO4J_USERNAME and"
            ) as caught:
                plain.open(username="tom", password="not-to-be-told")
            assert "not-to-be-told" not in str(caught.value)
        with pytest.raises(StoreRefusedError, match=r"refuses the user name"):
            plain.open(username="nobody'}) DETACH DELETE n //")

    def test_others_wrong_passwords_are_waited_for(self, seed, tmp_path, monkeypatch):
        """Elsewhere a server lets nobody in for 5 seconds after three of them, not even who knows the right one."""
        limit = "dbms.security.auth_max_failed_attempts=3\n"
        with serving(copy_of(seed, tmp_path / "store"), configuration=limit) as server:
            for _ in range(3):
                with pytest.raises(StoreRefusedError):
                    server.open(password="not-to-be-told")
            monkeypatch.setattr(graph_module, "RETRY_SECONDS", 0.0)
            with pytest.raises(StoreUnavailableError, match=r"no more for a while, since somebody told it wrong passwords"):
                server.open()
            monkeypatch.setattr(graph_module, "RETRY_SECONDS", 30.0)
            assert ids_at(server, server.url()) == ["kept", "grown"]

    def test_wrong_passwords_do_not_lock_the_owner_of_a_local_server_out(self, seed, tmp_path):
        with serving(copy_of(seed, tmp_path / "store")) as server:
            for _ in range(10):
                with pytest.raises(StoreRefusedError, match=r"refuses the user name or password"):
                    server.open(password="not-to-be-told")
            assert ids_at(server, server.url()) == ["kept", "grown"]

    def test_commands_say_it_in_one_line(self, plain, run):
        wrong = plain.environment(run.environment, NEO4J_USERNAME="nobody", NEO4J_PASSWORD="not-to-be-told")
        done = run("ls", code=3, env=wrong)
        assert re.fullmatch(r"cfgraph: bolt://\S+ refuses the user name or password; [^\n]*\n", done.stderr)
        absent = plain.environment(run.environment, NEO4J_DATABASE="nosuch")
        for words in (["ls"], ["query", "RETURN 1"], ["ingest", "ifs", "koch", "--depth", 1, "--as", "never"]):
            done = run(*words, code=3, env=absent)
            assert re.fullmatch(
                r"cfgraph: \S+ has no database of that name \([^\n]*nosuch\); check NEO4J_DATABASE\n", done.stderr
            )


@pytest.mark.slow("servers of their own")
class TestDatabases:
    """Databases that are not there, not ours, not writable, not online."""

    @pytest.mark.parametrize("name", ["nosuch", "a`b", "x" * 100, "é", "neo4j`;MATCH (n) DETACH DELETE n"])
    @pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
    def test_absent_database(self, plain, name, scheme):
        with pytest.raises(StoreRefusedError, match=r"has no database of that name .*; check NEO4J_DATABASE"):
            plain.open(plain.url(scheme), database=name)

    def test_database_of_the_system(self, plain):
        with pytest.raises(
            StoreRefusedError, match=r"does not do what cfgraph asks of it.* that NEO4J_DATABASE is no system one"
        ):
            plain.open(database="system")

    def test_read_only_database(self, seed, tmp_path, run):
        folder = copy_of(seed, tmp_path / "store")
        with serving(folder, configuration="server.databases.read_only=neo4j\n") as server:
            with server.open() as store:
                assert [hierarchy.id for hierarchy in store.hierarchies()] == ["kept", "grown"]
                assert store.digest("kept")
                assert store.predictor("rule").family == "mean"
                assert store.query("MATCH (c:Cell {hierarchy: 'kept'}) RETURN count(c)")[1] == [[40]]
                assert store.query_operation("read_hierarchy", {"id": "kept"})[1][0][0]["id"] == "kept"
                assert find_path(store, "kept", first="/0/1", second="/2").ancestor == "/"
                assert compare(store, "kept", "grown").levels[0].matched == 27
                assert verify(store, "kept").clean
                assert to_networkx(store.read("kept")).number_of_nodes() == 40
                for write in (
                    lambda: store.write(grown_hierarchy("never", depth=2)),
                    lambda: store.write_predictor(
                        train(grown_hierarchy("kept", arity=3, depth=3), id="never", depth=2, family="mean")
                    ),
                    lambda: rollout(store, "kept", predictor="rule", stop=Stop(depth=4), anyway=True),
                    lambda: rollout(store, "kept", predictor="rule", from_depth=2, copy_as="never", stop=Stop(depth=4)),
                    lambda: store.remove("kept"),
                    lambda: store.query("CREATE (:Spoiled)", write=True),
                ):
                    with pytest.raises(StoreRefusedError, match="is read-only: what it holds can be listed"):
                        write()
                assert [hierarchy.id for hierarchy in store.hierarchies()] == ["kept", "grown"]
            own = {"env": server.environment(run.environment)}
            run("verify", "kept", **own)
            refused = run("ingest", "ifs", "koch", "--depth", 2, "--as", "never", code=3, **own).stderr
            assert re.fullmatch(r"cfgraph: \S+ is read-only: [^\n]*\n", refused)

    def test_database_that_is_not_online(self, seed, tmp_path, monkeypatch):
        folder = copy_of(seed, tmp_path / "store")
        for file in (folder / "data" / "databases" / "neo4j").glob("*neostore*"):
            if file.is_file():
                file.write_bytes(b"no store")
        monkeypatch.setattr(graph_module, "RETRY_SECONDS", 2.0)
        with serving(folder, online=False) as server:
            for scheme in ("bolt", "neo4j"):
                with pytest.raises(StoreUnavailableError, match=r"not online: it is starting still, .* SHOW DATABASES"):
                    server.open(server.url(scheme))

    def test_server_that_is_slow_to_answer(self, plain, monkeypatch):
        pid = plain.local.status().pid
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (pid, signal.SIGCONT)).start()
        assert ids_at(plain, plain.url()) == ["kept", "grown"]
        monkeypatch.setattr(graph_module, "CONNECT_SECONDS", 1.0)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailableError, match=r"does not answer .*; check that the server is up"):
                plain.open()
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_what_is_in_the_schemas_way(self, plain):
        known = {"version": SCHEMA_VERSION}
        with plain.open() as store:
            store.query("MATCH (s:Schema {name: 'cfgraph'}) SET s.version = 'of another'", write=True)
            try:
                with pytest.raises(StoreRefusedError, match=r"version 'of another', which cfgraph did not write"):
                    plain.open()
                store.query("MATCH (s:Schema {name: 'cfgraph'}) SET s.version = $version + 1", known, write=True)
                told = f"schema version {SCHEMA_VERSION + 1}, and this cfgraph knows {SCHEMA_VERSION}; upgrade cfgraph"
                with pytest.raises(StoreRefusedError, match=told):
                    plain.open()
                store.query("MATCH (s:Schema {name: 'cfgraph'}) SET s.version = 1", write=True)
                store.query("DROP CONSTRAINT point_key", write=True)
                plain.open().close()  # what an older cfgraph made is brought up to date
                assert store.query("SHOW CONSTRAINTS YIELD name WHERE name = 'point_key' RETURN count(*)")[1] == [[1]]
            finally:
                store.query("MATCH (s:Schema {name: 'cfgraph'}) SET s.version = $version", known, write=True)


class TestWhatIsNoServer:
    """URLs of no known form, and ports where somebody else listens."""

    @pytest.mark.parametrize(
        "rest", ["/neo4j", "//", "?database=x", "/?x", "#x", "/#", "/neo4j?policy=eu#f", "/%2e", "\\x", " ", "\t"]
    )
    def test_what_is_behind_the_host(self, nobody, rest):
        for url in (f"bolt://127.0.0.1:1{rest}", f"neo4j+s://host{rest}"):
            with pytest.raises(InputError, match=r"expected a store URL .* got"):
                nobody.open(url)

    @pytest.mark.parametrize("url", ["http://h", "bolt://", "bolt:h", "bolt://:1", "bolt://h:0", "bolt://h:99999", "nonsense"])
    def test_what_is_no_url_of_a_server(self, nobody, url):
        with pytest.raises(InputError, match=r"expected a store URL"):
            nobody.open(url)

    @pytest.mark.parametrize("answer", [b"\0\0\0\0", b"\0\0\0\3", b"\0\0\4\4", b"SSH-2.0-OpenSSH_9.6\r\n"])
    @pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
    def test_older_servers_and_other_protocols(self, nobody, answer, scheme):
        with answering(answer) as port, pytest.raises(StoreRefusedError, match=r"does not speak as Neo4j 5\.26 or newer"):
            nobody.open(nobody.url(scheme, port=port))

    def test_port_of_the_web(self, nobody, monkeypatch):
        monkeypatch.setattr(graph_module, "CONNECT_SECONDS", 1.0)
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        try:
            for scheme, told in (("bolt", "does not answer"), ("neo4j", "does not answer"), ("bolt+s", "does not speak TLS")):
                with pytest.raises(StoreUnavailableError, match=told):
                    nobody.open(nobody.url(scheme, port=web.server_port))
        finally:
            web.shutdown()
            web.server_close()

    @pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
    def test_nobody_there(self, nobody, scheme):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
            with pytest.raises(
                StoreUnavailableError, match=r"refused.*; check that the server is up and the URL is right"
            ) as caught:
                nobody.open(nobody.url(scheme, port=taken.getsockname()[1]))
        assert ("bolt in place of neo4j" in str(caught.value)) == (scheme == "neo4j")


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A port that answers whatever comes with the same bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                arrived, _ = listener.accept()
            except OSError:
                return
            with arrived:
                arrived.recv(100)
                arrived.sendall(answer)
                arrived.recv(100)  # until the other side goes

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


class TestWhoseFault:
    """``CypherError`` is for the user's own Cypher; cfgraph's own operations never blame the user for theirs."""

    def test_cypher_of_ones_own(self, store: Store):
        with pytest.raises(CypherError, match=r"did not accept the Cypher: .*line 1"):
            store.query("MATCH (c:Cell RETURN c")
        with pytest.raises(InputError, match=r"cannot be sent"):
            store.query("RETURN $n", {"n": 2**80})
        with pytest.raises(InputError, match=r"cannot be sent"):
            store.query("RETURN $n", {"n": "\ud800"})
        with pytest.raises(InputError, match=r"cannot be sent"):
            store.query("RETURN '\ud800'")

    def test_operation_with_parameters_of_ones_own(self, store: Store):
        with pytest.raises(CypherError, match=r"did not accept these parameters of read_children: "):
            store.query_operation("read_children", {"keys": ["x"], "id_size": "no number", "extras": "no"})
        with pytest.raises(ReadOnlyError, match=r"only reads unless --write"):
            store.query_operation("remove_leases", {"id": "nothing"})

    def test_operation_of_cfgraphs_own(self, store: Store):
        with pytest.raises(StoreRefusedError, match=r"does not do what cfgraph asks of it") as caught:
            store._graph.write("write_predictor", properties="no map", hierarchy="x", depth=1)
        assert not isinstance(caught.value, InputError)
        with pytest.raises(StoreRefusedError):
            store._graph.read("remove_leases", id="nothing")
