"""Copies of a state.

A copy is a private file without the key of the digests. Copies made by ``apply`` on its own stand beside
a file state; a database has its own tools for that.
"""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import insert, select, update

from ekomi_reconcile.model.errors import StateMissing
from ekomi_reconcile.state.engine.location import FileLocation, Location, file_errors
from ekomi_reconcile.state.engine.sqlite import back_up, free_name, remove_abandoned
from ekomi_reconcile.state.engine.tables import meta
from ekomi_reconcile.state.maintenance.table_dump import ContentStore

EVERY = 20
"""So many runs of ``apply`` that did something, and a copy is made."""

KEPT = 5
"""So many copies made by ``apply`` are kept."""

_RUNS = "applies"
_AUTOMATIC = "apply-"


class CopyStore(ContentStore):
    """Making copies of this state."""

    location: Location

    def copy_to(self, target: Path) -> Path:
        """Write a copy; where the name is taken it gets a number. Returns its path.

        Raises:
            StateError: it cannot be written; then nothing is left behind.
        """
        if isinstance(self.location, FileLocation):
            with file_errors(self.location.path):
                remove_abandoned(self.location.path)
            return back_up(self._connection, self._dialect, target=target)
        return self._copy_rows(target)

    def copy_now_and_then(self, *, every: int = EVERY, keep: int = KEPT) -> Path | None:
        """Count this run; each time ``every`` runs have passed, make a copy and keep the last ``keep``.

        Returns the new copy, if there is one. Raises ``StateError`` if it cannot be written.
        """
        if not isinstance(self.location, FileLocation):
            return None
        runs = self._count_run()
        if runs % every:
            return None
        made = self.copy_to(self.location.backup(f"{_AUTOMATIC}{runs:08}"))
        for old in automatic_copies(self.location)[:-keep]:
            old.unlink(missing_ok=True)
        return made

    def _count_run(self) -> int:
        with self._joined():
            mine = meta.c.key == _RUNS
            before = self._execute(select(meta.c.value).where(mine).with_for_update()).scalar()
            runs = int(before or 0) + 1
            if before is None:
                self._execute(insert(meta).values(key=_RUNS, value=str(runs)))
            else:
                self._execute(update(meta).where(mine).values(value=str(runs)))
        return runs

    def _copy_rows(self, target: Path) -> Path:
        from ekomi_reconcile.state.engine.opening import build_file

        path = free_name(target)
        build_file(FileLocation(path), lambda copy: copy.copy_content(self, serial=self.identity.serial))
        return path


def automatic_copies(location: Location) -> list[Path]:
    """The copies that ``apply`` made, the oldest first."""
    if not isinstance(location, FileLocation):
        return []
    name = re.compile(re.escape(f"{location.path.name}.{_AUTOMATIC}") + r"\d{8}\.backup(\.\d+)?")
    return sorted(each for each in location.path.parent.iterdir() if name.fullmatch(each.name))


def copies_beside(location: Location) -> list[Path]:
    """Every copy of a file state that stands beside it under a name that this tool gives."""
    if not isinstance(location, FileLocation) or not location.path.parent.is_dir():
        return []
    name = re.compile(re.escape(location.path.name) + r"\..+\.backup(\.\d+)?")
    return sorted(each for each in location.path.parent.iterdir() if name.fullmatch(each.name))


def copy_path(location: Location, label: str, *, root: Path) -> Path:
    """Where a copy with this label goes: beside a file state, else below ``root``."""
    if isinstance(location, FileLocation):
        return location.backup(label)
    return root / ".ekomi-reconcile" / f"state.{label}.backup"


def needs_file(path: Path) -> None:
    """Make sure that there is a file.

    Raises:
        StateMissing: there is none.
    """
    with file_errors(path):
        if not path.is_file():
            raise StateMissing(f"there is no copy at {path}", mend="check the name")
