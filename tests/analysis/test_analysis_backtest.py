"""Replays of past orders: against the reconciler's own decisions, and as a command."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import time_machine
from golden import check_golden
from project_support import Project, order
from tiers import LONG

from ekomi_reconcile.analysis.backtest import (
    TICK,
    Backtest,
    PastRun,
    RecordedQueue,
    ReplayedRules,
    tick_after,
)
from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY, HOUR, parse
from ekomi_reconcile.model.order import Contact, HistoryEntry, Order, order_state_of
from ekomi_reconcile.model.review import Response
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.plan.view import EmptyQueue
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.reconcile.order_lookup import match_request
from ekomi_reconcile.sandbox.magento.render import FaultKind

sys.path.append(str(Path(__file__).parent.parent / "docs"))

sys.path.append(str(Path(__file__).parent.parent / "cli"))

from docs_blocks import DOCS, blocks
from test_cli_magento import germany, served  # noqa: F401 - a fixture
from test_docs_tutorial import Reader, check_output

GOLDEN = Path(__file__).parent / "golden"
NOW = parse("2026-11-30T12:00:00Z")
DAYS = 365 if LONG else 50
START = NOW - DAYS * DAY
ORDERS = 2000 if LONG else 60
STATUSES = ("pending", "processing", "complete", "holded", "canceled", "closed")


def order_at(drawn, number):
    """An order with a complete history: its last status is the one it has."""
    created = START + drawn.randrange((DAYS - 10) * DAY)
    history, at = [HistoryEntry("pending", created, 1)], created
    for entry in range(drawn.randrange(5)):
        at += drawn.choice((5, HOUR, 3 * DAY, 9 * DAY)) + drawn.randrange(1000)
        if at > NOW - HOUR:
            break
        history.append(HistoryEntry(drawn.choice(STATUSES), at, entry + 2))
    status = history[-1].status
    return Order(
        order_id=number,
        number=str(number),
        created_at=created,
        updated_at=history[-1].created_at,
        status=status,
        state=str(order_state_of(status) or ""),
        store_view=drawn.choice(("de", "at")),
        customer_group="General",
        grand_total=drawn.choice((20.0, 80.0)),
        history=tuple(history),
        contact=Contact(email="kim@example.com"),
    )


def as_of(order, at):
    """The order as a source would have given it then; ``None`` before it was placed."""
    history = [each for each in order.history if each.created_at <= at]
    if not history:
        return None
    status = history[-1].status
    return msgspec.structs.replace(
        order,
        history=tuple(history),
        status=status,
        state=str(order_state_of(status) or ""),
        updated_at=history[-1].created_at,
    )


def looped(rules, orders):
    """What the reconciler schedules, run every 15 minutes: of changed orders, every 6 hours of all.

    ``rules`` are the accounts by the tick from which they are in force; from there on all orders are judged.
    """
    found = {}
    changes = {}
    for each in orders:
        for entry in each.history:
            changes.setdefault(tick_after(entry.created_at), set()).add(each.order_id)
    for tick in range(tick_after(START), NOW + 1, TICK):
        if tick in rules:
            request = match_request("default", rules[tick], (), {}, now=START)
        whole = tick % (6 * HOUR) == 0 or tick in rules
        some = [each for each in orders if whole or each.order_id in changes.get(tick, ())]
        seen = [as_of(each, tick) for each in some if each.order_id not in found]
        matcher = Matcher(replace(request, now=tick), EmptyQueue(), CustomerPrivacy())
        matcher.batch([each for each in seen if each is not None])
        for step in matcher.steps.schedule:
            found[step.order_id] = (step.interface_id, step.judged_at, step.scheduled_at)
    return found


def accounts_of(folder, least=50):
    """Two accounts that compete, with different triggers, age limits and conditions."""
    made = Project(folder)
    folder.mkdir(exist_ok=True)
    made.settings("version: 1\norders: {file: orders.jsonl}\n")
    made.account("Germany", "28374", "store_views: [de]\nskip_orders_older_than: 12")
    made.account(
        "Rich",
        "28375",
        f"order_statuses: [processing]\nconditions: {{grand_total: {{gte: {least}}}}}",
        "priority: 1",
    )
    return load(folder / "ekomi-reconcile.yaml").accounts


@pytest.mark.parametrize("seed", range(3))
def test_complete_histories_agree_with_the_reconciler(tmp_path, seed):
    """The same account, instant and due time for every order, whatever its changes of status were."""
    drawn = random.Random(seed)
    accounts, orders = accounts_of(tmp_path), [order_at(drawn, number) for number in range(1, ORDERS + 1)]
    found = {}
    for each in orders:
        revision = ReplayedRules("a", accounts)
        run = Backtest(
            since=START, now=NOW, revisions=[revision, ReplayedRules("b", ())], opted_out=lambda _: False
        )
        assert list(run.read("default", iter([[each]]))) == [1]
        assert run.approximate == 0
        if run.examples:
            first = run.examples[0].first
            found[each.order_id] = (first.account.interface_id, first.judged_at, first.due)
    expected = looped({tick_after(START): accounts}, orders)
    assert len(expected) > ORDERS / 8
    assert {key for key, _, _ in expected.values()} == {"28374", "28375"}
    differing = {key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)}
    assert not differing


def test_a_year_with_changes_of_rules_agrees_with_the_queue(tmp_path):
    """With the rules that were in force at each run, the replay has the account of nearly every order."""
    drawn = random.Random(7)
    orders = [order_at(drawn, number) for number in range(1, ORDERS + 1)]
    first, second = accounts_of(tmp_path / "a"), accounts_of(tmp_path / "b", least=10)
    rules = {tick_after(START + at * DAYS * DAY // 4): (first, second)[at % 2] for at in range(4)}
    queue = {key: account for key, (account, _, _) in looped(rules, orders).items()}
    runs, accounts = [], ()
    for tick in range(tick_after(START), NOW + 1, TICK):
        accounts = rules.get(tick, accounts)
        runs.append(PastRun(tick, accounts))
    found = RecordedQueue(runs, lambda _, ids: {key: queue[key] for key in ids if key in queue})
    found.compare("default", orders, lambda _: False)
    assert found.compared == ORDERS
    assert found.agreement >= 0.999
    only_first = RecordedQueue([PastRun(each.at, first) for each in runs], found.queue)
    only_first.compare("default", orders, lambda _: False)
    assert only_first.agreement < found.agreement


def test_two_revisions_are_each_as_if_alone(tmp_path):
    """Rules of a store view that are the same in both are replayed once, and the figures are as before."""
    drawn = random.Random(3)
    orders = [order_at(drawn, number) for number in range(1, ORDERS + 1)]
    first, second = accounts_of(tmp_path / "a"), accounts_of(tmp_path / "b")
    second = [each for each in second if each.interface_id == "28374"]

    def replay(*revisions):
        run = Backtest(since=START, now=NOW, revisions=revisions, opted_out=lambda _: False)
        assert list(run.read("default", iter([orders]))) == [ORDERS]
        return [(each.invited, each.weeks) for each in revisions]

    made = [lambda: ReplayedRules("a", first), lambda: ReplayedRules("b", second)]
    for left in made:
        for right in made:
            assert replay(left(), right()) == replay(left()) + replay(right())


def test_reviews_to_expect():
    """From the response rate so far with its 90 % interval; nothing is said below 30 invitations."""
    assert Response(29, 20).expected(100) is None
    found = Response(200, 50).expected(400)
    assert (found.low, found.mid, found.high) == (81.3, 100.0, 121.4)
    assert Response(30, 0).expected(10).low == 0


def history(*entries):
    """A status history as Magento gives it."""
    return [
        {"entity_id": at, "status": status, "created_at": time} for at, (status, time) in enumerate(entries)
    ]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project in git, whose second revision has another pending period and another condition."""
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "Kim")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "kim@example.com")
    made = Project(tmp_path)
    accounts_of(tmp_path)
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "Rules")):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    made.account("Germany", "28374", "store_views: [de]\npending_period: 7")
    made.account("Rich", "28375", "conditions: {grand_total: {gte: 100}}", "priority: 1")
    placed = {"created_at": "2026-09-01 10:00:00", "updated_at": "2026-09-20 10:00:00"}
    moved = history(
        ("pending", "2026-09-01 10:00:00"),
        ("processing", "2026-09-02 10:05:00"),
        ("complete", "2026-09-05 10:00:00"),
    )
    made.orders(
        [
            order(1, grand_total=20, status_histories=moved, **placed),
            order(2, grand_total=80, status_histories=moved, **placed),
            order(3, grand_total=200, status_histories=moved, store_code="at", **placed),
            order(4, grand_total=20, **placed),
            order(5, grand_total=20, status="closed", state="closed", status_histories=moved, **placed),
            order(6, grand_total=20, status_histories=moved[:1], status="pending", state="new", **placed),
            order(7, grand_total=20, created_at="2020-01-01 10:00:00"),
        ]
    )
    with time_machine.travel(NOW, tick=False):
        yield made


def test_golden_text_and_json(shop, capsys):
    """The difference of two revisions, in both forms; without a state, a secret or a network."""
    for form, name in (("text", "backtest.txt"), ("json", "backtest.json")):
        assert shop.cli("backtest", "--rules", "main", "--rules", ".", "--format", form) == 0
        check_golden(GOLDEN / name, capsys.readouterr().out)


def test_the_files_as_they_are(shop, capsys):
    """Without --rules nothing is compared; an order that was refunded later had been invited."""
    assert shop.cli("backtest", "--format", "json", "--since", "2026-08-01") == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["ref"] for each in found["revisions"]] == ["."]
    assert found["difference"] is None
    assert (found["orders"], found["approximate"]) == (6, 2)
    assert found["revisions"][0]["invited"] == 5
    assert not shop.state.exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--rules", "a", "--rules", "b", "--rules", "c"), 64),
        (("--rules", "--format"), 64),
        (("--rules", "no-such-branch"), 1),
        (("--since", "soon"), 64),
    ],
)
def test_what_cannot_be_replayed_is_refused(shop, capsys, arguments, code):
    """With a message, and nothing on stdout."""
    assert shop.cli("backtest", *arguments) == code
    out, err = capsys.readouterr()
    assert not out
    assert err


def test_unreadable_orders_are_shown_and_fail(shop, capsys):
    """What could not be read is no part of the result, so the exit code says so."""
    with (shop.folder / "orders.jsonl").open("a") as file:
        file.write('{"entity_id": 9, "increment_id": "9", "created_at": "Never"}\n')
    assert shop.cli("backtest") == 1
    out, err = capsys.readouterr()
    assert "6 orders since" in out
    assert "orders.jsonl:8" in err


@pytest.fixture
def loop(project, monkeypatch):
    """A project in git whose account has sent 30 invitations, then had its rules changed by a commit."""
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "Kim")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "kim@example.com")

    def git(*arguments):
        subprocess.run(["git", "-C", str(project.folder), *arguments], check=True)

    def placed(number, day, total, month=11):
        at = f"2026-{month}-{day:02} 10:00:00"
        changes = history(("pending", at), ("complete", at.replace("10:", "11:")))
        more = {"created_at": at, "updated_at": at.replace("10:", "11:"), "status_histories": changes}
        return order(number, grand_total=total, store_code="de", **more)

    git("init", "-q", "-b", "main")
    rich = [placed(number, 2, 80) for number in range(1, 31)]
    poor = [placed(number, 2, 20) for number in range(31, 41)]
    earlier = [placed(50, 31, 80, month=10)]
    with time_machine.travel(parse("2026-11-01T12:00:00Z"), tick=False):
        project.account("Germany", "28374", "pending_period: 0\nconditions: {grand_total: {gte: 50}}")
        git("add", "accounts.d", "ekomi-reconcile.yaml")
        git("commit", "-q", "-m", "Rules")
        assert project.cli("apply", "--auto-approve") == 0
    with time_machine.travel(parse("2026-11-03T12:00:00Z"), tick=False):
        project.orders([*earlier, *rich, *poor])
        assert project.cli("apply", "--auto-approve") == 0
    with time_machine.travel(parse("2026-11-05T12:00:00Z"), tick=False):
        project.account("Germany", "28374", "pending_period: 0\nconditions: {grand_total: {gte: 100}}")
        git("commit", "-q", "-a", "-m", "Dearer")
        project.orders([*earlier, *rich, *poor, placed(41, 4, 80), placed(42, 4, 120)])
        assert project.cli("apply", "--auto-approve") == 0
    return project


def replayed(project, capsys, *arguments):
    """The JSON that a backtest writes on the 30th of November."""
    capsys.readouterr()
    with time_machine.travel(NOW, tick=False):
        assert project.cli("backtest", "--format", "json", *arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_the_state_tells_agreement_and_expected_reviews(loop, capsys):
    """Every order is compared with the queue under the rules of its time, by the commits of the journal."""
    found = replayed(loop, capsys)
    assert (found["orders"], found["agreement"], found["compared"]) == (43, 1.0, 42)
    assert found["revisions"][0]["accounts"][0]["invited"] == 1
    assert found["revisions"][0]["accounts"][0]["expected_reviews"] == {"low": 0.0, "mid": 0.0, "high": 0.1}
    apart = replayed(loop, capsys, "--no-state")
    assert (apart["agreement"], apart["compared"]) == (None, 0)
    assert apart["revisions"][0]["accounts"][0]["expected_reviews"] is None


def test_what_the_rules_do_not_explain_is_no_agreement(loop, capsys):
    """An invitation that rules outside of git have made is counted against the replay."""
    loop.account("Germany", "28374", "pending_period: 0\nconditions: {grand_total: {gte: 10}}")
    with time_machine.travel(parse("2026-11-06T12:00:00Z"), tick=False):
        assert loop.cli("apply", "--auto-approve") == 0
    found = replayed(loop, capsys)
    assert (round(found["agreement"] * 42), found["compared"]) == (31, 42)


def test_an_interrupted_backtest_of_a_shop_goes_on(served, capsys):  # noqa: F811 - the fixture
    """What a failing shop gave before is kept without personal data, and not read again."""
    project, shop, _ = served
    germany(project)
    assert project.cli("backtest", "--format", "json", "--since", "400d") == 0
    whole, needed = json.loads(capsys.readouterr().out), shop.log.orders_served()
    for path in (project.folder / ".ekomi-reconcile").rglob("*"):
        if path.is_file():
            path.unlink()
    shop.faults.add(FaultKind.REDIRECT, path="/V1/orders", skip=3, location="https://example.com/")
    assert project.cli("backtest", "--since", "400d") == 1
    shop.faults.clear()
    read = shop.log.orders_served()
    capsys.readouterr()
    assert project.cli("backtest", "--format", "json", "--since", "400d") == 0
    assert shop.log.orders_served() - read < needed
    again = json.loads(capsys.readouterr().out)
    assert again | {"since": None} == whole | {"since": None}
    kept = b"".join(path.read_bytes() for path in project.folder.rglob("*") if path.is_file())
    assert b"@example.com" not in kept.replace(b"withheld@example.com", b"")


@pytest.mark.slow
def test_the_guide_works_word_for_word(tmp_path):
    """Each command shows what the page says; a block with a title is a file."""
    made = Project(tmp_path)
    made.settings("version: 1\norders: {file: orders.jsonl}\n")
    now = instant.now()
    times = [instant.iso(now - days * DAY) for days in (20, 18)]
    moved = history(("pending", times[0]), ("complete", times[1]))
    made.orders(
        order(number, age_days=20, updated_at=times[1], grand_total=total, status_histories=moved)
        for number, total in ((1, 80), (2, 20))
    )
    reader, output = Reader(tmp_path, "0"), ""
    for block in blocks(DOCS / "how-to" / "backtest.md"):
        match block.language:
            case "yaml":
                (tmp_path / block.title).parent.mkdir(exist_ok=True)
                (tmp_path / block.title).write_text(block.text, encoding="utf-8")
            case "sh":
                output = reader.run(block)
            case "console":
                check_output(block.text, output)
