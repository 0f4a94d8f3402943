"""docker-compose.yml as it is: what it says, and the server's settings that it makes."""

import re
from pathlib import Path

import yaml

FILE = Path(__file__).parents[1] / "docker-compose.yml"


def read_compose() -> dict:
    """The file."""
    return yaml.safe_load(FILE.read_text())


def neo4j_service() -> dict:
    """Its only service."""
    return read_compose()["services"]["neo4j"]


def server_settings() -> dict[str, str]:
    """The lines of neo4j.conf that the image makes of its environment: one underscore is a dot, two are one."""
    environment = neo4j_service()["environment"]
    names = [name for name in environment if name.startswith("NEO4J_") and name != "NEO4J_AUTH"]
    return {_setting(name): interpolate(str(environment[name])) for name in names}


def _setting(variable: str) -> str:
    dotted = re.sub(r"(?<!_)_(?!_)", ".", variable.removeprefix("NEO4J_"))
    return dotted.replace("__", "_")


def interpolate(text: str, **given: str) -> str:
    """The text with its variables in place: ``${NAME:-otherwise}``."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1], found[2]), text)
