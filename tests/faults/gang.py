"""Gang: commands that grow one copy side by side, each in its own process with its own log."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.faults.ground import Ground

HANGING_SECONDS = 900  # after which a gang that does not end hangs: a defect
TICK_SECONDS = 0.02


class Member:
    """One command: its process and its log."""

    def __init__(self, command: Sequence[str], *, log: Path, environment: dict[str, str]):
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
        self.started = time.monotonic()

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self.process.poll()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, when it has ended."""
        return self.process.wait(timeout=HANGING_SECONDS)

    @property
    def events(self) -> list[dict]:
        """What it told so far."""
        return [json.loads(line) for line in self._lines() if _is_json(line)]

    def told(self, action: str) -> list[dict]:
        """What it told of one kind."""
        return [event for event in self.events if event.get("action") == action]

    @property
    def said(self) -> str:
        """What it said in words rather than in events: its talk, and what is no line of the log at all."""
        told = [json.loads(line) if _is_json(line) else {"message": line} for line in self._lines()]
        return "\n".join(line["message"] for line in told if "action" not in line)

    def _lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()


def _is_json(line: str) -> bool:
    """Whether a line is one of the log's, and whole."""
    return line.startswith("{") and line.endswith("}")


class Gang:
    """So many commands at one copy; use it in a ``with``, at the end of which none is left.

    ``options`` go behind the words of the command, ``rule`` is another predictor than the ground's; ``changes`` are made to
    the environment of a member.
    """

    def __init__(
        self,
        ground: Ground,
        copy: str,
        *,
        folder: Path,
        count: int,
        options: Sequence[str] = (),
        changes: Callable[[int], dict[str, str]] = lambda number: {},
        rule: str | None = None,
    ):
        self.ground, self.copy, self._folder = ground, copy, folder
        self._command, self._changes = [*ground.words(copy, rule=rule), *options], changes
        self.all: list[Member] = []
        self.members = [self._start(number) for number in range(count)]

    def __enter__(self) -> "Gang":
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if member.code is None:
                member.kill(signal.SIGCONT)
                member.kill()
                member.wait()

    def _start(self, number: int) -> Member:
        log = self._folder / f"{self.copy}-{number}-{len(self.all)}.log"
        self.all.append(Member(self._command, log=log, environment=self.ground.environment | self._changes(number)))
        return self.all[-1]

    def restart(self, number: int) -> Member:
        """Start a member's command again."""
        self.members[number] = self._start(number)
        return self.members[number]

    @property
    def restarts(self) -> int:
        """How often a command was started again."""
        return len(self.all) - len(self.members)

    def told(self, action: str) -> list[dict]:
        """What all that ever ran told of one kind."""
        return [event for member in self.all for event in member.told(action)]

    def await_that(self, condition: Callable[[], object]) -> None:
        """Wait until something is so, while no member ends with an error."""
        end = time.monotonic() + HANGING_SECONDS
        while not condition():
            assert time.monotonic() < end, self.story()
            for member in self.members:
                assert member.code in (None, 0), self.story()
            time.sleep(TICK_SECONDS)

    def muster(self) -> None:
        """Wait until every member has begun; those that have stand still until the last has, so that work is left for all."""
        standing = set[Member]()

        def all_stand() -> bool:
            for member in set(self.members) - standing:
                if member.told("begin"):
                    member.kill(signal.SIGSTOP)
                    standing.add(member)
            return len(standing) == len(self.members)

        self.await_that(all_stand)
        for member in self.members:
            member.kill(signal.SIGCONT)

    def ticks(self) -> Iterator[float]:
        """Moments, until every member has ended with 0; the caller restarts those that end otherwise."""
        end = time.monotonic() + HANGING_SECONDS
        while any(member.code != 0 for member in self.members):
            assert time.monotonic() < end, self.story()
            yield time.monotonic()
            time.sleep(TICK_SECONDS)

    def finish(self, *, codes: Sequence[int] = ()) -> None:
        """Wait until all have ended with 0; one that ends with one of ``codes`` is started again."""
        for _ in self.ticks():
            self.tend(codes=codes)

    def tend(self, *, codes: Sequence[int]) -> None:
        """Start those again that ended with one of ``codes``; any other code is a defect."""
        for number, member in enumerate(self.members):
            if member.code in codes:
                self.restart(number)
            assert self.members[number].code in (None, 0), self.story()

    def story(self) -> str:
        """The ends of the logs, for the one who looks for the cause."""
        return "\n".join(f"{member.log.name}: exit code {member.code}\n{_tail(member)}" for member in self.members)


def _tail(member: Member) -> str:
    return "\n".join(member.log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
