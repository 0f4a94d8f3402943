"""The console of tables and live lines: rich's, for which what data holds is text alone: no commands, markup or emoji."""

import sys
from typing import Any

import rich.console
from rich.text import Text

from cfgraph.visible import own_stream, visible


class Console(rich.console.Console):
    """Rich's console on stdout, or on stderr; colors and movements of the cursor are its own, texts are made visible."""

    def __init__(self, *, stderr: bool = False, width: int | None = None):
        file = own_stream(sys.stderr if stderr else sys.stdout)
        super().__init__(file=file, width=width, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """A text as rich lays it out: whatever it prints comes through here, the cells of a table too."""
        return super().render_str(visible(text), **options)
