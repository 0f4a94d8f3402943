"""The house is as docs/architecture.md says: what imports what, what is in the wheel, what a command loads."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import networkx as nx
import pytest

from cfgraph.cli import COMMANDS, cfgraph

HOUSE = Path(__file__).parents[2]
# A floor a line, the ground first. A room is a folder, or a module beside the folders; what it imports stands on a floor below.
FLOORS = [
    ("errors",),
    ("checks", "defaults", "entries", "late", "loading", "moved", "settings", "visible"),
    ("model",),
    ("files", "predictors", "server"),
    ("learning", "plots", "store"),
    ("formats", "metric"),
    ("growing", "sources"),
    ("comparing", "estimator", "transfer"),
    ("demo", "judging", "testing"),
    ("exploring",),
    ("cli",),
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
TORCH = {"cfgraph.predictors.network"}
DRIVER = ("cfgraph.store", "cfgraph.server.local")


def room_of(module):
    """The room that a module lies in: its folder, or itself where it stands beside the folders."""
    return module.split(".")[1]


def module_of(file):
    """The module that a file is."""
    parts = file.relative_to(HOUSE).with_suffix("").parts
    parts = ("cfgraph", *parts) if parts[0] == "cli" else parts
    return ".".join(part for part in parts if part != "__init__")


def imports_of(file):
    """Every module that a file imports while it runs (not those for the type checker alone)."""
    tree = ast.parse(file.read_text())
    typing_only = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    left_out = {id(inner) for node in typing_only for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted([*(HOUSE / "cfgraph").rglob("*.py"), *(HOUSE / "cli").glob("*.py")])


def room_imports():
    """Every import of one room by another: the two, and the modules that tie them."""
    for file in FILES:
        module = module_of(file)
        if module != "cfgraph":
            for name in imports_of(file):
                if name.startswith("cfgraph.") and room_of(name) != room_of(module):
                    yield room_of(module), room_of(name), f"{module} imports {name}"


def test_every_room_has_a_floor():
    rooms = {room_of(module_of(file)) for file in FILES if module_of(file) != "cfgraph"}
    assert rooms == set(FLOOR), "give a room its floor here and in docs/architecture.md"
    assert len(rooms) <= 28  # `entries` and `testing` are for packages of others, and have no room of ours to stand in


def test_imports_run_downwards():
    wrong = [told for above, below, told in room_imports() if FLOOR[below] >= FLOOR[above]]
    assert not wrong, "rooms import what lies on a floor below their own, neither sideways nor upwards"


def test_no_circle_inside_a_room():
    """What files of one folder import of each other while they are loaded makes no circle (a package's face apart)."""
    faces = {module_of(file) for file in FILES if file.name == "__init__.py"}
    modules = {module_of(file) for file in FILES} - faces
    arrows = nx.DiGraph()
    for file in FILES:
        for name in imports_of(file):
            target = name if name in modules else name.rpartition(".")[0]
            if module_of(file) in modules and target in modules:
                arrows.add_edge(module_of(file), target)
    assert list(nx.simple_cycles(arrows)) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_of(file))
def test_heavy_libraries_have_one_door(file):
    module = module_of(file)
    for name in imports_of(file):
        if name.split(".")[0] == "neo4j":
            assert module.startswith(DRIVER), f"{module} imports neo4j; only the store does"
        if name.split(".")[0] == "torch":
            assert module in TORCH, f"{module} imports torch; only its family does"


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_of(file))
def test_only_the_command_line_prints(file):
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and hasattr(node.func, "id")
    ]
    if not module_of(file).startswith("cfgraph.cli") and file.name != "pin_jars.py":  # a tool of the maintainers
        assert "print" not in [getattr(function, "id", None) for function in calls]


# What opens a file by its name. Files of people's are opened in one place, so that no reader forgets what is refused there.
OPENERS = {"open", "read_bytes", "read_text", "loadtxt", "genfromtxt", "fromfile", "memmap"}
LIBRARIES = {"ParquetFile", "read_table", "read_schema", "read_metadata", "read_csv", "parse", "ZipFile"}
READING_ROOMS = {"comparing", "files", "formats", "judging", "learning", "metric", "model", "plots", "predictors", "sources"}
DOORS = {"cfgraph.files.opened", "cfgraph.files.memory"}  # the latter reads what the system says


def opens_by_name(call):
    """Whether a call opens a file for reading by its path, rather than reading one that is open."""
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    given = " ".join(map(ast.unparse, call.args))
    if name == "open":
        return "xb" not in given and "wb" not in given and "'w'" not in given and ast.unparse(call.func) != "self.zipped.open"
    if name == "read_text" and isinstance(call.func, ast.Name):
        return False  # that of files/texts.py
    if name == "load":
        return ast.unparse(call.func).startswith(("np.", "json."))
    if ast.unparse(call.func).startswith("nx.read_"):
        return ".handle" not in given and "rewound" not in given
    return name in OPENERS or (name in LIBRARIES and re.search(r"\bpath\b(?!\.)", given) is not None)


def test_files_of_people_have_one_door():
    wrong = []
    for file in FILES:
        module = module_of(file)
        if module != "cfgraph" and room_of(module) in READING_ROOMS and module not in DOORS:
            calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
            wrong += [f"{module}: {ast.unparse(call)}" for call in calls if opens_by_name(call)]
    assert not wrong, "open it by files/opened.py"


# Verbs that users call: their options are keywords with defaults, found by `help` and completion one by one.
VERBS_OF_MANY_OPTIONS = {
    "cfgraph.comparing.diff.diff",
    "cfgraph.sources.cfg.cfg",
    "cfgraph.sources.points.points",
    "cfgraph.growing.rollout.rollout",
    "cfgraph.judging.comparing.compare",
    "cfgraph.judging.evaluate.evaluate",
}
VERBS_OF_MANY_OPTIONS |= {"cfgraph.judging.cut.cut", "cfgraph.growing.materialise.materialise"}
VERBS_OF_MANY_OPTIONS |= {"cfgraph.comparing.compare.compare_cells", "cfgraph.sources.dasgupta.dasgupta"}
VERBS_OF_MANY_OPTIONS |= {"cfgraph.sources.induced.induced", "cfgraph.sources.logits.logits"}
VERBS_OF_MANY_OPTIONS |= {"cfgraph.sources.images.images", "cfgraph.sources.hcrl.hcrl", "cfgraph.sources.infohier.infohier"}
VERBS_OF_MANY_OPTIONS |= {"cfgraph.sources.edges.edges"}
# Estimators, whose parameters are named one by one because scikit-learn finds them by the signature.
VERBS_OF_MANY_OPTIONS |= {"cfgraph.estimator.hcrl.__init__", "cfgraph.estimator.infohier.__init__"}


def test_long_parameter_lists_are_values_with_names():
    """No function has ten parameters or more but the verbs above (keywords), and commands (click passes each option alone)."""
    long = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                keywords, others = node.args.kwonlyargs, [*node.args.posonlyargs, *node.args.args]
                own = [parameter for parameter in others if parameter.arg not in ("self", "cls")]
                if len(keywords) + len(own) >= 10 and not any("command" in ast.unparse(by) for by in node.decorator_list):
                    long[f"{module_of(file)}.{node.name}"] = len(own)
    assert set(long) == VERBS_OF_MANY_OPTIONS, "put them together into a frozen value"
    assert max(long.values()) <= 3  # a store and two ids


def test_every_package_is_in_the_wheel():
    listed = set(tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {module_of(file) for folder in ("cfgraph", "cli", "cypher") for file in (HOUSE / folder).rglob("__init__.py")}
    there = {"cfgraph.cypher" if name == "cypher" else name for name in there}
    assert listed == there


def test_the_table_of_commands_is_true():
    context = cfgraph.make_context("cfgraph", ["ls"])
    for name, told in COMMANDS.items():
        command = cfgraph.get_command(context, name)
        assert command.get_short_help_str(limit=200) == told, name
    assert {file.stem for file in (HOUSE / "cli").glob("*.py")} >= set(COMMANDS)


def test_the_public_surface_is_there():
    import cfgraph as package

    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="it has"):
        package.nothing_of_the_kind  # noqa: B018 - the look-up is the test


HEAVY = {"torch", "sklearn", "matplotlib", "neo4j"}
LIGHT = ["--help", *(f"{name} --help" for name in COMMANDS)]


@pytest.mark.parametrize("words", LIGHT)
def test_help_loads_nothing_heavy(words):
    code = f"import sys; from cfgraph.cli import run; code = run({words.split()!r}); heavy = {HEAVY} & set(sys.modules); "
    code += "sys.exit(str(heavy) if heavy else code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]


def test_no_machine_and_no_registry_is_named():
    """Nothing that is kept speaks of one machine or of a host to download from."""
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True).stdout.split()
    wrong = re.compile(r"(/(work|farm|root)/|https?://(repo|registry|files|index|proxy|static|deb)[0-9]*\.)")
    texts = {
        name: (HOUSE / name).read_text(errors="ignore")
        for name in listed
        if (HOUSE / name).is_file() and name != "tests/unit/test_house.py"
    }
    assert not [name for name, text in texts.items() if wrong.search(text)]


LOADED = "import cfgraph.store.graph, sys; print([name for name in ('pandas', 'pyarrow') if name in sys.modules])"


def test_commands_and_workers_load_no_data_frames():
    def loaded(code):
        done = subprocess.run([sys.executable, "-c", f"{code}\n{LOADED}"], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert loaded("") == "['pandas', 'pyarrow']", "the driver does without by itself: cfgraph/loading.py has no use any more"
    left_out = "from cfgraph.loading import leave_frames_out\nleave_frames_out()"
    assert loaded(left_out) == "[]"
    assert loaded(f"{left_out}\nimport cfgraph.store.graph, pandas, pyarrow") == "['pandas', 'pyarrow']"
    for file in ("cfgraph/growing/crew.py", "cli/__init__.py"):
        assert "leave_frames_out()" in (HOUSE / file).read_text()


def test_slow_tests_say_why():
    """Every use of the marker ``slow`` has one reason, in words."""
    for file in (HOUSE / "tests").rglob("*.py"):
        tree = ast.parse(file.read_text())
        uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.slow"]
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for use in uses:
            reasons = calls[id(use)].args if id(use) in calls else []
            told = [reason.value for reason in reasons if isinstance(reason, ast.Constant)]
            assert [len(str(reason).split()) > 1 for reason in told] == [True], f"{file.name}:{use.lineno} gives no reason"


def test_make_help_tells_every_target():
    makefile = (HOUSE / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert set(re.findall(r'^\t@echo "make (\S+) ', makefile, re.MULTILINE)) == set(targets) - {"help"}
    assert set(targets) <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


HANGING = """
import threading

def test_that_hangs():
    threading.Thread(target=threading.Event().wait, args=[60], name="the other one", daemon=True).start()
    threading.Event().wait(60)
"""


@pytest.mark.slow("a run of tests of its own, which waits for its end")
def test_a_hang_names_itself(tmp_path):
    (tmp_path / "test_hanging.py").write_text(HANGING)
    words = ["-c", HOUSE / "pyproject.toml", "--rootdir", tmp_path, "-p", "no:cacheprovider", "-n0", "--timeout=1", tmp_path]
    done = subprocess.run([sys.executable, "-m", "pytest", *map(str, words)], capture_output=True, text=True, timeout=120)
    assert "Stack of the other one" in done.stdout
    assert "Timeout (>1.0s)" in done.stdout
    assert "1 failed" in done.stdout
