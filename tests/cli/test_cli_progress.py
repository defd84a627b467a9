"""Progress where there is no terminal: plain lines with the time, and only of what takes long."""

import json
import re

import pytest

from ekomi_reconcile.cli.options import Globals
from ekomi_reconcile.cli.progress import ProgressLines, lines_for, set_up_logging
from ekomi_reconcile.model.run import Progress, Running, Stage, Started, Task, Work

SYNC = Task(work=Work.SYNC, account="Germany", interface_id="28374")
CREATE = Task(work=Work.CREATE, account="Germany", interface_id="28374")
SEND = Task(work=Work.SEND, account="Germany", interface_id="28374", invitation=1, order="100000001")


@pytest.fixture
def told():
    """What was told."""
    return []


@pytest.fixture
def after(told):
    """Tell an event that happens so many seconds after the one before."""
    times = [0.0]
    lines = ProgressLines(told.append, lambda: times[0])

    def step(seconds, event):
        times[0] += seconds
        if event is None:
            lines.end()
        else:
            lines.listen(event)

    return step


def test_long_stages_are_told_every_ten_seconds_and_at_their_end(after, told):
    """However often something happens, and also when nothing but a slow call does."""
    for number in range(1, 26):
        after(1, Progress(stage=Stage.ORDERS, done=number * 500))
    after(0, Started(SYNC))
    after(10, Running(SYNC, 10))
    after(3, Progress(stage=Stage.FETCHES, done=1, total=1))
    after(0, None)
    assert told == [
        "Reading orders: 5500 (10 s)",
        "Reading orders: 10500 (20 s)",
        "Reading orders: 12500, ended after 24 s",
        "Fetching from eKomi, still busy with Germany after 10 s (10 s)",
        "Fetching from eKomi: 1 of 1, ended after 13 s",
    ]


def test_what_is_quick_is_not_told(after, told):
    """Nine seconds of every stage, one after the other, are no line at all."""
    for stage in Stage:
        for number in (1, 2, 3):
            after(3, Progress(stage=stage, done=number, total=3))
    after(0, None)
    assert told == []


def test_syncs_of_new_accounts_belong_to_their_creation(after, told):
    """The clock of the stage is not started anew by each of them; sending is a stage of its own."""
    for _ in range(4):
        after(3, Started(CREATE))
        after(0, Started(SYNC))
    after(0, Progress(stage=Stage.ACCOUNTS, done=2, total=9))
    after(1, Progress(stage=Stage.ACCOUNTS, done=3, total=9))
    after(0, Started(SEND))
    after(10, Running(SEND, 10))
    after(0, None)
    assert told == [
        "Changing accounts: 3 of 9 (10 s)",
        "Changing accounts: 3 of 9, ended after 10 s",
        "Sending, still busy with order 100000001 after 10 s (10 s)",
        "Sending, ended after 10 s",
    ]


def test_lines_go_to_stderr_in_the_form_of_the_log(capsys):
    """With the time; as JSON where the log is JSON."""
    for form in ("text", "json"):
        chosen = Globals(log_format=form)
        set_up_logging(chosen)
        lines_for(chosen, every=0).listen(Progress(stage=Stage.ORDERS, done=7))
    out, err = capsys.readouterr()
    text, encoded = err.splitlines()
    assert out == ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ Reading orders: 7 \(0 s\)", text)
    assert json.loads(encoded)["@message"] == "Reading orders: 7 (0 s)"
