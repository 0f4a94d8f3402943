"""A hierarchy's digest: one name for everything that its cells hold."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cfgraph.model.cells import Cells
from cfgraph.model.columns import DIGESTED, names_of
from cfgraph.model.hierarchy import HierarchyWithCells

PAGE_CELLS = 20_000  # cells whose addresses are made at a time

ADDRESSES = "addresses"
COLUMNS = (ADDRESSES, *names_of(DIGESTED))
KINDS = {column.name: column.digest for column in DIGESTED}


def digest_pages(pages: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over the cells in key order: addresses, labels, slots exactly, floats bit for bit.

    The last slot is part of the address. Ids are left out, so that a copy of another name has the same digest; so are the
    columns ``radius`` and ``size``, which follow from the rest and from the data. Each column has a hash of its own, so
    the sizes of the pages do not matter. A page has its ``addresses``, or ``text``: these, a line each.
    """
    hashes = ColumnHashes()
    for page in pages:
        hashes.add(page)
    return join_digests(hashes.digests())


class ColumnHashes:
    """A hash for each of some columns; whoever has several machines has each column hashed by another one of them."""

    def __init__(self, names: Sequence[str] = COLUMNS):
        self._hashes = {name: hashlib.sha256() for name in names}

    def add(self, page: Mapping[str, Any]) -> None:
        """The next cells in key order."""
        for name, hash in self._hashes.items():
            hash.update(_address_bytes(page) if name == ADDRESSES else _column_bytes(name, page[name]))

    def digests(self) -> dict[str, str]:
        """The digest of each column."""
        return {name: hash.hexdigest() for name, hash in self._hashes.items()}


def join_digests(found: Mapping[str, str]) -> str:
    """The digest of cells from those of all their columns."""
    return hashlib.sha256("".join(found[name] for name in COLUMNS).encode()).hexdigest()


def _address_bytes(page: Mapping[str, Any]) -> bytes:
    text: str = page["text"] if "text" in page else "\n".join([*page["addresses"], ""])
    return text.encode()


def _column_bytes(name: str, values: Any) -> bytes | memoryview:
    return bytes(values) if KINDS[name] == "bytes" else np.ascontiguousarray(values, dtype="<f8").reshape(-1).data


def digest_hierarchy(hierarchy: HierarchyWithCells) -> str:
    """The digest that a hierarchy in memory has in the graph."""
    digest = digest_pages(_pages(hierarchy.cells))
    return digest_imported(digest, hierarchy) if hierarchy.imported or hierarchy.own else digest


def _pages(cells: Cells) -> Iterator[dict[str, Any]]:
    """Cells in memory as pages in key order."""
    addresses, names = cells.addresses, names_of(DIGESTED)
    order = np.array(sorted(range(len(cells)), key=addresses.__getitem__))
    for low in range(0, len(cells), PAGE_CELLS):
        rows = order[low : low + PAGE_CELLS]
        yield {"addresses": [addresses[row] for row in rows.tolist()], **{name: getattr(cells, name)[rows] for name in names}}


def digest_imported(digest: str, hierarchy: HierarchyWithCells) -> str:
    """The same, with what an imported hierarchy has besides: properties of its source's, links, the cells of data points."""
    whole, cells = hashlib.sha256(digest.encode()), hierarchy.cells
    for name in sorted(cells.own):
        whole.update(name.encode() + b"\0")
        for plain in _plain(cells.own[name]):
            whole.update(plain)
    if cells.links is not None:
        for column in cells.links.columns:
            whole.update(column.astype("<f8").tobytes())
    if hierarchy.cell_of_point is not None and hierarchy.point_nodes:
        whole.update(hierarchy.cell_of_point.astype("<i8").tobytes())
    return whole.hexdigest()


def _plain(column: np.ndarray) -> Iterator[bytes]:
    """A column of a source's own: floats as they are, anything else as one list in JSON, piece by piece."""
    if column.dtype.kind == "f":
        yield column.astype("<f8").tobytes()
        return
    for low in range(0, len(column), PAGE_CELLS):
        yield (", " if low else "[").encode() + json.dumps(column[low : low + PAGE_CELLS].tolist())[1:-1].encode()
    yield b"]" if len(column) else b"[]"
