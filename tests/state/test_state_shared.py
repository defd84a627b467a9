"""Several runners on one state: each order once, a dead runner's rows taken over, one pace for all."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import time_machine
from project_support import Project, order, settings
from sqlalchemy import Connection, event, text
from state_server import Server
from state_support import KEY, LATER, NOW, PROJECT, Store, an_account, an_order, schedule

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import AccountStop
from ekomi_reconcile.model.errors import StateError, StateLost
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import SendOutcome, Status
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.shops import Fault
from ekomi_reconcile.state.engine.runner import LEASE
from ekomi_reconcile.state.opening import Mode
from ekomi_reconcile.state.repositories.sending import PROBE_LASTS
from ekomi_reconcile.state.store import State


@pytest.fixture
def pair(shared: Store) -> Iterator[tuple[State, State]]:
    """Two runners on one state with the accounts 1 and 2."""
    with shared.opened() as one:
        one.accounts.save(an_account("1"), now=NOW)
        one.accounts.save(an_account("2"), now=NOW)
        with shared.opened(Mode.WRITE) as two:
            yield one, two


def outcome(key: int, status: Status, at: int = NOW) -> SendOutcome:
    return SendOutcome(id=key, status=status, at=at)


def test_claims_of_a_living_runner_are_its_own(pair: tuple[State, State]) -> None:
    """While its lease lasts, a row is neither abandoned nor settled by another runner."""
    one, two = pair
    (key,) = schedule(one, 1).values()
    one.sending.claim([key], now=NOW)
    assert two.sending.claim([key], now=NOW) == ()
    assert two.queue.abandoned(now=NOW + LEASE - 1) == ()
    assert two.sending.settle([outcome(key, Status.UNKNOWN, NOW + LEASE - 1)]) == 0
    assert one.sending.settle([outcome(key, Status.SENT, NOW + 5_000)]) == 1


@pytest.mark.parametrize("off", [-10 * LEASE, 10 * LEASE])
def test_leases_go_by_the_clock_of_the_server(shared: Store, off: int) -> None:
    """A runner whose clock is minutes off neither takes living claims over nor loses its own."""
    with shared.opened() as one:
        one.accounts.save(an_account("1"), now=NOW)
        first, second = schedule(one, 1, 2).values()
        here = instant.now()
        one.sending.claim([first], now=here)
        with time_machine.travel(here + off), shared.opened(Mode.WRITE) as two:
            there = instant.now()
            assert two.queue.abandoned(now=there) == ()
            assert two.sending.settle([outcome(first, Status.PENDING, at=there)]) == 0
            assert [row.id for row in two.sending.claim([second], now=there)] == [second]
            assert [row.id for row in two.queue.abandoned(now=there + LEASE + 5)] == [first, second]
        assert one.queue.abandoned(now=instant.now()) == ()
        assert [row.id for row in one.queue.abandoned(now=instant.now() + LEASE + 5)] == [first, second]


def test_rows_of_a_dead_runner_are_taken_over(pair: tuple[State, State]) -> None:
    """Once its lease has run out a row is abandoned; should its runner live after all, SENT still counts."""
    one, two = pair
    (key,) = schedule(one, 1).values()
    one.sending.claim([key], now=NOW)
    (row,) = two.queue.abandoned(now=LATER)
    assert row.id == key
    assert two.sending.settle([outcome(key, Status.UNKNOWN, LATER)]) == 1
    assert one.sending.settle([outcome(key, Status.FAILED, LATER)]) == 0
    assert one.sending.settle([outcome(key, Status.SENT, LATER)]) == 1
    assert two.invitations.get(key).status is Status.SENT


def test_sign_of_life_keeps_claims(pair: tuple[State, State]) -> None:
    """A runner that gives signs of life keeps what it claimed for as long as its calls take."""
    one, two = pair
    (key,) = schedule(one, 1).values()
    one.sending.claim([key], now=NOW)
    for now in range(NOW, NOW + 20 * LEASE, 5):
        one.runner.renew(now=now)
        two.refresh()
        assert two.queue.abandoned(now=now) == ()
    assert two.queue.abandoned(now=now + LEASE + 1)


def test_lease_ends_with_the_outcome(pair: tuple[State, State]) -> None:
    """A row that waits for another attempt belongs to nobody, and the next to claim it is its owner."""
    one, two = pair
    (key,) = schedule(one, 1).values()
    one.sending.claim([key], now=NOW)
    one.sending.settle([outcome(key, Status.PENDING)])
    two.sending.claim([key], now=LATER)
    assert one.sending.settle([outcome(key, Status.SENT, LATER)]) == 0
    assert one.queue.abandoned(now=LATER + LEASE - 1) == ()
    assert two.sending.settle([outcome(key, Status.SENT, LATER)]) == 1


def test_lost_connection_loses_no_outcome(server: Server, pair: tuple[State, State]) -> None:
    """A connection that is lost between a call and its outcome is made anew, and the outcome recorded."""
    one, _ = pair
    ids = schedule(one, 1, 2)
    one.sending.claim([ids[1]], now=NOW)
    server.end_connections()
    assert one.sending.settle([outcome(ids[1], Status.SENT)]) == 1
    for attempt in (
        lambda: [row.id for row in one.sending.claim([ids[2]], now=NOW)] == [ids[2]],
        lambda: one.runner.take_turn("1", 5, now=NOW) is None,
        lambda: one.runner.renew(now=NOW) is None,
        lambda: one.sending.settle([outcome(ids[1], Status.SENT)]) == 0,
    ):
        server.end_connections()
        assert attempt()


@pytest.mark.parametrize("noticed", ["by the claim", "before"])
def test_a_server_that_lost_records_gets_no_claim(
    server: Server, pair: tuple[State, State], noticed: str
) -> None:
    """Where a connection is made anew, in the claim or before it, what was recorded is looked for first."""
    one, two = pair
    one.journal.add("apply", outcome="started", now=NOW)
    ids = schedule(one, 1, 2)
    one.sending.claim([ids[1]], now=NOW)
    with two.transaction():
        two.session.connection.exec_driver_sql("DELETE FROM invitation_history WHERE to_status = 'sending'")
    server.end_connections()
    if noticed == "before":
        one.runner.renew(now=NOW)
    with pytest.raises(StateLost, match="has lost what this run recorded"):
        one.sending.claim([ids[2]], now=NOW)


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
def test_intents_commit_durably(shared: Store, set_to: str, expected: str) -> None:
    """An intent waits for the disk and the replicas, whatever the default is, and nothing else changes."""
    store = Store(f"{shared.text}&options=-c%20synchronous_commit%3D{set_to}", shared.root, shared.key)
    seen, setting = [], text("SELECT current_setting('synchronous_commit')")
    with store.opened() as state:
        state.accounts.save(an_account("1"), now=NOW)
        (key,) = schedule(state, 1).values()
        connection = state.session.connection

        @event.listens_for(connection, "commit")
        def look(connection: Connection) -> None:
            seen.append(connection.execute(setting).scalar())

        state.sending.claim([key], now=NOW)
        state.sending.settle([outcome(key, Status.SENT)])
    assert seen == [expected, set_to]


def test_other_errors_are_not_tried_again(pair: tuple[State, State]) -> None:
    """What the database refuses is told at once."""
    one, _ = pair
    ids = schedule(one, 1)
    with one.transaction():
        one.session.connection.exec_driver_sql("ALTER TABLE invitation_history DROP COLUMN detail")
    with pytest.raises(StateError):
        one.sending.claim(list(ids.values()), now=NOW)
    assert one.invitations.get(ids[1]).status is Status.PENDING


def test_nobody_waits_for_a_row(pair: tuple[State, State]) -> None:
    """A row that another process is changing right now is left out by a claim, not waited for."""
    one, two = pair
    ids = schedule(one, 1, 2)
    with one.transaction():
        one.invitations.push(ids[1], now=NOW, actor="support")
        assert [row.order_id for row in two.sending.claim(list(ids.values()), now=NOW)] == [2]


def test_people_do_not_overrule_a_claim(pair: tuple[State, State]) -> None:
    """A person who looked before the row was claimed is told that it is being sent."""
    one, two = pair
    (key,) = schedule(one, 1).values()
    assert two.invitations.get(key).status is Status.PENDING
    one.sending.claim([key], now=NOW)
    with pytest.raises(StateError, match="is sending"):
        two.invitations.skip(key, now=NOW, actor="support")
    assert one.sending.settle([outcome(key, Status.SENT)]) == 1


def test_threads_share_what_is_due(shared: Store) -> None:
    """Claims at the same moment never give a row to two runners, and leave none."""
    with ExitStack() as stack:
        states = [stack.enter_context(shared.opened()) for _ in range(4)]
        states[0].accounts.save(an_account(), now=NOW)
        ids = list(schedule(states[0], *range(400)).values())

        def claim_all(state: State) -> list[int]:
            own = random.Random(state.runner.name).sample(ids, len(ids))
            return [
                row.id
                for start in range(0, 400, 10)
                for row in state.sending.claim(own[start : start + 10], now=NOW)
            ]

        with ThreadPoolExecutor(4) as pool:
            shares = list(pool.map(claim_all, states))
        assert sorted(key for share in shares for key in share) == sorted(ids)
        assert sum(map(bool, shares)) > 1
        assert states[0].queue.counts() == {"1": {Status.SENDING: 400}}


def test_runners_begin_at_different_rows(pair: tuple[State, State]) -> None:
    """Each runner has an order of its own, the same every time; a file's is left as it is."""
    one, two = pair
    schedule(one, *range(100))
    rows = list(one.queue.pending(["1"]))
    assert one.runner.spread(rows) == one.runner.spread(rows) != two.runner.spread(rows)
    assert sorted(one.runner.spread(rows), key=lambda row: row.id) == rows


def test_accounts_made_meanwhile_are_known(pair: tuple[State, State]) -> None:
    """A runner reads rows of accounts that another process has made since it began."""
    one, two = pair
    assert two.queue.rows_for("default", [1]) == {}
    two.refresh()
    assert two.accounts.read()
    schedule(two, 2)
    one.accounts.save(an_account("3"), now=NOW)
    schedule(one, 1, interface_id="3")
    two.meta.bump_serial()
    assert two.queue.rows_for("default", [1])[1][0].interface_id == "3"
    assert [row.interface_id for row in two.invitations.search()] == ["1", "3"]


@pytest.mark.parametrize("ends_at_once", [False, True])
def test_one_runner_probes_a_stopped_account(shared: Store, ends_at_once: bool) -> None:
    """Of runners that try a stopped account at the same moment one sends an invitation, time after time.

    That one may have its answer before the others ask.
    """
    with ExitStack() as stack:
        runners = [stack.enter_context(shared.opened())]
        runners[0].accounts.save(an_account("1"), now=NOW)
        runners += [stack.enter_context(shared.opened(Mode.WRITE)) for _ in range(3)]
        keys = list(schedule(runners[0], 1, 2, 3, 4).values())
        runners[0].refusals.stop(
            AccountStop(interface_id="1", refusal="quota", message="Quota exceeded", since=NOW)
        )
        barrier = threading.Barrier(len(runners))

        def probe(each: tuple[State, int], now: int) -> bool:
            state, key = each
            state.refresh()
            before = state.refusals.read()["1"].probe_id
            barrier.wait()
            key = next(other for other in (key, *keys) if other != before)
            begun = state.refusals.begin_probe("1", key, before=before, now=now)
            if begun and ends_at_once:
                state.refusals.end_probe("1", lifted=False)
            return begun

        with ThreadPoolExecutor(len(runners)) as pool:
            for attempt in range(10):
                now = NOW + attempt * (PROBE_LASTS + 1)
                won = list(pool.map(partial(probe, now=now), zip(runners, keys, strict=True)))
                assert won.count(True) == 1
                runners[0].refresh()
                assert runners[0].refusals.read()["1"].probe_id in keys


def test_bulk_does_not_wait_for_readers(shared: Store) -> None:
    """Filling the queue goes on while somebody has read from it and still holds the snapshot."""
    with shared.opened() as writer:
        writer.accounts.save(an_account(), now=NOW)
        with shared.opened(Mode.READ) as reader:
            assert reader.queue.counts() == {}
            with writer.schedule.bulk(10_000), writer.transaction():
                assert writer.schedule.add([an_order(key) for key in range(3_000)], now=NOW).inserted == 3_000
            assert reader.queue.counts() == {}


@pytest.mark.parametrize("rate", [0.5, 1, 5, 7.5, 40, 2_000])
def test_pace_holds_across_runners(pair: tuple[State, State], rate: float) -> None:
    """Two runners that ask when they were told to take the account's rate, all of it and no more."""
    begin, chance = float(NOW), random.Random(int(rate * 10))
    waiting = {0: begin, 1: begin}
    taken = []
    while len(taken) < 60:
        runner = min(waiting, key=lambda each: waiting[each])
        now = waiting[runner]
        pause = pair[runner].runner.take_turn("1", rate, now=now)
        if pause is None:
            taken.append(now)
        waiting[runner] = now + (pause or chance.uniform(0, 0.2 / rate))
    amount = min(max(int(rate), 1), 100)
    pairs = zip(taken, taken[amount:], strict=False)
    assert min((later - early for early, later in pairs), default=0) >= 0.999 * amount / rate or amount >= 60
    assert (taken[-1] - begin) * rate < 60 * 1.15


def test_pace_is_per_account(pair: tuple[State, State]) -> None:
    """One account's turns are no other's, and no limit at all asks nobody."""
    one, two = pair
    assert one.runner.take_turn("1", 1, now=NOW) is None
    assert two.runner.take_turn("1", 1, now=NOW) == pytest.approx(1)
    assert two.runner.take_turn("2", 1, now=NOW) is None
    assert [two.runner.take_turn("2", float("inf")) for _ in range(3)] == [None] * 3


def test_pace_goes_by_the_server(pair: tuple[State, State]) -> None:
    """Without an instant the server's clock counts, whatever this machine's says."""
    one, two = pair
    assert one.runner.take_turn("1", 0.1) is None
    assert 8 < (two.runner.take_turn("1", 0.1) or 0) <= 10


def test_pace_for_threads(pair: tuple[State, State]) -> None:
    """Turns taken from other threads, over other connections, are turns of the account like all others."""
    one, two = pair
    assert one.runner.turns is not None
    assert two.runner.turns is not None
    with ThreadPoolExecutor(4) as pool:
        waits = list(pool.map(lambda take: take("1", 2), [one.runner.turns, two.runner.turns] * 4))
    assert waits.count(None) == 2
    assert all(0 < wait <= 1 for wait in waits if wait is not None)
    assert one.runner.take_turn("1", 2) is not None
    assert [one.runner.turns("1", float("inf")) for _ in range(3)] == [None] * 3


def test_pace_for_threads_outlives_a_connection(server: Server, pair: tuple[State, State]) -> None:
    """A lost connection is made anew."""
    one, _ = pair
    assert one.runner.turns is not None
    assert one.runner.turns("1", 0.1) is None
    server.end_connections()
    assert 8 < (one.runner.turns("1", 0.1) or 0) <= 10


def test_changed_rates_count_at_once(pair: tuple[State, State]) -> None:
    """A rate that was raised or lowered in the settings judges the turns taken before by the new one."""
    one, _ = pair
    assert [one.runner.take_turn("1", 5, now=NOW) for _ in range(6)][:5] == [None] * 5
    assert one.runner.take_turn("1", 5, now=NOW) == pytest.approx(1)
    assert one.runner.take_turn("1", 10, now=NOW) is None
    assert one.runner.take_turn("1", 1, now=NOW + 0.5) == pytest.approx(0.5)


def test_file_has_one_runner(tmp_path: Path) -> None:
    """On a file nobody shares: turns and signs of life cost nothing, rows keep their order."""
    with Store("state.db", tmp_path).opened() as state:
        state.accounts.save(an_account(), now=NOW)
        schedule(state, 3, 1, 2)
        rows = list(state.queue.pending(["1"]))
        assert [state.runner.take_turn("1", 0.001) for _ in range(3)] == [None] * 3
        state.runner.renew(now=NOW)
        assert state.runner.spread(rows) == rows
        assert state.runner.turns is None


@pytest.fixture
def shop(project: Project, sandbox: SandboxServer, shared: Store, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on PostgreSQL with 400 orders that are due, scheduled but not sent."""
    monkeypatch.setenv("STATE_URL", shared.text)
    monkeypatch.setenv("STATE_KEY", KEY.decode())
    project.settings(settings(sandbox.url, "state: ${env:STATE_URL}\nprivacy: {key: '${env:STATE_KEY}'}\n"))
    project.account("Germany", "28374", "pending_period: 0")
    project.orders(order(number) for number in range(1, 401))
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    return project


def started(project: Project, *more: str) -> subprocess.Popen[str]:
    """An ``apply`` beside the test."""
    command = [sys.executable, "-m", "ekomi_reconcile", "-C", str(project.folder), "apply", "--auto-approve"]
    return subprocess.Popen(
        [*command, "--lock-timeout", "60s", *more],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def slow(sandbox: SandboxServer, seconds: float, count: int) -> None:
    """Let the first invitations take their time, but for the very first: its answer shows the clock."""
    latency = Fault(match="add-recipient", kind="latency", seconds=seconds, count=count, skip=1)
    sandbox.world.faults.add(latency)


@pytest.mark.slow
def test_two_applies_share_the_sending(shop: Project, sandbox: SandboxServer) -> None:
    """Two ``apply`` at once both succeed, both send, and ask each customer exactly once."""
    slow(sandbox, 1.0, 30)
    runners = [started(shop), started(shop)]
    told = [runner.communicate()[0] for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0], told
    requests = [entry.requests for entry in sandbox.world.outbox.entries()]
    assert requests == [1] * 400
    assert not any(" 0 sent" in each for each in told), told


def test_killed_runner_is_recovered(shop: Project, sandbox: SandboxServer, shared: Store) -> None:
    """What a killed runner had begun stays while its lease lasts; then it is in doubt and never resent."""
    slow(sandbox, 20, 10)
    first = started(shop)
    while sandbox.world.faults.rules()[0].struck < 10:
        with pytest.raises(subprocess.TimeoutExpired):
            first.wait(timeout=0.02)
    first.kill()
    first.communicate()
    assert shop.cli("apply", "--auto-approve") == 0
    with shared.opened(Mode.READ) as state:
        found = state.queue.counts()["28374"][Status.SENDING]
        assert found >= 10
        assert state.queue.counts() == {"28374": {Status.SENDING: found, Status.SENT: 400 - found}}
    with shared.opened(Mode.WRITE) as state, state.transaction():
        state.session.connection.exec_driver_sql("UPDATE invitation SET lease_until = lease_until - 31")
    assert shop.cli("apply", "--auto-approve") == 0
    with shared.opened(Mode.READ) as state:
        assert state.queue.counts() == {"28374": {Status.UNKNOWN: found, Status.SENT: 400 - found}}


def test_senders_keep_the_shared_pace(shop: Project, sandbox: SandboxServer, shared: Store) -> None:
    """An account whose turns other runners have used up sends nothing."""
    with shared.opened(Mode.WRITE) as state:
        for _ in range(100):
            state.runner.take_turn("28374", 9_999, now=4e9)
    text = (shop.folder / "ekomi-reconcile.yaml").read_text().replace("100000,", "9999,")
    shop.settings(text)
    assert shop.cli("apply", "--auto-approve", "--deadline", "1s") == 1
    assert sandbox.world.outbox.entries() == []


def test_syncs_and_imports_keep_the_shared_pace(
    shop: Project, sandbox: SandboxServer, shared: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """An account whose turns other runners have used up is not asked for its data either."""
    with shared.opened(Mode.WRITE) as state:
        for _ in range(100):
            state.runner.take_turn("28374", 9_999, now=4e9)
    shop.settings((shop.folder / "ekomi-reconcile.yaml").read_text().replace("100000,", "9999,"))
    asked = sandbox.world.requests.of("getSnapshot")
    with time_machine.travel(instant.now() + DAY, tick=True):
        assert shop.cli("apply", "--auto-approve", "--no-send", "--deadline", "1s") == 1
    assert sandbox.world.requests.of("getSnapshot") == asked
    assert "Germany: sync not tried" in capsys.readouterr().out
