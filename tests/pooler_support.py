"""PgBouncer before the PostgreSQL server of the tests, on a socket in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

from required_programs import program
from state_server import USER, Server

PORT = 6432
PATIENCE = 20
_SETTINGS = """
[databases]
* = host={server}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = {port}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
max_client_conn = 200
default_pool_size = {size}
{more}
"""


@contextmanager
def running_pooler(server: Server, mode: str, *, size: int = 20, more: str = "") -> Iterator[Pooler]:
    """PgBouncer before ``server`` as a context, with ``more`` lines of settings; killed at its end."""
    found = program("pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="ekomi-pool-"))
    who: dict[str, object] = {}
    if os.getuid() == 0:  # as whom it refuses to run
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    (folder / "users").write_text(f'"{USER}" ""\n')
    text = _SETTINGS.format(server=server.folder, folder=folder, port=PORT, mode=mode, size=size, more=more)
    (folder / "pgbouncer.ini").write_text(text)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    process = subprocess.Popen([found, str(folder / "pgbouncer.ini")], **quiet, **who)
    try:
        _await(folder, process)
        yield Pooler(folder, process)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


class Pooler:
    """A running PgBouncer; its socket is in ``folder``."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process

    def url(self, database: str = "postgres", **query: str) -> str:
        """Where a state may live, behind it."""
        return f"postgresql://{USER}@/{database}?{urlencode({'host': self.folder, 'port': PORT, **query})}"


def _await(folder: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(str(folder / f".s.PGSQL.{PORT}"))
            return
        assert process.poll() is None, "pgbouncer ended"
        assert time.monotonic() < end
        os.sched_yield()
