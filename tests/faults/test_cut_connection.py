"""Connections cut between workers and the server, the moment of a commit included."""

import math
import threading
from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.faults.gang import Gang
from tests.faults.ground import MANY_BLOCKS
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.slow("the faults in their short form")

WORKERS = 4
KINDS = ("at a random moment", "before commit", "after commit")
COMMITS_CUT = 0.1  # of all commits: before the server gets them, and as many after it has answered
CUT_SECONDS = (0.3, 3)  # from one cut at a random moment to the next


@pytest.fixture
def server_address(store):
    """Host and port of the tests' server, where a proxy can stand before it."""
    found = urlsplit(store.access.uri)
    if found.scheme != "bolt":
        pytest.skip(f"a proxy needs a server at a bolt:// URL without TLS and routing, and this one is {found.scheme}://")
    return found.hostname, found.port or 7687


def test_connection_cut(ground_of, server_address, counts, chance, finding, tmp_path):
    """Connection of one of 4 workers cut: at a random moment, before a commit arrives, after it and before the answer."""
    ground, moments, commits = ground_of(MANY_BLOCKS), chance("moments"), chance("commits")
    kinds = Counter()
    while any(kinds[kind] < counts.cuts for kind in KINDS):
        begun = threading.Event()

        def choose():
            drawn = commits.random() / COMMITS_CUT if begun.is_set() else math.inf  # noqa: B023 - called in this round
            return KINDS[1] if drawn < 1 else KINDS[2] if drawn < 2 else None

        with Proxy(*server_address, choose=choose) as proxy:
            options = {"folder": tmp_path, "count": WORKERS, "changes": lambda number: {"CFGRAPH_STORE": proxy.url}}
            with Gang(ground, ground.new_id(), **options) as gang:
                gang.muster()
                begun.set()
                due = 0.0
                for now in gang.ticks():
                    if now >= due and (links := proxy.links):
                        proxy.cut(moments.choice(links), KINDS[0])
                        due = now + moments.uniform(*CUT_SECONDS)
                    gang.tend(codes=())  # a worker that has begun outlives its connections
                finding.add(ground.check(gang.copy))
            kinds += proxy.cuts
    finding.faults = kinds.total()
    finding.remarks.append(", ".join(f"{kinds[kind]} {kind}" for kind in KINDS))
