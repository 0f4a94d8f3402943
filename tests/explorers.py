"""The explorer as tests start it: `cfgraph explore` as a process of its own, asked as a page asks it."""

import re
import select
import signal
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from subprocess import Popen

import httpx

SECONDS = 120  # until an address is printed, or an answer is there: machines are shared


@dataclass(frozen=True)
class Explorer:
    """One that runs: its address, and where it is a process of its own that, with the lines of stderr so far."""

    address: str
    process: Popen | None = None
    said: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(re.match(r"http://127\.0\.0\.1:(\d+)/", self.address)[1])

    @property
    def token(self) -> str:
        return re.search(r"#token=([\w-]+)", self.address)[1]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **options) -> httpx.Response:
        """GET with the token; ``headers`` are others."""
        headers = {"authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.get(self.origin + path, headers=headers, timeout=SECONDS, trust_env=False, **options)

    def post(self, name: str, **fields) -> httpx.Response:
        """Ask the API, as a page does."""
        headers = {"authorization": f"Bearer {self.token}", "origin": self.origin, "sec-fetch-site": "same-origin"}
        return httpx.post(f"{self.origin}/api/{name}", json=fields, headers=headers, timeout=SECONDS, trust_env=False)

    def ask(self, name: str, *, code: int = 200, **fields):
        """What the API answers."""
        answer = self.post(name, **fields)
        assert answer.status_code == code, (name, answer.status_code, answer.text[:500])
        return answer.json()

    def send(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request byte for byte; the status and all that is answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
            answer = b""
            while part := connection.recv(1 << 16):
                answer += part
        return int(answer.split(b" ", 2)[1]), answer

    def end(self, number: int = signal.SIGINT) -> float:
        """Send a signal and wait; how many seconds the end took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(SECONDS)
        return time.monotonic() - begin


@contextmanager
def exploring(run, *words, before=(), **options):
    """An explorer that runs until the end of the ``with``; ``run`` is the fixture that starts commands."""
    process = run.start(*before, "explore", "--no-browser", *words, **options)
    said: list[str] = []
    listening = threading.Thread(target=lambda: said.extend(iter(process.stderr.readline, "")), daemon=True)
    listening.start()
    try:
        assert select.select([process.stdout], [], [], SECONDS)[0], "no address was printed"
        address = process.stdout.readline().strip()
        assert address, (process.wait(SECONDS), said)
        yield Explorer(address, process, said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
        listening.join(SECONDS)
        process.stdout.close()
        process.stderr.close()
