"""``invitations``: the queue, and what a person may do with one invitation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import click

from ekomi_reconcile.cli import invitation_changes, lists
from ekomi_reconcile.cli.lists import choose, known_to
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.mark_sent import mark_sent
from ekomi_reconcile.cli.options import common, option
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.model.invitation import Invitation, InvitationFilter, Resolution, Status
from ekomi_reconcile.render import invitations as render_invitations
from ekomi_reconcile.state.repositories.invitations import InvitationRepository

_which = click.argument("which", metavar="ID|ORDER")


@click.group(cls=LazyGroup)
@common()
def invitations() -> None:
    """The queue: list, show, skip, unskip, push, retry, resolve, history, mark-sent."""


invitations.add_command(mark_sent)


@invitations.command("list")
@lists.accounts_option
@option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([each.value for each in Status]),
    help="Only those in this state; may be repeated.",
)
@option("--order", metavar="ORDER", help="Only those of this order, by its number or id.")
@lists.limit_option
@lists.format_option
@common()
def list_command(
    names: tuple[str, ...], statuses: tuple[str, ...], order: str | None, limit: int | None, form: str
) -> int:
    """The invitations, by id."""
    configuration = load_configuration()
    with reading(configuration, key=False) as state:
        wanted = InvitationFilter(
            interface_ids=frozenset(choose(names, known_to(state))) if names else None,
            statuses=frozenset(map(Status, statuses)) if statuses else None,
            order=order,
            limit=limit,
        )
        lists.write_list(
            invitation_changes.listed(state, state.invitations.search(wanted), configuration),
            form,
            layout=render_invitations.LAYOUT,
            as_row=render_invitations.listed_row,
            as_json=render_invitations.listed_json,
            nothing="There are no such invitations.",
        )
    return Exit.OK


@invitations.command("show")
@_which
@lists.format_option
@common()
def show(which: str, form: str) -> int:
    """One invitation in full."""
    configuration = load_configuration()
    with reading(configuration, key=False) as state:
        row = invitation_changes.chosen(state, which)
        (found,) = invitation_changes.listed(state, [row], configuration)
    lists.write_one(
        found, form, as_text=render_invitations.invitation_text, as_json=render_invitations.invitation_json
    )
    return Exit.OK


@invitations.command("history")
@_which
@lists.limit_option
@lists.format_option
@common()
def history(which: str, limit: int | None, form: str) -> int:
    """Every change: when, by whom, why. The oldest first."""
    with reading(load_configuration(), key=False) as state:
        changes = state.invitations.history(invitation_changes.chosen(state, which).id)
    lists.write_list(
        changes[:limit],
        form,
        layout=render_invitations.HISTORY_LAYOUT,
        as_row=render_invitations.change_row,
        as_json=render_invitations.change_json,
        nothing="Nothing has happened.",
    )
    return Exit.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What all commands have that change invitations: one by name, or many by ``--where``."""

    which: str | None
    selected: invitation_changes.Selected
    form: str
    lock_timeout: int

    def run(self, act: Callable[..., Invitation], verb: str, detail: str | None = None) -> int:
        """Do it, and show what the invitations are now."""
        if self.which is None:
            invitation_changes.change_many(
                self.selected,
                act,
                verb=verb,
                form=self.form,
                lock_timeout=self.lock_timeout,
                detail=detail,
            )
        else:
            invitation_changes.change(
                self.which, act, verb=verb, form=self.form, lock_timeout=self.lock_timeout, detail=detail
            )
        return Exit.OK


def _writer(command: Callable[..., int]) -> Any:
    """The arguments and options of a command that changes invitations, as one ``call``."""

    @wraps(command)
    def called(
        which: str | None,
        tests: tuple[invitation_changes.ColumnTest, ...],
        expect: int | None,
        form: str,
        lock_timeout: int,
        **more: Any,
    ) -> int:
        invitation_changes.check_selection(which, tests, expect)
        selected = invitation_changes.Selected(tests=tests, expect=expect)
        call = _Call(which=which, selected=selected, form=form, lock_timeout=lock_timeout)
        return command(call=call, **more)

    wrapped: Any = called
    which_or_none = click.argument("which", metavar="[ID|ORDER]", required=False)
    for add in (
        common(),
        lists.format_option,
        lists.lock_timeout_option,
        invitation_changes.bulk_options,
        which_or_none,
    ):
        wrapped = add(wrapped)
    return wrapped


@invitations.command("skip")
@option("--reason", metavar="TEXT", help="Why; shown with the invitation. Nothing personal.")
@_writer
def skip(call: _Call, reason: str | None) -> int:
    """Never send it, and never offer its order again. `unskip` takes that back."""
    return call.run(partial(InvitationRepository.skip, reason=reason), "skip", reason)


@invitations.command("unskip")
@_writer
def unskip(call: _Call) -> int:
    """Let a skipped invitation wait for its time again."""
    return call.run(InvitationRepository.unskip, "unskip")


@invitations.command("push")
@option(
    "--now",
    "at_once",
    is_flag=True,
    env=False,
    help="Do not wait for the sending window of the account, nor for the end of a pause.",
)
@_writer
def push(call: _Call, at_once: bool) -> int:
    """Send it with the next run. Its time no longer counts; its order is still looked at again.

    A sending window (`send_between`) and pauses hold it all the same, unless --now is given.
    """
    return call.run(partial(InvitationRepository.push, at_once=at_once), "push", "--now" if at_once else None)


@invitations.command("retry")
@_writer
def retry(call: _Call) -> int:
    """Try a failed invitation again with the next run."""
    return call.run(InvitationRepository.retry, "retry")


@invitations.command("resolve")
@option("--sent", is_flag=True, help="The customer was asked: it is sent.")
@option("--resend", is_flag=True, help="The customer was not asked: send it with the next run.")
@_writer
def resolve(call: _Call, sent: bool, resend: bool) -> int:
    """Say what became of an invitation whose outcome is unknown."""
    if sent == resend:
        raise click.UsageError("say what you found out: either --sent or --resend.")
    resolution = Resolution.SENT if sent else Resolution.RESEND
    return call.run(partial(InvitationRepository.resolve, resolution=resolution), "resolve", resolution.value)
