"""Notifications: what happened in a run, posted to a webhook."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

import httpx

from ekomi_reconcile import __version__
from ekomi_reconcile.config.configuration import redact, resolve
from ekomi_reconcile.config.settings import NotifyFormat, NotifySettings, Occasion
from ekomi_reconcile.http.client import TRANSPORT_ERRORS, location_of, open_client, within
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.errors import SecretError
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.review import NewReview
from ekomi_reconcile.model.run import Done, Failure, Result

_ACCOUNTS = frozenset({Done.ADDED, Done.CHANGED, Done.DESTROYED})
_REVIEWS = frozenset({Done.REVIEWS_NEW, Done.REVIEWS_CHANGED, Done.REVIEWS_GONE})
_QUEUE = frozenset({Done.SCHEDULED, Done.RESCHEDULED, Done.CANCELLED, Done.SENT, Done.FAILED, Done.UNKNOWN})
CHANGES = _ACCOUNTS | _REVIEWS | _QUEUE
"""Figures that say that something is otherwise than before."""

WORK = CHANGES | {Done.SYNCED, Done.IMPORTED}
"""Figures that say that something was done."""


class RunOutcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChangedAccount:
    """An account that a run created, updated, replaced or deleted."""

    name: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run that ended. ``command`` is ``apply`` or ``run``; times are UTC.

    ``failures``: what could not be done, by what it was and why; a run that failed as a whole has one.
    """

    command: str
    project: str
    outcome: RunOutcome
    began_at: Instant
    ended_at: Instant
    counts: Mapping[Done, int] = field(default_factory=dict)
    accounts: tuple[ChangedAccount, ...] = ()
    failures: tuple[Failure, ...] = ()
    not_tried: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reviews: tuple[NewReview, ...] = ()

    @property
    def occasions(self) -> frozenset[Occasion]:
        """What this run is an occasion of."""
        found = {Occasion.SUCCESS if self.outcome is RunOutcome.SUCCESS else Occasion.FAILURE}
        if any(self.counts.get(each) for each in CHANGES):
            found.add(Occasion.CHANGES)
        return frozenset(found | {Occasion.REVIEW} if self.reviews else found)

    def told_by(self, hook: NotifySettings) -> RunReport:
        """The report for one webhook: only with the reviews that it wants to know of."""
        limit = 5 if hook.rating is None else hook.rating.lte
        wanted = Occasion.REVIEW in hook.on
        reviews = tuple(each for each in self.reviews if wanted and each.rating <= limit)
        return replace(self, reviews=reviews)


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """A run while it goes on; what is known of it is put in here, and at its end becomes a report."""

    command: str
    began_at: Instant
    counts: dict[Done, int] = field(default_factory=dict)
    accounts: list[ChangedAccount] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reviews: list[NewReview] = field(default_factory=list)
    outcome: RunOutcome | None = None

    @property
    def idle(self) -> bool:
        """Was there nothing to do, and nothing wrong?"""
        return self.outcome is RunOutcome.SUCCESS and not any(self.counts.get(each) for each in WORK)

    def ended(self, result: Result, changes: Iterable[ChangedAccount], problems: Iterable[str]) -> None:
        """It was carried out. ``problems`` are what could not be read, so that it was not planned."""
        self.counts.update(result.counts)
        self.failures += result.failures
        self.failures += [Failure(subject="plan", message=each) for each in problems]
        self.not_tried += result.not_tried
        self.notes += result.notes
        self.reviews += result.reviews
        failed = {each.subject for each in result.failures}
        self.accounts += [each for each in changes if f"{each.name}: {each.action}" not in failed]
        if self.outcome is None:
            good = not (self.failures or self.not_tried)
            self.outcome = RunOutcome.SUCCESS if good else RunOutcome.INCOMPLETE

    def failed(self, message: str, hint: str | None) -> None:
        """It could not be done as it was meant to be."""
        self.failures.insert(0, Failure(subject=self.command, message=message, hint=hint))
        self.outcome = RunOutcome.FAILED

    def report(self, *, project: str, ended_at: Instant) -> RunReport | None:
        """What there is to tell; ``None`` if nothing was tried, since a person said no."""
        if self.outcome is None:
            return None
        return RunReport(
            command=self.command,
            project=project,
            outcome=self.outcome,
            began_at=self.began_at,
            ended_at=ended_at,
            counts=self.counts,
            accounts=tuple(self.accounts),
            failures=tuple(self.failures),
            not_tried=tuple(self.not_tried),
            notes=tuple(self.notes),
            reviews=tuple(self.reviews),
        )


FORMAT_VERSION = "1.1"
"""Minor versions only add."""

MOST_ACCOUNTS = 100
MOST_TEXTS = 20
_LONGEST_TEXT = 500

_SLACK_TEXTS = 5
_SLACK_ACCOUNTS = 20
_SECTION = 3_000
"""Characters that Slack takes in one section."""

_HEADS = {
    RunOutcome.SUCCESS: ":white_check_mark: {} complete",
    RunOutcome.INCOMPLETE: ":warning: {} incomplete",
    RunOutcome.FAILED: ":x: {} failed",
}

Clean = Callable[[str], str]
"""Takes secrets out of a text."""


def json_payload(report: RunReport, clean: Clean) -> dict[str, Json]:
    """Everything that is sent; of long lists the beginning and the length."""
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
        "reviews_total": len(report.reviews),
        "reviews": [
            {"account": clean(each.account), "order": _short(clean(each.order)), "rating": each.rating}
            for each in report.reviews[:MOST_ACCOUNTS]
        ],
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
    for title, in_doubt in (("Failed", False), ("Outcome unknown", True)):
        texts = [_failure_line(each, clean) for each in report.failures if each.in_doubt is in_doubt]
        if texts:
            yield _list(title, texts, most=_SLACK_TEXTS)
    if report.not_tried:
        yield _list(
            "Not tried", [_escaped(_short(clean(each))) for each in report.not_tried], most=_SLACK_TEXTS
        )
    if report.accounts:
        names = [f"{_escaped(clean(each.name))} ({each.action})" for each in report.accounts]
        yield _list("Accounts", names, most=_SLACK_ACCOUNTS)
    if report.reviews:
        texts = [
            _escaped(f"{clean(each.account)}: order {_short(clean(each.order))}, {each.rating:g} of 5")
            for each in report.reviews
        ]
        yield _list("New reviews", texts, most=_SLACK_ACCOUNTS)
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
    hint = None if each.hint is None else _short(clean(each.hint))
    return {"subject": _short(clean(each.subject)), "message": _short(clean(each.message)), "hint": hint}


def _failure_line(each: Failure, clean: Clean) -> str:
    return _escaped(f"{_short(clean(each.subject))}: {_short(clean(each.message))}")


def _short(text: str) -> str:
    return _cut(" ".join(text.split()), _LONGEST_TEXT)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _escaped(text: str) -> str:
    """Slack's rule: these three, and only these. A name cannot mention a channel or be a link then."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


TIMEOUT = 10.0
"""Seconds for one attempt, from connecting to the end of the answer."""

PAUSES = (0.5, 2.0)
"""Seconds before the second and the third attempt, which is the last."""

_PASSING = frozenset({408, 425, 429})
_WORD = re.compile(rb"[a-z]+(_[a-z]+)+")
_LONGEST_WORD = 40
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "the connection could not be made in time"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.TransportError, "the connection was cut"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing was delivered, in words; ``passing``: another attempt may help."""

    reason: str
    passing: bool = False


def address_problem(url: str) -> str | None:
    """Why this address is not posted to: anything but https, where it is not this machine itself."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return "the webhook is not an address"
    if parts.scheme not in {"https", "http"} or not parts.host:
        return "the webhook is not an address of the web"
    if parts.scheme == "http" and not _is_loopback(parts.host):
        return (
            "the webhook must be https: its address is a secret, and with http everybody on the way reads it"
        )
    return None


def post(url: str, body: bytes, *, rest: Callable[[float], bool]) -> Problem | None:
    """Post JSON, with two more attempts; ``None`` once it was taken.

    No redirect is followed, no proxy used. ``rest`` waits a number of seconds, and is true when the run must
    end: then nothing is repeated.
    """
    for pause in (*PAUSES, None):
        problem = _attempt(url, body)
        if problem is None or not problem.passing or pause is None or rest(pause):
            break
    return problem


def _attempt(url: str, body: bytes) -> Problem | None:
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    try:
        with (
            within(TIMEOUT),
            open_client(timeout=TIMEOUT, headers=headers) as client,
            client.stream("POST", url, content=body) as answer,
        ):
            return _judged(answer, url)
    except httpx.InvalidURL:
        return Problem("the webhook is not an address")
    except TRANSPORT_ERRORS as error:
        words = next((words for kind, words in _WORDS if isinstance(error, kind)), "the request failed")
        return Problem(words, passing=True)


def _judged(answer: httpx.Response, url: str) -> Problem | None:
    status = answer.status_code
    if answer.is_success:
        return None
    if answer.is_redirect and location_of(answer):
        return Problem(f"the webhook redirects (HTTP {status}), which is not followed")
    return Problem(
        f"the webhook answered HTTP {status}{_word(answer, url)}", passing=status >= 500 or status in _PASSING
    )


def _word(answer: httpx.Response, url: str) -> str:
    """Slack's one word for what is wrong, such as ``no_service``; nothing that could be of the address."""
    said = next(answer.iter_raw(_LONGEST_WORD + 1), b"").strip()
    if len(said) > _LONGEST_WORD or not _WORD.fullmatch(said) or said.decode() in url:
        return ""
    return f" ({said.decode()})"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


_PAYLOADS = {NotifyFormat.JSON: json_payload, NotifyFormat.SLACK: slack_payload}


def notify(
    hooks: Sequence[NotifySettings], report: RunReport, *, root: Path, rest: Callable[[float], bool]
) -> Iterator[str]:
    """Tell those who want to know, one after the other; what comes out are warnings about who was not told.

    Relative paths of references start at ``root``. ``rest`` waits, and is true when the run must end.
    """
    for number, hook in enumerate(hooks, 1):
        wanted = report.told_by(hook)
        if wanted.occasions.isdisjoint(hook.on):
            continue
        problem = _told(hook, wanted, root, rest)
        if problem is not None:
            yield redact(f"notify {number} ({hook.webhook}) was not told: {problem}")


def _told(hook: NotifySettings, report: RunReport, root: Path, rest: Callable[[float], bool]) -> str | None:
    try:
        url = resolve(hook.webhook, root=root).reveal()
    except SecretError as error:
        return error.message
    problem = address_problem(url)
    if problem is not None:
        return problem
    body = json.dumps(_PAYLOADS[hook.format](report, redact), ensure_ascii=True)
    failed = post(url, body.encode(), rest=rest)
    return None if failed is None else failed.reason
