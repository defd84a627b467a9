"""The loop as a service: pauses, health, figures."""

import random

import httpx
import pytest

from ekomi_reconcile.ekomi import Call, CallOutcome
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.service import (
    JITTER,
    CycleOutcome,
    FinishedCycle,
    Health,
    Listener,
    Loop,
    Metrics,
    address,
)


def cycle(outcome=CycleOutcome.OK, began=100, ended=105, message=None):
    """A finished cycle."""
    return FinishedCycle(outcome=outcome, began_at=began, ended_at=ended, message=message)


class Time:
    """A clock and a stop at once: waiting moves the clock, and after so many waits it is over."""

    def __init__(self, waits):
        self.now, self.left, self.pauses = 0.0, waits, []

    def __call__(self):
        return self.now

    def is_set(self):
        return self.left <= 0

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        self.now += timeout
        self.left -= 1
        return self.is_set()


def test_cycles_begin_at_their_interval_with_a_little_chance():
    """The pause is the interval less what the cycle took, give or take a tenth of the interval."""
    time, ended = Time(waits=50), []

    def work():
        time.now += 100
        return cycle()

    Loop(work, 900, time, ended.append, time, random.Random(1)).run()
    assert len(ended) == 50
    assert all(900 * (1 - JITTER) - 100 <= pause <= 900 * (1 + JITTER) - 100 for pause in time.pauses)
    assert len(set(time.pauses)) > 40


def test_a_cycle_begins_when_a_sending_window_opens():
    """However long the interval is; an opening that is further off changes nothing."""
    time = Time(waits=3)
    openings = iter([160, None, 10_000])

    def work():
        return FinishedCycle(outcome=CycleOutcome.OK, began_at=100, ended_at=100, wake_at=next(openings))

    Loop(work, 900, time, lambda ended: None, time, random.Random(1)).run()
    assert time.pauses[0] == 60
    assert all(800 < pause < 1000 for pause in time.pauses[1:])


def test_a_long_cycle_is_followed_at_once_and_never_overlaps():
    """When a cycle takes longer than the interval, the next begins after it, without a pause."""
    time, running = Time(waits=1), []

    def work():
        assert not running
        running.append(1)
        time.now += 2000
        time.left -= 0.25
        running.pop()
        return cycle()

    Loop(work, 900, time, lambda each: None, time).run()
    assert time.pauses == []


def test_a_stop_ends_the_pause():
    """A stop that comes while it waits begins no further cycle."""
    time, ended = Time(waits=1), []
    Loop(cycle, 900, time, ended.append, time).run()
    assert len(ended) == 1


def test_health_tells_stuck_from_failing():
    """A failing cycle is alive but not ready; no end for several intervals is not alive."""
    health = Health(every=900, started_at=1000)
    assert health.alive(1000).good
    assert not health.ready().good
    health.record(cycle(CycleOutcome.FAILED, 1000, 1010, "the files have errors"))
    assert health.alive(2000).good
    assert health.ready().text == "the files have errors"
    health.record(cycle(CycleOutcome.INCOMPLETE, 2000, 2010))
    assert health.ready().good
    assert not health.alive(2010 + 4 * 900 + 1).good


def test_everything_is_served_and_nothing_else():
    """Probes and figures over HTTP; an unknown path is 404."""
    health, metrics = Health(every=900, started_at=0), Metrics()
    health.record(cycle(ended=10**11))
    metrics.cycle(cycle())
    metrics.cycle(cycle(CycleOutcome.FAILED))
    metrics.queue({"Germany": {Status.PENDING: 3}}, oldest_due=100, now=160)
    metrics.call(Call("getAverage", 0.2, CallOutcome.OK, 200))
    with Listener(("127.0.0.1", 0), health=health, metrics=metrics) as listener:
        base = f"http://127.0.0.1:{listener.port}"
        found = {
            path: httpx.get(base + path, trust_env=False)
            for path in ("/healthz", "/readyz", "/metrics", "/x")
        }
    assert [each.status_code for each in found.values()] == [200, 200, 200, 404]
    text = found["/metrics"].text
    assert 'ekomi_reconcile_queue{account="Germany",status="pending"} 3.0' in text
    assert 'ekomi_reconcile_queue{account="Germany",status="unknown"} 0.0' in text
    assert "ekomi_reconcile_oldest_due_seconds 60.0" in text
    assert "ekomi_reconcile_last_success_timestamp_seconds 105.0" in text
    assert 'ekomi_reconcile_cycles_total{outcome="failed"} 1.0' in text
    assert 'ekomi_reconcile_ekomi_call_seconds_count{function="getAverage",outcome="ok"} 1.0' in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [(":9108", ("127.0.0.1", 9108)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:9", ("::1", 9))],
)
def test_listening_is_loopback_unless_told_otherwise(text, expected):
    """Only a named interface opens the service to others."""
    assert address(text) == expected


@pytest.mark.parametrize("text", ["9108x", "host", ":70000", ":", "a:b"])
def test_no_address_is_told(text):
    """What is no address is refused in words."""
    with pytest.raises(ReconcileError, match="is not an address"):
        address(text)


def test_a_taken_port_is_told():
    """Two services cannot listen at one port, and the second one says so."""
    health, metrics = Health(every=1, started_at=0), Metrics()
    with (
        Listener(("127.0.0.1", 0), health=health, metrics=metrics) as first,
        pytest.raises(ReconcileError, match="cannot listen"),
    ):
        Listener(("127.0.0.1", first.port), health=health, metrics=metrics)
