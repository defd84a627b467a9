"""Programs beside Python that some tests drive: a browser, shells, a language server.

A developer without one of them sees the test skipped, with the way to get it. Where ``REQUIRE_TOOLS`` is
set, as ``.ci/run`` does, a missing program is a failure: nothing is left out unseen.
"""

import os
import shutil
from pathlib import Path

import pytest

NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
_PACKAGES = {
    "chromium": "chromium",
    "zsh": "zsh",
    "fish": "fish",
    "node": "nodejs",
    "bash": "bash",
    "git": "git",
    "jq": "jq",
    "pgbouncer": "pgbouncer",
    "promtool": "prometheus",
}
_SYSTEM = "/usr/sbin"


def program(name: str) -> str:
    """The path of a program of the operating system; skips, or fails, where there is none."""
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM)
    if found is None:
        _missing(f"{name} is not installed: apt-get install {_PACKAGES[name]}")
    return found


def node_package(name: str) -> Path:
    """The folder of an npm package of tests/node; skips, or fails, where it is not installed."""
    folder = NODE_MODULES / name
    if not folder.is_dir():
        _missing(f"{name} is not installed: npm ci --prefix tests/node")
    return folder


def _missing(text: str) -> None:
    if os.environ.get("REQUIRE_TOOLS"):
        pytest.fail(text)
    pytest.skip(text)
