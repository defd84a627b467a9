"""Post to a webhook as safely as any other call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import httpx

from ekomi_reconcile.config.secrets import redact, resolve
from ekomi_reconcile.config.settings import NotifyFormat, NotifySettings
from ekomi_reconcile.http.client import TRANSPORT_ERRORS, location_of, open_client, within
from ekomi_reconcile.model.errors import SecretError
from ekomi_reconcile.notify.report import RunReport, json_payload, slack_payload

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

    No redirect is followed, no proxy used. ``rest`` waits so many seconds, and is true when the run must
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
