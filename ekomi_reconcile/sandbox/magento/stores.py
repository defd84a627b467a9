"""Store views, groups, websites and their configuration, as the four store calls list them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
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
        """Codes that may stand in the address; the admin store is not among them."""
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
        "locale": "en_US",
        "base_currency_code": "EUR",
        "default_display_currency_code": "EUR",
        "timezone": timezone,
        "weight_unit": "kgs",
    } | urls
