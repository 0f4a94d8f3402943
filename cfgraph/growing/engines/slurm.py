"""Slurm: shifts as jobs of its queue, by submitit, which keeps them and what they give in a folder that all nodes share."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cfgraph.errors import EngineError, InputError, MissingExtraError, one_line
from cfgraph.growing.engines.engine import Engine, Handle

SHIFT_SECONDS = 600.0  # a job of a queue waits longer for its turn than a task of a pool
PATIENCE_SECONDS = 3600.0
TIMEOUT_MINUTES = 30  # after which Slurm ends a job: three times a shift
SECRETS = ("NEO4J_PASSWORD",)


class Slurm(Engine):
    """Shifts as jobs of one task and one processor: ``slurm:FOLDER``, where the folder lies on a file system that all share.

    What else Slurm is to know (partition, account) it reads in the environment: SBATCH_PARTITION, SBATCH_ACCOUNT.
    """

    shift_seconds = SHIFT_SECONDS
    patience_seconds = PATIENCE_SECONDS
    is_elsewhere = True
    help = "see `squeue --me`, and the logs in its folder"

    def __init__(self, place: str, *, workers: int):
        try:
            import submitit
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("submitit", extra="slurm", purpose="growing on Slurm (--engine slurm:FOLDER)") from error
        if not place:
            raise InputError("expected a folder that all nodes share, as in slurm:FOLDER, got none")
        if missing := [program for program in ("sbatch", "srun", "sacct") if shutil.which(program) is None]:
            raise EngineError(
                f"no Slurm is here: expected the program {missing[0]!r} in the PATH; run this where jobs are submitted"
            )
        try:
            Path(place).mkdir(parents=True, exist_ok=True)
            executor = submitit.SlurmExecutor(folder=Path(place).absolute())
        except OSError as error:
            raise InputError(f"{place} cannot be used for jobs: {one_line(error)}") from error
        executor.update_parameters(job_name="cfgraph", ntasks_per_node=1, cpus_per_task=1, time=TIMEOUT_MINUTES)
        super().__init__(executor, name="slurm")

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Hand a job over; the environment that Slurm keeps with it holds no password."""
        with _without_secrets():
            return super().submit(function, *arguments)


@contextmanager
def _without_secrets() -> Iterator[None]:
    """Passwords out of this process's environment, which ``sbatch`` takes along, for a moment."""
    kept = {name: os.environ.pop(name) for name in SECRETS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
