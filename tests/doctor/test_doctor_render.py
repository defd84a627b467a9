"""The self-test's findings for people and programs."""

from pathlib import Path

import pytest
from golden import check_golden

from ekomi_reconcile.doctor.context import CheckResult, failed, passed, warned
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.render.state_admin import findings_json, findings_text
from ekomi_reconcile.render.tables import Paint, json_text

GOLDEN = Path(__file__).parent / "golden"
FINDINGS = (
    CheckResult("configuration", "Files", passed("valid, 2 account(s)")),
    CheckResult(
        "overlapping-rules", "Files", warned("overlaps", hint="set `priority`", account="Fran\033[31mce")
    ),
    CheckResult("passwords", "Secrets", failed("${env:X} is not set", hint="set X", account="Germany")),
    CheckResult("passwords", "Secrets", passed("password resolved", account="France")),
    CheckResult("passwords", "Secrets", passed("password resolved", account="Austria")),
    CheckResult(
        "credentials", "eKomi", failed("refused", account="Germany", incident=Incident.WRONG_PASSWORD)
    ),
    CheckResult("order-source", "Orders", failed("default: the shop cannot be read: the connection was cut")),
    CheckResult("store-views", "Orders", warned("not checked: the shop cannot be read")),
    CheckResult("customer-groups", "Orders", warned("not checked: the shop cannot be read")),
    CheckResult("languages", "Orders", warned("not checked: the files have errors")),
    CheckResult("queue-stuck", "Queue", passed("nothing is overdue")),
)


@pytest.mark.parametrize("width", [80, 120, None])
def test_text(width):
    """Passes by area in one line, warnings and failures with what to do, what was left out, figures."""
    text = findings_text(FINDINGS, Paint(colour=False), width=width)
    check_golden(GOLDEN / f"findings-{width or 'pipe'}.txt", text)
    assert "\033" not in text
    assert width is None or all(len(line) <= width for line in text.splitlines())


def test_text_with_details():
    """Each check that passed has its own line and message."""
    text = findings_text(FINDINGS, Paint(colour=False), details=True)
    assert "✓ pass  configuration      valid, 2 account(s)" in text


def test_json():
    """Every finding with its six keys, in the order of the checks, and whether all is well."""
    check_golden(GOLDEN / "findings.json", json_text(findings_json(FINDINGS)) + "\n")


def test_a_healthy_text_ends_with_its_figures():
    """Warnings are healthy; without failures there is no such block."""
    text = findings_text(FINDINGS[:2], Paint(colour=False))
    assert text.endswith("Healthy. 1 passed, 1 warning, 0 failures.\n")
    assert "fail " not in text
