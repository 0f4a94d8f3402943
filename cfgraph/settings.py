"""What the environment says: the store's URL and credentials, and the local server's few switches."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings from the environment, then from a ``.env`` file in the working folder.

    ``CFGRAPH_ENV_FILE`` names another file; empty, it means none (the tests and the demo run so).
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, populate_by_name=True)

    store: str = Field("local", validation_alias=AliasChoices("CFGRAPH_STORE", "NEO4J_URI"))
    username: str = Field("neo4j", validation_alias="NEO4J_USERNAME")
    password: SecretStr | None = Field(None, validation_alias="NEO4J_PASSWORD")
    database: str | None = Field(None, validation_alias="NEO4J_DATABASE")

    java: Path | None = Field(None, validation_alias="CFGRAPH_JAVA")
    neo4j_version: str = Field("2026.09.0", validation_alias="CFGRAPH_NEO4J_VERSION")
    heap: str = Field("2g", validation_alias="CFGRAPH_HEAP")
    maven_url: str | None = Field(None, validation_alias="CFGRAPH_MAVEN_URL")


def load_settings() -> Settings:
    """The settings as they are now, read once per command at its edge and handed on as a value."""
    import os

    env_file = os.environ.get("CFGRAPH_ENV_FILE", ".env")
    return Settings(_env_file=env_file or None)
