"""Accounts that eKomi refuses: when one is stopped, how it is tried again, and what fails for good.

A no about the account, or with a text that nobody knows, says little about the invitation that met it. So
it stays pending, and several of the same text stop the account instead.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field, replace

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.model.account import AccountStop
from ekomi_reconcile.model.errors import AccountRefused, CredentialsRefused, EkomiError, RequestRefused
from ekomi_reconcile.model.invitation import Invitation, SendOutcome, Status
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.review import OrderedProduct
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.model.run import Done

MOST_REFUSALS = 5
"""Refusals with the same text, and no success between, after which an account is stopped for the run."""

LAST_REFUSAL = 3
"""At this refusal with an unlisted text an invitation has failed, unless its account was stopped."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An invitation to send, its order as it is now, and the channel that was chosen by it.

    ``shop_name`` is the shop's name at eKomi, ``products`` are those that are asked about, too.
    """

    row: Invitation
    order: Order
    channel: Deliver
    shop_name: str | None = None
    products: tuple[OrderedProduct, ...] = ()


@dataclass(slots=True)
class _Standing:
    """How eKomi treats an account in this run; ``found`` is the stop that the run began with."""

    found: AccountStop | None = None
    lifted: bool = False
    probe: int | None = None
    text: str = ""
    refused: list[int] = field(default_factory=list)
    last: set[int] = field(default_factory=set)

    @property
    def on_probation(self) -> bool:
        """Is one invitation at a time sent, until one succeeds?"""
        return self.found is not None and not self.lifted


@dataclass(slots=True)
class Refusals:
    """Decides for all accounts of a run. One per run; ``stopped`` says why an account is left alone."""

    context: Context
    stopped: dict[str, str] = field(default_factory=dict)
    any_probe: bool = False
    """May the invitation be the probe that was the last one too? Set when there is no other."""
    _accounts: defaultdict[str, _Standing] = field(default_factory=lambda: defaultdict(_Standing))

    def load(self) -> None:
        """Read which accounts are stopped."""
        for key, stop in self.context.state.refusals.read().items():
            self._accounts[key].found = stop

    def ready(self, key: str, lane: deque[Ready]) -> bool:
        """May something of this account be sent now?"""
        known = self._accounts[key]
        return not known.on_probation or (known.probe is None and self._candidate(known, lane) is not None)

    def trusted(self, key: str) -> bool:
        """May an invitation of this account be expected to be sent in this run?"""
        return key not in self.stopped and not self._accounts[key].on_probation

    def take(self, key: str, lane: deque[Ready]) -> Ready | None:
        """Take what is sent next from a lane that is ``ready``; nothing where another run sends the probe."""
        known = self._accounts[key]
        if not known.on_probation:
            return lane.popleft()
        found = self._candidate(known, lane)
        if found is None or not self._begin_probe(key, found.row.id, known):
            self.stopped[key] = "eKomi refuses the account, and another run is trying it"
            return None
        lane.remove(found)
        known.probe = found.row.id
        return found

    def untaken(self, row: Invitation) -> None:
        """Forget the probe that another run has taken."""
        known = self._accounts[row.interface_id]
        if known.probe == row.id:
            self._end_probe(row.interface_id, known, lifted=False)

    def judged(self, row: Invitation, outcome: SendOutcome) -> SendOutcome:
        """Fail an invitation refused again with the text that stopped its account, after a success."""
        known = self._accounts[row.interface_id]
        again = outcome.refusal is not None and outcome.refusal == row.refusal
        if again and known.lifted and known.found is not None and outcome.refusal == known.found.refusal:
            return replace(outcome, status=Status.FAILED, failed_calls=1, refusals=0)
        return outcome

    def settled(self, row: Invitation, outcome: SendOutcome, error: EkomiError | None) -> None:
        """Draw the conclusions for the account from an outcome that is recorded."""
        key = row.interface_id
        known = self._accounts[key]
        if error is None:
            known.text, known.refused = "", []
            if known.on_probation:
                known.lifted = True
                self._end_probe(key, known, lifted=True)
        elif outcome.refusal is not None and outcome.status is Status.PENDING:
            self._refused(row, outcome, error, known)
        elif known.probe == row.id:
            self._end_probe(key, known, lifted=False)
            if not isinstance(error, RequestRefused):
                self.stopped.setdefault(key, "eKomi refuses the account, and the trial had no clear answer")

    def finish(self) -> None:
        """Fail what was refused too often by accounts that were not stopped."""
        for key, known in self._accounts.items():
            if known.last and not known.on_probation and key not in self.stopped:
                done = self.context.state.refusals.fail_refused(known.last, now=self.context.now())
                self.context.result.count(Done.FAILED, done)
                self.context.result.count(Done.RETRY_LATER, -done)

    def _refused(self, row: Invitation, outcome: SendOutcome, error: EkomiError, known: _Standing) -> None:
        key, text = row.interface_id, outcome.refusal or ""
        if text != known.text:
            known.text, known.refused = text, []
        counted = [row.id] if outcome.refusals else []
        known.refused += [row.id]
        if row.refusals + outcome.refusals >= LAST_REFUSAL:
            known.last.add(row.id)
        if known.probe == row.id or key in self.stopped:
            self._stop(row, text, error, counted)
            if known.probe == row.id:
                self._end_probe(key, known, lifted=False)
        elif self._enough(key, text, error, known):
            unlisted = [] if isinstance(error, AccountRefused) else known.refused
            self._stop(row, text, error, unlisted)
            if not isinstance(error, CredentialsRefused):
                self.context.result.fail(f"{self.context.name(key)}: sending stopped", _stopped(error, known))

    def _enough(self, key: str, text: str, error: EkomiError, known: _Standing) -> bool:
        """Is the account refused, as far as this run or another one that sends at the same time knows?"""
        if isinstance(error, CredentialsRefused) or len(known.refused) >= MOST_REFUSALS:
            return True
        other = None if known.on_probation or known.lifted else self.context.state.refusals.read().get(key)
        return other is not None and other.refusal == text

    def _stop(self, row: Invitation, text: str, error: EkomiError, refused: list[int]) -> None:
        key = row.interface_id
        message = error.said or error.message
        stop = AccountStop(interface_id=key, refusal=text, message=message, since=self.context.now())
        self.context.state.refusals.stop(stop, refused=refused)
        credentials = isinstance(error, CredentialsRefused)
        self.stopped.setdefault(
            key, "eKomi refused the credentials" if credentials else "eKomi refuses the account"
        )

    def _begin_probe(self, key: str, row_id: int, known: _Standing) -> bool:
        before = known.found.probe_id if known.found is not None else None
        begun = self.context.state.refusals.begin_probe(key, row_id, before=before, now=self.context.now())
        if begun and known.found is not None:
            known.found = replace(known.found, probe_id=row_id)
        return begun

    def _end_probe(self, key: str, known: _Standing, *, lifted: bool) -> None:
        known.probe = None
        self.context.state.refusals.end_probe(key, lifted=lifted)

    def _candidate(self, known: _Standing, lane: deque[Ready]) -> Ready | None:
        """The next probe: another one than the probe before, if there is another."""
        before = known.found.probe_id if known.found is not None else None
        fresh = next((each for each in lane if each.row.id != before), None)
        return fresh or (next(iter(lane), None) if self.any_probe else None)


def _stopped(error: EkomiError, known: _Standing) -> EkomiError:
    """What is shown once of an account that was stopped."""
    return AccountRefused(
        f"eKomi refused {len(known.refused)} invitation(s) with the same text: {error.message}",
        hint="clarify it with eKomi; the next run sends one invitation first and goes on once that succeeds",
    )
