"""Checks of the files: errors, warnings, overlapping rules, the suppression list."""

from __future__ import annotations

from collections.abc import Iterator

from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import ConfigurationError, ConfigurationInvalid
from ekomi_reconcile.privacy.suppression import read_suppression_list

OVERLAPPING = "overlapping-rules"
"""The lint rule that has a check of its own."""


def configuration(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every error with its place; warnings only counted, ``validate`` shows them."""
    if subject.files_error is not None:
        yield failed(subject.files_error.message, mend=subject.files_error.mend)
    for each in subject.diagnostics:
        if each.is_error:
            yield failed(_said(each), mend=each.mend, account=each.account)
    warnings = [each.rule for each in subject.diagnostics if not each.is_error and each.rule != OVERLAPPING]
    if warnings:
        rules = ", ".join(sorted(set(warnings)))
        yield warned(
            f"{len(warnings)} warning(s) about the files: {rules}", mend="see: ekomi-reconcile validate"
        )
    elif subject.files is not None:
        yield passed(f"valid, {len(subject.files.accounts)} account(s)")


def overlapping_rules(subject: DoctorContext) -> Iterator[CheckNote]:
    """Accounts of the same priority that can match the same order, as `validate` finds them."""
    found = [each for each in subject.diagnostics if each.rule == OVERLAPPING]
    for each in found:
        yield warned(each.message, mend=each.mend, account=each.account)
    if not found:
        yield passed("no order can match two enabled accounts of the same priority")


def suppression_list(subject: DoctorContext) -> Iterator[CheckNote]:
    """The suppression list can be read and has no faulty line; without a list there is no result."""
    try:
        path = subject.configuration.suppression_list
        if path is None:
            return
        found = read_suppression_list(path)
    except ConfigurationInvalid as error:
        for each in error.diagnostics:
            yield failed(_said(each), mend=each.mend)
        return
    except ConfigurationError as error:
        yield failed(error.message, mend=error.mend)
        return
    yield passed(f"{len(found.entries)} entries")


def sending(subject: DoctorContext) -> Iterator[CheckNote]:
    """Whether runs send at all; nothing is said where they do."""
    if not subject.configuration.project.safety.send:
        yield warned(
            "safety.send is false: runs plan and schedule, and send nothing",
            mend="remove it where customers are to be invited",
        )


def _said(diagnostic: Diagnostic) -> str:
    where = "" if diagnostic.place is None else f"{diagnostic.place}: "
    key = "" if diagnostic.key is None else f"{diagnostic.key}: "
    return f"{where}{key}{diagnostic.message}"


CHECKS = (
    Check(id="configuration", run=configuration),
    Check(id="overlapping-rules", run=overlapping_rules, needs=frozenset({Part.FILES})),
    Check(id="sending", run=sending, needs=frozenset({Part.FILES})),
    Check(id="suppression-list", run=suppression_list, needs=frozenset({Part.FILES})),
)
