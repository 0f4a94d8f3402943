"""Taxdumps: NCBI's taxonomy, ``nodes.dmp`` with ``names.dmp`` beside it; columns stand between ``\\t|\\t``.

Of ``nodes.dmp`` this reads the taxon, its parent and its rank; of ``names.dmp`` the scientific names. Both may be gzipped, lie
in one folder, or in the ``taxdump.tar.gz`` that NCBI gives. Format: ftp.ncbi.nlm.nih.gov/pub/taxonomy/taxdump_readme.txt.
"""

import io
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cfgraph.errors import InputError, one_line
from cfgraph.files.opened import opened
from cfgraph.model.dag import Dag

NODES, NAMES = "nodes.dmp", "names.dmp"
_TIMES = 6  # of a file's length in memory, measured
_LINE = re.compile(rb"[0-9]+\t\|\t[0-9]+\t\|\t")
_EXPECTED = "NCBI's nodes.dmp: taxon, parent and rank between tabs and bars"
_BLOCK_BYTES = 1 << 24
_TAR_SIGN = slice(257, 262)  # of the first header of an archive


def is_taxdump(begin: bytes) -> bool:
    """Whether what a file begins with is that of NCBI's nodes, or of an archive of files."""
    return _LINE.match(begin) is not None or begin[_TAR_SIGN] == b"ustar"


def find_beside(folder: Path, name: str) -> Path | None:
    """A file of that name in a folder, gzipped or not."""
    try:
        return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
    except (OSError, ValueError):  # of a folder that cannot be; whoever opens it explains
        return None


def read_taxdump(path: Path | str, *, large: bool = False) -> Dag:
    """The dag of a taxonomy: a node a taxon, with the column ``rank`` and, where names are known, ``identifier``.

    Raises:
        InputError: for rows of other forms, with their line, and for a taxon that comes twice.
    """
    path = Path(path)
    if path.is_dir():
        found = find_beside(path, NODES)
        if found is None:
            raise InputError(f"there is no {NODES} in {path}; expected {_EXPECTED}")
        path = found
    content = _content(path, large=large)
    if content[_TAR_SIGN] == b"ustar":
        members = _members(content, path=path)
        if NODES not in members:
            raise InputError(f"there is no {NODES} in {path}; expected {_EXPECTED}, or NCBI's taxdump.tar.gz")
        del content
        return _dag(members[NODES], where=f"{NODES} in {path}", names=(members.get(NAMES), f"{NAMES} in {path}"))
    beside = find_beside(path.parent, NAMES)
    return _dag(content, where=str(path), names=(None if beside is None else _content(beside, large=large), str(beside)))


def _content(path: Path, *, large: bool) -> bytes:
    with opened(path, expected=_EXPECTED, large=large) as file:
        file.check_fits(_TIMES * file.size)
        return file.rewound().read()


def _members(content: bytes, *, path: Path) -> dict[str, bytes]:
    """The two files in an archive, as far as they are in it."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.TarFile(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                stream = archive.extractfile(member) if Path(member.name).name in (NODES, NAMES) else None
                if stream is not None:
                    found[Path(member.name).name] = stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path} is a damaged archive: {one_line(error)}") from None
    return found


def _dag(nodes: bytes, *, where: str, names: tuple[bytes | None, str]) -> Dag:
    taxon, parent, rank = _columns(nodes, (0, 2, 4), where=where, least=5)
    child_id, parent_id = _numbers(taxon, where=where, what="taxon"), _numbers(parent, where=where, what="parent")
    order = np.argsort(child_id, kind="stable")
    twice = np.flatnonzero(np.diff(child_id[order]) == 0)
    if len(twice):
        raise InputError(
            f"expected each taxon once in {where}, got {child_id[order[twice[0]]]} twice; leave one of the rows out"
        )
    is_root = (child_id == parent_id) | (parent_id <= 0)
    above = _place(parent_id, child_id, order)
    lost = np.flatnonzero((above < 0) & ~is_root)
    notes = []
    if len(lost):
        notes.append(
            f"{len(lost):,} taxa have a parent that {where} does not hold, first {child_id[lost[0]]} under "
            f"{parent_id[lost[0]]}: they are roots"
        )
    has_parent = np.flatnonzero(above >= 0)
    has_parent = has_parent[~is_root[has_parent]]
    roots = np.flatnonzero(is_root)
    if len(roots):
        notes.append(
            f"{len(roots):,} {'row has' if len(roots) == 1 else 'rows have'} no parent (itself): {child_id[roots[0]]} is a root"
        )
    columns = {"rank": _ranks(rank)}
    called, more, told = _called(child_id, order, names)
    return Dag(
        count=len(child_id),
        parent=above[has_parent],
        child=has_parent,
        names=called,
        columns=more | columns,
        notes=(*notes, *told),
    )


def _place(wanted: np.ndarray, ids: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Where in ``ids`` each number stands, -1 for nowhere; ``order`` sorts ``ids``."""
    place = np.searchsorted(ids, wanted, sorter=order)
    place = order[np.minimum(place, len(order) - 1)]
    return np.where(ids[place] == wanted, place, -1)


def _ranks(column: Any) -> np.ndarray:
    """Ranks as texts, one object for each rank; None where there is none."""
    encoded = column.dictionary_encode()
    texts = np.array([*(text or None for text in encoded.dictionary.to_pylist()), None], dtype=object)
    return texts[encoded.indices.to_numpy(zero_copy_only=False)]


def _called(
    ids: np.ndarray, order: np.ndarray, names: tuple[bytes | None, str]
) -> tuple[list[str | None], dict[str, np.ndarray], tuple[str, ...]]:
    """What taxa are called: their scientific names, or, where several have one, their unique ones; gaps are numbers."""
    content, where = names
    if content is None:
        return list(map(str, ids.tolist())), {}, (f"no {NAMES} lies beside it, so taxa are called by their numbers",)
    import pyarrow as pa
    from pyarrow import compute

    taxon, name, unique, kind = _columns(content, (0, 2, 4, 6), where=where, least=7)
    chosen = compute.equal(kind, pa.scalar("scientific name"))
    taxon, name, unique = (column.filter(chosen) for column in (taxon, name, unique))
    place = _place(_numbers(taxon, where=where, what="taxon"), ids, order)
    inside = np.flatnonzero(place >= 0)
    found = np.empty(len(ids), dtype=object)
    found[place[inside]] = name.to_numpy(zero_copy_only=False)[inside]
    doubled = _doubled(found)
    if doubled.any():
        better = np.empty(len(ids), dtype=object)
        better[place[inside]] = unique.to_numpy(zero_copy_only=False)[inside]
        swap = doubled & np.array([bool(text) for text in better.tolist()])
        found[swap] = better[swap]
        doubled = _doubled(found)
    lacking = np.array([not text for text in found.tolist()])
    notes = []
    if lacking.any():
        notes.append(f"{int(lacking.sum()):,} of {len(ids):,} taxa have no scientific name and are called by their numbers")
        found[lacking] = np.array(list(map(str, ids[lacking].tolist())), dtype=object)
    if doubled.any():
        notes.append(f"{int(doubled.sum()):,} taxa share a name with another: their numbers stand behind it")
        found[doubled] = np.array(
            [f"{text} ({one})" for text, one in zip(found[doubled].tolist(), ids[doubled].tolist(), strict=True)], dtype=object
        )
    return found.tolist(), {"identifier": ids}, tuple(notes)


def _doubled(names: np.ndarray) -> np.ndarray:
    """Which names come several times."""
    import pyarrow as pa

    encoded = pa.array(names, pa.string()).dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    is_name = np.array([text is not None for text in encoded.dictionary.to_pylist()])
    return (np.bincount(codes, minlength=len(is_name)) > 1)[codes] & is_name[codes]


def _columns(content: bytes, wanted: Sequence[int], *, where: str, least: int) -> list[Any]:
    """Some columns of a file of NCBI's, as texts: every other field is a bar."""
    import pyarrow as pa
    from pyarrow import csv

    first = content[:4096].split(b"\n", 1)[0].rstrip(b"\r")
    width = first.count(b"\t") + 1
    if width < least or not first.split(b"\t")[0].isdigit():
        raise InputError(f"line 1 of {where}: expected {_EXPECTED}, got {first[:60].decode(errors='replace')!r}")
    names = [str(index) for index in range(width)]
    chosen = [names[index] for index in wanted]
    try:
        table = csv.read_csv(
            io.BytesIO(content),
            read_options=csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(chosen, pa.string()),
                include_columns=chosen,
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _wrong(content, width, where=where, otherwise=one_line(error)) from None
    return [pa.concat_arrays(column.chunks) for column in table.columns]


def _wrong(content: bytes, width: int, *, where: str, otherwise: str) -> InputError:
    """The first row of another form."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip() and line.count(b"\t") + 1 != width:
            return InputError(
                f"line {number} of {where}: expected {(width + 1) // 2} columns between tabs and bars, as in line 1, got "
                f"{line[:60].decode(errors='replace')!r}"
            )
    return InputError(f"{where} is no table of NCBI's: {otherwise}")


def _numbers(column: Any, *, where: str, what: str) -> np.ndarray:
    import pyarrow as pa
    from pyarrow import compute

    try:
        return compute.utf8_trim_whitespace(column).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        wrong = compute.invert(compute.match_substring_regex(column, r"^\s*-?[0-9]{1,18}\s*$")).to_numpy(zero_copy_only=False)
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(f"line {row + 1} of {where}: expected a number as {what}, got {column[row].as_py()[:40]!r}") from None
