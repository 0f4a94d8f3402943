"""What was done to data before a hierarchy was made of it: written, read, exported, copied and removed with the hierarchy."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_iris

from cfgraph import apply, encode
from cfgraph.errors import DamagedError, InputError, VanishedError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.encoders import load_encoder
from cfgraph.learning.train import train
from cfgraph.model import encoder as encoders
from cfgraph.sources import dasgupta, parquet, points
from cfgraph.sources.parquet import parquet as read_backup
from cfgraph.store import Store
from cfgraph.store.verify import verify
from cfgraph.transfer.backup import export_parquet, ingest_parquet
from tests.store.test_bulk import Place, import_as_told

DATA = np.random.default_rng(0).normal(size=(60, 5)) * [1, 2, 3, 4, 5] + 7
COUNT = "MATCH (:Hierarchy {id: $id})-[:ENCODED_BY]->(e:Encoder)-[:PART]->(p:EncoderPart) RETURN count(DISTINCT e), count(p)"
ALL = "MATCH (e:Encoder|EncoderPart) RETURN count(e)"
# Other tests write encoders to the same server meanwhile: what is left of one is known by its digest, and by parts of none.
LEFT = """
OPTIONAL MATCH (e:Encoder {sha256: $sha256})
WITH count(e) AS encoders
OPTIONAL MATCH (p:EncoderPart) WHERE NOT (:Encoder)-[:PART]->(p)
RETURN encoders, count(p)
"""


@pytest.fixture
def in_parts(monkeypatch):
    """Weights in several parts, as those of large encoders are."""
    monkeypatch.setattr(encoders, "PART_BYTES", 100)


def make(id, *, pca=None):
    """A tree of learned Dasgupta cost, or a field of k-means in principal components."""
    if pca is not None:
        return points(id=id, data=DATA, depth=3, arity=2, pca=pca, minimum_size=2)
    return dasgupta(id=id, data=DATA, starts=1, passes=2)


def test_written_and_read_with_its_hierarchy(store, new_id, in_parts):
    made = make(new_id())
    written = store.write(made)
    assert store.query(COUNT, {"id": made.id})[1] == [[1, len(made.encoder.parts)]]
    assert len(made.encoder.parts) > 2
    assert written.encoder_sha256 == store.hierarchy(made.id).encoder_sha256 == made.encoder.digest
    assert store.encoder(made.id) == made.encoder
    whole = store.read_whole(made.id)
    assert whole.encoder == made.encoder
    np.testing.assert_array_equal(encode(store, made.id, data=DATA), load_encoder(made.encoder).encode(DATA))
    assert verify(store, made.id).clean
    store.write(made)  # again: done
    assert store.query(COUNT, {"id": made.id})[1] == [[1, len(made.encoder.parts)]]
    assert store.query(LEFT, {"sha256": made.encoder.digest})[1] == [[1, 0]]
    store.remove(made.id)
    assert store.query(LEFT, {"sha256": made.encoder.digest})[1] == [[0, 0]]


def test_a_prefix_in_hand_is_not_written_without_it(store, new_id):
    made = make(new_id())
    store.write(made)
    prefix = store.read_whole(made.id, depth=2)
    assert prefix.encoder is None
    with pytest.raises(InputError, match="read the whole first"):
        store.write(prefix.replace(id=new_id("other")))


def test_an_interrupted_one_goes_on(store, new_id, in_parts, monkeypatch):
    from cfgraph.store import encoders as storing

    made, left = make(new_id()), [2]

    def failing(tx, operation, ask=storing.run_operation, **asked):
        if operation == "write_encoder_part" and not left.append(left.pop() - 1) and left[0] < 0:
            raise KeyboardInterrupt
        return ask(tx, operation, **asked)

    with monkeypatch.context() as patch:
        patch.setattr(storing, "run_operation", failing)
        with pytest.raises(KeyboardInterrupt):
            store.write(made)
    assert store.query(COUNT, {"id": made.id})[1] == [[1, 2]]
    assert store.hierarchy(made.id).state == "writing"
    store.write(made)
    assert store.encoder(made.id) == made.encoder
    assert verify(store, made.id).clean


def test_another_one_under_way_is_refused(store, new_id, monkeypatch):
    made = make(new_id())
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write_cells", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.write(made)
    other = dasgupta(id=made.id, data=DATA * 2, starts=1, passes=2).replace(recipe=made.recipe)
    with pytest.raises(InputError, match="begun with another encoder"):
        store.write(other)


def test_none_goes_into_the_next_incarnation(store, new_id, monkeypatch):
    made = make(new_id())
    claimed = store.write(made)
    store.remove(made.id)
    store.write(make(made.id, pca=2))
    before = store.encoder(made.id)
    with pytest.raises(VanishedError, match="another made under its id"):
        store._write_encoder(claimed, made)
    assert store.encoder(made.id) == before


DAMAGES = {
    "SET e.steps = '[{}]'": "another one than it was made with",
    "SET e.steps = 'no json'": "none that cfgraph wrote",
    "REMOVE e.steps": "none that cfgraph wrote",
    "SET p.weights = p.steps": "none that cfgraph wrote",
    "SET x.number = 7": "parts of its encoder are missing",
    "DETACH DELETE p": "another one than it was made with",
    "DETACH DELETE e": "it has 0 encoders",
    "CREATE (h)-[:ENCODED_BY]->(:Encoder)": "it has 2 encoders",
    "SET h.encoder_sha256 = 'abc'": "another one than it was made with",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told(store, new_id, tmp_path, damage):
    made = make(new_id())
    store.write(made)
    found = "MATCH (h:Hierarchy {id: $id})-[:ENCODED_BY]->(e:Encoder)-[x:PART]->(p:EncoderPart) "
    store.query(found + damage, {"id": made.id}, write=True)
    with pytest.raises(DamagedError, match=DAMAGES[damage]):
        store.encoder(made.id)
    with pytest.raises(DamagedError):
        export_parquet(store, made.id, tmp_path / "it.parquet")
    assert not list(tmp_path.iterdir())
    assert verify(store, made.id).counts == {"encoder": 1}
    store.remove(made.id)


def test_one_that_nobody_speaks_of_is_found_by_verify(store, new_id):
    made = make(new_id())
    store.write(made)
    store.query("MATCH (h:Hierarchy {id: $id}) REMOVE h.encoder_sha256", {"id": made.id}, write=True)
    assert verify(store, made.id).counts == {"encoder": 1}


def test_parquet_is_the_way_back(store, new_id, in_parts, tmp_path):
    made, other = make(new_id()), new_id("other")
    store.write(made)
    export_parquet(store, made.id, tmp_path / "it.parquet")
    backup = parquet(tmp_path / "it.parquet", id=other)
    assert backup.hierarchy.encoder == made.encoder
    ingest_parquet(store, backup)
    assert store.encoder(other) == made.encoder
    assert apply(store, other, data=DATA) == apply(store, made.id, data=DATA)
    from cfgraph.formats.parquet import write_parquet

    write_parquet(store.read_whole(made.id), tmp_path / "memory.parquet")
    assert read_backup(tmp_path / "memory.parquet").hierarchy.encoder == made.encoder


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda meta: meta.pop(b"cfgraph.encoder.1"), "parts of its encoder are missing"),
        (lambda meta: meta.update({b"cfgraph.encoder.0": b"!"}), "no base64"),
        (lambda meta: meta.update({b"cfgraph.encoder.0": meta[b"cfgraph.encoder.1"]}), "another one than it was exported with"),
        (lambda meta: edit(meta, lambda told: told.pop("encoder")), "not the one that its hierarchy was made with"),
        (lambda meta: edit(meta, lambda told: told["encoder"].update(parts=0)), "greater than or equal to 1"),
        (lambda meta: edit(meta, lambda told: told["hierarchy"].pop("encoder_sha256")), "not the one that its hierarchy"),
        (lambda meta: edit(meta, lambda told: told["encoder"]["steps"][0].update(kind="rm -rf")), "another one than"),
    ],
)
def test_a_changed_file_is_refused(new_id, in_parts, tmp_path, change, told):
    from cfgraph.formats.parquet import write_parquet

    write_parquet(make("it"), tmp_path / "it.parquet")
    table = pq.read_table(tmp_path / "it.parquet")
    meta = {name: value for name, value in pq.read_metadata(tmp_path / "it.parquet").metadata.items() if b"ARROW" not in name}
    change(meta)
    pq.write_table(table.replace_schema_metadata(meta), tmp_path / "changed.parquet")
    with pytest.raises(InputError, match=told):
        parquet(tmp_path / "changed.parquet")


def edit(meta, change):
    """Change the JSON of a file's metadata."""
    told = json.loads(meta[b"cfgraph"])
    change(told)
    meta[b"cfgraph"] = json.dumps(told).encode()


def test_a_copy_that_grows_keeps_it(store, new_id):
    made, copy, rule = make(new_id(), pca=2), new_id("copy"), new_id("rule")
    store.write(made)
    store.write_predictor(train(made, id=rule, depth=2, family="mean"))
    rollout(store, made.id, predictor=rule, stop=Stop(depth=4), from_depth=2, copy_as=copy)
    assert store.encoder(copy) == made.encoder
    assert encode(store, copy, data=DATA).shape == (60, 2)
    assert {address.count("/") for address in apply(store, copy, data=DATA)} <= {1, 2, 3, 4}
    assert verify(store, copy).clean


def test_apply_in_memory_is_apply_in_the_store(store, new_id, run, tmp_path):
    data, _ = load_iris(return_X_y=True)
    made = dasgupta(id=new_id(), data=data, starts=1, points=True)
    store.write(made)
    found = apply(made, data=data)
    assert apply(store, made.id, data=data) == found
    own = [made.cells.addresses[row] for row in made.cell_of_point.tolist()]
    same = {address: np.flatnonzero((data == data[row]).all(axis=1)) for row, address in enumerate(own)}
    assert np.mean([own.index(address) in same[there] for address, there in zip(found, own, strict=True)]) >= 0.95
    np.save(tmp_path / "new.npy", data)
    told = run("apply", made.id, tmp_path / "new.npy", "--latents", tmp_path / "latents.npy")
    assert told.stdout.splitlines() == found
    np.testing.assert_array_equal(np.load(tmp_path / "latents.npy"), encode(made, data=data))
    short = run("apply", made.id, tmp_path / "new.npy", "--depth", 1).stdout.splitlines()
    assert set(short) == {"/0", "/1"}


def test_apply_refuses(store, new_id, run, tmp_path):
    made = make(new_id())
    store.write(made)
    with pytest.raises(InputError, match="5 columns"):
        apply(store, made.id, data=DATA[:, :4])
    with pytest.raises(InputError, match="row 3, column 1"):
        apply(store, made.id, data=np.where(np.arange(300).reshape(60, 5) == 16, np.nan, DATA))
    with pytest.raises(InputError, match="beam of at least 1"):
        apply(store, made.id, data=DATA, beam=0)
    np.save(tmp_path / "new.npy", DATA[:, :4])
    told = run("apply", made.id, tmp_path / "new.npy", "--latents", tmp_path / "latents.npy", code=2)
    assert "5 columns" in told.stderr
    assert not (tmp_path / "latents.npy").exists()
    bare = new_id("bare")
    store.write(dasgupta(id=bare, similarity=np.ones((4, 4)), starts=1))
    with pytest.raises(InputError, match="have no centers"):
        apply(store, bare, data=DATA)


@pytest.mark.slow("a server of its own")
@pytest.mark.parametrize("bulk", [False, True])
def test_through_neo4j_admin(store, new_id, tmp_path, in_parts, bulk):
    made, place = make(new_id(), pca=2), Place(tmp_path / "store")
    try:
        if bulk:
            place.bulk(made)
        else:
            store.write(made)
            from cfgraph.transfer.bulk import export_bulk

            export_bulk(store, made.id, tmp_path / "out")
            import_as_told(tmp_path / "out", place)
        with place.open() as found:
            assert found.encoder(made.id) == made.encoder
            assert verify(found, made.id).clean
            found.remove(made.id)
            assert found.query(ALL)[1] == [[0]]
    finally:
        place.server.stop()
