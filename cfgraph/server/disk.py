"""What a disk may refuse, said in one line; and files that are either whole or not there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cfgraph.errors import LocalServerError

REASONS = {
    errno.ENOSPC: "the disk is full; free some space there",
    errno.EDQUOT: "the disk quota is used up; free some space there",
    errno.EROFS: "it is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
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
        reason = REASONS.get(error.errno or 0, error.strerror or str(error))
        where = error.filename if isinstance(error.filename, str) else place
        raise LocalServerError(f"cannot use {where}: {reason}; or {otherwise}") from error


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
