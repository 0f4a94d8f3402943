"""A hierarchy's digest: one name for everything that its cells hold."""

import hashlib
from collections.abc import Iterable

import numpy as np

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
