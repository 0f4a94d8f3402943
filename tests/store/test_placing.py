"""New data placed in a hierarchy: each row once, whatever happens meanwhile; and nobody takes it for the first data."""

import base64
import hashlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cfgraph import Stop, apply, rollout, train
from cfgraph.cli import run as run_here
from cfgraph.comparing.drift import drift
from cfgraph.errors import InputError, NotFoundError, VanishedError
from cfgraph.metric import place as placing
from cfgraph.metric.place import place
from cfgraph.sources import cfg, dasgupta, hcrl, linkage, parquet, points
from cfgraph.store import placing as store_placing
from cfgraph.store.verify import verify
from cfgraph.transfer.backup import export_parquet, ingest_parquet
from cfgraph.transfer.export import export
from cfgraph.transfer.pages import read_sound


def rows_of(seed, count, columns=4):
    """Points around three centers."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, columns)) + 6 * rng.integers(0, 3, size=(count, 1))


DATA, NEW = rows_of(3, 400), rows_of(4, 60)
POINTS = """
MATCH (p:Point)-[:IN]->(c:Cell) WHERE p.key >= $id + '/@' AND p.key < $id + '/A'
RETURN p.batch, p.row, c.address, p.name, p.distance, p.margin, p.outside ORDER BY p.batch, p.row
"""
LEFT = "MATCH (n:Point|Batch) WHERE n.key >= $id + '/' AND n.key < $id + '0' RETURN count(n)"


def placed_points(store, id):
    return store.query(POINTS, {"id": id})[1]


@pytest.fixture(scope="module")
def made(store):
    """A hierarchy whose data are nodes, in principal components."""
    made = points(id="placing", data=DATA, depth=3, pca=3, points=True)
    store.write(made)
    yield made
    store.remove(made.id)


@pytest.fixture
def batch(store, made, request):
    """A batch's name of the test's own, taken back at its end."""
    name = request.node.name[:60].replace("/", "|").replace("@", "|")
    yield name
    for one in store.batches(made.id):
        if one.name.startswith(name):
            store.remove_batch(made.id, one.name)


def test_each_row_is_in_the_cell_that_apply_finds(store, made, batch):
    before = store.digest(made.id)
    found = place(store, made.id, data=NEW, batch=batch, names=[f"n{row}" for row in range(60)])
    assert (found.batch.name, found.batch.state, found.batch.done, found.written, found.notes) == (batch, "placed", 60, 60, ())
    rows = placed_points(store, made.id)
    assert [row[1] for row in rows] == list(range(60))
    assert [row[2] for row in rows] == apply(store, made.id, data=NEW, beam=1)
    assert rows[7][3] == "n7"
    cells, x = made.cells, made.encoder and placing.pipeline_of(made, made).encode(NEW)
    for (_, _, address, _, distance, margin, outside), point in zip(rows, x, strict=True):
        row = cells.addresses.index(address)
        siblings = np.flatnonzero(cells.parent == cells.parent[row])
        far = np.linalg.norm(cells.center[siblings] - point, axis=1)
        own = np.linalg.norm(cells.center[row] - point)
        assert distance == pytest.approx(own)
        assert margin == pytest.approx(np.min(far[siblings != row]) - own)
        assert margin >= 0
        assert outside == (own > made.point_radius[address.count("/")])
    assert verify(store, made.id).clean
    assert store.digest(made.id) == before


def test_readers_of_first_data_leave_batches_out(store, made, batch):
    place(store, made.id, data=NEW, batch=batch)
    whole = store.read_whole(made.id)
    np.testing.assert_array_equal(whole.cell_of_point, made.cell_of_point)
    np.testing.assert_array_equal(read_sound(store, made).cell_of_point, made.cell_of_point)
    listed = [row for page in store.import_pages(made.id) for rows in page["points"] for row in rows]
    assert sorted(listed) == list(range(400))
    assert store.counts(made.id).cells == len(made.cells)
    assert store.stray_points(store.hierarchy(made.id)) == []


def test_the_data_themselves_come_to_their_own_cells(store, made, batch):
    found = place(store, made.id, data=DATA, batch=batch)
    assert found.notes == ("these are the very rows that 'placing' was made of",)
    where = [made.cells.addresses[row] for row in made.cell_of_point.tolist()]
    rows = placed_points(store, made.id)
    assert [row[2] for row in rows] == where
    assert not any(row[6] for row in rows)
    assert max(row[4] for row in rows if row[2].count("/") == 3) == pytest.approx(made.point_radius[3])


def test_levels_of_single_points_have_these_inside(store, new_id):
    """Where each point of a level is its cell's center their distances are rounding alone, however far away all is."""
    data = 1e5 + 1e-3 * rows_of(6, 24, columns=6)
    made = points(id=new_id(), data=data, depth=7, arity=2, pca=4)
    assert made.point_radius[made.cells.depth] == 0
    store.write(made)
    place(store, made.id, data=data)
    assert [row[2] for row in placed_points(store, made.id) if row[6]] == []
    place(store, made.id, data=data + 2e-3)
    assert any(row[6] for row in placed_points(store, made.id))


def test_outside_where_the_radii_of_data_are_not_known(store, new_id):
    """Cells that a predictor grew below the data, and a hierarchy of before they were kept."""
    made = points(id=new_id(), data=DATA, depth=2)
    store.write(made)
    rule = store.write_predictor(train(made, id=new_id("rule"), depth=2, family="recurrence"))
    rollout(store, made.id, predictor=rule.id, stop=Stop(depth=4))
    assert place(store, made.id, data=DATA).notes == (f"these are the very rows that {made.id!r} was made of",)
    rows = [row for row in placed_points(store, made.id) if row[2].count("/") == 4]
    limit = store.hierarchy(made.id).residual_bound * made.scale_factor**4 / (1 - made.scale_factor)
    assert [row[6] for row in rows] == [row[4] > limit for row in rows]
    assert len({row[4] > limit for row in rows} | {row[4] > made.point_radius[2] for row in rows}) == 2

    old = points(id=new_id("old"), data=DATA, depth=1)
    store.write(old.without_cells().replace(point_radius=None).with_cells(old.cells))
    assert "`outside` goes by R s^l / (1 - s)" in place(store, old.id, data=NEW).notes[0]


def test_memory_bounded_and_in_memory_alike(store, made, batch, monkeypatch):
    place(store, made.id, data=NEW, batch=batch, beam=2)
    one = placed_points(store, made.id)
    store.remove_batch(made.id, batch)
    monkeypatch.setattr(placing, "HELD_NUMBERS", 0)
    monkeypatch.setattr(placing, "PLACE_ROWS", 7)
    place(store, made.id, data=NEW, batch=batch, beam=2)
    other = placed_points(store, made.id)
    assert [row[:4] for row in one] == [row[:4] for row in other]
    np.testing.assert_allclose([row[4:] for row in one], [row[4:] for row in other], rtol=1e-12)


def test_twice_is_done_already(store, made, batch):
    first = place(store, made.id, data=NEW, batch=batch)
    again = place(store, made.id, data=NEW, batch=f"{batch}2")
    assert (again.batch, again.written) == (first.batch, 0)
    assert "placed already" in again.notes[0]
    assert len(placed_points(store, made.id)) == 60


def test_names_that_nobody_gave(store, new_id):
    made = points(id=new_id(), data=DATA, depth=1)
    store.write(made)
    assert [place(store, made.id, data=NEW[low : low + 5]).batch.name for low in (0, 5)] == ["batch-1", "batch-2"]
    store.remove_batch(made.id, "batch-1")
    assert place(store, made.id, data=NEW[10:15]).batch.name == "batch-1"
    assert [one.name for one in store.batches(made.id)] == ["batch-2", "batch-1"]


def test_bad_input_writes_nothing(store, made, batch):
    place(store, made.id, data=NEW[:5], batch=batch)
    for wrong, told, options in (
        (NEW[:, :3], "rows of 4 columns", {}),
        (np.where(np.arange(4) == 1, np.nan, NEW), "finite", {}),
        (NEW[:0], "at least one point", {}),
        (NEW, "60 names, one for each row, got 2", {"names": ["a", "b"]}),
        (NEW, "at least one character, got ''", {"names": [""] * 60}),
        (NEW, "without '/' and '@'", {"batch": "a/b"}),
        (NEW, "without '/' and '@'", {"batch": "@"}),
        (NEW, "holds other rows", {"batch": batch}),
        (NEW, "as beam, got 0", {"beam": 0}),
    ):
        with pytest.raises(InputError, match=told):
            place(store, made.id, data=wrong, **{"batch": f"{batch}2", **options})
    assert [one.name for one in store.batches(made.id) if one.name.startswith(batch)] == [batch]
    with pytest.raises(NotFoundError, match=f"no batch 'none' in 'placing': it has {batch[:20]}"):
        store.remove_batch(made.id, "none")
    with pytest.raises(NotFoundError, match="no hierarchy"):
        place(store, "nowhere", data=NEW)


def test_without_preparation_or_centers(store, new_id):
    old = points(id=new_id("old"), data=DATA, depth=1, pca=2)
    store.write(old.without_cells().replace(encoder_sha256=None).with_cells(old.cells))
    with pytest.raises(InputError, match="kept nothing of how its data was prepared"):
        place(store, old.id, data=NEW)
    bare = linkage(id=new_id("bare"), data=np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 3]]))
    store.write(bare)
    with pytest.raises(InputError, match="have no centers"):
        place(store, bare.id, data=NEW)


@pytest.mark.parametrize("source", ["dasgupta", "hcrl", "cfg"])
def test_other_hierarchies(store, new_id, source):
    """An imported tree with an encoder, a tree of Gaussians that is asked itself, a field that no data made."""
    makers = {
        "dasgupta": lambda id: dasgupta(id=id, data=DATA[:60], starts=1, passes=1),
        "hcrl": lambda id: hcrl(id=id, data=DATA[:60], depth=2, branching=3),
        "cfg": lambda id: cfg(id=id, arity=3, dimension=4, depth=3),
    }
    made = makers[source](new_id())
    store.write(made)
    found = place(store, made.id, data=NEW)
    radius, scale = made.cells.radius, made.cells.scale
    for row in placed_points(store, made.id):
        cell = made.cells.addresses.index(row[2])
        if source == "cfg":
            wanted = made.residual_bound * scale[cell] / (1 - made.scale_factor)
        else:
            wanted = radius[cell] if radius[cell] > 0 else scale[cell]
        assert row[6] == (row[4] > wanted)
    assert [row[2] for row in placed_points(store, made.id)] == apply(store, made.id, data=NEW)
    assert found.batch.beam == 4
    assert verify(store, made.id).clean


def test_removed_with_the_hierarchy(store, new_id):
    made = points(id=new_id(), data=DATA, depth=1)
    store.write(made)
    place(store, made.id, data=NEW)
    assert store.query(LEFT, {"id": made.id})[1] == [[61]]
    store.remove(made.id)
    assert store.query(LEFT, {"id": made.id})[1] == [[0]]


def test_taken_back_and_finished_where_that_was_interrupted(store, made, batch, monkeypatch):
    monkeypatch.setattr(store_placing, "PLACE_ROWS", 25)
    place(store, made.id, data=NEW, batch=batch)

    def stop(removed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.remove_batch(made.id, batch, progress=stop)
    assert len(placed_points(store, made.id)) == 35
    assert {one.invariant for one in verify(store, made.id).violations} == {"batch"}
    with pytest.raises(InputError, match="half removed; finish that: `cfgraph place placing --remove"):
        place(store, made.id, data=NEW, batch=batch)
    assert store.remove_batch(made.id, batch) == 35
    assert store.batches(made.id) == ()
    assert verify(store, made.id).clean
    assert place(store, made.id, data=NEW, batch=batch).written == 60


def test_parquet_brings_batches_back(store, made, batch, new_id, tmp_path, monkeypatch):
    place(store, made.id, data=NEW, batch=batch, names=[f"n{row}" for row in range(60)])
    place(store, made.id, data=rows_of(8, 25), batch=f"{batch}2")
    monkeypatch.setattr(store_placing, "PAGE_CELLS", 17)  # several parts
    export_parquet(store, made.id, tmp_path / "all.parquet")
    known = pq.read_metadata(tmp_path / "all.parquet").metadata
    told = json.loads(known[b"cfgraph"])
    assert told.pop("version") == 2  # which cfgraph refuses that knows no batches
    del told["digest"]
    first = {**known, b"cfgraph": json.dumps({**told, "version": 1}).encode()}
    pq.write_table(pq.read_table(tmp_path / "all.parquet").replace_schema_metadata(first), tmp_path / "first.parquet")
    assert [one.batch.name for one in parquet(tmp_path / "first.parquet").batches] == [batch, f"{batch}2"]
    id = new_id()
    backup = parquet(tmp_path / "all.parquet", id=id)
    monkeypatch.setattr("cfgraph.transfer.backup.PLACE_ROWS", 25)
    ingest_parquet(store, backup)
    assert placed_points(store, id) == placed_points(store, made.id)
    for one, other in zip(store.batches(made.id), store.batches(id), strict=True):
        assert one.model_dump(exclude={"hierarchy", "token"}) == other.model_dump(exclude={"hierarchy", "token"})
    assert store.digest(id) == store.digest(made.id)
    assert verify(store, id).clean
    ingest_parquet(store, backup)  # again: done
    assert len(placed_points(store, id)) == 85
    assert place(store, id, data=NEW).written == 0


def test_a_damaged_batch_in_a_parquet_file_is_refused(store, made, batch, tmp_path):
    place(store, made.id, data=NEW, batch=batch)
    export_parquet(store, made.id, tmp_path / "all.parquet")
    table, known = pq.read_table(tmp_path / "all.parquet"), pq.read_metadata(tmp_path / "all.parquet").metadata
    told = json.loads(known[b"cfgraph"])
    number = next(place for place, entry in enumerate(told["batches"]) if entry["name"] == batch)
    part = f"cfgraph.batch.{number}.0".encode()
    points = pa.ipc.open_stream(base64.b64decode(known[part])).read_all()

    def changed(name, values):
        column = pa.array(values, points.schema.field(name).type)
        sink = pa.BufferOutputStream()
        new = points.set_column(points.schema.get_field_index(name), points.schema.field(name), column)
        with pa.ipc.new_stream(sink, new.schema) as stream:
            stream.write_table(new)
        return sink.getvalue().to_pybytes()

    strange = {
        "is no base64": b"(",
        "no stream of points": b"none",
        "another one than was exported": None,
        "are not the rows 0 to 59": changed("row", [0] * 60),
        "which is no cell": changed("address", ["/7/7"] * 60),
        "no finite number": changed("distance", [-1.0] * 60),
        "have no outside": changed("outside", [None] * 60),
        "have other names": changed("name", ["a"] * 60),
    }
    for wanted, content in strange.items():
        edited = json.loads(json.dumps(told))
        del edited["digest"]
        if content is None:
            edited["batches"][number]["sha256"] = "0"
            content = base64.b64decode(known[part])
        elif content != b"(":
            edited["batches"][number]["sha256"] = hashlib.sha256(content).hexdigest()
        text = content if content == b"(" else base64.b64encode(content)
        metadata = {**known, part: text, b"cfgraph": json.dumps(edited).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "edited.parquet")
        with pytest.raises(InputError, match=wanted):
            parquet(tmp_path / "edited.parquet")


def test_an_export_with_half_a_batch_is_refused(store, made, batch, tmp_path, monkeypatch):
    monkeypatch.setattr(placing, "PLACE_ROWS", 25)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(store, made.id, data=NEW, batch=batch, progress=stop)
    with pytest.raises(InputError, match="has 25 of 60 points, and is in state 'placing'; finish that by the same command"):
        export_parquet(store, made.id, tmp_path / "all.parquet", progress=lambda done, total: pytest.fail("cells were read"))
    said = []
    export(store, made.id, output=tmp_path / "all.graphml", say=said.append)
    assert said == [f"graphml leaves out data that was placed: batch {batch} of 'placing'; parquet holds it"]


def test_stopped_it_goes_on(store, made, batch, monkeypatch):
    monkeypatch.setattr(placing, "PLACE_ROWS", 25)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(store, made.id, data=NEW, batch=batch, progress=stop)
    (found,) = store.batches(made.id)
    assert (found.state, found.done, len(placed_points(store, made.id))) == ("placing", 25, 25)
    assert verify(store, made.id).clean
    with pytest.raises(InputError, match="with other --beam; go on with the same"):
        place(store, made.id, data=NEW, batch=batch, beam=3)
    with pytest.raises(InputError, match="with other names"):
        place(store, made.id, data=NEW, batch=batch, names=list(map(str, range(60))))
    found = place(store, made.id, data=NEW)  # by its digest, whatever it is called
    assert (found.batch.name, found.written, found.notes) == (batch, 35, ("25 of these rows were placed before",))
    assert [row[1] for row in placed_points(store, made.id)] == list(range(60))


def test_where_it_is_grown_meanwhile_nothing_goes_on(store, new_id, monkeypatch):
    """Half of a batch on one depth and half on another would be no batch at all."""
    made = points(id=new_id(), data=DATA, depth=2)
    store.write(made)
    rule = store.write_predictor(train(made, id=new_id("rule"), depth=2, family="recurrence"))
    before = store.counts(made.id).cells
    whole = place(store, made.id, data=rows_of(8, 40), batch="before")
    assert whole.batch.cells == before
    monkeypatch.setattr(placing, "PLACE_ROWS", 25)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(store, made.id, data=NEW, batch="half", progress=stop)
    rollout(store, made.id, predictor=rule.id, stop=Stop(depth=3))
    told = f"25 of these 60 rows are placed as batch 'half', located in {before} cells, and .* was grown since.*--remove half"
    with pytest.raises(InputError, match=told):
        place(store, made.id, data=NEW, batch="half")
    assert len(placed_points(store, made.id)) == 65
    store.remove_batch(made.id, "half")
    assert place(store, made.id, data=NEW, batch="half").batch.cells == store.counts(made.id).cells > before
    again = place(store, made.id, data=rows_of(8, 40))
    assert again.written == 0
    assert f"they were located in {before} cells" in again.notes[1]
    with pytest.raises(
        InputError, match=f"'half' was located in .* cells, and batch 'before' located in {before} cells.*'before'"
    ):
        drift(store, made.id, batch="half", against="before")
    assert drift(store, made.id, batch="half").reference == 400  # above what was grown
    assert verify(store, made.id).clean


def test_the_same_images_embedded_elsewhere_do_not_go_on_as_others(store, made, batch, monkeypatch):
    """Their names are the same, and the last digits of their embeddings are not."""
    monkeypatch.setattr(placing, "PLACE_ROWS", 25)
    named = [f"{row}.png" for row in range(60)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(store, made.id, data=NEW, names=named, batch=batch, progress=stop)
    for name in (None, batch, f"{batch}2"):
        with pytest.raises(InputError, match=r"of just these names are placed as batch .*embedded on another device.*--remove"):
            place(store, made.id, data=NEW * (1 + 1e-12), names=named, batch=name)
    assert len(placed_points(store, made.id)) == 25
    other = place(store, made.id, data=rows_of(9, 60), names=[f"b{row}.png" for row in range(60)], batch=f"{batch}2")
    assert other.written == 60  # others may go in meanwhile
    assert place(store, made.id, data=NEW, names=named).written == 35


def test_two_at_once_place_each_row_once(store, made, batch, monkeypatch):
    monkeypatch.setattr(placing, "PLACE_ROWS", 5)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: place(store, made.id, data=NEW, batch=batch), range(2)))
    assert [one.batch.state for one in both] == ["placed", "placed"]
    assert [row[1] for row in placed_points(store, made.id)] == list(range(60))
    assert verify(store, made.id).clean


def test_one_that_is_removed_or_made_again_meanwhile(store, new_id, monkeypatch):
    monkeypatch.setattr(placing, "PLACE_ROWS", 20)
    made = points(id=new_id(), data=DATA, depth=1)
    for again in (False, True):
        store.write(made)

        def remove(done, total, again=again):
            store.remove(made.id)
            if again:
                store.write(made)

        with pytest.raises(VanishedError, match="removed"):
            place(store, made.id, data=NEW, progress=remove)
        assert store.query(LEFT, {"id": made.id})[1] == [[0]]
    store.remove(made.id)


def test_each_transaction_proves_the_incarnation(store, new_id, monkeypatch):
    """Whoever wakes up with rows for a hierarchy, or a batch, that was made again writes nothing into the new one."""
    made = points(id=new_id(), data=DATA, depth=1)
    store.write(made)
    first = place(store, made.id, data=NEW[:10], batch="b").batch
    late = first.model_copy(update={"done": 0})
    held = store.hierarchy(made.id)
    piece = [(row, "/0", None, 1.0, None, False) for row in range(10)]
    store.remove_batch(made.id, "b")
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        store.place_rows(held, late, piece)
    place(store, made.id, data=NEW[:10], batch="b")
    with pytest.raises(VanishedError, match="was removed meanwhile"):
        store.place_rows(held, late, piece)
    begun = store.begin_batch(held, store_placing.NewBatch(rows=10, digest="d", beam=1, version="0"))[0]
    store.query("MATCH (h:Hierarchy {id: $id}) SET h.incarnation = 'another'", {"id": made.id}, write=True)
    with pytest.raises(VanishedError, match="another made under its id"):
        store.place_rows(held, begun, piece)
    assert store.batch(made.id, begun.name).done == 0


def test_where_all_cells_of_a_piece_are_gone(store, new_id):
    made = points(id=new_id(), data=DATA, depth=1)
    store.write(made)
    held = store.hierarchy(made.id)
    begun = store.begin_batch(held, store_placing.NewBatch(rows=10, digest="d", beam=1, version="0"))[0]
    with pytest.raises(VanishedError, match="lost cells meanwhile"):
        store.place_rows(held, begun, [(row, "/7/7", None, 1.0, None, False) for row in range(10)])
    assert store.batch(made.id, begun.name).done == 0


def test_cells_are_locked_in_one_order(store, made, batch, monkeypatch):
    """Two batches that come by the same cells in other orders would each wait for the other."""
    sent = []

    def spy(tx, operation, **parameters):
        if operation == "create_batch_points":
            sent.append([row[1] for row in parameters["rows"]])
        return run_operation(tx, operation, **parameters)

    run_operation = store_placing.run_operation
    monkeypatch.setattr(store_placing, "run_operation", spy)
    monkeypatch.setattr(placing, "PLACE_ROWS", 25)
    place(store, made.id, data=NEW, batch=batch)
    assert [len(piece) for piece in sent] == [25, 25, 10]
    assert all(piece == sorted(piece) for piece in sent)
    assert [row[1] for row in placed_points(store, made.id)] == list(range(60))


@pytest.mark.slow("a process that is killed, and one that goes on")
def test_killed_it_goes_on_and_writes_each_row_once(store, new_id, run, tmp_path):
    made = points(id=new_id(), data=DATA, depth=3)
    store.write(made)
    rows = rows_of(5, 40_000)
    np.save(tmp_path / "new.npy", rows)
    process = run.start("place", made.id, tmp_path / "new.npy", "--batch", "night")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(one.done for one in store.batches(made.id)):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (half,) = store.batches(made.id)
    assert 0 < half.done < 40_000, half
    assert verify(store, made.id).clean
    out = run("place", made.id, tmp_path / "new.npy", "--batch", "night").stdout
    assert out == f"placed 40,000 points in {made.id} as batch night\n"
    found = placed_points(store, made.id)
    assert [row[1] for row in found] == list(range(40_000))
    assert [row[2] for row in found] == apply(made, data=rows, beam=1)
    assert verify(store, made.id).clean


def test_command(store, store_url, made, batch, capfd, tmp_path):
    def run(*words, code=0):
        assert run_here(["--store", store_url, "place", made.id, *map(str, words)]) == code
        return capfd.readouterr()

    np.save(tmp_path / "new.npy", NEW)
    (tmp_path / "names.txt").write_text("".join(f"n{row}\n" for row in range(60)))
    named = (tmp_path / "new.npy", "--batch", batch, "--names", tmp_path / "names.txt")
    assert run(*named).out == f"placed 60 points in placing as batch {batch}\n"
    assert batch[:20] in run().out
    assert "placed already" in run(*named).err
    for option in (
        "--key x",
        "--columns a",
        "--header no",
        "--large",
        "--beam 2",
        "--encoder e",
        "--device cpu",
        "--skip-broken",
    ):
        for words in (("--remove", batch), ()):
            assert f"{option.split()[0]} is about rows to place" in run(*words, *option.split(), code=2).err
    assert store.batch(made.id, batch).done == 60
    assert run("--remove", batch).out == f"took batch {batch} back from placing: 60 points\n"
    assert "no batch was placed" in run().err
    assert "about rows to place" in run("--batch", "x", code=2).err
    assert "no batch" in run("--remove", "x", code=2).err
