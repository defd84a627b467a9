"""``init``, ``demo`` and ``sandbox``: the first day."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
import msgspec

from ekomi_reconcile import scaffold
from ekomi_reconcile.cli.files import FOLDER, copy_example
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import REQUIRE_STATE, FilePath, common, option, options, write_result
from ekomi_reconcile.config.load import find, load
from ekomi_reconcile.config.settings import ACCOUNTS
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.render.tables import Paint, Tone

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from ekomi_reconcile.sandbox.server import SandboxServer
    from ekomi_reconcile.sandbox.world import World


_NO_CI: Final = "none"


@click.command()
@option(
    "--ci",
    type=click.Choice([*scaffold.CI, _NO_CI]),
    default=_NO_CI,
    show_default=True,
    help="CI system to write a workflow for: check and plan on every pull request, apply on a schedule.",
)
@option("--tests", is_flag=True, help="In a project with accounts: add a test for each rule that has none.")
@option("--name", default="Germany", show_default=True, help="Name of the example account.")
@common()
def init(ci: str, tests: bool, name: str) -> int:
    """Start a project: settings, an example account and orders, schemas for editors, CI.

    Writes into the working directory; existing files are not changed. The example account is
    disabled. In an existing project, only missing files are added: schemas, .gitignore, and what --ci and
    --tests select. Needs no network and no secret.
    """
    folder, system = options().directory, None if ci == _NO_CI else ci
    is_new = not scaffold.has_project(folder)
    if is_new:
        files = scaffold.new_project(name, system, now=instant.now())
    else:
        files = scaffold.additions(load(find(folder)).accounts, system, tests=tests)
    done = scaffold.write_project(folder, files)
    write_result("".join(f"wrote {path}\n" for path in done.written))
    write_result("".join(f"kept  {path}\n" for path in _few(done.kept)))
    if not options().quiet:
        click.echo(_advice(done, name) if is_new else _addition_advice(done), err=True)
    return 0


_FEW_ACCOUNTS: Final = 10


def _few(kept: Sequence[str]) -> Iterator[str]:
    """What was kept; many account files as one line."""
    accounts = [path for path in kept if path.startswith(f"{ACCOUNTS}/")]
    if len(accounts) <= _FEW_ACCOUNTS:
        yield from kept
        return
    yield from (path for path in kept if path not in accounts)
    yield f"{ACCOUNTS}/ ({len(accounts):,} files)"


def _addition_advice(done: scaffold.Scaffolded) -> str:
    lines = [] if done.state_is_ignored else [_NOT_IGNORED]
    if not done.written:
        lines.append("Nothing was missing. --ci github, --ci gitlab and --tests add more.")
    if (workflow := _workflow(done)) is not None:
        lines.append(f"Next: set {scaffold.PACKAGE_VARIABLE} in {workflow}: what CI installs.")
    return "\n".join(lines or ["Next: ekomi-reconcile validate"])


_NOT_IGNORED: Final = f"Add {scaffold.STATE_FOLDER} to {scaffold.IGNORE}: the state is not for git."


def _workflow(done: scaffold.Scaffolded) -> str | None:
    return next((path for path in scaffold.CI.values() if path in done.written), None)


def _advice(done: scaffold.Scaffolded, name: str) -> str:
    lines = [] if done.state_is_ignored else [_NOT_IGNORED]
    workflow = _workflow(done)
    install = [f"  7. set {scaffold.PACKAGE_VARIABLE} in {workflow}: what CI installs"] if workflow else []
    account, password = scaffold.account_path(name), f"export {scaffold.password_variable(name)}=…"
    where = f"{account}: interface id, store views, enabled: true"
    if account not in done.written:
        where, password = "ekomi-reconcile.yaml", "export the passwords of your accounts"
    return "\n".join(
        [
            *lines,
            "Next:",
            f"  1. put your own values into {where}",
            "  2. ekomi-reconcile validate",
            f"  3. {password}",
            "  4. ekomi-reconcile state init --pin",
            "  5. ekomi-reconcile plan",
            f"  6. put your own orders in place of {scaffold.ORDERS}, or your shop into ekomi-reconcile.yaml",
            *install,
        ]
    )


@click.command()
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8021,
    show_default=True,
    help="The port; 0 chooses a free one.",
)
@option("--orders", type=click.IntRange(0), default=300, show_default=True, help="How many orders to seed.")
@option(
    "--seed", type=int, default=1, show_default=True, help="The same seed creates the same shops and orders."
)
@common()
def sandbox(port: int, orders: int, seed: int) -> int:
    """Run a local eKomi and Magento for experiments.

    It serves the APIs of five eKomi shops and of a Magento shop on this machine only, with reviews,
    orders, and faults on demand under /_sandbox/faults. Press Ctrl-C to stop it.

    To add a fault, POST a JSON object there, such as {"match": "add-recipient", "kind": "quota"}. Kinds:
    latency, status, retry_after, html, cut_before, cut_after, cut_body, half_json, wrong_json, bare_text,
    slow_body, big_body, quota and tariff (eKomi refuses the account), unclear (an unrecognised response),
    redirect (to "location"). "shop", "count", "skip" and "probability" limit a fault; DELETE removes all.
    """
    from ekomi_reconcile.cli.files import needs_sandbox

    needs_sandbox()
    from ekomi_reconcile.sandbox.server import serve

    tokens: list[str] = []

    def shop(world: World) -> list[BaseRoute]:
        from ekomi_reconcile.sandbox.answers import read_only, shop_of
        from ekomi_reconcile.sandbox.magento.routes import routes

        made = shop_of(world)
        tokens.append(read_only(made).token)
        return routes(made)

    try:
        ended = serve(
            port=port,
            orders=orders,
            seed=seed,
            extra_routes=shop,
            on_ready=lambda server: _announce(server, tokens[0]),
        )
    except OSError as error:
        raise ReconcileError(
            f"port {port} cannot be used: {error.strerror}",
            hint="choose another one: --port 0 takes a free one",
        ) from None
    return Exit.INTERRUPTED if ended is signal.SIGINT else Exit.OK


def _announce(server: SandboxServer, token: str) -> None:
    click.echo(f"eKomi API    {server.api_url}")
    click.echo(f"invitations  {server.srr_url}")
    click.echo(f"outbox       {server.url}/_sandbox/outbox")
    click.echo(f"orders       {server.url}/_sandbox/orders")
    click.echo(f"Magento      {server.url}  token: {token}")
    for shop in server.world.shops.values():
        click.echo(f"shop         {shop.interface_id}  {shop.name}  password: {shop.password}")


PASSWORDS = {
    "EKOMI_BRAND_A_PASSWORD": "10001",
    "EKOMI_BRAND_B_PASSWORD": "10002",
    "EKOMI_DE_PASSWORD": "28374",
    "EKOMI_FR_PASSWORD": "28375",
    "EKOMI_NO_PASSWORD": "28376",
}
"""Which environment variable holds the password of which shop of the sandbox."""

_PROJECT = """\
# A project on a sandbox. Start it again with: ekomi-reconcile sandbox --port {port}
version: 1
accounts: accounts.d
orders:
  file: orders.jsonl
ekomi:
  api_url: {api_url}
  srr_url: {srr_url}
  requests_per_second: 100
"""

_EDIT = ("pending_period: 14", "pending_period: 7")
_EDITED = "germany.yaml"


@click.command()
@option(
    "--dir",
    "folder",
    type=FilePath(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to create the project.  [default: a new temporary folder]",
)
@option(
    "--orders", type=click.IntRange(1), default=300, show_default=True, help="How many orders the shop has."
)
@common()
def demo(folder: Path | None, orders: int) -> int:
    """See the whole workflow on a sandbox in one minute.

    Five accounts, a local eKomi, a few hundred orders: validate, plan, apply, an empty plan, an edit of a
    rule, its effect on pending invitations, and a report. The folder is kept for further experiments.
    """
    from ekomi_reconcile.cli.files import needs_sandbox

    needs_sandbox()
    from ekomi_reconcile.sandbox.server import SandboxServer
    from ekomi_reconcile.sandbox.world import World

    target = _make_folder(folder)
    with SandboxServer(World(order_count=orders)) as server:
        copy_example(target)
        port = urlsplit(server.url).port or 0
        project = _PROJECT.format(port=port, api_url=server.api_url, srr_url=server.srr_url)
        (target / "ekomi-reconcile.yaml").write_text(project, encoding="utf-8")
        with (target / "orders.jsonl").open("wb") as file:
            file.writelines(msgspec.json.encode(order) + b"\n" for order in server.world.orders())
        passwords = {name: server.world.shops[key].password for name, key in PASSWORDS.items()}
        with _environment(passwords):
            code = _play(target)
        asked = len(server.world.outbox.entries())
    _farewell(target, port, passwords, asked=asked)
    return code


def _make_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="ekomi-reconcile-demo-"))
    target = options().directory / folder
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise ReconcileError(
            f"{target} cannot be made: {error.strerror}", hint="give --dir a folder that does not exist yet"
        ) from None
    return target


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """The passwords of the sandbox, and nothing that forbids a beginning: the demo's state is always new."""
    before = dict(os.environ)
    for name in ("CI", REQUIRE_STATE):
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _play(target: Path) -> int:
    first = (
        ("Five accounts as YAML files. Are they right?", ["validate"]),
        ("What would happen? Nothing is changed yet; the plan is kept.", ["plan", "--out", "plan.json"]),
        ("Do exactly that: make the accounts, fill the queue, ask who is due.", ["apply", "plan.json"]),
        ("And again? Everything is as the files say.", ["plan"]),
    )
    then = (
        ("What does that mean for customers who wait already?", ["plan", "--out", "plan.json"]),
        ("Agreed, so do it.", ["apply", "plan.json"]),
        ("The accounts as they are now.", ["accounts", "list"]),
        ("And all of it as a page to look at in a browser.", ["report"]),
    )
    return _steps(target, first) or _edit(target) or _steps(target, then)


def _steps(target: Path, steps: tuple[tuple[str, list[str]], ...]) -> int:
    return next((code for words, arguments in steps if (code := _step(target, words, arguments))), Exit.OK)


def _edit(target: Path) -> int:
    file = target / FOLDER / _EDITED
    before = file.read_text("utf-8")
    after = before.replace(*_EDIT)
    if after == before:
        raise ReconcileError(f"{file} has no line {_EDIT[0]!r}", hint="restore the example")
    file.write_text(after, encoding="utf-8")
    _say(f"\nA colleague edits {FOLDER}/{_EDITED}: {_EDIT[0]} becomes {_EDIT[1]}.")
    return Exit.OK


def _step(target: Path, words: str, arguments: list[str]) -> int:
    from ekomi_reconcile.cli.main import run

    paint = Paint(options().colour_on(sys.stdout))
    _say(f"\n{paint(Tone.STRONG, words)}\n{paint(Tone.SEND, '$ ekomi-reconcile ' + ' '.join(arguments))}\n")
    return run(["-C", str(target), *arguments])


def _farewell(target: Path, port: int, passwords: Mapping[str, str], *, asked: int) -> None:
    exports = " ".join(f"{name}={value}" for name, value in passwords.items())
    program = _program()
    _say(
        f"\nThe sandbox was asked to invite {asked} customers, each once.\n"
        "To go on, paste these lines; `kill %1` stops the sandbox:\n\n"
        f"cd {shlex.quote(str(target.resolve()))}\n"
        f"export {exports}\n"
        f"{program} sandbox --port {port} > sandbox.log 2>&1 &\n"
        f"{program} plan"
    )


def _program() -> str:
    """What runs this program in any folder."""
    if shutil.which("ekomi-reconcile"):
        return "ekomi-reconcile"
    called = Path(sys.argv[0]).absolute()
    return shlex.join(
        [sys.executable, "-m", "ekomi_reconcile"] if called.name == "__main__.py" else [str(called)]
    )


def _say(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()
