"""Diagnostics for people: where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.plan.codec import diagnostic_json
from ekomi_reconcile.render.style import Paint, Tone, plural, printable

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


def diagnostics_json(found: Iterable[Diagnostic]) -> dict[str, Json]:
    """All of them as JSON values, with their numbers; lines and columns count from 1."""
    diagnostics = list(found)
    errors = sum(each.is_error for each in diagnostics)
    return {
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(diagnostics) - errors,
        "diagnostics": [diagnostic_json(each) for each in diagnostics],
    }
