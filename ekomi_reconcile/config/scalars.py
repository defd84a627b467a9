"""What a plain YAML scalar means: the YAML 1.2 core schema, without its surprises.

``no``, ``on``, ``y``, ``0123``, ``12:30``, ``1_000`` and ``2026-01-01`` are text. Numbers are those of
JSON: whole values become ``int`` however they are written, infinity and not-a-number do not exist.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER = re.compile(
    r"(?P<int>[-+]?(?:0|[1-9][0-9]*))"
    r"|(?P<oct>0o[0-7]+)"
    r"|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<never>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_BASES: Final = {"int": 10, "oct": 8, "hex": 16}
_START: Final = frozenset("0123456789+-.")
_LONGEST: Final = 18
"""Digits up to which a number is kept; a longer one is an identifier that lacks its quotes."""


class NotANumber(ValueError):
    """It is written as a number, but no number this format has; the text says why."""


@lru_cache(maxsize=4_096)
def plain(text: str) -> Scalar:
    """The value of a plain (unquoted, untagged) scalar.

    Raises:
        NotANumber: infinity, not-a-number, or more digits than a number may have.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _START:
        return text
    match = _NUMBER.fullmatch(text)
    return text if match is None else _number(text, str(match.lastgroup))


def _number(text: str, kind: str) -> int | float:
    if kind == "never":
        raise NotANumber("infinity and not-a-number are no values here")
    if kind in _BASES:
        if len(text.lstrip("+-")) > _LONGEST:
            raise NotANumber(f"a number has at most {_LONGEST} digits")
        return int(text, _BASES[kind])
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise NotANumber("the number is too large")
    return int(value) if value.is_integer() and abs(value) < 10**_LONGEST else value
