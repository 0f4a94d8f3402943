"""For maintainers: pin the jars of another version of Neo4j.

``python -m cfgraph.server.pin_jars 2026.09.0`` resolves the server's two coordinates with jgo (minutes), and writes
``jars/neo4j-2026.09.0.txt``, which ``cfgraph.server.jars`` reads. Look at the difference to the list before it, run the
tests with ``CFGRAPH_NEO4J_VERSION`` set to the new version, and commit the list.
"""

import hashlib
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cfgraph.server.jars import PINNED, Jar

ROOTS = ("org.neo4j:neo4j", "org.neo4j.app:neo4j-server")
MAIN_CLASSES = ("org.neo4j.server.Neo4jCommunity", "org.neo4j.server.CommunityEntryPoint")
# Only tests need these; jgo takes them along where a POM leaves their scope to its parent.
TEST_GROUPS = {"junit", "net.bytebuddy", "org.hamcrest", "org.mockito", "org.objenesis"}
# Wanted where the version has them; strict validation refuses a setting that it has not.
WISHES = {
    # Nobody needs the server's 10 s of quiet before it ends, once every client has been told to go.
    "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
    "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
    "dbms.fleet_manager.enabled": "false",  # it would report to the vendor
}


def resolve(version: str) -> list[Any]:
    """The artifacts of Neo4j ``version``, each coordinate once, by name."""
    import jgo

    artifacts = jgo.resolve("+".join(f"{root}:{version}" for root in ROOTS))
    needed = {coordinates_of(a): a for a in artifacts if a.packaging == "jar" and a.groupId not in TEST_GROUPS}
    return [needed[coordinates] for coordinates in sorted(needed)]


def coordinates_of(artifact: Any) -> str:
    """``group:artifact:version[:classifier]``."""
    parts = (artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier)
    return ":".join(part for part in parts if part)


def pin(artifact: Any, *, file: Path) -> Jar:
    """The jar's coordinates with the digest and size of ``file``."""
    content = file.read_bytes()
    return Jar(coordinates_of(artifact), sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def find_main_class(files: Iterable[Path]) -> tuple[str, int]:
    """The class that starts the server, and the Java that it was compiled for."""
    for name in MAIN_CLASSES:
        for file in files:
            with zipfile.ZipFile(file) as jar:
                entry = name.replace(".", "/") + ".class"
                if entry in jar.namelist():
                    # A class file's bytes 6 and 7 are its version: 52 is Java 8, and one more for each Java since.
                    return name, int.from_bytes(jar.read(entry)[6:8], "big") - 44
    raise SystemExit(f"no jar holds a class of {MAIN_CLASSES}: how does this version start?")


def find_java_max(files: Iterable[Path]) -> int:
    """The newest Java that the server's makers support: the server itself warns of any other, and names these."""
    entry = "org/neo4j/kernel/info/JvmChecker.class"
    for file in files:
        with zipfile.ZipFile(file) as jar:
            if entry in jar.namelist():
                found = re.findall(rb"Java\(TM\) (\d+)", jar.read(entry))
                return max(int(major) for major in found)
    raise SystemExit(f"no jar holds {entry}: which Java does this version support?")


def find_settings(files: Iterable[Path]) -> list[str]:
    """Those of ``WISHES`` that the version's own classes name."""
    held = b"".join(
        jar.read(entry)
        for file in files
        if file.name.startswith("neo4j-")
        for jar in [zipfile.ZipFile(file)]
        for entry in jar.namelist()
        if entry.endswith("Settings.class")
    )
    # A constant in a class file follows its length: one setting's name may begin another's.
    return [f"{key}={value}" for key, value in WISHES.items() if len(key).to_bytes(2, "big") + key.encode() in held]


def render(version: str, *, jars: list[Jar], files: list[Path]) -> str:
    """The text of the list."""
    main_class, java_major = find_main_class(files)
    head = [f"# Neo4j {version}, pinned by: python -m cfgraph.server.pin_jars {version}"]
    head += [f"main  {main_class}", f"java  {java_major}", f"java-max  {find_java_max(files)}"]
    head += [f"conf  {setting}" for setting in find_settings(files)]
    return "\n".join([*head, *(f"{jar.coordinates}  {jar.sha256}  {jar.size}" for jar in jars)]) + "\n"


def main(arguments: list[str]) -> None:
    """Pin the version that the command line names."""
    if len(arguments) != 1:
        raise SystemExit("usage: python -m cfgraph.server.pin_jars VERSION")
    artifacts = resolve(arguments[0])
    files = [artifact.resolve() for artifact in artifacts]
    jars = [pin(artifact, file=file) for artifact, file in zip(artifacts, files, strict=True)]
    if len({jar.name for jar in jars}) < len(jars):
        raise SystemExit("two jars have one file name: the cache, a flat folder, cannot hold both")
    path = PINNED / f"neo4j-{arguments[0]}.txt"
    path.write_text(render(arguments[0], jars=jars, files=files), encoding="utf-8")
    sys.stdout.write(f"{path}: {len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.0f} MB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
