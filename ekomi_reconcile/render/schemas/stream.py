"""One line of ``--json-events``. A reader shows what it does not know by its ``@message``."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.event import Work
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.result import Done
from ekomi_reconcile.model.shape import (
    COUNT,
    FLAG,
    TEXT,
    TIME,
    array_of,
    counts_of,
    maybe,
    object_of,
    version_of,
    words_of,
)
from ekomi_reconcile.plan.plan import Action, OperationKind, Summary
from ekomi_reconcile.plan.schema import diagnostic_shape
from ekomi_reconcile.render.events import MODULE, UI_VERSION

_NO_TEXT = maybe(TEXT)
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
