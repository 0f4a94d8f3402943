"""Scenes: what the page looks at, opened once and kept while it is looked at; one question at a time of each."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfgraph.exploring.scene import Scene
    from cfgraph.model.field import Field

SCENES_MAX = 8
Name = tuple[str, str | None]  # a hierarchy, and the one beside it


class GoneError(Exception):
    """Whoever asked has gone: nobody waits for the answer."""


class Fields:
    """The fields of hierarchies that were asked about last, each made once."""

    def __init__(self, make: "Callable[[str], Field]"):
        self._make, self._lock, self._kept = make, threading.Lock(), OrderedDict[str, "Field"]()

    def get(self, id: str) -> "Field":
        """The field of a hierarchy."""
        with self._lock:
            if id in self._kept:
                self._kept.move_to_end(id)
                return self._kept[id]
        made = self._make(id)  # that may take a while, and twice does no harm
        with self._lock:
            self._kept[id] = made
            while len(self._kept) > SCENES_MAX:
                self._kept.popitem(last=False)
        return made

    def forget(self, id: str) -> None:
        """Have it made anew when it is asked for next."""
        with self._lock:
            self._kept.pop(id, None)


class _Kept:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.scene: Scene | None = None
        self._over = False  # it is to be closed

    def tell(self, what: "Callable[[Scene], None]") -> None:
        """Do something with the scene and with the one beside it, once nobody asks them any more."""
        with self.lock:
            self._tell(what)

    def close(self) -> None:
        """Close it now, or, where somebody asks it just now, by :meth:`end` then: nobody waits for that."""
        self._over = True
        self.end()

    def end(self) -> None:
        """The end of a question: what was to be closed meanwhile is."""
        if self._over and self.lock.acquire(blocking=False):
            try:
                self._tell(_close)
            finally:
                self.lock.release()

    def _tell(self, what: "Callable[[Scene], None]") -> None:
        for one in (self.scene, None if self.scene is None else self.scene.beside):
            if one is not None:
                what(one)


class Scenes:
    """The scenes that are open; the ones looked at last are kept.

    Args:
        open_scene: opens that of a hierarchy with another one beside it, or none, by their ids.
    """

    def __init__(self, open_scene: "Callable[[str, str | None], Scene]"):
        self._open, self._lock, self._kept = open_scene, threading.Lock(), OrderedDict[Name, _Kept]()

    @contextmanager
    def use(self, id: str, beside: str | None, *, gone: Callable[[], bool]) -> Iterator["Scene"]:
        """A ``with`` around questions to a scene, which nobody else asks meanwhile; opened where it is not yet.

        Raises:
            GoneError: where whoever asked went before it was their turn.
        """
        kept = self._find((id, beside))
        try:
            with kept.lock:
                if gone():
                    raise GoneError
                if kept.scene is None:
                    kept.scene = self._open(id, beside)
                yield kept.scene
        finally:
            kept.end()

    def opened(self, id: str) -> "Scene | None":
        """The scene of a hierarchy, alone or beside another one, where one is open: nothing is opened for it."""
        with self._lock:
            there = [(name, kept.scene) for name, kept in self._kept.items() if kept.scene is not None]
        found = (scene if name[0] == id else scene.beside for name, scene in there if id in name)
        return next((scene for scene in found if scene is not None), None)

    def forget(self, id: str) -> None:
        """Have what is there of a hierarchy opened anew when it is asked for next: it was removed, perhaps made again."""
        with self._lock:
            found = [self._kept.pop(name) for name in list(self._kept) if id in name]
        for kept in found:
            kept.close()

    def refresh(self, id: str) -> None:
        """Have what is kept of a hierarchy's cells read anew: some of them may have been grown."""
        with self._lock:
            found = [kept for name, kept in self._kept.items() if id in name]
        for kept in found:
            kept.tell(_refresh)

    def _find(self, name: Name) -> _Kept:
        over: list[_Kept] = []
        with self._lock:
            kept = self._kept.setdefault(name, _Kept())
            self._kept.move_to_end(name)
            while len(self._kept) > SCENES_MAX:
                over.append(self._kept.popitem(last=False)[1])
        for one in over:
            one.close()
        return kept


def _close(scene: "Scene") -> None:
    scene.close()


def _refresh(scene: "Scene") -> None:
    scene.refresh()
