"""The settings of a project as frozen values; durations are whole seconds, secrets are references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from ekomi_reconcile.model.account import Json

DEFAULT_SOURCE = "default"
"""The name of the order source in the short form of ``orders:``."""


class SourceKind(StrEnum):
    """Where orders are read."""

    MAGENTO = "magento"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """References to the four values of a Magento integration."""

    consumer_key: str
    consumer_secret: str
    access_token: str
    access_token_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MagentoSettings:
    """A Magento shop; exactly one of ``token`` (a reference) and ``oauth`` is given."""

    base_url: str
    token: str | None
    oauth: OAuthSettings | None
    annotate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersSettings:
    """One order source: ``magento`` or ``file`` (a path, relative to the project file) is given.

    ``stores`` and ``customer_groups`` turn ids into codes and names where an order has only ids.
    """

    name: str
    kind: SourceKind
    magento: MagentoSettings | None
    file: str | None
    stores: Mapping[int, str]
    customer_groups: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """How often things are fetched, in seconds."""

    sync_every: int
    import_reviews_every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EkomiSettings:
    """How eKomi is called; ``requests_per_second`` per account, ``timeout`` in seconds."""

    api_url: str
    srr_url: str
    requests_per_second: int | float
    parallelism: int
    timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySettings:
    """Limits at which a run stops; ``max_plan_age`` in seconds. Without ``send`` no run sends."""

    max_delete_percent: int
    max_sends: int
    max_schedules: int
    max_plan_age: int
    send: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLimit:
    """At most ``count`` invitations per customer within ``days``."""

    count: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """``key`` is a reference, ``retention`` seconds, ``suppress`` a path relative to the project file."""

    key: str | None
    retention: int | None
    max_per_customer: CustomerLimit | None
    suppress: str | None


class Occasion(StrEnum):
    """After which runs somebody is told."""

    SUCCESS = "success"
    CHANGES = "changes"
    FAILURE = "failure"


class NotifyFormat(StrEnum):
    """What is posted."""

    JSON = "json"
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Who is told how runs ended; ``webhook`` is a reference to the address."""

    webhook: str
    format: NotifyFormat
    on: tuple[Occasion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All settings. ``state`` is a path (relative to the project file) or a URL, as written; ``lineage``, a
    UUID or ``${env:NAME}``, pins which state it is.

    ``defaults`` is the partial account document of the file; accounts have it merged in already.
    """

    version: int
    accounts: str
    state: str
    orders: Mapping[str, OrdersSettings]
    schedule: ScheduleSettings
    ekomi: EkomiSettings
    safety: SafetySettings
    privacy: PrivacySettings
    defaults: Mapping[str, Json]
    notify: tuple[NotifySettings, ...] = ()
    lineage: str | None = None

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of all remotes by their keys in the project file."""
        found = {"ekomi.api_url": self.ekomi.api_url, "ekomi.srr_url": self.ekomi.srr_url}
        for name, source in self.orders.items():
            if source.magento is not None:
                place = "orders" if name == DEFAULT_SOURCE else f"orders.{name}"
                found[f"{place}.magento.base_url"] = source.magento.base_url
        return found

    def canonical(self) -> dict[str, Json]:
        """The settings that decide what a run does: not where files, state and defaults are kept.

        Nor who is told of it, nor how old a plan may be: a plan that was made before stays good. A key that
        came later is left out at its default, so that an upgrade changes no digest.
        """
        values = asdict(self)
        for name in ("accounts", "state", "lineage", "defaults", "notify"):
            del values[name]
        del values["safety"]["max_plan_age"]
        if self.safety.send:
            del values["safety"]["send"]
        for source in values["orders"].values():
            for name in ("stores", "customer_groups"):
                source[name] = {str(number): text for number, text in source[name].items()}
        return values
