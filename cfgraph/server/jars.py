"""The server's jars: pinned one by one, fetched side by side into a cache, and checked before every start.

A version of Neo4j is a text file in ``jars/``, written by ``python -m cfgraph.server.pin_jars VERSION``::

    # Neo4j 2026.09.0
    main   org.neo4j.server.Neo4jCommunity              the class that starts the server
    java   21                                           the oldest Java that runs it
    java-max  25                                        the newest one that its makers support
    conf   dbms.fleet_manager.enabled=false             settings that only some versions have
    io.netty:netty-common:4.2.18.Final   SHA-256   size in bytes

Where a jar comes from does not matter: one that is not, bit for bit, what the list says is never used.
"""

import hashlib
import os
import ssl
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from cfgraph.errors import InputError, LocalServerError, MissingExtraError
from cfgraph.server.disk import explaining_disk_errors
from cfgraph.server.lock import hold_lock

PINNED = Path(__file__).parent / "jars"
FETCHERS = 16  # jars are small: the way there and back counts, not the bytes
CHUNK_BYTES = 1 << 16
CONNECT_SECONDS, SILENCE_SECONDS = 10, 20
PAUSES_SECONDS = (0.5, 1.0, 2.0)  # before the second, third and last try of a jar
BUSY = {408, 425, 429, 500, 502, 503, 504}  # what a repository answers when the same question may be answered later


@dataclass(frozen=True)
class Jar:
    """One jar by its Maven coordinates ``group:artifact:version[:classifier]``, with what it must be."""

    coordinates: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """Its file name, in a Maven repository and in the cache."""
        return "-".join(self.coordinates.split(":")[1:]) + ".jar"

    @property
    def path(self) -> str:
        """Its path in a Maven repository."""
        group, artifact, version, *_ = self.coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.name}"


@dataclass(frozen=True)
class JarList:
    """What one version of the server is made of."""

    version: str
    main_class: str
    java_major: int
    settings: tuple[str, ...]
    jars: tuple[Jar, ...]
    java_max: int | None = None


def read_jar_list(version: str, *, folder: Path = PINNED) -> JarList:
    """The pinned list of Neo4j ``version``."""
    path = folder / f"neo4j-{version}.txt"
    if not path.is_file():
        known = ", ".join(sorted(p.stem.removeprefix("neo4j-") for p in folder.glob("neo4j-*.txt")))
        raise InputError(f"no jars are pinned for Neo4j {version!r}; set CFGRAPH_NEO4J_VERSION to one of: {known}")
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    values = {row[0]: row[1] for row in rows if len(row) == 2}
    return JarList(
        version=version,
        main_class=values["main"],
        java_major=int(values["java"]),
        settings=tuple(row[1] for row in rows if row[0] == "conf"),
        jars=tuple(Jar(row[0], sha256=row[1], size=int(row[2])) for row in rows if len(row) == 3),
        java_max=int(values["java-max"]) if "java-max" in values else None,
    )


def find_cache_folder() -> Path:
    """The user's own cache folder for cfgraph, where the system wants it to be."""
    asked = os.environ.get("XDG_CACHE_HOME", "")
    try:
        usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError as error:
        raise LocalServerError("there is no home folder to keep Neo4j's jars in; set XDG_CACHE_HOME") from error
    # The specification has relative paths ignored.
    return (Path(asked) if Path(asked).is_absolute() else usual) / "cfgraph"


def provide_jars(
    pinned: JarList, *, cache: Path, maven_url: str | None, say: Callable[[str], None] = lambda line: None
) -> tuple[Path, ...]:
    """The jars of ``pinned`` as files, each checked now; missing and damaged ones are fetched."""
    folder = cache / f"neo4j-{pinned.version}"
    with explaining_disk_errors(folder, otherwise="set XDG_CACHE_HOME to a folder with 200 MB to spare"):
        if find_unfit(pinned.jars, folder=folder):
            folder.mkdir(parents=True, exist_ok=True)
            with hold_lock(folder / ".lock", waiting=lambda: say(f"waiting for another command that fills {folder}")):
                # Asked again, because the one that had the lock until now did the same work.
                repair_cache(pinned, folder=folder, maven_url=maven_url, say=say)
    return tuple(folder / jar.name for jar in pinned.jars)


def find_unfit(jars: Iterable[Jar], *, folder: Path) -> list[Jar]:
    """The jars that are missing in ``folder`` or are not what their pins say: 0.2 s for the whole server."""
    jars = list(jars)
    with ThreadPoolExecutor(FETCHERS) as pool:
        fit = pool.map(lambda jar: is_fit(folder / jar.name, jar), jars)
        return [jar for jar, ok in zip(jars, fit, strict=True) if not ok]


def is_fit(path: Path, jar: Jar) -> bool:
    """Whether the file is the jar, bit for bit."""
    if not path.is_file() or path.stat().st_size != jar.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


def repair_cache(pinned: JarList, *, folder: Path, maven_url: str | None, say: Callable[[str], None]) -> None:
    """Fetch what is missing and what is damaged, and say so."""
    unfit = find_unfit(pinned.jars, folder=folder)
    damaged = [jar.name for jar in unfit if (folder / jar.name).exists()]
    if damaged:
        names = ", ".join(damaged[:3]) + (f" and {len(damaged) - 3} more" if len(damaged) > 3 else "")
        say(f"{folder} holds jars that are not as pinned; fetching them again: {names}")
    elif unfit:
        size = sum(jar.size for jar in unfit) / 1e6
        say(f"fetching Neo4j {pinned.version} into {folder}: {len(unfit)} jars, {size:.0f} MB")
    if unfit:
        fetch_jars(unfit, folder=folder, maven_url=maven_url or find_maven_url())


def find_maven_url() -> str:
    """The address of Maven's central repository, as jgo knows it: no host's name is written in this project."""
    try:
        from jgo import MAVEN_CENTRAL_URL
    except ImportError as error:
        raise MissingExtraError.of("jgo", extra="local", purpose="fetching the local server") from error
    return MAVEN_CENTRAL_URL


def fetch_jars(jars: Iterable[Jar], *, folder: Path, maven_url: str) -> None:
    """Fetch ``jars`` side by side into ``folder``; the first that cannot be had ends the others."""
    stop = Event()
    failures: list[BaseException] = []

    def fetch(jar: Jar) -> None:
        try:
            if not stop.is_set():
                fetch_jar(jar, session=session, maven_url=maven_url, folder=folder, stop=stop)
        except BaseException as error:
            failures.append(error)  # the first is what happened; the others only follow from it
            stop.set()

    with closing(open_session(maven_url)) as session, ThreadPoolExecutor(FETCHERS) as pool:
        try:
            # Large ones first, or the last of them is waited for alone.
            list(pool.map(fetch, sorted(jars, key=lambda jar: -jar.size)))
        finally:
            stop.set()  # for Ctrl-C: leaving the pool waits for its threads
    if failures:
        raise failures[0]


def open_session(maven_url: str) -> Any:
    """Connections that are kept and shared: a new one a jar takes twenty times as long and wears out name servers.

    ``requests`` brings proxies, ``.netrc`` and credentials in the address; what it lacks is trust in the authorities
    that the system (or ``SSL_CERT_FILE``) trusts, and companies' proxies are known only there.
    """
    if urlsplit(maven_url).scheme not in ("http", "https"):
        raise InputError("CFGRAPH_MAVEN_URL must be the http or https address of a Maven repository")
    try:
        import requests
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise MissingExtraError.of("requests", extra="local", purpose="fetching the local server") from error

    class SystemTrust(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, ssl_context=ssl.create_default_context(), **options)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, ssl_context=ssl.create_default_context(), **options)

    session = requests.Session()
    session.mount("https://", SystemTrust(pool_maxsize=FETCHERS))
    session.mount("http://", HTTPAdapter(pool_maxsize=FETCHERS))
    return session


def fetch_jar(jar: Jar, *, session: Any, maven_url: str, folder: Path, stop: Event) -> None:
    """Fetch one jar, trying again where the connection breaks; nothing that differs from its pin is kept."""
    from requests import RequestException

    for pause in (*PAUSES_SECONDS, None):
        try:
            return fetch_once(jar, session=session, maven_url=maven_url, folder=folder, stop=stop)
        except (RequestException, ConnectionError) as error:
            if pause is None or stop.wait(pause):
                raise LocalServerError(
                    f"cannot fetch {jar.name} from {host_of(maven_url)}: {root_cause(error)}; check the network "
                    "(HTTPS_PROXY names a proxy, CFGRAPH_MAVEN_URL another Maven repository) and run the same command "
                    "again: what was fetched is kept"
                ) from error


def fetch_once(jar: Jar, *, session: Any, maven_url: str, folder: Path, stop: Event) -> None:
    """Fetch one jar in one try."""
    part = folder / f"{jar.name}.part"
    url = f"{maven_url.rstrip('/')}/{jar.path}"
    try:
        with session.get(url, stream=True, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)) as response:
            check_status(response, jar=jar, maven_url=maven_url)
            digest, size = save(response.iter_content(CHUNK_BYTES), path=part, limit=jar.size, stop=stop)
        check_digest(jar, digest=digest, size=size, maven_url=maven_url)
        part.replace(folder / jar.name)
    finally:
        part.unlink(missing_ok=True)


def check_status(response: Any, *, jar: Jar, maven_url: str) -> None:
    """Raise where the repository does not give the jar: at once, or as a broken connection where it is only busy."""
    if response.status_code in BUSY:
        raise ConnectionError(f"it answers {response.status_code} {response.reason}")
    if response.status_code != 200:
        raise LocalServerError(
            f"{host_of(maven_url)} does not give {jar.coordinates}: it answers {response.status_code} "
            f"{response.reason}; set CFGRAPH_MAVEN_URL to a Maven repository that has it"
        )


def save(chunks: Iterable[bytes], *, path: Path, limit: int, stop: Event) -> tuple[str, int]:
    """Write ``chunks`` to ``path``; give their digest and size. More than ``limit`` bytes are not asked for."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for chunk in chunks:
            if stop.is_set():
                raise ConnectionError("given up, because another jar failed")
            digest.update(chunk)
            size += file.write(chunk)
            if size > limit:
                break
    return digest.hexdigest(), size


def check_digest(jar: Jar, *, digest: str, size: int, maven_url: str) -> None:
    """Refuse what is not the pinned jar."""
    if digest != jar.sha256:
        raise LocalServerError(
            f"{jar.name} from {host_of(maven_url)} is not the pinned one and was thrown away: expected SHA-256 "
            f"{jar.sha256} ({jar.size} bytes), got {digest} ({size} bytes read); somebody on the way changed it, or a "
            "proxy answered in its place: try another network, or set CFGRAPH_MAVEN_URL to a repository you trust"
        )


def host_of(url: str) -> str:
    """The host that ``url`` names, and not the credentials that it may hold."""
    return urlsplit(url).hostname or "the Maven repository"


def root_cause(error: BaseException) -> str:
    """What went wrong at the bottom, without the names of the libraries above it."""
    reason = getattr(error.args[0] if error.args else None, "reason", None) or error
    return str(reason).rpartition("): ")[2] or type(error).__name__
