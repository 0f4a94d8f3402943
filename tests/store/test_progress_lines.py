"""Live lines: verbs that read a store show them on a terminal, and nothing to programs; and `verify` looks at digests too."""

import io

import pytest

import cfgraph
from cfgraph import sources
from cfgraph.comparing.verifying import DigestReport
from cfgraph.store.verify import VerifyReport


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def koch(store, new_id):
    return store.write(sources.ifs("koch", id=new_id("koch"), depth=2)).id


VERBS = {
    "verify": lambda store, id, folder, **options: cfgraph.verify(store, id, **options),
    "certify": lambda store, id, folder, **options: cfgraph.certify(store, id, **options),
    "export": lambda store, id, folder, **options: cfgraph.export(store, id, folder / f"{len(options)}.parquet", **options),
    "diff": lambda store, id, folder, **options: cfgraph.diff(id, id, store=store, **options),
    "compare": lambda store, id, folder, **options: cfgraph.compare(store, id, id, **options),
    "snapshot": lambda store, id, folder, **options: cfgraph.snapshot(
        store, id, name=f"at{len(options)}", output=folder / f"s{len(options)}.parquet", **options
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_line_is_shown_on_terminals_alone(store, koch, tmp_path, monkeypatch, verb):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    VERBS[verb](store, koch, tmp_path)
    assert verb in stream.getvalue()
    assert "/21" in stream.getvalue() or verb == "diff"
    shown = stream.getvalue()
    VERBS[verb](store, koch, tmp_path, progress=False)
    assert stream.getvalue() == shown


def test_verify_looks_at_digests_where_they_are_asked_for(store, koch):
    plain = cfgraph.verify(store, koch)
    assert (type(plain), plain.clean, plain.cells) == (VerifyReport, True, 21)
    first = cfgraph.verify(store, koch, digests=True)
    assert isinstance(first, DigestReport)
    assert (first.clean, first.cells) == (True, 21)
    assert first.made > 0
    assert first.digests == first.made
    assert cfgraph.verify(store, koch, digests=True).made == 0
    store.query("MATCH (c:Cell {key: $id + '/0/1'}) SET c.scale = 2 * c.scale", {"id": koch}, write=True)
    found = cfgraph.verify(store, koch, digests=True)
    assert {"scale", "digest"} <= found.counts.keys()
    assert "digest" not in cfgraph.verify(store, koch).counts
