"""Fields as folders of Parquet files: the same cells as in memory, whoever grew them; and what is told of other folders."""

import errno
import json
import os
import pickle
import shutil
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfgraph.errors import AddressError, EngineError, InputError
from cfgraph.files.arrays import points_of
from cfgraph.formats.folders import plan as plans
from cfgraph.formats.folders import sheets as files
from cfgraph.formats.folders.keyed import KeyOrder, digest_columns, digest_of, shares_of
from cfgraph.formats.folders.place import Place
from cfgraph.formats.folders.plan import PLAN, plan_of, read_plan
from cfgraph.formats.folders.reader import FolderReader, open_folder
from cfgraph.growing import sheet_fleet
from cfgraph.growing.engines.engine import Engine
from cfgraph.growing.engines.find import find_engine
from cfgraph.growing.engines.job import own_versions
from cfgraph.growing.engines.processes import ProcessesBeside
from cfgraph.growing.folder import FolderTask, digest_task, grow_folder, grow_sheets, look_at_folder
from cfgraph.growing.sheet_fleet import SheetFleet, work_task
from cfgraph.model import sheets
from cfgraph.model.cells import Cells
from cfgraph.model.reader import CellsReader, Reader
from cfgraph.model.sheets import SheetCut
from cfgraph.sources.cfg import Design
from cfgraph.sources.cfg import field as field_of_design
from cfgraph.sources.ifs import field as field_of_maps
from cfgraph.sources.induced import field as field_of_points
from cfgraph.store.digest import COLUMNS as DIGESTED
from cfgraph.store.digest import digest_hierarchy, join_digests
from cfgraph.transfer.fields import measure_tuples, write_field

COLUMNS = ("parent", "slot", "level", "center", "scale", "residual", "length", "root_distance", "state", "predicted")


def make(name):
    if name == "koch":
        return field_of_maps(id="koch", maps="koch", depth=5)
    if name == "induced":
        return field_of_points(points_of(np.random.default_rng(0).normal(size=(40, 3))), id="induced", depth=3)
    arity, depth = {"binary": (2, 7), "wide": (12, 3), "flat": (5, 0), "line": (1, 7)}[name]
    return field_of_design(id=name, depth=depth, design=Design(arity=arity, dimension=3))


def grown(field, place, *, height, **options):
    """A folder with a block height of its own."""
    return grow_folder(made_task(field, place, height=height), encoder=field.encoder, **options)


def made_task(field, place, *, height):
    plan = plan_of(field.hierarchy, field.root, depth=field.depth, height=height, encoder=field.encoder)
    measure = measure_tuples if field.measured else None
    return FolderTask(str(place), plan, field.root, rule=field.make_rule(), measure=measure)


def same(one, other):
    for name in COLUMNS:
        rows = slice(1, None) if name == "parent" else slice(None)
        np.testing.assert_array_equal(getattr(one, name)[rows], getattr(other, name)[rows], err_msg=name)


@pytest.fixture(autouse=True)
def small_sheets(monkeypatch):
    """Sheets of some dozen cells."""
    monkeypatch.setattr(sheets, "SHEET_BYTES", 10_000)


@pytest.mark.parametrize("height", [1, 2, 4])
@pytest.mark.parametrize("name", ["koch", "binary", "wide", "induced", "flat", "line"])
def test_a_folder_holds_the_cells_that_memory_holds(tmp_path, name, height):
    field = make(name)
    whole = field.grow()
    report = grown(field, tmp_path / "it", height=height)
    reader = open_folder(f"{tmp_path / 'it'}/")
    assert isinstance(reader, Reader)
    assert report.finished
    assert report.digest == digest_hierarchy(whole) == digest_of(reader)
    assert (reader.count(), reader.depth, report.cells) == (len(whole.cells), whole.cells.depth, len(whole.cells))
    assert reader.manifest.cells_by_level == np.bincount(whole.cells.level).tolist()
    same(reader.read(top="/", depth=reader.depth), whole.cells)
    described = {"created", "incarnation"}
    found = reader.hierarchy.replace(encoder_sha256=whole.encoder_sha256)
    assert found.model_dump(exclude=described) == whole.without_cells().model_dump(exclude=described)
    assert (reader.encoder() is None) == (whole.encoder is None)


@pytest.fixture(scope="module")
def koch(tmp_path_factory):
    """The folder of a Koch curve, and the same in memory."""
    place, field = tmp_path_factory.mktemp("folders") / "koch", make("koch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "SHEET_BYTES", 10_000)
        grown(field, place, height=2)
    return place, field.grow()


@pytest.mark.parametrize("top", ["/", "/2", "/2/0", "/1/2/3", "/3/3/3/3", "/0/0/0/0/1"])
@pytest.mark.parametrize("depth", [0, 1, 3, 4, 5, 9])
def test_a_part_of_a_folder_is_that_of_memory(koch, top, depth):
    place, whole = koch
    reader, held = open_folder(f"{place}/"), CellsReader(whole.cells)
    if depth < top.count("/") and top != "/":
        return
    one, other = reader.read(top=top, depth=depth), held.read(top=top, depth=depth)
    same(one, other)
    assert one.top == other.top == top


def test_cells_by_their_addresses(koch):
    place, whole = koch
    reader, held = open_folder(f"{place}/"), CellsReader(whole.cells)
    asked = ["/3/2", "/", "/0/0/0/0/0", "/9", "/1/2/3", "/0/0/0/0/0/0", "/4/0", "/3"]
    for question in ("cells", "children"):
        one, other = getattr(reader, question)(asked), getattr(held, question)(asked)
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=f"{question} {name}")
    with pytest.raises(AddressError, match="there is no cell /7"):
        reader.read(top="/7", depth=3)


def test_pages_come_in_the_order_of_keys(koch):
    place, whole = koch
    with KeyOrder(open_folder(f"{place}/"), page_cells=100) as order:
        pages = list(order.pages())
    addresses = [address for page in pages for address in page.addresses]
    assert addresses == sorted(whole.cells.addresses)
    rows = whole.cells.rows(addresses)
    np.testing.assert_array_equal(np.concatenate([page.columns["center"] for page in pages]), whole.cells.center[rows])
    np.testing.assert_array_equal(np.concatenate([page.columns["level"] for page in pages]), whole.cells.level[rows])
    assert max(map(len, pages)) < 200


def test_files_are_plain_parquet(koch):
    place, whole = koch
    rows = np.concatenate([pq.read_table(file).to_pandas().to_numpy() for file in sorted(place.glob("*.parquet"))])
    table = pq.read_table(place / "prefix.parquet")
    assert table.column_names == files.schema_of(2).names
    assert len(rows) == len(whole.cells)
    assert sorted(rows[:, 0].tolist()) == list(range(len(whole.cells)))
    by_node = rows[np.argsort(rows[:, 0].astype(np.int64))]
    assert by_node[:, 2].tolist() == whole.cells.addresses
    assert by_node[:, 1].tolist() == whole.cells.parent.tolist()


@settings(max_examples=20)
@given(
    arity=st.integers(1, 5),
    levels=st.integers(0, 4),
    height=st.integers(1, 4),
    from_depth=st.integers(0, 3),
    frontier=st.integers(1, 7),
    room=st.integers(1, 60),
)
def test_sheets_cut_each_level_once(arity, levels, height, from_depth, frontier, room):
    """Every cell of every level below the prefix is in one sheet, and numbers follow one another."""
    cut = SheetCut(arity, from_depth + levels, height, from_depth, 10, frontier, (), room)
    if cut.top_root < from_depth:
        cut = replace(cut, groups=(0, frontier // 2) if frontier > 1 else (0,))
    found = list(cut.sheets())
    assert len(found) == cut.sheet_count
    assert [cut.sheet_at(index) for index in range(len(found))] == found
    assert len({sheet.name for sheet in found}) == len(found)
    for level in range(from_depth + 1, cut.depth + 1):
        layer = cut.layer_of(level)
        places = [place for sheet in found if sheet.layer == layer.number for place in sheet.places(level, arity=arity)]
        assert places == list(range(cut.width(level)))
        assert cut.first_number(level) == 10 + sum(cut.width(above) for above in range(from_depth + 1, level))
    assert sum(sheet.cells(arity=arity) for sheet in found) == cut.cells - 10
    for layer in cut.layers:
        for seed in range(0, layer.seeds, 1 + layer.seeds // 20):
            sheet = layer.sheet_of(seed)
            assert sheet.low <= seed < sheet.high


# -- growing on, beside one another, and again


def contents(place):
    """What files of cells hold, byte by byte."""
    return {file.name: file.read_bytes() for file in place.glob("*.parquet")}


@pytest.mark.parametrize("how", ["interrupted", "threads", "processes", "half removed"])
def test_whoever_grows_it_the_files_are_the_same(tmp_path, how):
    field = make("binary")
    report = grown(field, tmp_path / "one", height=2)
    other = tmp_path / "other"
    if how == "interrupted":
        asked = iter([False, False, False, True, True])
        first = grown(field, other, height=2, interrupted=lambda: next(asked, True))
        assert not first.finished
        assert 0 < first.grown < report.grown
        (other / ".levels-1-2.0000000.parquet.0123abcd.part").write_bytes(b"half")
        again = grown(field, other, height=2)
    elif how == "threads":
        with ThreadPoolExecutor(3) as pool:
            again = grown(field, other, height=2, executor=pool, workers=3)
    elif how == "processes":
        again = grown(field, other, height=2, workers=2)
    else:
        shutil.copytree(tmp_path / "one", other)
        for file in [*sorted(other.glob("levels-*"))[::3], other / "manifest.json"]:
            file.unlink()
        again = grown(field, other, height=2)
    assert contents(other) == contents(tmp_path / "one")
    assert again.finished
    assert again.digest == report.digest
    assert not list(other.glob(".*"))
    last = grown(field, other, height=2)
    assert (last.grown, last.finished, last.digest) == (0, True, report.digest)


def test_this_process_works_beside_the_others():
    engine, gate = ProcessesBeside(workers=2), threading.Event()
    try:
        first, second = engine.submit(gate.wait, 60), engine.submit(os.getpid)  # a gate cannot be sent to another process
        engine.wait([second], 60)
        assert second.result() != os.getpid()
        assert not first.done()
        gate.set()
        engine.wait([first], 60)
        assert engine.submit(os.getpid).result() == os.getpid()
    finally:
        engine.close()


class Loses:
    """An executor that does what it is given, but for some tasks, which are lost."""

    def __init__(self, lost):
        self.asked, self.lost, self._lost = 0, 0, lost

    def submit(self, function, *arguments):
        self.asked += 1
        handle = Future()
        if self._lost(self.asked):
            self.lost += 1
            handle.set_exception(RuntimeError("the worker was killed"))
        else:
            handle.set_result(function(*arguments))
        return handle


class Idles(Engine):
    """An engine that does its first task, and then nothing."""

    patience_seconds = 0.02

    def __init__(self):
        super().__init__(Loses(lambda asked: False), name="idle")
        self.handles = []

    def submit(self, function, *arguments):
        if function is look_at_folder:
            return super().submit(function, *arguments)
        self.handles.append(Future())
        return self.handles[-1]


def test_tasks_that_an_engine_loses_are_done_again(tmp_path):
    field = make("binary")
    report = grown(field, tmp_path / "one", height=2)
    executor = Loses(lambda asked: asked % 2 == 0)
    again = grown(field, tmp_path / "other", height=2, executor=executor, workers=2)
    assert (again.finished, again.grown, again.digest) == (True, report.grown, report.digest)
    assert executor.lost > 4
    assert contents(tmp_path / "other") == contents(tmp_path / "one")
    with pytest.raises(EngineError, match=r"Loses lost 17 tasks one after the other, .* RuntimeError: the worker was killed"):
        grown(field, tmp_path / "never", height=2, executor=Loses(lambda asked: asked > 1), workers=2)


class Tended(Engine):
    """An engine all of whose workers are lost with their first task, until somebody tends it, as Dask's may be."""

    patience_seconds = 5.0

    def __init__(self):
        super().__init__(Loses(lambda asked: False), name="tended")
        self.waiting, self.handed, self.is_well = [], 0, False

    def submit(self, function, *arguments):
        self.handed += function is work_task
        if self.is_well or function is look_at_folder:
            return super().submit(function, *arguments)
        self.waiting.append((Future(), function, arguments))
        return self.waiting[-1][0]

    def tend(self):
        self.is_well = True
        for handle, function, arguments in self.waiting:
            handle.set_result(function(*arguments))
        self.waiting.clear()


def test_an_engine_is_tended_while_tasks_are_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet_fleet, "TEND_SECONDS", 0.01)
    monkeypatch.setattr(sheet_fleet, "LOOK_SECONDS", 1.0)
    field, engine = make("binary"), Tended()
    report = grown(field, tmp_path / "it", height=2, executor=engine, workers=1)
    assert report.finished
    assert engine.handed == 3  # six sheets in two tasks, and their digest: none twice
    assert not engine.waiting


@pytest.mark.slow("a cluster of processes, which are killed")
@pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")
def test_workers_that_dask_gave_up_on_are_replaced_though_nothing_is_left_to_hand_out():
    import dask

    def rest(known, seconds):
        time.sleep(seconds)
        return os.getpid()

    killed, given = set(), {}

    def kill_all():
        if not killed and sum(map(len, engine._client.processing().values())) == len(tasks):
            killed.update(engine._client.run(os.getpid).values())
            for process in killed:
                os.kill(process, signal.SIGKILL)
        return False

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}):
        engine = find_engine("dask", workers=2)
        engine.patience_seconds = 3600.0  # what is lost is not handed out again meanwhile
        tasks = dict.fromkeys(range(engine.ahead * 2), (2.0,))
        try:
            fleet = SheetFleet(engine, SimpleNamespace(**own_versions()), workers=2, interrupted=kill_all)
            fleet.finish(rest, tasks, note=given.__setitem__)
        finally:
            engine.close()
    assert len(killed) == 2
    assert given.keys() == tasks.keys()
    assert not killed & set(given.values())


def test_an_engine_that_does_nothing_is_told_after_three_times(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet_fleet, "LOOK_SECONDS", 0.0)
    engine = Idles()
    with pytest.raises(EngineError, match="idle does nothing: tasks were handed out 3 times"):
        grown(make("binary"), tmp_path / "it", height=2, executor=engine, workers=1)
    assert len(engine.handles) == 3 * engine.ahead


def test_sheets_that_others_grow_are_found_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet_fleet, "LOOK_SECONDS", 0.0)
    field = make("binary")
    report = grown(field, tmp_path / "one", height=2)
    (tmp_path / "other").mkdir()

    class Elsewhere(Idles):
        """Another process grows the folder meanwhile, all of it; of this engine nothing comes back but digests."""

        def submit(self, function, *arguments):
            if function is work_task and arguments[1] is digest_task:
                return Engine.submit(self, function, *arguments)
            for file in (tmp_path / "one").glob("levels-*"):
                shutil.copy(file, tmp_path / "other")
            return super().submit(function, *arguments)

    again = grown(field, tmp_path / "other", height=2, executor=Elsewhere(), workers=2)
    assert (again.finished, again.grown, again.digest) == (True, 0, report.digest)


@pytest.mark.parametrize("executor", ["spark", "processes:4", "slurm:", "ray:here", "dask:here", object()])
def test_what_is_no_engine_leaves_nothing_in_a_folder(tmp_path, executor):
    with pytest.raises(InputError):  # one that is not installed is one, too
        grown(make("binary"), tmp_path / "it", height=2, executor=executor)
    assert not (tmp_path / "it").exists()


class Pickles(Loses):
    """An executor that hands over what it can pickle."""

    def submit(self, function, *arguments):
        pickle.dumps((function, arguments))
        return super().submit(function, *arguments)


@pytest.mark.parametrize("executor", [None, "processes", "an engine"])
def test_a_rule_that_cannot_be_pickled_is_told(tmp_path, executor):
    task = made_task(make("binary"), tmp_path / "it", height=2)
    if executor == "an engine":
        executor = Pickles(lambda asked: False)
    with pytest.raises(InputError, match=r"since pickle does not take it \(TypeError: cannot pickle '_thread.lock' object\)"):
        grow_folder(replace(task, rule=threading.Lock()), workers=2, executor=executor)


def test_another_field_is_told_before_an_engine_starts(tmp_path):
    grown(make("binary"), tmp_path / "it", height=2)
    with pytest.raises(InputError, match="holds another field"):
        grown(make("koch"), tmp_path / "it", height=2, executor="spark")
    assert grown(make("binary"), tmp_path / "it", height=2, executor="spark").grown == 0  # nothing is left to do


def test_engines_of_other_versions_or_places_are_refused(tmp_path):
    class Older(Loses):
        """Its workers have another Python."""

        def submit(self, function, *arguments):
            handle = Future()
            handle.set_result(replace(function(*arguments), python="3.9"))
            return handle

    with pytest.raises(InputError, match=r"expected Python 3.1. and cfgraph .* got Python 3.9 and cfgraph"):
        grown(make("binary"), tmp_path / "it", height=2, executor=Older(lambda asked: False))
    kind, message = work_task(
        replace(made_task(make("binary"), tmp_path / "it", height=2), cfgraph="0"), grow_sheets, ([0],)
    ).error
    assert kind == "CfgraphError"
    assert "expected Python  and cfgraph 0 on the engine's workers, as here, got Python 3." in message

    class Elsewhere(Loses):
        """It sees another folder of the same name."""

        def submit(self, function, task, *arguments):
            return super().submit(function, replace(task, url=str(tmp_path / "other")), *arguments)

    with pytest.raises(InputError, match=r"the folder .*/other is not the same there; name one on a file system that all"):
        grown(make("binary"), tmp_path / "it", height=2, executor=Elsewhere(lambda asked: False))


@pytest.mark.parametrize("parts", [1, 2, 3, 8, 20])
def test_a_digest_is_made_of_those_of_its_columns(koch, parts):
    reader = open_folder(f"{koch[0]}/")
    shares = shares_of(parts, dimension=2, depth=5)
    assert len(shares) == min(parts, 8)
    assert sorted(name for share in shares for name in share) == sorted(DIGESTED)
    found = {name: digest for share in shares for name, digest in digest_columns(reader, share).items()}
    assert join_digests(found) == reader.manifest.digest == digest_of(reader)


def test_a_source_goes_into_a_folder_by_one_call(tmp_path):
    report = write_field(make("koch"), str(tmp_path / "koch"))
    assert report.digest == digest_hierarchy(make("koch").grow())
    with pytest.raises(InputError, match="expected 1 to 256 workers"):
        write_field(make("koch"), str(tmp_path / "koch"), workers=0)
    with pytest.raises(InputError, match=r"cannot write to .*: .*No such file"):
        write_field(make("koch"), str(tmp_path / "not" / "there"))


# -- what is no field's folder, or no more


def test_a_folder_of_another_field_is_left_as_it_is(tmp_path):
    write_field(make("binary"), str(tmp_path / "it"))
    before = contents(tmp_path / "it")
    other = field_of_design(id="binary", depth=6, design=Design(arity=2, dimension=3))
    with pytest.raises(InputError, match=r"another recipe \(depth 7 and not 6\)"):
        write_field(other, str(tmp_path / "it"))
    with pytest.raises(InputError, match="'binary', and 'koch' was asked for"):
        write_field(make("koch"), str(tmp_path / "it"))
    with pytest.raises(InputError, match="another prefix"):
        write_field(replace(make("binary"), root=Cells.from_root(np.ones(3))), str(tmp_path / "it"))
    assert contents(tmp_path / "it") == before


@pytest.mark.parametrize("links", [True, False])
def test_of_two_fields_that_begin_at_once_one_has_the_folder(tmp_path, monkeypatch, links):
    """Neither sees a plan, and both write one: the first stays, and the other is told; without links the last one stays."""
    other, make_folder = made_task(make("koch"), tmp_path / "it", height=2).plan, Place.make

    def make_and_lose(place):
        make_folder(place)
        place.put(PLAN, other.model_dump_json().encode())

    monkeypatch.setattr(Place, "make", make_and_lose)
    if links:
        with pytest.raises(InputError, match="'koch', and 'binary' was asked for"):
            grown(make("binary"), tmp_path / "it", height=2)
    else:
        monkeypatch.setattr(os, "link", no_link)
        assert grown(make("binary"), tmp_path / "it", height=2).finished
    assert not list((tmp_path / "it").glob(".*"))


def test_a_plan_that_comes_while_the_folder_is_looked_at_is_joined(tmp_path, monkeypatch):
    """The same command, twice at once: each wrote the plan, or finds that of the other."""
    found, looks = read_plan, iter([None])

    def look(place):
        if next(looks, place) is place:
            return found(place)
        assert found(place) is None
        place.make()
        place.put(PLAN, made_task(make("binary"), place, height=2).plan.model_dump_json().encode())
        return None

    monkeypatch.setattr(plans, "read_plan", look)
    assert grown(make("binary"), tmp_path / "it", height=2).finished


def no_link(part, path):
    """What a disk that knows no links says."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_folder_that_another_takes_meanwhile_is_not_finished(tmp_path):
    field = make("binary")
    task = made_task(field, tmp_path / "it", height=2)
    other = made_task(make("koch"), tmp_path / "it", height=2).plan

    def progress(done, total):
        if done == total:  # all sheets are there; on an object store another plan may stand over ours
            Place(str(tmp_path / "it")).put(PLAN, other.model_dump_json().encode())

    with pytest.raises(InputError, match="'koch', and 'binary' was asked for"):
        grow_folder(task, progress=progress)
    assert not (tmp_path / "it" / "manifest.json").exists()


def test_files_of_others_are_never_mixed_with(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds files and no field \(thesis.tex\)"):
        write_field(make("koch"), str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="is no folder of a field"):
        open_folder(f"{tmp_path}/")
    with pytest.raises(InputError, match="is no folder of a field"):
        open_folder(f"{tmp_path}/nothing/")


def test_half_a_field_is_told(tmp_path):
    asked = iter([False, False, False, True])
    grown(make("binary"), tmp_path / "it", height=2, interrupted=lambda: next(asked, True))
    with pytest.raises(InputError, match=r"holds half a field: 2 of \d+ sheets of 'binary'"):
        open_folder(f"{tmp_path / 'it'}/")


@pytest.mark.parametrize("damage", ["bits", "cut off", "gone", "another's", "another place", "text"])
def test_a_damaged_sheet_is_named(tmp_path, koch, damage):
    shutil.copytree(koch[0], tmp_path / "it")
    names = sorted(file.name for file in (tmp_path / "it").glob("levels-4-5*"))
    file = tmp_path / "it" / names[1]
    content = bytearray(file.read_bytes())
    if damage == "bits":
        chunk = pq.ParquetFile(file).metadata.row_group(0).column(7)  # of centers: a footer may say things that change no cell
        content[chunk.data_page_offset + chunk.total_compressed_size - 9] ^= 1
        file.write_bytes(content)
    elif damage == "cut off":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "gone":
        file.unlink()
    elif damage == "another's":
        grown(replace(make("koch"), depth=5, hierarchy=make("koch").hierarchy.replace(id="k")), tmp_path / "k", height=2)
        shutil.copy(tmp_path / "k" / names[1], file)
    elif damage == "another place":
        shutil.copy(tmp_path / "it" / names[2], file)
    else:
        file.write_text("not Parquet")
    with pytest.raises(InputError, match=names[1]):
        digest_of(open_folder(f"{tmp_path / 'it'}/"))


def test_files_that_the_manifest_does_not_name_are_ignored(tmp_path, koch):
    shutil.copytree(koch[0], tmp_path / "it")
    (tmp_path / "it" / "levels-1-2.0000099.parquet").write_text("stray")
    (tmp_path / "it" / "notes.txt").write_text("mine")
    reader = open_folder(f"{tmp_path / 'it'}/")
    assert digest_of(reader) == reader.manifest.digest


def with_cut(text, **changes):
    """A manifest of another cut."""
    told = json.loads(text)
    told["plan"]["cut"] |= changes
    return json.dumps(told)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-20], "is damaged, or was changed"),
        (lambda text: text.replace('"version": 1', '"version": 9', 1), "has the form 9"),
        (lambda text: text.replace('"arity": 4', '"arity": 0'), "is damaged, or was changed"),
        (lambda text: "[]", "is damaged, or was changed"),
        (lambda text: with_cut(text, depth=1_000_000), "1,000,000 levels of arity 4 hold more cells than can be counted"),
        (lambda text: with_cut(text, arity=1, depth=2_000_000), "2,000,000 levels of arity 1 hold more cells"),
        (lambda text: with_cut(text, groups=[0, 3, 2]), "rising places"),
        (lambda text: with_cut(text, groups=[0, 10**9]), "rising places"),
        (lambda text: with_cut(text, arity=3), "its field has the arity 4, and is cut as one of 3"),
    ],
)
def test_a_damaged_manifest_is_told(tmp_path, koch, change, said):
    shutil.copytree(koch[0], tmp_path / "it")
    file = tmp_path / "it" / "manifest.json"
    text = json.dumps(json.loads(file.read_text()), indent=1)
    file.write_text(change(text))
    with pytest.raises(InputError, match=said):
        open_folder(f"{tmp_path / 'it'}/")


def test_places_tell_what_they_cannot_do(tmp_path):
    with pytest.raises(InputError, match="given with credentials"):
        Place("s3://me:secret@bucket/koch")
    with pytest.raises(InputError, match="cannot reach gopher://hole"):
        Place("gopher://hole/koch").sizes()
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot (read|write to) .*file"):
        write_field(make("koch"), str(tmp_path / "file"))
    assert str(Place("s3://bucket/koch?endpoint_override=127.0.0.1:1&scheme=http")) == "s3://bucket/koch"


def test_a_ragged_prefix_is_grown_below_its_frontier_alone(tmp_path):
    """Leaves stay leaves; of cells to be grown above the last level it is said that they are there."""
    whole = make("koch").grow()
    prefix = whole.cells.prefix(2)
    state = prefix.state.copy()
    state[prefix.rows(["/1/1", "/2/3"])] = 2
    ragged = prefix.with_columns(state=state)
    rule = make("koch").make_rule()
    plan = plan_of(whole.without_cells(), ragged, depth=2, height=4)
    assert plan.cut.frontier == 14
    report = grow_folder(FolderTask(str(tmp_path / "it"), plan, ragged, rule=rule))
    assert report.cells == len(prefix)
    same(FolderReader(Place(str(tmp_path / "it"))).read(top="/", depth=5), ragged)
    state[prefix.row("/1")] = 1
    with pytest.raises(InputError, match="to be grown above its last level"):
        plan_of(whole.without_cells(), prefix.with_columns(state=state), depth=4, height=4)


def test_a_file_that_another_wrote_and_tidied_up_is_no_error(tmp_path, monkeypatch):
    """Whoever finishes a folder removes what is half written, while a second one may be at the same sheet."""
    place = Place(str(tmp_path))
    place.put("sheet", b"whole")
    replace_file = os.replace

    def tidied(part, path):
        os.unlink(part)  # noqa: PTH108  # as the other one does
        replace_file(part, path)

    monkeypatch.setattr(os, "replace", tidied)
    place.put("sheet", b"whole")
    assert place.text("sheet") == "whole"
    with pytest.raises(InputError, match=r"cannot write .*another"):
        place.put("another", b"whole")
