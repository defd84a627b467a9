"""Damaging a document: bytes, lines and values, as files that people, tools and networks damage."""

from __future__ import annotations

import json
from random import Random
from typing import Any

TOKENS = [
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\r\n",
        b"\n",
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"{",
        b"}",
    ),
    *(
        b"[",
        b"]",
        b":",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"\xed\xa0\x80",
        b"\xc3",
        b"1e999",
        b"-1",
        b"NaN",
        b"null",
    ),
    *(
        b"true",
        b"1.00E+08",
        b"100000005.0",
        b"0001-01-01 00:00:00",
        b"9999-12-31",
        b"%s",
        b"${env:X}",
        b"&a ",
        b"*a",
    ),
    *(
        b"<<: ",
        b"---\n",
        b"!!python/object:os.system ",
        b"- ",
        b"# ",
        b"\xe2\x80\x8b",
        b"\xc2\xa0",
        b"<a@b.de>",
        b"tel:+",
    ),
]
"""Pieces that mean something to one of the formats."""

VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**64,
        -(2**63),
        1.5,
        1e308,
        -0.0,
        "",
        " ",
        "0",
        "x",
        "null",
    ),
    *(
        "1.00E+08",
        "2026-01-31",
        "0001-01-01 00:00:00",
        "\u0000",
        "\u200b",
        "é" * 300,
        "a@b.de",
        [],
        {},
        [[]],
        [None],
    ),
    *({"": None}, [1, "x"], {"a": {"b": []}}, "9" * 400, "account", "sent", "${env:X}"),
]
"""Values that stand where others belong."""


def damaged(seed: bytes, random: Random) -> bytes:
    """The seed with one to four things wrong; sometimes any bytes at all."""
    if random.random() < 0.02:
        return random.randbytes(random.randrange(200))
    data = seed
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(_WAYS)(data, random)
    return data


def with_other_values(data: bytes, random: Random) -> bytes:
    """JSON with one value changed, left out, doubled or nested deeply."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _token(data, random)
    places = list(_places(document))
    if not places:
        return json.dumps(random.choice(VALUES)).encode()
    holder, key = random.choice(places)
    how = random.random()
    if how < 0.6:
        holder[key] = random.choice(VALUES)
    elif how < 0.75:
        del holder[key]
    elif how < 0.85 and isinstance(holder, list):
        holder.append(holder[key])
    elif how < 0.97:
        other, name = random.choice(places)
        holder[key] = json.loads(json.dumps(other[name])) if _has(other, name) else None
    else:
        depth = random.choice((10, 200, 5_000))
        text = json.dumps(document).encode()
        return text[:-1] + b',"deep":' + b"[" * depth + b"]" * depth + text[-1:]
    return json.dumps(document, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else 0 <= key < len(holder)


def _places(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _flip(data: bytes, random: Random) -> bytes:
    if not data:
        return b"x"
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _token(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(TOKENS) * random.choice((1, 1, 1, 50)) + data[at:]


def _cut(data: bytes, random: Random) -> bytes:
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:start] if random.random() < 0.3 else data[:start] + data[end:]


def _double(data: bytes, random: Random) -> bytes:
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] + data[end:]


def _lines(data: bytes, random: Random) -> bytes:
    lines = data.splitlines(keepends=True)
    random.shuffle(lines)
    return b"".join(lines)


def _ends(data: bytes, random: Random) -> bytes:
    return data.replace(b"\n", random.choice((b"\r", b"\r\n", b"\n\n", b"")))


def _encoding(data: bytes, random: Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(random.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32")), "replace")


_WAYS = [
    *(_flip, _token, _token, _token, _cut, _double, _lines, _ends, _encoding),
    *(with_other_values, with_other_values, with_other_values, with_other_values),
]
