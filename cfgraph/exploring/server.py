"""Server: the page and what it asks for, over HTTP on the loopback address of this machine.

Whatever takes time is done in threads, so that the page is answered meanwhile; when the page that asked goes away, what was
asked for is ended where that can be done, and dropped elsewhere. Nothing is written to the graph.
"""

import json
import logging
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import cfgraph
from cfgraph.errors import (
    AddressError,
    CfgraphError,
    InputError,
    NotFoundError,
    StoreUnavailableError,
    VanishedError,
)
from cfgraph.exploring import examples
from cfgraph.exploring.asking import ROWS_MAX, ask
from cfgraph.exploring.certified import Certified
from cfgraph.exploring.library import Library
from cfgraph.exploring.panel import IMAGE_TYPES, image_of, tell_cell, tell_points
from cfgraph.exploring.questions import Question
from cfgraph.exploring.safety import Guard, read_body
from cfgraph.exploring.scenes import Fields, GoneError, Scenes
from cfgraph.exploring.searching import HITS_MAX, search_cells
from cfgraph.exploring.taking import FORMS, take_away
from cfgraph.exploring.ways import tell_way
from cfgraph.model.address import is_address
from cfgraph.model.as_json import json_value
from cfgraph.store.seen import Moment

if TYPE_CHECKING:
    from cfgraph.store import Store

log = logging.getLogger("cfgraph.exploring")
ADDRESS = "127.0.0.1"
ENDING_SECONDS = 1  # for answers under way when the server is to end
LOOK_SECONDS = 0.05  # how often what takes time looks whether the server is to end
AGAIN_SECONDS = 2  # after which a page may ask a store again that was away
POINTS_MAX = NAMES_MAX = 500
IMAGE_BYTES_MAX = 64 << 20
CLOSED = 499  # nobody reads this: the page has gone
PAGE_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Explored:
    """What is explored: a library, the scenes of it, and what was asked for at the start.

    ``place`` is the store's URL or the file, ``images`` the folder with the images that data points name.
    """

    library: Library
    scenes: Scenes
    place: str
    id: str | None = None
    beside: str | None = None
    images: Path | None = None
    ending: threading.Event = field(default_factory=threading.Event)  # set when the server is to end
    asked: set[str] = field(default_factory=set)  # tokens of the Cypher that runs just now

    @property
    def store(self) -> "Store | None":
        """The store; None of files."""
        return self.library.store

    def require_store(self, what: str) -> "Store":
        """The store; an ``InputError`` that says what needs one."""
        if self.store is None:
            raise InputError(f"{what} needs a store, and this is the file {self.place}; `cfgraph ingest parquet` brings it in")
        return self.store

    def end_queries(self) -> None:
        """End the Cypher that runs still."""
        for token in tuple(self.asked):
            if self.store is not None:
                with suppress(CfgraphError):
                    self.store.end_query(token)


class _Server(uvicorn.Server):
    """A server that tells when it is to end, so that streams end by themselves, and Cypher that runs is ended."""

    def __init__(self, config: uvicorn.Config, explored: Explored):
        super().__init__(config)
        self._explored, self.interrupted = explored, False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and with it the connections on which an answer was under way longer than that may take."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await anyio.sleep(0)  # the transports close

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal came."""
        self.interrupted |= sig == signal.SIGINT
        self._explored.ending.set()
        threading.Thread(target=self._explored.end_queries, name="cfgraph-explore-end", daemon=True).start()
        super().handle_exit(sig, frame)


def listen(port: int | None) -> socket.socket:
    """A socket on the loopback address: on that port, or, unless one is named, on one that is free.

    Raises:
        InputError: for a port that another has.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port or 0))
        listener.listen()  # who asks before the first answer can be given waits for it
    except OSError as error:
        listener.close()
        raise InputError(
            f"port {port} of {ADDRESS} cannot be had ({error.strerror}); name another with --port, or leave --port out for a "
            "free one"
        ) from error
    return listener


def serve(explored: Explored, listener: socket.socket, *, token: str, started: Callable[[], None] = lambda: None) -> None:
    """Answer on a socket until a signal comes; ``started`` is called when the first answer can be given."""
    server = _make_server(explored, listener, token=token, started=started)
    _run(server, explored, listener)
    if server.interrupted:  # asyncio may have taken it for the end of its own work
        raise KeyboardInterrupt


class Running:
    """A server in a thread of this process; no signal ends it, but :meth:`end` and the end of the process do."""

    def __init__(self, explored: Explored, listener: socket.socket, *, token: str):
        self._started = threading.Event()
        self._server, self._ending = _make_server(explored, listener, token=token, started=self._started.set), explored.ending
        work = partial(_run, self._server, explored, listener)
        self._thread = threading.Thread(target=work, name="cfgraph-explore", daemon=True)

    def start(self, seconds: float) -> None:
        """Begin, and wait until the first answer can be given; a ``CfgraphError`` where that takes longer."""
        self._thread.start()
        if not self._started.wait(seconds):
            raise CfgraphError(f"the explorer did not start within {seconds:g} s; try again")

    def wait(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def end(self) -> None:
        """End it, and wait until it has."""
        self._ending.set()
        self._server.should_exit = True
        self._thread.join()


def _make_server(explored: Explored, listener: socket.socket, *, token: str, started: Callable[[], None]) -> _Server:
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        Guard(make_app(explored, started=started), port=port, token=token),
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=ENDING_SECONDS,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what goes wrong is logged here, once
    return _Server(config, explored)


def _run(server: _Server, explored: Explored, listener: socket.socket) -> None:
    try:
        server.run(sockets=[listener])
    finally:
        explored.ending.set()
        explored.end_queries()


def make_app(explored: Explored, *, started: Callable[[], None] = lambda: None) -> Starlette:
    """The application, without the guard before it."""
    api = _Api(explored)
    routes = [Route("/", _page), Route("/page/{name:path}", _page)]
    for method, answers in (("GET", api.told), ("POST", api.asked)):
        routes += [Route(f"/api/{name}", api.answering(answer), methods=[method]) for name, answer in answers.items()]

    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        started()
        yield

    handlers: Mapping[Any, Callable[[Request, Exception], Response]] = {HTTPException: _refused, 500: _failed}
    app = Starlette(routes=routes, lifespan=asynccontextmanager(lifespan), exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


# -- the page's own files


async def _page(request: Request) -> Response:
    """The page, or one of its files: of those that are in the package, by their names."""
    name = request.path_params.get("name", "index.html")
    folder = files("cfgraph.exploring").joinpath("page")
    there = {entry.name: entry for entry in folder.iterdir() if entry.is_file()}
    kind = PAGE_TYPES.get(Path(name).suffix)
    if name not in there or kind is None:
        raise HTTPException(404, "there is no such file of the page")
    return Response(there[name].read_bytes(), media_type=kind)


# -- answers, and errors as answers

Answering = Callable[[Request, "Asking"], Awaitable[Response]]


class Asking:
    """A question under way: what it sent, and whether the page that asked is still there."""

    def __init__(self, request: Request, sent: Question, ending: threading.Event):
        self.sent = sent
        self._request, self._gone, self._ending = request, threading.Event(), ending
        self.on_gone: Callable[[], None] = lambda: None  # called in a thread once

    def gone(self) -> bool:
        """Whether the page has gone."""
        return self._gone.is_set()

    async def work(self, task: Callable[[], Answer], *, watched: bool = True) -> Answer:
        """What a task gives that takes time, in a thread; a ``GoneError`` where the page goes before, or the server is to end.

        Of an answer that has begun the page is ``watched`` by who sends it.
        """
        found, failed = list[Answer](), list[Exception]()

        async def watch() -> None:
            while (await self._request.receive())["type"] != "http.disconnect":
                pass
            self._gone.set()
            await anyio.to_thread.run_sync(self.on_gone, abandon_on_cancel=True)
            group.cancel_scope.cancel()

        async def await_end() -> None:
            while not self._ending.is_set():
                await anyio.sleep(LOOK_SECONDS)
            self._gone.set()
            group.cancel_scope.cancel()

        async def run() -> None:
            try:
                found.append(await anyio.to_thread.run_sync(task, abandon_on_cancel=True))
            except Exception as error:  # told by whoever asked for the work, and not as one of a group
                failed.append(error)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            if watched:
                group.start_soon(watch)
            group.start_soon(await_end)
            group.start_soon(run)
        if failed:
            raise failed[0]
        if not found:
            raise GoneError
        return found[0]


def _told_error(error: CfgraphError) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    remedy = REMEDIES.get(status)
    headers = {"retry-after": str(AGAIN_SECONDS)} if status == 503 else None
    gone = isinstance(error, VanishedError | NotFoundError)  # what was asked about, not a cell of it
    return _json({"error": str(error), "remedy": remedy, "gone": gone}, status=status, headers=headers)


STATUS: dict[type[CfgraphError], int] = {  # the first that fits
    NotFoundError: 404,
    AddressError: 404,
    InputError: 400,
    VanishedError: 409,
    StoreUnavailableError: 503,
}
REMEDIES = {409: "open it again: what is there by now is shown then", 503: "the store is asked again in a moment"}


def _json(found: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(json_value(found), allow_nan=False, default=str)
    return Response(text, status_code=status, media_type="application/json", headers=headers)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "remedy": None}, status_code=error.status_code, headers=error.headers)


def _failed(_: Request, error: Exception) -> Response:
    log.error("the explorer failed", exc_info=error)
    return JSONResponse(
        {"error": "this failed, and should not have; the log of `cfgraph -v explore` says how"}, status_code=500
    )


def _state_of(listed: Mapping[str, Any]) -> tuple[str, ...]:
    """What the number of a listed hierarchy's cells depends on."""
    return (listed["id"], listed["created"], listed["state"])


def _cells_of(store: "Store", id: str) -> int:
    """How many cells a hierarchy has: counted where its record does not tell."""
    known = store.levels(id).cells
    return store.sizes([store.hierarchy(id)])[0].cells if known is None else known


class _Api:
    """What the page asks for."""

    def __init__(self, explored: Explored):
        self._explored, self._library, self._scenes = explored, explored.library, explored.scenes
        self._fields = Fields(explored.library.field)
        self._certified = Certified(explored.store)
        self._sizes: dict[tuple[str, ...], int] = {}
        self._counting = threading.Lock()
        self._moments: dict[str, Moment | None] = {}  # what was there of hierarchies when they were opened
        self.told: dict[str, Answering] = {
            "hierarchies": self._hierarchies,
            "queries": self._queries,
            "live": self._live,
            "moment": self._moment,
            "image": self._image,
        }
        self.asked: dict[str, Answering] = {
            "scene": self._scene,
            "cut": self._cut,
            "place": self._place,
            "cell": self._cell,
            "names": self._names,
            "points": self._points,
            "path": self._path,
            "search": self._search,
            "query": self._query,
            "worst": self._worst,
            "partners": self._partners,
            "beside": self._beside,
            "export": self._export,
        }

    def answering(self, answer: Answering) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint: the question read within its limits, errors told as JSON."""

        async def endpoint(request: Request) -> Response:
            sent = Question({})
            try:
                body = await read_body(request)
                sent = Question.of_query(request.query_params) if request.method == "GET" else Question.of_body(body)
                return await answer(request, Asking(request, sent, self._explored.ending))
            except GoneError:
                return Response(status_code=CLOSED)
            except CfgraphError as error:
                if isinstance(error, VanishedError | NotFoundError):
                    for id in sent.ids_given():
                        self._forget(id)
                return _told_error(error)

        return endpoint

    def _forget(self, id: str) -> None:
        """Have what is there of a hierarchy opened anew when it is asked for next."""
        self._scenes.forget(id)
        self._fields.forget(id)
        self._certified.forget(id)

    def _renew(self, id: str) -> Moment | None:
        """What a hierarchy is just now; where it was something else when it was opened, it is opened anew."""
        self._library.hierarchy(id)  # or an error that says which there are
        moment = self._library.moment(id)
        if self._moments.get(id, moment) != moment:
            self._forget(id)
        self._moments[id] = moment
        return moment

    def _count_in_background(self, listed: list[dict[str, Any]]) -> None:
        """Count the cells of those that were not counted yet, one after the other, in a thread: nobody waits for it."""
        new = [one for one in listed if one["cells"] is None and _state_of(one) not in self._sizes]
        if new and self._counting.acquire(blocking=False):
            threading.Thread(target=self._count, args=[new], name="cfgraph-explore-count", daemon=True).start()

    def _count(self, listed: list[dict[str, Any]]) -> None:
        try:
            store = self._explored.require_store("counting")
            for one in listed:
                if self._explored.ending.is_set():
                    return
                with suppress(CfgraphError):  # removed meanwhile, or the store is away: asked again when it is listed next
                    self._sizes[_state_of(one)] = _cells_of(store, one["id"])
        finally:
            self._counting.release()

    async def _hierarchies(self, request: Request, asking: Asking) -> Response:
        found = await asking.work(self._library.hierarchies)
        self._count_in_background(found)
        counted = [{**one, "cells": self._sizes.get(_state_of(one), one["cells"])} for one in found]
        opened = {"id": self._explored.id, "beside": self._explored.beside}
        return _json(
            {
                "hierarchies": counted,
                "opened": opened if opened["id"] is not None else None,
                "store": self._explored.place if self._explored.store is not None else None,
                "file": self._explored.place if self._explored.store is None else None,
                "images": self._explored.images is not None,
                "version": cfgraph.__version__,
            }
        )

    async def _queries(self, request: Request, asking: Asking) -> Response:
        there = self._explored.store is not None
        return _json([{"title": title, "cypher": cypher} for title, cypher in examples.QUERIES] if there else [])

    async def _scene(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        axes = asking.sent.axes()

        def task() -> Any:
            moments = {one: self._renew(one) for one in (id, beside) if one is not None}
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                told = {**scene.describe(axes), "id": id, "beside": beside}
            return {**told, "moments": {one: asdict(moment) for one, moment in moments.items() if moment is not None}}

        return _json(await asking.work(task))

    async def _moment(self, request: Request, asking: Asking) -> Response:
        id = asking.sent.id()
        found = await asking.work(lambda: self._library.moment(id))
        return _json(None if found is None else asdict(found))

    async def _cut(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        view, how = asking.sent.view(), asking.sent.how()

        def task() -> bytes:
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                return scene.cut(view, **how, gone=asking.gone).to_bytes()

        return Response(await asking.work(task), media_type="application/octet-stream")

    async def _place(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        view, axes, addresses = asking.sent.view(), asking.sent.axes(), asking.sent.addresses()

        def task() -> Any:
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                return scene.place(view, addresses, axes=axes)

        x, y, r = await asking.work(task)
        return _json({"x": x.tolist(), "y": y.tolist(), "r": r.tolist()})

    async def _cell(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        address = asking.sent.address()

        def task() -> Any:
            field, other = self._fields.get(id), None if beside is None else self._fields.get(beside)
            partner: str | None = address
            if beside is not None and any(self._library.hierarchy(one).imported for one in (id, beside)):  # else by address
                with self._scenes.use(id, beside, gone=asking.gone) as scene:
                    partner = scene.partners([address])[0]
            there = None if other is None or partner is None else (other, partner)
            told = tell_cell(self._library, id, address, field=field, beside=there, place=self._explored.place)
            if beside is not None and told["beside"] is not None:
                told["beside"]["certificate"] = self._certified.of(id, beside, told["level"])
            return told

        return _json(await asking.work(task))

    async def _names(self, request: Request, asking: Asking) -> Response:
        id, addresses = asking.sent.id(), asking.sent.addresses()
        if len(addresses) > NAMES_MAX:
            raise InputError(f"expected at most {NAMES_MAX} addresses to tell the names of, got {len(addresses):,}")

        def task() -> Any:
            self._library.hierarchy(id)
            return self._library.names_of(id, [address for address in addresses if is_address(address)])

        found = await asking.work(task)
        return _json({"names": [found.get(address) for address in addresses]})

    async def _points(self, request: Request, asking: Asking) -> Response:
        id, address = asking.sent.id(), asking.sent.address()
        start = asking.sent.integer("start", low=0, high=2**53, usual=0)
        count = asking.sent.integer("count", low=1, high=POINTS_MAX, usual=POINTS_MAX)
        images = self._explored.images
        task = partial(tell_points, self._library, id, address, start=start, count=count, images=images)
        return _json(await asking.work(task))

    async def _image(self, request: Request, asking: Asking) -> Response:
        id, row = asking.sent.id(), asking.sent.integer("row", low=0, high=2**53)
        folder = self._explored.images
        if folder is None:
            raise HTTPException(404, "images are shown where `cfgraph explore --images DIR` says where they are")

        def task() -> tuple[bytes, str] | None:
            self._library.hierarchy(id)
            path = image_of(folder, self._library.point_name(id, row))
            if path is None or path.stat().st_size > IMAGE_BYTES_MAX:
                return None
            return path.read_bytes(), IMAGE_TYPES[path.suffix.lower()]

        found = await asking.work(task)
        if found is None:
            raise HTTPException(404, f"data point {row} of {id!r} names no image in the folder of --images")
        return Response(found[0], media_type=found[1])

    async def _path(self, request: Request, asking: Asking) -> Response:
        id = asking.sent.id()
        ends = {name: asking.sent.address(name) for name in ("first", "second")}

        def task() -> Any:
            return tell_way(self._library, id, field=self._fields.get(id), **ends)

        return _json(await asking.work(task))

    async def _search(self, request: Request, asking: Asking) -> Response:
        id = asking.sent.id()
        words = {"by": asking.sent.text("by", usual="name"), "property": asking.sent.text("property", usual=None)}
        text, limit = asking.sent.text("text"), asking.sent.integer("limit", low=1, high=HITS_MAX, usual=HITS_MAX)

        def task() -> Any:
            opened = self._scenes.opened
            return search_cells(self._library, id, text, limit=limit, field=self._fields.get, opened=opened, **words)

        return _json(await asking.work(task))

    async def _query(self, request: Request, asking: Asking) -> Response:
        store = self._explored.require_store("Cypher")
        cypher, token = asking.sent.text("cypher") or "", secrets.token_hex(16)
        limit = asking.sent.integer("limit", low=1, high=ROWS_MAX, usual=ROWS_MAX)
        parameters = asking.sent.mapping("parameters")

        def end() -> None:
            with suppress(CfgraphError):
                store.end_query(token)

        asking.on_gone = end
        self._explored.asked.add(token)
        try:
            found = await asking.work(lambda: ask(store, cypher, parameters, limit=limit, token=token))
        except Exception:
            if not self._explored.ending.is_set():  # else what runs still is ended with the server
                self._explored.asked.discard(token)
            raise
        self._explored.asked.discard(token)
        return _json(found)

    async def _worst(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        if beside is None:
            raise InputError("expected the id of another hierarchy as beside, got none")
        count = asking.sent.integer("count", low=1, high=1_000, usual=20)

        def task() -> Any:
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                found = scene.worst(count)
            names = self._library.names_of(id, [str(one["address"]) for one in found])
            return [{**one, "name": names.get(str(one["address"]))} for one in found]

        return _json(await asking.work(task))

    async def _partners(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        addresses = asking.sent.addresses()

        def task() -> Any:
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                return scene.partners(addresses)

        return _json({"addresses": await asking.work(task)})

    async def _beside(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        view, axes = asking.sent.view(), asking.sent.axes()

        def task() -> Any:
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                return asdict(scene.view_beside(view, axes=axes))

        return _json(await asking.work(task))

    async def _export(self, request: Request, asking: Asking) -> Response:
        id, beside = asking.sent.ids()
        view, how = asking.sent.view(), asking.sent.how()
        form = asking.sent.one_of("form", FORMS)

        def task() -> bytes:
            with self._scenes.use(id, beside, gone=asking.gone) as scene:
                return take_away(scene, view, form=form, gone=asking.gone, **how)

        suffix, kind = FORMS[form]
        headers = {"content-disposition": f'attachment; filename="view{suffix}"'}
        return Response(await asking.work(task), media_type=kind, headers=headers)

    async def _live(self, request: Request, asking: Asking) -> Response:
        from cfgraph.exploring import live

        id = asking.sent.id()
        store = self._explored.require_store("a growth to follow")
        await asking.work(lambda: self._library.hierarchy(id))
        growth = live.LiveGrowth(store, id)

        def look() -> dict[str, Any]:
            found = growth.look()
            if found.get("changed"):
                self._scenes.refresh(id)
            return found

        async def events() -> AsyncIterator[str]:
            while not self._explored.ending.is_set():
                try:
                    found = await asking.work(look, watched=False)
                except GoneError:
                    return
                yield f"data: {json.dumps(json_value(found), allow_nan=False)}\n\n"
                if found["state"] in live.ENDS:
                    self._certified.forget(id)
                    return
                await self._pause(live.LOOK_SECONDS)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the server runs."""
        with anyio.move_on_after(seconds):
            while not self._explored.ending.is_set():
                await anyio.sleep(LOOK_SECONDS)
