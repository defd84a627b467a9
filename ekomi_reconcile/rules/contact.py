"""Whether a customer can be asked: usable e-mail addresses and telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ekomi_reconcile.model.order import Contact

TELEPHONE = "telephone"
"""The attribute that an order source is asked for where customers are reached by telephone."""

WITHHELD_NUMBER = "+9999999"
"""Stands for a mobile number that a cache does not keep; no country has this prefix."""

WITHHELD_ADDRESS = "withheld@example.com"
"""Stands for a usable address that a cache does not keep."""

NUMBER_PREFIX = "tel:"
"""Begins a telephone number where addresses and domains may be meant too."""

MAX_ADDRESS = 254
"""Characters of the longest address (RFC 5321)."""

_MAX_LABEL = 63
_LOCAL = re.compile(r"(?:[\w!#$%&'+/=?^`{|}~.-])+")  # what an address may hold unquoted, without the asterisk
_LABEL = re.compile(r"[^\W_](?:(?:[^\W_]|-)*[^\W_])?")
_NAMED = {
    ":": "a colon (such as in mailto:)",
    "<": "an angle bracket",
    ">": "an angle bracket",
    '"': "a quotation mark",
    ",": "a comma",
    ";": "a semicolon",
    "(": "a parenthesis",
    ")": "a parenthesis",
    "*": "an asterisk",
}
_SUSPECT = re.compile(r"[\s:<>\",;()*]")
_MOST_DIGITS = 15  # E.164
_FEWEST_DIGITS = 7
_SEPARATORS = re.compile(r"[\s()./\-\u00a0\u2010-\u2015]+")
_TRUNK = re.compile(r"\(\s*0\s*\)")  # "+49 (0) 170 …": the zero is for calls inside the country


def canonical_address(email: str | None) -> str | None:
    """The form in which addresses are compared: without whitespace around it, case-folded."""
    text = (email or "").strip().casefold()
    return text or None


def aliases(contact: Contact) -> Iterator[str]:
    """Everything but the address by which an opt-out may name this customer, as the lists write it.

    ``@mail.example.org``, ``@*.example.org``, ``@*.org``, ``tel:+4915112345678``.
    """
    domain = (canonical_address(contact.email) or "").rpartition("@")[2]
    if domain:
        yield f"@{domain}"
        labels = domain.split(".")
        yield from (f"@*.{'.'.join(labels[at:])}" for at in range(1, len(labels)))
    number = usable_telephone(contact.telephone, contact.country)
    if number is not None:
        yield NUMBER_PREFIX + number


def usable_email(email: str | None) -> bool:
    """Is this an address that something can be sent to?"""
    return email is not None and address_fault(email) is None


def address_fault(text: str) -> str | None:
    """What keeps this text from being an address, without repeating it; ``None`` if it is one.

    Strict: what mail programs and spreadsheets add (``<a@b.de>``, ``mailto:``, quotes, commas, invisible
    characters) is a fault, because an opt-out would not match such an address.
    """
    name, _, domain = text.rpartition("@")
    if text.count("@") != 1 or not name:
        return "exactly one @ with something on both sides is expected"
    if len(text) > MAX_ADDRESS:
        return f"longer than {MAX_ADDRESS} characters"
    if (strange := _strange(text)) is not None:
        return strange
    if name.startswith("'") or _LOCAL.fullmatch(name) is None:
        return "the part before the @ holds a character that no address has"
    return domain_fault(domain)


def domain_fault(domain: str) -> str | None:
    """What keeps this text from being a domain, without repeating it; ``None`` if it is one."""
    if (strange := _strange(domain)) is not None:
        return strange
    labels = domain.split(".")
    if len(labels) < 2:
        return "a domain has at least one dot"
    if any(len(each) > _MAX_LABEL or _LABEL.fullmatch(each) is None for each in labels):
        return "a domain has only letters, digits and hyphens between its dots"
    return "a domain does not end in a number" if labels[-1].isdigit() else None


def _strange(text: str) -> str | None:
    """The first thing in it that belongs to no address, in words."""
    if text.isascii() and text.isprintable() and not _SUSPECT.search(text):
        return None
    for each in text:
        if each in _NAMED:
            return f"{_NAMED[each]} found"
        if each.isspace():
            return "whitespace found"
        if not each.isprintable():
            return f"an invisible character found (U+{ord(each):04X})"
    return None


def usable_telephone(telephone: str | None, country: str | None) -> str | None:
    """The number in E.164 (``+4915112345678``), or ``None`` if it is none.

    ``country`` (two letters, ISO 3166) gives national numbers their prefix; without it only numbers that
    begin with ``+`` or ``00`` are usable.
    """
    if telephone is None:
        return None
    text = telephone.strip()
    international = text.startswith(("+", "00"))
    if not international:
        return _national(text, country) if country else None
    digits = _SEPARATORS.sub("", _TRUNK.sub("", text.removeprefix("+").removeprefix("00")))
    fits = _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS and not digits.startswith("0")
    return f"+{digits}" if fits and digits.isascii() and digits.isdigit() else None


def mobile_number(telephone: str | None, country: str | None) -> str | None:
    """The number in E.164, if a text message can reach it: a mobile, or fixed-line or mobile, number.

    Where a numbering plan does not tell the two apart (as in the USA) the number counts. ``country`` is as
    for ``usable_telephone``.
    """
    number = usable_telephone(telephone, country)
    if number is None or number == WITHHELD_NUMBER:
        return number
    import phonenumbers

    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    reachable = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return number if kind in reachable else None


def _national(text: str, country: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country.strip().upper())
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
