"""One small story in one process: every command once, and every operation of cypher/ once."""

import dataclasses
import json
import signal
import webbrowser
from pathlib import Path

import click
import neo4j
import networkx as nx
import numpy as np
import pytest
from PIL import Image
from scipy.cluster.hierarchy import linkage

from cfgraph import demo
from cfgraph.cli import cfgraph
from cfgraph.cli import run as run_here
from cfgraph.sources.ifs import ifs
from cfgraph.store.queries import load_queries

# What a command does only where a worker is slow or given up, a database is new, or the store is another's.
RARE = {
    "amend_growth": {"id": "", "since": 0, "from_depth": 0, "below": None, "pending": None, "done": True},
    "claim_frontier": {
        "id": "",
        "incarnation": None,
        "since": None,
        "blocks": [],
        "most": 1,
        "owner": "",
        "token": "",
        "milliseconds": 1,
        "rate": 0,
        "dead_owners": [],
    },
    "count_connections": {},
    "count_nodes": {},
    "confirm_digests": {"stretches": [], "version": 0, "incarnation": "", "marked": "", "grown": "", "batch": 1},
    "count_frontiers": {"stretches": [], "id_size": None},
    "count_points_below": {"low": "", "high": "", "most": 1},
    "create_cell_constraint": {},
    "create_digest_constraint": {},
    "create_frontier_index": {},
    "create_lease_constraint": {},
    "create_point_constraint": {},
    "create_batch_constraint": {},
    "create_schema_constraint": {},
    "await_indexes": {},
    "end_query": {"token": ""},
    "list_truths": {},
    "look_at_cell": {"key": "", "above": [], "most": 1},
    "measure_below": {"low": "", "high": "", "most": 1},
    "read_box": {
        "keys": [],
        "level": 1,
        "id_size": 0,
        "sides": [[0, 0.0, 1.0]],
        "spread": None,
        "factors": [1.0],
        "radii": False,
        "extras": False,
    },
    "read_children_in_box": {"id": "", "keys": [], "id_size": 0, "sides": [[0, 0.0, 1.0]], "extras": False},
    "read_digest_marks": {"stretches": [], "level": 1, "page": 1, "version": 0, "incarnation": "", "marked": ""},
    "read_frontier_keys": {"keys": []},
    "read_leases": {"id": ""},
    "read_open_blocks": {"blocks": []},
    "read_names": {"keys": []},
    "read_point_name": {"key": ""},
    "read_points_below": {"low": "", "high": "", "start": 0, "most": 1, "id_size": 0},
    "read_time": {},
    "read_workers": {"id": ""},
    "release_leases": {"leases": []},
    "renew_leases": {"leases": [], "milliseconds": 1, "rate": 0},
    "search_names": {"low": "", "high": "", "text": "x", "most": 1, "id_size": 0},
    "search_property": {
        "low": "",
        "high": "",
        "property": "",
        "text": "x",
        "least": None,
        "largest": None,
        "most": 1,
        "id_size": 0,
    },
    "restore_empty_lists": {"id": ""},
    "write_growth": {"id": "", "predictor": "", "growth": {}},
    "write_schema_version": {"version": 0},
}


@pytest.fixture
def operations(monkeypatch):
    """The operations that this process runs from here on: the driver tells what passes through it."""
    name_of = {query.statement: name for name, query in load_queries().items()}
    seen = set()
    for kind in (neo4j.Session, neo4j.ManagedTransaction):

        def run(self, query, *arguments, pass_on=kind.run, **parameters):
            seen.add(name_of.get(getattr(query, "text", query)))  # a statement, or one with a time limit
            return pass_on(self, query, *arguments, **parameters)

        monkeypatch.setattr(kind, "run", run)
    return seen


@pytest.fixture
def told(store_url, capfd, tmp_path, monkeypatch):
    """Runs a command line in this process; what it printed on stdout. ``told.commands`` are the commands so far."""
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0, store=store_url):
        found = run_here(["--store", store, *map(str, words)])
        out, err = capfd.readouterr()
        assert found == code, err
        run.commands.add(command_of(words))
        return out

    run.commands = set()
    return run


def command_of(words):
    """The command that some words name: two words where the first is a group."""
    commands = all_commands()
    return next(name for name in (" ".join(map(str, words[:2])), words[0]) if name in commands)


def all_commands():
    """Every command by its words, those of groups too."""
    context = click.Context(cfgraph)
    found = {name: cfgraph.get_command(context, name) for name in cfgraph.list_commands(context)}
    groups = {name: command for name, command in found.items() if isinstance(command, click.Group)}
    return found.keys() - groups.keys() | {f"{name} {inner}" for name, group in groups.items() for inner in group.commands}


def write_files():
    """Small files of every kind that a source reads, in the folder that the test stands in."""
    label = np.repeat([0, 1, 2], 4)
    points = np.random.default_rng(0).normal(size=(12, 2)) + 10 * np.eye(3)[label, :2]
    arrays = {"points": points, "labels": label, "Z": linkage(points, "ward"), "logits": 3 * np.eye(3)[label]}
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    Path("pictures").mkdir()
    for number, color in enumerate(("red", "darkred", "blue", "navy")):
        Image.new("RGB", (3, 3), color).save(f"pictures/{number}.png")
    Path("tree.nwk").write_text("((a:1,b:1):1,c:2);")
    Path("edges.tsv").write_text("child\tparent\nb\ta\nc\ta\nd\tb\nd\tc\n")
    nx.write_graphml(nx.DiGraph([("a", "b"), ("a", "c")]), "graph.graphml")


def ingest_everything(told, new_id):
    """A hierarchy from every source; their ids by source."""
    write_files()
    sources = {
        "cfg": ["--depth", 2],
        "ifs": ["koch", "--depth", 4],
        "points": ["points.npy", "--depth", 2],
        "logits": ["logits.npy", "--points"],
        "linkage": ["Z.npy", "--points"],
        "dasgupta": ["points.npy", "--points"],
        "induced": ["points.npy", "--arity", 3, "--depth", 2],
        "images": ["pictures", "--depth", 1, "--arity", 2, "--points"],
        "hcrl": ["points.npy", "--depth", 1, "--branching", 2, "--points"],
        "infohier": ["points.npy", "--epochs", 2, "--points"],
        "tree": ["tree.nwk"],
        "edges": ["edges.tsv"],
        "graph": ["graph.graphml"],
    }
    ids = {source: new_id(source) for source in [*sources, "parquet"]}
    for source, words in sources.items():
        told("ingest", source, *words, "--as", ids[source])
    told("export", ids["edges"], "-o", "edges.parquet")
    told("ingest", "parquet", "edges.parquet", "--as", ids["parquet"])
    return ids


def learn_and_grow(told, truth, rule, grown):
    """Train, grow a copy, grow it on until it has so many cells, and look at all of it."""
    told("train", truth, "--depth", 2, "--family", "recurrence", "--as", rule)
    words = ["rollout", truth, "--predictor", rule, "--from-depth", 2, "--as", grown]
    told(*words, "--cells", 200)
    told("rollout", grown, "--predictor", rule, "--to-depth", 4)
    assert json.loads(told("compare", truth, grown, "--format", "json"))["levels"][-1]["rolled_out"]["slot_accuracy"] == 1
    assert json.loads(told("certify", grown, "--format", "json"))["truth"] == truth
    told("certify", truth, "--precision", 1e-3)
    told("verify", grown, "--digests")
    told("show", grown, "--digest")
    told("history", grown)
    told("show", rule)
    told("plot", truth, "--beside", grown, "-o", "grown.png")
    told("plot", grown, "--form", "tree", "--depth", 2, "-o", "tree.png")
    told("export", rule, "-o", "maps.json")
    for suffix in ("graphml", "gexf", "json", "dot", "nwk", "csv", "parquet"):
        told("export", grown, "-o", f"grown.{suffix}")
    told("rollout", truth, "--predictor", rule, "--from-depth", 2, "--as", "folder", "--to-depth", 4, "-o", "folder/")


def use_a_folder(told, truth, id):
    """Look at a field that was grown into a folder, and bring it into the store."""
    for source, words in {"cfg": [], "ifs": ["koch"], "induced": ["points.npy", "--arity", 3]}.items():
        told("ingest", source, *words, "--depth", 3, "--as", source, "-o", f"{source}/")
    told("ingest", "cfg", "--depth", 3, "--as", "cfg", "--workers", 2, code=2)
    told("ingest", "cfg", "--depth", 3, "--as", "cfg", "-o", "cfg/", "--bulk", code=2)
    told("compare", truth, "folder/")
    told("compare", "folder/", "folder/", "--by", "name", code=2)
    told("verify", "folder/")
    told("verify", "folder/", "--digests", code=2)
    told("verify", "folder/", "--format", "json")
    told("plot", "folder/", "--beside", truth, "-o", "folder.png")
    told("locate", "folder/", "0.1,0.2", "--depth", 9)
    told("locate", "folder/", "0.1,0.2", "--predictor", "it", code=2)
    told("export", "folder/", "-o", "folder.parquet")
    told("ingest", "folder", "folder/", "--as", id)


def test_every_command_and_every_operation_runs(operations, told, new_id, store, store_url, tmp_path, monkeypatch):
    local = store_url.startswith("local")
    told("up", code=0 if local else 2)
    told("status", code=0 if local else 2)
    told("down", store=f"local:{tmp_path}/none")
    ids = ingest_everything(told, new_id)
    rule = new_id("rule")
    learn_and_grow(told, ids["ifs"], rule, new_id("grown"))
    use_a_folder(told, ids["ifs"], new_id("folder"))
    more = ["--embeddings", "points.npy", "--bootstrap", 2]
    told("evaluate", ids["linkage"], "--labels", "labels.npy", *more, "--clusters", 3)
    told("evaluate", ids["linkage"], "--labels", "labels.npy", *more, "--height", 5, "--format", "json")
    assert len(json.loads(told("cut", ids["linkage"], "--clusters", 3, "--as-property", "group", "--format", "json"))) == 3
    told("cut", ids["linkage"], "--persistence", "-o", "flat.csv")
    for color in ("cut", "cut:2", "group", "height", "labels"):
        of_labels = ["--labels", "labels.npy"] if color == "labels" else []
        told("plot", ids["linkage"], "--color-by", color, *of_labels, "-o", "colored.png")
    told("plot", ids["points"], "--color-by", "cut:3", "-o", "colored.png")
    told("plot", ids["linkage"], "--color-by", "nothing", "-o", "colored.png", code=2)
    told("cut", ids["linkage"], "--remove-property", "group")
    told("compare", ids["linkage"], ids["linkage"], "--embeddings", "points.npy")
    told("compare", ids["edges"], ids["parquet"])
    told("diff", ids["edges"], ids["parquet"])
    store.query("MATCH (h:Hierarchy {id: $id}) REMOVE h.own_kinds", {"id": ids["edges"]}, write=True)
    told("upgrade", ids["edges"])
    told("upgrade", ids["edges"], "--yes")
    told("snapshot", ids["edges"], "--as", "now", "-o", "now.parquet")
    told("diff", f"{ids['edges']}@now", ids["edges"])
    told("plot", ids["dasgupta"], "--form", "disk", "--labels", "labels.npy", "-o", "disk.png")
    assert len(json.loads(told("locate", ids["cfg"], "0.1,0.2", "--depth", 30, "--format", "json"))) == 1
    assert len(told("apply", ids["dasgupta"], "points.npy", "--latents", "latents.npy").splitlines()) == 12
    assert len(told("apply", ids["infohier"], "points.npy").splitlines()) == 12
    assert [line.split()[1] for line in told("apply", ids["images"], "pictures").splitlines()] == [f"{n}.png" for n in range(4)]
    assert len(told("apply", ids["hcrl"], "points.npy").splitlines()) == 12
    told("place", ids["points"], "points.npy", "--batch", "first")
    told("verify", ids["points"])
    told("drift", ids["points"], "--batch", "first")
    told("place", ids["points"], "--remove", "first")
    assert (
        len(told("search", ids["dasgupta"], "points.npy", "--data", "points.npy", "-k", 2, "--format", "csv").splitlines())
        == 25
    )
    told("search", ids["images"], "pictures", "--data", "pictures")
    told("search", ids["linkage"], "points.npy", "--data", "points.npy", code=2)  # it has no centers
    assert len(told("reconstruct", ids["hcrl"], "/", "/1").splitlines()) == 2
    told("reconstruct", ids["hcrl"], "/", "-o", "root.npy")
    told("plot", ids["hcrl"], "--form", "reconstructions", "--shape", "1x2", "-o", "images.png")
    told("path", ids["edges"], "b", "d")
    told("path", ids["ifs"], "/0/1", "/2")
    monkeypatch.setenv("BROWSER", "as good as opened")
    monkeypatch.setattr(webbrowser, "open", lambda address: signal.raise_signal(signal.SIGINT))
    told("explore", ids["ifs"], code=130)
    told("export", ids["linkage"], "--format", "neo4j-admin", "-o", "admin")
    told("ls")
    told("query", "RETURN 1")
    chapter = dataclasses.replace(
        demo.CHAPTERS[0], id=new_id("demo"), depth=3, source=lambda id: ifs(id=id, maps="fern", depth=3)
    )
    monkeypatch.setattr(demo, "CHAPTERS", (chapter,))
    told("demo", "--output", "pictures")
    for id in (f"{chapter.id}-grown", f"{chapter.id}-rule", rule, ids["linkage"]):
        told("rm", id)
    for name, parameters in RARE.items():
        given = [word for key, value in parameters.items() for word in ("-p", f"{key}={json.dumps(value)}")]
        told("query", "--write", "--name", name, *given)
    assert all_commands() - told.commands == set()
    assert load_queries().keys() - operations == set()
