"""Exports: read again they are what they were; a failure leaves what was there."""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from cfgraph.errors import InputError
from cfgraph.formats import (
    choose_format,
    export_hierarchy,
    read_gexf,
    read_graphml,
    read_node_link,
    to_networkx,
    whole_file,
    write_gexf,
    write_graphml,
    write_node_link,
)
from cfgraph.formats.elements import Elements, elements_of_cells
from cfgraph.metric.distances import path_distances, subtree_radii
from cfgraph.model.cells import LEAF
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.transfer.export import export
from tests.trees import ragged_cells, smooth_cells

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def hierarchy_of(cells, **fields) -> Hierarchy:
    known = {"id": 'a <b> & "ç"', "origin": "test", "arity": 7, "scale_factor": 0.5, "residual_bound": 8.0}
    recipe = {"source": "test", "list": [1, 2.5, None], "nothing": None}
    return Hierarchy(
        **{**known, "dimension": cells.dimension, "recipe": recipe, "notes": ("one", "two"), **fields}, cells=cells
    )


@given(ragged_cells())
def test_to_networkx_has_every_cell_and_edge(cells):
    graph = to_networkx(cells)
    assert list(graph) == cells.addresses
    assert graph.number_of_edges() == len(cells) - 1
    for row, (address, values) in enumerate(graph.nodes(data=True)):
        assert values["center"] == cells.center[row].tolist()
        assert (values["level"], values["scale"]) == (cells.level[row], cells.scale[row])
        assert values["state"] == ("Expanded", "Frontier", "Leaf")[cells.state[row]]
        if row:
            edge = graph.edges[cells.addresses[cells.parent[row]], address]
            assert edge["residual"] == cells.residual[row].tolist()
            assert (edge["slot"], edge["weight"]) == (cells.slot[row], edge["length"])


def test_shortest_paths_on_the_export_are_the_path_metric(tmp_path):
    cells, rng = smooth_cells(5), np.random.default_rng(0)
    write_node_link(to_networkx(cells), tmp_path / "h.json")
    graph = read_node_link(tmp_path / "h.json").to_undirected()
    first, second = rng.integers(0, len(cells), (2, 100))
    expected = [
        nx.shortest_path_length(graph, cells.addresses[a], cells.addresses[b], weight="weight")
        for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(path_distances(cells, first, second), expected, rtol=1e-12, atol=1e-15)


@SAME_FOLDER
@given(cells=ragged_cells())
@pytest.mark.parametrize(("name", "read"), [("h.graphml", read_graphml), ("h.json", read_node_link)])
def test_an_export_read_again_is_the_same_graph(name, read, cells, tmp_path):
    radius = subtree_radii(cells)  # NaN above a frontier
    sized = cells.with_columns(radius=radius, size=np.arange(len(cells)), predicted=cells.level > 1)
    hierarchy = hierarchy_of(sized)
    export_hierarchy(hierarchy, tmp_path / name)
    again, graph = read(tmp_path / name), to_networkx(sized, hierarchy=hierarchy)
    assert again.graph == graph.graph
    assert nx.utils.graphs_equal(again, graph)
    assert list(again) == list(graph)
    for row, values in enumerate(again.nodes.values()):
        assert values.get("radius") == (None if np.isnan(radius[row]) else radius[row])


def test_what_networkx_itself_reads(tmp_path):
    cells = smooth_cells(2)
    hierarchy = hierarchy_of(cells)
    export_hierarchy(hierarchy, tmp_path / "h.graphml")
    export_hierarchy(hierarchy, tmp_path / "h.json")
    graph = nx.read_graphml(tmp_path / "h.graphml")
    assert json.loads(graph.nodes["/3/1"]["center"]) == cells.center[cells.row("/3/1")].tolist()
    assert sorted(json.loads(graph.graph["json_text"])) == ["center", "notes", "own", "own_kinds", "recipe", "residual"]
    again = nx.node_link_graph(json.loads((tmp_path / "h.json").read_text()), edges="edges")
    assert again.graph["recipe"] == hierarchy.recipe
    assert again.is_directed()


def test_a_hierarchy_of_one_cell_and_no_dimension(tmp_path):
    cells = smooth_cells(0)
    flat = cells.with_columns(center=np.zeros((1, 0)), residual=np.zeros((1, 0)), state=np.array([LEAF], dtype=np.uint8))
    for name, read in (("h.graphml", read_graphml), ("h.json", read_node_link)):
        export_hierarchy(hierarchy_of(flat), tmp_path / name)
        assert read(tmp_path / name).nodes["/"]["center"] == []


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("a.graphml", None, "graphml"),
        ("a.JSON", None, "json"),
        ("a.b", "node-link", "node-link"),
        ("a.json", "graphml", "graphml"),
    ],
)
def test_choose_format(name, asked, expected):
    assert choose_format(name, asked=asked) == expected


@pytest.mark.parametrize(("name", "asked"), [("a", None), ("a.png", None), ("a.json", "gml"), ("a.graphml.gz", None)])
def test_choose_format_refuses(name, asked):
    with pytest.raises(InputError, match=r"graphml.*json"):
        choose_format(name, asked=asked)


def test_export_hierarchy_refuses_maps_and_missing_cells(tmp_path):
    with pytest.raises(InputError, match="is a hierarchy"):
        export_hierarchy(hierarchy_of(smooth_cells(1)), tmp_path / "a.json", format="maps")
    with pytest.raises(InputError, match="no cells"):
        export_hierarchy(hierarchy_of(smooth_cells(1)).without_cells(), tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- graphs of people's own, and streams

OF_THEIR_OWN = {"nothing": None, "mixed": 1, "list": [1, [2.5, None]], "text": 'a "b" <c>\n\td', "true": True, "far": -1e308}


@pytest.mark.parametrize(("name", "write", "read"), [
    ("g.graphml", write_graphml, read_graphml), ("g.gexf", write_gexf, read_gexf), ("g.json", write_node_link, read_node_link),
])  # fmt: skip
def test_attributes_that_people_add_come_back(name, write, read, tmp_path):
    graph = to_networkx(smooth_cells(2))
    graph.graph |= OF_THEIR_OWN
    graph.nodes["/1"].update(OF_THEIR_OWN, mixed="one", label="the label")
    graph.edges["/", "/1"].update(OF_THEIR_OWN, mixed=[], label="an edge")
    write(graph, tmp_path / name)
    again = read(tmp_path / name)
    assert again.graph == graph.graph
    assert nx.utils.graphs_equal(again, graph)


@pytest.mark.parametrize("write", [write_graphml, write_gexf, write_node_link])
def test_what_is_written_in_batches_is_not_held(write, tmp_path):
    """Ten times as many batches want less than twice the memory."""
    batch = next(iter(elements_of_cells(smooth_cells(4)).batches))
    kinds = elements_of_cells(smooth_cells(0))

    def peak(count):
        tracemalloc.start()
        batches = itertools.repeat(batch, count)
        write(Elements({}, kinds.node_kinds, kinds.edge_kinds, batches), tmp_path / "h")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(40) < 2 * peak(4)


@pytest.mark.parametrize("write", [write_graphml, write_gexf, write_node_link])
def test_a_failure_in_the_midst_leaves_nothing(write, tmp_path):
    whole = elements_of_cells(smooth_cells(2))

    def batches():
        yield from whole.batches
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(Elements({}, whole.node_kinds, whole.edge_kinds, batches()), tmp_path / "h")
    assert list(tmp_path.iterdir()) == []


def test_export_takes_a_hierarchy_with_its_cells(tmp_path):
    hierarchy = hierarchy_of(smooth_cells(3))
    export(hierarchy, output=tmp_path / "h.graphml", depth=1)
    assert list(read_graphml(tmp_path / "h.graphml")) == hierarchy.cells.prefix(1).addresses
    for words, told in [
        ({"output": tmp_path / "h", "format": "neo4j-admin"}, "written from a store"),
        ({"output": tmp_path / "h.parquet", "depth": 1}, "writes the whole hierarchy"),
        ({"output": tmp_path / "h", "format": "maps"}, "is a hierarchy"),
        ({"output": tmp_path / "h.graphml", "depth": -1}, "depth"),
    ]:
        with pytest.raises(InputError, match=told):
            export(hierarchy, **words)
    assert [path.name for path in tmp_path.iterdir()] == ["h.graphml"]


# ---------------------------------------------------------------- files that are whole or not there


class Stopped(BaseException):
    """Something like Ctrl-C."""


@pytest.mark.parametrize("error", [Stopped, ZeroDivisionError, KeyboardInterrupt])
def test_whole_file_leaves_what_was_there(error, tmp_path):
    path = tmp_path / "old.json"
    path.write_text("before")

    with pytest.raises(error), whole_file(path) as file:  # noqa: PT012 - the error comes from within
        file.write(b"half of it")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_file_replaces_and_keeps_to_the_users_rights(tmp_path):
    path, other = tmp_path / "h.json", tmp_path / "other"
    path.write_text("before")
    other.write_text("")
    with whole_file(path) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert path.stat().st_mode == other.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_whole_file_follows_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real" / "h.json")
    with whole_file(link) as file:
        file.write(b"through")
    assert link.is_symlink()
    assert (tmp_path / "real" / "h.json").read_bytes() == b"through"


def test_whole_file_writes_into_a_pipe_and_does_not_replace_it(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    write_graphml(to_networkx(smooth_cells(1)), pipe)
    out, _ = reader.communicate(timeout=30)
    assert out.startswith(b"<?xml")
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_told(tmp_path):
    with pytest.raises(InputError, match="No space left"):
        write_node_link(to_networkx(smooth_cells(3)), "/dev/full")


def test_a_disk_that_fills_up_while_writing_leaves_nothing_behind(tmp_path):
    """With a limit on the size of files, which fails in the middle of writing as a full disk does."""
    path = tmp_path / "h.json"
    path.write_text("before")
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from tests.trees import smooth_cells\n"
        "from cfgraph.errors import InputError; from cfgraph.formats import to_networkx, write_node_link\n"
        "try: write_node_link(to_networkx(smooth_cells(5)), sys.argv[1])\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path, Path(__file__).parents[2]],
        preexec_fn=lambda: (
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(f"cannot write '{path}': File too large")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["missing/h.json", ".", "x" * 300 + ".json", "file/h.json", "nul\0.json"])
def test_whole_file_refuses_a_place_that_cannot_be(place, tmp_path):
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(InputError), whole_file(tmp_path / place):
        pytest.fail("there is no such place")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no folder that nobody can write into")
def test_whole_file_refuses_a_folder_that_nobody_can_write_into():
    with pytest.raises(InputError, match="cannot write"), whole_file("/proc/h.json"):
        pytest.fail("nobody may write here")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_whole_file_refuses_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="no permission"), whole_file(tmp_path / "h.json"):
        pytest.fail("the folder may not be written")
