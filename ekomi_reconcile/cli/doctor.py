"""``doctor``: the self-test."""

from __future__ import annotations

import os
from contextlib import ExitStack

import click

from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import format_option, write_one
from ekomi_reconcile.cli.options import REQUIRE_STATE, common, option
from ekomi_reconcile.cli.session import check_pin, configuration_path, state_key, state_location
from ekomi_reconcile.cli.signals import stopping
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.load import check
from ekomi_reconcile.doctor.context import DoctorContext, StateFile, healthy
from ekomi_reconcile.doctor.examination import examine
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ConfigurationNotFound, ReconcileError
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render.results import findings_json, findings_text
from ekomi_reconcile.state.engine.location import Location, locate
from ekomi_reconcile.state.opening import Mode, open_state


@click.command()
@option("--offline", is_flag=True, help="Leave out everything that asks eKomi or a shop.")
@format_option
@common()
def doctor(offline: bool, form: str) -> int:
    """Self-test: files, state, secrets, eKomi, orders, queue. Nothing is written."""
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        findings = examine(_subject(stack, stop, offline=offline))
    write_one(findings, form, as_text=findings_text, as_json=findings_json)
    if stop.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if healthy(findings) else Exit.ERROR


def _subject(stack: ExitStack, stop: StopSignal, *, offline: bool) -> DoctorContext:
    """What there is to examine, as far as it can be opened; what cannot is told, not raised."""
    now = instant.now()
    try:
        files, diagnostics = check(configuration_path())
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
        location, root = state_location(files)
        place = locate(location, root=root)
        check_pin(files)
        state = stack.enter_context(open_state(location, root=root, mode=Mode.READ, key=key))
    except ReconcileError as error:
        return StateFile(place=place, error=error, key_error=key_error, required=required)
    return StateFile(place=place, state=state, key_error=key_error, required=required)


def _key(files: Configuration) -> tuple[bytes | None, ReconcileError | None]:
    try:
        return state_key(files), None
    except ReconcileError as error:
        return None, error
