"""Notifications: what the server warns of in a query that it runs all the same, in words that say what to do."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

import neo4j

# The labels and types of docs/cypher.md, which lists them all (a test compares), and what cells and edges have.
LABELS: tuple[str, ...] = (
    "Cell",
    "Frontier",
    "Leaf",
    "Hierarchy",
    "Point",
    "Predictor",
    "Lease",
    "Encoder",
    "EncoderPart",
    "Entry",
    "Batch",
)
LABELS += ("SubtreeDigest", "Schema")
TYPES = ("ROOT", "CHILD", "IN", "TRAINED_ON", "GROWN_BY", "PREDICTS", "ENCODED_BY", "PART", "HISTORY", "PLACED")
PROPERTIES: tuple[str, ...] = (
    "key",
    "hierarchy",
    "address",
    "level",
    "center",
    "scale",
    "root_distance",
    "size",
    "radius",
    "predicted",
    "name",
)
PROPERTIES += ("slot", "residual", "length", "primary", "id", "state", "row", "batch", "distance", "margin", "outside")
# The server's numbers (GQL's, with its own behind) of names that nothing in the database has: what they are the name of.
UNKNOWN = {
    "01N50": ("no node in this store has the label", LABELS),
    "01N51": ("no relationship in this store has the type", TYPES),
    "01N52": ("nothing in this store has the property", PROPERTIES),
}
ALIKE = 0.5  # how near a name is to one that is known, to be taken for a misspelling of it


@dataclass(frozen=True)
class Notification:
    """One thing that the server warns of: ``text`` in words for people, and its own ``code`` (of GQL) and ``description``.

    ``line`` and ``column`` say where in the Cypher, from 1; None where it is about the whole.
    """

    text: str
    code: str
    description: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.text if self.line is None else f"{self.text} (line {self.line}, column {self.column})"


def notifications_of(summary: neo4j.ResultSummary) -> tuple[Notification, ...]:
    """What a server warns of in a query that it ran, in the order of the Cypher: each thing once, where it stands first."""
    found = [_notification(status) for status in summary.gql_status_objects if status.is_notification]
    found.sort(key=lambda each: (each.line or 0, each.column or 0))
    first: dict[str, Notification] = {}
    for each in found:
        first.setdefault(each.text, each)
    return tuple(first.values())


def _notification(status: neo4j.GqlStatusObject) -> Notification:
    line, column = (status.position.line, status.position.column) if status.position else (None, None)
    description = " ".join(status.status_description.split())
    return Notification(in_words(status.gql_status, description), status.gql_status, description, line, column)


def in_words(code: str, description: str) -> str:
    """What a notification means for whoever asked: the name that nothing has and what may be meant; else the server's words."""
    name = re.search("`(.*?)` does not exist", description)
    if code not in UNKNOWN or name is None:
        return description
    told, known = UNKNOWN[code]
    if name[1] in known:
        return f"{told} `{name[1]}` just now, so nothing is found by it"
    folded = {each.casefold(): each for each in known}
    near = get_close_matches(name[1].casefold(), folded, n=1, cutoff=ALIKE)
    help = f"did you mean `{folded[near[0]]}`?" if near else "docs/cypher.md lists what cfgraph has"
    return f"{told} `{name[1]}`, so nothing is found by it: {help}"
