"""What was done to a hierarchy, against a real server: noted as it is done; of earlier versions as far as the graph tells."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cfgraph
from cfgraph import Stop, field, history, materialise, place, rollout, sources, train
from cfgraph.errors import DamagedError, NotFoundError, VanishedError
from cfgraph.transfer.backup import ingest_parquet
from cfgraph.transfer.export import export

FORGET = "MATCH (:Hierarchy {id: $id})-[:HISTORY]->(entry:Entry) DETACH DELETE entry"


def kinds(found):
    return [entry.kind for entry in found.entries]


def test_a_life_is_told_in_order(store, new_id, tmp_path):
    begin = datetime.now(UTC) - timedelta(seconds=5)
    koch = sources.ifs(id=new_id(), maps="koch", depth=2)
    store.write(koch)
    rule = store.write_predictor(train(koch, id=new_id("rule"), depth=2, family="recurrence"))
    copy = rollout(store, koch.id, predictor=rule.id, from_depth=1, copy_as=new_id("copy"), stop=Stop(depth=2))
    materialise(field(store, koch.id, predictor=rule.id), "/1", 1, depth=9)
    rollout(store, koch.id, predictor=rule.id, below=["/1/1/1/1/1/1/1"], stop=Stop(depth=9))
    found = history(store, koch.id)
    assert kinds(found) == ["begun", "written", "trained", "copied", "growth", "grown", "asked", "grown"]
    by_kind = {entry.kind: entry for entry in reversed(found.entries)}
    assert by_kind["begun"].about == {"origin": "ifs", "recipe": koch.recipe}
    assert by_kind["trained"].about == {"id": rule.id, "family": "recurrence", "depth": 2}
    assert by_kind["copied"].about == {"id": copy.id}
    growth, (parts, more) = by_kind["growth"].about, [entry.about for entry in found.entries if entry.kind == "grown"]
    assert (growth["predictor"], growth["to_depth"], growth["stop"], growth["below"]) == (rule.id, 9, {"depth": 9}, ["/1:3"])
    assert (parts["since"], parts["below"], more["below"]) == (growth["since"], ["/1:3"], ["/1/1/1/1/1/1/1"])
    noted = [entry for entry in found.entries if entry.kind != "copied"]
    assert {entry.version for entry in noted} == {cfgraph.__version__}
    moments = [entry.at for entry in found.entries]
    assert moments == sorted(moments)
    assert all(begin < moment < datetime.now(UTC) + timedelta(seconds=60) for moment in moments)
    assert found.remarks == ()
    rollout(store, koch.id, predictor=rule.id, below=["/1/1/1/1/1/1/1"], stop=Stop(depth=9))
    assert history(store, koch.id) == found  # what is there already is nothing that was done
    place(store, koch.id, data=np.zeros((7, 2)), batch="new")
    last = history(store, koch.id).entries[-1]
    assert (last.kind, last.about["name"], last.about["rows"], last.version) == ("placed", "new", 7, cfgraph.__version__)
    store.remove_batch(koch.id, "new")
    last = history(store, koch.id).entries[-1]
    assert (last.kind, last.about["name"], last.about["rows"]) == ("batch_removed", "new", 7)
    path = tmp_path / "copy.parquet"
    export(store, copy.id, output=path)
    store.remove(copy.id)
    assert store.query("MATCH (entry:Entry {hierarchy: $id}) RETURN entry", {"id": copy.id})[1] == []
    backup = sources.parquet(path=path)
    for _ in range(2):  # the second time it is there already
        ingest_parquet(store, backup)
    again = history(store, copy.id)
    assert kinds(again) == ["made", "growth", "begun", "written", "restored", "grown"]
    assert [entry.version is None for entry in again.entries] == [True, True, False, False, False, True]
    assert again.entries[4].about == {"file": "copy.parquet", "digest": backup.digest}
    assert len(again.remarks) == 2


def test_restored_is_only_what_was_written_from_a_file(store, new_id, tmp_path):
    koch = store.write(sources.ifs(id=new_id(), maps="koch", depth=2))
    place(store, koch.id, data=np.zeros((7, 2)), batch="one")
    place(store, koch.id, data=np.ones((5, 2)), batch="two")
    path, before = tmp_path / "own.parquet", history(store, koch.id)
    export(store, koch.id, output=path)
    backup = sources.parquet(path=path)
    ingest_parquet(store, backup)
    assert history(store, koch.id) == before  # all of it is there already
    store.remove_batch(koch.id, "two")
    ingest_parquet(store, backup)
    found = history(store, koch.id)
    assert (kinds(found)[:2], found.entries[0]) == (["begun", "written"], before.entries[0])  # it was made here
    (restored,) = [entry.about for entry in found.entries if entry.kind == "restored"]
    assert restored == {"file": "own.parquet", "digest": backup.digest, "batches": ["two"]}
    store.remove(koch.id)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_parquet(store, backup, progress=stop)
    ingest_parquet(store, backup)  # it ends what was begun
    (restored,) = [entry.about for entry in history(store, koch.id).entries if entry.kind == "restored"]
    assert restored == {"file": "own.parquet", "digest": backup.digest}


def test_of_earlier_versions_it_is_told_what_is_known(store, new_id):
    koch = sources.ifs(id=new_id(), maps="koch", depth=2)
    store.write(koch)
    rule = store.write_predictor(train(koch, id=new_id("rule"), depth=2, family="recurrence"))
    rollout(store, koch.id, predictor=rule.id, stop=Stop(depth=3))
    store.query(FORGET, {"id": koch.id}, write=True)
    found = history(store, koch.id)
    assert kinds(found) == ["made", "trained", "growth", "grown"]
    assert (found.entries[0].at, found.entries[0].version, found.entries[-1].at) == (koch.created, None, None)
    assert ["by which version it was made" in found.remarks[0], "ended" in found.remarks[1]] == [True, True]
    store.remove(rule.id)
    found = history(store, koch.id)
    assert (kinds(found), found.entries[-1].about) == (["made", "grown"], {"predictor": rule.id, "removed": True})


def test_only_of_what_is_there(store, new_id):
    with pytest.raises(NotFoundError):
        history(store, new_id("none"))
    written = store.write(sources.ifs(id=new_id(), maps="koch", depth=1))
    store.query("MATCH (entry:Entry {hierarchy: $id}) SET entry.about = 'x'", {"id": written.id}, write=True)
    with pytest.raises(DamagedError, match="an entry of its history"):
        history(store, written.id)
    store.remove(written.id)
    store.write(sources.ifs(id=written.id, maps="koch", depth=1))
    with pytest.raises(VanishedError):
        store.add_entry(written, "upgraded")
    assert kinds(history(store, written.id)) == ["begun", "written"]


def test_history_is_told_in_every_form(told, store, new_id):
    koch = sources.ifs(id=new_id("koch"), maps="koch", depth=1)
    store.write(koch)
    shown = told("history", koch.id)[0]
    assert ["origin ifs" in shown, "maps koch" in shown, cfgraph.__version__ in shown] == [True] * 3
    rows = told("history", koch.id, "--format", "csv")[0].splitlines()
    assert (rows[0], [row.split(",")[1] for row in rows[1:]]) == ("at,event,about,version", ["begun", "written"])
    found = json.loads(told("history", koch.id, "--format", "json")[0])
    assert [entry["kind"] for entry in found["entries"]] == ["begun", "written"]
    assert found["entries"][0]["about"]["recipe"] == koch.recipe
    assert "no hierarchy" in told("history", new_id("none"), code=2)[1]
