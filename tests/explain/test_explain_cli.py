"""``explain`` as support staff use it."""

import json
import re

import pytest
from project_support import order, settings

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import Criterion, NewInvitation, SendOutcome, Status
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.opening import Mode, open_state


@pytest.fixture
def explained(project, capsys):
    """The object that explain writes for an order."""
    project.account("Germany", "28374", "pending_period: 7\nstore_views: [de]")
    project.account("France", "28375", "pending_period: 7\nstore_views: [fr, de]")

    def explain(*arguments):
        capsys.readouterr()
        assert project.cli("explain", *arguments, "--format", "json") == 0
        return json.loads(capsys.readouterr().out)

    return explain


def refused(project, capsys, *arguments):
    """What an explain that fails says on stderr; nothing is on stdout."""
    capsys.readouterr()
    assert project.cli("explain", *arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


def state_of(project, mode=Mode.WRITE):
    """The state of a project."""
    return open_state(str(project.state), root=project.folder, mode=mode)


def queued(project, order_id, **more):
    """A state in which Germany has this order in its queue."""
    from ekomi_reconcile.config.load import load

    now = instant.now()
    values = {
        "interface_id": "28374",
        "source": "default",
        "order_id": order_id,
        "number": f"{100_000_000 + order_id}",
        "store_view": "de",
        "order_date": now - 3 * DAY,
        "reached_at": now - 2 * DAY,
        "reached_status": "complete",
        "reached_source": "shipment",
        "judged_at": now - 2 * DAY,
        "scheduled_at": now + 5 * DAY,
    }
    with state_of(project, Mode.CREATE) as state:
        for account in load(project.folder / "ekomi-reconcile.yaml").accounts:
            state.accounts.save(account, now=now)
        state.schedule.add([NewInvitation(**(values | more))], now=now)
        return state.queue.rows_for("default", [order_id])[order_id][0]


def test_the_object_has_exactly_the_agreed_keys(project, explained):
    """The keys of the object, of its accounts and criteria, in the order in which criteria are judged."""
    project.orders([order(1)])
    found = explained("100000001")
    assert list(found) == ["format_version", "order", "order_id", "accounts"]
    assert (found["order"], found["order_id"]) == ("100000001", 1)
    for account in found["accounts"]:
        assert list(account) == [
            *("account", "eligible", "reason", "criteria"),
            *("reached_at", "reached_source", "pending_days", "scheduled_at", "leaves_at"),
            *("channel", "products", "invitation"),
        ]
        assert [each["criterion"] for each in account["criteria"]] == [each.value for each in Criterion]
        assert all(list(each) == ["criterion", "ok", "value", "wanted"] for each in account["criteria"])


def test_an_order_never_seen_before_needs_no_state_and_no_secret(project, explained, monkeypatch):
    """Without state and passwords the winner is eligible with its time, the other one comes too late."""
    monkeypatch.delenv("PASSWORD_28374")
    monkeypatch.delenv("PASSWORD_28375")
    project.orders([order(1)])
    germany, france = explained("100000001")["accounts"]
    assert (germany["account"], germany["eligible"], germany["reason"]) == ("Germany", True, None)
    assert germany["reached_source"] == "created_at"
    due = instant.parse(germany["scheduled_at"]) - instant.parse(germany["reached_at"])
    assert due == 7 * DAY
    assert (france["account"], france["eligible"], france["reason"]) == ("France", False, "already_invited")
    assert france["criteria"][-1]["value"] == "goes to Germany"
    assert not project.state.exists()


def test_explain_and_plan_tell_the_same_story(project, explained, capsys):
    """Of many orders those are eligible that the plan schedules, and the reasons add up to its counts."""
    views, states = ("de", "fr", "it"), ("complete", "closed", "processing", "holded")
    project.account("Germany", "28374", "pending_period: 7\nstore_views: [de]\nskip_orders_older_than: 10")
    project.orders(
        order(
            number,
            age_days=(number * 7) % 29,
            store_code=views[number % 3],
            state=states[number % 4],
            status=states[number % 4],
            customer_email="nobody" if number % 5 == 0 else f"customer{number % 6}@example.com",
        )
        for number in range(1, 41)
    )
    capsys.readouterr()
    assert project.cli("plan", "--format", "json") == 0
    plan = json.loads(capsys.readouterr().out)["invitations"]
    eligible, reasons = set(), {}
    for number in range(1, 41):
        for account in explained(f"#{number}")["accounts"]:
            if account["eligible"]:
                eligible.add((account["account"], number, account["scheduled_at"]))
            else:
                counts = reasons.setdefault(account["account"], {})
                counts[account["reason"]] = counts.get(account["reason"], 0) + 1
    assert eligible == {
        (each["account"], each["order_id"], each["scheduled_at"]) for each in plan["schedule"]
    }
    assert eligible
    assert reasons == plan["not_invited"]


def test_a_pending_row_is_judged_with_its_own_evidence(project, explained):
    """The account that has the order is judged by what was recorded, and shows its row like the list does."""
    project.orders([order(1, age_days=3)])
    row = queued(project, 1)
    germany, france = explained("100000001")["accounts"]
    assert germany["eligible"] is True
    assert germany["reached_at"] == instant.iso(row.reached.at)
    assert germany["reached_source"] == "shipment"
    assert germany["invitation"]["id"] == row.id
    assert germany["invitation"]["status"] == "pending"
    assert france["reason"] == "already_invited"
    assert france["invitation"] is None


def test_a_sent_row_closes_the_order_for_everybody(project, explained, capsys):
    """After a request no account is eligible, its own neither, and text says when and by whom it went out."""
    project.orders([order(1)])
    row = queued(project, 1)
    with state_of(project) as state:
        state.sending.claim([row.id], now=instant.now())
        state.sending.settle([SendOutcome(id=row.id, status=Status.SENT, at=instant.now())])
    germany, france = explained("100000001")["accounts"]
    assert [germany["reason"], france["reason"]] == ["already_invited", "already_invited"]
    assert germany["invitation"]["status"] == "sent"
    assert project.cli("explain", "1") == 0
    shown = capsys.readouterr().out
    assert "no other account invites it" in shown
    assert "pending → sending" in shown


def test_a_row_that_no_longer_matches_passes_on(project, explained, capsys):
    """A pending row whose account lost the order is shown as cancelled by the next apply, with the heir."""
    project.orders([order(1)])
    queued(project, 1)
    project.account("Germany", "28374", "pending_period: 7\nstore_views: [it]")
    germany, france = explained("100000001")["accounts"]
    assert (germany["reason"], france["eligible"]) == ("store_view", True)
    project.cli("explain", "100000001")
    shown = capsys.readouterr().out
    assert "France invites it, due" in shown
    assert "the next apply cancels the pending one: store_view" in shown


def test_text_says_what_would_have_to_change(project, explained, capsys):
    """Every criterion that fails has its remedy, conditions down to the part that fails."""
    project.account(
        "Germany",
        "28374",
        "store_views: [it]\ncustomer_groups: [VIP]\norder_statuses: [shipped]\n"
        "skip_orders_older_than: 10\npending_period: 7\ndeliver: ekomi-sms\n"
        "conditions: {all: [{grand_total: {gte: 500}}, {currency: {eq: EUR}}, "
        "{not: {is_guest: {eq: true}}}]}",
    )
    project.orders([order(1, age_days=40.5, status="closed", state="closed", customer_is_guest=1)])
    capsys.readouterr()
    assert project.cli("explain", "1", "--account", "Germany") == 0
    shown = capsys.readouterr().out
    for line in (
        "- store_views named de",
        "- customer_groups named General",
        "- the order reached shipped and the order were not closed",
        "- skip_orders_older_than were at least 41 (days)",
        "grand_total gte 500 (it is 80); currency eq EUR (it is missing); not: is_guest eq true",
        "- the order had a usable mobile number",
    ):
        assert line in shown


def test_an_account_can_be_chosen(project, explained, capsys):
    """--account takes a name in any letter case or an interface id; else the nearest name is offered."""
    project.orders([order(1)])
    assert [each["account"] for each in explained("1", "--account", "FRANCE")["accounts"]] == ["France"]
    assert [each["account"] for each in explained("1", "--account", "28374")["accounts"]] == ["Germany"]
    assert 'did you mean "Germany"?' in refused(project, capsys, "1", "--account", "Germani")


def test_unknown_orders(project, explained, capsys):
    """An order that nobody knows is an error; one that only the queue knows says where to look."""
    project.orders([order(1)])
    assert "order 4711 not found in the order source default" in refused(project, capsys, "4711")
    queued(project, 2)
    assert "invitations list --order '100000002'" in refused(project, capsys, "100000002")


def test_a_number_goes_before_an_id(project, explained):
    """A bare number means the order's number where one has it, else an id; '#' always means the id."""
    project.orders([order(1, increment_id="2"), order(2, increment_id="77")])
    assert explained("2")["order_id"] == 1
    assert explained("#2")["order_id"] == 2
    assert explained("1")["order_id"] == 1


def test_ambiguous_orders(project, sandbox, capsys, explained):
    """The same number twice, or in two shops, is an error that says what to write; that then works."""
    project.orders([order(1, increment_id="5000"), order(2, increment_id="5000")])
    assert "write one of: '#1', '#2'" in refused(project, capsys, "5000")
    text = settings(sandbox.url).replace(
        "orders: {file: orders.jsonl}", "orders: {eu: {file: orders.jsonl}, us: {file: us.jsonl}}"
    )
    project.settings(text)
    for key, name, source in (("28374", "Germany", "eu"), ("28375", "France", "us")):
        project.account(name, key, "pending_period: 7", f"orders: {source}")
    project.orders([order(1)])
    (project.folder / "us.jsonl").write_text((project.folder / "orders.jsonl").read_text())
    assert "write one of: 'eu:#1', 'us:#1'" in refused(project, capsys, "100000001")
    assert [each["account"] for each in explained("us:#1")["accounts"]] == ["France"]
    assert [each["account"] for each in explained("1", "--account", "Germany")["accounts"]] == ["Germany"]
    (project.folder / "us.jsonl").unlink()
    capsys.readouterr()
    assert project.cli("explain", "100000001") == 0
    assert "not searched: order source us" in capsys.readouterr().err
    assert "us.jsonl" in refused(project, capsys, "4711")


def test_customers_who_must_not_be_asked(project, sandbox, explained):
    """Opt-outs and the limit per customer are criteria like the others."""
    project.settings(
        settings(sandbox.url, "privacy: {suppress: out.txt, max_per_customer: {count: 1, days: 90}}\n")
    )
    (project.folder / "out.txt").write_text("customer1@example.com\n")
    project.orders([order(1), order(2), order(3)])
    assert explained("1")["accounts"][0]["reason"] == "suppressed"
    assert explained("2")["accounts"][0]["reason"] is None
    with state_of(project, Mode.CREATE) as state:
        customer = state.key.digest(Purpose.CUSTOMER, "customer3@example.com")
    queued(project, 2, customer=customer)
    found = explained("3")["accounts"][0]
    assert found["reason"] == "suppressed"
    assert found["criteria"][-3]["value"] == "limit per customer reached"


def test_nothing_personal_is_shown(project, explained, capsys):
    """Names, addresses, telephone numbers, places and mail domains appear in no output."""
    address = {
        "firstname": "Canary",
        "city": "Canaryville",
        "postcode": "CANARY1",
        "region": "Canaria",
        "telephone": "+49 30 222777",
        "country_id": "DE",
    }
    project.account(
        "Germany",
        "28374",
        "pending_period: 7\n"
        "conditions: {any: [{shipping_city: {in: [Graz]}}, {shipping_postcode: {eq: '1'}}, "
        "{shipping_region: {eq: x}}, {email_domain: {eq: example.org}}, {any_item: {name: {eq: x}}}]}",
    )
    project.orders(
        [
            order(
                1,
                customer_email="canary@canary.example",
                customer_lastname="Canary",
                billing_address=address,
                extension_attributes={"shipping_assignments": [{"shipping": {"address": address}}]},
            )
        ]
    )
    for form in ("text", "json"):
        assert project.cli("explain", "1", "--all", "--format", form) == 0
        shown = "".join(capsys.readouterr())
        assert "canar" not in shown.lower()
        assert "222777" not in shown
        assert "sandbox-de" not in shown
    assert project.cli("explain", "1", "--all") == 0
    assert "shipping_city in [Graz] (it is masked)" in capsys.readouterr().out


def test_an_order_that_cannot_be_read_is_not_called_absent(project, capsys):
    """By number and by id: the field and what is wrong with it, and that the order is there."""
    project.account("Germany", "28374")
    project.orders([order(1, grand_total="much"), order(2), order(3, created_at="soon")])
    for wanted, said in (
        ("100000001", "order 100000001 cannot be read: grand_total: "),
        ("#1", "order #1 cannot be read: grand_total: "),
        ("100000003", "order 100000003 cannot be read: created_at: "),
    ):
        shown = refused(project, capsys, wanted)
        assert said in shown
        assert "correct it at its source" in shown
        assert "not found" not in shown
    assert "not found" in refused(project, capsys, "100000004")


def test_details_of_every_account_on_request(project, capsys):
    """A line of each account, details of those that match; --all and --account show those of others."""
    project.account("Germany", "28374", "pending_period: 7\nstore_views: [de]")
    project.account("France", "28375", "pending_period: 7\nstore_views: [fr]")
    project.orders([order(1)])
    for flags, shown in (
        ((), ("Germany",)),
        (("--all",), ("Germany", "France")),
        (("--account", "France"), ("France",)),
    ):
        capsys.readouterr()
        assert project.cli("explain", "100000001", *flags) == 0
        out = capsys.readouterr().out
        assert out.startswith("Order 100000001: Germany invites it, due ")
        assert [name for name in ("Germany", "France") if f"\n{name} (" in out] == list(shown)


def test_a_changed_pending_period_shows_both_times(project, capsys, sandbox):
    """Before the apply that moves it: the new time with the new period, and the one that is recorded."""
    project.account("Germany", "28374", "pending_period: 14")
    project.orders([order(1)])
    assert project.cli("apply", "--auto-approve") == 0
    project.account("Germany", "28374", "pending_period: 9")
    capsys.readouterr()
    assert project.cli("explain", "100000001") == 0
    out = capsys.readouterr().out
    moved = re.search(r"pending period 9 days, due (\S+ \S+) UTC \(recorded: (\S+ \S+) UTC; ", out)
    new, old = (instant.parse(f"{each.replace(' ', 'T')}:00Z") for each in moved.groups())
    assert old - new == 5 * DAY
    assert f"invites it, due {moved[1]} UTC" in out
