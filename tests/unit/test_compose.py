"""docker-compose.yml, checked without an engine; tests/store/test_servers.py starts a server with its settings."""

import subprocess

import pytest

from cfgraph.server.home import ADDRESS, CONFIGURATION, PAGE_CACHE
from cfgraph.server.jars import read_jar_list
from cfgraph.settings import Settings
from tests.compose import interpolate, neo4j_service, read_compose, server_settings


def test_every_key_is_one_that_compose_knows():
    service = neo4j_service()
    assert set(read_compose()) == {"services", "volumes"}
    known = {"image", "environment", "ports", "volumes", "healthcheck", "stop_grace_period", "restart"}
    assert set(service) == known
    assert set(service["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period"}
    assert all(isinstance(value, str) for value in service["environment"].values())  # a bare `false` would be no text


def test_image_is_the_pinned_version_and_may_be_any_other():
    version = Settings.model_fields["neo4j_version"].default
    assert interpolate(neo4j_service()["image"]) == f"neo4j:{version}-community"
    lts = read_jar_list("5.26.30").version
    assert interpolate(neo4j_service()["image"], CFGRAPH_NEO4J_VERSION=lts) == f"neo4j:{lts}-community"


def test_ports_are_bound_to_loopback():
    ports = neo4j_service()["ports"]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_password_is_asked_for_and_never_written():
    environment = neo4j_service()["environment"]
    assert environment["NEO4J_AUTH"].startswith("neo4j/${NEO4J_PASSWORD:?")
    assert environment["CFGRAPH_CHECK_PASSWORD"] == "${NEO4J_PASSWORD}"


def test_data_outlives_the_container():
    assert neo4j_service()["volumes"] == ["cfgraph-data:/data"]
    assert list(read_compose()["volumes"]) == ["cfgraph-data"]


@pytest.mark.parametrize("password", ["plain-enough", "a b", "q'u\"o`t$e\\s", "-p"])
def test_health_check_hands_the_password_on_in_the_environment(tmp_path, password):
    """The check's own line, run by a shell, with a program in place of cypher-shell that tells how it was called."""
    kind, line = neo4j_service()["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    shell = tmp_path / "cypher-shell"
    shell.write_text('#!/bin/sh\nprintf "%s|" "$NEO4J_USERNAME" "$NEO4J_PASSWORD" "$@"\n')
    shell.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CFGRAPH_CHECK_PASSWORD": password}
    command = ["sh", "-c", line.replace("$$", "$")]
    assert password not in command[-1]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"neo4j|{password}|RETURN 1|"


def test_settings_are_those_of_the_local_server_where_both_have_them():
    written = CONFIGURATION.format(address=ADDRESS, port=0, page_cache=PAGE_CACHE)
    local = dict(line.split("=", 1) for line in written.splitlines() if line and not line.startswith("#"))
    own = server_settings()
    assert own["server.memory.heap.max_size"] == own["server.memory.heap.initial_size"] == "1g"
    assert len(local.keys() & own.keys()) >= 6
    assert {name: own[name] for name in local.keys() & own.keys()} == {name: local[name] for name in local.keys() & own.keys()}
