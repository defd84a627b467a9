"""Projects on disk for tests: files, orders, and running the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ekomi_reconcile.cli.main import run
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY

PASSWORDS = {
    "10001": "sandbox-brand-a",
    "10002": "sandbox-brand-b",
    "28374": "sandbox-de",
    "28375": "sandbox-fr",
    "28376": "sandbox-no",
}
"""The passwords of the sandbox's shops."""


@dataclass(frozen=True)
class Project:
    """A project folder. ``cli`` runs a command in it and returns the exit code."""

    folder: Path

    def cli(self, *arguments: str) -> int:
        """Run the command line on this project."""
        return run(["-C", str(self.folder), *arguments])

    def settings(self, text: str) -> None:
        """Write the project file."""
        (self.folder / "ekomi-reconcile.yaml").write_text(text, encoding="utf-8")

    def account(self, name: str, interface_id: str, rules: str = "", more: str = "") -> Path:
        """Write one account; ``rules`` are further lines of ``invitations:``, ``more`` further keys."""
        path = self.folder / "accounts.d" / f"{interface_id}.yaml"
        path.parent.mkdir(exist_ok=True)
        lines = [
            f"name: {name}",
            f'interface_id: "{interface_id}"',
            f"interface_password: ${{env:PASSWORD_{interface_id}}}",
            *more.splitlines(),
            "invitations:",
            "  enabled: true",
            *(f"  {line}" for line in rules.splitlines()),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def orders(self, orders: Iterable[Mapping[str, Any]]) -> None:
        """Write the order file anew."""
        text = "".join(json.dumps(order) + "\n" for order in orders)
        (self.folder / "orders.jsonl").write_text(text, encoding="utf-8")

    @property
    def state(self) -> Path:
        """The state file."""
        return self.folder / ".ekomi-reconcile" / "state.db"


def settings(url: str, more: str = "") -> str:
    """A project file for an eKomi at this address, with orders from a file."""
    return (
        "version: 1\n"
        "orders: {file: orders.jsonl}\n"
        f"ekomi: {{api_url: {url}/v3, srr_url: {url}, requests_per_second: 100000, timeout: 5s}}\n{more}"
    )


def order(number: int, *, age_days: float = 3, **changes: Any) -> dict[str, Any]:
    """A Magento-shaped order that matches an account without special wishes."""
    at = instant.iso(instant.now() - int(age_days * DAY)).replace("T", " ").rstrip("Z")
    return {
        "entity_id": number,
        "increment_id": f"{100_000_000 + number}",
        "state": "complete",
        "status": "complete",
        "store_code": "de",
        "customer_group": "General",
        "created_at": at,
        "updated_at": at,
        "customer_email": f"customer{number}@example.com",
        "customer_firstname": "Kim",
        "customer_lastname": "Example",
        "grand_total": 80,
        "items": [{"item_id": number, "sku": "BK-1", "name": "Book", "qty_ordered": 1, "price": 80}],
        **changes,
    }
