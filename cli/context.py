"""What every command gets from the group above it: the store's URL, the settings, and a voice on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import click

from cfgraph.errors import InputError, StoreUnavailableError

from .log import talk

if TYPE_CHECKING:
    from cfgraph.settings import Settings
    from cfgraph.store import Store, Stores


@dataclass(frozen=True)
class Context:
    """The words before the command, as a value; nothing heavy is imported until a command asks for it."""

    asked_stores: tuple[str, ...] = ()
    verbose: bool = False
    store_typed: bool = False  # as --store, rather than found in the environment

    @cached_property
    def settings(self) -> "Settings":
        """The settings from the environment and the .env file."""
        from cfgraph.settings import load_settings

        return load_settings()

    @property
    def store_url(self) -> str:
        """``--store``, else CFGRAPH_STORE, else NEO4J_URI, else ``local``.

        Raises:
            InputError: where several stores are named.
        """
        if self._several:
            raise InputError(
                f"this works in one store, and --store names {'a file of several' if self._file else 'several'}; name one "
                "(ls, show, compare, diff and export read several)"
            )
        return self._urls[0]

    @property
    def _urls(self) -> tuple[str, ...]:
        return self.asked_stores or (self.settings.store,)

    @property
    def _file(self) -> str | None:
        """The file of stores that is named."""
        from cfgraph.store.stores import is_file_of_stores

        return next(filter(is_file_of_stores, self._urls), None)

    @property
    def _several(self) -> bool:
        return len(self._urls) > 1 or self._file is not None

    def say(self, text: str, *, loud: bool = False) -> None:
        """One line of talk, on stderr."""
        talk(text, loud=loud)

    @contextmanager
    def open_store(self) -> Iterator["Store"]:
        """The store, to be used in a ``with``; a local one is started where it does not run, and tells why it ended."""
        from cfgraph.store import Store

        try:
            with Store.open(self.store_url, settings=self.settings, say=self.say) as store:
                yield store
        except StoreUnavailableError as error:
            if reason := self._find_end():
                raise StoreUnavailableError(f"{error}; {reason}") from error
            raise

    @contextmanager
    def open_stores(self) -> Iterator["Store | Stores"]:
        """The store, or all that are named, of which some may be away: for commands that read."""
        if not self._several:
            with self.open_store() as store:
                yield store
            return
        from cfgraph.store import Stores

        if self._file is not None and len(self._urls) > 1:
            raise InputError(f"a file of stores names them all; give {self._file} alone, or write the others into it")
        with Stores.open(self._file or self._urls, settings=self.settings, say=self.say) as stores:
            yield stores

    def _find_end(self) -> str | None:
        """Why the local server ran no more, where that is what happened and it said why."""
        from cfgraph.server.local import LocalServer

        local = self.store_url.partition(":")[0] == "local"
        return LocalServer.of_url(self.store_url, settings=self.settings).find_end() if local else None


pass_context = click.make_pass_decorator(Context)
