"""The local server's folder: what lies where, its password, its configuration, and what is known of the last start.

::

    .cfgraph/            0700, ignored by git
      password           0600, made once, with the data
      server.json        how the server was last started: port, versions, time
      server.lock        held by the server itself for as long as it lives
      server.pid         its process; valid while server.lock is held
      command.lock       held by the command that starts or stops it
      conf/ data/ logs/  Neo4j's own
      bulk/              only while a database is imported: see importing.py
      snapshots/         states of hierarchies that were kept: store/snapshots.py
      import/            empty: nothing on this machine can be read by LOAD CSV
"""

import secrets
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from cfgraph.errors import InputError, LocalServerError
from cfgraph.server.disk import write_private_file

ADDRESS = "127.0.0.1"
PAGE_CACHE = "512m"  # of a server
MARK = "command.lock"  # the first file in a new folder, and so the sign that a folder is a server's


class Start(BaseModel):
    """How a server was started, whether it was ``ready`` (seen to answer), and the version that last was with this data."""

    model_config = ConfigDict(frozen=True)

    port: int
    neo4j: str
    java: str
    started: str
    ready: bool = False
    data_of: str | None = None


@dataclass(frozen=True)
class Home:
    """Paths and files of one local server."""

    directory: Path

    @property
    def conf(self) -> Path:
        """Neo4j's configuration folder."""
        return self.directory / "conf"

    @property
    def console_log(self) -> Path:
        """All that the server printed since its last start."""
        return self.directory / "logs" / "console.log"

    @property
    def command_lock(self) -> Path:
        """Held by the command that starts or stops the server."""
        return self.directory / MARK

    @property
    def server_lock(self) -> Path:
        """Held by the server for as long as it lives."""
        return self.directory / "server.lock"

    @property
    def pid_file(self) -> Path:
        """The server's process id."""
        return self.directory / "server.pid"

    @property
    def password_file(self) -> Path:
        """The password of the user ``neo4j``."""
        return self.directory / "password"

    @property
    def has_data(self) -> bool:
        """Whether a server ever began to write here: from then on the data knows the password."""
        return (self.directory / "data" / "databases" / "system").exists()

    def make(self) -> None:
        """Make the folder with all that a start needs; refuse one that is somebody else's."""
        if self.directory.is_dir() and not self.command_lock.exists() and any(self.directory.iterdir()):
            raise InputError(
                f"{self.directory} is neither empty nor a local server's folder; name a new one: --store local:DIR"
            )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.command_lock.touch(mode=0o600)
        for name in ("conf", "import", "logs"):
            (self.directory / name).mkdir(exist_ok=True)
        (self.directory / ".gitignore").write_text("*\n", encoding="ascii")

    def read_start(self) -> Start | None:
        """How the server was last started; None where it never was, or the file is damaged."""
        try:
            return Start.model_validate_json((self.directory / "server.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def write_start(self, start: Start) -> None:
        """Keep how the server is started."""
        write_private_file(self.directory / "server.json", start.model_dump_json())

    def read_pid(self) -> int | None:
        """The server's process id, while its lock is held."""
        try:
            return int(self.pid_file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def read_password(self) -> SecretStr:
        """The password; its file is made the owner's alone again, if somebody changed that."""
        if not self.password_file.exists():
            raise LocalServerError(
                f"{self.password_file} is missing, and the data in {self.directory} opens with that password only; put "
                f"the file back, or give the data up: remove {self.directory}"
            )
        if stat.S_IMODE(self.password_file.stat().st_mode) != 0o600:
            self.password_file.chmod(0o600)
        password = self.password_file.read_text(encoding="utf-8").strip()
        if not password:
            raise LocalServerError(f"{self.password_file} is empty; put the password back, or remove {self.directory}")
        return SecretStr(password)

    def provide_password(self) -> SecretStr:
        """The password; a new one where there is no data yet that would know another."""
        if not self.password_file.exists() and not self.has_data:
            # Hexadecimal: never a dash in front, which neo4j-admin would take for an option.
            write_private_file(self.password_file, secrets.token_hex(24))
        return self.read_password()

    def write_configuration(self, *, port: int, extra: Iterable[str], page_cache: str = PAGE_CACHE) -> None:
        """Write ``neo4j.conf``, afresh at every start: the folder may have moved, the version may be another."""
        text = CONFIGURATION.format(address=ADDRESS, port=port, page_cache=page_cache)
        write_private_file(self.conf / "neo4j.conf", text + "\n".join(extra))


# Paths are relative to the home folder, so that the folder can be moved while the server is down.
CONFIGURATION = """\
# Written by cfgraph at every start of the server; changes do not last.
server.default_listen_address={address}
server.bolt.listen_address={address}:{port}
server.bolt.advertised_address={address}:{port}
server.http.enabled=false
server.https.enabled=false
server.memory.pagecache.size={page_cache}
# Cells are written once and read again: old transactions are of no use here.
db.tx_log.preallocate=false
db.tx_log.rotation.retention_policy=keep_none
db.lock.acquisition.timeout=10s
dbms.usage_report.enabled=false
# The password is random: nobody guesses it, and whoever tries locks out its owner alone.
dbms.security.auth_max_failed_attempts=0
# LOAD CSV reads neither this machine's files nor the network.
server.directories.import=import
dbms.security.allow_csv_import_from_file_urls=false
internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0
server.config.strict_validation.enabled=true
"""


def find_free_port(preferred: int | None) -> int:
    """A port that nobody listens on now: ``preferred`` if it is one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As the server will do it: connections that linger after an earlier server are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port or 0))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise LocalServerError(f"there is no free port on {ADDRESS}")


def is_listening(port: int) -> bool:
    """Whether somebody takes connections on ``port``."""
    try:
        socket.create_connection((ADDRESS, port), timeout=5).close()
    except OSError:
        return False
    return True
