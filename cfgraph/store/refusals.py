"""What the driver and the server complain of, as cfgraph's own errors: one line that says what to do about it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from neo4j import exceptions

from cfgraph.errors import (
    CfgraphError,
    CypherError,
    DamagedError,
    InputError,
    ReadOnlyError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
    one_line,
)

SERVER_VERSION_MIN = (5, 26)
SERVER_WANTED = ".".join(map(str, SERVER_VERSION_MIN))
# The ends of the server's codes, and what each means for whoever asked; {message} is the server's own word.
REFUSALS = {
    "CredentialsExpired": "{place} wants this user's password changed before anything else; on its database `system` run: "
    "ALTER CURRENT USER SET PASSWORD FROM 'old' TO 'new', then set NEO4J_PASSWORD to the new one",
    "TokenExpired": "{place} says that the credentials have expired; get new ones, and set NEO4J_PASSWORD",
    "Unauthorized": "{place} refuses the user name or password; check NEO4J_USERNAME and NEO4J_PASSWORD",
    "Forbidden": "{place} does not allow this user that: {message}; docs/servers.md lists the rights that each command needs",
    "DatabaseNotFound": "{place} has no database of that name ({message}); check NEO4J_DATABASE",
    "ReadOnlyAccessDatabase": "{place} is read-only: what it holds can be listed, read, queried and compared, and nothing "
    "written; name another server or database, or have this one made writable",
    "ForbiddenOnReadOnlyDatabase": "{place} is read-only, and nothing can be written; name another server or database",
    "NotALeader": "{place} is a member of a cluster that takes no writes; use neo4j in place of bolt in the URL, which "
    "finds the one that does",
    "TransactionLogError": "{place} cannot write its log, as when its disk is full; make room, restart the server, and run the "
    "same command again: {message}",
    "TransactionStartFailed": "{place} met an error that it does not go on from, as when its disk is full; its logs say which; "
    "mend it, restart the server, and run the same command again: {message}",
    "OutOfMemoryError": "{place} ran out of the memory that it allows a transaction: {message}; raise its heap (CFGRAPH_HEAP)",
}
# What may be otherwise a little later; it was waited for before this is said.
PASSING = {
    "DatabaseUnavailable": "the database of {place} is not online: it is starting still, was stopped, or cannot start; SHOW "
    "DATABASES says so on the server; then try again",
    "LockClientStopped": "{place} is busy: {message}; try again",
    "AuthenticationRateLimit": "{place} lets this user in no more for a while, since somebody told it wrong passwords too "
    "often; check NEO4J_USERNAME and NEO4J_PASSWORD, and who else tries (the server's security log), then try again",
}
OTHER_TYPES = ("Statement.TypeError", "Statement.ArithmeticError", "Statement.ArgumentError")  # met in cfgraph's own statements
NO_OPERATION = ("Neo.ClientError.Statement", "Neo.ClientError.Procedure", "Neo.ClientError.Schema")
# OpenSSL's numbers of what can be wrong with a certificate.
EXPIRED, NOT_YET_VALID, WRONG_HOST, WRONG_ADDRESS, UNTRUSTED = 10, 9, 62, 64, (18, 19, 20, 21)


@contextmanager
def explained(place: str, *others: type[Exception], asked: str | None = None) -> Iterator[None]:
    """Turn the driver's errors (and ``others``) into cfgraph's, with the cause chained; nothing of theirs holds a password.

    ``asked`` names what of the user's own the server is given inside, such as "the Cypher": only then may a statement that it
    does not accept be the user's fault.
    """
    theirs: tuple[type[Exception], ...] = (exceptions.DriverError, exceptions.Neo4jError, *others)
    try:
        yield
    except theirs as error:
        if (signal := _interrupted(error)) is not None:
            raise signal from None
        raise translate(error, place=place, asked=asked) from error


def _interrupted(error: BaseException) -> BaseException | None:
    """The signal behind an error that closing a session met: of half a message the server makes no sense."""
    seen: BaseException | None = error
    while seen is not None:
        if not isinstance(seen, Exception | GeneratorExit):
            return seen
        seen = seen.__context__
    return None


def translate(error: Exception, *, place: str, asked: str | None = None) -> CfgraphError:
    """The error of cfgraph that an error of the driver's is."""
    if isinstance(error, exceptions.Neo4jError):
        return _translate_answer(error, place=place, asked=asked)
    if isinstance(error, exceptions.UnsupportedServerProduct | exceptions.ConfigurationError):
        return StoreRefusedError(
            f"{place} does not speak as Neo4j {SERVER_WANTED} or newer does ({one_line(error)[:200]}); check that it is the "
            "Bolt port of a Neo4j, and upgrade an older one"
        )
    if isinstance(error, ValueError):
        return InputError(f"expected a store URL such as bolt://HOST:7687 or neo4j+s://HOST, got {place!r}: {one_line(error)}")
    return _translate_silence(error, place=place)


def is_passing(error: BaseException) -> bool:
    """Whether a server answers, and says that it will do what is asked later: its database, or the lock on a user."""
    codes = [cause.code or "" for cause in causes_of(error) if isinstance(cause, exceptions.Neo4jError)]
    return any(code.endswith(tuple(PASSING)) for code in codes)


def _translate_answer(error: exceptions.Neo4jError, *, place: str, asked: str | None) -> CfgraphError:
    if known := _recognise(error, place=place):
        return known
    code, message = error.code or "", one_line(error)
    if code.endswith("AccessMode") and asked:
        return ReadOnlyError("this Cypher would write, and `query` only reads unless --write is given; nothing was written")
    if error.is_retryable() or code.startswith("Neo.TransientError"):
        return StoreUnavailableError(f"{place} is busy: {message}; try again")
    if asked and code.startswith(NO_OPERATION):
        return CypherError(f"the server did not accept {asked}: {message}")
    return _translate_own(code, message, place=place)


def _recognise(error: BaseException, *, place: str) -> CfgraphError | None:
    """What is said of an answer whose code is known."""
    code = (error.code if isinstance(error, exceptions.Neo4jError) else None) or ""
    for kind, known in ((StoreRefusedError, REFUSALS), (StoreUnavailableError, PASSING)):
        for ending, template in known.items():
            if code.endswith(ending):
                return kind(template.format(place=place, message=one_line(error)))
    return None


def _translate_own(code: str, message: str, *, place: str) -> CfgraphError:
    """What is said of cfgraph's own statements, which nobody can mend by writing other Cypher."""
    if code.startswith("Neo.ClientError.Schema") or code.endswith("ConstraintCreationFailed"):
        return StoreRefusedError(
            f"what {place} holds is in the way of cfgraph's schema: {message}; name a database of its own with NEO4J_DATABASE"
        )
    if code.endswith(OTHER_TYPES):
        return DamagedError(f"a property is of another type than cfgraph gives it: {message}")
    if code.startswith("Neo.ClientError"):
        return StoreRefusedError(
            f"{place} does not do what cfgraph asks of it: {message} ({code}); check that NEO4J_DATABASE is no system one"
        )
    return StoreError(f"{place} failed: {message} ({code}); its logs say more")


def _translate_silence(error: Exception, *, place: str) -> CfgraphError:
    """No answer at all: no server, or one that cannot be talked to this way."""
    for cause in causes_of(error):
        if known := _recognise(cause, place=place):  # why there is no way to the database, by the server that was asked
            return known
        if isinstance(cause, ssl.SSLCertVerificationError):
            return StoreRefusedError(f"{place} cannot be trusted: {_judge_certificate(cause)}")
        if isinstance(cause, ssl.SSLError):
            return StoreUnavailableError(
                f"{place} does not speak TLS ({cause.reason or one_line(cause)}); if it is a server without TLS, leave +s or "
                "+ssc out of the URL, else check host and port"
            )
    causes = [one_line(cause) for cause in causes_of(error)]
    hint = "check that the server is up and the URL is right, then try again"
    if place.startswith("neo4j"):
        hint += "; bolt in place of neo4j in the URL goes straight to one server, without asking it for the way"
    if any("incomplete handshake" in text for text in causes) and "+s" not in place.partition(":")[0]:
        hint = f"if it wants TLS, put +s behind {place.partition(':')[0]} in the URL; else {hint}"
    return StoreUnavailableError(f"{place} does not answer ({_innermost(causes)}); {hint}")


def _innermost(causes: list[str]) -> str:
    """The last of the causes that says something: behind "no routing information" there is always another."""
    return next((text for text in reversed(causes) if text), "no reason given")


def causes_of(error: BaseException) -> list[BaseException]:
    """An error and all that led to it, the driver's groups of errors included."""
    found = [error]
    for inner in (*getattr(error, "exceptions", ()), error.__cause__ or error.__context__):
        if inner is not None:
            found += causes_of(inner)
    return found


def _judge_certificate(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, and what to do."""
    if error.verify_code in (EXPIRED, NOT_YET_VALID):
        return f"its certificate is out of date ({error.verify_message}); have it renewed, or check this machine's clock"
    if error.verify_code in (WRONG_HOST, WRONG_ADDRESS):
        return f"its certificate is another host's ({error.verify_message}); use the name that the certificate holds in the URL"
    if error.verify_code in UNTRUSTED:
        return (
            f"nobody known here signed its certificate ({error.verify_message}); name the file of its certificate or of who "
            "signed it in SSL_CERT_FILE, or encrypt without knowing to whom, with +ssc in place of +s in the URL"
        )
    return f"{error.verify_message}; have its certificate mended"
