"""What all tests share: one real server, hierarchies of their own, the command line as a real process.

With NEO4J_URI set the tests use that server, else a private local one that is started when the first test needs it and
stopped at the end. Nothing here deletes what a test did not make.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import hypothesis
import pytest

from cfgraph.errors import words_of_the_shell

# Machines are shared: no test is timed. Where every change is checked (CI=...) a failure is the change's, not a chance's: the
# same examples each time. Elsewhere they are drawn anew.
hypothesis.settings.register_profile("cfgraph", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("cfgraph")

if os.environ.get("CFGRAPH_TYPECHECK", "1") == "1":
    from jaxtyping import install_import_hook

    import tests.shapes  # noqa: F401 - the hook finds the checker by its name

    CHECKED = ("comparing.measures", "judging", "metric", "model", "predictors")
    install_import_hook([f"cfgraph.{name}" for name in CHECKED], "tests.shapes.check")  # shapes are checked

# Messages as they are written, for the command line: tests/unit/test_errors.py looks at what Python is told of them.
WORDS = ExitStack()
WORDS.enter_context(words_of_the_shell())

# Which local server is tested.
SERVERS = ("CFGRAPH_HEAP", "CFGRAPH_JAVA", "CFGRAPH_JAVA_OPTIONS", "CFGRAPH_MAVEN_URL", "CFGRAPH_NEO4J_VERSION")
SLOW_SECONDS = 1800  # the time limit of a slow test; pyproject.toml has that of the others
PLACE = "CFGRAPH_TEST_PLACE"  # where the local server of this test run lives; worker processes inherit it


def pytest_configure(config):
    """The first process of a test run makes the server's folder; nothing is started yet."""
    if not hasattr(config, "workerinput"):
        os.environ[PLACE] = tempfile.mkdtemp(prefix="cfgraph-tests-")
        os.environ.setdefault("CFGRAPH_FAULTS_SEED", str(random.SystemRandom().randrange(10**6)))
    os.environ["CFGRAPH_ENV_FILE"] = ""  # a developer's .env is none of the tests' business


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Slow tests have more time; files with slow tests come first, so that no long one is left over for one core alone."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(0 if os.environ.get("CFGRAPH_FAULTS") == "full" else SLOW_SECONDS))
    heavy = {item.path for item in items if item.get_closest_marker("slow") or "store" in item.fixturenames}
    items.sort(key=lambda item: item.path not in heavy)


def pytest_report_header(config):
    """What repeats the run's chances."""
    return f"faults: CFGRAPH_FAULTS_SEED={os.environ['CFGRAPH_FAULTS_SEED']}"


def pytest_unconfigure(config):
    """The first process stops the server and removes its folder."""
    if hasattr(config, "workerinput"):
        return
    place = Path(os.environ[PLACE])
    if (place / "store").exists():
        from cfgraph.server.local import LocalServer
        from cfgraph.settings import load_settings

        LocalServer(place / "store", settings=load_settings()).stop()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def store_url():
    """The URL of the tests' server."""
    return os.environ.get("NEO4J_URI") or f"local:{os.environ[PLACE]}/store"


@pytest.fixture(scope="session")
def store(store_url):
    """The tests' store."""
    from cfgraph.store import Store

    with Store.open(store_url) as store:
        yield store


@pytest.fixture
def new_id(store, request):
    """Makes ids that are this test's own; what has them is removed at the end."""
    with own_ids(store, request.node.name) as make:
        yield make


@pytest.fixture(scope="module")
def shared_id(store, request):
    """Makes ids that are this file's own, for what its tests only read; what has them is removed at its end."""
    with own_ids(store, Path(request.node.name).stem) as make:
        yield make


@contextmanager
def own_ids(store, prefix):
    """Makes ids that nothing else has, and removes in the end what was given them."""
    from cfgraph.errors import NotFoundError

    made = []

    def make(name: str = "it") -> str:
        made.append(f"{prefix[:60].strip()}-{uuid.uuid4().hex[:8]}-{name}".replace("/", "|"))
        return made[-1]

    yield make
    for id in reversed(made):
        with suppress(NotFoundError):
            store.remove(id)


@pytest.fixture
def place(tmp_path):
    """Writes a file of bytes or text into the test's folder."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


class CommandLine:
    """`cfgraph` as a process of its own."""

    def __init__(self, url: str):
        self.program = str(Path(sys.executable).with_name("cfgraph"))
        kept = {name: value for name, value in os.environ.items() if name in SERVERS or not name.startswith("CFGRAPH_")}
        self.environment = {**kept, "CFGRAPH_STORE": url, "CFGRAPH_ENV_FILE": "", "COLUMNS": "120"}

    def start(self, *arguments, **options) -> subprocess.Popen:
        """Start a command and go on."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "stdin": subprocess.DEVNULL}
        return subprocess.Popen([self.program, *map(str, arguments)], **{"env": self.environment, **pipes, **options})

    def __call__(self, *arguments, code: int = 0, **options) -> subprocess.CompletedProcess:
        """Run a command to its end and check its exit code."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"cfgraph {' '.join(map(str, arguments))}: exit {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="session")
def run(store_url, store):
    """Runs the command line against the tests' server."""
    return CommandLine(store_url)


@pytest.fixture(scope="session")
def run_alone():
    """Runs the command line where no server is needed, or another than the tests' own."""
    return CommandLine("local:nowhere")


@pytest.fixture
def told(store_url, store, capfd):
    """Runs a command line in this process, against the tests' server; what it printed on stdout, and said on stderr."""
    from cfgraph.cli import run as run_here

    def run(*words, code=0):
        found = run_here(["--store", store_url, *map(str, words)])
        out, err = capfd.readouterr()
        assert (found or 0) == code, err
        return out, err

    return run
