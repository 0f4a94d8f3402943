"""Questions: what a page sends, read field by field; an error names the field that is missing or is something else."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfgraph.errors import InputError
from cfgraph.exploring.safety import check_addresses, check_length

if TYPE_CHECKING:
    from cfgraph.exploring.view import View

CAP_USUAL, CAP_MAX = 200_000, 1_000_000  # dots
PX_USUAL, PX_LEAST, PX_MAX = 3.0, 0.25, 100.0  # pixels
MARGIN_USUAL, MARGIN_MAX = 1.5, 4.0  # times the view
COLOR_USUAL = "branch"
ID_LENGTH_MAX = 1_000
DIRECTIONS_MAX = 100_000  # numbers
_MISSING: Any = object()


@dataclass(frozen=True)
class Question:
    """The fields of what was sent."""

    fields: Mapping[str, Any]

    @classmethod
    def of_body(cls, body: bytes) -> "Question":
        """The question that JSON holds; an ``InputError`` for what is no object."""
        try:
            found = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise InputError(f"expected a question as JSON: {str(error)[:100]}") from error
        if not isinstance(found, dict):
            raise InputError(f"expected a question as a JSON object, got {type(found).__name__}")
        return cls(found)

    @classmethod
    def of_query(cls, given: Mapping[str, str]) -> "Question":
        """The question that the end of an address holds; whole numbers are numbers."""
        return cls(
            {name: int(text) if text.isascii() and text.isdecimal() and name == "row" else text for name, text in given.items()}
        )

    def id(self, name: str = "id") -> str:
        """The id of a hierarchy."""
        found = self.fields.get(name)
        if not isinstance(found, str) or not found or len(found) > ID_LENGTH_MAX:
            raise InputError(f"expected the {name} of a hierarchy, got {_told(found)}")
        return found

    def ids(self) -> tuple[str, str | None]:
        """The id of a hierarchy, and of the one beside it, if any."""
        return self.id(), None if self.fields.get("beside") is None else self.id("beside")

    def ids_given(self) -> list[str]:
        """Which of these are texts at all."""
        return [self.fields[name] for name in ("id", "beside") if isinstance(self.fields.get(name), str)]

    def address(self, name: str = "address") -> str:
        """An address, or a name of a cell."""
        if name not in self.fields:
            raise InputError(f"expected {name}, an address such as '/' or '/2/0', got none")
        return check_length(self.fields[name])

    def addresses(self) -> list[str]:
        """Several addresses."""
        found = self.fields.get("addresses")
        if not isinstance(found, list):
            raise InputError(f"expected addresses as a list, got {_told(found)}")
        return check_addresses(found)

    def integer(self, name: str, *, low: int, high: int, usual: int | None = None) -> int:
        """A whole number between two."""
        found = self.fields.get(name, usual)
        if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
            raise InputError(f"expected {name} as a whole number from {low:,} to {high:,}, got {_told(found)}")
        return found

    def number(self, name: str, *, low: float, high: float, usual: float) -> float:
        """A number between two."""
        found = self.fields.get(name, usual)
        if isinstance(found, bool) or not isinstance(found, int | float) or not low <= found <= high:
            raise InputError(f"expected {name} as a number from {low:g} to {high:g}, got {_told(found)}")
        return float(found)

    def text(self, name: str, usual: Any = _MISSING) -> Any:
        """A text; what is ``usual`` where none is given."""
        found = self.fields.get(name)
        if found is None and usual is not _MISSING:
            return usual
        if not isinstance(found, str):
            raise InputError(f"expected {name} as text, got {_told(found)}")
        return found

    def one_of(self, name: str, there: Collection[str], usual: Any = _MISSING) -> Any:
        """A text that is one of some, or what is ``usual``."""
        found = self.text(name, usual)
        if found not in there and found is not usual:
            raise InputError(f"expected {name} to be one of {', '.join(there)}, got {_told(found)}")
        return found

    def mapping(self, name: str) -> dict[str, Any]:
        """Values by name; none where none are given."""
        found = self.fields.get(name)
        if not isinstance(found, dict | None):
            raise InputError(f"expected {name} as a JSON object, got {_told(found)}")
        return dict(found or {})

    def view(self) -> "View":
        """What is looked at."""
        from cfgraph.exploring.view import View

        found = self.fields.get("view")
        if isinstance(found, dict) and "anchor" in found:
            check_length(found["anchor"])
        return View.of(found)

    def axes(self) -> dict[str, Any]:
        """In which plane."""
        found = self.mapping("axes") or {"kind": "main"}
        directions = found.get("directions")
        if isinstance(directions, list) and sum(len(one) for one in directions if isinstance(one, list)) > DIRECTIONS_MAX:
            raise InputError(f"expected directions of at most {DIRECTIONS_MAX:,} numbers")
        return found

    def how(self) -> dict[str, Any]:
        """How a view is cut and colored: the axes, the margin, the least pixels, the most dots, the color, the weights."""
        return {
            "axes": self.axes(),
            "margin": self.number("margin", low=1.0, high=MARGIN_MAX, usual=MARGIN_USUAL),
            "px": self.number("px", low=PX_LEAST, high=PX_MAX, usual=PX_USUAL),
            "cap": self.integer("cap", low=1, high=CAP_MAX, usual=CAP_USUAL),
            "color": self.text("color", usual=COLOR_USUAL),
            "weight": self.text("weight", usual=None),
        }


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON's")


def _told(value: Any) -> str:
    """A value in a message: short."""
    text = repr(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
