"""Bringing a state to another format: after a copy, whole or not at all, whenever the process dies."""

import stat

import pytest
from care_formats import TARGET, steps
from care_support import fill, more_orders
from sqlalchemy import inspect
from state_support import KEY, NOW, Store, an_account, an_order, kill, process

from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.model.invitation import InvitationFilter, Observation
from ekomi_reconcile.state import FORMAT_VERSION
from ekomi_reconcile.state.engine import postgres
from ekomi_reconcile.state.maintenance.backup import restore
from ekomi_reconcile.state.maintenance.check import check_state
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state

MIGRATE = (
    "sys.path.append(sys.argv[2] + '/tests/care')\n"
    "from care_formats import TARGET, steps\n"
    "store.opened(Mode.MIGRATE, migrations=steps({moment!r}, wait), target=TARGET)\n"
    "wait()"
)


@pytest.fixture
def old(store):
    """A place with a state of format 1, and what is in it."""
    with store.opened() as state:
        fill(state)
        return store, StoredContent(state).digests()


def migrated(store):
    """The state, brought to the format after the next."""
    return store.opened(Mode.MIGRATE, migrations=steps(), target=TARGET)


def copies(store):
    """The copies that migrations have made."""
    folder = store.root if store.is_file else store.root / ".ekomi-reconcile"
    return sorted(folder.glob(f"*.format-{FORMAT_VERSION}.backup*")) if folder.is_dir() else []


@pytest.mark.sampled(6)
@pytest.mark.parametrize("moment", ["before the first step", "between the steps", "before the commit"])
def test_killed_while_migrating(old, moment):
    """There is a copy, the state is of the old format with every row, and the next one goes through."""
    store, before = old
    kill(process(MIGRATE.format(moment=moment), store))
    (copy,) = copies(store)
    with open_state(str(copy), root=store.root, mode=Mode.READ) as found:
        assert StoredContent(found).digests() == before
    with store.opened(Mode.WRITE) as state:
        assert state.meta.read().format_version == FORMAT_VERSION
        assert StoredContent(state).digests() == before
        assert check_state(state) == []
    with migrated(store) as state:
        assert state.meta.read().format_version == TARGET
        assert notes(state) == 6
    assert len(copies(store)) == 2


def notes(state):
    """How many rows have what the first step adds."""
    counted = "SELECT count(*) FROM invitation WHERE note = number"
    return state.session.connection.exec_driver_sql(counted).scalar_one()


@pytest.mark.sampled(2)
def test_killed_after_migrating(old):
    """The new format is whole, with every row; it is not migrated a second time."""
    store, before = old
    kill(process(MIGRATE.format(moment=""), store))
    with migrated(store) as state:
        assert state.meta.read().format_version == TARGET
        assert notes(state) == before["invitation"].rows
    assert len(copies(store)) == 1
    with pytest.raises(StateDamaged, match=f"format {TARGET}"):
        store.opened(Mode.WRITE)


@pytest.mark.sampled(2)
def test_the_copy_brings_the_old_format_back(old, place):
    """The version before restores the copy, on a file or a server, and goes on as if nothing had been."""
    store, before = old
    migrated(store).close()
    (copy,) = copies(store)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for kind in ("file", "postgres"):
        where = place(kind)
        key = store.key or bytes.fromhex(store.place.key.read_text())
        restore(copy, where.text, root=where.root, key=key, now=NOW)
        with Store(where.text, where.root, key).opened(Mode.WRITE) as state:
            after = StoredContent(state).digests()
            assert {name: after[name] for name in before if name != "journal"} == {
                name: before[name] for name in before if name != "journal"
            }
            assert check_state(state) == []
            assert more_orders(state, 70) == {70: 7}


def test_a_shared_state_is_migrated_only_on_demand(place):
    """Other runners may not know the new format: an apply refuses, changes nothing, and says what to run."""
    store = place("postgres")
    with store.opened() as state:
        fill(state)
        before = StoredContent(state).digests()
    for mode in (Mode.READ, Mode.WRITE, Mode.CREATE):
        with pytest.raises(StateError, match=f"needs format {TARGET}") as caught:
            store.opened(mode, migrations=steps(), target=TARGET)
        assert "state migrate" in caught.value.hint
    assert copies(store) == []
    with store.opened(Mode.READ) as state:
        assert StoredContent(state).digests() == before


def test_nobody_writes_between_the_copy_and_the_migration(place, server):
    """A runner that is sending meanwhile is kept waiting: what it writes is in the copy or comes after it."""
    store = place("postgres")
    with store.opened() as state:
        fill(state)
    running = process(MIGRATE.format(moment="before the first step"), store)
    with pytest.raises(Exception, match="lock timeout"):
        server.run(f"SET lock_timeout = 50; UPDATE {store.place.schema}.invitation SET attempts = 9")
    kill(running)


def test_tables_of_others_are_not_copied(place, server):
    """What another program keeps in the same schema is neither in the copy nor kept from being written."""
    store = place("postgres")
    with store.opened() as state:
        fill(state)
    server.run(f"CREATE TABLE {store.place.schema}.theirs (secret text)")
    migrated(store).close()
    (copy,) = copies(store)
    assert b"theirs" not in copy.read_bytes()


def test_without_room_for_a_copy_nothing_is_migrated(place):
    """Where the copy cannot be written the state stays in its format."""
    store = place("postgres")
    with store.opened() as state:
        fill(state)
    (store.root / ".ekomi-reconcile").write_text("a file")
    with pytest.raises(StateError, match=r"\.ekomi-reconcile"):
        migrated(store)
    with Store(store.text, store.root, KEY).opened(Mode.WRITE) as state:
        assert state.meta.read().format_version == FORMAT_VERSION


def columns_of(state):
    """Every column of every table, with what may be null, and the rows of the invitations."""
    inspector = inspect(state.session.connection)
    return {
        table: sorted(
            (each["name"], str(each["type"]), each["nullable"]) for each in inspector.get_columns(table)
        )
        for table in inspector.get_table_names()
    }


def test_a_state_of_the_first_format_becomes_one_of_today(store):
    """Migrated, it has the columns of a new state, every row, and works."""
    with store.opened() as state:
        fill(state)
        wanted, rows = columns_of(state), state.queue.rows_for("default", range(1, 100))
        with state.transaction():
            run = state.session.connection.exec_driver_sql
            run("DROP TABLE account_stop")
            run("DROP TABLE product")
            run("DROP TABLE passed_order")
            run("DROP INDEX invitation_sent")
            for name in ("refusal", "refusals", "unreached", "pending_days", "at_once", "channel", "run_id"):
                run(f"ALTER TABLE invitation DROP COLUMN {name}")
            run("ALTER TABLE invitation_history DROP COLUMN run_id")
            run("UPDATE meta SET value = '1' WHERE key = 'format_version'")
    with store.opened(Mode.MIGRATE) as state:
        assert state.meta.read().format_version == FORMAT_VERSION
        assert columns_of(state) == wanted
        assert state.queue.rows_for("default", range(1, 100)) == rows
        assert check_state(state) == []
        assert state.refusals.read() == {}


IDS = (9, 10, "007", "1e5", "7f3e0000-0000-4000-8000-000000000000", "Auftrag ü/1")


def test_ids_of_any_form_are_kept_and_found(store):
    """Numbers come back as numbers, everything else as it was."""
    with store.opened() as state, store.lock():
        state.accounts.save(an_account(), now=NOW)
        rows = [an_order(each, number=f"N{at}") for at, each in enumerate(IDS)]
        state.schedule.add(rows, now=NOW)
        seen = [Observation(source="default", order_id=each, status="new", since=NOW) for each in IDS]
        state.positions.observe(seen)
        found = state.queue.rows_for("default", IDS)
        assert {key: [row.order_id for row in rows] for key, rows in found.items()} == {
            each: [each] for each in IDS
        }
        assert set(state.queue.observations("default", IDS)) == set(IDS)
        for each in IDS:
            (row,) = state.invitations.search(InvitationFilter(order=f"#{each}"))
            assert row.order_id == each
        assert check_state(state) == []


def test_order_ids_become_text(store):
    """A state of format 2, in which they were numbers, has the same invitations and observations after."""
    if store.is_file:
        pytest.skip("the recorded state of the first version covers files")
    with store.opened() as state:
        fill(state)
        before = list(state.invitations.search())
    with postgres.connect(store.place) as connection:
        for table in ("invitation", "observation"):
            connection.execute(
                f"ALTER TABLE {table} ALTER COLUMN order_id TYPE BIGINT USING order_id::bigint"
            )
        connection.execute("DROP TABLE product")
        connection.execute("DROP TABLE passed_order")
        connection.execute("ALTER TABLE invitation DROP COLUMN run_id")
        connection.execute("ALTER TABLE invitation_history DROP COLUMN run_id")
        connection.execute("DROP INDEX invitation_sent")
        for name in ("pending_days", "at_once", "channel"):
            connection.execute(f"ALTER TABLE invitation DROP COLUMN {name}")
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'format_version'")
    with store.opened(Mode.MIGRATE) as state:
        assert list(state.invitations.search()) == before
        assert state.meta.read().format_version == FORMAT_VERSION
        assert check_state(state) == []
