"""IFS texts: Fractint's ``.ifs`` and the affine parts of Apophysis' ``.flame``, as matrices and offsets.

Fractint: entries ``name { ... }``, a map a line: ``a b c d e f p`` for x' = a x + b y + e, y' = c x + d y + f, or, marked
``(3D)``, the nine numbers of a matrix, three of an offset and p; what follows ``;`` is a comment.

Flames: ``<xform coefs="a d b e c f">`` for x' = a x + b y + c, y' = d x + e y + f, scaled by the weight of ``linear`` and
followed by ``post``; other variations, a final transform and colors are no affine maps, and are named.
"""

import re
from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.texts import count_line_ends, shorten

Maps = list[tuple[np.ndarray, np.ndarray]]
_ENTRY = re.compile(r"([^{}]*?)\{([^{}]*)\}")
_SOLID = re.compile(r"\(\s*3d\s*\)", re.IGNORECASE)
_COMMENT = re.compile(r";[^\r\n]*")
_PLANE, _SPACE = (6, 7), (12, 13)  # numbers of a map, without and with its probability
_LINEAR = ("linear", "linear3D")
_KNOWN = {"weight", "color", "coefs", "post", "symmetry", "opacity", "name", "animate", "color_speed", "chaos", "plotmode"}
_KNOWN |= {*_LINEAR}


@dataclass(frozen=True, eq=False)
class Entry:
    """The maps of one entry of a file, and what is said of the rest of it."""

    maps: Maps
    notes: tuple[str, ...] = ()


def looks_like_fractint(text: str) -> bool:
    """Whether a text begins with an entry of Fractint's."""
    plain = _COMMENT.sub("", text[:4096]).lstrip()
    return "{" in plain and not plain.startswith(("{", "[", "<", '"'))


def parse_fractint(text: str, *, where: str) -> dict[str, Entry]:
    """The entries of a Fractint file by name.

    Raises:
        InputError: for rows of other lengths and what is no number, with the line, names that come twice, and no entry at all.
    """
    plain = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    entries: dict[str, Entry] = {}
    end = 0
    for found in _ENTRY.finditer(plain):
        end = found.end()
        is_solid = bool(_SOLID.search(found[1]) or _SOLID.match(found[2].lstrip()))
        name = " ".join(_SOLID.sub(" ", found[1]).split())
        body = _SOLID.sub(lambda sign: " " * len(sign[0]), found[2], count=1)
        if not name or name in entries:
            line = _line(plain, found.start(2))
            raise InputError(f"line {line} of {where}: expected entries of different names, got {name!r}")
        entries[name] = Entry(_rows(body, plain, found.start(2), is_solid=is_solid, where=where))
    if not entries or plain[end:].strip():
        line = _line(plain, end + len(plain[end:]) - len(plain[end:].lstrip()))
        raise InputError(f"line {line} of {where}: expected an entry NAME {{ a b c d e f p ... }} that is closed, got none")
    return entries


def _line(text: str, place: int) -> int:
    return count_line_ends(text, place) + 1


def _rows(body: str, text: str, start: int, *, is_solid: bool, where: str) -> Maps:
    """The maps in an entry's lines."""
    lengths = _SPACE if is_solid else _PLANE
    maps: Maps = []
    for found in re.finditer(r"[^\r\n]+", body):
        cells = found[0].replace(",", " ").split()
        if not cells:
            continue
        line = _line(text, start + found.start())
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            raise InputError(f"line {line} of {where}: expected numbers, got {shorten(found[0])!r}") from None
        if len(values) not in lengths or not np.isfinite(values).all():
            raise InputError(
                f"line {line} of {where}: expected {lengths[0]} finite numbers of a map, or {lengths[1]} with its probability, "
                f"got {len(values)}: {shorten(found[0])!r}{'' if is_solid else '; maps in space are marked (3D)'}"
            )
        size = 3 if is_solid else 2
        numbers = np.array(values)
        maps.append((numbers[: size * size].reshape(size, size), numbers[size * size : size * size + size]))
    return maps


def parse_flames(text: str, *, where: str) -> dict[str, Entry]:
    """The affine parts of the flames in a file, by name.

    Raises:
        InputError: for what is no XML or holds no flame, and coefficients that are not six numbers, with the transform.
    """
    try:
        top = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")))
    except ElementTree.ParseError as error:
        if "junk after document" not in str(error):
            raise InputError(f"{where} is no XML of flames: {error}") from None
        return parse_flames(f"<flames>{text.lstrip()}</flames>", where=where)
    except RecursionError:
        raise InputError(f"{where} is nested too deeply to be a flame") from None
    flames = [top] if top.tag.lower() == "flame" else list(top.iter("flame"))
    if not flames:
        raise InputError(f"expected a <flame> in {where}, got XML of <{shorten(top.tag)}>")
    entries: dict[str, Entry] = {}
    for flame in flames:
        name = flame.get("name") or "flame"
        if name in entries:
            raise InputError(f"expected flames of different names in {where}, got {name!r} twice; rename one")
        entries[name] = _flame(flame, where=f"flame {name!r} of {where}")
    return entries


def _flame(flame: ElementTree.Element, *, where: str) -> Entry:
    transforms = [element for element in flame.iter() if element.tag.lower() == "xform"]
    maps, rest = [], Counter[str]()
    for index, element in enumerate(transforms):
        maps.append(_transform(element, rest, where=f"transform {index} of {where}"))
    rest.update("a final transform" for element in flame.iter() if element.tag.lower() == "finalxform")
    colored = any("color" in element.attrib for element in transforms)
    if colored or any(element.tag.lower() in ("palette", "color", "colors") for element in flame.iter()):
        rest["colors"] += 1
    told = ", ".join(sorted(rest))
    return Entry(maps, (f"of a flame the affine parts were taken; left out: {told}",) if told else ())


def _transform(element: ElementTree.Element, rest: Counter[str], *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """The affine part of a transform; the names of what else it holds are counted."""
    matrix, offset = _affine(element.get("coefs"), where=f"coefs of {where}")
    others = [name for name in element.attrib if name not in _KNOWN and _is_weight(element.get(name))]
    rest.update(f"the variation {name}" for name in others)
    linear = sum(_weight(element.get(name), where=where) for name in _LINEAR if name in element.attrib)
    if not others and linear:
        matrix, offset = linear * matrix, linear * offset
    if "post" in element.attrib and element.get("post", "").split() != ["1", "0", "0", "1", "0", "0"]:
        if others:
            rest["post transforms"] += 1
        else:
            after, shift = _affine(element.get("post"), where=f"post of {where}")
            matrix, offset = after @ matrix, after @ offset + shift
    if "chaos" in element.attrib:
        rest["chaos"] += 1
    return matrix, offset


def _affine(told: str | None, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        numbers = np.array([float(value) for value in (told or "").split()])
    except ValueError:
        numbers = np.zeros(0)
    if len(numbers) != 6 or not np.isfinite(numbers).all():
        raise InputError(f"expected six finite numbers as {where}, got {shorten(told or 'none')!r}")
    return numbers[:4].reshape(2, 2).T, numbers[4:]


def _is_weight(told: str | None) -> bool:
    try:
        return float(told or "0") != 0
    except ValueError:
        return False


def _weight(told: str | None, *, where: str) -> float:
    try:
        return float(told or "1")
    except ValueError:
        raise InputError(f"expected a number as the weight of linear in {where}, got {shorten(told or '')!r}") from None
