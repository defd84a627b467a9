"""Settings, clock and store views of the shop."""

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_FORMAT = "%Y-%m-%d %H:%M:%S"


class ShopClock:
    """Seconds since the epoch (UTC); stands still once set, until released."""

    def __init__(self, instant: int | None = None) -> None:
        self._fixed = instant

    def now(self) -> int:
        return int(time.time()) if self._fixed is None else self._fixed

    def is_set(self) -> bool:
        return self._fixed is not None

    def set(self, instant: int) -> None:
        self._fixed = instant

    def advance(self, seconds: int) -> None:
        """Move on by that many seconds; a running clock stops at the new time."""
        self._fixed = self.now() + seconds

    def release(self) -> None:
        """Follow real time again."""
        self._fixed = None

    def sql(self) -> str:
        return sql_time(self.now())


def sql_time(instant: int) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC, as every time in a Magento answer."""
    return time.strftime(_FORMAT, time.gmtime(instant))


def from_sql(text: str) -> int:
    """The instant of a time written by `sql_time`.

    Raises ValueError when the text has another form.
    """
    return calendar.timegm(time.strptime(text, _FORMAT))


# With the limit on and no default set, Magento fills in this size: all rows.
NO_DEFAULT_PAGE_SIZE = 999_999


class PastTheEnd(StrEnum):
    """What a page number behind the last page gives: nothing (2.4) or the last page again (2.3)."""

    EMPTY = "empty"
    REPEAT = "repeat"


class PageLimit(StrEnum):
    """Whether `webapi/validation/input_limit_enabled` is set."""

    OFF = "off"
    ON = "on"


class BearerTokens(StrEnum):
    """Whether an access token alone is a login (`oauth/consumer/enable_integration_as_bearer`)."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


class HostHeader(StrEnum):
    """What the web server hands to PHP: the Host header as it came, or without its port."""

    AS_SENT = "as_sent"
    WITHOUT_PORT = "without_port"


@dataclass(slots=True)
class Settings:
    """The present switches; sizes are rows per page.

    An order takes a shop ``order_seconds``, and it has ``workers`` that do one request at a time (0: any
    number).
    """

    bearer: BearerTokens = BearerTokens.REFUSED
    past_the_end: PastTheEnd = PastTheEnd.EMPTY
    page_limit: PageLimit = PageLimit.OFF
    maximum_page_size: int = 300
    default_page_size: int = NO_DEFAULT_PAGE_SIZE
    host: HostHeader = HostHeader.AS_SENT
    version: str = "Magento/2.4 (Community)"
    order_seconds: float = 0.0
    workers: int = 0


class Workload:
    """When the workers of a shop will be done with what they have."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def add(self, cost: float, *, workers: int, now: float) -> float:
        """Give a worker a request that costs this many seconds; the seconds until it is answered."""
        if cost <= 0:
            return 0.0
        busy = sorted(end for end in self._ends if end > now)
        start = busy[-workers] if workers and len(busy) >= workers else now
        self._ends = [*busy, start + cost]
        return start + cost - now


Row = dict[str, Any]
_LOCALES = {"de": "de_DE", "at": "de_AT", "fr": "fr_FR", "no": "nb_NO"}
DEFAULT_STORES: Mapping[int, str] = {1: "default"}
DEFAULT_GROUPS: Mapping[int, str] = {0: "NOT LOGGED IN", 1: "General", 2: "Wholesale", 3: "Retailer"}


@dataclass(slots=True)
class Stores:
    """Lists in the order Magento sends them: the default view first, then admin; configs without admin."""

    views: list[Row] = field(default_factory=list)
    groups: list[Row] = field(default_factory=list)
    websites: list[Row] = field(default_factory=list)
    configs: list[Row] = field(default_factory=list)

    def path_codes(self) -> set[str]:
        """Codes that the address can have; the admin store is not among them."""
        return {view["code"] for view in self.views if view["id"] != 0} | {"all"}

    def delete_view(self, store_id: int) -> None:
        self.views = [view for view in self.views if view["id"] != store_id]
        self.configs = [config for config in self.configs if config["id"] != store_id]


def one_website(codes: Mapping[int, str], *, timezone: str = "Europe/Vienna") -> Stores:
    """The views with these ids and codes in one website and one group."""
    views = [_view(number, code, 1) for number, code in codes.items()]
    first = next(iter(codes), 1)
    return Stores(
        views=[*views[:1], _view(0, "admin", 0), *views[1:]],
        groups=[_group(0, 0, "default", 0), _group(1, 2, "main_website_store", first)],
        websites=[_website(0, "admin"), _website(1, "base")],
        configs=[_config(number, code, timezone) for number, code in codes.items()],
    )


def group_rows(codes: Mapping[int, str]) -> list[Row]:
    """Customer groups with these ids and codes."""
    tax = {"tax_class_id": 3, "tax_class_name": "Retail Customer"}
    return [{"id": number, "code": code} | tax for number, code in codes.items()]


def _view(number: int, code: str, website: int) -> Row:
    owner = {"website_id": website, "store_group_id": website}
    return {"id": number, "code": code, "name": code.title(), **owner, "is_active": 1}


def _group(number: int, root: int, code: str, store: int) -> Row:
    return {
        "id": number,
        "website_id": number,
        "root_category_id": root,
        "default_store_id": store,
        "name": code.replace("_", " ").title(),
        "code": code,
    }


def _website(number: int, code: str) -> Row:
    return {"id": number, "code": code, "name": code.title(), "default_group_id": number}


def _config(number: int, code: str, timezone: str) -> Row:
    urls = {f"{prefix}base_{kind}url": "https://shop.example.com/" for prefix in ("", "secure_")
            for kind in ("", "link_", "static_", "media_")}  # fmt: skip
    return {
        "id": number,
        "code": code,
        "website_id": 1,
        "locale": _LOCALES.get(code, "en_US"),
        "base_currency_code": "EUR",
        "default_display_currency_code": "EUR",
        "timezone": timezone,
        "weight_unit": "kgs",
    } | urls
