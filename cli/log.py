"""The log and talk on stderr: lines of text for people, of JSON for programs. Of the log warnings always, else --verbose."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import click

from cfgraph.visible import own_stream, visible


class TextLines(logging.Formatter):
    """A line a record, whatever control characters are in it; only a traceback behind it has lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        return visible(super().formatMessage(record))


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, and the facts of the event where it is one, else the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": when, "level": record.levelname.lower(), "logger": record.name}
        return json.dumps({**head, **getattr(record, "event", {"message": record.getMessage()})}, default=str)


def start_log(*, verbose: bool, format: str) -> None:
    """Send cfgraph's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    text = "%(asctime)s %(name)s %(message)s" if verbose else "%(message)s"
    handler.setFormatter(JsonLines() if format == "json" else TextLines(text))
    logger = logging.getLogger("cfgraph")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    logger.propagate = False


def talk(text: str, *, level: int = logging.INFO, loud: bool = False, facts: dict[str, Any] | None = None) -> None:
    """A line of talk on stderr, its control characters written out and red where it is ``loud``; or a log's line of JSON.

    That line has the ``facts`` in place of the text where there are any.
    """
    log = logging.getLogger("cfgraph")
    if log.handlers and isinstance(log.handlers[0].formatter, JsonLines):
        record = logging.LogRecord("cfgraph.cli", level, "", 0, text, None, None)
        if facts is not None:
            record.event = facts
        line = log.handlers[0].format(record)
    else:
        line = click.style(visible(text), fg="red", bold=True) if loud else visible(text)
    click.echo(line, file=own_stream(sys.stderr))
