"""The files of rule tests, and tests made from real orders without personal data.

Only attributes that are declared public are written, and of these what the rules look at. Name, addresses and
fields that rules name by a path are those of the default order, or left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from ekomi_reconcile.config.diagnostics import did_you_mean, error, sort_key
from ekomi_reconcile.config.source import DiskTree, Document
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import OrderUnreadable, ReconcileError
from ekomi_reconcile.model.instant import Instant, iso, parse
from ekomi_reconcile.model.order import Agreement, Item, Order, is_personal
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.rule_tests import order as rule_tests_order
from ekomi_reconcile.rule_tests.document import ExpectedOutcome, RuleTestDocument, problems, read_document
from ekomi_reconcile.rule_tests.judging import RuleTest, RuleTestJudge
from ekomi_reconcile.rules.conditions import FIELD_PREFIX, attributes
from ekomi_reconcile.rules.order_fields import CUSTOM_ATTRIBUTES, consent_attribute, consent_key
from ekomi_reconcile.rules.rulebook import mobile_number, usable_email

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
            hint="give the tests folder or one of its files; the default is `tests:` in the project file",
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
    now: Instant = rule_tests_order.default_now(order) if written.now is UNSET else parse(written.now)
    return RuleTest(
        name=written.name,
        place=place,
        record=rule_tests_order.order_record(order),
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
            hint=f"did you mean `{known}`?" if known else "write the `name` of an account",
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
                hint="add `store_code: CODE`, or `store_code: null` for an order that does not have one",
            )


def _misplaced(document: Document, key: str, message: str, *, invited: str) -> Diagnostic:
    return error(
        "contradiction",
        message,
        document.place(("expect", key), "key"),
        path=("expect", key),
        hint=f"remove `{key}`, or write `invited: {invited}`",
    )


def _no_order(document: Document, problem: OrderUnreadable | ValueError) -> Diagnostic:
    text = problem.message if isinstance(problem, OrderUnreadable) else str(problem)
    return error(
        "order-unreadable",
        f"the order cannot be read: {text}",
        document.place(("order",), "key"),
        path=("order",),
        hint="correct the value; times are written like 2026-11-30T12:00:00Z",
    )


def _unreadable(path: str, problem: OSError) -> Diagnostic:
    return error(
        "unreadable-file",
        f"the file cannot be read: {problem.strerror or 'unknown reason'}",
        Place(path=path),
        hint="check that it is a regular file with read permission",
    )


_NOWHERE: Final = Place(path="(suggested)")
_ITEM_FIELDS: Final[Mapping[str, str]] = {"category_id": "category_ids"}
_ITEM_ATTRIBUTES: Final = ("sku", "name", "product_type", "price", "qty", "row_total", "category_id")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A test, and the personal attributes that the rules look at and the test does not have."""

    test: RuleTestDocument
    left_out: tuple[str, ...]


def suggest(order: Order, accounts: Sequence[Account], judge: RuleTestJudge, *, now: Instant) -> Suggestion:
    """A test of an order like this one; it expects what the rules decide about it now.

    ``accounts`` are those of the order's source.
    """
    rules = [each.invitations for each in accounts if each.invitations.enabled]
    looked_at = attributes(condition for each in rules for condition in each.all_conditions)
    written: dict[str, Any] = {
        **dict(_head(order)),
        **dict(_values(order, looked_at)),
        **dict(_contact(order, accounts)),
    }
    for rule in rules:
        if rule.consent is not None:
            verdict = (order.consents or {}).get(consent_key(consent_attribute(rule.consent)))
            if verdict is Agreement.ACCEPTED:
                value = rule.consent.accept[0]
                written = rule_tests_order.with_field(
                    written, rule.consent.field, value, custom=CUSTOM_ATTRIBUTES
                )
    document = RuleTestDocument(
        name=f"An order like {order.number}",
        now=iso(now),
        order=written,
        expect=ExpectedOutcome(invited=False),
    )
    test = replace(document, expect=_outcome(document, accounts, judge))
    return Suggestion(test, tuple(sorted(filter(_is_left_out, looked_at))))


def _is_left_out(attribute: str) -> bool:
    return attribute.startswith(FIELD_PREFIX) or is_personal(
        "category_ids" if attribute == "category_id" else attribute
    )


def _head(order: Order) -> Iterator[tuple[str, Any]]:
    """Store view, group, status and dates: what every rule looks at."""
    yield "store_code", order.store_view
    if order.customer_group != rule_tests_order.GROUP:
        yield "customer_group", order.customer_group
    yield "created_at", iso(order.created_at)
    if order.updated_at is not None:
        yield "updated_at", iso(order.updated_at)
    yield "status", order.status
    if order.state != rule_tests_order.state_of_status(order.status):
        yield "state", order.state
    if order.history:
        yield "status_histories", [_entry(each.created_at, each.status) for each in order.history]
    invoiced = [each for each in (order.first_invoiced_at, order.last_invoiced_at) if each is not None]
    if invoiced:
        yield "invoices", [{"created_at": iso(each)} for each in dict.fromkeys(invoiced)]
    if order.last_shipped_at is not None:
        yield "shipments", [{"created_at": iso(order.last_shipped_at)}]
    elif order.shipments_known:
        yield "shipments", []
    if order.is_virtual:
        yield "is_virtual", True


def _entry(at: Instant, status: str | None) -> dict[str, Any]:
    return {"created_at": iso(at), "status": status}


def _values(order: Order, looked_at: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The public attributes that rules look at."""
    for name in sorted(looked_at):
        if name in ("status", "state", "is_virtual") or _is_left_out(name) or not hasattr(order, name):
            continue
        value = getattr(order, name)
        if rule_tests_order.PLAIN_VALUES.get(name, ...) != value:
            yield name, value
    if order.refunded:
        yield "total_refunded", order.total_refunded or order.total_paid or order.grand_total or 100
    wanted = [name for name in _ITEM_ATTRIBUTES if name in looked_at and not _is_left_out(name)]
    if wanted:
        yield "items", [_item(each, wanted) for each in order.items]


def _item(item: Item, wanted: Sequence[str]) -> dict[str, Any]:
    found = {}
    for name in wanted:
        key = _ITEM_FIELDS.get(name, name)
        value = getattr(item, key)
        found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _contact(order: Order, accounts: Sequence[Account]) -> Iterator[tuple[str, Any]]:
    """Whether there is a usable address and number, never which."""
    if not usable_email(order.contact.email):
        yield "customer_email", None
    by_message = any(Deliver.EKOMI_SMS in each.invitations.channels for each in accounts)
    if by_message and mobile_number(order.contact.telephone, order.contact.country) is None:
        yield "billing_address", {"telephone": None}
        if not order.is_virtual:
            yield "shipping_address", {"telephone": None}


def _outcome(
    document: RuleTestDocument, accounts: Sequence[Account], judge: RuleTestJudge
) -> ExpectedOutcome:
    """What the rules decide about the order of the test."""
    source = accounts[0].orders if accounts else None
    for each in judge.decided(rule_test(document, _NOWHERE)):
        if each.request.source == source and each.winner is not None and each.scheduled_at is not None:
            return ExpectedOutcome(
                invited=True, account=each.winner.name, scheduled_at=iso(each.scheduled_at)
            )
        if each.request.source == source:
            for rule in each.request.book.candidates(each.trace.order.store_view):
                reason = each.reason(rule)
                if reason is not None:
                    return ExpectedOutcome(invited=False, account=rule.account.name, reason=reason)
    return ExpectedOutcome(invited=False)
