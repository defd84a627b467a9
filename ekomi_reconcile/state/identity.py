"""Who runs this, where, and in which CI job: for the lock and the journal."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Mapping


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
