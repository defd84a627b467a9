"""Findings in the Static Analysis Results Interchange Format, SARIF 2.1.0 (an OASIS standard)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.render.github import message_text

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_TOP = "%SRCROOT%"
"""The name by which consumers know the top of the repository."""


def sarif_json(found: Sequence[Diagnostic], *, tool_version: str) -> dict[str, Json]:
    """A log of one run; paths stand as they are and should start at the repository's top.

    Lines and columns count from 1, columns in characters; an end column is the first one after the place.
    """
    levels = {each.rule: each.severity.value for each in found}
    rules = sorted(levels)
    driver = {
        "name": "ekomi-reconcile",
        "version": tool_version,
        "rules": [_rule(each, levels[each]) for each in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, rules.index(each.rule)) for each in found],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str, level: str) -> dict[str, Json]:
    return {
        "id": rule,
        "shortDescription": {"text": rule.replace("-", " ")},
        "defaultConfiguration": {"level": level},
    }


def _result(each: Diagnostic, rule_index: int) -> dict[str, Json]:
    return {
        "ruleId": each.rule,
        "ruleIndex": rule_index,
        "level": each.severity.value,
        "message": {"text": message_text(each)},
        "locations": [] if each.place is None else [{"physicalLocation": _location(each.place)}],
    }


def _location(place: Place) -> dict[str, Json]:
    region = {"startLine": place.line, "startColumn": place.column}
    if place.end_line is not None:
        region["endLine"] = place.end_line
    if place.end_column is not None:
        region["endColumn"] = place.end_column
    return {"artifactLocation": _artifact(place.path), "region": region}


def _artifact(path: str) -> dict[str, Json]:
    if path.startswith("/"):
        return {"uri": f"file://{quote(path)}"}
    return {"uri": quote(path), "uriBaseId": _TOP}
