"""``cfgraph locate``"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cfgraph import defaults
from cfgraph.errors import InputError

from .context import Context, pass_context
from .large import LARGE
from .output import FORMAT, print_rows
from .reading import NAMES, reading

if TYPE_CHECKING:
    import numpy as np

    from cfgraph.model.field import Field
    from cfgraph.model.locating import Located
    from cfgraph.model.nearby import Neighbours

LOCATED = ("point", "address", "level", "distance", "stored", "sure", "nearest")
NEIGHBOURS = ("point", "address", "level", "distance", "stored")
PAGE = 10_000


@click.command(
    "locate",
    epilog="Example: cfgraph locate koch 0.3,0.2 --depth 40",
    context_settings={"ignore_unknown_options": True},  # a first coordinate below 0 is none
)
@click.argument("id")
@click.argument("where", metavar="X1,X2,...|FILE")
@click.option("--depth", metavar="L", type=int, help="Of this level, stored or not.  [default: the deepest stored]")
@click.option("--precision", metavar="E", type=float, help="Of the level from which on every cell reaches at most so far.")
@click.option("--beam", type=int, help="Cells kept a level: more find the nearest more often.  [default: 1]")
@click.option("--nearest", metavar="K", type=int, help="Instead the K cells with the nearest centers, exactly.")
@click.option("--within", metavar="R", type=float, help="Instead all cells whose centers are at most so far.")
@click.option("--rule-error", metavar="E", type=float, help="How far residuals may be off, for `sure`.  [default: 0]")
@click.option("--predictor", metavar="ID", help="The rule below what is stored.  [default: the one that grew it last]")
@click.option(
    "--maps", metavar="FILE", type=click.Path(path_type=Path), help="Of an `ifs` hierarchy that was made from a file."
)
@reading
@LARGE
@FORMAT
@pass_context
def command(
    context: Context,
    /,
    id: str,
    where: str,
    depth: int | None,
    precision: float | None,
    beam: int | None,
    nearest: int | None,
    within: float | None,
    rule_error: float | None,
    predictor: str | None,
    maps: Path | None,
    format: str,
    **reading: Any,
) -> None:
    """The cell of a level of the hierarchy ID that each point lies in, at any depth: a row a point.

    A point is X1,X2,... or a row of FILE (a table), and lies where the centers do (`cfgraph apply` takes
    data as they were before a hierarchy was made of them). It goes down by the nearest centers, through stored cells and,
    below them, those that the rule gives: the maps, the generator or the predictor.

    sure: every slot of the address holds against rounding, and with --rule-error against a rule that is off. nearest: proven
    that no other cell of that level is nearer. Where no rule is known only stored cells answer, and that is said.

    ID may be a folder that a field was grown into: FOLDER/; or NAME:PLACE, read by another package.
    """
    from cfgraph.formats.folders.place import is_folder
    from cfgraph.formats.folders.reader import open_folder
    from cfgraph.formats.readers import is_elsewhere, open_elsewhere
    from cfgraph.sources.any_depth import field

    asked = _Asked(depth=depth, precision=precision, beam=beam, nearest=nearest, within=within, rule_error=rule_error)
    x = _points(context, where, reading)
    with ExitStack() as stack:
        if is_folder(id):
            if predictor is not None:
                raise InputError("--predictor names one in a store; a folder has what grew it with it, leave it out")
            answering = field(open_folder(id), maps=maps)
        elif is_elsewhere(id):
            if predictor is not None:
                raise InputError("--predictor names one in a store, and this is read by another package; leave it out")
            answering = field(open_elsewhere(id), maps=maps)
        else:
            answering = field(stack.enter_context(context.open_store()), id, predictor=predictor, maps=maps)
        if answering.descent is None:
            context.say(f"only stored cells answer: {answering.no_rule}")
        found = asked.answer(answering, x)
    print_rows(asked.columns, _Rows(found, asked.columns), format=format)


class _Asked:
    """What is asked about the points."""

    def __init__(
        self,
        *,
        depth: int | None,
        precision: float | None,
        beam: int | None,
        nearest: int | None,
        within: float | None,
        rule_error: float | None,
    ) -> None:
        self.depth, self.precision = depth, precision
        self.nearest, self.within, self.beam, self.rule_error = nearest, within, beam, rule_error
        if nearest is not None and within is not None:
            raise InputError("--nearest and --within are two questions; ask one of them")
        self.neighbours = nearest is not None or within is not None
        if self.neighbours and (beam is not None or rule_error is not None):
            raise InputError("--nearest and --within are exact: --beam and --rule-error are about the descent; leave them out")

    @property
    def columns(self) -> tuple[str, ...]:
        """What is told."""
        return NEIGHBOURS if self.neighbours else LOCATED

    def answer(self, field: "Field", x: "np.ndarray") -> "Located | Neighbours":
        """What a field answers."""
        if self.nearest is not None:
            return field.nearest(x, self.nearest, depth=self.depth, precision=self.precision)
        if self.within is not None:
            return field.within(x, self.within, depth=self.depth, precision=self.precision)
        beam, error = 1 if self.beam is None else self.beam, self.rule_error or 0.0
        return field.locate(x, depth=self.depth, precision=self.precision, beam=beam, rule_error=error)


def _points(context: Context, where: str, reading: dict[str, Any]) -> "np.ndarray":
    """The point that is written out, or those in a file."""
    import numpy as np

    try:
        point = np.array([[float(text) for text in where.split(",")]])
    except ValueError:
        return _read(context, Path(where), **reading)
    for name in NAMES:
        if reading[name] not in (None, defaults.HEADER_RULE):
            raise InputError(f"--{name} is about a file of points, and {where} is one point; leave it out")
    return point


def _read(context: Context, path: Path, **reading: Any) -> "np.ndarray":
    from cfgraph.files.arrays import read_points

    table = read_points(path, **reading)
    for note in table.notes:
        context.say(note)
    return table.values


class _Rows:
    """An answer as rows, which can be gone through again and again; addresses are written a page at a time."""

    def __init__(self, found: "Located | Neighbours", columns: tuple[str, ...]) -> None:
        self._found, self._columns = found, columns

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import numpy as np

        from cfgraph.model.locating import as_addresses

        point = getattr(self._found, "point", np.arange(len(self._found)))
        for low in range(0, len(self._found), PAGE):
            page = slice(low, low + PAGE)
            addresses = as_addresses(self._found.slots[page], self._found.level[page])
            columns = [getattr(self._found, name)[page].tolist() for name in self._columns[2:]]
            yield from zip(point[page].tolist(), addresses, *columns, strict=True)
