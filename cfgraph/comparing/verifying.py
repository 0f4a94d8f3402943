"""Verifying: every invariant of a hierarchy in a store, the verb; digests that the graph keeps are held against its cells."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cfgraph.comparing.digesting import WRITTEN, Making, StoreDigests, Writing, end_of
from cfgraph.comparing.sides import StoreSide, all_names
from cfgraph.model.progress import Asked, shown
from cfgraph.model.subtree_digests import SubtreeDigest
from cfgraph.store.subtree_digests import DigestState, KeptDigest
from cfgraph.store.verify import VerifyReport
from cfgraph.store.verify import verify as verify_cells

if TYPE_CHECKING:
    from cfgraph.store import Store


@dataclass
class DigestReport(VerifyReport):
    """What a verification of digests found, how many of them are kept by now, and how many had to be made."""

    digests: int = 0
    made: int = 0


def verify(store: "Store", id: str, *, digests: bool = False, progress: Asked = None) -> VerifyReport:
    """Check every invariant of a hierarchy; memory is bounded by a page of cells.

    One that is being written or grown is checked as it is: all but what only its end brings must hold all the same, and
    what does not is looked at again, since a query may see a block of cells while it arrives.

    Args:
        store: where it is.
        id: of the hierarchy.
        digests: also holds the digests of subtrees that the store keeps against the cells, and makes those that are missing or
            void (:func:`verify_digests`); the report is a ``DigestReport`` then, but of what is half removed.
        progress: is told how many cells are done, and how many there are; unless given, a live line shows it on terminals and
            in notebooks.

    Raises:
        NotFoundError: for an unknown id.
        VanishedError: where the hierarchy is removed meanwhile.
        ChangedError: where digests are asked for of what is written or grown.
    """
    with shown(progress, f"verify {id}") as show:
        report = verify_cells(store, id, progress=show)
        if not digests or report.state == "removing":
            return report
        found = verify_digests(store, id, progress=show)
    found.cells, found.state, found.grown, found.notes = report.cells, report.state, report.grown, report.notes
    of_digests, found.counts, found.violations = VerifyReport(id, counts=found.counts, violations=found.violations), {}, []
    found.merge(report)
    found.merge(of_digests)
    return found


def verify_digests(store: "Store", id: str, *, progress: Callable[[int, int], None] = lambda done, total: None) -> DigestReport:
    """Hold the digests of a hierarchy's subtrees against its cells, all of which are read, and make what is missing or void.

    One that does not hold is a violation of the invariant ``digest``, told for the smallest subtrees: plain Cypher changed a
    cell that lies there since it was made. It is made anew, so that a diff sees the change from then on.

    Raises:
        NotFoundError: for an id that the store does not know.
        DamagedError: for cells without what every cell has.
        ChangedError, VanishedError: where the hierarchy is written, grown or removed meanwhile, or is not complete.
        StoreRefusedError: where one may not write to the store.
    """
    with store.witness(id) as witness:
        side = StoreSide(witness.hierarchy, store)
        digests = StoreDigests(side)
        digests.begin()
        report, total = DigestReport(id=id), side.count()
        checking = _Checking(store, digests.state, report, digests.writing())
        making = Making(side, all_names(side), checking.add)
        for rows in side.pages(all_names(side)):
            making.add(rows)
            report.cells += len(rows)
            progress(report.cells, total)
        making.end()
        checking.end()
    return report


@dataclass(eq=False)
class _Checking:
    """Takes the digests that the cells have, each behind those below it, and compares them with those that are kept."""

    store: "Store"
    state: DigestState
    report: DigestReport
    writing: Writing
    waiting: list[SubtreeDigest] = field(default_factory=list)
    told: str | None = None  # the last one that does not hold

    def add(self, digest: SubtreeDigest) -> None:
        """Take one."""
        self.waiting.append(digest)
        if len(self.waiting) >= WRITTEN:
            self._check()

    def end(self) -> None:
        """None follows."""
        self._check()
        self.writing.end(made=self.state.now)
        if self.writing.refused is not None:
            raise self.writing.refused

    def _check(self) -> None:
        kept = self.store.kept_digests_at(self.state, [one.address for one in self.waiting])
        for one in self.waiting:
            self._compare(one, kept.get(one.address))
            self.writing.add(one)
        self.waiting = []

    def _compare(self, found: SubtreeDigest, kept: KeptDigest | None) -> None:
        self.report.digests += 1
        if kept is None or not kept.current:
            self.report.made += 1
        elif kept.digest != found and not self._is_told_below(found.address):
            self.told = found.address
            self.report.add(
                "digest",
                found.address,
                f"the cells at and below it are not those that its digest of {kept.made.isoformat()} was made of, and nothing "
                "was grown there since: plain Cypher changed them; it was made anew",
            )

    def _is_told_below(self, address: str) -> bool:
        return self.told is not None and address <= self.told < end_of(address)
