"""Types: what a user's checker finds, what ours is told, and how often it is told to look away."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
CONFIG = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["mypy"]
STRICT = {"cfgraph.metric.*", "cfgraph.model.*", "cfgraph.predictors.*", "cfgraph.store.*"}
SOURCES = sorted([*(HOUSE / "cfgraph").rglob("*.py"), *(HOUSE / "cli").glob("*.py")])
IGNORE = re.compile(r"# type: ignore(.*)")
REASON = re.compile(r"\[[a-z-]+(, [a-z-]+)*\]  # \w.{8,}")
IGNORES_MAX = 25
SEEN_WRONG = "  # wrong"
USER = f"""\
import cfgraph
from cfgraph import HierarchyWithCells, Stop, Store, sources
from cfgraph.files.labels import Labels
from cfgraph.store import Counts


def use(field: HierarchyWithCells, store: Store, labels: Labels) -> None:
    cfgraph.train(field, id="rule", depth=2)
    cfgraph.train(field, id="rule", dept=2){SEEN_WRONG}
    cfgraph.train("koch", id="rule", depth=2){SEEN_WRONG}
    cfgraph.trian(field, id="rule", depth=2){SEEN_WRONG}
    sources.ifs(id="koch", maps="koch", depth=8)
    sources.ifs(id="koch", maps="koch", dephth=8){SEEN_WRONG}
    sources.linkage(id="l", data="f.npy", condense=2)
    sources.linkage(id="l", data="f.npy", minimun=2){SEEN_WRONG}
    cfgraph.compare(store, "a", "b", pairs=9)
    cfgraph.compare(store, "a", "b", pair=9){SEEN_WRONG}
    cfgraph.rollout(store, "a", predictor="b", stop=Stop(depth=3))
    cfgraph.rollout(store, "a", predictr="b", stop=Stop(depth=3)){SEEN_WRONG}
    cfgraph.rollout(store, "a", predictor="b", stop=Stop(dept=3)){SEEN_WRONG}
    Store.open(url="local").close()
    Store.open(ur="local").close(){SEEN_WRONG}
    cfgraph.export(store, "a", output="a.csv")
    cfgraph.export(store, "a", pth="a.csv"){SEEN_WRONG}
    cfgraph.evaluate(field, labels=labels)
    cfgraph.evaluate(field, label=labels){SEEN_WRONG}
    cfgraph.verify(store, "a")
    cfgraph.verify(store, ids="a"){SEEN_WRONG}
    cfgraph.find_path(store, "a", first="/", second="/0")
    cfgraph.find_path(store, "a", first="/", secnd="/0"){SEEN_WRONG}
    cfgraph.to_networkx(field)
    cfgraph.to_networkx(field, hierrchy=field){SEEN_WRONG}
    counts: Counts = store.counts("a")
    print(counts.cells)
    print(counts.cels){SEEN_WRONG}
"""


@pytest.mark.slow("a type checker reads everything that cfgraph imports: half a minute")
def test_misspelt_arguments_are_found_by_a_users_checker(tmp_path, monkeypatch):
    """With the checker's own defaults. An editable installation is a hook that only Python follows: so the path is given."""
    (tmp_path / "user.py").write_text(USER)
    monkeypatch.setenv("MYPYPATH", str(HOUSE))
    command = [sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=silent", "--hide-error-context", "user.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    # Of a verb with several signatures the checker may tell two errors, the word and that no signature fits.
    found = sorted({int(line) for line in re.findall(r"^user\.py:(\d+): error:", said.stdout, re.MULTILINE)})
    wanted = [number for number, line in enumerate(USER.splitlines(), start=1) if line.endswith(SEEN_WRONG)]
    assert found == wanted, said.stdout + said.stderr


def test_every_exception_names_its_code_and_its_reason_and_they_are_few():
    ignores = [
        (file.relative_to(HOUSE), number, told)
        for file in SOURCES
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        for told in IGNORE.findall(line)
    ]
    assert [ignore for ignore in ignores if not REASON.fullmatch(ignore[2])] == []
    assert len(ignores) <= IGNORES_MAX


def test_no_module_is_left_out_and_no_code_switched_off():
    wholes = [CONFIG, *CONFIG["overrides"]]
    off = {"disable_error_code", "exclude", "follow_imports", "ignore_errors"}
    skipping = [whole for whole in CONFIG["overrides"] if whole.get("follow_imports") == "skip"]
    others = [whole for whole in wholes if whole not in skipping]
    assert [name for whole in others for name in whole if name in off] == []
    assert set(CONFIG["packages"]) == {"cfgraph", "cli", "cypher"}
    passed_over = [name for whole in wholes if whole.get("ignore_missing_imports") for name in whole["module"]]
    passed_over += [name for whole in skipping for name in whole["module"]]
    assert passed_over
    assert not [name for name in passed_over if name.startswith(("cfgraph", "cli", "cypher", "*"))]
    assert not [file for file in SOURCES if re.search(r"^# mypy:|^# type: ignore", file.read_text(), re.MULTILINE)]


def test_strict_is_all_that_the_checker_means_by_it():
    from mypy.main import define_options

    _, strict, _ = define_options()  # the flags of --strict are for the whole only: here they are named, by room
    (rooms,) = [override for override in CONFIG["overrides"] if set(override["module"]) == STRICT]
    told = {**CONFIG, **rooms}
    meant = {re.sub("^no_", "", flag.strip("-").replace("-", "_")): not flag.startswith("--no-") for flag in strict}
    assert {name: told.get(name) for name in meant} == meant
