"""The root command."""

from __future__ import annotations

import click

from ekomi_reconcile.cli.exits import MEANINGS
from ekomi_reconcile.cli.globals import common
from ekomi_reconcile.cli.lazy import LazyGroup

_COMMANDS = {
    "init": (
        "ekomi_reconcile.cli.init:init",
        "Start a project: settings, an example account, schemas for editors, CI.",
    ),
    "validate": ("ekomi_reconcile.cli.validate:validate", "Check the files: schema, cross-file rules, lint."),
    "fmt": ("ekomi_reconcile.cli.fmt:fmt", "Format the files: canonical YAML, comments kept."),
    "plan": ("ekomi_reconcile.cli.plan:plan", "Show what apply would do, and why."),
    "apply": ("ekomi_reconcile.cli.apply:apply", "Make the state and eKomi's queue like the files."),
    "run": ("ekomi_reconcile.cli.run:run", "The loop as a service: apply, again and again."),
    "accounts": ("ekomi_reconcile.cli.accounts:accounts", "The accounts: list, show, open, check."),
    "sync": ("ekomi_reconcile.cli.sync:sync", "Fetch shop details and statistics from eKomi now."),
    "invitations": (
        "ekomi_reconcile.cli.invitations:invitations",
        "The queue: list, show, skip, unskip, push, retry, resolve, history, mark-sent.",
    ),
    "reviews": ("ekomi_reconcile.cli.reviews:reviews", "The reviews: import, list, stats, export."),
    "explain": (
        "ekomi_reconcile.cli.explain:explain",
        "Why an order is invited or not, and when: every account's every criterion.",
    ),
    "doctor": (
        "ekomi_reconcile.cli.doctor:doctor",
        "Self-test: files, state, secrets, eKomi, orders, queue.",
    ),
    "report": (
        "ekomi_reconcile.cli.report:report",
        "Write the state as a web page: accounts, queue, reviews, runs.",
    ),
    "suppress": ("ekomi_reconcile.cli.suppress:suppress", "Opt-outs: add, list, remove."),
    "privacy": ("ekomi_reconcile.cli.privacy:privacy", "What is held about a customer: export, erase."),
    "errors": ("ekomi_reconcile.cli.errors:errors", "Calls to eKomi that failed."),
    "state": (
        "ekomi_reconcile.cli.state:state",
        "The state: init, list, show, pull, push, backup, restore, mv, rm, check, migrate, history.",
    ),
    "dump": (
        "ekomi_reconcile.cli.dump:dump",
        "Print the accounts of the state as YAML, as they were applied last.",
    ),
    "lock": ("ekomi_reconcile.cli.lock:lock", "The writer lock: show."),
    "force-unlock": (
        "ekomi_reconcile.cli.force_unlock:force_unlock",
        "Break the writer lock of a process that is certainly dead.",
    ),
    "schema": (
        "ekomi_reconcile.cli.schema:schema",
        "Print a JSON Schema: of the files, of the plan, of what a command writes.",
    ),
    "completion": (
        "ekomi_reconcile.cli.completion:completion",
        "Print the script that completes commands, options and account names in a shell.",
    ),
    "sandbox": ("ekomi_reconcile.cli.sandbox:sandbox", "Run a local eKomi and Magento to try things on."),
    "demo": ("ekomi_reconcile.cli.demo:demo", "See the whole loop on a sandbox in one minute."),
    "version": ("ekomi_reconcile.cli.version:version", "Print the version."),
}

_EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common(env=True)
def app() -> None:
    """Terraform for eKomi review invitations: accounts and rules as YAML files, plan and apply."""
