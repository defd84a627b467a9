"""The self-test of what leads to eKomi."""

import pytest
from project_support import settings

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY, HOUR
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.sandbox.shops import Fault


def test_credentials(clinic, sandbox, monkeypatch):
    """Right, wrong, not to be had and not to be checked are four different answers."""
    names = {"28375": "France", "28376": "Norway", "10001": "Brand A"}
    for key, name in names.items():
        clinic.project.account(name, key, f"pending_period: 7\nstore_views: [v{key}]")
    monkeypatch.setenv("PASSWORD_28375", "not-the-password")
    monkeypatch.delenv("PASSWORD_28376")
    sandbox.world.fault(Fault(match="*", kind="status", status=403, shop="10001", body="blocked"))
    found = clinic.examine()
    told = {each["account"]: each["status"] for each in found["credentials"]}
    assert told == {"Germany": "pass", "France": "fail", "Norway": "warn", "Brand A": "fail"}
    told = {each["account"]: each["status"] for each in found["account-active"]}
    assert told == {"Germany": "pass"}


def test_an_ekomi_that_is_away_is_one_failure(clinic, sandbox):
    """Where eKomi does not answer the next apply would not work; it is said once per account."""
    sandbox.world.fault(Fault(match="*", kind="status", status=403, shop="28374", body="blocked"))
    found = clinic.examine()
    assert [each["status"] for each in found["credentials"]] == ["fail"]
    assert not {"account-active", "stacked-delay", "customer-segment"} & set(found)


@pytest.mark.parametrize(
    ("deliver", "status"), [("ekomi-email", "fail"), ("ekomi-sms", "fail"), ("link", None)]
)
def test_an_inactive_customer_segment_fails(clinic, sandbox, deliver, status):
    """eKomi would take recipients and write to nobody; links are not concerned."""
    clinic.project.account("Germany", "28374", f"pending_period: 7\nstore_views: [de]\ndeliver: {deliver}")
    segments = sandbox.world.shops["28374"].segments
    before = [each.status for each in segments]
    for each in segments:
        each.status = "inactive"
    try:
        found = clinic.examine().get("customer-segment", [])
    finally:
        for each, value in zip(segments, before, strict=True):
            each.status = value
    assert [each["status"] for each in found] == ([status] if status else [])


def test_a_project_that_never_sends_is_told(clinic, sandbox):
    """safety.send: false is worth a word in every self-test."""
    clinic.project.settings(settings(sandbox.url, "safety: {send: false}\n"))
    assert clinic.told("sending", "--offline") == [("warn", None)]


def test_an_inactive_account_fails(clinic, sandbox):
    """An account that eKomi has switched off asks nobody."""
    sandbox.world.shops["28374"].active = False
    assert clinic.told("account-active") == [("fail", "Germany")]


@pytest.mark.parametrize(
    ("name", "rules", "status"),
    [
        ("Shop DE", "deliver: ekomi-sms", "pass"),
        ("Bücher & Mehr GmbH", "deliver: [ekomi-email, ekomi-sms]", "warn"),
        ("Bücher & Mehr GmbH", "deliver: ekomi-sms\nsender: {name: My Shop}", None),
        ("Bücher & Mehr GmbH", "deliver: ekomi-email", None),
    ],
)
def test_a_shop_name_that_is_no_sender_of_text_messages_is_a_warning(clinic, sandbox, name, rules, status):
    """Only where text messages would have it; the hint names the key to set."""
    shop = sandbox.world.shops["28374"]
    shop.name, shop.details = name, None
    clinic.project.account("Germany", "28374", rules)
    found = clinic.examine().get("sms-sender", [])
    assert [each["status"] for each in found] == ([status] if status else [])
    assert all("sender.name" in each["hint"] for each in found if status == "warn")


def test_offline_asks_nobody(clinic, sandbox):
    """Offline, checks that ask eKomi are left out, and nothing is asked."""
    sandbox.world.requests.clear()
    found = clinic.examine("--offline")
    assert not {"credentials", "account-active", "shop-clock", "shop-permissions"} & set(found)
    assert sandbox.world.requests.summary()["total"] == 0


@pytest.mark.parametrize(("hours", "status"), [(1, "pass"), (13, "warn")])
def test_the_age_of_the_last_sync(clinic, sandbox, hours, status):
    """Twice the interval without a sync is worth a look, and the last error is told."""
    clinic.project.settings(settings(sandbox.url, "schedule: {sync_every: 6h}\n"))
    with clinic.state() as state:
        state.accounts.record_shop_data("28374", ShopData(), now=instant.now() - hours * HOUR)
        state.accounts.record_error("28374", "sync: HTTP 503", now=instant.now())
    (told,) = clinic.examine("--offline")["sync-age"]
    assert (told["status"], told["account"]) == (status, "Germany")
    assert ("HTTP 503" in told["message"]) is (status == "warn")


@pytest.mark.parametrize(("days", "status"), [(0, "pass"), (3, "warn")])
def test_the_age_of_the_last_import(clinic, days, status):
    """Reviews that were not imported for twice the interval are worth a look."""
    with clinic.state() as state:
        state.reviews.save_import("28374", (), full=True, now=instant.now() - days * DAY)
    assert clinic.told("import-age", "--offline") == [(status, "Germany")]


def test_never_fetched(clinic):
    """An account that is not in the state yet was never fetched: apply does it."""
    with clinic.state():
        pass
    clinic.project.account("France", "28375", "pending_period: 7\nstore_views: [fr]")
    for check in ("sync-age", "import-age"):
        told = clinic.examine("--offline")[check]
        assert [(each["account"], each["status"]) for each in told] == [
            ("Germany", "pass"),
            ("France", "warn"),
        ]
        assert "never" in told[1]["message"]


@pytest.mark.parametrize(("theirs", "own", "status"), [(0, 7, "pass"), (3, 0, "pass"), (3, 7, "warn")])
def test_delays_that_add_up_are_told(clinic, sandbox, theirs, own, status):
    """eKomi's own delay on top of a pending period is worth a word, with the sum of both."""
    sandbox.world.shops["28374"].mail_delay = theirs
    clinic.project.account("Germany", "28374", f"pending_period: {own}")
    (found,) = clinic.examine()["stacked-delay"]
    assert found["status"] == status
    assert (f"{theirs + own} days after" in found["message"]) is (status == "warn")
