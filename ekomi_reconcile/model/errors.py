"""Every error this project raises, as one tree.

ReconcileError                  anything that a user sees as an error; exit 1
├── ConfigurationError          the files are wrong
│   ├── ConfigurationNotFound   ekomi-reconcile.yaml not found
│   ├── ConfigurationInvalid    the files have errors; carries the diagnostics
│   └── RevisionUnreadable      the files cannot be read as they are at a git revision
├── SecretError                 a secret reference cannot be resolved
│   └── SecretUnusable          it was resolved, and no server would accept what is there
├── OrderSourceError            orders cannot be read
│   └── OrderUnreadable         one order cannot be read; the others can
├── EkomiError                  a call to eKomi did not do what was asked
│   ├── AccountRefused          eKomi refused the account: quota, tariff, inactive, not permitted
│   │   └── CredentialsRefused  wrong interface id or password
│   ├── EkomiUnavailable        could not check: nothing was decided, try again later
│   ├── RequestRefused          eKomi refused the request, with a text that is not known
│   │   └── RecipientRefused    eKomi refused the recipient for good
│   └── OutcomeUnknown          the call may have taken effect; never repeated on its own
├── StateError                  the state cannot be used
│   ├── StateMissing            the state does not exist, and this run must not create it
│   ├── StateLost               there was a state, which is gone or has lost what was recorded last
│   ├── StateLocked             another process holds the writer lock
│   └── StateDamaged            the file is not a state of ours, damaged, or of a newer format
├── PlanError                   a plan cannot be made, read or applied
│   ├── PlanInvalid             the file is not a plan this version understands
│   └── PlanStale               something changed since the plan was made
├── ClockError                  the clock of this machine is wrong, or was in the last run
└── GuardRefused                a safety limit stops this run; carries the override to type
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ekomi_reconcile.model.diagnostic import Diagnostic, Incident

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReconcileError(Exception):
    """Base of all errors: ``message`` says what is wrong, ``hint`` how to put it right.

    ``incident`` is the known incident that it is a sign of, if any.
    """

    incident: Incident | None = None

    def __init__(self, message: str, *, hint: str | None = None, incident: Incident | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if incident is not None:
            self.incident = incident

    @property
    def id(self) -> str:
        """The stable id of this kind of error, such as ``state-locked``: `help ID` explains it."""
        kinds = (each.__name__ for each in type(self).__mro__ if each.__module__ == __name__)
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", next(kinds)).lower()


def incidents_of(error: BaseException) -> frozenset[Incident]:
    """The known incident that this is a sign of, if any."""
    found = error.incident if isinstance(error, ReconcileError) else None
    return frozenset() if found is None else frozenset({found})


class ConfigurationError(ReconcileError):
    """The configuration cannot be used."""


class ConfigurationNotFound(ConfigurationError):
    """No project file was found."""


class ConfigurationInvalid(ConfigurationError):
    """The files have errors; ``diagnostics`` holds all of them, warnings too."""

    def __init__(self, diagnostics: Sequence[Diagnostic], *, subject: str = "configuration") -> None:
        count = sum(1 for each in diagnostics if each.is_error)
        super().__init__(f"the {subject} has {count} error{'s' if count != 1 else ''}")
        self.diagnostics = tuple(diagnostics)


class RevisionUnreadable(ConfigurationError):
    """The files cannot be read as they are at a git revision."""


class SecretError(ReconcileError):
    """A secret reference cannot be resolved; the message never holds the secret."""


class SecretUnusable(SecretError):
    """It was resolved, but is empty or has whitespace at its ends, which no server would accept."""


class OrderSourceError(ReconcileError):
    """An order source cannot be read; ``refused``: its credentials do not allow it.

    ``lacks`` is the attribute of orders that cannot be read, where only rules about it are concerned.
    """

    refused: bool = False
    lacks: str | None = None


class OrderUnreadable(OrderSourceError):
    """One order cannot be read; ``reason`` holds the field and what is wrong, never its value.

    ``order_id`` is ``None`` where not even the order's own key can be read.
    """

    def __init__(self, reason: str, *, order_id: int | str | None = None) -> None:
        super().__init__(reason if order_id is None else f"order {order_id}: {reason}")
        self.reason = reason
        self.order_id = order_id


class EkomiError(ReconcileError):
    """A call to eKomi failed; ``function`` names the call, ``status`` the HTTP status if any.

    ``said`` is eKomi's own text, redacted.
    """

    def __init__(
        self,
        message: str,
        *,
        function: str = "",
        status: int | None = None,
        hint: str | None = None,
        said: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.function = function
        self.status = status
        self.said = said


class AccountRefused(EkomiError):
    """eKomi refused what the account asked, whoever the recipient is."""


class CredentialsRefused(AccountRefused):
    """eKomi refused the interface id or password."""

    incident = Incident.WRONG_PASSWORD


class EkomiUnavailable(EkomiError):
    """eKomi could not be asked: the request certainly had no effect, or was a read.

    ``retry_after`` is what the server asked for, in seconds; ``asked`` is false where the run ended
    before the request was made.
    """

    incident = Incident.EKOMI_DOWN

    retry_after: float | None = None
    asked: bool = True


class RequestRefused(EkomiError):
    """eKomi understood the request and refused it."""


class RecipientRefused(RequestRefused):
    """eKomi refused this recipient for good."""


class OutcomeUnknown(EkomiError):
    """The request may have reached eKomi; whether it took effect is not known."""

    incident = Incident.UNKNOWN_INVITATIONS


class StateError(ReconcileError):
    """The state cannot be read or written."""


class StateMissing(StateError):
    """The state does not exist, and this run must not create it."""


class StateLost(StateError):
    """There was a state here: it is gone, or has lost what was recorded last."""

    incident = Incident.STATE_LOST


class StateLocked(StateError):
    """Another process holds the writer lock."""

    incident = Incident.LOCK_HELD


class StateDamaged(StateError):
    """The state is damaged, foreign, or of a newer format."""


class PlanError(ReconcileError):
    """A plan cannot be used."""


class PlanInvalid(PlanError):
    """The file is not a plan that this version understands."""


class PlanStale(PlanError):
    """What the plan was made from has changed."""


class ClockError(ReconcileError):
    """The clock of this machine is wrong, or was when the last run was recorded."""

    incident = Incident.CLOCK_WRONG


class GuardRefused(ReconcileError):
    """A safety limit stops the run."""
