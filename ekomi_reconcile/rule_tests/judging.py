"""Rule tests at work: each order is decided as a plan would decide it, without a state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET
from msgspec.json import encode
from typing_extensions import override

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Place
from ekomi_reconcile.model.instant import HOUR, Instant, iso, iso_or_none, parse
from ekomi_reconcile.model.invitation import Criterion, CustomerLimit, Evidence, Invitation, Reached, Status
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.plan.decision_trace import MatchRequest, OrderTrace
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.plan.view import EmptyQueue, Privacy
from ekomi_reconcile.reconcile.order_lookup import Explanation, explain_order
from ekomi_reconcile.rule_tests.document import ExpectedOutcome, GivenFacts
from ekomi_reconcile.rules.order_fields import path_of
from ekomi_reconcile.rules.rulebook import Rule, RuleBook, channel_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One test. ``record`` is its order as an order file has it, ``place`` where it begins in its file."""

    name: str
    place: Place
    record: Mapping[str, Any]
    now: Instant
    given: GivenFacts
    expect: ExpectedOutcome


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that is not as expected: its key in ``expect``, what was expected, and what was found."""

    key: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """How one test ended; ``explanations`` (one per order source) only where it failed."""

    test: RuleTest
    mismatches: tuple[Mismatch, ...]
    explanations: tuple[Explanation, ...] = ()

    @property
    def ok(self) -> bool:
        """Is everything as expected?"""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of the order of a test at one order source.

    Of an order that is invited: when the invitation is due and can leave, and how it is sent.
    """

    request: MatchRequest
    trace: OrderTrace
    scheduled_at: Instant | None = None
    leaves_at: Instant | None = None
    channel: str | None = None

    @property
    def winner(self) -> Account | None:
        """The account that invites."""
        return self.trace.winner

    def reason(self, rule: Rule) -> Criterion | None:
        """The first criterion that fails for an account."""
        return self.trace.decision(rule).reason


class RuleTestJudge:
    """Judges tests by the rules of these accounts, of all order sources.

    ``codes`` say what ids of store views and groups mean, ``timezone`` is the one of sending windows.
    """

    def __init__(self, accounts: Sequence[Account], codes: Codes, *, timezone: str | None = None) -> None:
        self._accounts = accounts
        self._codes = codes
        self._schedule = SendingSchedule(accounts, timezone)
        by_source: defaultdict[str, list[Account]] = defaultdict(list)
        for each in accounts:
            by_source[each.orders].append(each)
        self._books = {source: RuleBook(found) for source, found in sorted(by_source.items())}
        self._ids = frozenset(each.interface_id for each in accounts)
        self._names = {each.interface_id: each.name for each in accounts}
        naming = frozenset(each for book in self._books.values() for each in book.attributes)
        self.columns = frozenset(path.partition(".")[0] for each in naming if (path := path_of(each)))
        """The keys of orders below which rules name fields."""
        self._reader = OrderReader(codes, naming=naming)
        self._orders: dict[int, tuple[RuleTest, Order]] = {}

    def order(self, test: RuleTest) -> Order:
        """The order of a test as these rules see it.

        Raises:
            OrderUnreadable: a value cannot be read.
        """
        known = self._orders.get(id(test))
        if known is None or known[0] is not test:
            known = self._orders[id(test)] = (test, self._reader.order(encode(test.record)))
        return known[1]

    def result(self, test: RuleTest) -> RuleTestResult:
        """How this test ends."""
        mismatches = self.mismatches(test)
        if not mismatches:
            return RuleTestResult(test, ())
        explanations = tuple(self.explanations(test))
        return RuleTestResult(test, mismatches, explanations)

    def mismatches(self, test: RuleTest) -> tuple[Mismatch, ...]:
        """What is not as the test expects."""
        decided = self.decided(test)
        if test.expect.invited:
            return tuple(_not_as_invited(test.expect, decided))
        return tuple(_not_as_left_alone(test.expect, decided))

    def decided(self, test: RuleTest) -> list[Decided]:
        """What becomes of the order, per order source."""
        return [self._decided(test, each) for each in self._requests(test)]

    def _decided(self, test: RuleTest, request: MatchRequest) -> Decided:
        order = self.order(test)
        trace = Matcher(request, self._queue(test, request), _NOBODY).trace(order)
        winner = trace.winner
        rule = None if winner is None else request.book.rule(winner.interface_id)
        if winner is None or rule is None:
            return Decided(request, trace)
        due = trace.decision(rule).scheduled_at
        leaves = None if due is None else self._schedule.leaves_at(winner.interface_id, due, now=test.now)
        return Decided(request, trace, due, leaves, channel_of(trace.order, winner.invitations))

    def explanations(self, test: RuleTest) -> Iterator[Explanation]:
        """What every account makes of the order."""
        for request in self._requests(test):
            yield explain_order(
                self.order(test), request, self._queue(test, request), _NOBODY, self._schedule
            )

    def _requests(self, test: RuleTest) -> Iterator[MatchRequest]:
        """The order sources that may have the order: that of the account it is about, or all."""
        named = test.expect.account
        sources = {each.orders for each in self._accounts if named is not UNSET and each.name == named}
        for source in sorted(sources) or self._books:
            yield MatchRequest(
                source=source,
                book=self._books[source],
                selected=self._ids,
                fresh=self._ids,
                leaving=frozenset(),
                names=self._names,
                now=test.now,
            )

    def _queue(self, test: RuleTest, request: MatchRequest) -> EmptyQueue:
        given = test.given
        if not (given.invited or given.reviewed):
            return EmptyQueue()
        order = self.order(test)
        rules = [*request.book.candidates(order.store_view), *request.book.rules]
        row = _sent(order, request.source, rules[0].interface_id if rules else "")
        return _GivenQueue(row, given)


def _not_as_invited(wanted: ExpectedOutcome, decided: Sequence[Decided]) -> Iterator[Mismatch]:
    found = next((each for each in decided if each.winner is not None), None)
    if found is None or found.winner is None:
        yield Mismatch("invited", "true", f"false{_why(wanted, decided)}")
        return
    if wanted.account is not UNSET and found.winner.name != wanted.account:
        yield Mismatch("account", wanted.account, found.winner.name)
        return
    for key, expected, at in (
        ("scheduled_at", wanted.scheduled_at, found.scheduled_at),
        ("leaves_at", wanted.leaves_at, found.leaves_at),
    ):
        if expected is not UNSET and parse(expected) != at:
            yield Mismatch(key, iso(parse(expected)), iso_or_none(at) or "never")
    if wanted.channel is not UNSET and wanted.channel != found.channel:
        yield Mismatch("channel", wanted.channel, found.channel or "none")


def _why(wanted: ExpectedOutcome, decided: Sequence[Decided]) -> str:
    """The reason of the account that is expected to invite, or of the only one."""
    rules = [(each, rule) for each in decided for rule in each.request.book.rules]
    if wanted.account is not UNSET:
        rules = [(each, rule) for each, rule in rules if rule.account.name == wanted.account]
    reason = rules[0][0].reason(rules[0][1]) if len(rules) == 1 else None
    return "" if reason is None else f" (reason: {reason.value})"


def _not_as_left_alone(wanted: ExpectedOutcome, decided: Sequence[Decided]) -> Iterator[Mismatch]:
    winners = [each.winner.name for each in decided if each.winner is not None]
    if wanted.account is UNSET:
        if winners:
            yield Mismatch("invited", "false", f"true (account: {winners[0]})")
            return
    elif wanted.account in winners:
        yield Mismatch("invited", "false", "true")
        return
    if wanted.reason is UNSET:
        return
    reasons = [
        reason
        for each in decided
        for rule in each.request.book.rules
        if wanted.account in (UNSET, rule.account.name) and (reason := each.reason(rule)) is not None
    ]
    if wanted.reason not in reasons:
        found = ", ".join(dict.fromkeys(each.value for each in reasons)) or "none"
        yield Mismatch("reason", wanted.reason.value, found)


def _sent(order: Order, source: str, interface_id: str) -> Invitation:
    """The invitation that the order has had."""
    at = order.created_at
    return Invitation(
        id=1,
        interface_id=interface_id,
        source=source,
        order_id=order.order_id,
        number=order.number,
        store_view=order.store_view,
        order_date=at,
        status=Status.SENT,
        reached=Reached(at, order.status or "", Evidence.CREATED),
        judged_at=at,
        scheduled_at=at,
        sent_at=at,
        changed_at=at,
    )


class _GivenQueue(EmptyQueue):
    """What is given of the order: its invitation, a review at every interface an hour after it was placed."""

    def __init__(self, row: Invitation, given: GivenFacts) -> None:
        self._row = row
        self._given = given

    @override
    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Sequence[Invitation]]:
        known = self._given.invited and self._row.order_id in order_ids
        return {self._row.order_id: (self._row,)} if known else {}

    @override
    def any_reviews(self) -> bool:
        return self._given.reviewed

    @override
    def reviewed(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Instant]]:
        return {pair: (self._row.order_date + HOUR,) for pair in pairs if pair[1] == self._row.number}


class _NoPrivacy(Privacy):
    """Nobody has opted out, and no limit per customer applies."""

    @property
    @override
    def cap(self) -> CustomerLimit | None:
        return None

    @property
    @override
    def lasting(self) -> bool:
        return False

    @property
    @override
    def by_number(self) -> bool:
        return False

    @property
    @override
    def opted_out_digests(self) -> frozenset[str]:
        return frozenset()

    @override
    def opted_out(self, order: Order) -> bool:
        return False

    @override
    def customer(self, order: Order) -> str | None:
        return None


_NOBODY = _NoPrivacy()
