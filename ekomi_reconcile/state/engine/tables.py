"""The schema of the state."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    literal_column,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine
from typing_extensions import override

from ekomi_reconcile.model.order import OrderId, order_id_of

metadata = MetaData()

_ROW_ID = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *items: SchemaItem) -> Table:
    """A table with an id that is never given out twice."""
    return Table(
        name,
        metadata,
        Column("id", _ROW_ID, primary_key=True, autoincrement=True),
        *items,
        sqlite_autoincrement=True,
    )


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


class OrderKey(TypeDecorator[OrderId]):
    """An order's key as text, which every database compares character by character."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        collation = "C" if dialect.name == "postgresql" else None
        return Text(collation=collation)

    @override
    def process_bind_param(self, value: OrderId | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> OrderId | None:
        return None if value is None else order_id_of(value)


def _instant(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _maybe_text(name: str) -> Column[str]:
    return Column(name, Text)


def _maybe_instant(name: str) -> Column[int]:
    return Column(name, BigInteger)


def _account(*, nullable: bool = False) -> Column[int]:
    return Column("account_id", _ROW_ID, ForeignKey("account.id"), nullable=nullable)


def _index_where(name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False) -> Index:
    """An index of only the rows for which ``where`` holds."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


meta = Table("meta", metadata, Column("key", Text, primary_key=True), _text("value"), sqlite_with_rowid=False)

account = _table(
    "account",
    Column("interface_id", Text, nullable=False, unique=True),
    _text("name"),
    _text("name_key"),
    _text("desired"),
    _maybe_text("password_digest"),
    Column("protect", Boolean, nullable=False, server_default=false()),
    _instant("created_at"),
    _instant("updated_at"),
    _maybe_instant("deleted_at"),
    _maybe_text("account_name"),
    _maybe_text("locale"),
    _maybe_text("logo_url"),
    _maybe_text("webshop_url"),
    _maybe_text("review_page"),
    _maybe_text("certificate_id"),
    _maybe_instant("total_reviews"),
    Column("average_score", Float),
    Column("active", Boolean),
    _maybe_instant("last_fetched_at"),
    _maybe_instant("last_import_at"),
    _maybe_instant("last_full_import_at"),
    _maybe_text("last_error"),
    _maybe_instant("last_error_at"),
)
"""``name_key`` is the case-folded name: folding in SQL differs from database to database."""

_index_where("account_live_name", account.c.name_key, where=account.c.deleted_at.is_(None), unique=True)

invitation = _table(
    "invitation",
    _account(),
    _text("source"),
    Column("order_id", OrderKey, nullable=False),
    _text("number"),
    _maybe_text("store_view"),
    _instant("order_date"),
    _text("status"),
    _instant("reached_at"),
    _text("reached_status"),
    _text("reached_source"),
    _instant("judged_at"),
    _instant("scheduled_at"),
    _maybe_instant("sent_at"),
    _maybe_text("link"),
    _maybe_text("reason"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _maybe_instant("next_attempt_at"),
    Column("pushed", Boolean, nullable=False, server_default=false()),
    _maybe_text("customer"),
    _instant("changed_at"),
    _maybe_text("lease_owner"),
    _maybe_instant("lease_until"),
    _maybe_text("refusal"),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Column("unreached", Integer, nullable=False, server_default="0"),
    Column("pending_days", Integer),
    Column("at_once", Boolean, nullable=False, server_default=false()),
    _maybe_text("channel"),
    _maybe_instant("run_id"),
    # The order before the account: new orders then land at the end of the index, ten times as fast.
    UniqueConstraint("source", "order_id", "account_id", name="invitation_order_account"),
)

# A partial index serves a query only if the query says the same literal, not a bound value.
CANCELLED = literal_column("'cancelled'", Text)
PENDING = literal_column("'pending'", Text)
SENDING = literal_column("'sending'", Text)
SENT = literal_column("'sent'", Text)


# At most one request per order, across all accounts: kept by the database itself.
_index_where(
    "invitation_live",
    invitation.c.source,
    invitation.c.order_id,
    where=invitation.c.status != CANCELLED,
    unique=True,
)
_index_where(
    "invitation_due", invitation.c.scheduled_at, invitation.c.id, where=invitation.c.status == PENDING
)
_index_where("invitation_sent", invitation.c.sent_at, where=invitation.c.status == SENT)
_index_where("invitation_sending", invitation.c.id, where=invitation.c.status == SENDING)
Index("invitation_account_status", invitation.c.account_id, invitation.c.status)
Index("invitation_number", invitation.c.number)
CUSTOMER_INDEX = _index_where(
    "invitation_customer", invitation.c.customer, where=invitation.c.customer.is_not(None)
)
"""Digests come in no order, so each new row touches a page of its own: see ``bulk``."""

invitation_history = _table(
    "invitation_history",
    Column("invitation_id", _ROW_ID, ForeignKey("invitation.id"), nullable=False, index=True),
    _instant("at"),
    _text("from_status"),
    _text("to_status"),
    _text("actor"),
    _maybe_text("detail"),
    _maybe_instant("run_id"),
)
"""Every change of a status after the row was made; when that was is the row's ``judged_at``.

``run_id``, here and of the row, is the entry of the journal with which the run began that made it.
"""

review = _table(
    "review",
    _account(),
    _text("order_id"),
    Column("product_id", Text, nullable=False, server_default=""),
    _instant("submitted_at"),
    Column("repeat", Integer, nullable=False),
    Column("rating", Float, nullable=False),
    _text("text"),
    _text("comment"),
    _text("title"),
    _instant("first_seen_at"),
    _instant("changed_at"),
    _maybe_instant("gone_at"),
    UniqueConstraint("account_id", "order_id", "submitted_at", "product_id", "repeat", name="review_key"),
)
Index("review_account_submitted", review.c.account_id, review.c.submitted_at)

erased_review = Table(
    "erased_review",
    metadata,
    Column("account_id", _ROW_ID, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("order_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""Orders whose reviews were erased at the customer's wish: no import brings their texts back."""

product = Table(
    "product",
    metadata,
    Column("account_id", _ROW_ID, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("product_id", Text, primary_key=True),
    _text("identifier"),
    _text("name"),
    sqlite_with_rowid=False,
)
"""Products that customers were asked about: eKomi's id for each, the shop's own identifier, and its name."""

position = Table(
    "position",
    metadata,
    Column("account_id", _ROW_ID, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    _text("source"),
    _text("rule_digest"),
    _text("cursor"),
    _instant("evaluated_at"),
)

observation = Table(
    "observation",
    metadata,
    Column("source", Text, primary_key=True),
    Column("order_id", OrderKey, primary_key=True),
    _text("status"),
    _instant("since"),
    Column("moved", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

passed_order = Table(
    "passed_order",
    metadata,
    Column("source", Text, primary_key=True),
    Column("order_id", OrderKey, primary_key=True),
    _instant("order_date"),
    _text("reason"),
    sqlite_with_rowid=False,
)
"""Orders that no account takes, by the criterion at which the nearest account stopped; only for reports."""

turn = Table(
    "turn",
    metadata,
    Column("interface_id", Text, primary_key=True),
    Column("taken", Text().with_variant(ARRAY(Double), "postgresql"), nullable=False),
    sqlite_with_rowid=False,
)
"""When runners last asked eKomi for an account, as far as their rate goes back; a file has one runner."""

account_stop = Table(
    "account_stop",
    metadata,
    Column("account_id", _ROW_ID, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    _text("refusal"),
    _text("message"),
    _instant("since"),
    _maybe_instant("probe_id"),
    _maybe_instant("probed_at"),
    sqlite_with_rowid=False,
)
"""Accounts whose requests eKomi refuses. ``refusal`` is the text without what differs between orders."""

journal = _table(
    "journal",
    _instant("at"),
    _text("who"),
    _text("host"),
    Column("commit_id", Text),
    Column("plan_digest", Text, index=True),
    _text("action"),
    _maybe_text("subject"),
    _text("outcome"),
    _maybe_text("detail"),
)

api_error = _table(
    "api_error",
    Column("at", BigInteger, nullable=False, index=True),
    _account(nullable=True),
    _text("operation"),
    _text("kind"),
    Column("http_status", Integer),
    _text("message"),
)

TABLES: tuple[Table, ...] = tuple(each for each in metadata.sorted_tables if each not in (meta, turn))
"""What is copied, referred to before referring: all but the state's own data and what runners share."""
