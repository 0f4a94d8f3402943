"""Completion by the shell: ids from a store that answers quickly, families, formats of files, operations.

`docs/servers.md` says how to switch it on. Pressing a key starts no server, waits for none, and prints nothing.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import click
from click.shell_completion import CompletionItem

QUICK_SECONDS = 1.5  # how long a store has to answer
IDS, PREDICTORS, FAMILIES, FILE_FORMATS, OPERATIONS = "ids", "predictors", "families", "formats", "operations"
# Which parameters are completed, by their names: those of ids everywhere, others of one command.
PARAMETERS = dict.fromkeys(("id", "ids", "true", "predicted", "a", "b", "beside"), IDS)
PARAMETERS |= {"predictor": PREDICTORS, "family": FAMILIES}
OF_COMMAND = {("query", "name"): OPERATIONS, ("export", "format"): FILE_FORMATS}


class Completed(click.types.StringParamType):
    """A text that a shell completes."""

    def __init__(self, kind: str):
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What begins as the word does; nothing where that cannot be said quickly."""
        return [CompletionItem(name) for name in names_of(self.kind, ctx) if name.startswith(incomplete)]


def make_complete(command: click.Command) -> None:
    """Let the shell complete the parameters of a command that name something of which there is a list."""
    for parameter in command.params:
        kind = OF_COMMAND.get((str(command.name), str(parameter.name))) or PARAMETERS.get(str(parameter.name))
        if kind is not None and parameter.type is click.STRING:
            parameter.type = Completed(kind)


def names_of(kind: str, ctx: click.Context) -> Sequence[str]:
    """The names of a kind; none of the store's where it does not answer, or not quickly."""
    if kind == FAMILIES:
        from cfgraph import predictors
        from cfgraph.entries import PREDICTORS as GROUP
        from cfgraph.entries import names_of_others

        return (predictors.AUTO, *predictors.FAMILIES, *names_of_others(GROUP, own=predictors.FAMILIES))
    if kind == FILE_FORMATS:
        from cfgraph.formats import FORMATS
        from cfgraph.transfer.export import FOLDER_FORMAT

        return (*FORMATS, FOLDER_FORMAT)
    if kind == OPERATIONS:
        from cfgraph.store.queries import load_queries

        return tuple(load_queries())
    return quickly(lambda: _stored_ids(ctx.find_root().params.get("stores") or (), predictors_only=kind == PREDICTORS))


def quickly(find: Callable[[], Sequence[str]]) -> Sequence[str]:
    """What is found within some moments, in a thread that nobody waits for any longer; nothing where it fails."""
    found: list[str] = []

    def work() -> None:
        with suppress(Exception):  # whatever is wrong with the store: the command that follows says so
            found.extend(find())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(QUICK_SECONDS)
    return tuple(found)


def _stored_ids(asked: Sequence[str], *, predictors_only: bool) -> list[str]:
    from cfgraph.settings import load_settings
    from cfgraph.store import Store
    from cfgraph.store.stores import is_file_of_stores, stores_named

    settings, found = load_settings(), list[str]()
    urls = tuple(asked) or (settings.store,)
    for url, its in stores_named(urls[0] if is_file_of_stores(urls[0]) else urls, settings=settings).values():
        store = Store.of_running(url, settings=its)
        if store is None:
            continue
        with store:
            predictors = [predictor.id for predictor in store.predictors()]
            found += predictors if predictors_only else [*(hierarchy.id for hierarchy in store.hierarchies()), *predictors]
    return found
