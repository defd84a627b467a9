"""Answers and refusals as Magento writes them, faults included.

A message keeps its placeholders; their values travel in `parameters`: a list for `%1`, an object for `%name`.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from ekomi_reconcile.sandbox.magento.settings import ShopClock

Parameters = list[Any] | dict[str, Any] | None


class RequestRejected(Exception):
    """The request ends with this status and message."""

    def __init__(self, status: int, message: str, parameters: Parameters = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message}
        if self.parameters is not None:
            body["parameters"] = self.parameters
        return body


class Broken(Exception):
    """The shop itself failed: a masked 500 with a report id."""


def unauthorized(resource: str) -> RequestRejected:
    """401: no login, an unknown or expired one, or a missing permission; the text is the same for all."""
    message = "The consumer isn't authorized to access %resources."
    return RequestRejected(401, message, {"resources": resource})


def required(field: str) -> RequestRejected:
    return RequestRejected(400, '"%fieldName" is required. Enter and try again.', {"fieldName": field})


def unsupported(field: str) -> RequestRejected:
    message = '"%fieldName" is not supported. Correct the field name and try again.'
    return RequestRejected(400, message, {"fieldName": field})


def no_entity() -> RequestRejected:
    return RequestRejected(
        404, "The entity that was requested doesn't exist. Verify the entity and try again."
    )


def no_route() -> RequestRejected:
    return RequestRejected(404, "Request does not match any route.")


def cannot_process() -> RequestRejected:
    return RequestRejected(400, "Specified request cannot be processed.")


def wrong_type(value: str, wanted: str) -> RequestRejected:
    message = (
        f'The "{value}" value\'s type is invalid. The "{wanted}" type was expected. Verify and try again.'
    )
    return RequestRejected(400, message)


_HTML = "text/html; charset=UTF-8"
_ERROR_PAGE = (
    '<!doctype html>\n<html xmlns="http://www.w3.org/1999/xhtml" >\n<head>\n'
    '    <title>{title}</title>\n</head>\n<body>\n<main class="page-main">\n<h1>{title}</h1>\n'
    "</main>\n</body>\n</html>\n"
)
NOT_FOUND_PAGE = (
    '<!doctype html>\n<html lang="en">\n    <head >\n        <title>404 Not Found</title>\n    </head>\n'
    "    <body>\n        <h1>Whoops, our bad...</h1>\n    </body>\n</html>\n"
)


class Format(Enum):
    """What the caller accepts; NONE is nothing the REST layer can write."""

    JSON = "application/json; charset=utf-8"
    XML = "application/xml; charset=utf-8"
    NONE = ""


def accepted(header: str | None) -> Format:
    """The first kind the REST layer can write; no header means JSON."""
    kinds = [part.partition(";")[0].strip() for part in (header or "*/*").split(",")]
    for kind in kinds:
        if kind in {"*/*", "application/*", "application/json"}:
            return Format.JSON
        if kind in {"application/xml", "text/xml", "application/xhtml+xml"}:
            return Format.XML
    return Format.NONE


def document(content: Any, status: int, *, kind: Format, clock: ShopClock) -> Response:
    """An answer of the REST layer."""
    body = encoded(content) if kind is not Format.XML else _xml(content).encode()
    headers = {
        "Set-Cookie": "PHPSESSID=sandbox; path=/; HttpOnly; SameSite=Lax",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
        "Expires": "Thu, 19 Nov 1981 08:52:00 GMT",
    }
    return Response(body, status, headers | date(clock), media_type=kind.value)


def page(title: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """One of the shop's HTML error pages."""
    return Response(_ERROR_PAGE.format(title=title), status, headers, media_type=_HTML)


def encoded(content: Any) -> bytes:
    return msgspec.json.encode(content)


def masked(report: str) -> dict[str, str]:
    """The body of a 500 whose cause only the shop's log tells."""
    return {"message": f"Internal Error. Details are available in Magento log file. Report ID: {report}"}


def storefront_page() -> Response:
    """The shop's own page for an address it does not know."""
    return Response(NOT_FOUND_PAGE, 404, media_type=_HTML)


def date(clock: ShopClock) -> dict[str, str]:
    """The shop's own Date header: the web server leaves it to the shop, whose clock may be set."""
    return {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(clock.now()))}


def _xml(content: Any) -> str:
    body = "\n".join(_elements(content, 1))
    return f'<?xml version="1.0"?>\n<response>\n{body}\n</response>\n'


def _elements(content: Any, depth: int) -> Iterator[str]:
    pairs: Iterable[tuple[str, Any]] = [("item", content)]
    if isinstance(content, dict):
        pairs = content.items()
    elif isinstance(content, list):
        pairs = [("item", member) for member in content]
    indent = "  " * depth
    for key, value in pairs:
        name = re.sub(r"^(?=\d)", "item", key)
        if isinstance(value, dict | list):
            inner = "\n".join(_elements(value, depth + 1))
            yield f"{indent}<{name}>\n{inner}\n{indent}</{name}>" if inner else f"{indent}<{name}/>"
        else:
            yield f"{indent}<{name}>{_text(value)}</{name}>"


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "1" if value is True else escape(str(value))


Order = dict[str, Any]


class OrderDamage(StrEnum):
    """What is wrong with an order. The first two make every page that touches it a 500."""

    PAYMENT_INFO_UNREADABLE = "payment_info_unreadable"
    ITEM_OPTIONS_UNREADABLE = "item_options_unreadable"
    NO_PAYMENT = "no_payment"
    NO_ITEMS = "no_items"
    NO_BILLING_ADDRESS = "no_billing_address"
    NO_SHIPPING_ADDRESS = "no_shipping_address"
    NO_STORE = "no_store"


POISON = frozenset({OrderDamage.PAYMENT_INFO_UNREADABLE, OrderDamage.ITEM_OPTIONS_UNREADABLE})


def damaged(order: Order, damage: OrderDamage) -> Order:
    """The order as it would be sent; the given one is unchanged.

    Raises Broken for what makes the whole page fail.

    Raises:
        Broken: the damage makes the shop answer 500.
    """
    if damage in POISON:
        raise Broken
    if damage is OrderDamage.NO_ITEMS:
        return _reassigned(order | {"items": []}, _assignment(order) | {"items": []})
    if damage is OrderDamage.NO_SHIPPING_ADDRESS:
        shipping = _without(_assignment(order)["shipping"], "address")
        return _reassigned(order, _assignment(order) | {"shipping": shipping})
    if damage is OrderDamage.NO_STORE:
        items = [_without(item, "store_id") for item in order["items"]]
        return _without(order, "store_id") | {"items": items}
    key = "payment" if damage is OrderDamage.NO_PAYMENT else "billing_address"
    return _without(order, key)


def _without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k != key}


def _assignment(order: Order) -> dict[str, Any]:
    assignment: dict[str, Any] = order["extension_attributes"]["shipping_assignments"][0]
    return assignment


def _reassigned(order: Order, assignment: dict[str, Any]) -> Order:
    attributes = order["extension_attributes"] | {"shipping_assignments": [assignment]}
    return order | {"extension_attributes": attributes}


class FaultKind(StrEnum):
    """What goes wrong. `slow` delays the right answer; the others replace it.

    With `internal_after` the request takes effect before the shop answers 500.
    """

    MAINTENANCE = "maintenance"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    INTERNAL_AFTER = "internal_after"
    FATAL = "fatal"
    DATABASE_DOWN = "database_down"
    HTML = "html"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    REDIRECT = "redirect"
    SLOW = "slow"


@dataclass(slots=True)
class ShopFault:
    """A fault for requests whose path contains `path`.

    `skip` requests pass first, then `times` are hit (None: all). `delay` is in seconds. `status` is for
    `html` and `empty`, `retry_after` is the header's value, `location` the target of a redirect.
    """

    kind: FaultKind
    path: str = ""
    times: int | None = None
    skip: int = 0
    delay: float = 0.0
    status: int = 200
    retry_after: str | None = None
    location: str = ""


@dataclass(slots=True)
class FaultPlan:
    """The faults in force, first match first."""

    faults: list[ShopFault] = field(default_factory=list)

    def add(self, kind: FaultKind, **details: object) -> ShopFault:
        fault = ShopFault(kind, **details)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        self.faults.clear()

    def take(self, path: str) -> ShopFault | None:
        """The fault that hits this request, counted down."""
        for fault in self.faults:
            if fault.path not in path or fault.times == 0:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None


_JSON = "application/json; charset=utf-8"
_TOO_MANY = b'{"message":"Too Many Requests","trace":null}'
_FATAL_MESSAGE = "Server internal error. See details in report api/384225039194"
_FATAL = encoded({"messages": {"error": [{"code": 500, "message": _FATAL_MESSAGE}]}})
_NO_DATABASE = (
    "<!doctype html>\nAn error has happened during application run. See exception log for details.\n"
)


def replacement(fault: ShopFault, report: str) -> Response | None:
    """The answer a fault puts in place of the right one, None when it leaves it."""
    later = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return _json(fault, later, report) or _other(fault, later)


def truncated(response: Response) -> Response:
    """Half of an answer, as if the connection to PHP broke."""
    return Response(response.body[: len(response.body) // 2], response.status_code, media_type=_JSON)


def _json(fault: ShopFault, later: dict[str, str], report: str) -> Response | None:
    match fault.kind:
        case FaultKind.TOO_MANY_REQUESTS:
            return Response(_TOO_MANY, 429, later, media_type=_JSON)
        case FaultKind.INTERNAL | FaultKind.INTERNAL_AFTER:
            return Response(encoded(masked(report)), 500, later, media_type=_JSON)
        case FaultKind.FATAL:
            return Response(_FATAL, 500, later, media_type=_JSON)
    return None


def _other(fault: ShopFault, later: dict[str, str]) -> Response | None:
    match fault.kind:
        case FaultKind.MAINTENANCE:
            return page("Error 503: Service Unavailable", 503, later)
        case FaultKind.DATABASE_DOWN:
            return PlainTextResponse(_NO_DATABASE, 500)
        case FaultKind.HTML:
            return page("Just a moment...", fault.status, later)
        case FaultKind.EMPTY:
            return Response(status_code=fault.status, headers=later)
        case FaultKind.REDIRECT:
            return RedirectResponse(fault.location, 302)
    return None
