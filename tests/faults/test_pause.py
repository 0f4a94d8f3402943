"""Commands paused anywhere while others run: what is left is what some order of them leaves, one after the other."""

import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.faults.forking import Command, Forker
from tests.faults.pausing import Pause, PausingProxy, pauses_of
from tests.faults.serial import EMPTY, Scene, Serial

pytestmark = pytest.mark.slow("commands beside one another, paused at their transactions")

WRITERS = ("ingest field", "ingest graph", "ingest parquet", "train", "grow", "copy", "rm")
MAKERS = ("ingest field", "ingest graph", "ingest parquet", "copy")
NEEDS = {name: () if name in MAKERS else ("ingest field",) for name in WRITERS}
PATIENCE_SECONDS = 1.5  # after which one that waits for a paused one's locks is no longer waited for: the pause ends
KILLED_BESIDE = 3  # of the other commands, drawn for each moment at which one is killed
LONGEST_SECONDS, LONGEST_SCHEDULES_SECONDS = 45 * 60, 40 * 60
SUFFIXES = ("graphml", "gexf", "json", "dot", "csv", "parquet", "nwk")
LATEST_SECONDS, LONGEST_PAUSE_SECONDS, PAUSED_SHARE = 0.5, 0.7, 0.7  # of a schedule's commands
HANGING_SECONDS = 120


class Case(NamedTuple):
    """A kind of disturbance, the command that is paused and where, and the other one."""

    kind: str  # beside: B whole; again: rm, and B whole; killed: A once more, and B whole
    first: str
    pause: Pause
    second: str


@pytest.fixture(scope="module")
def scene(own_store, tmp_path_factory):
    """What all cases share, on a server of their own."""
    pages = {"cfgraph.store.reading.PAGE_CELLS": 8, "cfgraph.store.reading.PAGE_PARENTS": 4}  # so that few cells have many
    pages["cfgraph.store.hierarchies.VERIFICATION_CELLS"] = 8
    with Forker(tmp_path_factory.mktemp("commands"), preset=pages) as forker:
        yield Scene(own_store, forker, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def serial(scene):
    """What commands do that nothing disturbs."""
    return Serial(scene)


def all_cases(scene: Scene, chance: random.Random) -> list[Case]:
    """Every case: each command is watched once, undisturbed, to see its transactions."""
    cases = []
    for first in WRITERS:
        for pause in watch(scene, first):
            cases += [Case("beside", first, pause, second) for second in WRITERS]
            cases += [Case("again", first, pause, second) for second in MAKERS]
            cases += [Case("killed", first, pause, second) for second in chance.sample(WRITERS, KILLED_BESIDE)]
    return cases


def watch(scene: Scene, name: str) -> list[Pause]:
    """The moments of a command at which it can be paused."""
    h, r = prepared(scene, name)
    with proxy_of(scene) as proxy:
        command = scene.start(name, h, r, uri=proxy.url)
        assert command.wait() == 0, command.said
        found = pauses_of(proxy.transactions)
    scene.clear(h, r)
    return found


def prepared(scene: Scene, name: str) -> tuple[str, str]:
    """The names of a new case, in which there is what a command needs."""
    h, r = scene.names()
    for need in NEEDS[name]:
        assert scene.run(need, h, r) == 0
    return h, r


def proxy_of(scene: Scene, pause: Pause | None = None) -> PausingProxy:
    """A proxy before the scene's server."""
    parts = urlsplit(scene.access["uri"])
    return PausingProxy(parts.hostname, parts.port, pause=pause)


def test_pauses(scene, serial, chance, finding, counts):
    """Commands paused at each kind of transaction, while another one runs, or is removed and made again, or killed."""
    cases = all_cases(scene, chance())
    chosen = chance().sample(cases, min(counts.pauses, len(cases)))
    failures, end = list[str](), time.monotonic() + LONGEST_SECONDS
    for case in chosen:
        if time.monotonic() < end:
            finding.faults += 1
            failures += play(case, scene, serial)
    finding.remarks.append(f"{finding.faults} of {len(cases)} cases, {len(failures)} that no order explains")
    assert not failures, "\n".join(failures)


def play(case: Case, scene: Scene, serial: Serial) -> Iterator[str]:
    """Play a case; what is wrong with its end."""
    h, r = prepared(scene, case.first)
    begin = serial.reach(NEEDS[case.first])
    with proxy_of(scene, case.pause) as proxy:
        first = scene.start(case.first, h, r, uri=proxy.url)
        while not proxy.reached.wait(0.01) and first.code is None:
            pass
        told, held = [(case.first, 0)], True
        if case.kind == "killed":
            first.kill()
            told[0] = (case.first, first.code)
            others = (case.first, case.second)
        else:
            others = ("rm", case.second) if case.kind == "again" else (case.second,)
        said = [first]
        for name in others:
            command = scene.start(name, h, r)
            said.append(command)
            if not ended(command, PATIENCE_SECONDS):
                held = proxy.resume()
            told.append((name, command.wait()))
        proxy.resume()
        told[0] = (case.first, first.wait())
    before = [(a, b) for a in range(1, len(told)) for b in range(a + 1, len(told))]
    if case.kind == "killed":
        before += [(0, place) for place in range(1, len(told))]
    end, story = scene.try_state(h, r), _story(told, said)
    yield from judge(case, serial, begin, told, end, before=before, story=story)
    # Who said last that something is there said it of what is there now; but another may have grown that since.
    last, code = told[-1 if case.kind == "killed" else 0]
    gone = case.kind == "killed" or ("rm", 0) in told
    if held and gone and code == 0 and last != "rm" and not serial.is_there(last, end):
        yield f"{case}: {last} said 0, and what it makes is not there: {end}\n{story}"
    scene.clear(h, r)


def ended(command: Command, seconds: float) -> bool:
    """Whether a command ends within some seconds."""
    try:
        command.wait(seconds)
    except AssertionError:
        return False
    return True


def _story(told: list[tuple[str, int]], said: list[Command]) -> str:
    return "\n".join(f"    {name}: {code} {one.said.strip()[-300:]}" for (name, code), one in zip(told, said, strict=True))


def judge(what, serial, begin, told, end, *, before, story) -> Iterator[str]:
    """What is wrong with the end of some commands."""
    if isinstance(end, str):
        yield f"{what}: {end}\n{story}"
    elif "Traceback" in story:
        yield f"{what}: a traceback\n{story}"
    elif not serial.explains(begin, told, end, before=before):
        yield f"{what}: no order of the commands gives {end}\n{story}"


@pytest.mark.parametrize("operation", ["claim_id", "expand_frontier", "create_links", "create_points", "lock_hierarchy"])
def test_a_client_that_stands_still(scene, finding, operation):
    """A client stands still with a transaction open; `rm` removes what it writes all the same."""
    h, r = scene.names()
    with proxy_of(scene, Pause(operation, 1, "commit")) as proxy:
        still = scene.start("ingest graph", h, r, uri=proxy.url)
        while not proxy.reached.wait(0.01):
            assert still.code is None, still.said
        removing = scene.start("rm", h, r)
        wanted = 2 if operation == "claim_id" else 0  # what was about to be claimed is not there yet
        assert removing.wait() == wanted, removing.said
        proxy.resume()
        assert still.wait() == (0 if operation == "claim_id" else 4), still.said
    finding.faults += 1
    state = scene.state(h, r)
    assert (state.hierarchy is None) == (operation != "claim_id")
    scene.clear(h, r)


def test_readers(scene, chance, finding, counts, tmp_path):
    """Reading commands paused at their first, a middle and their last page, while what they read is removed or grown."""
    cases = [(name, pause, what) for name in READERS for pause in page_pauses(scene, name, tmp_path) for what in CHANGES]
    chosen = chance().sample(cases, min(counts.reads, len(cases)))
    failures = [failure for case in chosen for failure in disturb_reader(*case, scene, tmp_path)]
    finding.faults = len(chosen)
    finding.remarks.append(f"{len(chosen)} of {len(cases)} cases, {len(failures)} that told or left something torn")
    assert not failures, "\n".join(failures)


READERS = {
    "show": ["show", "{h}", "--digest"],
    "verify": ["verify", "{h}"],
    "compare": ["compare", "{h}", "{h}"],
    "path": ["path", "{h}", "/0/1", "/2/2"],
    "plot": ["plot", "{h}", "-o", "{out}.svg"],
    "export folder": ["export", "{h}", "--format", "neo4j-admin", "-o", "{out}"],
    "export tables": ["export", "{h}", "--format", "csv", "-o", "{out}"],
    **{f"export {suffix}": ["export", "{h}", "-o", "{out}." + suffix] for suffix in SUFFIXES},
}
CHANGES = (("rm",), ("rm", "ingest graph"), ("rm", "ingest field"), ("grow",))
PAGES = ("read_subtree", "read_children", "read_cells", "read_import", "read_sound", "read_verification")


def reader_words(name: str, h: str, out: Path) -> list[str]:
    """A reading command."""
    return [word.format(h=h, out=out / "it") for word in READERS[name]]


def page_pauses(scene: Scene, name: str, folder: Path) -> list[Pause]:
    """Before the first page that a command reads, before one in the middle, before the last."""
    h, r = prepared(scene, "grow")
    out = Path(tempfile.mkdtemp(dir=folder))
    with proxy_of(scene) as proxy:
        command = scene.start_words(reader_words(name, h, out), uri=proxy.url)
        assert command.wait() == 0, command.said
        counted, pages = Counter[str](), list[Pause]()
        for operation, *_ in proxy.transactions:
            counted[operation] += 1
            if operation in PAGES:
                pages.append(Pause(operation, counted[operation], "begin"))
    scene.clear(h, r)
    assert pages, (name, proxy.transactions, command.said)
    return list(dict.fromkeys([pages[0], pages[len(pages) // 2], pages[-1]]))


def disturb_reader(name: str, pause: Pause, changes: tuple[str, ...], scene: Scene, folder: Path) -> Iterator[str]:
    """What is wrong with how a reading command ends whose hierarchy changes meanwhile."""
    h, r = prepared(scene, "grow")
    out = Path(tempfile.mkdtemp(dir=folder))
    with proxy_of(scene, pause) as proxy:
        command = scene.start_words(reader_words(name, h, out), uri=proxy.url)
        while not proxy.reached.wait(0.01) and command.code is None:
            pass
        for change in changes:
            assert scene.run(change, h, r) == 0
        proxy.resume()
        code = command.wait()
    scene.clear(h, r)
    wanted = 0 if changes == ("grow",) and name in ("verify", "path") else 4  # those read cell by cell what stays
    files = [path.name for path in out.iterdir()]
    if code != wanted or (files and code != 0) or "Traceback" in command.said:
        yield f"{name} at {pause}, {' and '.join(changes)} meanwhile: exit code {code}, files {files}: {command.said[-300:]}"


def test_schedules(scene, serial, chance, finding, counts):
    """Four commands on one id, begun and paused at random."""
    pauses = {name: watch(scene, name) for name in WRITERS}
    failures, latest = list[str](), time.monotonic() + LONGEST_SCHEDULES_SECONDS
    for number in range(counts.schedules):
        if time.monotonic() < latest:
            finding.faults += 1
            failures += play_schedule(number, chance(number), pauses, scene, serial)
    finding.remarks.append(f"{finding.faults} schedules, {len(failures)} that no order explains")
    assert not failures, "\n".join(failures)


class Turn:
    """One command of a schedule: when it begins, where it pauses and for how long."""

    def __init__(self, chance: random.Random, pauses: dict[str, list[Pause]]):
        self.name = chance.choice(WRITERS)
        self.at, self.paused = chance.uniform(0, LATEST_SECONDS), chance.uniform(0, LONGEST_PAUSE_SECONDS)
        self.pause = chance.choice(pauses[self.name]) if chance.random() < PAUSED_SHARE else None
        self.begun, self.resumes = 0.0, math.inf
        self.command: Command | None = None
        self.proxy: PausingProxy | None = None

    def step(self, scene: Scene, names: tuple[str, str], since: float) -> bool:
        """Do what is due; whether it has ended."""
        now = time.monotonic() - since
        if self.command is None:
            if now < self.at:
                return False
            self.proxy, self.begun = proxy_of(scene, self.pause), time.time_ns()
            self.command = scene.start(self.name, *names, uri=self.proxy.url)
        if self.proxy.reached.is_set():
            self.resumes = min(self.resumes, now + self.paused)
        if now >= self.resumes:
            self.proxy.resume()
        return self.command.code is not None


def play_schedule(number: int, chance: random.Random, pauses, scene: Scene, serial: Serial) -> Iterator[str]:
    """Play a schedule; what is wrong with its end."""
    names, turns, since = scene.names(), [Turn(chance, pauses) for _ in range(4)], time.monotonic()
    running = turns
    try:
        while running := [turn for turn in running if not turn.step(scene, names, since)]:
            assert time.monotonic() - since < HANGING_SECONDS, [turn.command and turn.command.said for turn in turns]
            time.sleep(0.005)
    finally:
        for turn in turns:
            if turn.proxy is not None:
                turn.proxy.__exit__()
    told = [(turn.name, turn.command.code) for turn in turns]
    before = [(a, b) for a in range(4) for b in range(4) if turns[a].command.ended < turns[b].begun]
    story = _story(told, [turn.command for turn in turns])
    what = f"schedule {number}: {[(turn.name, round(turn.at, 2), turn.pause, round(turn.paused, 2)) for turn in turns]}"
    yield from judge(what, serial, EMPTY, told, scene.try_state(*names), before=before, story=story)
    scene.clear(*names)
