"""``state`` init, backup, restore, push, migrate and accept-loss."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import click

from ekomi_reconcile.cli import session
from ekomi_reconcile.cli.files import read_file, rewrite
from ekomi_reconcile.cli.lists import Since, format_option, lock_timeout_option, write_document, write_one
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import FilePath, common, interactive, interruptible, option, options
from ekomi_reconcile.cli.session import load_configuration, locking, reading
from ekomi_reconcile.config.cache import hand_over_first_key
from ekomi_reconcile.config.configuration import Configuration, resolve
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ConfigurationError, ReconcileError, StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render import state_admin
from ekomi_reconcile.render.state_admin import LossAccepted, LossOfAccount, loss_text
from ekomi_reconcile.render.tables import plural
from ekomi_reconcile.state.engine.location import FileLocation, Location, copy_path, locate
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.engine.mark import refuse_unread
from ekomi_reconcile.state.engine.runner import writer_lock
from ekomi_reconcile.state.maintenance.backup import copy_to, needs_file
from ekomi_reconcile.state.repositories.journal import ACCEPT_LOSS
from ekomi_reconcile.state.store import State


@click.command("accept-loss")
@option(
    "--since",
    type=Since(),
    required=True,
    metavar="TIME",
    env=False,
    help="When the first lost record was made, or earlier: 2026-11-30T12:00:00Z, or 2h (ago).",
)
@option("--auto-approve", env=False, is_flag=True, help="Do not ask.")
@option("--dry-run", is_flag=True, help="Only show what it would do.")
@lock_timeout_option
@format_option
@common()
def accept_loss(since: Instant, auto_approve: bool, dry_run: bool, lock_timeout: int, form: str) -> int:
    """Continue with a state that lost its last records, after a failover or a restore of an old copy.

    Every pending invitation that may have been sent from TIME until now becomes `unknown` and is not sent:
    those due in that period, and those due earlier but still pending. Resolve them with
    `invitations resolve`. Run `apply --no-send` first, so that lost orders are in the state again.
    """
    configuration, now = load_configuration(), instant.now()
    if since > now:
        raise click.UsageError(f"--since {instant.iso(since)} is in the future.")
    if dry_run:
        with reading(configuration, key=False, accept_lost=True) as state:
            _warn(state, since)
            found = _found(state, since=since, until=now, dry_run=True)
    else:
        with locking(configuration, ACCEPT_LOSS, accept_lost=True, lock_timeout=lock_timeout) as (state, _):
            if isinstance(state.location, FileLocation):
                refuse_unread(state.location, state.session.connection)
            _warn(state, since)
            found = _found(state, since=since, until=now, dry_run=False)
            if found.unknown and not auto_approve:
                _confirm(found)
            with state.transaction():
                found = _found(state, since=since, until=now, dry_run=False)
                _accept(state, since=since, now=now)
    write_document(found, form, as_text=loss_text)
    return Exit.OK


def _accept(state: State, *, since: Instant, now: Instant) -> None:
    count = state.lost_records.accept(since=since, now=now, actor=user())
    outcome = f"{plural(count, 'invitation')} unknown"
    state.journal.add(ACCEPT_LOSS, subject=f"since {instant.iso(since)}", outcome=outcome, now=now)
    state.meta.bump_serial()


def _warn(state: State, since: Instant) -> None:
    """Warn on stderr where no run has scheduled again what was lost altogether."""
    last = state.journal.last_run_at()
    if last is None or last <= since:
        click.echo(
            f"Warning: no run is recorded since {instant.iso(since)}. Invitations that were lost as a whole "
            "are not found here and would be sent again: run `ekomi-reconcile apply --no-send` first, which "
            "schedules them.",
            err=True,
        )


def _found(state: State, *, since: Instant, until: Instant, dry_run: bool) -> LossAccepted:
    names = {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}
    counts = state.lost_records.due_by(until, before=since)
    return LossAccepted(
        since=instant.iso(since),
        until=instant.iso(until),
        unknown=sum(each.due for each in counts),
        accounts=[
            LossOfAccount(account=names[each.interface_id], unknown=each.due, due_before=each.due_before)
            for each in counts
        ],
        dry_run=dry_run,
    )


def _confirm(found: LossAccepted) -> None:
    """Raises:
    ReconcileError: no terminal to confirm on, or the answer was not yes.
    """
    what = plural(found.unknown, "pending invitation")
    if not interactive():
        raise ReconcileError(
            f"approval required to turn {what} into unknown ones, but no terminal to confirm on",
            hint="list the invitations with --dry-run, then use --auto-approve",
        )
    with interruptible():
        click.echo(f"Turn {what} into unknown ones? Only 'yes' will be accepted: ", err=True, nl=False)
        if sys.stdin.readline().strip() == "yes":
            return
    raise ReconcileError("cancelled; no invitation was changed", hint="answer `yes` to continue")


_OPERATION = "state init"


class _Uuid(click.ParamType[str]):
    """A lineage."""

    name = "uuid"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The UUID in lower case."""
        try:
            return session.as_lineage(value)
        except ValueError as problem:
            self.fail(f"the lineage {problem}.", param, ctx)


@click.command()
@option(
    "--lineage",
    type=_Uuid(),
    metavar="UUID",
    help="The lineage (identity) of the state.  [default: the pinned one, or a random one]",
)
@option("--pin", is_flag=True, help="Also write the lineage into the project file; keeps comments.")
@lock_timeout_option
@format_option
@common()
def init(lineage: str | None, pin: bool, lock_timeout: int, form: str) -> int:
    """Create the state, if there is none yet.

    Run it once per environment. If the state already exists with this lineage, nothing changes; another
    lineage is an error. It does not replace a lost state: restore a backup.
    """
    configuration = session.load_configuration()
    wanted = _wanted(configuration, lineage)
    location, root = session.state_location(configuration)
    place = locate(location, root=root)
    found, created = _ensure(configuration, place, wanted, lock_timeout=lock_timeout)
    if pin:
        _pin(configuration, found)
    done = state_admin.Initialised(
        location=str(place),
        lineage=found,
        created=created,
        pinned=pin or configuration.project.lineage is not None,
    )
    write_document(done, form, as_text=state_admin.initialised_text)
    return Exit.OK


def _wanted(configuration: Configuration, lineage: str | None) -> str | None:
    pinned = session.pinned_lineage(configuration)
    if lineage is not None and pinned not in (None, lineage):
        raise ConfigurationError(
            f"--lineage is {lineage}, but {configuration.path} pins {pinned}",
            hint="omit --lineage, or correct state.lineage in the project file",
        )
    return lineage or pinned


def _ensure(
    configuration: Configuration, place: Location, wanted: str | None, *, lock_timeout: float
) -> tuple[str, bool]:
    """The lineage of the state, and whether it was created just now."""
    from ekomi_reconcile.state.engine.mark import refuse_gone
    from ekomi_reconcile.state.opening import build_state, lineage_of

    location, root = session.state_location(configuration)
    key = session.state_key(configuration)
    found = lineage_of(place)
    if found is None:
        if isinstance(place, FileLocation) and not place.path.exists():
            refuse_gone(place)
        new = session.new_state_of(configuration)
        lock = writer_lock(place, operation=_OPERATION)
        lock.acquire(lock_timeout)
        with lock:
            found = lineage_of(place)
            if found is None:
                fill = partial(_begin, lineage=wanted)
                with build_state(location, root=root, key=key, fill=fill, new_key=new.key) as state:
                    hand_over_first_key(configuration.root)
                    return state.meta.read().lineage, True
    if wanted is not None and found.lower() != wanted:
        raise StateError(
            f"there is another state at {place}: its lineage is {found}, not {wanted}",
            hint="set the right location with --state or EKOMI_RECONCILE_STATE, "
            "or keep using the existing state",
        )
    return found, False


def _begin(state: State, *, lineage: str | None) -> None:
    if lineage is not None:
        state.meta.take_lineage(lineage)
    state.journal.add(_OPERATION, outcome="created", now=instant.now())


def _pin(configuration: Configuration, lineage: str) -> None:
    from ekomi_reconcile.config.models import pinned

    if configuration.project.lineage is not None:
        return  # the same one: another was refused
    path = configuration.path
    try:
        rewrite(path, pinned(path.as_posix(), path.read_bytes(), lineage))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            hint=f"give this user write permission, or add it by hand: lineage: {lineage}",
        ) from None


_LARGEST_PUSH = 1 << 31
_file = FilePath(dir_okay=False, path_type=Path)


@click.command()
@option(
    "--out",
    type=_file,
    metavar="FILE",
    help="The backup file.  [default: next to the state, with the time in its name]",
)
@lock_timeout_option
@format_option
@common()
def backup(out: Path | None, lock_timeout: int, form: str) -> int:
    """Back up the state, without its key, to a private file for `state restore`.

    The journal records the backup, but saved plans stay valid.
    """
    configuration = session.load_configuration()
    with session.writing(configuration, "state backup", lock_timeout=lock_timeout) as state:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = copy_path(state.location, stamp, root=configuration.root)
        if out is not None:
            target = options().directory / out
            if target.exists():
                raise ReconcileError(f"{target} exists already", hint="choose another name for the copy")
        made, meta = copy_to(state, target), state.meta.read()
        state.journal.add("state backup", subject=made.name, outcome="done", now=instant.now())
    copied = state_admin.Copied(
        path=str(made), bytes=made.stat().st_size, lineage=meta.lineage, serial=meta.serial
    )
    write_document(copied, form, as_text=state_admin.copied_text)
    return Exit.OK


@click.command()
@click.argument("file", type=_file)
@lock_timeout_option
@format_option
@common()
def restore(file: Path, lock_timeout: int, form: str) -> int:
    """Restore a backup that `state backup` or an apply made.

    Refuses a damaged backup or one of another state. Backs up what it replaces. Invitations sent since
    the backup stay recorded as sent, as far as the current state is readable.
    """
    from ekomi_reconcile.state.maintenance.backup import OPERATION, must_be_restorable
    from ekomi_reconcile.state.maintenance.backup import restore as bring_back

    configuration = session.load_configuration()
    location, root = session.state_location(configuration)
    key = session.state_key(configuration)
    copy, place = options().directory / file, locate(location, root=root)
    _check_copy(configuration, copy)
    must_be_restorable(copy, place)
    lock = writer_lock(place, operation=OPERATION)
    lock.acquire(lock_timeout)
    with lock:
        done = bring_back(copy, location, root=root, key=key, now=instant.now(), lock=lock)
    write_one(done, form, as_text=state_admin.restored_text, as_json=state_admin.restored_json)
    return Exit.OK


def _check_copy(configuration: Configuration, copy: Path) -> None:
    """A copy replaces the pinned state only if it is one of it."""
    from ekomi_reconcile.state.opening import open_copy

    pinned = session.pinned_lineage(configuration)
    if pinned is None:
        return
    needs_file(copy)
    with open_copy(copy.absolute()) as found:
        lineage = found.meta.read().lineage
    if lineage.lower() != pinned:
        raise StateError(
            f"{copy} is a copy of another state than {configuration.path} pins: its lineage is {lineage}, "
            f"state.lineage is {pinned}",
            hint="choose a copy of the pinned state, or the project file of that state with --config",
        )


@click.command()
@click.argument("file", type=_file)
@option(
    "--force",
    env=False,
    is_flag=True,
    help="Replace the records even if the state has changed since FILE was pulled.",
)
@lock_timeout_option
@format_option
@common()
def push(file: Path, force: bool, lock_timeout: int, form: str) -> int:
    """Replace the records with the JSON in FILE, an edited output of `state pull`.

    Replaces all or nothing. Refuses JSON from another state, and JSON that is out of date. Backs up what it
    replaces; keeps the journal, and records of invitations sent since the pull.
    """
    from ekomi_reconcile.state.maintenance.push import OPERATION, parse
    from ekomi_reconcile.state.maintenance.push import push as put

    content = parse(read_file(options().directory / file, limit=_LARGEST_PUSH))
    configuration = session.load_configuration()
    with session.writing(configuration, OPERATION, lock_timeout=lock_timeout) as state:
        done = put(content, state, root=configuration.root, now=instant.now(), any_serial=force)
    write_one(done, form, as_text=state_admin.pushed_text, as_json=state_admin.restored_json)
    return Exit.OK


@click.command()
@click.argument("url", metavar="[URL]", required=False)
@lock_timeout_option
@format_option
@common()
def migrate(url: str | None, lock_timeout: int, form: str) -> int:
    """Copy the state to URL, or upgrade its format. URL: a file, sqlite:///…, postgresql://… or ${env:NAME}.

    Compares every row. Refuses a URL that already has a state. Without URL, upgrades the state to
    the format of this version, after a backup. Only this command upgrades a shared state.
    """
    from ekomi_reconcile.state.maintenance.move import OPERATION, move

    configuration = session.load_configuration()
    if url is None:
        version = _bring_up_to_date(configuration, OPERATION, lock_timeout=lock_timeout)
        write_one(version, form, as_text=state_admin.format_text, as_json=state_admin.format_json)
        return Exit.OK
    target = resolve(url).reveal() if url.startswith("${") else url
    root = options().directory
    with session.writing(configuration, OPERATION, lock_timeout=lock_timeout) as state:
        place = locate(target, root=root)
        if str(place) == str(state.location):
            raise ReconcileError(f"the state is at {place} already", hint="give another URL")
        with writer_lock(place, operation=OPERATION):
            done = move(
                state, target, root=root, configured=session.state_key(configuration), now=instant.now()
            )
    write_one(done, form, as_text=state_admin.migrated_text, as_json=state_admin.migrated_json)
    return Exit.OK


def _bring_up_to_date(configuration: Configuration, operation: str, *, lock_timeout: float) -> int:
    """The format that the state has then."""
    from ekomi_reconcile.state.opening import Mode, open_state

    session.check_pin(configuration)
    location, root = session.state_location(configuration)
    lock = writer_lock(locate(location, root=root), operation=operation)
    lock.acquire(lock_timeout)
    key = session.state_key(configuration)
    with lock, open_state(location, root=root, mode=Mode.MIGRATE, key=key) as state:
        return state.meta.read().format_version
