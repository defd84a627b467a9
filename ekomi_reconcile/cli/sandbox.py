"""``sandbox``: a local eKomi to try things on."""

from __future__ import annotations

import signal

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option
from ekomi_reconcile.errors import ReconcileError


@click.command()
@option("--port", type=click.IntRange(0, 65535), default=8021, show_default=True, help="0 takes a free one.")
@option("--orders", type=click.IntRange(0), default=300, show_default=True, help="How many orders to seed.")
@option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same world.")
@common()
def sandbox(port: int, orders: int, seed: int) -> int:
    """Run a local eKomi to try things on.

    It serves the APIs of five shops on this machine only, with reviews and Magento-shaped orders, and
    faults on demand under /_sandbox/faults. Ctrl-C ends it.
    """
    from ekomi_reconcile.cli.extras import needs_sandbox

    needs_sandbox()
    from ekomi_reconcile.sandbox.server import SandboxServer, serve

    def ready(server: SandboxServer) -> None:
        click.echo(f"eKomi API    {server.api_url}")
        click.echo(f"invitations  {server.srr_url}")
        click.echo(f"outbox       {server.url}/_sandbox/outbox")
        click.echo(f"orders       {server.url}/_sandbox/orders")
        for shop in server.world.shops.values():
            click.echo(f"shop         {shop.interface_id}  {shop.name}  password: {shop.password}")

    try:
        ended = serve(port=port, orders=orders, seed=seed, on_ready=ready)
    except OSError as error:
        raise ReconcileError(
            f"port {port} cannot be used: {error.strerror}",
            mend="choose another one: --port 0 takes a free one",
        ) from None
    return Exit.INTERRUPTED if ended is signal.SIGINT else Exit.OK
