"""Bulk: what neo4j-admin imports is what an ordinary ingest writes; nothing is half done whatever is killed or full."""

import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from cfgraph.errors import InputError, LocalServerError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.cells import Cells
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.server import importing
from cfgraph.server.importing import staging_of
from cfgraph.server.launcher import Launcher, smaller_heap
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.sources import cfg, ifs, points
from cfgraph.sources.cfg import Design
from cfgraph.sources.cfg import field as cfg_field
from cfgraph.sources.ifs import field as ifs_field
from cfgraph.store import Store
from cfgraph.store.verify import verify
from cfgraph.transfer.bulk import export_bulk, ingest_bulk
from tests.conftest import CommandLine
from tests.grown import grown_hierarchy, ragged_hierarchy
from tests.processes import is_at_work
from tests.store.test_formats import COLUMNS, make_dag, make_metric_dag

SETTINGS = Settings(_env_file=None)


class Place:
    """A local store in a folder of the test's own."""

    def __init__(self, directory: Path):
        self.server = LocalServer(directory, settings=SETTINGS)
        self.url = f"local:{directory}"
        self.run = CommandLine(self.url)
        self.staging = staging_of(self.server.home)

    def bulk(self, source):
        return ingest_bulk(self.url, source, settings=SETTINGS)

    def open(self) -> Store:
        return Store.open(self.url, settings=SETTINGS)

    def count(self) -> int:
        with self.open() as store:
            return store._graph.read("count_nodes")[0]["nodes"]


@contextmanager
def place_in(directory: Path) -> Iterator[Place]:
    place = Place(directory)
    try:
        yield place
    finally:
        place.server.stop()


@pytest.fixture
def place(tmp_path):
    with place_in(tmp_path / "a store, with é") as made:
        yield made


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A store that several tests use, each leaving it empty."""
    with place_in(tmp_path_factory.mktemp("used") / "store") as made:
        yield made


def make_points(id, **options):
    data = np.random.default_rng(0).normal(size=(80, 3))
    return points(id=id, data=data, depth=4, minimum_size=4, **options)


def with_cut(field):
    """A field with a cut that is kept, as it would be read from a store."""
    kept = field.replace(own=("half",), own_kinds={"half": "INTEGER"}, cuts={"half": {"level": 1, "cells": len(field.cells)}})
    own = {"half": field.cut(level=1).of_cells}
    return kept.with_cells(field.cells.with_columns(own=own), cell_of_point=field.cell_of_point)


def properties(store: Store, id: str) -> dict:
    """The Hierarchy node as it is in the graph, without what is its own: the time, and the token."""
    found = store._graph.read("read_hierarchy", id=id)[0]["hierarchy"]
    token = found.pop("incarnation", None)  # an export has none: what is made of it is another one
    assert token is None or len(token) == 32
    assert type(found.pop("created")).__name__ == "DateTime"
    return found


def assert_equal(found: Store, expected: Store, id: str) -> None:
    """Two stores hold the same hierarchy, in all that the schema has."""
    assert found.digest(id) == expected.digest(id)
    assert properties(found, id) == properties(expected, id)
    for one, other in zip(found.verification_pages(id), expected.verification_pages(id), strict=True):
        assert one["cells"] == other["cells"]
    report = verify(found, id)
    assert report.clean, report.violations


SOURCES = {
    "fern": lambda id: ifs_field(id=id, maps="fern", depth=5),
    "cfg": lambda id: cfg_field(id=id, depth=5, design=Design(arity=3, dimension=3)),
    "points": make_points,
    "root": lambda id: cfg_field(id=id, depth=0),
    "cut": lambda id: with_cut(make_points(id, points=True)),
}


OTHERS = [
    pytest.param(name, marks=pytest.mark.slow("another import into a server of its own")) for name in SOURCES if name != "cfg"
]


@pytest.mark.parametrize("name", ["cfg", *OTHERS])
def test_bulk_is_an_ordinary_ingest(name, used, store, new_id):
    id = new_id('it, "quoted"')
    source = SOURCES[name](id)
    store.write(source if isinstance(source, Hierarchy) else source.grow())
    password = used.server.home.read_password() if used.server.home.has_data else None
    report = used.bulk(source)
    assert set(report.seconds) == {"stop", "write", "import", "start", "schema"}
    assert password in (None, used.server.home.read_password())
    assert not used.staging.directory.exists()
    with used.open() as filled:
        assert_equal(filled, store, id)
        indexes = {row[0]: row[1] for row in filled.query("SHOW INDEXES YIELD name, state")[1]}
        assert {"cell_key", "frontier_key", "lease_key", "schema_name"} <= set(indexes)
        assert set(indexes.values()) == {"ONLINE"}
        assert filled.hierarchy(id).incarnation is not None
        if name == "fern":
            grow_further(filled, id)
        for predictor in filled.predictors():
            filled.remove(predictor.id)
        filled.remove(id)


def grow_further(store: Store, id: str) -> None:
    prefix = store.hierarchy(id).with_cells(store.read(id, depth=3))
    store.write_predictor(train(prefix, id="rule", depth=3, family="recurrence"))
    assert rollout(store, id, predictor="rule", stop=Stop(depth=6)).grown == 4**6
    assert verify(store, id).clean


@pytest.mark.slow("imports into a server of its own, again and again")
def test_the_command_line(used, store, new_id):
    expected = new_id()
    store.write(ifs(id=expected, maps="koch", depth=4))
    told = used.run("ingest", "ifs", "koch", "--depth", 4, "--as", "it", "--bulk")
    assert told.stdout == "it: 341 cells, depth 4, arity 4, dimension 2, scale factor 0.333333\n"
    assert used.run("ingest", "ifs", "koch", "--depth", 4, "--as", "it", "--bulk").stdout == told.stdout  # the same again: done
    other = used.run("ingest", "ifs", "koch", "--depth", 3, "--as", "it", "--bulk", code=2)
    assert "holds 343 nodes" in other.stderr  # the cells, the hierarchy, and the entry in its history
    assert len(other.stderr.splitlines()) == 1
    assert used.server.status().ready  # who is refused stops no server
    with used.open() as filled:
        assert filled.digest("it") == store.digest(expected)
        filled.remove("it")


def test_a_store_that_holds_anything_or_serves_anybody_is_refused(used):
    with used.open() as store:
        with pytest.raises(InputError, match="another is connected"):
            used.bulk(cfg_field(id="it", depth=1))
        store.query("CREATE (:Thing)", write=True)
    with pytest.raises(InputError, match="holds 1 nodes"):
        used.bulk(cfg_field(id="it", depth=1))
    with used.open() as store:
        assert store.query("MATCH (n:Thing) DELETE n RETURN count(*)", write=True)[1] == [[1]]


def test_a_server_of_ones_own_is_refused(run):
    told = run("--store", "bolt://127.0.0.1:1", "ingest", "cfg", "--depth", 1, "--as", "it", "--bulk", code=2)
    assert "for the local store" in told.stderr


# -- crashes

DEPTH = 7


def begin(place: Place) -> subprocess.Popen:
    return place.run.start("ingest", "cfg", "--depth", DEPTH, "--as", "it", "--bulk")


def wait_for(condition, process):
    """What a condition gives, as soon as it holds; the process is at work until then."""
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    return found


def admin_of(place: Place) -> psutil.Process | None:
    """The neo4j-admin that is at work."""
    pid = place.staging.read_pid()
    try:
        process = psutil.Process(pid) if pid is not None else None
        return process if process and "AdminTool" in " ".join(process.cmdline()) else None
    except psutil.NoSuchProcess:
        return None


@pytest.mark.slow("four imports into a server of its own, three of them killed")
def test_killed_at_any_moment_the_store_is_empty_or_whole(place, store, new_id):
    expected = new_id()
    store.write(cfg(id=expected, depth=DEPTH))
    frontier = place.staging.directory / "files" / "frontier.parquet"
    moments = {
        "writing": lambda: frontier.exists(),
        "importing": lambda: (place.staging.directory / "data" / "databases").exists() and admin_of(place),
    }
    for name, moment in moments.items():
        process = begin(place)
        admin = wait_for(moment, process)
        process.kill()
        process.communicate()
        if name == "importing":
            assert place.count() == 0  # and the orphan is gone
            assert not is_at_work(admin)
            assert not place.staging.directory.exists()
    process = begin(place)
    wait_for((place.staging.directory / "done").exists, process)
    process.kill()
    process.communicate()
    place.run("ingest", "cfg", "--depth", DEPTH, "--as", "it", "--bulk")
    with place.open() as whole:
        assert whole.digest("it") == store.digest(expected)
        assert verify(whole, "it").clean


@pytest.mark.slow("a server of its own, started three times")
def test_done_and_killed_is_whole(place):
    """From the mark on, whoever starts the server finishes the import."""
    source = cfg_field(id="it", depth=4)
    place.bulk(source)
    place.server.stop()
    home, staging = place.server.home, place.staging
    staging.make()
    for part in ("databases", "transactions"):  # as it is between the two moves
        (staging.directory / "data" / part).mkdir(parents=True)
        (home.directory / "data" / part / "neo4j").rename(staging.directory / "data" / part / "neo4j")
    (staging.directory / "data" / "databases" / "neo4j").rename(home.directory / "data" / "databases" / "neo4j")
    (staging.directory / "done").touch()
    with place.open() as whole:
        assert whole.counts("it").cells == source.cells
        assert verify(whole, "it").clean
    assert not staging.directory.exists()


@pytest.mark.slow("two imports into a server of its own, both ended by force")
def test_neo4j_admin_killed_and_a_signal_to_us(place):
    process = begin(place)
    wait_for(lambda: admin_of(place), process).kill()
    assert "neo4j-admin was ended by signal 9" in process.communicate()[1]
    assert process.returncode == 3
    process = begin(place)
    admin = wait_for(lambda: admin_of(place), process)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert not is_at_work(admin)
    assert not place.staging.directory.exists()
    assert place.count() == 0


@pytest.mark.slow("larger imports, until a file is too large")
@pytest.mark.parametrize(("depth", "kilobytes"), [(8, 1000), (7, 3000)])  # a file of ours, a file of neo4j-admin's
def test_a_full_disk(place, depth, kilobytes):
    limited = ["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "bash", place.run.program]
    words = ["ingest", "cfg", "--depth", str(depth), "--as", "it", "--bulk"]
    done = subprocess.run([*limited, *words], env=place.run.environment, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "File too large" in done.stderr
    assert not place.staging.directory.exists()


# -- exports


def import_as_told(folder: Path, place: Place) -> None:
    """Run the command of the README, with the server's own neo4j-admin."""
    place.server.home.make()
    launcher = place.server.find_launcher()
    (line,) = (line.strip() for line in (folder / "README.md").read_text().splitlines() if "neo4j-admin database" in line)
    program, *arguments = shlex.split(line)
    assert program == "neo4j-admin"
    process = launcher.launch_admin(arguments, folder=folder)
    assert process.wait() == 0, launcher.home.console_log.read_text()


@pytest.mark.slow("a server of its own")
def test_export_and_import_of_a_grown_hierarchy(run, store, new_id, place, tmp_path):
    """Grown in place: with the predictor and its GROWN_BY it verifies clean, and grows on."""
    id, rule = new_id(), new_id("rule")
    store.write(ifs(id=id, maps="fern", depth=3))
    store.write_predictor(train(store.hierarchy(id).with_cells(store.read(id)), id=rule, depth=3))
    rollout(store, id, predictor=rule, stop=Stop(depth=4))
    folder = tmp_path / "out"
    told = run("export", id, "-o", folder, "--format", "neo4j-admin")
    assert "README.md" in told.stderr
    import_as_told(folder, place)
    with place.open() as found:
        assert_equal(found, store, id)
        mine, its = found.predictor(rule), store.predictor(rule)
        without = {"incarnation": None}  # an export has no tokens: what is made of it is another one
        assert mine.model_copy(update=without) == its.model_copy(update=without)
        here, there = (
            [replace(growth, incarnation=None, predictor_incarnation=None) for growth in one.read_growth(id)]
            for one in (found, store)
        )
        assert here == there
        assert found.query("MATCH (:Predictor)-[t:TRAINED_ON]->(h) RETURN t.depth, h.id")[1] == [[3, id]]
        assert rollout(found, id, predictor=rule, stop=Stop(depth=5)).grown == 4**5


@pytest.mark.slow("a server of its own")
def test_export_and_import_of_strange_texts_leaves_and_second_parents(store, new_id, place, tmp_path):
    id = new_id("a, 'b' \"c\"; é\N{SNOWMAN} \\ $x")
    notes = ("one; two", 'a "quoted" | one', "two\nlines, \\n and all", "")
    written = ragged_hierarchy(id).replace(notes=notes)
    store.write(written)
    second = "MATCH (p:Cell {key: $id + '/0'}), (c:Cell {key: $id + '/1/0'}) CREATE (p)-[:CHILD {slot: 2, length: 1e-7, "
    store.query(second + "residual: [-0.0, 5e-324], primary: false}]->(c)", {"id": id}, write=True)
    assert export_bulk(store, id, tmp_path / "out").cells == len(written.cells)
    import_as_told(tmp_path / "out", place)
    with place.open() as found:
        assert found.digest(id) == store.digest(id)
        assert properties(found, id) == properties(store, id)
        for one, other in zip(found.verification_pages(id), store.verification_pages(id), strict=True):
            assert one["cells"] == other["cells"]
            for mine, its in zip(one["parents"], other["parents"], strict=True):
                assert sorted(map(repr, mine)) == sorted(map(repr, its))


def flat_hierarchy(id: str) -> Hierarchy:
    """Three cells without coordinates."""
    nothing = np.zeros((3, 0))
    cells = Cells(
        parent=np.array([-1, 0, 0]),
        slot=np.array([-1, 0, 1], dtype=np.int32),
        level=np.array([0, 1, 1], dtype=np.int32),
        center=nothing,
        residual=nothing,
        scale=np.array([1.0, 0.4, 0.4]),
        length=np.zeros(3),
        root_distance=np.zeros(3),
        state=np.array([0, 1, 1], dtype=np.uint8),
        predicted=np.zeros(3, dtype=bool),
    )
    source = grown_hierarchy(id, arity=2, depth=1)
    return source.replace(dimension=0, cells=cells, residual_bound=0.0)


@pytest.mark.slow("a server of its own")
def test_export_and_import_without_dimensions(store, new_id, place, tmp_path):
    id = new_id("7")
    store.write(flat_hierarchy(id))
    export_bulk(store, id, tmp_path / "out")
    import_as_told(tmp_path / "out", place)
    (restore,) = (line for line in (tmp_path / "out" / "README.md").read_text().splitlines() if "restore_empty" in line)
    place.run(*shlex.split(restore)[1:])
    with place.open() as found:
        assert_equal(found, store, id)
        kinds = found.query("MATCH ()-[e:CHILD]->(c) RETURN e.residual, c.center")[1]
        assert kinds == [[[], []], [[], []]]


@pytest.mark.slow("a server of its own")
@pytest.mark.parametrize("make", [make_dag, make_metric_dag])
def test_export_and_import_of_what_is_imported(make, store, new_id, place, tmp_path):
    """Properties of every kind, links, points, several roots; what is no one kind is refused."""
    mixed, id = make(new_id("mixed")), new_id("it")
    store.write(mixed)
    with pytest.raises(InputError, match=r"values of several types, or lists, in the property mixed.*export as parquet"):
        export_bulk(store, mixed.id, tmp_path / "mixed")
    columns = {name: column for name, column in COLUMNS.items() if name != "mixed"}
    written = make(id, columns={**columns, 'a, "b"': columns["rank"], "far": np.full(10, -np.inf)})
    store.write(written)
    with pytest.raises(InputError, match="leave --bulk out"):
        place.bulk(written)
    export_bulk(store, id, tmp_path / "out")
    import_as_told(tmp_path / "out", place)
    for line in (tmp_path / "out" / "README.md").read_text().splitlines():
        if "restore_empty" in line:
            place.run(*shlex.split(line)[1:])
    with place.open() as found:
        assert_equal(found, store, id)
        assert found.read_whole(id).own == written.own
        query = "MATCH (p:Point)-[:IN]->(c:Cell) RETURN p.key, p.hierarchy, p.row, c.key ORDER BY p.key"
        assert found.query(query)[1] == [row for row in store.query(query)[1] if row[1] == id]
        query = "MATCH (:Cell {key: $key})-[e:CHILD]->() RETURN DISTINCT e.length"
        assert found.query(query, {"key": f"{id}/"})[1] == [[None]]


@pytest.mark.slow("a command for every refusal, each a process of its own")
def test_export_refuses(run, store, new_id, tmp_path):
    id = new_id()
    store.write(cfg(id=id, depth=2), then="growing")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    cases = {
        (str(tmp_path / "full"),): "is not empty",
        (str(tmp_path / "full" / "file"),): "got the file",
        (str(tmp_path / "no" / "out"),): "there is no folder",
        (str(tmp_path / "out"), "--depth", "1"): "--depth is for",
        (str(tmp_path / "out"),): "in state 'growing'",
    }
    for words, told in cases.items():
        done = run("export", id, "--format", "neo4j-admin", "-o", *words, code=2)
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "there is no hierarchy" in run("export", "no", "--format", "neo4j-admin", "-o", tmp_path / "out", code=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    store.set_state(id, state="complete", expected=("growing",))
    (tmp_path / "empty").mkdir()
    run("export", id, "--format", "neo4j-admin", "-o", tmp_path / "empty")
    assert (tmp_path / "empty" / "README.md").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


@pytest.mark.slow("stops and starts a server of its own")
def test_a_java_that_cannot_import_leaves_nothing(used):
    """neo4j-admin fails by itself: its reason is told, and the next try works."""
    with pytest.raises(LocalServerError, match="neo4j-admin"):
        ingest_bulk(used.url, cfg_field(id="it", depth=2), settings=replace_heap("2m"))
    assert not used.staging.directory.exists()
    assert used.count() == 0


@pytest.mark.slow("imports into a server of its own, the first time in too small a heap")
def test_a_heap_that_is_too_small_for_the_import_is_followed_by_all_there_may_be(used, monkeypatch):
    heaps, launch = [], Launcher.launch_admin
    monkeypatch.setattr(importing, "heap_for", lambda nodes, form: "2m")
    monkeypatch.setattr(
        Launcher, "launch_admin", lambda self, *told, **named: heaps.append(self.heap) or launch(self, *told, **named)
    )
    assert used.bulk(cfg_field(id="it", depth=4)).cells == 341
    assert heaps == ["2m", SETTINGS.heap]
    with used.open() as store:
        assert verify(store, "it").clean
        store.remove("it")


@pytest.mark.parametrize(
    ("one", "other", "smaller"),
    [
        ("2g", "384m", "384m"),
        ("128m", "384m", "128m"),
        ("1g", "1024m", "1g"),
        ("300000k", "384m", "300000k"),
        ("half", "384m", "half"),
    ],
)
def test_the_smaller_of_two_heaps(one, other, smaller):
    assert smaller_heap(one, other) == smaller


def replace_heap(heap: str) -> Settings:
    return SETTINGS.model_copy(update={"heap": heap})
