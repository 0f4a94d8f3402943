"""Shortest: path distances and ways where cells have several parents, over all edges taken as an undirected graph.

Several parents make shortcuts, so that the way over a common ancestor need not be the shortest. Where all edges are of one
length, breadth-first searches from 64 nodes at once run in the bits of one word a node; elsewhere Dijkstra's algorithm is
SciPy's, and is told how far to look. SciPy's Dijkstra and ``connected_components`` take the stored zeros of a CSR array for
edges of length 0, as they are meant here; dense arrays, Floyd-Warshall and spanning trees would drop them, so none is used.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfgraph.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

WORD = 64  # searches at once: the bits of a word
STEPS_A_SEARCH = 16  # a step of those costs a 16th of one search by Dijkstra's algorithm, measured on the Gene Ontology
LANDMARKS = 32  # nodes that ways are led over, to know how long a shortest way is at most
SEARCHES_A_LANDMARK = 8  # fewer searches are not worth the search from a landmark
TARGETS_TWO_SIDED = 8  # a source with more targets is searched from once, as far as the farthest may be
SLACK = 1e-9  # by which a search looks farther than it need: sums in another order differ in the last places
ROUNDING = 1e-11  # ways whose lengths differ by no more than this part count as equally short


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a hierarchy with nodes 0 .. ``count`` - 1, from a parent to a child; without ``length`` each is 1 long.

    Edges of length 0 are edges, of parallel ones the shortest counts, loops do not. The virtual root over several roots is
    on no way: leave its edges out. Raises ``InputError`` for a node that there is not and for a length below 0 or not finite.
    """

    count: int
    parent: Int[np.ndarray, " edges"]
    child: Int[np.ndarray, " edges"]
    length: Float[np.ndarray, " edges"] | None = None

    def __post_init__(self) -> None:
        for end, nodes in (("parent", self.parent), ("child", self.child)):
            _check_nodes(nodes, count=self.count, what=f"as the {end} of edge")
        if self.length is not None:
            self._check_lengths(self.length)

    def _check_lengths(self, length: Float[np.ndarray, " edges"]) -> None:
        wrong = np.flatnonzero(~((length >= 0) & np.isfinite(length)))
        if len(wrong):
            edge = int(wrong[0])
            raise InputError(
                f"expected edges of finite length, 0 or more; edge {edge}, from node {self.parent[edge]} to node "
                f"{self.child[edge]}, is {length[edge]:g} long ({len(wrong):,} such edges): correct it, or give no lengths"
            )

    @cached_property
    def arcs(self) -> "Arcs":
        """Both directions of every edge, made once: 32 bytes an edge for both, and some 160 while they are made."""
        apart = self.parent != self.child
        parent, child = self.parent[apart].astype(np.int64), self.child[apart].astype(np.int64)
        length = np.ones(len(parent)) if self.length is None else self.length[apart]
        key = np.concatenate([parent * self.count + child, child * self.count + parent])
        both = np.concatenate([length, length])
        order = np.argsort(key, kind="stable") if self.length is None else np.lexsort((both, key))
        key = key[order]
        kept = np.diff(key, prepend=-1) > 0  # the first, and so the shortest, of parallel ones
        tail, head = np.divmod(key[kept], max(1, self.count))
        return Arcs(self.count, tail.astype(np.int32), head.astype(np.int32), both[order][kept].astype(np.float64))


@dataclass(frozen=True, eq=False)
class Arcs:
    """The undirected graph: every edge in both directions, by tail, then by head; no loops, no parallel ones."""

    count: int
    tail: Int[np.ndarray, " arcs"]
    head: Int[np.ndarray, " arcs"]
    length: Float[np.ndarray, " arcs"]

    @cached_property
    def starts(self) -> Int[np.ndarray, " nodes_and_one"]:
        """Where each node's arcs begin, and the number of arcs."""
        return np.searchsorted(self.tail, np.arange(self.count + 1)).astype(np.int32)

    @cached_property
    def matrix(self) -> "csr_array":
        """The same for SciPy; lengths of 0 are stored."""
        from scipy.sparse import csr_array

        return csr_array((self.length, self.head, self.starts), shape=(self.count, self.count))

    @cached_property
    def component(self) -> Int[np.ndarray, " nodes"]:
        """The connected component of every node."""
        from scipy.sparse.csgraph import connected_components

        return connected_components(self.matrix, directed=False)[1]

    @property
    def degree(self) -> Int[np.ndarray, " nodes"]:
        """How many neighbours every node has."""
        return np.diff(self.starts)

    @cached_property
    def common_length(self) -> float | None:
        """The length of every arc; None where they differ."""
        return float(self.length[0]) if len(self.length) and (self.length == self.length[0]).all() else None

    @property
    def counting(self) -> "Arcs":
        """The same arcs, each 1 long."""
        return Arcs(self.count, self.tail, self.head, np.ones(len(self.length)))

    def search(self, source: int, *, limit: float = np.inf) -> Float[np.ndarray, " nodes"]:
        """The distances from one node up to a limit; infinite beyond it."""
        from scipy.sparse.csgraph import dijkstra

        return dijkstra(self.matrix, indices=[source], limit=limit).ravel()

    def search_nearest(self, sources: Int[np.ndarray, " sources"]) -> Float[np.ndarray, " nodes"]:
        """The distance from every node to the nearest of some."""
        from scipy.sparse.csgraph import dijkstra

        return dijkstra(self.matrix, indices=sources, min_only=True)


class Way(NamedTuple):
    """A way through the graph: ``lengths[i]`` is that of the edge between ``nodes[i]`` and ``nodes[i + 1]``."""

    nodes: tuple[int, ...]
    lengths: tuple[float, ...]

    @property
    def distance(self) -> float:
        """The sum of the lengths."""
        return sum(self.lengths, start=0.0)

    def reverse(self) -> "Way":
        """The way back."""
        return Way(self.nodes[::-1], self.lengths[::-1])


def pair_distances(
    edges: Edges, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, " pairs"]:
    """The path metric ``d(u, v)`` of each pair: the length of the shortest way over edges up and down; NaN where there is none.

    Time: where all edges are of one length, for 64 distinct sources as many passes over the edges as the longest of their
    ways has; elsewhere a search for each distinct source, or two small ones for a pair. Ends that many pairs share are taken
    for sources. Memory: no table of nodes by nodes; some 160 bytes a node and edge for any number of sources, 100 a pair.

    Raises:
        InputError: for a node that there is not.
    """
    for name, nodes in (("first", first), ("second", second)):
        _check_nodes(nodes, count=edges.count, what=f"as `{name}` of pair")
    distance = np.where(first == second, 0.0, np.nan)
    component = edges.arcs.component
    joined = np.flatnonzero((first != second) & (component[first] == component[second]))
    if len(joined):
        source, target = _orient(first[joined], second[joined], count=edges.count)
        distance[joined] = _joined_distances(edges.arcs, source, target)
    return distance


def _check_nodes(nodes: np.ndarray, *, count: int, what: str) -> None:
    wrong = np.flatnonzero((nodes < 0) | (nodes >= count))
    if len(wrong):
        known = f"nodes 0 to {count - 1}" if count else "no node, as there is none"
        raise InputError(f"expected {known}, got {nodes[wrong[0]]} {what} {wrong[0]} ({len(wrong):,} such nodes)")


def _orient(first: np.ndarray, second: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Each pair with the end first that more pairs share, so that few searches answer them; among equals the lower."""
    uses = np.bincount(first, minlength=count) + np.bincount(second, minlength=count)
    more, less = uses[second] > uses[first], uses[second] < uses[first]
    swapped = more | (~less & (second < first))
    return np.where(swapped, second, first), np.where(swapped, first, second)


def _joined_distances(arcs: Arcs, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The distances of pairs that are joined by some way."""
    common = arcs.common_length
    if common is None:
        return _sum_lengths(arcs, source, target)
    if common == 0:
        return np.zeros(len(source))
    steps = _count_steps(arcs, source, target)
    far = np.flatnonzero(np.isnan(steps))
    if len(far):
        steps[far] = _sum_lengths(arcs.counting, source[far], target[far])
    return common * steps


def _count_steps(arcs: Arcs, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How many edges are between the ends of each pair, 64 sources at a time; NaN where counting takes too long."""
    sources, place = np.unique(source, return_inverse=True)
    order = np.argsort(place, kind="stable")
    cuts = np.searchsorted(place[order], np.arange(WORD, len(sources), WORD))
    steps = np.empty(len(source))
    for number, part in enumerate(np.split(order, cuts)):
        some = sources[number * WORD : (number + 1) * WORD]
        steps[part] = _flood(arcs, some, bit=place[part] % WORD, target=target[part])
    return steps


def _flood(arcs: Arcs, sources: np.ndarray, *, bit: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Breadth-first searches from up to 64 nodes: bit i of a node's word says whether the search from source i is there.

    In a step every node takes over its neighbours' bits. A step goes over all edges, so where ways are long Dijkstra's
    algorithm would be faster: the pairs that are still apart after the time that it needs are left to it.
    """
    reached = np.zeros(arcs.count, dtype=np.uint64)
    reached[sources] = np.uint64(1) << np.arange(len(sources), dtype=np.uint64)
    wanted = np.uint64(1) << bit.astype(np.uint64)
    linked = np.flatnonzero(arcs.degree)  # reduceat knows no empty part
    starts = arcs.starts[linked]
    steps, apart = np.full(len(target), np.nan), np.arange(len(target))
    for step in range(1, STEPS_A_SEARCH * len(sources) + 1):
        reached[linked] |= np.bitwise_or.reduceat(reached.take(arcs.head), starts)
        met = (reached[target[apart]] & wanted[apart]) != 0
        steps[apart[met]] = step
        apart = apart[~met]
        if not len(apart):
            break
    return steps


def _sum_lengths(arcs: Arcs, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The distances of joined pairs, source by source."""
    order = np.argsort(source, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(source[order])) + 1)
    bound = _bound_lengths(arcs, source, target, searches=len(groups))
    distance = np.empty(len(source))
    for group in groups:
        search = _search_both if bound is not None and len(group) <= TARGETS_TWO_SIDED else _search_one
        limits = np.full(len(group), np.inf) if bound is None else bound[group]
        distance[group] = search(arcs, int(source[group[0]]), target[group], bound=limits)
    return distance


def _bound_lengths(arcs: Arcs, source: np.ndarray, target: np.ndarray, *, searches: int) -> np.ndarray | None:
    """How far joined pairs are apart at most: over the best of some landmarks, the nodes of most neighbours.

    The first search is from one landmark in each component that is asked about, so that every pair has a bound. None where
    there is too little to search for.
    """
    count = min(LANDMARKS, searches // SEARCHES_A_LANDMARK)
    if count == 0:
        return None
    ranked = np.argsort(-arcs.degree, kind="stable")
    best = ranked[np.unique(arcs.component[ranked], return_index=True)[1]]
    reach = arcs.search_nearest(best[np.unique(arcs.component[source])])
    bound: np.ndarray = reach[source] + reach[target]
    for landmark in ranked[1:count].tolist():  # the very first was among those
        reach = arcs.search(landmark)
        np.minimum(bound, reach[source] + reach[target], out=bound)
    return bound


def _search_one(arcs: Arcs, source: int, target: np.ndarray, *, bound: np.ndarray) -> np.ndarray:
    """One search from a source, as far as the farthest of its targets may be."""
    return arcs.search(source, limit=float(bound.max()) * (1 + SLACK)).take(target)


def _search_both(arcs: Arcs, source: int, target: np.ndarray, *, bound: np.ndarray) -> np.ndarray:
    """Searches from both ends, each half as far as the other end may be.

    On a shortest way of length at most B, the last node within B / 2 of the source has an edge to one that is within B / 2
    of the target (or is the target itself, and then the edge before does): ``d(u, v) = min near(a) + length(a, b) + far(b)``
    over all edges, which are two small regions instead of one large one.
    """
    limits = 0.5 * (1 + SLACK) * bound
    near = arcs.search(source, limit=float(limits.max()))
    to_heads = near[arcs.tail] + arcs.length
    return np.array(
        [
            min(float(most), float((to_heads + arcs.search(end, limit=limit)[arcs.head]).min()))
            for end, limit, most in zip(target.tolist(), limits.tolist(), bound.tolist(), strict=True)
        ]
    )


def shortest_ways(edges: Edges, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> list[Way | None]:
    """The shortest way of each pair, with its nodes and lengths; None where there is none. For a few pairs: two searches each.

    Of several ways that are equally short the one of fewest edges is given, and of those the one that, from the end of lower
    number on, comes to lower numbers first; the way back is the same backwards. In a tree it is the way over the lowest
    common ancestor.

    Raises:
        InputError: for a node that there is not.
    """
    for name, nodes in (("first", first), ("second", second)):
        _check_nodes(nodes, count=edges.count, what=f"as `{name}` of pair")
    return [_way_between(edges.arcs, start, goal) for start, goal in zip(first.tolist(), second.tolist(), strict=True)]


def _way_between(arcs: Arcs, start: int, goal: int) -> Way | None:
    if start > goal:
        back = _way_between(arcs, goal, start)
        return back and back.reverse()
    if arcs.component[start] != arcs.component[goal]:
        return None
    tight = _tight_arcs(arcs, start, goal)
    left = _count_left(tight, goal)
    nodes, lengths = [start], []
    while nodes[-1] != goal:
        low, high = tight.starts[nodes[-1] : nodes[-1] + 2].tolist()
        nearer = low + int(np.argmax(left[tight.head[low:high]] == left[nodes[-1]] - 1))  # the first, and so the lowest
        nodes.append(int(tight.head[nearer]))
        lengths.append(float(tight.length[nearer]))
    return Way(tuple(nodes), tuple(lengths))


def _tight_arcs(arcs: Arcs, start: int, goal: int) -> Arcs:
    """The arcs, in one direction, that lie on some shortest way."""
    near = arcs.search(start)
    most = float(near[goal]) * (1 + ROUNDING)
    far = arcs.search(goal, limit=most)
    tight = near[arcs.tail] + arcs.length + far[arcs.head] <= most
    return Arcs(arcs.count, arcs.tail[tight], arcs.head[tight], arcs.length[tight])


def _count_left(tight: Arcs, goal: int) -> np.ndarray:
    """How many arcs there are at least from every node to the goal. Edges of length 0 make circles: counting avoids them."""
    from scipy.sparse.csgraph import dijkstra

    return dijkstra(tight.matrix.T.tocsr(), indices=[goal], unweighted=True).ravel()
