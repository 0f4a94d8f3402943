"""Start: the explorer opened, as the command does and as Python does: what is shown, the address, the browser, the end."""

import getpass
import importlib.util
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from cfgraph.checks import check_bytes
from cfgraph.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from cfgraph.exploring.folders import Shelf
    from cfgraph.exploring.library import Library
    from cfgraph.exploring.memory import Memory
    from cfgraph.exploring.scene import Scene
    from cfgraph.exploring.server import Explored
    from cfgraph.formats.folders.reader import FolderReader
    from cfgraph.model.hierarchy import HierarchyWithCells
    from cfgraph.predictors.trained import TrainedPredictor
    from cfgraph.store import Store

MEMORY = "512MB"


@dataclass(frozen=True)
class Asked:
    """What is asked for at the start; see ``cfgraph explore --help`` for each."""

    id: str | None = None
    beside: str | None = None
    browser: bool = True
    port: int | None = None
    memory: str | int = MEMORY
    images: Path | None = None

    @property
    def of_files(self) -> bool:
        """Whether files and folders are meant rather than what a store holds: no id has a slash."""
        return self.id is not None and is_file(self.id)


@dataclass(frozen=True)
class Shelved:
    """A hierarchy with its cells, and the predictor that grew it, if any."""

    hierarchy: "HierarchyWithCells"
    predictor: "TrainedPredictor | None" = None
    place: str | None = None  # the file that it was read from


def check_libraries() -> None:
    """A ``MissingExtraError`` where what the server is made of is not installed."""
    if importlib.util.find_spec("starlette") is None:
        raise MissingExtraError.of("starlette", extra="explore", purpose="the explorer")
    if importlib.util.find_spec("uvicorn") is None:
        raise MissingExtraError.of("uvicorn", extra="explore", purpose="the explorer")


def is_file(text: str) -> bool:
    """Whether a file or a folder is meant rather than an id."""
    return "/" in text or text.lower().endswith(".parquet")


def memory_of(size: str | int) -> "Memory":
    """How much memory a text such as ``512MB`` or ``2GB`` means, or a number of bytes.

    Raises:
        InputError: for what is no size, and less than a megabyte.
    """
    from cfgraph.exploring.memory import Memory

    return Memory(check_bytes(size, name="memory"))


def start(store: "Store | None", asked: Asked, *, place: str, tell: Callable[[str], None], say: Callable[[str], None]) -> None:
    """Show what is asked for until a signal comes.

    Args:
        store: the store; None where files are meant.
        asked: what.
        place: the store's URL.
        tell: takes the address.
        say: takes what else there is to say.
    """
    from cfgraph.exploring.safety import new_token
    from cfgraph.exploring.server import listen, serve

    explored = explored_of(store, asked, place=place)
    listener, token = listen(asked.port), new_token()
    port = listener.getsockname()[1]
    address = address_of(port, token, explored)

    def started() -> None:
        tell(address)
        for line in hints(port):
            say(line)
        if asked.browser and can_open_browser():
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()

    serve(explored, listener, token=token, started=started)


def explored_of(store: "Store | None", asked: Asked, *, place: str) -> "Explored":
    """What is explored: of a store, or the files and folders that are named."""
    if store is not None:
        return of_store(store, asked, place=place)
    assert asked.id is not None
    if asked.beside is not None and not is_file(asked.beside):
        raise InputError(
            f"beside a file stands another file, or a field's folder, got {asked.beside!r}; `cfgraph ingest parquet` and "
            "`ingest folder` bring these in"
        )
    named = [name for name in (asked.id, asked.beside) if name is not None]
    return of_cells([_read(name) for name in named], asked, place=named[0])


def of_store(store: "Store", asked: Asked, *, place: str) -> "Explored":
    """The hierarchies of a store, and beside one of them perhaps a file or a field's folder."""
    from cfgraph.exploring.folders import Shelf
    from cfgraph.exploring.library import StoreLibrary

    stored, parts, beside = StoreLibrary(store), dict[str, "Library"](), asked.beside
    if asked.id is None and beside is not None:
        raise InputError(f"expected the ID of a hierarchy that {beside!r} stands beside")
    if asked.id is not None:
        stored.hierarchy(asked.id)
    if beside is not None and is_file(beside):
        shelved = _read(beside)
        beside = _named(shelved.hierarchy.id, taken=[one.id for one in store.hierarchies()])
        parts[beside] = _library_of(shelved, beside)
    elif beside is not None:
        stored.hierarchy(beside)
    return _explored(Shelf(parts, stored), asked, asked.id, beside, place=place)


def of_cells(shelved: "Sequence[Shelved | FolderReader]", asked: Asked, *, place: str) -> "Explored":
    """Hierarchies with their cells in memory, or in folders: one, or one and another beside it."""
    from cfgraph.exploring.folders import Shelf

    parts = dict[str, "Library"]()
    for one in shelved:
        name = _named(one.hierarchy.id, taken=list(parts))
        parts[name] = _library_of(one, name)
    first, beside = [*parts, None][:2]
    return _explored(Shelf(parts), asked, first, beside, place=place)


def _named(id: str, *, taken: list[str]) -> str:
    """What a hierarchy is called beside others."""
    return f"{id} (beside)" if id in taken else id


def _library_of(one: "Shelved | FolderReader", name: str) -> "Library":
    from cfgraph.exploring.folders import FolderLibrary
    from cfgraph.exploring.library import CellsLibrary

    if not isinstance(one, Shelved):
        return FolderLibrary(one, name)
    predictors = {} if one.predictor is None else {name: one.predictor}
    return CellsLibrary({name: one.hierarchy}, predictors, {} if one.place is None else {name: one.place})


def _explored(library: "Shelf", asked: Asked, id: str | None, beside: str | None, *, place: str) -> "Explored":
    from cfgraph.exploring.scenes import Scenes
    from cfgraph.exploring.server import Explored

    memory = memory_of(asked.memory)

    def open_scene(id: str, beside: str | None) -> "Scene":
        other = None if beside is None else open_scene(beside, None)
        return _scene_of(library, id, beside=other, memory=memory)

    return Explored(library, Scenes(open_scene), place, id=id, beside=beside, images=asked.images)


def _scene_of(library: "Shelf", id: str, *, beside: "Scene | None", memory: "Memory") -> "Scene":
    """The scene of a hierarchy, wherever its cells are."""
    from cfgraph.exploring.folders import FolderLibrary
    from cfgraph.exploring.library import StoreLibrary
    from cfgraph.exploring.scene import Scene
    from cfgraph.model.hierarchy import HierarchyWithCells

    known, part = library.hierarchy(id), library.part(id)  # or an error that says which there are
    if isinstance(part, StoreLibrary):
        return Scene.open(part.store, id, beside=beside, memory=memory)
    if isinstance(part, FolderLibrary):
        return Scene.open(part.reader, beside=beside, memory=memory)
    held = known if isinstance(known, HierarchyWithCells) else None
    return Scene.of(part.field(id), hierarchy=held, beside=beside, memory=memory)


def _read(name: str) -> "Shelved | FolderReader":
    """The hierarchy in a file, or the field in a folder."""
    from cfgraph.formats.folders.place import is_folder
    from cfgraph.formats.folders.reader import open_folder
    from cfgraph.sources.parquet import parquet

    if is_folder(name):
        return open_folder(name)
    found = parquet(Path(name))
    return Shelved(found.hierarchy, found.growers[0].trained if found.growers else None, name)


def address_of(port: int, token: str, explored: "Explored") -> str:
    """The page's address; what it is about stands in the fragment, which a browser sends nowhere."""
    words = {"token": token, "id": explored.id, "beside": explored.beside}
    given = {name: value for name, value in words.items() if value is not None}
    return f"http://127.0.0.1:{port}/#{urlencode(given, quote_via=quote, safe='')}"


def hints(port: int) -> list[str]:
    """What to know beside the address: over ssh how to come there from one's own machine; how it ends."""
    lines = []
    if connection := os.environ.get("SSH_CONNECTION"):
        lines.append(f"over ssh: on your own machine run `{forwarding(port, connection)}`, and open this address there")
    return [*lines, "whoever has this address can look; Ctrl-C ends it"]


def forwarding(port: int, connection: str = "") -> str:
    """The ssh command that forwards a port to this machine; ``connection`` is what SSH_CONNECTION says."""
    words = connection.split()
    host, at = (words[2], words[3]) if len(words) == 4 else (socket.gethostname(), "22")
    other = "" if at == "22" else f" -p {at}"
    return f"ssh -N -L {port}:127.0.0.1:{port}{other} {getpass.getuser()}@{host}"


def can_open_browser() -> bool:
    """Whether a browser would open where whoever asks looks: not over ssh, and not in the terminal itself."""
    if os.environ.get("BROWSER"):
        return True
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
