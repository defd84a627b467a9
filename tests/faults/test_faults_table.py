"""What must hold when add-recipient goes wrong, one row per way of going wrong."""

import re
import socket
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from faults_support import PASSWORD, PERSON, within

from ekomi_reconcile.model import instant
from ekomi_reconcile.sandbox.shops import Fault

PENDING, UNKNOWN, FAILED, SENT = "pending", "unknown", "failed", "sent"
HOUR = 3600
ECHO = (
    f"ERROR: {PERSON['customer_email']} ({PERSON['customer_firstname']} {PERSON['customer_lastname']}) "
    f"with password {PASSWORD} is not welcome"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How a call goes wrong, and what must hold of each of its rows.

    ``fault`` is made by the sandbox, ``address`` leads elsewhere. ``reached``: eKomi recorded the request.
    ``reason`` is a pattern in the row's reason; ``pause`` the least seconds until the next attempt.
    """

    status: str
    reason: str
    fault: Fault | None = None
    address: str | None = None
    reached: bool = False
    attempts: int = 1
    pause: int | None = None
    stopped: bool = False


fault = partial(Fault, match="add-recipient", shop="28374")
waits = partial(Case, status=PENDING, pause=300, attempts=0)
doubt = partial(Case, status=UNKNOWN)
refused = partial(Case, status=PENDING, attempts=0)

CASES = {
    "refused connection": waits(address="refused", reason="no connection"),
    "unknown host": waits(address="https://ekomi.invalid", reason="no connection"),
    "no TLS there": waits(address="tls", reason="no connection"),
    "timeout while connecting": waits(address="full", reason="could not be made in time"),
    "timeout after sending": doubt(
        fault=fault(kind="latency", seconds=1.5), reached=True, reason="no answer"
    ),
    "cut before recording": doubt(fault=fault(kind="cut_before"), reason="cut"),
    "cut after recording": doubt(fault=fault(kind="cut_after"), reached=True, reason="cut"),
    "cut within the answer": doubt(fault=fault(kind="cut_body"), reached=True, reason="cut"),
    "429": waits(fault=fault(kind="status", status=429), reason="429"),
    "429, later by seconds": waits(
        fault=fault(kind="retry_after", seconds=2 * HOUR), reason="429", pause=7190
    ),
    "429, later by a date": waits(
        fault=fault(kind="retry_after", seconds=2 * HOUR, retry_form="date"), reason="429", pause=7190
    ),
    "429 once": Case(
        status=SENT, fault=fault(kind="retry_after", count=2), reached=True, attempts=0, reason=""
    ),
    "503 before recording": waits(fault=fault(kind="status", status=503), reason="503"),
    **{
        f"{status} {when} recording": doubt(
            fault=fault(kind="status", status=status, when=when), reached=when == "after", reason=str(status)
        )
        for status in (500, 502, 504)
        for when in ("before", "after")
    },
    "a web page": doubt(fault=fault(kind="html"), reason="unrecognised response"),
    "a web page of a gateway": doubt(fault=fault(kind="html", status=502), reason="502"),
    "half JSON": doubt(fault=fault(kind="half_json"), reached=True, reason="unrecognised response"),
    "a JSON list": doubt(fault=fault(kind="wrong_json", body="[1, 2]"), reason="unrecognised response"),
    "a JSON number": doubt(fault=fault(kind="wrong_json", body="17"), reason="unrecognised response"),
    "100 MB": doubt(fault=fault(kind="big_body", size=100 << 20), reason="larger than"),
    "an endless slow body": doubt(fault=fault(kind="slow_body", seconds=60), reached=True, reason="in time"),
    "Access denied": Case(
        status=PENDING,
        fault=fault(kind="bare_text", body="Access denied"),
        reason="credentials",
        attempts=0,
        stopped=True,
    ),
    "a line of refusal": refused(fault=fault(kind="bare_text"), reason="Something in your request"),
    "a refusal that repeats data": refused(
        fault=fault(kind="bare_text", body=ECHO), reason=re.escape("[password]")
    ),
    "a quota as JSON": refused(
        fault=fault(kind="wrong_json", body='{"status": "error", "message": "Monthly quota exceeded"}'),
        reason="quota",
    ),
    "a code in the body": refused(
        fault=fault(kind="wrong_json", body='{"status_code": 403, "message": "Forbidden"}'),
        reason="Forbidden",
    ),
    "done 0": refused(fault=fault(kind="wrong_json", body='{"done": 0}'), reason="refused"),
    "a failure that repeats data": doubt(
        fault=fault(kind="status", body=ECHO), reason=re.escape("[personal]")
    ),
    "a line nobody knows": doubt(fault=fault(kind="bare_text", body="Good morning"), reason="Good morning"),
    "redirect": doubt(fault=fault(kind="status", status=302), reason="redirects"),
    "a firewall's page": doubt(fault=fault(kind="html", status=403), reason="HTTP 403"),
    "a word that nobody knows": doubt(
        fault=fault(kind="wrong_json", body='{"status": "vielleicht"}'), reason="vielleicht"
    ),
    "refused as JSON": Case(
        status=FAILED,
        fault=fault(kind="wrong_json", body='{"status": "error", "message": "Invalid email"}'),
        reason="Invalid email",
    ),
}

RECORDED = (
    "timeout after sending",
    "cut after recording",
    "429, later by seconds",
    "429 once",
    "half JSON",
    "Access denied",
    "a line of refusal",
    "a failure that repeats data",
    "redirect",
)
"""One row for every kind of outcome: in doubt, waiting, sent, failed, account stopped."""


def address(case, sandbox, stack):
    """Where this case sends to; ``None`` is the sandbox."""
    if case.address not in {"refused", "full", "tls"}:
        return case.address
    if case.address == "tls":
        return sandbox.url.replace("http:", "https:")
    listener = stack.enter_context(closing(socket.socket()))
    listener.bind(("127.0.0.1", 0))
    if case.address == "full":
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(closing(socket.socket()))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.sampled(36)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_failing_call_leaves_behind(trial, sandbox, capsys, case):
    """The row ends as the table says, the other account is served, exit 1, no data told, none asked twice."""
    check(trial, sandbox, capsys, case)


@pytest.mark.sampled(9)
@pytest.mark.parametrize("name", RECORDED)
def test_what_a_failing_call_leaves_behind_on_a_server(shared, sandbox, capsys, name):
    """The same on PostgreSQL, for every kind of outcome that is recorded."""
    check(shared, sandbox, capsys, CASES[name])


def check(trial, sandbox, capsys, case):
    """Run into the fault, look at what is recorded, and let eKomi be well again."""
    german, french = trial.orders()
    if case.fault is not None:
        sandbox.world.fault(case.fault)
    with ExitStack() as stack:
        trial.settings(srr=address(case, sandbox, stack))
        before = instant.now()
        code = trial.apply()
    told = capsys.readouterr()
    rows = trial.rows()
    assert {number: rows[number].status for number in german} == dict.fromkeys(german, case.status)
    assert {rows[number].status for number in french} == {SENT}
    assert code == (0 if case.status == SENT else 1), told.err
    assert any(rows[number].reason for number in german) or not case.reason
    for number in german:
        if not (case.stopped and rows[number].reason is None):  # a stopped account's other one is not tried
            assert re.search(case.reason, rows[number].reason or "")
        assert rows[number].attempts == case.attempts
        assert (rows[number].next_attempt_at is None) == (case.pause is None)
        assert (
            case.pause is None or case.pause <= rows[number].next_attempt_at - before <= case.pause * 1.3 + 10
        )
    assert ("refused the credentials" in told.out) == case.stopped
    expected = dict.fromkeys(german, 1) if case.reached else {}
    assert within(lambda: trial.requests() == expected), trial.requests()
    assert trial.leaks(told.out, told.err) == set()
    recover(trial, sandbox, german, case)


def recover(trial, sandbox, german, case):
    """When eKomi is well again and the time has come, only what certainly was not sent is sent."""
    sandbox.world.faults.clear()
    trial.settings()
    assert trial.apply_in(4 * HOUR) == 0
    after = SENT if case.status == PENDING else case.status
    statuses = trial.statuses()
    assert {statuses[number] for number in german} == {after}
    assert trial.requests() == (dict.fromkeys(german, 1) if case.reached or after == SENT else {})


def test_an_object_without_a_status_is_not_recorded_as_sent(trial, sandbox):
    """JSON of another shape says neither yes nor no."""
    german, _ = trial.orders()
    sandbox.world.fault(fault(kind="wrong_json"))
    trial.apply()
    assert {trial.statuses()[number] for number in german} == {UNKNOWN}


@pytest.mark.sampled(8)
@pytest.mark.parametrize(
    ("broken", "tried", "status"),
    [
        (fault(kind="bare_text", body="Access denied"), 1, PENDING),
        (fault(kind="retry_after", seconds=61), 5, PENDING),
        (fault(kind="status", status=500), 5, UNKNOWN),
        (fault(kind="cut_after"), 5, UNKNOWN),
    ],
    ids=["credentials", "unavailable", "failing", "cut"],
)
def test_an_account_that_fails_in_a_row_is_left_alone(anywhere, sandbox, capsys, broken, tried, status):
    """Wrong credentials stop it at once, other failures after five; the rest waits, untouched and told."""
    trial = anywhere
    german, french = trial.orders(german=8, french=3)
    trial.settings(parallelism=1)
    sandbox.world.fault(broken)
    assert trial.apply() == 1
    assert f"Germany: {8 - tried} due invitations not tried" in capsys.readouterr().out
    assert sandbox.world.requests.of("add-recipient", "28374") == tried
    rows = trial.rows()
    assert sum(rows[number].reason is not None for number in german) == tried
    assert {rows[number].status for number in german if rows[number].reason} == {status}
    assert {rows[number].status for number in german if not rows[number].reason} == {PENDING}
    assert {rows[number].status for number in french} == {SENT}


def test_a_refusal_between_failures_shows_that_ekomi_answers(trial, sandbox):
    """Only failures in a row count: an order that is refused begins the count anew."""
    trial.orders(german=8, french=0)
    trial.settings(parallelism=1)
    sandbox.world.fault(fault(kind="retry_after", seconds=61, count=4))
    sandbox.world.fault(fault(kind="bare_text", body="ERROR: Invalid email", count=1))
    sandbox.world.fault(fault(kind="retry_after", seconds=61, count=3))
    assert trial.apply() == 1
    assert sorted(trial.statuses().values()) == [FAILED, *[PENDING] * 7]
    assert sandbox.world.requests.of("add-recipient", "28374") == 8


def test_reads_that_fail_leave_what_was_known(trial, sandbox, capsys):
    """A failing sync or import keeps the old data and says so; sending goes on; exit 1."""
    trial.orders()
    (before,) = [each for each in trial.listed(capsys, "accounts", "list") if each["name"] == "Germany"]
    told = f"ERROR: {PERSON['customer_email']} {PASSWORD}"
    sandbox.world.fault(Fault(match="getSnapshot", shop="28374", kind="bare_text", body="Access denied"))
    sandbox.world.fault(Fault(match="getFeedback", shop="28374", kind="bare_text", body=told))
    capsys.readouterr()
    assert trial.apply_in(24 * HOUR) == 1
    told = capsys.readouterr()
    assert "failed: Germany: sync" in told.out
    assert "failed: Germany: import" in told.out
    assert trial.leaks(told.out, told.err) == set()
    (after,) = [each for each in trial.listed(capsys, "accounts", "list") if each["name"] == "Germany"]
    for key in ("account_name", "total_reviews", "average_score", "last_fetched_at"):
        assert after[key] == before[key]
    assert after["last_error"]
    assert set(trial.statuses().values()) == {SENT}


def test_an_endless_head_ends_in_time(trial, capsys):
    """A server that sends its head a byte at a time does not hold a run up beyond the timeout."""
    (number,), _ = trial.orders(german=1, french=0)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        trial.settings(srr=f"http://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        code = trial.apply()
        seconds = time.monotonic() - began
        dripping.join()
    assert code == 1
    assert trial.statuses() == {number: UNKNOWN}
    assert seconds < 10


def drip(listener, seconds=30.0):
    """Answer one request with a head that does not end for so long."""
    connection, _ = listener.accept()
    pause = threading.Event()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        for _ in range(int(seconds * 5)):
            try:
                connection.sendall(b"a")
            except OSError:
                return
            pause.wait(0.2)


LOCATIONS = (
    (Path(__file__).parent.parent / "cases/redirects-with-odd-location/locations.txt")
    .read_text()
    .splitlines()
)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("location", LOCATIONS)
def test_an_odd_redirect_of_one_account_stops_no_other(trial, sandbox, capsys, location):
    """One call fails (a send is unknown), the other account is sent, and no row stays in sending."""
    german, french = trial.orders(german=2, french=2)
    sandbox.world.fault(fault(kind="redirect", location=location))
    assert trial.apply() == 1
    assert trial.statuses() == dict.fromkeys(german, UNKNOWN) | dict.fromkeys(french, SENT)
    assert "internal error" not in capsys.readouterr().err
    sandbox.world.faults.clear()
    assert trial.apply() == 0
    assert trial.statuses() == dict.fromkeys(german, UNKNOWN) | dict.fromkeys(french, SENT)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("function", ["getShopDetails", "getSnapshot", "getFeedback"])
@pytest.mark.parametrize("location", LOCATIONS[2:4])
def test_an_odd_redirect_of_a_read_stops_no_other_account(trial, sandbox, capsys, function, location):
    """A sync or an import fails for its account only; everything that is due is sent."""
    german, french = trial.orders(german=1, french=1)
    sandbox.world.fault(Fault(match=function, shop="28374", kind="redirect", location=location))
    assert trial.apply_in(24 * HOUR) == 1
    assert trial.statuses() == dict.fromkeys(german | french, SENT)
    assert "internal error" not in capsys.readouterr().err
