"""Channels and senders, from the edited file to what arrived: chosen when sending, and recorded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest
from project_support import order

from ekomi_reconcile.config.load import load

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from docs_blocks import DOCS, blocks

MOBILE, LANDLINE = "+49 151 12345678", "+49 30 1234567"


def customer(number, telephone=None, email=True):
    """An order that is due, with this telephone number, with or without an e-mail address."""
    found = order(number, age_days=20)
    if telephone is not None:
        found["billing_address"] = {"telephone": telephone, "country_id": "DE"}
    return found if email else {**found, "customer_email": ""}


def arrived(sandbox):
    """What arrived at eKomi by order: the channel and the fields."""
    entries = httpx.get(f"{sandbox.url}/_sandbox/outbox").json()
    return {int(each["transaction_id"]) % 1000: (each["channel"], each["fields"]) for each in entries}


def listed(project, capsys):
    """Status and channel of the invitations by order."""
    capsys.readouterr()
    assert project.cli("invitations", "list", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    return {int(each["order"]) % 1000: (each["status"], each["channel"]) for each in rows}


def explained(project, capsys, number):
    """What explain says of the order for the only account."""
    capsys.readouterr()
    assert project.cli("explain", str(100_000_000 + number), "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["accounts"]
    return found


def test_the_first_channel_that_the_order_has_an_address_for(project, sandbox, capsys):
    """A mobile number, else an e-mail address; with neither the order is not invited."""
    project.orders(
        [customer(1, MOBILE), customer(2, LANDLINE), customer(3), customer(4, LANDLINE, email=False)]
    )
    project.account("Germany", "28374", "pending_period: 7\ndeliver: [ekomi-sms, ekomi-email]")
    assert explained(project, capsys, 1)["channel"] == "ekomi-sms"
    assert project.cli("apply", "--auto-approve") == 0
    found = arrived(sandbox)
    assert {key: channel for key, (channel, _) in found.items()} == {1: "sms", 2: "email", 3: "email"}
    assert (found[1][1]["telephone"], "email" in found[1][1]) == ("+4915112345678", False)
    sent = {1: ("sent", "ekomi-sms"), 2: ("sent", "ekomi-email"), 3: ("sent", "ekomi-email")}
    assert listed(project, capsys) == sent
    assert explained(project, capsys, 2)["channel"] == "ekomi-email"
    assert project.cli("state", "check") == 0
    told = explained(project, capsys, 4)
    assert (told["reason"], told["channel"]) == ("deliverable", None)
    criterion = next(each for each in told["criteria"] if each["criterion"] == "deliverable")
    assert criterion["value"] == "mobile number not usable"
    assert criterion["wanted"] == "a usable mobile number or a usable e-mail address"


REFUSED = {"kind": "status", "status": 200, "body": '{"status": "error", "message": "blacklisted"}'}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("fault", "status"), [({"kind": "html", "status": 502}, "unknown"), (REFUSED, "failed")]
)
def test_an_outcome_never_falls_back_to_the_next_channel(project, sandbox, capsys, fault, status):
    """The text message may have been sent: only a person sends again, and the channel is chosen again."""
    project.orders([customer(1, MOBILE)])
    project.account("Germany", "28374", "pending_period: 7\ndeliver: [ekomi-sms, ekomi-email]")
    body = fault | {"match": "add-recipient", "count": 1}
    assert httpx.post(f"{sandbox.url}/_sandbox/faults", json=body).status_code == 201
    project.cli("apply", "--auto-approve")
    assert listed(project, capsys) == {1: (status, "ekomi-sms")}
    project.cli("apply", "--auto-approve")
    assert arrived(sandbox) == {}
    project.orders([customer(1, LANDLINE)])
    command = ["resolve", "1", "--resend"] if status == "unknown" else ["retry", "1"]
    assert project.cli("invitations", *command) == 0
    assert listed(project, capsys) == {1: ("pending", None)}
    project.cli("apply", "--auto-approve")
    assert listed(project, capsys) == {1: ("sent", "ekomi-email")}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("sender", "sms", "email"),
    [
        ("", ("Shop DE", None), (None, None)),
        ("sender: {name: My Books}", ("My Books", None), ("My Books", None)),
        ("sender: {email: shop@example.com}", ("Shop DE", None), (None, "shop@example.com")),
        (
            "sender: {name: My Books, email: shop@example.com}",
            ("My Books", None),
            ("My Books", "shop@example.com"),
        ),
    ],
)
def test_the_sender_that_customers_see(project, sandbox, capsys, sender, sms, email):
    """The one of the file; a text message has the shop's name at eKomi otherwise, never the account's own."""
    rename(sandbox, "Shop DE")
    project.orders([customer(1, MOBILE), customer(2)])
    rules = f"pending_period: 7\ndeliver: [ekomi-sms, ekomi-email]\n{sender}".strip()
    project.account("Our long internal name", "28374", rules)
    assert project.cli("apply", "--auto-approve") == 0
    found = {key: fields for key, (_, fields) in arrived(sandbox).items()}
    assert (found[1].get("sender_name"), found[1].get("sender_email")) == sms
    assert (found[2].get("sender_name"), found[2].get("sender_email")) == email
    capsys.readouterr()
    assert project.cli("accounts", "show", "Our long internal name", "--format", "json") == 0
    told = {each["channel"]: each for each in json.loads(capsys.readouterr().out)["senders"]}
    assert told["ekomi-sms"]["name"] == sms[0]
    assert told["ekomi-email"]["name"] == (email[0] or "Shop DE")
    assert told["ekomi-email"]["email"] == email[1]


def test_the_guide_works_as_written(project, sandbox, capsys):
    """The account file of the page, with orders as its table has them."""
    (block,) = [each for each in blocks(DOCS / "how-to" / "channels.md") if each.title]
    (project.folder / block.title).write_text(block.text, encoding="utf-8")
    project.orders([customer(1, MOBILE), customer(2, LANDLINE), customer(3), customer(4, email=False)])
    assert project.cli("apply", "--auto-approve") == 0, capsys.readouterr()
    found = arrived(sandbox)
    assert {key: channel for key, (channel, _) in found.items()} == {1: "sms", 2: "email", 3: "email"}
    assert {fields["sender_name"] for _, fields in found.values()} == {"Shop DE"}


def rename(sandbox, name):
    """Give the shop this name at eKomi."""
    shop = sandbox.world.shops["28374"]
    shop.name, shop.details = name, None


def test_a_shop_name_that_is_no_sender_is_left_to_ekomi(project, sandbox, capsys):
    """It is never cut; accounts show says why, and what to set."""
    rename(sandbox, "Bücher & Mehr GmbH")
    project.orders([customer(1, MOBILE)])
    project.account("Germany", "28374", "pending_period: 7\ndeliver: ekomi-sms")
    assert project.cli("apply", "--auto-approve") == 0
    assert "sender_name" not in arrived(sandbox)[1][1]
    capsys.readouterr()
    project.cli("accounts", "show", "Germany")
    told = capsys.readouterr().out
    assert "18 characters, at most 11 are possible" in told
    assert "set sender.name" in told


@pytest.mark.parametrize("name", ["Twelve chars", "Bücher", "12345", "Shop!", "Shop.de"])
def test_a_sender_that_text_messages_cannot_have_is_an_error(project, capsys, name):
    """Also where it comes from the defaults; by e-mail anything goes."""
    rules = f'deliver: [ekomi-email, ekomi-sms]\nsender: {{name: "{name}"}}'
    path = project.account("Germany", "28374", rules)
    assert project.cli("validate", "--format", "json") == 1
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (found["rule"], found["key"]) == ("sms-sender", "invitations.sender.name")
    path.write_text(path.read_text().replace("[ekomi-email, ekomi-sms]", "ekomi-email"))
    assert project.cli("validate") == 0


@pytest.mark.parametrize(
    "ways", ["[ekomi-sms, link]", "[link]", "[]", "[ekomi-sms, ekomi-sms]", "[fax]", "{a: b}"]
)
def test_link_stands_alone(project, ways):
    """A list names channels through which eKomi writes, each once."""
    project.account("Germany", "28374", f"deliver: {ways}")
    assert project.cli("validate") == 1


def test_a_sender_changes_no_invitation_and_a_list_of_one_is_one(project, capsys):
    """Only the set of channels counts as a rule change."""
    project.orders([customer(1, MOBILE)])
    project.account("Germany", "28374", "pending_period: 25\ndeliver: ekomi-sms")
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    project.account("Germany", "28374", "pending_period: 25\ndeliver: [ekomi-sms]")
    assert project.cli("plan", "--detailed-exitcode") == 0
    project.account("Germany", "28374", "pending_period: 25\ndeliver: ekomi-sms\nsender: {name: My Books}")
    capsys.readouterr()
    assert project.cli("plan", "--format", "json", "--detailed-exitcode") == 2
    plan = json.loads(capsys.readouterr().out)
    assert plan["summary"]["change"] == 1
    assert [plan["invitations"][each] for each in ("schedule", "reschedule", "cancel")] == [[], [], []]
    project.account("Germany", "28374", "pending_period: 25\ndeliver: ekomi-email")
    project.orders([customer(1, MOBILE, email=False)])
    assert project.cli("apply", "--auto-approve") == 0
    assert listed(project, capsys) == {1: ("cancelled", None)}


def test_the_order_of_channels_is_no_rule_change(project, capsys):
    """Pending invitations are not judged again; the channel is chosen when they are sent."""
    project.orders([customer(1, MOBILE)])
    project.account("Germany", "28374", "pending_period: 25\ndeliver: [ekomi-sms, ekomi-email]")
    assert project.cli("apply", "--auto-approve") == 0
    assert explained(project, capsys, 1)["channel"] == "ekomi-sms"
    before = load(project.folder / "ekomi-reconcile.yaml").accounts[0].derived
    project.account("Germany", "28374", "pending_period: 25\ndeliver: [ekomi-email, ekomi-sms]")
    after = load(project.folder / "ekomi-reconcile.yaml").accounts[0].derived
    assert before.rule_digest == after.rule_digest
    assert before.text != after.text
    assert explained(project, capsys, 1)["channel"] == "ekomi-email"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("entry", ["tel:+4915112345678", "customer1@example.com"])
def test_a_suppressed_address_or_number_blocks_every_channel(project, sandbox, entry):
    """Whichever channel would be taken."""
    project.settings((project.folder / "ekomi-reconcile.yaml").read_text() + "privacy: {suppress: out.txt}\n")
    (project.folder / "out.txt").write_text(f"{entry}\n")
    project.orders([customer(1, MOBILE)])
    for ways in ("[ekomi-sms, ekomi-email]", "ekomi-email", "ekomi-sms"):
        project.account("Germany", "28374", f"pending_period: 7\ndeliver: {ways}")
        assert project.cli("apply", "--auto-approve") == 0
    assert arrived(sandbox) == {}
