"""--json-events: whole lines, in order, nothing personal, and never in the way of sending."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections import Counter

import pytest
from machine_support import events_of
from project_support import PASSWORDS, order

from ekomi_reconcile import __version__
from ekomi_reconcile.apply.context import STILL_RUNNING, Tasks
from ekomi_reconcile.apply.run_control import both
from ekomi_reconcile.cli.progress import EventFile
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.run import Progress, Running, Stage, Started, Task, Work
from ekomi_reconcile.render.events import UI_VERSION, happened, version_event

APPLY = ("apply", "--auto-approve", "--json-events", "events.jsonl")
ENDS = {"complete", "errored"}


@pytest.fixture
def begun(project):
    """Two accounts and two orders that are due."""
    project.account("Germany", "28374", "pending_period: 0")
    project.account("France", "28375", "store_views: [fr]")
    project.orders([order(1), order(2)])
    return project


def told(project, kind):
    """The events of this type."""
    return [each for each in events_of(project.folder / "events.jsonl") if each["type"] == kind]


def sent(sandbox):
    """The orders that eKomi was asked for."""
    return sorted(entry.transaction_id for entry in sandbox.world.outbox.entries())


def test_a_run_from_its_first_to_its_last_line(begun):
    """Version first, then the plan and its figures, then what is done, and the figures of the run last."""
    assert begun.cli(*APPLY) == 0
    events = events_of(begun.folder / "events.jsonl")
    first, last = events[0], events[-1]
    assert (first["type"], first["ekomi_reconcile"], first["ui"]) == ("version", __version__, UI_VERSION)
    planned, done = [each for each in events if each["type"] == "change_summary"]
    assert (planned["changes"]["operation"], done["changes"]["operation"]) == ("plan", "apply")
    assert last == done
    figures = ("add", "change", "remove", "sync", "import", "schedule", "send")
    assert [done["changes"][key] for key in figures] == [2, 0, 0, 2, 2, 2, 2]
    kinds = [each["type"] for each in events]
    assert kinds.index("planned_change") < kinds.index("apply_start") < kinds.index("queue_complete")
    assert kinds.index("queue_complete") < kinds.index("invitation_start")


def test_whatever_starts_also_ends(begun):
    """Each start has exactly one end of the same kind, account, action and invitation, after it."""
    assert begun.cli(*APPLY) == 0
    open_tasks, ended = set(), Counter()
    for event in events_of(begun.folder / "events.jsonl"):
        kind, _, end = event["type"].rpartition("_")
        if end not in {"start", *ENDS} or "hook" not in event:
            continue
        hook = event["hook"]
        task = (kind, hook["id_value"], hook["action"], hook.get("invitation", {}).get("order"))
        if end == "start":
            assert task not in open_tasks
            open_tasks.add(task)
        else:
            open_tasks.remove(task)
            ended[kind] += 1
    assert open_tasks == set()
    assert ended == {"apply": 2, "refresh": 4, "invitation": 2}


def test_the_names_that_readers_of_terraform_know(begun):
    """Resource, action, id and seconds stand where Terraform has them."""
    assert begun.cli(*APPLY) == 0
    (created,) = (each for each in told(begun, "apply_complete") if each["hook"]["id_value"] == "28374")
    hook = created["hook"]
    assert hook["resource"]["addr"] == 'account["Germany"]'
    assert (hook["action"], hook["id_key"], hook["id_value"]) == ("create", "interface_id", "28374")
    assert hook["elapsed_seconds"] >= 0
    assert created["@message"].startswith('account["Germany"]: Creation complete after ')
    invitations = told(begun, "invitation_complete")
    assert sorted(each["hook"]["invitation"]["order"] for each in invitations) == ["100000001", "100000002"]
    assert {each["hook"]["status"] for each in invitations} == {"sent"}


def test_what_fails_is_an_error_with_its_reason(begun, sandbox, monkeypatch):
    """A refused account ends errored, its fetches too, and the run's figures say that it is not complete."""
    monkeypatch.setenv("PASSWORD_28375", "not-the-password")
    assert begun.cli(*APPLY) == 1
    (errored,) = told(begun, "apply_errored")
    assert (errored["@level"], errored["hook"]["id_value"]) == ("error", "28375")
    assert errored["hook"]["error"]
    assert {each["hook"]["action"] for each in told(begun, "refresh_errored")} == {"sync", "import"}
    assert told(begun, "change_summary")[-1]["complete"] is False
    assert any("France" in each["diagnostic"]["summary"] for each in told(begun, "diagnostic"))
    assert "not-the-password" not in (begun.folder / "events.jsonl").read_text()


def test_nothing_personal_is_told(begun):
    """No address, no name, no secret: an order is its number."""
    assert begun.cli(*APPLY) == 0
    text = (begun.folder / "events.jsonl").read_text()
    for word in ("customer1@", "Kim", *PASSWORDS.values()):
        assert word not in text


def test_what_people_see_is_the_same(begun, capsys):
    """The stream stands beside the plan and the summary, it does not replace them."""
    assert begun.cli(*APPLY) == 0
    out = capsys.readouterr().out
    assert "Plan: 2 to add" in out
    assert "Apply complete." in out
    assert "@level" not in out


def test_only_its_owner_may_read_it(begun):
    """A new file is private; one that is there keeps its mode, and is written anew."""
    path = begun.folder / "events.jsonl"
    assert begun.cli(*APPLY) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    assert begun.cli(*APPLY) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each["type"] for each in events_of(path)].count("version") == 1


@pytest.mark.parametrize("name", ["missing/events.jsonl", "accounts.d", "/dev/full", "orders.jsonl"])
def test_a_file_that_cannot_be_written_is_an_error_before_anything(begun, sandbox, capsys, name):
    """No folder, a folder, a full disk, a file of something else: nothing is done, nothing is lost."""
    before = (begun.folder / "orders.jsonl").read_text()
    assert begun.cli("apply", "--auto-approve", "--json-events", name) == 1
    error = capsys.readouterr().err
    assert "--json-events" in error
    assert not begun.state.exists()
    assert sent(sandbox) == []
    assert (begun.folder / "orders.jsonl").read_text() == before


def test_a_reader_that_goes_away_does_not_stop_sending(begun, sandbox, capsys):
    """Everybody is asked, and the run ends with an error that says what happened to the events."""
    pipe = begun.folder / "pipe"
    os.mkfifo(pipe)

    def read_one():
        with pipe.open("rb") as reader:
            reader.readline()

    reader = threading.Thread(target=read_one)
    reader.start()
    assert begun.cli("apply", "--auto-approve", "--json-events", "pipe") == 1
    reader.join()
    shown = capsys.readouterr()
    assert "Apply complete." in shown.out
    assert "events cannot be written" in shown.err
    assert len(sent(sandbox)) == 2


def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path):
    """The line that no longer fits is taken back, and nothing is written after it."""
    path = tmp_path / "events.jsonl"
    file = EventFile(path, append=False)
    room = path.stat().st_size + 100
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        file.write(version_event("x" * 200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    file.write(version_event("short"))
    file.close()
    assert "events cannot be written" in file.problem
    assert [each["type"] for each in events_of(path)] == ["version"]


@pytest.mark.slow
def test_a_killed_run_leaves_whole_lines(begun):
    """After SIGKILL in the middle of sending every line is still a whole event."""
    begun.orders(order(number) for number in range(1, 900))
    pipe = begun.folder / "events.jsonl"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [sys.executable, "-m", "ekomi_reconcile", *APPLY],
        cwd=begun.folder,
        env={**os.environ, **{f"PASSWORD_{key}": each for key, each in PASSWORDS.items()}},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pipe.open("rb") as reader:
        begin = next(line for line in reader if b"invitation_complete" in line)
        process.kill()
        rest = reader.read()
    process.wait()
    (begun.folder / "got.jsonl").write_bytes(begin + rest)
    assert events_of(begun.folder / "got.jsonl")[-1]["type"] != "change_summary"


def test_a_broken_end_is_not_continued(tmp_path):
    """Appending to a file that ends in the middle of a line begins a new one."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"@level": "info", "@mess')
    EventFile(path, append=True).close()
    broken, whole = path.read_text().splitlines()
    assert broken == '{"@level": "info", "@mess'
    assert json.loads(whole)["type"] == "version"


def test_what_ends_a_run_early_is_told(begun):
    """A guard's refusal and broken files are diagnostics of the stream."""
    assert begun.cli(*APPLY) == 0
    for path in (begun.folder / "accounts.d").iterdir():
        path.unlink()
    assert begun.cli(*APPLY) == 1
    assert any("--allow-deletes 2" in each["diagnostic"]["detail"] for each in told(begun, "diagnostic"))
    (begun.folder / "accounts.d" / "x.yaml").write_text("name: [")
    assert begun.cli(*APPLY) == 1
    assert told(begun, "diagnostic")[0]["diagnostic"]["range"]["filename"].endswith("x.yaml")


def test_a_saved_plan_and_deletes_are_told_too(begun):
    """apply PLAN tells the same; a deleted account starts and ends."""
    assert begun.cli(*APPLY) == 0
    (begun.folder / "accounts.d" / "28375.yaml").unlink()
    assert begun.cli("plan", "--out", "plan.json") == 0
    code = begun.cli("apply", "plan.json", "--allow-deletes", "1", "--json-events", "events.jsonl")
    assert code == 0
    (ended,) = told(begun, "apply_complete")
    assert (ended["hook"]["action"], ended["hook"]["id_value"]) == ("delete", "28375")


def test_long_tasks_say_that_they_go_on():
    """Every ten seconds, with the seconds since they began; what has ended says nothing more."""
    clock, heard = [0], []
    tasks = Tasks(both(heard.append, lambda event: None), lambda: clock[0])
    sync, send = (
        Task(work=work, account="Germany", interface_id="28374", order="1") for work in (Work.SYNC, Work.SEND)
    )
    tasks.begin([sync, send])
    for clock[0] in (STILL_RUNNING - 1, STILL_RUNNING, STILL_RUNNING + 5):
        tasks.go_on()
    tasks.end(send)
    clock[0] = 2 * STILL_RUNNING
    tasks.go_on()
    running = [each for each in heard if isinstance(each, Running)]
    assert running == [Running(sync, 10), Running(send, 10), Running(sync, 20)]
    assert heard[:2] == [Started(sync), Started(send)]
    event = happened(Running(sync, 20))
    assert event["@message"] == 'account["Germany"]: Still syncing... [20s elapsed]'
    assert event["type"] == "refresh_progress"


def test_progress_that_other_lines_tell_is_left_out():
    """Orders read and rows written are told by number, accounts and sends one by one."""
    stages = {stage: happened(Progress(stage=stage, done=1)) for stage in Stage}
    assert {stage for stage, event in stages.items() if event} == {Stage.ORDERS, Stage.QUEUE}


def test_events_of_another_kind_are_refused(tmp_path):
    """A state, a plan or anything else is never overwritten."""
    path = tmp_path / "state.db"
    path.write_bytes(b"SQLite format 3\0")
    with pytest.raises(ReconcileError, match="something else"):
        EventFile(path, append=False)
    assert path.read_bytes() == b"SQLite format 3\0"
