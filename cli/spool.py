"""Spool: rows that wait in a file, however many they are; memory holds a page of them."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, Self

PAGE_ROWS = 1_000


def pages_of(rows: Iterable[Sequence[Any]], *, size: int = PAGE_ROWS) -> Iterator[list[Sequence[Any]]]:
    """Rows in lists of at most so many."""
    coming = iter(rows)
    while page := list(islice(coming, size)):
        yield page


class Spool:
    """Takes rows into a file without a name, which goes with it; they can be gone through again and again. For a ``with``."""

    def __init__(self, rows: Iterable[Sequence[Any]] = ()):
        self._file = TemporaryFile(prefix="cfgraph-")  # noqa: SIM115  # closed by __exit__
        self._page: list[Sequence[Any]] = []
        self._end = 0
        try:
            for row in rows:
                self.add(row)
        except BaseException:
            self._file.close()
            raise

    def add(self, row: Sequence[Any]) -> None:
        """Take one more row, behind the others; not while they are gone through."""
        self._page.append(row)
        if len(self._page) >= PAGE_ROWS:
            self._keep()

    def _keep(self) -> None:
        pickle.dump(self._page, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._page, self._end = [], self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Sequence[Any]]:
        if self._page:
            self._file.seek(self._end)
            self._keep()
        self._file.seek(0)
        while self._file.tell() < self._end:
            yield from pickle.load(self._file)
