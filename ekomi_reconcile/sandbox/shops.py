"""What eKomi knows of a shop: its data, its reviews, its products, the orders told to it."""

from __future__ import annotations

import hashlib

import msgspec

LANGUAGE_WORDS = {"de": "german", "fr": "french", "no": "norwegian", "en": "english", "nl": "dutch"}


class Review(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
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


class Segment(msgspec.Struct, kw_only=True):
    """A customer segment of the review requests; without an active default one nothing is sent."""

    id: int
    is_default: bool
    status: str


def _default_segments() -> list[Segment]:
    return [
        Segment(id=7, is_default=True, status="active"),
        Segment(id=8, is_default=False, status="inactive"),
    ]


class Shop(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
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
    reviews: list[Review] = []
    product_reviews: list[Review] = []
    products: dict[str, Product] = {}
    orders: dict[str, Registered] = {}
    segments: list[Segment] = msgspec.field(default_factory=_default_segments)
    smartcheck_on: bool = False

    @property
    def sends(self) -> bool:
        """Whether a stored recipient is really written to."""
        return any(segment.is_default and segment.status == "active" for segment in self.segments)

    def language(self, form: str) -> str:
        """The template language as ``code`` (de), ``locale`` (de_DE) or ``word`` (german)."""
        code = self.locale.partition("_")[0]
        return {"code": code, "locale": self.locale}.get(form, LANGUAGE_WORDS.get(code, code))


def default_details(shop: Shop) -> dict[str, str]:
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
