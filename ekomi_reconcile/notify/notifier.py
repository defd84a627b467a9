"""Who is told of a run, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ekomi_reconcile.config.secrets import redact, resolve
from ekomi_reconcile.config.settings import NotifyFormat, NotifySettings
from ekomi_reconcile.errors import SecretError
from ekomi_reconcile.notify.payload import json_payload, slack_payload
from ekomi_reconcile.notify.post import address_problem, post
from ekomi_reconcile.notify.report import RunReport

_PAYLOADS = {NotifyFormat.JSON: json_payload, NotifyFormat.SLACK: slack_payload}


def notify(
    hooks: Sequence[NotifySettings], report: RunReport, *, root: Path, rest: Callable[[float], bool]
) -> Iterator[str]:
    """Tell those who want to know, one after the other; what comes out are warnings about who was not told.

    Relative paths of references start at ``root``. ``rest`` waits, and is true when the run must end.
    """
    for number, hook in enumerate(hooks, 1):
        if report.occasions.isdisjoint(hook.on):
            continue
        problem = _told(hook, report, root, rest)
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
