"""A project that has lived a little, what its commands write as JSON, and schemas that forgive nothing."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from project_support import Project, order, settings

from ekomi_reconcile.cli.fmt import schema_text

PRIVACY = "privacy: {suppress: suppressed.txt}\n"
ADDRESS = "customer1@example.com"


def make_project(folder: Path, url: str) -> Project:
    """Three accounts, and orders that are due, waiting or not invited."""
    made = Project(folder)
    (folder / "accounts.d").mkdir()
    made.settings(settings(url, PRIVACY))
    made.account("Germany", "28374", "pending_period: 0\nstore_views: [de]", "tags: [dach]")
    made.account("France", "28375", "pending_period: 20\nstore_views: [fr]\ndeliver: link")
    made.account("Norway", "28376", "pending_period: 7\nstore_views: ['no']")
    orders = [order(number) for number in range(1, 4)]
    orders += [order(4, store_code="fr"), order(5, status="pending", state="new")]
    made.orders(orders)
    (folder / "suppressed.txt").touch()
    renamed = {"version": 1, "accounts": "none.d", "orders": {"eu": {"file": "orders.jsonl"}}}
    (folder / "renamed.yaml").write_text(json.dumps(renamed))
    (folder / "none.d").mkdir()
    (folder / "past.csv").write_text("order,account\n100000005,Germany\n1,Germany\n")
    return made


def written(project: Project, *arguments: str) -> tuple[int, str]:
    """The exit code of a command and what it wrote to stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = project.cli(*arguments)
    return code, out.getvalue()


def strict(name: str) -> Draft202012Validator:
    """A schema that also refuses keys that it does not know: here nothing may be forgotten."""
    return Draft202012Validator(
        _closed(json.loads(schema_text(name))), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events in a file, each of which is a whole line that the schema accepts."""
    text = path.read_text("utf-8")
    assert text.endswith("\n")
    events = [json.loads(line) for line in text.splitlines()]
    known = strict("events")
    for each in events:
        known.validate(each)
    return events


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {key: _closed(each) for key, each in schema.items()}
    if "then" in closed:
        del closed["then"]["unevaluatedProperties"]
    if "properties" in closed and "required" in closed:
        closed.setdefault("unevaluatedProperties", False)
    return closed
