"""Findings as workflow commands of GitHub Actions, which become annotations of a pull request.

Form and escaping are those of the runner's own toolkit: ``::error file=…,line=…::message``, with ``%``, line
ends and, in properties, ``:`` and ``,`` percent-encoded.
"""

from __future__ import annotations

from collections.abc import Iterable

from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.render.style import printable

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
