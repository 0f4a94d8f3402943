"""Batch: new data that was placed in a hierarchy in one piece, as the graph records it beside the hierarchy.

The points of batch B of hierarchy H have the keys ``H/@B/0``, ``H/@B/1``, ...; the first data, which the hierarchy was made
of, have ``H/0``, ``H/1``, ... Because ``@`` comes behind every digit in ASCII, the first data, all batches, and each batch are
one range of keys.
"""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cfgraph.errors import InputError
from cfgraph.model.address import check_id

BATCH_NAME_BYTES_MAX = 100
_NAME = re.compile(r"[^\s/@\x00-\x1f\x7f](?:[^/@\x00-\x1f\x7f]*[^\s/@\x00-\x1f\x7f])?")

State = Literal["placing", "placed", "removing"]
Count = Annotated[int, Field(strict=True, ge=0)]


def check_batch_name(name: str) -> str:
    """The name itself if it may name a batch, else an ``InputError`` that says why not."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            "expected a batch's name of at least one character, without '/' and '@', control characters, and spaces at its "
            f"ends, got {name!r}"
        )
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"a batch's name is text that UTF-8 can hold, got {name!r}") from error
    if size > BATCH_NAME_BYTES_MAX:
        raise InputError(f"a batch's name has at most {BATCH_NAME_BYTES_MAX} bytes, got {size}: {name[:40]!r}...")
    return name


class Batch(BaseModel):
    """What is recorded of a batch: ``done`` of its ``rows`` are in their cells.

    ``digest`` is that of the rows as they were given, ``names_sha256`` that of their names where they have some. ``beam`` is
    how many cells a level their descents kept, ``cells`` how many the hierarchy had: none is ever removed, so another number is
    that of a hierarchy that was grown. ``token`` tells a batch from another one of its name, made after its removal.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    hierarchy: Annotated[str, AfterValidator(check_id)]
    name: Annotated[str, AfterValidator(check_batch_name)]
    rows: Annotated[int, Field(strict=True, ge=1)]
    done: Count = 0
    digest: str
    names_sha256: str | None = None
    beam: Annotated[int, Field(strict=True, ge=1)]
    cells: Annotated[int, Field(strict=True, ge=1)] | None = None
    state: State = "placing"
    created: datetime
    version: str
    token: str

    @property
    def key(self) -> str:
        """What the keys of its points begin with."""
        return batch_key(self.hierarchy, self.name)

    @property
    def located(self) -> str:
        """Among how many cells it was located, in words."""
        return f"located in {'an unknown number of' if self.cells is None else f'{self.cells:,}'} cells"


def batch_key(id: str, name: str) -> str:
    """The key of a batch's record."""
    return f"{id}/@{name}"


def batch_range(id: str, name: str) -> tuple[str, str]:
    """The half-open range of keys ``[low, high)`` that holds exactly the points of a batch."""
    key = batch_key(id, name)
    return f"{key}/", f"{key}0"


def batches_range(id: str) -> tuple[str, str]:
    """The half-open range of keys that holds the points, and the records, of all batches of a hierarchy."""
    return f"{id}/@", f"{id}/A"


def first_points_range(id: str) -> tuple[str, str]:
    """The half-open range of keys that holds the first data of a hierarchy, and no point of a batch."""
    return f"{id}/", f"{id}/@"
