"""What the faults share: how many, the chance of this run, the ground that copies are grown on, and the findings."""

import os
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from cfgraph.server.local import LocalServer
from cfgraph.settings import load_settings
from cfgraph.store import Store
from tests.faults.finding import Finding
from tests.faults.ground import Ground, Shape
from tests.network import tell_finding

FULL = "CFGRAPH_FAULTS"  # set to "full" by `make faults`
SEED = "CFGRAPH_FAULTS_SEED"


@dataclass(frozen=True)
class Counts:
    """How many faults of each kind."""

    kills: int
    crew_kills: int
    server_kills: int
    cuts: int
    stops: int
    thefts: int
    pauses: int
    schedules: int
    reads: int
    readers: int  # at once, each kind of reading command equally often
    engine_kills: int
    loaded: Shape  # what is grown on a machine without a moment


COUNTS = {
    False: Counts(
        8,
        crew_kills=2,
        server_kills=1,
        cuts=3,
        stops=1,
        thefts=3,
        pauses=24,
        schedules=16,
        reads=10,
        readers=10,
        engine_kills=15,
        loaded=Shape(12, 2, 2, 4),
    ),
    True: Counts(
        200,
        crew_kills=20,
        server_kills=20,
        cuts=40,
        stops=6,
        thefts=30,
        pauses=1_200,
        schedules=1_000,
        reads=1_000,
        readers=30,
        engine_kills=50,
        loaded=Shape(17, 2, 2, 5),  # 1,508,598 cells
    ),
}


@pytest.fixture(scope="session")
def counts():
    """How many faults: a few in ``make test-all``, many in ``make faults``."""
    return COUNTS[os.environ.get(FULL) == "full"]


@pytest.fixture
def chance(request):
    """Makes sources of chance that depend on the run's seed, the test and a name alone."""
    return lambda name=0: random.Random(f"{os.environ[SEED]} {request.node.name} {name}")


@pytest.fixture(scope="session")
def ground_of(store):
    """Makes the ground of a shape in the tests' store, once."""
    with ExitStack() as stack:
        made: dict[Shape, Ground] = {}

        def make(shape: Shape) -> Ground:
            if shape not in made:
                made[shape] = stack.enter_context(Ground(store, shape))
            return made[shape]

        yield make


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server of a file's own, to be treated badly; not started yet."""
    server = LocalServer(tmp_path_factory.mktemp("own") / "store", settings=load_settings())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def own_store(own_server):
    """The store of a file's own server."""
    with Store.open(f"local:{own_server.home.directory}") as store:
        yield store


@pytest.fixture
def finding(request):
    """The finding of a test, named by its docstring; kept where the whole suite is run."""
    found = Finding(request.function.__doc__.splitlines()[0].rstrip("."))
    begin = time.monotonic()
    yield found
    found.seconds = time.monotonic() - begin
    print(*found.row(), sep=" | ")
    tell_finding(found)
    findings = request.config.pluginmanager.get_plugin("faults-findings")
    if findings is not None:
        findings.add(found)
