"""Projects and orders of any size to measure with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import AppliedAccount
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.opening import Mode, open_state

STATE = ".ekomi-reconcile/state.db"
CACHE = ".ekomi-reconcile/cache"
PASSWORD = "sandbox-bench"
ACCOUNTS = 10
"""In every project that is not about their number."""
ENV = {f"BENCH_PASSWORD_{number}": PASSWORD for number in range(ACCOUNTS)}

PROJECT = """\
version: 1
accounts: accounts.d
orders: {{file: orders.jsonl}}
ekomi: {{api_url: "{url}/v3", srr_url: "{url}", requests_per_second: 100000, parallelism: {parallelism}}}
safety: {{max_delete_percent: 100, max_sends: 10000000, max_schedules: 10000000}}
schedule: {{sync_every: 365d, import_reviews_every: 365d}}
{more}"""

ACCOUNT = """\
name: Account {number}
interface_id: "{interface}"
interface_password: ${{env:BENCH_PASSWORD_{number}}}
links:
  webshop_url: https://shop{number}.example.com
  submit_url: https://shop{number}.example.com/review
tags: [bench, group{group}]
priority: 0
invitations:
  enabled: true
  pending_period: {period}
  skip_orders_older_than: 60
  store_views: [view{number}]
  customer_groups:
    exclude: [NOT LOGGED IN]
  order_statuses: [complete]
  deliver: ekomi-email
  conditions:
    all:
      - grand_total: {{gte: 10}}
      - any_item:
          any:
            - sku: {{starts_with: SKU-}}
            - qty: {{gte: 2}}
      - not:
          shipping_method:
            in: [pickup_pickup]
"""


def make_project(
    folder: Path,
    *,
    accounts: int,
    url: str = "http://127.0.0.1:9",
    period: int = 14,
    parallelism: int = 16,
    more: str = "",
) -> None:
    """A project with this many accounts, one file each; ``more`` are further lines of the project file."""
    (folder / "accounts.d").mkdir(parents=True)
    text = PROJECT.format(url=url, parallelism=parallelism, more=more)
    (folder / "ekomi-reconcile.yaml").write_text(text)
    for number in range(accounts):
        text = ACCOUNT.format(number=number, interface=100_000 + number, group=number % 10, period=period)
        (folder / "accounts.d" / f"account{number:05}.yaml").write_text(text)


def days_ago(days: float) -> str:
    """An instant as Magento writes it."""
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")


def record_accounts(folder: Path, *, password: str, location: str = STATE, key: bytes | None = None) -> None:
    """A state in which every account of the files was applied, synced and imported just now."""
    configuration, now = load(folder / "ekomi-reconcile.yaml"), instant.now()
    with open_state(location, root=folder, mode=Mode.CREATE, key=key) as state, state.transaction():
        digest = state.key.digest(Purpose.PASSWORD, password)
        state.accounts.save_all(
            [AppliedAccount(account=each, password_digest=digest) for each in configuration.accounts], now=now
        )
        for each in configuration.accounts:
            state.accounts.record_shop_data(each.interface_id, ShopData(account_name=each.name), now=now)
            state.reviews.save_import(each.interface_id, [], full=True, now=now)
