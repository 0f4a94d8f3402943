"""What the environment says: the store's URL and credentials, and the local server's few switches."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from cfgraph.errors import InputError


class Settings(BaseSettings):
    """Settings from the environment, then from a ``.env`` file in the working folder.

    ``CFGRAPH_ENV_FILE`` names another file; empty, it means none (the tests and the demo run so).
    """

    # A variable that is set to nothing counts as not set.
    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    store: str = Field("local", validation_alias=AliasChoices("CFGRAPH_STORE", "NEO4J_URI"))
    username: str = Field("neo4j", validation_alias="NEO4J_USERNAME")
    password: SecretStr | None = Field(None, validation_alias="NEO4J_PASSWORD")
    password_file: Path | None = Field(None, validation_alias="NEO4J_PASSWORD_FILE")
    database: str | None = Field(None, validation_alias="NEO4J_DATABASE")

    java: Path | None = Field(None, validation_alias="CFGRAPH_JAVA")
    neo4j_version: str = Field("2026.09.0", validation_alias="CFGRAPH_NEO4J_VERSION")
    heap: str = Field("2g", validation_alias="CFGRAPH_HEAP")
    java_options: str = Field("", validation_alias="CFGRAPH_JAVA_OPTIONS")
    maven_url: str | None = Field(None, validation_alias="CFGRAPH_MAVEN_URL")

    def secret(self) -> SecretStr | None:
        """The password: as it was given, else what the file holds that it lies in (mounted into a container, say)."""
        if self.password is not None or self.password_file is None:
            return self.password
        try:
            found = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise InputError(
                f"NEO4J_PASSWORD_FILE is {str(self.password_file)!r}, which cannot be read: {why}; expected a file that "
                "holds the password alone"
            ) from None  # what the file holds is in no traceback
        if not found:
            raise InputError(f"NEO4J_PASSWORD_FILE is {str(self.password_file)!r}, which is empty; expected the password")
        return SecretStr(found)


def load_settings() -> Settings:
    """The settings as they are now, read once per command at its edge and handed on as a value."""
    import os

    asked = os.environ.get("CFGRAPH_ENV_FILE")
    if asked and not Path(asked).is_file():
        raise InputError(f"CFGRAPH_ENV_FILE is {asked!r}, and there is no such file; correct it, or unset it for .env")
    env_file = ".env" if asked is None else asked
    try:
        return Settings(_env_file=env_file or None)  # type: ignore[call-arg]  # theirs; the fields alone are seen
    except (OSError, ValueError) as error:  # a file of another encoding is a ValueError
        raise InputError(f"{env_file} cannot be read: {error}; expected lines such as NEO4J_URI=bolt://HOST:7687") from error
