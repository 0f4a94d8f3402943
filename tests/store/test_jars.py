"""The cache of pinned jars, against a Maven repository of this test's own: tiny jars, real sockets, real processes."""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cfgraph.errors import InputError, LocalServerError
from cfgraph.server import jars
from cfgraph.server.jars import Jar, JarList, find_cache_folder, provide_jars, read_jar_list
from cfgraph.settings import load_settings


class Repository(ThreadingHTTPServer):
    """A Maven repository (and a proxy to itself) with a temper: ``answers`` says how the next requests are met."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents = {f"org.example:thing{n}:1.{n}": f"jar {n} ".encode() * 1000 * (n + 1) for n in range(8)}
        self.contents["org.example:native:2:linux-x86_64"] = b"with a classifier"
        self.requests: list[str] = []
        self.answers: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/maven2"

    @property
    def pinned(self) -> JarList:
        rows = [Jar(name, sha256=hashlib.sha256(data).hexdigest(), size=len(data)) for name, data in self.contents.items()]
        return JarList("9.9", main_class="Main", java_major=21, settings=(), jars=tuple(rows))

    def content(self, path: str) -> bytes | None:
        return {jar.path: self.contents[jar.coordinates] for jar in self.pinned.jars}.get(path.partition("/maven2/")[2])


class Handler(BaseHTTPRequestHandler):
    """Answers, breaks off, lies or is busy, as its repository is told to."""

    server: Repository
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        answer = self.server.answers.pop(0) if self.server.answers else "give"
        content = self.server.content(self.path)
        status = 404 if content is None else 503 if answer == "busy" else 200
        body = content if status == 200 else b"sorry"
        if answer == "lie":
            body = body.replace(b"jar", b"war")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer == "break":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(jars, "PAUSES_SECONDS", (0.01, 0.02, 0.03))
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own with 16 kB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def files(cache: Path) -> set[str]:
    return {path.name for path in (cache / "neo4j-9.9").iterdir()} - {".lock"}


def test_pinned_list_is_whole_and_names_no_host() -> None:
    version = load_settings().neo4j_version
    pinned = read_jar_list(version)
    text = (jars.PINNED / f"neo4j-{version}.txt").read_text()
    assert pinned.main_class == "org.neo4j.server.Neo4jCommunity"
    assert pinned.java_major == 21
    assert {f"org.neo4j:neo4j:{version}", f"org.neo4j.app:neo4j-server:{version}"} <= {j.coordinates for j in pinned.jars}
    assert len({jar.name for jar in pinned.jars}) == len(pinned.jars) > 200
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in pinned.jars)
    assert "//" not in text


def test_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no jars are pinned for Neo4j '1\.2'.* to one of: .*2026\.09\.0"):
        read_jar_list("1.2")


def test_jar_has_maven_path_and_name() -> None:
    jar = Jar("io.netty:netty-transport:4.2:linux-x86_64", sha256="", size=0)
    assert jar.path == "io/netty/netty-transport/4.2/netty-transport-4.2-linux-x86_64.jar"


def test_jars_are_fetched_once(repository: Repository, tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        paths = provide_jars(repository.pinned, cache=tmp_path, maven_url=repository.url, say=said.append)
    assert [path.read_bytes() for path in paths] == list(repository.contents.values())
    assert len(repository.requests) == len(repository.contents)
    assert len(said) == 1
    assert said[0].startswith("fetching Neo4j 9.9 into ")
    assert files(tmp_path) == {jar.name for jar in repository.pinned.jars}


def test_tampered_and_half_fetched_jars_are_fetched_again(repository: Repository, tmp_path: Path) -> None:
    first, second, third, *_ = provide_jars(repository.pinned, cache=tmp_path, maven_url=repository.url)
    content = first.read_bytes()
    first.write_bytes(content.replace(b"jar", b"war"))
    second.write_bytes(second.read_bytes()[:100])
    third.rename(third.with_name(third.name + ".part"))
    repository.requests.clear()
    said: list[str] = []
    provide_jars(repository.pinned, cache=tmp_path, maven_url=repository.url, say=said.append)
    assert first.read_bytes() == content
    assert len(repository.requests) == 3
    assert len(said) == 1
    assert "fetching them again: thing0-1.0.jar, thing1-1.1.jar" in said[0]
    assert files(tmp_path) == {jar.name for jar in repository.pinned.jars}


def test_download_that_is_not_the_pinned_jar_is_refused(repository: Repository, tmp_path: Path) -> None:
    pinned = JarList("9.9", main_class="Main", java_major=21, settings=(), jars=repository.pinned.jars[:1])
    repository.answers = ["lie"]
    with pytest.raises(LocalServerError) as caught:
        provide_jars(pinned, cache=tmp_path, maven_url=repository.url)
    changed = repository.contents["org.example:thing0:1.0"].replace(b"jar", b"war")
    assert "thing0-1.0.jar from 127.0.0.1 is not the pinned one" in str(caught.value)
    assert pinned.jars[0].sha256 in str(caught.value)
    assert hashlib.sha256(changed).hexdigest() in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("answer", ["break", "busy"])
def test_broken_and_busy_connections_are_tried_again(repository: Repository, tmp_path: Path, answer: str) -> None:
    repository.answers = [answer] * 3
    assert len(provide_jars(repository.pinned, cache=tmp_path, maven_url=repository.url)) == len(repository.contents)
    assert len(repository.requests) == len(repository.contents) + 3


def test_repository_without_the_jar_is_not_asked_twice(repository: Repository, tmp_path: Path) -> None:
    pinned = JarList("9.9", main_class="M", java_major=21, settings=(), jars=(Jar("a:b:1", sha256="0", size=9),))
    with pytest.raises(LocalServerError, match=r"127\.0\.0\.1 does not give a:b:1: it answers 404 Not Found"):
        provide_jars(pinned, cache=tmp_path, maven_url=repository.url)
    assert len(repository.requests) == 1


def test_no_network_keeps_what_was_fetched(repository: Repository, tmp_path: Path) -> None:
    provide_jars(repository.pinned, cache=tmp_path, maven_url=repository.url)
    (tmp_path / "neo4j-9.9" / "thing3-1.3.jar").unlink()
    with pytest.raises(LocalServerError, match=r"cannot fetch thing3-1\.3\.jar from 127\.0\.0\.1: .*refused.*MAVEN_URL"):
        provide_jars(repository.pinned, cache=tmp_path, maven_url="http://user:secret@127.0.0.1:9/m")
    assert len(files(tmp_path)) == len(repository.contents) - 1


def test_credentials_in_the_address_are_not_shown(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(LocalServerError) as caught:
        provide_jars(repository.pinned, cache=tmp_path, maven_url="http://user:secret@127.0.0.1:9/m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://example/maven2", "nonsense", ""])
def test_maven_url_must_be_an_address(url: str) -> None:
    with pytest.raises(InputError, match="CFGRAPH_MAVEN_URL must be the http or https address"):
        jars.open_session(url)


def test_proxy_is_used(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{repository.server_port}")
    provide_jars(repository.pinned, cache=tmp_path, maven_url="http://maven.invalid/maven2")
    assert repository.requests[0].startswith("http://maven.invalid/maven2/org/example/")


FILL = """
import sys
from pathlib import Path
from cfgraph.server.jars import provide_jars, read_jar_list
pinned = read_jar_list("9.9", folder=Path(sys.argv[1]))
print(len(provide_jars(pinned, cache=Path(sys.argv[1]), maven_url=sys.argv[2])))
"""


def test_processes_that_fill_the_cache_at_once_share_the_work(repository: Repository, tmp_path: Path) -> None:
    rows = [f"{jar.coordinates} {jar.sha256} {jar.size}" for jar in repository.pinned.jars]
    (tmp_path / "neo4j-9.9.txt").write_text("\n".join(["main Main", "java 21", *rows]))
    command = [sys.executable, "-c", FILL, str(tmp_path), repository.url]
    fillers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [filler.communicate()[0].strip() for filler in fillers] == [str(len(repository.contents))] * 3
    assert set(Counter(repository.requests).values()) == {1}


def test_full_disk_is_one_line(repository: Repository, small_disk: Path) -> None:
    with pytest.raises(LocalServerError, match=r"^cannot use .*small disk.*: the disk is full; free some space there"):
        provide_jars(repository.pinned, cache=small_disk, maven_url=repository.url)
    assert not [name for name in files(small_disk) if name.endswith(".part")]


def test_cache_in_a_file_is_one_line(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalServerError, match=r"cannot use .*file.*: a file is in the way; or set XDG_CACHE_HOME"):
        provide_jars(repository.pinned, cache=tmp_path / "file", maven_url=repository.url)


def test_cache_folder_follows_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache_folder() == tmp_path / "cfgraph"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setattr(sys, "platform", "linux")
    assert find_cache_folder() == Path("/home/somebody/.cache/cfgraph")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_cache_folder() == Path("/home/somebody/Library/Caches/cfgraph")
