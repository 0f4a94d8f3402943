"""Ontologies: terms with names and relations to others, as OBO and obographs tell them, and the dag of some relations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cfgraph.errors import InputError
from cfgraph.files.texts import shorten
from cfgraph.model.columns import RESERVED, own_column
from cfgraph.model.dag import Dag

IS_A = "is_a"
SHOWN = 6


@dataclass
class Term:
    """What is known of a term: values that stand once, and lists of texts."""

    name: str | None = None
    obsolete: bool = False
    values: dict[str, str | bool] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Ontology:
    """Terms by identifier, and relations by their kind: pairs of a term and the one that it is related to."""

    where: str
    terms: dict[str, Term] = field(default_factory=dict)
    relations: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)  # what kinds of relations are called, by their identifier
    skipped: Counter[str] = field(default_factory=Counter)

    def relate(self, term: str, relation: str, other: str) -> None:
        """Note a relation."""
        self.relations.setdefault(relation, []).append((term, other))

    def skip(self, what: str) -> None:
        """Count something that is left out."""
        self.skipped[what] += 1

    def pairs_of(self, relations: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs of some kinds of relations, by identifier or name, in the order asked for."""
        pairs: list[tuple[str, str]] = []
        for asked in relations:
            kinds = [kind for kind in self.relations if self._means(kind, asked)]
            if not kinds and (asked != IS_A or self.relations):
                raise self._unknown(asked)
            for kind in kinds:
                pairs += self.relations[kind]
        return pairs

    def _means(self, kind: str, asked: str) -> bool:
        called = self.called.get(kind, "")
        return asked in (kind, called) or asked.replace("_", " ") == called.replace("_", " ")

    def _unknown(self, asked: str) -> InputError:
        counts = sorted(((len(pairs), kind) for kind, pairs in self.relations.items()), reverse=True)
        held = ", ".join(f"{self.called.get(kind, kind).replace(' ', '_')} ({count:,})" for count, kind in counts[:SHOWN])
        return InputError(
            f"expected a relation that {self.where} holds, got {shorten(asked)!r}; it holds {held or 'none'}: say which with "
            "--relation"
        )


def ontology_dag(ontology: Ontology, *, relations: Sequence[str] = (IS_A,)) -> Dag:
    """The dag of some relations, each from a parent to the term that is related to it; obsolete terms are left out.

    Nodes are called by their names, gaps filled from the identifiers, which are the column ``identifier``; where two terms
    have one name, by their identifiers.

    Raises:
        InputError: for a relation that the ontology does not hold.
    """
    pairs = ontology.pairs_of(relations)
    obsolete = {identifier for identifier, term in ontology.terms.items() if term.obsolete}
    to_obsolete = sum(term in obsolete or other in obsolete for term, other in pairs)
    if to_obsolete:
        pairs = [pair for pair in pairs if pair[0] not in obsolete and pair[1] not in obsolete]
    kept = [identifier for identifier in ontology.terms if identifier not in obsolete]
    known = set(kept)
    strangers = list(dict.fromkeys(other for _, other in pairs if other not in known))
    identifiers = [*kept, *strangers]
    if not identifiers:
        raise InputError(f"all {len(obsolete):,} terms of {ontology.where} are obsolete; expected some that are not")
    number = {identifier: index for index, identifier in enumerate(identifiers)}
    unique = list(dict.fromkeys(pairs))
    ends = np.array([(number[term], number[other]) for term, other in unique], dtype=np.int64).reshape(-1, 2)
    terms = [ontology.terms.get(identifier, Term()) for identifier in identifiers]
    notes = _notes(ontology, obsolete=len(obsolete), to_obsolete=to_obsolete, strangers=strangers, asked=relations)
    if len(unique) < len(pairs):
        notes.append(f"{len(pairs) - len(unique):,} of {len(pairs):,} relations repeat an earlier pair and were left out")
    names, columns, note = _called(identifiers, terms)
    return Dag(
        count=len(identifiers),
        parent=ends[:, 1],
        child=ends[:, 0],
        names=names,
        columns={**columns, **_columns(terms)},
        notes=(*notes, *note),
    )


def _called(identifiers: list[str], terms: list[Term]) -> tuple[list[str | None], dict[str, np.ndarray], tuple[str, ...]]:
    """What nodes are called, the column that tells the rest, and a note where names will not do."""
    found = [term.name for term in terms]
    names = [identifier if name is None else name for identifier, name in zip(identifiers, found, strict=True)]
    if all(name is None for name in found):
        return list(identifiers), {}, ()
    doubled = len(names) - len(set(names))
    if doubled:
        told = f"{doubled:,} names are another term's too, so cells go by their identifiers"
        return list(identifiers), {"label": own_column(found)}, (told,)
    lacking = sum(name is None for name in found)
    note = (f"{lacking:,} of {len(found):,} terms have no name and are called as their identifiers",) if lacking else ()
    return list(names), {"identifier": own_column(identifiers)}, note


def _columns(terms: list[Term]) -> dict[str, np.ndarray]:
    """What stands once in terms, and their lists of texts, as columns."""
    columns: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for term in terms for name in term.values):
        called = f"{name}_" if name in RESERVED or name in ("name", "identifier", "label") else name
        columns[called] = own_column([term.values.get(name) for term in terms])
    for name in dict.fromkeys(name for term in terms for name in term.lists):
        column = np.empty(len(terms), dtype=object)
        column[:] = [term.lists.get(name) for term in terms]
        columns[name] = column
    return columns


def _notes(ontology: Ontology, *, obsolete: int, to_obsolete: int, strangers: list[str], asked: Sequence[str]) -> list[str]:
    notes = []
    if obsolete:
        also = f", and {to_obsolete:,} relations with them" if to_obsolete else ""
        notes.append(f"{obsolete:,} obsolete {'term was' if obsolete == 1 else 'terms were'} left out{also}")
    others = {
        kind: len(pairs) for kind, pairs in ontology.relations.items() if not any(ontology._means(kind, one) for one in asked)
    }
    if others:
        shown = ", ".join(
            f"{ontology.called.get(kind, kind).replace(' ', '_')} ({count:,})" for kind, count in list(others.items())[:SHOWN]
        )
        notes.append(f"followed {', '.join(asked)}; other relations were left out: {shown}; --relation follows them")
    if strangers:
        notes.append(f"{len(strangers):,} terms are named by relations alone, first {shorten(strangers[0])!r}")
    if ontology.skipped:
        shown = ", ".join(f"{name} ({count:,})" for name, count in ontology.skipped.most_common(SHOWN))
        notes.append(f"left out: {shown}")
    return notes
