"""Results of runs and diagnostics: text, JSON, GitHub annotations and SARIF.

Form and escaping are those of the runner's own toolkit: ``::error file=…,line=…::message``, with ``%``, line
ends and, in properties, ``:`` and ``,`` percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Excerpt, Place, Severity
from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.run import ApiError, Done, Failure, JournalEntry, Result
from ekomi_reconcile.plan.codec import diagnostic_json
from ekomi_reconcile.plan.document import DiagnosticEntry
from ekomi_reconcile.render import tables
from ekomi_reconcile.render.tables import Paint, Tone, printable

_HIDDEN = "(sensitive)"
_TONES = {Severity.ERROR: Tone.REMOVE, Severity.WARNING: Tone.CHANGE}


def diagnostic_text(each: Diagnostic, paint: Paint, *, excerpt: bool = False) -> str:
    """``path:line:column: error[rule] key: message``; below it the line if asked for, and the notes."""
    where = f"{printable(str(each.place))}: " if each.place else ""
    key = f"{printable(each.key)}: " if each.key else ""
    severity = paint(_TONES[each.severity], each.severity.value)
    head = f"{where}{severity}[{each.rule}] {key}{printable(each.message)}"
    line = each.excerpt if excerpt else None
    shown = [] if line is None or each.place is None else _excerpt_lines(each.place.line, line, each, paint)
    return "\n".join([head, *shown, *(f"    {name}: {printable(text)}" for name, text in _notes(each, line))])


def _excerpt_lines(number: int, line: Excerpt, each: Diagnostic, paint: Paint) -> list[str]:
    before, marked, after = map(printable, (line.before, line.marked, line.after))
    margin = " " * len(str(number))
    carets = paint(_TONES[each.severity], "^" * max(tables.columns_of(marked), 1))
    below = f" {margin} | {' ' * tables.columns_of(before)}{carets}"
    return [f" {margin} |", f" {number} | {before}{marked}{after}".rstrip(), below]


_WORD = re.compile(r"[^\W_]+")
_SUGGESTIONS = ("did you mean ", "write ", "leave the key out", "remove the second", "change one")
"""How a hint begins that has what to write: what else is allowed is in the documentation."""


def _notes(each: Diagnostic, line: Excerpt | None = None) -> list[tuple[str, str]]:
    """What was found, what is allowed and how to fix it, each unless something before it says so."""
    said = f"{each.message} {line.before}{line.marked}{line.after}" if line else each.message
    found, allowed, hint = each.found or "", each.allowed or "", each.hint or ""
    if _says(said, found) or (line is not None and line.marked == _HIDDEN and found.endswith(_HIDDEN)):
        found = ""
    if hint.startswith(_SUGGESTIONS) or " belongs " in hint or _says(f"{said} {hint}", allowed):
        allowed = ""
    notes = [("found", found), ("allowed", allowed), ("hint", hint)]
    if each.incident is not None:
        notes.append((f"incident {each.incident}", f"see {each.incident.guide}"))
    return [note for note in notes if note[1]]


def _says(text: str, part: str) -> bool:
    """Is the part in the text, whatever the punctuation?"""
    whole, wanted = (f" {' '.join(_WORD.findall(each.casefold()))} " for each in (text, part))
    return wanted in whole


def diagnostics_text(found: Iterable[Diagnostic], paint: Paint) -> str:
    """All of them with their lines, one below the other, with a newline at the end of each."""
    return "".join(diagnostic_text(each, paint, excerpt=True) + "\n" for each in found)


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
    """One command per finding and line; paths are kept, and should start at the repository's top."""
    return "".join(f"{_command(each)}\n" for each in found)


def message_text(each: Diagnostic) -> str:
    """The message, and on lines of their own what was found, what is allowed and how to fix it."""
    key = f"{printable(each.key)}: " if each.key else ""
    lines = [key + printable(each.message), *(f"{name}: {printable(text)}" for name, text in _notes(each))]
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
    """A log of one run; paths are kept, and should start at the repository's top.

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
    from ekomi_reconcile.config.diagnostics import explanation

    known = explanation(rule)
    texts: dict[str, Json] = (
        {"fullDescription": {"text": known.means}, "help": {"text": known.fix}} if known else {}
    )
    return {
        "id": rule,
        "shortDescription": {"text": rule.replace("-", " ")},
        **texts,
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


_WORDS = {
    Done.REVIEWS_NEW: "new reviews",
    Done.REVIEWS_CHANGED: "changed reviews",
    Done.REVIEWS_GONE: "reviews gone",
    Done.REVIEWS_UNREADABLE: "reviews unreadable",
    Done.RETRY_LATER: "to try again",
    Done.FAILED: "failed for good",
    Done.UNKNOWN: "perhaps sent",
    Done.LEFT_OUT: "left out",
}


def run_words(counts: Mapping[str, int], *, failures: int = 0, not_tried: int = 0) -> str:
    """``5 added, 81 sent, 1 failure``; empty where there is nothing to count. ``counts`` are by ``Done``."""
    parts = [f"{count:,} {_word(each, count)}" for each in Done if (count := counts.get(each.value, 0))]
    if failures:
        parts.append(f"{failures:,} failure{'' if failures == 1 else 's'}")
    if not_tried:
        parts.append(f"{not_tried:,} not tried")
    return ", ".join(parts)


def _word(what: Done, count: int) -> str:
    word = _WORDS.get(what, what.value)
    return word.replace("reviews", "review") if count == 1 else word


_ALWAYS = (
    (Done.ADDED, Done.CHANGED, Done.DESTROYED),
    (Done.SYNCED, Done.IMPORTED),
    (Done.SCHEDULED, Done.RESCHEDULED, Done.CANCELLED, Done.SENT),
)
_REVIEWS = {Done.REVIEWS_NEW: "new", Done.REVIEWS_CHANGED: "changed", Done.REVIEWS_GONE: "gone"}
_IF_ANY = {
    Done.REVIEWS_UNREADABLE: "reviews without a date or a rating, left out",
    Done.WAITING: "due but waiting: order on hold or not readable, or sending window closed",
    Done.RETRY_LATER: "not delivered, to be tried again by a later run",
    Done.FAILED: "failed for good: see `invitations list --status failed`",
    Done.UNKNOWN: "perhaps sent, outcome unknown: see `invitations list --status unknown`",
    Done.LEFT_OUT: "left out: changed since the plan was made, or taken by another run",
}


def result_text(result: Result, paint: tables.Paint, *, complete: bool, width: int | None = None) -> str:
    """What there is to know, failures with the next commands, then the figures; ends with a newline.

    ``width`` is that of the terminal in columns; ``None`` breaks no lines.
    """
    lines = [*details(result, paint, width=width), *_next_commands(result)]
    good = result.succeeded and complete
    head = (
        paint(tables.Tone.ADD, "Apply complete.") if good else paint(tables.Tone.REMOVE, "Apply incomplete.")
    )
    lines.append(f"{head} {_figures(result)}")
    return "\n".join(lines) + "\n"


def details(result: Result, paint: tables.Paint, *, width: int | None = None) -> Iterator[str]:
    """What there is to know, what was not tried, and last what failed: one line each."""
    lines = _Lines(paint, None if width is None else max(width, tables.NARROWEST))
    for text in result.notes:
        yield lines.headed("note", text)
    if any(result.counts.get(each) for each in (Done.IMPORTED, *_REVIEWS)):
        yield f"reviews: {', '.join(f'{result.counts.get(each, 0)} {_REVIEWS[each]}' for each in _REVIEWS)}"
    for what, words in _IF_ANY.items():
        if count := result.counts.get(what):
            yield f"{count} {words}"
    for text in result.not_tried:
        yield lines.headed("not tried", text, tables.Tone.CHANGE)
    yield from _failures(result.failures, lines)
    for incident in dict.fromkeys(each.incident for each in result.failures if each.incident):
        yield f"incident {incident}: see {incident.guide}"


_ALIKE = 3
"""Failures with the same message that are shown; more are counted."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines on a page ``width`` columns wide."""

    paint: tables.Paint
    width: int | None

    def headed(self, word: str, text: str, tone: tables.Tone | None = None) -> str:
        """``failed: …``, with the word in colour."""
        shown = "\n".join(tables.wrapped(f"{word}: {tables.printable(text)}", self.width))
        return shown if tone is None else self.paint(tone, word) + shown.removeprefix(word)

    def hint(self, text: str) -> str:
        """What to do, below a line."""
        return "\n".join(tables.wrapped(f"hint: {tables.printable(text)}", self.width, 4))


def _failures(failures: Iterable[Failure], lines: _Lines) -> Iterator[str]:
    """One line each, those with the same message together, with one hint; what is in doubt comes last."""
    groups: dict[tuple[bool, str, str | None], list[Failure]] = {}
    for each in sorted(failures, key=lambda each: each.in_doubt):
        groups.setdefault((each.in_doubt, each.message, each.hint), []).append(each)
    for (in_doubt, message, hint), members in groups.items():
        word, tone = ("unknown", tables.Tone.CHANGE) if in_doubt else ("failed", tables.Tone.REMOVE)
        for each in members[:_ALIKE]:
            yield lines.headed(word, f"{each.subject}: {message}", tone)
        if len(members) > _ALIKE:
            yield f"    … {len(members) - _ALIKE:,} more with the same message"
        if hint:
            yield lines.hint(hint)


def _next_commands(result: Result) -> Iterator[str]:
    """What to type after a run that did not do everything."""
    if result.counts.get(Done.UNKNOWN):
        yield "next: ekomi-reconcile invitations list --status unknown"
    if any(not each.in_doubt for each in result.failures):
        yield "next: ekomi-reconcile errors, then ekomi-reconcile apply to do the rest"
    elif result.not_tried:
        yield "next: ekomi-reconcile apply, to do the rest"


def _figures(result: Result) -> str:
    groups = (", ".join(f"{result.counts.get(each, 0)} {each.value}" for each in group) for group in _ALWAYS)
    return "; ".join(groups) + "."


def fetched_text(result: Result, title: str, figures: Sequence[Done], *, paint: tables.Paint) -> str:
    """Failures, then ``Sync complete. 3 synced, 1 failed.``; ends with a newline."""
    head = f"{title} complete." if result.succeeded else f"{title} incomplete."
    tone = tables.Tone.ADD if result.succeeded else tables.Tone.REMOVE
    counts = [f"{result.counts.get(each, 0)} {each.value}" for each in figures]
    counts.append(f"{len(result.failures)} failed")
    return "\n".join([*details(result, paint), f"{paint(tone, head)} {', '.join(counts)}."]) + "\n"


LAYOUT: tables.Layout = (
    (tables.Column("At (UTC)"),),
    (tables.Column("Account", whole=False), tables.Column("Operation", whole=False)),
    (tables.Column("Kind"), tables.Column("HTTP")),
    (tables.Column("Message", whole=False),),
)


@dataclass(frozen=True, slots=True)
class ListedError:
    """A failed call and the name of its account, if it had one."""

    account: str | None
    error: ApiError


class ErrorEntry(JsonObject, frozen=True):
    """A failed call to eKomi."""

    at: Time
    account: str | None
    interface_id: str | None
    operation: str
    kind: str
    http_status: Count | None
    message: str


def error_json(each: ListedError) -> ErrorEntry:
    """One object of ``errors --format json``."""
    return from_records(ErrorEntry, each.error, account=each.account)


def error_row(each: ListedError) -> tables.Row:
    """One line of the list."""
    error = each.error
    return (
        tables.time_cell(error.at),
        tables.cell(each.account),
        tables.cell(error.operation),
        tables.Cell(error.kind, tables.Tone.REMOVE),
        tables.cell(error.http_status),
        tables.cell(error.message),
    )


class ActionEntry(JsonObject, frozen=True):
    """An entry of the journal: who did what, and how it ended."""

    at: Time
    who: str
    host: str
    action: str
    subject: str | None
    outcome: str
    detail: str | None
    commit: str | None
    plan_digest: str | None


def entry_json(entry: JournalEntry) -> ActionEntry:
    """One object of ``state history --format json``."""
    return from_records(ActionEntry, entry)
