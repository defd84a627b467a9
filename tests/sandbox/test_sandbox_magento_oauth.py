"""OAuth as the recorded shop judged it: accepted signatures, and eighty ways to write a signed query."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from magento_served import RECORDED, authorization, load, send, served

from ekomi_reconcile.sandbox.magento.login import (
    Integration,
    SignedRequest,
    base_string,
    natural_order,
    protocol_parameters,
    query_parameters,
    server_url,
    signature,
)
from ekomi_reconcile.sandbox.magento.settings import BearerTokens, HostHeader, Settings
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

VECTORS = load("oauth/signature_vectors")
VERDICTS = {row["case"]: row for row in load("oauth/query_forms_table")}
READER = {"Magento_Sales::actions_view", "Magento_Backend::store", "Magento_Customer::group"}
NOW = 1795443905
ORDERS = "/rest/V1/orders?"
FIELDS = "&fields=items[entity_id],total_count"
PLAIN = f"{ORDERS}searchCriteria[pageSize]=2{FIELDS}"


def _filter(
    value: str, field: str = "created_at", condition: str = "gt", *, group: int = 0, one: int = 0
) -> str:
    at = f"searchCriteria[filter_groups][{group}][filters][{one}]"
    return f"{at}[field]={field}&{at}[value]={value}&{at}[condition_type]={condition}"


def _query(*parts: str) -> str:
    return ORDERS + "&".join([*parts, "searchCriteria[pageSize]=2"]) + FIELDS


def _groups(*numbers: int) -> str:
    return _query(*(_filter("0", "entity_id", group=number) for number in numbers))


def _encoded(target: str) -> str:
    return target.replace("[", "%5B").replace("]", "%5D")


SPACE, PLUS = "2026-01-01%2000:00:00", "2026-01-01+00:00:00"
NAME = "customer_lastname"
ODD = "!*'()"
ELEVEN = _query(*(_filter(str(i), "entity_id", "eq", one=i) for i in range(11)))
TEN_GROUPS, ELEVEN_GROUPS = _groups(*range(10)), _groups(*range(11))

# Case of the recorded table -> target, and what the header has that a plain one has not.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "brackets raw": (PLAIN, {}),
    "brackets %5B": (_encoded(PLAIN), {}),
    "brackets %5b lower case": (_encoded(PLAIN).replace("%5B", "%5b").replace("%5D", "%5d"), {}),
    "snake search_criteria[page_size]": (f"{ORDERS}search_criteria[page_size]=2{FIELDS}", {}),
    "no oauth_version": (PLAIN, {"oauth_version": None}),
    "oauth_version 2.0": (PLAIN, {"oauth_version": "2.0"}),
    "HMAC-SHA1": (PLAIN, {"oauth_signature_method": "HMAC-SHA1"}),
    "method PLAINTEXT": (PLAIN, {"oauth_signature_method": "PLAINTEXT"}),
    "space %20 colons raw": (_query(_filter(SPACE)), {}),
    "space %20 colons %3A": (_query(_filter(SPACE.replace(":", "%3A"))), {}),
    "space as + (signed as space)": (_query(_filter(PLUS)), {}),
    "space as + (signed as literal plus)": (_query(_filter(PLUS)), {"decode": unquote}),
    "T instead of space": (_query(_filter("2026-01-01T00:00:00")), {}),
    "plus %2B in value": (_query(_filter("a%2Bb", "customer_email", "eq")), {}),
    "@ raw": (_query(_filter("mira.kolb@example.com", "customer_email", "eq")), {}),
    "@ %40": (_query(_filter("mira.kolb%40example.com", "customer_email", "eq")), {}),
    "like %25": (_query(_filter("%25example%25", "customer_email", "like")), {}),
    "in with raw commas": (_query(_filter("1,2,3", "entity_id", "in")), {}),
    "in with %2C": (_query(_filter("1%2C2%2C3", "entity_id", "in")), {}),
    "utf-8 value": (_query(_filter("M%C3%BCller", NAME, "eq")), {}),
    "tilde in value": (_query(_filter("a~b", NAME, "eq")), {}),
    "chars !*'() raw": (_query(_filter(ODD, NAME, "eq")), {}),
    "chars !*'() encoded": (_query(_filter("%21%2A%27%28%29", NAME, "eq")), {}),
    "= raw inside value": (_query(_filter("a=b", NAME, "eq")), {}),
    "= encoded inside value": (_query(_filter("a%3Db", NAME, "eq")), {}),
    "& encoded inside value": (_query(_filter("a%26b", NAME, "eq")), {}),
    "# encoded": (_query(_filter("a%23b", NAME, "eq")), {}),
    "empty value": (_query(_filter("", NAME, "eq")), {}),
    "param without = ": (f"{ORDERS}searchCriteria{FIELDS}", {}),
    "searchCriteria= (empty) ": (f"{ORDERS}searchCriteria={FIELDS}", {}),
    "trailing &": (f"{PLAIN}&", {}),
    "double &&": (PLAIN.replace("&fields", "&&fields"), {}),
    "duplicate key": (PLAIN.replace("=2&", "=1&searchCriteria[pageSize]=2&"), {}),
    "indices 0..9": (TEN_GROUPS, {}),
    "indices 0..10 RFC sort": (ELEVEN_GROUPS, {}),
    "indices 2 and 10 only": (_groups(2, 10), {}),
    "index 10 only": (_groups(10), {}),
    "indices 10 and 11": (_groups(10, 11), {}),
    "keys out of order, idx 3 then 1": (_groups(3, 1), {}),
    "two filters in group": (
        _query(_filter("4", "entity_id", "eq"), _filter("5", "entity_id", "gt", one=1)),
        {},
    ),
    "11 filters in group": (ELEVEN, {}),
    "camel filterGroups + conditionType": (
        _query(_filter("5", "entity_id", "lt"))
        .replace("filter_groups", "filterGroups")
        .replace("_type", "Type"),
        {},
    ),
    "mixed sortOrders + filter_groups": (
        _query(_filter("5", "entity_id"), "searchCriteria[sortOrders][0][field]=entity_id"),
        {},
    ),
    "fields nested encoded brackets": (
        _encoded(f"{ORDERS}searchCriteria[pageSize]=1&fields=items[entity_id,items[sku]]"),
        {},
    ),
    "path with store code all": (PLAIN.replace("/V1", "/all/V1"), {}),
    "path /index.php/rest": (f"/index.php{PLAIN}", {}),
    "signed for https, sent http": (PLAIN, {"address": "https://127.0.0.1"}),
    "signed for other host name": (PLAIN, {"address": "http://other.example.com"}),
    "nonce first use": (PLAIN, {"oauth_nonce": "a" * 32}),
    "nonce 33 chars": (PLAIN, {"oauth_nonce": "b" * 33}),
    "nonce 32 chars": (PLAIN, {"oauth_nonce": "c" * 32}),
    "nonce 64 chars": (PLAIN, {"oauth_nonce": "d" * 64}),
    "timestamp -1 day": (PLAIN, {"oauth_timestamp": str(NOW - 86400)}),
    "timestamp +590 s": (PLAIN, {"oauth_timestamp": str(NOW + 590)}),
    "timestamp +620 s": (PLAIN, {"oauth_timestamp": str(NOW + 620)}),
    "wrong token secret": (PLAIN, {"secret": "wrong"}),
    "unknown token": (PLAIN, {"oauth_token": "x" * 32}),
    "token of wrong length": (PLAIN, {"oauth_token": "abc"}),
    "unknown consumer": (PLAIN, {"oauth_consumer_key": "x" * 32}),
    "consumer key wrong length": (PLAIN, {"oauth_consumer_key": "abc"}),
    "missing oauth_nonce": (PLAIN, {"oauth_nonce": None}),
    "ACL missing (stores only)": (PLAIN, {"who": "stores"}),
    "ACL ok (stores only) storeViews": ("/rest/V1/store/storeViews", {"who": "stores"}),
    "reader: products (no ACL)": ("/rest/V1/products?searchCriteria[pageSize]=1", {}),
    "reader: shipments (no ACL)": ("/rest/V1/shipments?searchCriteria[pageSize]=1", {}),
    "reader: creditmemos (no ACL)": ("/rest/V1/creditmemos?searchCriteria[pageSize]=1", {}),
    "reader: categories (no ACL)": ("/rest/V1/categories", {}),
    "reader: order items": ("/rest/V1/orders/items?searchCriteria[pageSize]=1&fields=items[item_id]", {}),
    "full: sku %2F in path": ("/rest/V1/products/ROPE%2020%2FM?fields=sku", {"who": "full"}),
    "full: sku space only": ("/rest/V1/products/MAP-%C3%96ST?fields=sku", {"who": "full"}),
    "oauthlib %5B": (_encoded(PLAIN), {}),
    "oauthlib %20": (_encoded(_query(_filter(SPACE))), {}),
    "oauthlib T": (_encoded(_query(_filter("2026-01-01T00:00:00"))), {}),
    "oauthlib utf8": (_encoded(_query(_filter("M%C3%BCller", NAME, "eq"))), {}),
    "oauthlib +": (_encoded(_query(_filter(PLUS))), {}),
    "oauthlib idx 10": (_encoded(ELEVEN_GROUPS), {}),
}
# Cases that are more than one signed GET; each has a test of its own below.
APART = {
    "signed with port 8088, web server passes Host without port",
    "nonce reused",
    "nonce reused, other timestamp",
    "other integration token",
    "empty OAuth header",
    "reader: comment POST",
    "full: comment POST",
}


class Caller:
    """The shop on a socket whose web server hands the host on without its port."""

    def __init__(self, shop: SimulatedShop, base: str) -> None:
        self.shop = shop
        self.base = base
        self.address = base.rpartition(":")[0]
        self.owners: dict[str, Integration] = {
            "reader": shop.integrate(READER),
            "stores": shop.integrate({"Magento_Backend::store"}),
            "full": shop.integrate(),
        }

    def verdict(
        self, target: str, *, who: str = "reader", method: str = "GET", body: str = "", **given: Any
    ) -> Any:
        signing = {"address": self.address, "oauth_timestamp": str(NOW)} | given
        headers = {"Authorization": authorization(self.owners[who], self.base, method, target, **signing)}
        if body:
            headers["Content-Type"] = "application/json"
        answer = send(self.base, method, target, headers=headers, body=body)
        return answer.status, answer.json()


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    shop = SimulatedShop.recorded(RECORDED)
    shop.clock.set(NOW)
    shop.settings = Settings(host=HostHeader.WITHOUT_PORT)
    with served(shop) as base:
        yield Caller(shop, base)


@pytest.fixture
def own_shop() -> Iterator[Caller]:
    """A shop whose settings a test may change."""
    shop = SimulatedShop.from_orders([{"entity_id": 1}])
    shop.clock.set(NOW)
    shop.settings = Settings(host=HostHeader.WITHOUT_PORT)
    with served(shop) as base:
        yield Caller(shop, base)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["case"])
def test_an_accepted_signature_verifies(vector: dict[str, Any]) -> None:
    """Base string and signature of a request the real shop accepted come out the same."""
    scheme, host, path, query = re.fullmatch(r"(https?)://([^/]+)([^?]*)\??(.*)", vector["url"]).groups()
    request = SignedRequest(vector["method"], scheme, host, path, query)
    parameters = protocol_parameters(vector["authorization"])
    credentials = VECTORS["credentials"]
    base = base_string(request, parameters)
    assert base == vector["base_string"]
    secrets = credentials["consumer_secret"], credentials["access_token_secret"]
    assert signature(base, *secrets) == parameters["oauth_signature"]


@pytest.mark.parametrize("case", CASES)
def test_a_signed_query_gets_the_recorded_verdict(caller: Caller, case: str) -> None:
    """Each way to write a signed query is accepted or refused as recorded, with the same words."""
    target, given = CASES[case]
    status, content = caller.verdict(target, **given)
    row = VERDICTS[case]
    assert status == row["status"]
    if status != 200:
        assert str(content["message"])[:40] in row["answer_start"].replace('\\"', '"')


def test_every_recorded_verdict_is_covered() -> None:
    """No row of the recorded table is forgotten."""
    assert set(CASES) | APART == set(VERDICTS)


def test_a_nonce_works_once(caller: Caller) -> None:
    """A used nonce is refused whatever the timestamp, also after a wrong signature."""
    assert caller.verdict(PLAIN, oauth_nonce="once", secret="wrong")[0] == 401
    for stamp in (NOW, NOW - 10):
        status, content = caller.verdict(PLAIN, oauth_nonce="once", oauth_timestamp=str(stamp))
        assert (status, content["parameters"]) == (401, ["1"])
        assert content["message"] == "The nonce is already being used by the consumer with ID %1"


def test_a_token_belongs_to_its_consumer(caller: Caller) -> None:
    """The token of another integration is refused."""
    status, content = caller.verdict(PLAIN, oauth_token=caller.owners["full"].token)
    assert (status, content) == (401, {"message": "Token is not associated with the specified consumer"})


def test_an_empty_oauth_header_is_no_login(caller: Caller) -> None:
    """Without any parameter the request goes on as anonymous."""
    answer = send(caller.base, "GET", PLAIN, headers={"Authorization": "OAuth "})
    assert answer.status == 401
    assert answer.json()["parameters"] == {"resources": "Magento_Sales::actions_view"}


def test_a_comment_needs_its_own_permission(caller: Caller) -> None:
    """The reader may not comment, the full integration may."""
    body = '{"statusHistory":{"comment":"x"}}'
    sent = {"method": "POST", "body": body}
    assert caller.verdict("/rest/V1/orders/1/comments", **sent)[0] == 401
    assert caller.verdict("/rest/V1/orders/1/comments", who="full", **sent) == (200, True)


def test_the_port_counts_only_when_the_server_sees_it(own_shop: Caller) -> None:
    """With the port signed: refused while the host comes without it, accepted when it comes unchanged."""
    assert own_shop.verdict(PLAIN, address=own_shop.base)[0] == 401
    own_shop.shop.settings.host = HostHeader.AS_SENT
    assert own_shop.verdict(PLAIN, address=own_shop.base)[0] == 200
    assert own_shop.verdict(PLAIN)[0] == 401


def test_a_proxy_that_says_https_changes_the_signed_address(own_shop: Caller) -> None:
    """With `X-Forwarded-Proto: https` only the https form of the address is accepted."""
    owner = own_shop.owners["full"]
    for address, status in ((own_shop.address, 401), (own_shop.address.replace("http", "https"), 200)):
        header = authorization(owner, own_shop.base, "GET", PLAIN, address=address, oauth_timestamp=str(NOW))
        headers = {"Authorization": header, "X-Forwarded-Proto": "https"}
        assert send(own_shop.base, "GET", PLAIN, headers=headers).status == status


def test_an_integration_token_is_a_login_only_by_switch(own_shop: Caller) -> None:
    """Refused by default, accepted after the switch, and then within its permissions."""
    bearer = {"Authorization": f"Bearer {own_shop.owners['reader'].token}"}
    assert send(own_shop.base, "GET", PLAIN, headers=bearer).status == 401
    own_shop.shop.settings.bearer = BearerTokens.ACCEPTED
    assert send(own_shop.base, "GET", PLAIN, headers=bearer).status == 200
    assert send(own_shop.base, "GET", "/rest/V1/categories", headers=bearer).status == 401


def test_an_admin_token_ends_after_an_hour(own_shop: Caller) -> None:
    """Valid up to the last second, then as good as none."""
    bearer = {"Authorization": f"Bearer {own_shop.shop.admin_token()}"}
    own_shop.shop.clock.advance(3599)
    assert send(own_shop.base, "GET", PLAIN, headers=bearer).status == 200
    own_shop.shop.clock.advance(1)
    assert send(own_shop.base, "GET", PLAIN, headers=bearer).status == 401


def test_six_wrong_passwords_lock_the_account(own_shop: Caller) -> None:
    """The right password is refused with the same words, until half an hour has passed."""
    admin = next(iter(own_shop.shop.credentials.admins.values()))
    target, headers = "/rest/V1/integration/admin/token", {"Content-Type": "application/json"}
    wrong = f'{{"username": "{admin.username}", "password": "no"}}'
    right = f'{{"username": "{admin.username}", "password": "{admin.password}"}}'
    texts = {send(own_shop.base, "POST", target, headers=headers, body=wrong).body for _ in range(6)}
    locked = send(own_shop.base, "POST", target, headers=headers, body=right)
    assert locked.status == 401
    assert texts == {locked.body}
    own_shop.shop.clock.advance(1800)
    assert send(own_shop.base, "POST", target, headers=headers, body=right).status == 200


def test_numbers_sort_by_size_and_text_by_character() -> None:
    """2 comes before 10, 010 before 1, and a shorter text before a longer one."""
    assert natural_order("a[2]", "a[10]") < 0
    assert natural_order("a[10]", "a[9]") > 0
    assert natural_order("010", "1") < 0
    assert natural_order("a", "ab") < 0
    assert natural_order("same1", "same1") == 0


def test_the_server_reads_pairs_its_own_way() -> None:
    """Exactly one `=`, plus signs stay, the last value wins."""
    assert query_parameters("a=1&b&c=2=3&d=x+y&a=4&e=%2B") == {"a": "4", "d": "x+y", "e": "+"}


def test_the_signed_address_is_normalised() -> None:
    """Host case and a default port do not matter; `%2F` in the path becomes a slash, `%20` stays."""
    request = SignedRequest("GET", "http", "Shop.Example.com:80", "/rest/V1/products/A%20B%2fC", "")
    assert server_url(request) == "http://shop.example.com/rest/V1/products/A%20B/C"
