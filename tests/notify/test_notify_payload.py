"""What is posted."""

import json
from pathlib import Path

import pytest
from golden import check_golden

from ekomi_reconcile import __version__
from ekomi_reconcile.config.settings import Occasion
from ekomi_reconcile.model.run import Done, Failure, Result
from ekomi_reconcile.notify import (
    ChangedAccount,
    RunOutcome,
    RunRecord,
    RunReport,
    json_payload,
    slack_payload,
)

GOLDEN = Path(__file__).parent / "golden"
AT = 1_790_000_000
REPORT = RunReport(
    command="apply",
    project="shop & <co>",
    outcome=RunOutcome.INCOMPLETE,
    began_at=AT,
    ended_at=AT + 75,
    counts={Done.ADDED: 1, Done.SENT: 1234, Done.REVIEWS_NEW: 5},
    accounts=(ChangedAccount("Germany <!channel>", "create"),),
    failures=(
        Failure(subject="France: sync", message="getAverage: <no> & SECRET\nanswer", hint="try again"),
        *(Failure(subject=f"Norway: send 1000{number}", message="HTTP 500") for number in range(30)),
    ),
    not_tried=("Norway: import not tried: the run was stopped",),
    notes=("France: eKomi offers this account no product reviews",),
)


def clean(text):
    """Takes the one secret out."""
    return text.replace("SECRET", "(sensitive)")


@pytest.mark.parametrize("payload", [json_payload, slack_payload])
def test_what_is_told(payload):
    """All figures, names and reasons, without secrets; long lists are cut, and how long they are is told."""
    text = json.dumps(payload(REPORT, clean), indent=2, ensure_ascii=False).replace(__version__, "VERSION")
    check_golden(GOLDEN / f"{payload.__name__}.json", text + "\n")
    assert "SECRET" not in text


def test_slack_gets_no_live_markup_and_no_long_block():
    """Names cannot mention a channel or link; every section stays below Slack's limit."""
    long = tuple(Failure(subject="<" * 900, message="&" * 900) for _ in range(9))
    report = RunReport(
        command="run",
        project="<!here>",
        outcome=RunOutcome.FAILED,
        began_at=AT,
        ended_at=AT,
        failures=long,
        accounts=tuple(ChangedAccount(f"<@U{number}> {'x' * 250}", "update") for number in range(99)),
    )
    message = slack_payload(report, clean)
    texts = [block["text"]["text"] for block in message["blocks"] if "text" in block]
    assert "<" not in "".join([*texts, message["text"]])
    assert all(0 < len(text) <= 3000 for text in texts)
    assert len(message["blocks"]) <= 50


def record():
    """A run that has just begun."""
    return RunRecord(command="run", began_at=AT)


@pytest.mark.parametrize(
    ("counts", "occasions", "idle"),
    [
        ({}, {Occasion.SUCCESS}, True),
        ({Done.WAITING: 3, Done.LEFT_OUT: 1}, {Occasion.SUCCESS}, True),
        ({Done.SYNCED: 1, Done.IMPORTED: 1}, {Occasion.SUCCESS}, False),
        ({Done.REVIEWS_GONE: 1}, {Occasion.SUCCESS, Occasion.CHANGES}, False),
        ({Done.SENT: 1}, {Occasion.SUCCESS, Occasion.CHANGES}, False),
    ],
)
def test_what_a_run_is_an_occasion_of(counts, occasions, idle):
    """What waits is nothing that was done; syncs are work, but no change."""
    run = record()
    run.ended(Result(counts=counts), [], [])
    report = run.report(project="p", ended_at=AT)
    assert (report.occasions, run.idle) == (occasions, idle)


def test_failures_make_a_run_incomplete():
    """So does what was not tried or not read; changes are still an occasion. Who failed has not changed."""
    run, result = record(), Result(counts={Done.SENT: 1})
    result.failures.append(Failure(subject="Germany: update", message="refused"))
    changes = [ChangedAccount("Germany", "update"), ChangedAccount("France", "update")]
    run.ended(result, changes, ["orders cannot be read"])
    report = run.report(project="p", ended_at=AT)
    assert report.outcome is RunOutcome.INCOMPLETE
    assert report.occasions == {Occasion.FAILURE, Occasion.CHANGES}
    assert [each.message for each in report.failures] == ["refused", "orders cannot be read"]
    assert [each.name for each in report.accounts] == ["France"]


def test_a_run_that_failed_says_why_first():
    """Also when the last good files were carried out meanwhile; a run that did nothing has no report."""
    run = record()
    assert run.report(project="p", ended_at=AT) is None
    run.ended(Result(counts={Done.SENT: 1}), [], [])
    run.failed("2 accounts would be deleted", "--allow-deletes 2")
    report = run.report(project="p", ended_at=AT)
    assert (report.outcome, report.counts) == (RunOutcome.FAILED, {Done.SENT: 1})
    assert report.failures[0].hint == "--allow-deletes 2"
