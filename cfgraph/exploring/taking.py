"""Taking: what is looked at as a file: a picture that stays sharp, or the numbers behind it."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfgraph.exploring.scene import Scene
    from cfgraph.exploring.view import View

FORMS = {  # how the file's name ends, and its type
    "svg": (".svg", "image/svg+xml"),
    "svg-whole": (".svg", "image/svg+xml"),
    "csv": (".csv", "text/csv; charset=utf-8"),
    "parquet": (".parquet", "application/vnd.apache.parquet"),
}


def take_away(scene: "Scene", view: "View", *, form: str, margin: float = 1.0, **how: Any) -> bytes:
    """A view in one of the ``FORMS``; ``svg-whole`` is all of the hierarchy, whatever is looked at, in as many pixels.

    ``how`` is what a cut takes; a ``margin`` is not taken along. In CSV vectors are columns ``center_0, center_1, ...``.
    """
    if form.startswith("svg"):
        return scene.svg(view, whole=form == "svg-whole", **how).encode()
    table, file = scene.table(view, **how), io.BytesIO()
    if form == "csv":
        from pyarrow import csv

        from cfgraph.formats.tables import spread

        csv.write_csv(spread(table), file)
    else:
        from pyarrow import parquet

        parquet.write_table(table, file)
    return file.getvalue()
