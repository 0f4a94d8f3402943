"""Obographs: ontologies as JSON, as ROBOT and the OBO Foundry write them: ``{"graphs": [{"nodes": [...], "edges": [...]}]}``.

A node has an ``id``, a label ``lbl`` and ``meta``; an edge leads from ``sub`` by ``pred`` to ``obj``. Identifiers that are
addresses of the OBO Foundry become what OBO calls them, ``GO:0008150``, relations what the file calls them: ``part_of``.
Format: github.com/geneontology/obographs.
"""

import json
import re
from pathlib import Path
from typing import Any

from cfgraph.errors import InputError
from cfgraph.files.texts import JSON_TIMES, read_text, shorten
from cfgraph.formats.ontology import IS_A, Ontology, Term

_PURL = re.compile(r"https?://purl\.obolibrary\.org/obo/([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z]+)*)_([0-9A-Za-z]+)")
_IS_A = (IS_A, "subClassOf", "http://www.w3.org/2000/01/rdf-schema#subClassOf", "rdfs:subClassOf")
_RELATIONS = {"BFO:0000050": "part_of", "BFO:0000051": "has_part"}  # as OBO abbreviates them, where the file does not say
_VALUES = {"namespace": "hasOBONamespace", "creation_date": "creation_date", "created_by": "created_by"}


def read_obographs(path: Path | str, *, large: bool = False) -> Ontology:
    """The terms of an obographs file and the relations between them.

    Raises:
        InputError: for another JSON, and nodes and edges of other forms, with their number.
    """
    path = Path(path)
    return parse_obographs(
        read_text(path, expected="an ontology as obographs JSON", times=JSON_TIMES, large=large), where=str(path)
    )


def parse_obographs(text: str, *, where: str) -> Ontology:
    """The ontology in a text; ``where`` says for errors what it is of."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{where} is no JSON of an ontology: {shorten(str(error))}") from None
    graphs = document.get("graphs") if isinstance(document, dict) else None
    if not isinstance(graphs, list) or not all(isinstance(graph, dict) for graph in graphs):
        raise InputError(_other_json(document, where))
    ontology = Ontology(where)
    for graph in graphs:
        for index, node in enumerate(_listed(graph, "nodes", where)):
            _add_node(ontology, node, index=index)
        for index, edge in enumerate(_listed(graph, "edges", where)):
            _add_edge(ontology, edge, index=index)
    if not ontology.terms:
        raise InputError(f"{where} holds no nodes of an ontology; expected obographs JSON with terms")
    return ontology


def _other_json(document: Any, where: str) -> str:
    expected = f'expected child-parent pairs, or obographs JSON ({{"graphs": [...]}}), in {where}'
    if isinstance(document, dict) and "children" in document:
        return f"{expected}, got a nested tree; read it with: cfgraph ingest tree {where}"
    if isinstance(document, dict) and "nodes" in document:
        return f"{expected}, got node-link JSON; read it with: cfgraph ingest graph {where}"
    kind = f"an object with {shorten(', '.join(map(str, document)))}" if isinstance(document, dict) else "another JSON"
    return f"{expected}, got {kind}"


def _listed(graph: dict[str, Any], name: str, where: str) -> list[Any]:
    found = graph.get(name, [])
    found = [] if found is None else found
    if not isinstance(found, list):
        raise InputError(f"expected a list as {name!r} of a graph in {where}, got {type(found).__name__}")
    return found


def _add_node(ontology: Ontology, node: Any, *, index: int) -> None:
    if not isinstance(node, dict) or not isinstance(node.get("id"), str) or not node["id"]:
        raise InputError(f"expected an 'id' at each node of {ontology.where}, got none at node {index} (counted from 0)")
    meta = node.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    identifier, label = short_id(node["id"]), node.get("lbl")
    label = label if isinstance(label, str) and label.strip() else None
    if node.get("type") == "PROPERTY":
        if label is not None:
            ontology.called[identifier] = label.replace(" ", "_")
        return
    if node.get("type") == "INDIVIDUAL":
        ontology.skip("individuals")
        return
    term = ontology.terms.setdefault(identifier, Term())
    term.name = term.name or label
    term.obsolete = term.obsolete or meta.get("deprecated") is True
    _add_meta(term, meta)


def _add_meta(term: Term, meta: dict[str, Any]) -> None:
    definition = meta.get("definition")
    if isinstance(definition, dict) and isinstance(definition.get("val"), str):
        term.values.setdefault("def", definition["val"])
    comments = meta.get("comments")
    if isinstance(comments, list) and comments and isinstance(comments[0], str):
        term.values.setdefault("comment", comments[0])
    told = meta.get("basicPropertyValues")
    for pair in told if isinstance(told, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("pred"), str) and isinstance(pair.get("val"), str):
            last = re.split("[#/]", pair["pred"])[-1]
            if last == "hasAlternativeId":
                term.lists.setdefault("alt_id", []).append(short_id(pair["val"]))
            for name, sign in _VALUES.items():
                if last == sign:
                    term.values.setdefault(name, pair["val"])


def _add_edge(ontology: Ontology, edge: Any, *, index: int) -> None:
    parts = [edge.get(name) if isinstance(edge, dict) else None for name in ("sub", "pred", "obj")]
    term, relation, other = (part if isinstance(part, str) else "" for part in parts)
    if not (term and relation and other):
        raise InputError(
            f"expected texts as 'sub', 'pred' and 'obj' of each edge of {ontology.where}, got {shorten(json.dumps(edge))} at "
            f"edge {index} (counted from 0)"
        )
    term, other = short_id(term), short_id(other)
    if relation in _IS_A and (term in ontology.called or other in ontology.called):
        return  # of one kind of relation under another
    relation = IS_A if relation in _IS_A else short_id(relation)
    ontology.called.setdefault(relation, _RELATIONS.get(relation, relation))
    ontology.terms.setdefault(term, Term())
    ontology.relate(term, relation, other)


def short_id(identifier: str) -> str:
    """An identifier as OBO has it: ``GO:0008150`` for an address of the OBO Foundry."""
    found = _PURL.fullmatch(identifier)
    return f"{found[1]}:{found[2]}" if found else identifier
