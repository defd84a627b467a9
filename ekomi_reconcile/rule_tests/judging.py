"""Rule tests at work: each order is decided as a plan would decide it, without a state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from typing_extensions import override

from ekomi_reconcile.explain.order_lookup import Explanation, explain_order
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Place
from ekomi_reconcile.model.instant import Instant, iso, parse
from ekomi_reconcile.model.invitation import Criterion, CustomerLimit, Evidence, Invitation, Reached, Status
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.plan.decision_trace import MatchRequest, OrderTrace
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.plan.view import EmptyQueue, Privacy
from ekomi_reconcile.rule_tests.document import ExpectedOutcome, GivenFacts
from ekomi_reconcile.rules.rulebook import Rule, RuleBook


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One test, ready to be judged. ``place`` is where it begins in its file."""

    name: str
    place: Place
    order: Order
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
    """What became of the order of a test at one order source."""

    request: MatchRequest
    trace: OrderTrace

    @property
    def winner(self) -> Account | None:
        """The account that invites."""
        return self.trace.winner

    def reason(self, rule: Rule) -> Criterion | None:
        """The first criterion that fails for an account."""
        return self.trace.decision(rule).reason


class RuleTestJudge:
    """Judges tests by the rules of these accounts, of all order sources."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = accounts
        by_source: defaultdict[str, list[Account]] = defaultdict(list)
        for each in accounts:
            by_source[each.orders].append(each)
        self._books = {source: RuleBook(found) for source, found in sorted(by_source.items())}
        self._ids = frozenset(each.interface_id for each in accounts)
        self._names = {each.interface_id: each.name for each in accounts}

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
            return tuple(_not_as_invited(test, decided))
        return tuple(_not_as_left_alone(test.expect, decided))

    def decided(self, test: RuleTest) -> list[Decided]:
        """What becomes of the order, per order source."""
        return [Decided(each, self._trace(test, each)) for each in self._requests(test)]

    def explanations(self, test: RuleTest) -> Iterator[Explanation]:
        """What every account makes of the order."""
        for request in self._requests(test):
            yield explain_order(test.order, request, self._queue(test, request), _NOBODY)

    def _trace(self, test: RuleTest, request: MatchRequest) -> OrderTrace:
        return Matcher(request, self._queue(test, request), _NOBODY).trace(test.order)

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
        if not test.given.invited:
            return EmptyQueue()
        rules = [*request.book.candidates(test.order.store_view), *request.book.rules]
        return _GivenQueue(_sent(test, request, rules[0].interface_id if rules else ""))


def _not_as_invited(test: RuleTest, decided: Sequence[Decided]) -> Iterator[Mismatch]:
    wanted = test.expect
    found = next((each for each in decided if each.winner is not None), None)
    if found is None or found.winner is None:
        yield Mismatch("invited", "true", f"false{_why(wanted, decided)}")
        return
    winner = found.winner
    if wanted.account is not UNSET and winner.name != wanted.account:
        yield Mismatch("account", wanted.account, winner.name)
        return
    rule = found.request.book.rule(winner.interface_id)
    due = None if rule is None else found.trace.decision(rule).scheduled_at
    if due is None:
        return
    if wanted.scheduled_at is not UNSET and parse(wanted.scheduled_at) != due:
        yield Mismatch("scheduled_at", iso(parse(wanted.scheduled_at)), iso(due))
    leaves = max(due, test.now)
    if wanted.leaves_at is not UNSET and parse(wanted.leaves_at) != leaves:
        yield Mismatch("leaves_at", iso(parse(wanted.leaves_at)), iso(leaves))
    channel = winner.invitations.deliver.value
    if wanted.channel is not UNSET and wanted.channel != channel:
        yield Mismatch("channel", wanted.channel, channel)


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


def _sent(test: RuleTest, request: MatchRequest, interface_id: str) -> Invitation:
    """The invitation that the order has had."""
    order, at = test.order, test.order.created_at
    return Invitation(
        id=1,
        interface_id=interface_id,
        source=request.source,
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
    """A queue with one invitation."""

    def __init__(self, row: Invitation) -> None:
        self._row = row

    @override
    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Sequence[Invitation]]:
        return {self._row.order_id: (self._row,)} if self._row.order_id in order_ids else {}


class _NoPrivacy(Privacy):
    """Nobody has opted out, and there is no limit per customer."""

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
