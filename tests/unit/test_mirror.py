"""Python is the mirror of the command line: each command's options are arguments of its function, but for those agreed here."""

import inspect
import warnings
from typing import get_args

import click
import numpy as np
import pytest
from sklearn.datasets import make_blobs

import cfgraph
from cfgraph import sources
from cfgraph.cli import cfgraph as commands
from cfgraph.cli.reference import walk_commands
from cfgraph.errors import AddressError, InputError
from cfgraph.judging.given import embeddings_of, labels_of
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.moved import renamed
from cfgraph.store import Store

FUNCTIONS = {
    **{f"ingest {name}": getattr(sources, name) for name in sources.__all__},
    **{name: getattr(cfgraph, name) for name in ("apply", "certify", "compare", "cut", "diff", "drift", "evaluate", "export")},
    **{name: getattr(cfgraph, name) for name in ("history", "place", "reconstruct", "rollout", "search", "snapshot", "train")},
    **{"path": cfgraph.find_path, "plot": Hierarchy.plot, "show": cfgraph.describe, "verify": cfgraph.verify},
    **{"query": Store.query, "rm": Store.remove, "ls": Store.hierarchies, "upgrade": cfgraph.upgrade},
    "explore": cfgraph.explore,
}
SHELL_ONLY = {
    "up",
    "down",
    "status",
    "demo",
    "ingest",
    "locate",
}  # a shell's own; `locate` is methods of ``cfgraph.field(...)``

# What is agreed: option -> the argument, or None for one that Python does without, and why.
WORDS = {"as": "id", "from": "clustering"}  # words of Python's own
PRINTED = "functions give values, and to_json prints them"
FILES = "rows are arrays in Python; files are read by the functions of cfgraph.files, images told by NewImages"
READING = ("key", "columns", "header", "separator", "decimal")  # of tables in files
OF_ROWS = dict.fromkeys((*READING, "large", "encoder", "device", "cache", "skip-broken"), (None, FILES))
AGREED = {
    "*": {"format": (None, PRINTED)},
    **{
        f"ingest {name}": {
            **({} if name == "induced" else {"bulk": (None, "cfgraph.transfer.bulk fills a store")}),
            **dict.fromkeys(("output", "workers", "engine"), (None, "cfgraph.transfer.fields.write_field grows into a folder")),
        }
        for name in ("cfg", "ifs", "induced")
    },
    "ingest points": {"bulk": (None, "cfgraph.transfer.bulk fills a store")},
    "ingest folder": {"bulk": (None, "cfgraph.transfer.bulk fills a store")},
    "cut": {"output": (None, "found.save(FILE)"), "remove-property": (None, "store.remove_cut")},
    "rollout": {
        "as": ("copy_as", "the id of a copy, beside that of the hierarchy"),
        "engine": ("executor", "an engine by its name, or any executor"),
    },
    "snapshot": {
        "as": ("name", "of the snapshot, beside the hierarchy's id"),
        "list": (None, "store.snapshots(id)"),
        "remove": (None, "store.remove_snapshot"),
    },
    "diff": {},
    "apply": OF_ROWS | {"latents": (None, FILES)},
    "place": OF_ROWS | {"remove": (None, "store.remove_batch")},
    "drift": dict.fromkeys((*READING, "large"), (None, FILES)),
    "search": {
        **OF_ROWS,
        "data-key": (None, FILES),
        "recall": (None, "SearchIndex.judge, which keeps the index for several beams"),
    },
    "reconstruct": {"output": (None, "the rows are what the function gives")},
    "plot": {
        "output": (None, "figure.savefig(FILE)"),
        **dict.fromkeys(("beside", "report", "images", "shape"), (None, "cfgraph.plots draws several, and reports")),
    },
    "show": {},
    "query": {
        "name": (None, "store.query_operation(NAME)"),
        "parameter": ("parameters", "all at once, as a dictionary"),
        "file": (None, "a text is read by whoever has it"),
    },
    "upgrade": {"yes": (None, "a call is a decision")},
}


def commands_of():
    for context in walk_commands(commands, name="cfgraph"):
        name = context.command_path.removeprefix("cfgraph").strip()
        if name and name not in SHELL_ONLY:
            yield name, context.command


def parameters_of(function):
    found = dict(inspect.signature(function).parameters)
    if "options" in found and found["options"].kind is inspect.Parameter.VAR_KEYWORD:
        found |= dict.fromkeys(get_args(found["options"].annotation)[0].__annotations__)
    return found


def option_of(parameter):
    """The long name of an option, the short one where there is none other."""
    return max(parameter.opts, key=len).lstrip("-")


@pytest.mark.parametrize(("name", "command"), [pytest.param(*found, id=found[0]) for found in commands_of()])
def test_every_option_is_an_argument_of_the_same_name(name, command):
    assert name in FUNCTIONS, "give the command its function here, or say why it has none"
    known, agreed = parameters_of(FUNCTIONS[name]), {**AGREED["*"], **AGREED.get(name, {})}
    options = [option_of(one) for one in command.params if isinstance(one, click.Option) and one.name != "help"]
    for option in options:
        argument, why = agreed.get(option, (WORDS.get(option, option.replace("-", "_")), None))
        if argument is None:
            assert option.replace("-", "_") not in known or option == "format", f"{option} is there: take it off the table"
            assert why
        else:
            assert argument in known, f"{name} --{option} is no argument of {FUNCTIONS[name].__name__}"
    stale = agreed.keys() - set(options) - {"format"}
    assert not stale, f"agreed of {name}, and no option of it: {stale}"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.startswith("ingest ")])
def test_a_source_takes_its_first_argument_by_position(name):
    first, *others = inspect.signature(FUNCTIONS[name]).parameters.values()
    by_position = first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert by_position or name == "ingest cfg"
    ids = [one for one in (first, *others) if one.name == "id"]
    assert ids[0].default in (name.split()[1], None)


def test_sources_by_position():
    data = make_blobs(60, random_state=0)[0]
    assert sources.points(data, depth=2).cells.addresses == sources.points(id="x", data=data, depth=2).cells.addresses
    assert (sources.points(data, depth=1).id, sources.ifs("koch", depth=1).id) == ("points", "ifs")
    assert sources.ifs(map="koch", depth=2).recipe == sources.ifs("koch", depth=2).recipe
    with pytest.raises(InputError, match="built-in system"):
        sources.ifs(depth=1)


def test_old_names_of_arguments_are_taken_with_a_warning():
    merges = np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 3]])
    with pytest.warns(FutureWarning, match=r"'point_nodes' of linkage\(\) is 'points' now"):
        old = sources.linkage(merges, point_nodes=True)
    assert old.point_nodes
    assert old.recipe == sources.linkage(merges, points=True).recipe
    with pytest.raises(TypeError, match="got 'points' twice"):
        sources.linkage(merges, point_nodes=True, points=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="unexpected keyword"):
            sources.points(np.ones((3, 2)), depth=1, pointnodes=True)


def test_a_renamed_function_is_called_as_it_was():
    @renamed(old="new")
    def told(*, new=1):
        """Its words."""
        return new

    assert told(new=2) == 2
    assert list(inspect.signature(told).parameters) == ["new"]
    assert told.__doc__ == "Its words."
    with pytest.warns(FutureWarning) as caught:
        assert told(old=3) == 3
    assert caught[0].filename == __file__


# -- in memory and in the store alike


@pytest.fixture(scope="module")
def koch():
    return sources.ifs("koch", depth=4)


@pytest.fixture(scope="module")
def tree():
    return sources.points(make_blobs(60, centers=3, random_state=0)[0], depth=2, arity=3)


def test_compare_in_memory(koch):
    rule = cfgraph.train(koch.with_cells(koch.cells.prefix(2)))
    assert (rule.id, rule.depth) == ("ifs-rule", 2)
    grown = cfgraph.grow(
        koch.cells.prefix(2), rule=rule.load().predict, arity=koch.arity, scale_factor=koch.scale_factor, depth=4
    )
    copy = koch.replace(id="grown", cells=grown)
    report = cfgraph.compare(koch, copy, trained=rule)
    assert report.levels[-1].rolled_out.max_center_error < 1e-9
    assert report.predicted == "grown"
    with pytest.raises(InputError, match="bootstrap is of a comparison by name"):
        cfgraph.compare(koch, copy, bootstrap=3)
    with pytest.raises(InputError, match="expected two hierarchies"):
        cfgraph.compare(koch, copy, copy)
    with pytest.raises(InputError, match="expected by to be one of address, name, got 'size'"):
        cfgraph.compare(koch, copy, by="size")


def test_compare_by_name_in_memory():
    merges = np.array([[0, 1, 1.0, 2], [2, 4, 2.0, 3], [3, 5, 3.0, 4]])
    one, other = (sources.linkage(merges, id=id, names=list("abcd")) for id in ("one", "other"))
    found = cfgraph.compare(one, other, by="name")
    assert found.trees.robinson_foulds.distance == 0
    with pytest.raises(InputError, match="seeds is of a comparison by address"):
        cfgraph.compare(one, other, by="name", seeds=2)


def test_paths_in_memory(koch):
    found = cfgraph.find_path(koch, "/0/1", "/0/2")
    assert (found.ancestor, found.way) == ("/0", ("/0/1", "/0", "/0/2"))
    assert cfgraph.find_path(koch, first="/0", second="/0").distance == 0
    with pytest.raises(AddressError, match="/9"):
        cfgraph.find_path(koch, "/9", "/0")
    with pytest.raises(AddressError, match="is called 'x'"):
        cfgraph.find_path(koch, "x", "/0")
    with pytest.raises(InputError, match="expected two cells"):
        cfgraph.find_path(koch, "/0")


def test_new_data_by_position(tree):
    rows = tree.cells.center[-4:]
    assert cfgraph.apply(tree, rows) == cfgraph.apply(tree, data=rows) == tree.cells.addresses[-4:]
    np.testing.assert_array_equal(cfgraph.encode(tree, rows), rows)
    np.testing.assert_array_equal(cfgraph.reconstruct(tree, ["/0"]), cfgraph.reconstruct(tree, addresses=["/0"]))
    for verb in (cfgraph.apply, cfgraph.encode, cfgraph.reconstruct):
        with pytest.raises(InputError, match=r"expected (data|addresses): \w+\(hierarchy"):
            verb(tree)


def test_export_by_position(koch, tmp_path):
    cfgraph.export(koch, tmp_path / "one.graphml")
    cfgraph.export(koch, output=tmp_path / "two.graphml")
    with pytest.warns(FutureWarning, match="'path' of export"):
        cfgraph.export(koch, path=tmp_path / "three.graphml")
    texts = {(tmp_path / f"{name}.graphml").read_bytes() for name in ("one", "two", "three")}
    assert len(texts) == 1
    with pytest.raises(InputError, match="expected a file to write: export"):
        cfgraph.export(koch)


LABELS = np.array([0, 0, 1, 1])


def leaves():
    return sources.linkage(np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 2], [4, 5, 3.0, 4]]), names=list("abcd"))


def series(dtype=None):
    import pandas as pd

    return pd.Series(LABELS, index=[5, 6, 7, 8], dtype=dtype)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS.tolist(),
        tuple(LABELS.tolist()),
        ["x", "x", "y", "y"],
        np.array(["x", "x", "y", "y"]),
        series(),
        series("category"),
        series("Int64"),
        {"a": 0, "b": 0, "c": 1, "d": 1},
        {"d": "y", "a": "x", "c": "y", "b": "x"},
        [True, True, False, False],
        ["x", "x", 1, 1],
    ],
    ids=str,
)
def test_labels_as_people_have_them(labels):
    found = cfgraph.evaluate(leaves(), labels=labels, clusters=2)
    assert (found.dendrogram_purity, found.scores.nmi, found.points) == (1, 1, 4)


def test_labels_of_several_levels_and_of_files(tmp_path):
    np.save(tmp_path / "y.npy", LABELS)
    by_file = cfgraph.evaluate(leaves(), labels=tmp_path / "y.npy")
    assert by_file == cfgraph.evaluate(leaves(), labels=str(tmp_path / "y.npy")) == cfgraph.evaluate(leaves(), labels=LABELS)
    both = cfgraph.evaluate(leaves(), labels=[LABELS, [0, 1, 2, 3]])
    assert both.hierarchical is not None
    assert both == cfgraph.evaluate(leaves(), labels=(series(), np.arange(4)))
    (tmp_path / "y.csv").write_text("coarse,fine\n0,0\n0,1\n1,2\n1,3\n")
    assert cfgraph.evaluate(leaves(), labels=tmp_path / "y.csv", key=["coarse", "fine"]) == both
    vectors = np.array([[0.0, 1], [0.1, 1], [1, 0], [1, 0.1]])
    np.save(tmp_path / "x.npy", vectors)
    one = cfgraph.evaluate(leaves(), labels=LABELS, embeddings=vectors.tolist())
    assert one == cfgraph.evaluate(leaves(), labels=LABELS, embeddings=tmp_path / "x.npy")
    assert one.similarity is not None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"labels": [0, 0, None, 1]}, "1 without one, the first in row 2"),
        ({"labels": [0, 0, float("nan"), 1]}, "1 without one, the first in row 2"),
        ({"labels": np.eye(4)}, r"one label a row, got an array of shape \(4, 4\)"),
        ({"labels": LABELS[:3]}, "a label for each of the 4 data points"),
        ({"labels": 7}, "expected labels as an array, a list or a file, got int"),
        ({"labels": LABELS, "key": "x"}, "no file was given; leave key out"),
        ({"labels": LABELS, "key": ["x", "y"]}, "no file was given"),
        ({"labels": [LABELS, LABELS], "key": ["x", "y", "z"]}, "got 3 keys"),
        ({"labels": LABELS, "clusters": 2, "level": 1}, "for a cut, got clusters, level"),
        ({"labels": LABELS, "embeddings": "abc"}, "abc"),
        ({"labels": LABELS, "embeddings": [["a"]]}, "rows of numbers"),
        ({"labels": LABELS, "id": "it"}, "one in memory; leave 'it' out"),
    ],
)
def test_labels_that_are_none(asked, told):
    with pytest.raises(InputError, match=told):
        cfgraph.evaluate(leaves(), **asked)


def test_samples_are_called_bootstrap_now():
    with pytest.warns(FutureWarning, match="'bootstrap' now"):
        old = cfgraph.evaluate(leaves(), labels=LABELS, samples=5)
    assert old == cfgraph.evaluate(leaves(), labels=LABELS, bootstrap=5)
    assert labels_of(LABELS)[0].names is None
    assert embeddings_of(None) is None


def test_a_rollout_ends_at_one_stop():
    with pytest.raises(InputError, match="expected one stop, got to_depth beside stop"):
        cfgraph.rollout(None, "koch", predictor="rule", stop=cfgraph.Stop(depth=3), to_depth=4)
    with pytest.raises(InputError, match="exactly one of depth, precision, cells and seconds, got none"):
        cfgraph.rollout(None, "koch", predictor="rule")
