"""Edge roles: which column of a table holds children, parents, lengths, names, lineages or ranks, as asked or by its header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cfgraph.errors import InputError
from cfgraph.files.texts import shorten

# What columns of children are called beside a column `parent`, the likeliest first.
_CHILDREN = (
    "child",
    "childid",
    "id",
    "node",
    "nodeid",
    "item",
    "itemid",
    "term",
    "termid",
    "taxid",
    "taxonid",
    "address",
    "code",
    "key",
    "name",
)
# Two columns that tell by their names which of them stands above, the upper one first.
_PAIRS = (
    ("source", "target"),
    ("from", "to"),
    ("ancestor", "descendant"),
    ("superclass", "subclass"),
    ("supertype", "subtype"),
    ("broader", "narrower"),
    ("hypernym", "hyponym"),
)
_LEAVES = ("featureid", "feature", "otuid", "otu", "asvid", "asv", "genome", "accession", "seqid", "sequenceid")
_LINEAGES = ("lineage", "taxonomy", "taxon", "classification")
_RANKS = ("domain", "superkingdom", "kingdom", "phylum", "class", "order", "family", "genus", "species")


@dataclass(frozen=True)
class Asked:
    """How edges are to be read, as far as somebody said it."""

    child: str | None = None
    parent: str | None = None
    length: str | None = None
    name: str | None = None
    separator: str | None = None
    decimal: str | None = None
    reverse: bool = False
    no_parent: tuple[str, ...] | None = None
    lineage: str | None = None
    lineage_separator: str | None = None
    ranks: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that were named."""
        named = (self.child, self.parent, self.length, self.name, self.lineage, *(self.ranks or ()))
        return tuple(name for name in named if name is not None)

    @property
    def places(self) -> bool:
        """Whether columns are named by their number, from 1, as those without a header are."""
        return bool(self.columns) and all(re.fullmatch("[1-9][0-9]*", name) for name in self.columns)

    @property
    def names(self) -> bool:
        """Whether columns are named by what a header calls them."""
        return bool(self.columns) and not self.places


@dataclass(frozen=True)
class Roles:
    """The numbers of the columns that hold what, from 0."""

    child: int | None = None
    parent: int | None = None
    length: int | None = None
    name: int | None = None
    child_name: int | None = None
    parent_name: int | None = None
    lineage: int | None = None
    ranks: tuple[int, ...] = ()
    note: str | None = None  # what is said where they were guessed

    @property
    def used(self) -> set[int]:
        """The columns that play a role."""
        single = (self.child, self.parent, self.length, self.name, self.child_name, self.parent_name, self.lineage)
        return {index for index in (*single, *self.ranks) if index is not None}

    def shifted(self, by: int) -> "Roles":
        """The same roles with so many columns before them."""
        moved = {
            name: index + by
            for name in ("child", "parent", "length", "name", "child_name", "parent_name", "lineage")
            if (index := getattr(self, name)) is not None
        }
        return replace(self, ranks=tuple(index + by for index in self.ranks), **moved)


def find_roles(names: Sequence[str], asked: Asked, *, where: str) -> Roles | None:
    """What columns of these names hold; None where the names do not tell, so that the row may be none of names.

    Raises:
        InputError: for a column that is asked for and comes several times, or not at all beside others that are there.
    """
    header = _Header(names, where)
    roles = _main_roles(header, asked)
    if roles is None:
        return None
    length = asked.length or next((name for name in ("length", "weight") if name in header.small), None)
    if length is not None and roles.lineage is None and not roles.ranks:
        roles = replace(roles, length=header.position(length))
    if asked.name is not None:
        return replace(roles, name=header.position(asked.name))
    free = {name: index for index, name in enumerate(header.small) if index not in roles.used}
    return replace(roles, name=free.get("name"), child_name=free.get("child_name"), parent_name=free.get("parent_name"))


def roles_by_position(width: int, asked: Asked) -> Roles | None:
    """Roles in a table without a header: by the numbers asked for, else child, parent and length."""
    if asked.places and max(map(int, asked.columns)) > width:
        raise InputError(f"expected the numbers of columns up to {width}, got {', '.join(asked.columns)}")

    def place(name: str | None) -> int | None:
        return None if name is None else int(name) - 1

    if asked.ranks:
        return Roles(child=place(asked.child), name=place(asked.name), ranks=tuple(int(name) - 1 for name in asked.ranks))
    if asked.lineage is not None:
        other = next((index for index in range(width) if width == 2 and index != int(asked.lineage) - 1), None)
        return Roles(child=place(asked.child) if asked.child else other, name=place(asked.name), lineage=place(asked.lineage))
    child = place(asked.child) if asked.child else 0
    parent = place(asked.parent) if asked.parent else 1
    length = place(asked.length) if asked.length else (2 if width == 3 and not asked.places else None)
    return Roles(child=child, parent=parent, length=length, name=place(asked.name)) if width > 1 else None


def roles_wanted(names: Sequence[str], asked: Asked, *, where: str) -> InputError:
    """What is said where neither the header nor anybody tells which columns hold children and parents."""
    wanted = " and ".join(repr(name) for name in (asked.child or "child", asked.parent or "parent"))
    return InputError(
        f"expected a first row of {where} that names {wanted}, or two columns without a header, child and parent; got "
        f"{len(names)} columns: {shorten(', '.join(names))}; say which with --child and --parent (for a string of ranks "
        "--lineage, for a column a rank --ranks)"
    )


class _Header:
    def __init__(self, names: Sequence[str], where: str):
        self.names, self.where = [name.strip() for name in names], where
        self.small = [name.lower() for name in self.names]
        self.bare = [re.sub("[^a-z0-9]", "", name) for name in self.small]

    def position(self, name: str) -> int:
        """Where the column of a name stands, by the name as it is or else in small letters."""
        among = self.names if name in self.names else self.small
        sought = name if name in self.names else name.lower()
        if among.count(sought) != 1:
            raise InputError(
                f"expected one column {name!r} in {self.where}, got {among.count(sought)} among "
                f"{shorten(', '.join(self.names))}"
            )
        return among.index(sought)

    def has(self, name: str) -> bool:
        return name in self.names or name.lower() in self.small


def _main_roles(header: _Header, asked: Asked) -> Roles | None:
    """The columns of children and parents, or of lineages or ranks."""
    if asked.places and not any(map(header.has, asked.columns)):
        return None
    if asked.ranks:
        if not all(map(header.has, asked.ranks)):
            raise _missing(header, asked.ranks, "--ranks")
        ranks = tuple(map(header.position, asked.ranks))
        return Roles(child=_child_beside(header, asked, used=set(ranks)), ranks=ranks)
    if asked.lineage is not None:
        if not header.has(asked.lineage):
            raise _missing(header, [asked.lineage], "--lineage")
        lineage = header.position(asked.lineage)
        return Roles(child=_child_beside(header, asked, used={lineage}), lineage=lineage)
    wanted = {"child": asked.child or "child", "parent": asked.parent or "parent"}
    if all(map(header.has, wanted.values())):
        return Roles(child=header.position(wanted["child"]), parent=header.position(wanted["parent"]))
    if asked.parent is not None or (asked.child is not None and not header.has(asked.child)):
        return None
    return _guessed(header, asked)


def _missing(header: _Header, wanted: Sequence[str], option: str) -> InputError:
    lacking = [name for name in wanted if not header.has(name)]
    return InputError(
        f"expected the columns of {option} in the first row of {header.where}, got no {', '.join(map(repr, lacking))} among "
        f"{shorten(', '.join(header.names))}"
    )


def _child_beside(header: _Header, asked: Asked, *, used: set[int]) -> int | None:
    """The column of the leaves beside lineages or ranks: as asked, the only other one, or one that is called like such."""
    if asked.child is not None:
        return header.position(asked.child)
    others = [index for index in range(len(header.names)) if index not in used]
    for name in _CHILDREN:
        for index in others:
            if header.bare[index] == name or header.bare[index] in _LEAVES:
                return index
    return others[0] if len(others) == 1 and len(used) == 1 else None


def _guessed(header: _Header, asked: Asked) -> Roles | None:
    """Roles by names that are near enough: ``parent_id`` beside ``id``, and the names of lineages and ranks."""
    parents = [index for index, name in enumerate(header.bare) if name.startswith("parent") and name != "parentname"]
    if len(parents) == 1:
        parent = parents[0]
        child = header.position(asked.child) if asked.child else _partner(header, parent)
        if child is not None:
            return Roles(child=child, parent=parent, note=_guess(header, child=child, parent=parent))
    if len(parents) > 0:
        return None
    both = [pair for pair in _PAIRS if all(header.bare.count(name) == 1 for name in pair)]
    if len(both) == 1 and asked.child is None:
        parent, child = map(header.bare.index, both[0])
        return Roles(child=child, parent=parent, note=_guess(header, child=child, parent=parent))
    lineages = [index for index, name in enumerate(header.bare) if name in _LINEAGES]
    if len(lineages) == 1 and len(header.names) > 1:
        child = _child_beside(header, asked, used=set(lineages))
        note = f"the column {header.names[lineages[0]]!r} was taken for lineages; --lineage says another"
        return Roles(child=child, lineage=lineages[0], note=note)
    ranks = [header.bare.index(name) for name in _RANKS if name in header.bare]
    if len(ranks) >= 3 and ranks == sorted(ranks):
        called = ", ".join(header.names[index] for index in ranks)
        child = _child_beside(header, asked, used=set(ranks))
        return Roles(child=child, ranks=tuple(ranks), note=f"a column a rank: {called}; --ranks says others")
    return None


def _partner(header: _Header, parent: int) -> int | None:
    """The column of the children beside one of parents: called the same without ``parent``, the only other, or a usual name."""
    rest = header.bare[parent].removeprefix("parent")
    others = [index for index in range(len(header.names)) if index != parent and header.names[index]]
    same = [index for index in others if rest and header.bare[index] == rest]
    if same or len(others) == 1:
        return (same or others)[0]
    return next((index for name in _CHILDREN for index in others if header.bare[index] == name), None)


def _guess(header: _Header, *, child: int, parent: int) -> str:
    return (
        f"{header.names[child]!r} was taken for the column of children and {header.names[parent]!r} for that of parents; "
        "--child and --parent say others"
    )
