"""Diagnostics as text, GitHub annotations and SARIF.

Form and escaping are those of the runner's own toolkit: ``::error file=…,line=…::message``, with ``%``, line
ends and, in properties, ``:`` and ``,`` percent-encoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.document import Count, JsonObject
from ekomi_reconcile.plan.codec import diagnostic_json
from ekomi_reconcile.plan.document import DiagnosticEntry
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable

_TONES = {Severity.ERROR: Tone.REMOVE, Severity.WARNING: Tone.CHANGE}


def diagnostic_text(each: Diagnostic, paint: Paint) -> str:
    """``path:line:column: error[rule] key: message`` and, below it, found, allowed, mend."""
    where = f"{printable(str(each.place))}: " if each.place else ""
    key = f"{printable(each.key)}: " if each.key else ""
    severity = paint(_TONES[each.severity], each.severity.value)
    head = f"{where}{severity}[{each.rule}] {key}{printable(each.message)}"
    notes = (("found", each.found), ("allowed", each.allowed), ("mend", each.mend))
    return "\n".join([head, *(f"    {name}: {printable(text)}" for name, text in notes if text)])


def diagnostics_text(found: Iterable[Diagnostic], paint: Paint) -> str:
    """All of them, one below the other, with a newline at the end of each."""
    return "".join(diagnostic_text(each, paint) + "\n" for each in found)


def verdict_text(found: Iterable[Diagnostic], *, accounts: int | None) -> str:
    """The last line of ``validate``."""
    diagnostics = list(found)
    errors = sum(each.is_error for each in diagnostics)
    warnings = len(diagnostics) - errors
    if errors:
        return f"Invalid: {plural(errors, 'error')}, {plural(warnings, 'warning')}."
    return f"Valid: {plural(accounts or 0, 'account')}, {plural(warnings, 'warning')}."


class ValidationDocument(JsonObject, frozen=True):
    """What is wrong with the files; lines and columns count from 1."""

    valid: bool
    error_count: Count
    warning_count: Count
    diagnostics: list[DiagnosticEntry]


def diagnostics_json(found: Iterable[Diagnostic]) -> ValidationDocument:
    """The object of ``validate --format json``."""
    diagnostics = list(found)
    errors = sum(each.is_error for each in diagnostics)
    return ValidationDocument(
        valid=errors == 0,
        error_count=errors,
        warning_count=len(diagnostics) - errors,
        diagnostics=[diagnostic_json(each) for each in diagnostics],
    )


_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def github_commands(found: Iterable[Diagnostic]) -> str:
    """One command per finding and line; paths stand as they are and should start at the repository's top."""
    return "".join(f"{_command(each)}\n" for each in found)


def message_text(each: Diagnostic) -> str:
    """The message, and on lines of their own what was found, what is allowed and how to mend it."""
    key = f"{printable(each.key)}: " if each.key else ""
    notes = (("found", each.found), ("allowed", each.allowed), ("mend", each.mend))
    lines = [key + printable(each.message), *(f"{name}: {printable(text)}" for name, text in notes if text)]
    return "\n".join(lines)


def _command(each: Diagnostic) -> str:
    properties = {**({} if each.place is None else _properties(each.place)), "title": each.rule}
    written = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    return f"::{each.severity.value} {written}::{message_text(each).translate(_DATA)}"


def _properties(place: Place) -> dict[str, str]:
    """Columns may only be given where the place is on one line."""
    where = {"file": printable(place.path), "line": str(place.line)}
    if place.end_line not in (None, place.line):
        return {**where, "endLine": str(place.end_line)}
    end = {} if place.end_column is None else {"endColumn": str(place.end_column)}
    return {**where, "col": str(place.column), **end}


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
