"""``analyze``: what the rules of all accounts have in common; offline, without state and secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ekomi_reconcile.analysis import findings
from ekomi_reconcile.analysis.findings import KnownStoreView
from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import format_option, write_one
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.session import load_configuration
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.render.analysis import analysis_json, analysis_text
from ekomi_reconcile.render.tables import printable


@click.command()
@format_option
@option("--strict", is_flag=True, help="Exit with 1 where anything was found.")
@common()
def analyze(form: str, strict: bool) -> int:
    """Which accounts can match the same order, and which rules never match; offline.

    Needs no secret. Each overlap comes with an order that both accounts would take. Store views that rule
    tests or the state know are compared with those that accounts serve; a state on a server is not read.
    """
    configuration = load_configuration()
    known = (*_of_tests(configuration), *_of_state(configuration))
    found = findings.analyze(configuration.accounts, now=instant.now(), store_views=known)
    write_one(found, form, as_text=analysis_text, as_json=analysis_json)
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
        _mention(f"{path} cannot be read ({problem.strerror})")
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
        _mention("the state is not read: its location is a secret reference")
        return
    location, root = state_location(configuration)
    place = locate(location, root=root)
    if not isinstance(place, FileLocation):
        _mention("the state is not read: it is on a server")
        return
    if not place.path.exists():
        return
    from ekomi_reconcile.state.opening import Mode, open_state

    try:
        with open_state(location, root=root, mode=Mode.READ, key=None) as state:
            for source, name in state.aggregates.store_views():
                yield KnownStoreView(
                    name, "state", source if source in configuration.project.orders else None
                )
    except ReconcileError as error:
        _mention(f"the state is not read: {error.message}")


def _mention(text: str) -> None:
    if not options().quiet:
        click.echo(f"{printable(text)}; its store views are not checked", err=True)
