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
    │   └── LocalServerError        3   the local server could not be fetched, started or stopped
    ├── OwnershipError              4   what was worked on vanished or is another's
    │   ├── VanishedError           4   a hierarchy, cell or predictor was removed meanwhile
    │   └── LeaseLostError          4   another worker holds the block now
    └── WorkersLostError          137   every worker process was killed

A message says what was expected, what came, where, and what to do: one line. The docstring of a class is the message
when none is given.
"""

DISTRIBUTION = "classification-fields"  # what pip calls us


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


class LocalServerError(StoreError):
    """The local server could not be started; see its log."""


class OwnershipError(CfgraphError):
    """What was worked on vanished or is another's."""

    exit_code = 4


class VanishedError(OwnershipError):
    """What was worked on was removed meanwhile."""


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
