"""The validation table of a predictor as people read it: the best family first, the one that was taken marked."""

from collections.abc import Sequence

from .output import print_table


def print_validation(
    folds: dict[str, float | None],
    validation: dict[str, float | None],
    *,
    taken: str,
    not_trained: Sequence[str] = (),
    outrun: Sequence[str] = (),
) -> None:
    """Print it, by the folds, which decide between families, else by the level held out; those without a number come last."""
    from cfgraph.predictors.trained import JUDGED_BY, judgements

    def error(row: Sequence[float | str | None]) -> tuple[float, ...]:
        numbers = [value if isinstance(value, float | int) else float("inf") for value in row[1:]]
        return (numbers == [float("inf")] * 2, *numbers)

    rows = sorted(judgements(folds, validation, not_trained=not_trained, outrun=outrun), key=error)
    print_table(["family", *JUDGED_BY, ""], [[*row, "taken" if row[0] == taken else ""] for row in rows])
