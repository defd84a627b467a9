"""Warnings: allowed, but rarely intended. Each has a rule id.

Two enabled accounts of one order source and priority overlap if some order matches both rules; the analysis
finds such an order or shows that there is none. One other account is named for each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from ekomi_reconcile.config.configuration import ProjectEntry, WrittenAccount, holds
from ekomi_reconcile.config.diagnostics import shown, warning
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import KeyPath
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.rule import ProductRule

_MOST_COMPARED: Final = 2_000_000
"""Pairs of accounts with a store view and a customer group in common that are compared."""


class Overlapping(NamedTuple):
    """An account and an earlier one that may match the same orders; pairs beyond the limit are counted."""

    pairs: Sequence[tuple[WrittenAccount, WrittenAccount]]
    not_compared: int


def overlaps(entries: Sequence[WrittenAccount]) -> Overlapping:
    """Pairs (account, an earlier one of equal priority that it overlaps with); every account at most once.

    ``analyze`` decides by the same procedure, for all pairs.
    """
    groups: dict[tuple[str, int], list[WrittenAccount]] = defaultdict(list)
    for each in entries:
        groups[each.account.orders, each.account.priority].append(each)
    found = [_in_group(group) for group in groups.values() if len(group) > 1]
    pairs = [pair for each in found for pair in each.pairs]
    return Overlapping(pairs, sum(each.not_compared for each in found))


def _in_group(group: Sequence[WrittenAccount]) -> Overlapping:
    from ekomi_reconcile.analysis.pairs import Meetings, Overlap, Solver
    from ekomi_reconcile.analysis.rules import rule_form, uses_domains

    accounts = [each.account for each in group]
    meetings, solver = Meetings(accounts), Solver(accounts, now=0)
    domains = uses_domains(accounts)
    form_of = lru_cache(maxsize=None)(lambda number: rule_form(accounts[number], domains=domains))
    pairs, compared, skipped = [], 0, 0
    for number, each in enumerate(group):
        for other in meetings.of(each.account):
            if compared >= _MOST_COMPARED:
                skipped += 1
                continue
            compared += 1
            if solver.together(form_of(other), form_of(number)).overlap is Overlap.ORDER:
                pairs.append((each, group[other]))
                break
        meetings.add(each.account)
    return Overlapping(pairs, skipped)


_BEFORE_DELIVERY: Final = frozenset({"pending", "processing"})
_QUICK_TAGS: Final = frozenset({"digital", "service"})
_QUICK: Final = 7
_AGE_LIMIT: Final[KeyPath] = ("invitations", "skip_orders_older_than")
_WILDCARDS: Final = frozenset({"all", "*"})
_EVERYTHING: Final = {"store_views": "store view", "customer_groups": "customer group"}
_FILLERS = re.compile(r"ekomi|account|interface|konto|id|[\W_]")


def warnings(
    project: ProjectEntry, entries: Sequence[WrittenAccount], *, complete: bool
) -> Iterator[Diagnostic]:
    """All warnings about valid accounts; ``complete``: no account is missing because of an error."""
    for entry in entries:
        yield from _of_account(entry)
    yield from _overlapping(entries)
    yield from _never_matching(entries)
    yield from _all_store_views(entries)
    yield from _shared_passwords(entries)
    if project.settings is not None:
        yield from _of_project(project, project.settings, entries)
    if complete:
        yield from _all_disabled(entries)
        yield from _unused_defaults(project, entries)


def _of_account(entry: WrittenAccount) -> Iterator[Diagnostic]:
    rule = entry.account.invitations
    limit = rule.skip_orders_older_than
    if limit == 0:
        yield _warn(
            entry,
            "no-age-limit",
            "no age limit: when the account is new, orders of any age are invited",
            ("invitations", "skip_orders_older_than"),
            hint="write a number of days, such as 30",
        )
    else:
        yield from _pending_beyond_limit(entry)
    if not _QUICK_TAGS.intersection(map(str.lower, entry.account.tags)):
        yield from _short_periods(entry)
    yield from _early_statuses(entry)
    yield from _wildcards(entry)
    yield from _bare_id(entry)
    yield from _products_unasked(entry)


def _periods(entry: WrittenAccount) -> Iterator[tuple[int, KeyPath]]:
    """Every pending period that orders of the account can have, in days, and where it is set."""
    rule = entry.account.invitations
    yield rule.pending_period, ("invitations", "pending_period")
    for index, each in enumerate(rule.pending_period_overrides):
        yield each.days, ("invitations", "pending_period_overrides", index, "days")


def _short_periods(entry: WrittenAccount) -> Iterator[Diagnostic]:
    for days, path in _periods(entry):
        if days < _QUICK:
            yield _warn(
                entry,
                "short-pending-period",
                f"a pending period under {_QUICK} days asks many customers before the parcel is there",
                path,
                hint="wait longer, or tag the account `digital` or `service` if nothing is shipped",
            )


def _pending_beyond_limit(entry: WrittenAccount) -> Iterator[Diagnostic]:
    limit, path_of_limit = entry.account.invitations.skip_orders_older_than, _AGE_LIMIT
    for days, path in _periods(entry):
        if days >= limit:
            limit_is_set = holds(entry.document.data, path_of_limit)
            at_limit = limit_is_set and not holds(entry.document.data, path[:2])
            yield _warn(
                entry,
                "pending-beyond-age-limit",
                f"the pending period ({days} days) is not below the age limit "
                f"({limit} days): an order may be too old before it is due",
                path_of_limit if at_limit else path,
                hint="raise skip_orders_older_than above pending_period",
            )


def _early_statuses(entry: WrittenAccount) -> Iterator[Diagnostic]:
    early = [each for each in entry.account.invitations.order_statuses if each.lower() in _BEFORE_DELIVERY]
    if early:
        yield _warn(
            entry,
            "status-before-delivery",
            f"an order is not delivered when it reaches the status {' or '.join(early)}",
            ("invitations", "order_statuses"),
            hint="write the status of a shipped order, such as complete",
        )


def _wildcards(entry: WrittenAccount) -> Iterator[Diagnostic]:
    """Entries of a list that look like a wildcard, and are compared with codes like any other."""
    for key, thing in _EVERYTHING.items():
        names = getattr(entry.account.invitations, key).names or ()
        for name in sorted(each for each in names if each.strip().lower() in _WILDCARDS):
            yield _warn(
                entry,
                "literal-wildcard",
                f"`{name}` in a list means a {thing} called `{name}`, not every {thing}",
                ("invitations", key),
                hint=f"omit {key} to match all {thing}s, unless one has this name",
            )


def _products_unasked(entry: WrittenAccount) -> Iterator[Diagnostic]:
    products = entry.account.invitations.products
    if not products.ask and products != ProductRule():
        yield _warn(
            entry,
            "products-not-asked",
            "`products` has no effect without `ask: true`: customers review the shop only",
            ("invitations", "products"),
            hint="add `ask: true`, or remove `products`",
        )


def _bare_id(entry: WrittenAccount) -> Iterator[Diagnostic]:
    name, number = entry.account.name.lower(), entry.account.interface_id
    if number in name and not _FILLERS.sub("", name.replace(number, "", 1)):
        yield _warn(
            entry,
            "name-repeats-id",
            "the name only repeats the interface id",
            ("name",),
            hint="write a descriptive name, such as the shop or the country",
        )


def _overlapping(entries: Sequence[WrittenAccount]) -> Iterator[Diagnostic]:
    enabled = [each for each in entries if each.account.invitations.enabled]
    found = overlaps(enabled)
    for second, first in found.pairs:
        yield _warn(
            second,
            "overlapping-rules",
            f"the rule overlaps with that of {first.account.name} ({first.place(('name',))}): "
            "an order that matches both goes to the lowest interface id",
            ("name",),
            hint="separate store views or customer groups, add conditions, or set `priority`; "
            "`ekomi-reconcile analyze` shows an order that matches both",
        )
    if found.not_compared:
        yield _warn(
            enabled[0],
            "overlaps-not-checked",
            f"too many accounts share a store view and a customer group: {found.not_compared:,} pairs "
            "were not checked for overlaps",
            ("name",),
            hint="check all pairs with `ekomi-reconcile analyze`",
        )


def _never_matching(entries: Sequence[WrittenAccount]) -> Iterator[Diagnostic]:
    """Rules whose conditions contradict themselves; equal rules are judged once."""
    judged: dict[bytes, bool] = {}
    for each in entries:
        rule = each.account.invitations
        if rule.conditions is None:
            continue
        asked = (rule.conditions, rule.cancel_statuses, rule.skip_refunded, rule.deliver)
        key = msgspec.json.encode(asked)
        if key not in judged:
            judged[key] = _never_matches(each.account)
        if judged[key]:
            yield _warn(
                each,
                "rule-never-matches",
                "no order can match this rule: its conditions contradict each other",
                ("invitations", "conditions"),
                hint="correct the values, or use `any` where one of several conditions is enough",
            )


def _never_matches(account: Account) -> bool:
    from ekomi_reconcile.analysis.rules import rule_form, uses_domains

    return rule_form(account, domains=uses_domains([account])).never


def _all_store_views(entries: Sequence[WrittenAccount]) -> Iterator[Diagnostic]:
    enabled: dict[str, int] = defaultdict(int)
    for each in entries:
        enabled[each.account.orders] += each.account.invitations.enabled
    for each in entries:
        rule = each.account.invitations
        if rule.enabled and rule.store_views.names is None and enabled[each.account.orders] > 1:
            yield _warn(
                each,
                "all-store-views",
                "the account is for all store views, and there are other enabled accounts",
                ("invitations", "store_views"),
                hint="name the store views, or exclude those of the other accounts",
            )


def _shared_passwords(entries: Sequence[WrittenAccount]) -> Iterator[Diagnostic]:
    first: dict[str, WrittenAccount] = {}
    for each in entries:
        other = first.setdefault(each.account.interface_password, each)
        if other is not each:
            yield _warn(
                each,
                "shared-password",
                f"the reference to the password is the same as that of {other.account.name} "
                f"({other.place(('interface_password',))})",
                ("interface_password",),
                hint="every interface has its own password: use a separate reference for each",
            )


def _of_project(
    project: ProjectEntry, settings: Project, entries: Sequence[WrittenAccount]
) -> Iterator[Diagnostic]:
    if settings.schedule.sync_every > DAY:
        path: KeyPath = ("schedule", "sync_every")
        yield warning(
            "rare-sync",
            "statistics are synced less than once a day",
            project.document.place(path),
            path=path,
            found=shown(project.document.data["schedule"]["sync_every"]),
            hint="write 24h or less, such as 6h",
        )
    yield from _forgetful(project, settings)
    yield from _told_twice(project, settings)
    if not settings.orders and any(each.account.invitations.enabled for each in entries):
        yield warning(
            "no-order-source",
            "an account is enabled, but the project has no order source: no order will be invited",
            project.document.place(),
            path=("orders",),
            hint="add `orders: {magento: {...}}` or `orders: {file: orders.jsonl}`",
        )


def _forgetful(project: ProjectEntry, settings: Project) -> Iterator[Diagnostic]:
    retention, cap = settings.privacy.retention, settings.privacy.max_per_customer
    if retention is not None and cap is not None and retention < cap.days * DAY:
        path: KeyPath = ("privacy", "retention")
        yield warning(
            "retention-below-limit",
            f"customers are forgotten before the {cap.days} days of max_per_customer are over: "
            "they may be asked more often",
            project.document.place(path),
            path=path,
            found=shown(project.document.data["privacy"]["retention"]),
            hint=f"write {cap.days}d or more",
        )


def _told_twice(project: ProjectEntry, settings: Project) -> Iterator[Diagnostic]:
    for index, each in enumerate(settings.notify):
        if each.rating is not None and "review" not in each.on:
            unused: KeyPath = ("notify", index, "rating")
            yield warning(
                "rating-unused",
                "`rating` selects new reviews to report, but `on` does not have `review`",
                project.document.place(unused),
                path=unused,
                hint="add `review` to `on`, or remove `rating`",
            )
        for before in settings.notify[:index]:
            both = sorted(set(each.on) & set(before.on))
            if both and each.webhook == before.webhook:
                path: KeyPath = ("notify", index, "webhook")
                yield warning(
                    "notified-twice",
                    f"the same webhook is notified of {' and '.join(both)} twice",
                    project.document.place(path),
                    path=path,
                    hint="remove one of the two, or give them different `on:`",
                )
                break


def _all_disabled(entries: Sequence[WrittenAccount]) -> Iterator[Diagnostic]:
    if entries and not any(each.account.invitations.enabled for each in entries):
        yield _warn(
            entries[0],
            "all-disabled",
            "no account is enabled: no invitation will be sent",
            ("invitations", "enabled"),
            hint="write `enabled: true` under `invitations:` of an account",
        )


def _unused_defaults(project: ProjectEntry, entries: Sequence[WrittenAccount]) -> Iterator[Diagnostic]:
    if not entries:
        return
    for path in _leaves(project.defaults):
        if all(holds(each.document.data, path) for each in entries):
            yield warning(
                "unused-default",
                "every account sets this itself: the default is never used",
                project.document.place(("defaults", *path), "key"),
                path=("defaults", *path),
                hint="remove it",
            )


def _leaves(defaults: Any) -> Iterator[KeyPath]:
    for key, value in defaults.items():
        if key == "invitations":
            yield from ((key, each) for each in value)
        else:
            yield (key,)


def _warn(entry: WrittenAccount, rule: str, message: str, path: KeyPath, *, hint: str) -> Diagnostic:
    return warning(rule, message, entry.place(path), path=path, hint=hint, account=entry.account.name)
