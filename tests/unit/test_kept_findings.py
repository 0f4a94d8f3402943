"""The findings of benchmarks are kept one by one: an interrupted run loses nothing, a new one replaces its own alone."""

from benchmarks.document import as_markdown
from benchmarks.finding import Finding, Wanted
from benchmarks.kept import Kept, Run, keep, read_kept

ORDER = ("write", "read", "help")
FIRST = Run(date="2026-01-01", rounds=7, load="0.1 to 2.0", machine={"processor": "one", "Neo4j": "2026.01 Community"})
SECOND = Run(date="2026-02-02", rounds=3, load="0.5 to 1.0", machine={"processor": "one"})


def finding(name, title, *values, wanted=None):
    """A finding with as many rounds as there are values."""
    return Finding(name, title, values, wanted, ours="this", theirs="that", remarks=("a remark",))


def test_a_run_replaces_what_its_own_benchmarks_found_and_nothing_else(tmp_path):
    path = tmp_path / "kept.json"
    keep([finding("help", "help", 1.0), finding("gone", "of another day", 1.0)], FIRST, order=(*ORDER, "gone"), path=path)
    old = [finding("write", "a", 1.5, 2.0, wanted=Wanted("at least", 1.0)), finding("write", "b", 3.0)]
    keep(old, FIRST, order=ORDER, path=path)
    new = [finding("help", "help", 0.5), finding("help", "more help", 0.7)]
    keep(new, SECOND, order=ORDER, path=path)
    assert read_kept(path) == [*(Kept(one, FIRST) for one in old), *(Kept(one, SECOND) for one in new)]


def test_the_page_tells_the_day_and_the_conditions_of_each(tmp_path):
    kept = [
        Kept(finding("write", "writing", 1.5, wanted=Wanted("at least", 2.0)), FIRST),
        Kept(finding("help", "help", 0.5), SECOND),
    ]
    page = as_markdown(kept)
    assert "| writing | 1.5 | 1.5 | 1.5 | at least 2 | NO | 2026-01-01 |" in page
    assert "| help | 0.5 | 0.5 | 0.5 | - | - | 2026-02-02 |" in page
    assert "* writing: 1.5, wanted at least 2." in page
    assert "measured on 2026-02-02 by `python -m benchmarks --only help` (3 rounds asked for), load 0.5 to 1.0" in page
    assert page.count("* processor: one") == 1
    assert "* Neo4j: 2026.01 Community" in page
