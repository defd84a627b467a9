"""Writing a new project beside what is there; nothing is ever overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.config.load import FILE_NAME
from ekomi_reconcile.config.tree import SUFFIXES
from ekomi_reconcile.errors import ConfigurationError
from ekomi_reconcile.scaffold.files import ACCOUNTS, IGNORE, STATE_FOLDER


@dataclass(frozen=True, slots=True)
class Scaffolded:
    """Relative paths of what was written, and of what was there already.

    ``state_is_ignored`` is false where git would take the state for a file of the project.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]
    state_is_ignored: bool


def write_project(folder: Path, project: Mapping[str, str]) -> Scaffolded:
    """Write the files of ``project`` into a folder. An example is not put beside real accounts.

    Raises:
        ConfigurationError: there is a project already (then nothing is written), or a file cannot be written.
    """
    if _exists(folder / FILE_NAME):
        raise ConfigurationError(
            f"there is a project here already: {(folder / FILE_NAME).as_posix()}",
            mend="go on with `ekomi-reconcile validate`; for another project, run this in another folder",
        )
    accounts = _accounts(folder)
    kept, written = list(accounts), []
    for path, content in project.items():
        if accounts and path.startswith(f"{ACCOUNTS}/"):
            continue
        if _exists(folder / path):
            kept.append(path)
        else:
            _write(folder / path, content)
            written.append(path)
    return Scaffolded(tuple(written), tuple(kept), state_is_ignored=_is_ignored(folder / IGNORE))


def _exists(path: Path) -> bool:
    """Also a link that leads nowhere: writing would go through it."""
    return path.exists() or path.is_symlink()


def _accounts(folder: Path) -> list[str]:
    found = (each for each in (folder / ACCOUNTS).rglob("*") if each.name.endswith(SUFFIXES))
    return sorted(each.relative_to(folder).as_posix() for each in found)


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except OSError as error:
        raise ConfigurationError(
            f"{path.as_posix()} cannot be written: {error.strerror}", mend="check who may write there"
        ) from None


def _is_ignored(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().strip("/") == STATE_FOLDER.strip("/") for line in lines)
