"""Shops, their products, and the faults to answer with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import Annotated, Literal

import msgspec

Kind = Literal[
    "latency",
    "status",
    "retry_after",
    "html",
    "cut_before",
    "cut_after",
    "cut_body",
    "half_json",
    "wrong_json",
    "slow_body",
    "big_body",
    "bare_text",
    "quota",
    "tariff",
    "unclear",
    "redirect",
]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One rule.

    ``match`` is a function name in any case (``getFeedback``, ``add-recipient``, …) or ``*``; ``shop`` an
    interface id. Kinds:

    - ``latency``: ``seconds`` (1) later, then as if nothing were; adds to another fault.
    - ``status``: HTTP ``status`` (500) with ``body``. ``retry_after``: ``status`` (429) with the header
      Retry-After of ``seconds`` (1), as a number or, with ``retry_form: date``, as an HTTP date.
    - ``html``: a gateway's page, ``status`` (200).
    - ``cut_before``, ``cut_after``: the connection closes without an answer, before or after the call
      took effect. ``cut_body``: it closes in the middle of the true answer.
    - ``half_json``: a whole HTTP answer with the first half of the true body. ``wrong_json``: JSON of
      another shape. ``bare_text``: a line of text, status 200.
    - ``quota``, ``tariff``: eKomi refuses the account, status 200, with an error about its quota or its
      package. ``unclear``: a status that is neither a yes nor a no. ``redirect``: ``status`` (302) with the
      header Location of ``location``.
    - ``slow_body``: the true answer, in pieces over ``seconds`` (1). ``big_body``: ``size`` bytes (64 MiB)
      of JSON without an end.

    ``when`` says for kinds with an answer of their own whether the call took effect (``after``) or not
    (``before``, the default). ``probability`` is 0-1, ``count`` how many times it strikes (no limit by
    default), ``skip`` how many matching calls it lets pass first.
    """

    match: str
    kind: Kind
    shop: str | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    body: str | None = None
    location: str = "https://elsewhere.example/"
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    size: Annotated[int, msgspec.Meta(ge=1)] = 64 * 1024 * 1024
    retry_form: Literal["seconds", "date"] = "seconds"
    when: Literal["before", "after"] = "before"
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0


class FaultRule(msgspec.Struct, kw_only=True):
    """A fault with its id and what has become of it: calls it matched, calls it struck."""

    id: int
    fault: Fault
    matched: int = 0
    struck: int = 0

    def concerns(self, function: str, shop_id: str) -> bool:
        """Whether the rule is about this call and not used up."""
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        return fault.match.lower() in {"*", function.lower()} and fault.shop in {None, shop_id}

    def strikes(self, dice: Random) -> bool:
        """Count one matching call; say whether it is hit."""
        self.matched += 1
        if self.matched <= self.fault.skip or dice.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True


class FaultBook:
    """The rules in force, in the order they came. The dice are seeded: the same calls, the same faults."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice = Random(seed)  # noqa: S311
        self._rules: list[FaultRule] = []
        self._last_id = 0
        self._lock = Lock()

    def add(self, fault: Fault) -> FaultRule:
        """Put a rule in force."""
        with self._lock:
            self._last_id += 1
            rule = FaultRule(id=self._last_id, fault=fault)
            self._rules.append(rule)
            return rule

    def rules(self) -> list[FaultRule]:
        """Copies of the rules with their counts."""
        with self._lock:
            return [msgspec.structs.replace(rule) for rule in self._rules]

    def remove(self, rule_id: int) -> bool:
        """Take one rule back; false if there is none."""
        with self._lock:
            kept = [rule for rule in self._rules if rule.id != rule_id]
            found = len(kept) < len(self._rules)
            self._rules = kept
            return found

    def clear(self) -> None:
        """Remove all rules and restart the random sequence."""
        with self._lock:
            self._rules.clear()
            self._dice = Random(self._seed)  # noqa: S311

    def draw(self, function: str, shop_id: str) -> Sequence[Fault]:
        """The faults of one call: every latency that strikes, and the first other one."""
        drawn: list[Fault] = []
        with self._lock:
            for rule in self._rules:
                decided = any(fault.kind != "latency" for fault in drawn)
                if decided and rule.fault.kind != "latency":
                    continue
                if rule.concerns(function, shop_id) and rule.strikes(self._dice):
                    drawn.append(rule.fault)
        return drawn


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
