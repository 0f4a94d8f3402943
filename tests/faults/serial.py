"""Serial: what a store holds after commands that nothing disturbs, one after the other, to hold other ends against.

A state is what can be told of the one hierarchy and the one predictor that the commands are about. ``Serial`` finds out what
a command makes of a state by running it, once, on a copy of that state: no expectation is written down by hand.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfgraph.errors import NotFoundError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import HierarchyWithCells
from cfgraph.sources.cfg import cfg
from cfgraph.sources.imported import imported
from cfgraph.store import Store
from cfgraph.store.verify import verify
from cfgraph.transfer.export import export
from tests.faults.forking import Command, Forker

DEPTH, GROWN_DEPTH = 3, 5  # of a field of arity 3: 40 cells, and 364
SHARED = {"truth": "serial-truth", "rule": "serial-rule", "copy": "serial-copy", "ontology": "serial-ontology"}
CONNECTED = (
    "MATCH (h:Hierarchy {id: $id}) "
    "RETURN COUNT { (h)<-[:TRAINED_ON]-() }, COUNT { (h)-[:PREDICTS]->() }, "
    "[(h)-[g:GROWN_BY]->(p) | [p.id, g.done, g.to_depth]], COUNT { (h)-[:ROOT]->(:Cell) }"
)
POINTS = (
    "RETURN COUNT { MATCH (p:Point) WHERE p.key >= $low AND p.key < $high RETURN p }, "
    "COUNT { MATCH (l:Lease {hierarchy: $id}) RETURN l }"
)


class State(NamedTuple):
    """What can be told of the hierarchy ``h`` and the predictor ``r`` of a case, without their names."""

    hierarchy: tuple[Any, ...] | None
    predictor: bool


EMPTY = State(None, False)


class Scene:
    """A store with what all cases share, and the commands that they are made of."""

    def __init__(self, store: Store, forker: Forker, folder: Path):
        self.store, self.forker, self.folder = store, forker, folder
        self._count = itertools.count()
        self.access = store.access.reveal()
        truth = cfg(id=SHARED["truth"], arity=3, dimension=2, depth=DEPTH)
        written = store.write(truth)
        store.write_predictor(train(truth, id=SHARED["rule"], depth=2, family="recurrence"), observed=written)
        stop = Stop(depth=DEPTH + 1)
        rollout(store, SHARED["truth"], predictor=SHARED["rule"], stop=stop, from_depth=2, copy_as=SHARED["copy"])
        export(store, SHARED["copy"], output=folder / "backup.parquet")
        store.write(_ontology(SHARED["ontology"]))
        export(store, SHARED["ontology"], output=folder / "ontology.graphml")

    def close(self) -> None:
        """Remove what all share."""
        for id in reversed(SHARED.values()):
            self.store.remove(id)

    def names(self) -> tuple[str, str]:
        """The hierarchy and the predictor of a new case."""
        number = next(self._count)
        return f"serial-{number}-h", f"serial-{number}-r"

    def words(self, name: str, h: str, r: str) -> list[object]:
        """A command, by its name."""
        graph, copied = self.folder / "ontology.graphml", ["--from-depth", 2, "--to-depth", GROWN_DEPTH, "--as", h]
        return {
            "ingest field": ["ingest", "cfg", "--as", h, "--arity", 3, "--depth", DEPTH],
            "ingest graph": ["ingest", "graph", graph, "--as", h, "--points"],
            "ingest parquet": ["ingest", "parquet", self.folder / "backup.parquet", "--as", h],
            "train": ["train", h, "--depth", 2, "--as", r, "--family", "mean"],
            "grow": ["rollout", h, "--predictor", SHARED["rule"], "--to-depth", GROWN_DEPTH],
            "copy": ["rollout", SHARED["truth"], "--predictor", SHARED["rule"], *copied],
            "rm": ["rm", h],
        }[name]

    def start(self, name: str, h: str, r: str, *, uri: str | None = None) -> Command:
        """Begin a command, at the server itself or at a proxy before it."""
        return self.start_words(self.words(name, h, r), uri=uri)

    def start_words(self, words: Sequence[object], *, uri: str | None = None) -> Command:
        """Begin any command."""
        named = {"NEO4J_USERNAME": self.access["username"], "NEO4J_PASSWORD": self.access["password"]}
        where = {"CFGRAPH_STORE": uri or self.access["uri"], "NEO4J_DATABASE": self.access["database"] or ""}
        return self.forker.start(words, environment=named | {k: v for k, v in where.items() if v})

    def run(self, name: str, h: str, r: str) -> int:
        """Run a command that nothing disturbs; its exit code."""
        return self.start(name, h, r).wait()

    def clear(self, h: str, r: str) -> None:
        """Remove what a case left."""
        for id in (h, r):
            try:
                self.store.remove(id)
            except NotFoundError:
                continue

    def state(self, h: str, r: str) -> State:
        """What there is now, verified."""
        predictor = r in [trained.id for trained in self.store.predictors()]
        try:
            hierarchy = self.store.hierarchy(h)
        except NotFoundError:
            low_high = {"low": f"{h}/", "high": f"{h}0", "id": h}
            left = self.store.query("MATCH (c) WHERE c.key >= $low AND c.key < $high RETURN count(c)", low_high)[1][0][0]
            return State(None, predictor) if left == 0 else State(("left over", left), predictor)
        report = verify(self.store, h)
        assert report.clean, [str(violation) for violation in report.violations[:5]]
        trained_on, predicts, growths, roots = self.store.query(CONNECTED, {"id": h})[1][0]
        points, leases = self.store.query(POINTS, {"low": f"{h}/", "high": f"{h}0", "id": h})[1][0]
        told = (hierarchy.state, self.store.digest(h, live=True), hierarchy.links, points, roots, predicts, trained_on)
        return State((*told, tuple(sorted(map(tuple, growths))), leases if hierarchy.state == "complete" else 0), predictor)

    def try_state(self, h: str, r: str) -> State | str:
        """The same, or what verify finds wrong with it."""
        try:
            return self.state(h, r)
        except AssertionError as error:
            return f"verify: {error}"


def _ontology(id: str) -> HierarchyWithCells:
    """40 leaves below 8 inner nodes, some of which have two parents, with a data point in each leaf."""
    first, second = np.arange(40), np.arange(0, 40, 4)
    parent = np.concatenate([np.zeros(8, int), 1 + first % 8, 1 + (second + 3) % 8])
    child = np.concatenate([np.arange(1, 9), 9 + first, 9 + second])
    dag = Dag(count=49, parent=parent, child=child, names=[f"n{row}" for row in range(49)], node_of_point=9 + first)
    return imported(dag, id=id, origin="edges", recipe={}, points=True)


class Serial:
    """What each command makes of each state that commands can reach."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self._ways: dict[State, tuple[str, ...]] = {EMPTY: ()}
        self._known: dict[tuple[State, str], tuple[int, State]] = {}

    def after(self, state: State, name: str) -> tuple[int, State] | None:
        """The exit code of a command and what it makes of a state; None for a state that no commands reach."""
        if state not in self._ways:
            return None
        if (state, name) not in self._known:
            h, r = self.scene.names()
            way = (*self._ways[state], name)
            code = 0
            for step in way:
                code = self.scene.run(step, h, r)
            reached = self.scene.state(h, r)
            self.scene.clear(h, r)
            self._known[state, name] = (code, reached)
            self._ways.setdefault(reached, way)
        return self._known[state, name]

    def reach(self, names: Sequence[str]) -> State:
        """What commands make of nothing."""
        state = EMPTY
        for name in names:
            state = self._step(state, name)[1]
        return state

    def _step(self, state: State, name: str) -> tuple[int, State]:
        found = self.after(state, name)
        assert found is not None
        return found

    def explains(
        self, begin: State, told: Sequence[tuple[str, int]], end: State, *, before: Sequence[tuple[int, int]] = ()
    ) -> bool:
        """Whether some order of the commands that said 0, and of some of the others, leads from one state to another.

        Args:
            begin: where they began.
            told: the commands, with their exit codes.
            end: what they left.
            before: pairs of places in ``told``, of which the first had ended before the second began.
        """
        done = [place for place, (_, code) in enumerate(told) if code == 0]
        others = [place for place, (_, code) in enumerate(told) if code != 0]
        orders = (order for some in _subsets(others) for order in itertools.permutations([*done, *some]))
        allowed = (o for o in orders if all(o.index(a) < o.index(b) for a, b in before if a in o and b in o))
        return any(self._leads(begin, [told[place] for place in order]) == end for order in allowed)

    def _leads(self, state: State, told: Sequence[tuple[str, int]]) -> State | None:
        """Where an order of commands leads; None where one that said 0 would not have."""
        for name, code in told:
            found = self.after(state, name)
            if found is None or (code == 0 and found[0] != 0 and not (name == "rm" and state.hierarchy is None)):
                return None
            state = found[1]
        return state

    def is_there(self, name: str, state: State) -> bool:
        """Whether what a command makes is there: the same command finds it done, and changes nothing."""
        return self.after(state, name) == (0, state)


def _subsets(places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for size in range(len(places) + 1):
        yield from itertools.combinations(places, size)
