"""Where the settings come from, and what is refused there."""

from pathlib import Path

import pytest

from cfgraph.errors import InputError
from cfgraph.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder without a .env, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("CFGRAPH_ENV_FILE", "CFGRAPH_STORE", "NEO4J_URI", "NEO4J_PASSWORD", "NEO4J_DATABASE", "CFGRAPH_JAVA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_env_file_is_read_and_the_environment_counts_more(folder, monkeypatch):
    (folder / ".env").write_text("NEO4J_URI=bolt://here:1\nNEO4J_PASSWORD=secret\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("NEO4J_DATABASE", "mine")
    found = load_settings()
    assert (found.store, found.database, found.password.get_secret_value()) == ("bolt://here:1", "mine", "secret")
    assert "secret" not in repr(found)
    monkeypatch.setenv("CFGRAPH_STORE", "local:there")
    assert load_settings().store == "local:there"
    monkeypatch.setenv("CFGRAPH_ENV_FILE", "")
    assert load_settings().password is None


def test_another_env_file(folder, monkeypatch):
    (folder / "mine.env").write_text("NEO4J_URI=bolt://mine:1\n")
    monkeypatch.setenv("CFGRAPH_ENV_FILE", "mine.env")
    assert load_settings().store == "bolt://mine:1"


@pytest.mark.parametrize("name", ["missing.env", ".", "missing/also"])
def test_env_file_that_is_not_there(monkeypatch, name):
    monkeypatch.setenv("CFGRAPH_ENV_FILE", name)
    with pytest.raises(InputError, match=r"CFGRAPH_ENV_FILE is '.*', and there is no such file; correct it, or unset it"):
        load_settings()


def test_env_file_that_cannot_be_read(folder):
    (folder / ".env").write_bytes(b"NEO4J_PASSWORD=\xff\xfe\n")
    with pytest.raises(InputError, match=r"\.env cannot be read: .*; expected lines such as NEO4J_URI="):
        load_settings()


def test_env_file_without_the_right_to_read_it(folder):
    (folder / ".env").write_text("NEO4J_URI=bolt://here:1\n")
    (folder / ".env").chmod(0)
    try:
        (folder / ".env").read_bytes()
    except PermissionError:
        with pytest.raises(InputError, match=r"\.env cannot be read"):
            load_settings()
    else:
        pytest.skip("root may read everything")


def test_variable_set_to_nothing_counts_as_not_set(monkeypatch):
    for name in (
        "CFGRAPH_STORE",
        "NEO4J_URI",
        "NEO4J_USERNAME",
        "NEO4J_PASSWORD",
        "NEO4J_DATABASE",
        "CFGRAPH_JAVA",
        "CFGRAPH_HEAP",
    ):
        monkeypatch.setenv(name, "")
    found = load_settings()
    assert (found.store, found.username, found.password, found.database, found.java) == ("local", "neo4j", None, None, None)
    assert found.heap == Settings(_env_file=None).heap == "2g"


def test_store_falls_through_to_the_next_variable(monkeypatch):
    monkeypatch.setenv("CFGRAPH_STORE", "")
    monkeypatch.setenv("NEO4J_URI", "bolt://there:1")
    assert load_settings().store == "bolt://there:1"


def test_java_is_a_path(monkeypatch):
    monkeypatch.setenv("CFGRAPH_JAVA", "/opt/java")
    assert load_settings().java == Path("/opt/java")
