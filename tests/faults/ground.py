"""Ground: a store with a truth, a rule that learned it, and what one undisturbed worker makes of them."""

import os
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cfgraph.errors import NotFoundError
from cfgraph.learning.train import train
from cfgraph.store import Store
from cfgraph.store.verify import verify
from tests.grown import grown_hierarchy

PROGRAM = str(Path(sys.executable).with_name("cfgraph"))
CELLS = "MATCH (c:Cell) WHERE c.key >= $low AND c.key < $high RETURN count(c), count(DISTINCT c.key)"
EDGES = "MATCH (c:Cell)-[e:CHILD]->() WHERE c.key >= $low AND c.key < $high RETURN count(e)"
LEASES = "MATCH (l:Lease) WHERE l.key >= $low AND l.key < $high RETURN l.key, l.owner, l.token, l.until, timestamp()"


@dataclass(frozen=True)
class Shape:
    """What is grown: a copy of the levels down to ``from_depth`` of a hierarchy, down to level ``depth``."""

    arity: int
    dimension: int
    from_depth: int
    depth: int

    @property
    def cells(self) -> int:
        """How many cells there are when it is grown."""
        return sum(self.arity**level for level in range(self.depth + 1))


MANY_BLOCKS = Shape(arity=28, dimension=2, from_depth=1, depth=3)  # 28 blocks of 812 cells
LASTING = Shape(arity=16, dimension=2, from_depth=2, depth=4)  # 256 blocks of 272 cells: work that is not done in a moment
LARGE_BLOCKS = Shape(arity=4, dimension=2, from_depth=1, depth=7)  # 4 blocks of 5,460 cells


@dataclass(frozen=True)
class Checked:
    """What a copy holds, beside the undisturbed one."""

    cells: int
    lost: int
    doubled: int
    taken_over: int


class Ground:
    """A truth and a rule in a store; copies of its prefix are grown here by commands, whatever befalls them.

    Use it in a ``with``: what it made is removed at the end.
    """

    def __init__(self, store: Store, shape: Shape):
        self.store, self.shape, self._made = store, shape, list[str]()
        self.truth, self.rule = self.new_id("truth"), self.new_id("rule")
        truth = grown_hierarchy(self.truth, arity=shape.arity, dimension=shape.dimension, depth=2)
        store.write(truth)
        self.trained = train(truth, id=self.rule, depth=2, family="recurrence")
        store.write_predictor(self.trained)

    def __enter__(self) -> "Ground":
        return self

    def __exit__(self, *_: object) -> None:
        for id in reversed(self._made):
            with suppress(NotFoundError):
                self.store.remove(id)

    def new_id(self, name: str = "copy") -> str:
        """An id of this ground's own."""
        self._made.append(f"faults-{uuid.uuid4().hex[:8]}-{name}")
        return self._made[-1]

    @cached_property
    def environment(self) -> dict[str, str]:
        """What a command needs to reach the store; a developer's own settings are left out."""
        access = self.store.access.reveal()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CFGRAPH_", "NEO4J_"))}
        named = {
            "NEO4J_USERNAME": access["username"],
            "NEO4J_PASSWORD": access["password"],
            "NEO4J_DATABASE": access["database"],
        }
        told = {"CFGRAPH_STORE": access["uri"], "CFGRAPH_ENV_FILE": ""}
        return kept | told | {name: value for name, value in named.items() if value}

    def words(self, copy: str, *, rule: str | None = None) -> list[str]:
        """The command that grows a copy."""
        depths = ["--from-depth", str(self.shape.from_depth), "--to-depth", str(self.shape.depth)]
        return [
            PROGRAM,
            "-v",
            "--log-format",
            "json",
            "rollout",
            self.truth,
            "--predictor",
            rule or self.rule,
            *depths,
            "--as",
            copy,
        ]

    @cached_property
    def undisturbed(self) -> str:
        """The digest of what a single worker makes when nothing happens to it."""
        copy = self.new_id("undisturbed")
        done = subprocess.run(self.words(copy), env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert self.store.counts(copy).cells == self.shape.cells
        return self.store.digest(copy)

    def rows(self, query: str, copy: str) -> list[list]:
        """The rows of a query about a copy's range of keys."""
        return self.store.query(query, {"low": f"{copy}/", "high": f"{copy}0"})[1]

    def leases(self, copy: str) -> list[list]:
        """The leases on a copy's blocks: key, owner, token, end, and the server's time."""
        return [row for row in self.rows(LEASES, copy) if None not in row]  # one that ended while it was read has lost these

    def check(self, copy: str) -> Checked:
        """Hold a copy that was grown to its end against the undisturbed one; what it holds."""
        (cells, keys), edges = self.rows(CELLS, copy)[0], self.rows(EDGES, copy)[0][0]
        report = verify(self.store, copy)
        assert report.clean, [str(violation) for violation in report.violations[:10]]
        assert self.store.digest(copy) == self.undisturbed
        assert self.store.hierarchy(copy).state == "complete"
        assert self.leases(copy) == []
        lost, doubled = self.shape.cells - keys, (cells - keys) + max(0, edges - (keys - 1))
        assert (lost, doubled) == (0, 0)
        return Checked(cells, lost, doubled, taken_over=self.store.grown_by(copy).taken_over)
