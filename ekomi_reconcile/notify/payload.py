"""What is posted: JSON for any program, or a message for Slack's incoming webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ekomi_reconcile import __version__
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import iso
from ekomi_reconcile.model.result import Done, Failure
from ekomi_reconcile.notify.report import Outcome, RunReport

FORMAT_VERSION = "1.0"
"""Minor versions only add."""

MOST_ACCOUNTS = 100
MOST_TEXTS = 20
_LONGEST_TEXT = 500

_SLACK_TEXTS = 5
_SLACK_ACCOUNTS = 20
_SECTION = 3_000
"""Characters that Slack takes in one section."""

_HEADS = {
    Outcome.SUCCESS: ":white_check_mark: {} complete",
    Outcome.INCOMPLETE: ":warning: {} incomplete",
    Outcome.FAILED: ":x: {} failed",
}

Clean = Callable[[str], str]
"""Takes secrets out of a text."""


def json_payload(report: RunReport, clean: Clean) -> dict[str, Json]:
    """Everything that is told; of long lists the beginning, and how many there are."""
    accounts: list[Json] = [
        {"name": clean(each.name), "action": each.action} for each in report.accounts[:MOST_ACCOUNTS]
    ]
    return {
        "format_version": FORMAT_VERSION,
        "tool": "ekomi-reconcile",
        "tool_version": __version__,
        "command": report.command,
        "project": clean(report.project),
        "outcome": report.outcome.value,
        "occasions": sorted(each.value for each in report.occasions),
        "began_at": iso(report.began_at),
        "ended_at": iso(report.ended_at),
        "counts": {each.value: report.counts.get(each, 0) for each in Done},
        "accounts_changed": len(report.accounts),
        "accounts": accounts,
        "failures_total": len(report.failures),
        "failures": [_failure(each, clean) for each in report.failures[:MOST_TEXTS]],
        "not_tried": [_short(clean(each)) for each in report.not_tried[:MOST_TEXTS]],
        "notes": [_short(clean(each)) for each in report.notes[:MOST_TEXTS]],
    }


def slack_payload(report: RunReport, clean: Clean) -> dict[str, Json]:
    """A message of blocks; ``text`` is what notifications of the desktop show."""
    head = _HEADS[report.outcome].format(f"*{report.command}*")
    title = f"{head}: {_escaped(clean(report.project))}"
    sections = [f"{title}\n{_figures(report)}", *_details(report, clean)]
    blocks: list[Json] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(each, _SECTION)}} for each in sections
    ]
    when = f"{iso(report.ended_at)}, ekomi-reconcile {__version__}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": when}]})
    return {"text": _cut(f"{title}: {_figures(report)}", _SECTION), "blocks": blocks}


def _details(report: RunReport, clean: Clean) -> Iterator[str]:
    if report.failures:
        texts = [_failure_line(each, clean) for each in report.failures]
        yield _list("Failed", texts, most=_SLACK_TEXTS)
    if report.not_tried:
        yield _list(
            "Not tried", [_escaped(_short(clean(each))) for each in report.not_tried], most=_SLACK_TEXTS
        )
    if report.accounts:
        names = [f"{_escaped(clean(each.name))} ({each.action})" for each in report.accounts]
        yield _list("Accounts", names, most=_SLACK_ACCOUNTS)
    if report.notes:
        yield _list("Notes", [_escaped(_short(clean(each))) for each in report.notes], most=_SLACK_TEXTS)


def _list(title: str, texts: Sequence[str], *, most: int) -> str:
    lines = [f"*{title}*", *(f"• {each}" for each in texts[:most])]
    if len(texts) > most:
        lines.append(f"… and {len(texts) - most:,} more")
    return "\n".join(lines)


def _figures(report: RunReport) -> str:
    """``2 added, 41 sent``; figures of nothing are left out."""
    told = [
        f"{count:,} {each.value.replace('_', ' ')}" for each in Done if (count := report.counts.get(each, 0))
    ]
    return ", ".join(told) or "nothing was done"


def _failure(each: Failure, clean: Clean) -> Json:
    mend = None if each.mend is None else _short(clean(each.mend))
    return {"subject": _short(clean(each.subject)), "message": _short(clean(each.message)), "mend": mend}


def _failure_line(each: Failure, clean: Clean) -> str:
    return _escaped(f"{_short(clean(each.subject))}: {_short(clean(each.message))}")


def _short(text: str) -> str:
    return _cut(" ".join(text.split()), _LONGEST_TEXT)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _escaped(text: str) -> str:
    """Slack's rule: these three, and only these. A name cannot mention a channel or be a link then."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
