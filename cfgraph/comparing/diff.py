"""Diff: what is not the same in two hierarchies: cells, where they lie, what they hold, and the edges between them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfgraph.checks import check_integer, check_number
from cfgraph.comparing.changes import Terms
from cfgraph.comparing.diff_report import Diff, DiffTally, Digests
from cfgraph.comparing.differences import Tell
from cfgraph.comparing.digesting import Prepared, SideDigests, equal_subtrees, portions, prepare
from cfgraph.comparing.joining import diff_joined, join_by_name, join_by_points
from cfgraph.comparing.merging import diff_by_address
from cfgraph.comparing.sides import FolderSide, Rows, Side, StoreSide, all_names, counted, open_side
from cfgraph.comparing.subtrees import Subtrees
from cfgraph.errors import InputError
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.model.hierarchy import FieldHierarchy, HierarchyWithCells
from cfgraph.model.progress import Asked, shown
from cfgraph.model.subtree_digests import SubtreeDigest
from cfgraph.store.subtree_digests import WHOLE, Stretch

if TYPE_CHECKING:
    from cfgraph.store import Store, Stores

ADDRESS, NAME, POINTS = BY = ("address", "name", "points")
EXAMPLES = 10
DESCRIBED = ("dimension", "arity", "scale_factor", "lengths", "virtual_root", "points")
Progress = Callable[[int, int], None]  # cells done, cells in all


def diff(
    a: str | Path | HierarchyWithCells | FolderReader,
    b: str | Path | HierarchyWithCells | FolderReader,
    *,
    store: "Store | Stores | None" = None,
    by: str = ADDRESS,
    tolerance: float = 0.0,
    examples: int = EXAMPLES,
    tell: Tell | None = None,
    large: bool = False,
    full: bool = False,
    progress: Asked = None,
) -> Diff:
    """What two hierarchies differ in: ``diff("koch", "koch-again", store=store).equal``.

    By ``address``, subtrees with the same digests on both sides are not read (:mod:`cfgraph.model.subtree_digests`); a store
    keeps these, and the first diff of a hierarchy reads all of its cells and makes them. They are true of all that cfgraph
    does. What plain Cypher changed in cells since they were made is found only if all cells are read: ``full``.

    Cells are read in pages. A cell of ``a`` and its partner in ``b`` differ where the center *moved* by more than
    ``tolerance`` of the scale, where the scale, the edge from the primary parent, the name, another property, the data points
    or the state is another (:func:`cfgraph.comparing.changes.changes` has the formulas); *parent* is another primary parent,
    and edges are counted that lead to cells which both have. What follows from the rest (root distances, radii, sizes) is left
    to ``verify``.

    Partners are, by ``address``, cells of the same address: two sorted streams are merged, and memory holds a page of each. By
    ``name`` and by ``points`` they are found by a join: memory holds of both sides some 60 bytes a cell, of ``a`` some 60 more
    and 16 for each number of a center; ``b`` is read twice. All of it is read every time, since digests belong to addresses.
    By ``points`` partners have the same set of data points in them and below them, or, of the rest, each has with the other
    its best Jaccard overlap, if that is at least 1/2 (one of the points on both sides is row i of the same data). Which point
    lies where must be known: as nodes, or as ``row``.

    Args:
        a: the id of a hierarchy in the store, a snapshot of one (``"koch@before"``, read whole), the ``Path`` of a Parquet
            file (read whole), a hierarchy with its cells, or a field's folder (``"grown/"``, or an open one): read sheet by
            sheet, all of it, whatever it is compared with.
        b: the same.
        store: where ids are looked up: a store, or several (:class:`cfgraph.store.Stores`), of which each side may lie in one.
        by: ``address``, ``name`` or ``points``.
        tolerance: T, from which on a center counts as moved, in scales of the cell in ``a``; an edge, in its own measure.
        examples: how many differences of each kind the report has at most.
        tell: is told of each difference, before it is known that neither hierarchy changed meanwhile.
        large: lifts the limits on files.
        full: reads all cells of both, whatever their digests say.
        progress: is told how many cells are done, and how many there are; unless given, a live line shows it on terminals and
            in notebooks.

    Raises:
        InputError: for two that cannot be matched in this way, and numbers that make no sense.
        NotFoundError: for an id that the store does not know.
        DamagedError: for cells in the graph without what every cell has, or with centers that are not finite.
        ChangedError, VanishedError: where one of them is written, grown or removed meanwhile.
    """
    if by not in BY:
        raise InputError(f"expected {', '.join(BY[:-1])} or {BY[-1]} as what cells are matched by, got {by!r}")
    tolerance = check_number(tolerance, name="a tolerance", low=0)
    tally = DiffTally(examples=check_integer(examples, name="number of examples", low=0), tell=tell)
    with ExitStack() as stack:
        sides = list[Side]()
        for source in (a, b):
            side, witness = open_side(source, store=store, large=large)
            stack.enter_context(witness)
            sides.append(side)
        show = stack.enter_context(shown(progress, "diff"))
        asked = _Asked(sides[0], sides[1], by, tolerance, tally, full, _Meter(show))
        asked.check()
        return asked.answer()


@dataclass(eq=False)
class _Meter:
    """Counts the cells that are done, and those that were read for it."""

    progress: Progress
    total: int = 0
    done: int = 0
    read: int = 0

    def count(self, cells: int, *, read: bool = True) -> None:
        """So many cells more are done."""
        self.done += cells
        self.read += cells * read
        self.progress(self.done, max(self.total, self.done))


@dataclass(frozen=True, eq=False)
class _Asked:
    """Two sides, and what is asked of them."""

    first: Side
    second: Side
    by: str
    tolerance: float
    tally: DiffTally
    full: bool
    meter: _Meter

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.first, self.second

    def check(self) -> None:
        """Refuse what cannot be matched, and say what can."""
        one, other = (side.hierarchy for side in self.sides)
        fields = isinstance(one, FieldHierarchy) and isinstance(other, FieldHierarchy)
        arities = [getattr(hierarchy, "arity", None) for hierarchy in (one, other)]
        if self.by == ADDRESS and fields and arities[0] != arities[1]:
            raise InputError(
                f"{one.id!r} has arity {arities[0]} and {other.id!r} arity {arities[1]}, so that one address means different "
                "cells; match them by what they have in common: --by name, or --by points"
            )
        for by, known, what in ((NAME, "named", "names of cells"), (POINTS, "placed", "data points with their cells")):
            lacking = [side.id for side in self.sides if not getattr(side, known)]
            if self.by == by and lacking:
                others = " or ".join(f"--by {one}" for one in BY if one != by)
                raise InputError(f"{' and '.join(map(repr, lacking))} know no {what} to match by; try {others}")

    @property
    def terms(self) -> Terms:
        """What counts as a change."""
        same_space = self.first.hierarchy.dimension == self.second.hierarchy.dimension
        placed = self.first.placed and self.second.placed
        return Terms(self.tolerance, same_space, all_names(*self.sides), points=placed)

    def answer(self) -> Diff:
        """Read what has to be read, and report."""
        remarks = list(self._remarks())
        if self.by == ADDRESS:
            subtrees, digests, refused = self._by_address()
            return self._report([subtrees], [*remarks, *refused], digests)
        self.meter.total = self.first.count() + 2 * self.second.count()
        pages = partial(self._pages, self.first), partial(self._pages, self.second)
        joined = (join_by_name if self.by == NAME else join_by_points)(self.sides, pages)
        return self._report(
            list(diff_joined(joined, pages[1](), terms=self.terms, tally=self.tally)), [*remarks, *joined.remarks], None
        )

    @property
    def _in_store(self) -> bool:
        return any(isinstance(side, StoreSide) for side in self.sides)

    def _by_address(self) -> tuple[Subtrees, Digests | None, list[str]]:
        """Where cells lie that differ, when the digests were made that were used, and why none are kept."""
        subtrees = Subtrees("both")
        if self.full or any(isinstance(side, FolderSide) for side in self.sides) or not self._in_store:
            self._compare(self._whole(), subtrees)
            return subtrees, None, []
        prepared = prepare(self.sides, self.terms.properties, tell=self.meter.count)
        if prepared.ready is not None:
            self._compare_by_digests(*prepared.ready, subtrees=subtrees)
            made = [None if one.made is None else one.made.isoformat() for one in prepared.ready]
            return subtrees, Digests(*made), []
        self._compare(self._whole(prepared), subtrees)
        return subtrees, None, prepared.end()

    def _whole(self, prepared: Prepared | None = None) -> tuple[Iterator[Rows], Iterator[Rows]]:
        """All pages of both sides; digests are made of them on the way, where that is due."""
        self.meter.total = sum(side.count() for side in self.sides)
        first, second = (self._pages(side) for side in self.sides)
        return (first, second) if prepared is None else prepared.watching(first, second, self.sides, self.terms.properties)

    def _compare_by_digests(self, first: SideDigests, second: SideDigests, *, subtrees: Subtrees) -> None:
        """Read what lies in no subtree whose digests are the same."""
        self.meter.total = self.meter.done + first.size + second.size
        for portion in portions(equal_subtrees(first.fetch, second.fetch)):
            pages = [self._pages(side, portion.stretches) if portion.stretches else iter(()) for side in self.sides]
            self._compare((pages[0], pages[1]), subtrees, same=portion.left_out)
            self.meter.count(2 * sum(one.size for one in portion.left_out), read=False)

    def _compare(
        self, pages: tuple[Iterator[Rows], Iterator[Rows]], subtrees: Subtrees, *, same: Sequence[SubtreeDigest] = ()
    ) -> None:
        diff_by_address(*pages, terms=self.terms, tally=self.tally, subtrees=subtrees, same=same)

    def _report(self, subtrees: list[Subtrees], remarks: list[str], digests: Digests | None) -> Diff:
        total = sum(part.differing for part in subtrees)
        found = [one for part in subtrees for one in part.heaviest(total=total)]
        return Diff(
            first=self.first.id,
            second=self.second.id,
            by=self.by,
            tolerance=self.tolerance,
            both=sum(self.tally.both.values()),
            kinds=self.tally.kinds(),
            levels=self.tally.levels(),
            first_level=self.tally.first_level,
            subtrees=tuple(sorted(found, key=lambda one: -one.differ)),
            described=self._described(),
            remarks=tuple(remarks),
            cells_read=self.meter.read,
            digests=digests,
        )

    def _pages(self, side: Side, stretches: Sequence[Stretch] = (WHOLE,)) -> Iterator[Rows]:
        return counted(side.pages(self.terms.properties, stretches), tell=self.meter.count)

    def _described(self) -> dict[str, tuple[Any, Any]]:
        """What the two say of themselves and differ in."""
        values = {name: tuple(getattr(side.hierarchy, name, None) for side in self.sides) for name in DESCRIBED}
        return {name: (one, other) for name, (one, other) in values.items() if one != other}

    def _remarks(self) -> Iterator[str]:
        if not self.terms.same_space:
            yield "centers and residuals are of different dimensions, and were not compared"
        if self.first.placed != self.second.placed:
            knows = self.first.id if self.first.placed else self.second.id
            yield f"in which cells data points lie is known of {knows!r} alone, and was not compared"
