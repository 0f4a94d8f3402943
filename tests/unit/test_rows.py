"""Rows as they are printed: page by page, and yet as if all had been printed at once."""

import json
import tracemalloc
from contextlib import redirect_stdout

import numpy as np
import pytest
from rich import box
from rich.console import Console
from rich.table import Table

from cfgraph.cli.output import cell_text, print_rows
from cfgraph.cli.spool import PAGE_ROWS, Spool, pages_of
from cfgraph.model.as_json import to_json

COLUMNS = ["key", "number", "a rather long heading"]
TEXTS = [
    "",
    "a",
    "two words",
    "ein Übergang",
    "漢字かな",
    "x" * 150,
    "one beside the other",
    "a word and another " * 20,
    "[bold]",
]


def rows_of(count, *, texts=TEXTS):
    random = np.random.default_rng(count)
    chosen = random.integers(len(texts), size=(count, 2)).tolist()
    values = [None, 1, -2.5, float("nan"), [0.25, 1.0], {"a": [True]}, "text"]
    return [[texts[one], values[row % len(values)], texts[other]] for row, (one, other) in enumerate(chosen)]


def as_one_table(columns, rows):
    """What rich prints of all rows at once."""
    table = Table(*columns, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for row in rows:
        table.add_row(*map(cell_text, row))
    console = Console(width=200, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.mark.parametrize("count", [0, 1, PAGE_ROWS, PAGE_ROWS + 1])
@pytest.mark.parametrize("texts", [TEXTS, ["", "short", "of several words, some of them"]], ids=["wide", "usual"])
def test_a_long_table_looks_as_if_laid_out_at_once(count, texts, capsys):
    rows = rows_of(count, texts=texts)
    with Spool(rows) as spool:
        print_rows(COLUMNS, spool, format="table")
    assert capsys.readouterr().out == as_one_table(COLUMNS, rows)


def test_a_long_table_of_one_column(capsys):
    rows = [[text] for text in TEXTS for _ in range(PAGE_ROWS // 4)]
    print_rows(["key"], rows, format="table")
    assert capsys.readouterr().out == as_one_table(["key"], rows)


@pytest.mark.parametrize("count", [0, 1, PAGE_ROWS, PAGE_ROWS + 1])
def test_json_is_one_list_however_many_rows(count, capsys):
    rows = rows_of(count)
    with Spool(rows) as spool:
        print_rows(COLUMNS, spool, format="json")
    printed = capsys.readouterr().out
    assert printed == to_json([dict(zip(COLUMNS, row, strict=True)) for row in rows]) + "\n"
    assert len(json.loads(printed)) == count


def test_csv_has_every_row_once(capsys):
    rows = [[row, "a,b", None] for row in range(2 * PAGE_ROWS + 1)]
    with Spool(rows) as spool:
        print_rows(COLUMNS, spool, format="csv")
    assert capsys.readouterr().out.splitlines()[1:] == [f'{row},"a,b",' for row in range(len(rows))]


def test_a_spool_gives_its_rows_again_and_again():
    rows = rows_of(2 * PAGE_ROWS + 5)
    with Spool(iter(rows)) as spool:
        for _ in range(2):
            assert repr(list(spool)) == repr(rows)
        assert [len(page) for page in pages_of(spool)] == [PAGE_ROWS, PAGE_ROWS, 5]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_memory_does_not_grow_with_the_rows(format, tmp_path):
    def peak(count):
        tracemalloc.start()
        rows = ([row, "x" * 100, [0.5, 1.5]] for row in range(count))
        with (tmp_path / "out").open("w") as file, redirect_stdout(file), Spool(rows) as spool:
            print_rows(COLUMNS, spool, format=format)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(PAGE_ROWS)  # what is loaded once
    assert peak(20 * PAGE_ROWS) < 1.5 * peak(4 * PAGE_ROWS)
