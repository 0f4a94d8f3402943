"""Fields in folders, out as files of every format."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cfgraph import formats
from cfgraph.files.whole import whole_file, whole_folder
from cfgraph.formats.csv import check_csv, write_csv_tables
from cfgraph.formats.elements import elements_of_pages
from cfgraph.formats.folders.keyed import KeyOrder, KeyPage
from cfgraph.formats.folders.reader import FolderReader
from cfgraph.formats.neo4j_admin import ImportFolder
from cfgraph.formats.parquet import ParquetFile
from cfgraph.formats.tables import Layout, page_table
from cfgraph.model.address import ROOT, parent_address
from cfgraph.sources.folder import read_folder
from cfgraph.store.records import properties_of
from cfgraph.transfer.bulk import encoder_rows, readme_of, rows_of_grower

Progress = Callable[[int, int], None]
PAGED = {"graphml": "write_graphml", "gexf": "write_gexf", "dot": "write_dot", "json": "write_node_link"}
PAGED["node-link"] = PAGED["json"]


def export_folder(
    reader: FolderReader,
    path: Path,
    *,
    chosen: str,
    depth: int | None,
    options: Mapping[str, bool],
    progress: Progress,
) -> None:
    """Write a field in a folder as a file of a format; where the format streams, memory holds some sheets and a page.

    Raises:
        InputError: for a place that cannot be written, and a damaged sheet.
    """
    hierarchy, id = reader.hierarchy, reader.hierarchy.id
    if depth is not None or chosen not in (*PAGED, "csv", "parquet", "neo4j-admin"):
        formats.export_hierarchy(read_folder(reader, depth=depth), path, format=chosen, **options)
        return
    pages = partial(import_pages, reader, progress=progress)
    layout = Layout.of(hierarchy, kinds={})
    if chosen == "neo4j-admin":
        _export_for_admin(reader, path, pages)
    elif chosen == "csv":
        check_csv(hierarchy, path)
        write_csv_tables((page_table(page, id=id, layout=layout) for page in pages()), path, hierarchy=hierarchy, **options)
    elif chosen == "parquet":
        with whole_file(path) as file, ParquetFile(file, layout) as parquet:
            for page in pages():
                parquet.add(page_table(page, id=id, layout=layout))
            predicts = reader.manifest.plan.predicts
            parquet.finish(hierarchy, growers=reader.growers, predicts=predicts, encoder=reader.encoder())
    else:
        getattr(formats, PAGED[chosen])(elements_of_pages(hierarchy, pages, own_kinds={}), path)


def _export_for_admin(reader: FolderReader, directory: Path, pages: Callable[[], Iterator[dict[str, list[Any]]]]) -> None:
    hierarchy, growers, encoder = reader.hierarchy, list(reader.growers), reader.encoder()
    texts = [*hierarchy.notes, *(text for grower in growers for text in grower.trained.warnings)]
    with whole_folder(directory) as part:
        with ImportFolder(part, hierarchy.id, ids="key", texts=texts) as folder:
            for page in pages():
                folder.add_page(page)
            arguments = folder.finish(
                properties_of(hierarchy),
                growers=[rows_of_grower(grower, hierarchy.id) for grower in growers],
                encoder=None if encoder is None else encoder_rows(encoder),
            )
        (part / "README.md").write_text(readme_of(hierarchy, arguments, growers=growers), encoding="utf-8")


def import_pages(reader: FolderReader, *, progress: Progress = lambda done, total: None) -> Iterator[dict[str, list[Any]]]:
    """The cells of a folder in the form of ``Store.import_pages``."""
    done = 0
    with KeyOrder(reader, page_cells=5_000) as order:
        for page in order.pages():
            yield _import_page(page, reader.hierarchy.id)
            done += len(page)
            progress(done, reader.count())


def _import_page(page: KeyPage, id: str) -> dict[str, list[Any]]:
    addresses, held, count = page.addresses, {name: column.tolist() for name, column in page.columns.items()}, len(page)
    edges = zip(addresses, held["residual"], held["length"], strict=True)
    nothing: list[Any] = [[] for _ in range(count)]
    return {
        "key": [id + address for address in addresses],
        "address": addresses,
        **{name: held[name] for name in ("level", "center", "scale", "root_distance", "state", "predicted")},
        "radius": [np.nan] * count,
        "size": [-1] * count,
        "edges": [
            []
            if address == ROOT
            else [[id + parent_address(address), int(address[address.rindex("/") + 1 :]), residual, length, None]]
            for address, residual, length in edges
        ],
        "above": nothing,
        "below": nothing,
        "own": [],
        "points": [],
    }
