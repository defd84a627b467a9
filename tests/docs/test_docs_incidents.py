"""Each incident of docs/how-to/incidents.md is staged, and the page is followed as it is written."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest
import time_machine
from docs_blocks import DOCS, sections
from docs_rehearsal import rehearse
from project_support import PASSWORDS, order, settings
from state_server import standby_of
from tiers import LONG

from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.sandbox.shops import Fault

PAGE = DOCS / "how-to" / "incidents.md"
GUIDE = sections(PAGE)
RULES = "pending_period: 7\nstore_views: [de]"
JOB = ("apply", "--auto-approve", "--concise")
MORNING = "2026-12-01T06:00:00Z"


@pytest.fixture
def clock():
    """The time, which stands still until it is moved; it begins in the morning."""
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def shop(project):
    """A project with one account, and orders that are due."""
    project.account("Germany", "28374", RULES)
    project.orders(due(1, 5))
    return project


def ekomi(sandbox):
    """The line of the project file that names the eKomi of this test."""
    return settings(sandbox.url).splitlines()[-1]


def due(first, end, **changes):
    """Orders whose pending period is over."""
    return [order(number, age_days=8, **changes) for number in range(first, end)]


def sent(sandbox):
    """How many requests were made for each order."""
    return {each.transaction_id: each.requests for each in sandbox.world.outbox.entries()}


def once(first, end):
    """Each of these orders was invited once, and no other one."""
    return {f"{100_000_000 + number}": 1 for number in range(first, end)}


def test_every_incident_has_its_part():
    """The headings are the ids, in the order of the list; each part ends with a check."""
    assert list(GUIDE)[:-1] == [each.value for each in Incident]
    text = PAGE.read_text("utf-8")
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]:
        assert "**Over** when" in part, part.splitlines()[0]


@pytest.mark.parametrize("hours", [6, pytest.param(48, marks=pytest.mark.slow)])
def test_ekomi_is_down(clock, shop, sandbox, capsys, hours):
    """The job goes on running; once eKomi answers, everybody is invited once."""
    shop.cli(*JOB, "--no-send")
    down = sandbox.world.fault(Fault(match="*", kind="retry_after", status=503, seconds=3600))
    guide = rehearse(shop, GUIDE, "ekomi-down", capsys)
    guide.until("eKomi answers")
    for _ in range(0, hours, 3):
        clock.shift(3 * 3600)
        assert shop.cli(*JOB) == 1
    assert sent(sandbox) == {}
    sandbox.world.faults.clear()
    guide.until()
    assert sent(sandbox) == once(1, 5)
    assert down.fault.status == 503


@pytest.fixture
def copied(clock, shop):
    """Four invitations, a copy of the state, and three more invitations two hours later."""
    later = [*due(1, 5), *due(5, 8)]
    shop.cli(*JOB)
    shop.cli("state", "backup", "--out", "copy.db")
    clock.shift(2 * 3600)
    shop.orders(later)
    shop.cli(*JOB)
    clock.shift(2 * 3600)
    return shop


def test_the_state_is_lost(copied, sandbox, capsys):
    """The newest copy is restored, and what was sent after it is not sent again."""
    for path in copied.state.parent.glob("state.db*"):
        if path.suffix not in (".key", ".mark"):
            path.unlink()
    rehearse(copied, GUIDE, "state-lost", capsys).until()
    assert sent(sandbox) == once(1, 8)


def test_the_state_is_too_old(copied, sandbox, capsys):
    """The older state goes on, although what was scheduled and sent since is not in it."""
    shutil.copy(copied.folder / "copy.db", copied.state)
    guide = rehearse(copied, GUIDE, "state-too-old", capsys)
    guide.until()
    assert sent(sandbox) == once(1, 8)


def test_a_wrong_password_was_deployed(shop, sandbox, capsys, monkeypatch):
    """Nothing is lost while it is wrong; with the right one the job goes on."""
    shop.cli(*JOB, "--no-send")
    monkeypatch.setenv("PASSWORD_28374", "of-another-account")
    guide = rehearse(shop, GUIDE, "wrong-password", capsys)
    guide.until("the password is corrected")
    assert sent(sandbox) == {}
    monkeypatch.setenv("PASSWORD_28374", PASSWORDS["28374"])
    guide.until()
    assert sent(sandbox) == once(1, 5)


def test_too_many_mails_would_go_out(shop, sandbox, capsys):
    """The guard stops the job; the change is taken back, and nobody was invited too early."""
    count = 4_000 if LONG else 40
    shop.settings(settings(sandbox.url, f"safety: {{max_sends: {count // 2}}}\n"))
    shop.account("Germany", "28374", "pending_period: 14\nstore_views: [de]")
    shop.orders([order(number, age_days=3) for number in range(1, count + 1)])
    shop.cli(*JOB)
    shop.account("Germany", "28374", "pending_period: 1\nstore_views: [de]")
    guide = rehearse(shop, GUIDE, "too-many-mails", capsys)
    guide.until("the change is taken back")
    shop.account("Germany", "28374", "pending_period: 14\nstore_views: [de]")
    guide.until()
    assert sent(sandbox) == {}


@pytest.mark.slow
def test_a_runner_hangs_with_the_lock(shop, sandbox, capsys):
    """Its lock is taken away; the calls it had under way are not made again."""
    shop.orders([order(number, age_days=8) for number in range(1, 5)])
    shop.cli(*JOB, "--no-send")
    sandbox.world.fault(Fault(match="add-recipient", kind="latency", seconds=4))
    hanging = subprocess.Popen(
        [sys.executable, "-m", "ekomi_reconcile", *JOB, "--lock-timeout", "10s"],
        cwd=shop.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while shop.cli("invitations", "list", "--status", "sending", "--format", "json") != 0 or (
            '"sending"' not in capsys.readouterr().out
        ):
            assert hanging.poll() is None
        os.kill(hanging.pid, signal.SIGSTOP)
        sandbox.world.faults.clear()
        shop.cli("lock", "show", "--format", "json")
        lock = re.search(r'"id": "([^"]+)"', capsys.readouterr().out)
        words = {"LOCK-ID": lock[1], "4711": str(hanging.pid)}
        rehearse(shop, GUIDE, "lock-held", capsys, **words).until()
    finally:
        hanging.kill()
        hanging.wait()
    assert all(count == 1 for count in sent(sandbox).values())


def test_many_invitations_are_unknown(shop, sandbox, capsys):
    """One command settles all of one cause; nobody is invited a second time."""
    shop.orders(due(1, 400 if LONG else 13))
    shop.cli(*JOB, "--no-send")
    sandbox.world.fault(Fault(match="add-recipient", kind="status", status=502, body="bad", when="after"))
    guide = rehearse(shop, GUIDE, "unknown-invitations", capsys)
    guide.until("eKomi answers clearly")
    while LONG and len(sent(sandbox)) < 300:
        shop.cli(*JOB)
    sandbox.world.faults.clear()
    found = sent(sandbox)
    guide.words["--expect 12"] = f"--expect {len(found)}"
    guide.words["12"] = str(len(found))
    guide.until()
    shop.cli(*JOB)
    assert set(sent(sandbox).values()) == {1}


@pytest.mark.slow
def test_postgresql_lost_its_last_seconds(shop, sandbox, server, capsys, monkeypatch):
    """The standby that lost three invitations goes on, and nobody is invited twice."""
    monkeypatch.setenv("STATE_KEY", "a key for all runners of this shop")
    monkeypatch.setenv("STATE_URL", server.url(schema="incidents"))
    more = 'state: "${env:STATE_URL}"\nprivacy: {key: "${env:STATE_KEY}"}\n'
    shop.settings(settings(sandbox.url, more))
    server.run("CREATE SCHEMA incidents")
    with standby_of(server) as standby:
        assert shop.cli(*JOB) == 0
        received = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()"
        while not server.run(received):
            os.sched_yield()
        standby.stop_following()
        shop.orders([*due(1, 5), *due(5, 8)])
        assert shop.cli(*JOB) == 0
        standby.promote()
        monkeypatch.setenv("STATE_URL", standby.url(schema="incidents"))
        rehearse(shop, GUIDE, "failover-lost-data", capsys).until()
    assert sent(sandbox) == once(1, 8)


@pytest.mark.slow
def test_the_disk_is_full(shop, sandbox, capsys, tmp_path):
    """What was committed stays; with room again the job goes on."""
    disk = shop.state.parent
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    if os.getuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        shop.orders(due(1, 3))
        assert shop.cli(*JOB) == 0
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(b"x" * 1_000_000)
        shop.orders([*due(1, 3), *due(3, 400)])
        guide = rehearse(shop, GUIDE, "disk-full", capsys)
        guide.until("there is room")
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        guide.until()
    finally:
        subprocess.run(["umount", disk], check=True)
    assert sent(sandbox) == once(1, 400)


def test_the_shop_was_re_imported(clock, shop, sandbox, capsys):
    """Who was invited is not invited again, and who was pending is invited under the new id."""
    placed = [*due(1, 5), *(order(number, age_days=3) for number in range(5, 9))]
    shop.orders(placed)
    shop.cli(*JOB)
    shop.orders({**each, "entity_id": each["entity_id"] + 2} for each in placed)
    guide = rehearse(shop, GUIDE, "shop-re-imported", capsys)
    guide.words["accounts.d/germany.yaml"] = "accounts.d/28374.yaml"
    guide.words["shop-2026: {file: orders.jsonl}"] = f"shop-2026: {{file: orders.jsonl}}\n{ekomi(sandbox)}"
    guide.until()
    clock.shift(5 * 86_400)
    shop.cli(*JOB)
    assert sent(sandbox) == once(1, 9)


@pytest.fixture
def elsewhere():
    """A sandbox in a process of its own, whose clock is right."""
    command = [sys.executable, "-m", "ekomi_reconcile", "sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        yield next(found[0] for line in started.stdout if (found := re.search(r"http://[0-9.:]+", line)))
        started.terminate()


@pytest.mark.slow
def test_the_clock_is_wrong(shop, elsewhere, capsys):
    """Nothing is sent by a wrong clock, and a right one is vouched for once."""
    shop.settings(settings(elsewhere))
    shop.cli(*JOB, "--no-send")
    guide = rehearse(shop, GUIDE, "clock-wrong", capsys)
    with time_machine.travel(time.time() + 2 * 86_400):
        guide.until("the clock is right")
    outbox = httpx.get(f"{elsewhere}/_sandbox/outbox", trust_env=False)
    assert outbox.json() == []
    guide.until()
    assert len(httpx.get(f"{elsewhere}/_sandbox/outbox", trust_env=False).json()) == 4


def test_a_customer_complains_about_a_second_mail(shop, sandbox, capsys):
    """The history says what was sent; the customer is left alone from now on."""
    shop.settings(settings(sandbox.url, "privacy: {suppress: suppressed.txt}\n"))
    shop.orders([*due(1, 2), order(2, age_days=1, customer_email="customer1@example.com")])
    (shop.folder / "suppressed.txt").touch()
    shop.cli(*JOB)
    rehearse(shop, GUIDE, "second-mail", capsys).until()
    assert sent(sandbox) == once(1, 2)
