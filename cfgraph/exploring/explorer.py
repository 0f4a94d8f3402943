"""Explorer: the page as Python opens it: the server in a thread of this process, and what a notebook shows of it."""

import base64
import io
import os
import socket
import threading
import webbrowser
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cfgraph.errors import InputError, MissingExtraError
from cfgraph.exploring.start import (
    MEMORY,
    Asked,
    Shelved,
    address_of,
    can_open_browser,
    check_libraries,
    explored_of,
    forwarding,
    is_file,
    of_cells,
    of_store,
)
from cfgraph.model.hierarchy import Hierarchy, HierarchyWithCells

if TYPE_CHECKING:
    from cfgraph.exploring.server import Explored, Running
    from cfgraph.formats.folders.reader import FolderReader
    from cfgraph.store import Store

PICTURE_CELLS_MAX = 50_000
PICTURE_DPI = 80
FIRST_LEVELS = 3  # of a hierarchy in a store, that a still picture shows
STARTING_SECONDS = 30.0


class Explorer:
    """A page that is open: its ``address``, until :meth:`close`, the end of a ``with``, or the end of the process.

    In a notebook it shows itself as a still picture and its address.
    """

    def __init__(self, explored: "Explored", running: "Running", *, address: str, picture: str):
        self.address = address
        self._explored, self._running, self._picture = explored, running, picture

    def close(self) -> None:
        """End it; what is looked at then says that the server is away."""
        self._running.end()

    def wait(self) -> None:
        """Wait until it was closed, as a script does that has nothing else to do."""
        self._running.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<the explorer at {self.address}>"

    def _repr_html_(self) -> str:
        port = self.address.partition("127.0.0.1:")[2].partition("/")[0]
        away = forwarding(int(port), os.environ.get("SSH_CONNECTION", ""))
        here = escape(socket.gethostname())
        return (
            f"<div>{self._picture}<p>The explorer is open at <code>{escape(self.address)}</code></p><p>Copy this address into "
            f"a browser on the machine that runs this kernel, {here}: it answers there alone, and refuses links from other "
            f"pages, this notebook's too. From another machine run <code>{escape(away)}</code> there first. Whoever has the "
            "address can look, as long as this kernel runs.</p></div>"
        )


def explore(
    of: "Store | Hierarchy | FolderReader | Path | str | None" = None,
    id: str | None = None,
    *,
    beside: "Hierarchy | FolderReader | str | None" = None,
    browser: bool = True,
    port: int | None = None,
    memory: str | int = MEMORY,
    images: "Path | str | None" = None,
) -> Explorer:
    """A page on this machine on which hierarchies are looked at, zoomed without end; the server runs in this process.

    ``cfgraph.explore(koch)`` shows a hierarchy with its cells, ``cfgraph.explore(store, "koch")`` one of a store,
    ``cfgraph.explore(store)`` what a store holds, ``cfgraph.explore("koch.parquet")`` a file, ``cfgraph.explore("grown/")`` a
    field's folder, of which cells are read as they are looked at.

    Args:
        of: a hierarchy with its cells, a store, a Parquet file of :func:`cfgraph.export`, or a field's folder
            (``"grown/"``, or ``open_folder("grown/")``).
        id: of the hierarchy in the store.
        beside: another hierarchy, shown beside it: the predicted one beside the true one. Beside one of a store, another of it,
            a file or a folder; beside a file or a folder another of these; beside one in memory another in memory.
        browser: whether to open a browser, where one would open on this machine's own screen.
        port: of the loopback address; unless given, one that is free.
        memory: at most so much for stored cells: ``512MB``, ``2GB``, or a number of bytes.
        images: the folder with the image files that data points name.

    Returns:
        The page: ``address``, ``close()``, ``wait()``.

    Raises:
        InputError: for what cannot be shown, and a port that is taken.
        NotFoundError: for an id that the store does not hold.
        MissingExtraError: where starlette and uvicorn are not installed.
    """
    check_libraries()
    folder = None if images is None else Path(images)
    if folder is not None and not folder.is_dir():
        raise InputError(f"expected a folder with images, got {str(folder)!r}")
    named = _name_of(beside)
    asked = Asked(id=id, beside=named, browser=browser, port=port, memory=memory, images=folder)
    explored, picture = _explored(of, beside, asked)
    return _open(explored, asked, picture=picture)


def _explored(of: Any, beside: Any, asked: Asked) -> "tuple[Explored, str]":
    """What is explored, and a still picture of it."""
    from cfgraph.formats.folders.reader import FolderReader
    from cfgraph.store import Store

    if isinstance(of, Store):
        if isinstance(beside, Hierarchy):
            raise InputError("beside a hierarchy of the store stands another one of it; give its id, or both in memory")
        place = of.place if of.folder is None else f"local:{of.folder}"  # what a copied line of Python opens without a password
        return of_store(of, asked, place=place), "" if asked.id is None else _first_levels(of, asked.id)
    if asked.id is not None:
        raise InputError(f"an id names a hierarchy in a store, got {asked.id!r} beside {type(of).__name__}")
    if isinstance(of, Hierarchy):
        shelved = [Shelved(of.require_cells())]
        if beside is not None:
            if not isinstance(beside, Hierarchy):
                raise InputError(f"beside a hierarchy in memory stands another one in memory, got {beside!r}")
            shelved.append(Shelved(beside.require_cells()))
        return of_cells(shelved, asked, place=f"{of.id}.parquet"), still_picture(of.require_cells())
    if isinstance(of, FolderReader):
        of = of.title
    elif isinstance(of, Path) and of.is_dir():
        of = f"{of}/"
    if isinstance(of, Path) or (isinstance(of, str) and is_file(of)):
        files = Asked(**{**vars(asked), "id": str(of)})
        return explored_of(None, files, place=str(of)), ""
    raise InputError(
        f"expected a store, a hierarchy with its cells, a file that ends in .parquet, or a field's folder, got {of!r}"[:300]
    )


def _name_of(beside: Any) -> str | None:
    """What stands beside: an id, a file or a folder."""
    from cfgraph.formats.folders.reader import FolderReader

    if isinstance(beside, FolderReader):
        return beside.title
    return beside.id if isinstance(beside, Hierarchy) else beside


def _open(explored: "Explored", asked: Asked, *, picture: str) -> Explorer:
    from cfgraph.exploring.safety import new_token
    from cfgraph.exploring.server import Running, listen

    listener, token = listen(asked.port), new_token()
    address = address_of(listener.getsockname()[1], token, explored)
    running = Running(explored, listener, token=token)
    running.start(STARTING_SECONDS)
    if asked.browser and can_open_browser():
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
    return Explorer(explored, running, address=address, picture=picture)


def _first_levels(store: "Store", id: str) -> str:
    from cfgraph.plots.thumbnail import draw_thumbnail

    return draw_thumbnail(store.read(id, depth=FIRST_LEVELS, live=True))


def still_picture(hierarchy: HierarchyWithCells) -> str:
    """A picture of a hierarchy as HTML: as ``plot`` draws it, or an icicle where it is too large or matplotlib is missing."""
    from cfgraph.plots.thumbnail import draw_thumbnail

    if len(hierarchy.cells) > PICTURE_CELLS_MAX:
        return draw_thumbnail(hierarchy.cells)
    try:
        figure, file = hierarchy.plot(), io.BytesIO()
    except MissingExtraError:
        return draw_thumbnail(hierarchy.cells)
    figure.savefig(file, format="png", dpi=PICTURE_DPI)
    picture = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{escape(hierarchy.id)}" src="data:image/png;base64,{picture}">'
