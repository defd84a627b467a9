"""Every schema by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.shape import DIALECT, array_of, object_of, version_of
from ekomi_reconcile.render.events import UI_VERSION
from ekomi_reconcile.render.json_text import FORMAT_VERSION
from ekomi_reconcile.render.schemas import documents, rows
from ekomi_reconcile.render.schemas.stream import events_shape

_LISTS: Mapping[str, Callable[[], Mapping[str, Json]]] = {
    "accounts-list": rows.account_row,
    "accounts-check": rows.checked_row,
    "invitations-list": rows.invitation_row,
    "invitations-history": rows.change_row,
    "reviews-list": rows.review_row,
    "reviews-stats": rows.statistics_row,
    "errors": rows.error_row,
    "state-list": rows.address_row,
    "state-history": rows.journal_row,
    "suppress-list": rows.suppressed_row,
}
_OBJECTS: Mapping[str, Callable[[], Mapping[str, Json]]] = {
    "validate": documents.validation,
    "accounts-show": documents.account_detail,
    "invitations-show": rows.whole_invitation_fields,
    "invitations-mark-sent": documents.adopted,
    "explain": documents.explanation,
    "doctor": documents.examination,
    "state-show": documents.state_record,
    "state-backup": documents.copied,
    "state-restore": documents.restored,
    "state-migrate": documents.migrated,
    "state-format": documents.state_format,
    "state-check": documents.checked_state,
    "state-mv": documents.renamed,
    "state-init": documents.initialised,
    "state-mv-source": documents.source_renamed,
    "state-accept-loss": documents.loss_accepted,
    "state-rm": documents.removed,
    "lock": documents.lock,
    "suppress-add": documents.suppressed,
    "suppress-remove": documents.unsuppressed,
    "privacy-export": documents.held,
    "privacy-erase": documents.erased,
    "version": documents.version,
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
