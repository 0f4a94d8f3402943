"""Fields of sources into folders of Parquet files, without a database: ``write_field(source, "s3://bucket/koch")``."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from cfgraph.formats.folders.plan import plan_of
from cfgraph.growing.folder import FolderReport, FolderTask, grow_folder
from cfgraph.model.blocks import block_height
from cfgraph.sources.field_plan import FieldPlan
from cfgraph.sources.tuples import largest_norm, smallest_distance


def write_field(
    source: FieldPlan,
    output: str,
    *,
    workers: int = 1,
    executor: Any = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> FolderReport:
    """Grow a source's field into a folder; the same call goes on, joins in elsewhere, and finds a finished one done.

    Args:
        source: what ``field`` of cfgraph.sources.cfg, ifs and induced gives.
        output: a path, or a URL of pyarrow's file systems: ``s3://bucket/koch``.
        workers: processes; with an ``executor`` tasks at once.
        executor: an engine by its name (``"processes"``, ``"dask:tcp://HOST:8786"``), or anything with ``submit``, as the pools
            of :mod:`concurrent.futures` have it.
        progress: is told how many cells there are, and how many there will be.
        interrupted: is asked between sheets.

    Raises:
        InputError: for a folder that holds another field, or cannot be written.
    """
    hierarchy = source.hierarchy
    if source.encoder is not None:
        hierarchy = hierarchy.replace(encoder_sha256=source.encoder.digest)
    height = block_height(arity=hierarchy.arity, dimension=hierarchy.dimension)
    plan = plan_of(hierarchy, source.root, depth=source.depth, height=height, encoder=source.encoder)
    measure = measure_tuples if source.measured else None
    task = FolderTask(output, plan, source.root, rule=source.make_rule(), measure=measure)
    how: dict[str, Any] = {"workers": workers, "executor": executor, "progress": progress, "interrupted": interrupted}
    return grow_folder(task, encoder=source.encoder, **how)


def measure_tuples(tuples: Float[np.ndarray, "families arity dim"]) -> tuple[float, float | None]:
    """How long the residuals of some tuples are at most, and how far apart those of one tuple at least."""
    return largest_norm(tuples.reshape(-1, tuples.shape[2])), smallest_distance(tuples)
