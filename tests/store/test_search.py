"""Searching a hierarchy in a store: as in memory, by the command line, and what it says of hierarchies that have no points."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfgraph import search
from cfgraph.cli import run
from cfgraph.errors import InputError
from cfgraph.sources import images, points
from cfgraph.store.store import Store

DATA = np.random.default_rng(0).normal(size=(120, 3)) * [1, 2, 3] + 4
QUERIES = DATA[::10] + 0.01


@pytest.fixture
def told(store_url, capfd, tmp_path, monkeypatch):
    """Runs `cfgraph search` in this process, in the test's folder; what it printed on stdout and on stderr."""
    monkeypatch.chdir(tmp_path)
    np.save("data.npy", DATA)
    np.savez("more.npz", a=QUERIES, b=QUERIES[:, :2])

    def run_it(*words, code=0):
        found = run(["--store", store_url, "search", *map(str, words)])
        out, err = capfd.readouterr()
        assert found == code, err
        return out, err

    return run_it


@pytest.fixture
def made(store, new_id):
    """A hierarchy in the store, its points nodes."""
    hierarchy = points(id=new_id(), data=DATA, depth=3, pca=2, points=True)
    store.write(hierarchy)
    return hierarchy


def test_of_a_store_as_in_memory(store, made):
    one, other = (search(*source, data=DATA, queries=QUERIES, k=4, beam=3) for source in ((store, made.id), (made,)))
    assert list(one.rows()) == list(other.rows())
    assert one.neighbours.row[:, 0].tolist() == list(range(0, 120, 10))
    np.testing.assert_array_equal(one.neighbours.looked_at, other.neighbours.looked_at)


def test_by_the_command_line(made, told):
    out, err = told(made.id, "more.npz", "--key", "a", "--data", "data.npy", "-k", 2, "--beam", 99, "--format", "json")
    rows = json.loads(out)
    assert [row["point"] for row in rows if row["rank"] == 1] == list(range(0, 120, 10))
    assert list(rows[0]) == ["query", "rank", "point", "cell", "distance"]
    assert made.cells.addresses[made.cell_of_point[rows[-1]["point"]]] == rows[-1]["cell"]
    assert "looked at 100.00% of 120 points, the mean of 12 queries; with the centers of cells" in err
    out, err = told(made.id, "data.npy", "--data", "data.npy", "--recall", "--beam", 2, "--format", "csv")
    lines = [line.split(",") for line in out.splitlines()]
    assert lines[0] == ["beam", "recall", "looked_at", "compared"]
    assert [int(line[0]) for line in lines[1:]] == [1, 2, 4, 8]
    assert sorted(float(line[1]) for line in lines[1:]) == [float(line[1]) for line in lines[1:]]


def test_of_images_their_names(store, new_id, told):
    """Pixels are their own digest; the embeddings of a network are known by the names of the images."""
    for number in range(6):
        Image.new("RGB", (2, 2), (40 * number, 10, 250 - 40 * number)).save(f"{number}.png")
    made = images(id=new_id(), data=".", depth=1, arity=2, points=True)
    store.write(made)
    out, _ = told(made.id, ".", "--data", ".", "-k", 1, "--format", "csv")
    lines = [line.split(",") for line in out.splitlines()]
    assert lines[0] == ["query", "rank", "point", "name", "cell", "distance"]
    assert [(line[0], line[3]) for line in lines[1:]] == [(f"{number}.png", f"{number}.png") for number in range(6)]
    Image.new("RGB", (2, 2), "white").save("0.png")
    assert "expected the data that" in told(made.id, ".", "--data", ".", code=2)[1]
    Image.new("RGB", (2, 2), "white").save("6.png")
    assert "got 7: 1 more, '6.png'" in told(made.id, ".", "--data", ".", code=2)[1]


def test_what_is_refused(store, new_id, made, told):
    bare = points(id=new_id("bare"), data=DATA, depth=1)
    store.write(bare)
    assert "ingest its data with --points" in told(bare.id, "more.npz", "--key", "a", "--data", "data.npy", code=2)[1]
    assert "there is no hierarchy" in told("nobody", "more.npz", "--key", "a", "--data", "data.npy", code=2)[1]
    words = [made.id, "data.npy", "--data"]
    assert "2 arrays" in told(*words, "more.npz", code=2)[1]
    assert "got others, 12 x 3" in told(*words, "more.npz", "--data-key", "a", code=2)[1]
    assert "rows of 3 columns" in told(made.id, "more.npz", "--key", "b", "--data", "data.npy", code=2)[1]
    assert "there is no file none.npy" in told(*words, "none.npy", code=2)[1]
    assert "at least 1 as beam" in told(*words, "data.npy", "--beam", 0, "--recall", code=2)[1]
    assert "--header" in told(*words, "data.npy", "--header", "yes", code=2)[1]
    with pytest.raises(InputError, match="expected the id of a hierarchy in the store"):
        search(store, data=DATA, queries=QUERIES)


def test_one_that_is_made_again_meanwhile(store, made, told, monkeypatch):
    def made_again(self, id, ask=Store.read_whole):
        monkeypatch.undo()
        store.remove(id)
        store.write(points(id=id, data=DATA, depth=2, points=True))
        return ask(self, id)

    monkeypatch.setattr(Store, "read_whole", made_again)
    out, err = told(made.id, Path("data.npy").absolute(), "--data", Path("data.npy").absolute(), code=4)
    assert (out, "removed" in err) == ("", True)
