"""``python -m benchmarks.families``: what `auto` takes on seeded smooth generators, beside every family on the same prefix.

Prints Markdown; a whole run writes docs/families.md. Nothing but numpy and torch is asked: no database.
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
    from cfgraph.model.cells import Cells
    from cfgraph.model.hierarchy import FieldWithCells
    from cfgraph.predictors import Predictor

DOCUMENT = Path(__file__).parents[1] / "docs" / "families.md"
CASES, BASE_SEEDS = 30, (0, 1)
PREFIX, UNSEEN = 3, 2
ARITIES, DIMENSIONS, SCALE_FACTORS = (2, 5), (1, 6), (0.2, 0.65)  # each from the first to the last
FACTOR, WANTED = 1.5, 27  # `auto` is to be within so much of the best family, in so many of thirty cases


class Case(NamedTuple):
    """A smooth generator."""

    number: int
    arity: int
    dimension: int
    scale_factor: float
    seed: int


class Outcome(NamedTuple):
    """What came out of one case: rolled-out nMSE of each family and of what `auto` took, its error, the bound, CPU seconds."""

    case: Case
    nmse: dict[str, float]
    taken: str
    auto: float
    center_error: float
    certificate: float
    seconds: float

    @property
    def best(self) -> str:
        """The family of least error."""
        return min(self.nmse, key=self.nmse.__getitem__)

    @property
    def ratio(self) -> float:
        """How many times the best family's error that of `auto` is."""
        return self.auto / self.nmse[self.best]

    @property
    def is_certified(self) -> bool:
        """Whether the largest error of a center is below the generator's certificate."""
        return self.center_error <= self.certificate


def draw_cases(base_seed: int, *, count: int) -> list[Case]:
    """The generators of one base seed, drawn evenly from the ranges above."""
    random = np.random.default_rng(base_seed)
    return [
        Case(
            number=number,
            arity=int(random.integers(*ARITIES, endpoint=True)),
            dimension=int(random.integers(*DIMENSIONS, endpoint=True)),
            scale_factor=float(random.uniform(*SCALE_FACTORS)),
            seed=int(random.integers(2**31)),
        )
        for number in range(count)
    ]


def measure(case: Case) -> Outcome:
    """Train `auto` and every family on the prefix, and roll them out over the unseen levels."""
    from cfgraph import train
    from cfgraph.sources import cfg

    numbers = {"arity": case.arity, "dimension": case.dimension, "scale_factor": case.scale_factor, "seed": case.seed}
    truth = cfg(id="truth", depth=PREFIX + UNSEEN, **numbers)
    begin = time.process_time()
    auto = train(truth, id="auto", depth=PREFIX)
    seconds = time.process_time() - begin
    grown = roll_out(auto.load(), truth)
    unseen = truth.cells.level > PREFIX
    return Outcome(
        case=case,
        nmse={family: unseen_error(roll_out(predictor, truth), truth) for family, predictor in fit_families(truth)},
        taken=auto.family,
        auto=unseen_error(grown, truth),
        center_error=float(np.linalg.norm((grown.center - truth.cells.center)[unseen], axis=1).max()),
        certificate=certify(grown, truth),
        seconds=seconds,
    )


def fit_families(truth: "FieldWithCells") -> "Iterator[tuple[str, Predictor]]":
    """Every family, fitted to the prefix; `anchored` has the network of `mlp`, the same that it would learn itself."""
    from cfgraph.model.growth import observe
    from cfgraph.predictors import FAMILIES, fit_predictor
    from cfgraph.predictors.network import Anchored

    observed, tuples = observe(truth.cells.prefix(PREFIX), arity=truth.arity)
    numbers = {"scale_factor": truth.scale_factor, "residual_bound": truth.residual_bound}
    families = [family for family in FAMILIES if family != Anchored.family]
    fitted = {family: fit_predictor(family, observed=observed, tuples=tuples, **numbers) for family in families}
    yield from fitted.items()
    yield Anchored.family, Anchored.around(fitted["mlp"])


def roll_out(predictor: "Predictor", truth: "FieldWithCells") -> "Cells":
    """The prefix, grown to the depth of the truth."""
    from cfgraph.model.growth import grow

    field = {"scale_factor": truth.scale_factor, "arity": truth.arity, "depth": truth.cells.depth}
    return grow(truth.cells.prefix(PREFIX), rule=predictor.predict, **field)


def unseen_error(grown: "Cells", truth: "FieldWithCells") -> float:
    """The nMSE of the residuals of the unseen levels together."""
    unseen = truth.cells.level > PREFIX
    miss, size = grown.residual[unseen] - truth.cells.residual[unseen], truth.cells.residual[unseen]
    return float((miss**2).sum() / (size**2).sum())


def certify(grown: "Cells", truth: "FieldWithCells") -> float:
    """The generator's certificate of every depth, from the prefix: eta at the predicted centers."""
    from cfgraph.metric import Certificate
    from cfgraph.sources.cfg import rule_of

    rows, tuples = grown.expansions(truth.arity)
    unseen = grown.level[rows] >= PREFIX
    miss = tuples[unseen] - rule_of(truth.recipe).tuples_at(grown.center[rows[unseen]])
    eta = float(np.linalg.norm(miss, axis=2).max())
    return Certificate(eta=eta, lipschitz=truth.lipschitz, scale_factor=truth.scale_factor, from_depth=PREFIX).from_prefix


HEAD = ("K", "d", "s", "taken", "nMSE of auto", "best", "nMSE of the best", "ratio", "largest center error", "certificate")


def case_rows(outcomes: list[Outcome], families: list[str]) -> Iterator[list[str]]:
    """A case a line: what was taken and how well it did, then every family."""
    for found in outcomes:
        case = found.case
        numbers = [str(case.arity), str(case.dimension), f"{case.scale_factor:.2f}", found.taken, f"{found.auto:.2g}"]
        beside = [found.best, f"{found.nmse[found.best]:.2g}", f"{found.ratio:.2f}"]
        bounds = [f"{found.center_error:.2g}", f"{found.certificate:.2g}"]
        yield [*numbers, *beside, *bounds, *(f"{found.nmse[family]:.2g}" for family in families)]


def summary(outcomes: list[Outcome]) -> str:
    """How often `auto` was near the best family, and the certificate held."""
    near = sum(found.ratio <= FACTOR for found in outcomes)
    certified = sum(found.is_certified for found in outcomes)
    worst = max(found.ratio for found in outcomes)
    seconds = sum(found.seconds for found in outcomes)
    return (
        f"`auto` is within {FACTOR} times the best family in **{near} of {len(outcomes)}** (wanted: {WANTED} of {CASES}; at "
        f"worst {worst:.2f} times), the largest center error below the generator's certificate in **{certified} of "
        f"{len(outcomes)}**. `auto` took {seconds:.0f} CPU seconds for all."
    )


def as_table(head: list[str], rows: Iterator[list[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))


def section(base_seed: int, outcomes: list[Outcome]) -> str:
    """The table of one base seed."""
    families = list(outcomes[0].nmse)
    table = as_table([*HEAD, *families], case_rows(outcomes, families))
    return f"## Base seed {base_seed}\n\n{summary(outcomes)}\n\n{table}"


@click.command("families", epilog="Example: python -m benchmarks.families --cases 3 --seed 7")
@click.option("--cases", type=click.IntRange(min=1), default=CASES, show_default=True, help="Generators of each base seed.")
@click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, help="Of the generators, instead of 0 and 1.")
def main(cases: int, seeds: tuple[int, ...]) -> None:
    """Measure what `auto` takes beside every family; a whole run writes docs/families.md."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    load, sections = load_now(), []
    for base_seed in seeds or BASE_SEEDS:
        outcomes = []
        for case in draw_cases(base_seed, count=cases):
            outcomes.append(measure(case))
            click.echo(f"{base_seed}.{case.number}: {outcomes[-1].taken}, {outcomes[-1].ratio:.2f}", err=True)
        sections.append(section(base_seed, outcomes))
    told = {"date": datetime.now(UTC).date().isoformat(), **describe_machine(server=None), "load": f"{load} and {load_now()}"}
    text = "\n\n".join(
        [
            "<!-- Written by `python -m benchmarks.families`. -->",
            "# What auto takes",
            f"On {cases} seeded smooth generators for each base seed (`ingest cfg`; K {ARITIES[0]} to {ARITIES[1]}, d "
            f"{DIMENSIONS[0]} to {DIMENSIONS[1]}, s {SCALE_FACTORS[0]} to {SCALE_FACTORS[1]}), every family learned the same "
            f"prefix of depth {PREFIX} and was rolled out over {UNSEEN} levels more. nMSE is that of the residuals of these "
            "levels together. [mathematics.md](mathematics.md) says what each family is, and `auto` how it chooses "
            "([section 5](mathematics.md#5-rules-of-the-center-alone-and-networks)).",
            *sections,
            "## The run",
            "\n".join(f"* {name}: {value}" for name, value in told.items()),
        ]
    )
    click.echo(text)
    if cases == CASES and not seeds:
        DOCUMENT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
