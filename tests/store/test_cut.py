"""Cuts kept in a real store: as properties of cells that read as the source's own, whole or not at all."""

from functools import partial

import hdbscan
import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import HDBSCAN

from cfgraph import cut, diff, history, sources
from cfgraph.errors import ChangedError, InputError, VanishedError
from cfgraph.formats.parquet import read_parquet
from cfgraph.growing.describe import describe
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.columns import kind_of
from cfgraph.sources.snapshots import read_either
from cfgraph.store import cuts
from cfgraph.store.verify import verify
from cfgraph.transfer.backup import ingest_parquet
from cfgraph.transfer.bulk import write_files
from cfgraph.transfer.export import export
from cfgraph.transfer.snapshot import snapshot

Z = linkage(np.random.default_rng(0).normal(size=(40, 2)), "average")


@pytest.fixture
def written(store, new_id):
    """A linkage of 40 points in the store, its points among its cells."""
    return store.write(sources.linkage(id=new_id("linkage"), data=Z))


def labels_in(store, id, name):
    _, rows = store.query(
        "MATCH (c:Cell) WHERE c.key >= $id + '/' AND c.key < $id + '0' RETURN c.address AS address, c[$name] AS label",
        {"id": id, "name": name},
    )
    return dict(rows)


def test_a_cut_from_the_store_is_that_in_memory(store, written):
    assert np.array_equal(cut(store, written.id, clusters=5), fcluster(Z, 5, "maxclust") - 1)
    with pytest.raises(InputError, match="expected the id of a hierarchy behind the store"):
        cut(store, clusters=5)


def test_a_kept_cut_is_a_property_of_cells(store, written, tmp_path):
    before = store.read_whole(written.id)
    digest = store.digest(written.id)
    found = cut(store, written.id, clusters=4, as_property="group")
    kept = store.read_whole(written.id)
    assert kept.own_kinds == {**written.own_kinds, "group": "INTEGER"}
    assert np.array_equal(kept.cells.own["group"], found.of_cells)
    inside = labels_in(store, written.id, "group")
    assert [inside[address] for address in found.cells] == [0, 1, 2, 3]
    assert inside["/"] is None
    assert store.digest(written.id) != digest
    assert verify(store, written.id).clean
    assert store.cuts(written.id) == {"group": {"clusters": 4, "cells": 79}} == kept.cuts
    entry = history(store, written.id).entries[-1]
    assert (entry.kind, entry.about) == ("cut", {"property": "group", "cut": {"clusters": 4, "cells": 79}})
    path = tmp_path / "kept.parquet"
    export(store, id=written.id, output=path)
    assert np.array_equal(read_parquet(path).hierarchy.cells.own["group"], found.of_cells)
    # Replaced by another one, and removed.
    other = cut(store, written.id, height=1.0, as_property="group")
    assert np.array_equal(store.read_whole(written.id).cells.own["group"], other.of_cells)
    store.remove_cut(store.read_whole(written.id), "group")
    assert store.cuts(written.id) == {}
    after = store.read_whole(written.id)
    assert after.own_kinds == before.own_kinds
    assert store.digest(written.id) == digest
    assert set(labels_in(store, written.id, "group").values()) == {None}
    with pytest.raises(InputError, match="has no cut 'group'; it has none"):
        store.remove_cut(after, "group")


def test_an_interrupted_cut_is_none_and_the_same_again_goes_on(store, written, monkeypatch):
    monkeypatch.setattr(cuts, "MARK_ROWS", 10)
    cut(store, written.id, clusters=3, as_property="group")

    def stop(done, total):
        raise KeyboardInterrupt

    whole = store.read_whole(written.id)
    label = cut(whole, clusters=6).of_cells
    with pytest.raises(KeyboardInterrupt):
        store.keep_cut(whole, "group", label, about={"clusters": 6}, progress=stop)
    assert "group" not in store.read_whole(written.id).cells.own
    assert verify(store, written.id).clean
    cut(store, written.id, clusters=6, as_property="group")
    assert np.array_equal(store.read_whole(written.id).cells.own["group"], label)


@pytest.mark.parametrize("doing", ["first", "removed"])
def test_an_interrupted_cut_is_told_and_can_be_removed(store, written, monkeypatch, tmp_path, doing):
    monkeypatch.setattr(cuts, "MARK_ROWS", 40)
    whole = store.read_whole(written.id)
    digest = store.digest(written.id)
    if doing == "removed":
        cut(store, written.id, clusters=6, as_property="group")

    def stop(done, total):
        raise KeyboardInterrupt

    label = cut(whole, clusters=6).of_cells
    acts = {"first": partial(store.keep_cut, label=label, about={"clusters": 6}), "removed": store.remove_cut}
    with pytest.raises(KeyboardInterrupt):
        acts[doing](whole, "group", progress=stop)
    assert len(set(labels_in(store, written.id, "group").values())) > 1
    assert store.cuts(written.id) == {"group": {"clusters": 6, "cells": 79, "unfinished": True}}
    assert describe(store, written.id)["cuts"] == store.cuts(written.id)
    assert store.hierarchy(written.id).cuts is None
    report = verify(store, written.id)
    assert report.clean
    assert "the cut 'group' of it is being kept or removed" in report.notes[0]
    export(store, id=written.id, output=tmp_path / "it.parquet")
    assert read_parquet(tmp_path / "it.parquet").hierarchy.cuts is None
    store.remove_cut(store.read_whole(written.id), "group")
    assert set(labels_in(store, written.id, "group").values()) == {None}
    assert store.cuts(written.id) == {}
    assert store.digest(written.id) == digest
    assert verify(store, written.id).notes == []


def test_a_cut_says_how_many_cells_grew_since(store, new_id):
    field = store.write(sources.ifs(id=new_id("koch"), maps="koch", depth=2))
    cut(store, field.id, level=1, as_property="quarter")
    rule = store.write_predictor(train(store.read_whole(field.id), id=new_id("rule"), family="recurrence"))
    assert describe(store, field.id)["cuts"] == {"quarter": {"level": 1, "cells": 21, "grown_since": 0}}
    rollout(store, field.id, predictor=rule.id, stop=Stop(depth=3))
    assert describe(store, field.id)["cuts"] == {"quarter": {"level": 1, "cells": 21, "grown_since": 64}}
    cut(store, field.id, level=1, as_property="quarter")
    assert describe(store, field.id)["cuts"] == {"quarter": {"level": 1, "cells": 85, "grown_since": 0}}


def test_who_reads_while_a_cut_is_kept_is_told(store, written):
    with pytest.raises(ChangedError, match="changed while it was read"), store.witness(written.id):
        cut(store, written.id, clusters=3, as_property="group")


def test_two_cuts_at_once_do_not_mix(store, written, monkeypatch):
    monkeypatch.setattr(cuts, "MARK_ROWS", 20)
    whole = store.read_whole(written.id)
    one, other = cut(whole, clusters=3), cut(whole, clusters=7)

    def meanwhile(done, total):
        if done <= 20:
            store.keep_cut(whole, "group", other.of_cells, about={"clusters": 7})

    with pytest.raises(ChangedError, match=r"another cut .* was begun meanwhile"):
        store.keep_cut(whole, "group", one.of_cells, about={"clusters": 3}, progress=meanwhile)
    assert np.array_equal(store.read_whole(written.id).cells.own["group"], other.of_cells)


def test_a_cut_keeps_to_the_hierarchy_that_it_was_made_of(store, written):
    whole = store.read_whole(written.id)
    store.remove(written.id)
    with pytest.raises(VanishedError):
        store.keep_cut(whole, "group", cut(whole, clusters=3).of_cells, about={})
    store.write(sources.linkage(id=written.id, data=Z))
    with pytest.raises(VanishedError, match="another made under its id"):
        store.keep_cut(whole, "group", cut(whole, clusters=3).of_cells, about={})
    assert store.cuts(written.id) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("merge", "of their source already"),
        ("scale", "of cfgraph's own"),
        ("name", "of cfgraph's own"),
        ("", "expected a name"),
    ],
)
def test_names_that_cells_have_are_refused(store, written, name, message):
    with pytest.raises(InputError, match=message):
        cut(store, written.id, clusters=3, as_property=name)


def test_digests_of_subtrees_are_void_after_a_cut(store, written, new_id):
    same = store.write(sources.linkage(id=new_id("same"), data=Z))
    assert diff(written.id, same.id, store=store).equal
    cut(store, written.id, clusters=4, as_property="group")
    assert not diff(written.id, same.id, store=store).equal
    assert not diff(written.id, same.id, store=store, full=True).equal
    cut(store, same.id, clusters=4, as_property="group")
    assert diff(written.id, same.id, store=store).equal


def test_a_field_keeps_a_cut_too(store, new_id, tmp_path):
    X = np.random.default_rng(1).normal(size=(80, 2))
    field = store.write(sources.points(id=new_id("points"), data=X, depth=3, arity=2, points=True))
    found = cut(store, field.id, level=2, as_property="quarter")
    assert len(found) == 80
    kept = store.read_whole(field.id)
    assert np.array_equal(kept.cells.own["quarter"], found.of_cells)
    assert verify(store, field.id).clean
    path = tmp_path / "field.parquet"
    export(store, id=field.id, output=path)
    assert np.array_equal(read_parquet(path).hierarchy.cells.own["quarter"], found.of_cells)


def field_of(store, id, kind):
    """A field with cells of several scales and, where a predictor grew some of it, predicted ones beside true ones."""
    if kind == "points":
        X = np.random.default_rng(1).normal(size=(80, 2))
        return store.write(sources.points(id=id, data=X, depth=3, arity=2, points=True))
    if kind == "cfg":
        return store.write(sources.cfg(id=id, arity=3, dimension=2, depth=3))
    field = store.write(sources.ifs(id=id, maps="koch", depth=3))
    rule = store.write_predictor(train(store.read_whole(id), id=f"{id}-rule", family="recurrence"))
    rollout(store, id, predictor=rule.id, stop=Stop(depth=4))
    return field


@pytest.mark.parametrize("kind", ["points", "cfg", "grown"])
def test_a_kept_cut_of_a_field_is_restored(store, new_id, tmp_path, kind):
    field = field_of(store, new_id(kind), kind)
    found = cut(store, field.id, level=2, as_property="quarter")
    digest, path = store.digest(field.id), tmp_path / "field.parquet"
    export(store, id=field.id, output=path)
    again = ingest_parquet(store, sources.parquet(path, id=new_id("again")))
    assert store.digest(again.id) == digest
    back = store.read_whole(again.id)
    assert np.array_equal(back.cells.own["quarter"], found.of_cells)
    assert labels_in(store, again.id, "quarter") == labels_in(store, field.id, "quarter")
    assert verify(store, again.id).clean
    assert store.cuts(again.id) == store.cuts(field.id) == {"quarter": {"level": 2, "cells": len(back.cells)}}
    cut(store, again.id, level=1, as_property="quarter")  # a cut still: it is kept anew, and removed
    store.remove_cut(store.read_whole(again.id), "quarter")
    assert store.hierarchy(again.id).own == ()
    assert back.cells.predicted.any() == (kind == "grown")
    assert not back.cells.predicted.all()
    # Neo4j's own tools get the property too, by its name.
    export(store, id=field.id, output=tmp_path / "admin", format="neo4j-admin")
    assert "quarter:long" in (tmp_path / "admin" / "cells-header.csv").read_text()
    assert "the cuts that were kept: quarter" in (tmp_path / "admin" / "README.md").read_text()
    assert '{""quarter"": {""cells""' in (tmp_path / "admin" / "hierarchy.csv").read_text()


def test_a_field_as_it_was_read_is_written_with_its_cut(store, new_id):
    field = field_of(store, new_id("points"), "points")
    cut(store, field.id, level=2, as_property="quarter")
    whole = store.read_whole(field.id)
    copy = store.write(whole.replace(id=new_id("copy")))
    assert store.digest(copy.id) == store.digest(field.id)
    assert np.array_equal(store.read_whole(copy.id).cells.own["quarter"], whole.cells.own["quarter"])


def test_a_snapshot_of_a_cut_is_one(store, written, tmp_path):
    cut(store, written.id, sizes=(3, 12), as_property="group")
    snapshot(store, written.id, name="cut", output=tmp_path / "cut.parquet")
    store.remove_cut(store.read_whole(written.id), "group")
    kept, _ = read_either(store, f"{written.id}@cut")
    assert kept.cuts == {"group": {"sizes": [3, 12], "cells": 79}}


def test_a_grown_copy_of_a_prefix_has_no_cut(store, new_id):
    field = store.write(sources.ifs(id=new_id("koch"), maps="koch", depth=3))
    rule = store.write_predictor(train(store.read_whole(field.id), id=new_id("rule"), family="recurrence"))
    cut(store, field.id, level=1, as_property="quarter")
    copy = new_id("copy")
    rollout(store, field.id, predictor=rule.id, from_depth=2, copy_as=copy, stop=Stop(depth=3))
    assert store.hierarchy(copy).own == ()
    assert set(labels_in(store, copy, "quarter").values()) == {None}
    assert verify(store, copy).clean


def test_cells_have_no_properties_that_their_hierarchy_does_not_name():
    field = sources.cfg(id="it", arity=2, dimension=2, depth=2)
    with pytest.raises(InputError, match="does not name the properties quarter"):
        field.with_cells(field.cells.with_columns(own={"quarter": np.zeros(len(field.cells), dtype=int)}))


def with_own(field, **own):
    kinds = {name: kind for name, column in own.items() if (kind := kind_of(column)) is not None}
    return field.replace(own=tuple(own), own_kinds=kinds).with_cells(field.cells.with_columns(own=own))


def test_bulk_writes_the_properties_of_a_fields_cells(tmp_path):
    field = sources.cfg(id="it", arity=2, dimension=2, depth=2)
    kept = with_own(field, quarter=np.array([-1, 0, 1, 0, 0, 1, 1]), name=np.array([*"abcdef", None], dtype=object))
    kept = kept.replace(cuts={"quarter": {"level": 1}})
    write_files(tmp_path, kept)
    assert (tmp_path / "cells-header.csv").read_text().strip().endswith("size:long,quarter:long,name:string")
    rows = [
        line.split(",")[-2:] for name in ("cells", "frontier") for line in (tmp_path / f"{name}.csv").read_text().splitlines()
    ]
    assert rows == [["", '"a"'], ["0", '"b"'], ["1", '"c"'], ["0", '"d"'], ["0", '"e"'], ["1", '"f"'], ["1", ""]]
    assert "cuts" in (tmp_path / "hierarchy.csv").read_text()


def test_bulk_refuses_a_field_whose_cells_have_lists(tmp_path):
    field = sources.cfg(id="it", arity=2, dimension=2, depth=1)
    lists = np.empty(3, dtype=object)
    lists[:] = [["a"], ["b", "c"], None]
    with pytest.raises(InputError, match=r"tags, and a column for neo4j-admin has one type; leave --bulk out"):
        write_files(tmp_path, with_own(field, tags=lists))


def test_bulk_writes_data_points(tmp_path):
    X = np.random.default_rng(1).normal(size=(80, 2))
    field = sources.points(id="it", data=X, depth=3, arity=2, points=True)
    write_files(tmp_path, field)
    assert (tmp_path / "points-header.csv").read_text().strip() == ":ID,key,hierarchy,row:long"
    points = [line.split(",") for line in (tmp_path / "points.csv").read_text().splitlines()]
    ends = [line.split(",") for line in (tmp_path / "in.csv").read_text().splitlines()]
    assert [int(row) for *_, row in points] == list(range(80))
    assert len({node for node, *_ in points} & {str(node) for node in range(len(field.cells) + 1)}) == 0
    assert {int(node): int(cell) - 1 for node, cell in ends} == {
        int(node): field.cell_of_point[int(row)] for node, *_, row in points
    }


@pytest.mark.parametrize("library", ["hdbscan", "sklearn"])
def test_what_hdbscan_knows_of_points_comes_back(store, new_id, tmp_path, library):
    X = np.random.default_rng(3).normal(size=(90, 2)) + np.repeat([[0, 0], [6, 0], [0, 6]], 30, axis=0)
    X[:4] = X[0]  # points of one place never part: their density is infinite
    options = {"min_cluster_size": 4, "min_samples": 2}
    model = hdbscan.HDBSCAN(**options) if library == "hdbscan" else HDBSCAN(**options, copy=True)
    model.fit(X)
    made = store.write(sources.tree(id=new_id("model"), data=model, points=True))
    found = cut(store, made.id, persistence=True)
    assert np.array_equal(found, model.labels_)
    assert np.array_equal(found.probabilities, model.probabilities_)
    _, rows = store.query(
        "MATCH (p:Point) WHERE p.key >= $id + '/' AND p.key < $id + '0' RETURN p.label, p.probability, p.lambda ORDER BY p.row",
        {"id": made.id},
    )
    assert [-1 if label is None else label for label, _, _ in rows] == model.labels_.tolist()
    assert [probability for _, probability, _ in rows] == model.probabilities_.tolist()
    assert np.isinf([density for _, _, density in rows]).sum() >= 4
    _, stable = store.query(
        "MATCH (c:Cell) WHERE c.key >= $id + '/' AND c.key < $id + '0' AND c.selected RETURN c.address ORDER BY c.cluster",
        {"id": made.id},
    )
    assert [address for (address,) in stable] == found.cells
    assert verify(store, made.id).clean
    path = tmp_path / "model.parquet"
    export(store, id=made.id, output=path)
    again = read_parquet(path).hierarchy
    assert np.array_equal(cut(again, persistence=True).probabilities, model.probabilities_)
    assert store.write(again.replace(id=new_id("again"))).point_kinds == made.point_kinds
    export(store, id=made.id, output=tmp_path / "admin", format="neo4j-admin")
    header = (tmp_path / "admin" / "points-header.csv").read_text().strip()
    assert header.endswith("row:long,label:long,lambda:double,probability:double")
    assert "Infinity" in (tmp_path / "admin" / "points.csv").read_text()
