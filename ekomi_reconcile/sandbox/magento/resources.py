"""The REST resources: which address needs which permission, and what it answers."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.sandbox.magento import criteria as magento_criteria
from ekomi_reconcile.sandbox.magento import login
from ekomi_reconcile.sandbox.magento.render import RequestRejected, required, unsupported, wrong_type
from ekomi_reconcile.sandbox.magento.settings import PageLimit
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.magento.table import Row, Table

_COMMENT_KEYS = {
    "comment",
    "created_at",
    "entity_id",
    "entity_name",
    "extension_attributes",
    "is_customer_notified",
    "is_visible_on_front",
    "parent_id",
    "status",
}


@dataclass(slots=True)
class RoutedCall:
    """One request that was routed and may be served; `orders` counts the orders in the answer."""

    shop: SimulatedShop
    query: magento_criteria.PhpArray
    path: Mapping[str, str]
    body: Mapping[str, Any]
    orders: int = 0

    def number(self, name: str) -> int:
        """Read a number from the path.

        Raises:
            RequestRejected: 400 when it is none.
        """
        value = self.path[name]
        if not re.fullmatch(r"[+-]?\d+", value):
            raise wrong_type(value, "int")
        return int(value)

    def criteria(self) -> magento_criteria.Criteria:
        """The criteria of the request within the shop's page limit.

        Raises:
            RequestRejected: 400 for a page size over the maximum.
        """
        criteria, settings = magento_criteria.parse_criteria(self.query), self.shop.settings
        if settings.page_limit is PageLimit.OFF:
            return criteria
        if criteria.page_size is None:
            return dataclasses.replace(criteria, page_size=settings.default_page_size)
        if criteria.page_size > settings.maximum_page_size:
            message = "Maximum SearchCriteria pageSize is %max"
            raise RequestRejected(400, message, {"max": settings.maximum_page_size})
        return criteria


Handler = Callable[[RoutedCall], Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """An address with `:name` parts; `permission` is an ACL id, empty for calls anybody may make."""

    method: str
    pattern: str
    permission: str
    handler: Handler

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The named parts of a path that fits, None of one that does not."""
        parts = self.pattern.split("/")
        if len(parts) != len(segments):
            return None
        pairs = list(zip(parts, segments, strict=True))
        if any(part != segment for part, segment in pairs if not part.startswith(":")):
            return None
        return {part[1:]: segment for part, segment in pairs if part.startswith(":")}


def find(method: str, segments: list[str]) -> tuple[Resource, dict[str, str]] | None:
    """The resource of a path below `/V1`, with its named parts."""
    for resource in RESOURCES:
        if resource.method == method:
            parts = resource.match(segments)
            if parts is not None:
                return resource, parts
    return None


def _list_orders(call: RoutedCall) -> Any:
    criteria, shop = call.criteria(), call.shop
    page = shop.orders.search(criteria, shop.settings.past_the_end)
    items = [shop.visible(order) for order in page.rows]
    call.orders = len(items)
    return {"items": items, "search_criteria": criteria.echo(), "total_count": page.total}


def _order(call: RoutedCall) -> Any:
    answer = call.shop.visible(call.shop.order(call.number("id")))
    call.orders = 1
    return answer


def _order_status(call: RoutedCall) -> Any:
    return call.shop.order(call.number("id"))["status"]


def _comments(call: RoutedCall) -> Any:
    """Oldest first, unlike `status_histories`; an unknown order has none."""
    number = call.number("id")
    order = call.shop.orders.get(number) or {}
    entries = sorted(order.get("status_histories") or [], key=lambda entry: int(entry["entity_id"]))
    echo = magento_criteria.Criteria(((magento_criteria.ColumnFilter("parent_id", str(number)),),)).echo()
    return {"items": entries, "search_criteria": echo, "total_count": len(entries)}


def _add_comment(call: RoutedCall) -> Any:
    given = call.body.get("statusHistory", call.body.get("status_history"))
    if not isinstance(given, dict):
        raise required("statusHistory")
    for key in given:
        if magento_criteria.snake(key) not in _COMMENT_KEYS:
            raise unsupported(magento_criteria.upper_camel(key))
    entry = {magento_criteria.snake(key): value for key, value in given.items()}
    number, notified = call.number("id"), entry.get("is_customer_notified")
    return call.shop.comment(number, entry.get("comment"), status=entry.get("status"), notified=notified)


def _search(table: Callable[[SimulatedShop], Table]) -> Handler:
    def handler(call: RoutedCall) -> Any:
        criteria = call.criteria()
        page = table(call.shop).search(criteria, call.shop.settings.past_the_end)
        return {"items": page.rows, "search_criteria": criteria.echo(), "total_count": page.total}

    return handler


def _store_configs(call: RoutedCall) -> Any:
    wanted = call.query.get("storeCodes", call.query.get("store_codes"))
    configs = call.shop.stores.configs
    if not isinstance(wanted, dict):
        return configs
    return [config for config in configs if config["code"] in wanted.values()]


def _category_tree(call: RoutedCall) -> Any:
    root = call.query.get("rootCategoryId")
    if not isinstance(root, str):
        return call.shop.catalog.tree
    if not root.isdigit():
        raise wrong_type(root, "int")
    found = call.shop.catalog.subtree(int(root))
    if found is None:
        raise RequestRejected(
            404, "No such entity with %fieldName = %fieldValue", {"fieldName": "id", "fieldValue": root}
        )
    return found


def _with_quantities(
    action: Callable[[SimulatedShop], Callable[[int, dict[int, float] | None], int]],
) -> Handler:
    def handler(call: RoutedCall) -> Any:
        rows: list[Row] = call.body.get("items") or []
        quantities = dict(_quantity(row) for row in rows) or None
        return str(action(call.shop)(call.number("id"), quantities))

    return handler


def _quantity(row: Row) -> tuple[int, float]:
    """Read the lines of a document: item and pieces.

    Raises:
        RequestRejected: 400 for a row without a number of the item or of pieces.
    """
    values = []
    for name in ("order_item_id", "qty"):
        value = row.get(name)
        if value is None:
            raise required(name)
        if not isinstance(value, int | float):
            raise wrong_type(str(value), "float")
        values.append(value)
    return int(values[0]), float(values[1])


def _action(action: Callable[[SimulatedShop], Callable[[int], bool]]) -> Handler:
    return lambda call: action(call.shop)(call.number("id"))


def _token(issue: Callable[..., str]) -> Handler:
    return lambda call: issue(call.body, credentials=call.shop.credentials, now=call.shop.clock.now())


_VIEW = "Magento_Sales::actions_view"
_STORE = "Magento_Backend::store"

RESOURCES = (
    Resource("GET", "orders", _VIEW, _list_orders),
    Resource("GET", "orders/items", _VIEW, _search(lambda shop: shop.order_items())),
    Resource("GET", "orders/:id", _VIEW, _order),
    Resource("GET", "orders/:id/statuses", _VIEW, _order_status),
    Resource("GET", "orders/:id/comments", _VIEW, _comments),
    Resource("POST", "orders/:id/comments", "Magento_Sales::comment", _add_comment),
    Resource("POST", "orders/:id/hold", "Magento_Sales::hold", _action(lambda shop: shop.hold)),
    Resource("POST", "orders/:id/unhold", "Magento_Sales::unhold", _action(lambda shop: shop.unhold)),
    Resource("POST", "orders/:id/cancel", "Magento_Sales::cancel", _action(lambda shop: shop.cancel)),
    Resource("POST", "orders/:id/emails", "Magento_Sales::emails", _action(lambda shop: shop.send_email)),
    Resource(
        "POST", "order/:id/invoice", "Magento_Sales::sales", _with_quantities(lambda shop: shop.invoice)
    ),
    Resource("POST", "order/:id/ship", "Magento_Sales::ship", _with_quantities(lambda shop: shop.ship)),
    Resource(
        "POST", "order/:id/refund", "Magento_Sales::creditmemo", _with_quantities(lambda shop: shop.refund)
    ),
    Resource("GET", "shipments", "Magento_Sales::shipment", _search(lambda shop: shop.shipments)),
    Resource("GET", "invoices", "Magento_Sales::sales_invoice", _search(lambda shop: shop.invoices)),
    Resource("GET", "creditmemos", "Magento_Sales::sales_creditmemo", _search(lambda shop: shop.creditmemos)),
    Resource("GET", "store/storeViews", _STORE, lambda call: call.shop.stores.views),
    Resource("GET", "store/storeGroups", _STORE, lambda call: call.shop.stores.groups),
    Resource("GET", "store/websites", _STORE, lambda call: call.shop.stores.websites),
    Resource("GET", "store/storeConfigs", _STORE, _store_configs),
    Resource(
        "GET", "customerGroups/search", "Magento_Customer::group", _search(lambda shop: shop.customer_groups)
    ),
    Resource("GET", "products", "Magento_Catalog::products", _search(lambda shop: shop.catalog.products)),
    Resource(
        "GET",
        "products/attribute-sets/sets/list",
        "Magento_Catalog::sets",
        _search(lambda shop: shop.catalog.attribute_sets),
    ),
    Resource(
        "GET",
        "products/:sku",
        "Magento_Catalog::products",
        lambda call: call.shop.catalog.product(call.path["sku"]),
    ),
    Resource("GET", "categories", "Magento_Catalog::categories", _category_tree),
    Resource(
        "GET", "categories/list", "Magento_Catalog::categories", _search(lambda shop: shop.catalog.categories)
    ),
    Resource("POST", "integration/admin/token", "", _token(login.admin_token)),
    Resource("POST", "tfa/provider/google/authenticate", "", _token(login.google_token)),
)
