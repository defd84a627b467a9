"""The format of a state, and how older ones are brought to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, exists, insert, literal, select, update

from ekomi_reconcile import __version__
from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state import FORMAT_VERSION
from ekomi_reconcile.state.engine.tables import TABLES, meta


@dataclass(frozen=True, slots=True)
class Migration:
    """Turns a state of format ``version - 1`` into one of format ``version``.

    ``retires`` are the tables of the format before that are there no more.
    """

    version: int
    change: Callable[[Connection], None]
    retires: tuple[str, ...] = ()


def _count_refusals(connection: Connection) -> None:
    """Format 2: refusals and unreachable calls per invitation, accounts that eKomi refuses."""
    whole = "BIGINT" if connection.dialect.name == "postgresql" else "INTEGER"
    rowid = "" if connection.dialect.name == "postgresql" else " WITHOUT ROWID"
    connection.exec_driver_sql("ALTER TABLE invitation ADD COLUMN refusal TEXT")
    for column in ("refusals", "unreached"):
        connection.exec_driver_sql(f"ALTER TABLE invitation ADD COLUMN {column} INTEGER DEFAULT 0 NOT NULL")
    connection.exec_driver_sql(
        f"CREATE TABLE account_stop (account_id {whole} NOT NULL, refusal TEXT NOT NULL, "
        "message TEXT NOT NULL, since BIGINT NOT NULL, probe_id BIGINT, probed_at BIGINT, "
        f"PRIMARY KEY (account_id), FOREIGN KEY(account_id) REFERENCES account (id)){rowid}"
    )


_REBUILT = ("invitation", "invitation_history", "observation")
"""Tables with an order's key, and the one that refers to them, in the order in which they are made."""


def _order_ids_are_text(connection: Connection) -> None:
    """Format 3: the key of an order is text: shops other than Magento have no numbers."""
    if connection.dialect.name == "postgresql":
        for table in ("invitation", "observation"):
            connection.exec_driver_sql(
                f'ALTER TABLE {table} ALTER COLUMN order_id TYPE TEXT COLLATE "C" USING order_id::text'
            )
        return
    _rebuild(connection)


def _rebuild(connection: Connection) -> None:
    """SQLite changes no type of a column: its tables are set aside, made again and filled."""
    described = "SELECT type, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name"
    parts = [tuple(row) for row in connection.exec_driver_sql(described) if row[1] in _REBUILT]
    sequences = [tuple(row) for row in connection.exec_driver_sql("SELECT seq, name FROM sqlite_sequence")]
    for name in _REBUILT:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE aside_{name} AS SELECT * FROM main.{name}")  # noqa: S608
    for name in reversed(_REBUILT):
        connection.exec_driver_sql(f"DROP TABLE main.{name}")
    for kind, name, statement in sorted(parts, key=lambda part: _REBUILT.index(part[1])):
        if kind == "table":
            connection.exec_driver_sql(statement.replace("order_id BIGINT", "order_id TEXT"))
            connection.exec_driver_sql(f"INSERT INTO main.{name} SELECT * FROM aside_{name}")  # noqa: S608
            connection.exec_driver_sql(f"DROP TABLE aside_{name}")
    for kind, _, statement in parts:
        if kind != "table":
            connection.exec_driver_sql(statement)
    for last, name in sequences:
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)", (last, name))


def _times_of_invitations(connection: Connection) -> None:
    """Format 4: the pending period of an invitation, and whether sending windows hold it."""
    no = "false" if connection.dialect.name == "postgresql" else "0"
    connection.exec_driver_sql("ALTER TABLE invitation ADD COLUMN pending_days INTEGER")
    connection.exec_driver_sql(f"ALTER TABLE invitation ADD COLUMN at_once BOOLEAN DEFAULT {no} NOT NULL")


def _products(connection: Connection) -> None:
    """Format 5: what products are called at eKomi."""
    whole = "BIGINT" if connection.dialect.name == "postgresql" else "INTEGER"
    rowid = "" if connection.dialect.name == "postgresql" else " WITHOUT ROWID"
    connection.exec_driver_sql(
        f"CREATE TABLE product (account_id {whole} NOT NULL, product_id TEXT NOT NULL, "
        "identifier TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account_id, product_id), "
        f"FOREIGN KEY(account_id) REFERENCES account (id)){rowid}"
    )


def _channels(connection: Connection) -> None:
    """Format 6: the channel through which an invitation was sent."""
    connection.exec_driver_sql("ALTER TABLE invitation ADD COLUMN channel TEXT")


def _passed_orders(connection: Connection) -> None:
    """Format 7: orders that no account takes; when invitations were sent."""
    connection.exec_driver_sql("CREATE INDEX invitation_sent ON invitation (sent_at) WHERE status = 'sent'")
    postgres = connection.dialect.name == "postgresql"
    key, rowid = ('TEXT COLLATE "C"', "") if postgres else ("TEXT", " WITHOUT ROWID")
    connection.exec_driver_sql(
        f"CREATE TABLE passed_order (source TEXT NOT NULL, order_id {key} NOT NULL, "
        f"order_date BIGINT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (source, order_id)){rowid}"
    )


def _runs(connection: Connection) -> None:
    """Format 8: the runs that made invitations and changed their status."""
    for table in ("invitation", "invitation_history"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN run_id BIGINT")


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, _count_refusals),
    Migration(3, _order_ids_are_text),
    Migration(4, _times_of_invitations),
    Migration(5, _products),
    Migration(6, _channels),
    Migration(7, _passed_orders),
    Migration(8, _runs),
)
"""Every step there has been, the oldest first. Format 1 is the first format."""


def pending_migrations(
    found: int, *, known: Sequence[Migration] = MIGRATIONS, target: int = FORMAT_VERSION
) -> tuple[Migration, ...]:
    """The steps from format ``found`` to ``target``; none if it is up to date.

    Raises:
        StateDamaged: the format is newer than this version, or too old for it.
    """
    if found > target:
        raise StateDamaged(
            f"the state has format {found}; this version ({__version__}) knows formats up to {target}",
            hint="upgrade ekomi-reconcile to the version that wrote it; nothing was changed",
        )
    steps = tuple(each for each in known if found < each.version <= target)
    if [each.version for each in steps] != list(range(found + 1, target + 1)):
        raise StateDamaged(
            f"the state has format {found}, which this version ({__version__}) cannot bring up to date",
            hint="open it once with an older version of ekomi-reconcile; nothing was changed",
        )
    return steps


def refuse_older(steps: Sequence[Migration]) -> None:
    """A reader does not migrate.

    Raises:
        StateError: there are steps to take.
    """
    if steps:
        raise StateError(
            f"the state has format {steps[0].version - 1}; reading needs format {steps[-1].version}",
            hint="run `ekomi-reconcile state migrate` or `apply`: both make a backup and upgrade the state",
        )


def refuse_unasked(steps: Sequence[Migration]) -> None:
    """What several runners share is not migrated by the way.

    Raises:
        StateError: there are steps to take.
    """
    if steps:
        raise StateError(
            f"the state has format {steps[0].version - 1}; this version ({__version__}) needs format "
            f"{steps[-1].version}",
            hint="upgrade all runners to this version; then run once, on a machine that keeps the backup: "
            "ekomi-reconcile state migrate",
        )


def migrate(connection: Connection, steps: Sequence[Migration]) -> None:
    """Take all steps in the open transaction of this connection."""
    for step in steps:
        step.change(connection)
        values = {"format_version": str(step.version), "tool_version": __version__}
        for key, value in values.items():
            connection.execute(update(meta).where(meta.c.key == key).values(value=value))


def write_meta(connection: Connection, *, now: Instant) -> None:
    """Give a new state its identity."""
    values = {
        "format_version": str(FORMAT_VERSION),
        "lineage": str(uuid.uuid4()),
        "serial": "0",
        "created_at": str(now),
        "tool_version": __version__,
    }
    connection.execute(insert(meta), [{"key": key, "value": value} for key, value in values.items()])


def unused(connection: Connection) -> bool:
    """Was nothing ever recorded in this state of the present format? Then making it was not finished."""
    serial = connection.execute(select(meta.c.value).where(meta.c.key == "serial")).scalar()
    if serial != "0":
        return False
    anything = (exists(select(literal(1)).select_from(each)) for each in TABLES)
    return not any(connection.execute(select(each)).scalar() for each in anything)
