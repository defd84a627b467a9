"""The self-test of order sources: readable, and whether the rules fit what is there."""

import pytest
from project_support import order

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY


def test_a_missing_order_file_fails(clinic):
    """A source that cannot be read is one finding; what rests on it is left out."""
    (clinic.project.folder / "orders.jsonl").unlink()
    found = clinic.examine("--offline")
    assert found["order-source"][0]["status"] == "fail"
    assert "orders.jsonl" in found["order-source"][0]["message"]
    assert not {"unserved-store-views", "unreadable-orders", "store-views"} & set(found)


def test_orders_that_cannot_be_read(clinic):
    """A broken record is told with its place, and the rest is still looked at."""
    clinic.project.orders([order(1)])
    assert clinic.told("unreadable-orders", "--offline") == [("pass", None)]
    with (clinic.project.folder / "orders.jsonl").open("a") as file:
        file.write('{"entity_id": "x"}\n{"entity_id": 3, "created_at": "never"}\n')
    found = clinic.examine("--offline")
    (told,) = found["unreadable-orders"]
    assert told["status"] == "fail"
    assert "orders.jsonl:2" in told["message"]
    assert found["order-source"][0]["status"] == "pass"


@pytest.mark.parametrize(
    ("check", "rule", "wrong", "meant"),
    [
        ("store-views", "store_views: [{}]", "german", "german_de"),
        ("customer-groups", "customer_groups: {{exclude: [{}]}}", "Vip", "VIP"),
        ("order-statuses", "order_statuses: [{}]", "shiped", "shipped"),
    ],
)
def test_names_that_no_order_has(clinic, check, rule, wrong, meant):
    """A name that no recent order has is worth a look, with the one that was meant; a known one is fine."""
    clinic.project.orders(
        [order(1, store_code="german_de", customer_group="VIP", status="shipped", state="complete")]
    )
    clinic.project.account("Germany", "28374", "pending_period: 7\n" + rule.format(meant))
    assert clinic.told(check, "--offline") == [("pass", None)]
    clinic.project.account("Germany", "28374", "pending_period: 7\n" + rule.format(wrong))
    (told,) = clinic.examine("--offline")[check]
    assert (told["status"], told["account"]) == ("warn", "Germany")
    assert told["hint"] == f'did you mean "{meant}"?'


def test_names_without_orders_are_not_checked(clinic):
    """Without any order there is nothing to compare with, and that is said."""
    (told,) = clinic.examine("--offline")["store-views"]
    assert told["status"] == "warn"
    assert "no recent orders" in told["message"]


def test_store_views_that_nobody_serves(clinic):
    """Orders of a store view that no enabled account wants are noticed."""
    clinic.project.orders([order(1), order(2, store_code="fr"), order(3, store_code="it")])
    (told,) = clinic.examine("--offline")["unserved-store-views"]
    assert told["status"] == "warn"
    assert "fr, it" in told["message"]
    clinic.project.account("Rest", "28375", "pending_period: 7\nstore_views: {exclude: [de]}")
    assert clinic.told("unserved-store-views", "--offline") == [("pass", None)]


@pytest.mark.parametrize(
    ("late", "status"), [(0, "pass"), (1, "warn"), (12, "fail")], ids=["none", "some", "most"]
)
def test_an_age_limit_that_starves_a_rule(clinic, late, status):
    """Orders that reach their status only after the age limit: some are worth a look, most a failure."""

    def took(number, days):
        began = instant.now() - 60 * DAY
        history = [
            {"entity_id": 1, "status": "processing", "created_at": instant.iso(began)},
            {"entity_id": 2, "status": "complete", "created_at": instant.iso(began + days * DAY)},
        ]
        return order(number, created_at=instant.iso(began), status_histories=history)

    clinic.project.orders(took(number, 40 if number <= late else 3) for number in range(1, 16))
    assert clinic.told("age-limit", "--offline") == [(status, "Germany")]


def test_a_share_of_few_orders_says_nothing(clinic):
    """One late order of two is no reason to worry."""
    clinic.project.orders([order(1), order(2)])
    (told,) = clinic.examine("--offline")["age-limit"]
    assert told["status"] == "pass"
    assert "too few" in told["message"]
