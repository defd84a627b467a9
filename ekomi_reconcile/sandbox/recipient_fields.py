"""The fields of add-recipient: what must be there and how it must look."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

PRESENT = ("first_name", "last_name")
FILLED = ("shop_id", "recipient_type", "transaction_id", "transaction_time")

# The official plugins write day first, another client year first.
TIME = re.compile(r"(\d{2}-\d{2}-\d{4}|\d{4}-\d{2}-\d{2}) \d{2}:\d{2}(:\d{2})?", re.ASCII)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
E164 = re.compile(r"\+?[1-9]\d{1,14}", re.ASCII)
MOST_SMS_SENDER = 11


class Refused(Exception):
    """The recipient is not accepted; the text is the answer's message."""


def fields_from_json(body: bytes) -> dict[str, str]:
    """A JSON body's fields as text; values that are themselves JSON stay JSON text.

    Raises:
        Refused: not a JSON object.
    """
    try:
        content = json.loads(body)
    except ValueError:
        raise Refused("The request body could not be read.") from None
    if not isinstance(content, dict):
        raise Refused("The request body could not be read.")
    return {name: _as_text(value) for name, value in content.items() if value is not None}


def check_fields(fields: Mapping[str, str]) -> None:
    """Judge presence and form of every field.

    Raises:
        Refused: the first thing wrong.
    """
    _check_presence(fields)
    _check_address(fields)
    if not TIME.fullmatch(fields["transaction_time"]):
        raise Refused("The transaction_time format is invalid.")
    if fields.get("has_products", "0") not in {"0", "1", ""}:
        raise Refused("The has_products field must be 0 or 1.")
    if fields.get("has_products") == "1":
        _check_products(fields)


def _check_presence(fields: Mapping[str, str]) -> None:
    missing = [name for name in PRESENT if name not in fields]
    missing += [name for name in FILLED if not fields.get(name)]
    if not fields.get("password") and not fields.get("interface_password"):
        missing.append("password")
    if missing:
        raise Refused(f"The {missing[0]} field is required.")


def _check_address(fields: Mapping[str, str]) -> None:
    channel = fields["recipient_type"]
    if channel not in {"email", "sms"}:
        raise Refused("The selected recipient_type is invalid.")
    name, pattern = ("email", EMAIL) if channel == "email" else ("telephone", E164)
    if not fields.get(name):
        raise Refused(f"The {name} field is required.")
    if not pattern.fullmatch(fields[name]):
        raise Refused(f"The {name} format is invalid.")
    if channel == "sms" and len(fields.get("sender_name", "")) > MOST_SMS_SENDER:
        raise Refused("The sender_name may not be greater than 11 characters.")


def _check_products(fields: Mapping[str, str]) -> None:
    if not fields.get("products_info"):
        raise Refused("The products_info field is required.")
    for name in ("products_info", "products_other"):
        try:
            products = json.loads(fields.get(name) or "{}")
        except ValueError:
            raise Refused(f"The {name} must be a valid JSON string.") from None
        if not isinstance(products, dict):
            raise Refused(f"The {name} must be a valid JSON string.")


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
