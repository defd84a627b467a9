"""Wrong values: each with its place, rule, what was found, what is allowed, and a hint."""

import pytest
from config_files import ACCOUNT, PROJECT, checked, loaded
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.model.diagnostic import Diagnostic

RULE = "invitations:\n  "
WHEN = "invitations:\n  conditions:\n    "

# what follows a good account (3 lines), rule, line, column, what the hint must say
BROKEN_ACCOUNTS = {
    "unknown key": ("protekt: true\n", "unknown-key", 4, 1, "`protect`"),
    "unknown inner key": (RULE + "pending_days: 3\n", "unknown-key", 5, 3, "pending_period"),
    "unlike any key": ("zzz: 1\n", "unknown-key", 4, 1, "allowed keys"),
    "null": ("tags:\n", "null-value", 4, 6, "leave the key out"),
    "null of a mapping": ("invitations: ~\n", "null-value", 4, 14, "leave the key out"),
    "null in a list": ("tags: [a, null]\n", "null-value", 4, 11, "a string of 1 to 255"),
    "empty list": ("tags: []\n", "empty-list", 4, 7, "leave the key out"),
    "no store views": (RULE + "store_views: []\n", "empty-list", 5, 16, "all store views"),
    "no groups": (RULE + "customer_groups: []\n", "empty-list", 5, 20, "all customer groups"),
    "no statuses": (RULE + "order_statuses: []\n", "empty-list", 5, 19, "[complete]"),
    "empty exclusion": (RULE + "store_views: {exclude: []}\n", "empty-list", 5, 26, "to mean all"),
    "exclusion without list": (RULE + "store_views: {}\n", "missing-key", 5, 3, "exclude:"),
    "exclusion with a typo": (
        RULE + "store_views: {exclude: [a], b: 1}\n",
        "unknown-key",
        5,
        31,
        "allowed keys",
    ),
    "text for a list": (RULE + "store_views: de\n", "wrong-type", 5, 16, "a list"),
    "text for a flag": (RULE + "enabled: yes\n", "wrong-type", 5, 12, "without quotes"),
    "number for a flag": ("protect: 1\n", "wrong-type", 4, 10, "write true"),
    "flag for a number": (RULE + "pending_period: true\n", "wrong-type", 5, 19, "such as 1"),
    "text for a number": (RULE + 'pending_period: "14"\n', "wrong-type", 5, 19, "without quotes"),
    "half a day": (RULE + "pending_period: 1.5\n", "wrong-type", 5, 19, "write 1 or 2"),
    "negative days": (RULE + "pending_period: -1\n", "out-of-range", 5, 19, "write 0 or more"),
    "too many days": (RULE + "skip_orders_older_than: 366\n", "out-of-range", 5, 27, "write 365 or less"),
    "priority": ("priority: 99999999\n", "out-of-range", 4, 11, "write 1,000,000 or less"),
    "delivery": (RULE + "deliver: post\n", "unknown-value", 5, 12, "ekomi-email"),
    "number among names": ("tags: [a, 7]\n", "wrong-type", 4, 11, "in quotes"),
    "duplicate entry": ("tags: [a, b, a]\n", "duplicate-entry", 4, 7, "remove"),
    "blank at the end": ('tags: ["a "]\n', "invalid-text", 4, 8, "remove this character"),
    "empty name": ('tags: [""]\n', "empty-text", 4, 8, "at least one"),
    "long name": (f"tags: [{'x' * 256}]\n", "too-long", 4, 8, "it has 256"),
    "control character": ('tags: ["a\\nb"]\n', "invalid-text", 4, 8, "remove this character"),
    "source name": ("orders: a b\n", "invalid-text", 4, 9, "such as eu"),
    "url without scheme": ("links: {webshop_url: shop.example.com}\n", "invalid-text", 4, 22, "https://"),
    "url with ftp": ("links: {submit_url: 'ftp://x.example'}\n", "invalid-text", 4, 21, "https://"),
    "list for a mapping": ("links: [a]\n", "wrong-type", 4, 8, "a mapping"),
    "unknown attribute": (WHEN + "grand_totl: {gt: 1}\n", "unknown-key", 6, 5, "grand_total"),
    "empty condition": (RULE + "conditions: {}\n", "one-key", 5, 3, "exactly one"),
    "two conditions": (WHEN + "grand_total: {gt: 1}\n    weight: {lt: 2}\n", "one-key", 5, 3, "all: ["),
    "empty group": (WHEN + "all: []\n", "empty-list", 6, 10, "empty group"),
    "group of nothing": (WHEN + "any: [{}]\n", "one-key", 6, 11, "exactly one"),
    "null condition": (WHEN + "not:\n", "null-value", 6, 9, "leave the key out"),
    "no operator": (WHEN + "is_guest: {}\n", "missing-operator", 6, 5, '"eq": true'),
    "bare value": (WHEN + "grand_total: 50\n", "wrong-type", 6, 18, '{"gte": 50}'),
    "text operator on a number": (WHEN + "grand_total: {glob: x}\n", "unknown-key", 6, 19, "allowed keys"),
    "number operator on text": (WHEN + "currency: {gt: x}\n", "unknown-key", 6, 16, "allowed keys"),
    "other operator on a flag": (WHEN + "is_guest: {ne: true}\n", "unknown-key", 6, 16, "allowed keys"),
    "comparison of categories": (
        WHEN + "any_item: {category_id: {eq: 3}}\n",
        "unknown-key",
        6,
        30,
        "allowed keys",
    ),
    "broken category": (WHEN + "any_item: {category_id: {in: [a]}}\n", "wrong-type", 6, 35, "such as 1"),
    "postcode without quotes": (WHEN + "shipping_postcode: {eq: 10115}\n", "wrong-type", 6, 29, "in quotes"),
    "amount in quotes": (WHEN + "weight: {eq: '5'}\n", "wrong-type", 6, 18, "without quotes"),
    "order attribute of an item": (
        WHEN + "any_item: {weight: {gt: 1}}\n",
        "unknown-key",
        6,
        16,
        "belongs under `conditions:`",
    ),
    "empty operand list": (WHEN + "currency: {in: []}\n", "empty-list", 6, 20, "at least one"),
    "one end": (WHEN + "weight: {between: [1]}\n", "too-few-entries", 6, 23, "[50, 200]"),
    "three ends": (WHEN + "weight: {between: [1, 2, 3]}\n", "too-many-entries", 6, 23, "[50, 200]"),
    "ends swapped": (WHEN + "not: {weight: {between: [2, 1]}}\n", "between-order", 6, 29, "swap"),
    "sum of nothing": (WHEN + "sum_items: {gte: 1}\n", "missing-key", 6, 5, "of: qty"),
    "sum of names": (WHEN + "sum_items: {of: name, gte: 1}\n", "unknown-value", 6, 21, "such as qty"),
    "sum without operator": (WHEN + "sum_items: {of: qty}\n", "missing-operator", 6, 5, "operator"),
    "sum of wrong items": (
        WHEN + "sum_items: {of: qty, gt: 1, where: {sku: {}}}\n",
        "missing-operator",
        6,
        41,
        "operator",
    ),
    "canceled": (RULE + "order_statuses: [complete, Canceled]\n", "order-status-over", 5, 30, "complete"),
    "cancelled": (RULE + "order_statuses: [cancelled]\n", "order-status-over", 5, 20, "complete"),
    "closed": (RULE + "order_statuses: [closed]\n", "order-status-over", 5, 20, "complete"),
    "holded": (RULE + "order_statuses: [holded]\n", "order-status-over", 5, 20, "complete"),
    "hold": (RULE + "order_statuses: [on_hold]\n", "order-status-over", 5, 20, "complete"),
    "cancel trigger": (
        RULE + "order_statuses: [shipped]\n  cancel_statuses: [returned, Shipped]\n",
        "cancel-status-is-trigger",
        6,
        20,
        "remove Shipped",
    ),
    "cancel default trigger": (
        RULE + "cancel_statuses: [COMPLETE]\n",
        "cancel-status-is-trigger",
        5,
        20,
        "remove COMPLETE",
    ),
    "no cancel statuses": (RULE + "cancel_statuses: []\n", "empty-list", 5, 20, "leave the key out"),
    "no override": (RULE + "pending_period_overrides: []\n", "empty-list", 5, 29, "`when`"),
    "window without a zone": (RULE + "send_between: {days: [mon]}\n", "timezone-missing", 5, 3, "timezone:"),
    "pause without a zone": (
        RULE + "pauses: [{from: 2026-12-24, until: 2026-12-26}]\n",
        "timezone-missing",
        5,
        3,
        "timezone:",
    ),
    "no days": (RULE + "send_between: {days: []}\n", "empty-list", 5, 24, "every day"),
    "hours of another kind": (RULE + "send_between: {hours: 9-17}\n", "invalid-text", 5, 25, "09:00-19:00"),
    "no channel": (RULE + "deliver: []\n", "empty-list", 5, 12, "leave the key out to mean ekomi-email"),
    "a link among channels": (RULE + "deliver: [link]\n", "unknown-value", 5, 13, "write `deliver: link`"),
    "no window": (RULE + "send_between: {}\n", "empty-mapping", 5, 17, '`send_between: {"days": ["mon"'),
    "no sender": (RULE + "sender: {}\n", "empty-mapping", 5, 11, '`sender: {"email"'),
    "no products": (RULE + "products: {}\n", "empty-mapping", 5, 13, '`products: {"ask": true'),
    "refunds as a word": (RULE + "skip_refunded: always\n", "wrong-type", 5, 18, "true"),
    "unknown source": ("orders: defalt\n", "order-source-unknown", 4, 9, "`default`"),
    "second document": ("---\nname: Austria\n", "missing-key", 5, 1, "interface_id"),
}


@pytest.mark.parametrize(
    ("more", "rule", "line", "column", "hint"), BROKEN_ACCOUNTS.values(), ids=BROKEN_ACCOUNTS
)
def test_broken_accounts(more: str, rule: str, line: int, column: int, hint: str) -> None:
    """Every mistake is found at its line and column, under its rule, and says what to write instead."""
    configuration, diagnostics = checked(ACCOUNT + more)
    found = [each for each in diagnostics if each.rule == rule]
    assert configuration is None
    assert f"accounts.d/0.yaml:{line}:{column}" in {str(each.place) for each in found}
    assert hint in str(found[0].hint)
    assert found[0].key
    assert found[0].found
    assert found[0].allowed


def _account(**keys: str) -> str:
    values = {"name": "Germany", "interface_id": '"28374"', "interface_password": "${env:X}", **keys}
    return "".join(f"{key}: {value}\n" for key, value in values.items() if value)


BROKEN_IDENTITIES = {
    "no name": ({"name": ""}, "missing-key", 1, 1),
    "no password": ({"interface_password": ""}, "missing-key", 1, 1),
    "number": ({"interface_id": "28374"}, "interface-id-quotes", 2, 15),
    "float": ({"interface_id": "28374.5"}, "interface-id-quotes", 2, 15),
    "letters": ({"interface_id": "a1"}, "invalid-text", 2, 15),
    "long id": ({"interface_id": f'"{"1" * 21}"'}, "invalid-text", 2, 15),
    "line end in id": ({"interface_id": '"123\\n"'}, "invalid-text", 2, 15),
    "blank name": ({"name": '" "'}, "invalid-text", 1, 7),
    "number as name": ({"name": "4711"}, "wrong-type", 1, 7),
    "literal": ({"interface_password": "hunter2"}, "secret-literal", 3, 21),
    "numeric literal": ({"interface_password": "123456"}, "secret-literal", 3, 21),
    "almost a reference": ({"interface_password": "$env:X"}, "secret-literal", 3, 21),
    "empty reference": ({"interface_password": "'${env:}'"}, "secret-literal", 3, 21),
    "kind": ({"interface_password": "${envv:X}"}, "secret-kind", 3, 21),
}


@pytest.mark.parametrize(
    ("keys", "rule", "line", "column"), BROKEN_IDENTITIES.values(), ids=BROKEN_IDENTITIES
)
def test_broken_identities(keys: dict[str, str], rule: str, line: int, column: int) -> None:
    """Name, id and password of an account are checked, with place and hint."""
    _, diagnostics = checked(_account(**keys))
    assert [(each.rule, str(each.place)) for each in diagnostics if each.is_error] == [
        (rule, f"accounts.d/0.yaml:{line}:{column}")
    ]
    assert diagnostics[0].hint


def test_a_trigger_that_the_defaults_cancel_is_found() -> None:
    """The two lists may be written in different files: the place and the other place are named."""
    configuration, diagnostics = checked(
        ACCOUNT + RULE + "order_statuses: [returned]\n",
        project="version: 1\ndefaults: {invitations: {cancel_statuses: [returned]}}\n",
    )
    (found,) = [each for each in diagnostics if each.rule == "cancel-status-is-trigger"]
    assert configuration is None
    assert str(found.place).startswith("ekomi-reconcile.yaml:2:")
    assert "accounts.d/0.yaml:5" in found.message


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("send_between: {hours: '09:00-09:00'}", "never opens"),
        ("pauses: [{from: 2026-02-30, until: 2026-03-01}]", "2026-02-30 is not a calendar day"),
        ("pauses: [{from: 2026-12-26, until: 2026-12-24}]", "ends before it begins"),
        ("pauses: [{from: 2000-01-01, until: 2999-12-31}]", "no invitation can ever leave"),
    ],
)
def test_a_window_that_can_never_open_is_an_error(written, said) -> None:
    """As is a pause that means nothing, also where the defaults have it."""
    for account, project in (
        (ACCOUNT + RULE + written + "\n", "version: 1\ntimezone: Europe/Berlin\n"),
        (ACCOUNT, f"version: 1\ntimezone: Europe/Berlin\ndefaults:\n  invitations:\n    {written}\n"),
    ):
        configuration, diagnostics = checked(account, project=project)
        (found,) = [each for each in diagnostics if each.is_error]
        assert configuration is None
        assert (found.rule, said in found.message, bool(found.hint)) == ("sending-time", True, True)
        assert str(found.place).startswith("ekomi-reconcile.yaml" if "defaults" in project else "accounts.d")


def test_a_time_zone_that_does_not_exist_is_an_error() -> None:
    """With the one that was probably meant; a known one is fine."""
    _, diagnostics = checked(ACCOUNT, project="version: 1\ntimezone: Europe/Berlim\n")
    (found,) = [each for each in diagnostics if each.is_error]
    assert (found.rule, found.hint) == ("timezone-unknown", "did you mean `Europe/Berlin`?")
    fine = ACCOUNT + RULE + "send_between: {hours: '22:00-06:00', days: [mon, sat]}\n"
    _, diagnostics = checked(fine, project="version: 1\ntimezone: Europe/Berlin\n")
    assert not [each for each in diagnostics if each.is_error]


def test_hints_say_the_very_thing_to_write() -> None:
    """Mends are concrete: the id in quotes, the key that was meant, the reference to write."""
    _, diagnostics = checked('nam: Germany\ninterface_id: 28374\ninterface_password: "${evn:X}"\n')
    hints = " ".join(str(each.hint) for each in diagnostics)
    assert 'interface_id: "28374"' in hints
    assert "did you mean `name`?" in hints
    _, diagnostics = checked(_account(interface_password="${evn:X}"))
    assert [each.hint for each in diagnostics] == ["did you mean `env`?"]


MAGENTO = "orders: {magento: {base_url: 'https://s.example'"
BROKEN_PROJECTS = {
    "no version": ("accounts: accounts.d\n", "missing-key", 1, 1),
    "version 2": ("version: 2\n", "out-of-range", 1, 10),
    "version in words": ("version: one\n", "wrong-type", 1, 10),
    "unknown section": ("version: 1\nsafty: {}\n", "unknown-key", 2, 1),
    "null section": ("version: 1\nsafety:\n", "null-value", 2, 8),
    "empty file": ("", "empty-project", 1, 1),
    "two documents": ("version: 1\n---\nversion: 1\n", "several-documents", 3, 1),
    "accounts folder": ("version: 1\naccounts: elsewhere\n", "accounts-folder", 2, 11),
    "duration without unit": ("version: 1\nschedule: {sync_every: 6}\n", "wrong-type", 2, 24),
    "unknown unit": ("version: 1\nschedule: {sync_every: 6y}\n", "invalid-text", 2, 24),
    "no duration": ("version: 1\nekomi: {timeout: 0s}\n", "invalid-text", 2, 18),
    "rate": ("version: 1\nekomi: {requests_per_second: 0}\n", "out-of-range", 2, 30),
    "rate in words": ("version: 1\nekomi: {requests_per_second: true}\n", "wrong-type", 2, 30),
    "parallelism": ("version: 1\nekomi: {parallelism: 65}\n", "out-of-range", 2, 22),
    "url with query": ("version: 1\nekomi: {api_url: 'https://x.example/?a=b'}\n", "invalid-text", 2, 18),
    "percent": ("version: 1\nsafety: {max_delete_percent: 101}\n", "out-of-range", 2, 30),
    "negative limit": ("version: 1\nsafety: {max_sends: -1}\n", "out-of-range", 2, 21),
    "cap without days": ("version: 1\nprivacy: {max_per_customer: {count: 1}}\n", "missing-key", 2, 11),
    "literal key": ("version: 1\nprivacy: {key: abc}\n", "secret-literal", 2, 16),
    "empty orders": ("version: 1\norders: {}\n", "too-few-entries", 2, 9),
    "orders as text": ("version: 1\norders: shop\n", "wrong-type", 2, 9),
    "no kind": ("version: 1\norders: {stores: {1: de}}\n", "one-of", 2, 1),
    "two kinds": (f"version: 1\n{MAGENTO}, token: '${{env:T}}'}}, file: x}}\n", "one-of", 2, 1),
    "no credentials": (f"version: 1\n{MAGENTO}}}}}\n", "one-of", 2, 10),
    "literal token": (f"version: 1\n{MAGENTO}, token: abc}}}}\n", "secret-literal", 2, 58),
    "unknown kind of token": (f"version: 1\n{MAGENTO}, token: '${{fil:T}}'}}}}\n", "secret-kind", 2, 58),
    "half an oauth": (
        f"version: 1\n{MAGENTO}, oauth: {{consumer_key: '${{env:T}}'}}}}}}\n",
        "missing-key",
        2,
        51,
    ),
    "store id": ("version: 1\norders: {file: x, stores: {de: 1}}\n", "unknown-key", 2, 28),
    "store code": ("version: 1\norders: {file: x, stores: {1: 1}}\n", "wrong-type", 2, 31),
    "source name": ("version: 1\norders: {'e u': {file: x}}\n", "unknown-key", 2, 10),
    "default that is no default": ("version: 1\ndefaults: {name: x}\n", "unknown-key", 2, 12),
    "broken default": ("version: 1\ndefaults: {invitations: {pending_period: 999}}\n", "out-of-range", 2, 42),
    "default status": (
        "version: 1\ndefaults: {invitations: {order_statuses: [closed]}}\n",
        "order-status-over",
        2,
        43,
    ),
    "default source": ("version: 1\ndefaults: {orders: eu}\n", "order-source-unknown", 2, 20),
}


@pytest.mark.parametrize(("project", "rule", "line", "column"), BROKEN_PROJECTS.values(), ids=BROKEN_PROJECTS)
def test_broken_projects(project: str, rule: str, line: int, column: int) -> None:
    """Every mistake of the project file is found at its line and column, under its rule, with a hint."""
    configuration, diagnostics = checked(project=project)
    places = {str(each.place) for each in diagnostics if each.rule == rule}
    assert configuration is None
    assert f"ekomi-reconcile.yaml:{line}:{column}" in places
    assert all(each.hint for each in diagnostics)


PLAIN = [
    "http://api.example.com",
    "http://127.0.0.1.example.com/v3",
    "http://10.0.0.5:8080",
    "http://localhost.example.com",
    "http://[2001:db8::1]/x",
    "http://0.0.0.0",
    "http://[::1",
]
LOOPBACK = ["http://localhost:8021/v3", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8021"]
URLS = [
    ("ekomi: {{api_url: '{}'{}}}", "ekomi.api_url"),
    ("ekomi: {{srr_url: '{}'{}}}", "ekomi.srr_url"),
    ("orders: {{magento: {{base_url: '{}', token: '${{env:T}}'{}}}}}", "orders.magento.base_url"),
    ("orders: {{eu: {{magento: {{base_url: '{}', token: '${{env:T}}'{}}}}}}}", "orders.eu.magento.base_url"),
]


@pytest.mark.parametrize(("line", "key"), URLS, ids=[key for _, key in URLS])
def test_plain_http_leaves_this_machine_only_where_it_is_allowed(line: str, key: str) -> None:
    """An error at its place that says what to write; not for loopback, https, or with `allow_http: true`."""

    def found(url: str, more: str = "") -> list[str]:
        _, diagnostics = checked(project=f"version: 1\n{line.format(url, more)}\n")
        return [each.key or "" for each in diagnostics if each.rule == "plain-http"]

    for url in PLAIN:
        assert found(url) == [key], url
        assert found(url, ", allow_http: false") == [key], url
        assert found(url, ", allow_http: true") == [], url
    for url in (*LOOPBACK, "https://api.example.com"):
        assert found(url) == [], url


SECRET = "hunter2-geheim"
LEAKS = [
    _account(interface_password=SECRET),
    _account(interface_password=f"[{SECRET}]"),
    _account(interface_password=f"{{{SECRET}: {SECRET}}}"),
    _account(interface_password=f"{{{SECRET}: 1, {SECRET}: 2}}"),
    _account(interface_password=f"!{SECRET} x"),
    _account(interface_password=f"!x {SECRET}"),
    _account(interface_password=f"*{SECRET}"),
    _account(interface_password=f"&{SECRET} &{SECRET} x"),
    _account(interface_password=f"|\n  {SECRET}"),
    _account(interface_password=f"%{SECRET}"),
    _account(interface_password=f"@{SECRET}"),
    _account(interface_password=f'"{SECRET}\\q"'),
    _account(interface_password=f"${{env:X}}{SECRET}"),
    _account(interface_password=f"'{SECRET}"),
    _account(interface_password=f"{SECRET}: x"),
    _account(interface_pasword=SECRET),
    _account(name=f"{{interface_password:{SECRET}}}"),
    f"{{name: x, interface_password:{SECRET}}}",
    f"interface_password:{SECRET}",
    f"- interface_password: {SECRET}",
    f"? interface_password: {SECRET}\n: 1",
    f"links: {{webshop_url: 'https://user:{SECRET}@shop.example'}}",
    f"name:\n  interface_password={SECRET}",
    _account(interface_id=SECRET),
    _account(interface_id=f"[{SECRET}]"),
    _account(interface_id=f'"{SECRET}'),
    _account(interface_pw=SECRET, zzz="1"),
    _account(api_token=f"{SECRET}: x"),
    _account(tags=f"[] # the password is {SECRET}, password: {SECRET}"),
    _account(tags=f"[] # {SECRET}"),
    _account(interface_password=f'"x\n  {SECRET}" zzz: 1'),
    _account(interface_password=f'"x\n  {SECRET}\n'),
    _account(links=f"{{interface_password: {SECRET}, zzz: 1}}"),
    _account(links=f"{{password: x\n  {SECRET}, zzz: 1}}"),
]


@pytest.mark.parametrize("text", LEAKS)
def test_a_literal_secret_is_never_echoed(text: str) -> None:
    """However a password got into the file, no message repeats it."""
    configuration, diagnostics = checked(text)
    assert configuration is None
    assert SECRET not in repr(diagnostics)


@pytest.mark.parametrize(
    "value", ["{0}", "[{0}]", "{{ {0}: 1 }}", "!{0} x", "*{0}", "'{0}", "{{ a: {{ {0} }} }}"]
)
@pytest.mark.parametrize(
    "project",
    [
        "orders: {{magento: {{base_url: 'https://x.example', token: {0} }}}}",
        "orders: {{magento: {{base_url: 'https://x.example', oauth: {0} }}}}",
        "orders: {{magento: {{base_url: 'https://x.example', oauth: {{access_token: {0} }}}}}}",
        "privacy: {{key: {0} }}",
    ],
)
def test_a_literal_secret_of_the_project_is_never_echoed(project: str, value: str) -> None:
    """The same for tokens, OAuth values and the privacy key."""
    _, diagnostics = checked(project=f"version: 1\n{project.format(value.format(SECRET))}\n")
    assert any(each.is_error for each in diagnostics)
    assert SECRET not in repr(diagnostics)


def test_url_with_credentials_is_refused_and_not_echoed() -> None:
    """Credentials in an address are an error whose message does not repeat them."""
    shop = f"{{base_url: 'https://u:{SECRET}@x.example', token: '${{env:T}}'}}"
    project = f"version: 1\norders: {{magento: {shop}}}\n"
    _, diagnostics = checked(project=project)
    assert [each.rule for each in diagnostics] == ["invalid-text"]
    assert SECRET not in repr(diagnostics)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=6, max_size=20),
    st.sampled_from(["{}", '"{}"', "[{}]", "{{{}}}", "!{} x", "*{}", "&{}", "{}: x", "x{}\n  y"]),
)
def test_no_form_of_a_secret_is_echoed(secret: str, form: str) -> None:
    """Property: whatever stands under interface_password, however written, is in no diagnostic."""
    secret = f"Zq9{secret}"
    configuration, diagnostics = checked(_account(interface_password=form.format(secret)))
    assert configuration is None
    assert secret not in repr(diagnostics)


def test_found_values_are_short() -> None:
    """A long value is shortened in the message, a list is shown as one."""
    _, diagnostics = checked(
        _account(name=f'" {"x" * 5_000}"'), ACCOUNT + WHEN + "weight: {between: [2, 1]}\n"
    )
    found = [each for each in diagnostics if each.rule in {"invalid-text", "too-long", "between-order"}]
    assert max(len(str(each.found)) for each in found) <= 60
    assert found[-1].found == "[2, 1]"


def test_whole_floats_are_days() -> None:
    """14.0 is the whole number 14."""
    configuration = loaded(ACCOUNT + RULE + "pending_period: 14.0\n")
    assert repr(configuration.accounts[0].invitations.pending_period) == "14"


def _errors(diagnostics: tuple[Diagnostic, ...]) -> list[Diagnostic]:
    return [each for each in diagnostics if each.is_error]


def test_empty_mappings_are_fine() -> None:
    """A section without keys takes all its defaults."""
    sections = "".join(f"{each}: {{}}\n" for each in ("schedule", "defaults", "ekomi", "safety", "privacy"))
    configuration, diagnostics = checked(ACCOUNT + "links: {}\ninvitations: {}\n", project=PROJECT + sections)
    assert configuration is not None
    assert _errors(diagnostics) == []


@pytest.mark.parametrize(
    ("orders", "rule", "part"),
    [
        ("file: a.csv, columns: {increment_id: No, satus: S}", "unknown-key", "did you mean `status`?"),
        ("file: a.csv, columns: {increment_id: 5}", "wrong-type", ""),
        ("file: a.csv, columns: {}", "too-few-entries", ""),
        ("file: a.csv, columns: {status: {values: {a: b}}}", "missing-key", "`column: Status`"),
        ('file: a.csv, decimal: ";"', "unknown-value", ""),
        ("file: a.csv, timezone: Europe/Berlyn", "timezone-unknown", "did you mean `Europe/Berlin`?"),
        ("file: a.csv, columns: {items.sku: S}", "order-file-columns", "add `items: per_row`"),
        (
            "magento: {base_url: https://shop.example, token: '${env:T}'}, decimal: ','",
            "order-file-columns",
            "",
        ),
    ],
)
def test_mappings_of_order_files_are_checked(orders, rule, part):
    """Each mistake has a place, a rule and a hint; fields are known by name."""
    configuration, diagnostics = checked(ACCOUNT, project=f"version: 1\norders: {{{orders}}}\n")
    assert configuration is None
    (found,) = [each for each in diagnostics if each.is_error]
    assert (found.rule, found.place.line) == (rule, 2)
    assert part in (found.hint or "")
