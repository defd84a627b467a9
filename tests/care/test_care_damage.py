"""Values in the state that cannot be read are named, stop only what needs them, and are no fault of ours."""

import json
import random
import sqlite3
from contextlib import closing

import pytest
from project_support import order
from tiers import LONG

SEEDS = 400 if LONG else 10
TABLES = (
    *("account", "invitation", "invitation_history", "review", "erased_review", "position", "observation"),
    *("journal", "api_error", "meta"),
)
VALUES = (
    "CAST(x'fffe41' AS TEXT)",
    "x'fffe41'",
    "x''",
    "'text'",
    "''",
    "'{'",
    "'[1]'",
    "'{}'",
    "NULL",
    "-1",
    "7",
    "3.5",
    "9e999",
    "1000000000000000000",
    "-1000000000000000000",
)
ALWAYS = (("plan",), ("apply", "--auto-approve"))
OTHERS = (
    ("invitations", "list"),
    ("invitations", "history", "1"),
    ("invitations", "skip", "1"),
    ("invitations", "show", "2"),
    ("accounts", "list"),
    ("accounts", "show", "Germany"),
    ("reviews", "list"),
    ("reviews", "stats"),
    ("errors",),
    ("explain", "100000002"),
    ("dump",),
    ("report", "--out", "report"),
    ("state", "list"),
    ("state", "pull"),
    ("state", "history"),
    ("state", "backup", "--out", "fuzzed.db"),
    ("state", "mv", "Germany", "Deutschland"),
    ("privacy", "export", "customer1@example.com"),
)


@pytest.fixture
def filled(project, capsys):
    """A project whose state has a row in every table: sent, pending and skipped invitations, an error."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 2", more="tags: [digital]")
    project.account("France", "28375", "store_views: [fr]\npending_period: 9")
    project.orders([order(1, age_days=4), order(2, store_code="fr"), order(3, store_code="fr")])
    assert project.cli("apply", "--auto-approve") == 0
    assert project.cli("invitations", "skip", "3") == 0
    with closing(sqlite3.connect(project.state)) as state, state:
        state.execute(
            "INSERT INTO api_error (at, account_id, operation, kind, message) VALUES (1, 1, 's', 'k', 'm')"
        )
        state.execute("INSERT INTO erased_review VALUES (1, '100000009')")
        state.execute("INSERT OR IGNORE INTO observation VALUES ('default', 9, 'processing', 1, 0)")
    capsys.readouterr()
    return project


def damage(path, table, column, value, *, row=0):
    """Put a value into a cell past the program; false where the database refuses it."""
    with closing(sqlite3.connect(path)) as state:
        keys = [name for _, name, *_, key in state.execute(f"PRAGMA table_info({table})") if key]
        one = f"SELECT {', '.join(keys)} FROM {table} ORDER BY 1 LIMIT 1 OFFSET {row}"
        try:
            with state:
                done = state.execute(
                    f"UPDATE {table} SET {column} = {value} WHERE ({', '.join(keys)}) IN ({one})"
                )
        except sqlite3.IntegrityError:
            return False
        return done.rowcount == 1


def columns(path, table):
    """The columns of a table that are no numbers of rows."""
    with closing(sqlite3.connect(path)) as state:
        return [name for _, name, *_ in state.execute(f"PRAGMA table_info({table})") if name != "id"]


@pytest.mark.sampled(9)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_damaged_value_is_an_internal_error(seed, filled, capsys, monkeypatch):
    """A random cell holds anything: every command ends with an answer, and all agree on what is damaged."""
    monkeypatch.chdir(filled.folder)
    rng = random.Random(seed)
    table = TABLES[seed % len(TABLES)]
    cell = [table, rng.choice(columns(filled.state, table)), rng.choice(VALUES)]
    if not damage(filled.state, *cell):
        return
    code = filled.cli("state", "check")
    output = capsys.readouterr()
    assert "internal error" not in output.err
    assert code == 0 or filled.cli("doctor", "--offline") == 1
    capsys.readouterr()
    for command in (*rng.sample(OTHERS, 3), *ALWAYS):
        assert filled.cli(*command) in (0, 1), (cell, command)
        said = capsys.readouterr().err
        assert "internal error" not in said, (cell, command, said)
        if "is damaged" in said:
            assert code == 1, (cell, command, said)


CELLS = [
    ("account", "desired", "'{'"),
    ("account", "desired", "x'00'"),
    ("account", "protect", "'maybe'"),
    ("account", "last_fetched_at", "'yesterday'"),
    ("invitation", "status", "'sned'"),
    ("invitation", "scheduled_at", "1000000000000000000"),
    ("invitation", "order_date", "'soon'"),
    ("invitation", "number", "CAST(x'fffe' AS TEXT)"),
    ("invitation_history", "to_status", "'gone'"),
    ("review", "rating", "'good'"),
    ("position", "evaluated_at", "'x'"),
    ("journal", "at", "'x'"),
]


@pytest.mark.sampled(12)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell[0]}.{cell[1]}")
def test_damage_is_named_by_table_row_and_column(cell, filled, capsys):
    """By `state check` and by doctor."""
    table, column, _ = cell
    assert damage(filled.state, *cell)
    assert filled.cli("state", "check", "--format", "json") == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem.startswith(f"{table} row ")
    assert f"column {column} " in problem
    assert filled.cli("doctor", "--offline", "--format", "json") == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert problem in [each["message"] for each in checks]


def test_one_damaged_account_stops_only_what_needs_it(filled, capsys):
    """Its settings are needed for a plan that would change it, and by nothing else."""
    assert damage(filled.state, "account", "desired", "'{'")
    with closing(sqlite3.connect(filled.state)) as state:
        ((damaged,),) = state.execute("SELECT interface_id FROM account WHERE desired = '{'")
    for command in (("invitations", "list"), ("reviews", "list"), ("state", "history"), ("errors",)):
        assert filled.cli(*command) == 0, command
    capsys.readouterr()
    for command in (("plan",), ("apply", "--auto-approve")):
        assert filled.cli(*command) == 1
        said = capsys.readouterr().err
        assert f"account {damaged}" in said
        assert "state check" in said


def test_damage_is_counted_where_it_is_too_much_to_name(filled, capsys):
    """The first ones are named, the rest is a number."""
    with closing(sqlite3.connect(filled.state)) as state, state:
        for number in range(30):
            state.execute(
                "INSERT INTO journal (at, who, host, action, outcome) VALUES ('x', '', '', '', ?)", (number,)
            )
    assert filled.cli("state", "check", "--format", "json") == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert len(problems) == 21
    assert problems[-1] == "journal: 10 more damaged values"
