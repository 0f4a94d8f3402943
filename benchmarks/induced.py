"""``python -m benchmarks.induced``: how learnable fields are that data induce, as tables; each family beside the baselines.

Prints Markdown; a whole run writes docs/induced.md. Everything is grown in memory. The embeddings lie beside the project, and
rows about them are left out where they are not there.
"""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from benchmarks.machine import describe_machine, load_now

if TYPE_CHECKING:
    from cfgraph.comparing.report import Comparison
    from cfgraph.model.hierarchy import FieldWithCells
    from cfgraph.predictors import Predictor

SHARED = Path(__file__).parents[2] / "shared" / "data"
DOCUMENT = Path(__file__).parents[1] / "docs" / "induced.md"
DIMENSIONS = (2, 8, 16)
SAMPLE = 3_000  # of more points than that
PREFIX, DEPTH = 5, 7
BANDWIDTHS = (0.05, 0.07, 0.08, 0.09, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6)
PREFIXES = (2, 3, 4, 5)
SHARES = (0.1, 0.25, 0.5, 1.0)  # of the parents of the whole prefix
SWEPT = 8  # dimension of the sweeps
EARNING = ("mlp", "mlp-context", "anchored")  # those that shall be below every baseline
BESIDE = ("local-linear",)  # learned, and printed beside


class Set(NamedTuple):
    """Points."""

    name: str
    data: np.ndarray


def known_sets() -> Iterator[Set]:
    """Those of the tables."""
    from sklearn.datasets import load_digits

    yield Set("digits", load_digits().data)
    cifar = SHARED / "cifar100_test_emb_r20.npz"
    if cifar.exists():
        yield Set("CIFAR-100, 64-d embeddings", np.load(cifar)["emb64"].astype(np.float64))


def field_of(one: Set, *, dimension: int, bandwidth: float = 0.3, depth: int = DEPTH) -> "FieldWithCells":
    """The field that a set induces."""
    from cfgraph.sources import induced

    sample = SAMPLE if len(one.data) > SAMPLE else None
    return induced(id="truth", data=one.data, depth=depth, pca=dimension, sample=sample, bandwidth=bandwidth)


def families() -> tuple[str, ...]:
    """The learned families that there are."""
    from cfgraph.predictors import FAMILIES

    return tuple(family for family in (*EARNING, *BESIDE) if family in FAMILIES)


def fit(truth: "FieldWithCells", *, prefix: int = PREFIX, share: float = 1.0) -> "dict[str, Predictor]":
    """Every family, learned families first, fitted to a share of the parents of the prefix; the root is always among them."""
    from cfgraph.model.growth import observe
    from cfgraph.predictors import BASELINES, fit_predictor

    parents, tuples = observe(truth.cells.prefix(prefix), arity=truth.arity)
    count = max(2, round(share * len(tuples)))
    drawn = np.random.default_rng(0).choice(np.arange(1, len(tuples)), size=count - 1, replace=False)
    rows = np.concatenate([[0], np.sort(drawn)])
    return {
        family: fit_predictor(
            family,
            observed=parents.take(rows),
            tuples=tuples[rows],
            scale_factor=truth.scale_factor,
            residual_bound=truth.residual_bound,
        )
        for family in (*families(), *BASELINES)
    }


def errors(truth: "FieldWithCells", fitted: "dict[str, Predictor]", *, prefix: int = PREFIX) -> dict[str, float]:
    """The rolled-out nMSE of each at the two deepest levels together; from every prefix they are the same levels."""
    from cfgraph.model.growth import grow

    field = {"arity": truth.arity, "scale_factor": truth.scale_factor, "depth": DEPTH}
    rows = slice(truth.cells.level_rows(DEPTH - 1).start, truth.cells.level_rows(DEPTH).stop)
    true, found = truth.cells.residual[rows], {}
    for family, predictor in fitted.items():
        grown = grow(truth.cells.prefix(prefix), rule=predictor.predict, **field)
        found[family] = float(((grown.residual[rows] - true) ** 2).sum() / (true**2).sum())
    return found


def compared(truth: "FieldWithCells", fitted: "dict[str, Predictor]") -> "dict[str, Comparison]":
    """All of them grown from the prefix over the true cells and compared, with their certificates, in one tour."""
    from cfgraph.comparing.compare import Question
    from cfgraph.comparing.tallies import Candidate
    from cfgraph.model.reader import CellsReader

    prefix, cells = truth.cells.prefix(PREFIX), CellsReader(truth.cells)
    question = Question(
        true=truth.without_cells(),
        predicted="learned",
        true_cells=cells,
        predicted_cells=cells,
        from_depth=PREFIX,
        encoder=lambda: truth.encoder,
        pairs=100,
    )
    candidates = [
        Candidate(name, predictor.predict, question.certifier(predictor, prefix), grows=True)
        for name, predictor in fitted.items()
    ]
    measured = question.measure(candidates, prefix=prefix, progress=lambda done, total: None)
    return dict(zip(fitted, measured, strict=True))


def over_levels(found: "Comparison", side: str) -> float:
    """The nMSE over the unseen levels, each of which counts alike."""
    return float(np.mean([getattr(level, side).nmse for level in found.levels]))


SIDES = ("teacher_forced", "rolled_out")


def case_rows(one: Set, dimension: int) -> Iterator[list[str]]:
    """A case: every family, every baseline."""
    truth = field_of(one, dimension=dimension)
    found = compared(truth, fit(truth))
    learned = families()
    least = {side: min(over_levels(each, side) for name, each in found.items() if name not in learned) for side in SIDES}
    for name, each in found.items():
        measures = {side: over_levels(each, side) for side in SIDES}
        below = all(measures[side] < least[side] for side in SIDES)
        verdict = "baseline" if name not in learned else "below every baseline" if below else "**not below every baseline**"
        yield [one.name, str(dimension), name, *(f"{measures[side]:.2e}" for side in SIDES), *certified(each, truth), verdict]


def certified(found: "Comparison", truth: "FieldWithCells") -> list[str]:
    """Slots right, the largest error at the deepest level, and the bounds beside it."""
    from cfgraph.metric import Certificate

    last, measured, proven = found.levels[-1].rolled_out, found.certificates.measured, found.certificates.by_level[-1]
    error, bound = last.max_center_error, measured.by_level[-1]
    of_rule = Certificate(measured.eta, truth.lipschitz, truth.scale_factor, PREFIX)
    return [
        f"{min(level.rolled_out.slot_accuracy for level in found.levels):.4f}",
        f"{error:.3g}",
        f"{measured.lipschitz:.3g}",
        f"{bound:.3g} ({bound / error:.2g} x)",
        f"{truth.lipschitz:.3g}",
        f"{of_rule.by_level(DEPTH)[-1]:.3g}; {_finite(of_rule.from_prefix)}",
        "-" if proven is None else f"{proven:.3g} ({found.certificates.side})",
    ]


def _finite(bound: float) -> str:
    return f"{bound:.2g}" if np.isfinite(bound) else "none"


def ranked(found: dict[str, float], names: tuple[str, ...]) -> tuple[str, float]:
    """The one of some families that errs least, and its error."""
    best = min(names, key=found.__getitem__)
    return best, found[best]


def swept(found: dict[str, float]) -> list[str]:
    """What a row of a sweep says: each learned family, the best baseline, and how they compare."""
    from cfgraph.predictors import BASELINES

    best, own = ranked(found, tuple(name for name in families() if name in EARNING))
    baseline, error = ranked(found, BASELINES)
    verdict = f"{best} by {error / own:.1f}" if own < error else f"**{baseline}**, by {own / error:.1f}"
    return [*(f"{found[name]:.2e}" for name in families()), f"{error:.2e} ({baseline})", verdict]


def bandwidth_rows(one: Set) -> Iterator[list[str]]:
    """How learnable fields of several bandwidths are."""
    for bandwidth in BANDWIDTHS:
        truth = field_of(one, dimension=SWEPT, bandwidth=bandwidth)
        yield [one.name, f"{bandwidth:g}", *nature(truth), *swept(errors(truth, fit(truth)))]


def nature(truth: "FieldWithCells") -> list[str]:
    """How a field is: the smallest separation of its deepest tuples, and its constant, measured and proven."""
    return [f"{truth.separation_by_level[-1]:.2g}", f"{slopes(truth).max():.3g}", f"{truth.lipschitz:.3g}"]


def slopes(truth: "FieldWithCells") -> np.ndarray:
    """How fast the rule changes between the cells of the deepest two levels of parents and their own parents."""
    cells = truth.cells
    rows, tuples = cells.expansions(truth.arity)
    place = np.full(len(cells), -1)
    place[rows] = np.arange(len(rows))
    inner = np.flatnonzero(cells.level[rows] >= DEPTH - 2)
    above = cells.parent[rows[inner]]
    change = np.linalg.norm(tuples[inner] - tuples[place[above]], axis=2).max(axis=1)
    distance = np.linalg.norm(cells.center[rows[inner]] - cells.center[above], axis=1)
    return np.divide(change, distance, out=np.zeros_like(change), where=distance > 0)


def prefix_rows(one: Set) -> Iterator[list[str]]:
    """Few examples, by the depth of the prefix."""
    truth = field_of(one, dimension=SWEPT)
    for prefix in PREFIXES:
        parents = (truth.arity**prefix - 1) // (truth.arity - 1)
        yield [
            one.name,
            f"levels 0 to {prefix}",
            f"{parents:,}",
            *swept(errors(truth, fit(truth, prefix=prefix), prefix=prefix)),
        ]


def share_rows(one: Set) -> Iterator[list[str]]:
    """Few examples, by the share of the prefix's parents, drawn at random."""
    truth = field_of(one, dimension=SWEPT)
    for share in SHARES:
        parents = max(2, round(share * (truth.arity**PREFIX - 1) // (truth.arity - 1)))
        yield [one.name, f"{share:.0%} of levels 0 to {PREFIX}", f"{parents:,}", *swept(errors(truth, fit(truth, share=share)))]


def as_table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


CASE_HEAD = ["data", "d", "family", "nMSE, one step", "nMSE, rolled out", "slots right", "largest center error"]
CASE_HEAD += [
    "Lambda, measured",
    "bound with it (over the error)",
    "Lambda, proven",
    "bound with it, by level; from the prefix",
]
CASE_HEAD += ["tightest proven bound", ""]


def sweep_head(*first: str) -> list[str]:
    """The head of a sweep's table."""
    return ["data", *first, *families(), "best baseline", "least, by how much"]


def verdict(cases: list[list[str]]) -> str:
    """In how many cases a family that shall be below every baseline is."""
    names = {(row[0], row[1]) for row in cases}
    reached = {(row[0], row[1]) for row in cases if row[2] in EARNING and row[-1] == "below every baseline"}
    return (
        f"In {len(reached)} of {len(names)} cases one of {', '.join(name for name in families() if name in EARNING)} is below"
    )


INTRODUCTION = (
    "Points define a *rule* ([mathematics.md](mathematics.md), section 9; K = 4, s = 1/2), so the hierarchy has no end and no "
    f"level lacks data. A predictor sees levels 0 to {PREFIX}, 341 parents, and grows levels {PREFIX + 1} and {PREFIX + 2}, "
    f"5,120 parents that it never saw. Of the embeddings {SAMPLE:,} of 10,000 are drawn, of the digits all 1,797 are used; "
    "both by principal components. One seed. nMSE is the mean squared error over the mean square of the residuals."
)


@click.command("induced")
@click.option(
    "--only", type=click.Choice(["cases", "bandwidth", "prefix", "share"]), help="This table alone; writes no document."
)
def main(only: str | None) -> None:
    """Measure how learnable fields are that data induce."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    load, begin, sets = load_now(), time.process_time(), list(known_sets())
    tables = {
        "cases": lambda: [row for one in sets for dimension in DIMENSIONS for row in case_rows(one, dimension)],
        "bandwidth": lambda: [row for one in sets for row in bandwidth_rows(one)],
        "prefix": lambda: [row for one in sets for row in prefix_rows(one)],
        "share": lambda: [row for one in sets for row in share_rows(one)],
    }
    found = {name: make() for name, make in tables.items() if only in (None, name)}
    heads = {
        "cases": CASE_HEAD,
        "bandwidth": sweep_head("bandwidth", "separation", "Lambda, measured", "Lambda, proven"),
        "prefix": sweep_head("learned from", "parents"),
        "share": sweep_head("learned from", "parents"),
    }
    texts = {name: as_table(heads[name], rows) for name, rows in found.items()}
    if only:
        click.echo(texts[only])
        return
    told = {"date": datetime.now(UTC).date().isoformat(), **describe_machine(server=None)}
    told |= {"load": f"{load} and {load_now()}", "CPU": f"{time.process_time() - begin:.0f} seconds, on one thread"}
    text = document(texts, cases=found["cases"], told=told)
    click.echo(text)
    DOCUMENT.write_text(text + "\n", encoding="utf-8")


def document(texts: dict[str, str], *, cases: list[list[str]], told: dict[str, str]) -> str:
    """The whole of docs/induced.md."""
    return "\n\n".join(
        [
            "<!-- Written by `python -m benchmarks.induced`. -->",
            "# How learnable fields are that data induce",
            INTRODUCTION,
            "## Six cases, bandwidth .3 of the spread",
            f"{verdict(cases)} every baseline, teacher-forced and rolled out. Bounds are on the largest center error at level "
            f"{DEPTH}. The measured Lambda is the largest quotient over the cells that were compared, and says nothing of "
            "others; the tightest proven bound may stand on the predictor's own constant instead of the rule's.",
            texts["cases"],
            "## Where it stops being learnable",
            f"Rolled-out nMSE at levels {DEPTH - 1} and {DEPTH}, d = {SWEPT}. The smaller the bandwidth, the faster the rule "
            "changes between a cell and its children (Lambda, measured between parents and children); and where a single point "
            "has all the weight at a deep cell, the prototypes of all slots are that point, their separation goes to 0, and "
            "nothing is left to be learned but `x - c`, which `affine` is.",
            texts["bandwidth"],
            "## Few examples",
            f"The same two levels, d = {SWEPT}, bandwidth .3, from prefixes of several depths, and from some parents of levels "
            f"0 to {PREFIX}, drawn at random.",
            texts["prefix"],
            texts["share"],
            "## The run",
            "\n".join(f"* {name}: {value}" for name, value in told.items()),
        ]
    )


if __name__ == "__main__":
    main()
