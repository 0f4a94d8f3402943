"""The explorer over fields in folders: the same cells as in memory, read as they are looked at."""

import numpy as np
import pytest

import cfgraph
from cfgraph import sources
from cfgraph.errors import InputError, NotFoundError
from cfgraph.exploring.memory import Memory
from cfgraph.exploring.panel import tell_cell
from cfgraph.exploring.scene import Scene
from cfgraph.exploring.start import Asked, explored_of
from cfgraph.formats.folders.plan import plan_of
from cfgraph.formats.folders.reader import open_folder
from cfgraph.growing.folder import FolderTask, grow_folder
from cfgraph.model import sheets
from cfgraph.predictors.trained import Grower, grown_field
from cfgraph.sources.ifs import field
from cfgraph.transfer.fields import write_field
from tests.unit.test_exploring_cut import at_home, seen_from

GROWTH = {"stop": '{"depth": 6}', "from_depth": 2, "to_depth": 6, "block_height": 2, "done": True}
DEPTH = 6


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A Koch curve, and what a predictor makes of its prefix, each in a folder; and the curve in memory."""
    place = tmp_path_factory.mktemp("explored")
    truth = sources.ifs("koch", id="koch", depth=DEPTH)
    trained = cfgraph.train(truth.with_cells(truth.cells.prefix(3)), family="affine", id="rule")
    copy = grown_field(trained, truth, id="copy", cells=truth.cells.prefix(2), from_depth=2, stop={"depth": DEPTH})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "SHEET_BYTES", 40_000)
        write_field(field(id="koch", maps="koch", depth=DEPTH), str(place / "koch"))
        plan = plan_of(
            copy.without_cells(), copy.cells, depth=DEPTH, height=2, growers=(Grower(trained, [GROWTH]),), predicts="koch"
        )
        grow_folder(FolderTask(str(place / "copy"), plan, copy.cells, trained=trained))
    return place, truth


def of(place, name, **asked):
    return explored_of(None, Asked(id=f"{place / name}/", browser=False, **asked), place="a place")


def never():
    return False


@pytest.mark.parametrize("beside", [None, "copy"])
def test_a_folder_is_seen_as_in_memory(folders, beside):
    place, truth = folders
    explored = of(place, "koch", beside=None if beside is None else f"{place / beside}/")
    held = Scene.of(truth)
    with explored.scenes.use(explored.id, explored.beside, gone=never) as scene:
        for view in (at_home(held, z=0.5), at_home(held, z=5.0), seen_from(None, "/1/2/3/0/1/2/2/2", z=400.0)):
            cut, wanted = scene.cut(view, color="stored", px=20.0), held.cut(view, color="stored", px=20.0)
            assert cut.addresses() == wanted.addresses()
            assert np.abs(cut.x - wanted.x).max() < 1e-3
            assert cut.header["stored"] == wanted.header["stored"]
        assert scene.describe()["stored_depth"] == DEPTH
        if beside is not None:
            assert scene.worst(3)[0]["address"].count("/") > 2


def test_memory_is_bounded_while_all_is_looked_at(folders):
    place, truth = folders
    memory, held = Memory(2**20), Scene.of(truth)
    scene, most = Scene.open(open_folder(f"{place / 'koch'}/"), memory=memory), 0
    for slot in range(4):
        view = seen_from(None, f"/{slot}", z=600.0)
        assert scene.cut(view, px=1.0).addresses() == held.cut(view, px=1.0).addresses()
        with scene.asked():
            most = max(most, memory.bytes)
    assert 2**17 < most <= 2**20


@pytest.mark.parametrize("address", ["/", "/1", "/1/2", "/1/2/3/0", "/0/1/2/3/0/1", "/0/1/2/3/0/1/2"])
@pytest.mark.parametrize("name", ["koch", "copy"])
def test_what_is_told_of_a_cell_is_what_memory_tells(folders, name, address):
    place, _ = folders
    library = of(place, name).library
    reader = open_folder(f"{place / name}/")
    held = explored_of_memory(reader)
    told, wanted = (
        tell_cell(one, name, address, field=one.field(name), beside=None, place="p") for one in (library, held.library)
    )
    assert f"open_folder('{place / name}/')" in told.pop("python")
    assert "sources.parquet" in wanted.pop("python")
    for key in ("radius", "reach"):  # bounds: of what is stored as a whole, or of the rule
        told.pop(key), wanted.pop(key)
    assert told == wanted


def explored_of_memory(reader):
    from cfgraph.exploring.start import Shelved, of_cells

    hierarchy = reader.hierarchy.with_cells(reader.read(top="/", depth=DEPTH))
    predictor = reader.growers[0].trained if reader.growers else None
    return of_cells([Shelved(hierarchy, predictor)], Asked(), place="p")


def test_cells_below_many_are_counted_and_not_read(folders, monkeypatch):
    place, _ = folders
    library = of(place, "copy").library
    whole, few = (library.measure_below("copy", "/", most=most) for most in (10_000, 100))
    assert whole.cells == few.cells == 5461
    assert (
        (few.depth, few.frontier, few.predicted) == (DEPTH, 4**6, 5461 - 21) == (whole.depth, whole.frontier, whole.predicted)
    )
    assert few.farthest is None
    assert whole.farthest > 0


def test_folders_are_listed_beside_one_another_and_beside_files(folders, tmp_path):
    place, truth = folders
    cfgraph.export(truth, tmp_path / "koch.parquet")
    explored = explored_of(None, Asked(id=str(tmp_path / "koch.parquet"), beside=f"{place / 'koch'}/"), place="p")
    assert [(row["id"], row["cells"]) for row in explored.library.hierarchies()] == [("koch", 5461), ("koch (beside)", 5461)]
    assert (explored.id, explored.beside) == ("koch", "koch (beside)")
    with pytest.raises(NotFoundError, match="there are: koch, koch \\(beside\\)"):
        explored.library.hierarchy("other")
    with explored.scenes.use("koch (beside)", None, gone=never) as scene:
        assert scene.describe()["origin"] == "ifs"


def test_python_opens_a_folder(folders):
    place, _ = folders
    reader = open_folder(f"{place / 'koch'}/")
    with cfgraph.explore(reader, beside=f"{place / 'copy'}/", browser=False) as page:
        assert page.address.endswith("id=koch&beside=copy")
    with cfgraph.explore(place / "koch", browser=False) as page:
        assert page.address.endswith("id=koch")
    with pytest.raises(InputError, match="beside a file stands another file, or a field's folder, got 'koch'"):
        cfgraph.explore(reader, beside="koch", browser=False)
