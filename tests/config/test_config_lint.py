"""Warnings: each is given where it should be, and not where it should not."""

import time

import pytest
from config_files import PROJECT, account, checked, loaded

from ekomi_reconcile.model.diagnostic import Diagnostic

ON = "enabled: true, pending_period: 14"


def _warnings(*accounts: str, project: str = PROJECT) -> list[Diagnostic]:
    configuration, diagnostics = checked(*accounts, project=project)
    assert configuration is not None, diagnostics
    assert configuration.diagnostics == diagnostics
    assert all(each.hint and each.place and not each.is_error for each in diagnostics)
    return list(diagnostics)


def _found(rule: str, *accounts: str, project: str = PROJECT) -> list[str]:
    return [str(each.place) for each in _warnings(*accounts, project=project) if each.rule == rule]


def test_a_plain_account_has_no_warnings() -> None:
    """An ordinary enabled account is not warned about."""
    assert _warnings(account(1, ON)) == []


ALONE = {
    "pending-beyond-age-limit": (
        [
            ("enabled: true, pending_period: 30", 4, 47),
            ("pending_period: 40, skip_orders_older_than: 20", 4, 31),
            ("pending_period_overrides: [{when: {weight: {gt: 9}}, days: 30}]", 4, 31),
        ],
        ["pending_period: 29", "pending_period: 30, skip_orders_older_than: 0"],
    ),
    "no-age-limit": (
        [("skip_orders_older_than: 0", 4, 39)],
        ["skip_orders_older_than: 1, pending_period: 0"],
    ),
    "status-before-delivery": (
        [("order_statuses: [complete, processing]", 4, 31), ("order_statuses: [Pending]", 4, 31)],
        ["order_statuses: [shipped]"],
    ),
    "literal-wildcard": (
        [
            ("store_views: [all]", 4, 15),
            ("store_views: [de, '*']", 4, 15),
            ("store_views: {exclude: [All]}", 4, 15),
            ("customer_groups: ['*', VIP]", 4, 15),
        ],
        ["store_views: [allgemein, de]", "customer_groups: {exclude: [NOT LOGGED IN]}"],
    ),
    "short-pending-period": (
        [
            ("pending_period: 6", 4, 31),
            ("pending_period_overrides: [{when: {weight: {gt: 9}}, days: 6}]", 4, 31),
        ],
        ["pending_period: 7", "pending_period_overrides: [{when: {weight: {gt: 9}}, days: 7}]"],
    ),
}


@pytest.mark.parametrize(("rule", "cases"), ALONE.items(), ids=ALONE)
def test_warnings_of_one_account(rule: str, cases: tuple[list[tuple[str, int, int]], list[str]]) -> None:
    """A doubtful value is warned about where it stands, a sensible one is not."""
    for text, line, _ in cases[0]:
        places = _found(rule, account(1, text))
        assert [place.split(":")[:2] for place in places] == [["accounts.d/0.yaml", str(line)]]
    for text in cases[1]:
        assert _found(rule, account(1, text)) == []


def test_a_value_of_the_defaults_is_warned_about_there() -> None:
    """The place is that of the value in effect, also when it comes from the defaults."""
    project = PROJECT + "defaults:\n  invitations:\n    skip_orders_older_than: 0\n"
    assert _found("no-age-limit", account(1), project=project) == ["ekomi-reconcile.yaml:5:29"]


@pytest.mark.parametrize("tag", ["digital", "service", "Digital"])
def test_short_period_is_fine_for_services(tag: str) -> None:
    """What is not shipped may be asked about soon."""
    assert _found("short-pending-period", account(1, "pending_period: 1", tags=f"[{tag}]")) == []


@pytest.mark.parametrize(
    ("name", "warned"),
    [
        ('"10001"', True),
        ("eKomi 10001", True),
        ("'Account #10001'", True),
        ("Interface-ID 10001", True),
        ("Shop 10001", False),
        ("Germany", False),
        ('"10002"', False),
    ],
)
def test_name_that_repeats_the_id(name: str, *, warned: bool) -> None:
    """A name that says nothing but the id is warned about."""
    assert bool(_found("name-repeats-id", account(1, ON, name=name))) is warned


@pytest.mark.parametrize(
    ("products", "warned"), [("{max: 5}", True), ("{ask: true, max: 5}", False), ("{ask: false}", False)]
)
def test_products_that_are_not_asked_about(products: str, *, warned: bool) -> None:
    """Keys of products without `ask: true` have no effect, and that is warned about."""
    found = _found("products-not-asked", account(1, f"{ON}, products: {products}"))
    assert bool(found) is warned


def _pair(first: str, second: str, **keys: str) -> list[str]:
    return _found("overlapping-rules", account(1, f"{ON}, {first}"), account(2, f"{ON}, {second}", **keys))


OVERLAPPING = [
    ("store_views: [de, at]", "store_views: [at]"),
    ("store_views: [de]", "store_views: {exclude: [at]}"),
    ("store_views: {exclude: [at]}", "store_views: [at, de]"),
    ("store_views: {exclude: [de]}", "store_views: {exclude: [at]}"),
    ("deliver: link", "store_views: [de]"),
    ("store_views: [de]", "deliver: link"),
    ("store_views: [de], customer_groups: [A, B]", "store_views: [de], customer_groups: [B]"),
    ("store_views: [de], customer_groups: [A]", "store_views: [de], customer_groups: {exclude: [B]}"),
    ("store_views: [de], customer_groups: {exclude: [B]}", "store_views: [de], customer_groups: [A]"),
    ("store_views: [de], order_statuses: [a, b]", "store_views: [de], order_statuses: [b]"),
    ("store_views: [de], order_statuses: [a]", "store_views: [de], order_statuses: [b]"),
    ("conditions: {is_guest: {eq: true}}", "conditions: {is_guest: {eq: true}}"),
    ("conditions: {is_guest: {eq: true}}", "deliver: link"),
    ("conditions: {grand_total: {gte: 50}}", "conditions: {grand_total: {lt: 51}}"),
]
SEPARATE = [
    ("store_views: [de]", "store_views: [at]"),
    ("store_views: [de]", "store_views: {exclude: [de]}"),
    ("store_views: {exclude: [de, at]}", "store_views: [at, de]"),
    ("store_views: [de], customer_groups: [A]", "store_views: [de], customer_groups: [B]"),
    ("customer_groups: [A]", "customer_groups: {exclude: [A]}"),
    ("conditions: {is_guest: {eq: true}}", "conditions: {is_guest: {eq: false}}"),
    ("conditions: {grand_total: {gte: 50}}", "conditions: {grand_total: {lt: 50}}"),
    ("conditions: {any_item: {sku: {eq: A}}}", "conditions: {no_item: {sku: {starts_with: a}}}"),
]


@pytest.mark.parametrize(("first", "second"), OVERLAPPING)
def test_overlapping_rules(first: str, second: str) -> None:
    """Rules that can match the same order are warned about at the second account, whichever comes first."""
    assert _pair(first, second) == ["accounts.d/1.yaml:1:7"]
    assert _pair(second, first) == ["accounts.d/1.yaml:1:7"]


@pytest.mark.parametrize(("first", "second"), SEPARATE)
def test_separate_rules(first: str, second: str) -> None:
    """Rules that have no order in common are not warned about."""
    assert _pair(first, second) == []
    assert _pair(second, first) == []


@pytest.mark.parametrize(
    ("conditions", "warned"),
    [
        ("grand_total: {gt: 100, lt: 50}", True),
        ("any_item: {all: [{sku: {eq: A}}, {sku: {eq: B}}]}", True),
        ("state: {eq: closed}", True),
        ("grand_total: {gt: 50, lt: 100}", False),
        ("not: {any: [{is_virtual: {eq: true}}, {is_guest: {eq: true}}]}", False),
    ],
)
def test_rules_that_never_match(conditions: str, *, warned: bool) -> None:
    """Conditions that contradict each other are warned about where they stand, also while disabled."""
    for enabled in ("true", "false"):
        text = f"enabled: {enabled}, conditions: {{{conditions}}}"
        assert bool(_found("rule-never-matches", account(1, text))) is warned


def test_overlap_that_somebody_decided() -> None:
    """Different priorities say who wins; a disabled account and another source's cannot be in the way."""
    assert _pair("store_views: [de]", "store_views: [de]", priority="1") == []
    assert _found("overlapping-rules", account(1, ON), account(2, "pending_period: 9")) == []
    project = "version: 1\norders: {eu: {file: x}, us: {file: y}}\n"
    assert (
        _found("overlapping-rules", account(1, ON, orders="eu"), account(2, ON, orders="us"), project=project)
        == []
    )


def test_overlap_names_the_other_account() -> None:
    """The message says with whom, and where that one stands."""
    found = [each for each in _warnings(account(1, ON), account(2, ON)) if each.rule == "overlapping-rules"]
    assert "Account b1 (accounts.d/0.yaml:1:7)" in found[0].message
    assert found[0].account == "Account c2"


def test_all_store_views_beside_others() -> None:
    """An account for all store views is fine alone, not beside other enabled ones."""
    everything, one = account(1, ON), account(2, f"{ON}, store_views: [de]")
    assert _found("all-store-views", everything, one) == ["accounts.d/0.yaml:1:7"]
    assert _found("all-store-views", everything) == []
    assert _found("all-store-views", everything, account(2, "store_views: [de]")) == []
    assert _found("all-store-views", account(1, f"{ON}, store_views: {{exclude: [de]}}"), one) == []


def test_shared_password() -> None:
    """Two accounts with one reference are warned about at the second."""
    keys = {"interface_password": "${env:SAME}"}
    assert _found("shared-password", account(1, **keys), account(2, **keys)) == ["accounts.d/1.yaml:3:21"]


def test_rare_sync() -> None:
    """A sync interval above a day is warned about, a day is not."""
    assert _found("rare-sync", project=PROJECT + "schedule: {sync_every: 25h}\n") == [
        "ekomi-reconcile.yaml:3:24"
    ]
    assert _found("rare-sync", project=PROJECT + "schedule: {sync_every: 1d}\n") == []


def test_retention_below_the_limit_per_customer() -> None:
    """Who is forgotten before the limit looks back that far may be asked too often; equal is enough."""
    limit = PROJECT + "privacy: {max_per_customer: {count: 1, days: 90}, retention: %s}\n"
    assert _found("retention-below-limit", project=limit % "12w") == ["ekomi-reconcile.yaml:3:62"]
    assert _found("retention-below-limit", project=limit % "90d") == []
    assert _found("retention-below-limit", project=PROJECT + "privacy: {retention: 1d}\n") == []


def test_all_disabled() -> None:
    """When no account is enabled nothing is ever sent; a folder without accounts is another matter."""
    assert _found("all-disabled", account(1), account(2)) == ["accounts.d/0.yaml:1:7"]
    assert _found("all-disabled", account(1), account(2, ON)) == []
    assert _found("all-disabled") == []


def test_no_order_source() -> None:
    """An enabled account without any order source is warned about, a disabled one is not."""
    assert _found("no-order-source", account(1, ON), project="version: 1\n") == ["ekomi-reconcile.yaml:1:1"]
    assert _found("no-order-source", account(1), project="version: 1\n") == []


def test_unused_defaults() -> None:
    """A default that every account overrides is warned about at its key."""
    project = PROJECT + "defaults:\n  priority: 1\n  invitations:\n    enabled: true\n    pending_period: 9\n"
    both = [account(1, "pending_period: 10", priority="3"), account(2, "pending_period: 10")]
    assert _found("unused-default", *both, project=project) == ["ekomi-reconcile.yaml:7:5"]
    assert _found("unused-default", project=project) == []


def test_warnings_do_not_wait_for_errors_to_go() -> None:
    """Warnings about good accounts come together with errors elsewhere; those about the whole set do not."""
    _, diagnostics = checked(account(1, "skip_orders_older_than: 0"), "name: x\n")
    assert {each.rule for each in diagnostics if not each.is_error} == {"no-age-limit"}


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "rule",
    [
        "store_views: [v{0}, w{0}]",
        "store_views: [de], customer_groups: [g{0}]",
        "store_views: [de], conditions: {{grand_total: {{gt: {0}}}}}",
        "store_views: [de]",
        "store_views: {{exclude: [v{0}]}}",
    ],
)
def test_lint_is_near_linear(rule: str) -> None:
    """4,000 accounts take about ten times as long as 400: no pair is compared that has nothing in common."""
    small, large = (_load_time(rule, number) for number in (400, 4_000))
    assert large < 30 * small


def _load_time(rule: str, number: int) -> float:
    text = "---\n".join(account(each, f"{ON}, {rule.format(each)}") for each in range(number))
    started = time.process_time()
    loaded(text)
    return time.process_time() - started
