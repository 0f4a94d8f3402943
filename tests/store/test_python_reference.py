"""docs/python.md is what the code says, has an example of every source and verb, and every example runs."""

import inspect
import re
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

import cfgraph
from cfgraph import sources
from cfgraph.cli.python_examples import EXAMPLES, SETUP
from cfgraph.cli.python_reference import SOURCES, VERBS, section, write_reference
from cfgraph.errors import NotFoundError

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
OF_STORE = ("koch", "koch-rule", "koch-grown", "digits")  # ids that the examples give to what they keep


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text(encoding="utf-8") == write_reference(), (
        "docs/python.md differs from the code; run: python -m cfgraph.cli.python_reference > docs/python.md"
    )


def test_every_source_and_verb_has_an_example():
    functions = {name for name in cfgraph.__all__ if inspect.isfunction(getattr(cfgraph, name))}
    assert functions == set(VERBS)
    assert set(sources.__all__) == set(SOURCES)
    assert {f"sources.{name}" for name in sources.__all__} | set(VERBS) <= set(EXAMPLES)
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"### {name}\n" in page for name in EXAMPLES)
    blocks = re.findall(r"Example:\n\n```python\n(.*?)\n```", page, re.DOTALL)
    assert blocks == [code.strip() for code in EXAMPLES.values()], "the examples stand in the order of the page"


@pytest.fixture(scope="module")
def apart(store):
    """Ids of this run in place of the examples' own, because the server is shared."""
    token = uuid.uuid4().hex[:8]
    yield {id: f"reference-{token}-{id}" for id in OF_STORE}
    for id in reversed(OF_STORE):
        with suppress(NotFoundError):
            store.remove(f"reference-{token}-{id}")


def test_every_example_runs(apart, store_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    space: dict = {}
    exec(compile(SETUP, "setup", "exec"), space)
    for name, code in EXAMPLES.items():
        code = re.sub(r'"([^"]*)"', lambda found: f'"{apart.get(found[1], found[1])}"', code)
        code = code.replace('Store.open("local")', f"Store.open({store_url!r})")
        code = code.replace('Stores.open(["local"])', f"Stores.open([{store_url!r}])")
        if name == "sources.ifs":
            code = 'koch = sources.ifs("koch", depth=5, id=' + repr(apart["koch"]) + ")"
        try:
            exec(compile(code, name, "exec"), space)
        except Exception as error:
            raise AssertionError(f"the example of {name} fails: {error}") from error
    assert space["estimator"].predict(space["rows"]).shape == (200,)  # the last of them had all that came before
    space["store"].close()


def test_a_section():
    def told(first, *, second=2, third=print, **options):
        """What it does, of :func:`cfgraph.train`.

        Args:
            first: one ``word``
                and more.
            second: another.

        Raises:
            InputError: for nothing.
        """

    text = section("told", told)
    assert text.startswith("### told\n\n```python\ntold(first, *, second=2, third=..., **options)\n```")
    assert "of `train`." in text
    assert "* `first`: one `word` and more.\n* `second`: another." in text
    assert "Raises:\n\n* `InputError`: for nothing." in text
