"""Every recorded request against the rebuilt shop: the same status, kind of content and answer."""

import calendar
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from magento_served import RECORDED, Answer, authorization, load, send, served

from ekomi_reconcile.sandbox.magento.login import ALL, AdminUser, Integration, TwoFactor
from ekomi_reconcile.sandbox.magento.render import FaultKind, OrderDamage
from ekomi_reconcile.sandbox.magento.settings import BearerTokens, HostHeader, PageLimit, Settings
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

READER = frozenset({"Magento_Sales::actions_view", "Magento_Backend::store", "Magento_Customer::group"})
STORES_ONLY = frozenset({"Magento_Backend::store"})
PASSWORD = AdminUser().password

# Files that are no request and answer, or that say nothing a stand-in has to repeat.
NOT_REPLAYED = {
    "timings": "measured times, no request",
    "transitions": "what actions did; compared in test_sandbox_magento_transitions.py",
    "oauth/query_forms_table": "80 verdicts; compared in test_sandbox_magento_oauth.py",
    "oauth/signature_vectors": "signatures; compared in test_sandbox_magento_oauth.py",
    "misc/schema_services": "the Swagger page of the real shop, which is no part of the interface",
}

# Answers whose `total_count` cannot be known: compared without it.
COUNT_UNKNOWN = {
    **dict.fromkeys(
        (
            "errors/sql_quote_in_value",
            "errors/unescaped_percent_like",
            "orders/filter_finset",
            "orders/filter_like",
            "orders/filter_neq_null_column",
            "orders/filter_nin",
            "orders/filter_notnull",
            "orders/filter_null",
            "orders/filter_or_group",
            "orders/filter_shipping_method_column",
            "orders/filter_store_id",
        ),
        "orders 201 to 300 were recorded by id only",
    ),
    **dict.fromkeys(
        ("oauth/ok_url_with_port", "orders/all_orders_fields_page_1", "orders/all_orders_fields_page_2"),
        "recorded after eleven more orders were placed",
    ),
}

# Answers without a sort order that the database gave in the order of another index.
ANY_ORDER = {"catalog/products_by_skus": "no sort order: came in the order of the SKU index"}

DAMAGES = {
    "bad_payment_info": OrderDamage.PAYMENT_INFO_UNREADABLE,
    "bad_product_options": OrderDamage.ITEM_OPTIONS_UNREADABLE,
    "no_billing": OrderDamage.NO_BILLING_ADDRESS,
    "no_items": OrderDamage.NO_ITEMS,
    "no_payment": OrderDamage.NO_PAYMENT,
    "no_shipping_address": OrderDamage.NO_SHIPPING_ADDRESS,
    "store_null": OrderDamage.NO_STORE,
}
AFTER_348 = {"poison/order_of_deleted_store_customer_group_product", "poison/page_filter_store_id_null"}
FAULTS = {
    "system/database_down": FaultKind.DATABASE_DOWN,
    "system/maintenance_mode": FaultKind.MAINTENANCE,
    "system/php_memory_exhausted": FaultKind.FATAL,
}
TWO_FACTOR = {
    "twofactor_google_authenticate_not_set_up": TwoFactor.NOT_SET_UP,
    "twofactor_on_admin_token_right_password": TwoFactor.NO_PROVIDER,
    "twofactor_on_admin_token_right_password_provider_google": TwoFactor.NOT_SET_UP,
}
SETTINGS = {
    "config/bearer_on": {"bearer": BearerTokens.ACCEPTED},
    "config/limit_on": {"page_limit": PageLimit.ON},
    "config/limit_50": {"page_limit": PageLimit.ON, "maximum_page_size": 50, "default_page_size": 7},
    "oauth/": {"host": HostHeader.WITHOUT_PORT},
    "poison/": {"host": HostHeader.WITHOUT_PORT},
    "oauth/ok_url_with_port": {"host": HostHeader.AS_SENT},
}

RECORDINGS = sorted(
    path.relative_to(RECORDED).with_suffix("").as_posix() for path in RECORDED.glob("**/*.json")
)
REPLAYED = [name for name in RECORDINGS if name not in NOT_REPLAYED]


# Names and addresses are never made up.
CUSTOMER = {"customer_email", "customer_firstname", "customer_lastname"}


class Replica:
    """The rebuilt shop on a socket, and the integrations that made the recordings."""

    def __init__(self, shop: SimulatedShop, base: str) -> None:
        self.shop = shop
        self.base = base
        resources = {"reader": READER, "storesonly": STORES_ONLY, "full": ALL}
        self.owners = {name: shop.integrate(allowed) for name, allowed in resources.items()}

    def prepare(self, name: str, pair: dict[str, Any]) -> None:
        """The state of the shop at the time of the recording."""
        shop = self.shop
        shop.reset()
        shop.credentials.nonces.clear()
        shop.credentials.admins = {user: AdminUser(user) for user in ("admin", "locky")}
        shop.clock.set(_recorded_at(pair))
        for prefix, switches in SETTINGS.items():
            if name.startswith(prefix):
                shop.settings = Settings(**switches)
        folder, _, case = name.partition("/")
        for damage, kind in DAMAGES.items():
            if folder == "poison" and case.startswith(damage):
                shop.damage(41, kind)
        if name in FAULTS:
            shop.faults.add(FAULTS[name])
        if case.startswith("twofactor"):
            shop.credentials.admins["admin"].two_factor = TWO_FACTOR.get(case, TwoFactor.SET_UP)
        if case == "lock_then_right":
            shop.credentials.admins["locky"].locked_until = shop.clock.now() + 60

    def replay(self, name: str, request: dict[str, Any]) -> Answer:
        headers = dict(request["headers"])
        if "Authorization" in headers:
            headers["Authorization"] = self._login(name, request)
        body = request.get("body", "").replace("<password>", PASSWORD)
        return send(self.base, request["method"], request["target"], headers=headers, body=body)

    def _login(self, name: str, request: dict[str, Any]) -> str:
        header: str = request["headers"]["Authorization"]
        if "oauth_" in header:
            return self._signed(name, request)
        token = self.shop.admin_token()
        if name in {"errors/admin_token_expired", "errors/bad_jwt"}:
            self.shop.credentials.admin_tokens[token] = 0
        for owner, integration in self.owners.items():
            header = header.replace(f"<{owner}-t>", integration.token)
        return header.replace("<TOKEN>", token)

    def _signed(self, name: str, request: dict[str, Any]) -> str:
        """The recorded protocol parameters, signed again: only the secrets are others."""
        recorded = dict(re.findall(r'(oauth_\w+)="([^"]*)"', request["headers"]["Authorization"]))
        recorded.pop("oauth_signature")
        owner = self._owner(" ".join(recorded.values()))
        parts = {"ck": owner.consumer_key, "t": owner.token}
        given = {k: re.sub(r"<\w+-(\w+)>", lambda m: parts[m[1]], v) for k, v in recorded.items()}
        absent = dict.fromkeys({"oauth_nonce", "oauth_version"} - set(given))
        host = self.base if name.endswith("_with_port") else self.base.rpartition(":")[0]
        address = host.replace("http:", "https:") if name.endswith("_https") else host
        changed = {"secret": "wrong"} if name.endswith("err_signature_invalid") else {}
        if name == "oauth/err_nonce_used":
            self.shop.credentials.nonces.add((owner.consumer_id, given["oauth_nonce"]))
        return authorization(
            owner,
            self.base,
            request["method"],
            request["target"],
            address=address,
            **given,
            **absent,
            **changed,
        )

    def _owner(self, text: str) -> Integration:
        return next(integration for name, integration in self.owners.items() if f"<{name}-" in text)


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    shop = SimulatedShop.recorded(RECORDED)
    with served(shop) as base:
        yield Replica(shop, base)


@pytest.fixture(scope="module")
def later_replica() -> Iterator[Replica]:
    """The shop after order 348 was placed and its store view deleted."""
    shop = SimulatedShop.recorded(RECORDED, last_order=348)
    with served(shop) as base:
        yield Replica(shop, base)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", REPLAYED)
def test_a_recorded_request_gets_the_recorded_answer(name: str, request: pytest.FixtureRequest) -> None:
    """The stand-in answers a recorded request with the recorded status, type and content."""
    replica: Replica = request.getfixturevalue("later_replica" if name in AFTER_348 else "replica")
    pair = load(name)
    replica.prepare(name, pair)
    answer = replica.replay(name, pair["request"])
    wanted = pair["response"]
    assert answer.status == wanted["status"]
    assert _media(answer.headers) == _media({k.lower(): v for k, v in wanted["headers"]}) or not answer.body
    if "json" in wanted:
        assert _comparable(name, answer.json()) == _comparable(name, wanted["json"])
    elif "html" in _media(answer.headers):
        assert _title(answer.body.decode()) == _title(wanted["text"])
    elif name != "system/database_down":
        assert answer.body.decode() == wanted["text"]


def test_the_exceptions_name_recordings_that_exist() -> None:
    """No exception outlives its recording."""
    assert {*NOT_REPLAYED, *COUNT_UNKNOWN, *ANY_ORDER, *FAULTS} <= set(RECORDINGS)


def test_whole_orders_have_every_key_of_a_recorded_one(replica: Replica) -> None:
    """Orders that were recorded in part are sent with the keys every whole recorded order has."""
    whole = [order for order in replica.shop.orders if "quote_id" in order]
    always = (
        set.intersection(*(set(order) for order in whole))
        - {"quote_id", "protect_code", "remote_ip"}
        - CUSTOMER
    )
    part = [order for order in replica.shop.orders if "quote_id" not in order]
    missing = {key for order in part for key in always - set(order)}
    assert missing == set()
    assert len(whole) > 15
    assert len(part) > 150


def _recorded_at(pair: dict[str, Any]) -> int:
    date = dict(pair["response"]["headers"])["Date"]
    return calendar.timegm(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT"))


def _media(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").lower().replace(" ", "")


def _title(html: str) -> str:
    found = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    return found[1].strip() if found else ""


def _comparable(name: str, content: Any) -> Any:
    """Without what differs on purpose: report ids, issued tokens, counts and orders that cannot be known."""
    text = re.sub(r"webapi-\w+", "webapi-0", json.dumps(content))
    text = re.sub(r'^"(<TOKEN>|[0-9a-f]{32})"$', '"a token"', text)
    content = json.loads(text)
    if name in COUNT_UNKNOWN:
        assert isinstance(content.pop("total_count"), int)
    if name in ANY_ORDER:
        content["items"].sort(key=lambda row: row["id"])
    return content
