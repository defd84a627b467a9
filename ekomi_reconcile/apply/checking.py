"""Testing credentials at eKomi, without any state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ekomi_reconcile.apply.clients import Clients
from ekomi_reconcile.errors import CredentialsRefused, EkomiError, ReconcileError
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.credentials import Checked, Credential


def check_credentials(
    clients: Clients,
    accounts: Sequence[Account],
    *,
    unresolved: Mapping[str, ReconcileError],
    parallelism: int,
) -> tuple[Checked, ...]:
    """Ask eKomi about these accounts, side by side; the verdicts in the same order.

    ``unresolved`` are the accounts, by interface id, whose password cannot be had.
    """
    with ThreadPoolExecutor(parallelism, thread_name_prefix="check") as pool:
        return tuple(pool.map(partial(_check, clients, unresolved), accounts))


def _check(clients: Clients, unresolved: Mapping[str, ReconcileError], account: Account) -> Checked:
    error = unresolved.get(account.interface_id)
    if error is not None:
        return _verdict(account, Credential.UNRESOLVED, error)
    try:
        clients.reader(account.interface_id).check()
    except CredentialsRefused as refused:
        return _verdict(account, Credential.WRONG, refused)
    except EkomiError as failed:
        return _verdict(account, Credential.UNCHECKED, failed)
    return _verdict(account, Credential.OK)


def _verdict(account: Account, verdict: Credential, error: ReconcileError | None = None) -> Checked:
    return Checked(
        name=account.name,
        interface_id=account.interface_id,
        verdict=verdict,
        message=error.message if error else None,
        mend=error.mend if error else None,
    )
