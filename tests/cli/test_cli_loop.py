"""The main job, as a user sees it: plan, apply, and what must never happen twice."""

import json
import os
import re

import pytest
from project_support import order, settings

NOW = "pending_period: 0"

FOUR = (("Germany", "28374"), ("France", "28375"), ("Norway", "28376"), ("Brand", "10001"))


def outbox(sandbox):
    """Which orders the sandbox was asked to invite, and how often."""
    return {entry.transaction_id: entry.requests for entry in sandbox.world.outbox.entries()}


def eligible(project, count=300):
    """Two accounts with pending period 0, and orders of which two thirds match one of them."""
    project.account("Germany", "28374", f"{NOW}\nstore_views: [de]")
    project.account("France", "28375", f"{NOW}\nstore_views: [fr]")
    views = ("de", "fr", "it")
    project.orders(order(number, store_code=views[number % 3]) for number in range(1, count + 1))
    return {f"{100_000_000 + number}" for number in range(1, count + 1) if number % 3 != 2}


def test_every_eligible_order_is_sent_exactly_once(project, sandbox, capsys):
    """300 orders, two accounts: the plan says so, one apply asks each once, a second asks nobody."""
    expected = eligible(project)
    assert project.cli("plan", "--detailed-exitcode") == 2
    assert "Plan: 2 to add, 0 to change, 0 to destroy; 2 to sync, 2 to import;" in capsys.readouterr().out
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(sandbox) == dict.fromkeys(expected, 1)
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(sandbox) == dict.fromkeys(expected, 1)
    capsys.readouterr()
    assert project.cli("plan", "--detailed-exitcode") == 0
    assert capsys.readouterr().out.startswith("No changes.")


def test_a_wrong_field_that_no_rule_looks_at_stops_nobody(project, sandbox, capsys):
    """The order is planned, found again by the second look, and its customer is asked once."""
    project.account("Germany", "28374", f"{NOW}\nskip_refunded: false")
    project.orders([order(1, grand_total="a lot", items="none"), order(2)])
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(sandbox) == {"100000001": 1, "100000002": 1}
    capsys.readouterr()
    assert project.cli("plan", "--detailed-exitcode") == 0


def test_a_wrong_field_that_a_rule_looks_at_is_told(project, sandbox, capsys):
    """It is a problem of that line, and only that customer is not asked."""
    project.account("Germany", "28374", f"{NOW}\nconditions: {{grand_total: {{gte: 1}}}}")
    project.orders([order(1, grand_total="a lot"), order(2)])
    project.cli("apply", "--auto-approve")
    assert "order 1: grand_total: a number is expected" in capsys.readouterr().out
    assert outbox(sandbox) == {"100000002": 1}


def test_changes_without_a_yes_are_an_error(project, sandbox, capsys):
    """Without a terminal and without --auto-approve nothing is done, and the exit code is 1."""
    eligible(project, count=3)
    assert project.cli("apply") == 1
    assert "--auto-approve" in capsys.readouterr().err
    assert outbox(sandbox) == {}


def test_nothing_to_do_needs_no_yes(project, capsys):
    """With nothing to do apply neither asks nor fails."""
    eligible(project, count=3)
    assert project.cli("apply", "--auto-approve") == 0
    assert project.cli("apply") == 0


def test_a_changed_interface_id_is_immutable(project, capsys):
    """A known name with a new interface id is refused, and the message says what to do instead."""
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    (project.folder / "accounts.d" / "28374.yaml").unlink()
    project.account("Germany", "28375")
    assert project.cli("plan") == 1
    error = capsys.readouterr().err
    assert "immutable" in error
    assert "--replace Germany" in error


def test_replace_takes_out_the_old_account(project, capsys):
    """--replace shows -/+ in one block, deletes the old interface id and creates the new one."""
    project.account("Germany", "28374", NOW)
    assert project.cli("apply", "--auto-approve") == 0
    (project.folder / "accounts.d" / "28374.yaml").unlink()
    project.account("Germany", "28375", NOW)
    capsys.readouterr()
    assert project.cli("plan", "--replace", "Germany") == 0
    shown = capsys.readouterr().out
    assert shown.count("Germany") == shown.count("-/+ Germany   (replace requested)") + 1 == 2
    assert ' "28374" → "28375"\n' in shown
    assert "1 to add, 0 to change, 1 to destroy" in shown
    assert project.cli("apply", "--auto-approve", "--replace", "Germany") == 0
    assert project.cli("plan", "--detailed-exitcode") == 0


def replaced(project):
    """An account with a waiting order, whose interface id then changes in the files."""
    project.account("Germany", "28374", "pending_period: 30")
    project.orders([order(1)])
    assert project.cli("apply", "--auto-approve") == 0
    (project.folder / "accounts.d" / "28374.yaml").unlink()
    project.account("Germany", "28375", "pending_period: 30")


def test_a_replaced_account_is_shown_once(project, capsys):
    """What leaves under the old interface id and what comes under the new one are one block."""
    replaced(project)
    capsys.readouterr()
    assert project.cli("plan", "--replace", "Germany") == 0
    shown = capsys.readouterr().out
    assert shown.count("Germany") == shown.count("-/+ Germany") + shown.count("From eKomi: Germany") == 2
    assert "1 account replaced · 1 customer scheduled\n" in shown
    assert "    later 1 · no customer lost\n" in shown
    assert shown.count("100000001") == 1


def rows(project, capsys):
    """The queue as (interface id, status)."""
    capsys.readouterr()
    assert project.cli("invitations", "list", "--format", "json") == 0
    return [(row["interface_id"], row["status"]) for row in json.loads(capsys.readouterr().out)]


def test_a_replacement_takes_its_orders_over(project, capsys):
    """The rows of the old account are cancelled once, and the new one gets their orders."""
    replaced(project)
    capsys.readouterr()
    assert project.cli("apply", "--auto-approve", "--replace", "Germany") == 0
    assert "left out" not in capsys.readouterr().out
    assert rows(project, capsys) == [("28374", "cancelled"), ("28375", "pending")]


def test_a_replacement_that_fails_changes_nothing(project, monkeypatch, capsys):
    """If eKomi refuses the new account, the old one stays, and so do its rows."""
    replaced(project)
    monkeypatch.setenv("PASSWORD_28375", "not-the-password")
    assert project.cli("apply", "--auto-approve", "--replace", "Germany") == 1
    assert rows(project, capsys) == [("28374", "pending")]


def test_a_changed_name_is_an_update(project, capsys):
    """A rename keeps the account and its queue."""
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    project.account("Deutschland", "28374")
    capsys.readouterr()
    assert project.cli("plan", "--format", "json") == 0
    (change,) = json.loads(capsys.readouterr().out)["resource_changes"]
    assert change["change"]["actions"] == ["update"]
    assert change["previous_address"] == 'account["Germany"]'
    assert change["change"]["changed"] == ["name"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("content", ["", "# name: France\n", "---\n"])
def test_a_file_that_lost_its_content_deletes_nothing_on_its_own(project, capsys, content):
    """One account of four is below the percentage; an emptied file still needs the override."""
    paths = [project.account(name, number) for name, number in FOUR]
    assert project.cli("apply", "--auto-approve") == 0
    paths[1].write_text(content)
    assert project.cli("apply", "--auto-approve") == 1
    error = capsys.readouterr().err
    assert "--allow-deletes 1" in error
    assert "accounts.d/28375.yaml" in error
    paths[1].unlink()
    assert project.cli("apply", "--auto-approve") == 0


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("allowed", "code"), [((), 1), (("--allow-deletes", "1"), 1), (("--allow-deletes", "2"), 0)]
)
def test_deleting_every_account_needs_the_exact_number(project, capsys, allowed, code):
    """Deleting all is refused and names the override; only the planned number is taken."""
    project.account("Germany", "28374")
    project.account("France", "28375")
    assert project.cli("apply", "--auto-approve") == 0
    for file in (project.folder / "accounts.d").iterdir():
        file.unlink()
    capsys.readouterr()
    assert project.cli("apply", "--auto-approve", *allowed) == code
    told = capsys.readouterr()
    assert ("apply will refuse" in told.out) is bool(code)
    assert ("accepted with --allow-deletes 2" in told.out) is (code == 0)
    if code:
        assert "--allow-deletes 2" in told.err


def test_a_protected_account_stays_and_the_rest_proceeds(project, capsys):
    """Protection is kept in the state: removing the file does not delete, the rest is done, exit 1."""
    project.account("Germany", "28374", more="protect: true")
    project.account("France", "28375")
    assert project.cli("apply", "--auto-approve") == 0
    (project.folder / "accounts.d" / "28374.yaml").unlink()
    project.account("Frankreich", "28375")
    capsys.readouterr()
    assert project.cli("apply", "--auto-approve") == 1
    shown = capsys.readouterr().out
    assert "protected" in shown
    assert "1 changed, 0 destroyed" in shown


def test_a_saved_plan_is_done_once(project, sandbox, capsys, tmp_path):
    """apply PLAN never asks, does exactly that plan, and is stale the second time."""
    expected = eligible(project, count=30)
    assert project.cli("plan", "--out", "plan.json") == 0
    assert project.cli("apply", "plan.json") == 0
    assert outbox(sandbox) == dict.fromkeys(expected, 1)
    capsys.readouterr()
    assert project.cli("apply", "plan.json") == 1
    assert "stale: it was applied already" in capsys.readouterr().err
    assert project.cli("plan", "--detailed-exitcode") == 0


def test_a_plan_of_other_files_is_stale(project, capsys):
    """A file changed since the plan was made: refused, saying so."""
    eligible(project, count=3)
    assert project.cli("plan", "--out", "plan.json") == 0
    project.account("Germany", "28374", "pending_period: 5")
    assert project.cli("apply", "plan.json") == 1
    assert "the files changed" in capsys.readouterr().err


def test_an_edited_plan_is_refused(project, capsys):
    """A plan whose body was changed after it was made is not applied."""
    eligible(project, count=3)
    assert project.cli("plan", "--out", "plan.json") == 0
    path = project.folder / "plan.json"
    path.write_text(path.read_text().replace("100000001", "100000002"))
    assert project.cli("apply", "plan.json") == 1
    assert "changed after it was made" in capsys.readouterr().err


def test_accounts_changed_since_make_a_plan_stale(project, capsys):
    """A serial that moved on makes a saved plan stale."""
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    project.account("France", "28375")
    assert project.cli("plan", "--out", "plan.json") == 0
    assert project.cli("apply", "--auto-approve") == 0
    assert project.cli("apply", "plan.json") == 1
    assert "serial" in capsys.readouterr().err


def test_wrong_credentials_stop_only_their_account(project, sandbox, monkeypatch, capsys):
    """One account with a wrong password fails, the other is made and sends; exit 1 and both are told."""
    eligible(project, count=30)
    monkeypatch.setenv("PASSWORD_28375", "not-the-password")
    assert project.cli("apply", "--auto-approve") == 1
    shown = capsys.readouterr().out
    assert "failed: France: create" in shown
    assert (
        "next: ekomi-reconcile errors, then ekomi-reconcile apply to do the rest\nApply incomplete." in shown
    )
    assert "1 added" in shown
    for selected in ((), ("--account", "France")):
        assert project.cli("errors", *selected, "--format", "json") == 0
        (error,) = json.loads(capsys.readouterr().out)
        assert (error["account"], error["interface_id"], error["operation"]) == ("France", None, "create")
    assert set(outbox(sandbox).values()) == {1}
    assert len(outbox(sandbox)) == 10
    monkeypatch.setenv("PASSWORD_28375", "sandbox-fr")
    assert project.cli("apply", "--auto-approve") == 0
    assert len(outbox(sandbox)) == 20


def test_an_unreadable_source_leaves_the_queue_alone(project, sandbox, capsys):
    """Without its order file a run still makes accounts and syncs, sends nobody, says so, and exits 1."""
    expected = eligible(project, count=30)
    orders = project.folder / "orders.jsonl"
    kept = orders.read_text()
    orders.unlink()
    assert project.cli("plan", "--format", "json") == 1
    made = json.loads(capsys.readouterr().out)
    assert made["complete"] is False
    assert made["summary"]["add"] == 2
    assert project.cli("apply", "--auto-approve") == 1
    assert outbox(sandbox) == {}
    orders.write_text(kept)
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(sandbox) == dict.fromkeys(expected, 1)


def test_offline_asks_nobody(project, sandbox, monkeypatch, capsys):
    """--offline needs no secret, no order source and no eKomi."""
    eligible(project, count=3)
    for name in ("PASSWORD_28374", "PASSWORD_28375"):
        monkeypatch.delenv(name)
    (project.folder / "orders.jsonl").unlink()
    sandbox.world.requests.clear()
    assert project.cli("plan", "--offline", "--detailed-exitcode") == 2
    assert (
        "Plan: 2 to add, 0 to change, 0 to destroy; 0 to sync, 0 to import; 0 to schedule"
        in capsys.readouterr().out
    )
    assert sandbox.world.requests.summary()["total"] == 0


def test_offline_needs_no_key_of_the_digests(project, sandbox, monkeypatch):
    """A key that stands in the environment of the scheduled job is not missed by an offline plan."""
    project.settings(settings(sandbox.url, "privacy: {key: '${env:DIGEST_KEY}'}\n"))
    monkeypatch.setenv("DIGEST_KEY", "k" * 40)
    eligible(project, count=1)
    assert project.cli("apply", "--auto-approve") == 0
    monkeypatch.delenv("DIGEST_KEY")
    assert project.cli("plan") == 1
    assert project.cli("plan", "--offline") == 0


def test_a_window_of_orders_is_looked_at_again(project, sandbox):
    """--reconcile-window brings back the order of a customer who opted out and then in again."""
    project.settings(settings(sandbox.url, "privacy: {suppress: suppressed.txt}\n"))
    project.account("Germany", "28374", NOW)
    project.orders([order(1), order(2), order(3, age_days=9)])
    os.utime(project.folder / "orders.jsonl", (1, 1.5))  # one written this instant would be read again
    suppressed = project.folder / "suppressed.txt"
    suppressed.write_text("customer1@example.com\ncustomer3@example.com\n")
    assert project.cli("apply", "--auto-approve") == 0
    suppressed.write_text("")
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(sandbox) == {"100000002": 1}
    assert project.cli("apply", "--auto-approve", "--reconcile-window", "7d") == 0
    assert outbox(sandbox) == {"100000002": 1, "100000001": 1}


def test_targets_choose_accounts(project, sandbox):
    """--target makes only matching accounts; who wins an order is still decided among all."""
    project.account("Germany", "28374", NOW, "priority: 1")
    project.account("France", "28375", NOW)
    project.orders([order(1)])
    assert project.cli("apply", "--auto-approve", "--target", "Fr*") == 0
    assert outbox(sandbox) == {}
    assert project.cli("apply", "--auto-approve", "--exclude", 'account["France"]') == 0
    assert outbox(sandbox) == {"100000001": 1}


def test_refresh_only_fetches_and_changes_nothing_else(project, capsys):
    """--refresh-only plans syncs and imports, no account and no invitation."""
    project.account("Germany", "28374", NOW)
    assert project.cli("apply", "--auto-approve") == 0
    project.account("Germany", "28374", "pending_period: 3")
    project.orders([order(1)])
    project.settings(
        (project.folder / "ekomi-reconcile.yaml").read_text()
        + "schedule: {sync_every: 1s, import_reviews_every: 365d}\n"
    )
    capsys.readouterr()
    assert project.cli("plan", "--refresh-only", "--at", "2099-01-01") == 0
    shown = capsys.readouterr().out
    assert "0 to change" in shown
    assert "1 to sync" in shown
    assert "0 to schedule" in shown


def test_no_send_fills_the_queue_and_asks_nobody(project, sandbox):
    """--no-send is a way to watch: the queue is filled, nothing is sent."""
    expected = eligible(project, count=30)
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    assert outbox(sandbox) == {}
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(sandbox) == dict.fromkeys(expected, 1)


def test_the_cap_of_an_ordinary_run_defers_the_rest(project, sandbox, capsys):
    """max_sends sends the oldest first and defers the rest without failing."""
    project.settings(settings(sandbox.url, "safety: {max_sends: 4}\n"))
    project.account("Germany", "28374", NOW)
    assert project.cli("apply", "--auto-approve") == 0
    project.orders(order(number, age_days=number) for number in range(1, 11))
    capsys.readouterr()
    assert project.cli("apply", "--auto-approve") == 0
    assert "6 deferred" in capsys.readouterr().out
    assert sorted(outbox(sandbox)) == ["100000007", "100000008", "100000009", "100000010"]


def test_a_configuration_change_that_sends_too_many_is_refused(project, sandbox, capsys):
    """A new account that would send more than max_sends at once needs the exact number."""
    project.settings(settings(sandbox.url, "safety: {max_sends: 4}\n"))
    project.account("Germany", "28374", NOW)
    project.orders(order(number) for number in range(1, 11))
    assert project.cli("apply", "--auto-approve") == 1
    assert "--allow-sends 10" in capsys.readouterr().err
    assert outbox(sandbox) == {}
    assert project.cli("apply", "--auto-approve", "--allow-sends", "10") == 0
    assert len(outbox(sandbox)) == 10


def test_watching_only_is_not_held_to_the_limit_of_sends(project, sandbox):
    """With --no-send nothing is sent, so the number that would be sent stops nothing."""
    project.settings(settings(sandbox.url, "safety: {max_sends: 4}\n"))
    project.account("Germany", "28374", NOW)
    project.orders(order(number) for number in range(1, 11))
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    assert outbox(sandbox) == {}


def test_a_lost_state_in_ci_is_no_beginning(project, sandbox, monkeypatch, capsys):
    """In CI a missing state stops the run unless --new-state says that it is meant."""
    eligible(project, count=3)
    monkeypatch.setenv("CI", "true")
    assert project.cli("apply", "--auto-approve") == 1
    assert "--new-state" in capsys.readouterr().err
    assert outbox(sandbox) == {}
    assert project.cli("apply", "--auto-approve", "--new-state") == 0


def test_a_plan_writes_nothing(project):
    """plan makes no state, no lock and no key."""
    eligible(project, count=3)
    assert project.cli("plan") == 0
    assert not project.state.parent.exists()


@pytest.mark.parametrize(("limit", "share"), [(1, "all"), (10_000, "none")])
def test_a_condition_that_divides_nobody_is_a_warning(project, capsys, limit, share):
    """A condition that holds for all or for none of the recent orders is worth a word in the plan."""
    project.account("Germany", "28374", f"conditions: {{grand_total: {{gte: {limit}}}}}")
    project.orders(order(number) for number in range(1, 31))
    assert project.cli("plan") == 0
    shown = capsys.readouterr().out
    assert "conditions-one-sided" in shown
    assert f"match {share} of the 30 candidate orders" in shown


def test_a_condition_that_divides_is_no_warning(project, capsys):
    """Some orders hold, some do not: nothing to say."""
    project.account("Germany", "28374", "conditions: {grand_total: {gte: 50}}")
    project.orders(order(number, grand_total=number * 5) for number in range(1, 31))
    assert project.cli("plan") == 0
    assert "conditions-one-sided" not in capsys.readouterr().out


def test_an_order_that_goes_to_another_account_is_not_lost(project, capsys):
    """The account that gives it up says so, and the one that takes it; the customer is invited."""
    project.account("Germany", "28374", more="priority: 1")
    project.account("Austria", "10001")
    project.orders(order(number, grand_total=number * 10) for number in range(1, 6))
    assert project.cli("apply", "--auto-approve") == 0
    project.account("Germany", "28374", "conditions: {grand_total: {gte: 30}}", more="priority: 1")
    project.account("Austria", "10001", "conditions: {grand_total: {gte: 20}}")
    capsys.readouterr()
    assert project.cli("plan") == 0
    shown = capsys.readouterr().out
    assert "2 accounts changed · 1 customer scheduled · 1 lost\n" in shown
    german, austrian = shown.partition("~ Germany")[2], shown.partition("~ Austria")[2].partition("\n\n")[0]
    assert "    1 order to other accounts · 1 customer lost\n" in german
    assert "    later 1 · no customer lost\n" in austrian
    assert "100000002   " in austrian


def test_a_rule_change_is_told_in_customers(project, capsys):
    """How many more and how many fewer customers are asked, and how many at another time, with examples."""
    project.account("Germany", "28374", "conditions: {grand_total: {gte: 50}}")
    project.orders(order(number, grand_total=number * 10) for number in range(1, 11))
    assert project.cli("apply", "--auto-approve") == 0
    project.account("Germany", "28374", "pending_period: 21\nconditions: {grand_total: {between: [20, 70]}}")
    capsys.readouterr()
    assert project.cli("plan") == 0
    shown = capsys.readouterr().out
    assert "1 account changed · 3 customers scheduled · 3 rescheduled · 3 lost" in shown
    assert re.search(r"^    pending_period +14 → 21$", shown, re.MULTILINE)
    assert "    later 6 · 3 customers lost\n" in shown
    for example in ("100000008   cancelled: conditions", "100000005   was "):
        assert example in shown
