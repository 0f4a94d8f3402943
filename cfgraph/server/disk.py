"""What a disk may refuse, said in one line; and files that are either whole or not there."""

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cfgraph.errors import LocalServerError

REASONS = {
    errno.ENOSPC: "the disk is full; free some space there",
    errno.EDQUOT: "the disk quota is used up; free some space there",
    errno.EROFS: "it is read-only",
    errno.EEXIST: "a file is in the way",
    errno.ENOTDIR: "a file is in the way",
}

FULL = "the disk of {} is full; free some space there (64 MB at least), or use another folder: --store local:DIR"


@contextmanager
def explaining_disk_errors(place: Path, *, otherwise: str) -> Iterator[None]:
    """Turn an ``OSError`` into one line: which file, why, and what may be done ``otherwise``."""
    try:
        yield
    except OSError as error:
        where = Path(error.filename) if isinstance(error.filename, str) else place
        denied = error.errno in (errno.EACCES, errno.EPERM)
        reason = _tell_denied(where) if denied else REASONS.get(error.errno or 0, error.strerror or str(error))
        raise LocalServerError(f"cannot use {where}: {reason}; or {otherwise}") from error


def _tell_denied(where: Path) -> str:
    """Why a file or folder may not be used, as far as this user may know: whose it is, or that its rights are wrong."""
    us = os.geteuid()
    for known in (where, *where.absolute().parents):
        with suppress(OSError):
            owner = known.stat().st_uid
            if owner != us:
                return f"no permission: {known} belongs to user {owner}, and this is user {us}; run cfgraph as that user"
            return f"no permission; take the right to read and write there: chmod -R u+rwX {shlex.quote(str(known))}"
    return "no permission"


def write_private_file(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` for the owner's eyes only; a crash leaves the file as it was."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
