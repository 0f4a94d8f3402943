"""Graphs: a networkx graph, a GraphML, GEXF or GML file or node-link JSON as a dag; edges lead from a parent to its child.

Node attributes that are numbers, text or truth values become columns; one that is called like a property of every cell gets
an underscore (``level_``). ``name``, or in files ``label``, becomes the name; a node without one is called as its id, which is
the column ``identifier`` else. An edge's ``length``, or else its ``weight``, becomes the length. Where every edge has a
``slot``, siblings stand in its order, else in that of the edges.

What cfgraph itself exported (its graph says so) comes back as the same hierarchy but for centers, which embeddings give: its
own properties and names are told apart from a cell's place (level, scale, ...), which is found anew; a virtual root is left
out.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from jaxtyping import Float

from cfgraph.errors import InputError
from cfgraph.files.texts import shorten
from cfgraph.formats.elements import CELL_ATTRIBUTES, EDGE_OWN, own_name
from cfgraph.formats.plain import JSON_TEXT
from cfgraph.model.address import ROOT
from cfgraph.model.columns import RESERVED, check_kind, own_column
from cfgraph.model.dag import Dag
from cfgraph.model.hierarchy import ImportedWithCells
from cfgraph.moved import renamed
from cfgraph.sources.graph_files import EXPORTED, NOTES, how_to_direct, parallel_note, read_networkx
from cfgraph.sources.imported import SourceOptions, imported, with_embeddings
from cfgraph.sources.rooting import rooted

if TYPE_CHECKING:
    import networkx as nx

_OWN_OF_CELLS = set(RESERVED) - {"size"}  # a column `size` may count data, which `imported` looks at
_EDGE_ATTRIBUTES = {"id", "length", "slot", "weight"}  # what becomes something, and the ids that formats give
_INTEGER_MAX = 2**63 - 1  # what a column and the graph hold


@renamed(point_nodes="points", minimum="condense")
def graph(
    data: "Path | str | nx.Graph",
    *,
    id: str = "graph",
    root: str | None = None,
    large: bool = False,
    **options: Unpack[SourceOptions],
) -> ImportedWithCells:
    """The hierarchy that a directed graph is, edges from parents to children.

    Args:
        id: the hierarchy's id.
        data: a GraphML, GEXF, GML or node-link JSON file, or a networkx graph.
        root: of an undirected tree, the node (or what it is called) from which its edges lead to children.
        large: whether files may be larger than :mod:`cfgraph.files.opened` allows.
        options: ``embeddings``, ``condense``, ``levels`` and ``points`` of :func:`cfgraph.sources.imported.imported`; of a file
            of embeddings also ``embeddings_key``, ``embeddings_columns``, ``embeddings_header``, ``embeddings_separator`` and
            ``embeddings_decimal``.

    Raises:
        InputError: for what :func:`read_graph` and :func:`graph_dag` refuse, and ``imported``.
    """
    dag = read_graph(data, root=root, large=large) if isinstance(data, Path | str) else graph_dag(data, root=root)
    return imported(dag, id=id, origin="graph", **with_embeddings(options, large=large))


def read_graph(path: Path | str, *, root: str | None = None, large: bool = False) -> Dag:
    """The dag in a .graphml (or .xml) file, a .gexf, a .gml or a node-link .json; see :func:`graph_dag`.

    ``large`` lifts the limits of :mod:`cfgraph.files.opened`.

    Raises:
        InputError: for a file of another form or a damaged one, and what :func:`graph_dag` refuses.
    """
    path = Path(path)
    return graph_dag(read_networkx(path, large=large), root=root, where=str(path), how=how_to_direct(path))


def graph_dag(graph: "nx.Graph", *, root: str | None = None, where: str = "the graph", how: str = "networkx.DiGraph") -> Dag:
    """The dag that a directed graph is, nodes and edges in the graph's order; an undirected tree from its ``root`` on.

    Edges that lead where an earlier one does are left out, with a note. ``how`` says for errors what directs edges.

    Raises:
        InputError: for undirected graphs without a root, and lengths that are negative or no numbers.
    """
    if not hasattr(graph, "is_directed"):
        raise InputError(f"expected a file of a graph or a networkx graph, got {type(graph).__name__}")
    if graph.number_of_nodes() == 0:
        raise InputError(f"expected at least one node in {where}, got an empty graph")
    if root is not None:
        graph = rooted(graph, root, where=where)
    if not graph.is_directed():
        raise InputError(
            f"expected a directed graph, edges from parent to child, in {where}, got an undirected one; direct it ({how}), or, "
            "if it is a tree, say its root with --root NAME"
        )
    said = tuple(graph.graph.get(NOTES, ()))
    graph, parallel = _without_parallels(graph)
    dag = _dag(graph, where=where)
    return replace(dag, notes=(*said, *parallel, *dag.notes)) if said or parallel else dag


def _without_parallels(graph: "nx.Graph") -> tuple["nx.Graph", tuple[str, ...]]:
    """The graph with the first of edges that lead from one node to another, and what is said of the rest."""
    import networkx as nx

    if not graph.is_multigraph():
        return graph, ()
    kept: nx.DiGraph = nx.DiGraph()
    kept.graph |= graph.graph
    kept.add_nodes_from(graph.nodes(data=True))
    for parent, child, values in graph.edges(data=True):
        if not kept.has_edge(parent, child):
            kept.add_edge(parent, child, **values)
    left = graph.number_of_edges() - kept.number_of_edges()
    return kept, (parallel_note(left, graph.number_of_edges()),) if left else ()


def _dag(graph: "nx.Graph", *, where: str) -> Dag:
    if graph.graph.keys() >= EXPORTED:
        try:
            return _exported_dag(graph, where=where)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise InputError(
                f"{where} says that cfgraph exported it, and what it tells of the hierarchy does not fit ({error}); export it "
                f"again, or remove {', '.join(sorted(EXPORTED))} from what the graph tells of itself"
            ) from None
    number = {node: index for index, node in enumerate(graph)}
    ends = [(number[parent], number[child]) for parent, child in graph.edges()]
    edges = np.array(ends, dtype=np.int64).reshape(-1, 2)
    attributes = [values for *_, values in graph.edges(data=True)]
    length = _lengths(graph, where=where)
    order = _slot_order(attributes)
    columns, notes = _columns([values for _, values in graph.nodes(data=True)], structured=_structured(graph))
    of_edges, edge_notes = _edge_columns(edges[:, 1], attributes, count=len(number), known=_EDGE_ATTRIBUTES, taken=set(columns))
    columns, notes = columns | of_edges, notes + edge_notes
    names = [_name_of(node, values) for node, values in graph.nodes(data=True)]
    columns |= _identifiers(list(graph), names, taken=set(columns))
    return Dag(
        count=len(number),
        parent=edges[order, 0],
        child=edges[order, 1],
        length=None if length is None else length[order],
        lengths="unit" if length is None else "branch",
        names=list(names),
        columns=columns,
        notes=notes,
    )


def _identifiers(nodes: list[Any], names: list[str], *, taken: set[str]) -> dict[str, np.ndarray]:
    """What the nodes are in their graph, as a column, where they are called otherwise."""
    if all(str(node) == name for node, name in zip(nodes, names, strict=True)):
        return {}
    column = _column(nodes)
    return {_free_name("identifier", taken=taken): own_column(list(map(str, nodes))) if column is None else column}


def _exported_dag(graph: "nx.Graph", *, where: str) -> Dag:
    """The dag of a graph that ``cfgraph.to_networkx`` made of a hierarchy."""
    attributes = graph.graph
    graph = graph.subgraph(node for node in graph if node != ROOT or not attributes.get("virtual_root"))
    number = {node: index for index, node in enumerate(graph)}
    of_edges = [values for *_, values in graph.edges(data=True)]
    edges = np.array([(number[parent], number[child]) for parent, child in graph.edges()], dtype=np.int64).reshape(-1, 2)
    order, length = _slot_order(of_edges), _lengths(graph, where=where)
    nodes = [values for _, values in graph.nodes(data=True)]
    kinds = {name: check_kind(kind) for name, kind in attributes.get("own_kinds", {}).items()}
    own = {
        name: own_column([values.get(own_name(name)) for values in nodes], kind=kinds.get(name))
        for name in attributes.get("own", ())
        if name != "name"
    }
    if all("size" in values for values in nodes):
        own["size"] = own_column([values["size"] for values in nodes])
    added, notes = _columns(_added(graph, own), structured=set())
    known = _EDGE_ATTRIBUTES | {"primary", "residual"}
    first = np.array([values.get("primary") is not False for values in of_edges], dtype=bool)
    of_first = [values for values, is_first in zip(of_edges, first.tolist(), strict=True) if is_first]
    told, edge_notes = _edge_columns(edges[first, 1], of_first, count=len(number), known=known, taken=set())
    own, added, notes = {name: own[name] for name in own.keys() - told.keys()}, added | told, notes + edge_notes
    has_names = "name" in attributes.get("own", ()) or any("name" in values for values in nodes)
    unit = length is None or attributes.get("lengths") == "unit"
    return Dag(
        count=len(number),
        parent=edges[order, 0],
        child=edges[order, 1],
        length=None if unit or length is None else length[order],
        lengths="unit" if unit else attributes["lengths"] if attributes.get("lengths") in ("branch", "height") else "branch",
        names=[values.get("name") for values in nodes] if has_names else None,
        columns=own | added,
        node_of_point=_exported_points(nodes, attributes, own),
        notes=(*attributes.get("notes", ()), *notes),
    )


def _added(graph: "nx.Graph", own: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """What nodes have that no export wrote: attributes that people gave them since, under new names or beside the others."""
    known = {"name", "size", *CELL_ATTRIBUTES, *map(own_name, own)}
    return [
        {name: value for name, value in values.items() if name not in known and (name, value) != ("label", node)}
        for node, values in graph.nodes(data=True)
    ]


def _edge_columns(
    child: np.ndarray, attributes: list[dict[str, Any]], *, count: int, known: set[str], taken: set[str]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Further attributes of edges as properties ``edge_NAME`` of the nodes that they lead to, and a note of those left out.

    They are left out where edges that lead to one node have different ones.
    """
    columns, left = dict[str, np.ndarray](), list[str]()
    for name in dict.fromkeys(name for values in attributes for name in values if name not in known):
        found = dict[int, Any]()
        agree = True
        for node, values in zip(child.tolist(), attributes, strict=True):
            value = _plain(values.get(name))
            agree = agree and (node not in found or (type(found[node]), found[node]) == (type(value), value))
            found.setdefault(node, value)
        column = _column([found.get(node) for node in range(count)]) if agree else None
        if column is None:
            left.append(str(name))
        else:
            columns[_free_name(f"{EDGE_OWN}{name}", taken=taken)] = column
    note = "attributes of edges that are of no one kind, or differ between edges to one node, were left out"
    return columns, (f"{note}: {', '.join(left)}",) if left else ()


def _exported_points(nodes: list[dict[str, Any]], attributes: dict[str, Any], own: dict[str, np.ndarray]) -> np.ndarray | None:
    """The node of each data point; None where the file does not tell."""
    if attributes.get("points") is None or not (attributes.get("point_nodes") or "row" in own):
        return None
    placed = np.full(attributes["points"], -1, dtype=np.int64)
    for node, values in enumerate(nodes):
        placed[values.get("points", [])] = node
    if not attributes.get("point_nodes"):
        has_row = np.flatnonzero(own["row"] >= 0)
        placed[own["row"][has_row]] = has_row
    return placed


def _name_of(node: Any, values: dict[str, Any]) -> str:
    name = values.get("name")
    return str(node) if name is None else str(name)


def _lengths(graph: "nx.Graph", *, where: str) -> Float[np.ndarray, " edges"] | None:
    """``length`` of each edge, else its ``weight``, else NaN; None where no edge has either."""
    length = np.full(graph.number_of_edges(), np.nan)
    for index, (parent, child, values) in enumerate(graph.edges(data=True)):
        value = values.get("length", values.get("weight"))
        if value is None:
            continue
        if not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
            raise InputError(
                f"expected a finite length (or weight) of at least 0 at each edge of {where}, got {value!r} from "
                f"{shorten(str(parent))!r} to {shorten(str(child))!r}"
            )
        length[index] = value
    return None if np.isnan(length).all() else length


def _slot_order(attributes: list[dict[str, Any]]) -> np.ndarray:
    """The edges by slot where each has one, else as they are."""
    slots = [values.get("slot") for values in attributes]
    if not slots or not all(_is_whole(slot) for slot in slots):
        return np.arange(len(slots))
    return np.argsort(np.array(slots, dtype=np.int64), kind="stable")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) <= _INTEGER_MAX


def _structured(graph: "nx.Graph") -> set[str]:
    """The attributes that an export of cfgraph has written as JSON text, lists that a column cannot hold."""
    try:
        return set(json.loads(graph.graph.get(JSON_TEXT, "[]")))
    except (TypeError, ValueError):
        return set()


def _columns(nodes: list[dict[str, Any]], *, structured: set[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Each attribute that is numbers, text or truth values as a column, and a note of the others."""
    names = dict.fromkeys(name for values in nodes for name in values if name != "name")
    columns, left, renamed = {}, [], {}
    for name in names:
        column = None if name in structured else _column([_plain(values.get(name)) for values in nodes])
        if column is None:
            left.append(str(name))
            continue
        called = _free_name(str(name), taken=names.keys() | _OWN_OF_CELLS) if name in _OWN_OF_CELLS else str(name)
        if called != str(name):
            renamed[str(name)] = called
        columns[called] = column
    return columns, _column_notes(left, renamed)


def _free_name(name: str, *, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _column_notes(left: list[str], renamed: dict[str, str]) -> tuple[str, ...]:
    notes = []
    if left:
        notes.append(
            f"attributes that are not numbers, text or truth values, all of one kind, were left out: {', '.join(left)}"
        )
    if renamed:
        pairs = ", ".join(f"{name} is {called}" for name, called in renamed.items())
        notes.append(f"attributes that are called like what every cell has got an underscore: {pairs}")
    return tuple(notes)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _column(values: list[Any]) -> np.ndarray | None:
    """Whole numbers (-1 for none), floats (NaN), or text or truth values (None); None where they are nothing of one kind."""
    kinds = {type(value) for value in values} - {type(None)}
    gaps = [value is None for value in values]
    if kinds == {int} and -1 in values and not any(gaps) and _fit_integers(values, low=-_INTEGER_MAX):
        return own_column(values)  # where -1 is a value it cannot say that there is none
    if kinds == {int} and _fit_integers(compress(values, [not gap for gap in gaps]), low=0 if any(gaps) else -_INTEGER_MAX):
        return np.array([-1 if value is None else value for value in values], dtype=np.int64)
    if kinds and kinds <= {int, float}:
        try:
            return np.array([math.nan if value is None else float(value) for value in values])
        except OverflowError:
            return None
    if kinds in ({bool}, {str}):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return None


def _fit_integers(values: Iterable[int], *, low: int) -> bool:
    return all(low <= value <= _INTEGER_MAX for value in values)
