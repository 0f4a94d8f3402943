"""Every error that cfgraph raises on purpose: one tree, drawn here.

    CfgraphError                    exit code 1
    ├── InputError                  2   wrong usage or bad input; nothing was written
    │   ├── AddressError            2   an address that is malformed or not in the hierarchy
    │   ├── CypherError             2   the server could not accept a user's Cypher
    │   │   └── ReadOnlyError       2   that Cypher would write where only reading is allowed
    │   ├── EstimatorError          2   (a ValueError too) an argument that ClassificationField cannot work with
    │   ├── NotFoundError           2   a name that the store does not hold
    │   ├── QueryFileError          2   a file of cypher/ that breaks the loader's rules
    │   └── MissingExtraError       2   an optional library that is not installed
    ├── StoreError                  3   the store is not reachable or refuses
    │   ├── StoreUnavailableError   3   the same call may succeed later
    │   ├── StoreRefusedError       3   password, rights, version, read-only, full
    │   ├── FewHandlesError         3   too few files may be open at once
    │   ├── LocalServerError        3   the local server could not be fetched, started or stopped
    │   └── DamagedError            1   what the graph holds of a hierarchy or a predictor is not what cfgraph writes
    ├── EngineError                 3   an engine that runs workers is not reachable, or nothing comes of it
    ├── OwnershipError              4   what was worked on vanished or is another's
    │   ├── VanishedError           4   a hierarchy, cell or predictor was removed meanwhile
    │   │   └── ChangedError        4   a hierarchy is written or grown while it is read
    │   └── LeaseLostError          4   another worker holds the block now
    └── WorkersLostError          137   every worker process was killed

A message says what was expected, what came, where, and what to do: one line. The docstring of a class is the message
when none is given.

Messages are written in the words of the command line: ``leave --key out``, ``say --header yes``. Only the command line shows
them so (:func:`words_of_the_shell`); to everybody else an error speaks of arguments: ``leave key out``, ``say header="yes"``.
So does a :class:`Note`. Commands, between backticks or behind ``cfgraph``, stay what they are.
"""

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

USUAL_HANDLES = 4096  # files that may be open at once: enough for everything here, the server included
DISTRIBUTION = "classification-fields"  # what pip calls us
DETAIL_MAX = 200  # characters of what others say

# How options are told of in Python: by their own names, but for words that Python keeps for itself.
_ARGUMENTS = {"as": "id", "from": "clustering"}
_FLAGS = "anyway attach bulk digest digests field full large live nearest points probe recall reverse similarity skip-broken"
_FLAGS += " spreadsheet-safe standardise write yes"
_VALUES = "address auto average cpu csv drop fixed free gaussian grow keep l2h name no points recurrence refuse relaxed search"
_VALUES += " spectral split tree vae vectors yes"
_OPTION = re.compile(
    r"(?<![\w/'\"-])(?P<leave>leave )?--(?P<no>no-)?(?P<name>[a-z]+(?:-[a-z]+)*)"
    rf"(?:[ =](?P<value>(?:{_VALUES.replace(' ', '|')})(?![\w-])|[A-Z][A-Z0-9_]*(?!\w)|[0-9][\w.]*(?<!\.)))?(?![\w-])"
)
_WITH_VALUE = re.compile(
    r"(?<![\w/'\"-])--(?:(?P<list>columns) (?P<names>[^;`()]+)(?=; else )"
    r"|(?P<name>form|predictor|color-by) (?!and |or |FILE)(?P<value>[^\s;,)]+))"
)
_COMMAND = re.compile(r"`[^`]*`|\bcfgraph [a-z]+(?: (?!and |or )[^\s;,)`]+)*")
_shell = False  # whether errors are told in the words of the command line


class CfgraphError(Exception):
    """Something in cfgraph went wrong."""

    exit_code = 1

    def __init__(self, message: str | None = None):
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))

    def __str__(self) -> str:
        message = super().__str__()
        return message if _shell else as_arguments(message)


class Note(str):
    """What is said besides, written in the words of the command line; shown in those of Python, as errors are.

    What is kept and compared are the words as they are written.
    """

    def __str__(self) -> str:
        written = str.__str__(self)
        return written if _shell else as_arguments(written)

    def __repr__(self) -> str:
        return repr(str(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def notes_of(texts: Iterable[str]) -> tuple[Note, ...]:
    """Some texts as notes."""
    return tuple(map(Note, texts))


class InputError(CfgraphError):
    """The input is not usable; nothing was written."""

    exit_code = 2


class AddressError(InputError):
    """An address is slots joined by slashes: '/' is the root, '/2/0' the slot-0 child of its slot-2 child."""


class CypherError(InputError):
    """The server did not accept the Cypher."""


class ReadOnlyError(CypherError):
    """This Cypher would write, and only reading is allowed here; nothing was written."""


class EstimatorError(InputError, ValueError):
    """ClassificationField cannot work with an argument; a ValueError too, which is what scikit-learn expects of estimators."""


class NotFoundError(InputError):
    """The store holds nothing of that name; `cfgraph ls` lists what it holds."""


class QueryFileError(InputError):
    """A query file breaks the rules of cypher/README.md."""


class MissingExtraError(InputError):
    """An optional library is not installed; the message of each case names it and the command that installs it."""

    @classmethod
    def of(cls, library: str, *, extra: str, purpose: str) -> "MissingExtraError":
        """The error for a missing ``library``, naming the command that installs it and what else the ``extra`` lists."""
        return cls(f"{purpose} needs {library}, which is not installed; install it with: {how_to_install(extra)}")


class StoreError(CfgraphError):
    """The store cannot be used."""

    exit_code = 3


class StoreUnavailableError(StoreError):
    """The store does not answer; check that the server is up and the URL is right, then run the same command again."""


class StoreRefusedError(StoreError):
    """The store refuses the work."""


class FewHandlesError(StoreError):
    """Too few files may be open at once; raise the limit with `ulimit -n 4096`, then run the same command again."""


class LocalServerError(StoreError):
    """The local server could not be started; see its log."""


class DamagedError(StoreError):
    """What the graph holds is not what cfgraph writes; `cfgraph verify ID` names what is wrong."""

    exit_code = 1

    def __init__(self, message: str | None = None, *, id: str | None = None):
        super().__init__(message)
        self.id = id  # of the hierarchy, where that is known

    @classmethod
    def of(cls, id: str, detail: str) -> "DamagedError":
        """The error for a hierarchy of which something is damaged, in one line."""
        detail = " ".join(detail.split())[:DETAIL_MAX]
        return cls(f"{id!r} is damaged in the graph ({detail}); `cfgraph verify {id}` names what is wrong", id=id)


class EngineError(CfgraphError):
    """The engine that runs workers is not reachable, or nothing comes of what it is given; the graph is valid."""

    exit_code = 3


class OwnershipError(CfgraphError):
    """What was worked on vanished or is another's."""

    exit_code = 4


class VanishedError(OwnershipError):
    """What was worked on was removed meanwhile."""


class ChangedError(VanishedError):
    """What was read is written or grown meanwhile, and would be of several moments; run it again."""


class LeaseLostError(OwnershipError):
    """Another worker holds this block's lease now; it finishes the block."""


class WorkersLostError(CfgraphError):
    """Every worker process was lost; the graph is valid, and the same command goes on from here."""

    exit_code = 137  # as a shell tells SIGKILL


def as_arguments(message: str) -> str:
    """A message that speaks of arguments, of one that speaks of options; commands stay as they are."""
    if "--" not in message:
        return message
    message = message.replace(" (from Python large=True)", "")
    done, parts = 0, []
    for command in _COMMAND.finditer(message):
        parts += [_with_arguments(message[done : command.start()]), command[0]]
        done = command.end()
    return "".join([*parts, _with_arguments(message[done:])])


def _with_arguments(text: str) -> str:
    return _OPTION.sub(_as_argument, _WITH_VALUE.sub(_with_value, text))


def _with_value(option: re.Match[str]) -> str:
    """An option with a value that may be any word, or, of columns, a list of names."""
    if option["list"]:
        return f"{option['list']}=[{', '.join(json.dumps(name, ensure_ascii=False) for name in option['names'].split(','))}]"
    return f'{option["name"].replace("-", "_")}="{option["value"]}"'


def _as_argument(option: re.Match[str]) -> str:
    name, value, leave = option["name"], option["value"], option["leave"] or ""
    argument = _ARGUMENTS.get(name, name.replace("-", "_"))
    if option["no"]:
        return f"{leave}{argument}=False"
    if value is None:
        return leave + (f"{argument}=True" if name in _FLAGS.split() and not leave else argument)
    plain = value.isupper() or re.fullmatch(r"[0-9.]+(e[0-9]+)?", value) is not None
    return f"{leave}{argument}={value}" if plain else f'{leave}{argument}="{value}"'


@contextmanager
def words_of_the_shell() -> Iterator[None]:
    """Within it errors are told in the words of the command line, as they are written."""
    global _shell
    before, _shell = _shell, True
    try:
        yield
    finally:
        _shell = before


def how_to_install(extra: str) -> str:
    """The command that installs what an extra of the distribution lists: ``pip install 'matplotlib>=3.9'``.

    It names the packages and not the extra, because who installed a checkout or a wheel has it from no package index, and
    ``cfgraph`` is another's there. Where cfgraph runs without having been installed, only the extra's name is known.
    """
    from importlib.metadata import PackageNotFoundError, requires  # here: a command that misses nothing does not pay for it

    try:
        listed = [line.partition(";") for line in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        listed = []
    wanted = [packages.strip() for packages, _, marker in listed if marker.strip().endswith(f'extra == "{extra}"')]
    return f"pip install {' '.join(map(repr, wanted))}" if wanted else f"pip install '.[{extra}]' in a checkout of cfgraph"


def one_line(error: BaseException) -> str:
    """What an error says, without line breaks."""
    return " ".join((getattr(error, "message", None) or str(error)).split()).removesuffix(" ()")


def few_handles(error: BaseException) -> FewHandlesError | None:
    """The error to tell in place of one that too few file handles led to; None for any other."""
    for cause in _chain(error):
        if isinstance(cause, FewHandlesError):
            return cause
        if isinstance(cause, OSError) and cause.errno == errno.ENFILE:
            return FewHandlesError(
                "the system has no file handle left; end other programs, or have an administrator raise fs.file-max, then run "
                "the same command again"
            )
        if (isinstance(cause, OSError) and cause.errno == errno.EMFILE) or (
            isinstance(cause, ImportError) and os.strerror(errno.EMFILE) in str(cause)
        ):
            return FewHandlesError(f"this process has as many files open as it may, {file_limits()[0]}; {how_to_raise_files()}")
    return None


def file_limits() -> tuple[float, float]:
    """How many files may be open at once: now, and after raising it; no limit is infinity."""
    import resource  # only here, so that Windows can import the module

    soft, hard = (
        float("inf") if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, hard


def how_to_raise_files() -> str:
    """What to do where too few files may be open at once."""
    hard = file_limits()[1]
    how = f"raise the limit with `ulimit -n {USUAL_HANDLES}` in the shell that runs cfgraph"
    if hard < USUAL_HANDLES:
        how += f" (the hard limit is {hard}: an administrator raises it, with LimitNOFILE or /etc/security/limits.conf)"
    return f"{how}, then run the same command again"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__context__, cause.__cause__, *getattr(cause, "exceptions", ())]
