"""Stores: several stores shown as one to whoever reads; a hierarchy lies on one of them, as a whole.

There is no federation in Neo4j Community, and none is needed: nothing of cfgraph reads cells of one hierarchy from two servers.
So this finds out which store holds an id, and the verb goes on with that store alone.
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cfgraph.errors import InputError, NotFoundError, StoreError, StoreUnavailableError
from cfgraph.settings import Settings, load_settings
from cfgraph.store.store import Store, _say_on_stderr

Say = Callable[[str], None]
_EXAMPLE = 'expected a table a store, such as [lab] with url = "neo4j://lab:7687" and password_variable = "LAB_PASSWORD"'


class StoreEntry(BaseModel):
    """One store of a file of stores: where it is, and where its password is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(min_length=1)
    username: str | None = None
    password_variable: str | None = Field(None, min_length=1)
    password_file: Path | None = None
    database: str | None = None

    def settings(self, base: Settings, *, name: str, folder: Path) -> Settings:
        """The settings with which this one is opened; what it does not say is as the environment has it.

        Raises:
            InputError: for a variable that is not set, and a file that cannot be read.
        """
        asked: dict[str, Any] = {"username": self.username, "database": self.database, "password": self._password(name, folder)}
        return base.model_copy(update={key: value for key, value in asked.items() if value is not None})

    def _password(self, name: str, folder: Path) -> SecretStr | None:
        if self.password_variable is not None and self.password_file is not None:
            raise InputError(f"store {name!r} names its password twice; leave out password_variable or password_file")
        if self.password_variable is not None:
            found = os.environ.get(self.password_variable)
            if not found:
                raise InputError(f"the password of store {name!r} is in {self.password_variable}, a variable that is not set")
            return SecretStr(found)
        if self.password_file is None:
            return None
        file = folder / self.password_file.expanduser()
        try:
            return SecretStr(file.read_text(encoding="utf-8").strip())
        except (OSError, ValueError) as error:
            raise InputError(f"the password of store {name!r} is in {str(file)!r}, which cannot be read: {error}") from error


@dataclass(frozen=True, eq=False)
class OneOfStores:
    """One store among several: its name, and the store itself, or why it does not answer."""

    name: str
    url: str
    found: Store | StoreError

    @property
    def store(self) -> Store | None:
        """The store; None where it does not answer."""
        return self.found if isinstance(self.found, Store) else None


@dataclass(frozen=True, eq=False)
class Stores:
    """Several stores, each with a name; open them with :meth:`open`, in a ``with``.

    ``ls``, ``show``, ``compare``, ``diff`` and ``export`` take them in place of one. An id stands for the hierarchy or the
    predictor of that id on whichever store holds it, and ``NAME:ID`` for that on the store NAME, where several hold one.
    """

    members: tuple[OneOfStores, ...]
    _opened: ExitStack = field(repr=False)

    @classmethod
    def open(cls, which: str | Path | Sequence[str], *, settings: Settings | None = None, say: Say | None = None) -> Self:
        """The stores that a TOML file names, or those behind several URLs, named by their hosts or folders.

        A store that does not answer is told of by whatever asks for it; the others work. All are opened at once.

        Args:
            which: the file, a table a store (``url``, and maybe ``username``, ``password_variable``, ``password_file`` and
                ``database``), folders in it as seen from its own; or URLs.
            settings: what is not said there (default: the environment).
            say: is told of a server that is started; unless given, that is said on stderr.

        Raises:
            InputError: for a file that cannot be read, or says something else; for doubled stores, and for URLs of no known
                form.
        """
        ready, say = stores_named(which, settings=settings or load_settings()), say or _say_on_stderr
        with ExitStack() as stack, ThreadPoolExecutor(len(ready)) as pool:  # one that is away takes seconds to be so
            opening = {name: pool.submit(_open, *one, say=say) for name, one in ready.items()}
            for future in opening.values():
                future.add_done_callback(lambda future: _close_later(future, stack))
            members = [OneOfStores(name, ready[name][0], future.result()) for name, future in opening.items()]
            return cls(tuple(members), stack.pop_all())

    def close(self) -> None:
        """Let go of all connections."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def there(self) -> Iterator[tuple[str, Store]]:
        """The stores that answer, by name."""
        return ((member.name, member.store) for member in self.members if member.store is not None)

    @property
    def away(self) -> list[OneOfStores]:
        """Those that do not answer, and why."""
        return [member for member in self.members if member.store is None]

    def resolve(self, title: str) -> tuple[Store, str]:
        """The store that holds what a title names, and its id there; a snapshot's lies where its hierarchy is.

        Raises:
            InputError: where several hold one of that id.
            StoreUnavailableError: where none that answers does, and some do not answer.
            NotFoundError: where none does.
        """
        holders, away = list[tuple[str, Store]](), [_told(member.name, member.found) for member in self.away]
        for name, store in self.there:
            try:
                holders += [(name, store)] if _holds(store, title) else []
            except StoreError as error:  # it went away since it was opened
                away.append(_told(name, error))
        if len(holders) == 1:
            return holders[0][1], title
        if holders:
            names = [name for name, _ in holders]
            raise InputError(f"{' and '.join(names)} hold a {title!r} each; say which is meant: {names[0]}:{title}")
        for member in self.members:
            if title.startswith(f"{member.name}:"):
                return self._of(member, title.removeprefix(f"{member.name}:"))
        if away:
            raise StoreUnavailableError(f"no store that answers holds {title!r}; {'; '.join(away)}")
        names = [member.name for member in self.members]
        raise NotFoundError(f"there is no {title!r} on {' and '.join(names)}; `cfgraph ls` lists what they hold")

    def _of(self, member: OneOfStores, id: str) -> tuple[Store, str]:
        if member.store is None:
            raise StoreUnavailableError(f"{id!r} is asked of a store that does not answer: {_told(member.name, member.found)}")
        return member.store, id


def _told(name: str, why: object) -> str:
    return f"{name} is away ({why})"


def _holds(store: Store, title: str) -> bool:
    """Whether a store holds what a title names: a hierarchy, a predictor, or the hierarchy of a snapshot."""
    id, mark, _ = title.rpartition("@")
    return store.holds(title) or (bool(mark and id) and store.holds(id))


def _open(url: str, settings: Settings, *, say: Say) -> Store | StoreError:
    try:
        return Store.open(url, settings=settings, say=say)
    except StoreError as error:
        return error


def _close_later(opened: "Future[Store | StoreError]", stack: ExitStack) -> None:
    """Let go of a store with the others, those too that were opened before another one's URL turned out to be none."""
    if opened.exception() is None and isinstance(store := opened.result(), Store):
        stack.callback(store.close)


def is_file_of_stores(text: str) -> bool:
    """Whether what stands in a store's place is the name of a file of stores."""
    return text.endswith(".toml") and not text.startswith("local:") and "://" not in text


def stores_named(which: str | Path | Sequence[str], *, settings: Settings) -> dict[str, tuple[str, Settings]]:
    """The URL of each store, and the settings with which it is opened, by name; see :meth:`Stores.open`.

    Raises:
        InputError: as there.
    """
    if isinstance(which, str | Path):
        file = Path(which)
        entries = _entries_of(file)
        return {name: (one.url, one.settings(settings, name=name, folder=file.parent)) for name, one in entries.items()}
    if not which or len(set(which)) < len(which):
        raise InputError(f"expected the URL of each store once, got {', '.join(which) or 'none'}")
    names = list(map(_name_of, which))
    told = [name if names.count(name) == 1 else f"{name}-{place}" for place, name in enumerate(names, start=1)]
    return {name: (url, settings) for name, url in zip(told, which, strict=True)}


def _name_of(url: str) -> str:
    """What the store behind a URL is called among others: its host and port, or its folder's last name."""
    scheme, _, rest = url.partition("://")
    if rest:
        return rest.strip("/").replace("/", "-") or scheme
    return Path(url.removeprefix("local:")).name or "local"


def _entries_of(file: Path) -> Mapping[str, StoreEntry]:
    """What a file of stores says."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the file of stores {str(file)!r} cannot be read: {error}; {_EXAMPLE}") from error
    if not found:
        raise InputError(f"the file of stores {str(file)!r} names none; {_EXAMPLE}")
    entries = {name: _entry_of(file, name, entry) for name, entry in found.items()}
    places: dict[tuple[str, str | None], str] = {}
    for name, entry in entries.items():
        if (other := places.setdefault((entry.url, entry.database), name)) != name:
            raise InputError(f"{str(file)!r} names one store twice, as {other!r} and as {name!r}: {entry.url}")
    return entries


def _entry_of(file: Path, name: str, entry: Any) -> StoreEntry:
    if not isinstance(entry, dict):
        raise InputError(f"{str(file)!r} says {name} = {entry!r}; {_EXAMPLE}")
    if "password" in entry:
        raise InputError(
            f"{str(file)!r} holds the password of {name!r}; name the variable or the file that holds it instead: "
            "password_variable or password_file"
        )
    try:
        found = StoreEntry.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{str(file)!r}, store {name!r}, {key}: {first['msg']}; {_EXAMPLE}") from error
    kind, _, place = found.url.partition(":")
    if kind == "local" and place:  # as seen from the file, wherever one is
        return found.model_copy(update={"url": f"local:{file.resolve().parent / Path(place).expanduser()}"})
    return found
