"""A hierarchy's digest: one name for everything that its cells hold."""

import hashlib
import json
from collections.abc import Iterable

import numpy as np

from cfgraph.model.hierarchy import HierarchyWithCells
from cfgraph.store.reading import Columns

EXACT = ("scale", "root_distance", "length")
VECTORS = ("center", "residual")


def digest_pages(pages: Iterable[Columns]) -> str:
    """SHA-256 over the cells in key order: addresses, labels, slots exactly, floats bit for bit.

    The last slot is part of the address. Ids are left out, so that a copy of another name has the same digest; so are the
    columns ``radius`` and ``size``, which follow from the rest and from the data. Each column has a hash of its own, so
    the sizes of the pages do not matter.
    """
    names = ("addresses", "state", "predicted", *EXACT, *VECTORS)
    hashes = {name: hashlib.sha256() for name in names}
    for page in pages:
        hashes["addresses"].update("\n".join([*page["addresses"], ""]).encode())
        hashes["state"].update(bytes(page["state"]))
        hashes["predicted"].update(bytes(page["predicted"]))
        for name in EXACT + VECTORS:
            hashes[name].update(np.array(page[name], dtype="<f8").tobytes())
    return hashlib.sha256("".join(hashes[name].hexdigest() for name in names).encode()).hexdigest()


def digest_hierarchy(hierarchy: HierarchyWithCells) -> str:
    """The digest that a hierarchy in memory has in the graph."""
    cells = hierarchy.cells
    order = np.array(sorted(range(len(cells)), key=cells.addresses.__getitem__))
    page = {name: getattr(cells, name)[order] for name in ("state", "predicted", *EXACT, *VECTORS)}
    digest = digest_pages([{**page, "addresses": [cells.addresses[row] for row in order.tolist()]}])
    return digest_imported(digest, hierarchy) if hierarchy.imported else digest


def digest_imported(digest: str, hierarchy: HierarchyWithCells) -> str:
    """The same, with what an imported hierarchy has besides: properties of its source's, links, the cells of data points."""
    whole, cells = hashlib.sha256(digest.encode()), hierarchy.cells
    for name in sorted(cells.own):
        column = cells.own[name]
        plain = column.astype("<f8").tobytes() if column.dtype.kind == "f" else json.dumps(column.tolist()).encode()
        whole.update(name.encode() + b"\0" + plain)
    if cells.links is not None:
        for column in (cells.links.parent, cells.links.child, cells.links.slot, cells.links.residual, cells.links.length):
            whole.update(column.astype("<f8").tobytes())
    if hierarchy.cell_of_point is not None and hierarchy.point_nodes:
        whole.update(hierarchy.cell_of_point.astype("<i8").tobytes())
    return whole.hexdigest()
