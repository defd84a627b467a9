"""Shops and their products."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class SandboxStoreView:
    """A store view; ``rate`` is order currency per base currency (EUR), ``tax`` a percentage."""

    store_id: int
    code: str
    name: str
    country: str
    currency: str = "EUR"
    rate: float = 1.0
    tax: int = 19


@dataclass(frozen=True, slots=True)
class Goods:
    """A product: price in base currency without tax, weight in kg.

    ``variants`` are sku endings of a configurable product, ``parts`` (sku, name) those of a bundle.
    """

    product_id: int
    sku: str
    name: str
    price: float
    weight: float
    categories: tuple[int, ...]
    kind: str = "simple"
    variants: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Town:
    """A town with its postcode; ``region`` is empty where the country has none in the shop."""

    city: str
    postcode: str
    region: str


STORE_VIEWS = (
    SandboxStoreView(1, "brand_a", "Brand A", "DE"),
    SandboxStoreView(2, "brand_b", "Brand B", "DE"),
    SandboxStoreView(3, "de", "Deutschland", "DE"),
    SandboxStoreView(4, "at", "Österreich", "AT", tax=20),
    SandboxStoreView(5, "fr", "France", "FR", tax=20),
    SandboxStoreView(6, "no", "Norge", "NO", currency="NOK", rate=11.5, tax=25),
)

CUSTOMER_GROUPS = {0: "NOT LOGGED IN", 1: "General", 2: "Wholesale", 3: "Retailer", 4: "VIP"}

CATEGORIES = {12: "Bikes", 14: "Books", 16: "Clothing", 18: "Accessories", 20: "Services", 22: "Sets"}

GOODS = (
    Goods(1, "BTL-0.7", "Steel Bottle 0.7 l", 29.9, 0.35, (18,)),
    Goods(2, "MUG-01", "Enamel Mug", 12.5, 0.25, (18,)),
    Goods(3, "BK-CITY-28", 'City Bike 28"', 649.0, 14.5, (12,)),
    Goods(4, "BK-BELL", "Bike Bell", 9.9, 0.1, (12, 18)),
    Goods(5, "BOOK-HIKE", "Wandern in den Alpen", 24.0, 0.6, (14,)),
    Goods(6, "MAP-ÖST", "Karte Österreich", 9.9, 0.1, (14,)),
    Goods(7, "SOCK-WOOL", "Wool Socks, 2 pairs", 14.9, 0.15, (16,)),
    Goods(8, "TENT-2", "Tent for Two", 219.0, 2.9, (18,)),
    Goods(9, "ROPE 20/M", "Rope 20 m", 64.4, 1.4, (18,)),
    Goods(
        18,
        "JK-CANVAS",
        "Canvas Jacket",
        89.0,
        0.8,
        (16,),
        "configurable",
        ("S-NAVY", "M-NAVY", "L-NAVY", "S-OLIVE"),
    ),
    Goods(
        21,
        "SET-HYDRO",
        "Hydration Set",
        54.9,
        0.85,
        (18, 22),
        "bundle",
        parts=(("BTL-0.7", "Steel Bottle 0.7 l"), ("MUG-01", "Enamel Mug")),
    ),
)

SERVICES = (
    Goods(30, "SVC-WAX", "Waxing Service", 15.0, 0.0, (20,), "virtual"),
    Goods(31, "GIFT-50", "Gift Voucher 50", 50.0, 0.0, (20,), "virtual"),
)

PLACES = {
    "DE": (
        Town("Berlin", "10115", "Berlin"),
        Town("München", "80331", "Bayern"),
        Town("Köln", "50667", "Nordrhein-Westfalen"),
        Town("Hamburg", "20095", "Hamburg"),
    ),
    "AT": (Town("Wien", "1010", "Wien"), Town("Graz", "8020", "Steiermark")),
    "FR": (Town("Lyon", "69001", "Rhône"), Town("Paris", "75011", "Paris")),
    "NO": (Town("Oslo", "0150", ""), Town("Tromsø", "9008", "")),
}

FIRST_NAMES = ("Mira", "Jonas", "Zoë", "Søren", "Amélie", "Björn", "Lena", "Åse", "Paul", "Ines", "René")
LAST_NAMES = ("Kolb", "Müller", "Berg", "Lefèvre", "Ødegård", "Weiß", "Muster", "Moreau", "Hansen")

COUPONS = (None, None, None, None, "SPRING10", "FIVEOFF")
PAYMENT_METHODS = ("banktransfer", "checkmo", "cashondelivery", "purchaseorder", "paypal_express")
SHIPPING_METHODS = (
    ("flatrate_flatrate", "Flat Rate - Fixed", 5.0),
    ("tablerate_bestway", "Best Way - Table Rate", 15.0),
    ("freeshipping_freeshipping", "Free Shipping - Free", 0.0),
)


LANGUAGE_WORDS = {"de": "german", "fr": "french", "no": "norwegian", "en": "english", "nl": "dutch"}


class SandboxReview(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One review. ``submitted`` is UTC epoch seconds, ``rating`` 1-5; ``comment`` is the shop's answer.

    Line breaks in the texts are real ones here; the API hands them out as backslash + n.
    """

    submitted: int
    order_id: str
    rating: int
    review: str = ""
    comment: str = ""
    title: str = ""
    has_email: bool = True
    firstname: str = ""
    lastname: str = ""
    screenname: str = ""
    client_id: str = ""
    product_id: str | None = None


class Product(msgspec.Struct, kw_only=True):
    """What putProduct has stored; ``other`` is its raw text (JSON or PHP-serialized)."""

    product_id: str
    name: str
    canonical_link: str = ""
    other: str = ""


class Registered(msgspec.Struct, kw_only=True):
    """An order told by putOrder: known since (UTC epoch seconds), with the link of its review."""

    known_since: int
    link: str
    hash: str
    product_ids: list[str]


class CustomerSegment(msgspec.Struct, kw_only=True):
    """A customer segment of the review requests; without an active default one nothing is sent."""

    id: int
    is_default: bool
    status: str


def _default_segments() -> list[CustomerSegment]:
    return [
        CustomerSegment(id=7, is_default=True, status="active"),
        CustomerSegment(id=8, is_default=False, status="inactive"),
    ]


class SandboxShop(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One interface. ``details`` are the fields of getShopDetails, ``None``: there are none.

    ``has_product_feedback``: its tier has getProductfeedback (Professional Plus light and above).
    """

    interface_id: str
    password: str
    name: str = "Example Shop"
    locale: str = "de_DE"
    details: dict[str, str] | None = None
    certificate_id: str = ""
    public_page: str = ""
    active: bool = True
    afnor: bool = False
    has_product_feedback: bool = True
    mail_delay: int = 0
    reviews: list[SandboxReview] = []
    product_reviews: list[SandboxReview] = []
    products: dict[str, Product] = {}
    orders: dict[str, Registered] = {}
    segments: list[CustomerSegment] = msgspec.field(default_factory=_default_segments)
    smartcheck_on: bool = False

    @property
    def sends(self) -> bool:
        """Whether a stored recipient is really written to."""
        return any(segment.is_default and segment.status == "active" for segment in self.segments)

    def language(self, form: str) -> str:
        """The template language as ``code`` (de), ``locale`` (de_DE) or ``word`` (german)."""
        code = self.locale.partition("_")[0]
        return {"code": code, "locale": self.locale}.get(form, LANGUAGE_WORDS.get(code, code))


def default_details(shop: SandboxShop) -> dict[str, str]:
    """Invented shop data: an address in the shop's country, a site and a logo at example.com."""
    country = shop.locale.rpartition("_")[2]
    host = f"shop-{shop.interface_id}.example.com"
    return {
        "name": shop.name,
        "url": f"https://{host}",
        "logo_url": f"https://{host}/logo.png",
        "streetAddress": "Musterweg 1",
        "postalCode": "10000",
        "addressLocality": "Musterstadt",
        "addressRegion": "",
        "addressCountry": country,
        "telephone": "+49 30 23125 000",
        "ekomi_certificate_id": shop.certificate_id,
    }


def certificate_id(interface_id: str) -> str:
    """An alphanumeric certificate id: 15 hexadecimal digits, not the interface id."""
    return hashlib.sha256(f"certificate:{interface_id}".encode()).hexdigest()[:15].upper()
