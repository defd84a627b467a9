"""Lists on the command line, rows chosen with --where, and ``orders``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

import click

from ekomi_reconcile.cli import progress
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.options import DURATION, Command, FilePath, common, option, options, write_result
from ekomi_reconcile.cli.session import state_key
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.document import JsonObject
from ekomi_reconcile.model.errors import ConfigurationError, ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.privacy.limits import checked, is_address
from ekomi_reconcile.privacy.suppression import DIGEST_PREFIX, NUMBER_DIGEST_PREFIX
from ekomi_reconcile.render.invitations import inspection_json, inspection_text
from ekomi_reconcile.render.tables import Layout, Paint, Row, array_text, document_text, table_text
from ekomi_reconcile.rules.rulebook import NUMBER_PREFIX
from ekomi_reconcile.state.engine.mark import KeyedDigest, Purpose
from ekomi_reconcile.state.store import State

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Named:
    """What an account can be named by."""

    name: str
    interface_id: str


def known_to(state: State) -> tuple[Named, ...]:
    """The accounts of the state; deleted ones come last, so that a live one of the same name wins."""
    records = sorted(state.accounts.read(include_deleted=True), key=lambda each: each.deleted_at is not None)
    return tuple(Named(each.name, each.interface_id) for each in records)


def live_in(state: State) -> tuple[Named, ...]:
    """The accounts of the state without those that were deleted."""
    return tuple(Named(each.name, each.interface_id) for each in state.accounts.read())


def written_in(configuration: Configuration) -> tuple[Named, ...]:
    """The accounts of the files."""
    return tuple(Named(each.name, each.interface_id) for each in configuration.accounts)


def choose(names: Iterable[str], known: Sequence[Named]) -> tuple[str, ...]:
    """The interface ids of the accounts with these names, each once.

    Raises:
        ReconcileError: there is no such account; it offers the nearest name.
    """
    return tuple(dict.fromkeys(choose_one(name, known) for name in names))


def choose_matching(patterns: Iterable[str], known: Sequence[Named]) -> tuple[str, ...]:
    """Like ``choose``; a pattern with ``*``, ``?`` or ``[…]`` chooses every name or interface id that fits.

    Raises:
        ReconcileError: there is no such account, or none that fits.
    """
    found = (key for each in patterns for key in _matching(each, known))
    return tuple(dict.fromkeys(found))


def _matching(pattern: str, known: Sequence[Named]) -> list[str]:
    if not _WILD.intersection(pattern) or any(each.name == pattern for each in known):
        return [choose_one(pattern, known)]
    folded = pattern.casefold()
    fitting = [
        each.interface_id
        for each in known
        if fnmatchcase(each.name.casefold(), folded) or fnmatchcase(each.interface_id, folded)
    ]
    if not fitting:
        raise ReconcileError(f'no account fits "{pattern}"', hint="see: ekomi-reconcile accounts list")
    return fitting


def choose_one(name: str, known: Sequence[Named]) -> str:
    """The interface id of the account with this name.

    Raises:
        UsageError: there is no such account.
    """
    folded = name.casefold()
    tests = (
        lambda each: each.name == name,
        lambda each: each.name.casefold() == folded,
        lambda each: each.interface_id == name,
    )
    for fits in tests:
        if found := next(filter(fits, known), None):
            return found.interface_id
    raise _unknown(name, known)


def _unknown(name: str, known: Sequence[Named]) -> ReconcileError:
    by_fold = {text.casefold(): text for each in known for text in (each.interface_id, each.name)}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=1)
    hint = f'did you mean "{by_fold[near[0]]}"?' if near else "see: ekomi-reconcile accounts list"
    return ReconcileError(f'unknown account "{name}"', hint=hint)


Digest = Callable[[str], str]
"""Turns a canonical address into the keyed digest of a customer."""

STDIN = "-"


def given(texts: Sequence[str]) -> list[str]:
    """These addresses, @domains and tel: numbers, or with ``-`` those on stdin, one per line.

    Raises:
        click.UsageError: one is neither.
    """
    if list(texts) == [STDIN]:
        texts = [each for each in sys.stdin.read().splitlines() if each.strip()]
    if not texts:
        raise click.UsageError("an address is expected.")
    try:
        return checked(texts)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


def one(text: str) -> str:
    """The one address that is meant.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = given([text])
    if len(found) != 1 or not is_address(found[0]):
        raise click.UsageError("this command takes one address.")
    return found[0]


def customer_digest(configuration: Configuration, state: State | None) -> Digest:
    """How customers are known to this project.

    Raises:
        ReconcileError: there is neither a state nor a configured key.
    """
    key = state.key.require() if state is not None else state_key(configuration)
    if key is None:
        raise ReconcileError(
            "customers cannot be distinguished yet: neither a state nor a privacy.key exists",
            hint="create a state with `ekomi-reconcile state init`, or set privacy.key",
        )
    return KeyedDigest(key, Purpose.CUSTOMER)


def entries_for(text: str, of_customer: Digest) -> str:
    """What is written into the suppression list for this address, domain or number."""
    if is_address(text):
        return DIGEST_PREFIX + of_customer(text)
    return NUMBER_DIGEST_PREFIX + of_customer(text) if text.startswith(NUMBER_PREFIX) else text


def suppression_path(configuration: Configuration) -> Path:
    """The suppression list of the project.

    Raises:
        ConfigurationError: the project has none.
    """
    path = configuration.suppression_list
    if path is None:
        raise ConfigurationError(
            "the project has no suppression list",
            hint="set one in the project file: privacy: {suppress: suppressed.txt}",
        )
    return path


T = TypeVar("T")
Document = TypeVar("Document", bound=JsonObject)


class Since(click.ParamType[Instant]):
    """A point in time, or how long ago it was: ``2026-11-30``, ``24h``."""

    name = "time"

    def convert(
        self, value: str | Instant, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        """Seconds since 1970."""
        if isinstance(value, int):
            return value
        try:
            return instant.now() - DURATION.convert(value, param, ctx)
        except click.BadParameter:
            pass
        try:
            return instant.parse(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a time; write it like 2026-11-30T12:00:00Z, or 24h, or 7d", param, ctx
            )


def format_option(command: Command) -> Command:
    """``--format text|json``."""
    kinds = click.Choice(["text", "json"])
    return option("--format", "form", type=kinds, default="text", help="How to show it.")(command)


def limit_option(command: Command) -> Command:
    """``--limit N``."""
    return option("--limit", type=click.IntRange(1), metavar="N", help="At most N rows.  [default: all]")(
        command
    )


def accounts_option(command: Command) -> Command:
    """``--account NAME``, repeatable."""
    return option(
        "--account",
        "names",
        multiple=True,
        metavar="NAME",
        shell_complete=account_completions,
        help="Only this account, by name or interface id; may be repeated.",
    )(command)


def since_option(command: Command) -> Command:
    """``--since TIME``."""
    return option(
        "--since",
        type=Since(),
        metavar="TIME",
        help="Only entries since TIME: 2026-11-30, or 24h for the last 24 hours.",
    )(command)


def lock_timeout_option(command: Command) -> Command:
    """``--lock-timeout TIME``."""
    return option(
        "--lock-timeout",
        type=DURATION,
        default="0s",
        metavar="TIME",
        help="How long to wait for the writer lock.",
    )(command)


def write_list(
    items: Iterable[T],
    form: str,
    *,
    layout: Layout,
    as_row: Callable[[T], Row],
    as_json: Callable[[T], JsonObject],
    nothing: str,
) -> None:
    """Write a list to stdout as it comes; an empty table is a word on stderr."""
    if form == "json":
        write_pieces(array_text(map(as_json, items)))
        return
    rows, width = map(as_row, items), progress.terminal_width()
    table = table_text(layout, rows, width=width, paint=stdout_paint(), now=instant.now())
    written = write_pieces(table)
    if not written and not options().quiet:
        click.echo(nothing, err=True)


def write_pieces(pieces: Generator[str, None, None]) -> int:
    """Write text to stdout a piece at a time; how many there were.

    Where the reader of a pipe has gone, what still makes pieces ends before the state is closed.
    """
    count = 0
    with closing(pieces):
        for piece in pieces:
            write_text(piece)
            count += 1
    return count


def write_text(text: str) -> None:
    """Write text to stdout, without any secret."""
    write_result(redact(text))


def write_one(
    item: T, form: str, *, as_text: Callable[[T, Paint], str], as_json: Callable[[T], JsonObject]
) -> None:
    """Write one thing to stdout."""
    write_text(document_text(as_json(item)) if form == "json" else as_text(item, stdout_paint()))


def write_document(document: Document, form: str, *, as_text: Callable[[Document, Paint], str]) -> None:
    """Write to stdout what is the same as text and as JSON."""
    write_one(document, form, as_text=as_text, as_json=lambda same: same)


def stdout_paint() -> Paint:
    """Colour for stdout, as the common options say."""
    return Paint(options().colour_on(sys.stdout))


@click.group(cls=LazyGroup)
@common()
def orders() -> None:
    """Order files: inspect."""


@orders.command("inspect")
@click.argument("file", type=FilePath(path_type=Path))
@format_option
@common()
def inspect(file: Path, form: str) -> int:
    """Show which fields of an order file are recognised or missing, and print a mapping to paste.

    Needs no project. Names, addresses and amounts are not shown. Exits with 1 if an order cannot be read or a
    required column is missing.
    """
    from ekomi_reconcile.orders.inspection import inspect_file

    found = inspect_file(options().directory / file)
    write_one(found, form, as_text=inspection_text, as_json=inspection_json)
    required = {"increment_id", "created_at"} & set(found.missing)
    unreadable = any(each.severity.value == "error" for each in found.problems)
    return Exit.ERROR if required or unreadable else Exit.OK
