"""Importing: a database made from files beside the store, and put into its place in one step.

::

    .cfgraph/bulk/       a home of its own, there only while an import is under way
      files/             what neo4j-admin reads
      data/              what it makes
      server.lock        held by neo4j-admin for as long as it lives
      done               written when data/ is whole: from here on the import is finished, not undone

neo4j-admin never touches the store's own data. Whoever starts the store's server next, after a crash too, settles what
is there: with ``done``, the new database takes the old one's place; without, all of it is removed, and a neo4j-admin
that goes on alone is ended first.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cfgraph.errors import LocalServerError
from cfgraph.server.disk import FULL, write_private_file
from cfgraph.server.home import Home
from cfgraph.server.launcher import Launcher, doubt_heap, last_words, smaller_heap
from cfgraph.server.lock import is_locked

if TYPE_CHECKING:
    from cfgraph.formats.neo4j_admin import Form

PARTS = ("databases", "transactions")  # a database's folders in data/, each below its name
DATABASE = "neo4j"
OFF_HEAP = "1g"  # for page cache and relationships in the making; with less than it wants it works in more rounds ...
OFF_HEAP_MIN, OFF_HEAP_NODE = 160 << 20, 7  # ... but of few nodes it takes all that it may, and needs some bytes each
HEAP_LEAST, HEAP_NODE = 128 << 20, 19  # where it links relationships it keeps some bytes of each node in its heap ...
HEAP_CSV = 96 << 20  # ... and of CSV larger pieces than of Parquet
END_SECONDS = 10
POLL_SECONDS = 0.05


def staging_of(home: Home) -> Home:
    """The home in which a database is made for another home."""
    return Home(home.directory / "bulk")


def has_database(home: Home) -> bool:
    """Whether a home holds a database, or one that is to be settled."""
    return (home.directory / "data" / PARTS[0] / DATABASE).exists() or staging_of(home).directory.exists()


def prepare_staging(home: Home) -> Path:
    """An empty folder for the files that are to be imported."""
    staging = staging_of(home)
    staging.make()
    files = staging.directory / "files"
    files.mkdir()
    return files


def off_heap_for(nodes: int) -> str:
    """What neo4j-admin may take beside its heap to import so many nodes."""
    wanted = max(OFF_HEAP_MIN, nodes * OFF_HEAP_NODE)
    return OFF_HEAP if wanted >= 1 << 30 else f"{wanted >> 20}m"


def heap_for(nodes: int, *, form: "Form") -> str:
    """The heap in which neo4j-admin imports so many nodes from files of a form; with more it only leaves more lying about."""
    return f"{(HEAP_LEAST + nodes * HEAP_NODE + (HEAP_CSV if form == 'csv' else 0)) >> 20}m"


def import_files(launcher: Launcher, arguments: Sequence[str], *, nodes: int, form: "Form") -> None:
    """Run neo4j-admin on the files of a staging home until it ends; a ``LocalServerError`` with its reason if it fails.

    It gets as small a heap as is enough nearly always, and all that there may be where it was not.
    """
    staging, code, said = staging_of(launcher.home), 0, ""
    for heap in dict.fromkeys((smaller_heap(launcher.heap, heap_for(nodes, form=form)), launcher.heap)):
        code, said = _run_admin(replace(launcher, home=staging, heap=heap), arguments, nodes=nodes)
        if not (code and doubt_heap(said, heap=heap)):
            break
    if code:
        if "No space left on device" in said:
            raise LocalServerError(FULL.format(launcher.home.directory))
        hint = doubt_heap(said, heap=launcher.heap)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        raise LocalServerError(f"neo4j-admin {how} and nothing was imported into {launcher.home.directory}: {said}{hint}")
    write_private_file(_mark_of(staging), "the database in data/ is whole\n")


def _run_admin(admin: Launcher, arguments: Sequence[str], *, nodes: int) -> tuple[int, str]:
    """Run neo4j-admin once; the code that it ended with, and, of another than 0, why."""
    limit = f"--max-off-heap-memory={off_heap_for(nodes)}"
    process = admin.launch_admin([*arguments, limit], folder=admin.home.directory / "files")
    try:
        code = process.wait()
    except BaseException:
        end_admin(admin.home)
        process.wait()
        raise
    return code, last_words(admin.home.console_log.read_text(encoding="utf-8", errors="replace")) if code else ""


def settle_import(home: Home) -> None:
    """Finish an import that is done, undo one that is not; nothing where there is none."""
    staging = staging_of(home)
    if not staging.directory.exists():
        return
    end_admin(staging)
    if _mark_of(staging).exists():
        for part in PARTS:
            _move_database(staging.directory / "data" / part / DATABASE, home.directory / "data" / part / DATABASE)
    shutil.rmtree(staging.directory)


def _mark_of(staging: Home) -> Path:
    return staging.directory / "done"


def _move_database(made: Path, place: Path) -> None:
    """Put a folder into its place, whatever was there; done already where it is gone from where it was made."""
    if made.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        made.replace(place)


def end_admin(staging: Home) -> None:
    """Kill a neo4j-admin that works in a staging home."""
    deadline = time.monotonic() + END_SECONDS
    while is_locked(staging.server_lock):
        pid = staging.read_pid()
        if pid is not None:  # as long as the lock is held, the process of that id is neo4j-admin
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LocalServerError(f"process {pid}, neo4j-admin at work in {staging.directory}, cannot be killed")
        time.sleep(POLL_SECONDS)
