"""``doctor``, ``errors`` and ``report``: how things stand."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.cli import lists, session
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import REQUIRE_STATE, FilePath, common, option, options, stopping
from ekomi_reconcile.cli.progress import terminal_width
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.config.load import check
from ekomi_reconcile.doctor.context import DoctorContext, StateFile, healthy
from ekomi_reconcile.doctor.ekomi import examine
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ConfigurationNotFound, ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render import results, state_admin
from ekomi_reconcile.state.engine.location import Location, locate
from ekomi_reconcile.state.opening import Mode, open_state


@click.command()
@option("--offline", is_flag=True, help="Skip every check that sends a request to eKomi or a shop.")
@lists.format_option
@common()
def doctor(offline: bool, form: str) -> int:
    """Self-test: files, state, secrets, eKomi, orders, queue. Nothing is written.

    What passed is one line per area; with -v one line per check.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        findings = examine(_subject(stack, stop, offline=offline))
    as_text = partial(state_admin.findings_text, width=terminal_width(), details=bool(options().verbose))
    lists.write_one(findings, form, as_text=as_text, as_json=state_admin.findings_json)
    if stop.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if healthy(findings) else Exit.ERROR


def _subject(stack: ExitStack, stop: StopSignal, *, offline: bool) -> DoctorContext:
    """What there is to examine, as far as it can be opened; failures are recorded, not raised."""
    now = instant.now()
    try:
        files, diagnostics = check(session.configuration_path())
    except ConfigurationNotFound as error:
        return DoctorContext(now=now, offline=offline, stop=stop, files_error=error)
    if files is None:
        return DoctorContext(now=now, offline=offline, stop=stop, diagnostics=diagnostics)
    return DoctorContext(
        now=now,
        offline=offline,
        stop=stop,
        files=files,
        diagnostics=diagnostics,
        state_file=_state_file(files, stack),
        sources=stack.enter_context(Sources(files)),
    )


def _state_file(files: Configuration, stack: ExitStack) -> StateFile:
    required = bool(os.environ.get("CI") or os.environ.get(REQUIRE_STATE))
    place: Location | None = None
    key, key_error = _key(files)
    try:
        location, root = session.state_location(files)
        place = locate(location, root=root)
        session.check_pin(files)
        state = stack.enter_context(open_state(location, root=root, mode=Mode.READ, key=key))
    except ReconcileError as error:
        return StateFile(place=place, error=error, key_error=key_error, required=required)
    return StateFile(place=place, state=state, key_error=key_error, required=required)


def _key(files: Configuration) -> tuple[bytes | None, ReconcileError | None]:
    try:
        return session.state_key(files), None
    except ReconcileError as error:
        return None, error


@click.command()
@lists.accounts_option
@lists.since_option
@lists.limit_option
@lists.format_option
@common()
def errors(names: tuple[str, ...], since: Instant | None, limit: int | None, form: str) -> int:
    """List failed calls to eKomi.

    The latest come first. The messages contain neither secrets nor personal data.
    """
    with session.reading(session.load_configuration(), key=False) as state:
        known = lists.known_to(state)
        account_names = {each.interface_id: each.name for each in known}
        found = state.journal.errors(since=since)
    others = (lists.Named(each.account, each.account) for each in found if each.account is not None)
    wanted = {account_names.get(each, each) for each in lists.choose(names, (*known, *others))}
    every = (
        results.ListedError(account_names.get(each.interface_id or "", each.account), each) for each in found
    )
    listed = [each for each in every if not names or each.account in wanted]
    lists.write_list(
        listed[:limit],
        form,
        layout=results.LAYOUT,
        as_row=results.error_row,
        as_json=results.error_json,
        nothing="No call has failed.",
    )
    return Exit.OK


PAGE = "index.html"
_HEAD = 4_096
"""Characters in which a page says who made it."""


@click.command()
@option(
    "--out",
    type=FilePath(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    metavar="DIR",
    help="The folder to write index.html into; other files in it are kept.",
)
@common()
def report(out: Path) -> int:
    """Write the state as a web page: accounts, queue, reviews, runs.

    One self-contained file without personal data: open it, mail it, or serve it. The state is only
    read, and no lock is taken.
    """
    from ekomi_reconcile.model.sending_times import SendingSchedule
    from ekomi_reconcile.render.report import page_html
    from ekomi_reconcile.report import make_report

    page = options().directory / out / PAGE
    _check_free(page)
    configuration = session.load_configuration()
    schedule = SendingSchedule(configuration.accounts, configuration.project.timezone)
    with session.reading(configuration, key=False) as state:
        made = make_report(
            state,
            now=instant.now(),
            schedule=schedule,
            project=configuration.root.absolute().name,
            timezone=configuration.project.timezone or "UTC",
        )
    _write(page, page_html(made, clean=redact))
    lists.write_text(f"{page}\n")
    return Exit.OK


def _check_free(page: Path) -> None:
    """A page of somebody else is not overwritten."""
    from ekomi_reconcile.render.report import is_ours

    try:
        with page.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(page, error) from None
    if not is_ours(head):
        raise ReconcileError(
            f"{page} is not a report of ekomi-reconcile",
            hint="choose another folder with --out, or move it away",
        )


def _write(page: Path, text: str) -> None:
    """Write the page whole or not at all."""
    draft = page.with_name(f".{PAGE}.{secrets.token_hex(4)}")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            draft.replace(page)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(page, error) from None


def _unwritable(page: Path, error: OSError) -> ReconcileError:
    return ReconcileError(
        f"{page} cannot be written: {error.strerror}", hint="choose another folder with --out"
    )
