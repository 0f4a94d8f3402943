"""Startup: how long `cfgraph --help` takes, and which commands load torch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.finding import Finding, Wanted
from benchmarks.rounds import Rival, Say, take_turns
from cfgraph.cli import COMMANDS

LIMIT_SECONDS = 300
HELP_ROUNDS = 11

# Runs command lines one after another in one process, and says after which one torch was loaded, if it was.
PROBE = """
import contextlib, io, json, sys
from cfgraph.cli import run
for line in json.loads(sys.argv[1]):
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        code = run(line)
    if code:
        sys.exit(f"cfgraph {' '.join(line)} ended with code {code}: {heard.getvalue()[-300:]}")
    if "torch" in sys.modules:
        print(json.dumps(line))
        break
"""


def measure_help(*, say: Say, rounds: int = HELP_ROUNDS) -> list[Finding]:
    """``help``: the wall time of `cfgraph --help` as a process, with a bare Python beside it."""
    program = str(Path(sys.executable).with_name("cfgraph"))
    rivals = [
        Rival("cfgraph --help", lambda _: _run([program, "--help"])),
        Rival("python -c pass", lambda _: _run([sys.executable, "-c", "pass"])),
    ]
    say("starting: cfgraph --help")
    seconds = take_turns(rivals, rounds=rounds, say=say)
    bare = sorted(seconds["python -c pass"])[rounds // 2]
    return [
        Finding(
            name="help",
            title="cfgraph --help",
            values=tuple(seconds["cfgraph --help"]),
            wanted=Wanted("at most", 0.3),
            unit=" s",
            ours=f"wall time of the process, {rounds} times",
            theirs=f"for comparison, `python -c pass` took {bare:.2g} s",
        )
    ]


def measure_torch(url: str, *, say: Say) -> list[Finding]:
    """``torch``: every command but the training of a network, asked for help and really run, in processes of their own."""
    say("looking for commands that load torch")
    guilty = [line for lines in _command_lines() if (line := _first_to_load_torch(lines, url=url))]
    remark = f"torch was loaded by: {'; '.join(guilty)}" if guilty else ""
    return [
        Finding(
            name="torch",
            title="commands that load torch, but for training",
            values=(float(len(guilty)),),
            wanted=Wanted("at most", 0),
            ours="`cfgraph COMMAND --help` of every command; `ingest`, `train --family recurrence`, `rollout`, `compare`, "
            "`ls`, `show`, `path`, `query`, `export`, `plot`, `verify`, `rm`, `status` run with a recurrence, and all "
            "but the first two again with a network that another process had trained",
            theirs="what `sys.modules` holds afterwards",
            remarks=(remark,) if remark else (),
        )
    ]


def _command_lines() -> list[list[list[str]]]:
    """Lists of command lines: those of one list run in one process, in order. The training of a network runs by itself."""
    helps = [["--help"], *([name, "--help"] for name in COMMANDS)]
    return [helps, *_story("recurrence", map_name="koch"), *_story("mlp", map_name="koch")]


def _story(family: str, *, map_name: str) -> list[list[list[str]]]:
    true, rule, grown = f"torch-{family}", f"torch-{family}-rule", f"torch-{family}-grown"
    with_files = [["export", grown, "-o", "{folder}/grown.graphml"], ["plot", true, "--beside", grown, "-o", "{folder}/it.png"]]
    ingest = ["ingest", "ifs", "--map", map_name, "--depth", "4", "--as", true]
    train = ["train", true, "--depth", "3", "--family", family, "--as", rule]
    after = [
        ["rollout", true, "--predictor", rule, "--from-depth", "3", "--to-depth", "4", "--as", grown],
        ["compare", true, grown],
        ["ls"],
        ["show", rule],
        ["show", grown, "--digest"],
        ["path", grown, "/0/1", "/3/2"],
        ["query", "MATCH (cell:Cell) RETURN count(cell)"],
        *with_files,
        ["verify", grown],
        ["status"],
        *(["rm", name] for name in (grown, rule, true)),
    ]
    return [[ingest, train, *after]] if family == "recurrence" else [[ingest], [train], after]


def _first_to_load_torch(lines: list[list[str]], *, url: str) -> str | None:
    """The first command line that loads torch; None where none does, or where it is a network's training, which may."""
    with TemporaryDirectory(prefix="cfgraph-bench-") as folder:
        here = [[word.format(folder=folder) for word in line] for line in lines]
        output = _run([sys.executable, "-c", PROBE, json.dumps(here)], CFGRAPH_STORE=url)
    line = json.loads(output) if output.strip() else None
    return None if line is None or line[0] == "train" else f"cfgraph {' '.join(line)}"


def _run(command: list[str], **environment: str) -> str:
    """What a command prints; an ``AssertionError`` with its last words where it fails."""
    with TemporaryDirectory(prefix="cfgraph-bench-") as folder:
        done = subprocess.run(
            command,
            env={**os.environ, "CFGRAPH_ENV_FILE": "", **environment},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
    if done.returncode:
        raise AssertionError(f"{Path(command[0]).name} failed with code {done.returncode}: {done.stderr[-500:]}")
    return done.stdout
