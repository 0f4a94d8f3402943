"""Dag: nodes and edges as a source finds them, before they have addresses; every imported hierarchy comes through here.

Nodes are numbered 0..n-1, edges lead from a parent to a child. :func:`cfgraph.sources.imported.place` turns a dag into a
hierarchy: it finds the roots, levels, primary parents and slots, and the centers where embeddings are given.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Lengths = Literal["metric", "branch", "height", "unit"]


@dataclass(frozen=True, eq=False)
class Dag:
    """Nodes with names and columns, edges in the order of their slots, and the points that lie in nodes.

    ``length`` of an edge is NaN where the source has none for it, ``None`` where it has none at all (each is 1 then).
    ``lengths`` says where they come from: ``branch`` as they stand in the input, ``height`` as the difference of two
    heights, ``unit`` none. ``columns`` holds what a node has besides, a value a node: floats with NaN, whole numbers with
    -1, text and booleans with None for "none". Known names: ``height`` (of a merge; 0 at points), ``affinity`` (of a merge
    by logits), ``size`` (points at and below a node). ``node_of_point[i]`` is the node that data point i lies in, -1 for
    none; ``None`` where no data is known.
    """

    count: int
    parent: Int[np.ndarray, " edges"]
    child: Int[np.ndarray, " edges"]
    length: Float[np.ndarray, " edges"] | None = None
    lengths: Lengths = "unit"
    names: list[str | None] | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    node_of_point: Int[np.ndarray, " points"] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count
