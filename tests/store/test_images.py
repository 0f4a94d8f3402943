"""Images in the graph: points with the names of their files, written, exported, read back, and new images located."""

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

from cfgraph import apply, encode  # noqa: E402 - behind Pillow
from cfgraph.sources import images, parquet  # noqa: E402
from cfgraph.store.verify import verify  # noqa: E402
from cfgraph.transfer.backup import export_parquet, ingest_parquet  # noqa: E402
from cfgraph.transfer.bulk import export_bulk  # noqa: E402
from tests.store.test_bulk import Place, import_as_told  # noqa: E402

NAMES = "MATCH (p:Point {hierarchy: $id})-[:IN]->(c:Cell) RETURN p.name, substring(c.key, size($id)) ORDER BY p.row"


@pytest.fixture
def folder(tmp_path):
    """Red and blue images in class folders."""
    for kind, color in (("red", (250, 10, 10)), ('blue, "dark"', (10, 10, 200))):
        (tmp_path / "pictures" / kind).mkdir(parents=True)
        for number in range(4):
            shade = tuple(min(255, part + 4 * number) for part in color)
            Image.new("RGB", (4, 3), shade).save(tmp_path / "pictures" / kind / f"{number}.png")
    return tmp_path / "pictures"


def make(id, folder):
    return images(id=id, data=folder, arity=2, depth=2, pca=2, minimum_size=4, points=True)


def test_names_are_kept_and_come_back(store, new_id, folder, tmp_path):
    made, other = make(new_id(), folder), new_id("other")
    store.write(made)
    own = [made.cells.addresses[cell] for cell in made.cell_of_point.tolist()]
    found = store.query(NAMES, {"id": made.id})[1]
    assert found == [list(pair) for pair in zip(made.point_names, own, strict=True)]
    assert store.read_whole(made.id).point_names == made.point_names
    assert verify(store, made.id).clean
    assert store.encoder(made.id) == made.encoder
    assert apply(store, made.id, data=folder) == own
    np.testing.assert_array_equal(encode(store, made.id, data=folder), encode(made, data=folder))
    export_parquet(store, made.id, tmp_path / "it.parquet")
    backup = parquet(tmp_path / "it.parquet", id=other)
    assert backup.hierarchy.point_names == made.point_names
    ingest_parquet(store, backup)
    assert store.query(NAMES, {"id": other})[1] == found
    assert apply(store, other, data=folder) == own


def test_the_commands_tell_names(store, new_id, folder, run, tmp_path):
    id = new_id()
    words = ["ingest", "images", folder, "--arity", 2, "--depth", 1, "--points", "--as", id]
    assert f"{id}: 3 cells, depth 1, arity 2, dimension 36" in run(*words).stdout
    again = run("apply", id, folder / "red", "--latents", tmp_path / "it.npy").stdout.splitlines()
    assert [line.split()[1] for line in again] == [f"{number}.png" for number in range(4)]
    assert len({line.split()[0] for line in again}) == 1
    assert np.load(tmp_path / "it.npy").shape == (4, 36)
    np.save(tmp_path / "it.npy", np.full((2, 3, 4, 3), 255, np.uint8))
    assert [line.split()[1] for line in run("apply", id, tmp_path / "it.npy").stdout.splitlines()] == ["0", "1"]
    (folder / "red" / "9.png").write_bytes(b"none")
    told = run("apply", id, folder, code=2).stderr
    assert "1 of 9 images" in told
    assert "'red/9.png': no image that can be decoded" in told
    assert len(run("apply", id, folder, "--skip-broken").stdout.splitlines()) == 8
    assert "no device" not in run(*words[:-1], new_id("b"), "--skip-broken").stderr
    assert "got 'timn:resnet50'; perhaps timm" in run(*words, "--encoder", "timn:resnet50", code=2).stderr


@pytest.mark.slow("a server of its own")
def test_names_go_through_neo4j_admin(store, new_id, folder, tmp_path):
    made, place = make(new_id(), folder), Place(tmp_path / "store")
    store.write(made)
    try:
        export_bulk(store, made.id, tmp_path / "out")
        import_as_told(tmp_path / "out", place)
        with place.open() as found:
            assert found.read_whole(made.id).point_names == made.point_names
            assert verify(found, made.id).clean
    finally:
        place.server.stop()
