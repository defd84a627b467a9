"""Single values of eKomi's answers: numbers may be texts, texts may hold anything."""

from __future__ import annotations

import math
import re

from ekomi_reconcile.model.account import Json

_LONGEST_LINE = 255
_LONGEST_ADDRESS = 2_048
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BREAK = re.compile(r"\\r\\n|\\n|\\r|\r\n|\r")
_HOST_FIRST = re.compile(r"[\w-]+(\.[\w-]+)+(/\S*)?")
_ADDRESS = re.compile(r"https?://[^\s/\"'<>\\]+[^\s\"'<>\\]*", re.IGNORECASE)


def number(value: Json) -> float | None:
    """A finite number, given as one or as text; a yes or no is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def text(value: Json) -> str:
    """Text with real line breaks (they may come as backslash and n); what is no text or number is ``""``.

    Nothing is left that a terminal or a database would stumble over.
    """
    return (
        ""
        if not isinstance(value, str | int | float)
        else _UNFIT.sub("", _BREAK.sub("\n", str(value))).strip()
    )


def line(value: Json) -> str | None:
    """One line of printable text, cut to 255 characters."""
    if not isinstance(value, str):
        return None
    printable = "".join(each if each.isprintable() else " " for each in value)
    return " ".join(printable.split())[:_LONGEST_LINE] or None


def identifier(value: Json) -> str:
    """An id is text, though a number may come; absent is ``""``."""
    return text(int(value) if isinstance(value, float) and value.is_integer() else value)


def web_address(value: Json) -> str | None:
    """An absolute http(s) address, completed where the scheme is left out; any other is ``None``."""
    address = value.strip() if isinstance(value, str) else ""
    if address.startswith("//"):
        address = f"https:{address}"
    elif _HOST_FIRST.fullmatch(address):
        address = f"https://{address}"
    fits = len(address) <= _LONGEST_ADDRESS and address.isprintable() and _ADDRESS.fullmatch(address)
    return address if fits else None


def yes(value: Json) -> bool | None:
    """A yes or no, given as one, as a number or as text."""
    if isinstance(value, str):
        return {"1": True, "true": True, "0": False, "false": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int) else None
