"""A hierarchy's digest: one name for everything that its cells hold."""

import hashlib
import json
from collections.abc import Iterable, Iterator

import numpy as np

from cfgraph.model.cells import Cells
from cfgraph.model.columns import DIGESTED, names_of
from cfgraph.model.hierarchy import HierarchyWithCells
from cfgraph.store.reading import PAGE_CELLS, Columns


def digest_pages(pages: Iterable[Columns]) -> str:
    """SHA-256 over the cells in key order: addresses, labels, slots exactly, floats bit for bit.

    The last slot is part of the address. Ids are left out, so that a copy of another name has the same digest; so are the
    columns ``radius`` and ``size``, which follow from the rest and from the data. Each column has a hash of its own, so
    the sizes of the pages do not matter.
    """
    names = ("addresses", *names_of(DIGESTED))
    hashes = {name: hashlib.sha256() for name in names}
    for page in pages:
        hashes["addresses"].update("\n".join([*page["addresses"], ""]).encode())
        for column in DIGESTED:
            values = page[column.name]
            plain = bytes(values) if column.digest == "bytes" else np.array(values, dtype="<f8").tobytes()
            hashes[column.name].update(plain)
    return hashlib.sha256("".join(hashes[name].hexdigest() for name in names).encode()).hexdigest()


def digest_hierarchy(hierarchy: HierarchyWithCells) -> str:
    """The digest that a hierarchy in memory has in the graph."""
    digest = digest_pages(_pages(hierarchy.cells))
    return digest_imported(digest, hierarchy) if hierarchy.imported else digest


def _pages(cells: Cells) -> Iterator[Columns]:
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
