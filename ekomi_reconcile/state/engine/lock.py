"""The writer lock of a state, and who holds it.

The lock file stays when the lock is released; what it says counts only while the lock is held.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import secrets
import socket
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ekomi_reconcile import __version__
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateError, StateLocked
from ekomi_reconcile.model.run import LockInfo
from ekomi_reconcile.state.engine import location
from ekomi_reconcile.state.engine.location import LOCK_ENDING as ENDING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def user() -> str:
    """The name of the present user; a container without a user database knows only the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def runner() -> str:
    """A name for this run, like no other's: whose claims are whose."""
    return f"{host()}:{os.getpid()}:{secrets.token_hex(4)}"


def job_url(environment: Mapping[str, str] = os.environ) -> str | None:
    """The page of the CI job that runs this, as GitLab and GitHub tell it."""
    if url := environment.get("CI_JOB_URL"):
        return url
    parts = [environment.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if not all(parts):
        return None
    server, repository, run = parts
    return f"{server}/{repository}/actions/runs/{run}"


_FIRST_WAIT = 0.02
_LONGEST_WAIT = 5.0
_PATIENCE = 0.2
"""Seconds that even an impatient caller waits: somebody may be looking who holds the lock."""


class Lock(ABC):
    """One writer at a time. Use it as a context manager, or ``acquire`` and ``release``."""

    def __init__(
        self,
        *,
        operation: str,
        about: str | None = None,
        place: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.operation = operation
        self._more = {"Info": about, "Version": __version__, "Path": place}
        self.info: LockInfo | None = None
        self._sleep = sleep

    def acquire(self, timeout: float = 0.0) -> LockInfo:
        """Take the lock, waiting up to ``timeout`` seconds of sleep with growing pauses.

        Raises:
            StateLocked: somebody else holds it; the message says who.
            StateError: it cannot be had at all.
        """
        if self.info is not None:
            raise RuntimeError("the lock is held already")
        left, pause = max(timeout, _PATIENCE), _FIRST_WAIT
        while (info := self._try()) is None:
            if left <= 0:
                raise _locked(self._holder())
            self._sleep(min(pause, left))
            left, pause = left - pause, min(pause * 2, _LONGEST_WAIT)
        self.info = info
        return info

    @abstractmethod
    def release(self) -> None:
        """Give the lock back; without it nothing happens."""

    @abstractmethod
    def verify(self) -> None:
        """Make sure that nobody has broken this lock.

        Raises:
            StateLocked: it was broken by ``force-unlock``.
        """

    @abstractmethod
    def fence(self, connection: Connection) -> None:
        """Make sure of the same within a transaction that writes the state and has just begun.

        Until that transaction ends nobody else is given the lock. A lock that was given back is no longer
        looked at.

        Raises:
            StateLocked: it was broken, or was lost with its connection; nothing may be written.
        """

    @abstractmethod
    def let_others_write(self) -> None:
        """From here on this process only sends: what else it writes needs no lock if rows are claimed."""

    def __enter__(self) -> Self:
        if self.info is None:
            self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    @abstractmethod
    def _try(self) -> LockInfo | None:
        """Take the lock if nobody has it."""

    @abstractmethod
    def _holder(self) -> LockInfo | None:
        """Who has it."""

    def _about(self) -> LockInfo:
        return LockInfo(
            ID=str(uuid.uuid4()),
            Operation=self.operation,
            Who=f"{user()}@{host()}",
            Created=instant.iso(instant.now()),
            PID=os.getpid(),
            Job=job_url(),
            **self._more,
        )


class WriterLock(Lock):
    """The lock of the file state whose lock file is ``path``."""

    def __init__(
        self,
        path: Path,
        *,
        operation: str,
        about: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        place = str(path.absolute()).removesuffix(ENDING)
        super().__init__(operation=operation, about=about, place=place, sleep=sleep)
        self.path = path
        self._descriptor: int | None = None

    def release(self) -> None:
        """Give the lock back; without it nothing happens."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = self.info = None

    def verify(self) -> None:
        """Make sure that nobody has broken this lock.

        Raises:
            StateLocked: it was broken by ``force-unlock``.
        """
        if self._descriptor is None or not _same_file(self._descriptor, self.path):
            raise StateLocked(
                "the writer lock was taken away by force-unlock", hint="see: ekomi-reconcile lock show"
            )

    def fence(self, connection: Connection) -> None:
        """See ``Lock``. SQLite has one transaction that writes at a time, so whoever comes next waits."""
        del connection
        if self.info is not None:
            self.verify()

    def let_others_write(self) -> None:
        """See ``Lock``. On a file rows are sent by the holder of the lock, so it is kept."""

    def _try(self) -> LockInfo | None:
        with location.file_errors(self.path):
            location.make_folder(self.path.parent)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
        # A broken lock's file is gone: what was locked may be a file without a name.
        if not _same_file(descriptor, self.path):
            os.close(descriptor)
            return None
        self._descriptor, info = descriptor, self._about()
        with location.file_errors(self.path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(info)).encode() + b"\n", 0)
        return info

    def _holder(self) -> LockInfo | None:
        return holder(self.path)


def holder(path: Path) -> LockInfo | None:
    """Who holds the lock, or ``None`` if nobody does.

    Raises:
        StateError: the lock file cannot be read.
    """
    with location.file_errors(path):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return parse_info(os.pread(descriptor, 65_536, 0))
        else:
            return None
        finally:
            os.close(descriptor)


def force_unlock(path: Path, lock_id: str) -> LockInfo:
    """Break the lock with this id; its holder notices at its next ``verify``.

    Raises:
        StateError: nobody holds the lock, or somebody with another id does.
    """
    info = held_as(holder(path), lock_id)
    with location.file_errors(path):
        path.unlink()
    return info


def held_as(info: LockInfo | None, lock_id: str) -> LockInfo:
    """The holder, if it is the one with this id.

    Raises:
        StateError: nobody holds the lock, or somebody with another id does.
    """
    if info is None:
        raise StateError("nobody holds the writer lock")
    if lock_id != info.ID:
        raise StateError(f"the writer lock has another id: {info}", hint="see: ekomi-reconcile lock show")
    return info


def parse_info(text: bytes | str) -> LockInfo:
    """What a holder wrote about itself; one that cannot be read is an unknown one.

    A newer version may write more than this one knows.
    """
    try:
        told = json.loads(text)
        return LockInfo(**{name: told[name] for name in LockInfo.__slots__ if name in told})
    except (ValueError, TypeError):
        return LockInfo(ID="", Operation="unknown", Who="unknown", Created="", PID=0)


def _locked(info: LockInfo | None) -> StateLocked:
    said = (
        f"another process is writing the state: {info}" if info else "another process was writing the state"
    )
    return StateLocked(
        said,
        hint="wait, or set --lock-timeout; if you are sure that the holder is no longer running: "
        "ekomi-reconcile force-unlock ID",
    )


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
