"""What a state records about itself: the keys and values of the table ``meta``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ekomi_reconcile.model.errors import StateDamaged
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.state import Meta

FORMAT_VERSION = 6
"""The format of the state that this version writes."""

KEY_CHECK = "key_check"
"""Where the value stands by which a state knows its key again."""

ADDRESSES = "addresses"
"""The key of the remote addresses that the last run used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateIdentity:
    """Which state this is, and in which version; ``key_check`` tells the key of its digests."""

    lineage: str
    serial: int
    created_at: Instant
    key_check: str | None = None


_RESTORE = "restore a backup of the state"


def format_version(values: Mapping[str, str]) -> int:
    """The format of a state of any age.

    Raises:
        StateDamaged: it does not say.
    """
    text = values.get("format_version", "")
    if not (text.isascii() and text.isdigit()):
        raise StateDamaged("the state does not say which format it has", mend=_RESTORE)
    return int(text)


def parse_addresses(values: Mapping[str, str]) -> dict[str, str]:
    """The remote addresses that the last run used, by their keys; none where it did not record any."""
    try:
        found = json.loads(values.get(ADDRESSES, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def parse_meta(values: Mapping[str, str]) -> Meta:
    """The data of a state of the present format.

    Raises:
        StateDamaged: a part is missing or no number.
    """
    try:
        return Meta(
            format_version=format_version(values),
            lineage=values["lineage"],
            serial=int(values["serial"]),
            created_at=int(values["created_at"]),
            tool_version=values["tool_version"],
        )
    except (KeyError, ValueError) as error:
        raise StateDamaged(f"the state's own data is damaged: {error}", mend=_RESTORE) from error
