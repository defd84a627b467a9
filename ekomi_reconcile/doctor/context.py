"""What is examined, what a check is, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Self, TypeAlias

from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.order_sources import SourceKind
from ekomi_reconcile.doctor.shop import ExaminedShop, Names, Survey, survey, survey_of
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Incident
from ekomi_reconcile.model.errors import OrderSourceError, ReconcileError, StateMissing
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.magento.source import Probe
from ekomi_reconcile.orders.source import OrderSource
from ekomi_reconcile.reconcile.absent_fields import absent_fields
from ekomi_reconcile.reconcile.planning import Passwords, read_passwords
from ekomi_reconcile.reconcile.sources import Sources, locales_of
from ekomi_reconcile.rules.rulebook import RuleBook
from ekomi_reconcile.state.engine.location import Location
from ekomi_reconcile.state.store import State


class CheckStatus(StrEnum):
    """How bad it is. ``fail`` makes the whole self-test fail."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNote:
    """One thing to say, about one account or about all; ``hint`` says what to do.

    ``incident`` is the known incident that it is a sign of.
    """

    status: CheckStatus
    message: str
    account: str | None = None
    hint: str | None = None
    incident: Incident | None = None

    @classmethod
    def of(cls, error: ReconcileError, *, account: str | None = None) -> Self:
        """What this error says must be put right."""
        return cls(
            status=CheckStatus.FAIL,
            message=error.message,
            account=account,
            hint=error.hint,
            incident=error.incident,
        )

    @property
    def left_out(self) -> str | None:
        """Why a whole check could not be made, if it could not."""
        made = self.account is not None or not self.message.startswith(_NOT_CHECKED)
        return None if made else self.message.removeprefix(_NOT_CHECKED)


_NOT_CHECKED = "not checked: "


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A note with the id and the group of the check that made it."""

    check: str
    group: str
    note: CheckNote


def passed(message: str, *, account: str | None = None) -> CheckNote:
    """All is well."""
    return CheckNote(status=CheckStatus.PASS, message=message, account=account)


def warned(
    message: str, *, hint: str | None = None, account: str | None = None, incident: Incident | None = None
) -> CheckNote:
    """Should be checked."""
    return CheckNote(status=CheckStatus.WARN, message=message, account=account, hint=hint, incident=incident)


def failed(
    message: str, *, hint: str | None = None, account: str | None = None, incident: Incident | None = None
) -> CheckNote:
    """Must be put right."""
    return CheckNote(status=CheckStatus.FAIL, message=message, account=account, hint=hint, incident=incident)


def healthy(findings: Iterable[CheckResult]) -> bool:
    """Did nothing fail?"""
    return all(each.note.status is not CheckStatus.FAIL for each in findings)


class Part(StrEnum):
    """What a check may need; the value says what is missing where it is not there."""

    FILES = "the files have errors"
    PLACE = "the state has no valid location"
    STATE = "the state does not exist or cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFile:
    """The state as far as it could be opened.

    ``error`` says why there is no ``state``, ``key_error`` why the configured key is not known,
    ``required`` that a missing state is an accident.
    """

    place: Location | None = None
    state: State | None = None
    error: ReconcileError | None = None
    key_error: ReconcileError | None = None
    required: bool = False

    @property
    def missing(self) -> bool:
        """Is there none?"""
        return isinstance(self.error, StateMissing)


@dataclass(kw_only=True)
class DoctorContext:
    """Everything that the checks look at; ``files_error`` says why the files cannot be used."""

    now: Instant
    offline: bool
    stop: StopSignal
    files: Configuration | None = None
    diagnostics: Sequence[Diagnostic] = ()
    files_error: ReconcileError | None = None
    state_file: StateFile = field(default_factory=StateFile)
    sources: Sources | None = None
    silent: set[str] = field(default_factory=set)
    """Interface ids for which eKomi cannot be asked: that is said once, by ``credentials``."""
    _probes: dict[str, Probe] = field(default_factory=dict)
    _surveys: dict[str, Survey | OrderSourceError] = field(default_factory=dict)

    def has(self, part: Part) -> bool:
        """Is this part there?"""
        match part:
            case Part.FILES:
                return self.files is not None
            case Part.PLACE:
                return self.state_file.place is not None
            case Part.STATE:
                return self.state_file.state is not None

    @property
    def configuration(self) -> Configuration:
        """The files; only for checks that need them.

        Raises:
            RuntimeError: a check that did not say so asks for it.
        """
        if self.files is None:
            raise RuntimeError("a check that needs the files runs without them")
        return self.files

    @property
    def state(self) -> State:
        """The state; only for checks that need it.

        Raises:
            RuntimeError: a check that did not say so asks for it.
        """
        if self.state_file.state is None:
            raise RuntimeError("a check that needs the state runs without it")
        return self.state_file.state

    @property
    def place(self) -> Location:
        """Where the state is; only for checks that need it.

        Raises:
            RuntimeError: a check that did not say so asks for it.
        """
        if self.state_file.place is None:
            raise RuntimeError("a check that needs the state's place runs without it")
        return self.state_file.place

    @cached_property
    def passwords(self) -> Passwords:
        """The accounts' passwords, and what is missing."""
        return read_passwords(self.configuration, None)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The names of all accounts by interface id, those of the files first."""
        known = {each.interface_id: each.name for each in self.state.accounts.read(include_deleted=True)}
        written = () if self.files is None else self.files.accounts
        return known | {each.interface_id: each.name for each in written}

    def enabled(self, source: str) -> tuple[Account, ...]:
        """The enabled accounts that read their orders from this source."""
        members = (each for each in self.configuration.accounts if each.orders == source)
        return tuple(each for each in members if each.invitations.enabled)

    @property
    def source_names(self) -> tuple[str, ...]:
        """The order sources to look at: all, or offline those that are files."""
        sources = self.configuration.project.orders.values()
        return tuple(each.name for each in sources if not self.offline or each.kind is SourceKind.FILE)

    @property
    def readable_names(self) -> tuple[str, ...]:
        """The order sources that answer; why another one does not is said once, by ``order-source``."""
        return tuple(name for name in self.source_names if self._is_readable(name))

    @property
    def shop_names(self) -> tuple[str, ...]:
        """Those of them that are shops."""
        return tuple(name for name in self.readable_names if self.shop(name) is not None)

    @property
    def surveyed_names(self) -> tuple[str, ...]:
        """Those of them whose recent orders could be read."""
        shops = set(self.shop_names)
        return tuple(
            name for name in self.readable_names if name not in shops or self.probe(name).recent is not None
        )

    def _is_readable(self, name: str) -> bool:
        try:
            if self.shop(name) is None:
                self.survey(name)
                return True
            return self.probe(name).unreachable is None
        except OrderSourceError:
            return False

    def shop(self, source: str) -> ExaminedShop | None:
        """The source of this name, if it is a shop.

        Raises:
            OrderSourceError: it cannot be opened.
        """
        found = self._source(source)
        return found if isinstance(found, ExaminedShop) else None

    def listed(self, source: str, read: Names) -> frozenset[str]:
        """Names from the lists of this shop.

        Raises:
            OrderSourceError: it does not give them.
        """
        shop = self.shop(source)
        if shop is None:
            return frozenset()
        self._reach(source)
        return read(shop.directory)

    def locales(self, source: str) -> Mapping[str, str] | None:
        """The locales of this shop's store views by code; ``None`` if it knows none.

        Raises:
            OrderSourceError: it does not tell them.
        """
        self._reach(source)
        return locales_of(self._source(source))

    def statuses(self, source: str) -> frozenset[str] | None:
        """The status codes of this shop; ``None`` if it is none.

        Raises:
            OrderSourceError: it does not tell them.
        """
        shop = self.shop(source)
        if shop is None:
            return None
        self._reach(source)
        return frozenset(shop.statuses())

    def probe(self, source: str) -> Probe:
        """What this shop says about itself; asked once.

        Raises:
            OrderSourceError: it cannot be opened.
        """
        shop = self.shop(source)
        if shop is None:
            raise OrderSourceError(f"order source {source} is not a shop")
        if source not in self._probes:
            settings = self.configuration.project.orders[source].magento
            self._probes[source] = shop.probe(annotate=settings is not None and settings.annotate)
        return self._probes[source]

    def survey(self, source: str) -> Survey:
        """What the recent orders of this source are like; read once.

        Raises:
            OrderSourceError: they cannot be read.
        """
        if source not in self._surveys:
            try:
                self._surveys[source] = self._survey(source)
            except OrderSourceError as error:
                self._surveys[source] = error
        found = self._surveys[source]
        if isinstance(found, OrderSourceError):
            raise found
        return found

    def absent_fields(self, source: str) -> Iterator[Diagnostic]:
        """What conditions ask for and none of the recent orders of this source has.

        Raises:
            OrderSourceError: they cannot be read.
        """
        found = self.survey(source).carried
        return absent_fields(self._source(source), found, self.enabled(source))

    def _survey(self, source: str) -> Survey:
        book = RuleBook(self.enabled(source))
        if self.shop(source) is None:
            return survey(self._source(source), book, now=self.now)
        recent = self.probe(source).recent
        if recent is None:
            raise OrderSourceError("the orders cannot be read")
        return survey_of(recent.orders, recent.problems, book, now=self.now)

    def _reach(self, source: str) -> None:
        """A shop that does not answer is asked once: further requests would only time out."""
        if self.shop(source) is not None and self.probe(source).unreachable is not None:
            raise OrderSourceError("the shop cannot be reached")

    def _source(self, name: str) -> OrderSource:
        if self.sources is None:
            raise OrderSourceError("no order source is open")
        return self.sources.get(name)


Run: TypeAlias = Callable[[DoctorContext], Iterator[CheckNote]]
"""Looks at the subject and says what it found; what it raises means that it could not look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check by its stable id. It runs only where all parts that it ``needs`` are there.

    ``online`` checks ask eKomi or a shop, and are left out when the self-test is offline.
    """

    id: str
    run: Run
    needs: frozenset[Part] = frozenset()
    online: bool = False
