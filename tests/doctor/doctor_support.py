"""A project with a state made by hand, and the self-test's findings as a user gets them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from project_support import Project

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import NewInvitation
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.store import State


@dataclass(frozen=True)
class Clinic:
    """A project and what its self-test says."""

    project: Project
    capsys: pytest.CaptureFixture[str]

    def examine(self, *arguments: str, code: int | None = None) -> dict[str, list[dict[str, Any]]]:
        """The findings by check; the exit code follows from them."""
        self.capsys.readouterr()
        exit_code = self.project.cli("doctor", "--format", "json", *arguments)
        found = json.loads(self.capsys.readouterr().out)
        failed = any(each["status"] == "fail" for each in found["checks"])
        assert found["ok"] is not failed
        assert exit_code == (1 if failed else 0)
        assert all(
            list(each) == ["check", "account", "status", "message", "hint", "incident"]
            for each in found["checks"]
        )
        by_check: dict[str, list[dict[str, Any]]] = {}
        for each in found["checks"]:
            by_check.setdefault(each["check"], []).append(each)
        return by_check

    def told(self, check: str, *arguments: str) -> list[tuple[str, str | None]]:
        """Status and account of every finding of one check."""
        return [(each["status"], each["account"]) for each in self.examine(*arguments)[check]]

    @contextmanager
    def state(self) -> Iterator[State]:
        """The state, for writing; made if there is none, with the accounts of the files fetched just now."""
        fresh = not self.project.state.exists()
        with open_state(str(self.project.state), root=self.project.folder, mode=Mode.CREATE) as state:
            if fresh:
                self._apply(state)
            yield state

    def _apply(self, state: State) -> None:
        now = instant.now()
        for account in load(self.project.folder / "ekomi-reconcile.yaml").accounts:
            digest = state.key.digest(Purpose.PASSWORD, "any")
            state.accounts.save(account, now=now, password_digest=digest)
            state.accounts.record_shop_data(account.interface_id, ShopData(active=True), now=now)
            state.reviews.save_import(account.interface_id, (), full=True, now=now)
            self.evaluated(state, account.interface_id, now)

    def evaluated(self, state: State, interface_id: str, at: int) -> None:
        """This account was last looked at then."""
        position = PositionRecord(source="default", rule_digest="sha256:x", cursor="x", evaluated_at=at)
        state.positions.save({interface_id: position})

    def queue(self, state: State, order_id: int, *, due_in: float, interface_id: str = "28374") -> int:
        """One pending row, due in so many days; its id."""
        now = instant.now()
        row = NewInvitation(
            interface_id=interface_id,
            source="default",
            order_id=order_id,
            number=f"{100_000_000 + order_id}",
            store_view="de",
            order_date=now - 20 * DAY,
            reached_at=now - 19 * DAY,
            reached_status="complete",
            reached_source="history",
            judged_at=now - 19 * DAY,
            scheduled_at=now + int(due_in * DAY),
        )
        state.schedule.add([row], now=now)
        return state.queue.rows_for("default", [order_id])[order_id][0].id

    def sql(self, statement: str) -> None:
        """Damage the state behind its back."""
        with closing(sqlite3.connect(self.project.state)) as connection, connection:
            connection.execute(statement)
