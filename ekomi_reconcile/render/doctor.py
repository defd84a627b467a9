"""The self-test's findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ekomi_reconcile.doctor.finding import Finding, Verdict, healthy
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.render.style import Paint, Tone, plural, printable

_SIGNS = {
    Verdict.PASS: ("✓", Tone.ADD),
    Verdict.WARN: ("!", Tone.CHANGE),
    Verdict.FAIL: ("✗", Tone.REMOVE),
}


def findings_json(findings: Sequence[Finding]) -> dict[str, Json]:
    """The object of ``doctor --format json``."""
    return {"ok": healthy(findings), "checks": [_finding_json(each) for each in findings]}


def _finding_json(finding: Finding) -> dict[str, Json]:
    note = finding.note
    return {
        "check": finding.check,
        "account": note.account,
        "status": note.status.value,
        "message": note.message,
        "mend": note.mend,
    }


def findings_text(findings: Sequence[Finding], paint: Paint) -> str:
    """One line per finding by group, failures last with what to do, and a line of figures."""
    width = max((len(each.check) for each in findings), default=0)
    blocks = []
    for group, members in groupby(findings, key=lambda each: each.group):
        lines = [line for each in _brief(members) for line in _lines(each, width, paint)]
        if lines:
            blocks.append("\n".join([paint(Tone.STRONG, group), *lines]))
    failures = [each for each in findings if each.note.status is Verdict.FAIL]
    if failures:
        lines = [line for each in failures for line in _lines(each, width, paint)]
        blocks.append("\n".join([paint(Tone.STRONG, "Failures"), *lines]))
    return "\n\n".join([*blocks, _summary(findings, paint)]) + "\n"


def _brief(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Without failures, which come last."""
    return (each for each in findings if each.note.status is not Verdict.FAIL)


def _lines(finding: Finding, width: int, paint: Paint) -> Iterator[str]:
    note = finding.note
    symbol, tone = _SIGNS[note.status]
    account = f"{printable(note.account)}: " if note.account else ""
    sign = paint(tone, f"{symbol} {note.status.value}")
    yield f"  {sign}  {finding.check.ljust(width)}  {account}{printable(note.message)}"
    if note.mend:
        yield f"{' ' * (width + 12)}mend: {printable(note.mend)}"


def _summary(findings: Sequence[Finding], paint: Paint) -> str:
    counts = Counter(each.note.status for each in findings)
    head = paint(Tone.ADD, "Healthy.") if healthy(findings) else paint(Tone.REMOVE, "Not healthy.")
    return (
        f"{head} {counts[Verdict.PASS]} passed, {plural(counts[Verdict.WARN], 'warning')}, "
        f"{plural(counts[Verdict.FAIL], 'failure')}."
    )
