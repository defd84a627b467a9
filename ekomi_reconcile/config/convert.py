"""Validated documents to the values that the rest of the program works with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ekomi_reconcile.config import models, settings, source_models
from ekomi_reconcile.config.source_models import Notification
from ekomi_reconcile.config.types import seconds
from ekomi_reconcile.model.account import Account, Deliver, InvitationRule, Json, Selection

_SELECTIONS: Final = ("store_views", "customer_groups")
_LISTS: Final = ("order_statuses", "cancel_statuses")


def account(data: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> Account:
    """The account of a valid document over valid defaults; ``source`` is the name of its order source.

    Mappings merge, everything else is replaced: lists, conditions and selections as a whole.
    """
    links = data.get("links", {})
    return Account(
        name=data["name"],
        interface_id=data["interface_id"],
        interface_password=data["interface_password"],
        webshop_url=links.get("webshop_url"),
        submit_url=links.get("submit_url"),
        protect=_either(data, defaults, "protect", False),  # noqa: FBT003 - the default of the format
        tags=tuple(_either(data, defaults, "tags", ())),
        priority=_either(data, defaults, "priority", 0),
        orders=source,
        invitations=_rule({**defaults.get("invitations", {}), **data.get("invitations", {})}),
    )


def _either(data: Mapping[str, Any], defaults: Mapping[str, Any], key: str, otherwise: Any) -> Any:
    return data[key] if key in data else defaults.get(key, otherwise)


def _rule(values: dict[str, Any]) -> InvitationRule:
    for key in _SELECTIONS:
        if key in values:
            values[key] = _selection(values[key])
    if "spread" in values:
        values["spread"] = seconds(values["spread"])
    for key in _LISTS:
        if key in values:
            values[key] = tuple(values[key])
    if "deliver" in values:
        values["deliver"] = Deliver(values["deliver"])
    return InvitationRule(**values)


def _selection(value: Json) -> Selection:
    if isinstance(value, dict):
        return Selection(frozenset(value["exclude"]), exclude=True)
    return Selection(frozenset(value))


def project(model: models.ProjectDocument, data: Mapping[str, Any]) -> settings.Project:
    """The settings of a valid project file."""
    return settings.Project(
        version=model.version,
        accounts=model.accounts,
        state=model.state if isinstance(model.state, str) else model.state.location,
        lineage=None if isinstance(model.state, str) else model.state.lineage,
        orders=_sources(model.orders),
        schedule=settings.ScheduleSettings(
            sync_every=seconds(model.schedule.sync_every),
            import_reviews_every=seconds(model.schedule.import_reviews_every),
        ),
        ekomi=settings.EkomiSettings(
            **{**model.ekomi.model_dump(exclude={"allow_http"}), "timeout": seconds(model.ekomi.timeout)}
        ),
        safety=settings.SafetySettings(
            **{**model.safety.model_dump(), "max_plan_age": seconds(model.safety.max_plan_age)}
        ),
        privacy=_privacy(model.privacy),
        defaults=data.get("defaults", {}),
        notify=tuple(_notification(each) for each in _given(model, "notify") or ()),
    )


def _sources(
    orders: source_models.OrderSource | dict[str, source_models.OrderSource] | None,
) -> dict[str, settings.OrdersSettings]:
    match orders:
        case None:
            return {}
        case source_models.OrderSource():
            return {settings.DEFAULT_SOURCE: _source(settings.DEFAULT_SOURCE, orders)}
        case _:
            return {name: _source(name, each) for name, each in orders.items()}


def _source(name: str, source: source_models.OrderSource) -> settings.OrdersSettings:
    magento = _given(source, "magento")
    return settings.OrdersSettings(
        name=name,
        kind=settings.SourceKind.FILE if magento is None else settings.SourceKind.MAGENTO,
        magento=None if magento is None else _magento(magento),
        file=_given(source, "file"),
        stores=_by_id(_given(source, "stores")),
        customer_groups=_by_id(_given(source, "customer_groups")),
    )


def _magento(shop: source_models.Magento) -> settings.MagentoSettings:
    oauth = _given(shop, "oauth")
    return settings.MagentoSettings(
        base_url=shop.base_url,
        token=_given(shop, "token"),
        oauth=None if oauth is None else settings.OAuthSettings(**oauth.model_dump()),
        annotate=shop.annotate,
    )


def _by_id(names: Mapping[str, str] | None) -> dict[int, str]:
    return {int(number): name for number, name in (names or {}).items()}


def _privacy(privacy: models.Privacy) -> settings.PrivacySettings:
    retention, cap = _given(privacy, "retention"), _given(privacy, "max_per_customer")
    return settings.PrivacySettings(
        key=_given(privacy, "key"),
        retention=None if retention is None else seconds(retention),
        max_per_customer=None if cap is None else settings.CustomerLimit(count=cap.count, days=cap.days),
        suppress=_given(privacy, "suppress"),
    )


def _notification(each: Notification) -> settings.NotifySettings:
    return settings.NotifySettings(
        webhook=each.webhook,
        format=settings.NotifyFormat(each.format),
        on=tuple(map(settings.Occasion, each.on)),
    )


def _given(model: Any, key: str) -> Any:
    """The value of an optional key, or ``None``: in the files absent, never null."""
    return getattr(model, key)
