"""What earlier versions wrote: files of version 0.1 come into the graph with the digests that they had there."""

from pathlib import Path

import pytest

from cfgraph.sources.parquet import parquet
from cfgraph.store.digest import digest_hierarchy
from cfgraph.transfer.backup import ingest_parquet

FILES = Path(__file__).parent.parent / "data" / "v0.1"
DIGESTS = dict(line.split() for line in (FILES / "digests.txt").read_text().splitlines())


def test_every_file_has_a_digest():
    assert sorted(DIGESTS) == sorted(path.stem for path in FILES.glob("*.parquet"))


@pytest.mark.parametrize("name", DIGESTS)
def test_a_file_of_version_0_1_keeps_its_digest(store, new_id, name):
    backup = parquet(FILES / f"{name}.parquet", id=new_id(name))
    written = ingest_parquet(store, backup)
    assert digest_hierarchy(backup.hierarchy) == DIGESTS[name]
    assert store.digest(written.id) == DIGESTS[name]
