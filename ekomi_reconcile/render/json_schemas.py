"""Schemas of every JSON output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from ekomi_reconcile.model import document
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.document import DIALECT, JsonObject, schema_of
from ekomi_reconcile.model.run import Work
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
from ekomi_reconcile.render.events import MODULE, TYPES, UI_VERSION
from ekomi_reconcile.render.tables import FORMAT_VERSION

LISTS: Mapping[str, type[JsonObject]] = {
    "accounts-list": accounts.AccountEntry,
    "accounts-check": accounts.CheckedEntry,
    "invitations-list": invitations.InvitationEntry,
    "invitations-history": state.OriginEntry,
    "reviews-funnel": invitations.FunnelEntry,
    "reviews-list": reviews.ReviewEntry,
    "reviews-stats": reviews.StatisticsEntry,
    "errors": results.ErrorEntry,
    "state-list": state.AddressEntry,
    "state-history": results.ActionEntry,
    "suppress-list": state.SuppressionEntry,
}
"""What the items of each list are."""

DOCUMENTS: Mapping[str, type[JsonObject]] = {
    "validate": results.ValidationDocument,
    "analyze": explain.AnalysisDocument,
    "backtest": rule_tests.BacktestDocument,
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

_HOOKED = {
    "apply": (Work.CREATE, Work.UPDATE, Work.REPLACE, Work.DELETE),
    "refresh": (Work.SYNC, Work.IMPORT),
    "invitation": (Work.SEND,),
}


def events_shape() -> dict[str, Json]:
    """Any event; those of unknown types have the common keys."""
    parts: dict[str, Json] = {}
    rules = []
    for kind, payload in TYPES.items():
        schema = schema_of(payload)
        parts |= schema.pop("$defs", {})
        keys = {"type": {"const": kind}, **schema["properties"]}
        if "hook" in keys:
            keys["hook"] = _hook(kind)
        rules.append({"if": {"properties": {"type": {"const": kind}}}, "then": document.object_of(keys)})
    common = {
        "@level": {"enum": ["info", "warn", "error"]},
        "@message": document.TEXT,
        "@module": {"const": MODULE},
        "@timestamp": document.TIME,
        "type": document.TEXT,
    }
    return {**document.object_of(common), "allOf": rules, "$defs": parts}


def _hook(kind: str) -> dict[str, Json]:
    """The hook of a type of event: which actions it is about, and what it always has."""
    name, _, end = kind.partition("_")
    always = [
        *(["invitation"] if name == "invitation" else []),
        *(["elapsed_seconds"] if end != "start" else []),
        *(["status"] if name == "invitation" and end in ("complete", "errored") else []),
        *(["error"] if end == "errored" else []),
    ]
    actions = {"enum": [each.value for each in _HOOKED[name]]}
    return {"$ref": "#/$defs/Hook", "properties": {"action": actions}, "required": always}


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
        "format_version": schema_of(Annotated[str, document.version_of(FORMAT_VERSION)]),
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
