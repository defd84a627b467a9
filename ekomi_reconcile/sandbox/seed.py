"""Made-up customers and reviews."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from ekomi_reconcile.sandbox import shops

_LETTERS = str.maketrans({"ø": "o", "Ø": "o", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Person:
    """A customer; the same number is always the same person, with the same address to write to."""

    number: int
    first_name: str
    last_name: str
    email: str
    telephone: str
    group_id: int

    @property
    def is_guest(self) -> bool:
        """Whether they order without an account (group 0)."""
        return self.group_id == 0


@lru_cache(maxsize=1024)
def person(index: int) -> Person:
    """The customer at ``index`` (from 0). Every third is a guest; the telephone numbers are fictitious."""
    first = shops.FIRST_NAMES[index % len(shops.FIRST_NAMES)]
    last = shops.LAST_NAMES[index // len(shops.FIRST_NAMES) % len(shops.LAST_NAMES)]
    mobile = f"+49 171 39200{index % 100:02d}"
    landline = f"030 23125{index % 1000:03d}"
    return Person(
        number=index + 1,
        first_name=first,
        last_name=last,
        email=f"{_ascii(first)}.{_ascii(last)}.{index + 1}@example.com",
        telephone=landline if index % 10 == 7 else mobile,
        group_id=0 if index % 3 == 0 else 1 + index % (len(shops.CUSTOMER_GROUPS) - 1),
    )


def ship_to(rng: Random, buyer: Person, *, order_id: int, country: str) -> dict[str, Any]:
    """An address of ``buyer`` in ``country``; the region's keys are missing where it has none."""
    places = shops.PLACES[country]
    place = places[int(rng.random() * len(places))]
    address: dict[str, Any] = {
        "city": place.city,
        "country_id": country,
        "email": buyer.email,
        "firstname": buyer.first_name,
        "lastname": buyer.last_name,
        "parent_id": order_id,
        "postcode": place.postcode,
        "street": [f"Musterweg {buyer.number % 90 + 1}"],
        "telephone": buyer.telephone,
    }
    if place.region:
        address |= {"region": place.region, "region_code": place.region}
    return address


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return plain.encode("ascii", "ignore").decode().lower()


DAY = 86400
YEARS = 3 * 365 * DAY


@dataclass(frozen=True, slots=True)
class Phrases:
    """Texts of one language: reviews from bad to good, and the shop's answer."""

    bad: tuple[str, ...]
    good: tuple[str, ...]
    answer: str


# Commas, quotes, line breaks, letters beyond ASCII and a sign (€) beyond ISO-8859-1 are here on purpose.
PHRASES = {
    "de": Phrases(
        bad=(
            "Leider zu spät, und ohne Entschuldigung.",
            "Größe passt nicht.\nRückgabe war mühsam, 5 € Porto",
        ),
        good=(
            'Schnelle Lieferung, "sehr" gut verpackt.\nDanke schön!',
            "Alles bestens, gerne wieder",
            "Für 20 € ein schönes Stück; Qualität & Preis stimmen",
        ),
        answer='Vielen Dank für Ihre "Worte", wir kümmern uns.\nIhr Team',
    ),
    "fr": Phrases(
        bad=("Livraison très tardive, dommage.", 'Reçu cassé,\nle "service" ne répond pas'),
        good=(
            "Parfait, très bonne qualité à 20 €",
            'Envoi rapide, "soigné",\nmerci à toute l\'équipe',
            "Bœuf séché délicieux",
        ),
        answer="Merci beaucoup,\nvotre équipe",
    ),
    "no": Phrases(
        bad=("For sent levert, dessverre.", 'Feil størrelse, "hjelp" tok én uke'),
        good=(
            "Veldig bra, rask på døra",
            "Så fin! Kjøper gjerne igjen.\nTakk",
            'Æøå og "sitat", 20 € er greit',
        ),
        answer="Tusen takk,\nhilsen oss",
    ),
}

# interface id, password, name, locale
SHOPS = (
    ("10001", "sandbox-brand-a", "Brand A", "de_DE"),
    ("10002", "sandbox-brand-b", "Brand B", "de_DE"),
    ("28374", "sandbox-de", "Germany", "de_DE"),
    ("28375", "sandbox-fr", "France", "fr_FR"),
    ("28376", "sandbox-no", "Norway", "no_NO"),
)


def seeded_shops(seed: int, now: int) -> list[shops.SandboxShop]:
    """The five shops, their reviews spread over the three years before ``now`` (UTC epoch seconds)."""
    return [
        new_shop(interface_id, password, name=name, locale=locale, seed=seed, now=now)
        for interface_id, password, name, locale in SHOPS
    ]


def new_shop(
    interface_id: str,
    password: str,
    *,
    name: str = "Example Shop",
    locale: str = "de_DE",
    seed: int = 1,
    now: int,
    review_count: int | None = None,
) -> shops.SandboxShop:
    """A shop with shop data and ``review_count`` reviews (default: 30-150, by the seed)."""
    rng = Random(f"shop:{seed}:{interface_id}")  # noqa: S311
    count = rng.randint(30, 150) if review_count is None else review_count
    shop = shops.SandboxShop(
        interface_id=interface_id,
        password=password,
        name=name,
        locale=locale,
        certificate_id=shops.certificate_id(interface_id),
        afnor=locale == "fr_FR",
        reviews=_reviews(rng, count, locale=locale, now=now),
        product_reviews=_product_reviews(rng, count // 5, locale=locale, now=now),
    )
    slug = name.lower().replace(" ", "-")
    shop.public_page = f"https://reviews.ekomi.test/{shop.language('code')}/review-{slug}.html"
    shop.details = shops.default_details(shop)
    return shop


def _reviews(rng: Random, count: int, *, locale: str, now: int) -> list[shops.SandboxReview]:
    """By rising time. Every fifth is older than a year, every fifth at most 27 days old."""
    reviews = [
        _review(rng, submitted=now - _age(rng, place), order_id=f"9{place:07d}", locale=locale)
        for place in range(count)
    ]
    if count >= 10:
        reviews[3].order_id = ""  # nobody says that every review has an order
        twin = reviews[8]
        reviews[9].order_id, reviews[9].submitted = twin.order_id, twin.submitted
    return sorted(reviews, key=lambda review: review.submitted)


def _product_reviews(rng: Random, count: int, *, locale: str, now: int) -> list[shops.SandboxReview]:
    reviews = []
    for place in range(count):
        review = _review(rng, submitted=now - _age(rng, place), order_id=f"9{place:07d}", locale=locale)
        review.product_id = f"P{1 + place % 4}"
        reviews.append(review)
    return sorted(reviews, key=lambda review: review.submitted)


def _age(rng: Random, place: int) -> int:
    bounds = {0: (366 * DAY, YEARS), 1: (0, 27 * DAY)}
    low, high = bounds.get(place % 5, (0, YEARS))
    return rng.randint(low, high)


def _review(rng: Random, *, submitted: int, order_id: str, locale: str) -> shops.SandboxReview:
    phrases = PHRASES.get(locale.partition("_")[0], PHRASES["de"])
    rating = rng.choices((1, 2, 3, 4, 5), (2, 2, 4, 20, 72))[0]
    return shops.SandboxReview(
        submitted=submitted,
        order_id=order_id,
        rating=rating,
        review=rng.choice(phrases.good if rating > 3 else phrases.bad),
        comment=phrases.answer if rng.random() < (0.1 if rating > 3 else 0.7) else "",
        title="Top!" if rating == 5 and rng.random() < 0.3 else "",
        has_email=rng.random() < 0.8,
        firstname=rng.choice(("Zoë", "Jonas", "Åse", "Amélie")),
        lastname=rng.choice(("M.", "K.", "Ø.")),
    )
