"""The output forms of the core API: JSON, CSV and PHP's serialize(), in UTF-8 or ISO-8859-1."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

Payload = dict[str, object] | list[dict[str, object]]

CODECS = {"utf-8": "utf-8", "iso": "iso-8859-1", "iso-8859-1": "iso-8859-1"}


def encoded(payload: Payload, *, form: str, charset: str) -> bytes:
    """``payload`` as ``json``, ``csv`` or ``serialized`` in a charset of :data:`CODECS`.

    A letter the charset does not have becomes a question mark.
    """
    codec = CODECS[charset]
    if form == "json":
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(codec, "replace")
    if form == "csv":
        return _csv(payload).encode(codec, "replace")
    return _serialized(payload, codec)


def _csv(payload: Payload) -> str:
    """One line a row, no header, everything in double quotes."""
    rows = payload if isinstance(payload, list) else [payload]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_flat(row.values()) for row in rows])
    return text.getvalue()


def _flat(values: Iterable[object]) -> list[object]:
    flat: list[object] = []
    for value in values:
        if isinstance(value, dict):
            flat.extend(_flat(value.values()))
        else:
            flat.append(int(value) if isinstance(value, bool) else value)
    return flat


def _serialized(value: object, codec: str) -> bytes:
    """PHP's serialize()."""
    if isinstance(value, dict):
        return _serialized_array(value.items(), codec)
    if isinstance(value, list):
        return _serialized_array(enumerate(value), codec)
    return _serialized_scalar(value, codec)


def _serialized_scalar(value: object, codec: str) -> bytes:
    """Lengths of strings are in bytes."""
    if value is None:
        return b"N;"
    if isinstance(value, bool):
        return b"b:%d;" % value
    if isinstance(value, int):
        return b"i:%d;" % value
    if isinstance(value, float):
        return f"d:{value!r};".encode()
    text = str(value).encode(codec, "replace")
    return b's:%d:"%b";' % (len(text), text)


def _serialized_array(items: Iterable[tuple[object, object]], codec: str) -> bytes:
    pairs = [_serialized(key, codec) + _serialized(value, codec) for key, value in items]
    return b"a:%d:{%b}" % (len(pairs), b"".join(pairs))
