"""The README's Python runs as it stands, from the checkout. Its shell commands are run from the wheel: test_wheel.py."""

import pytest

from tests.readme import python_blocks

IDS = ("grown", "rule", "koch", "digits")


@pytest.fixture
def clean(store):
    """Nothing of the README's names is there, before and after."""
    from cfgraph.errors import NotFoundError

    def clear():
        for id in IDS:
            try:
                store.remove(id)
            except NotFoundError:
                continue

    clear()
    yield
    clear()


def test_the_python_runs(store_url, clean, capsys):
    blocks = python_blocks()
    assert len(blocks) == 2
    names = {}
    for code in blocks:
        exec(compile(code.replace('"local"', repr(store_url)), "README.md", "exec"), names)
    assert list(names["field"].predict(names["X"])) == list(names["field"].labels_)
    assert set(names["field"].apply(names["X"])) <= set(names["field"].hierarchy_.cells.addresses)
    assert max(level.rolled_out.max_center_error for level in names["report"].levels) < 1e-9
    assert names["graph"].number_of_nodes() == 1 + 4 + 16 + 64
    assert "recurrence" in capsys.readouterr().out
