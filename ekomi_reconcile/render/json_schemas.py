"""Schemas of every JSON output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ekomi_reconcile.model import document
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.document import DIALECT, JsonObject, schema_of
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import Done, Work
from ekomi_reconcile.plan.plan import Action, OperationKind, Summary
from ekomi_reconcile.render import (
    accounts,
    explain,
    invitations,
    results,
    reviews,
    rule_tests,
    state,
    state_admin,
    tables,
)
from ekomi_reconcile.render.events import MODULE, UI_VERSION, EventDiagnostic
from ekomi_reconcile.render.tables import FORMAT_VERSION

_NO_TEXT = document.maybe(document.TEXT)

LISTS: Mapping[str, type[JsonObject]] = {
    "accounts-list": accounts.AccountEntry,
    "accounts-check": accounts.CheckedEntry,
    "invitations-list": invitations.InvitationEntry,
    "invitations-history": invitations.ChangeEntry,
    "reviews-list": reviews.ReviewEntry,
    "reviews-stats": reviews.StatisticsEntry,
    "errors": results.ErrorEntry,
    "state-list": state.AddressEntry,
    "state-history": state.ActionEntry,
    "suppress-list": state.SuppressionEntry,
}
"""What the items of each list are."""

DOCUMENTS: Mapping[str, type[JsonObject]] = {
    "validate": results.ValidationDocument,
    "analyze": explain.AnalysisDocument,
    "test-results": rule_tests.RuleTestsDocument,
    "test-mutants": rule_tests.MutantsDocument,
    "accounts-show": accounts.AccountDocument,
    "invitations-show": invitations.InvitationDocument,
    "invitations-mark-sent": invitations.MarkedDocument,
    "explain": explain.ExplanationDocument,
    "orders-inspect": invitations.InspectionDocument,
    "doctor": state_admin.DoctorDocument,
    "state-show": state.RecordDocument,
    "state-backup": state_admin.Copied,
    "state-restore": state_admin.RestoredDocument,
    "state-migrate": state_admin.MigratedDocument,
    "state-format": state_admin.FormatDocument,
    "state-check": state_admin.CheckDocument,
    "state-mv": state_admin.Renamed,
    "state-init": state_admin.Initialised,
    "state-mv-source": state_admin.SourceRenamed,
    "state-accept-loss": state_admin.LossAccepted,
    "state-rm": state_admin.Removed,
    "lock": state.LockDocument,
    "suppress-add": state.AddedEntries,
    "suppress-remove": state.RemovedEntries,
    "privacy-export": state.HeldDocument,
    "privacy-erase": state.Erased,
    "version": tables.VersionDocument,
}
EVENTS = "events"
NAMES = (*LISTS, *DOCUMENTS, EVENTS)

_RESOURCE = document.object_of(
    {
        "addr": document.TEXT,
        "module": document.TEXT,
        "resource": document.TEXT,
        "implied_provider": {"const": "ekomi"},
        "resource_type": {"const": "account"},
        "resource_name": document.TEXT,
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
        "@message": document.TEXT,
        "@module": {"const": MODULE},
        "@timestamp": document.TIME,
        "type": document.TEXT,
    }
    rules = [
        {
            "if": {"properties": {"type": {"const": kind}}},
            "then": document.object_of({"type": {"const": kind}, **keys}),
        }
        for kind, keys in kinds.items()
    ]
    diagnostic = schema_of(EventDiagnostic)
    parts = diagnostic.pop("$defs")
    return {**document.object_of(common), "allOf": rules, "$defs": {**parts, "EventDiagnostic": diagnostic}}


def _kinds() -> dict[str, Mapping[str, Json]]:
    """The keys of every type of event beside the common ones."""
    return {
        "version": {"ekomi_reconcile": document.TEXT, "ui": document.shape_version_of(UI_VERSION)},
        "diagnostic": {"diagnostic": {"$ref": "#/$defs/EventDiagnostic"}},
        "log": {},
        "planned_change": {"change": _planned_change()},
        "planned_refresh": {"change": _planned_refresh()},
        "planned_invitations": {"change": _planned_invitations()},
        "change_summary": {"changes": _figures(), "complete": document.FLAG},
        "orders_progress": {
            "done": document.COUNT,
            "total": document.maybe(document.COUNT),
            "source": _NO_TEXT,
        },
        "queue_progress": {
            "done": document.COUNT,
            "total": document.maybe(document.COUNT),
            "source": _NO_TEXT,
        },
        "queue_complete": {
            "changes": document.shape_counts_of(("schedule", "reschedule", "cancel", "left_out"))
        },
        **{f"{name}_{end}": {"hook": _hook(name, end)} for name in _HOOKED for end in _ENDS},
        "cycle_complete": {"outcome": document.TEXT, "message": _NO_TEXT},
    }


def _hook(name: str, end: str) -> dict[str, Json]:
    keys: dict[str, Json] = {
        "resource": _RESOURCE,
        "action": {"enum": [each.value for each in _HOOKED[name]]},
        "id_key": {"const": "interface_id"},
        "id_value": document.TEXT,
    }
    if name == "invitation":
        keys["invitation"] = document.object_of({"id": document.COUNT, "order": document.TEXT})
    if name == "invitation" and end in ("complete", "errored"):
        keys["status"] = document.words_of(Status)
    if end != "start":
        keys["elapsed_seconds"] = document.COUNT
    if end == "errored":
        keys["error"] = document.TEXT
    return document.object_of(keys)


def _planned_change() -> dict[str, Json]:
    return document.object_of(
        {
            "resource": _RESOURCE,
            "action": document.words_of(Action),
            "reason": _NO_TEXT,
            "previous_resource": document.maybe(_RESOURCE),
            "changed": document.array_of(document.TEXT),
            "blocked": _NO_TEXT,
        }
    )


def _planned_refresh() -> dict[str, Json]:
    return document.object_of(
        {"resource": _RESOURCE, "action": document.words_of(OperationKind), "reason": document.TEXT}
    )


def _planned_invitations() -> dict[str, Json]:
    counts = dict.fromkeys(("schedule", "reschedule", "cancel", "send"), document.COUNT)
    return document.object_of({"resource": _RESOURCE, **counts})


def _figures() -> dict[str, Json]:
    """Those of the plan are always there, those of a run in the summary of ``apply``."""
    planned = [*(each.encode_name for each in msgspec.structs.fields(Summary)), "remove"]
    done = [each.value for each in Done]
    keys = {**dict.fromkeys(planned, document.COUNT), **dict.fromkeys(done, document.COUNT)}
    operation = {"enum": ["plan", "apply"]}
    return document.object_of(
        {**keys, "operation": operation}, optional=[each for each in done if each not in planned]
    )


def output_schema(name: str) -> dict[str, Json]:
    """The JSON Schema (2020-12) of what a command writes; a list has its version in the schema's title.

    Raises:
        KeyError: there is no such schema.
    """
    if name == EVENTS:
        return {**_head(name, "one line of --json-events", UI_VERSION), **events_shape()}
    title = name.replace("-", " ", 1)
    if name in LISTS:
        kind: Any = list[LISTS[name]]  # type: ignore[valid-type]
        return {**_head(name, title, FORMAT_VERSION), **schema_of(kind)}
    schema = schema_of(DOCUMENTS[name])
    schema["properties"] = {
        "format_version": document.shape_version_of(FORMAT_VERSION),
        **schema["properties"],
    }
    schema["required"] = ["format_version", *schema["required"]]
    return {**_head(name, title, FORMAT_VERSION), **schema}


def _head(name: str, title: str, version: str) -> dict[str, Json]:
    major = version.partition(".")[0]
    return {
        "$schema": DIALECT,
        "$id": f"urn:ekomi-reconcile:schema:{name}:{major}",
        "title": f"ekomi-reconcile {title}, format {version}",
    }
