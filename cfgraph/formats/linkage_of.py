"""Linkage: SciPy's matrix Z of merges, for ``scipy.cluster.hierarchy``: binary trees with heights."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.whole import whole_file
from cfgraph.formats.newick_of import OTHERS, tree_of

if TYPE_CHECKING:
    from cfgraph.model.hierarchy import Hierarchy


def write_linkage(hierarchy: "Hierarchy", path: str | Path) -> None:
    """Write a hierarchy's linkage matrix: as CSV with a header where ``path`` ends in ``.csv``, else as .npy."""
    Z = to_linkage(hierarchy)
    with whole_file(path) as file:
        if Path(path).suffix.lower() == ".csv":
            rows = (f"{one:.0f},{other:.0f},{height!r},{size:.0f}\n" for one, other, height, size in Z.tolist())
            file.write("".join(["left,right,height,size\n", *rows]).encode())
        else:
            buffer = BytesIO()  # a pipe cannot be asked for its position, which numpy does
            np.save(buffer, Z, allow_pickle=False)
            file.write(buffer.getbuffer())


def to_linkage(hierarchy: "Hierarchy") -> Float[np.ndarray, "merges 4"]:
    """The linkage matrix of a binary hierarchy that holds its cells, and whose cells have the property ``height``.

    A hierarchy that came from a linkage gives the same one, bit for bit. Else, and of its upper levels alone, leaves are
    numbered in breadth-first order, merges by height.

    Raises:
        InputError: for cells with several parents, several roots, cells with other than two children, no heights.
    """
    from cfgraph.sources.linkage import dag_linkage

    dag = tree_of(hierarchy, purpose="a linkage")
    if "height" not in dag.columns:
        raise InputError(
            f"a linkage has the height of each merge, and the cells of {hierarchy.id!r} have no property height; newick, "
            f"{OTHERS} do without"
        )
    cells, merge = hierarchy.cells, dag.columns.get("merge")
    if merge is not None and not np.array_equal(np.sort(merge), np.arange(len(merge))):
        merge = None  # a part of a linkage: its nodes are numbered anew
    return dag_linkage(cells.parent, dag.columns["height"], slot=cells.slot, merge=merge)
