"""Real shells that complete the lines of a project with awkward names."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from ekomi_reconcile.cli.main import run

BRITAIN = "Great Britain"
QUOTED = 'Ole\'s "Shop", DE: $5 & Co'
NAMES = (BRITAIN, QUOTED, "Grönland")
PATIENCE = 30
"""Seconds after which a shell that does not answer fails the test."""

_END = "_END_"


def make_project(folder: Path, capsys) -> None:
    """Accounts with these names, a file that is broken, and the script of every shell."""
    (folder / "accounts.d").mkdir()
    (folder / "ekomi-reconcile.yaml").write_text("version: 1\norders: {file: orders.jsonl}\n")
    lines = [f'name: "{name}"' for name in (BRITAIN, QUOTED.replace('"', '\\"'), "Grönland")]
    (folder / "accounts.d" / "all.yaml").write_text("\n---\n".join(lines) + "\n")
    (folder / "accounts.d" / "broken.yaml").write_text("name: [")
    for shell in ("bash", "zsh", "fish"):
        assert run(["completion", shell]) == 0
        (folder / f"completion.{shell}").write_text(capsys.readouterr().out)


def environment(folder: Path) -> dict[str, str]:
    """Without settings of the person who runs the tests, and with this program on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8", "TERM": "dumb"}


class Terminal:
    """An interactive shell on a terminal."""

    def __init__(self, folder: Path, *command: str):
        self.side, child = pty.openpty()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )
        os.close(child)

    def run(self, line: str) -> str:
        """Type a line and Enter, and give what is written until its end marker."""
        os.write(self.side, f"{line}\n".encode())
        return self._until_end()

    def words(self, line: str) -> list[str]:
        """Type a line and Tab; then the words that the shell makes of what stands there."""
        begin, end = "\x01", "\x05"
        os.write(self.side, f"{line}\t{begin}printf '[%s]\\n' {end} _E''ND_\n".encode())
        shown = self._until_end().replace("\r", "")
        return [each[1:-1] for each in shown.split("\n") if each.startswith("[") and each.endswith("]")][:-1]

    def _until_end(self) -> str:
        shown, ends = b"", time.monotonic() + PATIENCE
        while _END.encode() not in shown:
            ready, _, _ = select.select([self.side], [], [], ends - time.monotonic())
            assert ready, shown
            shown += os.read(self.side, 65_536)
        return shown.decode()

    def close(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        os.close(self.side)
