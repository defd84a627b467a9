"""``explain``, ``analyze`` and ``test``: rules before one order, against each other, and tested."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click

from ekomi_reconcile.analysis import findings
from ekomi_reconcile.analysis.findings import KnownStoreView
from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import FilePath, common, option, options
from ekomi_reconcile.cli.progress import terminal_width
from ekomi_reconcile.cli.session import load_configuration, reading_if_any
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.config.settings import TESTS
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.invitation import InvitationFilter
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.plan.view import EmptyQueue
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.reconcile import order_lookup
from ekomi_reconcile.reconcile.planning import digester, read_privacy
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render import explain as render_explain
from ekomi_reconcile.render.results import diagnostics_text
from ekomi_reconcile.render.rule_tests import RuleTestRun, rule_tests_json, rule_tests_junit, rule_tests_text
from ekomi_reconcile.render.tables import Paint, document_text, printable
from ekomi_reconcile.rule_tests.files import LoadedTests, load_tests, rule_test_files
from ekomi_reconcile.rule_tests.judging import RuleTestJudge
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.store import State


@click.command()
@click.argument("order")
@option(
    "--account",
    metavar="NAME",
    shell_complete=account_completions,
    help="Only this account, by name or interface id.",
)
@option(
    "--all",
    "details",
    is_flag=True,
    help="Show every criterion of every account, also of those that do not match.",
)
@lists.format_option
@common()
def explain(order: str, account: str | None, form: str, *, details: bool) -> int:
    """Show why an order is invited or not, and when: the outcome, and the result of every account.

    ORDER is an order number, or '#123' an order id; 'SOURCE:#123' if several order sources have this id.
    Lists every criterion of the accounts that match, or of the closest one; with --all, --account or JSON, of
    each.
    """
    configuration = load_configuration()
    only = None if account is None else lists.choose_one(account, lists.written_in(configuration))
    settings = configuration.project.privacy
    known = settings.max_per_customer is not None or settings.suppress is not None
    with (
        reading_if_any(configuration, key=known) as state,
        Sources(configuration) as sources,
    ):
        found = _find(order, _searched(configuration, only), sources, state)
        privacy = read_privacy(configuration, digester(state, Purpose.CUSTOMER) if known else None)
        explanation = _explained(configuration, state, found, privacy)
        told = _told(explanation, state, only, details=details or only is not None)
        as_text = partial(render_explain.explanation_text, width=terminal_width())
        lists.write_one(told, form, as_text=as_text, as_json=render_explain.explanation_json)
    return Exit.OK


def _searched(configuration: Configuration, only: str | None) -> Sequence[str]:
    """The order sources to look in: those of this account, or all."""
    if only is None:
        return tuple(configuration.project.orders)
    return tuple(each.orders for each in configuration.accounts if each.interface_id == only)


def _find(text: str, names: Sequence[str], sources: Sources, state: State | None) -> order_lookup.Found:
    try:
        search = order_lookup.find_order(text, names, sources.get)
    except ReconcileError as error:
        number = text.rpartition(":")[2].strip()
        if state is not None and any(state.invitations.search(InvitationFilter(order=number, limit=1))):
            error.hint = f"the queue has it: ekomi-reconcile invitations list --order '{number}'"
        raise
    _mention_unread(search)
    return search.found


def _mention_unread(search: order_lookup.SearchResult) -> None:
    for name, error in search.unread:
        click.echo(redact(f"not searched: order source {name}: {printable(error.message)}"), err=True)


def _explained(
    configuration: Configuration, state: State | None, found: order_lookup.Found, privacy: CustomerPrivacy
) -> order_lookup.Explanation:
    recorded = () if state is None else state.accounts.read(include_deleted=True)
    request = order_lookup.match_request(
        found.source,
        configuration.accounts,
        recorded,
        {} if state is None else state.positions.read(),
        now=instant.now(),
    )
    queue = EmptyQueue() if state is None else state.queue
    schedule = SendingSchedule(configuration.accounts, configuration.project.timezone)
    return order_lookup.explain_order(found.order, request, queue, privacy, schedule)


def _told(
    explanation: order_lookup.Explanation, state: State | None, only: str | None, *, details: bool
) -> render_explain.Told:
    histories = (
        {} if state is None else {row.id: state.invitations.history(row.id) for row in explanation.rows}
    )
    shown = [each for each in explanation.verdicts if only in (None, each.account.interface_id)]
    return render_explain.Told(
        explanation, shown, histories, shown if details else order_lookup.detailed(shown)
    )


@click.command()
@lists.format_option
@option("--strict", is_flag=True, help="Exit with 1 if anything was found.")
@common()
def analyze(form: str, strict: bool) -> int:
    """Find accounts that can match the same order, and rules that never match; offline.

    Needs no secret. Shows each overlap with an example order that both accounts match. Store views that rule
    tests or the state contain are compared with those that accounts name; a state on a server is not read.
    """
    configuration = load_configuration()
    known = (*_of_tests(configuration), *_of_state(configuration))
    found = findings.analyze(configuration.accounts, now=instant.now(), store_views=known)
    lists.write_one(found, form, as_text=render_explain.analysis_text, as_json=render_explain.analysis_json)
    return Exit.ERROR if strict and not found.clean else Exit.OK


def _of_tests(configuration: Configuration) -> Iterator[KnownStoreView]:
    """The store views in the orders of rule tests."""
    folder = configuration.resolve(configuration.project.tests)
    files = sorted({*folder.rglob("*.yaml"), *folder.rglob("*.yml")}) if folder.is_dir() else []
    for path in files:
        yield from (KnownStoreView(name, "tests") for name in _store_codes(path))


def _store_codes(path: Path) -> Iterator[str]:
    from ekomi_reconcile.config.yaml import read

    try:
        documents, _ = read(str(path), path.read_bytes())
    except OSError as problem:
        _mention_unchecked(f"{path} cannot be read ({problem.strerror})")
        return
    for each in documents:
        order = each.data.get("order")
        code = order.get("store_code") if isinstance(order, dict) else None
        if isinstance(code, str):
            yield code


def _of_state(configuration: Configuration) -> Iterator[KnownStoreView]:
    """The store views of recorded invitations, from a state in a local file; whichever it is."""
    from ekomi_reconcile.cli.session import state_location
    from ekomi_reconcile.state.engine.location import FileLocation, locate

    if options().state is None and configuration.project.state_location.startswith("${"):
        _mention_unchecked("the state is not read: its location is a secret reference")
        return
    location, root = state_location(configuration)
    place = locate(location, root=root)
    if not isinstance(place, FileLocation):
        _mention_unchecked("the state is not read: it is on a server")
        return
    if not place.path.exists():
        return
    from ekomi_reconcile.state.opening import Mode, open_state

    try:
        with open_state(location, root=root, mode=Mode.READ, key=None) as state:
            for source, name in state.queue.store_views():
                yield KnownStoreView(
                    name, "state", source if source in configuration.project.orders else None
                )
    except ReconcileError as error:
        _mention_unchecked(f"the state is not read: {error.message}")


def _mention_unchecked(text: str) -> None:
    if not options().quiet:
        click.echo(f"{printable(text)}; its store views are not checked", err=True)


@click.command()
@click.argument("path", required=False, type=FilePath())
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    help="How to show the results; junit: XML for CI systems.",
)
@option(
    "--mutate",
    is_flag=True,
    help="Change the rules one step at a time, and show the changes that no test detects.",
)
@option(
    "--min",
    "least",
    type=click.FloatRange(0, 100),
    metavar="N",
    help="With --mutate: exit with 1 if tests detect less than N percent of the changes.",
)
@option("--suggest", metavar="ORDER", help="Print a test made from a real order, without personal data.")
@common()
def test(path: str | None, form: str, *, mutate: bool, least: float | None, suggest: str | None) -> int:
    """Run the unit tests of the rules; offline.

    Needs no state and no secret. PATH is a file or a folder of tests; the default is the folder that `tests:`
    in the project file names. For a test that fails, every criterion is shown, as in `explain`.

    --mutate changes every rule one step at a time (14 days become 13, gte becomes gt, a condition
    is left out). A change that no test detects is shown with a test that would detect it, ready to paste.

    --suggest prints a test made from a real order, given by its number, or its id as '#123'. Only
    --suggest reads the shop or the order file. Personal data is left out; fields that a rule needs are named.
    """
    if suggest is not None:
        if path is not None or mutate or form != "text":
            raise click.UsageError("--suggest stands alone.")
        return _suggested(load_configuration(), suggest)
    if least is not None and not mutate:
        raise click.UsageError("--min needs --mutate.")
    if mutate and form == "junit":
        raise click.UsageError("--format junit shows tests, not mutants; leave out --mutate.")
    configuration = load_configuration()
    loaded, run = _run(configuration, _files(configuration, path))
    _show_diagnostics(run, form)
    if mutate and run.ok:
        return _mutated(configuration, loaded, form, least)
    match form:
        case "json":
            lists.write_text(document_text(rule_tests_json(run)))
        case "junit":
            lists.write_text(rule_tests_junit(run))
        case _:
            lists.write_text(rule_tests_text(run, lists.stdout_paint()))
    if mutate:
        click.echo("The rules were not changed: correct the tests that fail first.", err=True)
    return Exit.OK if run.ok else Exit.ERROR


def _show_diagnostics(run: RuleTestRun, form: str) -> None:
    if run.diagnostics and form != "json":
        text = diagnostics_text(run.diagnostics, Paint(options().colour_on(sys.stderr)))
        click.echo(redact(text), err=True, nl=False)


def _mutated(configuration: Configuration, loaded: LoadedTests, form: str, least: float | None) -> int:
    from ekomi_reconcile.render.rule_tests import mutants_json, mutants_text
    from ekomi_reconcile.rule_tests.mutation import Mutation

    mutation = Mutation(
        configuration.accounts,
        loaded.tests,
        _codes(configuration),
        timezone=configuration.project.timezone,
    )
    found = mutation.run()
    lists.write_one(found, form, as_text=mutants_text, as_json=mutants_json)
    if least is None or found.share >= least:
        return Exit.OK
    click.echo(f"{found.share:.1f} % of the changes are noticed; --min asks for {least:g} %.", err=True)
    return Exit.ERROR


def _suggested(configuration: Configuration, text: str) -> int:
    from ekomi_reconcile.reconcile.order_lookup import find_order
    from ekomi_reconcile.reconcile.sources import Sources
    from ekomi_reconcile.rule_tests.document import rule_test_yaml
    from ekomi_reconcile.rule_tests.files import suggest

    with Sources(configuration) as sources:
        found = find_order(text, tuple(configuration.project.orders), sources.get).found
    accounts = [each for each in configuration.accounts if each.orders == found.source]
    made = suggest(found.order, accounts, _judge(configuration), now=instant.now())
    lists.write_text(rule_test_yaml(made.test))
    if made.left_out and not options().quiet:
        names = ", ".join(each.removeprefix("field:") for each in made.left_out)
        click.echo(
            f"Personal data is left out, and the rules look at some of it: {names}. The test expects what "
            "becomes of an order without it; write made-up values where they matter.",
            err=True,
        )
    return Exit.OK


def _judge(configuration: Configuration) -> RuleTestJudge:
    timezone = configuration.project.timezone
    return RuleTestJudge(configuration.accounts, _codes(configuration), timezone=timezone)


def _files(configuration: Configuration, path: str | None) -> Sequence[str]:
    """The files of the tests. A project without the folder that is the default has no tests yet."""
    if path is not None:
        return rule_test_files((options().directory / path).as_posix())
    written = configuration.project.tests
    folder = configuration.resolve(written)
    if written == TESTS and not folder.exists():
        if not options().quiet:
            click.echo(f"No tests yet: the folder {folder.as_posix()} does not exist.", err=True)
        return ()
    return rule_test_files(folder.as_posix())


def _run(configuration: Configuration, files: Sequence[str]) -> tuple[LoadedTests, RuleTestRun]:
    judge = _judge(configuration)
    loaded = load_tests(files, configuration.accounts, judge)
    return loaded, RuleTestRun([judge.result(each) for each in loaded.tests], loaded.diagnostics)


def _codes(configuration: Configuration) -> Codes:
    """What ids of store views and customer groups mean, as far as the project file says."""
    stores: dict[int, str] = {}
    groups: dict[int, str] = {}
    for each in configuration.project.orders.values():
        stores |= each.stores
        groups |= each.customer_groups
    return Codes(stores, groups)
