"""Where there is no state, none is made before somebody approves it: no state, no key, no lock, no table."""

import json
from pathlib import Path

import click
import pytest
from project_support import order

from ekomi_reconcile.cli.main import app

MAKES_A_STATE = {
    "run": "a service that was started to work",
    "demo": "it works in a folder of its own",
    "sandbox": "it serves until it is stopped, and reads no project",
    "state init": "this is what it is for",
    "state restore": "this is what it is for",
}
ARGUMENTS = {
    "accounts show": ["Germany"],
    "accounts open": ["Germany", "--print"],
    "explain": ["100000001"],
    "force-unlock": ["no-such-lock"],
    "invitations show": ["1"],
    "invitations skip": ["1"],
    "invitations unskip": ["1"],
    "invitations push": ["1"],
    "invitations retry": ["1"],
    "invitations resolve": ["1", "--sent"],
    "invitations history": ["1"],
    "invitations mark-sent": ["sent.csv"],
    "privacy erase": ["kim@example.com"],
    "privacy export": ["kim@example.com"],
    "reviews export": ["--format", "csv", "--out", "reviews.csv"],
    "schema": ["account"],
    "completion": ["bash"],
    "state show": ["Germany"],
    "state push": ["pulled.json"],
    "state mv": ["Germany", "France"],
    "state rm": ["Germany"],
    "state migrate": ["elsewhere/state.db"],
    "state mv-source": ["shop", "default"],
    "state accept-loss": ["--since", "2026-01-01T00:00:00Z"],
    "orders inspect": ["orders.jsonl"],
    "backtest": ["--since", "365d"],
    "suppress add": ["kim@example.com"],
    "suppress remove": ["kim@example.com"],
}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[str]:
    """The names of all commands that do something."""
    context = click.Context(group)
    names = []
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        inner = (*path, name)
        names += commands(found, inner) if isinstance(found, click.Group) else [" ".join(inner)]
    return names


def traces(folder: Path) -> set[str]:
    """What belongs to a state, anywhere below the folder: caches are no part of it."""
    found = (each.relative_to(folder) for each in folder.rglob("*"))
    return {
        each.as_posix()
        for each in found
        if "cache" not in each.parts and (".db" in each.name or each.suffix in (".lock", ".key", ".mark"))
    }


@pytest.fixture
def fresh(project):
    """A project with an account, an order to invite, and no state."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    (project.folder / "sent.csv").write_text("order\n100000001\n")
    (project.folder / "pulled.json").write_text("{}")
    return project


@pytest.mark.sampled(3)
@pytest.mark.parametrize("command", [each for each in commands(app) if each not in MAKES_A_STATE])
def test_no_command_makes_a_state_by_the_way(fresh, command, monkeypatch):
    """Every command, with what it needs: whatever it answers, nothing of a state is there afterwards."""
    monkeypatch.chdir(fresh.folder)
    code = fresh.cli(*command.split(), *ARGUMENTS.get(command, []))
    assert code in (0, 1), "the command line of this test is wrong"
    assert traces(fresh.folder) == set()


def plan_file(project, **changes):
    """A saved plan, changed."""
    path = project.folder / "plan.json"
    assert project.cli("plan", "--out", str(path)) == 0
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return str(path)


def no_terminal(project, patch):
    """Nobody can approve."""
    return ["apply"]


def guard(project, patch):
    """A safety limit refuses, approved or not."""
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(f"{text}safety: {{max_schedules: 0}}\n")
    return ["apply", "--auto-approve"]


def in_ci(project, patch):
    """In CI a missing state is taken for a lost one."""
    patch.setenv("CI", "true")
    return ["apply", "--auto-approve"]


def required(project, patch):
    """So it is where a state is required."""
    patch.setenv("EKOMI_RECONCILE_REQUIRE_STATE", "1")
    return ["apply", "--auto-approve"]


def not_a_plan(project, patch):
    """The file is no plan."""
    path = project.folder / "plan.json"
    path.write_text('{"format_version": "1.1"}')
    return ["apply", str(path)]


def edited_plan(project, patch):
    """The plan was edited."""
    return ["apply", plan_file(project, summary={})]


def plan_of_other_files(project, patch):
    """The files changed since the plan was made."""
    path = plan_file(project)
    project.account("France", "28375")
    return ["apply", path]


def plan_of_another_state(project, patch):
    """The plan was made with a state."""
    elsewhere = project.folder.parent / f"{project.folder.name}-elsewhere" / "state.db"
    assert project.cli("--state", str(elsewhere), "apply", "--auto-approve", "--no-send") == 0
    path = project.folder / "plan.json"
    assert project.cli("--state", str(elsewhere), "plan", "--out", str(path)) == 0
    return ["apply", str(path)]


def no_suppression_list(project, patch):
    """The list of who must not be invited is missing."""
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(f"{text}privacy: {{suppress: gone.txt}}\n")
    return ["apply", "--auto-approve"]


def invalid_files(project, patch):
    """The files have errors."""
    project.account("Germany", "28374", "pending_perriod: 0")
    return ["apply", "--auto-approve"]


def unknown_target(project, patch):
    """The selection matches nothing."""
    return ["apply", "--auto-approve", "--target", "Atlantis"]


def events_nowhere(project, patch):
    """An output cannot be written."""
    return ["apply", "--auto-approve", "--json-events", "no-such-folder/events.jsonl"]


ENDINGS = (
    no_terminal, guard, in_ci, required, not_a_plan, edited_plan, plan_of_other_files, plan_of_another_state,
    no_suppression_list, invalid_files, unknown_target, events_nowhere,
)  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda each: each.__name__)
def test_an_apply_that_is_not_approved_leaves_no_state(fresh, sandbox, monkeypatch, ending):
    """However it ends: exit 1, nobody invited, and the next run does not find an empty state."""
    arguments = ending(fresh, monkeypatch)
    assert fresh.cli(*arguments) == 1
    assert traces(fresh.folder) == set()
    assert sandbox.world.outbox.entries() == [] or ending is plan_of_another_state


def test_nothing_to_do_makes_no_state_unless_approved(project, capsys):
    """Without changes nobody is asked: then nothing is created either, and it is said."""
    assert project.cli("apply") == 0
    assert "No state was created" in capsys.readouterr().err
    assert traces(project.folder) == set()
    assert project.cli("apply", "--auto-approve") == 0
    assert ".ekomi-reconcile/state.db" in traces(project.folder)


def test_what_is_approved_makes_the_state_it_was_planned_with(fresh, sandbox):
    """An approved apply, with or without a saved plan, works at once; the next run invites nobody again."""
    assert fresh.cli("apply", "--auto-approve") == 0
    assert len(sandbox.world.outbox.entries()) == 1
    assert {".ekomi-reconcile/state.db", ".ekomi-reconcile/state.db.key"} <= traces(fresh.folder)
    assert fresh.cli("apply", "--auto-approve") == 0
    assert len(sandbox.world.outbox.entries()) == 1


def test_the_first_plan_counts_customers_like_the_later_ones(fresh, sandbox):
    """The limit per customer holds across the run that made the state: its digests have the state's key."""
    text = (fresh.folder / "ekomi-reconcile.yaml").read_text()
    fresh.settings(f"{text}privacy: {{max_per_customer: {{count: 1, days: 90}}}}\n")
    assert fresh.cli("apply", "--auto-approve") == 0
    fresh.orders([order(1), order(2, age_days=2, customer_email="customer1@example.com")])
    assert fresh.cli("apply", "--auto-approve") == 0
    assert len(sandbox.world.outbox.entries()) == 1


def test_a_plan_made_before_the_state_is_stale(fresh, sandbox, capsys):
    """A saved plan that knows no state is not applied to one that appeared meanwhile."""
    path = plan_file(fresh)
    assert fresh.cli("apply", "--auto-approve", "--no-send") == 0
    assert fresh.cli("apply", path) == 1
    assert "before there was a state" in capsys.readouterr().err
    assert sandbox.world.outbox.entries() == []


@pytest.mark.parametrize("variable", [None, "CI", "EKOMI_RECONCILE_REQUIRE_STATE"])
def test_plan_and_apply_say_first_that_there_is_no_state(fresh, monkeypatch, capsys, variable):
    """Before anything else; where apply would be refused, plan says so too."""
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    assert fresh.cli("plan") == 0
    said = capsys.readouterr().err
    assert "no state at" in said
    assert ("apply will be refused" in said) is (variable is not None)
    assert fresh.cli("apply") == 1
    assert "no state at" in capsys.readouterr().err


def bad_copy(project):
    """The copy to restore is something else."""
    return ["state", "restore", "sent.csv"]


def no_copy(project):
    """The copy to restore is missing."""
    return ["state", "restore", "gone.db"]


def half_a_copy(project):
    """The copy to restore is cut off."""
    whole = project.folder.parent / f"{project.folder.name}-elsewhere" / "copy.sqlite"
    assert project.cli("--state", str(whole), "state", "init") == 0
    (project.folder / "half").write_bytes(whole.read_bytes()[:9000])
    return ["state", "restore", "half"]


def unknown_order(project):
    """A line of the file names no order."""
    (project.folder / "sent.csv").write_text("order\n100000001\n100000009\n")
    return ["invitations", "mark-sent", "sent.csv", "--new-state"]


def unusable_line(project):
    """A line of the file cannot be read."""
    (project.folder / "sent.csv").write_text("order,date\n100000001,yesterday\n")
    return ["invitations", "mark-sent", "sent.csv", "--new-state"]


def no_orders(project):
    """The orders cannot be read."""
    (project.folder / "orders.jsonl").unlink()
    return ["invitations", "mark-sent", "sent.csv", "--new-state"]


def list_is_gone(project):
    """The suppression list is missing."""
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(f"{text}privacy: {{suppress: gone.txt}}\n")
    return ["invitations", "mark-sent", "sent.csv", "--new-state"]


def no_key(project):
    """The key of the digests is not set."""
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(f"{text}privacy: {{key: '${{env:NOT_SET_HERE}}'}}\n")
    return ["state", "init"]


def another_file(project):
    """The location of the state is that of another file."""
    return ["--state", "orders.jsonl", "apply", "--auto-approve"]


def another_file_for_mark_sent(project):
    """So it is for mark-sent, which may create a state."""
    return ["--state", "orders.jsonl", "invitations", "mark-sent", "sent.csv", "--new-state"]


def no_address(project):
    """The service cannot listen where it is told to."""
    return ["run", "--every", "15m", "--listen", "203.0.113.1:1"]


REFUSALS = (
    bad_copy, no_copy, half_a_copy, unknown_order, unusable_line, no_orders, list_is_gone, no_key,
    another_file, another_file_for_mark_sent, no_address,
)  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.__name__)
def test_what_may_make_a_state_leaves_nothing_when_it_is_refused(fresh, monkeypatch, refusal):
    """Restore, mark-sent, init and run check first: no state, no key and no lock file comes of a mistake."""
    monkeypatch.chdir(fresh.folder)
    assert fresh.cli(*refusal(fresh)) == 1
    assert traces(fresh.folder) == set()


def test_mark_sent_leaves_lines_out_and_makes_the_state(fresh):
    """With --keep-going the usable lines are written, and the state is made for them; exit 1 all the same."""
    arguments = unknown_order(fresh)
    assert fresh.cli(*arguments[:2], str(fresh.folder / "sent.csv"), "--new-state", "--keep-going") == 1
    assert ".ekomi-reconcile/state.db" in traces(fresh.folder)
    assert fresh.cli("invitations", "show", "100000001") == 0


def test_mark_sent_makes_a_state_only_when_told(fresh, capsys):
    """Without --new-state a missing state is an error; with it the state is made."""
    past = str(fresh.folder / "sent.csv")
    assert fresh.cli("invitations", "mark-sent", past) == 1
    assert "state init" in capsys.readouterr().err
    assert fresh.cli("invitations", "mark-sent", past, "--new-state") == 0
    assert ".ekomi-reconcile/state.db" in traces(fresh.folder)


@pytest.fixture
def schema(fresh, server, request, monkeypatch):
    """A schema of PostgreSQL without a state, named by the environment, with a configured key."""
    name = f"fresh_{abs(hash(request.node.name)) % 10**8}"
    text = (fresh.folder / "ekomi-reconcile.yaml").read_text()
    fresh.settings(f"{text}privacy: {{key: '${{env:DIGEST_KEY}}'}}\n")
    monkeypatch.setenv("DIGEST_KEY", "k" * 40)
    monkeypatch.setenv("EKOMI_RECONCILE_STATE", server.url(schema=name))
    return name


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "ending", [no_terminal, in_ci, edited_plan, unknown_target], ids=lambda e: e.__name__
)
def test_no_table_is_made_before_approval(fresh, server, schema, monkeypatch, ending):
    """The same in a database: no schema and no table; once approved, there is the state."""
    named = f"(SELECT oid FROM pg_namespace WHERE nspname = '{schema}')"
    here = f"SELECT count(*) FROM pg_class WHERE relnamespace = {named}"
    assert fresh.cli(*ending(fresh, monkeypatch)) == 1
    assert server.run(here) == [(0,)]
    monkeypatch.delenv("CI", raising=False)
    assert fresh.cli("apply", "--auto-approve") == 0
    assert server.run(here) != [(0,)]
