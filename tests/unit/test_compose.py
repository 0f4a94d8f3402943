"""docker-compose.yml, checked without an engine: loopback, a password, a volume, a health check that proves both."""

import re
from pathlib import Path

COMPOSE = (Path(__file__).parents[2] / "docker-compose.yml").read_text()


def test_ports_are_bound_to_loopback():
    ports = re.findall(r'- "([^"]*:\d+:\d+)"', COMPOSE)
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_password_is_asked_for_and_never_written():
    assert "NEO4J_AUTH: neo4j/${NEO4J_PASSWORD:?" in COMPOSE
    assert not re.search(r"NEO4J_AUTH: neo4j/[A-Za-z0-9]", COMPOSE)


def test_data_outlives_the_container_and_health_is_proven():
    assert "cfgraph-data:/data" in COMPOSE
    assert "cypher-shell 'RETURN 1'" in COMPOSE
    assert "max__size" in COMPOSE
