"""Pipeline: the steps of an encoder one after the other, to the record that a store keeps and back."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.sparse import is_sparse
from cfgraph.learning.encoders.kinds import STEPS
from cfgraph.learning.encoders.pictures import Embedding
from cfgraph.learning.encoders.steps import Step
from cfgraph.model.encoder import Encoder

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BATCH_NUMBERS = 1 << 22  # of sparse rows that are written out at a time: 32 MB


@runtime_checkable
class Reversible(Protocol):
    """A step with a way back."""

    def decode(self, rows: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points columns"]:
        """What the rows that it made were, as far as it kept that."""


@dataclass(frozen=True)
class Pipeline:
    """Steps, ready to encode."""

    steps: tuple[Step, ...]

    @property
    def last(self) -> Step | None:
        """What rows come to at the end."""
        return self.steps[-1] if self.steps else None

    def encode(self, rows: "Float[np.ndarray, 'points ...'] | csr_array") -> Float[np.ndarray, "points dim"]:
        """The rows where a hierarchy's centers are; images may come as such, and are rows of all their numbers.

        Sparse rows have their zeros written out some at a time.

        Raises:
            InputError: for rows of another number of columns, or that are not finite.
        """
        return self.encode_to(rows, step=len(self.steps))

    def encode_to(self, rows: "Float[np.ndarray, 'points ...'] | csr_array", *, step: int) -> Float[np.ndarray, "points dim"]:
        """The rows as they come to a step, after so many others; raises as :meth:`encode`."""
        if is_sparse(rows):
            whole, height = rows.tocsr(), max(1, _BATCH_NUMBERS // max(1, rows.shape[1]))
            lows = range(0, max(1, whole.shape[0]), height)
            return np.concatenate([self.encode_to(whole[low : low + height].toarray(), step=step) for low in lows])
        found = np.asarray(rows, dtype=np.float64)
        found = found.reshape(len(found), -1) if found.ndim > 2 and len(found) else found
        wanted = next((step.columns for step in self.steps if step.columns is not None), None)
        if found.ndim != 2 or (wanted is not None and found.shape[1] != wanted):
            columns = "columns" if wanted is None else f"{wanted:,} columns"
            raise InputError(f"expected points as rows of {columns}, as those that it was learned from, got {found.shape}")
        if not np.isfinite(found).all():
            row, column = np.argwhere(~np.isfinite(found))[0].tolist()
            raise InputError(f"expected finite numbers, got {found[row, column]} in row {row}, column {column} (from 0)")
        for one in self.steps[:step]:
            found = one.apply(found)
        return found

    def decode(self, rows: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, "points columns"]:
        """What rows where a hierarchy's centers are look like among the data: through all steps backwards.

        Raises:
            InputError: for a step that has no way back.
        """
        for step in reversed(self.steps):
            if not isinstance(step, Reversible):
                raise InputError(f"nothing leads back through a step of the kind {step.kind!r}")
            rows = step.decode(rows)
        return rows


def dump_encoder(*steps: Step) -> Encoder:
    """The record of some steps."""
    from safetensors.numpy import save

    arrays = {
        f"{place}.{name}": np.ascontiguousarray(a) for place, step in enumerate(steps) for name, a in step.arrays().items()
    }
    return Encoder(steps=tuple({"kind": step.kind, **step.settings()} for step in steps), weights=save(arrays))


def load_encoder(record: Encoder) -> Pipeline:
    """The steps that a record is of.

    Raises:
        InputError: for what no steps were saved as.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(record.weights)
        steps = tuple(_restored(place, settings, arrays) for place, settings in enumerate(record.steps))
        places = {name.partition(".")[0] for name in arrays}
        if strangers := places - {str(place) for place in range(len(steps))}:
            raise InputError(f"it has arrays of steps that are not there: {', '.join(sorted(strangers))}")
        _check_chain(steps)
        return Pipeline(steps)
    except (SafetensorError, KeyError, TypeError, ValueError, InputError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the saved encoder cannot be read: {reason}") from error


def _restored(place: int, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> Step:
    kind, rest = settings.get("kind"), {name: value for name, value in settings.items() if name != "kind"}
    if kind not in STEPS:
        raise InputError(f"expected steps of the kinds {', '.join(STEPS)}, got {kind!r}")
    mine = {name.partition(".")[2]: array for name, array in arrays.items() if name.partition(".")[0] == str(place)}
    return STEPS[kind].restore(mine, rest)


def _check_chain(steps: tuple[Step, ...]) -> None:
    """An InputError where a step gives rows that the next does not take."""
    columns = next((step.columns for step in steps if step.columns is not None), 1) or 1
    rows = np.zeros((1, columns))
    for step, following in pairwise((*steps, None)):
        assert step is not None
        # Of a network the record tells how many numbers it gives: it need not be here to be known.
        rows = np.zeros((1, step.dimension)) if isinstance(step, Embedding) else step.apply(rows)
        if following is not None and following.columns not in (None, rows.shape[1]):
            raise InputError(f"a step gives {rows.shape[1]} columns, and the next takes {following.columns}")
