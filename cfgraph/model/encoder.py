"""Encoder: what was done to raw data before a hierarchy was made of it, as the graph keeps it beside the hierarchy."""

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cfgraph.errors import InputError

WEIGHTS_BYTES_MAX = 256_000_000  # what is kept in a store, at most
PART_BYTES = 8_000_000  # of the weights, in one node of the graph: a statement's, and a server's, memory has to hold it


def _check_weights(weights: bytes) -> bytes:
    if len(weights) > WEIGHTS_BYTES_MAX:
        raise InputError(
            f"an encoder's arrays have {len(weights):,} bytes, and a store keeps {WEIGHTS_BYTES_MAX:,}; reduce the data first, "
            "by fewer columns or rows"
        )
    return weights


class Encoder(BaseModel):
    """Steps that raw data went through, one after the other: their settings, and their arrays as safetensors bytes.

    ``steps`` says of each its ``kind`` and its settings, ready for JSON; the array ``name`` of step i is ``"i.name"`` in
    ``weights``. :func:`cfgraph.learning.encoders.load_encoder` makes of it what encodes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[dict[str, Any], ...]
    weights: Annotated[bytes, AfterValidator(_check_weights)] = Field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of it: two encoders of equal digests encode alike."""
        steps = json.dumps(self.steps, sort_keys=True).encode()
        return hashlib.sha256(len(steps).to_bytes(8, "big") + steps + self.weights).hexdigest()

    @property
    def parts(self) -> list[bytes]:
        """The weights in parts that a node of the graph can hold; at least one."""
        return [self.weights[low : low + PART_BYTES] for low in range(0, max(1, len(self.weights)), PART_BYTES)]

    @classmethod
    def of_parts(cls, steps: str, parts: list[bytes]) -> Self:
        """The encoder of steps as JSON text and the parts of its weights; a ``ValueError`` for what is none."""
        return cls(steps=json.loads(steps), weights=b"".join(parts))
