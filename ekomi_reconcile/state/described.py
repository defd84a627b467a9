"""What a state says of itself: keys and values as they stand in the table ``meta``."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.errors import StateDamaged
from ekomi_reconcile.state.records import Meta

FORMAT_VERSION = 2
"""The format of the state that this version writes."""

KEY_CHECK = "key_check"
"""Where the value stands by which a state knows its key again."""

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
