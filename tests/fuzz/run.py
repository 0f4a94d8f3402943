"""A run: inputs by their numbers, in processes of their own, each watched for errors, its time and its memory."""

import gzip
import io
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfgraph.errors import CfgraphError
from tests.fuzz.mutations import mutate
from tests.fuzz.readers import PACKED, READERS, Reader, packed

SECONDS = 10  # that an input may take
MEMORY, TIMES = 64 << 20, 20  # bytes that reading may take: so many, and so many times its uncompressed length
ADDRESSES = 6 << 30  # bytes of addresses that a worker may take: what asks for more is refused by the system
_NOBODY = -1


@dataclass(frozen=True)
class Find:
    """What an input made of a reader that it should not."""

    number: int
    reader: str
    what: str
    place: str = ""

    def __str__(self) -> str:
        return f"input {self.number} ({self.reader}): {self.what}{self.place and f' at {self.place}'}"


class HangError(BaseException):
    """An input took too long."""


def make_input(number: int, *, seed: int) -> tuple[Reader, bytes]:
    """The input of a number: the same for the same seed, whatever else is run."""
    chance = random.Random(f"{seed}:{number}")
    reader = READERS[number % len(READERS)]
    content = mutate(chance.choice(reader.corpus), chance.choice(reader.corpus), chance)
    if chance.randrange(PACKED) == 0:
        content = packed(content)
        if chance.randrange(2):
            content = mutate(content, content, chance)
    return reader, content


def run(inputs: int, *, seed: int, workers: int = 2, first: int = 0, progress: Any = None) -> list[Find]:
    """Read so many inputs and say what was found; a worker that dies or hangs is a find, and another goes on behind it."""
    for reader in READERS:  # before the workers begin, which then share them
        assert reader.corpus, reader.name
    context = multiprocessing.get_context("fork")
    jobs = [_Job(context, part, workers, first=first, end=first + inputs, seed=seed) for part in range(workers)]
    while any(job.alive() for job in jobs):
        time.sleep(0.1)
        if progress is not None:
            progress(sum(job.done() for job in jobs))
    return sorted((find for job in jobs for find in job.finds), key=lambda find: find.number)


class _Job:
    """A worker and its successors: every so-manieth input of a range."""

    def __init__(self, context: Any, part: int, step: int, *, first: int, end: int, seed: int):
        self._context, self._step, self._end, self._seed = context, step, end, seed
        self._number, self._since = context.Value("q", first + part), context.Value("d", time.monotonic())
        self._first = first + part
        self.finds: list[Find] = []
        self._begin(first + part)

    def _begin(self, number: int) -> None:
        self._pipe, there = self._context.Pipe(duplex=False)
        self._number.value, self._since.value = number, time.monotonic()
        words = (number, self._step, self._end, self._seed, self._number, self._since, there)
        self._process = self._context.Process(target=_work, args=words, daemon=True)
        self._process.start()
        there.close()

    def done(self) -> int:
        """How many inputs were read."""
        return max(0, (min(self._number.value, self._end) - self._first) // self._step)

    def alive(self) -> bool:
        """Whether there is more to come; takes in what was found."""
        with suppress(EOFError):
            while self._pipe.poll():
                self.finds.append(Find(*self._pipe.recv()))
        number = self._number.value
        if self._process.is_alive():
            if time.monotonic() - self._since.value > 3 * SECONDS:  # where no signal is heard, as in C
                self._process.kill()
                self._process.join()
                self._next(number, f"a hang of more than {3 * SECONDS} s that no signal ends")
            return True
        self._process.join()
        if self._process.exitcode:
            self._next(number, f"the process ended with exit code {self._process.exitcode}")
            return True
        return False

    def _next(self, number: int, what: str) -> None:
        self.finds.append(Find(number, READERS[number % len(READERS)].name, what))
        self._begin(number + self._step)


def _work(number: int, step: int, end: int, seed: int, at: Any, since: Any, pipe: Any) -> None:
    signal.signal(signal.SIGALRM, _ring)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESSES, used + ADDRESSES))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # libraries in C talk
        while number < end:
            at.value, since.value = number, time.monotonic()
            reader, content = make_input(number, seed=seed)
            if (find := try_input(reader, content, folder=Path(folder))) is not None:
                pipe.send((number, reader.name, *find))
            number += step
        at.value = end + step
    pipe.close()


def _ring(*_: Any) -> None:
    raise HangError


def try_input(reader: Reader, content: bytes, *, folder: Path) -> tuple[str, str] | None:
    """What was found and where, None where the input was read or refused as it should be."""
    path = folder / f"input{reader.suffix}"
    path.write_bytes(content)
    allowed, before = MEMORY + TIMES * _length(content), _reset_peak()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        reader.read(path)
    except CfgraphError as error:
        if "\n" in str(error):
            return "an error of several lines", repr(str(error))[:200]
    except HangError as error:
        return f"a hang of more than {SECONDS} s", _place(error)
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:100]!r}", _place(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    taken = _peak() - before
    if taken > allowed:
        return f"{taken >> 20} MB of memory, and {allowed >> 20} MB are allowed", ""
    return None


def _place(error: BaseException) -> str:
    """The last line of cfgraph's own that an error came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}cfgraph{os.sep}" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _length(content: bytes) -> int:
    """How long an input is, uncompressed, as far as it can be."""
    if not content.startswith(b"\x1f\x8b"):
        return len(content)
    with suppress(OSError, EOFError, zlib.error), gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        return len(stream.read(1 << 26))
    return len(content)


def _reset_peak() -> int:
    """Forget how much memory the process took at most, and say how much it takes; Linux alone can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) << 10
    return 0
