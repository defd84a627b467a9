"""Write what is generated: the schemas and the reference pages.

    python -m tools.generate [--check] [FOLDER]

FOLDER is the root of a checkout, by default this one. With ``--check`` nothing is written: files that differ
are named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from ekomi_reconcile.cli.fmt import schema_names, schema_text
from tools import command_reference, diagrams, file_reference

ROOT: Final = Path(__file__).parent.parent
SCHEMAS: Final = "schemas"
GENERATED: Final = (SCHEMAS, "docs/commands")
"""Folders in which every file is generated."""
COMMAND: Final = "python -m tools.generate"

FILES: Final[Mapping[str, Callable[[], str]]] = {
    **{f"{SCHEMAS}/{name}.schema.json": partial(schema_text, name) for name in schema_names()},
    "docs/commands.md": command_reference.overview,
    **{
        f"docs/{path}": partial(command_reference.page, name)
        for name, path in command_reference.pages().items()
    },
    **{f"docs/images/diagram-{name}.svg": draw for name, draw in diagrams.DIAGRAMS.items()},
    "docs/reference/configuration.md": file_reference.overview,
    "docs/reference/diagnostics.md": file_reference.diagnostics_page,
    "docs/reference/account.md": partial(file_reference.page, "account"),
    "docs/reference/project.md": partial(file_reference.page, "project"),
}
"""Every generated file, from the root of the checkout, with what makes its text."""


def outdated(folder: Path) -> list[str]:
    """Return the generated files that are missing or different, and those that are no longer generated."""
    differing = [path for path, text in FILES.items() if _content(folder / path) != text()]
    committed = {f"{part}/{each.name}" for part in GENERATED for each in (folder / part).glob("*")}
    return [*differing, *sorted(committed - FILES.keys())]


def _content(path: Path) -> str | None:
    return path.read_bytes().decode() if path.is_file() else None


def write(folder: Path) -> list[str]:
    """Write the files that are outdated, delete those that are no longer generated, and return both."""
    changed = outdated(folder)
    for path in changed:
        if path in FILES:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(FILES[path](), encoding="utf-8", newline="\n")
        else:
            (folder / path).unlink()
    return changed


def main(arguments: Sequence[str]) -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write the schemas and the reference pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is outdated")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="the root of a checkout")
    chosen = parser.parse_args(arguments)
    changed = outdated(chosen.folder) if chosen.check else write(chosen.folder)
    for path in changed:
        sys.stdout.write(f"{path}: {f'outdated; run: {COMMAND}' if chosen.check else 'written'}\n")
    return 1 if chosen.check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
