"""The settings of order sources: a Magento shop or a file, each key declared once (``model.keys``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from ekomi_reconcile.config.source_kinds import source_kinds
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.keys import Json, Recorded, build, key

_ALWAYS: Final = Recorded.ALWAYS
_NEVER: Final = Recorded.NEVER

DEFAULT_SOURCE = "default"
"""The name of the order source in the short form of ``orders:``."""


class SourceKind(StrEnum):
    """Where orders are read."""

    MAGENTO = "magento"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """The four values of a Magento integration, each as a reference."""

    consumer_key: keys.SecretReference = key(
        "Reference to the consumer key of the integration.",
        recorded=_ALWAYS,
        examples=("${env:MAGENTO_CONSUMER_KEY}",),
    )
    consumer_secret: keys.SecretReference = key(
        "Reference to the consumer secret of the integration.",
        recorded=_ALWAYS,
        examples=("${env:MAGENTO_CONSUMER_SECRET}",),
    )
    access_token: keys.SecretReference = key(
        "Reference to the access token of the integration.",
        recorded=_ALWAYS,
        examples=("${env:MAGENTO_ACCESS_TOKEN}",),
    )
    access_token_secret: keys.SecretReference = key(
        "Reference to the access token secret of the integration.",
        recorded=_ALWAYS,
        examples=("${env:MAGENTO_ACCESS_TOKEN_SECRET}",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MagentoSettings:
    """A Magento shop, read through its REST interface."""

    ONE_OF: ClassVar = ("token", "oauth")

    base_url: keys.BaseUrl = key("Address of the shop, without /rest.", recorded=_ALWAYS)
    allow_http: bool = key(
        "Allows an address with http:// beyond this machine: the token and customers' addresses are then "
        "sent unencrypted.",
        default=False,
        recorded=_NEVER,
    )
    token: keys.SecretReference | None = key(
        "Reference to the access token of an integration.",
        default=None,
        recorded=_ALWAYS,
        absent="`oauth` is needed",
        examples=("${env:MAGENTO_TOKEN}",),
    )
    oauth: OAuthSettings | None = key(
        "The four values of an integration, each as a reference, instead of a token.",
        default=None,
        recorded=_ALWAYS,
        absent="`token` is needed",
    )
    annotate: bool = key(
        "Writes a comment into the order in the shop when it is invited.",
        default=False,
        recorded=_ALWAYS,
    )


def _by_id(names: Mapping[str, str]) -> dict[int, str]:
    return {int(number): name for number, name in names.items()}


def _ids(names: Mapping[int, str]) -> dict[str, str]:
    return {str(number): name for number, name in names.items()}


_Ids: TypeAlias = Annotated[Mapping[int, str], keys.Format(name="ids", parse=_by_id, form=_ids)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersSettings:
    """Where orders are read: a shop or a file.

    ``name`` is how the project file calls the source; ``registered`` has the settings, as the file writes
    them, of a kind that another package registers. ``file`` is relative to the project file. ``stores`` and
    ``customer_groups`` turn ids into codes and names where an order has only ids.
    """

    SCHEMA: ClassVar = "OrderSource"
    ONE_OF: ClassVar = ("magento", "file")

    name: str
    registered: Mapping[str, Json] = field(default_factory=dict)
    magento: MagentoSettings | None = key(
        "A Magento shop, read through its REST interface.",
        default=None,
        recorded=_ALWAYS,
        absent="`file` is needed",
    )
    file: keys.Location | None = key(
        "A file of Magento-shaped orders as JSONL, JSON or CSV, relative to the project file.",
        default=None,
        recorded=_ALWAYS,
        absent="`magento` is needed",
        examples=("orders.jsonl",),
    )
    stores: _Ids = key(
        "Store ids to store view codes, for orders that have an id only.",
        factory=dict,
        recorded=_ALWAYS,
        absent="orders have their code",
        examples=({"1": "de"},),
    )
    customer_groups: _Ids = key(
        "Customer group ids to names, for orders that have an id only.",
        factory=dict,
        recorded=_ALWAYS,
        absent="orders have their group's name",
        examples=({"4": "VIP"},),
    )

    @property
    def kind(self) -> str:
        """Where these orders are read: a ``SourceKind``, or one that another package registers."""
        for kind in self.registered:
            return kind
        return SourceKind.FILE if self.magento is None else SourceKind.MAGENTO

    @property
    def settings(self) -> Any:
        """What is set for this kind: a record, a path, or of a registered kind what the file has."""
        return self.registered[self.kind] if self.registered else self.magento or self.file

    def canonical(self) -> dict[str, Json]:
        """What is recorded of it, as JSON values."""
        return {"name": self.name, "kind": str(self.kind), **keys.canonical(self), **self.registered}


_SOURCE_KEYS: Final = tuple(each.name for each in keys.keys(OrdersSettings))


def sources_of(written: Mapping[str, Any]) -> dict[str, OrdersSettings]:
    """The order sources of the short form (one source), or of the long one (sources by name)."""
    if any(each in written for each in (*_SOURCE_KEYS, *source_kinds())):
        written = {DEFAULT_SOURCE: written}
    return {name: _source(name, source) for name, source in written.items()}


def _source(name: str, written: Mapping[str, Any]) -> OrdersSettings:
    registered = {key: value for key, value in written.items() if key not in _SOURCE_KEYS}
    own = {key: value for key, value in written.items() if key in _SOURCE_KEYS}
    return build(OrdersSettings, {"name": name, "registered": registered, **own})


def source_forms(sources: Mapping[str, OrdersSettings]) -> dict[str, Json]:
    return {name: source.canonical() for name, source in sources.items()}
