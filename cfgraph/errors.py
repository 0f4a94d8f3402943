"""Every error that cfgraph raises on purpose: one tree, drawn here.

    CfgraphError                    exit code 1
    ├── InputError                  2   wrong usage or bad input; nothing was written
    │   ├── AddressError            2   an address that is malformed or not in the hierarchy
    │   ├── CypherError             2   the server could not accept a user's Cypher
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
    ├── OwnershipError              4   what was worked on vanished or is another's
    │   ├── VanishedError           4   a hierarchy, cell or predictor was removed meanwhile
    │   │   └── ChangedError        4   a hierarchy is written or grown while it is read
    │   └── LeaseLostError          4   another worker holds the block now
    └── WorkersLostError          137   every worker process was killed

A message says what was expected, what came, where, and what to do: one line. The docstring of a class is the message
when none is given.
"""

import errno
import os
from collections.abc import Iterator

USUAL_HANDLES = 4096  # files that may be open at once: enough for everything here, the server included
DISTRIBUTION = "classification-fields"  # what pip calls us
DETAIL_MAX = 200  # characters of what others say


class CfgraphError(Exception):
    """Something in cfgraph went wrong."""

    exit_code = 1

    def __init__(self, message: str | None = None):
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class InputError(CfgraphError):
    """The input is not usable; nothing was written."""

    exit_code = 2


class AddressError(InputError):
    """An address is slots joined by slashes: '/' is the root, '/2/0' the slot-0 child of its slot-2 child."""


class CypherError(InputError):
    """The server did not accept the Cypher."""


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
