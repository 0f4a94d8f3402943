"""``cfgraph explore``"""

import gc
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Context, pass_context
from .output import print_line

if TYPE_CHECKING:
    from cfgraph.store import Store


@click.command("explore", epilog="Example: cfgraph explore koch --beside koch-grown")
@click.argument("id", metavar="[ID|FILE.parquet|FOLDER/]", required=False)
@click.option(
    "--beside",
    metavar="ID",
    help="Another hierarchy (or file, or folder), shown beside it: the predicted one beside the true one.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open a browser.")
@click.option(
    "--port", metavar="N", type=click.IntRange(1, 65535), help="Of this machine's own address.  [default: a free one]"
)
@click.option(
    "--memory", metavar="SIZE", default="512MB", show_default=True, help="At most so much for stored cells: 512MB, 2GB."
)
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the image files are that data points name.",
)
@pass_context
def command(
    context: Context,
    id: str | None,
    beside: str | None,
    browser: bool,
    port: int | None,
    memory: str,
    images: Path | None,
) -> None:
    """Open a page on this machine on which hierarchies are looked at, zoomed without end.

    Without ID it lists the hierarchies of the store. What ends in .parquet or has a / in it is a file of `cfgraph export`, or a
    folder that a field was grown into (FOLDER/, s3://BUCKET/...): they need no store. A folder's cells are read as they are
    looked at. Prints the page's address, which holds a token: whoever has it can look, and nobody else. Ctrl-C ends
    it. Nothing is written to the graph.
    """
    from cfgraph.exploring.start import Asked, check_libraries, start

    check_libraries()
    asked = Asked(id=id, beside=beside, browser=browser, port=port, memory=memory, images=images)
    with ExitStack() as stack:
        store: Store | None = None
        if not asked.of_files:
            store = stack.enter_context(context.open_store())
        start(store, asked, place=context.store_url, tell=print_line, say=context.say)


def leave(code: int) -> None:
    """Exit at once where threads are still at work for a page that is closed by now: Python would wait for them.

    Where there are none it exits as usual, but does not look through all objects for those that only each other refer to.
    """
    gc.freeze()
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
