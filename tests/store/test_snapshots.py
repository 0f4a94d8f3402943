"""States that are kept under names, against a real server: whole or not at all, of one moment, found again by their names."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfgraph import Stop, compare, diff, history, rollout, snapshot, sources, train
from cfgraph.errors import (
    ChangedError,
    DamagedError,
    InputError,
    NotFoundError,
    StoreRefusedError,
    StoreUnavailableError,
    VanishedError,
)
from cfgraph.model.address import ID_BYTES_MAX
from cfgraph.store import Store, part
from cfgraph.store import snapshots as snapshots_module
from cfgraph.store.snapshots import FOLDER
from cfgraph.transfer import snapshot as snapshot_module


@pytest.fixture
def koch(store, new_id):
    return store.write(sources.ifs(id=new_id("koch"), maps="koch", depth=2))


@pytest.fixture
def local(store, tmp_path, monkeypatch):
    """The tests' store as one with a folder of its own, as local stores have."""
    monkeypatch.setattr(store, "folder", tmp_path)
    return store


def test_a_state_is_kept_and_compared_with_later(local, koch, new_id, tmp_path, monkeypatch):
    store = local
    kept = snapshot(store, koch.id, name="before")
    assert (kept.title, kept.cells, kept.owned, kept.file.parent) == (f"{koch.id}@before", 21, True, tmp_path / FOLDER)
    assert diff(kept.title, koch.id, store=store).equal
    rule = store.write_predictor(train(store.read_whole(koch.id), id=new_id("rule"), depth=2, family="recurrence"))
    rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=3))
    found = diff(kept.title, koch.id, store=store)
    assert (found.first, found.kinds["only second"].count) == (kept.title, 64)
    after = snapshot(store, koch.id, name="after-1")
    assert compare(store, kept.title, koch.id).predicted == koch.id
    report = compare(store, koch.id, after.title)
    assert (report.true, report.predicted, report.family) == (koch.id, after.title, "recurrence")
    assert store.snapshots(koch.id) == [kept, after]
    with monkeypatch.context() as patch:  # by its URL alone the server is known, and not the folder that it keeps them in
        patch.setattr(store, "folder", None)
        assert store.snapshots(koch.id) == [replace(kept, owned=False), replace(after, owned=False)]
        patch.setattr(store, "folder", tmp_path / "moved")
        assert store.snapshot(koch.id, "before").file == tmp_path / "moved" / FOLDER / kept.file.name
    assert [entry.about["name"] for entry in history(store, koch.id).entries if entry.kind == "snapshot"] == [
        "before",
        "after-1",
    ]
    assert store.remove_snapshot(koch.id, "before") == kept
    assert not kept.file.exists()
    assert store.snapshots(koch.id) == [after]
    with pytest.raises(NotFoundError, match="it has: after-1"):
        diff(kept.title, koch.id, store=store)
    again = snapshot(store, koch.id, name="before")
    assert (again.file.exists(), again.cells) == (True, 85)
    store.remove(koch.id)
    assert list((tmp_path / FOLDER).iterdir()) == []
    with pytest.raises(NotFoundError, match="no hierarchy"):
        diff(kept.title, koch.id, store=store)


def test_bad_names_and_places_are_refused(store, koch, tmp_path):
    for name in ("", "a b", "-a", "a/b", "a.parquet", "a@b", "x" * 65, "é", 7):
        with pytest.raises(InputError, match="as the name of a snapshot"):
            snapshot(store, koch.id, name=name, output=tmp_path / "x.parquet")
    folder, store.folder = store.folder, None
    try:
        with pytest.raises(InputError, match=r"without a folder here .* --output"):
            snapshot(store, koch.id, name="one")
    finally:
        store.folder = folder
    path = tmp_path / "one.parquet"
    kept = snapshot(store, koch.id, name="one", output=path)
    assert (kept.file, kept.owned) == (path, False)
    with pytest.raises(InputError, match=r"has a snapshot 'one' already.*--remove one"):
        snapshot(store, koch.id, name="one", output=tmp_path / "two.parquet")
    with pytest.raises(InputError, match="a new file for a snapshot"):
        snapshot(store, koch.id, name="two", output=path)
    with pytest.raises(InputError, match="there is no folder"):
        snapshot(store, koch.id, name="two", output=tmp_path / "none" / "x.parquet")
    with pytest.raises(NotFoundError):
        snapshot(store, koch.id + "-none", name="two", output=tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == [path]
    said = []
    store.remove(koch.id, say=said.append)
    assert (path.exists(), said) == (True, [f"{kept.title} stays where it was put, {path}"])


def test_what_grows_or_changes_meanwhile_is_not_kept(store, koch, new_id, tmp_path, monkeypatch):
    rule = store.write_predictor(train(store.read_whole(koch.id), id=new_id("rule"), depth=2, family="recurrence"))
    rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=3), interrupted=lambda: True)
    with pytest.raises(InputError, match="is in state 'growing'"):
        snapshot(store, koch.id, name="now", output=tmp_path / "x.parquet")
    rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=3))

    def grow(done, total):
        rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=4))

    with pytest.raises(ChangedError):
        snapshot(store, koch.id, name="now", output=tmp_path / "x.parquet", progress=grow)
    tell = snapshot_module._tell

    def anew(file):
        store.remove(koch.id)
        store.write(sources.ifs(id=koch.id, maps="koch", depth=2))
        return tell(file)

    monkeypatch.setattr(snapshot_module, "_tell", anew)
    with pytest.raises(VanishedError):
        snapshot(store, koch.id, name="now", output=tmp_path / "x.parquet")
    other = tmp_path / "other.parquet"

    def taken(file):
        monkeypatch.setattr(snapshot_module, "_tell", tell)
        snapshot(store, koch.id, name="now", output=other)
        return tell(file)

    monkeypatch.setattr(snapshot_module, "_tell", taken)
    with pytest.raises(InputError, match="already"):  # somebody else was faster, and keeps it
        snapshot(store, koch.id, name="now", output=tmp_path / "x.parquet")
    assert [kept.file for kept in store.snapshots(koch.id)] == list(tmp_path.iterdir()) == [other]


def test_only_the_file_that_was_kept_is_taken(store, koch, new_id, tmp_path):
    path = tmp_path / "kept.parquet"
    kept = snapshot(store, koch.id, name="kept", output=path)
    other = store.write(sources.ifs(id=new_id("other"), maps="koch", depth=1))
    snapshot(store, other.id, name="kept", output=tmp_path / "other.parquet")
    path.write_bytes((tmp_path / "other.parquet").read_bytes())
    with pytest.raises(InputError, match="its digest is another"):
        diff(kept.title, koch.id, store=store)
    path.unlink()
    with pytest.raises(NotFoundError, match=r"not at .* any more.*--remove kept"):
        diff(koch.id, kept.title, store=store)
    store.remove_snapshot(koch.id, "kept")
    assert store.snapshots(koch.id) == []


def test_a_damaged_note_is_told_and_goes_with_its_hierarchy(store, koch, tmp_path):
    snapshot(store, koch.id, name="kept", output=tmp_path / "kept.parquet")
    damage = "MATCH (entry:Entry {hierarchy: $id, kind: 'snapshot'}) SET entry.about = '{\"name\": \"kept\"}'"
    store.query(damage, {"id": koch.id}, write=True)
    with pytest.raises(DamagedError, match="a snapshot in its history"):
        store.snapshots(koch.id)
    store.remove(koch.id)
    with pytest.raises(NotFoundError):
        store.snapshots(koch.id)


def test_a_hierarchy_of_that_name_comes_first(store, koch, new_id, tmp_path):
    snapshot(store, koch.id, name="x", output=tmp_path / "x.parquet")
    own = store.write(sources.ifs(id=f"{koch.id}@x", maps="koch", depth=1))
    try:
        assert diff(own.id, koch.id, store=store).kinds["only second"].count == 16
    finally:
        store.remove(own.id)
    assert diff(own.id, koch.id, store=store).equal


def test_a_local_store_keeps_them_in_its_folder(store_url):
    if not store_url.startswith("local:"):
        pytest.skip("the tests' server is no local one")
    with Store.open(store_url) as own:
        assert own.folder == Path(store_url.removeprefix("local:")).absolute()


def test_snapshots_on_the_command_line(told, koch, tmp_path):
    path = tmp_path / "before.parquet"
    assert told("snapshot", koch.id, "--as", "before", "-o", path)[0] == f"{koch.id}@before: 21 cells, in {path}\n"
    (listed,) = json.loads(told("snapshot", koch.id, "--list", "--format", "json")[0])
    assert (listed["name"], listed["cells"], listed["file"]) == ("before", 21, str(path))
    assert "are equal" in told("diff", f"{koch.id}@before", koch.id)[0]
    assert "stays where it was put" in told("snapshot", koch.id, "--remove", "before")[0]
    assert "one of --as NAME" in told("snapshot", koch.id, code=2)[1]
    assert "--as NAME" in told("snapshot", koch.id, "--list", "-o", path, code=2)[1]


def test_no_file_keeps_a_hierarchy_from_being_removed(local, koch, tmp_path, monkeypatch):
    store = local
    for name in ("one", "two"):
        snapshot(store, koch.id, name=name)
    one, two = (kept.file for kept in store.snapshots(koch.id))
    for file in (one, two):  # a folder is no file that can be removed, for nobody
        file.unlink()
        file.mkdir()
    said = []
    store.remove_snapshot(koch.id, "one", say=said.append)
    assert [kept.name for kept in store.snapshots(koch.id)] == ["two"]
    store.remove(koch.id, say=said.append)
    told = [f"the file of {koch.id}@{name} stays at {file}: " for name, file in (("one", one), ("two", two))]
    assert [line.startswith(begin) for line, begin in zip(said, told, strict=True)] == [True, True]
    assert all("; remove it yourself" in line for line in said)
    with pytest.raises(NotFoundError):
        store.hierarchy(koch.id)


def test_a_server_that_is_not_ours_removes_no_file_here(local, koch, tmp_path, monkeypatch):
    kept, said = snapshot(local, koch.id, name="kept"), []
    monkeypatch.setattr(local, "folder", None)
    assert local.remove_snapshot(koch.id, "kept") == replace(kept, owned=False)
    monkeypatch.setattr(local, "folder", tmp_path)
    again = snapshot(local, koch.id, name="kept")
    monkeypatch.setattr(local, "folder", None)
    local.remove(koch.id, say=said.append)
    assert said == [f"{kept.title} stays where it was put, {again.file}"]
    assert [kept.file.exists(), again.file.exists()] == [True, True]


def test_a_file_that_cannot_be_looked_at_is_an_error_that_says_why(local, koch, tmp_path, monkeypatch):
    kept = snapshot(local, koch.id, name="kept")
    monkeypatch.setattr(local, "folder", tmp_path / ("x" * 300))
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        diff(kept.title, koch.id, store=local)
    with pytest.raises(InputError, match=r"cannot write .*: File name too long"):
        snapshot(local, koch.id, name="other", output=tmp_path / ("x" * 300))
    with pytest.raises(InputError, match=r"cannot make the folder .*: File name too long; say where"):
        snapshot(local, koch.id, name="other")


def test_what_is_noted_keeps_its_file(store, koch, tmp_path, monkeypatch):
    path = tmp_path / "kept.parquet"

    def lost(id, name):
        raise StoreUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(store, "snapshot", lost)
        with pytest.raises(StoreUnavailableError):
            snapshot(store, koch.id, name="kept", output=path)
    assert diff(f"{koch.id}@kept", koch.id, store=store).equal
    add = store.add_snapshot

    def doubtful(hierarchy, kept):
        add(hierarchy, kept)
        raise StoreUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(store, "add_snapshot", doubtful)
        with pytest.raises(StoreUnavailableError):
            snapshot(store, koch.id, name="more", output=tmp_path / "more.parquet")
    assert diff(f"{koch.id}@more", koch.id, store=store).equal
    tell, same = snapshot_module._tell, tmp_path / "same.parquet"

    def faster(file):  # somebody else at the very same place, under the same name
        monkeypatch.setattr(snapshot_module, "_tell", tell)
        same.unlink()
        snapshot(store, koch.id, name="same", output=same)
        return tell(file)

    monkeypatch.setattr(snapshot_module, "_tell", faster)
    with pytest.raises(InputError, match="already"):
        snapshot(store, koch.id, name="same", output=same)
    assert diff(f"{koch.id}@same", koch.id, store=store).equal


def test_two_names_of_one_file_are_two_and_one_that_is_noted_twice_is_one(store, koch, tmp_path):
    kept = snapshot(store, koch.id, name="one", output=tmp_path / "one.parquet")
    store.add_snapshot(koch, kept)  # as after a connection that was lost in the moment of the commit
    assert store.snapshots(koch.id) == [kept]
    store.add_snapshot(koch, snapshots_module.Snapshot(koch.id, "two", kept.file, kept.cells, kept.digest, owned=False))
    assert [found.name for found in store.snapshots(koch.id)] == ["one", "two"]
    store.remove_snapshot(koch.id, "one")
    assert [found.name for found in store.snapshots(koch.id)] == ["two"]
    assert diff(f"{koch.id}@two", koch.id, store=store).equal


def test_a_removal_is_of_one_snapshot_whatever_the_clock_says(local, koch, tmp_path, monkeypatch):
    store = local
    snapshot(store, koch.id, name="a")
    remove, new = snapshots_module.remove_file, []

    def slow(found, *, say):  # meanwhile another removes it, and keeps one of its name
        monkeypatch.setattr(snapshots_module, "remove_file", remove)
        store.remove_snapshot(koch.id, "a")
        new.append(snapshot(store, koch.id, name="a"))
        remove(found, say=say)

    monkeypatch.setattr(snapshots_module, "remove_file", slow)
    store.remove_snapshot(koch.id, "a")
    assert store.snapshots(koch.id) == new
    assert new[0].file.exists()
    own = snapshot(store, koch.id, name="b", output=tmp_path / "b.parquet")
    store.remove_snapshot(koch.id, "b")
    early = "MATCH (entry:Entry {hierarchy: $id, kind: 'snapshot_removed'}) SET entry.at = 1"
    store.query(early, {"id": koch.id}, write=True)
    assert store.snapshots(koch.id) == new
    own.file.unlink()
    new.append(snapshot(store, koch.id, name="b", output=own.file))  # at the place of one that was removed
    assert store.snapshots(koch.id) == new


def test_of_two_removals_the_slower_says_so_and_touches_nothing(local, koch, monkeypatch):
    store, files, said = local, [], []
    snapshot(store, koch.id, name="kept")
    remove_files = store._remove_files

    def slow(*words, **options):
        monkeypatch.setattr(store, "_remove_files", remove_files)
        store.remove(koch.id)
        if anew:
            store.write(sources.ifs(id=koch.id, maps="koch", depth=1))
            files.append(snapshot(store, koch.id, name="kept").file)
        return remove_files(*words, **options)

    for anew in (False, True):
        monkeypatch.setattr(store, "_remove_files", slow)
        assert store.remove(koch.id, say=said.append) == 0
        if not anew:
            store.write(sources.ifs(id=koch.id, maps="koch", depth=1))
    assert len(said) == 2
    assert all("was removed by another command meanwhile" in line for line in said)
    assert files[0].exists()


def test_only_what_can_be_read_is_kept(store, new_id, tmp_path):
    id = new_id("long")
    long = store.write(sources.ifs(id=id + "x" * (ID_BYTES_MAX - len(id.encode()) - 4), maps="koch", depth=1))
    try:
        with pytest.raises(InputError, match="choose a shorter name"):
            snapshot(store, long.id, name="four", output=tmp_path / "x.parquet")
        kept = snapshot(store, long.id, name="one", output=tmp_path / "x.parquet")
        assert diff(kept.title, long.id, store=store).equal
    finally:
        store.remove(long.id)
    file, text = tmp_path / "metadata.parquet", json.dumps({"digest": "d", "point_names": ["x" * 101_000_000]})
    with pq.ParquetWriter(file, pa.schema([("x", pa.int64())])) as writer:
        writer.write_table(pa.table({"x": [1, 2]}))
        writer.add_key_value_metadata({"cfgraph": text})
    assert snapshot_module._tell(file) == (2, "d")


def test_the_schema_is_there_before_anything_is_noted(store, koch, tmp_path, monkeypatch):
    def refuse(graph):
        raise StoreRefusedError("no right to make a schema")

    monkeypatch.setattr(part, "create_schema", refuse)
    monkeypatch.setattr(store, "_has_schema", False)
    with pytest.raises(StoreRefusedError, match="no right"):
        snapshot(store, koch.id, name="kept", output=tmp_path / "x.parquet")
    with pytest.raises(StoreRefusedError, match="no right"):
        store.add_entry(koch, "asked")
    assert list(tmp_path.iterdir()) == []
