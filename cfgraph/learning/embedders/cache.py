"""EmbeddingCache: embeddings that were made before, by image and by model, so that an interrupted run goes on.

A folder for each model holds a file for each batch: the SHA-256 of each image, its embedding, and in the file's name the
SHA-256 of all that. So several runs at once only ever add files, and a damaged one is known by its name.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.opened import opened
from cfgraph.files.whole import whole_file

DIGEST_BYTES = 32
_SUFFIX = ".embeddings"


@dataclass(eq=False)
class EmbeddingCache:
    """The embeddings that one model gave before."""

    folder: Path
    dimension: int
    known: dict[bytes, Float[np.ndarray, " dim"]]
    damaged: int = 0  # files that were left out, and removed

    @classmethod
    def of(cls, folder: Path, *, key: str, dimension: int) -> "EmbeddingCache":
        """What there is by the model of a key; an ``InputError`` for a place where no folder can be."""
        place = folder / key[:DIGEST_BYTES]
        try:
            place.mkdir(parents=True, exist_ok=True)
            names = sorted(path for path in place.iterdir() if path.suffix == _SUFFIX and not path.name.startswith("."))
        except OSError as error:
            raise InputError(f"the cache {folder} cannot be used: {error.strerror}; name another folder") from None
        cache = cls(place, dimension, {})
        for path in names:
            cache._read(path)
        return cache

    def add(self, digests: list[bytes], rows: Float[np.ndarray, "images dim"]) -> None:
        """Keep some embeddings, all of them or none."""
        content = len(digests).to_bytes(8, "little") + b"".join(digests) + np.ascontiguousarray(rows, dtype="<f4").tobytes()
        with whole_file(self.folder / f"{hashlib.sha256(content).hexdigest()}{_SUFFIX}") as file:
            file.write(content)
        self.known.update(zip(digests, rows.astype(np.float32), strict=True))

    def _read(self, path: Path) -> None:
        content = b""
        try:
            with opened(path, expected="embeddings", large=True) as file:
                content = file.handle.read()
        except InputError:  # empty, or another run has just removed it
            pass
        count = int.from_bytes(content[:8], "little")
        fits = len(content) == 8 + count * (DIGEST_BYTES + 4 * self.dimension)
        if not fits or hashlib.sha256(content).hexdigest() != path.name.removesuffix(_SUFFIX):
            self.damaged += 1
            path.unlink(missing_ok=True)
            return
        start = 8 + count * DIGEST_BYTES
        rows = np.frombuffer(content, dtype="<f4", offset=start).reshape(count, self.dimension)
        for number in range(count):
            self.known[content[8 + number * DIGEST_BYTES : 8 + (number + 1) * DIGEST_BYTES]] = rows[number]
