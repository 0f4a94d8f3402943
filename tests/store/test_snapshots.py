"""States that are kept under names, against a real server: whole or not at all, of one moment, found again by their names."""

import json
from pathlib import Path

import pytest

from cfgraph import Stop, compare, diff, history, rollout, snapshot, sources, train
from cfgraph.errors import ChangedError, DamagedError, InputError, NotFoundError, VanishedError
from cfgraph.store import Store
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
        assert store.snapshots(koch.id) == [kept, after]
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
            snapshot(store, koch.id, name=name, path=tmp_path / "x.parquet")
    folder, store.folder = store.folder, None
    try:
        with pytest.raises(InputError, match=r"without a folder here .* --output"):
            snapshot(store, koch.id, name="one")
    finally:
        store.folder = folder
    path = tmp_path / "one.parquet"
    kept = snapshot(store, koch.id, name="one", path=path)
    assert (kept.file, kept.owned) == (path, False)
    with pytest.raises(InputError, match=r"has a snapshot 'one' already.*--remove one"):
        snapshot(store, koch.id, name="one", path=tmp_path / "two.parquet")
    with pytest.raises(InputError, match="a new file for a snapshot"):
        snapshot(store, koch.id, name="two", path=path)
    with pytest.raises(InputError, match="there is no folder"):
        snapshot(store, koch.id, name="two", path=tmp_path / "none" / "x.parquet")
    with pytest.raises(NotFoundError):
        snapshot(store, koch.id + "-none", name="two", path=tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == [path]
    said = []
    store.remove(koch.id, say=said.append)
    assert (path.exists(), said) == (True, [f"{kept.title} stays where it was put, {path}"])


def test_what_grows_or_changes_meanwhile_is_not_kept(store, koch, new_id, tmp_path, monkeypatch):
    rule = store.write_predictor(train(store.read_whole(koch.id), id=new_id("rule"), depth=2, family="recurrence"))
    rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=3), interrupted=lambda: True)
    with pytest.raises(InputError, match="is in state 'growing'"):
        snapshot(store, koch.id, name="now", path=tmp_path / "x.parquet")
    rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=3))

    def grow(done, total):
        rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=4))

    with pytest.raises(ChangedError):
        snapshot(store, koch.id, name="now", path=tmp_path / "x.parquet", progress=grow)
    tell = snapshot_module._tell

    def anew(file):
        store.remove(koch.id)
        store.write(sources.ifs(id=koch.id, maps="koch", depth=2))
        return tell(file)

    monkeypatch.setattr(snapshot_module, "_tell", anew)
    with pytest.raises(VanishedError):
        snapshot(store, koch.id, name="now", path=tmp_path / "x.parquet")
    other = tmp_path / "other.parquet"

    def taken(file):
        monkeypatch.setattr(snapshot_module, "_tell", tell)
        snapshot(store, koch.id, name="now", path=other)
        return tell(file)

    monkeypatch.setattr(snapshot_module, "_tell", taken)
    with pytest.raises(InputError, match="already"):  # somebody else was faster, and keeps it
        snapshot(store, koch.id, name="now", path=tmp_path / "x.parquet")
    assert [kept.file for kept in store.snapshots(koch.id)] == list(tmp_path.iterdir()) == [other]


def test_only_the_file_that_was_kept_is_taken(store, koch, new_id, tmp_path):
    path = tmp_path / "kept.parquet"
    kept = snapshot(store, koch.id, name="kept", path=path)
    other = store.write(sources.ifs(id=new_id("other"), maps="koch", depth=1))
    snapshot(store, other.id, name="kept", path=tmp_path / "other.parquet")
    path.write_bytes((tmp_path / "other.parquet").read_bytes())
    with pytest.raises(InputError, match="its digest is another"):
        diff(kept.title, koch.id, store=store)
    path.unlink()
    with pytest.raises(NotFoundError, match=r"not at .* any more.*--remove kept"):
        diff(koch.id, kept.title, store=store)
    store.remove_snapshot(koch.id, "kept")
    assert store.snapshots(koch.id) == []


def test_a_damaged_note_is_told_and_goes_with_its_hierarchy(store, koch, tmp_path):
    snapshot(store, koch.id, name="kept", path=tmp_path / "kept.parquet")
    damage = "MATCH (entry:Entry {hierarchy: $id, kind: 'snapshot'}) SET entry.about = '{\"name\": \"kept\"}'"
    store.query(damage, {"id": koch.id}, write=True)
    with pytest.raises(DamagedError, match="a snapshot in its history"):
        store.snapshots(koch.id)
    store.remove(koch.id)
    with pytest.raises(NotFoundError):
        store.snapshots(koch.id)


def test_a_hierarchy_of_that_name_comes_first(store, koch, new_id, tmp_path):
    snapshot(store, koch.id, name="x", path=tmp_path / "x.parquet")
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
