"""The rows of the lists."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.credentials import Credential
from ekomi_reconcile.model.invitation import Evidence, Status
from ekomi_reconcile.model.shape import (
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    array_of,
    counts_of,
    maybe,
    object_of,
    words_of,
)
from ekomi_reconcile.model.statistics import STARS, Period
from ekomi_reconcile.suppression import Kind

_NO_TEXT = maybe(TEXT)
_NO_TIME = maybe(TIME)


def account_row() -> dict[str, Json]:
    """One account of the grid."""
    return object_of(
        {
            "id": COUNT,
            "name": TEXT,
            "account_name": _NO_TEXT,
            "interface_id": TEXT,
            "locale": _NO_TEXT,
            "total_reviews": maybe(COUNT),
            "average_score": maybe(NUMBER),
            "invitations": FLAG,
            "queue": counts_of(("total", "pending")),
            "updated_at": TIME,
            "last_fetched_at": _NO_TIME,
            "last_error": _NO_TEXT,
        }
    )


def checked_row() -> dict[str, Json]:
    """The verdict on the credentials of one account."""
    words = {"enum": [each.name.lower() for each in Credential]}
    return object_of(
        {"account": TEXT, "interface_id": TEXT, "result": words, "message": _NO_TEXT, "mend": _NO_TEXT}
    )


def invitation_fields() -> Mapping[str, Json]:
    """One invitation of the grid."""
    return {
        "id": COUNT,
        "account": TEXT,
        "interface_id": TEXT,
        "order": TEXT,
        "order_id": COUNT,
        "store_view": _NO_TEXT,
        "order_date": TIME,
        "reached_at": TIME,
        "reached_source": words_of(Evidence),
        "scheduled_at": TIME,
        "sent_at": _NO_TIME,
        "link": _NO_TEXT,
        "status": words_of(Status),
        "reason": _NO_TEXT,
        "attempts": COUNT,
    }


def invitation_row() -> dict[str, Json]:
    """The same as an object."""
    return object_of(invitation_fields())


def whole_invitation_fields() -> dict[str, Json]:
    """One invitation in full."""
    return {
        **invitation_fields(),
        "source": TEXT,
        "reached_status": TEXT,
        "judged_at": TIME,
        "next_attempt_at": _NO_TIME,
        "pushed": FLAG,
        "changed_at": TIME,
    }


def change_row() -> dict[str, Json]:
    """One step in the life of an invitation."""
    return object_of(
        {
            "at": TIME,
            "from": {"enum": [*words_of(Status)["enum"], None]},
            "to": words_of(Status),
            "actor": TEXT,
            "detail": _NO_TEXT,
        }
    )


def review_row() -> dict[str, Json]:
    """One review."""
    return object_of(
        {
            "account": TEXT,
            "interface_id": TEXT,
            "order": TEXT,
            "product_id": _NO_TEXT,
            "submitted_at": TIME,
            "rating": NUMBER,
            "title": _NO_TEXT,
            "text": _NO_TEXT,
            "comment": _NO_TEXT,
            "first_seen_at": TIME,
            "changed_at": TIME,
            "gone_at": _NO_TIME,
        }
    )


def statistics_row() -> dict[str, Json]:
    """What the reviews of one account add up to."""
    return object_of(
        {
            "account": TEXT,
            "interface_id": TEXT,
            "product_id": _NO_TEXT,
            "since": _NO_TIME,
            "reviews": COUNT,
            "average": maybe(NUMBER),
            "distribution": counts_of(str(star) for star in STARS),
            "answered": COUNT,
            "answered_share": maybe(NUMBER),
            "product_reviews": object_of({"reviews": COUNT, "average": maybe(NUMBER)}),
            "by": words_of(Period),
            "trend": array_of(object_of({"period": TEXT, "reviews": COUNT, "average": maybe(NUMBER)})),
        }
    )


def error_row() -> dict[str, Json]:
    """One failed call to eKomi."""
    return object_of(
        {
            "at": TIME,
            "account": _NO_TEXT,
            "interface_id": _NO_TEXT,
            "operation": TEXT,
            "kind": TEXT,
            "http_status": maybe(COUNT),
            "message": TEXT,
        }
    )


def address_row() -> dict[str, Json]:
    """One account of the state."""
    return object_of({"address": TEXT, "name": TEXT, "interface_id": TEXT})


def journal_row() -> dict[str, Json]:
    """One entry of the journal."""
    return object_of(
        {
            "at": TIME,
            "who": TEXT,
            "host": TEXT,
            "action": TEXT,
            "subject": _NO_TEXT,
            "outcome": TEXT,
            "detail": _NO_TEXT,
            "commit": _NO_TEXT,
            "plan_digest": _NO_TEXT,
        }
    )


def suppressed_row() -> dict[str, Json]:
    """One entry of the suppression list."""
    return object_of({"line": COUNT, "kind": words_of(Kind), "entry": TEXT})
