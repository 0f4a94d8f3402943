"""What every command gets from the group above it: the store's URL, the settings, and a voice on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import click

from cfgraph.errors import StoreUnavailableError

from .log import talk

if TYPE_CHECKING:
    from cfgraph.settings import Settings
    from cfgraph.store import Store


@dataclass(frozen=True)
class Context:
    """The words before the command, as a value; nothing heavy is imported until a command asks for it."""

    asked_store: str | None = None
    verbose: bool = False

    @cached_property
    def settings(self) -> "Settings":
        """The settings from the environment and the .env file."""
        from cfgraph.settings import load_settings

        return load_settings()

    @property
    def store_url(self) -> str:
        """``--store``, else CFGRAPH_STORE, else NEO4J_URI, else ``local``."""
        return self.asked_store or self.settings.store

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

    def _find_end(self) -> str | None:
        """Why the local server ran no more, where that is what happened and it said why."""
        from cfgraph.server.local import LocalServer

        local = self.store_url.partition(":")[0] == "local"
        return LocalServer.of_url(self.store_url, settings=self.settings).find_end() if local else None


pass_context = click.make_pass_decorator(Context)
