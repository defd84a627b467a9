"""``sandbox``: a local eKomi and a local Magento to try things on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option
from ekomi_reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from ekomi_reconcile.sandbox.server import SandboxServer
    from ekomi_reconcile.sandbox.world import World


@click.command()
@option("--port", type=click.IntRange(0, 65535), default=8021, show_default=True, help="0 takes a free one.")
@option("--orders", type=click.IntRange(0), default=300, show_default=True, help="How many orders to seed.")
@option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same world.")
@common()
def sandbox(port: int, orders: int, seed: int) -> int:
    """Run a local eKomi and Magento to try things on.

    It serves the APIs of five eKomi shops and of a Magento shop on this machine only, with reviews,
    orders, and faults on demand under /_sandbox/faults. Ctrl-C ends it.

    A fault is a JSON object that is POSTed there, such as {"match": "add-recipient", "kind": "quota"}. Kinds:
    latency, status, retry_after, html, cut_before, cut_after, cut_body, half_json, wrong_json, bare_text,
    slow_body, big_body, quota and tariff (eKomi refuses the account), unclear (neither a yes nor a no),
    redirect (to "location"). "shop", "count", "skip" and "probability" narrow it down; DELETE ends all.
    """
    from ekomi_reconcile.cli.extras import needs_sandbox

    needs_sandbox()
    from ekomi_reconcile.sandbox.server import serve

    tokens: list[str] = []

    def shop(world: World) -> list[BaseRoute]:
        from ekomi_reconcile.sandbox.magento import routes
        from ekomi_reconcile.sandbox.shopfront import read_only, shop_of

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
            mend="choose another one: --port 0 takes a free one",
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
