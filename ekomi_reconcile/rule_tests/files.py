"""The files of rule tests: finding, reading and checking them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET

from ekomi_reconcile.config.diagnostics import did_you_mean, error, sort_key
from ekomi_reconcile.config.source import DiskTree, Document
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import OrderUnreadable, ReconcileError
from ekomi_reconcile.model.instant import Instant, parse
from ekomi_reconcile.rule_tests.document import RuleTestDocument, problems, read_document
from ekomi_reconcile.rule_tests.judging import RuleTest, RuleTestJudge
from ekomi_reconcile.rule_tests.order import default_now, order_record

_INVITED_ONLY: Final = ("scheduled_at", "leaves_at", "channel")


@dataclass(slots=True)
class LoadedTests:
    """The tests of some files, in the order of the files, and what is wrong with these."""

    tests: list[RuleTest] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def rule_test_files(path: str) -> Sequence[str]:
    """The test files below a folder, sorted, or the file itself.

    Raises:
        ReconcileError: there is no such file or folder, or it cannot be read.
    """
    tree = DiskTree()
    try:
        return tree.walk(path).files
    except NotADirectoryError:
        return (path,)
    except OSError as problem:
        raise ReconcileError(
            f"{path} cannot be read: {problem.strerror}",
            mend="name the folder of the tests, or one of its files; without PATH `tests:` names it",
        ) from None


def load_tests(paths: Sequence[str], accounts: Sequence[Account], judge: RuleTestJudge) -> LoadedTests:
    """Read the tests in these files. A test with a mistake is left out, and the mistake is a diagnostic."""
    loaded, tree = LoadedTests(), DiskTree()
    for path in paths:
        try:
            documents, wrong = read(path, tree.read(path))
        except OSError as problem:
            loaded.diagnostics.append(_unreadable(path, problem))
            continue
        loaded.diagnostics += wrong
        for document in documents:
            _load(document, loaded, accounts, judge)
    loaded.diagnostics.sort(key=sort_key)
    return loaded


def _load(document: Document, loaded: LoadedTests, accounts: Sequence[Account], judge: RuleTestJudge) -> None:
    found = problems(document, columns=judge.columns)
    if not found:
        written = read_document(document)
        found = list(_contradictions(document, written, accounts))
        if not found:
            try:
                test = rule_test(written, document.place())
                judge.order(test)
                loaded.tests.append(test)
            except (OrderUnreadable, ValueError) as problem:
                found = [_no_order(document, problem)]
    loaded.diagnostics += found


def rule_test(written: RuleTestDocument, place: Place) -> RuleTest:
    """The test that is written like this.

    Raises:
        ValueError: a time is not one.
    """
    order: Mapping[str, Any] = {} if written.order is UNSET else written.order
    now: Instant = default_now(order) if written.now is UNSET else parse(written.now)
    return RuleTest(
        name=written.name,
        place=place,
        record=order_record(order),
        now=now,
        given=written.given,
        expect=written.expect,
    )


def _contradictions(
    document: Document, written: RuleTestDocument, accounts: Sequence[Account]
) -> Iterator[Diagnostic]:
    """What the schema cannot say: it depends on the accounts, or on other keys."""
    expect = written.expect
    names = [each.name for each in accounts]
    if expect.account is not UNSET and expect.account not in names:
        guess = did_you_mean(expect.account, {each.lower(): each for each in names})
        known = next((each for each in names if each.lower() == guess), None)
        yield error(
            "unknown-account",
            f"unknown account `{expect.account}`",
            document.place(("expect", "account")),
            path=("expect", "account"),
            found=expect.account,
            mend=f"did you mean `{known}`?" if known else "write the `name` of an account",
        )
    if expect.invited and expect.reason is not UNSET:
        yield _misplaced(document, "reason", "an order that is invited has no reason", invited="false")
    for key in _INVITED_ONLY:
        if not expect.invited and getattr(expect, key) is not UNSET:
            yield _misplaced(document, key, f"an order that is not invited has no `{key}`", invited="true")
    order = {} if written.order is UNSET else written.order
    if not order.keys() & {"store_code", "store_view", "store_id"}:
        restricting = [each.name for each in accounts if each.invitations.store_views.names is not None]
        if restricting:
            shown = ", ".join(restricting[:3]) + (", …" if len(restricting) > 3 else "")
            yield error(
                "missing-key",
                f"missing key `store_code`: accounts restrict store views ({shown})",
                document.place(("order",) if "order" in document.data else (), "key"),
                path=("order", "store_code"),
                mend="add `store_code: CODE`, or `store_code: null` for an order that does not have one",
            )


def _misplaced(document: Document, key: str, message: str, *, invited: str) -> Diagnostic:
    return error(
        "contradiction",
        message,
        document.place(("expect", key), "key"),
        path=("expect", key),
        mend=f"remove `{key}`, or write `invited: {invited}`",
    )


def _no_order(document: Document, problem: OrderUnreadable | ValueError) -> Diagnostic:
    text = problem.message if isinstance(problem, OrderUnreadable) else str(problem)
    return error(
        "order-unreadable",
        f"the order cannot be read: {text}",
        document.place(("order",), "key"),
        path=("order",),
        mend="correct the value; times are written like 2026-11-30T12:00:00Z",
    )


def _unreadable(path: str, problem: OSError) -> Diagnostic:
    return error(
        "unreadable-file",
        f"the file cannot be read: {problem.strerror or 'unknown reason'}",
        Place(path=path),
        mend="check that it is a regular file with read permission",
    )
