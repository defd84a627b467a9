"""The files of a new project, and what is missing in one; written beside what exists."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
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
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.model.instant import DAY, Instant, iso
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


ORDERS: Final = "orders.jsonl"
"""The example orders; the settings of a new project name them."""

_REFERENCE: Final = re.compile(r"\$\{env:(\w+)\}")
_EXAMPLES: Final = (
    (12, "complete", "General", 120.0),
    (9, "complete", "General", 35.5),
    (6, "complete", "NOT LOGGED IN", 64.9),
    (4, "canceled", "General", 80.0),
    (1, "processing", "Wholesale", 410.0),
)
"""Age in days, status, customer group and total. With the 14 days of the example account none is due yet."""


def new_project(name: str, ci: str | None, *, now: Instant) -> dict[str, str]:
    """Relative path to content, for a project with one account called ``name`` and CI of one kind or none.

    The dates of its example orders are those of the days before ``now``.

    Raises:
        ConfigurationError: no account can be called that.
    """
    _check(name)
    return {
        FILE_NAME: _template("templates/project.yaml"),
        account_path(name): _account(name),
        ORDERS: _orders(now),
        rule_tests_path(name): _template("templates/test.yaml").replace("@NAME@", text(name, in_flow=True)),
        **_for_every_project(ci, [password_variable(name)]),
    }


def additions(accounts: Sequence[Account], ci: str | None, *, tests: bool) -> dict[str, str]:
    """The same for a project with these accounts: what belongs beside its own files, and a test per rule."""
    variables = [_REFERENCE.findall(each.interface_password) for each in accounts]
    tested = {rule_tests_path(each.name): _rule_test(each) for each in accounts} if tests else {}
    return {**_for_every_project(ci, sorted({each for found in variables for each in found})), **tested}


def _for_every_project(ci: str | None, variables: Sequence[str]) -> dict[str, str]:
    found = {
        **{f"schemas/{kind}.schema.json": rendered(kind) for kind in KINDS},
        f"schemas/{RULE_TEST_SCHEMA}.schema.json": rule_test_schema_text(),
        IGNORE: _template("templates/gitignore"),
    }
    if ci is not None:
        found[CI[ci]] = "".join(_with_variables(_template(f"ci/{ci}.yml"), variables))
    return found


def _with_variables(template: str, variables: Sequence[str]) -> Iterable[str]:
    """The lines of a workflow with the variables of all passwords."""
    for line in template.splitlines(keepends=True):
        if f"{_CI_VARIABLE}:" in line:
            yield from (line.replace(_CI_VARIABLE, each) for each in variables)
        else:
            yield line.replace(_CI_VARIABLE, ", ".join(variables) or "the passwords of accounts")


def _orders(now: Instant) -> str:
    """The example orders, as a shop writes them, one per line."""
    lines = []
    for number, (age, status, group, total) in enumerate(_EXAMPLES, start=1):
        at = iso(now - age * DAY).replace("T", " ").rstrip("Z")
        order = {
            "entity_id": number,
            "increment_id": f"{100_000_000 + number}",
            "state": status,
            "status": status,
            "store_code": "de",
            "customer_group": group,
            "created_at": at,
            "updated_at": at,
            "customer_email": f"customer{number}@example.com",
            "customer_firstname": "Kim",
            "customer_lastname": "Example",
            "grand_total": total,
            "items": [{"item_id": number, "sku": "BK-1", "name": "Book", "qty_ordered": 1, "price": total}],
        }
        lines.append(json.dumps(order) + "\n")
    return "".join(lines)


def _rule_test(account: Account) -> str:
    """A test that holds for every rule; who wrote the rule knows better ones."""
    views = account.invitations.store_views
    view = min(views.names) if views.names and not views.exclude else "de"
    template = _template("templates/test.yaml")
    head, _, rest = template.partition("\n\n")
    last = rest.rpartition("---\n")[2].replace("store_code: de", f"store_code: {text(view, in_flow=True)}")
    return f"{head}\n\n{last.replace('@NAME@', text(account.name, in_flow=True))}"


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
            hint="use 1 to 255 characters without line breaks, leading spaces or trailing spaces",
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


def has_project(folder: Path) -> bool:
    """Is there a project file in this folder?"""
    return _exists(folder / FILE_NAME)


def write_project(folder: Path, project: Mapping[str, str]) -> Scaffolded:
    """Write the files of ``project`` into a folder. An example is not put beside real accounts.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    accounts = _accounts(folder)
    own = (FILE_NAME,) if has_project(folder) else ()
    kept, written = [*own, *accounts], []
    for path, content in project.items():
        if _exists(folder / path):
            kept.append(path)
        elif not (accounts and FILE_NAME in project and path.startswith((f"{ACCOUNTS}/", f"{TESTS}/"))):
            _write(folder / path, content)
            written.append(path)
    return Scaffolded(tuple(written), tuple(dict.fromkeys(kept)), _is_ignored(folder / IGNORE))


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
            f"{path.as_posix()} cannot be written: {error.strerror}",
            hint="check the write permissions of this folder",
        ) from None


def _is_ignored(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().strip("/") == STATE_FOLDER.strip("/") for line in lines)
