"""The files of a new project as paths and texts; nothing is written here."""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files
from typing import Final

from pydantic import TypeAdapter, ValidationError

from ekomi_reconcile.config.load import FILE_NAME
from ekomi_reconcile.config.schema import KINDS, rendered
from ekomi_reconcile.config.types import Name
from ekomi_reconcile.errors import ConfigurationError
from ekomi_reconcile.formatting.scalars import text

ACCOUNTS: Final = "accounts.d"
IGNORE: Final = ".gitignore"
STATE_FOLDER: Final = ".ekomi-reconcile/"
CI: Final = {"github": ".github/workflows/ekomi-reconcile.yml", "gitlab": ".gitlab-ci.yml"}
"""Which system's workflow is looked for where; the templates have the names of the systems."""

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
        **{f"schemas/{kind}.schema.json": rendered(kind) for kind in KINDS},
        IGNORE: _template("templates/gitignore"),
    }
    if ci is not None:
        found[CI[ci]] = _template(f"ci/{ci}.yml").replace(_CI_VARIABLE, password_variable(name))
    return found


def account_path(name: str) -> str:
    """The file of an account of this name: ``accounts.d/germany.yaml``."""
    return f"{ACCOUNTS}/{_slug(name)}.yaml"


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
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise ConfigurationError(
            "an account cannot be called that",
            mend="1 to 255 characters, no line breaks, and no blanks at the ends",
        ) from None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "account"


def _template(path: str) -> str:
    return (files(__package__) / path).read_text(encoding="utf-8")
