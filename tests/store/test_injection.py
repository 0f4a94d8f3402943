"""Injection through every string that a user can give: exact text is stored or it is refused, and nothing else happens.

And ``LOAD CSV``, by which Cypher itself could reach out: a server of cfgraph's own reads no file and meets no address.
"""

import json
import socket

import numpy as np
import pytest

from cfgraph.errors import AddressError, CfgraphError, InputError, NotFoundError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.metric.path import find_path
from cfgraph.sources.ifs import ifs
from cfgraph.sources.points import points
from cfgraph.store.verify import verify
from tests.grown import assert_same_cells, grown_hierarchy

EVIL = [
    "'}) DETACH DELETE n //",
    '"}) MATCH (n) DETACH DELETE n RETURN ("',
    "x' OR 1=1 WITH 1 AS x MATCH (n) SET n.spoiled = true //",
    "`) MATCH (n) DETACH DELETE n //",
    "x`:Spoiled",
    "\\' }) DETACH DELETE n //",
    "\\u0027}) DETACH DELETE n",
    "'; MATCH (n) DETACH DELETE n;",
    "$id",
    "$(x)",
    "{id}",
    "%s %n {0} ${x}",
    "*/ DETACH DELETE n /*",
    "-- ; DROP CONSTRAINT cell_key",
    "ʼ' ＇ é e\u0301 😀 \u202eabc",
    "--help",
    "null",
]
REFUSED = ["", " ", "a\nb", "a\x00b", "a\x1bb", "\ud800", "x" * 500, "/", "a/b", "a//b\n"]


@pytest.fixture
def neighbours(store, new_id):
    """What others keep in the same database: a hierarchy, and nodes that are no business of cfgraph's."""
    hierarchy = grown_hierarchy(new_id("neighbour"), depth=2)
    store.write(hierarchy)
    mark = {"mark": hierarchy.id}
    store.query(
        "UNWIND range(1, 20) AS i CREATE (:Foreign {mark: $mark, i: i})-[:KNOWS {mark: $mark}]->(:Foreign)", mark, write=True
    )
    yield lambda: (
        store.digest(hierarchy.id),
        store.query("MATCH (n:Foreign {mark: $mark})-[k:KNOWS]->(m) RETURN count(n), sum(n.i), count(k), count(m)", mark)[1],
        store.query("MATCH (n) WHERE n.spoiled IS NOT NULL OR n:Spoiled RETURN count(n)")[1],
        sorted(row[0] for row in store.query("SHOW CONSTRAINTS YIELD name")[1]),
    )
    store.query("MATCH (n:Foreign {mark: $mark})-[:KNOWS]->(m) DETACH DELETE n, m", mark, write=True)


@pytest.fixture
def named(store, new_id):
    """Makes ids that hold some text and are this test's own."""
    made = []

    def make(text, *, kind):
        made.append(f"{new_id(kind)} {text}"[-190:])
        return made[-1]

    yield make
    for id in reversed(made):
        try:
            store.remove(id)
        except InputError:
            continue


@pytest.mark.slow("a dozen ids, each written, grown, read and removed")
@pytest.mark.parametrize("text", [text.replace("/", "∕") for text in EVIL])
def test_ids_are_stored_letter_by_letter(store, named, neighbours, text):
    before = neighbours()
    id, rule, copy = (named(text, kind=kind) for kind in ("h", "p", "c"))
    truth = grown_hierarchy(id, depth=3)
    store.write(truth)
    store.write_predictor(train(truth, id=rule, depth=2, family="mean"))
    rollout(store, id, predictor=rule, from_depth=2, copy_as=copy, stop=Stop(depth=3))
    assert_same_cells(store.read(id), truth.cells)
    assert {id, copy} <= {hierarchy.id for hierarchy in store.hierarchies()}
    assert (store.hierarchy(id).id, store.predictor(rule).id) == (id, rule)
    assert store.grown_by(copy).predictor == rule
    assert find_path(store, copy, first="/0/1", second="/2").ancestor == "/"
    assert verify(store, copy).clean
    assert neighbours() == before
    for made in (copy, rule, id):
        store.remove(made)
    assert not {id, copy} & {hierarchy.id for hierarchy in store.hierarchies()}
    assert neighbours() == before


@pytest.mark.parametrize("text", REFUSED)
def test_ids_that_are_refused(store, neighbours, text):
    before = neighbours()
    for use in (store.hierarchy, store.remove, store.predictor, store.read, store.digest, store.counts):
        with pytest.raises(InputError):
            use(text)
    with pytest.raises(InputError):
        store.write(grown_hierarchy(text, depth=1))
    assert neighbours() == before


@pytest.mark.parametrize("text", EVIL)
def test_addresses_and_names_that_nothing_has(store, new_id, neighbours, text):
    before, truth = neighbours(), grown_hierarchy(new_id(), depth=2)
    store.write(truth)
    for address in (text, f"/{text}", f"/0/{text}", f"/0{text}"):
        with pytest.raises(AddressError):
            store.read(truth.id, top=address)
        with pytest.raises(AddressError):
            find_path(store, truth.id, first="/0", second=address)
        with pytest.raises(AddressError):
            store.parent_tuple(truth.id, address)
    with pytest.raises((NotFoundError, InputError)):
        rollout(store, truth.id, predictor=text.replace("/", ""), stop=Stop(depth=3))
    with pytest.raises(InputError):
        list(store.read_columns(truth.id, (text,)))
    with pytest.raises(CfgraphError):
        store.query_operation(text)
    with pytest.raises(CfgraphError):
        store.query_operation("read_hierarchy", {text: 1})
    assert neighbours() == before


@pytest.mark.parametrize("text", EVIL)
def test_parameters_of_a_query_are_values(store, neighbours, text):
    before = neighbours()
    assert store.query("RETURN $x AS x, $x + $x AS twice", {"x": text}) == (["x", "twice"], [[text, text + text]])
    assert store.query("RETURN $x AS x", {"x": {text: [text]}})[1] == [[{text: [text]}]]
    assert store.query("RETURN 1 AS x", {text: 1})[1] == [[1]]
    assert store.query_operation("read_hierarchy", {"id": text})[1] == []
    assert store.query("MATCH (n:Foreign) WHERE n.mark = $x RETURN count(n)", {"x": text}, write=True)[1] == [[0]]
    assert neighbours() == before


def test_names_in_files_are_kept_as_text_in_the_recipe(store, named, neighbours, tmp_path):
    """The names of maps, of columns and of files, as they come back out of the graph."""
    before, square = neighbours(), [{"matrix": [[0.4]], "offset": [0]}, {"matrix": [[0.4]], "offset": [1]}]
    for number, text in enumerate(EVIL):
        file = tmp_path / f"{text.replace('/', '∕')}.json"
        file.write_text(json.dumps({text: {"maps": square}, "other": {"maps": square}}))
        made = ifs(id=named(str(number), kind="maps"), maps=file, map=text, depth=1)
        store.write(made)
        assert store.hierarchy(made.id).recipe == made.recipe
        assert text in made.recipe["maps"]
    table = tmp_path / "'}) DETACH DELETE n.csv"
    names = ["x'}) DETACH DELETE n", '"}) MATCH (n) DETACH DELETE n']
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    rows = np.random.default_rng(0).normal(size=(12, 2)).tolist()
    table.write_text("\n".join([quoted, *(",".join(map(str, row)) for row in rows)]) + "\n")
    made = points(id=named("columns", kind="points"), data=table, columns=names, depth=1)
    store.write(made)
    assert store.hierarchy(made.id).recipe == made.recipe
    assert neighbours() == before


@pytest.mark.slow("a command for every text, each a process of its own")
def test_the_command_line_hands_texts_on_as_they_are(run, store, named, neighbours):
    before, text = neighbours(), "'}) DETACH DELETE n \\' ` $x {y} é"
    found = run("query", "RETURN $x AS x", "-p", f"x={text}", "--format", "json").stdout
    assert json.loads(found) == [{"x": text}]
    found = run("query", "--write", "RETURN $x AS x", "-p", f"x={json.dumps([text])}", "--format", "json").stdout
    assert json.loads(found) == [{"x": [text]}]
    id = named(text, kind="cli")
    run("ingest", "ifs", "koch", "--depth", 1, "--as", id)
    assert store.hierarchy(id).id == id
    run("ingest", "ifs", "--map", text, "--depth", 1, "--as", "never", code=2)
    run("path", id, "/", f"/{text}", code=2)
    run("query", "--name", text, code=2)
    assert run("rm", id).stdout == f"removed {id}: 5 cells\n"
    assert neighbours() == before


class TestReachingOut:
    """The local server's Cypher reads nothing of this machine and meets no address; asked for as reader and as writer."""

    @pytest.fixture(autouse=True)
    def only_local(self, store):
        if not store.place.startswith("bolt://127.0.0.1"):
            pytest.skip("the tests' server is not cfgraph's own: what it may read is its owner's choice")

    @pytest.fixture
    def import_folder(self, store_url):
        from pathlib import Path

        kind, _, place = store_url.partition(":")
        if kind != "local":
            pytest.skip("the tests' server is not cfgraph's own")
        folder = Path(place) / "import"
        (folder / "inside.csv").write_text("secret\n")
        yield folder
        (folder / "inside.csv").unlink()

    @pytest.mark.parametrize("write", [False, True])
    def test_load_csv_reads_no_file(self, store, import_folder, tmp_path, write):
        (tmp_path / "outside.csv").write_text("secret\n")
        paths = ["/etc/passwd", "/inside.csv", "inside.csv", "/../password", "/%2e%2e/password", str(tmp_path / "outside.csv")]
        for path in [*paths, str(import_folder / "inside.csv")]:
            for url in (
                f"file://{path}",
                f"file:{path}",
                f"FILE://{path}",
                f"file://localhost{path}",
                path,
                f"jar:file:{path}!/x",
            ):
                with pytest.raises(CfgraphError, match=r"(?i)load|url|csv|resource") as caught:
                    store.query("LOAD CSV FROM $url AS row RETURN row", {"url": url}, write=write)
                assert "secret" not in str(caught.value)
                assert "root:" not in str(caught.value)

    @pytest.mark.parametrize("write", [False, True])
    def test_load_csv_meets_no_address(self, store, write):
        with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("::1", 0), family=socket.AF_INET6) as there:
            port, six = here.getsockname()[1], there.getsockname()[1]
            urls = [f"{kind}://{host}:{port}/x.csv" for kind in ("http", "https", "ftp") for host in ("127.0.0.1", "localhost")]
            urls += [f"http://[::1]:{six}/x", f"http://[::ffff:127.0.0.1]:{port}/x", f"http://0.0.0.0:{port}/x"]
            urls += [f"http://2130706433:{port}/x", f"http://0x7f.1:{port}/x", f"http://user:pw@127.0.0.1:{port}/x"]
            for url in urls:
                with pytest.raises(CfgraphError, match=r"(?i)load|url|csv|block"):
                    store.query("LOAD CSV FROM $url AS row RETURN row", {"url": url}, write=write)
            for listener in (here, there):
                listener.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    listener.accept()
