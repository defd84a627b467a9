"""The files of a new project, written beside what exists."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from ekomi_reconcile.config.load import FILE_NAME
from ekomi_reconcile.config.models import KINDS, rendered, type_of
from ekomi_reconcile.config.settings import ACCOUNTS, TESTS
from ekomi_reconcile.config.source import SUFFIXES
from ekomi_reconcile.formatting.emit import text
from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.model.keys import Name
from ekomi_reconcile.rule_tests.document import SCHEMA as RULE_TEST_SCHEMA
from ekomi_reconcile.rule_tests.document import rule_test_schema_text

IGNORE: Final = ".gitignore"
STATE_FOLDER: Final = ".ekomi-reconcile/"
CI: Final = {"github": ".github/workflows/ekomi-reconcile.yml", "gitlab": ".gitlab-ci.yml"}
"""Which system's workflow is looked for where; the templates have the names of the systems."""

PACKAGE_VARIABLE: Final = "EKOMI_RECONCILE_PACKAGE"
"""Where the workflows look for what pip is to install."""

_CI_VARIABLE: Final = "EKOMI_DE_PASSWORD"
"""What the workflows call the password of the account."""


def project_files(name: str, ci: str | None) -> dict[str, str]:
    """Relative path to content, for a project with one account called ``name`` and CI of one kind or none.

    Raises:
        ConfigurationError: no account can be called that.
    """
    _check(name)
    found = {
        FILE_NAME: _template("templates/project.yaml"),
        account_path(name): _account(name),
        rule_tests_path(name): _template("templates/test.yaml").replace("@NAME@", text(name, in_flow=True)),
        **{f"schemas/{kind}.schema.json": rendered(kind) for kind in KINDS},
        f"schemas/{RULE_TEST_SCHEMA}.schema.json": rule_test_schema_text(),
        IGNORE: _template("templates/gitignore"),
    }
    if ci is not None:
        found[CI[ci]] = _template(f"ci/{ci}.yml").replace(_CI_VARIABLE, password_variable(name))
    return found


def account_path(name: str) -> str:
    """The file of an account of this name: ``accounts.d/germany.yaml``."""
    return f"{ACCOUNTS}/{_slug(name)}.yaml"


def rule_tests_path(name: str) -> str:
    """The file with the tests of the rule of an account of this name: ``tests.d/germany.yaml``."""
    return f"{TESTS}/{_slug(name)}.yaml"


def password_variable(name: str) -> str:
    """The environment variable of its password: ``EKOMI_GERMANY_PASSWORD``."""
    return f"EKOMI_{_slug(name).replace('-', '_').upper()}_PASSWORD"


def _account(name: str) -> str:
    template = _template("templates/account.yaml")
    return template.replace("@NAME@", text(name, in_flow=False)).replace(
        "@VARIABLE@", password_variable(name)
    )


def _check(name: str) -> None:
    try:
        TypeAdapter(type_of(Name)).validate_python(name)
    except ValidationError:
        raise ConfigurationError(
            "an account cannot be called that",
            hint="1 to 255 characters, no line breaks, and no spaces at the ends",
        ) from None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "account"


def _template(path: str) -> str:
    return (files(__package__) / path).read_text(encoding="utf-8")


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
            f"this folder already contains a project: {(folder / FILE_NAME).as_posix()}",
            hint="go on with `ekomi-reconcile validate`; for another project, run this in another folder",
        )
    accounts = _accounts(folder)
    kept, written = list(accounts), []
    for path, content in project.items():
        if accounts and path.startswith((f"{ACCOUNTS}/", f"{TESTS}/")):
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
            f"{path.as_posix()} cannot be written: {error.strerror}", hint="check who may write there"
        ) from None


def _is_ignored(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().strip("/") == STATE_FOLDER.strip("/") for line in lines)
