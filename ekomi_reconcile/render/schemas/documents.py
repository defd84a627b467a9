"""The objects that commands write: one thing in full, or what was done."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.doctor.finding import Verdict
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.invitation import Criterion, Evidence, Status
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.shape import (
    ANYTHING,
    COUNT,
    FLAG,
    TEXT,
    TIME,
    array_of,
    counts_of,
    fields_of,
    maybe,
    object_of,
    words_of,
)
from ekomi_reconcile.plan.schema import diagnostic_shape
from ekomi_reconcile.render.schemas.rows import (
    change_row,
    error_row,
    invitation_row,
    journal_row,
    review_row,
    whole_invitation_fields,
)

_NO_TEXT = maybe(TEXT)
_NO_TIME = maybe(TIME)
_SETTING = object_of({"value": ANYTHING, "origin": _NO_TEXT, "applied": ANYTHING}, optional=["applied"])
_TIMES = (
    "created_at",
    "updated_at",
    "deleted_at",
    "last_fetched_at",
    "last_import_at",
    "last_full_import_at",
)


def validation() -> Mapping[str, Json]:
    """``validate``."""
    return {
        "valid": FLAG,
        "error_count": COUNT,
        "warning_count": COUNT,
        "diagnostics": array_of(diagnostic_shape()),
    }


def account_detail() -> Mapping[str, Json]:
    """``accounts show``."""
    shop = fields_of(ShopData)
    queue = {"total": COUNT, "pending": COUNT, "by_status": counts_of(each.value for each in Status)}
    return {
        "id": maybe(COUNT),
        "address": TEXT,
        "in_files": FLAG,
        "in_state": FLAG,
        **{key: shop[key] for key in ("account_name", "locale", "active", "logo_url")},
        **{key: shop[key] for key in ("review_page", "certificate_id")},
        "settings": {"type": "object", "additionalProperties": _SETTING},
        "statistics": object_of({key: shop[key] for key in ("total_reviews", "average_score")}),
        "queue": object_of(queue),
        **dict.fromkeys(_TIMES, _NO_TIME),
        "last_error": _NO_TEXT,
        "last_error_at": _NO_TIME,
    }


def explanation() -> Mapping[str, Json]:
    """``explain``."""
    criterion = {"criterion": words_of(Criterion), "ok": FLAG, "value": ANYTHING, "wanted": TEXT}
    account = {
        "account": TEXT,
        "eligible": FLAG,
        "reason": {"enum": [*words_of(Criterion)["enum"], None]},
        "criteria": array_of(object_of(criterion)),
        "reached_at": _NO_TIME,
        "reached_source": {"enum": [*words_of(Evidence)["enum"], None]},
        "scheduled_at": _NO_TIME,
        "invitation": maybe(invitation_row()),
    }
    return {"order": TEXT, "order_id": COUNT, "accounts": array_of(object_of(account))}


def examination() -> Mapping[str, Json]:
    """``doctor``."""
    check = {
        "check": TEXT,
        "account": _NO_TEXT,
        "status": words_of(Verdict),
        "message": TEXT,
        "mend": _NO_TEXT,
    }
    return {"ok": FLAG, "checks": array_of(object_of(check))}


def adopted() -> Mapping[str, Json]:
    """``invitations mark-sent``."""
    problem = object_of({"line": COUNT, "problem": TEXT})
    return {
        "written": FLAG,
        "dry_run": FLAG,
        "marked": COUNT,
        "were_waiting": COUNT,
        "present": COUNT,
        "problems": array_of(problem),
    }


def state_record() -> Mapping[str, Json]:
    """``state show``."""
    return {
        "id": COUNT,
        "address": TEXT,
        "name": TEXT,
        "interface_id": TEXT,
        "desired": {"type": "object"},
        "protect": FLAG,
        "password_recorded": FLAG,
        "shop": object_of(fields_of(ShopData)),
        "last_error": _NO_TEXT,
        **dict.fromkeys((*_TIMES, "last_error_at"), _NO_TIME),
    }


def lock() -> Mapping[str, Json]:
    """``lock show`` and ``force-unlock``."""
    texts = dict.fromkeys(("id", "who", "host", "operation", "job", "info", "version", "path"), _NO_TEXT)
    return {"held": FLAG, **texts, "since": _NO_TIME, "process": maybe(COUNT)}


def copied() -> Mapping[str, Json]:
    """``state backup``."""
    return {"path": TEXT, "bytes": COUNT, "lineage": TEXT, "serial": COUNT}


def restored() -> Mapping[str, Json]:
    """``state restore`` and ``state push``."""
    return {
        "serial": COUNT,
        "accounts": COUNT,
        "invitations": COUNT,
        "replaced": _NO_TEXT,
        "closed_since": maybe(COUNT),
        "key_fits": FLAG,
    }


def migrated() -> Mapping[str, Json]:
    """``state migrate URL``."""
    table = object_of({"table": TEXT, "rows": COUNT, "digest": TEXT})
    return {"from": TEXT, "to": TEXT, "serial": COUNT, "key_file": _NO_TEXT, "tables": array_of(table)}


def state_format() -> Mapping[str, Json]:
    """``state migrate`` without a URL."""
    return {"state_format": TEXT}


def checked_state() -> Mapping[str, Json]:
    """``state check``."""
    return {"ok": FLAG, "problems": array_of(TEXT)}


def renamed() -> Mapping[str, Json]:
    """``state mv``."""
    return {"address": TEXT, "new_address": TEXT, "interface_id": TEXT, "dry_run": FLAG}


def initialised() -> Mapping[str, Json]:
    """``state init``."""
    return {"location": TEXT, "lineage": TEXT, "created": FLAG, "pinned": FLAG}


def source_renamed() -> Mapping[str, Json]:
    """``state mv-source``."""
    counts = {"invitations": COUNT, "positions": COUNT, "observations": COUNT, "merged": COUNT}
    return {"source": TEXT, "new_source": TEXT, **counts, "dry_run": FLAG}


def loss_accepted() -> Mapping[str, Json]:
    """``state accept-loss``."""
    account = object_of({"account": TEXT, "unknown": COUNT, "due_before": COUNT})
    return {"since": TIME, "until": TIME, "unknown": COUNT, "accounts": array_of(account), "dry_run": FLAG}


def removed() -> Mapping[str, Json]:
    """``state rm``."""
    return {"address": TEXT, "interface_id": TEXT, "cancelled": COUNT, "kept": COUNT, "dry_run": FLAG}


def suppressed() -> Mapping[str, Json]:
    """``suppress add``."""
    entry = object_of({"entry": TEXT, "added": FLAG, "pending": maybe(COUNT)})
    return {"added": COUNT, "present": COUNT, "pending": COUNT, "entries": array_of(entry)}


def unsuppressed() -> Mapping[str, Json]:
    """``suppress remove``."""
    return {"removed": COUNT, "missing": COUNT}


def held() -> Mapping[str, Json]:
    """``privacy export``."""
    invitation = object_of({**whole_invitation_fields(), "history": array_of(change_row())})
    return {
        "digest": TEXT,
        "suppressed": FLAG,
        "invitations": array_of(invitation),
        "reviews": array_of(review_row()),
        "errors": array_of(error_row()),
        "journal": array_of(journal_row()),
    }


def erased() -> Mapping[str, Json]:
    """``privacy erase``."""
    counts = dict.fromkeys(("invitations", "skipped", "reviews", "errors"), COUNT)
    return {**counts, "suppressed": FLAG, "copies": array_of(TEXT)}


def version() -> Mapping[str, Json]:
    """``version --json``."""
    return {
        "version": TEXT,
        "python": TEXT,
        "formats": object_of(dict.fromkeys(("configuration", "events", "plan", "state", "output"), TEXT)),
        "extras": {"type": "object", "additionalProperties": FLAG},
    }
