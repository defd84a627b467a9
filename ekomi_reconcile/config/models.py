"""The format of the files as pydantic models: what is accepted, what it means, what is the default.

The JSON Schemas are generated from these; titles, descriptions and examples are for editors.
Validated documents are read as plain data: defaults of accounts live in ``model.account``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ekomi_reconcile.config.conditions import Condition, optional
from ekomi_reconcile.config.types import (
    Also,
    BaseUrl,
    Calls,
    CapCount,
    CapDays,
    Days,
    Duration,
    Flag,
    InterfaceId,
    Limit,
    Name,
    Names,
    PageUrl,
    Percent,
    Priority,
    Rate,
    SecretReference,
    SourceName,
    StoreId,
    Text,
    whole,
)
from ekomi_reconcile.model.account import InvitationRule

_RULE: Final = InvitationRule()


class _Mapping(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exclude(_Mapping):
    """All but these."""

    exclude: Names = Field(description="every one but these", examples=[["NOT LOGGED IN"]])


def _list_or_exclude(value: Any) -> str | None:
    if isinstance(value, list):
        return "#list"
    return "#exclude" if isinstance(value, dict | Exclude) else None


Selection: TypeAlias = Annotated[
    Annotated[Names, Tag("#list")] | Annotated[Exclude, Tag("#exclude")], Discriminator(_list_or_exclude)
]


class Links(_Mapping):
    """Pages of the shop at eKomi; left out, they are imported from eKomi."""

    webshop_url: PageUrl = optional("address of the shop", examples=["https://shop.example.com/de"])
    submit_url: PageUrl = optional("where a customer writes a review")


class Invitations(_Mapping):
    """Which orders get an invitation, when, and how."""

    enabled: Flag = Field(default=_RULE.enabled, description="are invitations sent at all")
    pending_period: Days = Field(
        default=_RULE.pending_period, description="days from the trigger status to the invitation"
    )
    skip_orders_older_than: Days = Field(
        default=_RULE.skip_orders_older_than,
        description="older orders are never invited; days since the order date, 0 = no limit",
    )
    store_views: Selection = optional(
        "store view codes, or {exclude: [...]}; left out: all", examples=[["de", "at"], {"exclude": ["b2b"]}]
    )
    customer_groups: Selection = optional(
        "customer group names, or {exclude: [...]}; left out: all", examples=[{"exclude": ["NOT LOGGED IN"]}]
    )
    order_statuses: Names = Field(
        default=list(_RULE.order_statuses),
        description="trigger statuses: the first one that an order reaches starts the clock",
    )
    deliver: Literal["ekomi-email", "ekomi-sms", "link"] = Field(
        default=_RULE.deliver.value,
        description="ekomi-email, ekomi-sms: eKomi writes to the customer; link: only make the review link",
    )
    conditions: Condition = optional(
        "what else must hold for an order", examples=[{"all": [{"grand_total": {"gte": 50}}]}]
    )


class AccountDefaults(_Mapping):
    """What accounts share: a key that an account does not have is taken from here."""

    protect: Flag = Field(default=False, description="deleting or replacing the account fails")
    tags: Names = optional("words for selecting and for lint, such as digital", examples=[["dach"]])
    priority: Priority = Field(default=0, description="when several accounts match an order the highest wins")
    orders: SourceName = optional("name of the order source in the project file", examples=["eu"])
    invitations: Invitations = optional("which orders get an invitation, when, and how")


class _Identity(_Mapping):
    name: Name = Field(description="internal name, unique among the accounts", examples=["Germany"])
    interface_id: InterfaceId = Field(description="eKomi interface id, in quotes; it never changes")
    interface_password: SecretReference = Field(description="where the password is found, never itself")
    links: Links = optional("pages of the shop; left out, they are imported from eKomi")


class AccountDocument(AccountDefaults, _Identity):
    """One eKomi account and its invitation rule."""

    model_config = ConfigDict(title="eKomi account")


class OAuth(_Mapping):
    """The four values of a Magento integration, each as a reference."""

    consumer_key: SecretReference
    consumer_secret: SecretReference
    access_token: SecretReference
    access_token_secret: SecretReference


def _exactly_one(model: BaseModel, first: str, second: str) -> None:
    if len(model.model_fields_set & {first, second}) != 1:
        raise PydanticCustomError("one_of", "not exactly one of two", {"keys": f"{first} {second}"})


def _one_of_schema(first: str, second: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [first]}, {"required": [second]}]}


class Magento(_Mapping):
    """A Magento shop, read through its REST interface."""

    model_config = ConfigDict(json_schema_extra=_one_of_schema("token", "oauth"))

    base_url: BaseUrl = Field(description="address of the shop")
    token: SecretReference = optional("access token of an integration", examples=["${env:MAGENTO_TOKEN}"])
    oauth: OAuth = optional("the four values of an integration, instead of a token")
    annotate: Flag = Field(default=False, description="write a comment into the order when it is invited")

    @model_validator(mode="after")
    def _one_credential(self) -> Magento:
        _exactly_one(self, "token", "oauth")
        return self


Ids: TypeAlias = Annotated[dict[StoreId, Name], Strict(), Also(additionalProperties=False)]


class OrderSource(_Mapping):
    """Where orders are read: a shop or a file."""

    model_config = ConfigDict(json_schema_extra=_one_of_schema("magento", "file"))

    magento: Magento = optional("a Magento shop")
    file: Text = optional("orders as JSONL, JSON or CSV, relative to this file", examples=["orders.jsonl"])
    stores: Ids = optional(
        "store ids to store view codes, where an order has no code", examples=[{"1": "de"}]
    )
    customer_groups: Ids = optional("group ids to names, where an order has no name", examples=[{"4": "VIP"}])

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


class Schedule(_Mapping):
    """How often statistics and reviews are fetched."""

    sync_every: Duration = Field(default="6h", description="statistics and shop details")
    import_reviews_every: Duration = Field(default="12h", description="reviews")


class Ekomi(_Mapping):
    """How eKomi is called."""

    api_url: BaseUrl = Field(default="https://api.ekomi.de/v3", description="address of the API")
    srr_url: BaseUrl = Field(default="https://srr.ekomi.com", description="address that takes orders")
    requests_per_second: Rate = Field(default=5, description="per account; any positive number")
    parallelism: Calls = Field(default=10, description="calls at the same time")
    timeout: Duration = Field(default="30s", description="of one call")


class Safety(_Mapping):
    """Limits at which apply stops and asks for an explicit override."""

    max_delete_percent: Percent = Field(default=30, description="accounts deleted in one run, in percent")
    max_sends: Limit = Field(default=1000, description="invitations sent in one run")
    max_schedules: Limit = Field(
        default=10000, description="invitations that a change of the files may schedule at once"
    )


class CustomerCap(_Mapping):
    """At most ``count`` invitations per customer within ``days``."""

    count: CapCount
    days: CapDays


class Privacy(_Mapping):
    """What is kept about customers, and for how long."""

    key: SecretReference = optional(
        "key of the digests in the state", examples=["${env:EKOMI_RECONCILE_KEY}"]
    )
    retention: Duration = optional(
        "finished invitations and reviews older than this are removed", examples=["730d"]
    )
    max_per_customer: CustomerCap = optional("cap on invitations", examples=[{"count": 1, "days": 90}])
    suppress: Text = optional("file with addresses that are never asked", examples=["suppressed.txt"])


def _section(model: type[_Mapping], description: str) -> Any:
    return Field(default_factory=model, description=description)


class ProjectDocument(_Mapping):
    """Settings of a project: ekomi-reconcile.yaml."""

    model_config = ConfigDict(title="ekomi-reconcile project")

    version: Annotated[int, Strict(), Field(ge=1, le=1), BeforeValidator(whole), Also(const=1)] = Field(
        description="version of the format"
    )
    accounts: Text = Field(default="accounts.d", description="folder of the account files")
    state: Text = Field(
        default=".ekomi-reconcile/state.db",
        description="file, sqlite:///... or postgresql://...; EKOMI_RECONCILE_STATE wins",
    )
    orders: Orders = optional(
        "the order source, or several by name",
        examples=[{"file": "orders.jsonl"}, {"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}}],
    )
    schedule: Schedule = _section(Schedule, "how often statistics and reviews are fetched")
    defaults: AccountDefaults = optional(
        "put under every account", examples=[{"invitations": {"pending_period": 14}}]
    )
    ekomi: Ekomi = _section(Ekomi, "how eKomi is called")
    safety: Safety = _section(Safety, "limits at which apply stops")
    privacy: Privacy = _section(Privacy, "what is kept about customers")
