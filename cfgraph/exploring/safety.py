"""Safety: who is answered: a page that this very server gave out, on this machine, opened by whoever knows the token.

The server listens on the loopback address alone, which keeps other machines out and nobody else: every page in the same
browser, and every user of this machine, can reach it. So

* a request has exactly one ``Host``, this server's own: a page whose name was turned to 127.0.0.1 (DNS rebinding) has another;
* an ``Origin``, and what a browser says of where a request comes from, is this page's own;
* whatever tells something of hierarchies wants the token, in the ``Authorization`` header. There are no cookies, so that no
  other page can make the browser send it. It comes to the page in the fragment of its address, which browsers send nowhere;
* what is answered may load scripts and styles from here alone, is kept nowhere, and can be framed by nobody.
"""

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cfgraph.errors import InputError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/api/"
TOKEN_BYTES = 32
BODY_BYTES_MAX = 1 << 20  # of a question: 1,000 addresses of 8,000 bytes do not fit, 1,000 of usual ones do
DROPPED_BYTES_MAX = 16 << 20
ADDRESS_LENGTH_MAX = 8_000  # letters: what a key of the graph can hold
ADDRESSES_MAX = 10_000
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
SITES = (b"same-origin", b"none")  # what Sec-Fetch-Site may say: from this page, or typed by a person


class Guard:
    """Lets through to an application what is safe to answer, and puts the headers of safety on every answer.

    Args:
        app: the application.
        port: on which the server listens.
        token: that requests to the API show.
    """

    def __init__(self, app: "ASGIApp", *, port: int, token: str):
        self._app, self._token = app, f"Bearer {token}".encode()
        self._hosts = tuple(f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost"))

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, guarded)
        else:
            await _refuse(guarded, *refusal)

    def _refusal(self, scope: "Scope") -> tuple[int, str] | None:
        """The status and the words with which a request is refused; None for one that is let through."""
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, "this server answers to its own address alone; use the address that `cfgraph explore` printed"
        if any(origin != b"http://" + hosts[0] for origin in origins) or len(origins) > 1:
            return 403, "this server answers to its own page alone, and another one asked"
        if any(site not in SITES for site in _values(scope, b"sec-fetch-site")):
            return 403, "another page asked for this; copy the address into the browser's address bar"
        if scope["path"].startswith(API) and not self._knows_token(scope):
            return 401, "the token is missing or wrong; open the address that `cfgraph explore` printed, all of it"
        return None

    def _knows_token(self, scope: "Scope") -> bool:
        shown = _values(scope, b"authorization")
        return len(shown) == 1 and secrets.compare_digest(shown[0], self._token)


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def _values(scope: "Scope", name: bytes) -> list[bytes]:
    return [value for header, value in scope["headers"] if header.lower() == name]


def _with_headers(send: "Send") -> "Send":
    """Sends what an application answers, with the headers of safety in place of its own."""

    async def guarded(message: "Message") -> None:
        if message["type"] == "http.response.start":
            own = [pair for pair in message.get("headers", ()) if pair[0].decode("latin-1").lower() not in HEADERS]
            message = {**message, "headers": [*own, *((name.encode(), value.encode()) for name, value in HEADERS.items())]}
        await send(message)

    return guarded


async def _refuse(send: "Send", status: int, words: str) -> None:
    from starlette.responses import JSONResponse

    extra = {"www-authenticate": "Bearer"} if status == 401 else None
    response = JSONResponse({"error": words, "remedy": None}, status_code=status, headers=extra)
    await send({"type": "http.response.start", "status": status, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body})


async def read_body(request: "Request") -> bytes:
    """What a request sends; refused with 413 where it is more than a question is.

    Some more is read and dropped before that is said: who still sends does not listen. A request that announces very much is
    refused at once.
    """
    from starlette.exceptions import HTTPException

    refusal = HTTPException(413, f"expected a question of at most {BODY_BYTES_MAX:,} bytes, got more; ask for fewer addresses")
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdecimal() and int(told) > DROPPED_BYTES_MAX:
        raise refusal
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size <= BODY_BYTES_MAX:
            parts.append(part)
        elif size > DROPPED_BYTES_MAX:
            raise refusal
    if size > BODY_BYTES_MAX:
        raise refusal
    return b"".join(parts)


def check_addresses(addresses: Iterable[object]) -> list[str]:
    """Addresses as a page sends them: texts, not too many and none too long; whether cells are there is asked later."""
    found = list(addresses)
    if len(found) > ADDRESSES_MAX:
        raise InputError(f"expected at most {ADDRESSES_MAX:,} addresses at once, got {len(found):,}")
    return [check_length(address) for address in found]


def check_length(address: object) -> str:
    """An address as a page sends it: a text that is not too long."""
    if not isinstance(address, str):
        raise InputError(f"expected an address such as '/' or '/2/0' as text, got {type(address).__name__}")
    if len(address) > ADDRESS_LENGTH_MAX:
        raise InputError(f"expected an address of at most {ADDRESS_LENGTH_MAX:,} letters, got {len(address):,}")
    return address
