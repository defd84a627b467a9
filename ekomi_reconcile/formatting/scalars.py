"""How a value is written: without quotes where it is read as the same text without them."""

from __future__ import annotations

import json
import re
from typing import Final

from yaml import SafeLoader

from ekomi_reconcile.config.scalars import NotANumber, plain
from ekomi_reconcile.formatting.tree import Scalar

STEP: Final = 2
"""Blanks of one level of indentation."""

_INDICATORS: Final = tuple("-?:,[]{}#&*!|>'\"%@`")
_MARKERS: Final = ("---", "...")
_DASHED: Final = re.compile(r"-[^\s,\[\]{}]")
_ENDS_A_PLAIN: Final = re.compile(r":(?=\s|$)|(?<=\s)#|[^\S ]")
_ENDS_IN_A_FLOW: Final = re.compile(r"[,\[\]{}]")
# What YAML does not allow as it is, or what nobody would see.
_TO_ESCAPE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# Numbers of the YAML 1.2 core schema that are text to us, such as 007: editors would take them for numbers.
_CORE_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Booleans of YAML 1.1 that PyYAML leaves alone, but other readers do not.
_LETTERS: Final = frozenset("yYnN")
_WORDS: Final = {True: "true", False: "false"}
_HEADER: Final = re.compile(r"[|>][-+0-9]*")


def written(scalar: Scalar, *, in_flow: bool) -> str:
    """A value that is not a block. Numbers stay as they are written."""
    value = plain(scalar.value) if not scalar.is_text else scalar.value
    if scalar.is_text and _is_other_in_yaml_1_1(scalar.value):
        return quoted(scalar.value)
    if isinstance(value, str):
        return text(value, in_flow=in_flow)
    if isinstance(value, bool):
        return _WORDS[value]
    if value is None:
        return "null" if scalar.value or in_flow else ""
    return scalar.value


def key(scalar: Scalar, *, in_flow: bool) -> str:
    """A key; whole numbers are text there."""
    if scalar.value.isascii() and scalar.value.isdigit():
        return scalar.value
    if scalar.value == "<<" or (scalar.is_text and _is_other_in_yaml_1_1(scalar.value)):
        return quoted(scalar.value)
    return text(scalar.value, in_flow=in_flow)


def _is_other_in_yaml_1_1(value: str) -> bool:
    """Is it a boolean, a date or a number to a reader of YAML 1.1? Quotes around it stay."""
    if value in _LETTERS:
        return True
    resolvers = SafeLoader.yaml_implicit_resolvers.get(value[:1], [])
    return any(pattern.match(value) for _, pattern in resolvers)


def text(value: str, *, in_flow: bool) -> str:
    """A text, in quotes where it needs them."""
    return value if _is_plain(value, in_flow=in_flow) else quoted(value)


def quoted(value: str) -> str:
    """A text in quotes: double ones, unless only those need escapes."""
    if ('"' in value or "\\" in value) and not _TO_ESCAPE.search(value):
        return "'" + value.replace("'", "''") + "'"
    return _TO_ESCAPE.sub(lambda odd: f"\\u{ord(odd.group()):04x}", json.dumps(value, ensure_ascii=False))


def _is_plain(value: str, *, in_flow: bool) -> bool:
    if not value or value.strip() != value or value.startswith(_MARKERS):
        return False
    if value.startswith(_INDICATORS) and not _DASHED.match(value):
        return False
    if _ENDS_A_PLAIN.search(value) or _TO_ESCAPE.search(value) or _CORE_NUMBER.fullmatch(value):
        return False
    return not (in_flow and _ENDS_IN_A_FLOW.search(value)) and _is_read_as_text(value)


def _is_read_as_text(value: str) -> bool:
    try:
        return isinstance(plain(value), str)
    except NotANumber:
        return False


def block(scalar: Scalar, indent: int) -> list[str]:
    """A literal or folded text: its header, and its lines at ``indent`` blanks."""
    source = scalar.block or ""
    body = source.rstrip().split("\n")[1:]
    first = next(line for line in body if line.strip())
    content = scalar.value.lstrip("\n")
    margin = _blanks(first) - _blanks(content)
    lines = [line[margin:] for line in body]
    hint = str(STEP) if lines[0][:1] == " " or content[:1] == " " else ""
    ends = len(scalar.value) - len(scalar.value.rstrip("\n"))
    keep = ("-", "", "+")[min(ends, 2)]
    lines += [""] * (ends - 1)
    return [source[0] + hint + keep, *(" " * indent + line if line else "" for line in lines)]


def _blanks(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
