"""What a plan without changes costs, counted: imports, statements, calls; never timed."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from project_support import Project, settings
from speed_support import counted

HEAVY = {
    *("yaml", "pydantic", "sqlalchemy", "httpx", "rich", "jsonschema", "ruamel", "starlette", "limits"),
    *("tenacity", "phonenumbers", "oauthlib", "prometheus_client", "keyring", "importlib.metadata"),
}
PLAN = ("plan", "-q")


@pytest.fixture
def applied(tmp_path, monkeypatch, sandbox):
    """Projects with so many accounts, applied and planned once since."""

    def make(accounts: int) -> Project:
        folder = tmp_path / str(accounts)
        folder.mkdir()
        made = Project(folder)
        made.settings(settings(sandbox.url))
        made.orders([])
        for number in range(accounts):
            monkeypatch.setenv(f"PASSWORD_{70_000 + number}", f"Geheim {number}")
            made.account(f"Account {number}", f"{70_000 + number}", f"store_views: [v{number}]")
        return _record(made)

    return make


def _record(project: Project) -> Project:
    """Put the accounts into the state as if all had been applied and evaluated."""
    from ekomi_reconcile.config.load import load
    from ekomi_reconcile.model import instant
    from ekomi_reconcile.model.account import AppliedAccount
    from ekomi_reconcile.model.review import ShopData
    from ekomi_reconcile.state.engine.mark import Purpose
    from ekomi_reconcile.state.opening import Mode, open_state

    accounts = load(project.folder / "ekomi-reconcile.yaml").accounts
    where = ".ekomi-reconcile/state.db"
    with open_state(where, root=project.folder, mode=Mode.CREATE) as state, state.transaction():
        state.accounts.save_all(
            [
                AppliedAccount(
                    account=each, password_digest=state.key.digest(Purpose.PASSWORD, f"Geheim {number}")
                )
                for number, each in enumerate(accounts)
            ],
            now=instant.now(),
        )
        for each in accounts:
            state.accounts.record_shop_data(each.interface_id, ShopData(), now=instant.now())
            state.reviews.save_import(each.interface_id, [], full=True, now=instant.now())
    assert project.cli("apply", "--auto-approve", "-q") == 0
    assert project.cli(*PLAN) == 0
    return project


def test_a_plan_of_what_is_known_imports_nothing_heavy(applied):
    """Neither YAML nor pydantic, neither the SQL toolkit nor the network is imported for a no-op plan."""
    project = applied(2)
    program = (
        "import sys; from ekomi_reconcile.cli.main import run\n"
        f"code = run(['-C', {str(project.folder)!r}, 'plan'])\n"
        f"print(code, sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines() == [
        "No changes. The state matches the files, and nothing is due.",
        "0 []",
    ]


def test_statements_do_not_depend_on_accounts(applied, capsys):
    """A no-op plan asks the state the same few questions whatever it holds."""
    counts = []
    for accounts in (3, 30):
        project = applied(accounts)
        counts.append(counted(partial(project.cli, *PLAN))["Connection.execute"])
    assert "No changes" in capsys.readouterr().out
    assert 0 < counts[0] == counts[1] <= 16


def test_what_an_account_costs(applied):
    """Nothing is parsed, checked, decoded, derived or compiled, and few functions are called per account."""
    projects = [applied(accounts) for accounts in (20, 60)]
    few, many = (counted(partial(each.cli, *PLAN)) for each in projects)
    for name in (
        "config.yaml.read",
        "config.validate.account_problems",
        "model.keys.build",
        "model.account.canonical",
        "model.account._derive",
        "rules.conditions.compile_node",
        "plan.diff.differing",
        "state.read_settings",
    ):
        assert many[name] == 0, name
    more = {name: many[name] - few[name] for name in many}
    assert sum(more.values()) / 40 < 130
