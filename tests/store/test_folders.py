"""Rollouts into folders: the same cells, down to the last bit, that a rollout leaves in the graph."""

import numpy as np
import pytest

import cfgraph
from cfgraph import sources
from cfgraph.cli import run
from cfgraph.errors import InputError
from cfgraph.exploring.start import Asked, of_store
from cfgraph.files.arrays import points_of
from cfgraph.formats.folders.plan import plan_of
from cfgraph.formats.folders.reader import FolderReader, open_folder
from cfgraph.growing.folder import FolderTask, grow_folder
from cfgraph.model.cells import LEAF
from cfgraph.predictors.trained import Grower, grown_field
from cfgraph.server.local import LocalServer
from cfgraph.settings import Settings
from cfgraph.sources.folder import backup_of
from cfgraph.sources.ifs import field
from cfgraph.sources.induced import field as field_of_points
from cfgraph.store import Store
from cfgraph.store.verify import verify
from cfgraph.transfer.backup import ingest_parquet
from cfgraph.transfer.bulk import ingest_bulk
from cfgraph.transfer.fields import write_field


@pytest.fixture(scope="module")
def ragged():
    """Points of which some cells are not split: a prefix with leaves."""
    random = np.random.default_rng(3)
    points = np.concatenate([random.normal(size=(40, 2)), 5 + 0.01 * random.normal(size=(5, 2))])
    return sources.points(points, depth=3, arity=3, minimum_size=4)


def learn(store, hierarchy, family, id):
    """Write a hierarchy, and a predictor that learned from it."""
    store.write(hierarchy)
    store.write_predictor(cfgraph.train(hierarchy, id=id, family=family))


@pytest.mark.parametrize(("family", "from_depth"), [("recurrence", 2), ("local-linear", 3), ("recurrence", 0)])
def test_a_rollout_into_a_folder_is_that_of_the_graph(store, new_id, tmp_path, family, from_depth):
    koch, rule, copy = new_id("koch"), new_id("rule"), new_id("copy")
    learn(store, sources.ifs("koch", id=koch, depth=3), family, rule)
    grown = {"predictor": rule, "from_depth": from_depth, "copy_as": copy, "to_depth": 7}
    first = cfgraph.rollout(store, koch, **grown)
    found = cfgraph.rollout(store, koch, output=tmp_path / "copy", **grown)
    assert (found.grown, found.to_depth, found.finished) == (first.grown, 7, True)
    reader = open_folder(f"{tmp_path / 'copy'}/")
    assert reader.manifest.digest == store.digest(copy)
    assert reader.hierarchy.recipe == store.hierarchy(copy).recipe
    assert [grower.trained.id for grower in reader.growers] == [rule]
    assert cfgraph.rollout(store, koch, output=tmp_path / "copy", **grown).grown == 0
    if from_depth == 2:
        check_the_way_in(store, reader, new_id("in"), rule)


def check_the_way_in(store, reader, id, rule):
    """A folder written into the store is the same hierarchy, grown by the same predictor, and grows on."""
    ingest_parquet(store, backup_of(reader, id=id))
    assert store.digest(id) == reader.manifest.digest
    assert verify(store, id).clean
    assert [growth.predictor for growth in store.read_growth(id)] == [rule]
    report = cfgraph.compare(store, store.read_copies(store.hierarchy(id).recipe["of"])[0][0], f"{reader.place}/")
    assert report.from_depth == 2
    assert report.levels[-1].rolled_out.max_center_error == 0


def test_a_predictor_learns_from_a_folder(store, store_url, new_id, tmp_path, capsys):
    koch, rule = new_id("koch"), new_id("rule")
    write_field(field(id=koch, maps="koch", depth=4), str(tmp_path / "koch"))
    words = ["--store", store_url, "train", f"{tmp_path / 'koch'}/", "--depth", "3", "--as", rule]
    assert run(words) == 0, capsys.readouterr().err
    assert store.predictor(rule).recipe == cfgraph.train(sources.ifs("koch", id=koch, depth=4), id=rule, depth=3).recipe
    store.write(sources.ifs("koch", id=koch, depth=2))
    assert run([*words[:-1], new_id("other")]) == 2
    assert "holds another hierarchy of that id" in capsys.readouterr().err


def test_a_folder_stands_beside_what_a_store_holds(store, new_id, tmp_path):
    koch = new_id("koch")
    truth = sources.ifs("koch", id=koch, depth=4)
    store.write(truth)
    write_field(field(id=koch, maps="koch", depth=5), str(tmp_path / "koch"))
    explored = of_store(store, Asked(id=koch, beside=f"{tmp_path / 'koch'}/"), place=store.place)
    rows = {row["id"]: row["cells"] for row in explored.library.hierarchies()}
    assert (rows[koch], rows[f"{koch} (beside)"]) == (None, 1365)
    with explored.scenes.use(koch, f"{koch} (beside)", gone=lambda: False) as scene:
        assert isinstance(scene.beside.field.reader, FolderReader)
        assert scene.worst(3) == []  # residuals are the same bits
    found = cfgraph.diff(koch, f"{tmp_path / 'koch'}/", store=store)
    assert (found.equal, found.first_level, found.cells_read) == (False, 5, 341 + 1365)


@pytest.mark.slow("an import into a server of its own")
def test_a_folder_goes_through_neo4j_admin(tmp_path):
    """With its predictor and how it grew it: `verify` is clean, and what grows on goes on from it."""
    truth = sources.ifs("koch", depth=4)
    trained = cfgraph.train(truth, id="rule")
    copy = grown_field(trained, truth, id="copy", cells=truth.cells.prefix(2), from_depth=2, stop={"depth": 6})
    growth = {"stop": '{"depth": 6}', "from_depth": 2, "to_depth": 6, "block_height": 6, "done": True, "since": 1}
    known = {"growers": (Grower(trained, [growth]),), "predicts": "ifs"}
    plan = plan_of(copy.without_cells(), copy.cells, depth=6, height=6, **known)
    report = grow_folder(FolderTask(str(tmp_path / "copy"), plan, copy.cells, trained=trained))
    url, settings = f"local:{tmp_path / 'store'}", Settings(_env_file=None)
    server = LocalServer(tmp_path / "store", settings=settings)
    try:
        found = ingest_bulk(url, open_folder(f"{tmp_path / 'copy'}/").renamed("in"), settings=settings)
        assert (found.cells, found.depth, found.hierarchy.id) == (report.cells, 6, "in")
        with Store.open(url, settings=settings) as store:
            assert store.digest("in") == report.digest
            checked = verify(store, "in")
            assert (checked.clean, checked.grown, checked.cells) == (True, True, report.cells)
            assert [growth.predictor for growth in store.read_growth("in")] == ["rule"]
            assert store.predictor("rule").weights == trained.weights
            assert cfgraph.rollout(store, "in", predictor="rule", to_depth=7).grown == 4**7
            assert verify(store, "in").clean
            assert store.digest("in") == digest_of_deeper(tmp_path, copy, trained)
        with pytest.raises(InputError, match="fills an empty store"):
            ingest_bulk(url, open_folder(f"{tmp_path / 'copy'}/"), settings=settings)
    finally:
        server.stop()


@pytest.mark.slow("an import into a server of its own")
def test_a_folder_with_an_encoder_goes_through_neo4j_admin(tmp_path):
    data = points_of(np.random.default_rng(0).normal(size=(60, 3)))
    report = write_field(field_of_points(data, id="induced", depth=4), str(tmp_path / "induced"))
    url, settings = f"local:{tmp_path / 'store'}", Settings(_env_file=None)
    server = LocalServer(tmp_path / "store", settings=settings)
    try:
        source = open_folder(f"{tmp_path / 'induced'}/")
        ingest_bulk(url, source, settings=settings)
        with Store.open(url, settings=settings) as store:
            assert store.digest("induced") == report.digest
            assert verify(store, "induced").clean
            assert store.encoder(store.hierarchy("induced")).digest == source.encoder().digest
    finally:
        server.stop()


def digest_of_deeper(tmp_path, copy, trained):
    """The digest of the same growth to one more level, in a folder."""
    plan = plan_of(copy.without_cells(), copy.cells, depth=6, height=6, growers=(Grower(trained, []),))
    reader = open_folder(f"{tmp_path / 'copy'}/")
    cells = reader.read(top="/", depth=6)
    deeper = plan_of(copy.without_cells(), cells, depth=7, height=plan.cut.height, growers=(Grower(trained, []),))
    return grow_folder(FolderTask(str(tmp_path / "deeper"), deeper, cells, trained=trained)).digest


def test_leaves_of_a_prefix_stay_leaves(store, new_id, tmp_path, ragged):
    points, rule, copy = new_id("points"), new_id("rule"), new_id("copy")
    learn(store, ragged.replace(id=points), "mean", rule)
    grown = {"predictor": rule, "from_depth": 2, "copy_as": copy, "to_depth": 6}
    cfgraph.rollout(store, points, **grown)
    cfgraph.rollout(store, points, output=tmp_path / "copy", **grown)
    reader = open_folder(f"{tmp_path / 'copy'}/")
    assert (reader.prefix.state == LEAF).any()
    assert reader.manifest.digest == store.digest(copy)
    assert reader.count() == store.counts(copy).cells


def test_a_folder_takes_whole_copies_to_a_depth(store, new_id, tmp_path):
    koch, rule = new_id("koch"), new_id("rule")
    learn(store, sources.ifs("koch", id=koch, depth=2), "mean", rule)
    known = {"predictor": rule, "output": tmp_path / "it"}
    with pytest.raises(InputError, match="it needs --from-depth and --as"):
        cfgraph.rollout(store, koch, to_depth=4, **known)
    with pytest.raises(InputError, match="needs the depth that is aimed at"):
        cfgraph.rollout(store, koch, from_depth=1, copy_as="it", cells=100, **known)
    with pytest.raises(InputError, match="so no prefix of depth 5"):
        cfgraph.rollout(store, koch, from_depth=5, copy_as="it", to_depth=6, **known)
    assert not (tmp_path / "it").exists()
