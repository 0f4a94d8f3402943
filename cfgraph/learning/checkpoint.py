"""Checkpoint: a file from which a training that was stopped goes on, with the same bits as one that was not."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfgraph.errors import InputError
from cfgraph.files.opened import opened
from cfgraph.files.whole import check_place, whole_file
from cfgraph.predictors.network import import_torch

SECONDS = 5.0  # between two that are written, so that short epochs do not wait for the disk
_AGAIN = "name another file, or remove this one to begin anew"


@dataclass(eq=False)
class Checkpoint:
    """A file that holds how far a training is: whole or not at all, and of this training alone.

    ``training`` says what is trained, how, and on which data, ready for JSON: what is not of the same is refused.
    """

    path: Path
    training: Mapping[str, Any]
    _written: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        check_place(self.path)

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last; None where the file is not there yet.

        Raises:
            InputError: for a file that is no checkpoint, and for one of another training, with what differs.
        """
        if not self.path.exists():
            return None
        state = self._read()
        if not isinstance(state, dict) or not isinstance(state.get("training"), str):
            raise InputError(f"{self.path} is no checkpoint of a training; {_AGAIN}")
        found, mine = json.loads(state["training"]), json.loads(self._training)
        differing = [
            f"{name} is {found.get(name)!r} there and {mine.get(name)!r} here"
            for name in sorted(found.keys() | mine.keys())
            if found.get(name) != mine.get(name)
        ]
        if differing:
            raise InputError(f"the checkpoint {self.path} is of another training: {', '.join(differing)}; {_AGAIN}")
        return state

    def save(self, state: Mapping[str, Any], *, last: bool) -> None:
        """Keep the state, unless one was kept a few seconds ago and more are to come."""
        if not last and time.monotonic() - self._written < SECONDS:
            return
        torch = import_torch()
        with whole_file(self.path) as file:
            torch.save({"training": self._training, **state}, file)
        self._written = time.monotonic()

    @property
    def _training(self) -> str:
        return json.dumps(self.training, sort_keys=True)

    def _read(self) -> Any:
        torch = import_torch()
        with opened(self.path, expected="a checkpoint of a training", large=True) as file:
            try:
                return torch.load(file.handle, map_location="cpu", weights_only=True)
            except Exception as error:  # torch and pickle raise a dozen classes for what is none, OSError among them
                raise InputError(f"{self.path} is no checkpoint of a training; {_AGAIN}") from error
