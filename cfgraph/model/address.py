"""Addresses: where a cell stands in its hierarchy, as the slots from the root; one and many at a time.

The root is ``/``, its slot-2 child ``/2``, that one's slot-0 child ``/2/0``. A cell's *key* in the graph is the
hierarchy's id followed by its address: ``koch/2/0``, the root ``koch/``. Because every character that may follow a
slot in a key is a digit or a slash, and ``0`` comes right after ``/`` in ASCII, a subtree is one range of keys.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Int

from cfgraph.errors import AddressError, InputError

ROOT = "/"
KEY_BYTES_MAX = 8000  # an index entry of Neo4j holds 8,160 bytes of text; longer keys fail at write time
ID_BYTES_MAX = 200
_ADDRESS = re.compile(r"/|(?:/(?:0|[1-9][0-9]{0,8}))+", re.ASCII)
_ID = re.compile(r"[^\s/\x00-\x1f\x7f](?:[^/\x00-\x1f\x7f]*[^\s/\x00-\x1f\x7f])?")


def is_address(text: str) -> bool:
    """Whether a text is an address: slots joined by slashes."""
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


def parse_address(address: str) -> tuple[int, ...]:
    """The slots of an address: ``/2/0`` gives ``(2, 0)``, ``/`` gives ``()``."""
    if not is_address(address):
        raise AddressError(f"expected an address such as '/' or '/2/0' (slots joined by slashes), got {address!r}")
    return () if address == ROOT else tuple(int(slot) for slot in address[1:].split("/"))


def format_address(slots: Sequence[int]) -> str:
    """The address of the cell that ``slots`` lead to from the root."""
    return "".join(f"/{slot}" for slot in slots) or ROOT


def level_of(address: str) -> int:
    """How many slots an address has; the root's level is 0."""
    return 0 if address == ROOT else address.count("/")


def parent_address(address: str) -> str:
    """The primary parent's address; the root has none."""
    if address == ROOT:
        raise AddressError("the root '/' has no parent")
    return address[: address.rindex("/")] or ROOT


def child_address(address: str, slot: int) -> str:
    """The address of the child in ``slot``."""
    return f"{stem_of(address)}/{slot}"


def stem_of(address: str) -> str:
    """What a descendant's address starts with, without the slash that follows: empty for the root."""
    return "" if address == ROOT else address


def ancestor_address(address: str, level: int) -> str:
    """The ancestor at ``level`` (the cell itself at its own level)."""
    slots = parse_address(address)
    if not 0 <= level <= len(slots):
        raise AddressError(f"{address} has ancestors at levels 0 to {len(slots)}, none at level {level}")
    return format_address(slots[:level])


def lowest_common_ancestor(first: str, second: str) -> str:
    """The deepest address that both addresses lie at or below: their longest common prefix of slots."""
    common = []
    for slot, other in zip(parse_address(first), parse_address(second), strict=False):
        if slot != other:
            break
        common.append(slot)
    return format_address(common)


def check_id(id: str) -> str:
    """The id itself if it may name a hierarchy or a predictor, else an ``InputError`` that says why not."""
    if not isinstance(id, str) or not id:
        raise InputError("expected an id of at least one character, got an empty one")
    if "/" in id:
        raise InputError(f"an id holds no '/' (it separates the id from the address in a cell's key), got {id!r}")
    try:
        size = len(id.encode())
    except UnicodeEncodeError as error:  # half a character, as bytes that are no UTF-8 become on the command line
        raise InputError(f"an id is text that UTF-8 can hold, got {id!r}") from error
    if size > ID_BYTES_MAX:
        raise InputError(f"an id has at most {ID_BYTES_MAX} bytes, got {size}: {id[:40]!r}...")
    if not _ID.fullmatch(id):
        raise InputError(f"an id holds no control characters and no space at its ends, got {id!r}")
    return id


def key_of(id: str, address: str) -> str:
    """A cell's key in the graph: ``id + address``."""
    key = id + address
    if len(key) > KEY_BYTES_MAX // 4 and len(key.encode()) > KEY_BYTES_MAX:
        raise InputError(
            f"the key of a cell at level {level_of(address)} of {id!r} would have {len(key.encode())} bytes, and the "
            f"database's index holds {KEY_BYTES_MAX}; the hierarchy is too deep: ingest fewer levels"
        )
    return key


def deepest_level(id: str, *, arity: int) -> int:
    """The deepest level whose keys the database's index can hold, whatever their slots."""
    return (KEY_BYTES_MAX - len(id.encode())) // (1 + len(str(arity - 1)))


def subtree_range(id: str, address: str = ROOT) -> tuple[str, str]:
    """The half-open range of keys ``[low, high)`` that holds exactly the proper descendants of a cell.

    The root's own key ``id/`` lies in the range of its descendants; every other cell's key does not lie in its own.
    """
    stem = id + stem_of(address)
    return stem + "/", stem + "0"


@lru_cache(maxsize=64)
def relative_addresses(arity: int, height: int) -> tuple[str, ...]:
    """The addresses of all cells ``height`` levels below a cell, relative to it, in slot order: ``('/0', '/1', ...)``."""
    if height == 0:
        return ("",)
    return tuple(f"{head}/{slot}" for head in relative_addresses(arity, height - 1) for slot in range(arity))


def slot_matrix(addresses: Sequence[str]) -> Int[np.ndarray, "cells depth"]:
    """The slots of many addresses, one row each, filled up with -1: what array code compares addresses by."""
    rows = [parse_address(address) for address in addresses]
    matrix = np.full((len(rows), max(map(len, rows), default=0)), -1, dtype=np.int32)
    for row, slots in enumerate(rows):
        matrix[row, : len(slots)] = slots
    return matrix


def common_levels(first: Int[np.ndarray, "pairs depth"], second: Int[np.ndarray, "pairs depth"]) -> Int[np.ndarray, " pairs"]:
    """The level of the lowest common ancestor of each pair of rows of two slot matrices of equal shape."""
    same = (first == second) & (first >= 0)
    levels: Int[np.ndarray, " pairs"] = np.logical_and.accumulate(same, axis=1).sum(axis=1)
    return levels
