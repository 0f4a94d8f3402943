"""docs/scale.md follows from the numbers that it keeps, and its arithmetic is what it says."""

from dataclasses import replace

import pytest

from benchmarks import scale
from benchmarks.scale import CORES, DAY, PAGE, SIZES, Measured, folder_seconds, graph_rate, machines_for, page

MEASURED = Measured(
    date="2026-01-02",
    machine="processor: it, 2 cores",
    load="0.1 and 0.2",
    cores=2,
    memory_cells=1_398_101,
    memory_rate=5e6,
    memory_bytes=102.0,
    graph_cells=349_440,
    graph_rate=15_000.0,
    graph_rate_two=24_000.0,
    server_us=42.0,
    worker_us=12.0,
    bulk_cells=1_398_101,
    bulk_rate=110_000.0,
    bulk_bytes=449.0,
    folder_cells=5_592_405,
    folder_rate=740_000.0,
    folder_rate_two=1_300_000.0,
    digest_rate=2_500_000.0,
    folder_bytes=48.0,
    folder_peak=4.1e8,
    compare_rate=900_000.0,
)


@pytest.fixture
def found():
    return MEASURED


def test_a_page_holds_the_numbers_that_it_was_made_of(found):
    text = page(found)
    assert Measured.of_page(text) == found
    assert page(Measured.of_page(text)) == text
    assert page(replace(found, folder_rate=found.folder_rate * 2)) != text
    assert "{" not in text.split(scale.MARK)[0]


def test_the_page_of_the_docs_is_what_follows_from_its_numbers():
    """Where docs/scale.md was written: by `python -m benchmarks.scale`, on a machine that has nothing else to do."""
    if PAGE.exists():
        text = PAGE.read_text(encoding="utf-8")
        assert page(Measured.of_page(text)) == text


def test_what_is_told_of_a_size(found):
    text = page(found)
    assert "| 10^9 | 19 h | 44 min | 2.5 h | 450 GB |" in text
    assert "| 10^9 | 29 min | 8.3 min | 6.7 min | 1 | 48 GB |" in text
    [last] = [line for line in text.splitlines() if line.startswith("| 10^12 | `-o s3://")]
    assert last.endswith("| 48 TB | 2 |")


def test_the_page_has_a_row_for_each_size(found):
    choices = page(found).split("## Into the graph")[0]
    assert [choices.count(f"\n| 10^{power} |") for power in range(6, 13)] == [1] * len(SIZES)


def test_the_arithmetic(found):
    told = replace(
        found, folder_rate=500_000.0, folder_rate_two=900_000.0, digest_rate=2_000_000.0, server_us=40.0, folder_bytes=50.0
    )
    assert told.share == pytest.approx(0.9)
    assert replace(told, folder_rate_two=2e6).share == 1.0
    assert folder_seconds(told, 1e9, cores=1) == pytest.approx(2000 + 500)
    assert folder_seconds(told, 1e9, cores=10) == pytest.approx(2000 / 9 + 500)
    assert graph_rate(told, cores=16) == pytest.approx(400_000)
    assert machines_for(told, 1e6, seconds=DAY) == 1
    a_day = 500_000 * CORES * 0.9 * DAY
    assert machines_for(told, 2.5 * a_day, seconds=DAY) == 3


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3.21, "3.2 s"), (59.0, "59 s"), (90, "1.5 min"), (7200, "2 h"), (129_600, "36 h"), (20 * DAY, "20 days")],
)
def test_times_are_told_as_people_tell_them(seconds, told):
    assert scale._hours(seconds) == told


@pytest.mark.parametrize(("size", "told"), [(4.5e11, "450 GB"), (4.83e13, "48 TB"), (120, "0.12 kB"), (1.26e6, "1.3 MB")])
def test_sizes_are_told_as_people_tell_them(size, told):
    assert scale._bytes(size) == told
