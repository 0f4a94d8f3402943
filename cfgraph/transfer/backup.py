"""Backup: hierarchies out of the store and back without loss, as Parquet files; and as CSV, the same way out.

Both stream: memory is bounded by some pages of cells, and what a list in a cell holds. The way back holds the hierarchy
in memory, checks it as a whole, and then writes it as every other is written.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from cfgraph.errors import InputError, NotFoundError
from cfgraph.files.whole import check_place, whole_file
from cfgraph.formats.csv import check_csv, write_csv_tables
from cfgraph.formats.parquet import Backup, ParquetFile
from cfgraph.formats.tables import Layout, page_table
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store import Store
from cfgraph.store.digest import digest_hierarchy
from cfgraph.transfer.pages import Progress, watched_pages


def export_parquet(store: Store, id: str, path: str | Path, *, progress: Progress = lambda done, total: None) -> Hierarchy:
    """Write all of a complete hierarchy to a Parquet file, with the predictors that grew it (cfgraph/formats/parquet.py).

    Raises:
        InputError: for a hierarchy that is not complete, and a place that cannot be written.
        VanishedError: where the hierarchy changes meanwhile; nothing is written then.
    """
    check_place(path)
    hierarchy = _complete(store, id)
    growers, latest = store.growers(id), store.grown_by(id)
    layout = Layout.of(hierarchy, kinds=store.own_kinds(hierarchy))
    with whole_file(path) as file, ParquetFile(file, layout) as parquet:
        for table in _tables(store, hierarchy, layout, progress=progress):
            parquet.add(table)
        parquet.finish(hierarchy, growers=growers, predicts=None if latest is None else latest.truth)
    return hierarchy


def export_csv(store: Store, id: str, path: str | Path, *, progress: Progress = lambda done, total: None) -> Hierarchy:
    """Write a complete hierarchy as one CSV file, or as a folder of them where ``path`` does not end in ``.csv``.

    Raises:
        InputError: for a hierarchy that is not complete, one file that cannot hold all there is, and a place that cannot be
            written.
        VanishedError: where the hierarchy changes meanwhile; nothing is written then.
    """
    hierarchy = _complete(store, id)
    check_csv(hierarchy, path)
    layout = Layout.of(hierarchy, kinds=store.own_kinds(hierarchy))
    write_csv_tables(_tables(store, hierarchy, layout, progress=progress), path, hierarchy=hierarchy)
    return hierarchy


def ingest_parquet(store: Store, backup: Backup, *, progress: Progress = lambda done, total: None) -> Hierarchy:
    """Write what ``sources.parquet`` read into the store: the hierarchy, its cells, what grew it.

    The same file again finishes what was interrupted, or finds it done. Where the hierarchy that it predicts is in the store,
    that is linked again.

    Raises:
        InputError: where the id is taken by another hierarchy, or by one of the same recipe with other cells (grown since).
    """
    hierarchy = backup.hierarchy
    was_there = _is_there(store, hierarchy.id)
    written = store.write(hierarchy, growers=backup.growers, progress=progress)
    if was_there and store.digest(hierarchy.id) != digest_hierarchy(hierarchy):
        raise InputError(
            f"the id {hierarchy.id!r} is taken by a hierarchy of the same recipe with other cells (one was grown, say); "
            f"choose another id, or remove it with `cfgraph rm {hierarchy.id}`"
        )
    if backup.predicts is not None:
        store.link_truth(hierarchy.id, backup.predicts)
    return written


def _complete(store: Store, id: str) -> Hierarchy:
    hierarchy = store.hierarchy(id)
    if hierarchy.state != "complete":
        raise InputError(f"{id!r} is in state {hierarchy.state!r}; finish that first, by its own command")
    return hierarchy


def _is_there(store: Store, id: str) -> bool:
    try:
        store.hierarchy(id)
    except NotFoundError:
        return False
    return True


def _tables(store: Store, hierarchy: Hierarchy, layout: Layout, *, progress: Progress) -> Iterator[pa.Table]:
    """Every cell of a hierarchy, page by page."""
    for page in watched_pages(store, hierarchy, progress=progress):
        yield page_table(page, id=hierarchy.id, layout=layout)
