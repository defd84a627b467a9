"""Whether a customer can be asked: usable e-mail addresses and telephone numbers."""

from __future__ import annotations

import re

TELEPHONE = "telephone"
"""The attribute that an order source is asked for where customers are reached by telephone."""

WITHHELD_NUMBER = "+9999999"
"""Stands for a mobile number that a cache does not keep; no country has this prefix."""

_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+")
_MOST_DIGITS = 15  # E.164
_FEWEST_DIGITS = 7
_SEPARATORS = re.compile(r"[\s()./\-\u00a0\u2010-\u2015]+")
_TRUNK = re.compile(r"\(\s*0\s*\)")  # "+49 (0) 170 …": the zero is for calls inside the country


def usable_email(email: str | None) -> bool:
    """Can something be sent there? One @, no blanks, a dot in the domain, at most 254 characters."""
    return email is not None and len(email) <= 254 and _EMAIL.fullmatch(email) is not None


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
