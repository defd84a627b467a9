"""The self-test's findings for people and programs."""

from pathlib import Path

from golden import check_golden

from ekomi_reconcile.doctor.context import CheckResult, failed, passed, warned
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
    CheckResult("order-source", "Orders", failed("default: cannot be read")),
    CheckResult("queue-stuck", "Queue", passed("nothing is overdue")),
)


def test_text():
    """Groups with a sign and a word for each finding, failures last with what to do, then the figures."""
    text = findings_text(FINDINGS, Paint(colour=False))
    check_golden(GOLDEN / "findings.txt", text)
    assert "\033" not in text


def test_json():
    """Every finding with its five keys, in the order of the checks, and whether all is well."""
    check_golden(GOLDEN / "findings.json", json_text(findings_json(FINDINGS)) + "\n")


def test_a_healthy_text_ends_with_its_figures():
    """Warnings are healthy; without failures there is no such block."""
    text = findings_text(FINDINGS[:2], Paint(colour=False))
    assert text.endswith("Healthy. 1 passed, 1 warning, 0 failures.\n")
    assert "Failures" not in text
