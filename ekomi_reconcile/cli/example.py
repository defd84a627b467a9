"""The example accounts that come with the package."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

FOLDER = "accounts.d"


def copy_example(target: Path) -> None:
    """Copy the example accounts and the schemas that editors use into a folder."""
    package = files("ekomi_reconcile")
    inside = package / "example"
    source = inside if inside.is_dir() else package / ".."
    for name in (FOLDER, "schemas"):
        with as_file(source / name) as folder:
            shutil.copytree(folder, target / name)
