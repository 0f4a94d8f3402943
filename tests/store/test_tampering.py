"""Tampering: whatever stands in the graph, a command answers, or says in one line what is damaged; no file, no growth of it.

Small hierarchies of each kind; each property of each node and edge is set to what it should not be, each edge and label is
taken away or put elsewhere. Then whatever reads is asked. A Parquet file that was written is read back.
"""

import os
import time
from contextlib import suppress

import numpy as np
import pytest

from cfgraph.comparing.compare import compare
from cfgraph.errors import CfgraphError, DamagedError, NotFoundError, StoreError
from cfgraph.files.labels import Labels
from cfgraph.growing.describe import describe
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.judging.evaluate import evaluate
from cfgraph.learning.train import train
from cfgraph.metric.path import find_path
from cfgraph.plots import Panel, plot_cells, plot_tree
from cfgraph.sources import ifs, parquet
from cfgraph.store.digest import digest_hierarchy
from cfgraph.store.verify import verify
from cfgraph.transfer.export import export
from tests.tampering import MAKERS, chosen, form_tamperings, property_tamperings, tampered, write_grown

FILES = ("h.parquet", "h.graphml", "h.gexf", "h.json", "h.dot", "h.nwk", "h.npy")
FOLDERS = ("csv", "neo4j-admin")
QUICK_SECONDS, SLOW_SECONDS = 4.0, 75.0  # for each kind
LEAST_CASES = 3  # however slow the machine is
FEW = 1 / 8  # of the cases in which what takes longer is asked, too


class Victim:
    """A hierarchy to tamper with, another one beside it, and what is asked of them."""

    def __init__(self, store, id, *, other, rule, copy):
        self.store, self.id, self.other, self.rule, self.copy = store, id, other, rule, copy

    def write(self, kind):
        """Write both."""
        self.store.write(ifs(id=self.other, maps="koch", depth=2))
        if kind == "grown":
            write_grown(self.store, self.id, rule=self.rule)
        else:
            self.store.write(MAKERS[kind](self.id))
            self.store.write_predictor(train(ifs(id="it", maps="koch", depth=2), id=self.rule, depth=2, family="mean"))

    def reads(self):
        """Whatever reads, by name."""
        store, id = self.store, self.id
        return {
            "digest": lambda: store.digest(id),
            "find_path": lambda: find_path(store, id, first="/0", second="/1"),
            "read a prefix": lambda: store.read(id, depth=1),
            "read_whole": lambda: store.read_whole(id),
            "read_level": lambda: store.read_level(id, 1),
            "read_columns": lambda: list(store.read_columns(id, ("center", "radius", "length"))),
            "describe": lambda: describe(store, id, digest=True),
            "compare, as the truth": lambda: compare(store, id, self.other),
            "compare, as the copy": lambda: compare(store, self.other, id),
            "train": self.train,
            "growers": lambda: store.growers(id),
            "ls": lambda: (store.hierarchies(), store.predictors(), store.damaged()),
        }

    def longer(self, folder):
        """What takes longer."""
        panel = lambda: [Panel(self.store.read(self.id), self.id)]  # noqa: E731 - one line, as in the table below
        return {
            "rollout": self.grow,
            "evaluate": self.evaluate,
            "plot_cells": lambda: plot_cells(panel(), folder / "it.svg"),
            "plot_tree": lambda: plot_tree(panel(), folder / "it.svg"),
        }

    def train(self):
        """Learn from it; the weights are numbers."""
        trained = train(self.store.read_whole(self.id, depth=2), id="it", depth=2, family="mean")
        assert all(np.isfinite(array).all() for array in trained.load().weights().values())

    def grow(self):
        """Grow a copy; what was grown is sound."""
        try:
            rollout(self.store, self.id, predictor=self.rule, from_depth=1, copy_as=self.copy, stop=Stop(depth=2))
            report = verify(self.store, self.copy)
            assert report.clean, report.violations[:3]
        finally:
            with suppress(NotFoundError):
                self.store.remove(self.copy)

    def evaluate(self):
        """Judge it by labels of its points, where it has any."""
        whole = self.store.read_whole(self.id)
        evaluate(whole, labels=Labels(np.arange(whole.points or 4) % 2))

    def exports(self, folder):
        """Every export, by name."""
        files = {name: lambda name=name: export(self.store, self.id, output=folder / name) for name in FILES}
        folders = {name: lambda name=name: export(self.store, self.id, output=folder / name, format=name) for name in FOLDERS}
        return files | folders


@pytest.fixture(params=["field", "points", "dag", "grown"])
def victim(request, store, new_id):
    """A hierarchy of each kind."""
    found = Victim(store, new_id("it"), other=new_id("other"), rule=new_id("rule"), copy=new_id("copy"))
    found.write(request.param)
    return found


def refusal_of(ask, told):
    """The error that something is refused with, in one line; None where it answers."""
    try:
        ask()
    except CfgraphError as refused:
        error = refused
    except Exception as other:
        raise AssertionError(f"{told}: {type(other).__name__}: {other}") from other
    else:
        return None
    assert "\n" not in str(error), told
    assert isinstance(error, DamagedError) or not isinstance(error, StoreError), (told, str(error))
    return error


def check_exports(victim, folder, told):
    """Those that were refused as damaged; what is written is whole, and reads back as what the graph holds."""
    refused = [name for name, ask in victim.exports(folder).items() if isinstance(refusal_of(ask, (*told, name)), DamagedError)]
    assert not {path.name for path in folder.iterdir()} & set(refused), (told, refused)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")], told
    if (folder / "h.parquet").exists():
        digest = digest_hierarchy(parquet(folder / "h.parquet").hierarchy)
        assert refusal_of(lambda: victim.store.digest(victim.id), told) or digest == victim.store.digest(victim.id), told
    return refused


def check(victim, case, folder, *, longer):
    """Ask whatever there is while one thing is tampered with."""
    place, name, value = case
    with tampered(victim.store, victim.id, other=victim.other, place=place, name=name, value=value):
        asked = victim.reads() | (victim.longer(folder) if longer else {})
        refused = [what for what, ask in asked.items() if isinstance(refusal_of(ask, (*case, what)), DamagedError)]
        folder = folder / "files"
        folder.mkdir()
        refused += check_exports(victim, folder, case)
        reports = []
        error = refusal_of(lambda: reports.append(verify(victim.store, victim.id)), (*case, "verify"))
        assert not refused or error or not reports[0].clean, (*case, refused, "and verify finds nothing")


def check_cases(victim, cases, folder, *, seconds):
    """Check as many cases as there is time for; at the end all is as it was."""
    before, end = victim.store.digest(victim.id), time.monotonic() + seconds
    for done, case in enumerate(cases, start=1):
        place = folder / str(done)
        place.mkdir()
        check(victim, case, place, longer=done * FEW % 1 == 0)
        if done >= LEAST_CASES and time.monotonic() > end:
            break
    assert victim.store.digest(victim.id) == before
    assert verify(victim.store, victim.id).clean


@pytest.mark.timeout(600)
def test_whatever_is_tampered_with(victim, tmp_path):
    cases = [*form_tamperings(), *property_tamperings(victim.store, victim.id)]
    check_cases(victim, chosen(cases, seed=1), tmp_path, seconds=QUICK_SECONDS)


@pytest.mark.slow("more than a thousand tamperings, each asked of all there is, as many as a minute and a half allows")
def test_everything_is_tampered_with(victim, tmp_path, fault_seed):
    forms, values = form_tamperings(), property_tamperings(victim.store, victim.id)
    cases = [case for cases in (forms, values) for case in chosen(cases, seed=fault_seed)]
    check_cases(victim, cases, tmp_path, seconds=SLOW_SECONDS)


@pytest.fixture
def fault_seed():
    """Another one in each run; the report's header says which."""
    return int(os.environ["CFGRAPH_FAULTS_SEED"])


DAMAGES = {
    "center": "MATCH (c:Cell {key: $id + '/1'}) SET c.center = [0.0 / 0.0, 1.0]",
    "root": "MATCH (c:Cell {key: $id + '/'}) DETACH DELETE c",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_commands_say_it_in_one_line(store, run, new_id, tmp_path, damage):
    id, other = new_id(), new_id("other")
    store.write(ifs(id=id, maps="koch", depth=2))
    store.write(ifs(id=other, maps="koch", depth=2))
    store.query(DAMAGES[damage], {"id": id}, write=True)
    done = run("export", id, "-o", tmp_path / "h.parquet", code=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"`cfgraph verify {id}` names what is wrong" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("verify", id, code=1).stdout
    assert "is damaged in the graph" in run("compare", other, id, code=1).stderr
    run("rm", id)
    assert store.counts(id).cells == 0
