"""What every command gets from the group above it: the store's URL, the settings, and a voice on stderr."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import click

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

    def say(self, text: str) -> None:
        """One line of talk, on stderr."""
        talk(text)

    def open_store(self) -> "Store":
        """The store, to be used in a ``with``; a local one is started where it does not run."""
        from cfgraph.store import Store

        return Store.open(self.store_url, settings=self.settings, say=self.say)


pass_context = click.make_pass_decorator(Context)
