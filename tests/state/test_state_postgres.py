"""PostgreSQL: which URLs, what is made, what is refused, and what errors say."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import event
from state_server import GUARDED, PASSWORD, USER, Server
from state_support import KEY, NOW, Store, an_account, schedule

from ekomi_reconcile.model.errors import StateDamaged, StateError, StateLocked, StateMissing
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.state.engine.location import PostgresLocation, locate
from ekomi_reconcile.state.engine.runner import lock_holder, release_lock
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.opening import Mode

SECRET = "s3cr3t-canary"


@pytest.fixture
def database(server: Server, tmp_path: Path) -> str:
    """The name of an empty database."""
    name = f"db_{abs(hash(tmp_path))}"
    server.run(f"CREATE DATABASE {name}")
    return name


@pytest.mark.parametrize(
    ("url", "name", "schema", "parameters"),
    [
        (
            "postgresql://kim:p%40ss@db.example.com:5433/shop?sslmode=require",
            "postgresql://db.example.com:5433/shop",
            None,
            {
                "host": "db.example.com",
                "port": "5433",
                "user": "kim",
                "password": "p@ss",
                "dbname": "shop",
                "sslmode": "require",
            },
        ),
        ("postgres:///shop?schema=eu", "postgresql:///shop?schema=eu", "eu", {"dbname": "shop"}),
        ("postgresql+psycopg://h/a%20b", "postgresql://h/a b", None, {"host": "h", "dbname": "a b"}),
        (
            "postgresql://kim:p@ss@h/x",
            "postgresql://h/x",
            None,
            {"host": "h", "user": "kim", "password": "p@ss"},
        ),
    ],
)
def test_urls(url: str, name: str, schema: str | None, parameters: dict[str, str]) -> None:
    """A URL gives the parameters of the connection; its name shows neither user nor password."""
    place = locate(url, root=Path("/"))
    assert isinstance(place, PostgresLocation)
    assert (str(place), place.schema) == (name, schema)
    assert parameters.items() <= place.parameters.items()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://kim:{SECRET}/x@h/shop",
        f"postgresql://kim:{SECRET}#x@h/shop",
        f"postgresql://kim:{SECRET}?x@h/shop",
        f"postgresql://kim:12/{SECRET}@h/shop",
        f"postgresql://kim:12#{SECRET}@h/shop",
        f"postgresql://kim:12?{SECRET}@h/shop",
        f"postgresql://kim:{SECRET}@h:port/shop",
        f"postgresql://kim:{SECRET}@[h/shop",
    ],
)
def test_unreadable_urls_are_not_repeated(url: str) -> None:
    """A URL that is misread where its password was not encoded is refused, without a part of it."""
    with pytest.raises(StateError, match="cannot be read") as caught:
        locate(url, root=Path("/"))
    assert SECRET not in caught.value.message + str(caught.value.hint)
    assert "%40" in str(caught.value.hint)


def test_password_is_never_shown(server: Server, tmp_path: Path) -> None:
    """Neither the location nor any error on the way to the server holds the password."""
    for url in (
        f"postgresql://{USER}:{SECRET}@/nowhere?host={server.folder}",
        f"postgresql://{GUARDED}:{SECRET}@/postgres?host={server.folder}",
        f"postgresql://x:{SECRET}@127.0.0.1:1/x",
        f"postgresql://x:{SECRET}@/x?host={tmp_path}&sslmode={SECRET}",
        f"postgresql://x:{SECRET}@/x?nonsense={SECRET}",
    ):
        assert SECRET not in repr(locate(url, root=tmp_path))
        with pytest.raises(StateError) as caught:
            Store(url, tmp_path, KEY).opened()
        assert SECRET not in repr(caught.value) + str(caught.value.hint)
        assert caught.value.__cause__ is None
        assert caught.value.hint


def test_encoded_password_opens(server: Server, database: str, tmp_path: Path) -> None:
    """A password of signs that mean something in a URL works when it is encoded."""
    server.run(f"GRANT ALL ON DATABASE {database} TO {GUARDED}")
    server.run(f"GRANT ALL ON SCHEMA public TO {GUARDED}", database)
    url = server.url(database, f"{GUARDED}:{quote(PASSWORD, safe='')}")
    with Store(url, tmp_path, KEY).opened() as state:
        assert state.meta.bump_serial() == 1
    with pytest.raises(StateError, match="refused the user or the password"):
        Store(server.url(database, f"{GUARDED}:other"), tmp_path, KEY).opened()
    with pytest.raises(StateError, match="refused the user or the password"):
        Store(server.url(database, GUARDED), tmp_path, KEY).opened()


def test_state_lives_in_the_default_schema(server: Server, database: str, tmp_path: Path) -> None:
    """Without ``?schema=`` the tables are made in the user's own; nothing else is needed."""
    store = Store(server.url(database), tmp_path, KEY)
    with pytest.raises(StateMissing) as caught:
        store.opened(Mode.WRITE)
    assert "state init" in str(caught.value.hint)
    assert server.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database) == [(0,)]
    with store.opened() as state:
        assert check_database(state) == []
    assert server.run("SELECT value FROM public.meta WHERE key = 'serial'", database) == [("0",)]


def test_schemas_are_separate_states(server: Server, database: str, tmp_path: Path) -> None:
    """Two schemas of one database are two states with a lock each; a strange name is only a name."""
    first = Store(server.url(database), tmp_path, KEY)
    second = Store(server.url(database, schema='Other "Shop" %s'), tmp_path, KEY)
    with first.opened() as one, second.opened() as two, first.lock() as lock, second.lock():
        assert one.meta.read().lineage != two.meta.read().lineage
        assert lock_holder(first.place) == lock.info
        assert lock_holder(second.place) != lock.info


def test_writing_needs_a_key(shared: Store) -> None:
    """Without a configured key a state is neither made nor written; it can be read."""
    with shared.opened() as state:
        state.meta.bump_serial()
    for mode in (Mode.CREATE, Mode.WRITE):
        with pytest.raises(StateError, match="needs a key") as caught:
            shared.opened(mode, key=None)
        assert "privacy: {key:" in str(caught.value.hint)
    with shared.opened(Mode.READ, key=None) as state:
        assert state.accounts.read() == ()
        with pytest.raises(StateError, match=r"privacy\.key|missing"):
            state.key.require()


def test_readers_cannot_write(shared: Store) -> None:
    """A state opened for reading does not write, not even by SQL that goes around the store."""
    with shared.opened() as state:
        state.meta.bump_serial()
    with shared.opened(Mode.READ) as state:
        with pytest.raises(StateError, match="reading only"):
            state.meta.bump_serial()
        with pytest.raises(StateError, match="read-only"):
            state.session.connection.exec_driver_sql("UPDATE meta SET value = '7'")


def test_tables_of_others_are_left_alone(server: Server, database: str, tmp_path: Path) -> None:
    """Where another program has tables of our names, nothing is made or changed."""
    store = Store(server.url(database), tmp_path, KEY)
    server.run("CREATE TABLE review (stars int)", database)
    with pytest.raises(StateDamaged, match="another program") as caught:
        store.opened()
    assert "?schema=" in str(caught.value.hint)
    assert server.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database) == [
        ("review",)
    ]
    server.run("CREATE TABLE meta (key text, value text)", database)
    for mode in Mode:
        with pytest.raises(StateDamaged, match="another program"):
            store.opened(mode)


@pytest.mark.parametrize(("value", "said"), [("99", "format 99"), ("new", "which format")])
def test_newer_formats_are_refused(shared: Store, value: str, said: str) -> None:
    """A format that this version does not know is refused for reading and writing."""
    with shared.opened() as state, state.transaction():
        state.session.connection.exec_driver_sql(
            f"UPDATE meta SET value = '{value}' WHERE key = 'format_version'"
        )
    for mode in Mode:
        with pytest.raises(StateDamaged, match=said):
            shared.opened(mode)


def test_check_tells_what_is_missing(shared: Store) -> None:
    """A table, column or index that is gone is told."""
    with shared.opened() as state:
        assert check_database(state) == []
        with state.transaction():
            state.session.connection.exec_driver_sql("DROP INDEX invitation_due")
            state.session.connection.exec_driver_sql("ALTER TABLE review DROP COLUMN gone_at")
            state.session.connection.exec_driver_sql("DROP TABLE observation")
        told = " ".join(check_database(state))
    assert all(word in told for word in ("invitation_due", "gone_at", "observation"))


def test_closed_port_is_told(tmp_path: Path) -> None:
    """A server that does not answer is told with its address, and what to look at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StateError, match=f"127.0.0.1:{port}/shop cannot be reached") as caught:
            Store(f"postgresql://127.0.0.1:{port}/shop", tmp_path, KEY).opened()
    assert "server is running" in str(caught.value.hint)


def test_missing_database_is_told(server: Server, tmp_path: Path) -> None:
    """A database that does not exist is not made, neither by the state nor by its lock."""
    store = Store(server.url("nowhere"), tmp_path, KEY)
    for attempt in (store.opened, store.lock().acquire):
        with pytest.raises(StateError, match="no such database") as caught:
            attempt()
        assert "createdb" in str(caught.value.hint)


def test_missing_right_is_told(server: Server, database: str, tmp_path: Path) -> None:
    """Without the right to make tables it is said which right is missing, and nothing is made."""
    server.run(f"REVOKE ALL ON SCHEMA public FROM public, {GUARDED}", database)
    url = server.url(database, f"{GUARDED}:{quote(PASSWORD, safe='')}")
    with pytest.raises(StateError) as caught:
        Store(url, tmp_path, KEY).opened()
    assert caught.value.hint


def test_read_only_server_is_told(shared: Store) -> None:
    """A standby or a read-only user can be read; writing says what to do."""
    with shared.opened() as state:
        state.meta.bump_serial()
    options = "&options=-c%20default_transaction_read_only%3Don"
    standby = Store(shared.text + options, shared.root, KEY)
    with standby.opened(Mode.READ) as state:
        assert state.meta.read().serial == 1
    with (
        standby.opened(Mode.WRITE) as state,
        pytest.raises(StateError, match="server is read-only") as caught,
    ):
        state.meta.bump_serial()
    assert "primary" in str(caught.value.hint)


def test_server_gone_while_reading(server: Server, shared: Store) -> None:
    """A connection that ended is a StateError; the state can be closed and opened again."""
    with shared.opened() as state:
        state.meta.bump_serial()
        server.end_connections()
        with pytest.raises(StateError, match="ended the connection") as caught:
            state.queue.counts()
        assert "run again" in str(caught.value.hint)
    with shared.opened(Mode.WRITE) as state:
        assert state.queue.counts() == {}


def test_server_gone_within_a_transaction(server: Server, shared: Store) -> None:
    """What was not committed when the server went is not there afterwards."""
    with shared.opened() as state:
        state.accounts.save(an_account(), now=NOW)

        def attempt() -> None:
            with state.transaction():
                schedule(state, 1)
                server.end_connections()
                schedule(state, 2)

        with pytest.raises(StateError, match="ended the connection"):
            attempt()
    with shared.opened(Mode.WRITE) as state:
        assert state.queue.counts() == {}
        assert schedule(state, 3)


def test_lock_of_a_lost_connection(server: Server, shared: Store) -> None:
    """A lock whose connection ended is free for others, and its former holder notices."""
    lock = shared.lock()
    lock.acquire()
    server.end_connections()
    with shared.lock("sync") as other:
        with pytest.raises(StateLocked):
            lock.verify()
        lock.release()
        other.verify()


def test_lock_comes_before_the_state(shared: Store) -> None:
    """The lock is to be had where nothing exists yet, and leaves nothing behind."""
    with shared.lock() as lock:
        assert lock_holder(shared.place) == lock.info
    with pytest.raises(StateMissing):
        shared.opened(Mode.READ)


def test_lock_let_go_for_sending(shared: Store) -> None:
    """Who goes on to send gives the lock to others."""
    with shared.lock() as lock:
        lock.let_others_write()
        with shared.lock("sync"):
            pass


def test_lock_tells_hostile_names(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a holder says of itself cannot end the comment that it is written in."""
    monkeypatch.setenv("CI_JOB_URL", "https://ci.example.com/*/ SELECT 1; -- /* ' \" % %s \\ ü")
    with shared.lock("apply */") as lock:
        found = lock_holder(shared.place)
        assert found == lock.info
        assert found is not None
        assert release_lock(shared.place, found.ID) == found


def test_lock_of_another_user_is_seen(server: Server, database: str, tmp_path: Path) -> None:
    """A user who may not see the statements of others still learns that the lock is held."""
    owner = Store(server.url(database), tmp_path, KEY)
    url = server.url(database, f"{GUARDED}:{quote(PASSWORD, safe='')}")
    other = Store(url, tmp_path, KEY)
    with owner.lock("apply"):
        info = lock_holder(other.place)
        assert info is not None
        assert info.Operation == "unknown"
        with pytest.raises(StateLocked):
            other.lock("sync", sleep=lambda _: None).acquire()
    assert lock_holder(other.place) is None


def test_text_with_a_nul_is_kept_as_far_as_possible(shared: Store) -> None:
    """PostgreSQL cannot hold the character NUL: a review that has one is imported all the same."""
    with shared.opened() as state:
        state.accounts.save(an_account(), now=NOW)
        for text in ("a\0b", r"a\u0000b", "c\0"):
            state.reviews.save_import(
                "1", [Review(order_id="A", submitted_at=NOW, rating=4.0, text=text)], full=True, now=NOW
            )
            (found,) = state.reviews.search()
            assert found.review.text == text.replace("\0", "\ufffd")


def test_queries_use_their_indexes(shared: Store) -> None:
    """What is due, abandoned, or of an order or customer is found without reading or sorting all rows."""
    with shared.opened() as state:
        state.accounts.save(an_account(), now=NOW)
        schedule(state, *range(2_000), customer="anna")
        connection = state.session.connection
        connection.commit()
        connection.exec_driver_sql("SET enable_seqscan = off")
        connection.commit()
        asked: list[tuple[str, object]] = []
        event.listen(
            connection,
            "before_cursor_execute",
            lambda _c, _k, text, bound, _x, _m: asked.append((text, bound)),
        )
        list(state.queue.due(["1"], NOW + 500))
        state.queue.abandoned(now=NOW)
        state.queue.rows_for("default", [5])
        state.queue.customer_load(["anna"], 0)
        for statement, bound in [each for each in asked if "FROM invitation" in each[0]]:
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", bound).scalars())
            assert "invitation_" in plan, plan
            assert "Seq Scan" not in plan
    assert len(asked) >= 5


def test_connections_are_named(server: Server, shared: Store) -> None:
    """An administrator of the server sees what is connected, and for what."""
    with shared.opened(), shared.lock("apply"):
        names = server.run(
            "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'ekomi%'"
        )
    assert ("ekomi-reconcile",) in names
    assert any(str(name).startswith("ekomi-reconcile apply ") for (name,) in names)


def test_driver_error_never_comes_through(shared: Store) -> None:
    """Whatever the server refuses is a StateError."""
    with shared.opened() as state:
        state.session.connection.exec_driver_sql("SET statement_timeout = 20")
        state.session.connection.commit()
        for statement in ("SELECT 1/0", "nonsense", "SELECT 'x'::int", "SELECT pg_sleep(1)"):
            with pytest.raises(StateError) as caught, state.transaction():
                state.session.connection.exec_driver_sql(statement)
            assert not isinstance(caught.value, psycopg.Error)
        assert state.meta.bump_serial() == 1
