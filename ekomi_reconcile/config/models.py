"""The format of the files as pydantic models: what is accepted, what it means, what is the default.

The JSON Schemas are generated from these; titles, descriptions and examples are for editors.
Validated documents are read as plain data: defaults of accounts live in ``model.account``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
)

from ekomi_reconcile.config.conditions import ABSENT, Condition, optional
from ekomi_reconcile.config.source_models import Notifications, Orders
from ekomi_reconcile.config.types import (
    Also,
    BaseUrl,
    Calls,
    CapCount,
    CapDays,
    Days,
    Duration,
    FixedKeys,
    Flag,
    InterfaceId,
    Limit,
    Lineage,
    Location,
    Name,
    Names,
    PageUrl,
    Percent,
    Priority,
    Rate,
    SecretReference,
    SourceName,
    Spread,
    whole,
)
from ekomi_reconcile.model.account import InvitationRule

_RULE: Final = InvitationRule()
_IMPORTED: Final = "imported from eKomi"


class Exclude(FixedKeys):
    """All but these."""

    exclude: Names = Field(description="Every one is meant but these.", examples=[["NOT LOGGED IN"]])


_DELIVER: Final = {
    "ekomi-email": "eKomi writes an e-mail; an order without a usable address is not invited.",
    "ekomi-sms": "eKomi writes a text message; an order without a mobile number is not invited.",
    "link": "Nobody is written to: the review link stands in the queue for a mailer of your own.",
}


def _list_or_exclude(value: Any) -> str | None:
    if isinstance(value, list):
        return "#list"
    return "#exclude" if isinstance(value, dict | Exclude) else None


Selection: TypeAlias = Annotated[
    Annotated[Names, Tag("#list")] | Annotated[Exclude, Tag("#exclude")], Discriminator(_list_or_exclude)
]


class Links(FixedKeys):
    """Pages of the shop at eKomi; left out, they are imported from eKomi."""

    webshop_url: PageUrl = optional(
        "Address of the shop.", absent=_IMPORTED, examples=["https://shop.example.com/de"]
    )
    submit_url: PageUrl = optional(
        "Page where a customer writes a review.",
        absent=_IMPORTED,
        examples=["https://shop.example.com/review"],
    )


class Invitations(FixedKeys):
    """Which orders get an invitation, when, and how."""

    enabled: Flag = Field(
        default=_RULE.enabled,
        description="Are invitations sent at all? While false, what waits in the queue is held back.",
    )
    pending_period: Days = Field(
        default=_RULE.pending_period,
        description="Days from the trigger status to the invitation: time for the parcel to arrive and "
        "the goods to be tried. A day is 24 hours.",
    )
    spread: Spread = optional(
        "Sends up to so much later than the pending period says, by an offset that every order keeps: a "
        "day with many orders does not become a minute with many requests.",
        absent="0d, no spread",
        examples=["3d"],
    )
    skip_orders_older_than: Days = Field(
        default=_RULE.skip_orders_older_than,
        description="Orders older than so many days are never invited, counted from the order date; an "
        "order of exactly this age still is. 0 means no limit: then a first apply may ask for years back.",
    )
    store_views: Selection = optional(
        "Codes of the store views whose orders are meant: a list, or `exclude` with a list.",
        absent="all store views",
        examples=[["de", "at"], {"exclude": ["b2b"]}],
    )
    customer_groups: Selection = optional(
        "Names of the customer groups whose orders are meant: a list, or `exclude` with a list. Guests are "
        "the group NOT LOGGED IN.",
        absent="all customer groups",
        examples=[["General", "Retailer"], {"exclude": ["NOT LOGGED IN"]}],
    )
    order_statuses: Names = Field(
        default=list(_RULE.order_statuses),
        description="Trigger statuses: the first of them that an order reaches starts the clock. A status "
        "that means canceled, closed or on hold is refused.",
    )
    cancel_statuses: Names = optional(
        "Statuses that end an order although its state does not, such as a status for returned parcels: "
        "the order is not invited, and a pending invitation is cancelled. Upper and lower case are the same.",
        absent="no status ends an order by itself",
        examples=[["returned"]],
    )
    skip_refunded: Flag = Field(
        default=_RULE.skip_refunded,
        description="Fully refunded orders are not invited.",
    )
    deliver: Literal["ekomi-email", "ekomi-sms", "link"] = Field(
        default=_RULE.deliver.value,
        description="Who asks the customer, and how.",
        json_schema_extra={"enumDescriptions": list(_DELIVER.values())},
    )
    conditions: Condition = optional(
        "What else must hold for an order: one attribute with its operators, a test of its items, or a "
        "group (`all`, `any`, `not`).",
        absent="nothing else",
        examples=[{"all": [{"grand_total": {"gte": 50}}]}],
    )


class AccountDefaults(FixedKeys):
    """What accounts share: a key that an account does not have is taken from here."""

    protect: Flag = Field(
        default=False,
        description="Deleting or replacing the account fails until an apply with false. Kept in the "
        "state, it holds also when the whole file is gone.",
    )
    tags: Names = optional(
        "Words of your own. `digital` or `service` say that nothing is shipped: a short pending period is "
        "fine then.",
        absent="no tags",
        examples=[["dach"], ["digital"]],
    )
    priority: Priority = Field(
        default=0,
        description="When several accounts match an order the highest wins, then the lowest interface id.",
    )
    orders: SourceName = optional(
        "Name of the order source in the project file.",
        absent="the source called `default`, or the only one",
        examples=["eu"],
    )
    invitations: Invitations = optional(
        "Which orders get an invitation, when, and how.", absent="no invitations are sent"
    )


class _Identity(FixedKeys):
    name: Name = Field(
        description="Name of your own, unique among the accounts (upper and lower case are the same). It may "
        "be changed at any time.",
        examples=["Germany"],
    )
    interface_id: InterfaceId = Field(
        description="The interface id of the eKomi dashboard, in quotes. It is the identity of the account "
        "and never changes."
    )
    interface_password: SecretReference = Field(
        description="Where the interface password of the eKomi dashboard is found: a reference such as "
        "`${env:NAME}`, `${file:/path}` or `${keyring:service/user}`, never the password itself."
    )
    links: Links = optional("Pages of the shop.", absent=_IMPORTED)


class AccountDocument(AccountDefaults, _Identity):
    """One eKomi account and its invitation rule."""

    model_config = ConfigDict(title="eKomi account")


class Schedule(FixedKeys):
    """How often statistics and reviews are fetched."""

    sync_every: Duration = Field(
        default="6h", description="How old statistics and shop details may become before they are fetched."
    )
    import_reviews_every: Duration = Field(
        default="12h", description="How old the last import of reviews may become before the next."
    )


class Ekomi(FixedKeys):
    """How eKomi is called."""

    api_url: BaseUrl = Field(
        default="https://api.ekomi.de/v3",
        examples=["https://api.ekomi.de/v3"],
        description="Address of the API.",
    )
    srr_url: BaseUrl = Field(
        default="https://srr.ekomi.com",
        examples=["https://srr.ekomi.com"],
        description="Address that takes orders.",
    )
    allow_http: Flag = Field(
        default=False,
        description="Allows addresses with http:// beyond this machine: passwords and customers' addresses "
        "are then sent unencrypted.",
    )
    requests_per_second: Rate = Field(
        default=5, description="Calls per second and account; any positive number."
    )
    parallelism: Calls = Field(default=10, description="Calls at the same time.")
    timeout: Duration = Field(default="30s", description="How long one call may take.")


class Safety(FixedKeys):
    """Limits at which apply stops and asks for an explicit override."""

    max_delete_percent: Percent = Field(
        default=30,
        description="So many percent of the accounts may be deleted in one run; all of them never without "
        "--allow-deletes.",
    )
    max_sends: Limit = Field(
        default=1000,
        description="So many invitations are sent in one run. More wait for the next; where a change of the "
        "files would send more, apply stops.",
    )
    max_schedules: Limit = Field(
        default=10000, description="So many invitations may a change of the files schedule at once."
    )
    max_plan_age: Duration = Field(
        default="7d", description="The age at which a saved plan is stale: `apply PLAN` refuses an older one."
    )
    send: Flag = Field(
        default=True,
        description="Whether invitations are sent. With `false` runs plan and schedule but never send, for "
        "example in a staging environment.",
    )


class CustomerCap(FixedKeys):
    """At most ``count`` invitations per customer within ``days``."""

    count: CapCount = Field(description="At most so many invitations.", examples=[1])
    days: CapDays = Field(description="Within so many days.", examples=[90])


class Privacy(FixedKeys):
    """What is kept about customers, and for how long."""

    key: SecretReference = optional(
        "Reference to the key of the digests in the state; PostgreSQL needs one.",
        absent="a random key beside the state file",
        examples=["${env:EKOMI_RECONCILE_KEY}"],
    )
    retention: Duration = optional(
        "Finished invitations and reviews older than this are removed.",
        absent="they are kept",
        examples=["730d"],
    )
    max_per_customer: CustomerCap = optional(
        "At most so many invitations per customer within so many days.",
        absent="one per order is the only limit",
        examples=[{"count": 1, "days": 90}],
    )
    suppress: Location = optional(
        "File with addresses, domains and numbers that are never invited, one per line, relative to the "
        "project file.",
        absent="no file",
        examples=["suppressed.txt"],
    )


def _section(model: type[FixedKeys], description: str) -> Any:
    extra: dict[str, Any] = {ABSENT: "the default of each of its keys"}
    return Field(default_factory=model, description=description, json_schema_extra=extra)


_STATE: Final = ".ekomi-reconcile/state.db"


class PinnedState(FixedKeys):
    """A state of which it is said which one it is: no other is ever used."""

    location: Location = Field(
        default=_STATE,
        description="Where it is: a file, sqlite:///… or postgresql://…, or a reference to it.",
    )
    lineage: Lineage = Field(
        description="Its lineage: the UUID that `state init` prints, or `${env:NAME}`. Where another state "
        "or none is found, every command that needs it stops."
    )


def _text_or_pinned(value: Any) -> str | None:
    if isinstance(value, str):
        return "#text"
    return "#pinned" if isinstance(value, dict | PinnedState) else None


StateSetting: TypeAlias = Annotated[
    Annotated[Location, Tag("#text")] | Annotated[PinnedState, Tag("#pinned")],
    Discriminator(_text_or_pinned),
]


class ProjectDocument(FixedKeys):
    """Settings of a project: ekomi-reconcile.yaml."""

    model_config = ConfigDict(title="ekomi-reconcile project")

    version: Annotated[int, Strict(), Field(ge=1, le=1), BeforeValidator(whole), Also(const=1)] = Field(
        description="Version of this format."
    )
    accounts: Location = Field(
        default="accounts.d",
        description="Folder of the account files, relative to this file: all `*.yaml` and `*.yml` below it.",
    )
    state: StateSetting = Field(
        default=_STATE,
        description="Where the state is: a file, sqlite:///… or postgresql://…, or a reference to it; or a "
        "mapping that also pins which state it is. EKOMI_RECONCILE_STATE and --state win over the location, "
        "never over the pin.",
        examples=[_STATE, {"location": _STATE, "lineage": "1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11"}],
    )
    orders: Orders = optional(
        "Where orders are read: one source, or several by name.",
        absent="no orders are read, and nobody is invited",
        examples=[{"file": "orders.jsonl"}, {"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}}],
    )
    schedule: Schedule = _section(Schedule, "How often statistics and reviews are fetched.")
    defaults: AccountDefaults = optional(
        "Put under every account: mappings are merged, lists and conditions replaced.",
        absent="the built-in defaults",
        examples=[{"invitations": {"pending_period": 14}}],
    )
    ekomi: Ekomi = _section(Ekomi, "How eKomi is called.")
    safety: Safety = _section(Safety, "Limits at which apply stops and asks for an explicit override.")
    privacy: Privacy = _section(Privacy, "What is kept about customers, and for how long.")
    notify: Notifications = optional(
        "Who is told how runs ended.",
        absent="nobody",
        examples=[[{"webhook": "${env:HOOK_URL}", "format": "slack", "on": ["failure"]}]],
    )
