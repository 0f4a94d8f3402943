"""Names: cells found by a part of what they are called, among millions in memory: all small letters as one run of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Int, UInt8

_BEHIND = "\n"  # each name; of a text that has it nothing is found across two names all the same


@dataclass(frozen=True, eq=False)
class Names:
    """What cells are called, in small letters; make one with :meth:`of`."""

    text: UInt8[np.ndarray, " bytes"]
    row: Int[np.ndarray, " names"]  # of the cell
    start: Int[np.ndarray, " names"]  # where each begins in the text
    size: Int[np.ndarray, " names"]  # in bytes
    letters: Int[np.ndarray, " names"]

    @classmethod
    def of(cls, names: Sequence[Any]) -> Self:
        """Those of cells, by their rows; what is no text is no name."""
        rows = [row for row, name in enumerate(names) if isinstance(name, str)]
        small = [names[row].lower() for row in rows]
        whole = _BEHIND.join(small)
        letters = np.fromiter(map(len, small), dtype=np.int64, count=len(small))
        size = letters if whole.isascii() else np.fromiter((len(_bytes(name)) for name in small), np.int64, len(small))
        start = np.cumsum(size + len(_BEHIND)) - size - len(_BEHIND)
        text = np.frombuffer(_bytes(whole), dtype=np.uint8)
        return cls(text, np.array(rows, dtype=np.int64), start, size, letters)

    def find(self, text: str, *, most: int) -> list[int]:
        """The rows of cells whose names hold a text, in small letters or large ones: the likeliest first.

        That is the name itself before those that begin with it before others, shorter ones before longer ones.
        """
        wanted = np.frombuffer(_bytes(text.lower()), dtype=np.uint8)
        at = self._places(wanted)
        name = np.searchsorted(self.start, at, side="right") - 1
        inside = at + len(wanted) <= self.start[name] + self.size[name]
        at, name = at[inside], name[inside]
        first = np.flatnonzero(np.r_[True, name[1:] != name[:-1]][: len(name)])  # of several places in a name
        at, name = at[first], name[first]
        begins = at == self.start[name]
        itself = begins & (self.size[name] == len(wanted))
        order = np.lexsort((self.row[name], self.letters[name], ~begins, ~itself))
        found: list[int] = self.row[name[order[:most]]].tolist()
        return found

    def _places(self, wanted: UInt8[np.ndarray, " letters"]) -> Int[np.ndarray, " places"]:
        """Where some bytes stand in the text."""
        last = len(self.text) - len(wanted)
        if len(wanted) == 0 or last < 0:
            return np.zeros(0, dtype=np.int64)
        at = np.flatnonzero(self.text[: last + 1] == wanted[0])
        for place in range(1, len(wanted)):
            at = at[self.text[at + place] == wanted[place]]
        return at


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
