"""Proxy: stands between workers and the server, and cuts connections, the moment of a commit included."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self

COMMIT = bytes.fromhex("0002b0120000")  # a Bolt message: a chunk of two bytes, structure 0 of signature COMMIT, the end
CHUNK = 65_536
Cut = Literal["before commit", "after commit"] | None


class Listening:
    """What listens on a port of loopback, and takes connections from :meth:`listen` on in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """Where the proxy is found."""
        return f"bolt://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def listen(self) -> None:
        """Take connections."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        raise NotImplementedError


class Proxy(Listening):
    """A TCP proxy on loopback; use it in a ``with``, at the end of which every connection is closed.

    Args:
        host: the server's host.
        port: the server's port.
        choose: asked at each COMMIT that a client sends: whether to cut, before the server gets it, or after the server
            has answered it and before the client knows.
    """

    def __init__(self, host: str, port: int, *, choose: Callable[[], Cut] = lambda: None):
        super().__init__()
        self._server, self._choose = (host, port), choose
        self._lock, self._links = threading.Lock(), set["Link"]()
        self.cuts: Counter[str] = Counter()
        self.listen()

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for link in self.links:
            link.close()

    @property
    def links(self) -> list["Link"]:
        """The connections that are open."""
        with self._lock:
            return sorted(self._links, key=lambda link: link.number)

    def cut(self, link: "Link", kind: str) -> None:
        """Cut a connection, and count it."""
        with self._lock:
            if link not in self._links:
                return
            self._links.discard(link)
            self.cuts[kind] += 1
        link.close()

    def _accept(self) -> None:
        number = 0
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                number += 1
                try:
                    server = socket.create_connection(self._server, timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                link = Link(number, client, server)
                with self._lock:
                    self._links.add(link)
                threading.Thread(target=self._run, args=(link, self._send), daemon=True).start()
                threading.Thread(target=self._run, args=(link, self._answer), daemon=True).start()

    def _run(self, link: "Link", pump: Callable[["Link"], None]) -> None:
        with suppress(OSError):
            pump(link)
        with self._lock:
            self._links.discard(link)
        link.close()

    def _send(self, link: "Link") -> None:
        while data := link.client.recv(CHUNK):
            kind = self._choose() if COMMIT in data else None
            if kind == "before commit":
                link.server.sendall(data[: data.index(COMMIT)])
                return self.cut(link, kind)
            link.mute = kind is not None  # set before the server can answer
            link.server.sendall(data)

    def _answer(self, link: "Link") -> None:
        while data := link.server.recv(CHUNK):
            if link.mute:
                return self.cut(link, "after commit")
            link.client.sendall(data)


class Link:
    """One client's connection, and the one to the server that was made for it."""

    def __init__(self, number: int, client: socket.socket, server: socket.socket):
        self.number, self.client, self.server = number, client, server
        self.mute = False

    def close(self) -> None:
        """Close both, at once."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
