"""Checks of secrets: every reference leads to one, without blanks around it. None is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ekomi_reconcile.config.order_sources import OrdersSettings
from ekomi_reconcile.config.secrets import resolve
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed
from ekomi_reconcile.model.errors import SecretError


def passwords(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every account's password can be had."""
    for account in subject.configuration.accounts:
        error = subject.passwords.unresolved.get(account.interface_id)
        if error is None:
            yield passed("the password can be had", account=account.name)
        else:
            yield failed(error.message, mend=error.mend, account=account.name)


def settings(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every secret of the project file can be had; a project without any says nothing."""
    configuration = subject.configuration
    references = list(_references(configuration.project, configuration.root))
    sound = 0
    for what, reference, root in references:
        try:
            resolve(reference, root=root)
        except SecretError as error:
            yield failed(f"{what}: {error.message}", mend=error.mend)
        else:
            sound += 1
    if references and sound == len(references):
        yield passed(f"{sound} secret(s) of the project file can be had")


def _references(project: Project, root: Path) -> Iterator[tuple[str, str, Path | None]]:
    """What for, the reference, and where relative paths start, as the run that needs it takes them."""
    if project.privacy.key is not None:
        yield "privacy.key", project.privacy.key, None
    if project.state_location.startswith("${"):
        yield "state", project.state_location, None
    if project.lineage is not None and project.lineage.startswith("${"):
        yield "state.lineage", project.lineage, None
    for number, each in enumerate(project.notify, 1):
        yield f"notify {number}: webhook", each.webhook, root
    for source in project.orders.values():
        for name, reference in _of_source(source):
            yield f"orders {source.name}: {name}", reference, root


def _of_source(source: OrdersSettings) -> Iterator[tuple[str, str]]:
    for kind, settings in source.registered.items():
        for name, value in settings.items() if isinstance(settings, dict) else ():
            if isinstance(value, str) and value.startswith("${"):
                yield f"{kind}.{name}", value
    if source.magento is None:
        return
    if source.magento.token is not None:
        yield "token", source.magento.token
    if source.magento.oauth is not None:
        yield from asdict(source.magento.oauth).items()


_FILES = frozenset({Part.FILES})
CHECKS = (
    Check(id="passwords", run=passwords, needs=_FILES),
    Check(id="project-secrets", run=settings, needs=_FILES),
)
