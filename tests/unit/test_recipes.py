"""recipes/: each file is what its program takes, and the words in it are those of our commands."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

import pytest
import yaml

from cfgraph.cli import cfgraph
from cfgraph.errors import InputError, OwnershipError
from tests.compose import interpolate, read_compose

HOUSE = Path(__file__).parents[2]
RECIPES = HOUSE / "recipes"
SLURM = RECIPES / "slurm-array.sh"
NAMES = ("Dockerfile", "kubernetes.yaml", "ray-cluster.yaml", "slurm-array.sh", "workers.yml")


def read(name):
    return yaml.safe_load((RECIPES / name).read_text())


def check_words(words):
    """The words of a command are such as our commands take; nothing is run."""
    context, group = None, cfgraph
    while words:
        name, command, words = group.resolve_command(group.make_context("it", ["x"], resilient_parsing=True), list(words))
        assert command is not None
        if not hasattr(command, "commands"):
            return command.make_context(name, list(words), parent=context)
        group = command
    raise AssertionError("a group alone does nothing")


def comments(name):
    """The commands that the comments of a recipe show."""
    told = " ".join(line.removeprefix("#") for line in (RECIPES / name).read_text().splitlines() if line.startswith("#  "))
    return [shlex.split(part) for part in re.findall(r"cfgraph ((?:ingest|train|rollout) [^&$]*?)(?= &&|   |$)", told)]


def test_every_recipe_is_told_of():
    there = {path.name for path in RECIPES.iterdir()} - {"Dockerfile.dockerignore"}
    assert there == set(NAMES)
    page = (HOUSE / "docs" / "engines.md").read_text()
    assert all(f"(../recipes/{name})" in page for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_comments_are_ours(name):
    for words in comments(name):
        check_words(words)


def test_there_are_commands_in_comments():
    assert sum(len(comments(name)) for name in NAMES) >= 3
    with pytest.raises(Exception, match=r"(N|n)o such option"):
        check_words(["rollout", "koch", "--no-such", "1"])


# -- Kubernetes


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_job_is_what_kubernetes_takes(version):
    schemas = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    job = read("kubernetes.yaml")
    schemas.validate(job, version, strict=True)
    job["spec"]["template"]["spec"]["containers"][0]["replicas"] = 3
    with pytest.raises(schemas.ValidationError, match="replicas"):
        schemas.validate(job, version, strict=True)


def test_the_job_ends_where_no_other_worker_would_fare_better():
    spec = read("kubernetes.yaml")["spec"]
    [worker] = spec["template"]["spec"]["containers"]
    check_words(worker["args"])
    rule = spec["podFailurePolicy"]["rules"][0]["onExitCodes"]
    assert rule["containerName"] == worker["name"]
    assert rule["values"] == [InputError.exit_code, OwnershipError.exit_code]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # which a policy of failures wants
    assert "completions" not in spec


def test_the_job_holds_no_password():
    spec = read("kubernetes.yaml")["spec"]["template"]["spec"]
    variables = {variable["name"]: variable["value"] for variable in spec["containers"][0]["env"]}
    [mount], [volume] = spec["containers"][0]["volumeMounts"], spec["volumes"]
    assert variables["NEO4J_PASSWORD_FILE"] == f"{mount['mountPath']}/password"
    assert (mount["name"], volume["name"]) == ("password", "password")
    assert f"secret generic {volume['secret']['secretName']} --from-file=password=" in (RECIPES / "kubernetes.yaml").read_text()
    assert "NEO4J_PASSWORD" not in variables


# -- Docker


def test_workers_fit_to_the_compose_file():
    base, more = read_compose(), read("workers.yml")
    worker = more["services"]["worker"]
    assert set(more) == {"services", "secrets"}
    keys = ("image", "build", "command", "environment", "secrets", "depends_on", "deploy", "restart", "stop_grace_period")
    assert set(worker) == set(keys)
    assert set(worker["build"]) == {"context", "dockerfile"}
    assert (HOUSE / worker["build"]["context"] / worker["build"]["dockerfile"]).is_file()  # from the first file's folder
    [(service, wanted)] = worker["depends_on"].items()
    assert "healthcheck" in base["services"][service]
    assert wanted == {"condition": "service_healthy"}
    assert worker["environment"]["NEO4J_URI"] == f"bolt://{service}:7687"
    [secret] = worker["secrets"]
    assert worker["environment"]["NEO4J_PASSWORD_FILE"] == f"/run/secrets/{secret}"
    assert more["secrets"] == {secret: {"environment": "NEO4J_PASSWORD"}}
    assert interpolate(worker["deploy"]["replicas"]) == "2"
    assert interpolate(worker["deploy"]["replicas"], WORKERS="7") == "7"


def test_the_words_of_workers_are_those_of_a_rollout():
    text = (RECIPES / "workers.yml").read_text()
    words = re.search(r'export ROLLOUT="([^"]*)"', text)[1]
    command = read("workers.yml")["services"]["worker"]["command"]
    check_words(shlex.split(re.sub(r"\$\{ROLLOUT:\?[^}]*\}", words, command)))


def test_the_image_is_made_of_what_a_wheel_is_made_of():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    wanted = {*project["tool"]["setuptools"]["package-dir"].values(), "pyproject.toml"}
    wanted |= {project["project"]["readme"], *project["project"]["license-files"]}
    first, *others = [line for line in (RECIPES / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert first == "*"
    assert {line.removeprefix("!") for line in others} == wanted
    lines = [line.split(maxsplit=1) for line in (RECIPES / "Dockerfile").read_text().splitlines() if line and line[0] != "#"]
    assert [name for name, _ in lines] == ["FROM", "COPY", "RUN", "USER", "WORKDIR", "ENTRYPOINT"]
    version = tuple(map(int, re.search(r"python:(\d+)\.(\d+)", lines[0][1]).groups()))
    assert version >= tuple(map(int, project["project"]["requires-python"].removeprefix(">=").split(".")))
    assert dict(lines)["ENTRYPOINT"] == '["cfgraph"]'


# -- Slurm

SRUN = '#!/bin/sh\nexec "$@"\n'
TELLS = '#!/bin/sh\nfor word in "$@"; do echo "[$word]"; done\n'


def place_programs(folder, **texts):
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}


def run_script(*words, **environment):
    return subprocess.run([SLURM, *words], env=environment, capture_output=True, text=True, check=False)


def test_the_script_is_one_and_hands_no_password_on():
    subprocess.run(["bash", "-n", SLURM], check=True)
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", SLURM.read_text(), re.MULTILINE))
    assert {"array", "ntasks", "cpus-per-task", "mem", "time", "signal", "requeue", "output", "export"} <= set(options)
    handed = options["export"].split(",")
    assert "NEO4J_PASSWORD" not in handed
    assert {"PATH", "HOME", "NEO4J_URI", "NEO4J_PASSWORD_FILE"} <= set(handed)
    before = SLURM.read_text().split("\nset -euo")[0]  # Slurm reads options up to the first command alone
    assert before.count("#SBATCH") == SLURM.read_text().count("#SBATCH")


def test_the_script_runs_a_rollout_as_it_was_written(tmp_path):
    path = place_programs(tmp_path, srun=SRUN, cfgraph=TELLS)
    known = {**path, "NEO4J_URI": "bolt://there:7687", "NEO4J_PASSWORD_FILE": "it", "SLURM_ARRAY_TASK_ID": "3"}
    done = run_script("my field", "--to-depth", "8", **known)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("task 3 of job 0 on ")
    assert done.stdout.splitlines()[1:] == ["[rollout]", "[my field]", "[--to-depth]", "[8]"]
    assert run_script(**known).returncode == 2
    for missing in ("NEO4J_URI", "NEO4J_PASSWORD_FILE"):
        less = {name: value for name, value in known.items() if name != missing}
        done = run_script("koch", **less)
        assert done.returncode != 0
        assert f"set {missing} to a" in done.stderr


@pytest.mark.slow("two commands at once, as two tasks of an array")
def test_two_tasks_of_an_array_grow_what_one_worker_does(store, tmp_path):
    from cfgraph import rollout, sources, train

    truth, rule, alone, there = (f"recipes-{uuid.uuid4().hex[:8]}-{name}" for name in ("truth", "rule", "alone", "there"))
    koch = sources.ifs("koch", id=truth, depth=3)
    store.write(koch)
    store.write_predictor(train(koch, id=rule, depth=3, family="recurrence"))
    how = {"from_depth": 2, "to_depth": 7}
    rollout(store, truth, predictor=rule, copy_as=alone, **how)
    access = store.access.reveal()
    (tmp_path / "password").write_text(access["password"])
    path = place_programs(tmp_path, srun=SRUN)
    path["PATH"] = os.pathsep.join([path["PATH"].split(os.pathsep)[0], str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
    known = {**kept, **path, "CFGRAPH_ENV_FILE": "", "NEO4J_URI": access["uri"], "NEO4J_USERNAME": access["username"]}
    known |= {"NEO4J_PASSWORD_FILE": str(tmp_path / "password"), "SLURM_ARRAY_JOB_ID": "1"}
    words = [SLURM, truth, "--predictor", rule, "--from-depth", "2", "--to-depth", "7", "--as", there]
    tasks = [
        subprocess.Popen(words, env={**known, "SLURM_ARRAY_TASK_ID": str(task)}, stdout=subprocess.PIPE, text=True)
        for task in (1, 2)
    ]
    for task in tasks:
        out, _ = task.communicate(timeout=300)
        assert task.returncode == 0, out
    assert store.digest(there) == store.digest(alone)
    assert store.read_workers(there) == []
    for id in (there, alone, rule, truth):
        store.remove(id)


# -- Ray


def test_the_cluster_is_what_ray_takes():
    pytest.importorskip("ray", reason="ray is not installed: its 79 MB are not among what the tests need")
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster = prepare_config(read("ray-cluster.yaml"))
    validate_config(cluster)
    with pytest.raises(Exception, match="nonsense"):
        validate_config({**cluster, "nonsense": 1})


def test_the_cluster_listens_where_the_engine_goes():
    text, cluster = (RECIPES / "ray-cluster.yaml").read_text(), read("ray-cluster.yaml")
    head = cluster["provider"]["head_ip"]
    [command] = [line for line in cluster["head_start_ray_commands"] if "--head" in line]
    port = re.search(r"--ray-client-server-port=(\d+)", command)[1]
    assert f"--engine ray://{head}:{port}" in text
    assert cluster["min_workers"] == cluster["max_workers"] == len(cluster["provider"]["worker_ips"])
    password = re.search(r"NEO4J_PASSWORD_FILE=~/(\S+)", command)[1]
    assert f"/home/{cluster['auth']['ssh_user']}/{password}" in cluster["file_mounts"]
