"""Who is told how runs ended, as the project file says it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, Strict

from ekomi_reconcile.config.types import Also, FixedKeys, SecretReference, distinct

_FORMATS: Final = {
    "json": "One JSON object, the same for every program.",
    "slack": "A message of blocks, as incoming webhooks of Slack take it.",
}

Occasions: TypeAlias = Annotated[
    list[Literal["success", "changes", "failure"]],
    Strict(),
    Field(min_length=1),
    AfterValidator(distinct),
    Also(uniqueItems=True),
]


class Notification(FixedKeys):
    """Where to tell how a run ended, how, and when."""

    webhook: SecretReference = Field(
        description="Reference to the address to post to, never the address itself: whoever knows it can "
        "post there. It must be https; http only on this machine.",
        examples=["${env:HOOK_URL}"],
    )
    format: Literal["json", "slack"] = Field(
        default="json",
        description="What is posted.",
        json_schema_extra={"enumDescriptions": list(_FORMATS.values())},
    )
    on: Occasions = Field(
        default=["changes", "failure"],
        description="After which runs: `success`, all that was to be done was done; `changes`, accounts, "
        "invitations or reviews changed; `failure`, something was not done. One of them is enough.",
        examples=[["failure"], ["success", "failure"]],
    )


Notifications: TypeAlias = Annotated[list[Notification], Strict(), Field(min_length=1)]
