"""Backup: hierarchies out of the store and back without loss, as Parquet files; and as CSV, the same way out.

Both stream: memory is bounded by some pages of cells, and what a list in a cell holds. The way back holds the hierarchy
in memory, checks it as a whole, and then writes it as every other is written.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from cfgraph.errors import InputError, NotFoundError
from cfgraph.files.whole import check_place, whole_file
from cfgraph.formats.batches import PlacedPoints
from cfgraph.formats.csv import check_csv, write_csv_tables
from cfgraph.formats.parquet import Backup, ParquetFile
from cfgraph.formats.tables import Layout, page_table
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store import Store
from cfgraph.store.digest import digest_hierarchy
from cfgraph.store.history import RESTORED
from cfgraph.store.placing import PLACE_ROWS, NewBatch
from cfgraph.store.witness import Witness
from cfgraph.transfer.pages import Progress, check_growers, watched_pages, witness_complete


def export_parquet(store: Store, id: str, path: str | Path, *, progress: Progress = lambda done, total: None) -> Hierarchy:
    """Write all of a complete hierarchy to a Parquet file, with the predictors that grew it (cfgraph/formats/parquet.py).

    Batches of new data go with it; they are held in memory, some 40 bytes a point.

    Raises:
        InputError: for a hierarchy that is not complete, a batch that is not, and a place that cannot be written.
        DamagedError: for what could not be read back.
        VanishedError, ChangedError: where the hierarchy is removed or grown meanwhile; nothing is written then.
    """
    check_place(path)
    witness = witness_complete(store, id)
    hierarchy = witness.hierarchy
    with witness.explaining():
        growers, latest = store.growers(id), store.grown_by(id)
        check_growers(id, growers)
        layout = Layout.of(hierarchy, kinds=store.own_kinds(hierarchy))
        for batch in store.batches(id):
            if batch.state != "placed":
                store.check_batch(batch)  # which refuses it, before all cells are read for nothing
        with whole_file(path) as file, ParquetFile(file, layout) as parquet:
            for table in _tables(store, witness, layout, progress=progress):
                parquet.add(table)
            predicts = None if latest is None else latest.truth
            encoder, names = store.encoder(hierarchy), store.point_names(hierarchy)
            batches = [(batch, store.batch_pages(batch)) for batch in store.batches(id)]
            for batch, _ in batches:
                store.check_batch(batch)
            parquet.finish(
                hierarchy,
                growers=growers,
                predicts=predicts,
                encoder=encoder,
                point_names=names,
                point_columns=store.point_columns(hierarchy),
                batches=batches,
            )
            witness.check()
    return hierarchy


def export_csv(
    store: Store,
    id: str,
    path: str | Path,
    *,
    spreadsheet_safe: bool = False,
    progress: Progress = lambda done, total: None,
) -> Hierarchy:
    """Write a complete hierarchy as one CSV file, or as a folder of them where ``path`` does not end in ``.csv``.

    ``spreadsheet_safe`` guards texts that a spreadsheet would take for formulas.

    Raises:
        InputError: for a hierarchy that is not complete, one file that cannot hold all there is, and a place that cannot be
            written.
        DamagedError: for what is not sound.
        VanishedError, ChangedError: where the hierarchy is removed or grown meanwhile; nothing is written then.
    """
    witness = witness_complete(store, id)
    hierarchy = witness.hierarchy
    check_csv(hierarchy, path)
    with witness.explaining():
        layout = Layout.of(hierarchy, kinds=store.own_kinds(hierarchy))
        tables = _tables(store, witness, layout, progress=progress)
        write_csv_tables(tables, path, hierarchy=hierarchy, spreadsheet_safe=spreadsheet_safe)
    return hierarchy


def ingest_parquet(store: Store, backup: Backup, *, progress: Progress = lambda done, total: None) -> Hierarchy:
    """Write what ``sources.parquet`` read into the store: the hierarchy, its cells, what grew it.

    The same file again finishes what was interrupted, or finds it done. Where the hierarchy that it predicts is in the store,
    that is linked again. Its history tells of the file where something of it was written: all of it, or batches that the one
    in the store had not.

    Raises:
        InputError: where the id is taken by another hierarchy, or by one of the same recipe with other cells (grown since).
    """
    hierarchy = backup.hierarchy
    there, restored = _find(store, hierarchy.id), {"file": backup.path.name, "digest": backup.digest}
    written = store.write(hierarchy, growers=backup.growers, progress=progress, restored=restored)
    if there is not None and store.digest(hierarchy.id) != digest_hierarchy(hierarchy):
        raise InputError(
            f"the id {hierarchy.id!r} is taken by a hierarchy of the same recipe with other cells (one was grown, say); "
            f"choose another id, or remove it with `cfgraph rm {hierarchy.id}`"
        )
    added = [placed.batch.name for placed in backup.batches if _write_batch(store, written, placed)]
    if added and there is not None and there.state == "complete":
        store.add_entry(written, RESTORED, **restored, batches=added)
    if backup.predicts is not None and (truth := _find(store, backup.predicts)) is not None:
        store.link_truth(written, truth)
    return written


def _write_batch(store: Store, hierarchy: Hierarchy, placed: PlacedPoints) -> bool:
    """Write a batch's points into their cells, where it stopped or all; False where they are there already."""
    batch, columns = placed.batch, ("row", "address", "name", "distance", "margin", "outside")
    new = NewBatch(
        rows=batch.rows,
        digest=batch.digest,
        beam=batch.beam,
        cells=batch.cells,
        version=batch.version,
        names_sha256=batch.names_sha256,
        name=batch.name,
        created=batch.created,
    )
    found, held = store.begin_batch(hierarchy, new)
    begun = found.done
    while found.done < found.rows:
        page = placed.points.slice(found.done, PLACE_ROWS)
        rows = list(zip(*(page.column(name).to_pylist() for name in columns), strict=True))
        found = store.place_rows(held, found, rows)
    return begun < found.rows


def _find(store: Store, id: str) -> Hierarchy | None:
    try:
        return store.hierarchy(id)
    except NotFoundError:
        return None


def _tables(store: Store, witness: Witness, layout: Layout, *, progress: Progress) -> Iterator[pa.Table]:
    """Every cell of a hierarchy, page by page."""
    for page in watched_pages(store, witness, progress=progress):
        yield page_table(page, id=witness.id, layout=layout)
