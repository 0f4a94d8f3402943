"""Place: a folder that files are written to and read from: on this machine's disk, or on one of pyarrow's file systems.

A file is there whole or not at all: on disk it is written beside its name, synced and renamed; on object stores one upload
makes it visible. Credentials stand in no URL: they are those of the environment, as each file system's library has them.
"""

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cfgraph.errors import DETAIL_MAX, InputError, few_handles

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs

STRANGE_KEYS = ("INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "UNRECOGNIZED_CLIENT")  # as S3 says it
PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # what a file is called until it is whole


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", text) is not None


def is_folder(text: str) -> bool:
    """Whether a title means a folder: a URL, what ends in a slash, or the path of one."""
    return text.endswith("/") or "://" in text or ("/" in text and Path(text).is_dir())


@dataclass(frozen=True)
class Place:
    """A folder by its path or URL: ``out/koch``, ``s3://bucket/koch``."""

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url) if is_url(self.url) else None
        if parts is not None and (parts.username or parts.password):
            raise InputError(
                f"{parts.scheme}://{parts.hostname or ''}{parts.path} is given with credentials, which logs and process lists "
                "would show; put them into the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://)"
            )

    def __str__(self) -> str:
        return self.url.partition("?")[0]

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url}  # a file system is opened anew where it is used

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "url", state["url"])

    @cached_property
    def _opened(self) -> "tuple[pyarrow.fs.FileSystem, str]":
        import pyarrow.fs

        with self._told("reach"):
            if not is_url(self.url):
                return pyarrow.fs.LocalFileSystem(), os.path.abspath(self.url)  # noqa: PTH100  # a link stays what it is
            filesystem, path = pyarrow.fs.FileSystem.from_uri(self.url)
            return filesystem, path.rstrip("/")

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return self._opened[0].type_name == "local"

    @property
    def everywhere(self) -> str:
        """Its URL, or its whole path: the same wherever a process works."""
        return self.url if is_url(self.url) else os.path.abspath(self.url)  # noqa: PTH100  # a link stays what it is

    def _path(self, name: str) -> str:
        return f"{self._opened[1]}/{name}"

    def make(self) -> None:
        """Make the folder, where it is not there; an ``InputError`` where it cannot be."""
        filesystem, path = self._opened
        with self._told("write to"):
            if self.local:
                filesystem.create_dir(path, recursive=False)

    def sizes(self) -> dict[str, int]:
        """The names of its files, with their sizes in bytes; of none where there is no such folder."""
        import pyarrow.fs

        filesystem, path = self._opened
        selector = pyarrow.fs.FileSelector(path, allow_not_found=True)
        with self._told("read"):
            found = filesystem.get_file_info(selector)
        return {info.base_name: info.size or 0 for info in found if info.type == pyarrow.fs.FileType.File}

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        import pyarrow.fs

        with self._told("read"):
            return bool(self._opened[0].get_file_info(self._path(name)).type == pyarrow.fs.FileType.File)

    def input_file(self, name: str) -> "pa.NativeFile":
        """A file to read from, at any place in it; an ``InputError`` where it is not there or cannot be read."""
        with self._told("read", name):
            return self._opened[0].open_input_file(self._path(name))

    def text(self, name: str) -> str | None:
        """What a file holds; None where there is none."""
        if not self.has(name):
            return None
        with self._told("read", name), self._opened[0].open_input_stream(self._path(name)) as file:
            return file.read().decode()

    def put(self, name: str, content: "pa.Buffer | bytes", *, first: bool = False) -> None:
        """Write a file, whole or not at all, in the place of one of that name.

        Where it is to be the ``first`` of its name, one that is there stays, of several that come at once one: on disks that
        know links. Elsewhere, on object stores too, the last one stays.
        """
        filesystem, path = self._opened[0], self._path(name)
        with self._told("write", name):
            if not self.local:
                with filesystem.open_output_stream(path) as file:
                    file.write(content)
                return
            part = self._path(f".{name}.{secrets.token_hex(4)}.part")
            try:
                with open(part, "xb") as file:  # noqa: PTH123  # a path of pyarrow's is a text
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                if not (first and _link(part, path)):
                    os.replace(part, path)  # noqa: PTH105  # texts, as above
            except FileNotFoundError:  # who finished the folder meanwhile has tidied up
                if not self.has(name):
                    raise
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(part)  # noqa: PTH108  # texts, as above

    def remove_parts(self) -> None:
        """Remove what killed processes left half written."""
        for name in self.sizes():
            if PART.fullmatch(name):
                with self._told("write to"), suppress(FileNotFoundError):
                    self._opened[0].delete_file(self._path(name))

    @contextmanager
    def _told(self, doing: str, name: str = "") -> Iterator[None]:
        """Errors of a file system, told as what cannot be done where."""
        import pyarrow as pa

        try:
            yield
        except InputError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            if (handles := few_handles(error)) is not None:
                raise handles from error
            where = f"{self}/{name}" if name else str(self)
            reason = " ".join((getattr(error, "strerror", None) or str(error)).split())[:DETAIL_MAX]
            raise InputError(f"cannot {doing} {where}: {reason}; {_advice(reason, self.url)}") from error


def _link(part: str, path: str) -> bool:
    """Give a file its name unless another has it; False where the disk knows no links."""
    try:
        os.link(part, path)
    except FileExistsError:
        return True
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV):
            return False
        raise
    return True


def _advice(reason: str, url: str) -> str:
    """What to do about an error of a file system."""
    denied = "denied" in reason.lower() or "AccessDenied" in reason
    if is_url(url) and not url.startswith("file:"):
        if any(sign in reason for sign in STRANGE_KEYS):
            what = "the credentials of the environment are not known there"
        elif denied:
            what = (
                "the credentials of the environment have no right to it: reading wants s3:GetObject and s3:ListBucket, growing "
                "s3:PutObject too"
            )
        else:
            what = "check the URL and the credentials"
        return f"{what} (of s3:// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and ?endpoint_override=HOST:PORT)"
    return "choose another place or change its rights" if denied else "check the path, or choose another place"
