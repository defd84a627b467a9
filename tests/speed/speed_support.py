"""Counting work instead of timing it, and small projects on disk."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ekomi_reconcile.config.load import check, check_from
from ekomi_reconcile.config.source import DiskTree

PROJECT = "version: 1\norders: {file: orders.jsonl}\n"
NAME = "ekomi-reconcile.yaml"


def account(number: int, *lines: str) -> str:
    """A valid account; ``lines`` follow it."""
    head = f'name: Account {number}\ninterface_id: "{10_000 + number}"\n'
    return "".join(
        [head, f"interface_password: ${{env:PASSWORD_{number}}}\n", *(f"{each}\n" for each in lines)]
    )


def make(folder: Path, *accounts: str) -> Path:
    """A project with these account files, which has its folder for state and cache; the project file."""
    (folder / "accounts.d").mkdir()
    (folder / ".ekomi-reconcile").mkdir()
    (folder / NAME).write_text(PROJECT)
    for number, text in enumerate(accounts):
        (folder / "accounts.d" / f"{number}.yaml").write_text(text)
    return folder / NAME


def seen(path: Path) -> Any:
    """Everything a check with the cache of this project tells."""
    return _told(check(path))


def seen_anew(path: Path) -> Any:
    """The same without any cache."""
    return _told(check_from(DiskTree(), path.as_posix()))


def _told(found: Any) -> Any:
    configuration, diagnostics = found
    if configuration is None:
        return None, diagnostics
    origins = {key: dict(each) for key, each in configuration.origins.items()}
    places = {each.interface_id: configuration.place(each.interface_id) for each in configuration.accounts}
    derived = [each.derived for each in configuration.accounts]
    return configuration, repr(configuration), origins, places, derived, diagnostics


@contextmanager
def calls() -> Iterator[Counter[str]]:
    """Counts the functions called inside, by module and name: ``config.yaml.read``; C functions by name."""
    found: Counter[str] = Counter()

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "").removeprefix("ekomi_reconcile.")
            found[f"{module}.{frame.f_code.co_name}"] += 1
        elif event == "c_call":
            found[argument.__qualname__] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(before)


def counted(work: Callable[[], object]) -> Counter[str]:
    """The functions that this calls."""
    with calls() as found:
        work()
    return found
