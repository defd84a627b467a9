"""Answers on the wire: JSON, XML, the HTML error pages, and the headers of a Magento answer."""

import re
import time
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from starlette.responses import Response

from ekomi_reconcile.sandbox.magento.clock import Clock

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


def document(content: Any, status: int, *, kind: Format, clock: Clock) -> Response:
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


def date(clock: Clock) -> dict[str, str]:
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
