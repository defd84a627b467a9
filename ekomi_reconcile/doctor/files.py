"""The files, their secrets, and where the state is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ekomi_reconcile.config.configuration import resolve
from ekomi_reconcile.config.order_sources import OrdersSettings
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.model import errors, instant
from ekomi_reconcile.model.diagnostic import Diagnostic, Incident
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.privacy.suppression import read_suppression_list
from ekomi_reconcile.state.engine.location import FileLocation, PostgresLocation
from ekomi_reconcile.state.engine.runner import lock_holder
from ekomi_reconcile.state.maintenance.check import check_state
from ekomi_reconcile.state.store import State

OVERLAPPING = "overlapping-rules"
"""The lint rule that has a check of its own."""


def configuration(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every error with its place; warnings only counted, ``validate`` shows them."""
    if subject.files_error is not None:
        yield CheckNote.of(subject.files_error)
    for each in subject.diagnostics:
        if each.is_error:
            yield failed(_said(each), hint=each.hint, account=each.account)
    warnings = [each.rule for each in subject.diagnostics if not each.is_error and each.rule != OVERLAPPING]
    if warnings:
        rules = ", ".join(sorted(set(warnings)))
        yield warned(
            f"{len(warnings)} warning(s) about the files: {rules}", hint="see: ekomi-reconcile validate"
        )
    elif subject.files is not None:
        yield passed(f"valid, {len(subject.files.accounts)} account(s)")


def overlapping_rules(subject: DoctorContext) -> Iterator[CheckNote]:
    """Accounts of the same priority that can match the same order, as `validate` finds them."""
    found = [each for each in subject.diagnostics if each.rule == OVERLAPPING]
    for each in found:
        yield warned(each.message, hint=each.hint, account=each.account)
    if not found:
        yield passed("no order can match two enabled accounts of the same priority")


def suppression_list(subject: DoctorContext) -> Iterator[CheckNote]:
    """The suppression list can be read and has no faulty line; without a list it yields nothing."""
    try:
        path = subject.configuration.suppression_list
        if path is None:
            return
        found = read_suppression_list(path)
    except errors.ConfigurationInvalid as error:
        for each in error.diagnostics:
            yield failed(_said(each), hint=each.hint)
        return
    except errors.ConfigurationError as error:
        yield CheckNote.of(error)
        return
    yield passed(f"{len(found.entries)} entries")


def sending(subject: DoctorContext) -> Iterator[CheckNote]:
    """Whether runs send at all; nothing is said where they do."""
    if not subject.configuration.project.safety.send:
        yield warned(
            "safety.send is false: runs plan and schedule, and send nothing",
            hint="remove it in environments that send invitations",
        )


def _said(diagnostic: Diagnostic) -> str:
    where = "" if diagnostic.place is None else f"{diagnostic.place}: "
    key = "" if diagnostic.key is None else f"{diagnostic.key}: "
    return f"{where}{key}{diagnostic.message}"


CHECKS = (
    Check(id="configuration", run=configuration),
    Check(id="overlapping-rules", run=overlapping_rules, needs=frozenset({Part.FILES})),
    Check(id="sending", run=sending, needs=frozenset({Part.FILES})),
    Check(id="suppression-list", run=suppression_list, needs=frozenset({Part.FILES})),
)


def passwords(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every account's password can be had."""
    for account in subject.configuration.accounts:
        error = subject.passwords.unresolved.get(account.interface_id)
        if error is None:
            yield passed("password resolved", account=account.name)
        else:
            yield CheckNote.of(error, account=account.name)


def settings(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every secret of the project file can be had; a project without any says nothing."""
    configuration = subject.configuration
    references = list(_references(configuration.project, configuration.root))
    sound = 0
    for what, reference, root in references:
        try:
            resolve(reference, root=root)
        except errors.SecretError as error:
            yield failed(f"{what}: {error.message}", hint=error.hint)
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
SECRET_CHECKS = (
    Check(id="passwords", run=passwords, needs=_FILES),
    Check(id="project-secrets", run=settings, needs=_FILES),
)


LONG_HELD = 2 * HOUR
"""Seconds after which a held writer lock is reported."""

_SHOWN = 5
"""Faults of a damaged state that are listed one by one."""


def state(subject: DoctorContext) -> Iterator[CheckNote]:
    """There is a state of the present format, and it can be read."""
    found = subject.state_file
    if found.state is not None:
        meta = found.state.meta.read()
        count = len(found.state.accounts.read())
        yield passed(f"format {meta.format_version}, serial {meta.serial}, {count} account(s)")
    elif found.error is None:
        yield warned(f"not checked: {Part.FILES.value}")
    elif found.missing and not found.required:
        yield warned(
            "the state does not exist yet",
            hint="normal before the first apply; otherwise the state is lost: restore a backup",
        )
    else:
        yield CheckNote.of(found.error)


def writable(subject: DoctorContext) -> Iterator[CheckNote]:
    """The state may be written: a file and its folder by this user, a database by its rules. Nothing is."""
    place = subject.place
    if isinstance(place, FileLocation):
        yield _writable_file(place.path)
    elif subject.state_file.state is None:
        yield warned(f"not checked: {Part.STATE.value}")
    else:
        yield from _writable_tables(subject.state)


def _writable_tables(state: State) -> Iterator[CheckNote]:
    obstacles = state.runner.obstacles()
    for said, hint in obstacles:
        yield failed(said, hint=hint)
    if not obstacles:
        yield passed("the state may be written")


def _writable_file(path: Path) -> CheckNote:
    """Also the folder, in which SQLite keeps its log."""
    folder = next(each for each in path.parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        return failed(f"no write permission for the folder {folder}", hint="choose another path: --state")
    if path.exists() and not os.access(path, os.W_OK):
        return failed(f"no write permission for {path}", hint="change its owner or mode")
    return passed("the state may be written")


def integrity(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every page, index, reference and value of the state is sound."""
    flaws = check_state(subject.state)
    for flaw in flaws[:_SHOWN]:
        yield failed(flaw, hint="restore a backup of the state")
    if len(flaws) > _SHOWN:
        yield failed(f"{len(flaws) - _SHOWN} more flaws", hint="restore a backup of the state")
    if not flaws:
        yield passed("sound")


def pin(subject: DoctorContext) -> Iterator[CheckNote]:
    """A shared state is pinned: without its lineage in the project file another one could take its place."""
    if not isinstance(subject.place, PostgresLocation):
        return
    if subject.configuration.project.lineage is not None:
        yield passed("the lineage of the state is pinned")
        return
    found = subject.state_file.state
    known = "" if found is None else f" (it is {found.meta.read().lineage})"
    yield warned(
        f"the lineage of the state is not pinned{known}: an empty or other database would be taken for it",
        hint="run: ekomi-reconcile state init --pin",
    )


def key(subject: DoctorContext) -> Iterator[CheckNote]:
    """The key of the digests is there, and the one that they were made with."""
    if subject.state_file.key_error is not None:
        yield CheckNote.of(subject.state_file.key_error)
        return
    try:
        subject.state.key.require()
    except errors.StateError as error:
        yield CheckNote.of(error)
        return
    yield passed("present, and the one that this state was made with")


def lock(subject: DoctorContext) -> Iterator[CheckNote]:
    """Who holds the writer lock; one held for hours is reported."""
    info = lock_holder(subject.place)
    if info is None:
        yield passed("nobody holds the writer lock")
        return
    since = instant.parse(info.Created) if info.Created else subject.now
    if subject.now - since > LONG_HELD:
        yield warned(
            f"held for more than {LONG_HELD // HOUR} hours: {info}",
            hint="if you are sure that this process is dead or stuck: "
            f"ekomi-reconcile force-unlock {info.ID}",
            incident=Incident.LOCK_HELD,
        )
    else:
        yield passed(f"held: {info}")


_PLACE = frozenset({Part.PLACE})
_STATE = frozenset({Part.STATE})
STORAGE_CHECKS = (
    Check(id="state", run=state),
    Check(id="state-writable", run=writable, needs=_PLACE),
    Check(id="state-integrity", run=integrity, needs=_STATE),
    Check(id="state-pinned", run=pin, needs=frozenset({Part.FILES, Part.PLACE})),
    Check(id="state-key", run=key, needs=_STATE),
    Check(id="lock", run=lock, needs=_PLACE),
)
