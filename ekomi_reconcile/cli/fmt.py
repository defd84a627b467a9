"""``fmt``, ``validate``, ``dump`` and ``schema``: the files themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.files import from_the_top, rewrite
from ekomi_reconcile.cli.lists import choose_matching, live_in, write_pieces
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import common, exact_output, option, options, write_result
from ekomi_reconcile.cli.session import configuration_path, reading
from ekomi_reconcile.config.configuration import redact
from ekomi_reconcile.config.diagnostics import error
from ekomi_reconcile.config.load import check, load_from
from ekomi_reconcile.config.settings import ACCOUNTS, Project
from ekomi_reconcile.config.source import DiskTree, Listing, account_files
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting.canonical import NOT_OURS, canonical, difference
from ekomi_reconcile.model.account import AccountRecord, Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import ConfigurationInvalid, ReconcileError
from ekomi_reconcile.privacy.suppression import check_suppression_list
from ekomi_reconcile.render import results
from ekomi_reconcile.render.results import diagnostics_text
from ekomi_reconcile.render.tables import Paint, document_text, json_text, plural, printable

_STREAM: Final = "-"


@dataclass(frozen=True, slots=True)
class _Target:
    """A file to format. ``kind`` where its place says it; ``found``: nobody named it, it may be another's."""

    path: str
    kind: str | None = None
    found: bool = False


@dataclass(slots=True)
class _Outcome:
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    left_out: int = 0
    failed: int = 0


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@option("--diff", is_flag=True, help="Write nothing; print what would change.")
@common()
def fmt(paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format the files: canonical YAML, comments kept.

    Indents by two spaces, sorts keys as in the schema, and removes unneeded quotes; quotes
    around what YAML 1.1 reads as another type (no, 12:30, 2026-01-01) stay, and so does a comment on the
    first lines. Without PATH: the project file and all accounts; PATH is a file, a folder, or - for standard
    input. Lists changed files. A file that is not YAML, or whose meaning would change, is not changed.
    """
    if _STREAM in paths:
        return _stream(paths, check=check, diff=diff)
    outcome = _Outcome()
    for target in _targets(paths):
        _format(target, outcome, check=check, diff=diff)
    if not options().quiet:
        click.echo(_summary(outcome, would="would be " if check or diff else ""), err=True)
    return Exit.ERROR if outcome.failed or (check and outcome.changed) else Exit.OK


def _stream(paths: tuple[str, ...], *, check: bool, diff: bool) -> int:
    if len(paths) > 1:
        raise click.UsageError("- stands alone: standard input is one file.")
    before = sys.stdin.buffer.read()
    try:
        after = canonical("<stdin>", before)
    except ConfigurationInvalid as problem:
        _tell(problem.diagnostics)
        return Exit.ERROR
    if diff:
        write_result(redact(difference("<stdin>", before, after)))
    elif not check:
        exact_output()
        write_result(after.decode())
    return Exit.ERROR if check and before != after else Exit.OK


def _targets(paths: tuple[str, ...]) -> Iterator[_Target]:
    """The files to format, each once, however many names lead to it."""
    seen = set()
    for target in _named(paths) if paths else _project():
        real = Path(target.path).resolve()
        if real not in seen:
            seen.add(real)
            yield target


def _named(paths: tuple[str, ...]) -> Iterator[_Target]:
    for each in paths:
        path = (options().directory / each).as_posix()
        if not Path(path).is_dir():
            yield _Target(path)
            continue
        yield from (_Target(file, found=True) for file in _walked(path))


def _walked(folder: str) -> tuple[str, ...]:
    try:
        return DiskTree().walk(folder).files
    except OSError as problem:
        raise ReconcileError(
            f"{folder} cannot be read: {problem.strerror}", hint="name the folder of the account files"
        ) from None


def _project() -> Iterator[_Target]:
    project = configuration_path().as_posix()
    yield _Target(project, "project")
    try:
        documents, _ = read(project, DiskTree().read(project))
        folder = documents[0].data.get("accounts", ACCOUNTS) if documents else ACCOUNTS
        listing = account_files(DiskTree(), project, str(folder))
    except (OSError, ValueError):
        return  # what is wrong with the file is said when it is formatted, with `accounts:` by `validate`
    yield from (_Target(each, "account") for each in listing.files)


def _format(target: _Target, outcome: _Outcome, *, check: bool, diff: bool) -> None:
    try:
        before = DiskTree().read(target.path)
        after = canonical(target.path, before, kind=target.kind)
        if before == after:
            outcome.unchanged += 1
            return
        if not (check or diff):
            rewrite(Path(target.path), after)
    except ConfigurationInvalid as problem:
        if target.found and all(each.rule == NOT_OURS for each in problem.diagnostics):
            outcome.left_out += 1
            return
        outcome.failed += 1
        _tell(problem.diagnostics)
        return
    except OSError as problem:
        outcome.failed += 1
        _tell([_inaccessible(target.path, problem)])
        return
    outcome.changed.append(target.path)
    write_result(redact(difference(target.path, before, after)) if diff else f"{printable(target.path)}\n")


def _inaccessible(path: str, problem: OSError) -> Diagnostic:
    return error(
        "unreadable-file",
        f"it cannot be read or written: {problem.strerror or 'unknown reason'}",
        Place(path=path),
        hint="check that it is a regular file that may be read and written",
    )


def _tell(found: tuple[Diagnostic, ...] | list[Diagnostic]) -> None:
    text = diagnostics_text(found, Paint(options().colour_on(sys.stderr)))
    click.echo(redact(text), err=True, nl=False)


def _summary(outcome: _Outcome, *, would: str) -> str:
    parts = [f"{plural(len(outcome.changed), 'file')} {would}formatted", f"{outcome.unchanged} unchanged"]
    if outcome.left_out:
        parts.append(f"{outcome.left_out} of other programs")
    if outcome.failed:
        parts.append(f"{outcome.failed} failed")
    return f"{', '.join(parts)}."


@click.command()
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    help="Output format; github: annotations on a pull request.",
)
@option("--strict", is_flag=True, help="Treat warnings as errors.")
@common()
def validate(form: str, strict: bool) -> int:
    """Check the files: schema, cross-file rules, lint. Offline, and without any secret."""
    path = configuration_path()
    configuration, found = check(path)
    if configuration is not None and (listed := configuration.suppression_list) is not None:
        found = (*found, *check_suppression_list(listed))
    accounts = None if configuration is None else len(configuration.accounts)
    match form:
        case "json":
            write_result(document_text(results.diagnostics_json(found)))
        case "sarif":
            log = results.sarif_json(from_the_top(found, path.parent), tool_version=__version__)
            write_result(json_text(log) + "\n")
        case "github":
            write_result(results.github_commands(from_the_top(found, path.parent)))
            write_result(_verdict_text(found, accounts=accounts) + "\n")
        case _:
            write_result(results.diagnostics_text(found, Paint(options().colour_on(sys.stdout))))
            write_result(_verdict_text(found, accounts=accounts) + "\n")
    return Exit.ERROR if _fails(found, strict=strict) else Exit.OK


def _fails(found: Sequence[Diagnostic], *, strict: bool) -> bool:
    return any(strict or each.is_error for each in found)


class _WithoutAccounts(DiskTree):
    """The files of a project without those of its accounts: they may be lost, or not be sound."""

    def walk(self, folder: str) -> Listing:
        """Implements ``Tree``."""
        del folder
        return Listing(())


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=account_completions)
@common()
def dump(names: tuple[str, ...]) -> int:
    """Print the accounts in the state as YAML, as last applied.

    Restores lost files: save the output in the accounts folder, and the next plan has no changes. Each
    password is the reference that was applied. NAME is a name, an interface id or a pattern; the default
    is all accounts. The account files are not read.
    """
    configuration = load_from(_WithoutAccounts(), configuration_path().as_posix())
    with reading(configuration, key=False) as state:
        chosen = choose_matching(names, live_in(state)) if names else None
        found = [each for each in state.accounts.read() if chosen is None or each.interface_id in chosen]
    records = sorted(found, key=lambda each: each.name.casefold())
    unsaid: list[str] = []
    exact_output()
    write_pieces(_documents(records, configuration.project, unsaid))
    for each in unsaid:
        click.echo(f"Warning: {printable(each)}", err=True)
    return Exit.ERROR if unsaid else Exit.OK


def _documents(
    records: Sequence[AccountRecord], project: Project, unsaid: list[str]
) -> Generator[str, None, None]:
    """One text per account; what cannot be said goes into ``unsaid``."""
    from ekomi_reconcile.formatting.canonical import written

    for number, record in enumerate(records):
        document = written(record.desired, project)
        yield ("---\n" if number else "") + document.text
        if document.unsaid:
            keys = ", ".join(document.unsaid)
            unsaid.append(
                f"{record.name} was applied without {plural(len(document.unsaid), 'value')} ({keys}) for "
                "which the project has a default: take it out of `defaults:`"
            )


_PLAN, _STATE, _TEST = "plan", "state", "test"


def schema_names() -> tuple[str, ...]:
    """The files, the plan, what `state pull` writes, and what other commands write."""
    from ekomi_reconcile.config.models import KINDS
    from ekomi_reconcile.render.json_schemas import NAMES

    return (*KINDS, _TEST, _PLAN, _STATE, *NAMES)


class _SchemaName(click.ParamType[str]):
    """The name of a schema. They are known when they are asked for: other commands start without them."""

    name = "schema"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return click.Choice(schema_names()).convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        return click.Choice(schema_names()).shell_complete(ctx, param, incomplete)


@click.command()
@click.argument("kind", type=_SchemaName(), metavar="NAME")
@common()
def schema(kind: str) -> int:
    """Print a JSON Schema: of the files, the plan, a pulled state, or the JSON output of a command.

    The schema of a command has its name: `accounts-list`, `invitations-show`; `events` is a line of
    --json-events.
    """
    click.echo(schema_text(kind), nl=False)
    return 0


def schema_text(name: str) -> str:
    """The text of a schema's file."""
    return json.dumps(_schema(name), indent=2, ensure_ascii=False) + "\n"


def _schema(name: str) -> dict[str, Json]:
    if name == _PLAN:
        from ekomi_reconcile.plan.document import plan_schema

        return plan_schema()
    if name == _STATE:
        from ekomi_reconcile.state.maintenance.push import state_schema

        return state_schema()
    if name == _TEST:
        from ekomi_reconcile.rule_tests.document import rule_test_schema

        return rule_test_schema()
    from ekomi_reconcile.config.models import KINDS
    from ekomi_reconcile.config.models import schema as file_schema
    from ekomi_reconcile.render.json_schemas import output_schema

    return file_schema(name) if name in KINDS else output_schema(name)


def _verdict_text(found: Iterable[Diagnostic], *, accounts: int | None) -> str:
    """The last line of ``validate``."""
    diagnostics = list(found)
    errors = sum(each.is_error for each in diagnostics)
    warnings = len(diagnostics) - errors
    if errors:
        return f"Invalid: {plural(errors, 'error')}, {plural(warnings, 'warning')}."
    return f"Valid: {plural(accounts or 0, 'account')}, {plural(warnings, 'warning')}."
