"""Where orders are read and who is notified, as the project file defines it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, model_validator
from pydantic_core import PydanticCustomError

from ekomi_reconcile.config.conditions import optional
from ekomi_reconcile.config.types import (
    Also,
    BaseUrl,
    FixedKeys,
    Flag,
    Location,
    Name,
    SecretReference,
    SourceName,
    StoreId,
    distinct,
)

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


class OAuth(FixedKeys):
    """The four values of a Magento integration, each as a reference."""

    consumer_key: SecretReference = Field(
        description="Reference to the consumer key of the integration.",
        examples=["${env:MAGENTO_CONSUMER_KEY}"],
    )
    consumer_secret: SecretReference = Field(
        description="Reference to the consumer secret of the integration.",
        examples=["${env:MAGENTO_CONSUMER_SECRET}"],
    )
    access_token: SecretReference = Field(
        description="Reference to the access token of the integration.",
        examples=["${env:MAGENTO_ACCESS_TOKEN}"],
    )
    access_token_secret: SecretReference = Field(
        description="Reference to the access token secret of the integration.",
        examples=["${env:MAGENTO_ACCESS_TOKEN_SECRET}"],
    )


def _exactly_one(model: BaseModel, first: str, second: str) -> None:
    if len(model.model_fields_set & {first, second}) != 1:
        raise PydanticCustomError("one_of", "not exactly one of two", {"keys": f"{first} {second}"})


def _one_of_schema(first: str, second: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [first]}, {"required": [second]}]}


class Magento(FixedKeys):
    """A Magento shop, read through its REST interface."""

    model_config = ConfigDict(json_schema_extra=_one_of_schema("token", "oauth"))

    base_url: BaseUrl = Field(description="Address of the shop, without /rest.")
    allow_http: Flag = Field(
        default=False,
        description="Allows an address with http:// beyond this machine: the token and customers' addresses "
        "are then sent unencrypted.",
    )
    token: SecretReference = optional(
        "Reference to the access token of an integration.",
        absent="`oauth` is needed",
        examples=["${env:MAGENTO_TOKEN}"],
    )
    oauth: OAuth = optional(
        "The four values of an integration, each as a reference, instead of a token.",
        absent="`token` is needed",
    )
    annotate: Flag = Field(
        default=False, description="Writes a comment into the order in the shop when it is invited."
    )

    @model_validator(mode="after")
    def _one_credential(self) -> Magento:
        _exactly_one(self, "token", "oauth")
        return self


Named: TypeAlias = Annotated[Name, Also(description="Its code or name in the files.")]
Ids: TypeAlias = Annotated[dict[StoreId, Named], Strict(), Also(additionalProperties=False)]


class OrderSource(FixedKeys):
    """Where orders are read: a shop or a file."""

    model_config = ConfigDict(json_schema_extra=_one_of_schema("magento", "file"))

    magento: Magento = optional("A Magento shop, read through its REST interface.", absent="`file` is needed")
    file: Location = optional(
        "A file of Magento-shaped orders as JSONL, JSON or CSV, relative to the project file.",
        absent="`magento` is needed",
        examples=["orders.jsonl"],
    )
    stores: Ids = optional(
        "Store ids to store view codes, for orders that have an id only.",
        absent="orders have their code",
        examples=[{"1": "de"}],
    )
    customer_groups: Ids = optional(
        "Customer group ids to names, for orders that have an id only.",
        absent="orders have their group's name",
        examples=[{"4": "VIP"}],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> OrderSource:
        _exactly_one(self, "magento", "file")
        return self


_SOURCE_KEYS: Final = tuple(OrderSource.model_fields)
NamedSources: TypeAlias = Annotated[
    dict[SourceName, OrderSource],
    Strict(),
    Field(min_length=1),
    Also(properties=dict.fromkeys(_SOURCE_KEYS, False), additionalProperties=False),
]


def _short_or_named(value: Any) -> str | None:
    if not isinstance(value, dict | OrderSource):
        return None
    return (
        "#short" if not isinstance(value, dict) or any(each in value for each in _SOURCE_KEYS) else "#named"
    )


Orders: TypeAlias = Annotated[
    Annotated[OrderSource, Tag("#short")] | Annotated[NamedSources, Tag("#named")],
    Discriminator(_short_or_named),
]
