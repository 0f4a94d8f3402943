"""The demo: four hierarchies learned from their first levels and grown on, each compared with the truth, and two queries.

Every chapter is a row of plain library calls, and names the shell commands that do the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfgraph.comparing.compare import compare
from cfgraph.comparing.report import Report
from cfgraph.errors import InputError, NotFoundError
from cfgraph.growing.rollout import Stop, rollout
from cfgraph.learning.train import train
from cfgraph.model.hierarchy import FieldWithCells, same_recipe
from cfgraph.plots import Panel, plot_cells
from cfgraph.store.queries import load_query

if TYPE_CHECKING:
    from cfgraph.store import Store

Progress = Callable[[str], Callable[[int, int], None]]  # what is being done -> a callback for cells done and in all


@dataclass(frozen=True)
class Chapter:
    """One hierarchy of the demo: where it comes from, how much of it is learned from, and what to say of it."""

    title: str
    about: str
    id: str
    source: Callable[[str], FieldWithCells]
    ingest: str  # the shell's words for the source
    learned_depth: int
    depth: int
    family: str


@dataclass(frozen=True)
class Outcome:
    """What a chapter came to: the commands that do the same, the comparison, what was learned, and the picture."""

    chapter: Chapter
    commands: tuple[str, ...]
    report: Report
    learned: dict[str, Any]
    picture: Path


@dataclass(frozen=True)
class Question:
    """A Cypher query of the demo with its answer, and the command that asks it."""

    title: str
    command: str
    cypher: str
    columns: list[str]
    rows: list[list[Any]]


def _fern(id: str) -> FieldWithCells:
    from cfgraph.sources.ifs import ifs

    return ifs(id=id, maps="fern", depth=8)


def _koch(id: str) -> FieldWithCells:
    from cfgraph.sources.ifs import ifs

    return ifs(id=id, maps="koch", depth=8)


def _smooth(id: str) -> FieldWithCells:
    from cfgraph.sources.cfg import cfg

    return cfg(id=id, arity=4, dimension=2, scale_factor=0.5, rule="smooth", depth=7, seed=7)


def _digits(id: str) -> FieldWithCells:
    from sklearn.datasets import load_digits

    from cfgraph.sources.points import points

    return points(id=id, data=load_digits().data, arity=3, depth=5, pca=8)


CHAPTERS = (
    Chapter(
        title="Barnsley's fern, learned from two levels",
        about="Four affine maps, none of them told: the 20 residuals of two levels are enough to find them.",
        id="fern",
        source=_fern,
        ingest="cfgraph ingest ifs fern --depth 8 --as fern",
        learned_depth=2,
        depth=8,
        family="auto",
    ),
    Chapter(
        title="The Koch curve, which turns as it goes down",
        about="A rule of the center alone cannot express a rotation; the recurrence sees the parent's residuals and can.",
        id="koch",
        source=_koch,
        ingest="cfgraph ingest ifs koch --depth 8 --as koch",
        learned_depth=2,
        depth=8,
        family="auto",
    ),
    Chapter(
        title="A smooth generator, learned by the ReLU network",
        about="Residuals that bend with the place. Five levels are observed, 341 parents; the network fills in two more.",
        id="smooth",
        source=_smooth,
        ingest="cfgraph ingest cfg --arity 4 --dimension 2 --scale-factor 0.5 --depth 7 --seed 7 --as smooth",
        learned_depth=5,
        depth=7,
        family="mlp",
    ),
    Chapter(
        title="Hand-written digits, clustered: where a rule is hardly there",
        about="1,797 images of 8 x 8 pixels, split in three again and again. Read what auto takes beside the baselines.",
        id="digits",
        source=_digits,
        ingest="cfgraph ingest points digits.npy --arity 3 --pca 8 --depth 5 --as digits",
        learned_depth=3,
        depth=5,
        family="auto",
    ),
)

QUESTIONS = (  # what is asked, by which of cypher/, about what
    ("How many cells does each level of the grown fern have, and which may still grow?", "count_levels", {"id": "fern-grown"}),
    (
        "Which predicted digits clusters lie farthest from their true places?",
        "read_astray",
        {"id": "digits-grown", "most": 5},
    ),
)


def check_ids(store: "Store", chapters: Sequence[Chapter] = CHAPTERS) -> None:
    """Raise an ``InputError`` where the store holds something else under ids of the demo; what a demo left there is its own."""
    taken = [id for chapter in chapters for id in _taken_ids(store, chapter)]
    if taken:
        raise InputError(
            f"the demo makes {', '.join(map(repr, taken))}, and the store holds something else of {_these(taken)}; give it a "
            f"store of its own: `cfgraph --store local:demo demo`, or remove what is there: `cfgraph rm {' '.join(taken)}`"
        )


def _these(taken: list[str]) -> str:
    return "that id" if len(taken) == 1 else "these ids"


def _taken_ids(store: "Store", chapter: Chapter) -> list[str]:
    """Those of a chapter's ids that something else has."""
    truth, rule, grown = chapter.id, f"{chapter.id}-rule", f"{chapter.id}-grown"
    there = {id: (_found(store.hierarchy, id), _found(store.predictor, id)) for id in (truth, rule, grown)}
    hierarchy, trained, copy = there[truth][0], there[rule][1], there[grown][0]
    learned = {"hierarchy": truth, "depth": chapter.learned_depth, "family": chapter.family}
    copied = {"source": "rollout", "of": truth, "predictor": rule, "from_depth": chapter.learned_depth}
    strange = {
        truth: hierarchy is not None and not same_recipe(hierarchy.recipe, chapter.source(truth).recipe),
        rule: trained is not None and not learned.items() <= trained.recipe.items(),
        grown: copy is not None and not copied.items() <= copy.recipe.items(),
    }
    others = {truth: there[truth][1], rule: there[rule][0], grown: there[grown][1]}  # of the other kind
    return [id for id in (truth, rule, grown) if strange[id] or others[id] is not None]


def _found(find: Callable[[str], Any], id: str) -> Any:
    try:
        return find(id)
    except NotFoundError:
        return None


def run_chapter(store: "Store", chapter: Chapter, *, output: Path, progress: Progress) -> Outcome:
    """Ingest, train, roll out, compare, draw; what is in the store already is not made again."""
    truth, rule, grown = chapter.id, f"{chapter.id}-rule", f"{chapter.id}-grown"
    store.write(chapter.source(truth), progress=progress(f"writing {truth}"))
    prefix = store.hierarchy(truth).with_cells(store.read(truth, depth=chapter.learned_depth))
    try:
        trained = store.predictor(rule)
    except NotFoundError:
        trained = train(prefix, id=rule, depth=chapter.learned_depth, family=chapter.family)
        store.write_predictor(trained)
    growing = progress(f"growing {grown}")
    rollout(
        store,
        truth,
        predictor=rule,
        stop=Stop(depth=chapter.depth),
        from_depth=chapter.learned_depth,
        copy_as=grown,
        show=lambda status: growing(status.grown, status.total),
    )
    report = compare(store, truth, grown, progress=progress(f"comparing {grown}"))
    picture = output / f"{truth}.png"
    panels = [Panel(store.read(truth), truth), Panel(store.read(grown), grown, grown_by=trained.family)]
    plot_cells(panels, picture)
    return Outcome(chapter, _commands(chapter, picture), report, trained.describe(), picture)


def _commands(chapter: Chapter, picture: Path) -> tuple[str, ...]:
    name, first, last = chapter.id, chapter.learned_depth, chapter.depth
    family = "" if chapter.family == "auto" else f" --family {chapter.family}"
    return (
        chapter.ingest,
        f"cfgraph train {name} --depth {first}{family} --as {name}-rule",
        f"cfgraph rollout {name} --predictor {name}-rule --from-depth {first} --to-depth {last} --as {name}-grown",
        f"cfgraph compare {name} {name}-grown",
        f"cfgraph plot {name} --beside {name}-grown -o {picture}",
    )


def ask_questions(store: "Store") -> Iterator[Question]:
    """The demo's Cypher queries, answered."""
    for title, name, parameters in QUESTIONS:
        columns, rows = store.query_operation(name, parameters)
        command = " ".join([f"cfgraph query --name {name}", *(f"-p {key}={value}" for key, value in parameters.items())])
        yield Question(title, command, load_query(name).statement, columns, rows)
