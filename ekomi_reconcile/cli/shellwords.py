"""Words of a shell's command line that is still being written."""

from __future__ import annotations

from dataclasses import dataclass

_DOUBLE_QUOTED = '"\\$`'
_PLAIN = frozenset("%+,-./:=@_^")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written and what it means; ``quote`` is the quotation mark still open at its end."""

    raw: str
    text: str
    quote: str = ""


def words(line: str) -> list[Word]:
    """The words of the line; the last one is that at the cursor, empty after a blank."""
    found: list[Word] = []
    raw, text, quote, escape = "", "", "", False
    for char in line:
        if char.isspace() and not quote and not escape:
            if raw:
                found.append(Word(raw, text))
            raw, text = "", ""
            continue
        raw += char
        if escape:
            text, escape = text + _unescaped(char, quote), False
        elif char == "\\" and quote != "'":
            escape = True
        elif char == quote:
            quote = ""
        elif char in "'\"" and not quote:
            quote = char
        else:
            text += char
    return [*found, Word(raw, text, quote)]


def _unescaped(char: str, quote: str) -> str:
    """What a backslash and this mean: between double quotes it makes only some characters plain."""
    return char if not quote or char in _DOUBLE_QUOTED else f"\\{char}"


def escaped(text: str, quote: str) -> str:
    """The text as it is written after an open quotation mark, or without one."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote == '"':
        return "".join(f"\\{char}" if char in _DOUBLE_QUOTED else char for char in text)
    return "".join(char if char.isalnum() or char in _PLAIN else f"\\{char}" for char in text)
