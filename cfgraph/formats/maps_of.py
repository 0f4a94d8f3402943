"""Maps: what a recurrence learned, as an iterated function system that ``cfgraph ingest ifs`` reads, in any dimension."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError
from cfgraph.files.whole import whole_file
from cfgraph.predictors.recurrence import Recurrence

if TYPE_CHECKING:
    from cfgraph.learning.train import TrainedPredictor


def write_maps(trained: "TrainedPredictor", path: str | Path) -> None:
    """Write the maps that a recurrence recovered: ``{"NAME": {"maps": [{"matrix": [[...]], "offset": [...]}], ...}}``.

    NAME is the predictor's id. The root's center and the scale factor stand beside the maps, for ``--root-center`` and
    ``--scale-factor``: they are what the maps' own defaults would be, unless the hierarchy was made with others.

    Raises:
        InputError: for a predictor of another family, and for a place that cannot be written.
    """
    document = maps_document(trained)
    with whole_file(path) as file:
        file.write(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")


def maps_document(trained: "TrainedPredictor") -> dict[str, Any]:
    """What :func:`write_maps` writes, as a JSON-ready object."""
    predictor = trained.load()
    if not isinstance(predictor, Recurrence):
        raise InputError(
            f"predictor {trained.id!r} is of the family {trained.family}, which learns no maps; train one with "
            "--family recurrence"
        )
    matrix, offset = predictor.maps()
    maps = [{"matrix": a, "offset": t} for a, t in zip(matrix.tolist(), offset.tolist(), strict=True)]
    name = trained.id.lstrip("_") or "maps"  # a name that starts with _ is a comment to those who read the file
    entry = {"maps": maps, "root_center": predictor.root_center.tolist(), "scale_factor": predictor.scale_factor}
    return {name: entry}
