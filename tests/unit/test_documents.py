"""The documents speak of rooms, floors and files that there are."""

import re
from pathlib import Path

import pytest

from tests.unit.test_house import FLOORS

HOUSE = Path(__file__).parents[2]
ROOMS = (HOUSE / "docs" / "architecture.md").read_text().split("## The rooms")[1].split("## Blocks")[0]
ROWS = [[part.strip() for part in line.split("|")[1:-1]] for line in ROOMS.split("## Glossary")[0].splitlines() if "|" in line]
PATH = re.compile(r"(?:cfgraph|cli|cypher|tests|docs|benchmarks)/[\w./-]*\w\.\w+")


def test_the_rooms_stand_on_the_floors_that_the_house_is_held_against():
    floors, current = {}, None
    for floor, rooms, _ in ROWS[2:]:  # below the heading and its line
        current = int(floor) if floor else current
        floors.setdefault(current, set()).update(name.rstrip("/") for name in re.findall(r"`([^`]+)`", rooms))
    assert floors == {number: set(rooms) for number, rooms in enumerate(FLOORS, start=1)}


@pytest.mark.parametrize(("room", "text"), [(room, text) for _, room, text in ROWS[2:] if room.endswith("/`")])
def test_the_files_of_a_room_are_there(room, text):
    folder = HOUSE / ("cli" if room == "`cli/`" else f"cfgraph/{room.strip('`')}")
    named = {name.removeprefix("server/") for name in re.findall(r"`([\w/]+\.py)`", text)}
    assert {name for name in named if not (folder / name).is_file()} == set()


def test_the_glossary_has_each_word_once():
    words = [word for row in re.findall(r"^\| (\*\*.*?) \|", ROOMS, re.MULTILINE) for word in re.findall(r"\*\*(.+?)\*\*", row)]
    assert len(words) >= 20
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "docs/architecture.md", "docs/formats.md", "docs/servers.md"])
def test_paths_lead_somewhere(page):
    """What a page calls a file of the house, and what it links to, is there."""
    text = (HOUSE / page).read_text()
    named = {path for path in PATH.findall(text) if "NAME" not in path}
    linked = {((HOUSE / page).parent / path).resolve() for path in re.findall(r"\]\((?!https?:)([^)#]+)", text)}
    assert {path for path in named if not (HOUSE / path).exists()} == set()
    assert {path for path in linked if not path.exists()} == set()
