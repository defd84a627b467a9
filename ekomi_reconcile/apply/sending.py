"""Sending what is due: look again, write the intent, call, write the outcome.

Calls run side by side in worker threads; only the calling thread touches the state. The intent of a row
is committed after its turn has come and right before its call starts, so a crash leaves no more rows in
doubt than there were calls in flight.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ekomi_reconcile.apply.context import Context, was_tried
from ekomi_reconcile.apply.delivery import DueVerdict, delivered, error_of, recheck, text_of, undelivered
from ekomi_reconcile.apply.refusals import ProductReviews, Ready, Refusals
from ekomi_reconcile.apply.run_control import SendClock
from ekomi_reconcile.ekomi import Receipt
from ekomi_reconcile.model import errors, invitation
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.run import Done, Progress, Stage, Task, Work
from ekomi_reconcile.model.sending_times import local_time
from ekomi_reconcile.rules.case import another_shop, difference, key_of_row, own_review, rival_of
from ekomi_reconcile.rules.rulebook import Rule, waits_on_hold

LOOK = 1_000
"""How many orders are looked at again at a time."""

HEARTBEAT = 5.0
"""Seconds after which a call that still runs is mentioned to other runners."""

PATIENCE = 5
"""Consecutive inconclusive calls after which an account is skipped for this run."""

_COUNTED = {
    invitation.Status.SENT: Done.SENT,
    invitation.Status.PENDING: Done.RETRY_LATER,
    invitation.Status.FAILED: Done.FAILED,
    invitation.Status.UNKNOWN: Done.UNKNOWN,
    invitation.Status.CANCELLED: Done.CANCELLED,
}


@dataclass(slots=True)
class _Failed:
    """A way in which calls failed: the first order, its error, how many there were."""

    number: str
    error: errors.EkomiError
    count: int = 0


@dataclass(slots=True)
class Sender:
    """Sends planned invitations. One per run."""

    context: Context
    total: int
    sent: list[invitation.Invitation] = field(default_factory=list)
    _done: int = 0
    _gone: dict[str, frozenset[OrderId]] = field(default_factory=dict)
    _lanes: dict[str, deque[Ready]] = field(default_factory=dict)
    _refusals: Refusals = field(init=False)
    _products: ProductReviews = field(init=False)
    _failed: dict[tuple[str, str], _Failed] = field(default_factory=dict)
    _left: Counter[str] = field(default_factory=Counter)
    _in_a_row: Counter[str] = field(default_factory=Counter)
    _closed: Counter[str] = field(default_factory=Counter)
    _shop_names: Mapping[str, str | None] = field(default_factory=dict)
    _clock: SendClock = field(init=False)

    def __post_init__(self) -> None:
        self._clock = SendClock(self.context.clock)
        self._refusals = Refusals(self.context)
        self._products = ProductReviews(self.context)

    def send(self, batches: Iterable[Sequence[invitation.SendStep]]) -> None:
        """Send everything that is still to be sent; what an account's failure leaves undone is reported."""
        self._refusals.load()
        with ThreadPoolExecutor(self.context.parallelism, thread_name_prefix="send") as pool:
            for batch in batches:
                if self.context.stop.is_set():
                    self._left.update(step.interface_id for step in batch)
                    continue
                rows = self._rows(batch)
                found = self._products.add(list(self._look(rows)))
                for ready in self._within_limit(found):
                    self._lanes.setdefault(ready.row.interface_id, deque()).append(ready)
                self._work(pool)
            self._refusals.any_probe = True
            self._work(pool)
        self._refusals.finish()
        self._products.finish()
        self._show_failures()
        self._show_closed()
        for key, count in sorted(self._left.items()):
            ended = "the clock is wrong" if self._clock.error else "the run was stopped"
            why = self._refusals.stopped.get(key, ended)
            self.context.result.not_tried.append(
                f"{self.context.name(key)}: {count} due invitations not tried: {why}"
            )

    def _rows(self, batch: Sequence[invitation.SendStep]) -> list[invitation.Invitation]:
        """The rows of these steps, as far as they are still pending and due."""
        now = self.context.now()
        by_source: dict[str, dict[OrderId, str]] = {}
        for step in batch:
            by_source.setdefault(step.source, {})[step.order_id] = step.interface_id
        found = []
        for source, owners in by_source.items():
            rows = self.context.state.queue.rows_for(source, list(owners))
            for order_id, key in owners.items():
                found += [
                    row
                    for row in rows.get(order_id, ())
                    if row.interface_id == key
                    and row.status is invitation.Status.PENDING
                    and row.scheduled_at <= now
                ]
        self.context.result.count(Done.LEFT_OUT, len(batch) - len(found))
        return self.context.state.runner.spread([row for row in found if self._may_leave(row, now)])

    def _may_leave(self, row: invitation.Invitation, now: Instant) -> bool:
        """Is the sending window of its account open? If not, the invitation is counted as waiting."""
        if self.context.schedule.is_open(row.interface_id, now, at_once=row.at_once):
            return True
        self._closed[row.interface_id] += 1
        self.context.result.count(Done.WAITING)
        return False

    def _look(self, rows: Sequence[invitation.Invitation]) -> Iterator[Ready]:
        if rows and not self._shop_names:
            accounts = self.context.state.accounts.read()
            self._shop_names = {each.interface_id: each.shop.account_name for each in accounts}
        cancelled: dict[int, str] = {}
        named = self.context.state.queue.rows_numbered({row.number for row in rows})
        reviews = self.context.state.queue.reviewed({(row.interface_id, row.number) for row in rows})
        moved: dict[str, list[str]] = {}
        for row, order in self._orders(rows):
            if order is not None and order.number != row.number:
                moved.setdefault(row.source, []).append(difference(row, order))
                continue
            key, others = key_of_row(row), named.get(row.number, ())
            if rival_of(others, key, row.interface_id) is not None:
                cancelled[row.id] = invitation.Criterion.DUPLICATE_NUMBER.value
                continue
            rule = self.context.book.rule(row.interface_id)
            submitted = reviews.get((row.interface_id, row.number), ())
            own = own_review(submitted, others, key, row.interface_id)
            look = recheck(row, order, rule, privacy=self.context.privacy, reviewed=own)
            if look.channel is not None and order is not None:
                yield Ready(row, order, look.channel, self._shop_names.get(row.interface_id))
            elif look.verdict is DueVerdict.CANCEL:
                cancelled[row.id] = look.reason or ""
            else:
                self.context.result.count(Done.WAITING)
                self._note_waiting(row, order, rule)
        for source, differences in moved.items():
            self.context.result.count(Done.WAITING, len(differences))
            self.context.result.fail(f"order source {source}", another_shop(source, differences))
        self._cancel(cancelled)

    def _cancel(self, reasons: Mapping[int, str]) -> None:
        if reasons:
            with self.context.state.transaction():
                done = self.context.state.schedule.cancel(reasons, now=self.context.now())
            self.context.result.count(Done.CANCELLED, done)

    def _within_limit(self, found: Sequence[Ready], *, claiming: bool = False) -> list[Ready]:
        """Those whose customers may be asked now, the earliest scheduled first; the others are cancelled.

        Asked once for a batch, so that the earliest leaves, and again right before each claim, because of
        other runners. The invitations of an account that eKomi refuses do not block the others of the batch.
        """
        # Not covered: two runners that both look before either has committed its claim.
        cap = self.context.privacy.cap
        if cap is None or not found:
            return list(found)
        customers = {each.row.id: self.context.privacy.customer(each.order) for each in found}
        known = {digest for digest in customers.values() if digest is not None}
        now = self.context.now()
        asked = self.context.state.sending.customer_requests(known, now - cap.days * DAY)
        over: dict[int, str] = {}
        for each in sorted(found, key=lambda ready: (ready.row.scheduled_at, ready.row.id)):
            digest = customers[each.row.id]
            if digest is not None and cap.reached(now, asked[digest]):
                over[each.row.id] = invitation.Criterion.SUPPRESSED.value
            elif digest is not None and (claiming or self._refusals.trusted(each.row.interface_id)):
                asked[digest].append(now)
        self._cancel(over)
        return [each for each in found if each.row.id not in over]

    def _note_waiting(self, row: invitation.Invitation, order: Order | None, rule: Rule | None) -> None:
        """Note that the invitation waits for its order, so that it is not tried in every run."""
        if order is None:
            mark = invitation.MISSING_MARK if row.order_id in self._gone.get(row.source, ()) else None
        else:
            mark = invitation.ON_HOLD_MARK if rule is not None and waits_on_hold(order, rule) else None
        if mark is None:
            return
        noted = invitation.Observation(
            source=row.source, order_id=row.order_id, status=mark, since=self.context.now(), moved=False
        )
        with self.context.state.transaction():
            self.context.state.positions.observe([noted])

    def _orders(
        self, rows: Sequence[invitation.Invitation]
    ) -> Iterator[tuple[invitation.Invitation, Order | None]]:
        by_source: dict[str, list[invitation.Invitation]] = {}
        for row in rows:
            by_source.setdefault(row.source, []).append(row)
        for source, members in by_source.items():
            orders = self._read(source, members)
            for row in members:
                yield row, orders.get(row.order_id)

    def _read(self, source: str, rows: Sequence[invitation.Invitation]) -> Mapping[OrderId, Order]:
        ids = {row.order_id for row in rows}
        try:
            found = self.context.look_up(source, ids)
            self._gone[source] = self.context.gone(source, ids - found.keys())
            return found
        except errors.OrderSourceError as error:
            self.context.result.fail(f"order source {source}", error)
            return {}

    def _work(self, pool: ThreadPoolExecutor) -> None:
        running: dict[Future[Receipt], Ready] = {}
        while True:
            pause = self._start(pool, running)
            if running:
                patience = HEARTBEAT if pause is None else min(pause, HEARTBEAT)
                ended, _ = wait(running, timeout=patience, return_when=FIRST_COMPLETED)
                self.context.state.runner.renew(now=self.context.now())
                self._settle([(running.pop(future), future) for future in ended])
                self.context.tasks.go_on()
            elif pause is not None:
                self.context.stop.wait(pause)
            elif not self._open_lanes():
                return

    def _start(self, pool: ThreadPoolExecutor, running: dict[Future[Receipt], Ready]) -> float | None:
        """Start as many calls as there are free hands and turns; the seconds until the next turn, if any."""
        chosen, pause = self._choose(self._clock.most(self.context.parallelism) - len(running))
        allowed = self._within_limit(chosen, claiming=True)
        kept = {each.row.id for each in allowed}
        for each in chosen:
            if each.row.id not in kept:
                self._refusals.untaken(each.row)
        if not allowed:
            return pause
        ready = {each.row.id: each for each in allowed}
        channels = {key: each.channel for key, each in ready.items()}
        self._products.record(allowed)
        claimed = self.context.state.sending.claim(list(ready), now=self.context.now(), channels=channels)
        self.context.result.count(Done.LEFT_OUT, len(allowed) - len(claimed))
        if len(claimed) < len(allowed):
            for key in ready.keys() - {row.id for row in claimed}:
                self._refusals.untaken(ready[key].row)
            self._drop_taken()
        self.context.tasks.begin(map(self._task, claimed))
        for row in claimed:
            running[pool.submit(self._products.call, ready[row.id])] = ready[row.id]
        return pause

    def _drop_taken(self) -> None:
        """Somebody else takes rows too: those that are gone already must not cost a turn each."""
        waiting = [each.row.id for lane in self._lanes.values() for each in lane]
        pending = self.context.state.queue.still_pending(waiting)
        for key, lane in self._lanes.items():
            left = [each for each in lane if each.row.id in pending]
            self.context.result.count(Done.LEFT_OUT, len(lane) - len(left))
            self._lanes[key] = deque(left)

    def _choose(self, free: int) -> tuple[list[Ready], float | None]:
        """Take turns among the accounts, each at its own pace."""
        chosen: list[Ready] = []
        pauses: list[float] = []
        lanes = deque(self._open_lanes())
        while lanes and len(chosen) < free:
            key = lanes.popleft()
            pause = self._pause(key)
            if pause is not None:
                pauses.append(pause)
                continue
            taken = self._refusals.take(key, self._lanes[key])
            if taken is not None:
                chosen.append(taken)
                if self._lanes[key] and self._refusals.ready(key, self._lanes[key]):
                    lanes.append(key)
        return chosen, min(pauses, default=None)

    def _pause(self, key: str) -> float | None:
        """Take a turn of the account, or tell for how many seconds there is none."""
        clients = self.context.clients
        pause = clients.limiter(key).take()
        if pause is None:
            pause = self.context.state.runner.take_turn(key, clients.requests_per_second)
        return pause

    def _open_lanes(self) -> list[str]:
        """Accounts with something to send; what will not be tried any more is set aside and counted."""
        halted = self.context.stop.is_set() or self._clock_wrong()
        for key in list(self._lanes):
            self._close_window(key)
            if halted or key in self._refusals.stopped:
                self._left[key] += len(self._lanes.pop(key))
            elif not self._lanes[key]:
                del self._lanes[key]
        return [key for key, lane in self._lanes.items() if self._refusals.ready(key, lane)]

    def _close_window(self, key: str) -> None:
        """Set aside the invitations of accounts whose sending window has closed in the meantime."""
        now = self.context.now()
        if not self.context.schedule.is_open(key, now):
            self._lanes[key] = deque(each for each in self._lanes[key] if self._may_leave(each.row, now))

    def _clock_wrong(self) -> bool:
        """Is there reason not to send anything more? It is reported once."""
        if self._clock.wrong() and self._clock.error is not None and not self._clock.reported:
            self._clock.reported = True
            self.context.result.fail("clock", self._clock.error)
        return self._clock.error is not None

    def _settle(self, ended: Sequence[tuple[Ready, Future[Receipt]]]) -> None:
        self._clock.answered = self._clock.answered or bool(ended)
        outcomes = [self._outcome(ready, future) for ready, future in ended]
        self.context.state.sending.settle(outcomes)
        for (ready, future), outcome in zip(ended, outcomes, strict=True):
            self._done += 1
            if outcome.status is invitation.Status.SENT and ready.row.source in self.context.annotated:
                self.sent.append(ready.row)
            self.context.result.count(_COUNTED[outcome.status])
            self._tell(ready, future, outcome)
            self._products.settled(ready, outcome)
            self._products.tell()
            error = None if outcome.status is invitation.Status.SENT else outcome.reason or ""
            self.context.tasks.end(self._task(ready.row), status=outcome.status, error=error)
        self.context.listen(Progress(stage=Stage.SENDING, done=self._done, total=self.total))

    def _task(self, row: invitation.Invitation) -> Task:
        key = row.interface_id
        name = self.context.name(key)
        return Task(work=Work.SEND, account=name, interface_id=key, invitation=row.id, order=row.number)

    def _outcome(self, ready: Ready, future: Future[Receipt]) -> invitation.SendOutcome:
        error = error_of(future)
        if error is None:
            return delivered(ready.row, future.result(), now=self.context.now())
        return self._refusals.judged(ready.row, undelivered(ready.row, error, now=self.context.now()))

    def _tell(self, ready: Ready, future: Future[Receipt], outcome: invitation.SendOutcome) -> None:
        key, error = ready.row.interface_id, error_of(future)
        self._refusals.settled(ready.row, outcome, error)
        if error is None:
            self._in_a_row[key] = 0
            return
        if not was_tried(error):
            self._left[key] += 1
            return
        self.context.note_error(key, f"send {ready.row.number}", error)
        again = self._failed.setdefault((key, text_of(error, ready.row)), _Failed(ready.row.number, error))
        again.count += 1
        in_vain = isinstance(error, errors.EkomiUnavailable | errors.OutcomeUnknown)
        self._in_a_row[key] = self._in_a_row[key] + 1 if in_vain else 0
        if self._in_a_row[key] >= PATIENCE:
            self._refusals.stopped.setdefault(key, "eKomi did not answer as it should")

    def _show_closed(self) -> None:
        """Note what was left for the next opening of a sending window."""
        now = self.context.now()
        for key, count in sorted(self._closed.items()):
            times = self.context.schedule.times[key]
            opening = times.next_opening(now)
            when = "never" if opening is None else local_time(opening, times.zone, now=now)
            self.context.result.notes.append(
                f"{self.context.name(key)}: {count} waiting for their sending window, next: {when}"
            )

    def _show_failures(self) -> None:
        """Put each distinct failure of an account into the result once, with how many had it."""
        for (key, _), failed in self._failed.items():
            more = f" and {failed.count - 1} more" if failed.count > 1 else ""
            self.context.result.fail(f"{self.context.name(key)}: send {failed.number}{more}", failed.error)
