"""Pausing: a proxy before the server that knows the transactions of a command, and holds one of their messages for a while.

The command is as it always is, and so is the server: what is held is the message that begins a transaction's first statement
(so nothing is done of it yet), or the one that commits it (so all of it is done, and its locks are held).
"""

import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Literal, NamedTuple

from cfgraph.store.queries import load_queries, load_query
from tests.faults.proxy import Listening

RUN, BEGIN, COMMIT = 0x10, 0x11, 0x12  # signatures of Bolt's messages
HELLO = b"\xb1\x01"
RECEIVE_BYTES = 65_536


class Pause(NamedTuple):
    """A moment in a command: the ``turn``-th transaction whose first operation this is, before it or at its commit."""

    operation: str
    turn: int
    at: Literal["begin", "commit"]


class PausingProxy(Listening):
    """A TCP proxy on loopback for one command; use it in a ``with``, at the end of which every connection is closed.

    ``transactions`` are those that were begun, each as the list of its operations, in the order of their first ones.
    ``reached`` is set when the pause is; the message is held until ``resume``.
    """

    def __init__(self, host: str, port: int, *, pause: Pause | None = None):
        super().__init__()
        self._server, self._pause = (host, port), pause
        self._lock, self._turns = threading.Lock(), Counter[str]()
        self._sockets = list[socket.socket]()
        self._names = {query.statement: name for name, query in load_queries().items()}
        self.transactions = list[list[str]]()
        self.reached, self._go_on = threading.Event(), threading.Event()
        self.listen()

    def __exit__(self, *_: object) -> None:
        self.resume()
        self._listener.close()
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def resume(self) -> bool:
        """Let the message go that is held; False, which is whether one still is."""
        self._go_on.set()
        return False

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._sockets += [client, server]
                threading.Thread(target=self._send, args=(client, server), daemon=True).start()
                threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        """Pass a client's messages on one by one, once it has shaken hands."""
        link, rest, talks = _Link(), b"", False
        with suppress(OSError):
            while data := client.recv(RECEIVE_BYTES):
                if not talks:
                    before, hello, behind = data.partition(HELLO)
                    talks = bool(hello)
                    # Its length goes before it; the end of the handshake may have come along.
                    shaken = before[:-2] if talks else data
                    server.sendall(shaken)
                    data = before[-2:] + hello + behind if talks else b""
                rest += data
                while (size := _message_size(rest)) is not None:
                    message, rest = rest[:size], rest[size:]
                    if self._is_to_wait(_joined(message), link):
                        self.reached.set()
                        self._go_on.wait()
                    server.sendall(message)
        _close_both(client, server)

    def _is_to_wait(self, body: bytes, link: "_Link") -> bool:
        signature = body[1] if len(body) > 1 else None
        if signature == BEGIN:
            link.operations, link.pause = [], None
        elif signature == RUN and link.operations is not None:
            name = self._names.get(_text(body[2:]), "?")
            link.operations.append(name)
            if len(link.operations) == 1:
                with self._lock:
                    self._turns[name] += 1
                    self.transactions.append(link.operations)
                    link.pause = (name, self._turns[name])
                return link.pause == (self._pause and self._pause[:2]) and self._pause.at == "begin"
        elif signature == COMMIT and link.pause is not None:
            due = link.pause == (self._pause and self._pause[:2]) and self._pause.at == "commit"
            link.operations = link.pause = None
            return due
        return False


class _Link:
    """What is known of one connection: the operations of the transaction that is open, and which one that is."""

    operations: list[str] | None = None
    pause: tuple[str, int] | None = None


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(RECEIVE_BYTES):
            sink.sendall(data)
    _close_both(source, sink)


def _close_both(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _message_size(data: bytes) -> int | None:
    """The length of the first message, its end of two zeros included; None where it is not all there yet."""
    place = 0
    while place + 2 <= len(data):
        chunk = int.from_bytes(data[place : place + 2], "big")
        place += 2 + chunk
        if chunk == 0 and place > 2:
            return place
    return None


def _joined(message: bytes) -> bytes:
    """A message without the lengths of its chunks."""
    body, place = b"", 0
    while place + 2 <= len(message):
        chunk = int.from_bytes(message[place : place + 2], "big")
        body += message[place + 2 : place + 2 + chunk]
        place += 2 + chunk
    return body


def _text(packed: bytes) -> str:
    """The text that a packed value begins with."""
    marker = packed[0]
    width = {0xD0: 1, 0xD1: 2, 0xD2: 4}.get(marker, 0)
    size = int.from_bytes(packed[1 : 1 + width], "big") if width else marker - 0x80
    return packed[1 + width : 1 + width + size].decode()


def pauses_of(transactions: list[list[str]]) -> list[Pause]:
    """Every moment worth a pause: before the first transaction of each kind, and at its commit where it writes."""
    turns, seen, found = Counter[str](), set[tuple[str, ...]](), list[Pause]()
    for operations in transactions:
        turns[operations[0]] += 1
        kind = tuple(dict.fromkeys(operations))
        if kind in seen:
            continue
        seen.add(kind)
        found.append(Pause(operations[0], turns[operations[0]], "begin"))
        if any(load_query(name).access == "write" for name in operations):
            found.append(Pause(operations[0], turns[operations[0]], "commit"))
    return found
