"""Places of findings as others name them: from the top of the repository."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from ekomi_reconcile.model.diagnostic import Diagnostic, Place


def from_the_top(found: Iterable[Diagnostic], folder: Path) -> tuple[Diagnostic, ...]:
    """The findings with paths from the top of the repository of ``folder``; what lies outside is absolute.

    Without a repository paths start where GitHub checked the files out, or else in the working directory.
    """
    top = _top(folder.absolute())
    return tuple(dataclasses.replace(each, place=each.place and _moved(each.place, top)) for each in found)


def _top(folder: Path) -> Path:
    normal = Path(os.path.normpath(folder))
    outer = (normal, *normal.parents)
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    return next((each for each in outer if (each / ".git").exists()), workspace)


def _moved(place: Place, top: Path) -> Place:
    absolute = Path(os.path.abspath(place.path))  # noqa: PTH100 - links stay as they are written
    seen = absolute.relative_to(top) if absolute.is_relative_to(top) else absolute
    return dataclasses.replace(place, path=seen.as_posix())
