"""Schemas of every JSON output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ekomi_reconcile.doctor.context import CheckStatus
from ekomi_reconcile.model.account import Credential, Json
from ekomi_reconcile.model.invitation import Criterion, Evidence, Status
from ekomi_reconcile.model.review import STARS, Period, ShopData
from ekomi_reconcile.model.run import Done, Work
from ekomi_reconcile.model.shape import (
    ANYTHING,
    COUNT,
    DIALECT,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    array_of,
    counts_of,
    fields_of,
    maybe,
    object_of,
    version_of,
    words_of,
)
from ekomi_reconcile.plan.plan import Action, OperationKind, Summary
from ekomi_reconcile.plan.schema import diagnostic_shape
from ekomi_reconcile.privacy.suppression import EntryKind
from ekomi_reconcile.render.events import MODULE, UI_VERSION
from ekomi_reconcile.render.tables import FORMAT_VERSION

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
    return object_of({"line": COUNT, "kind": words_of(EntryKind), "entry": TEXT})


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
        "status": words_of(CheckStatus),
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


_RESOURCE = object_of(
    {
        "addr": TEXT,
        "module": TEXT,
        "resource": TEXT,
        "implied_provider": {"const": "ekomi"},
        "resource_type": {"const": "account"},
        "resource_name": TEXT,
        "resource_key": {"type": "null"},
    }
)
_ENDS = ("start", "progress", "complete", "errored")
_HOOKED = {
    "apply": (Work.CREATE, Work.UPDATE, Work.REPLACE, Work.DELETE),
    "refresh": (Work.SYNC, Work.IMPORT),
    "invitation": (Work.SEND,),
}


def events_shape() -> dict[str, Json]:
    """Any event; those of unknown types have the common keys."""
    kinds = _kinds()
    common = {
        "@level": {"enum": ["info", "warn", "error"]},
        "@message": TEXT,
        "@module": {"const": MODULE},
        "@timestamp": TIME,
        "type": TEXT,
    }
    rules = [
        {
            "if": {"properties": {"type": {"const": kind}}},
            "then": object_of({"type": {"const": kind}, **keys}),
        }
        for kind, keys in kinds.items()
    ]
    return {**object_of(common), "allOf": rules}


def _kinds() -> dict[str, Mapping[str, Json]]:
    """The keys of every type of event beside the common ones."""
    return {
        "version": {"ekomi_reconcile": TEXT, "ui": version_of(UI_VERSION)},
        "diagnostic": {"diagnostic": _diagnostic()},
        "log": {},
        "planned_change": {"change": _planned_change()},
        "planned_refresh": {"change": _planned_refresh()},
        "planned_invitations": {"change": _planned_invitations()},
        "change_summary": {"changes": _figures(), "complete": FLAG},
        "orders_progress": {"done": COUNT, "total": maybe(COUNT), "source": _NO_TEXT},
        "queue_progress": {"done": COUNT, "total": maybe(COUNT), "source": _NO_TEXT},
        "queue_complete": {"changes": counts_of(("schedule", "reschedule", "cancel", "left_out"))},
        **{f"{name}_{end}": {"hook": _hook(name, end)} for name in _HOOKED for end in _ENDS},
        "cycle_complete": {"outcome": TEXT, "message": _NO_TEXT},
    }


def _hook(name: str, end: str) -> dict[str, Json]:
    keys: dict[str, Json] = {
        "resource": _RESOURCE,
        "action": {"enum": [each.value for each in _HOOKED[name]]},
        "id_key": {"const": "interface_id"},
        "id_value": TEXT,
    }
    if name == "invitation":
        keys["invitation"] = object_of({"id": COUNT, "order": TEXT})
    if name == "invitation" and end in ("complete", "errored"):
        keys["status"] = words_of(Status)
    if end != "start":
        keys["elapsed_seconds"] = COUNT
    if end == "errored":
        keys["error"] = TEXT
    return object_of(keys)


def _planned_change() -> dict[str, Json]:
    return object_of(
        {
            "resource": _RESOURCE,
            "action": words_of(Action),
            "reason": _NO_TEXT,
            "previous_resource": maybe(_RESOURCE),
            "changed": array_of(TEXT),
            "blocked": _NO_TEXT,
        }
    )


def _planned_refresh() -> dict[str, Json]:
    return object_of({"resource": _RESOURCE, "action": words_of(OperationKind), "reason": TEXT})


def _planned_invitations() -> dict[str, Json]:
    counts = dict.fromkeys(("schedule", "reschedule", "cancel", "send"), COUNT)
    return object_of({"resource": _RESOURCE, **counts})


def _figures() -> dict[str, Json]:
    """Those of the plan are always there, those of a run in the summary of ``apply``."""
    planned = [*Summary(**dict.fromkeys(Summary.__slots__, 0)).as_json(), "remove"]
    done = [each.value for each in Done]
    keys = {**dict.fromkeys(planned, COUNT), **dict.fromkeys(done, COUNT)}
    operation = {"enum": ["plan", "apply"]}
    return object_of(
        {**keys, "operation": operation}, optional=[each for each in done if each not in planned]
    )


def _diagnostic() -> dict[str, Json]:
    """Those about the files and the plan have more keys, as in the output of ``validate``."""
    severity = {"enum": ["error", "warning"]}
    always = {"severity": severity, "rule": _NO_TEXT, "summary": TEXT, "detail": TEXT, "mend": _NO_TEXT}
    known: dict[str, Json] = diagnostic_shape()["properties"]
    return object_of({**known, **always}, optional=known.keys() - always.keys())


_LISTS: Mapping[str, Callable[[], Mapping[str, Json]]] = {
    "accounts-list": account_row,
    "accounts-check": checked_row,
    "invitations-list": invitation_row,
    "invitations-history": change_row,
    "reviews-list": review_row,
    "reviews-stats": statistics_row,
    "errors": error_row,
    "state-list": address_row,
    "state-history": journal_row,
    "suppress-list": suppressed_row,
}
_OBJECTS: Mapping[str, Callable[[], Mapping[str, Json]]] = {
    "validate": validation,
    "accounts-show": account_detail,
    "invitations-show": whole_invitation_fields,
    "invitations-mark-sent": adopted,
    "explain": explanation,
    "doctor": examination,
    "state-show": state_record,
    "state-backup": copied,
    "state-restore": restored,
    "state-migrate": migrated,
    "state-format": state_format,
    "state-check": checked_state,
    "state-mv": renamed,
    "state-init": initialised,
    "state-mv-source": source_renamed,
    "state-accept-loss": loss_accepted,
    "state-rm": removed,
    "lock": lock,
    "suppress-add": suppressed,
    "suppress-remove": unsuppressed,
    "privacy-export": held,
    "privacy-erase": erased,
    "version": version,
}
EVENTS = "events"
NAMES = (*_LISTS, *_OBJECTS, EVENTS)


def output_schema(name: str) -> dict[str, Json]:
    """The JSON Schema (2020-12) of what a command writes; a list has its version in the schema's title.

    Raises:
        KeyError: there is no such schema.
    """
    if name == EVENTS:
        return {**_head(name, "one line of --json-events", UI_VERSION), **events_shape()}
    title = name.replace("-", " ", 1)
    if name in _LISTS:
        return {**_head(name, title, FORMAT_VERSION), **array_of(_LISTS[name]())}
    keys = {"format_version": version_of(FORMAT_VERSION), **_OBJECTS[name]()}
    return {**_head(name, title, FORMAT_VERSION), **object_of(keys)}


def _head(name: str, title: str, version: str) -> dict[str, Json]:
    major = version.partition(".")[0]
    return {
        "$schema": DIALECT,
        "$id": f"urn:ekomi-reconcile:schema:{name}:{major}",
        "title": f"ekomi-reconcile {title}, format {version}",
    }
