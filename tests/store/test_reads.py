"""What is read in several pages is of one moment, or it is an error and no file."""

from contextlib import suppress

import numpy as np
import pytest

from cfgraph.cli.plot import _plot_reconstructions, _read_panel
from cfgraph.comparing.compare import compare
from cfgraph.comparing.diff import diff
from cfgraph.errors import ChangedError, InputError, OwnershipError, VanishedError
from cfgraph.growing.describe import describe
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.metric.apply import apply, reconstruct
from cfgraph.metric.path import find_path
from cfgraph.store import Store, hierarchies, reading
from cfgraph.store.verify import verify
from cfgraph.transfer.export import export
from tests.grown import grown_hierarchy

DEPTH = 4  # 121 cells
NEW = np.random.default_rng(0).normal(size=(20, 2))  # points


@pytest.fixture
def other(store_url):
    """Another client of the same store."""
    with Store.open(store_url) as store:
        yield store


@pytest.fixture
def small_pages(monkeypatch):
    """So that few cells have many pages."""
    monkeypatch.setattr(reading, "PAGE_CELLS", 20)
    monkeypatch.setattr(reading, "PAGE_PARENTS", 5)
    monkeypatch.setattr(hierarchies, "VERIFICATION_CELLS", 20)


@pytest.fixture
def truth(store, new_id):
    """A complete hierarchy, and a predictor that could grow it on."""
    hierarchy = grown_hierarchy(new_id("truth"), depth=DEPTH)
    store.write(hierarchy)
    rule = new_id("rule")
    store.write_predictor(train(hierarchy, id=rule, depth=3, family="recurrence"))
    return hierarchy, rule


PAGES = (
    "read_subtree",
    "read_children",
    "read_cells",
    "read_import",
    "read_stretches",
    "read_sound",
    "read_verification",
    "read_own",
    "read_points",
)


class Between:
    """Does something before one of the reads that a store is asked for, counted from the first that matters."""

    def __init__(self, store, monkeypatch, action, *, at, pages=PAGES):
        self.left, self._action, self._read, self._pages = at, action, store._graph.read, pages
        monkeypatch.setattr(store._graph, "read", self.read)

    def read(self, operation, **parameters):
        """Pass a read on."""
        if self._pages is None or operation in self._pages:
            self.left -= 1
            if self.left == 0:
                self._action()
        return self._read(operation, **parameters)


READS = {
    "read": lambda store, id, path: store.read(id),
    "read a prefix": lambda store, id, path: store.read(id, depth=DEPTH),
    "read_whole": lambda store, id, path: store.read_whole(id),
    "read_columns": lambda store, id, path: list(store.read_columns(id, ("center",))),
    "digest": lambda store, id, path: store.digest(id),
    "show": lambda store, id, path: describe(store, id, digest=True),
    "verify": lambda store, id, path: verify(store, id),
    "compare": lambda store, id, path: compare(store, id, id),
    "diff": lambda store, id, path: diff(id, id, store=store),
    "apply": lambda store, id, path: apply(store, id, data=NEW),
    "plot": lambda store, id, path: _read_panel(store, id, depth=None),
    "plot reconstructions": lambda store, id, path: _plot_reconstructions(store, id, path / "it.svg", depth=None, shape="1x2"),
    **{
        name: lambda store, id, path, name=name: export(store, id, output=path / f"it.{name}")
        for name in ("graphml", "gexf", "json", "dot", "csv", "parquet", "nwk")
    },
    "neo4j-admin": lambda store, id, path: export(store, id, output=path / "it", format="neo4j-admin"),
    "csv folder": lambda store, id, path: export(store, id, output=path / "it", format="csv"),
}


CELL_BY_CELL = {"reconstruct": lambda store, id, path: reconstruct(store, id, addresses=["/0/1"])}


@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("what", ["rm", "again", "grow"])
@pytest.mark.parametrize("name", READS)
def test_a_change_while_it_is_read(store, other, small_pages, truth, tmp_path, monkeypatch, name, what, at):
    hierarchy, rule = truth

    def change():
        if what == "grow":
            rollout(other, hierarchy.id, predictor=rule, stop=Stop(depth=DEPTH + 1))
            return
        other.remove(hierarchy.id)
        if what == "again":
            other.write(hierarchy)

    between = Between(store, monkeypatch, change, at=at)
    if what == "grow" and name in ("verify", "read a prefix"):  # what was read stays as it was
        found = READS[name](store, hierarchy.id, tmp_path)
        assert name != "verify" or found.clean
    else:
        with pytest.raises(OwnershipError) as caught:
            READS[name](store, hierarchy.id, tmp_path)
        assert caught.value.exit_code == 4
        assert ("removed" if what != "grow" else "changed") in str(caught.value)
    assert between.left <= 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["apply", "plot", "plot reconstructions", "reconstruct", "show"])
def test_the_first_query_and_the_next_are_of_one(store, other, truth, tmp_path, monkeypatch, name):
    """Nothing is said of a hierarchy by its name alone: another may have it by the second query."""
    hierarchy, _ = truth

    def change():
        other.remove(hierarchy.id)
        other.write(hierarchy)

    between = Between(store, monkeypatch, change, at=2, pages=None)
    with pytest.raises(VanishedError):
        (READS | CELL_BY_CELL)[name](store, hierarchy.id, tmp_path)
    assert between.left <= 0
    assert list(tmp_path.iterdir()) == []


def test_cells_look_the_same_while_others_are_grown(store, other, truth, monkeypatch):
    hierarchy, rule = truth
    between = Between(
        store, monkeypatch, lambda: rollout(other, hierarchy.id, predictor=rule, stop=Stop(depth=DEPTH + 1)), at=1
    )
    assert CELL_BY_CELL["reconstruct"](store, hierarchy.id, None).shape == (1, hierarchy.dimension)
    assert between.left <= 0


@pytest.mark.parametrize("name", READS)
def test_what_is_being_grown(store, truth, new_id, tmp_path, small_pages, name):
    """Exports refuse it as they always did; others say that it is being grown, and from where."""
    hierarchy, rule = truth
    rollout(store, hierarchy.id, predictor=rule, stop=Stop(depth=DEPTH + 2), interrupted=lambda: True)
    if name == "verify":
        report = verify(store, hierarchy.id)
        assert (report.clean, report.state, report.cells) == (True, "growing", 121)
    elif name == "read a prefix":
        assert len(store.read(hierarchy.id, depth=DEPTH)) == 121
        with pytest.raises(ChangedError):
            store.read(hierarchy.id, depth=DEPTH + 1)
    elif name in ("graphml", "gexf", "json", "dot", "csv", "parquet", "nwk", "neo4j-admin", "csv folder"):
        with pytest.raises(InputError, match="is in state 'growing'"):
            READS[name](store, hierarchy.id, tmp_path)
    else:
        with pytest.raises(ChangedError, match=f"is being grown from level {DEPTH} on"):
            READS[name](store, hierarchy.id, tmp_path)
    assert list(tmp_path.iterdir()) == []
    export(store, hierarchy.id, output=tmp_path / "prefix.graphml", depth=DEPTH)
    assert describe(store, hierarchy.id)["cells"] == 121
    assert find_path(store, hierarchy.id, first="/0/1", second="/2").distance > 0
    assert len(store.read(hierarchy.id, live=True)) == 121
    assert store.digest(hierarchy.id, live=True)


def test_what_is_being_written(store, new_id):
    hierarchy = grown_hierarchy(new_id(), depth=8)

    def stop(done, total):
        raise RuntimeError

    with suppress(RuntimeError):
        store.write(hierarchy, progress=stop)
    with pytest.raises(ChangedError, match="is being written"):
        store.read(hierarchy.id)
    assert len(store.read(hierarchy.id, depth=0)) == 1
    report = verify(store, hierarchy.id)
    assert (report.clean, report.state) == (True, "writing")


def test_a_read_after_another_took_the_id(store, other, truth):
    hierarchy, _ = truth
    known = store.hierarchy(hierarchy.id)
    other.remove(hierarchy.id)
    other.write(hierarchy)
    with pytest.raises(VanishedError, match="another made under its id"):
        store.witness(known)


def test_verify_says_that_it_grows(store, truth, run):
    hierarchy, rule = truth
    rollout(store, hierarchy.id, predictor=rule, stop=Stop(depth=DEPTH + 2), interrupted=lambda: True)
    told = run("verify", hierarchy.id).stdout
    assert f"{hierarchy.id} is being grown" in told
    assert "every invariant holds" in told
    done = run("show", hierarchy.id, "--digest", code=4)
    assert "is being grown from level" in done.stderr


def test_verify_under_a_rollout_finds_nothing_wrong(store, truth, run, small_pages):
    """A page may see a block arrive; what it then misses it finds at another look."""
    hierarchy, rule = truth
    process = run.start("rollout", hierarchy.id, "--predictor", rule, "--to-depth", DEPTH + 4)
    while process.poll() is None:
        report = verify(store, hierarchy.id)
        assert report.clean, report.violations[:5]
    assert process.communicate()[1] is not None
    assert process.returncode == 0
    assert verify(store, hierarchy.id).cells == sum(3**level for level in range(DEPTH + 5))


def test_verify_of_a_growing_one_finds_what_is_wrong(store, truth):
    hierarchy, rule = truth
    rollout(store, hierarchy.id, predictor=rule, stop=Stop(depth=DEPTH + 2), interrupted=lambda: True)
    damage = "MATCH (c:Cell {key: $key}) SET c.root_distance = 7.0"
    store.query(damage, {"key": f"{hierarchy.id}/0/1"}, write=True)
    report = verify(store, hierarchy.id)
    assert {violation.invariant for violation in report.violations} == {"root_distance"}


def test_what_lost_its_predictor_half_way(store, truth):
    hierarchy, rule = truth
    rollout(store, hierarchy.id, predictor=rule, stop=Stop(depth=DEPTH + 2), interrupted=lambda: True)
    store.remove(rule)
    with pytest.raises(ChangedError, match="grown in part, and the predictor that grew it was removed"):
        store.read(hierarchy.id)
    other = f"{rule}-2"
    store.write_predictor(train(hierarchy, id=other, depth=3, family="recurrence"))
    rollout(store, hierarchy.id, predictor=other, stop=Stop(depth=DEPTH))
    assert len(store.read(hierarchy.id)) == 121
    store.remove(other)
