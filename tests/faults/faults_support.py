"""A project beside an eKomi that misbehaves, and what became of its invitations."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import time_machine
from project_support import Project, order
from state_server import Server

from ekomi_reconcile.model import instant
from ekomi_reconcile.sandbox.server import SandboxServer

PASSWORD = "Kanari-Passwort/7&x"
PERSON = {
    "customer_email": "zaunkoenig@canary.example.com",
    "customer_firstname": "Zilpzalp",
    "customer_lastname": "Wintergoldhaehnchen",
    "billing_address": {
        "firstname": "Zilpzalp",
        "lastname": "Wintergoldhaehnchen",
        "street": ["Seidenschwanzweg 977"],
        "city": "Rotkehlchenhausen",
        "postcode": "KX-90417",
        "country_id": "DE",
        "telephone": "+49 30 23125 977",
    },
}
CANARIES = (
    PASSWORD,
    "Kanari-Passwort%2F7%26x",
    "zaunkoenig",
    "zilpzalp",
    "wintergoldhaehnchen",
    "seidenschwanz",
    "rotkehlchen",
    "kx-90417",
    "23125 977",
    "4930231259",
)
"""Whatever of the password or the customer may show up, in any case."""


def within(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it comes to hold in this time; looks again every hundredth of a second."""
    pause = threading.Event()
    return any(holds() or pause.wait(0.01) for _ in range(int(seconds * 100)))


@dataclass(frozen=True)
class Row:
    """An invitation as it is recorded. Times are UTC epoch seconds."""

    status: str
    attempts: int
    next_attempt_at: int | None
    reason: str | None


@dataclass(frozen=True)
class Trial:
    """A project and its eKomi; the state is in a file, or in a ``schema`` of a ``server``."""

    project: Project
    sandbox: SandboxServer
    server: Server | None = None
    schema: str = ""

    @property
    def state(self) -> Path:
        """The state file."""
        return self.project.state

    def settings(self, *, srr: str | None = None, api: str | None = None, parallelism: int = 10) -> None:
        """Write the project file; another address than the sandbox's is given as a base."""
        place = "state: ${env:STATE_URL}\nprivacy: {key: '${env:STATE_KEY}'}\n" if self.server else ""
        self.project.settings(
            "version: 1\norders: {file: orders.jsonl}\n"
            f"ekomi: {{api_url: '{api or self.sandbox.url}/v3', srr_url: '{srr or self.sandbox.url}', "
            f"requests_per_second: 100000, timeout: 1s, parallelism: {parallelism}}}\n{place}"
        )

    def accounts(self) -> None:
        """Write both accounts."""
        self.project.account("Germany", "28374", "pending_period: 0\nstore_views: [de]")
        self.project.account("France", "28375", "pending_period: 0\nstore_views: [fr]\ndeliver: link")

    def orders(self, *, german: int = 2, french: int = 1) -> tuple[set[str], set[str]]:
        """Write orders of a canary that are due at once; their numbers, by account."""
        de = [order(number, store_code="de", **PERSON) for number in range(1, german + 1)]
        fr = [order(number, store_code="fr", **PERSON) for number in range(901, french + 901)]
        self.project.orders([*de, *fr])
        return {each["increment_id"] for each in de}, {each["increment_id"] for each in fr}

    def apply(self, *arguments: str) -> int:
        """One run; its exit code."""
        return self.project.cli("-vv", "apply", "--auto-approve", *arguments)

    def apply_in(self, seconds: int, *arguments: str) -> int:
        """One run so much later, or with a negative number earlier."""
        with time_machine.travel(instant.now() + seconds, tick=True):
            return self.apply(*arguments)

    def rows(self) -> dict[str, Row]:
        """All invitations, by order number, read past the program."""
        columns = "number, status, attempts, next_attempt_at, reason"
        statement = f"SELECT {columns} FROM {{}}invitation ORDER BY id"
        if self.server is not None:
            found = self.server.run(statement.format(f"{self.schema}."))
        else:
            with closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True)) as connection:
                found = connection.execute(statement.format("")).fetchall()
        return {number: Row(*values) for number, *values in found}

    def statuses(self) -> dict[str, str]:
        """How each order stands."""
        return {number: row.status for number, row in self.rows().items()}

    def requests(self) -> dict[str, int]:
        """How often eKomi was asked to write to the customer of each order; links ask nobody."""
        entries = self.sandbox.world.outbox.entries()
        return {each.transaction_id: each.requests for each in entries if each.channel != "link"}

    def leaks(self, *texts: str) -> set[str]:
        """What can be seen of a canary in these texts, or in any file but the order file."""
        found = {canary for canary in CANARIES for text in texts if canary.lower() in text.lower()}
        for file in self.project.folder.rglob("*"):
            if file.is_file() and file.name != "orders.jsonl":
                content = file.read_bytes().lower()
                found |= {f"{file.name}: {each}" for each in CANARIES if each.lower().encode() in content}
        return found

    def listed(self, capsys, *arguments: str) -> list[dict]:
        """The JSON of a list command."""
        capsys.readouterr()
        assert self.project.cli(*arguments, "--format", "json") == 0
        return json.loads(capsys.readouterr().out)
